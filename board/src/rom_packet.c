/* SPDX-License-Identifier: MIT */
/**
 * @file rom_packet.c
 * The factory bootloader's commands as packets and answers, whatever they travel over. There are no time limits: a
 * packet that stays incomplete is waited for until the next reset.
 */
#include "rom.h"

#define NO_COMMAND 0xFFu /* the packet is a command itself */

static void expect(struct board *b, uint32_t bytes)
{
    struct rom *r = &b->s.rom;
    r->phase = ROM_RECEIVE;
    r->have = r->sum = r->bad = 0;
    r->need = bytes;
}

void rom_expect_command(struct board *b)
{
    b->s.rom.command = NO_COMMAND;
    expect(b, rom_over_spi(b) ? 3u : 2u);
}

void rom_answer(struct board *b, bool good, enum rom_then then)
{
    struct rom *r = &b->s.rom;
    if (good && r->nack_count && r->nack_skip)
        r->nack_skip--;
    else if (good && r->nack_count) {
        r->nack_count--;
        good = false;
        then = THEN_COMMAND;
    }
    r->phase = ROM_ANSWER;
    r->code = good ? FOTA_ST_ACK : FOTA_ST_NACK;
    r->times = 1;
    r->turn = 0;
    r->then = (uint8_t) then;
}

void rom_refuse(struct board *b)
{
    rom_answer(b, false, THEN_COMMAND);
}

void rom_next_packet(struct board *b, uint32_t bytes)
{
    b->s.rom.step++;
    b->s.rom.need = bytes;
    rom_answer(b, true, THEN_PACKET);
}

void rom_answered(struct board *b)
{
    struct rom *r = &b->s.rom;
    switch (r->then) {
    case THEN_PACKET:
        expect(b, r->need);
        break;
    case THEN_HANDLE:
        rom_commands[r->command].handle(b);
        break;
    case THEN_SEND:
        r->phase = ROM_SEND;
        r->at = 0;
        break;
    case THEN_WORK:
        r->phase = ROM_WORK;
        break;
    case THEN_RESET:
        r->phase = ROM_OFF;
        b->s.reset_request = 1u + BOARD_RESET_SOFTWARE;
        b->attention = true;
        break;
    case THEN_GO:
        rom_go(b);
        break;
    default:
        rom_expect_command(b);
        break;
    }
}

void rom_sent(struct board *b)
{
    if (rom_commands[b->s.rom.command].code == FOTA_ST_READ)
        rom_expect_command(b);
    else
        rom_answer(b, true, THEN_COMMAND);
}

bool rom_sound(const struct board *b, uint8_t sum)
{
    return b->s.rom.sum == sum && !b->s.rom.bad;
}

static void command(struct board *b)
{
    struct rom *r = &b->s.rom;
    const uint8_t *c = rom_over_spi(b) ? r->in + 1 : r->in; /* behind the 5A */
    unsigned n = 0;
    while (n < FOTA_ST_COMMANDS && rom_commands[n].code != c[0])
        n++;
    if (r->bad || (c[0] ^ c[1]) != 0xFF || n == FOTA_ST_COMMANDS) {
        rom_refuse(b);
        return;
    }
    r->command = (uint8_t) n;
    r->step = 0;
    if (rom_commands[n].guarded && (b->s.flash.options >> 8 & 0xFFu) != 0xAAu) {
        rom_refuse(b);
        r->times = rom_commands[n].twice && b->options.rom == BOARD_ROM_V31 ? 2 : 1;
        return;
    }
    r->need = rom_commands[n].first;
    rom_answer(b, true, rom_commands[n].first ? THEN_PACKET : THEN_HANDLE);
}

void rom_byte(struct board *b, uint8_t byte, bool good)
{
    struct rom *r = &b->s.rom;
    if (r->command == NO_COMMAND && r->have == 0 && rom_over_spi(b) && byte != FOTA_ST_SPI_SYNC)
        return;
    if (r->have < sizeof r->in)
        r->in[r->have] = byte;
    r->have++;
    r->sum ^= byte;
    r->bad |= !good;
    if (r->have < r->need)
        return;
    if (r->command == NO_COMMAND)
        command(b);
    else
        rom_commands[r->command].handle(b);
}
