/* SPDX-License-Identifier: MIT */
/* Chunk requests: bounds, rates, what goes out; the clock and the broker are the test's. */
#include "chunks.h"

#include "fota/crc32.h"
#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 100000u

struct bench {
    char dir[64];
    struct hub_store store;
    struct hub_chunks chunks;
    struct hub_chunks_io io;
    int64_t now;
    unsigned data, errors, room; /* messages; room for so many */
    uint64_t bytes;
    char topic[80], text[600];
};

static const char sha256[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static int publish(void *ctx, const char *topic, const void *payload, size_t length)
{
    struct bench *b = ctx;
    if (b->room == 0)
        return -1;
    b->room--;
    assert_true(length <= 4096);
    snprintf(b->topic, sizeof b->topic, "%s", topic);
    if (strstr(topic, "/chunk/data") != NULL) {
        b->data++;
        b->bytes += length - HUB_CHUNK_HEAD;
    } else {
        b->errors++;
        assert_true(length < sizeof b->text);
        memcpy(b->text, payload, length);
        b->text[length] = '\0';
    }
    return 0;
}

static int64_t mono(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    char path[200];
    static uint8_t zeros[SIZE];
    assert_non_null(b);
    strcpy(b->dir, "/tmp/fota-hub-chunks-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    assert_int_equal(hub_store_open(&b->store, b->dir), 0);
    snprintf(path, sizeof path, "%s/packages/%s.fota", b->dir, sha256);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(hub_write_all(fd, zeros, SIZE), 0);
    close(fd);
    b->io = (struct hub_chunks_io){publish, mono, b};
    b->now = 1000000;
    b->room = UINT32_MAX;
    hub_chunks_init(&b->chunks, &b->store, 65536, b->now);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    char command[128];
    hub_store_close(&b->store);
    snprintf(command, sizeof command, "rm -r %s", b->dir);
    int rc = system(command);
    free(b);
    return rc;
}

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t) (value >> (8 * i));
}

static void ask(struct bench *b, const char *gateway, uint32_t offset, unsigned count, unsigned size)
{
    uint8_t request[HUB_CHUNK_REQUEST] = "FCG1";
    for (uint8_t i = 0; i < 32; i++)
        request[4 + i] = i;
    put(request + 36, 77, 8);
    put(request + 44, offset, 4);
    put(request + 48, count, 2);
    put(request + 50, size, 2);
    put(request + 52, fota_crc32(0, request, 52), 4);
    b->data = b->errors = 0;
    b->bytes = 0;
    hub_chunks_request(&b->chunks, &b->io, gateway, request, sizeof request);
}

static void answers(void **state)
{
    struct bench *b = *state;
    ask(b, "gw1", 0, 3, 1024);
    assert_int_equal(b->data, 3);
    assert_int_equal(b->bytes, 3072);
    assert_string_equal(b->topic, "fota/v1/gw1/chunk/data");
    ask(b, "gw1", SIZE - 1, 16, 2048);
    assert_int_equal(b->data, 1);
    assert_int_equal(b->bytes, 1);
    b->now += 10000;
    ask(b, "gw1", SIZE + 1, 1, 2048);
    assert_int_equal(b->data + 10 * b->errors, 10);
    assert_non_null(strstr(b->text, "\"range\",\"total\":100000"));
    assert_non_null(strstr(b->text, "\"request\":77"));
    b->now += 10000;
    ask(b, "gw1", 0, 17, 2048);
    assert_non_null(strstr(b->text, "bad-request"));
    assert_int_equal(b->data, 0);
    b->now += 10000;
    b->room = 5; /* the broker takes no more: the rest is not sent, and nothing breaks */
    ask(b, "gw1", 0, 16, 2048);
    assert_int_equal(b->data, 5);
}

static void the_rate_of_one(void **state)
{
    struct bench *b = *state;
    uint64_t sum = 0;
    unsigned errors = 0;
    for (unsigned ms = 0; ms < 10000; ms += 5, b->now += 5) { /* twenty times what is allowed */
        ask(b, "gw1", 0, 4, 2048);
        sum += b->bytes;
        errors += b->errors;
    }
    assert_in_range(sum, 600000, 655360 + 65536);
    assert_true(errors > 0);
    assert_non_null(strstr(b->text, "\"busy\",\"retry_ms\":"));
    /* who waits as long as he is told to is served */
    ask(b, "gw1", 0, 16, 2048);
    assert_int_equal(b->errors, 1);
    b->now += strtol(strstr(b->text, "retry_ms\":") + 10, NULL, 10);
    ask(b, "gw1", 0, 16, 2048);
    assert_int_equal(b->data, 16);
    /* nobody else has to wait */
    ask(b, "gw2", 0, 16, 2048);
    assert_int_equal(b->data, 16);
    /* no more than one `busy` a moment */
    ask(b, "gw1", 0, 16, 2048);
    ask(b, "gw1", 0, 16, 2048);
    assert_int_equal(b->data + b->errors, 0);
    /* a long silence is no more than a burst */
    b->now += 1000000000;
    sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        ask(b, "gw1", 0, 16, 2048);
        sum += b->bytes;
    }
    assert_int_equal(sum, 32768);
}

/* Names are cheap: the sum is bounded, too. */
static void the_rate_of_all(void **state)
{
    struct bench *b = *state;
    uint64_t sum = 0;
    for (unsigned i = 0; i < 1000; i++, b->now++) {
        char name[16];
        snprintf(name, sizeof name, "g%u", i);
        ask(b, name, 0, 16, 2048);
        sum += b->bytes;
    }
    assert_in_range(sum, 500000, 2 * HUB_CHUNK_ALL * 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_rate_of_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_rate_of_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
