/* SPDX-License-Identifier: MIT */
/** @file test_rom_lines.c What the factory bootloader makes of its lines: rates, formats, errors, gaps, junk. */
#include "rom_host.h"

#include <string.h>

#define ACK ((int) FOTA_ST_ACK)
#define NACK ((int) FOTA_ST_NACK)
#define US 1000u

static bool works(struct host *h)
{
    uint8_t got[3] = {0};
    return host_command(h, FOTA_ST_GET_ID) == ACK && host_data(h, got, 3) && host_answer(h) == ACK &&
           memcmp(got, "\x01\x04\x13", 3) == 0;
}

/* -------------------------------------------------------------------------------------------------------------- USART
 */

static void test_baud_rates(void **state)
{
    static const uint32_t good[] = {1200, 9600, 57600, 115200, 230400, 460800, 921600}, bad[] = {300, 1818000, 3000000};
    (void) state;
    for (unsigned i = 0; i < 7; i++) {
        struct board *b = host_board(BOARD_ROM_V91, 0);
        struct host h = host_on_uart(b, 3);
        board_uart_baud(b, 3, good[i]);
        assert_int_equal(host_sync(&h), ACK);
        assert_true(works(&h));
        uint64_t begin = board_now(b);
        uint8_t block[256];
        assert_int_equal(host_read(&h, 0x08000000u, block, 256), ACK); /* 264 bytes of 11 bits and more */
        assert_true(board_now(b) - begin > 264ull * 11u * SECONDS / good[i]);
        assert_int_equal(board_counters(b)->uart_garbled[3], 0);
        board_destroy(b);
    }
    for (unsigned i = 0; i < 3; i++) { /* the divider ends at 458; 30 MHz / 17 is 2.9 % off; / 10 is too little */
        struct board *b = host_board(BOARD_ROM_V91, 0);
        struct host h = host_on_uart(b, 3);
        h.patience_ns = 100u * MS;
        board_uart_baud(b, 3, bad[i]);
        assert_int_equal(host_sync(&h), SILENCE);
        assert_string_equal(board_rom_interface(b), "listening");
        board_uart_baud(b, 3, 115200);
        assert_int_equal(host_sync(&h), ACK);
        board_destroy(b);
    }
}

/** A measurement that went wrong: garbage instead of an answer, and a reset helps. */
static void test_wrong_measurement(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_uart(b, 1);
    h.patience_ns = 10u * MS;
    board_uart_baud(b, 1, 115200);
    assert_false(board_rom_baud_error(b, 501, 1));
    assert_true(board_rom_baud_error(b, -60, 1));
    int answer = host_sync(&h);
    assert_true(answer != ACK && answer != NACK && answer != SILENCE);
    assert_int_not_equal(host_command(&h, FOTA_ST_GET), ACK);
    assert_true(board_counters(b)->uart_garbled[1] > 1);
    board_nrst(b, true);
    board_nrst(b, false);
    board_run(b, 90u * MS);
    while (board_uart_read(b, 1, &(uint8_t){0}, 1))
        continue;
    assert_int_equal(host_sync(&h), ACK);
    assert_true(works(&h));
    board_destroy(b);
}

/** What 64 blocks of 256 bytes take: the bytes on the wire, and 64 words of 16 us each. The host looks every 100 us. */
static void test_pace(void **state)
{
    static const uint8_t x32[4] = {FOTA_ST_PSIZE_X32, 0xFF, 0xFF, 0xFF}, block[256] = {0};
    (void) state;
    for (unsigned spi = 0; spi < 2; spi++) {
        struct board *b = host_board(BOARD_ROM_V91, 8000);
        struct host h = spi ? host_on_spi(b, 1) : host_on_uart(b, 3);
        h.gap_ns = 8000;
        board_uart_baud(b, 3, 115200);
        assert_int_equal(host_sync(&h), ACK);
        assert_int_equal(host_write(&h, FOTA_ST_PSIZE_ADDRESS, x32, 4), ACK);
        uint64_t begin = board_now(b), flash = 64u * 64u * 16u * US;
        for (uint32_t i = 0; i < 64; i++)
            assert_int_equal(host_write(&h, 0x08060000u + 256u * i, block, 256), ACK);
        uint64_t wire = spi ? 64u * (3 + 3 + 5 + 3 + 258 + 3) * 9000ull
                            : 64u * (2 + 1 + 5 + 1 + 258 + 1) * 11ull * SECONDS / 115200u;
        assert_in_range(board_now(b) - begin, (wire + flash) * 99u / 100u, (wire + flash) * 106u / 100u);
        board_destroy(b);
    }
}

static void test_first_interface_wins(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host one = host_on_uart(b, 1), two = host_on_uart(b, 2), three = host_on_uart(b, 3), spi = host_on_spi(b, 1);
    two.patience_ns = three.patience_ns = spi.patience_ns = 10u * MS;
    assert_int_equal(host_sync(&two), SILENCE); /* USART2 is not served */
    host_send(&one, "\x55", 1, NULL);
    board_run(b, MS);
    assert_string_equal(board_rom_interface(b), "listening");
    assert_int_equal(host_sync(&one), ACK);
    assert_int_equal(host_sync(&three), SILENCE);
    assert_int_equal(host_sync(&spi), SILENCE);
    assert_true(works(&one));
    /* the second sync: the first 7F is silent, the next one refused */
    one.patience_ns = 10u * MS;
    assert_int_equal(host_sync(&one), SILENCE);
    assert_int_equal(host_sync(&one), NACK);
    assert_true(works(&one));
    board_destroy(b);
    b = host_board(BOARD_ROM_V31, 0); /* which has no SPI */
    spi.board = b;
    assert_int_equal(host_sync(&spi), SILENCE);
    assert_int_equal(board_counters(b)->spi_bytes[1], 0);
    board_destroy(b);
}

static void test_formats(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_uart(b, 3);
    board_uart_format(b, 3, BOARD_UART_8E1);
    assert_int_equal(host_sync(&h), ACK);
    assert_true(works(&h));
    /* a host without parity: the chip sees none where it needs it */
    board_uart_format(b, 3, BOARD_UART_8N1);
    h.patience_ns = 10u * MS;
    assert_int_not_equal(host_command(&h, FOTA_ST_GET_ID), ACK);
    board_destroy(b);
}

/** One damaged byte in a packet: NACK at its end. Noise alone does no harm; a lost byte is waited for. */
static void test_line_errors(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_uart(b, 3);
    uint8_t block[8] = {0};
    h.patience_ns = 50u * MS;
    board_uart_error(b, 3, BOARD_UART_PARITY, 0, 1);
    assert_int_equal(host_sync(&h), SILENCE); /* no 7F */
    assert_int_equal(host_sync(&h), ACK);
    static const unsigned errors[] = {BOARD_UART_PARITY, BOARD_UART_FRAMING};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned at = 0; at < 2; at++) {
            board_uart_error(b, 3, errors[i], at, 1);
            assert_int_equal(host_command(&h, FOTA_ST_GET_ID), NACK);
            assert_true(works(&h));
        }
    for (unsigned at = 0; at < 10; at++) {
        assert_int_equal(host_command(&h, FOTA_ST_WRITE), ACK);
        assert_int_equal(host_address(&h, 0x08020000u), ACK);
        board_uart_error(b, 3, BOARD_UART_FRAMING, at, 1); /* length, 8 bytes, checksum */
        assert_int_equal(host_packet(&h, "\x07\x01\x02\x03\x04\x05\x06\x07\x08", 9), NACK);
    }
    assert_int_equal(board_counters(b)->flash_operations, 0);
    board_uart_error(b, 3, BOARD_UART_NOISE, 0, 20);
    assert_int_equal(host_read(&h, 0x08000000u, block, 8), ACK);
    assert_memory_equal(block, board_flash(b), 8);
    board_uart_error(b, 3, BOARD_UART_OVERRUN, 0, 1);
    assert_int_equal(host_command(&h, FOTA_ST_GET_ID), SILENCE);
    host_send(&h, "\x00", 1, NULL); /* FD 00 is no command */
    assert_int_equal(host_answer(&h), NACK);
    assert_true(works(&h));
    board_destroy(b);
}

/* ---------------------------------------------------------------------------------------------------------------- SPI
 */

static void test_gap(void **state)
{
    (void) state;
    static const struct {
        uint32_t rom, host;
        bool good;
    } gaps[] = {{8000, 8000, true},    {8000, 15000, true},  {8000, 7900, false}, {15000, 15000, true},
                {15000, 14900, false}, {15000, 8000, false}, {15000, 0, false},   {8000, 0, false}};
    for (unsigned i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        struct board *b = host_board(BOARD_ROM_V91, gaps[i].rom);
        struct host h = host_on_spi(b, 1);
        uint8_t block[256];
        h.patience_ns = 5u * MS;
        assert_int_equal(host_sync(&h), ACK);
        h.gap_ns = gaps[i].host;
        int answer = host_read(&h, 0x08000000u, block, 256);
        assert_int_equal(answer == ACK && memcmp(block, board_flash(b), 256) == 0, gaps[i].good);
        assert_int_equal(board_counters(b)->spi_overruns[1] + board_counters(b)->spi_underruns[1] == 0, gaps[i].good);
        board_destroy(b);
    }
}

static void test_clock(void **state)
{
    (void) state;
    static const uint32_t hz[] = {100000, 1000000, 8000000, 8100000, 10500000};
    for (unsigned i = 0; i < 5; i++) {
        struct board *b = host_board(BOARD_ROM_V91, 8000);
        struct host h = host_on_spi(b, 2);
        h.hz = hz[i];
        h.patience_ns = 5u * MS;
        assert_int_equal(host_sync(&h), hz[i] <= 8000000u ? ACK : SILENCE);
        if (hz[i] <= 8000000u)
            assert_true(works(&h));
        else
            assert_true(board_counters(b)->spi_garbled[2] > 0);
        board_destroy(b);
    }
}

/** Byte by byte: what the master hears. */
static void test_procedure(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_spi(b, 1);
    uint8_t in[16];
    host_send(&h, "\x00\x12\x5A\x00\x00\x00", 6, in); /* junk is ignored; then sync, dummy, poll */
    assert_memory_equal(in, "\xA5\xA5\xA5\xA5\x79\xA5", 6);
    host_send(&h, "\x00\x5A\x00", 3, in); /* nothing happens before the master's ACK */
    assert_memory_equal(in, "\xA5\xA5\xA5", 3);
    host_send(&h, "\x79\x5A\x02\xFD\x00\x00\x79", 7, in);
    assert_memory_equal(in, "\xA5\xA5\xA5\xA5\xA5\x79\xA5", 7);
    host_send(&h, "\x00\x00\x00\x00\x00\x00\x79", 7, in); /* a dummy, the id, a second procedure */
    assert_memory_equal(in, "\xA5\x01\x04\x13\xA5\x79\xA5", 7);
    host_send(&h, "\x5A\x02\x02\x00\x00\x79", 6, in); /* refused */
    assert_memory_equal(in, "\xA5\xA5\xA5\xA5\x1F\xA5", 6);
    assert_true(works(&h));
    board_destroy(b);
}

/** Junk of any length, then what a host does about it: zeros, its own ACK now and then, until NACK. */
static void test_junk(void **state)
{
    (void) state;
    for (unsigned len = 1; len < 12; len++) {
        struct board *b = host_board(BOARD_ROM_V91, 0);
        struct host h = host_on_spi(b, 1);
        static const uint8_t junk[12] = {0x5A, 0x31, 0xCE, 0x00, 0x00, 0x79, 0x08, 0x02, 0x00, 0x00, 0x5A, 0x11};
        uint8_t byte = 0;
        assert_int_equal(host_sync(&h), ACK);
        host_send(&h, junk, len, NULL);
        unsigned tries = 0;
        for (; byte != FOTA_ST_NACK && tries < 300; tries++)
            host_send(&h, tries == 0 ? "\x5A" : tries % 8u == 7u || byte == FOTA_ST_ACK ? "\x79" : "\x00", 1, &byte);
        assert_true(tries < 300);
        host_send(&h, "\x79", 1, NULL);
        assert_true(works(&h));
        assert_int_equal(board_counters(b)->flash_operations, 0);
        board_destroy(b);
    }
}

/** The other way to cut an erase list's checksum, and the busy time: the idle byte, then the answer. */
static void test_erase_over_spi(void **state)
{
    (void) state;
    struct board *b = host_board(BOARD_ROM_V91, 0);
    struct host h = host_on_spi(b, 1);
    uint8_t in[3];
    assert_int_equal(host_sync(&h), ACK);
    for (unsigned with_count = 0; with_count < 2; with_count++) {
        assert_int_equal(host_command(&h, FOTA_ST_ERASE), ACK);
        host_send(&h, "\x00\x01\x01", 3, NULL);
        assert_int_equal(host_answer(&h), ACK);
        host_send(&h, with_count ? "\x00\x02\x00\x03\x00" : "\x00\x02\x00\x03\x01", 5, NULL);
        host_send(&h, "\x00\x00\x00", 3, in);
        assert_memory_equal(in, "\xA5\xA5\xA5", 3);
        board_run(b, 810u * MS);
        assert_int_equal(board_counters(b)->flash_erases[3], with_count + 1u);
        host_send(&h, "\x00\x79", 2, in); /* the dummy byte was among the three */
        assert_int_equal(in[0], FOTA_ST_ACK);
    }
    assert_true(works(&h));
    board_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_baud_rates),
        cmocka_unit_test(test_wrong_measurement),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_first_interface_wins),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_line_errors),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_procedure),
        cmocka_unit_test(test_junk),
        cmocka_unit_test(test_erase_over_spi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
