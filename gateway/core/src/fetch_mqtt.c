/* SPDX-License-Identifier: MIT */
/* A download whose bytes come in chunks over MQTT: same cache file, same bounds, same check as over HTTP. */
#include "fetch_internal.h"

#include "gw/text.h"

#include <stdio.h>
#include <string.h>

static uint64_t now_ms(const struct gw_fetch *f)
{
    return f->env->clock->monotonic_ms(f->env->clock->ctx);
}

/* …/packages/<the job's SHA-256>.fota: so a hub names it, and a hub is who can be asked over MQTT. */
static bool is_hub_url(const struct gw_fetch *f)
{
    static const char before[] = "/packages/";
    char name[sizeof before + GW_HEX(GW_DIGEST_SIZE) + 8u];
    size_t length = strlen(f->url), n;

    memcpy(name, before, sizeof before);
    gw_hex(f->digest, GW_DIGEST_SIZE, name + sizeof before - 1u);
    (void) strcat(name, ".fota"); /* NOLINT: sized for it */
    n = strlen(name);
    return length > n && strcmp(f->url + length - n, name) == 0;
}

bool fetch_mqtt_next(const struct gw_fetch *f)
{
    const struct gw_chunk_port *port = f->env->chunks;

    if (strcmp(f->url, GW_URL_MQTT) == 0)
        return true;
    /* HTTP and MQTT take turns from then on: either may come back first */
    return port != NULL && f->channel[0] == '\0' && f->env->fallback && is_hub_url(f) && f->dry >= GW_FETCH_DRY &&
           !f->by_mqtt && port->ready(port->ctx);
}

static bool on_total(void *ctx, uint32_t total)
{
    struct gw_fetch *f = ctx;

    if (!fetch_length_fits(f, total))
        return false;
    f->total = total;
    return true;
}

static int on_bytes(void *ctx, const uint8_t *data, size_t length)
{
    return fetch_take(ctx, data, length);
}

void fetch_mqtt_run(struct gw_fetch *f)
{
    const struct gw_chunk_sink sink = {f, on_total, on_bytes};
    uint32_t size = f->env->chunk_size != 0 ? f->env->chunk_size : GW_CHUNK_MAX;
    char text[128];

    f->by_mqtt = true;
    f->state = GW_FETCH_RUN;
    if (f->env->chunks == NULL) {
        fetch_trouble(f, true, "mqtt-error", "this gateway does not fetch over MQTT");
        fetch_pause_or_fail(f);
        return;
    }
    f->resumed = f->have > 0;
    gw_chunk_start(&f->chunk, f->env->chunks, &sink, f->digest, f->have, size, fetch_stall_ms(f), now_ms(f));
    if (f->env->logger != NULL) {
        (void) snprintf(text, sizeof text, "download: over MQTT in chunks of %lu bytes, from offset %lu",
                        (unsigned long) size, (unsigned long) f->have);
        f->env->logger->write(f->env->logger->ctx, GW_LOG_INFO, NULL, text);
    }
}

static void complete(struct gw_fetch *f)
{
    char text[128];

    if (f->env->logger != NULL) {
        (void) snprintf(text, sizeof text, "download: complete over MQTT, %lu requests, %lu of them again",
                        (unsigned long) f->chunk.asked, (unsigned long) f->chunk.again);
        f->env->logger->write(f->env->logger->ctx, GW_LOG_INFO, NULL, text);
    }
    fetch_begin_check(f);
}

uint32_t fetch_mqtt_poll(struct gw_fetch *f)
{
    bool only = strcmp(f->url, GW_URL_MQTT) == 0;
    uint32_t wait = gw_chunk_poll(&f->chunk, now_ms(f));

    switch (f->chunk.state) {
    case GW_CHUNK_RUN:
        return wait;
    case GW_CHUNK_COMPLETE:
        complete(f);
        return 0;
    case GW_CHUNK_SILENT:
        fetch_trouble(f, false, "stalled", "no hub sent anything over MQTT for %lu ms after %lu bytes",
                      (unsigned long) f->chunk.stall, (unsigned long) f->have);
        break;
    case GW_CHUNK_REFUSED: /* beside HTTP it is no last word: that may come back */
        fetch_trouble(f, only, "mqtt-error", "the hub answered over MQTT: %s", f->chunk.why);
        break;
    case GW_CHUNK_RANGE:
        (void) fetch_forget(f);
        fetch_trouble(f, false, "mqtt-error", "what was here is longer than the package: fetching it anew over MQTT");
        break;
    case GW_CHUNK_STOPPED:
        break; /* the trouble is set */
    }
    if (!only)
        (void) snprintf(f->mqtt_said, sizeof f->mqtt_said, "%s", f->detail);
    fetch_pause_or_fail(f);
    return 0;
}

void gw_fetch_chunk(struct gw_fetch *f, const struct gw_chunk_message *message)
{
    if (f->state == GW_FETCH_RUN && f->by_mqtt)
        gw_chunk_received(&f->chunk, message, now_ms(f));
}

void gw_fetch_chunk_refused(struct gw_fetch *f, uint64_t seq, const char *reason, const char *detail, uint32_t retry_ms)
{
    if (f->state == GW_FETCH_RUN && f->by_mqtt)
        gw_chunk_refused(&f->chunk, seq, reason, detail, retry_ms, now_ms(f));
}
