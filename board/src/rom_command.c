/* SPDX-License-Identifier: MIT */
/**
 * @file rom_command.c
 * The factory bootloader's commands, the same over AN3155 and AN4286 but for the packets of Extended Erase and Write
 * Protect.
 */
#include "rom.h"

#define SPECIAL_ERASE 0xFFF0u /* counts from here on mean something else: FFFF everything, the rest banks */

static void get(struct board *b);
static void get_version(struct board *b);
static void get_id(struct board *b);
static void read_memory(struct board *b);
static void go(struct board *b);
static void write_memory(struct board *b);
static void extended_erase(struct board *b);
static void write_protect(struct board *b);
static void write_unprotect(struct board *b);
static void readout_protect(struct board *b);
static void readout_unprotect(struct board *b);

const struct rom_command rom_commands[FOTA_ST_COMMANDS] = {
    {FOTA_ST_GET, false, false, 0, get},
    {FOTA_ST_GET_VERSION, false, false, 0, get_version},
    {FOTA_ST_GET_ID, false, false, 0, get_id},
    {FOTA_ST_READ, true, true, 5, read_memory},
    {FOTA_ST_GO, true, false, 5, go},
    {FOTA_ST_WRITE, true, true, 5, write_memory},
    {FOTA_ST_ERASE, true, false, 3, extended_erase},
    {FOTA_ST_WRITE_PROTECT, true, false, 2, write_protect},
    {FOTA_ST_WRITE_UNPROTECT, true, false, 0, write_unprotect},
    {FOTA_ST_READOUT_PROTECT, true, false, 0, readout_protect},
    {FOTA_ST_READOUT_UNPROTECT, false, false, 0, readout_unprotect},
};

/* -------------------------------------------------------------------------------------------------------- questions */

static void reply(struct board *b, const uint8_t *bytes, uint32_t len)
{
    struct rom *r = &b->s.rom;
    memcpy(r->out, bytes, len);
    r->len = len;
    r->at = 0;
    r->phase = ROM_SEND;
}

static uint8_t protocol(const struct board *b)
{
    return rom_over_spi(b) ? FOTA_ST_SPI_PROTOCOL : FOTA_ST_UART_PROTOCOL;
}

static void get(struct board *b)
{
    uint8_t text[2u + FOTA_ST_COMMANDS] = {FOTA_ST_COMMANDS, protocol(b)};
    for (unsigned i = 0; i < FOTA_ST_COMMANDS; i++)
        text[2u + i] = rom_commands[i].code;
    reply(b, text, sizeof text);
}

static void get_version(struct board *b)
{
    const uint8_t text[3] = {protocol(b), 0, 0}; /* AN4286 leaves the two option bytes out */
    reply(b, text, rom_over_spi(b) ? 1 : 3);
}

static void get_id(struct board *b)
{
    static const uint8_t text[3] = {1, FOTA_ST_CHIP_ID >> 8, FOTA_ST_CHIP_ID & 0xFFu};
    reply(b, text, sizeof text);
}

/* ----------------------------------------------------------------------------------------------------------- memory */

/** The address packet: 4 bytes, highest first, and their exclusive or. */
static bool address_is_good(struct board *b, enum rom_access access, uint32_t len)
{
    struct rom *r = &b->s.rom;
    r->address = (uint32_t) r->in[0] << 24 | (uint32_t) r->in[1] << 16 | (uint32_t) r->in[2] << 8 | r->in[3];
    return rom_sound(b, 0) && rom_may(b, access, r->address, len);
}

static void read_memory(struct board *b)
{
    struct rom *r = &b->s.rom;
    if (r->step == 0) {
        if (address_is_good(b, ROM_READ, 1))
            rom_next_packet(b, 2);
        else
            rom_refuse(b);
        return;
    }
    r->len = r->in[0] + 1u;
    if (!rom_sound(b, 0xFF) || !rom_may(b, ROM_READ, r->address, r->len)) {
        rom_refuse(b);
        return;
    }
    rom_read(b, r->address, r->out, r->len);
    rom_answer(b, true, THEN_SEND);
}

static void go(struct board *b)
{
    if (address_is_good(b, ROM_START, 8))
        rom_answer(b, true, THEN_GO);
    else
        rom_refuse(b);
}

/** Begin what r->job says; the answer comes when it is done. */
static void work(struct board *b)
{
    b->s.rom.at = 0;
    b->s.rom.phase = ROM_WORK;
}

void rom_worked(struct board *b)
{
    struct rom *r = &b->s.rom;
    if (r->then == THEN_WORK) /* acknowledged before */
        rom_expect_command(b);
    else
        rom_answer(b, true, r->resets ? THEN_RESET : THEN_COMMAND);
}

static void write_memory(struct board *b)
{
    struct rom *r = &b->s.rom;
    if (r->step == 0) {
        if (address_is_good(b, ROM_WRITE, 4) && r->address % 4u == 0)
            rom_next_packet(b, 1);
        else
            rom_refuse(b);
        return;
    }
    if (r->have == 1) {
        r->need = r->in[0] + 3u;
        return;
    }
    r->len = r->in[0] + 1u;
    if (!rom_sound(b, 0) || r->len % 4u || !rom_may(b, ROM_WRITE, r->address, r->len) || !rom_write(b, r->in + 1))
        rom_refuse(b);
    else
        work(b);
}

/* ------------------------------------------------------------------------------------------------------------ erase */

/** Erase what the list in r->in names, from `first` on. */
static void erase_listed(struct board *b, uint32_t first, uint32_t count)
{
    struct rom *r = &b->s.rom;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = first + 2u * i;
        if (at + 1u >= sizeof r->in || r->in[at] != 0 || r->in[at + 1u] >= BOARD_SECTORS) {
            rom_refuse(b);
            return;
        }
    }
    r->address = first;
    r->len = count;
    r->job = ROM_ERASE;
    work(b);
}

/** The early acknowledgement: the erase has begun, and goes on behind the answer. */
static void maybe_answer_early(struct board *b)
{
    if (!b->s.rom.early_ack || b->s.rom.phase != ROM_WORK)
        return;
    rom_work(b);
    if (b->s.rom.phase == ROM_WORK)
        rom_answer(b, true, THEN_WORK);
}

static void extended_erase(struct board *b)
{
    struct rom *r = &b->s.rom;
    uint32_t count = (uint32_t) r->in[0] << 8 | r->in[1];
    r->then = THEN_COMMAND;
    if (r->step == 1) { /* SPI: the list by itself; whether its checksum covers the count is told both ways */
        if (rom_sound(b, 0) || rom_sound(b, (uint8_t) (r->len ^ r->len >> 8)))
            erase_listed(b, 0, r->len + 1u);
        else
            rom_refuse(b);
    } else if (count >= SPECIAL_ERASE) {
        if (rom_sound(b, 0) && count == FOTA_ST_ERASE_ALL) {
            r->job = ROM_ERASE_ALL;
            work(b);
        } else
            rom_refuse(b);
    } else if (rom_over_spi(b)) {
        r->len = count;
        if (rom_sound(b, 0))
            rom_next_packet(b, 2u * (count + 1u) + 1u);
        else
            rom_refuse(b);
    } else if (r->have == 3)
        r->need = 2u + 2u * (count + 1u) + 1u;
    else if (rom_sound(b, 0))
        erase_listed(b, 2, count + 1u);
    else
        rom_refuse(b);
    maybe_answer_early(b);
}

/* ------------------------------------------------------------------------------------------------------- protection */

/** Program option bytes, acknowledge, and reset the chip. */
static void set_options(struct board *b, uint32_t mask, uint32_t value)
{
    struct rom *r = &b->s.rom;
    r->then = THEN_COMMAND;
    r->optcr = merge(b->s.flash.optcr, value, mask);
    r->resets = 1;
    r->job = ROM_OPTIONS;
    work(b);
}

/** Sectors that do not exist are not noticed (AN3155 3.9). The new set takes the place of the old one. */
static void write_protect(struct board *b)
{
    struct rom *r = &b->s.rom;
    uint32_t first = rom_over_spi(b) ? 0 : 1, protect = 0;
    if (rom_over_spi(b) && r->step == 0) {
        r->len = r->in[0] + 1u;
        if (rom_sound(b, 0xFF))
            rom_next_packet(b, r->len + 1u);
        else
            rom_refuse(b);
        return;
    }
    if (!rom_over_spi(b) && r->have == 2) {
        r->len = r->in[0] + 1u;
        r->need = r->len + 2u;
        return;
    }
    for (uint32_t i = 0; i < r->len; i++)
        protect |= r->in[first + i] < BOARD_SECTORS ? 1u << r->in[first + i] : 0;
    if (rom_sound(b, 0))
        set_options(b, 0x0FFF0000u, ~protect << 16);
    else
        rom_refuse(b);
}

static void write_unprotect(struct board *b)
{
    set_options(b, 0x0FFF0000u, 0x0FFF0000u);
}

static void readout_protect(struct board *b)
{
    set_options(b, 0xFF00u, 0x5500u);
}

/** At level 1 the change of the option bytes erases the flash, at level 0 the ROM does. */
static void readout_unprotect(struct board *b)
{
    bool open = (b->s.flash.options >> 8 & 0xFFu) == 0xAAu;
    set_options(b, 0xFF00u, 0xAA00u);
    if (open)
        b->s.rom.job = ROM_ERASE_ALL;
}
