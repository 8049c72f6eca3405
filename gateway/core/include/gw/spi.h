/* SPDX-License-Identifier: MIT */
/**
 * @file spi.h
 * The link over SPI (docs/link.md, "SPI"): this end is the master and clocks, the device is a slave and speaks when it
 * is clocked. A port gives transfers, gw_spi_link makes a byte stream of them.
 *
 *     struct gw_spi_link spi;
 *     gw_spi_link_init(&spi, &port, &clock);
 *     … .link = &spi.link …
 */
#ifndef GW_SPI_H
#define GW_SPI_H

#include "fota/link.h"
#include "gw/port.h"

#define GW_SPI_PIECE 256u /* longest transfer */
#define GW_SPI_BLOCK 32u  /* read at once while a frame is coming */
#define GW_SPI_POLL_MS 1u /* a byte so often while nothing comes: a device that erases may not be flooded */
#define GW_SPI_FIFO 2048u
#define GW_SPI_MODES 4u

/** An SPI master, or one chip select of it. */
struct gw_spi {
    void *ctx;
    /** Open, in mode 0 (CPOL 0, CPHA 0), 8 bits, MSB first. @return 0, or -1: not there (yet). */
    int (*open)(void *ctx);
    void (*close)(void *ctx);
    /** NSS low, `length` bytes both ways, NSS high. @param out to be sent. @param in what came meanwhile. @param length
     * 1 … GW_SPI_PIECE. @return 0, or -1 when the master has gone. */
    int (*transfer)(void *ctx, const uint8_t *out, uint8_t *in, size_t length);
    /** Clock rate at most, and the pause behind each byte at least; until the next open(). NULL: both are fixed here.
     * @return 0 or -1. */
    int (*pace)(void *ctx, uint32_t hz, uint32_t gap_ns);
    /** Change the mode, 0 … 3. NULL: it is fixed here. @return 0 or -1. */
    int (*mode)(void *ctx, unsigned mode);
};

struct gw_spi_link {
    struct gw_link link; /* for gw_push_ports */

    /* Its own. */
    const struct gw_spi *spi;
    const struct gw_clock *clock;
    uint8_t fifo[GW_SPI_FIFO];
    size_t head, tail;
    bool framed;  /* a frame is coming */
    size_t frame; /* bytes of it */
    uint64_t polled_at;
    uint32_t zeros, ones, others; /* bytes outside of what may be frames, and within; since it was opened */
    struct fota_link_rx rx;       /* for explain() */
};

/** @param spi, clock kept by reference. */
void gw_spi_link_init(struct gw_spi_link *link, const struct gw_spi *spi, const struct gw_clock *clock);

#endif
