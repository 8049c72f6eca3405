/* SPDX-License-Identifier: MIT */
/* The link over SPI: the real bootloader and applications as slaves on SPI1, the gateway as the master. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SPI 1u
#define NSS 'A', 4u

static struct rig *spi_rig(uint32_t hz)
{
    struct rig_options options = {.spi_hz = hz};

    board_options_default(&options.board);
    return rig_create(&options);
}

static void expect_no_violations(struct rig *rig)
{
    const struct board_counters *c = board_counters(rig->board);

    for (unsigned rule = 0; rule < BOARD_RULES; rule++)
        if (c->rules[rule] != 0)
            fail_msg("rule %s was broken %llu times: %s", board_rule_name(rule), (unsigned long long) c->rules[rule],
                     board_message(rig->board));
}

static void expect_update(struct rig *rig, const char *name, enum gw_push_outcome outcome, const char *reason)
{
    struct pack_buffer package = rig_package(rig, name, NULL);

    if (rig_update(rig, &package, false) != outcome || strcmp(rig->push.reason, reason) != 0)
        fail_msg("%s: outcome %d, %s: %s", name, rig->push.outcome, rig->push.reason, rig->push.detail);
    pack_buffer_free(&package);
}

/* At the slowest rate that makes sense, at ST's, and at that of the figures. */
static void test_there_and_back(void **state)
{
    static const uint32_t rates[] = {500000, 8000000, 21000000};

    (void) state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rig *rig = spi_rig(rates[i]);
        struct fota_link_info info;

        rig_factory(rig);
        expect_update(rig, "hello-1.1.0", GW_PUSH_CONFIRMED, "");
        assert_int_equal(rig->push.stats.resent, 0);
        assert_true(rig_query(rig, &info));
        assert_int_equal(info.mode, FOTA_MODE_APPLICATION);
        assert_int_equal(info.confirmed_slot, FOTA_SLOT_B);
        expect_update(rig, "hello-1.0.0", GW_PUSH_CONFIRMED, "");
        assert_int_equal(rig->push.slot, FOTA_SLOT_A);
        assert_int_equal(board_counters(rig->board)->spi_overruns[SPI], 0);
        assert_int_equal(board_counters(rig->board)->spi_garbled[SPI], 0);
        expect_no_violations(rig);
        rig_destroy(rig);
    }
}

static void test_rolled_back(void **state)
{
    struct rig *rig = spi_rig(8000000);

    (void) state;
    rig_factory(rig);
    expect_update(rig, "hello-1.2.0", GW_PUSH_ROLLED_BACK, "deadline");
    expect_update(rig, "hello-1.3.0", GW_PUSH_ROLLED_BACK, "resets");
    rig_destroy(rig);
}

/* Nothing but a bootloader, and then by the other wire: both are listened to, without a reset between. */
static void test_both_lines_listen(void **state)
{
    struct rig *rig = spi_rig(8000000);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, NULL);
    board_power(rig->board, true);
    rig->options.spi_hz = 0;
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
    (void) rig_run_until(rig, NULL, 11u * RIG_SECOND); /* silence: the next one may come on any line */
    rig->options.spi_hz = 8000000;
    expect_update(rig, "hello-1.0.0", GW_PUSH_CONFIRMED, "");
    rig->options.spi_hz = 0;
    expect_update(rig, "hello-1.1.0", GW_PUSH_CONFIRMED, "");
    rig_destroy(rig);
}

/* While somebody talks on one line, the other one is not served. */
static void test_one_line_at_a_time(void **state)
{
    struct rig *rig = spi_rig(8000000);
    struct pack_buffer package = rig_package(rig, "hello-1.1.0", NULL);
    static const uint8_t stay = FOTA_LINK_INFO_STAY;
    const struct fota_frame hello = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .tag = 9, .payload = &stay, .length = 1};
    uint8_t wire[64], heard[256];
    size_t length = fota_frame_encode(&hello, wire, sizeof wire), n = 0;

    (void) state;
    rig_factory(rig);
    (void) rig_run_until(rig, NULL, RIG_SECOND / 10u); /* it has said all that it says */
    rig_listen(rig);
    rig_start(rig, &package, false);
    while (rig_step(rig)) {
        if (rig->push.state == GW_PUSH_WRITE && rig->push.bytes > 0) {
            (void) board_uart_write(rig->board, 3, wire, length);
            n += board_uart_read(rig->board, 3, heard, sizeof heard);
        }
    }
    assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(n, 0);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* --- trouble on the wires --------------------------------------------------------------------------------------- */

/* The master breaks off within a byte: NSS rises while SCK still has edges to give. */
static void glitch(struct rig *rig, unsigned seed)
{
    static const uint8_t byte = 0x5A;
    const struct board_spi_options slow = {.hz = 100000};

    assert_true(board_spi_start(rig->board, SPI, &byte, 1, &slow));
    (void) board_run(rig->board, 20000u + seed % 50000u); /* a byte takes 80 µs */
    board_pin_set(rig->board, NSS, 1);
    while (board_spi_busy(rig->board, SPI))
        (void) board_run(rig->board, 10000u);
}

static void test_glitches_of_nss(void **state)
{
    struct rig *rig = spi_rig(8000000);
    struct pack_buffer package = rig_package(rig, "hello-1.1.0", NULL);
    unsigned steps = 0, glitches = 0;

    (void) state;
    rig_factory(rig);
    rig_start(rig, &package, false);
    while (rig_step(rig))
        if (++steps % 41u == 0 && rig->push.state < GW_PUSH_JUMP) {
            glitch(rig, steps * 7919u);
            glitches++;
        }
    if (rig->push.outcome != GW_PUSH_CONFIRMED)
        fail_msg("%s: %s", rig->push.reason, rig->push.detail);
    print_message("%u glitches\n", glitches);
    assert_true(glitches > 10u);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* Half a frame, a response that nobody fetches, noise: the next one begins as if nothing had been. */
static void test_stale_bytes(void **state)
{
    struct rig *rig = spi_rig(8000000);
    static const uint8_t none = 0;
    const struct fota_frame request = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .tag = 9, .payload = &none, .length = 1};
    uint8_t wire[64], noise[200];
    size_t length = fota_frame_encode(&request, wire, sizeof wire);

    (void) state;
    rig_program(rig, NULL);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, RIG_SECOND);
    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t) (i * 73u + 11u);
    assert_int_equal(board_spi_transfer(rig->board, SPI, noise, NULL, sizeof noise, NULL), sizeof noise);
    assert_int_equal(board_spi_transfer(rig->board, SPI, wire, NULL, length, NULL), length); /* not fetched */
    (void) board_run(rig->board, RIG_SECOND / 100u);
    assert_int_equal(board_spi_transfer(rig->board, SPI, wire, NULL, length / 2u, NULL), length / 2u);
    expect_update(rig, "hello-1.0.0", GW_PUSH_CONFIRMED, "");
    rig_destroy(rig);
}

static size_t damaged(void *ctx, bool to_device, uint8_t *data, size_t length, size_t capacity)
{
    uint32_t *dice = ctx;

    (void) to_device;
    (void) capacity;
    for (size_t i = 0; i < length; i++) {
        *dice = *dice * 1664525u + 1013904223u;
        if ((*dice >> 8) % 5000u == 0)
            data[i] ^= (uint8_t) (1u << (*dice >> 29));
    }
    return length;
}

static void test_damaged_bytes(void **state)
{
    struct rig *rig = spi_rig(8000000);
    uint32_t dice = 4711;

    (void) state;
    rig_factory(rig);
    rig->line = (struct rig_line){&dice, damaged};
    expect_update(rig, "hello-1.1.0", GW_PUSH_CONFIRMED, "");
    assert_true(rig->push.stats.resent > 0);
    rig_destroy(rig);
}

static void expect_said(struct rig *rig, const char *words)
{
    struct fota_link_info info;

    assert_false(rig_query(rig, &info));
    assert_string_equal(rig->push.reason, "device-lost");
    if (strstr(rig->push.detail, words) == NULL)
        fail_msg("not said \"%s\" but \"%s\"", words, rig->push.detail);
}

static void test_wrong_mode_is_said(void **state)
{
    (void) state;
    for (unsigned mode = 1; mode < GW_SPI_MODES; mode++) {
        struct rig *rig = spi_rig(8000000);
        struct fota_link_info info;
        char words[40];

        (void) snprintf(words, sizeof words, "answers in SPI mode %u instead of 0", mode);
        rig_program(rig, NULL);
        board_power(rig->board, true);
        (void) rig_run_until(rig, NULL, RIG_SECOND);
        rig->options.spi_mode = mode;
        expect_said(rig, words);
        rig->options.spi_mode = 0;
        assert_true(rig_query(rig, &info)); /* nothing is left of it */
        rig_destroy(rig);
    }
}

static void test_nobody_there_is_said(void **state)
{
    struct rig *rig = spi_rig(8000000);

    (void) state;
    rig_program(rig, NULL);
    expect_said(rig, "MISO reads high"); /* no power */
    rig_destroy(rig);

    rig = spi_rig(8000000);
    rig->options.no_spi = true;
    rig_program(rig, NULL);
    board_power(rig->board, true);
    expect_said(rig, "MISO reads high"); /* the configuration block says: not on SPI */
    rig_destroy(rig);

    rig = spi_rig(60000000); /* faster than the slave follows */
    rig_program(rig, NULL);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, RIG_SECOND);
    expect_said(rig, "MISO shows junk");
    rig_destroy(rig);
}

/* A master that clocks without end and says nothing neither keeps a device from its application nor makes it forget. */
static void test_babbling_master(void **state)
{
    struct rig *rig = spi_rig(8000000);
    uint64_t end;

    (void) state;
    rig_factory(rig);
    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 100u);
    board_nrst(rig->board, false);
    rig->text_length = 0;
    for (end = board_now(rig->board) + 2u * RIG_SECOND; board_now(rig->board) < end;) {
        (void) board_spi_transfer(rig->board, SPI, NULL, NULL, 4096, NULL);
        rig_listen(rig);
    }
    assert_non_null(strstr(rig->text, "hello 1.0.0 in slot A, confirmed"));
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),       cmocka_unit_test(test_rolled_back),
        cmocka_unit_test(test_both_lines_listen),    cmocka_unit_test(test_one_line_at_a_time),
        cmocka_unit_test(test_glitches_of_nss),      cmocka_unit_test(test_stale_bytes),
        cmocka_unit_test(test_damaged_bytes),        cmocka_unit_test(test_wrong_mode_is_said),
        cmocka_unit_test(test_nobody_there_is_said), cmocka_unit_test(test_babbling_master),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
