/* SPDX-License-Identifier: MIT */
/* Wi-Fi as a station that comes back by itself, and the time from SNTP. */
#include "port.h"

#include <sys/time.h> /* before esp_netif_sntp.h of ESP-IDF 5.3 and 5.4, which uses it and does not include it */

#include <esp_event.h>
#include <esp_netif.h>
#include <esp_netif_sntp.h>
#include <esp_timer.h>
#include <esp_wifi.h>
#include <string.h>

#define RETRY_FIRST_MS 500u
#define RETRY_MAX_MS 30000u

static esp_timer_handle_t retry;
static uint32_t pause_ms = RETRY_FIRST_MS;

static void again(void *arg)
{
    (void) arg;
    (void) esp_wifi_connect();
}

static void lost(const wifi_event_sta_disconnected_t *event)
{
    port_log(GW_LOG_WARNING, "Wi-Fi \"%s\": no connection (reason %u); again in %lu ms", port_settings.wifi_ssid,
             (unsigned) event->reason, (unsigned long) pause_ms);
    (void) esp_timer_start_once(retry, (uint64_t) pause_ms * 1000u);
    pause_ms = pause_ms * 2u < RETRY_MAX_MS ? pause_ms * 2u : RETRY_MAX_MS;
}

static void on_event(void *arg, esp_event_base_t base, int32_t id, void *data)
{
    (void) arg;
    if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START) {
        again(NULL);
    } else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
        lost(data);
    } else if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) {
        port_log(GW_LOG_INFO, "Wi-Fi \"%s\": connected", port_settings.wifi_ssid);
        pause_ms = RETRY_FIRST_MS;
        port_wake();
    }
}

static void on_time(struct timeval *time)
{
    (void) time;
    port_log(GW_LOG_INFO, "the clock is set");
    port_wake();
}

static bool ok(esp_err_t error, const char *what)
{
    if (error != ESP_OK)
        port_log(GW_LOG_ERROR, "%s: %s; `restart`, and if it stays so, look at the flash and the power supply", what,
                 esp_err_to_name(error));
    return error == ESP_OK;
}

static void start_sntp(void)
{
    esp_sntp_config_t config = ESP_NETIF_SNTP_DEFAULT_CONFIG(port_settings.sntp);

    config.sync_cb = on_time;
    config.wait_for_sync = false;
    (void) ok(esp_netif_sntp_init(&config), "SNTP");
}

void port_net_start(void)
{
    const esp_timer_create_args_t timer = {.callback = again, .name = "wifi"};
    wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
    wifi_config_t wifi = {0};

    if (port_settings.wifi_ssid[0] == '\0') {
        port_log(GW_LOG_ERROR, "wifi_ssid is not set: `set wifi_ssid NAME`, `set wifi_password WORD`, `restart`");
        return;
    }
    memcpy(wifi.sta.ssid, port_settings.wifi_ssid, strlen(port_settings.wifi_ssid)); /* 32 characters need no end */
    memcpy(wifi.sta.password, port_settings.wifi_password, strlen(port_settings.wifi_password));
    if (!ok(esp_netif_init(), "network") || !ok(esp_event_loop_create_default(), "events") ||
        esp_netif_create_default_wifi_sta() == NULL || !ok(esp_timer_create(&timer, &retry), "timer") ||
        !ok(esp_wifi_init(&init), "Wi-Fi") ||
        !ok(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL), "events") ||
        !ok(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, NULL), "events") ||
        !ok(esp_wifi_set_storage(WIFI_STORAGE_RAM), "Wi-Fi") || !ok(esp_wifi_set_mode(WIFI_MODE_STA), "Wi-Fi") ||
        !ok(esp_wifi_set_config(WIFI_IF_STA, &wifi), "Wi-Fi"))
        return;
    start_sntp();
    (void) ok(esp_wifi_start(), "Wi-Fi");
}
