/* SPDX-License-Identifier: MIT */
/* A channel's index: what is taken and what is not, when it is asked for, what survives a restart. No device answers
 * here. */
#include "fakes.h"
#include "pack.h"

#include "fota/channel.h"
#include "fota/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START 1800000000000ull /* unix ms */
#define POLL_S 100u

struct bench {
    struct gw gw;
    struct gw_config config;
    struct gw_device_config device;
    struct gw_channel_config channel;
    struct gw_ports ports;
    struct fake_storage storage;
    struct fake_mqtt mqtt;
    struct gw_http http;
    struct gw_link link;
    struct gw_clock clock;
    uint64_t now, unix_base;
    /* the server */
    const struct gw_http_events *events;
    struct gw_http_head answer;
    uint8_t body[2048];
    size_t length;
    unsigned requests, headers;
    char url[GW_URL_MAX + 1u], header[5][1024];
    struct fota_channel index;
    struct pack_key key;
};

static int no_link(void *ctx, uint32_t baud)
{
    (void) ctx;
    (void) baud;
    return -1;
}

static uint64_t monotonic(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static uint64_t unix_time(void *ctx)
{
    return ((struct bench *) ctx)->unix_base + ((struct bench *) ctx)->now;
}

static int h_start(void *ctx, const struct gw_http_request *request, const struct gw_http_events *events)
{
    struct bench *b = ctx;

    b->events = events;
    b->requests++;
    b->headers = request->header_count;
    (void) snprintf(b->url, sizeof b->url, "%s", request->url);
    for (unsigned i = 0; i < b->headers; i++)
        (void) snprintf(b->header[i], sizeof b->header[i], "%s", request->headers[i]);
    return 0;
}

static void h_poll(void *ctx)
{
    struct bench *b = ctx;
    const struct gw_http_events *e = b->events;

    if (e == NULL || b->answer.status == 0)
        return;
    b->events = NULL;
    e->done(e->ctx,
            e->head(e->ctx, &b->answer) != 0 || e->body(e->ctx, b->body, b->length) != 0 ? GW_HTTP_ABORTED : GW_HTTP_OK,
            "");
}

static void h_cancel(void *ctx, int handle)
{
    (void) handle;
    ((struct bench *) ctx)->events = NULL;
}

static void start(struct bench *b)
{
    char error[256];

    fake_mqtt_init(&b->mqtt, &b->gw);
    b->events = NULL;
    assert_int_equal(gw_init(&b->gw, &b->config, &b->ports, error, sizeof error), 0);
}

static void run(struct bench *b, uint32_t ms)
{
    for (uint64_t end = b->now + ms; b->now < end; b->now += 20u)
        (void) gw_poll(&b->gw);
}

/* The server has the present index. */
static void serve(struct bench *b)
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_channel_encode(&b->index, b->body);
    fota_sha256(b->body, FOTA_CHANNEL_SIGNED, digest);
    assert_int_equal(pack_sign(&b->key, digest, b->body + FOTA_CHANNEL_SIGNED), FOTA_OK);
    b->length = FOTA_CHANNEL_SIZE;
    b->answer = (struct gw_http_head){.status = 200, .length = FOTA_CHANNEL_SIZE, .etag = "\"one\""};
}

static void status(struct bench *b, int code, const char *body, uint32_t retry_after)
{
    b->answer = (struct gw_http_head){.status = code, .length = -1, .retry_after = retry_after};
    b->length = strlen(body);
    memcpy(b->body, body, b->length);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct pack_message message;

    if (b == NULL)
        return -1;
    assert_int_equal(pack_key_generate(&b->key, &message), FOTA_OK);
    fake_storage_init(&b->storage);
    b->unix_base = START;
    b->clock = (struct gw_clock){b, monotonic, unix_time};
    b->http = (struct gw_http){b, h_start, h_poll, h_cancel};
    b->link = (struct gw_link){.ctx = b, .open = no_link};
    b->device = (struct gw_device_config){.name = "d1", .link = &b->link};
    b->channel = (struct gw_channel_config){.name = "stable", .url = "https://h/b/p", .poll_s = POLL_S};
    b->channel.product[0] = 0xAB;
    b->config = (struct gw_config){.id = "gw1",
                                   .keys = &b->key.public_key,
                                   .key_count = 1,
                                   .devices = &b->device,
                                   .device_count = 1,
                                   .channels = &b->channel,
                                   .channel_count = 1};
    b->ports = (struct gw_ports){&b->http, &b->mqtt.port, &b->storage.port, &b->clock, NULL, NULL};
    b->index = (struct fota_channel){.name = "stable",
                                     .sequence = 5,
                                     .package_size = 4000,
                                     .not_before = START / 1000u - 10u,
                                     .expiry = START / 1000u + 3600u};
    b->index.product[0] = 0xAB;
    memcpy(b->index.key_id, b->key.public_key.id, FOTA_KEY_ID_SIZE);
    *state = b;
    start(b);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    gw_stop(&b->gw);
    fake_storage_free(&b->storage);
    free(b);
    return 0;
}

#define CHANNEL (&b->gw.channel[0])
#define PROBLEM(text) assert_non_null(strstr(CHANNEL->problem, text))
#define A_POLL (POLL_S * 1100u + 100u)

static void taken_and_kept(void **state)
{
    struct bench *b = *state;

    serve(b);
    run(b, 3000);
    assert_int_equal(b->requests, 1);
    assert_string_equal(b->url, "https://h/b/p/ab000000-0000-0000-0000-000000000000/stable.idx");
    assert_int_equal(b->headers, 0);
    assert_true(CHANNEL->has_index);
    assert_string_equal(CHANNEL->problem, "");
    run(b, POLL_S * 1000u - 3000u);
    assert_int_equal(b->requests, 1);
    status(b, 304, "", 0);
    run(b, POLL_S * 100u + 3000u);
    assert_int_equal(b->requests, 2);
    assert_string_equal(b->header[0], "If-None-Match: \"one\"");
    gw_stop(&b->gw); /* a restart: the index, its number and its ETag are still there */
    start(b);
    assert_true(CHANNEL->has_index);
    run(b, 3000);
    assert_int_equal(b->requests, 3);
    assert_string_equal(b->header[0], "If-None-Match: \"one\"");
    b->index.sequence = 4;
    serve(b);
    run(b, A_POLL);
    PROBLEM("sequence 4, 5 was seen already");
    assert_int_equal(CHANNEL->index.sequence, 5);
}

static void refused(void **state)
{
    struct bench *b = *state;

    serve(b);
    b->body[60] ^= 1u;
    run(b, 3000);
    PROBLEM("signature is wrong");
    serve(b);
    b->body[156] ^= 1u;
    run(b, A_POLL);
    PROBLEM("a key that this gateway does not trust");
    b->index.product[0] = 1;
    serve(b);
    run(b, A_POLL);
    PROBLEM("another product");
    b->index.product[0] = 0xAB;
    serve(b);
    b->length--;
    run(b, A_POLL);
    PROBLEM("truncated");
    b->length = sizeof b->body;
    run(b, A_POLL);
    PROBLEM("too long");
    assert_false(CHANNEL->has_index);
    b->index.expiry = START / 1000u + 36000u;
    serve(b);
    run(b, A_POLL);
    assert_string_equal(CHANNEL->problem, "");
    b->index.package_size++;
    serve(b);
    run(b, A_POLL);
    PROBLEM("two different indexes have the sequence 5");
    b->storage.put_fails = true;
    b->index.sequence++;
    serve(b);
    run(b, A_POLL);
    PROBLEM("could not be recorded");
    assert_int_equal(CHANNEL->index.sequence, 5);
}

static void times(void **state)
{
    struct bench *b = *state;

    b->index.not_before += 60u;
    b->index.expiry = b->index.not_before + 400u;
    serve(b);
    run(b, 3000);
    PROBLEM("clock");
    status(b, 304, "", 0);
    run(b, 2u * A_POLL);
    assert_string_equal(CHANNEL->problem, "");
    run(b, 300000);
    PROBLEM("frozen, or not renewed");
}

static void pauses(void **state)
{
    struct bench *b = *state;
    unsigned n;

    status(b, 503, "<Error><Code>SlowDown</Code></Error>", 30);
    run(b, 3000);
    PROBLEM("503 SlowDown");
    assert_int_equal(b->requests, 1);
    run(b, 27000);
    assert_int_equal(b->requests, 1);
    status(b, 500, "", 0);
    run(b, 6100);
    assert_in_range(b->requests, 2, 3);
    run(b, 600000); /* 4, 8, 16, 32, 64, 100, 100 … s */
    n = b->requests;
    assert_in_range(n, 8, 13);
    status(b, 403, "<Error><Code>AccessDenied</Code></Error>", 0);
    run(b, 2u * A_POLL);
    PROBLEM("AccessDenied: no right");
    b->answer.status = 0; /* silence */
    run(b, A_POLL + 31000u);
    PROBLEM("did not answer within 30 s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(taken_and_kept), TEST(refused), TEST(times), TEST(pauses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
