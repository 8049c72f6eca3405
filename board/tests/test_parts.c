/* SPDX-License-Identifier: MIT */
/** @file test_parts.c SPI, supply, option bytes, OTP and line errors through the board's functions. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --------------------------------------------------------------------------------------------------------- SPI */

static void test_spi_echo(void **state)
{
    const struct board_spi_options o = {.hz = 8000000, .gap_ns = 500};
    uint8_t out[256], in[256];
    (void) state;
    struct board *b = bench_probe(NULL);
    bench_command(b, 's');
    for (unsigned i = 0; i < 256; i++)
        out[i] = (uint8_t) (7 * i + 3);
    uint64_t before = board_now(b);
    assert_int_equal(board_spi_transfer(b, 1, out, in, 256, &o), 256);
    uint64_t took = board_now(b) - before;
    assert_true(took >= 256u * 1000u + 255u * 500u && took < 256u * 1000u + 255u * 500u + 1000u);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(in[i], 0);
    assert_int_equal(board_spi_transfer(b, 1, NULL, in, 256, &o), 256);
    assert_memory_equal(in, out, 256);
    const struct board_counters *c = board_counters(b);
    assert_int_equal(c->spi_bytes[1], 512);
    assert_int_equal(c->spi_overruns[1] + c->spi_underruns[1] + c->spi_lost[1] + c->spi_garbled[1], 0);
    assert_int_equal(board_pin_get(b, 'A', 4), 1);
    if (board_rule_violations(b))
        fail_msg("%s", board_message(b));
    board_destroy(b);
}

static void test_spi_losses(void **state)
{
    struct board_spi_options o = {.hz = 8000000};
    uint8_t in[4];
    (void) state;
    struct board *b = bench_probe(NULL);
    assert_int_equal(board_spi_transfer(b, 1, "abcd", in, 4, &o), 4); /* the SPI is not set up */
    assert_memory_equal(in, "\xFF\xFF\xFF\xFF", 4);
    assert_int_equal(board_counters(b)->spi_lost[1], 4);
    bench_command(b, 's');
    o.mode = 1;
    assert_int_equal(board_spi_transfer(b, 1, "abcd", in, 4, &o), 4);
    assert_int_equal(board_counters(b)->spi_garbled[1], 4);
    o.mode = 0;
    o.hz = 43000000; /* PCLK2 is 84 MHz */
    assert_int_equal(board_spi_transfer(b, 1, "abcd", in, 4, &o), 4);
    assert_int_equal(board_counters(b)->spi_garbled[1], 8);
    o.hz = 1000000;
    o.keep_selected = true;
    assert_int_equal(board_spi_transfer(b, 1, "abcd", in, 4, &o), 4);
    assert_int_equal(board_pin_get(b, 'A', 4), 0);
    o.keep_selected = false;
    assert_true(board_spi_start(b, 1, NULL, 0, &o));
    board_run(b, 1u * MS);
    assert_int_equal(board_pin_get(b, 'A', 4), 1);
    assert_true(board_spi_start(b, 1, "ab", 2, &o));
    assert_false(board_spi_start(b, 1, "ab", 2, &o)); /* one at a time */
    board_power(b, false);
    board_run(b, 1u * MS); /* the master goes on without the chip */
    assert_int_equal(board_spi_read(b, 1, in, 4), 2);
    assert_memory_equal(in, "\xFF\xFF", 2);
    o.mode = 4;
    assert_false(board_spi_start(b, 1, "ab", 2, &o));
    assert_false(board_spi_start(b, 3, "ab", 2, NULL));
    board_destroy(b);
}

static uint64_t spi_hash(bool no_shortcuts)
{
    struct board_options o;
    uint8_t in[100];
    board_options_default(&o);
    o.no_shortcuts = no_shortcuts;
    struct board *b = bench_probe(&o);
    bench_command(b, 's');
    assert_int_equal(board_spi_transfer(b, 1, NULL, in, 100, NULL), 100);
    board_run(b, 5u * MS);
    uint64_t hash = board_hash(b);
    board_destroy(b);
    return hash;
}

static void test_spi_is_deterministic(void **state)
{
    (void) state;
    assert_true(spi_hash(false) == spi_hash(false));
    assert_true(spi_hash(false) == spi_hash(true));
}

/* ------------------------------------------------------------------------------------------------------ supply */

static void test_supply_and_ram(void **state)
{
    uint32_t word = 0x12345678u, back = 0;
    (void) state;
    struct board *b = bench_probe(NULL);
    assert_int_equal(board_supply_mv(b), 3300);
    assert_false(board_supply(b, BOARD_SUPPLY_MAX + 1u));
    assert_true(board_write(b, 0x20010000u, &word, 4));
    board_supply(b, 1700); /* BOR is off in new option bytes: the chip goes on down to 1.68 V */
    assert_int_not_equal(board_cpu(b), BOARD_CPU_OFF);
    board_supply(b, 1600);
    assert_int_equal(board_cpu(b), BOARD_CPU_OFF);
    board_supply(b, 1700); /* not yet */
    assert_int_equal(board_cpu(b), BOARD_CPU_OFF);
    board_supply(b, 3300);
    assert_true(board_run_until_text(b, 3, "READY HSE 0e000000", 100u * MS));
    assert_true(board_read(b, 0x20010000u, &back, 4));
    assert_int_not_equal(back, word);
    assert_int_equal(board_counters(b)->resets[BOARD_RESET_POWER], 2);

    board_option_bytes_set(b, board_option_bytes(b) & ~0xCu); /* level 3 */
    board_supply(b, 2800);
    assert_int_not_equal(board_cpu(b), BOARD_CPU_RESET); /* not in force before a reset */
    board_nrst(b, true);
    board_nrst(b, false);
    board_run(b, 50u * MS);
    assert_int_equal(board_cpu(b), BOARD_CPU_RESET); /* now it is, and holds the chip */
    board_supply(b, 3000);
    assert_true(board_run_until_text(b, 3, "READY HSE", 100u * MS));
    board_power(b, false);
    board_supply(b, 2900); /* between the thresholds: a power-on needs the rising one */
    board_power(b, true);
    board_run(b, 50u * MS);
    assert_int_equal(board_cpu(b), BOARD_CPU_RESET);
    board_supply(b, 2930);
    assert_true(board_run_until_text(b, 3, "READY HSE", 100u * MS));
    board_destroy(b);
}

/** The supply falls while a sector is erased with x32. */
static void test_supply_falls_in_an_erase(void **state)
{
    unsigned kept = 0;
    (void) state;
    struct board *b = bench_probe(NULL);
    uint8_t zeros[1024] = {0};
    for (unsigned i = 0; i < 128; i++)
        assert_true(board_flash_load(b, SECTOR5 + 1024u * i, zeros, sizeof zeros));
    assert_int_equal(board_uart_write(b, 3, "e", 1), 1);
    board_run(b, 300u * MS);
    board_supply(b, 2600);
    board_run(b, 1u * MS);
    board_supply(b, 3300);
    assert_true(board_run_until_text(b, 3, "e\n", 3u * (uint64_t) SECONDS));
    for (unsigned i = 0; i < 131072; i++)
        kept += board_flash(b)[SECTOR5 - 0x08000000u + i] != 0xFF;
    assert_true(kept > 1000);
    assert_int_equal(board_counters(b)->rules[BOARD_RULE_FLASH_SUPPLY], 1);
    bench_command(b, 'e');
    for (unsigned i = 0; i < 131072; i++)
        assert_int_equal(board_flash(b)[SECTOR5 - 0x08000000u + i], 0xFF);
    board_destroy(b);
}

/* ------------------------------------------------------------------------------------------------ option bytes */

static void test_read_protection(void **state)
{
    uint8_t byte;
    (void) state;
    struct board *b = bench_probe(NULL);
    assert_false(board_option_bytes_set(b, 0x0FFFCCECu)); /* level 2 */
    assert_int_equal(board_option_bytes(b), 0x0FFFAAEDu);
    assert_true(board_debug_read(b, 0x08000000u, &byte, 1));
    bench_command(b, 'R'); /* the firmware sets level 1 */
    assert_true(board_read_protected(b));
    assert_false(board_debug_read(b, 0x08000000u, &byte, 1));
    assert_false(board_debug_read(b, 0x40024000u, &byte, 1));
    assert_true(board_debug_read(b, 0x20000000u, &byte, 1));
    assert_false(board_flash_load(b, 0x08080000u, "x", 1));
    bench_command(b, 'q'); /* and runs on */
    uint64_t before = board_now(b);
    assert_int_equal(board_uart_write(b, 3, "r", 1), 1); /* level 0: nothing survives */
    assert_true(board_run_until(b, 20u * (uint64_t) SECONDS, BOARD_ON_LOCKUP) == BOARD_STOP_LOCKUP);
    assert_true(board_now(b) - before > 8u * (uint64_t) SECONDS);
    for (unsigned i = 0; i < 1u << 20; i += 64)
        assert_int_equal(board_flash(b)[i], 0xFF);
    assert_false(board_read_protected(b));
    board_option_bytes_set(b, 0x0FFF55ECu);
    assert_false(board_flash_load(b, 0x08000000u, "x", 1));
    assert_true(board_option_bytes_set(b, 0x0FFFAAECu)); /* by a programmer: erased, and open again */
    bench_load(b, "probe");
    board_destroy(b);
}

static void test_hardware_watchdog(void **state)
{
    struct board_options o;
    (void) state;
    board_options_default(&o);
    o.lsi_hz = 32000;
    struct board *b = board_create(&o);
    bench_load(b, "probe");
    board_option_bytes_set(b, 0x0FFFAACCu); /* WDG_SW = 0 */
    board_power(b, true);
    assert_true(board_run_until(b, 100u * MS, BOARD_ON_RESET) == BOARD_STOP_RESET);
    uint64_t start = board_now(b);
    assert_true(board_run_until(b, 2u * (uint64_t) SECONDS, BOARD_ON_RESET) == BOARD_STOP_RESET);
    assert_true(board_now(b) - start > 511u * MS && board_now(b) - start < 514u * MS); /* 4096 * 4 / 32 kHz */
    assert_int_equal(board_counters(b)->resets[BOARD_RESET_IWDG], 1);
    board_destroy(b);
}

/** OTP and option bytes live in the flash file. */
static void test_otp_outlives_the_board(void **state)
{
    char path[] = "/tmp/board-otp-XXXXXX";
    struct board_options o;
    uint32_t word;
    (void) state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    board_options_default(&o);
    o.flash_path = path;
    struct board *b = bench_probe(&o);
    bench_command(b, 'o');
    board_destroy(b);
    b = board_create(&o);
    assert_non_null(b);
    board_flash_erase(b);
    assert_true(board_read(b, 0x1FFF7800u, &word, 4));
    assert_int_equal(word, 0xC0DE0001u);
    board_destroy(b);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spi_echo),
        cmocka_unit_test(test_spi_losses),
        cmocka_unit_test(test_spi_is_deterministic),
        cmocka_unit_test(test_supply_and_ram),
        cmocka_unit_test(test_supply_falls_in_an_erase),
        cmocka_unit_test(test_read_protection),
        cmocka_unit_test(test_hardware_watchdog),
        cmocka_unit_test(test_otp_outlives_the_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
