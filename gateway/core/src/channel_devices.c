/* SPDX-License-Identifier: MIT */
/* A channel's index has been judged: the devices that do not run what it says are updated. */
#include "gw_internal.h"

#include "gw/text.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_IS_SET 1704067200u /* 2024: before that a clock was never set */

static bool chosen(const struct gw_channel *c, const struct gw_device *d)
{
    if (memcmp(d->info.product, c->config->product, FOTA_PRODUCT_SIZE) != 0)
        return false;
    for (unsigned i = 0; i < c->config->device_count; i++)
        if (strcmp(c->config->devices[i], d->config->name) == 0)
            return true;
    return c->config->device_count == 0;
}

/* Reasons that say nothing against the image: another attempt may succeed. */
static bool bad_luck(const char *reason)
{
    static const char *const reasons[] = {"http-error",  "mqtt-error", "stalled", "too-short", "device-lost",
                                          "cache-error", "busy",       "supply",  "io"};

    for (unsigned i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    return false;
}

/* Whether this device may be given the channel's image now. */
static bool due(struct gw_channel *c, unsigned index)
{
    struct gw_device *d = &c->gw->device[index];
    uint64_t now = gw_now(c->gw);

    if (device_busy(d)) {
        c->device[index].counted = false;
        return false;
    }
    if (!d->contact || d->silent || d->info.trial != FOTA_TRIAL_NONE || !chosen(c, d) ||
        (d->info.slot != FOTA_SLOT_NONE && memcmp(d->info.identity, c->index.identity, FOTA_IDENTITY_SIZE) == 0))
        return false;
    if (!d->has_job || memcmp(d->job.sha256, c->index.package, GW_DIGEST_SIZE) != 0 || d->state == GW_CONFIRMED ||
        d->state == GW_IDLE)
        return now >= c->device[index].at;
    if (d->state == GW_ROLLED_BACK || !bad_luck(d->reason))
        return false; /* the device, or an operator, has said no to it */
    if (!c->device[index].counted) {
        uint32_t pause = GW_CHANNEL_DEVICE_MS << (c->device[index].failures < 8u ? c->device[index].failures : 8u);

        c->device[index].counted = true;
        c->device[index].failures++;
        c->device[index].at = now + (pause < GW_CHANNEL_DEVICE_MAX_MS ? pause : GW_CHANNEL_DEVICE_MAX_MS);
    }
    return now >= c->device[index].at;
}

static void update(struct gw_channel *c, unsigned index)
{
    struct gw_device *d = &c->gw->device[index];
    struct gw_job job = {.size = c->index.package_size};
    char hex[GW_HEX(GW_DIGEST_SIZE)];

    gw_hex(c->index.package, GW_DIGEST_SIZE, hex);
    (void) snprintf(job.id, sizeof job.id, "channel-%s-%llu", c->config->name,
                    (unsigned long long) record_seq_next(c->gw));
    (void) snprintf(job.url, sizeof job.url, "%s/packages/%s.fota", c->config->url, hex);
    (void) snprintf(job.channel, sizeof job.channel, "%s", c->config->name);
    memcpy(job.sha256, c->index.package, GW_DIGEST_SIZE);
    c->device[index].at = gw_now(c->gw) + GW_CHANNEL_DEVICE_MS; /* also when it could not be recorded */
    (void) device_accept(d, &job);
}

void channel_apply(struct gw_channel *c)
{
    uint64_t now = channel_unix_s(c->gw);

    if (!c->has_index)
        return;
    if (now < CLOCK_IS_SET || now < c->index.not_before) {
        if (c->problem[0] == '\0')
            channel_problem(c, "the index is good from a later time on: is this machine's clock set?");
        return;
    }
    if (now > c->index.expiry) {
        if (c->problem[0] == '\0') { /* a server that cannot be reached is the better explanation */
            char time[GW_TIME_TEXT];

            gw_time_text(c->index.expiry * 1000u, time);
            channel_problem(c,
                            "the index (sequence %lu) expired at %s and no newer one has come: frozen, or not renewed",
                            (unsigned long) c->index.sequence, time);
        }
        return;
    }
    for (unsigned i = 0; i < c->gw->config.device_count; i++)
        if (due(c, i))
            update(c, i);
}
