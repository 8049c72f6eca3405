/* SPDX-License-Identifier: MIT */
#include "gw/spi.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS 64u /* read in one call at most: a slave that babbles does not keep us */
#define PROBE_BYTES 2000u
#define PROBE_BLOCKS 16u /* for the answer to INFO in another mode */
#define PROBE_WAIT_MS 20u

static size_t held(const struct gw_spi_link *l)
{
    return l->head - l->tail;
}

/* What was clocked in. Between frames a slave shows zeros (it has nothing to say) or ones (nobody drives MISO): neither
 * can be the first byte of a frame, whose third byte is a zero, so that its COBS code is small. */
static void sort(struct gw_spi_link *l, const uint8_t *in, size_t length)
{
    for (; length > 0; length--, in++) {
        l->zeros += *in == 0;
        l->ones += *in == 0xFF;
        l->others += *in != 0 && *in != 0xFF;
        if (!l->framed && (*in == 0 || *in == 0xFF))
            continue;
        if (!l->framed)
            l->frame = 0;
        l->framed = *in != 0 && ++l->frame < FOTA_LINK_WIRE_MAX;
        if (held(l) < GW_SPI_FIFO)
            l->fifo[l->head++ % GW_SPI_FIFO] = *in;
    }
}

static int clock_bytes(struct gw_spi_link *l, const uint8_t *out, size_t length)
{
    uint8_t in[GW_SPI_PIECE];

    if (l->spi->transfer(l->spi->ctx, out, in, length) != 0)
        return -1;
    sort(l, in, length);
    return 0;
}

static int spi_open(void *ctx, uint32_t baud)
{
    struct gw_spi_link *l = ctx;

    (void) baud;
    l->head = l->tail = 0;
    l->framed = false;
    l->zeros = l->ones = l->others = 0;
    return l->spi->open(l->spi->ctx);
}

static void spi_close(void *ctx)
{
    const struct gw_spi_link *l = ctx;

    l->spi->close(l->spi->ctx);
}

/* A byte now and then; more only while a frame is coming. What is clocked for reading arrives at the device as zeros,
 * and its ring must not be full of them when it comes back from an erase. */
static int spi_read(void *ctx, uint8_t *data, size_t capacity)
{
    static const uint8_t zeros[GW_SPI_BLOCK];
    struct gw_spi_link *l = ctx;
    uint64_t now = l->clock->monotonic_ms(l->clock->ctx);
    size_t n = 0;

    if (held(l) == 0 && now - l->polled_at >= GW_SPI_POLL_MS) {
        l->polled_at = now;
        if (clock_bytes(l, zeros, 1) != 0)
            return -1;
        for (unsigned i = 0; i < BLOCKS && l->framed && GW_SPI_FIFO - held(l) >= GW_SPI_BLOCK; i++)
            if (clock_bytes(l, zeros, GW_SPI_BLOCK) != 0)
                return -1;
    }
    while (n < capacity && held(l) > 0)
        data[n++] = l->fifo[l->tail++ % GW_SPI_FIFO];
    return (int) n;
}

static int spi_write(void *ctx, const uint8_t *data, size_t length)
{
    struct gw_spi_link *l = ctx;

    if (length > GW_SPI_PIECE)
        length = GW_SPI_PIECE;
    if (GW_SPI_FIFO - held(l) < length)
        return 0; /* what comes meanwhile must have room */
    return clock_bytes(l, data, length) == 0 ? (int) length : -1;
}

/* --- what is wrong? --------------------------------------------------------------------------------------------- */

/* Clock zeros and look for a response in what comes. @return 1 when there is one, -1 when the master has gone, else 0.
 */
static int look(struct gw_spi_link *l, size_t length)
{
    static const uint8_t zeros[GW_SPI_BLOCK];
    uint8_t in[GW_SPI_BLOCK];
    struct fota_frame frame;

    if (l->spi->transfer(l->spi->ctx, zeros, in, length) != 0)
        return -1;
    for (size_t i = 0; i < length; i++)
        if (fota_link_rx_byte(&l->rx, in[i], &frame) && (frame.type & FOTA_LINK_RESPONSE) != 0)
            return 1;
    return 0;
}

/* Does the device answer INFO in this mode? First a byte at a time, while it thinks; each takes time on the wire as
 * well, also with a clock that stands still between two transfers. */
static bool answers(struct gw_spi_link *l, unsigned mode)
{
    static const uint8_t none = 0;
    const struct fota_frame request = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .payload = &none, .length = 1};
    uint8_t wire[FOTA_LINK_HEAD + 16u], in[FOTA_LINK_HEAD + 16u];
    size_t length = fota_frame_encode(&request, wire, sizeof wire);
    uint64_t end = l->clock->monotonic_ms(l->clock->ctx) + PROBE_WAIT_MS;
    int heard = 0;

    fota_link_rx_init(&l->rx);
    if (l->spi->mode(l->spi->ctx, mode) != 0 || l->spi->transfer(l->spi->ctx, wire, in, length) != 0)
        return false;
    for (unsigned i = 0; i < PROBE_BYTES && heard == 0 && l->clock->monotonic_ms(l->clock->ctx) < end; i++)
        heard = look(l, 1);
    for (unsigned i = 0; i < PROBE_BLOCKS && heard == 0; i++)
        heard = look(l, GW_SPI_BLOCK);
    return heard > 0;
}

static void spi_explain(void *ctx, char *text, size_t capacity)
{
    struct gw_spi_link *l = ctx;
    uint32_t all = l->zeros + l->ones + l->others;
    unsigned mode = 0;

    if (l->spi->mode != NULL) {
        for (mode = GW_SPI_MODES - 1u; mode > 0 && !answers(l, mode); mode--)
            continue;
        (void) l->spi->mode(l->spi->ctx, 0);
    }
    if (mode != 0)
        (void) snprintf(
            text, capacity,
            "it answers in SPI mode %u instead of 0: is SCK inverted, or the master's polarity or phase wrong?", mode);
    else if (l->ones == all)
        (void) snprintf(text, capacity,
                        "MISO reads high: has the device power, are MISO (PA6) and NSS (PA4) connected, not MISO and "
                        "MOSI swapped?");
    else if (l->zeros == all)
        (void) snprintf(
            text, capacity,
            "MISO reads low: are SCK (PA5), MOSI (PA7) and NSS (PA4) connected, and does the bootloader listen "
            "on SPI?");
    else
        (void) snprintf(text, capacity,
                        "MISO shows junk (%lu of %lu bytes): check SPI mode (0), clock rate and length of the wires",
                        (unsigned long) l->others, (unsigned long) all);
}

void gw_spi_link_init(struct gw_spi_link *link, const struct gw_spi *spi, const struct gw_clock *clock)
{
    *link = (struct gw_spi_link){.link = {.ctx = link,
                                          .open = spi_open,
                                          .close = spi_close,
                                          .read = spi_read,
                                          .write = spi_write,
                                          .poll_ms = GW_SPI_POLL_MS,
                                          .explain = spi_explain},
                                 .spi = spi,
                                 .clock = clock};
}
