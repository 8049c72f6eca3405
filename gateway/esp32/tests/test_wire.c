/* SPDX-License-Identifier: MIT */
/* What lies between the core and a chip's drivers: chip select, pieces, gaps, the order of the pins, overruns. */
#include "wire.h"

#include "fota/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* --- SPI: a slave that answers each byte with its complement ------------------------------------ */

#define SIZE 16u

static struct {
    uint8_t tx[SIZE], rx[SIZE], heard[256];
    size_t count, pauses, exchanges, longest;
    unsigned frames; /* of chip select */
    bool held, low;
    size_t fail_at; /* exchanges; 0: never */
} slave;

static int acquire(void *ctx)
{
    (void) ctx;
    assert_false(slave.held);
    slave.held = true;
    return 0;
}

static int refuse(void *ctx)
{
    (void) ctx;
    return -1;
}

static void release(void *ctx)
{
    (void) ctx;
    assert_true(slave.held);
    slave.held = slave.low = false;
}

static int exchange(void *ctx, size_t length, bool keep)
{
    (void) ctx;
    assert_true(slave.held);
    assert_in_range(length, 1, SIZE);
    if (slave.fail_at != 0 && ++slave.exchanges == slave.fail_at)
        return -1;
    slave.frames += slave.low ? 0u : 1u;
    slave.low = keep;
    slave.longest = length > slave.longest ? length : slave.longest;
    memcpy(slave.heard + slave.count, slave.tx, length);
    slave.count += length;
    for (size_t i = 0; i < SIZE; i++) /* the DMA writes whole words */
        slave.rx[i] = i < length ? (uint8_t) ~slave.tx[i] : 0xEE;
    return 0;
}

static void pause_ns(void *ctx, uint32_t ns)
{
    (void) ctx;
    assert_int_equal(ns, 5000);
    slave.pauses++;
}

static const struct wire_spi spi = {NULL, slave.tx, slave.rx, SIZE, acquire, exchange, release, pause_ns};

static void test_spi_pieces(void **state)
{
    uint8_t out[256], in[257];

    (void) state;
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t) (i * 7u);
    for (size_t length = 1; length <= sizeof out; length++) {
        memset(&slave, 0, sizeof slave);
        memset(in, 0x55, sizeof in);
        assert_int_equal(wire_spi_transfer(&spi, 0, out, in, length), 0);
        assert_int_equal(slave.frames, 1);
        assert_int_equal(slave.count, length);
        assert_memory_equal(slave.heard, out, length);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(in[i], (uint8_t) ~out[i]);
        assert_int_equal(in[length], 0x55);
        assert_false(slave.low || slave.held);
        assert_int_equal(slave.pauses, 0);
    }
}

static void test_spi_gaps(void **state)
{
    uint8_t out[40] = {1, 2, 3}, in[40];

    (void) state;
    memset(&slave, 0, sizeof slave);
    assert_int_equal(wire_spi_transfer(&spi, 5000, out, in, sizeof out), 0);
    assert_int_equal(slave.longest, 1);
    assert_int_equal(slave.pauses, sizeof out);
    assert_int_equal(slave.frames, 1);
    assert_false(slave.low);
}

static void test_spi_failures(void **state)
{
    struct wire_spi busy = spi;
    uint8_t out[40] = {0}, in[40];

    (void) state;
    busy.acquire = refuse;
    assert_int_equal(wire_spi_transfer(&busy, 0, out, in, sizeof out), -1);
    for (size_t at = 1; at <= 3; at++) {
        memset(&slave, 0, sizeof slave);
        slave.fail_at = at;
        assert_int_equal(wire_spi_transfer(&spi, 0, out, in, sizeof out), -1);
        assert_false(slave.low || slave.held); /* the device sees the end of the frame */
    }
}

/* --- pins ------------------------------------------------------------------------------------ */

enum { NRST = 4, BOOT0 = 5 };

static struct {
    bool output[8], open_drain[8], high[8];
    unsigned pulses; /* levels that a pin had and should not have had */
    bool broken;
} chip;

static int level(void *ctx, int pin, bool high)
{
    (void) ctx;
    chip.high[pin] = high;
    return chip.broken ? -1 : 0;
}

static int output(void *ctx, int pin, bool open_drain)
{
    (void) ctx;
    chip.output[pin] = true;
    chip.open_drain[pin] = open_drain;
    chip.pulses += chip.high[pin] != (pin == NRST); /* as it becomes an output */
    return chip.broken ? -1 : 0;
}

static const struct wire_gpio gpio = {NULL, level, output};

static void test_pins(void **state)
{
    struct wire_pins pins = {&gpio, NRST, BOOT0, false};

    (void) state;
    memset(&chip, 0, sizeof chip);
    assert_int_equal(wire_boot0(&pins, true), 0);
    assert_int_equal(chip.pulses, 0);
    assert_true(chip.open_drain[NRST] && chip.high[NRST]);    /* let go, never driven high */
    assert_true(!chip.open_drain[BOOT0] && chip.high[BOOT0]); /* has no pull-up */
    assert_int_equal(wire_nrst(&pins, true), 0);
    assert_false(chip.high[NRST]);
    assert_int_equal(wire_nrst(&pins, false), 0);
    assert_true(chip.high[NRST]);
    assert_int_equal(wire_boot0(&pins, false), 0);
    assert_false(chip.high[BOOT0]);
}

static void test_pins_missing(void **state)
{
    struct wire_pins none = {&gpio, -1, -1, false}, reset = {&gpio, NRST, -1, false};

    (void) state;
    memset(&chip, 0, sizeof chip);
    assert_int_equal(wire_nrst(&none, true), -1);
    assert_int_equal(wire_boot0(&reset, true), -1);
    assert_false(chip.output[NRST] || chip.output[BOOT0]);
    assert_int_equal(wire_nrst(&reset, true), 0);
    chip.broken = true;
    reset.taken = false;
    assert_int_equal(wire_nrst(&reset, true), -1);
    assert_false(reset.taken); /* tried again the next time */
}

/* --- UART ------------------------------------------------------------------------------------ */

/* Frames, an overrun somewhere in them, frames: those behind it are all heard, and no half of one is. */
static void test_uart_overrun(void **state)
{
    static const uint8_t payload[] = "payload";
    struct fota_frame frame = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .payload = payload, .length = sizeof payload};
    uint8_t wire[3][64] = {{0}};
    size_t length[3] = {0};

    (void) state;
    for (uint8_t i = 0; i < 3; i++) {
        frame.tag = i;
        length[i] = fota_frame_encode(&frame, wire[i], sizeof wire[i]);
        assert_true(length[i] > 0);
    }
    for (size_t lost = 1; lost < length[0]; lost++) { /* the first bytes of frame 0 are lost, the rest comes */
        struct wire_uart uart = {0};
        struct fota_link_rx rx;
        struct fota_frame got;
        uint8_t stream[192], piece[5];
        size_t n = 0;
        unsigned heard = 0;

        wire_uart_overrun(&uart);
        assert_int_equal(uart.overruns, 1);
        memcpy(stream, wire[0] + lost, length[0] - lost);
        n = length[0] - lost;
        for (unsigned i = 1; i < 3; i++) {
            memcpy(stream + n, wire[i], length[i]);
            n += length[i];
        }
        fota_link_rx_init(&rx);
        for (size_t at = 0; at < n; at += sizeof piece) {
            size_t some = n - at < sizeof piece ? n - at : sizeof piece;

            memcpy(piece, stream + at, some);
            some = wire_uart_take(&uart, piece, some);
            for (size_t i = 0; i < some; i++)
                if (fota_link_rx_byte(&rx, piece[i], &got))
                    assert_int_equal(got.tag, ++heard);
        }
        assert_int_equal(heard, 2);
        assert_false(uart.skipping);
    }
}

static void test_uart_room(void **state)
{
    struct wire_uart uart = {0};
    uint8_t data[4] = {1, 2, 0, 3};

    (void) state;
    assert_int_equal(wire_uart_fits(0, 100), 0);
    assert_int_equal(wire_uart_fits(WIRE_UART_SPARE, 100), 0);
    assert_int_equal(wire_uart_fits(WIRE_UART_SPARE + 10u, 100), 10);
    assert_int_equal(wire_uart_fits(2048, 100), 100);
    assert_int_equal(wire_uart_take(&uart, data, sizeof data), 4);
    wire_uart_overrun(&uart);
    assert_int_equal(wire_uart_take(&uart, data, 0), 0);
    assert_int_equal(wire_uart_take(&uart, data, 2), 0);
    assert_int_equal(wire_uart_take(&uart, data, sizeof data), 1);
    assert_int_equal(data[0], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spi_pieces), cmocka_unit_test(test_spi_gaps),     cmocka_unit_test(test_spi_failures),
        cmocka_unit_test(test_pins),       cmocka_unit_test(test_pins_missing), cmocka_unit_test(test_uart_overrun),
        cmocka_unit_test(test_uart_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
