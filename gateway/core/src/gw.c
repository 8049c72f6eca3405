/* SPDX-License-Identifier: MIT */
/* The gateway as a whole: configuration, MQTT's connection, the poll. */
#include "gw_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gw_state_name(enum gw_state state)
{
    static const char *const names[] = {"idle", "download",  "write",       "verify",
                                        "jump", "confirmed", "rolled-back", "failed"};

    return names[state];
}

uint64_t gw_now(const struct gw *gw)
{
    return gw->ports.clock->monotonic_ms(gw->ports.clock->ctx);
}

void gw_log(const struct gw *gw, enum gw_log_level level, const char *device, const char *format, ...)
{
    char text[GW_DETAIL_MAX + 200u];
    va_list arguments;

    if (gw->ports.logger == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    gw->ports.logger->write(gw->ports.logger->ctx, level, device, text);
}

struct gw_device *gw_find_device(struct gw *gw, const char *name)
{
    for (unsigned i = 0; i < gw->config.device_count; i++)
        if (strcmp(gw->device[i].config->name, name) == 0)
            return &gw->device[i];
    return NULL;
}

int gw_config_check(const struct gw_config *config, char *error, size_t capacity)
{
    if (!gw_name_valid(config->id)) {
        (void) snprintf(error, capacity, "id \"%s\": 1 to %u characters of A-Z a-z 0-9 _ - are needed", config->id,
                        GW_NAME_MAX);
        return -1;
    }
    if (config->key_count == 0) {
        (void) snprintf(error, capacity, "no public key is configured: the gateway could check no package");
        return -1;
    }
    if (config->device_count == 0 || config->device_count > GW_DEVICES_MAX) {
        (void) snprintf(error, capacity, "%u devices are configured; 1 to %u are possible", config->device_count,
                        GW_DEVICES_MAX);
        return -1;
    }
    if (config->channel_count > GW_CHANNELS_MAX) {
        (void) snprintf(error, capacity, "%u channels are configured; at most %u are possible", config->channel_count,
                        GW_CHANNELS_MAX);
        return -1;
    }
    for (unsigned i = 0; i < config->channel_count; i++)
        if (!fota_channel_name_valid(config->channels[i].name)) {
            (void) snprintf(error, capacity, "channel \"%s\": 1 to %u characters of A-Z a-z 0-9 _ - are needed",
                            config->channels[i].name, FOTA_CHANNEL_NAME_SIZE - 1u);
            return -1;
        }
    for (unsigned i = 0; i < config->device_count; i++) {
        const char *name = config->devices[i].name;

        if (!gw_device_name_valid(name)) {
            (void) snprintf(
                error, capacity,
                "device \"%s\": 1 to %u characters of A-Z a-z 0-9 _ - are needed, and not presence, cmd, reply "
                "or chunk",
                name, GW_NAME_MAX);
            return -1;
        }
        for (unsigned k = 0; k < i; k++)
            if (strcmp(config->devices[k].name, name) == 0) {
                (void) snprintf(error, capacity, "device \"%s\" is configured twice", name);
                return -1;
            }
    }
    return 0;
}

int gw_init(struct gw *gw, const struct gw_config *config, const struct gw_ports *ports, char *error, size_t capacity)
{
    memset(gw, 0, sizeof *gw);
    if (gw_config_check(config, error, capacity) != 0)
        return -1;
    gw->config = *config;
    gw->ports = *ports;
    if (gw->config.cache_files == 0)
        gw->config.cache_files = GW_CACHE_FILES;
    if (gw->config.cache_bytes == 0)
        gw->config.cache_bytes = GW_CACHE_BYTES;
    gw->fetch_env = (struct gw_fetch_env){.http = ports->http,
                                          .storage = ports->storage,
                                          .clock = ports->clock,
                                          .logger = ports->logger,
                                          .keys = config->keys,
                                          .key_count = config->key_count,
                                          .readers = {gw->reader, GW_READERS_MAX},
                                          .stall_ms = config->stall_ms,
                                          .retry_ms = config->retry_ms,
                                          .chunks = &gw->chunk_port,
                                          .chunk_size = config->chunk_size,
                                          .fallback = !config->no_fallback,
                                          .explain = config->explain,
                                          .authorize = channel_authorize,
                                          .authorize_ctx = gw};
    gw->chunk_port = (struct gw_chunk_port){gw, chunk_ready, chunk_ask};
    for (const char *p = config->id; *p != '\0'; p++)
        gw->fetch_env.random = gw->fetch_env.random * 31u + (unsigned char) *p;
    gw->fetch_env.random += (uint32_t) ports->clock->unix_ms(ports->clock->ctx);
    record_seq_load(gw);
    gw->mqtt_pause = GW_MQTT_RETRY_MS;
    gw->mqtt_at = gw_now(gw);
    for (unsigned i = 0; i < config->device_count; i++) {
        gw->device[i].gw = gw;
        gw->device[i].config = &config->devices[i];
        device_init(&gw->device[i]);
    }
    for (unsigned i = 0; i < config->channel_count; i++)
        channel_init(&gw->channel[i], gw, &config->channels[i]);
    return 0;
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static void mqtt_later(struct gw *gw)
{
    gw->mqtt = GW_MQTT_OFF;
    gw->fetch_env.random = gw->fetch_env.random * 1664525u + 1013904223u;
    gw->mqtt_at = gw_now(gw) + gw->mqtt_pause + (gw->fetch_env.random >> 16) % (gw->mqtt_pause / 4u + 1u);
    gw->mqtt_pause = gw->mqtt_pause * 2u > GW_MQTT_RETRY_MAX_MS ? GW_MQTT_RETRY_MAX_MS : gw->mqtt_pause * 2u;
}

static void mqtt_connect(struct gw *gw)
{
    char topic[TOPIC_MAX], payload[128];
    struct gw_mqtt_message will;

    /* The online message takes the first number, the will the one after it: so the will is newer, and the next
     * connection's message is newer than the will. */
    gw->presence_seq = record_seq_next(gw);
    report_will(gw, record_seq_next(gw), topic, payload, sizeof payload, &will);
    if (gw->ports.mqtt->connect(gw->ports.mqtt->ctx, &will) != 0) {
        mqtt_later(gw);
        return;
    }
    gw->mqtt = GW_MQTT_CONNECTING;
    gw->mqtt_at = gw_now(gw) + GW_MQTT_CONNECT_MS;
}

void gw_mqtt_connected(struct gw *gw)
{
    char topic[TOPIC_MAX];

    gw->mqtt = GW_MQTT_ON;
    gw->mqtt_pause = GW_MQTT_RETRY_MS;
    gw_log(gw, GW_LOG_INFO, NULL, "connected to the broker");
    (void) snprintf(topic, sizeof topic, "fota/v1/%s/cmd", gw->config.id);
    (void) gw->ports.mqtt->subscribe(gw->ports.mqtt->ctx, topic, 1);
    chunk_subscribe(gw);
    report_presence(gw, true, gw->presence_seq);
    for (unsigned i = 0; i < gw->config.device_count; i++)
        gw->device[i].unpublished = true;
    report_channels(gw);
}

void gw_mqtt_lost(struct gw *gw, const char *why)
{
    if (gw->mqtt == GW_MQTT_OFF)
        return;
    gw_log(gw, GW_LOG_WARNING, NULL,
           "%s the broker (%s); updates go on, the latest states are published when it is back",
           gw->mqtt == GW_MQTT_ON ? "lost" : "could not connect to", why);
    mqtt_later(gw);
}

void gw_mqtt_received(struct gw *gw, const char *topic, const void *payload, size_t length)
{
    char own[TOPIC_MAX];
    int n = snprintf(own, sizeof own, "fota/v1/%s/", gw->config.id);

    if (strncmp(topic, own, (size_t) n) != 0)
        return;
    if (strcmp(topic + n, "cmd") == 0)
        command_received(gw, payload, length);
    else if (strcmp(topic + n, "chunk/data") == 0)
        chunk_data_received(gw, payload, length);
    else if (strcmp(topic + n, "chunk/error") == 0)
        chunk_error_received(gw, payload, length);
}

static uint32_t mqtt_poll(struct gw *gw)
{
    uint64_t now;

    if (gw->ports.mqtt->poll != NULL)
        gw->ports.mqtt->poll(gw->ports.mqtt->ctx);
    now = gw_now(gw);
    if (gw->mqtt == GW_MQTT_OFF && now >= gw->mqtt_at) {
        mqtt_connect(gw);
    } else if (gw->mqtt == GW_MQTT_CONNECTING && now >= gw->mqtt_at) {
        gw->ports.mqtt->disconnect(gw->ports.mqtt->ctx);
        if (gw->mqtt == GW_MQTT_CONNECTING)
            gw_mqtt_lost(gw, "no answer");
    }
    if (gw->mqtt == GW_MQTT_ON)
        return UINT32_MAX;
    return gw->mqtt_at > now ? (uint32_t) (gw->mqtt_at - now) : 1u;
}

/* --- poll ------------------------------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A fetch that no device wants any more is ended: its last user was cancelled. */
static bool wanted(const struct gw *gw, const struct gw_fetch *f)
{
    for (unsigned i = 0; i < gw->config.device_count; i++)
        if (gw->device[i].fetch == f)
            return true;
    return false;
}

uint32_t gw_poll(struct gw *gw)
{
    uint32_t wait = mqtt_poll(gw);

    gw->ports.http->poll(gw->ports.http->ctx);
    for (unsigned i = 0; i < GW_FETCHES_MAX; i++) {
        if (gw->fetch[i].state != GW_FETCH_FREE && !wanted(gw, &gw->fetch[i]))
            gw_fetch_stop(&gw->fetch[i]);
        wait = least(wait, gw_fetch_poll(&gw->fetch[i]));
    }
    for (unsigned i = 0; i < gw->config.device_count; i++)
        wait = least(wait, device_poll(&gw->device[i]));
    for (unsigned i = 0; i < gw->config.channel_count; i++)
        wait = least(wait, channel_poll(&gw->channel[i]));
    return wait;
}

void gw_stop(struct gw *gw)
{
    gw->stopping = true;
    for (unsigned i = 0; i < gw->config.channel_count; i++)
        channel_stop(&gw->channel[i]);
    for (unsigned i = 0; i < GW_FETCHES_MAX; i++)
        gw_fetch_stop(&gw->fetch[i]);
    for (unsigned i = 0; i < gw->config.device_count; i++) {
        if (gw->device[i].unsaved)
            (void) record_save(&gw->device[i]);
        gw_push_close(&gw->device[i].push);
        if (gw->device[i].through_rom)
            device_rom_cancel(&gw->device[i]); /* goes on at the next start */
    }
    if (gw->mqtt == GW_MQTT_ON)
        report_presence(gw, false, record_seq_next(gw));
    gw->ports.mqtt->disconnect(gw->ports.mqtt->ctx);
}
