/* SPDX-License-Identifier: MIT */
/** @file test_rom.c The factory bootloader's commands, each over both protocols. */
#include "rom_host.h"

#include <stdlib.h>
#include <string.h>

#define ACK ((int) FOTA_ST_ACK)
#define NACK ((int) FOTA_ST_NACK)
#define RAM 0x20004000u

static uint8_t pattern[FOTA_ST_BLOCK];

/** Run a test on USART1, USART3 (both versions), SPI1 and SPI2. */
static void everywhere(void (*test)(struct host *h))
{
    for (unsigned i = 0; i < 6; i++) {
        struct board *b = host_board(i >= 4 ? BOARD_ROM_V31 : BOARD_ROM_V91, 0);
        struct host h = i == 2 || i == 3 ? host_on_spi(b, i - 1u) : host_on_uart(b, i % 2u ? 3 : 1);
        assert_int_equal(host_sync(&h), ACK);
        assert_string_equal(board_rom_interface(b), h.spi    ? (h.spi == 1 ? "SPI1" : "SPI2")
                                                    : i % 2u ? "USART3"
                                                             : "USART1");
        test(&h);
        board_destroy(b);
    }
}

/* --------------------------------------------------------------------------------------------------------- questions
 */

static void questions(struct host *h)
{
    static const uint8_t codes[] = {0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92};
    uint8_t got[16];
    assert_int_equal(host_command(h, FOTA_ST_GET), ACK);
    assert_true(host_data(h, got, 13));
    assert_int_equal(host_answer(h), ACK);
    assert_int_equal(got[0], 11);
    assert_int_equal(got[1], h->spi ? 0x11 : 0x31);
    assert_memory_equal(got + 2, codes, sizeof codes);
    assert_int_equal(host_command(h, FOTA_ST_GET_VERSION), ACK);
    assert_true(host_data(h, got, h->spi ? 1 : 3));
    assert_int_equal(host_answer(h), ACK);
    assert_int_equal(got[0], h->spi ? 0x11 : 0x31);
    assert_int_equal(host_command(h, FOTA_ST_GET_ID), ACK);
    assert_true(host_data(h, got, 3));
    assert_int_equal(host_answer(h), ACK);
    assert_memory_equal(got, "\x01\x04\x13", 3);
    assert_int_equal(host_read(h, FOTA_ST_ID_ADDRESS, got, 1), ACK);
    bool v91 = got[0] == FOTA_ST_V91;
    assert_true(v91 || got[0] == FOTA_ST_V31);
    assert_int_equal(host_read(h, 0x1FFF7A10u, got, 12), ACK); /* the unique id */
    assert_memory_equal(got, "\x1C\x00\x30\x00", 4);
    assert_int_equal(host_command(h, 0xA1), NACK); /* Get Checksum does not exist here */
    assert_int_equal(host_command(h, FOTA_ST_GET_ID), ACK);
    assert_true(host_data(h, got, 3));
    assert_int_equal(host_answer(h), ACK);
    assert_int_equal(board_rule_violations(h->board), 0);
    /* the ROM's own RAM is neither read nor written, V3.1 has less of it */
    assert_int_equal(host_write(h, 0x20001000u, pattern, 4), NACK);
    assert_int_equal(host_write(h, 0x20002000u, pattern, 4), v91 ? NACK : ACK);
    assert_int_equal(host_write(h, FOTA_ST_RAM_FREE, pattern, 4), ACK);
}

static void test_questions(void **state)
{
    (void) state;
    everywhere(questions);
}

/* ------------------------------------------------------------------------------------------------------------ memory
 */

static void memory(struct host *h)
{
    uint8_t got[FOTA_ST_BLOCK];
    assert_int_equal(host_write(h, 0x08020000u, pattern, 256), ACK);
    assert_memory_equal(board_flash(h->board) + 0x20000, pattern, 256);
    assert_int_equal(host_read(h, 0x08020000u, got, 256), ACK);
    assert_memory_equal(got, pattern, 256);
    assert_int_equal(host_read(h, 0x08020003u, got, 5), ACK);
    assert_memory_equal(got, pattern + 3, 5);
    assert_int_equal(host_write(h, RAM, pattern, 8), ACK);
    assert_int_equal(host_read(h, RAM, got, 8), ACK);
    assert_memory_equal(got, pattern, 8);
    assert_int_equal(host_write(h, 0x1FFF7800u, pattern, 4), ACK); /* one-time programmable */
    assert_int_equal(host_read(h, 0x1FFF7800u, got, 4), ACK);
    assert_memory_equal(got, pattern, 4);
    assert_int_equal(host_erase(h, (const uint8_t[]){5}, 1), ACK);
    assert_int_equal(board_flash(h->board)[0x20000], 0xFF);
    assert_int_equal(board_counters(h->board)->flash_erases[5], 1);
    assert_int_equal(board_counters(h->board)->flash_programs[5], 256); /* x8 */
    /* what is not there */
    static const uint32_t holes[] = {0x00000000u, 0x07FFFFFCu, 0x08100000u, 0x20020000u,
                                     0x10000000u, 0x40023C00u, 0xFFFF0004u};
    for (unsigned i = 0; i < sizeof holes / sizeof holes[0]; i++) {
        assert_int_equal(host_read(h, holes[i], got, 1), NACK);
        assert_int_equal(host_write(h, holes[i], pattern, 4), NACK);
        assert_int_equal(host_go(h, holes[i]), NACK);
    }
    assert_int_equal(host_write(h, 0x1FFF0000u, pattern, 4), NACK);
    assert_int_equal(host_read(h, 0x080FFFFFu, got, 2), NACK); /* beyond the end */
    assert_int_equal(host_write(h, 0x080FFFFCu, pattern, 8), NACK);
    assert_int_equal(host_write(h, 0x08020002u, pattern, 4), NACK); /* not aligned */
    assert_int_equal(host_write(h, 0x08020000u, pattern, 6), NACK);
    assert_int_equal(host_erase(h, (const uint8_t[]){12}, 1), NACK);
    assert_int_equal(board_flash(h->board)[0x20000], 0xFF);
    /* lists, everything, banks */
    assert_int_equal(host_write(h, 0x08004000u, pattern, 4), ACK);
    assert_int_equal(host_write(h, 0x08008000u, pattern, 4), ACK);
    assert_int_equal(host_erase(h, (const uint8_t[]){1, 2}, 2), ACK);
    assert_int_equal(board_flash(h->board)[0x4000] & board_flash(h->board)[0x8000], 0xFF);
    assert_int_equal(host_command(h, FOTA_ST_ERASE), ACK);
    assert_int_equal(host_packet(h, "\xFF\xFE", 2), NACK);
    assert_int_equal(host_erase_all(h), ACK);
    assert_int_equal(board_flash(h->board)[0], 0xFF);
    assert_int_equal(board_counters(h->board)->flash_erases[0], 1);
    assert_int_equal(board_rule_violations(h->board), 0);
}

static void test_memory(void **state)
{
    (void) state;
    everywhere(memory);
}

/** Damaged packets, each at every place. */
static void damage(struct host *h)
{
    uint8_t got[4];
    for (unsigned i = 0; i < 5; i++) {
        uint8_t address[5] = {0x08, 0x02, 0x00, 0x00, 0x0A};
        address[i] ^= 0x10;
        assert_int_equal(host_command(h, FOTA_ST_READ), ACK);
        host_send(h, address, 5, NULL);
        assert_int_equal(host_answer(h), NACK);
    }
    assert_int_equal(host_command(h, FOTA_ST_READ), ACK);
    assert_int_equal(host_address(h, 0x08020000u), ACK);
    host_send(h, "\x03\xFD", 2, NULL);
    assert_int_equal(host_answer(h), NACK);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t data[6] = {3, 1, 2, 3, 4, 7};
        data[i] ^= i == 0 ? 0 : 1;
        data[5] ^= i == 0;
        assert_int_equal(host_command(h, FOTA_ST_WRITE), ACK);
        assert_int_equal(host_address(h, 0x08020000u), ACK);
        host_send(h, data, 6, NULL);
        assert_int_equal(host_answer(h), NACK);
    }
    assert_int_equal(host_command(h, FOTA_ST_ERASE), ACK);
    host_send(h, "\xFF\xFF\x01", 3, NULL);
    assert_int_equal(host_answer(h), NACK);
    host_send(h, "\x5A\x11\x11" + (h->spi ? 0 : 1), h->spi ? 3 : 2, NULL); /* the complement is wrong */
    assert_int_equal(host_answer(h), NACK);
    assert_int_equal(host_read(h, 0x08020000u, got, 4), ACK);
    assert_memory_equal(got, "\xFF\xFF\xFF\xFF", 4);
    assert_int_equal(board_counters(h->board)->flash_operations, 0);
}

static void test_damage(void **state)
{
    (void) state;
    everywhere(damage);
}

/* --------------------------------------------------------------------------------------------------------------- time
 */

static uint64_t duration(struct host *h, uint32_t address, size_t len)
{
    uint64_t begin = board_now(h->board);
    assert_int_equal(host_write(h, address, pattern, len), ACK);
    return board_now(h->board) - begin;
}

/** 256 bytes are 256 operations of 16 us at x8 and 64 at x32; a write of 4 has the same packets without them. */
static void width(struct host *h)
{
    static const uint8_t x32[4] = {FOTA_ST_PSIZE_X32, 0xFF, 0xFF, 0xFF}, bad[4] = {9, 0xFF, 0xFF, 0xFF};
    uint64_t x8 = duration(h, 0x08020000u, 256), ram = duration(h, RAM, 256), begin;
    assert_in_range(x8 - ram, 256u * 16000u - 10u, 256u * 16000u + 200000u);
    begin = board_now(h->board);
    assert_int_equal(host_erase(h, (const uint8_t[]){1}, 1), ACK);
    assert_in_range(board_now(h->board) - begin, 400u * MS, 410u * MS);
    assert_int_equal(host_write(h, FOTA_ST_PSIZE_ADDRESS, bad, 4), NACK);
    assert_int_equal(host_write(h, FOTA_ST_PSIZE_ADDRESS, x32, 4), ACK);
    uint64_t programs = board_counters(h->board)->flash_programs[5];
    assert_in_range(duration(h, 0x08020100u, 256) - ram, 64u * 16000u - 10u, 64u * 16000u + 200000u);
    assert_int_equal(board_counters(h->board)->flash_programs[5] - programs, 64);
    assert_memory_equal(board_flash(h->board) + 0x20100, pattern, 256);
    begin = board_now(h->board);
    assert_int_equal(host_erase(h, (const uint8_t[]){1}, 1), ACK);
    assert_in_range(board_now(h->board) - begin, 250u * MS, 260u * MS);
}

static void test_width(void **state)
{
    (void) state;
    everywhere(width);
}

static void test_start_takes_time(void **state)
{
    (void) state;
    struct board_options o;
    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t us[3] = {74000, 84600, 96000};
        board_options_default(&o);
        o.rom = i == 1 ? BOARD_ROM_V31 : BOARD_ROM_V91;
        o.hse_absent = i == 2;
        struct board *b = board_create(&o);
        board_boot0(b, true);
        board_power(b, true);
        board_run_until(b, 10u * MS, BOARD_ON_RESET);
        board_run(b, us[i] * 1000u - 1000u);
        assert_string_equal(board_rom_interface(b), "starting");
        board_run(b, 2000);
        assert_string_equal(board_rom_interface(b), "listening");
        assert_int_equal(board_cpu(b), BOARD_CPU_ROM);
        board_boot0(b, false);
        board_nrst(b, true);
        board_run(b, MS);
        board_pin_set(b, 'B', 2, 1); /* BOOT1 */
        board_boot0(b, true);
        board_nrst(b, false);
        board_run(b, 200u * MS);
        assert_string_equal(board_rom_interface(b), "off");
        board_destroy(b);
    }
}

/* ----------------------------------------------------------------------------------------------------------------- Go
 */

static void starts(struct host *h)
{
    assert_int_equal(host_go(h, 0x08000000u), ACK);
    assert_true(board_run_until_text(h->board, 3, "READY", 100u * MS));
    assert_int_equal(board_cpu(h->board) == BOARD_CPU_RUNNING || board_cpu(h->board) == BOARD_CPU_SLEEPING, 1);
    assert_string_equal(board_rom_interface(h->board), "off");
}

static void test_go(void **state)
{
    (void) state;
    everywhere(starts);
}

/** A loop in RAM, entered with the peripherals as the ROM left them. */
static void test_go_to_ram(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_uart(b, 3);
    static const uint8_t program[12] = {0x00, 0x00, 0x02, 0x20, 0x09, 0x40, 0x00, 0x20, 0xFE, 0xE7, 0xFE, 0xE7};
    assert_int_equal(host_sync(&h), ACK);
    assert_int_equal(host_write(&h, RAM, program, 12), ACK);
    assert_int_equal(host_go(&h, RAM), ACK);
    board_run(b, MS);
    assert_int_equal(board_cpu(b), BOARD_CPU_RUNNING);
    assert_int_equal(board_register(b, BOARD_SP), 0x20020000u);
    assert_int_equal(board_register(b, BOARD_PC), 0x20004008u);
    assert_int_equal(board_peek(b, 0x40003004u), 6);          /* the watchdog's prescaler */
    assert_int_equal(board_peek(b, 0x4000480Cu), 0x340C);     /* USART3 */
    assert_int_equal(board_peek(b, 0x40023808u) & 0xFu, 0xA); /* the PLL */
    board_destroy(b);
}

int main(void)
{
    for (unsigned i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t) (i * 7u + 1u);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions), cmocka_unit_test(test_memory),           cmocka_unit_test(test_damage),
        cmocka_unit_test(test_width),     cmocka_unit_test(test_start_takes_time), cmocka_unit_test(test_go),
        cmocka_unit_test(test_go_to_ram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
