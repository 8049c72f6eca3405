/* SPDX-License-Identifier: MIT */
/* AN4286: the ROM is the slave, in mode 0, and needs a pause behind each byte. */
#include "rom_internal.h"

#include <stdio.h>
#include <string.h>

#define ACK_FAST_MS 5u    /* a block is programmed within this time: until then without a pause */
#define SETTLE_BYTES 300u /* longer than any packet: what the ROM still waits for is complete then */
#define HELLO_MS 400u

static int spi_open(struct gw_rom *rom)
{
    const struct gw_spi *spi = rom->port.spi;

    rom->zeros = rom->ones = rom->idle = rom->others = 0;
    if (spi->open(spi->ctx) != 0)
        return -1;
    if (spi->pace == NULL || spi->pace(spi->ctx, rom->port.spi_hz, rom->port.gap_ns) == 0)
        return 0;
    spi->close(spi->ctx);
    return -1;
}

static void spi_close(struct gw_rom *rom)
{
    rom->port.spi->close(rom->port.spi->ctx);
}

static int clock_bytes(struct gw_rom *rom, const uint8_t *out, uint8_t *in, size_t length)
{
    const struct gw_spi *spi = rom->port.spi;
    uint8_t dump[GW_SPI_PIECE] = {0};

    while (length > 0) {
        size_t n = length < GW_SPI_PIECE ? length : GW_SPI_PIECE;

        if (spi->transfer(spi->ctx, out, in != NULL ? in : dump, n) != 0)
            return -1;
        out += n;
        in = in != NULL ? in + n : NULL;
        length -= n;
    }
    return 0;
}

static int clock_byte(struct gw_rom *rom, uint8_t out)
{
    uint8_t in;

    if (clock_bytes(rom, &out, &in, 1) != 0)
        return -1;
    rom->zeros += in == 0;
    rom->ones += in == 0xFF;
    rom->idle += in == FOTA_ST_SPI_IDLE;
    rom->others += in != 0 && in != 0xFF && in != FOTA_ST_SPI_IDLE;
    return in;
}

/* A dummy, then zeros until it says something, then our ACK. After a NACK ours is sent as well: ST's own host does. */
static int spi_ack(struct gw_rom *rom, uint32_t ms)
{
    uint64_t since = rom_now(rom);
    int seen = clock_byte(rom, FOTA_ST_SPI_DUMMY);

    while (seen >= 0) {
        seen = clock_byte(rom, FOTA_ST_SPI_DUMMY);
        if (seen == FOTA_ST_ACK || seen == FOTA_ST_NACK)
            return clock_byte(rom, FOTA_ST_ACK) >= 0 ? seen : -1;
        if (rom_now(rom) - since > ms)
            break;
        if (rom_now(rom) - since > ACK_FAST_MS)
            rom->port.wait(rom->port.ctx, 1);
    }
    return -1;
}

static int spi_packet(struct gw_rom *rom, const uint8_t *bytes, size_t length)
{
    return clock_bytes(rom, bytes, NULL, length);
}

static int spi_command(struct gw_rom *rom, const uint8_t bytes[2])
{
    const uint8_t framed[3] = {FOTA_ST_SPI_SYNC, bytes[0], bytes[1]};

    return clock_bytes(rom, framed, NULL, sizeof framed);
}

static int spi_data(struct gw_rom *rom, uint8_t *to, size_t length, bool first)
{
    static const uint8_t dummies[FOTA_ST_BLOCK];

    if (length > sizeof dummies || (first && clock_byte(rom, FOTA_ST_SPI_DUMMY) < 0))
        return -1;
    return clock_bytes(rom, dummies, to, length);
}

static int spi_sync(struct gw_rom *rom)
{
    return clock_byte(rom, FOTA_ST_SPI_SYNC) < 0 ? -1 : spi_ack(rom, GW_ROM_ACK_MS);
}

/* What it still waits for is completed by zeros, and refused; then an ACK procedure may be open. */
static void spi_resync(struct gw_rom *rom)
{
    for (unsigned i = 0; i < SETTLE_BYTES; i++) {
        int seen = clock_byte(rom, FOTA_ST_SPI_DUMMY);

        if (seen < 0)
            return;
        if (seen == FOTA_ST_ACK || seen == FOTA_ST_NACK)
            (void) clock_byte(rom, FOTA_ST_ACK);
    }
}

static bool spi_ours(struct gw_rom *rom)
{
    struct gw_spi_link *l = &rom->spi_link;
    uint8_t wire[32], in[GW_SPI_BLOCK];
    size_t length = rom_hello(wire);
    uint64_t until = rom_now(rom) + HELLO_MS;
    struct fota_frame frame;

    gw_spi_link_init(l, rom->port.spi, rom->port.clock);
    fota_link_rx_init(&rom->rx);
    if (clock_bytes(rom, wire, NULL, length) != 0)
        return false;
    while (rom_now(rom) < until) {
        int n = l->link.read(l, in, sizeof in);

        for (int i = 0; i < n; i++)
            if (fota_link_rx_byte(&rom->rx, in[i], &frame) && (frame.type & FOTA_LINK_RESPONSE) != 0)
                return true;
        rom->port.wait(rom->port.ctx, 1);
    }
    return false;
}

static void spi_explain(struct gw_rom *rom, char *text, size_t capacity)
{
    uint32_t all = rom->zeros + rom->ones + rom->idle + rom->others;

    if (rom->idle > all / 4u)
        (void) snprintf(text, capacity, "the ROM is idle (A5) but does not hear us: check MOSI (PA7)");
    else if (rom->others == 0 && rom->ones + rom->zeros == all)
        (void) snprintf(
            text, capacity,
            "MISO reads %s: check BOOT0 (high), BOOT1/PB2 (low), NRST, NSS (PA4), SCK (PA5), MISO (PA6) and MOSI "
            "(PA7) not swapped; a chip with ROM V3.1 has no SPI: use the UART",
            rom->ones > rom->zeros ? "high" : "low");
    else
        (void) snprintf(
            text, capacity,
            "MISO shows junk (%lu of %lu bytes): check SPI mode (0), clock (at most 8 MHz), the gap between "
            "bytes and the length of the wires",
            (unsigned long) rom->others, (unsigned long) all);
}

const struct gw_rom_wire rom_spi = {
    "SPI",      "the gap between bytes as long as this ROM needs (8 or 15 us), the clock at most 8 MHz?",
    spi_open,   spi_close,
    spi_sync,   spi_command,
    spi_packet, spi_ack,
    spi_data,   spi_resync,
    spi_ours,   spi_explain};
