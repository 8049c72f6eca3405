/* SPDX-License-Identifier: MIT */
/* The gateway's task: the portable core in one loop. */
#include "port.h"

#include "gw/text.h"

#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <nvs_flash.h>
#include <string.h>

#define WAIT_MAX_MS 50u /* the console is looked at so often */

static struct gw gw;
static struct gw_device_config devices[GW_DEVICES_MAX]; /* the device, and the gateway itself */
_Static_assert(GW_DEVICES_MAX == 2u, "one, and the gateway itself");
static struct gw_self *self;
static struct gw_channel_config channel;
static struct fota_key keys[2];
static StackType_t stack[PORT_GATEWAY_STACK / sizeof(StackType_t)];
static StaticTask_t task_control;
static TaskHandle_t task;

void port_wake(void)
{
    (void) xTaskNotifyGive(task);
}

/* --- configuration ---------------------------------------------------------------------------- */

/* The settings are bounded as what they go to. */
static void copy(char *to, size_t capacity, const char *from)
{
    size_t length = strlen(from) < capacity ? strlen(from) : capacity - 1u;

    memcpy(to, from, length);
    to[length] = '\0';
}

static int credentials(void *ctx, struct gw_sigv4_credentials *out)
{
    const struct port_settings *s = &port_settings;

    (void) ctx;
    memset(out, 0, sizeof *out);
    if (!port_clock_is_set() || s->access_key[0] == '\0' || s->secret_key[0] == '\0')
        return -1;
    copy(out->access_key, sizeof out->access_key, s->access_key);
    copy(out->secret_key, sizeof out->secret_key, s->secret_key);
    copy(out->region, sizeof out->region, s->region);
    return 0;
}

static int use_channel(struct gw_config *config, char *error, size_t capacity)
{
    const struct port_settings *s = &port_settings;

    if (s->channel[0] == '\0')
        return 0;
    if (!gw_uuid_parse(s->channel_product, channel.product)) {
        (void) snprintf(error, capacity,
                        "channel_product \"%.36s\" is no UUID, for example 5f0e1a52-7c34-4b11-9d20-610b3a774001",
                        s->channel_product);
        return -1;
    }
    copy(channel.name, sizeof channel.name, s->channel);
    copy(channel.url, sizeof channel.url, s->channel_url);
    channel.poll_s = port_settings_number(s->channel_poll, 1, GW_CHANNEL_POLL_MAX_S, GW_CHANNEL_POLL_S);
    channel.credentials = s->region[0] != '\0' ? credentials : NULL;
    config->channels = &channel;
    config->channel_count = 1;
    return 0;
}

static int configure(struct gw_config *config, char *error, size_t capacity)
{
    const struct port_settings *s = &port_settings;
    const char *const texts[] = {s->key1, s->key2};

    for (unsigned i = 0; i < 2u; i++) {
        if (texts[i][0] == '\0')
            continue;
        if (port_key_parse(texts[i], &keys[config->key_count]) != 0) {
            (void) snprintf(error, capacity, "key%u is no P-256 public key: the base64 of release.pub.pem, in one line",
                            i + 1u);
            return -1;
        }
        config->key_count++;
    }
    if (s->broker[0] == '\0' && s->channel[0] == '\0') {
        (void) snprintf(error, capacity, "neither broker nor channel is set: nothing would ever be done");
        return -1;
    }
    copy(config->id, sizeof config->id, s->id);
    copy(devices[0].name, sizeof devices[0].name, s->device);
    devices[0].baud = port_settings_number(s->baud, 1200, 2000000, 115200);
    devices[0].baud_max = port_settings_number(s->max_baud, 1200, 2000000, 2000000);
    devices[0].link = port_line();
    devices[0].pins = port_pins();
    copy(devices[1].name, sizeof devices[1].name, s->self);
    return use_channel(config, error, capacity);
}

/* @return false with a sentence when the gateway cannot work so. */
static bool begin(char *error, size_t capacity)
{
    struct gw_config config = {
        .version = FOTA_VERSION, .keys = keys, .devices = devices, .device_count = GW_DEVICES_MAX};
    struct gw_ports ports = {&port_http, &port_mqtt, NULL, &port_clock, &port_logger, NULL};
    bool works;

    ports.storage = port_storage_open(error, capacity);
    works = ports.storage != NULL && configure(&config, error, capacity) == 0;
    self = port_self(keys, config.key_count); /* also where nothing works: its deadline brings back what did */
    if (!works)
        return false;
    devices[1].link = &self->link;
    config.cache_files = port_storage_files();
    config.cache_bytes = config.cache_files * PORT_SLOT;
    port_http_start();
    port_mqtt_start(&gw);
    if (gw_init(&gw, &config, &ports, error, capacity) != 0)
        return false;
    port_log(GW_LOG_INFO, "fota-gateway %s, id %s, broker %s, device %s", FOTA_VERSION, config.id,
             port_settings.broker[0] != '\0' ? port_settings.broker : "none", devices[0].name);
    return true;
}

/* This program works: it meets who gives it jobs. */
static bool healthy(void)
{
    return gw.mqtt == GW_MQTT_ON || (port_settings.broker[0] == '\0' && gw.channel[0].polled != 0);
}

/* --- the task --------------------------------------------------------------------------------- */

static void run(void *arg)
{
    char error[256];
    bool works;

    (void) arg;
    task = xTaskGetCurrentTaskHandle();
    if (!port_log_level(port_settings.log))
        port_log(GW_LOG_WARNING, "log \"%s\" is none of error, warning, info, debug", port_settings.log);
    port_net_start();
    port_watchdog_start();
    works = begin(error, sizeof error);
    if (!works)
        port_log(GW_LOG_ERROR, "%s; `set` and `restart` at this console change it", error);
    for (;;) { /* endless: the task's; it sleeps until something is to be done */
        uint32_t wait = works ? gw_poll(&gw) : WAIT_MAX_MS;

        if (works && healthy())
            gw_self_healthy(self);
        if (gw_self_poll(self)) {
            if (works)
                gw_stop(&gw);
            gw_self_restart(self);
        }
        port_console_poll();
        port_watchdog_feed();
        wait = wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
        (void) ulTaskNotifyTake(pdTRUE, pdMS_TO_TICKS(wait > 0 ? wait : 1u));
    }
}

/* A version of NVS that this one does not know, or pages full of what it cannot read: only empty does it work. */
static void open_nvs(void)
{
    esp_err_t error = nvs_flash_init();

    if (error == ESP_ERR_NVS_NO_FREE_PAGES || error == ESP_ERR_NVS_NEW_VERSION_FOUND) {
        port_log(GW_LOG_ERROR, "NVS cannot be used (%s): emptied, the settings of menuconfig hold",
                 esp_err_to_name(error));
        if (nvs_flash_erase() == ESP_OK)
            error = nvs_flash_init();
    }
    if (error != ESP_OK)
        port_log(GW_LOG_ERROR, "NVS: %s", esp_err_to_name(error));
}

void port_app_start(void)
{
    vTaskPrioritySet(NULL, PORT_PRIORITY);
    open_nvs();
    if (port_settings_load() != 0)
        port_log(GW_LOG_WARNING, "the settings cannot be read: those of menuconfig hold");
    (void) xTaskCreateStatic(run, "gateway", sizeof stack / sizeof stack[0], NULL, PORT_PRIORITY, stack, &task_control);
}
