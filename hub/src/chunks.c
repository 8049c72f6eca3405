/* SPDX-License-Identifier: MIT */
#include "chunks.h"

#include "fota/crc32.h"
#include "fota/package.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOPIC_SIZE 64u
#define FETCH_MS 500 /* until a package may have come from the bucket */
#define BUSY_MS 2    /* between two `busy` for one gateway */

static const uint8_t magic_get[4] = {'F', 'C', 'G', '1'};
static const uint8_t magic_data[4] = {'F', 'C', 'H', '1'};

/* A request, taken apart. */
struct request {
    uint8_t digest[32];
    char sha256[HUB_SHA256_HEX + 1];
    uint64_t seq;
    uint32_t offset, count, size;
};

struct answer {
    const struct hub_chunks_io *io;
    const char *gateway;
    const struct request *request;
};

static uint64_t get(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | from[bytes];
    return value;
}

static void put32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t) (value >> (8 * i));
}

/* --- rates ------------------------------------------------------------------------------------ */

static void fill(struct hub_bucket *b, int64_t rate, int64_t burst, int64_t now)
{
    int64_t ms = now > b->at ? now - b->at : 0;
    int64_t more = ms > burst * 1000 / rate ? burst : rate * ms / 1000;
    if (more == 0 && ms < 1000)
        return; /* what is less than a byte is not lost: the time goes on counting */
    b->bytes = b->bytes + more > burst ? burst : b->bytes + more;
    b->at = now;
}

void hub_chunks_init(struct hub_chunks *c, struct hub_store *store, uint32_t rate, int64_t now)
{
    memset(c, 0, sizeof *c);
    c->store = store;
    c->rate = rate;
    c->all = (struct hub_bucket){(int64_t) HUB_CHUNK_BURST * HUB_CHUNK_ALL, now};
}

static unsigned find(struct hub_chunks *c, const char *name, int64_t now)
{
    unsigned oldest = 0;
    for (unsigned i = 0; i < HUB_CHUNK_GATEWAYS; i++) {
        if (strcmp(c->gateway[i].name, name) == 0)
            return i;
        if (c->gateway[i].name[0] == '\0' ||
            (c->gateway[oldest].name[0] != '\0' && c->gateway[i].heard < c->gateway[oldest].heard))
            oldest = i;
    }
    memset(&c->gateway[oldest], 0, sizeof c->gateway[oldest]);
    hub_copy(c->gateway[oldest].name, sizeof c->gateway[oldest].name, name);
    c->gateway[oldest].bucket = (struct hub_bucket){HUB_CHUNK_BURST, now};
    c->gateway[oldest].busy_at = INT64_MIN / 2;
    return oldest;
}

/* @return 0 when `bytes` may go now, else after how many ms; -1: too often even to be told so. */
static int64_t admit(struct hub_chunks *c, const char *gateway, int64_t bytes, int64_t now)
{
    unsigned i = find(c, gateway, now);
    struct hub_bucket *own = &c->gateway[i].bucket;
    int64_t all_rate = (int64_t) c->rate * HUB_CHUNK_ALL;
    c->gateway[i].heard = now;
    fill(own, c->rate, HUB_CHUNK_BURST, now);
    fill(&c->all, all_rate, (int64_t) HUB_CHUNK_BURST * HUB_CHUNK_ALL, now);
    if (own->bytes >= bytes && c->all.bytes >= bytes) {
        own->bytes -= bytes;
        c->all.bytes -= bytes;
        return 0;
    }
    if (now - c->gateway[i].busy_at < BUSY_MS)
        return -1;
    c->gateway[i].busy_at = now;
    int64_t wait = own->bytes < bytes ? (bytes - own->bytes) * 1000 / c->rate + 1 : 0;
    int64_t wait_all = c->all.bytes < bytes ? (bytes - c->all.bytes) * 1000 / all_rate + 1 : 0;
    return wait > wait_all ? wait : wait_all;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void refuse(const struct answer *a, const char *reason, const char *more, const char *detail)
{
    char topic[TOPIC_SIZE], text[512];
    snprintf(topic, sizeof topic, "fota/v1/%s/chunk/error", a->gateway);
    int n = snprintf(text, sizeof text,
                     "{\"v\":1,\"request\":%" PRIu64 ",\"sha256\":\"%s\",\"reason\":\"%s\"%s,\"detail\":\"%s\"}",
                     a->request->seq, a->request->sha256, reason, more, detail);
    hub_log(HUB_LOG_DEBUG, "mqtt: chunks of %s for %s: %s, %s", a->request->sha256, a->gateway, reason, detail);
    if (n > 0 && (size_t) n < sizeof text)
        a->io->publish(a->io->ctx, topic, text, (size_t) n);
}

static void send_chunks(const struct answer *a, int fd, uint32_t total)
{
    const struct request *r = a->request;
    uint8_t payload[HUB_CHUNK_HEAD + HUB_CHUNK_MAX];
    char topic[TOPIC_SIZE];
    uint32_t offset = r->offset;
    snprintf(topic, sizeof topic, "fota/v1/%s/chunk/data", a->gateway);
    memcpy(payload, magic_data, sizeof magic_data);
    memcpy(payload + 4, r->digest, 16);
    put32(payload + 24, total);
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t want = total - offset < r->size ? total - offset : r->size;
        ssize_t n = pread(fd, payload + HUB_CHUNK_HEAD, want, (off_t) offset);
        if (n != (ssize_t) want) {
            refuse(a, "internal", "", "the hub could not read the package; its log says why");
            hub_log(HUB_LOG_ERROR, "the package %s cannot be read at offset %" PRIu32 ": %s", r->sha256, offset,
                    n < 0 ? strerror(errno) : "it is shorter than it was");
            return;
        }
        put32(payload + 20, offset);
        put32(payload + 28, fota_crc32(fota_crc32(0, payload, 28), payload + HUB_CHUNK_HEAD, want));
        if (a->io->publish(a->io->ctx, topic, payload, HUB_CHUNK_HEAD + want) != 0)
            return; /* the gateway asks again */
        offset += want;
        if (offset >= total)
            return;
    }
}

static void serve(struct hub_chunks *c, const struct answer *a)
{
    char more[64], detail[160];
    struct stat st;
    int fd = hub_store_open_package(c->store, a->request->sha256);
    bool absent = fd < 0 && errno == ENOENT;
    if (absent && hub_store_want(c->store, a->request->sha256)) {
        snprintf(more, sizeof more, ",\"retry_ms\":%d", FETCH_MS);
        refuse(a, "busy", more, "the hub fetches the package from its bucket");
        return;
    }
    if (fd < 0) {
        if (!absent)
            hub_log(HUB_LOG_ERROR, "the package %s cannot be opened: %s", a->request->sha256, strerror(errno));
        refuse(a, absent ? "not-found" : "internal", "", "this hub has no such package");
        return;
    }
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > (off_t) UINT32_MAX) {
        refuse(a, "internal", "", "the hub could not read the package");
    } else if ((off_t) a->request->offset > st.st_size) {
        snprintf(more, sizeof more, ",\"total\":%" PRIu64, (uint64_t) st.st_size);
        snprintf(detail, sizeof detail, "offset %" PRIu32 " is behind the end; the package has %" PRIu64 " bytes",
                 a->request->offset, (uint64_t) st.st_size);
        refuse(a, "range", more, detail);
    } else {
        send_chunks(a, fd, (uint32_t) st.st_size);
    }
    close(fd);
}

void hub_chunks_request(struct hub_chunks *c, const struct hub_chunks_io *io, const char *gateway, const void *payload,
                        size_t length)
{
    const uint8_t *p = payload;
    struct request r;
    const struct answer a = {io, gateway, &r};
    char more[48], detail[160];
    if (length != HUB_CHUNK_REQUEST || memcmp(p, magic_get, sizeof magic_get) != 0) {
        hub_log(HUB_LOG_DEBUG, "mqtt: %zu bytes from %s are no chunk request", length, gateway);
        return;
    }
    memcpy(r.digest, p + 4, sizeof r.digest);
    hub_hex(r.digest, sizeof r.digest, r.sha256);
    r.seq = get(p + 36, 8);
    r.offset = (uint32_t) get(p + 44, 4);
    r.count = (uint32_t) get(p + 48, 2);
    r.size = (uint32_t) get(p + 50, 2);
    bool crc = get(p + 52, 4) == fota_crc32(0, p, 52);
    if (!crc) {
        hub_log(HUB_LOG_DEBUG, "mqtt: a chunk request from %s with a wrong CRC", gateway);
        return;
    }
    bool valid = (r.size == 1024 || r.size == 2048) && r.count >= 1 && r.count <= HUB_CHUNK_COUNT;
    int64_t bytes = HUB_CHUNK_COST + (valid ? (int64_t) r.count * r.size : 0);
    int64_t wait = admit(c, gateway, bytes, io->mono_ms(io->ctx));
    if (wait < 0)
        return;
    if (wait > 0) {
        snprintf(more, sizeof more, ",\"retry_ms\":%" PRId64, wait);
        refuse(&a, "busy", more, "more than this hub's rate for one gateway, or for all");
    } else if (!valid) {
        snprintf(detail, sizeof detail, "%" PRIu32 " chunks of %" PRIu32 " bytes; 1 to %u of 1024 or 2048 are possible",
                 r.count, r.size, HUB_CHUNK_COUNT);
        refuse(&a, "bad-request", "", detail);
    } else {
        serve(c, &a);
    }
}
