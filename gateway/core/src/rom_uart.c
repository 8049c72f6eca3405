/* SPDX-License-Identifier: MIT */
/* AN3155: 8 data bits, even parity, one stop bit. */
#include "rom_internal.h"

#include <stdio.h>

#define HELLO_MS 300u
#define HELLO_TRIES 3u
#define QUIET_MS 20u

static int uart_open(struct gw_rom *rom)
{
    const struct gw_link *link = rom->port.link;

    if (link->open(link->ctx, rom->port.baud) != 0)
        return -1;
    if (link->parity == NULL || link->parity(link->ctx, true) != 0) {
        link->close(link->ctx);
        return -1;
    }
    return 0;
}

static void uart_close(struct gw_rom *rom)
{
    const struct gw_link *link = rom->port.link;

    if (link->parity != NULL)
        (void) link->parity(link->ctx, false);
    link->close(link->ctx);
}

/* @return a byte, or -1. */
static int take(struct gw_rom *rom, uint32_t ms)
{
    const struct gw_link *link = rom->port.link;
    uint64_t until = rom_now(rom) + ms;
    uint8_t byte;

    for (;;) {
        int n = link->read(link->ctx, &byte, 1);
        uint64_t now = rom_now(rom);

        if (n > 0)
            return byte;
        if (n < 0 || now > until)
            return -1;
        rom->port.wait(rom->port.ctx, (uint32_t) (until - now) + 1u);
    }
}

static int uart_ack(struct gw_rom *rom, uint32_t ms)
{
    return take(rom, ms);
}

static int uart_packet(struct gw_rom *rom, const uint8_t *bytes, size_t length)
{
    const struct gw_link *link = rom->port.link;
    uint64_t until = rom_now(rom) + GW_ROM_WRITE_MS;

    while (length > 0) {
        int n = link->write(link->ctx, bytes, length);

        if (n < 0 || rom_now(rom) > until)
            return -1;
        if (n == 0) {
            rom->port.wait(rom->port.ctx, 1);
            continue;
        }
        until = rom_now(rom) + GW_ROM_WRITE_MS;
        bytes += n;
        length -= (size_t) n;
    }
    return 0;
}

static int uart_command(struct gw_rom *rom, const uint8_t bytes[2])
{
    return uart_packet(rom, bytes, 2);
}

static int uart_data(struct gw_rom *rom, uint8_t *to, size_t length, bool first)
{
    (void) first;
    for (; length > 0; length--) {
        int byte = take(rom, GW_ROM_ACK_MS);

        if (byte < 0)
            return -1;
        *to++ = (uint8_t) byte;
    }
    return 0;
}

static void drain(struct gw_rom *rom)
{
    for (unsigned i = 0; i < 2u * FOTA_LINK_WIRE_MAX && take(rom, QUIET_MS) >= 0; i++)
        continue;
}

/* The first 7F tells the ROM the rate and is answered by ACK; where it is synchronised already the first is half of a
 * command, and the second one, no complement of it, is answered by NACK. Either will do. */
static int uart_sync(struct gw_rom *rom)
{
    static const uint8_t sync = FOTA_ST_UART_SYNC;
    int answer = -1;

    drain(rom); /* what an application had printed */
    for (unsigned i = 0; i < 2u && answer < 0; i++) {
        if (uart_packet(rom, &sync, 1) != 0)
            return -1;
        answer = take(rom, GW_ROM_ACK_MS);
    }
    return answer == (int) FOTA_ST_NACK ? (int) FOTA_ST_ACK : answer;
}

static void uart_resync(struct gw_rom *rom)
{
    (void) uart_sync(rom);
    drain(rom);
}

/* Its frame is 8N1. */
static bool uart_ours(struct gw_rom *rom)
{
    const struct gw_link *link = rom->port.link;
    uint8_t wire[32];
    size_t length = rom_hello(wire);
    bool found = false;

    (void) link->parity(link->ctx, false);
    drain(rom);
    fota_link_rx_init(&rom->rx);
    for (unsigned i = 0; i < HELLO_TRIES && !found; i++) {
        uint64_t until = rom_now(rom) + HELLO_MS;
        struct fota_frame frame;

        if (uart_packet(rom, wire, length) != 0)
            break;
        while (!found && rom_now(rom) < until) {
            int byte = take(rom, QUIET_MS);

            found = byte >= 0 && fota_link_rx_byte(&rom->rx, (uint8_t) byte, &frame) &&
                    (frame.type & FOTA_LINK_RESPONSE) != 0;
        }
    }
    (void) link->parity(link->ctx, true);
    return found;
}

static void uart_explain(struct gw_rom *rom, char *text, size_t capacity)
{
    (void) rom;
    (void) snprintf(
        text, capacity,
        "check BOOT0 (high), BOOT1/PB2 (low), NRST, TX and RX (the ROM listens on PA9/PA10 and PB10/PB11, not on "
        "PA2/PA3), ground");
}

const struct gw_rom_wire rom_uart = {"UART",      "both ends 8E1 at the same rate within 2.5 %?",
                                     uart_open,   uart_close,
                                     uart_sync,   uart_command,
                                     uart_packet, uart_ack,
                                     uart_data,   uart_resync,
                                     uart_ours,   uart_explain};
