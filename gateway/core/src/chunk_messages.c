/* SPDX-License-Identifier: MIT */
/* Chunks between MQTT's topics and the downloads. */
#include "gw_internal.h"

#include <cJSON.h>

#include <stdio.h>
#include <string.h>

bool chunk_ready(void *ctx)
{
    const struct gw *gw = ctx;

    return gw->mqtt == GW_MQTT_ON;
}

int chunk_ask(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], uint32_t offset, uint32_t count, uint32_t size,
              uint64_t *seq)
{
    struct gw *gw = ctx;
    uint8_t payload[GW_CHUNK_REQUEST];
    char topic[TOPIC_MAX];
    /* QoS 0: what is lost is asked for again, and a broker that keeps requests would send them when nobody waits */
    struct gw_mqtt_message message = {
        .topic = topic, .payload = (const char *) payload, .length = sizeof payload, .qos = 0};

    *seq = record_seq_next(gw);
    gw_chunk_encode(payload, digest, *seq, offset, count, size);
    (void) snprintf(topic, sizeof topic, "fota/v1/%s/chunk/get", gw->config.id);
    return gw->ports.mqtt->publish(gw->ports.mqtt->ctx, &message);
}

/* Not chunk/#: the gateway would hear its own requests. */
void chunk_subscribe(struct gw *gw)
{
    char topic[TOPIC_MAX];

    (void) snprintf(topic, sizeof topic, "fota/v1/%s/chunk/data", gw->config.id);
    (void) gw->ports.mqtt->subscribe(gw->ports.mqtt->ctx, topic, 0);
    (void) snprintf(topic, sizeof topic, "fota/v1/%s/chunk/error", gw->config.id);
    (void) gw->ports.mqtt->subscribe(gw->ports.mqtt->ctx, topic, 0);
}

void chunk_data_received(struct gw *gw, const void *payload, size_t length)
{
    struct gw_chunk_message message;

    if (!gw_chunk_decode(payload, length, &message)) {
        gw_log(gw, GW_LOG_DEBUG, NULL, "%zu bytes over MQTT are no valid chunk", length);
        return;
    }
    for (unsigned i = 0; i < GW_FETCHES_MAX; i++)
        gw_fetch_chunk(&gw->fetch[i], &message);
}

/* Text of unknown origin for people: printable ASCII, cut. */
static void take_text(const cJSON *json, const char *member, char *to, size_t capacity)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, member);
    size_t n = 0;

    for (const char *p = cJSON_IsString(item) ? item->valuestring : ""; *p != '\0' && n + 1u < capacity; p++)
        to[n++] = (char) (*p >= 0x20 && *p < 0x7f ? *p : '?');
    to[n] = '\0';
}

void chunk_error_received(struct gw *gw, const void *payload, size_t length)
{
    cJSON *json = length > 0 && length <= GW_CHUNK_ERROR_MAX && gw_json_shallow(payload, length)
                      ? cJSON_ParseWithLength(payload, length)
                      : NULL;
    const cJSON *request = cJSON_GetObjectItemCaseSensitive(json, "request");
    const cJSON *retry = cJSON_GetObjectItemCaseSensitive(json, "retry_ms");
    char reason[24], detail[120];

    if (cJSON_IsNumber(request) && request->valuedouble >= 1.0 && request->valuedouble < 9007199254740992.0) {
        uint32_t retry_ms = cJSON_IsNumber(retry) && retry->valuedouble >= 0.0 && retry->valuedouble <= 60000.0
                                ? (uint32_t) retry->valuedouble
                                : 0u;

        take_text(json, "reason", reason, sizeof reason);
        take_text(json, "detail", detail, sizeof detail);
        for (unsigned i = 0; i < GW_FETCHES_MAX; i++)
            gw_fetch_chunk_refused(&gw->fetch[i], (uint64_t) request->valuedouble, reason, detail, retry_ms);
    }
    cJSON_Delete(json);
}
