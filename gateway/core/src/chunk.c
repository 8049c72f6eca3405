/* SPDX-License-Identifier: MIT */
#include "gw/chunk.h"

#include "fota/crc32.h"

#include <stdio.h>
#include <string.h>

/* --- on the wire: little-endian, as in docs/mqtt.md ---------------------------------------------- */

static const uint8_t magic_get[4] = {'F', 'C', 'G', '1'};
static const uint8_t magic_data[4] = {'F', 'C', 'H', '1'};

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t) from[0] | (uint32_t) from[1] << 8 | (uint32_t) from[2] << 16 | (uint32_t) from[3] << 24;
}

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t) (value >> (8u * i));
}

bool gw_chunk_decode(const void *payload, size_t length, struct gw_chunk_message *m)
{
    const uint8_t *p = payload;

    if (length < GW_CHUNK_HEAD || length > GW_CHUNK_HEAD + GW_CHUNK_MAX ||
        memcmp(p, magic_data, sizeof magic_data) != 0 ||
        get32(p + 28) != fota_crc32(fota_crc32(0, p, 28), p + GW_CHUNK_HEAD, length - GW_CHUNK_HEAD))
        return false;
    memcpy(m->digest, p + 4, sizeof m->digest);
    m->offset = get32(p + 20);
    m->total = get32(p + 24);
    m->data = p + GW_CHUNK_HEAD;
    m->length = length - GW_CHUNK_HEAD;
    return true;
}

void gw_chunk_encode(uint8_t payload[GW_CHUNK_REQUEST], const uint8_t digest[GW_DIGEST_SIZE], uint64_t seq,
                     uint32_t offset, uint32_t count, uint32_t size)
{
    memcpy(payload, magic_get, sizeof magic_get);
    memcpy(payload + 4, digest, GW_DIGEST_SIZE);
    put(payload + 36, seq, 8);
    put(payload + 44, offset, 4);
    put(payload + 48, count, 2);
    put(payload + 50, size, 2);
    put(payload + 52, fota_crc32(0, payload, 52), 4);
}

/* --- the window ---------------------------------------------------------------------------------- */

static unsigned slot_of(const struct gw_chunk *c, uint32_t offset)
{
    return (unsigned) ((offset - c->origin) / c->size % GW_CHUNK_WINDOW);
}

static uint32_t first_wait(const struct gw_chunk *c)
{
    uint32_t wait = c->stall / 4u;

    return wait == 0 ? 1u : wait < GW_CHUNK_WAIT_MS ? wait : GW_CHUNK_WAIT_MS;
}

/* From the first byte that is missing to the first that is there, or to the window's end. */
static uint32_t missing(const struct gw_chunk *c)
{
    uint32_t count = 0;

    while (count < GW_CHUNK_WINDOW && c->have + count * c->size < c->end &&
           c->held[slot_of(c, c->have + count * c->size)] == 0)
        count++;
    return count;
}

static void ask(struct gw_chunk *c, uint64_t now)
{
    uint32_t limit = c->total_known ? c->total : UINT32_MAX;
    bool fresh = c->have >= c->end;
    uint32_t count;

    if (fresh) {
        c->end = c->have + GW_CHUNK_WINDOW * c->size;
        c->end = c->end < limit ? c->end : limit;
        c->wait = first_wait(c);
    }
    count = missing(c);
    c->asked++;
    c->again += !fresh;
    c->last = c->have + count * c->size;
    c->last = c->last < limit ? c->last : limit;
    if (c->port->ask(c->port->ctx, c->digest, c->have, count, c->size, &c->seq) != 0)
        c->seq = 0;
    c->ask_at = now + c->wait;
    if (!fresh)
        c->wait = c->wait * 2u < GW_CHUNK_WAIT_MAX_MS ? c->wait * 2u : GW_CHUNK_WAIT_MAX_MS;
}

void gw_chunk_start(struct gw_chunk *c, const struct gw_chunk_port *port, const struct gw_chunk_sink *sink,
                    const uint8_t digest[GW_DIGEST_SIZE], uint32_t have, uint32_t size, uint32_t stall, uint64_t now)
{
    memset(c, 0, sizeof *c);
    c->port = port;
    c->sink = *sink;
    memcpy(c->digest, digest, GW_DIGEST_SIZE);
    c->size = size;
    c->origin = c->have = c->end = c->last = have;
    c->stall = stall;
    c->wait = first_wait(c);
    c->heard_at = c->ask_at = now;
}

uint32_t gw_chunk_poll(struct gw_chunk *c, uint64_t now)
{
    if (c->state != GW_CHUNK_RUN)
        return 0;
    if (!c->port->ready(
            c->port->ctx)) { /* the broker is away: nobody is to blame, and the whole has a limit of its own */
        c->away = true;
        c->heard_at = c->ask_at = now;
        return 1000u;
    }
    if (c->away) {
        c->away = false;
        c->wait = first_wait(c);
        c->ask_at = now;
    }
    if (now - c->heard_at >= c->stall) {
        c->state = GW_CHUNK_SILENT;
        return 0;
    }
    if (now >= c->ask_at) {
        if (c->why[0] != '\0') { /* refused, and no other hub had it either */
            c->state = GW_CHUNK_REFUSED;
            return 0;
        }
        ask(c, now);
    }
    return c->ask_at > now ? (uint32_t) (c->ask_at - now) : 1u;
}

/* @return whether the sink took it. */
static bool deliver(struct gw_chunk *c, const uint8_t *data, size_t length)
{
    if (c->sink.bytes(c->sink.ctx, data, length) != 0) {
        c->state = GW_CHUNK_STOPPED;
        return false;
    }
    c->have += (uint32_t) length;
    return true;
}

/* Is this one of the chunks that are wanted now? */
static bool fits(const struct gw_chunk *c, const struct gw_chunk_message *m)
{
    uint32_t whole = m->total - m->offset < c->size ? m->total - m->offset : c->size;

    return m->offset >= c->have && m->offset < c->end && m->length == whole && whole > 0 &&
           (m->offset - c->origin) % c->size == 0 && c->held[slot_of(c, m->offset)] == 0;
}

static bool take_total(struct gw_chunk *c, uint32_t total)
{
    if (!c->total_known) {
        if (!c->sink.total(c->sink.ctx, total)) {
            c->state = GW_CHUNK_STOPPED;
            return false;
        }
        c->total = total;
        c->total_known = true;
        c->end = c->end < total ? c->end : total;
        c->last = c->last < total ? c->last : total;
    }
    return total == c->total;
}

/* The last one that was asked for is here: what is missing was sent before it, and is late, or lost. */
static void hurry(struct gw_chunk *c, uint64_t now)
{
    if (c->held[slot_of(c, c->last - 1u)] != 0)
        c->ask_at = now + c->wait / 8u;
}

void gw_chunk_received(struct gw_chunk *c, const struct gw_chunk_message *m, uint64_t now)
{
    if (c->state != GW_CHUNK_RUN || memcmp(m->digest, c->digest, sizeof m->digest) != 0)
        return;
    if (m->offset == m->total && m->length == 0 && c->have == m->total && c->have > 0 && take_total(c, m->total)) {
        c->state = GW_CHUNK_COMPLETE; /* everything was here already */
        return;
    }
    if (c->state != GW_CHUNK_RUN || m->offset >= m->total || !fits(c, m) || !take_total(c, m->total)) {
        c->unwanted++;
        return;
    }
    c->heard_at = now;
    c->why[0] = '\0';
    c->wait = first_wait(c);
    c->ask_at = now + c->wait;
    if (m->offset > c->have) {
        memcpy(c->data[slot_of(c, m->offset)], m->data, m->length);
        c->held[slot_of(c, m->offset)] = (uint16_t) m->length;
        hurry(c, now);
        return;
    }
    if (!deliver(c, m->data, m->length))
        return;
    while (c->have < c->end && c->held[slot_of(c, c->have)] != 0) {
        unsigned slot = slot_of(c, c->have);
        uint16_t length = c->held[slot];

        c->held[slot] = 0;
        if (!deliver(c, c->data[slot], length))
            return;
    }
    if (c->have >= c->total)
        c->state = GW_CHUNK_COMPLETE;
    else if (c->have >= c->last) /* all that was asked for is here */
        c->ask_at = now;
    else
        hurry(c, now);
}

void gw_chunk_refused(struct gw_chunk *c, uint64_t seq, const char *reason, const char *detail, uint32_t retry_ms,
                      uint64_t now)
{
    if (c->state != GW_CHUNK_RUN || seq != c->seq || seq == 0)
        return;
    if (strcmp(reason, "busy") == 0) {
        retry_ms = retry_ms < 10u ? 10u : retry_ms;
        c->heard_at = now; /* not silent */
        c->ask_at = now + (retry_ms < GW_CHUNK_BUSY_MAX_MS ? retry_ms : GW_CHUNK_BUSY_MAX_MS);
    } else if (strcmp(reason, "range") == 0) {
        c->state = GW_CHUNK_RANGE;
    } else {
        (void) snprintf(c->why, sizeof c->why, "%s, %s", reason, detail);
    }
}
