/* SPDX-License-Identifier: MIT */
/** @file test_selftest.c The self-test that runs on the chip: each of its checks must be reported as passed. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKS 260 /* at least so many; a self-test that ends early must not count as a success */

struct run {
    struct board *b;
    char line[256];
    size_t len;
    unsigned passed, failed;
    bool pulse, brown_out, done, success;
};

static size_t from_hex(const char *text, uint8_t *bytes, size_t size)
{
    size_t n = 0;
    for (unsigned v; n < size && sscanf(text + 2 * n, "%2x", &v) == 1; n++)
        bytes[n] = (uint8_t) v;
    return n;
}

/** "SPI N MODE HZ GAP_NS HEX": the host clocks these bytes. "MISO N HEX": what it must have got from the last ones. */
static void on_spi(struct run *r)
{
    unsigned n, mode, hz, gap;
    uint8_t bytes[64], got[64];
    char hex[130];
    if (sscanf(r->line, "SPI %u %u %u %u %129s", &n, &mode, &hz, &gap, hex) == 5) {
        const struct board_spi_options o = {.hz = hz, .mode = (uint8_t) mode, .gap_ns = gap};
        assert_true(board_spi_start(r->b, n, bytes, from_hex(hex, bytes, sizeof bytes), &o));
    } else if (sscanf(r->line, "MISO %u %129s", &n, hex) == 2) {
        size_t len = from_hex(hex, bytes, sizeof bytes);
        if (board_spi_read(r->b, n, got, sizeof got) != len || memcmp(got, bytes, len) != 0) {
            r->failed++;
            print_message("FAIL %s: got %02x %02x %02x\n", r->line, got[0], got[1], got[2]);
        } else
            r->passed++;
    }
}

/** "SUPPLY MV", "UARTERR KIND" (for the next byte), "FORMAT NAME". */
static void on_line_setting(struct run *r)
{
    static const char *const errors[] = {"parity", "framing", "noise", "overrun"}, *const formats[] = {"fits", "8N1",
                                                                                                       "8E1", "8O1"};
    if (strncmp(r->line, "SUPPLY ", 7) == 0)
        assert_true(board_supply(r->b, (uint32_t) strtoul(r->line + 7, NULL, 10)));
    for (unsigned i = 0; i < 4; i++)
        if (strncmp(r->line, "UARTERR ", 8) == 0 && strcmp(r->line + 8, errors[i]) == 0)
            assert_true(board_uart_error(r->b, 3, 1u << i, 0, 1));
    for (unsigned i = 0; i < 4; i++)
        if (strncmp(r->line, "FORMAT ", 7) == 0 && strcmp(r->line + 7, formats[i]) == 0)
            assert_true(board_uart_format(r->b, 3, (enum board_uart_format) i));
}

static void on_line(struct run *r)
{
    on_spi(r);
    on_line_setting(r);
    if (strncmp(r->line, "ok ", 3) == 0)
        r->passed++;
    else if (strncmp(r->line, "FAIL ", 5) == 0) {
        r->failed++;
        print_message("%s\n", r->line);
    } else if (strncmp(r->line, "SEND ", 5) == 0) {
        long n = strtol(r->line + 5, NULL, 10);
        for (long i = 0; i < n; i++) {
            char c = (char) ('a' + i % 26);
            board_uart_write(r->b, 3, &c, 1);
        }
    } else if (strncmp(r->line, "PULSE", 5) == 0) {
        r->pulse = true;
        board_request_stop(r->b);
    } else if (strcmp(r->line, "BROWN OUT") == 0) {
        r->brown_out = true;
        board_request_stop(r->b);
    } else if (strncmp(r->line, "DONE ", 5) == 0) {
        r->done = true;
        r->success = strcmp(r->line + 5, "PASSED") == 0;
        board_request_stop(r->b);
    }
}

static void on_byte(void *context, unsigned n, uint8_t byte)
{
    struct run *r = context;
    (void) n;
    if (byte != '\n') {
        if (r->len < sizeof r->line - 1)
            r->line[r->len++] = (char) byte;
        return;
    }
    r->line[r->len] = 0;
    r->len = 0;
    on_line(r);
}

/** @return the state hash at the end. */
static uint64_t run(enum board_mode mode, bool no_shortcuts)
{
    struct board_options o;
    struct run r = {0};
    board_options_default(&o);
    o.mode = mode;
    o.no_shortcuts = no_shortcuts;
    r.b = board_create(&o);
    assert_non_null(r.b);
    bench_load(r.b, "selftest");
    board_option_bytes_set(r.b, 0x07FFAAECu); /* sector 11 is write-protected */
    board_pin_set(r.b, 'A', 0, 1);
    board_pin_set(r.b, 'A', 2, mode == BOARD_MODE_CODE); /* these faults are found in CODE mode only */
    board_on_uart(r.b, 3, on_byte, &r);
    board_power(r.b, true);
    for (int i = 0; i < 5 && !r.done; i++) {
        board_run(r.b, 20u * (uint64_t) SECONDS);
        if (r.brown_out) {
            board_supply(r.b, 2800);
            board_run(r.b, 10u * MS);
            board_supply(r.b, 2900); /* not yet above the rising threshold */
            board_run(r.b, 10u * MS);
            assert_int_equal(board_cpu(r.b), BOARD_CPU_RESET);
            board_supply(r.b, 3300);
            r.brown_out = false;
            continue;
        }
        if (!r.pulse)
            break;
        r.pulse = false;
        board_nrst(r.b, true);
        board_run(r.b, 1u * MS);
        board_nrst(r.b, false);
    }
    if (!r.done)
        fail_msg("the self-test did not end: cpu %d, pc 0x%08x, %s", board_cpu(r.b),
                 (unsigned) board_register(r.b, BOARD_PC), board_message(r.b));
    assert_true(r.success);
    assert_int_equal(r.failed, 0);
    assert_true(r.passed >= CHECKS);
    const struct board_counters *c = board_counters(r.b);
    for (unsigned cause = 0; cause < BOARD_RESET_CAUSES; cause++)
        assert_int_equal(c->resets[cause], 1);
    assert_int_equal(c->lockups, 0);
    assert_int_equal(c->rules[BOARD_RULE_CLOCK_GATED], 3);  /* the three that the self-test commits on purpose */
    assert_int_equal(c->rules[BOARD_RULE_FLASH_ERROR], 13); /* one for each error check */
    assert_int_equal(c->rules[BOARD_RULE_BACKUP_LOCKED], 2);
    assert_int_equal(c->rules[BOARD_RULE_FLASH_SUPPLY], 8);
    assert_int_equal(
        c->rules[BOARD_RULE_FLASH_LATENCY] + c->rules[BOARD_RULE_CLOCK_LIMIT] + c->rules[BOARD_RULE_DMA_SETUP], 0);
    uint64_t hash = board_hash(r.b);
    print_message("%u checks, %.0f M instructions\n", r.passed, (double) c->instructions / 1e6);
    board_destroy(r.b);
    return hash;
}

static void test_block(void **state)
{
    (void) state;
    run(BOARD_MODE_BLOCK, false);
}

static void test_code(void **state)
{
    (void) state;
    run(BOARD_MODE_CODE, false);
}

static void test_shortcuts_change_nothing(void **state)
{
    (void) state;
    uint64_t with = run(BOARD_MODE_BLOCK, false);
    assert_true(with == run(BOARD_MODE_BLOCK, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_block), cmocka_unit_test(test_code),
                                       cmocka_unit_test(test_shortcuts_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
