/* SPDX-License-Identifier: MIT */
/**
 * @file rom_spi.c
 * The factory bootloader's side of AN4286: a slave that needs a time between two bytes to fetch one and lay the next
 * one ready. What comes sooner is lost to an overrun, and the master hears the last byte again. An answer is a
 * procedure: a dummy byte, ACK or NACK, and the master's own ACK.
 */
#include "rom.h"

enum { CR1 = 0x00, SR = 0x08, DR = 0x0C };
enum { CR1_SPE = 1u << 6, SR_RXNE = 1u << 0, SR_TXE = 1u << 1 };
enum { TURN_DUMMY = 0, TURN_OFFERED, TURN_CONFIRM }; /* the byte that is waited for */
enum { NSS = 0, SCK, MISO, MOSI, LINES };

/* On the chip SPI2 is on PI0 to PI3; the board's wire leads to PB12 to PB15. */
static const struct {
    uint8_t enable_register, enable_bit, port, pin[LINES];
} wiring[BOARD_SPIS] = {{0x44, 12, 0, {4, 5, 6, 7}}, {0x40, 14, 1, {12, 13, 14, 15}}};

static uint32_t status(struct board *b, unsigned i)
{
    return board_spi_reg_read(b, i, SR);
}

/** Lay a byte ready for the next frame, unless the last one is still waiting. */
static void give(struct board *b, unsigned i, uint8_t byte)
{
    if (status(b, i) & SR_TXE)
        board_spi_reg_write(b, i, DR, byte, UINT32_MAX);
}

void rom_spi_listen(struct board *b)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        rom_clock(b, 0x30, 1u << wiring[i].port);
        rom_clock(b, wiring[i].enable_register, 1u << wiring[i].enable_bit);
        for (unsigned line = 0; line < LINES; line++)
            rom_pin(b, wiring[i].port, wiring[i].pin[line], 5, 2);
        board_spi_reg_write(b, i, CR1, CR1_SPE, UINT32_MAX);
        give(b, i, FOTA_ST_SPI_IDLE);
    }
}

void rom_spi_leave(struct board *b, enum rom_via chosen)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        if (chosen != VIA_SPI1 + i)
            board_spi_reg_write(b, i, CR1, 0, UINT32_MAX);
}

void rom_spi_poll(struct board *b)
{
    const struct rom *r = &b->s.rom;
    if (b->s.due[EV_ROM] != NEVER)
        return;
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        if ((r->via == VIA_NONE || r->via == VIA_SPI1 + i) && (b->s.spi[i].sr & SR_RXNE))
            board_schedule(b, EV_ROM, board_time(b) + (uint64_t) b->options.rom_gap_ns * PS_PER_NS);
}

/** The answer's procedure has come a byte further. */
static void answer(struct board *b, unsigned i, uint8_t byte)
{
    struct rom *r = &b->s.rom;
    if (r->turn == TURN_DUMMY) {
        if (status(b, i) & SR_TXE)
            r->turn = TURN_OFFERED;
        give(b, i, r->code);
        return;
    }
    if (r->turn == TURN_OFFERED) {
        if (status(b, i) & SR_TXE) /* it was taken along */
            r->turn = TURN_CONFIRM;
    } else if (byte == FOTA_ST_ACK)
        rom_answered(b);
    give(b, i, FOTA_ST_SPI_IDLE);
}

static void send(struct board *b, unsigned i)
{
    struct rom *r = &b->s.rom;
    if (!(status(b, i) & SR_TXE))
        return;
    if (r->at < r->len)
        give(b, i, r->out[r->at++]);
    else {
        rom_sent(b);
        give(b, i, FOTA_ST_SPI_IDLE);
    }
}

static void byte_came(struct board *b, unsigned i, uint8_t byte)
{
    struct rom *r = &b->s.rom;
    switch (r->phase) {
    case ROM_LISTENING:
        give(b, i, FOTA_ST_SPI_IDLE);
        if (byte == FOTA_ST_SPI_SYNC) {
            rom_choose(b, (enum rom_via)(VIA_SPI1 + i));
            rom_answer(b, true, THEN_COMMAND);
        }
        break;
    case ROM_RECEIVE:
        give(b, i, FOTA_ST_SPI_IDLE);
        rom_byte(b, byte, true);
        break;
    case ROM_ANSWER:
        answer(b, i, byte);
        break;
    case ROM_SEND:
        send(b, i);
        break;
    default:
        break;
    }
}

void rom_spi_wake(struct board *b)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        const struct rom *r = &b->s.rom;
        if ((r->via != VIA_NONE && r->via != VIA_SPI1 + i) || r->phase == ROM_WORK || !(status(b, i) & SR_RXNE))
            continue;
        uint8_t byte = (uint8_t) board_spi_reg_read(b, i, DR);
        status(b, i); /* DR, then SR: the overrun is over */
        byte_came(b, i, byte);
    }
}
