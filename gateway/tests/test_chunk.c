/* SPDX-License-Identifier: MIT */
/* Packages in chunks: the state machine against a hub in memory that loses, doubles, shuffles and lies; then a whole
 * download with both ways. */
#include "fakes.h"
#include "sim.h"

#include "fota/crc32.h"
#include "gw/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUEUE 256u

static const struct fota_target target = {.product = {0xde, 0xad, 1}, .hw_revision = 2, .floor = 1};
static struct pack_key key;
static struct pack_buffer package, other;
static uint8_t digest[GW_DIGEST_SIZE];

struct hub {
    const uint8_t *data; /* what it sends */
    uint32_t size, say_total;
    bool silent, away, shuffle;
    unsigned lose, twice; /* one in n, 0: none */
    unsigned flip;        /* one in n has a wrong bit */
    const char *refuse;   /* every request */
    uint32_t refuse_times;
    uint32_t random;
    struct {
        uint8_t bytes[GW_CHUNK_HEAD + GW_CHUNK_MAX];
        size_t length;
        uint64_t at;
    } queue[QUEUE];
    unsigned queued;
    unsigned requests;
    uint32_t first_offset, last_offset, last_count, last_size;
    uint64_t seq, bytes_sent;
    bool pending_refusal;
};

struct bench {
    struct hub hub;
    struct gw_chunk_port port;
    struct gw_chunk chunk;
    struct gw_chunk_sink sink;
    uint8_t *got;
    uint32_t got_size, total;
    uint32_t refuse_bytes_at;
    bool refuse_total;
    /* the whole download */
    struct fake_storage storage;
    struct fake_http http;
    struct gw_clock clock;
    struct gw_fetch_env env;
    struct gw_reader reader;
    struct gw_fetch fetch;
    struct gw_job job;
    uint64_t now;
};

static uint32_t dice(struct hub *h)
{
    h->random = h->random * 1664525u + 1013904223u;
    return h->random >> 16;
}

static bool one_in(struct hub *h, unsigned n)
{
    return n != 0 && dice(h) % n == 0;
}

static void put32(uint8_t *to, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t) (v >> (8u * i));
}

static size_t make(uint8_t *to, const uint8_t *d, uint32_t offset, uint32_t total, const uint8_t *data, size_t n)
{
    memcpy(to, "FCH1", 4);
    memcpy(to + 4, d, 16);
    put32(to + 20, offset);
    put32(to + 24, total);
    if (n > 0)
        memcpy(to + GW_CHUNK_HEAD, data, n);
    put32(to + 28, fota_crc32(fota_crc32(0, to, 28), to + GW_CHUNK_HEAD, n));
    return GW_CHUNK_HEAD + n;
}

static bool ready(void *ctx)
{
    return !((struct bench *) ctx)->hub.away;
}

static int ask(void *ctx, const uint8_t *d, uint32_t offset, uint32_t count, uint32_t size, uint64_t *seq)
{
    struct bench *b = ctx;
    struct hub *h = &b->hub;
    uint32_t total = h->say_total != 0 ? h->say_total : h->size;

    assert_in_range(count, 1, 16);
    *seq = ++h->seq;
    if (h->requests++ == 0)
        h->first_offset = offset;
    h->last_offset = offset;
    h->last_count = count;
    h->last_size = size;
    if (h->silent)
        return 0;
    if (h->refuse != NULL && h->refuse_times > 0) {
        h->refuse_times--;
        h->pending_refusal = true;
        return 0;
    }
    if (offset > h->size) {
        h->pending_refusal = true;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = h->size - offset < size ? h->size - offset : size;
        unsigned copies = one_in(h, h->lose) ? 0 : one_in(h, h->twice) ? 2u : 1u;

        while (copies-- > 0 && h->queued < QUEUE) {
            h->queue[h->queued].length = make(h->queue[h->queued].bytes, d, offset, total, h->data + offset, n);
            h->queue[h->queued].at = b->now + 5u + (h->shuffle ? dice(h) % 40u : 0u);
            if (one_in(h, h->flip))
                h->queue[h->queued].bytes[dice(h) % h->queue[h->queued].length] ^= 4u;
            h->queued++;
        }
        h->bytes_sent += n;
        offset += n;
        if (offset >= h->size)
            break;
    }
    return 0;
}

static void refused(struct bench *b, const char *reason, uint32_t retry_ms)
{
    if (b->fetch.state == GW_FETCH_RUN)
        gw_fetch_chunk_refused(&b->fetch, b->hub.seq, reason, "says the test", retry_ms);
    else
        gw_chunk_refused(&b->chunk, b->hub.seq, reason, "says the test", retry_ms, b->now);
}

static void feed(struct bench *b, const void *payload, size_t length)
{
    struct gw_chunk_message m;

    if (!gw_chunk_decode(payload, length, &m))
        return;
    if (b->fetch.env != NULL)
        gw_fetch_chunk(&b->fetch, &m);
    else
        gw_chunk_received(&b->chunk, &m, b->now);
}

static void deliver(struct bench *b)
{
    struct hub *h = &b->hub;
    unsigned kept = 0;

    if (h->pending_refusal) {
        h->pending_refusal = false;
        refused(b, h->refuse != NULL ? h->refuse : "range", 50);
    }
    for (unsigned i = 0; i < h->queued; i++)
        if (h->queue[i].at <= b->now)
            feed(b, h->queue[i].bytes, h->queue[i].length);
        else
            h->queue[kept++] = h->queue[i];
    h->queued = kept;
}

static bool take_total(void *ctx, uint32_t total)
{
    struct bench *b = ctx;

    b->total = total;
    return !b->refuse_total && total <= FOTA_PACKAGE_MAX;
}

static int take_bytes(void *ctx, const uint8_t *data, size_t length)
{
    struct bench *b = ctx;

    if (b->refuse_bytes_at != 0 && b->got_size >= b->refuse_bytes_at)
        return -1;
    assert_true(b->got_size + length <= FOTA_PACKAGE_MAX);
    memcpy(b->got + b->got_size, data, length);
    b->got_size += (uint32_t) length;
    return 0;
}

static uint64_t now(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->got = malloc(FOTA_PACKAGE_MAX);
    assert_non_null(b->got);
    b->now = 1000;
    b->hub.data = package.data;
    b->hub.size = (uint32_t) package.size;
    b->hub.random = 7;
    b->port = (struct gw_chunk_port){b, ready, ask};
    b->sink = (struct gw_chunk_sink){b, take_total, take_bytes};
    fake_storage_init(&b->storage);
    fake_http_init(&b->http);
    b->http.data = package.data;
    b->http.size = (uint32_t) package.size;
    b->clock = (struct gw_clock){b, now, now};
    b->env = (struct gw_fetch_env){.http = &b->http.port,
                                   .storage = &b->storage.port,
                                   .clock = &b->clock,
                                   .keys = &key.public_key,
                                   .key_count = 1,
                                   .readers = {&b->reader, 1},
                                   .chunks = &b->port,
                                   .fallback = true,
                                   .random = 1};
    memcpy(b->job.sha256, digest, sizeof digest);
    (void) strcpy(b->job.url, GW_URL_MQTT);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    fake_storage_free(&b->storage);
    free(b->got);
    free(b);
    return 0;
}

/* --- the state machine --------------------------------------------------------------------------- */

static void begin(struct bench *b, uint32_t have, uint32_t size)
{
    memcpy(b->got, package.data, have);
    b->got_size = have;
    b->hub.requests = 0;
    b->hub.queued = 0;
    b->hub.bytes_sent = 0;
    gw_chunk_start(&b->chunk, &b->port, &b->sink, digest, have, size, 30000, b->now);
}

static void run(struct bench *b, uint32_t limit_ms)
{
    for (uint64_t end = b->now + limit_ms; b->now < end && b->chunk.state == GW_CHUNK_RUN; b->now++) {
        deliver(b);
        (void) gw_chunk_poll(&b->chunk, b->now);
    }
}

static void is_whole(struct bench *b)
{
    assert_int_equal(b->chunk.state, GW_CHUNK_COMPLETE);
    assert_int_equal(b->total, package.size);
    assert_int_equal(b->got_size, package.size);
    assert_memory_equal(b->got, package.data, package.size);
}

static void whole_in_both_sizes(void **state)
{
    struct bench *b = *state;

    for (uint32_t size = 1024; size <= 2048; size *= 2) {
        begin(b, 0, size);
        run(b, 10000);
        is_whole(b);
        assert_int_equal(b->hub.last_size, size);
        assert_int_equal(b->hub.requests, (package.size + 16u * size - 1u) / (16u * size));
        assert_int_equal(b->hub.bytes_sent, package.size); /* nothing twice */
        assert_int_equal(b->chunk.again, 0);
    }
}

static void any_beginning(void **state)
{
    struct bench *b = *state;
    const uint32_t at[] = {1, 2047, 2048, 30001, (uint32_t) package.size - 1u, (uint32_t) package.size};

    for (unsigned i = 0; i < 6; i++) {
        begin(b, at[i], 2048);
        run(b, 10000);
        is_whole(b);
        assert_int_equal(b->hub.first_offset, at[i]);
        assert_int_equal(b->hub.bytes_sent, package.size - at[i]);
    }
}

static void losses_doubles_and_shuffling(void **state)
{
    struct bench *b = *state;

    for (uint32_t seed = 1; seed <= 60; seed++) {
        b->hub.random = seed;
        b->hub.lose = seed % 4u == 0 ? 0 : 3u + seed % 9u;
        b->hub.twice = seed % 3u == 0 ? 4u : 0;
        b->hub.shuffle = seed % 2u == 0;
        b->hub.flip = seed % 5u == 0 ? 9u : 0;
        begin(b, seed * 100u, seed % 2u != 0 ? 1024 : 2048);
        run(b, 300000);
        is_whole(b);
        assert_true(b->chunk.asked < 400u);
        if (b->hub.lose != 0)
            assert_true(b->chunk.again > 0);
    }
}

static void only_the_hole_is_asked_for_again(void **state)
{
    struct bench *b = *state;
    uint64_t before;

    begin(b, 0, 2048);
    (void) gw_chunk_poll(&b->chunk, b->now);
    b->hub.queue[3] = b->hub.queue[--b->hub.queued]; /* the fourth is lost, and the last comes in its place */
    before = b->now;
    while (b->hub.requests < 2 && b->now < before + 5000)
        run(b, 1);
    assert_int_equal(b->hub.last_offset, 3 * 2048);
    assert_int_equal(b->hub.last_count, 1);
    assert_true(b->now - before < 500); /* what came behind it tells: no need to wait for the whole time */
    run(b, 10000);
    is_whole(b);
}

static void a_lost_request_is_repeated_ever_more_slowly(void **state)
{
    struct bench *b = *state;
    uint64_t began = b->now;

    b->hub.silent = true;
    begin(b, 0, 2048);
    run(b, 29000);
    assert_in_range(b->hub.requests, 4, 6); /* at 0, 2, 4, 8, 16, 24 s */
    run(b, 5000);
    assert_int_equal(b->chunk.state, GW_CHUNK_SILENT);
    assert_in_range(b->now - began, 30000, 30100);
}

static void a_broker_that_is_away_costs_nothing(void **state)
{
    struct bench *b = *state;
    unsigned requests;

    begin(b, 0, 2048);
    run(b, 8); /* some have come */
    b->hub.away = true;
    b->hub.queued = 0;
    run(b, 10);
    requests = b->hub.requests;
    run(b, 600000);
    assert_int_equal(b->chunk.state, GW_CHUNK_RUN);
    assert_int_equal(b->hub.requests, requests);
    b->hub.away = false;
    run(b, 2000);
    is_whole(b);
}

static void what_does_not_belong_is_ignored(void **state)
{
    struct bench *b = *state;
    uint8_t m[GW_CHUNK_HEAD + GW_CHUNK_MAX + 1u];
    uint8_t junk[GW_CHUNK_MAX + 1u] = {0x55}, foreign[GW_DIGEST_SIZE] = {1};
    uint32_t total = (uint32_t) package.size;
    const struct {
        const uint8_t *d;
        uint32_t offset, total;
        size_t length;
    } wrong[] = {{foreign, 0, total, 2048},          /* another package */
                 {digest, 1, total, 2048},           /* between two chunks */
                 {digest, 16u * 2048u, total, 2048}, /* behind the window */
                 {digest, UINT32_MAX - 2047u, total, 2048},
                 {digest, 0, total, 2047}, /* too short */
                 {digest, 0, total, 1024},
                 {digest, 0, total, 0},
                 {digest, 2048, 2048, 0}, /* an end that is not here */
                 {digest, total, total, 0},
                 {digest, 0, 0, 0},
                 {digest, 4096, 4096, 2048}}; /* behind its own end */
    struct gw_chunk_message out;
    size_t n;

    begin(b, 0, 2048);
    (void) gw_chunk_poll(&b->chunk, b->now);
    b->hub.queued = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        n = make(m, wrong[i].d, wrong[i].offset, wrong[i].total, junk, wrong[i].length);
        feed(b, m, n);
        if (b->got_size != 0 || b->chunk.state != GW_CHUNK_RUN || b->chunk.total_known)
            fail_msg("case %zu was taken", i);
        for (unsigned k = 0; k < GW_CHUNK_WINDOW; k++)
            assert_int_equal(b->chunk.held[k], 0);
    }
    /* another total than the first one */
    n = make(m, digest, 0, total, package.data, 2048);
    feed(b, m, n);
    assert_int_equal(b->got_size, 2048);
    n = make(m, digest, 2048, total + 1u, package.data + 2048, 2048);
    feed(b, m, n);
    assert_int_equal(b->got_size, 2048);
    /* an old one once more */
    n = make(m, digest, 0, total, package.data, 2048);
    feed(b, m, n);
    assert_int_equal(b->got_size, 2048);
    /* no chunks at all */
    n = make(m, digest, 2048, total, junk, GW_CHUNK_MAX + 1u);
    assert_false(gw_chunk_decode(m, n, &out));
    n = make(m, digest, 2048, total, junk, 2048);
    assert_true(gw_chunk_decode(m, n, &out));
    assert_false(gw_chunk_decode(m, n - 1u, &out));
    assert_false(gw_chunk_decode(m, GW_CHUNK_HEAD - 1u, &out));
    m[0] ^= 1u;
    assert_false(gw_chunk_decode(m, n, &out));
    run(b, 10000);
    is_whole(b);
}

static void refusals(void **state)
{
    struct bench *b = *state;

    b->hub.refuse = "busy";
    b->hub.refuse_times = 5;
    begin(b, 0, 2048);
    run(b, 2000); /* 50 ms each */
    is_whole(b);
    b->hub.refuse_times = UINT32_MAX;
    b->hub.refuse = "not-found";
    begin(b, 0, 2048);
    run(b, 2500);
    assert_int_equal(b->chunk.state, GW_CHUNK_REFUSED);
    assert_non_null(strstr(b->chunk.why, "not-found"));
    /* a second hub on the same broker has it */
    b->hub.refuse_times = 1;
    begin(b, 0, 2048);
    run(b, 2);
    assert_true(b->chunk.why[0] != '\0');
    b->hub.queue[0].length = make(b->hub.queue[0].bytes, digest, 0, (uint32_t) package.size, package.data, 2048);
    b->hub.queue[0].at = b->now;
    b->hub.queued = 1;
    run(b, 10000);
    is_whole(b);
    /* an answer to something that was not asked */
    begin(b, 0, 2048);
    gw_chunk_refused(&b->chunk, b->hub.seq + 77u, "range", "", 0, b->now);
    assert_int_equal(b->chunk.state, GW_CHUNK_RUN);
    /* the sink says no */
    b->refuse_total = true;
    begin(b, 0, 2048);
    run(b, 100);
    assert_int_equal(b->chunk.state, GW_CHUNK_STOPPED);
    b->refuse_total = false;
    b->refuse_bytes_at = 4096;
    begin(b, 0, 2048);
    run(b, 100);
    assert_int_equal(b->chunk.state, GW_CHUNK_STOPPED);
    assert_int_equal(b->got_size, 4096);
}

/* --- the whole download -------------------------------------------------------------------------- */

static void download(struct bench *b, uint32_t limit_ms)
{
    for (uint64_t end = b->now + limit_ms; b->now < end; b->now++) {
        if (b->fetch.state == GW_FETCH_DONE || b->fetch.state == GW_FETCH_FAILED)
            return;
        b->http.port.poll(&b->http);
        deliver(b);
        (void) gw_fetch_poll(&b->fetch);
    }
}

static void fetch(struct bench *b)
{
    b->hub.requests = 0;
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    download(b, 2500000);
}

static void is_done(struct bench *b)
{
    if (b->fetch.state != GW_FETCH_DONE)
        fail_msg("%s: %s", b->fetch.reason, b->fetch.detail);
    assert_true(b->storage.file[0].complete);
    assert_int_equal(b->storage.file[0].size, package.size);
    assert_memory_equal(b->storage.file[0].data, package.data, package.size);
}

static void has_failed(struct bench *b, const char *reason, const char *word)
{
    assert_int_equal(b->fetch.state, GW_FETCH_FAILED);
    if (strcmp(b->fetch.reason, reason) != 0 || strstr(b->fetch.detail, word) == NULL)
        fail_msg("%s: %s", b->fetch.reason, b->fetch.detail);
}

static void hub_url(struct bench *b)
{
    char hex[GW_HEX(GW_DIGEST_SIZE)];

    gw_hex(digest, GW_DIGEST_SIZE, hex);
    (void) snprintf(b->job.url, sizeof b->job.url, "http://hub/api/v1/packages/%s.fota", hex);
}

static void an_mqtt_job(void **state)
{
    struct bench *b = *state;

    b->job.size = (uint32_t) package.size;
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 0);
    gw_fetch_stop(&b->fetch);
    fetch(b); /* out of the cache */
    is_done(b);
    assert_int_equal(b->hub.requests, 0);
}

static void a_new_process_goes_on(void **state)
{
    struct bench *b = *state;
    uint32_t had;

    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->fetch.have < 20000)
        download(b, 1);
    had = b->fetch.have;
    memset(&b->fetch, 0, sizeof b->fetch); /* killed */
    b->hub.queued = 0;
    b->hub.bytes_sent = 0;
    fetch(b);
    is_done(b);
    assert_int_equal(b->hub.first_offset, had);
    assert_int_equal(b->hub.bytes_sent, package.size - had);
}

static void http_first_then_mqtt(void **state)
{
    struct bench *b = *state;
    uint64_t began = b->now;

    hub_url(b);
    b->http.answer[0].unreached = true;
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 2);
    assert_true(b->now - began < 10000);
    /* HTTP brought a beginning: MQTT goes on behind it */
    (void) b->storage.port.remove(&b->storage, digest);
    gw_fetch_stop(&b->fetch);
    b->http.requests = 0;
    b->http.answers = 2;
    b->http.answer[0] = (struct fake_answer){.status = 200, .say = -2, .drop_at = 12345};
    b->http.answer[1] = (struct fake_answer){.unreached = true};
    fetch(b);
    is_done(b);
    assert_int_equal(b->hub.first_offset, 12345);
    assert_int_equal(b->http.requests, 3);
}

static void where_there_is_no_fallback(void **state)
{
    struct bench *b = *state;

    b->http.answer[0].unreached = true;
    (void) strcpy(b->job.url, "http://h/p.fota"); /* no hub's */
    fetch(b);
    has_failed(b, "http-error", "refused");
    hub_url(b);
    b->env.fallback = false; /* configured so */
    fetch(b);
    has_failed(b, "http-error", "refused");
    b->env.fallback = true;
    b->hub.away = true; /* no broker */
    fetch(b);
    has_failed(b, "http-error", "refused");
    b->hub.away = false;
    b->http.answer[0] = (struct fake_answer){.status = 401}; /* HTTP got through, and said no */
    fetch(b);
    has_failed(b, "http-error", "401");
    assert_int_equal(b->hub.requests, 0);
    b->http.answer[0] = (struct fake_answer){.unreached = true};
    b->hub.silent = true; /* neither way */
    fetch(b);
    has_failed(b, "http-error", "no hub sent anything");
    assert_true(b->hub.requests > 0);
}

static void http_may_come_back(void **state)
{
    struct bench *b = *state;

    hub_url(b);
    b->hub.silent = true;
    b->http.answers = 3;
    b->http.answer[0] = b->http.answer[1] = (struct fake_answer){.unreached = true};
    b->http.answer[2] = (struct fake_answer){.status = 200, .say = -2};
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 3);
}

static void bounds_and_judgement(void **state)
{
    struct bench *b = *state;
    uint8_t *junk;

    b->hub.silent = true;
    fetch(b);
    has_failed(b, "stalled", "30000 ms");
    b->hub.silent = false;
    b->hub.refuse = "not-found";
    b->hub.refuse_times = UINT32_MAX;
    fetch(b);
    has_failed(b, "mqtt-error", "not-found");
    b->hub.refuse = NULL;
    b->hub.say_total = FOTA_PACKAGE_MAX + 1u;
    fetch(b);
    has_failed(b, "too-long", "1048577");
    b->hub.say_total = 0;
    b->job.size = (uint32_t) package.size + 1u;
    fetch(b);
    has_failed(b, "too-short", "the job");
    b->job.size = 0;
    b->hub.data = other.data; /* good chunks of another package */
    b->hub.size = (uint32_t) other.size;
    fetch(b);
    has_failed(b, "digest-mismatch", "wrong file");
    b->hub.data = package.data;
    b->hub.size = (uint32_t) package.size;
    /* what is in the cache is not its beginning, or is longer than it: fetched anew */
    junk = calloc(1, package.size + 10u);
    assert_non_null(junk);
    assert_int_equal(b->storage.port.append(&b->storage, digest, junk, 6000), 0);
    fetch(b);
    is_done(b);
    gw_fetch_stop(&b->fetch);
    (void) b->storage.port.remove(&b->storage, digest);
    assert_int_equal(b->storage.port.append(&b->storage, digest, junk, package.size + 10u), 0);
    fetch(b);
    is_done(b);
    free(junk);
    /* and all of it was there, but nobody had looked yet */
    gw_fetch_stop(&b->fetch);
    b->storage.file[0].complete = false;
    b->hub.bytes_sent = 0;
    fetch(b);
    is_done(b);
    assert_int_equal(b->hub.bytes_sent, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_in_both_sizes),
        TEST(any_beginning),
        TEST(losses_doubles_and_shuffling),
        TEST(only_the_hole_is_asked_for_again),
        TEST(a_lost_request_is_repeated_ever_more_slowly),
        TEST(a_broker_that_is_away_costs_nothing),
        TEST(what_does_not_belong_is_ignored),
        TEST(refusals),
        TEST(an_mqtt_job),
        TEST(a_new_process_goes_on),
        TEST(http_first_then_mqtt),
        TEST(where_there_is_no_fallback),
        TEST(http_may_come_back),
        TEST(bounds_and_judgement),
    };
    struct pack_message message;
    struct pack_result result;
    int failed;

    if (pack_key_generate(&key, &message) != FOTA_OK)
        return 1;
    sim_package(&key, &target, 1, 0, 60000, 2, 2000, &package, &result);
    memcpy(digest, result.sha256, sizeof digest);
    sim_package(&key, &target, 2, 0, 50000, 2, 2000, &other, &result);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pack_buffer_free(&package);
    pack_buffer_free(&other);
    return failed;
}
