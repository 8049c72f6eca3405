/* SPDX-License-Identifier: MIT */
/** @file wire.h What can go wrong between the gateway's core and a chip's drivers: how a transfer is cut into pieces
 * for the DMA, when chip select rises, in which order the pins are taken, what an overrun leaves. Portable, without
 * ESP-IDF, so that it is tested on a host and against the virtual board; uart.c, spi.c and gpio.c are thin around it.
 */
#ifndef GW_ESP32_WIRE_H
#define GW_ESP32_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- SPI ------------------------------------------------------------------------------------- */

/** An SPI master that moves what lies in two buffers of its own. */
struct wire_spi {
    void *ctx;
    uint8_t *tx, *rx; /* DMA-capable and aligned to words */
    size_t size;      /* of each; a multiple of 4, since the DMA of an ESP32 writes whole words */
    /** The bus is ours until release(). @return 0 or -1. */
    int (*acquire)(void *ctx);
    /** Chip select low, `length` bytes both ways. @param keep leave chip select low. @return 0 or -1. */
    int (*exchange)(void *ctx, size_t length, bool keep);
    void (*release)(void *ctx); /* chip select high in any case */
    void (*pause)(void *ctx, uint32_t ns);
};

/** One frame of chip select: `length` bytes both ways, in pieces that fit the buffers; with a gap byte by byte.
 *  @param gap_ns pause behind each byte, 0: none. @return 0, or -1: chip select is high then, too. */
int wire_spi_transfer(const struct wire_spi *spi, uint32_t gap_ns, const uint8_t *out, uint8_t *in, size_t length);

/* --- pins ------------------------------------------------------------------------------------ */

/** Outputs of a chip. Each function returns 0 or -1. */
struct wire_gpio {
    void *ctx;
    int (*level)(void *ctx, int pin, bool high); /* also before it is an output: then it begins so */
    int (*output)(void *ctx, int pin, bool open_drain);
};

struct wire_pins {
    const struct wire_gpio *gpio;
    int nrst, boot0; /* numbers, -1: not wired */
    bool taken;
};

/** Hold the device in reset, or let it run: the line is never driven high. The pins are taken at the first use, NRST
 *  released and BOOT0 low, without a pulse. @return 0, or -1: not wired, or it cannot be moved. */
int wire_nrst(struct wire_pins *pins, bool low);
/** @return as wire_nrst(). */
int wire_boot0(struct wire_pins *pins, bool high);

/* --- UART ------------------------------------------------------------------------------------ */

#define WIRE_UART_SPARE 64u /* of the driver's ring: what it puts around a piece */

struct wire_uart {
    bool skipping; /* an overrun: up to the next end of a frame nothing is whole */
    uint32_t overruns;
};

/** Bytes were lost; what the driver still holds is to be thrown away, too. */
void wire_uart_overrun(struct wire_uart *uart);
/** Drop what belongs to a frame whose beginning was lost. @return bytes of `data` that are left, at its beginning. */
size_t wire_uart_take(struct wire_uart *uart, uint8_t *data, size_t length);
/** @return how much of `length` can be handed to the driver without waiting. @param room that it says it has. */
size_t wire_uart_fits(size_t room, size_t length);

#endif
