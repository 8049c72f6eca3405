/* SPDX-License-Identifier: MIT */
/* Downloads: resume, retries, bounds, the whole check; and the bound on the cache. */
#include "fakes.h"
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct fota_target target = {.product = {0xde, 0xad, 1}, .hw_revision = 2, .floor = 1};
static struct pack_key key, stranger;
static struct pack_buffer package, other, large; /* large: of two pieces of a channel's download */
static uint8_t digest[GW_DIGEST_SIZE], large_digest[GW_DIGEST_SIZE];

struct bench {
    struct fake_storage storage;
    struct fake_http http;
    struct gw_clock clock;
    struct gw_fetch_env env;
    struct gw_reader reader;
    struct gw_fetch fetch;
    struct gw_job job;
    uint64_t now;
};

static uint64_t now(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->now = 1000;
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
                                   .random = 1};
    memcpy(b->job.sha256, digest, sizeof digest);
    (void) strcpy(b->job.url, "http://h/p.fota?secret=1");
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    fake_storage_free(&b->storage);
    free(b);
    return 0;
}

static void run(struct bench *b, uint32_t limit_ms)
{
    uint64_t end = b->now + limit_ms;

    while (b->now < end && b->fetch.state != GW_FETCH_DONE && b->fetch.state != GW_FETCH_FAILED) {
        b->http.port.poll(&b->http);
        uint32_t wait = gw_fetch_poll(&b->fetch);

        b->now += wait > 100u ? 100u : wait == 0 ? 1u : wait;
    }
}

static void fetch(struct bench *b)
{
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    run(b, 2500000);
}

static void is_done(struct bench *b)
{
    uint32_t size;
    bool complete;

    assert_false(b->reader.taken);
    if (b->fetch.state != GW_FETCH_DONE)
        fail_msg("%s: %s", b->fetch.reason, b->fetch.detail);
    assert_int_equal(b->storage.port.stat(&b->storage, digest, &size, &complete), 0);
    assert_true(complete);
    assert_int_equal(size, package.size);
    assert_memory_equal(b->fetch.header, package.data, FOTA_HEADER_SIZE);
}

static void has_failed(struct bench *b, const char *reason, const char *word)
{
    uint32_t size;
    bool complete;

    assert_false(b->reader.taken);
    assert_int_equal(b->fetch.state, GW_FETCH_FAILED);
    assert_string_equal(b->fetch.reason, reason);
    if (strstr(b->fetch.detail, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", b->fetch.detail, word);
    assert_null(strstr(b->fetch.detail, "secret"));
    assert_int_equal(b->storage.port.stat(&b->storage, digest, &size, &complete), 0);
    assert_false(complete);
}

static void whole(void **state)
{
    struct bench *b = *state;

    b->job.size = (uint32_t) package.size;
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 1);
    /* again: out of the cache */
    gw_fetch_stop(&b->fetch);
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 1);
    /* bits that rot in the cache are seen, and the package is fetched again */
    b->storage.file[0].data[5000] ^= 1u;
    gw_fetch_stop(&b->fetch);
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 2);
}

static void without_a_length(void **state)
{
    struct bench *b = *state;

    b->http.answer[0].say = -1;
    b->http.etag[0] = '\0';
    fetch(b);
    is_done(b);
}

static void a_drop_resumes(void **state)
{
    struct bench *b = *state;

    b->http.answers = 3;
    b->http.answer[0].drop_at = 30000;
    b->http.answer[1] = (struct fake_answer){.status = 200, .say = -2, .drop_at = 31000};
    b->http.answer[2] = (struct fake_answer){.status = 200, .say = -2};
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 3);
    assert_int_equal(b->http.last_from, 31000);
    assert_string_equal(b->http.last_if_range, "\"v1\"");
}

static void a_server_without_ranges_begins_anew(void **state)
{
    struct bench *b = *state;

    b->http.answers = 2;
    b->http.answer[0].drop_at = 30000;
    b->http.answer[1] = (struct fake_answer){.status = 200, .say = -2, .ignore_range = true};
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 2);
}

static void weak_etags_are_not_sent_but_compared(void **state)
{
    struct bench *b = *state;

    (void) strcpy(b->http.etag, "W/\"1\"");
    b->http.answers = 2;
    b->http.answer[0].drop_at = 30000;
    b->http.answer[1] = (struct fake_answer){.status = 200, .say = -2};
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->fetch.have < 30000)
        run(b, 1);
    (void) strcpy(b->http.etag, "W/\"2\"");
    run(b, 100000);
    is_done(b);
    assert_int_equal(b->http.requests, 3); /* the second was another file: a third fetched it whole */
    assert_int_equal(b->http.last_from, 0);
}

static void a_new_process_resumes(void **state)
{
    struct bench *b = *state;

    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->fetch.have < 20000)
        run(b, 1);
    memset(&b->fetch, 0, sizeof b->fetch); /* killed */
    b->http.active[0].used = false;
    fetch(b);
    is_done(b);
    assert_true(b->http.last_from >= 20000);
    assert_string_equal(b->http.last_if_range, "\"v1\"");
}

static void pieces_that_do_not_fit_are_fetched_anew(void **state)
{
    struct bench *b = *state;
    uint8_t junk[6000] = {1, 2, 3};

    assert_int_equal(b->storage.port.append(&b->storage, digest, junk, sizeof junk), 0); /* after a cut of power */
    fetch(b);
    is_done(b);
    assert_int_equal(b->http.requests, 2);
    assert_int_equal(b->http.last_from, 0);
}

static void an_incomplete_file_that_is_too_long(void **state)
{
    struct bench *b = *state;
    uint8_t *junk = calloc(1, package.size + 10u);

    assert_non_null(junk);
    assert_int_equal(b->storage.port.append(&b->storage, digest, junk, package.size + 10u), 0);
    free(junk);
    fetch(b); /* 416, then whole */
    is_done(b);
    assert_int_equal(b->http.requests, 2);
}

/* A channel's package: in pieces, all of one object. */
static void of_channel(struct bench *b)
{
    (void) strcpy(b->job.channel, "stable");
    memcpy(b->job.sha256, large_digest, sizeof large_digest);
    b->http.data = large.data;
    b->http.size = (uint32_t) large.size;
}

static bool is_whole(struct bench *b)
{
    uint32_t size;
    bool complete;

    return b->storage.port.stat(&b->storage, large_digest, &size, &complete) == 0 && complete && size == large.size;
}

static void pieces_of_one_object(void **state)
{
    struct bench *b = *state;

    of_channel(b);
    fetch(b);
    assert_int_equal(b->fetch.state, GW_FETCH_DONE);
    assert_true(is_whole(b));
    assert_int_equal(b->http.requests, 2);
    assert_int_equal(b->http.last_from, GW_CHANNEL_PIECE);
    assert_string_equal(b->http.last_match, "\"v1\"");
}

static void an_object_that_changes_is_fetched_anew(void **state)
{
    struct bench *b = *state;

    of_channel(b);
    b->http.vary = 1; /* with the second piece: 412. The third request begins anew */
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->http.requests < 3u) {
        b->now += 10;
        b->http.port.poll(&b->http);
        (void) gw_fetch_poll(&b->fetch);
    }
    assert_int_equal(b->http.last_from, 0);
    assert_string_equal(b->http.last_match, "");
    b->http.vary = 0;
    run(b, 100000);
    assert_int_equal(b->fetch.state, GW_FETCH_DONE);
    assert_true(is_whole(b));
    assert_int_equal(b->http.requests, 4);
}

static void an_object_that_changes_for_ever(void **state)
{
    struct bench *b = *state;

    of_channel(b);
    b->http.vary = 1;
    fetch(b);
    assert_int_equal(b->fetch.state, GW_FETCH_FAILED);
    assert_string_equal(b->fetch.reason, "http-error");
    assert_non_null(strstr(b->fetch.detail, "412"));
    assert_false(is_whole(b));
    assert_in_range(b->http.requests, 7, 16); /* as many attempts as with any other trouble */
}

static void an_object_that_became_shorter(void **state)
{
    struct bench *b = *state;

    of_channel(b);
    b->http.etag[0] = '\0'; /* a server that has none: only 416 tells */
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->http.requests < 2u) {
        b->now += 10;
        b->http.port.poll(&b->http);
        (void) gw_fetch_poll(&b->fetch);
        b->http.size = b->fetch.have >= GW_CHANNEL_PIECE ? GW_CHANNEL_PIECE : b->http.size;
    }
    while (b->fetch.have != 0)
        b->http.port.poll(&b->http);
    assert_non_null(strstr(b->fetch.detail, "416"));
    b->http.size = (uint32_t) large.size;
    run(b, 100000);
    assert_int_equal(b->fetch.state, GW_FETCH_DONE);
    assert_true(is_whole(b));
    assert_int_equal(b->http.requests, 4);
}

static void a_presigned_url_that_expired(void **state)
{
    struct bench *b = *state;

    b->http.answer[0].status = 403;
    b->now = 1369440000000ull; /* 2013-05-25T00:00:00Z */
    (void) strcpy(b->job.url,
                  "https://h/p.fota?X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-Signature=secret");
    fetch(b);
    has_failed(b, "http-error", "status 403 from https://h/p.fota: the presigned URL expired at 2013-05-25T00:00:00");
    assert_int_equal(b->http.requests, 1);
    b->now = 1369439999000ull;
    fetch(b);
    has_failed(b, "http-error", "status 403 from https://h/p.fota");
    assert_null(strstr(b->fetch.detail, "expired"));
}

static void statuses(void **state)
{
    struct bench *b = *state;

    b->http.answer[0].status = 404;
    fetch(b);
    has_failed(b, "http-error", "404");
    assert_int_equal(b->http.requests, 1);
    b->http.answer[0].status = 302;
    fetch(b);
    has_failed(b, "http-error", "302");
    assert_int_equal(b->http.requests, 2);
    b->http.requests = 0;
    b->http.answer[0].status = 500;
    uint64_t began = b->now;
    fetch(b);
    has_failed(b, "http-error", "500");
    assert_int_equal(b->http.requests, 6);
    assert_in_range(b->now - began, 31000, 40000); /* 1 + 2 + 4 + 8 + 16 s and up to a quarter more */
    b->http.requests = 0;
    b->http.answer[0].unreached = true;
    fetch(b);
    has_failed(b, "http-error", "refused");
    assert_int_equal(b->http.requests, 6);
    b->http.requests = 0;
    b->http.answers = 4;
    b->http.answer[1] = (struct fake_answer){.status = 429};
    b->http.answer[2] = (struct fake_answer){.status = 503};
    b->http.answer[3] = (struct fake_answer){.status = 200, .say = -2};
    fetch(b);
    is_done(b);
}

static void too_long(void **state)
{
    struct bench *b = *state;

    b->http.answer[0].say = FOTA_PACKAGE_MAX + 1;
    fetch(b);
    has_failed(b, "too-long", "1048577");
    b->http.answer[0].say = -2;
    b->job.size = (uint32_t) package.size - 1u;
    fetch(b);
    has_failed(b, "too-long", "the job");
    b->http.answer[0].say = -1; /* says nothing and does not stop */
    fetch(b);
    has_failed(b, "too-long", "sends more");
    assert_int_equal(b->http.requests, 3);
    assert_false(b->storage.file[0].used);
    /* no bound but the largest package */
    uint8_t *huge = calloc(1, FOTA_PACKAGE_MAX + 1u);

    assert_non_null(huge);
    b->job.size = 0;
    b->http.data = huge;
    b->http.size = FOTA_PACKAGE_MAX + 1u;
    fetch(b);
    has_failed(b, "too-long", "1048576");
    free(huge);
}

static void too_short(void **state)
{
    struct bench *b = *state;

    b->job.size = (uint32_t) package.size + 4u;
    fetch(b);
    has_failed(b, "too-short", "the job");
    assert_int_equal(b->http.requests, 1);
    b->job.size = 0;
    b->http.answer[0].say = 100;
    fetch(b);
    has_failed(b, "too-short", "100");
    b->http.answer[0] = (struct fake_answer){.status = 200, .say = -2, .drop_at = 12000, .ignore_range = true};
    b->http.requests = 0;
    fetch(b);
    has_failed(b, "too-short", "12000 of");
    assert_int_equal(b->http.requests, 6); /* the same bytes again are no progress */
    b->http.answer[0] = (struct fake_answer){.status = 200, .say = -1};
    b->http.size = 0;
    fetch(b);
    has_failed(b, "too-short", "0 bytes");
}

static void stalls(void **state)
{
    struct bench *b = *state;
    uint64_t began = b->now;

    b->http.answer[0].stall_at = 9000;
    fetch(b);
    has_failed(b, "stalled", "30000 ms");
    assert_int_equal(b->http.requests, 6);
    assert_in_range(b->now - began, 6u * 30000u, 6u * 30000u + 45000u);
    /* a server that trickles is ended, too */
    b->http.answer[0].stall_at = 0;
    b->http.piece = 1;
    began = b->now;
    gw_fetch_start(&b->fetch, &b->env, &b->job);
    while (b->fetch.state != GW_FETCH_FAILED && b->now < began + 4000000u) {
        b->now += 1000;
        b->http.port.poll(&b->http);
        (void) gw_fetch_poll(&b->fetch);
    }
    has_failed(b, "stalled", "1800 s");
}

static void the_file_is_judged(void **state)
{
    struct bench *b = *state;

    b->http.data = other.data; /* good, but not the one */
    b->http.size = (uint32_t) other.size;
    fetch(b);
    has_failed(b, "digest-mismatch", "wrong file");
    assert_int_equal(b->http.requests, 1);
    fota_sha256(other.data, other.size, b->job.sha256);
    fetch(b);
    assert_int_equal(b->fetch.state, GW_FETCH_FAILED);
    assert_string_equal(b->fetch.reason, "key"); /* it is signed by a stranger */
    assert_false(b->storage.file[0].used);
}

static void damaged(struct bench *b, uint32_t at, uint32_t cut, const char *reason)
{
    uint8_t *copy = malloc(package.size);

    assert_non_null(copy);
    memcpy(copy, package.data, package.size);
    if (cut == 0)
        copy[at] ^= 0x10u;
    b->http.data = copy;
    b->http.size = (uint32_t) package.size - cut;
    fota_sha256(copy, b->http.size, b->job.sha256);
    fetch(b);
    assert_int_equal(b->fetch.state, GW_FETCH_FAILED);
    assert_string_equal(b->fetch.reason, reason);
    free(copy);
}

static void every_check_of_the_package(void **state)
{
    struct bench *b = *state;

    damaged(b, 0, 0, "magic");
    damaged(b, 4, 0, "format");
    damaged(b, 9, 0, "signature");
    damaged(b, FOTA_HEADER_SIZE - 3u, 0, "signature");
    damaged(b, 137, 0, "key");
    damaged(b, FOTA_HEADER_SIZE, 0, "section");
    damaged(b, (uint32_t) package.size - 100u, 0, "crc");
    damaged(b, 0, 9, "truncated");
}

static void a_full_disk(void **state)
{
    struct bench *b = *state;

    b->storage.append_fails = true;
    fetch(b);
    has_failed(b, "cache-error", "room");
    assert_int_equal(b->http.requests, 1);
}

static bool in_use(void *ctx, const uint8_t d[GW_DIGEST_SIZE])
{
    return memcmp(ctx, d, GW_DIGEST_SIZE) == 0;
}

static uint32_t by_slots(void *ctx, uint32_t size)
{
    (void) ctx;
    return size <= 1000 ? 1000 : 2000;
}

static void the_cache_is_bounded(void **state)
{
    struct bench *b = *state;
    uint8_t d[GW_DIGEST_SIZE] = {0}, keep[GW_DIGEST_SIZE] = {1};
    const uint8_t none[GW_DIGEST_SIZE] = {0xFF};
    uint8_t data[1000] = {0};

    for (uint8_t i = 1; i <= 6; i++) {
        d[0] = i;
        assert_int_equal(b->storage.port.append(&b->storage, d, data, sizeof data), 0);
    }
    /* the oldest is in use: the second goes */
    assert_int_equal(gw_cache_make_room(&b->storage.port, 6, 100000, none, 1000, in_use, keep), 0);
    d[0] = 2;
    assert_int_equal(b->storage.removes, 1);
    assert_false(b->storage.file[1].used);
    assert_true(b->storage.file[0].used);
    /* bytes */
    assert_int_equal(gw_cache_make_room(&b->storage.port, 100, 4000, none, 1000, in_use, keep), 0);
    assert_int_equal(b->storage.removes, 3);
    /* what is in use alone is too much */
    assert_int_equal(gw_cache_make_room(&b->storage.port, 100, 1500, none, 1000, in_use, keep), 1);
    assert_true(b->storage.file[0].used);
    /* … but not for the package itself, a part of which is there */
    assert_int_equal(gw_cache_make_room(&b->storage.port, 100, 1500, keep, 1500, in_use, keep), 0);
    assert_int_equal(b->storage.removes, 5);
    /* a cache of slots: what is longer than one takes two */
    b->storage.port.takes = by_slots;
    d[0] = 7;
    assert_int_equal(b->storage.port.append(&b->storage, d, data, sizeof data), 0);
    assert_int_equal(gw_cache_make_room(&b->storage.port, 3, 3500, none, 1000, in_use, keep), 0);
    assert_int_equal(b->storage.removes, 5);
    assert_int_equal(gw_cache_make_room(&b->storage.port, 3, 3500, none, 1001, in_use, keep), 0);
    assert_int_equal(b->storage.removes, 6);
    keep[0] = 0;
    assert_int_equal(gw_cache_make_room(&b->storage.port, 100, 999, none, 1000, in_use, keep), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole),
        TEST(without_a_length),
        TEST(a_drop_resumes),
        TEST(a_server_without_ranges_begins_anew),
        TEST(weak_etags_are_not_sent_but_compared),
        TEST(a_new_process_resumes),
        TEST(pieces_that_do_not_fit_are_fetched_anew),
        TEST(an_incomplete_file_that_is_too_long),
        TEST(pieces_of_one_object),
        TEST(an_object_that_changes_is_fetched_anew),
        TEST(an_object_that_changes_for_ever),
        TEST(an_object_that_became_shorter),
        TEST(a_presigned_url_that_expired),
        TEST(statuses),
        TEST(too_long),
        TEST(too_short),
        TEST(stalls),
        TEST(the_file_is_judged),
        TEST(every_check_of_the_package),
        TEST(a_full_disk),
        TEST(the_cache_is_bounded),
    };
    struct pack_message message;
    struct pack_result result;
    int failed;

    if (pack_key_generate(&key, &message) != FOTA_OK || pack_key_generate(&stranger, &message) != FOTA_OK)
        return 1;
    sim_package(&key, &target, 1, 0, 40000, 2, 2000, &package, &result);
    memcpy(digest, result.sha256, sizeof digest);
    sim_package(&stranger, &target, 1, 0, 40000, 2, 2000, &other, &result);
    sim_package(&key, &target, 1, 0, 300000, 2, 2000, &large, &result);
    memcpy(large_digest, result.sha256, sizeof large_digest);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pack_buffer_free(&package);
    pack_buffer_free(&other);
    pack_buffer_free(&large);
    return failed;
}
