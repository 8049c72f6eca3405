/* SPDX-License-Identifier: MIT */
/** @file test_rom_trouble.c The factory bootloader and protection, option bytes, and trouble on request. */
#include "rom_host.h"

#include <string.h>

#define ACK ((int) FOTA_ST_ACK)
#define NACK ((int) FOTA_ST_NACK)

/** The chip has been reset by the ROM: wait until it listens again. */
static void after_reset(struct host *h, uint64_t resets)
{
    assert_int_equal(board_run_until(h->board, 100u * MS, BOARD_ON_RESET), BOARD_STOP_RESET);
    assert_int_equal(board_counters(h->board)->resets[BOARD_RESET_SOFTWARE], resets);
    board_run(h->board, 90u * MS);
    assert_string_equal(board_rom_interface(h->board), "listening");
    assert_int_equal(host_sync(h), ACK);
}

static void test_write_protection(void **state)
{
    (void) state;
    for (unsigned spi = 0; spi < 2; spi++) {
        struct host h = host_begin(spi, BOARD_ROM_V91);
        struct board *b = h.board;
        assert_int_equal(host_write_protect(&h, (const uint8_t[]){1, 5, 99}, 3), ACK);
        after_reset(&h, 1);
        assert_int_equal(board_option_bytes(b) >> 16 & 0xFFFu, 0xFDD);
        /* neither write nor erase does anything, and nobody is told */
        assert_int_equal(host_write(&h, 0x08020000u, "\1\2\3\4", 4), ACK);
        assert_int_equal(host_write(&h, 0x08040000u, "\1\2\3\4", 4), ACK);
        assert_int_equal(host_erase(&h, (const uint8_t[]){5}, 1), ACK);
        assert_int_equal(board_flash(b)[0x20000], 0xFF);
        assert_int_equal(board_flash(b)[0x40000], 1);
        assert_int_equal(board_counters(b)->flash_erases[5] + board_counters(b)->flash_programs[5], 0);
        uint8_t word[8];
        assert_int_equal(host_read(&h, FOTA_ST_OPTIONS_ADDRESS + 8, word, 4), ACK);
        assert_memory_equal(word, "\xDD\x0F\x22\xF0", 4);
        assert_int_equal(host_write_protect(&h, (const uint8_t[]){0}, 1), ACK); /* in place of the others */
        after_reset(&h, 2);
        assert_int_equal(board_option_bytes(b) >> 16 & 0xFFFu, 0xFFE);
        assert_int_equal(host_erase_all(&h), ACK);
        assert_int_equal(board_flash(b)[0x40000], 1);
        assert_int_equal(host_twice(&h, FOTA_ST_WRITE_UNPROTECT), ACK);
        after_reset(&h, 3);
        assert_int_equal(board_option_bytes(b) >> 16 & 0xFFFu, 0xFFF);
        board_destroy(b);
    }
}

static void test_readout_protection(void **state)
{
    static const uint8_t guarded[] = {FOTA_ST_READ,           FOTA_ST_GO,
                                      FOTA_ST_WRITE,          FOTA_ST_ERASE,
                                      FOTA_ST_WRITE_PROTECT,  FOTA_ST_WRITE_UNPROTECT,
                                      FOTA_ST_READOUT_PROTECT};
    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        struct host h = host_begin(i == 1, i == 2 ? BOARD_ROM_V31 : BOARD_ROM_V91);
        struct board *b = h.board;
        uint8_t got[13];
        assert_int_equal(host_twice(&h, FOTA_ST_READOUT_PROTECT), ACK);
        after_reset(&h, 1);
        assert_true(board_read_protected(b));
        for (unsigned c = 0; c < sizeof guarded; c++) {
            assert_int_equal(host_command(&h, guarded[c]), NACK);
            if (i == 2 && (guarded[c] == FOTA_ST_READ || guarded[c] == FOTA_ST_WRITE))
                assert_int_equal(host_answer(&h), NACK); /* V3.1 says so twice */
        }
        assert_int_equal(host_command(&h, FOTA_ST_GET), ACK);
        assert_true(host_data(&h, got, 13));
        assert_int_equal(host_answer(&h), ACK);
        assert_int_not_equal(board_flash(b)[0x100], 0xFF);
        uint64_t begin_ns = board_now(b);
        assert_int_equal(host_twice(&h, FOTA_ST_READOUT_UNPROTECT), ACK);
        assert_in_range(board_now(b) - begin_ns, 16ull * SECONDS, 17ull * SECONDS); /* a mass erase at x8 */
        after_reset(&h, 2);
        assert_false(board_read_protected(b));
        for (unsigned at = 0; at < 0x4000; at++)
            assert_int_equal(board_flash(b)[at], 0xFF);
        /* at level 0 it erases as well */
        assert_int_equal(host_write(&h, 0x08020000u, "\1\2\3\4", 4), ACK);
        assert_int_equal(host_twice(&h, FOTA_ST_READOUT_UNPROTECT), ACK);
        after_reset(&h, 3);
        assert_int_equal(board_flash(b)[0x20000], 0xFF);
        board_destroy(b);
    }
}

/** Option bytes through Write Memory: brown-out level 3 and the hardware watchdog, which the ROM then feeds. */
static void test_option_bytes(void **state)
{
    (void) state;
    struct host h = host_begin(true, BOARD_ROM_V91);
    struct board *b = h.board;
    uint8_t bytes[16];
    assert_int_equal(host_read(&h, FOTA_ST_OPTIONS_ADDRESS, bytes, 16), ACK);
    assert_memory_equal(bytes, "\xEC\xAA\x13\x55", 4);
    bytes[0] = 0xC0; /* BOR 3, WDG_SW 0 */
    assert_int_equal(host_write(&h, FOTA_ST_OPTIONS_ADDRESS, bytes, 4), ACK);
    after_reset(&h, 1);
    assert_int_equal(board_option_bytes(b), 0x0FFFAAC1u);
    board_run(b, 100ull * SECONDS);
    assert_int_equal(board_counters(b)->resets[BOARD_RESET_IWDG], 0);
    assert_int_equal(host_erase(&h, (const uint8_t[]){5}, 1), ACK);
    assert_int_equal(board_rule_violations(b), 0);
    board_destroy(b);
}

/* ------------------------------------------------------------------------------------------- trouble on request */

static void test_requested(void **state)
{
    (void) state;
    for (unsigned spi = 0; spi < 2; spi++) {
        struct host h = host_begin(spi, BOARD_ROM_V91);
        struct board *b = h.board;
        uint8_t got[4];
        board_rom_nack(b, 1, 1); /* the second ACK */
        assert_int_equal(host_read(&h, 0x08000000u, got, 4), NACK);
        assert_int_equal(host_read(&h, 0x08000000u, got, 4), ACK);
        h.patience_ns = 50u * MS;
        board_rom_mute(b, true);
        assert_int_equal(host_command(&h, FOTA_ST_READ), SILENCE);
        board_nrst(b, true);
        board_nrst(b, false);
        board_run(b, 90u * MS);
        assert_int_equal(host_sync(&h), SILENCE);
        board_rom_mute(b, false);
        board_nrst(b, true);
        board_nrst(b, false);
        board_run(b, 90u * MS);
        assert_int_equal(host_sync(&h), ACK);
        board_rom_early_ack(b, true);
        assert_int_equal(host_erase(&h, (const uint8_t[]){0}, 1), ACK); /* within 50 ms instead of 400 */
        assert_int_not_equal(board_flash(b)[0], 0xFF);
        board_run(b, 400u * MS);
        assert_int_equal(board_flash(b)[0], 0xFF);
        assert_int_equal(host_read(&h, 0x08000000u, got, 4), ACK);
        /* a host that goes on at once is out of step: over SPI one byte of its command is kept and the rest lost */
        assert_int_equal(host_erase(&h, (const uint8_t[]){1}, 1), ACK);
        assert_int_equal(host_read(&h, 0x08000000u, got, 4), SILENCE);
        board_destroy(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_protection),
        cmocka_unit_test(test_readout_protection),
        cmocka_unit_test(test_option_bytes),
        cmocka_unit_test(test_requested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
