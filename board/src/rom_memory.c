/* SPDX-License-Identifier: MIT */
/**
 * @file rom_memory.c
 * What the factory bootloader's commands do to memory. Flash is programmed and erased through the flash interface, one
 * operation after the other, so times, write protection, torn operations and counters are those of any program.
 */
#include "rom.h"

enum { FLASH_KEYR = 0x04, FLASH_OPTKEYR = 0x08, FLASH_SR = 0x0C, FLASH_CR = 0x10, FLASH_OPTCR = 0x14 };
enum { CR_PG = 1u << 0, CR_SER = 1u << 1, CR_MER = 1u << 2, CR_PSIZE_AT = 8, CR_STRT = 1u << 16 };
#define CR_LOCK 0x80000000u
enum { OPTCR_LOCK = 1u << 0, OPTCR_STRT = 1u << 1 };
#define OPTION_BYTES 16u

/* ------------------------------------------------------------------------------------------------------------ areas */

enum { R = 1u << ROM_READ, W = 1u << ROM_WRITE, S = 1u << ROM_START };

bool rom_may(const struct board *b, enum rom_access access, uint32_t address, uint32_t len)
{
    const struct {
        uint32_t base, size;
        unsigned access;
    } area[] = {{FOTA_FLASH_BASE, FOTA_FLASH_SIZE, R | W | S},
                {FOTA_RAM_BASE + rom_ram(b), FOTA_RAM_SIZE - rom_ram(b), R | W | S},
                {SYSMEM_BASE, 0x8000u, R}, /* with OTP, unique id and flash size */
                {OTP_BASE, OTP_SIZE, W},
                {FOTA_ST_OPTIONS_ADDRESS, OPTION_BYTES, R | W},
                {FOTA_ST_PSIZE_ADDRESS, 4, W}};
    for (unsigned i = 0; i < sizeof area / sizeof area[0]; i++)
        if ((area[i].access >> access & 1u) && address - area[i].base < area[i].size &&
            len <= area[i].size - (address - area[i].base))
            return true;
    return false;
}

void rom_read(struct board *b, uint32_t address, uint8_t *to, uint32_t len)
{
    if (b->options.weak == BOARD_WEAK_NOW_AND_THEN && b->weak.any)
        board_weak_roll(b);
    for (uint32_t i = 0; i < len; i++) {
        if (b->options.weak == BOARD_WEAK_EACH_READ && b->weak.any && (i == 0 || (address + i) % 4u == 0))
            board_weak_read(b, address + i, 1); /* each word is read once */
        const uint8_t *p = board_memory(b, address + i, 1, false);
        to[i] = p ? *p : 0xFFu;
    }
}

/* ------------------------------------------------------------------------------------------------------------ write */

/** RM0090 table 7 without x64, which needs a supply on VPP. */
static bool set_psize(struct rom *r, uint8_t range)
{
    static const uint8_t psize[] = {0, 1, 1, 2};
    if (range >= sizeof psize)
        return false;
    r->psize = psize[range];
    return true;
}

/** User options and RDP lie at 0 and 1, nWRP at 8 and 9; what is not written stays as it is. */
static uint32_t options_with(const struct board *b, uint32_t offset, const uint8_t *data, uint32_t len)
{
    uint32_t optcr = b->s.flash.optcr;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t at = offset + i, shift = at < 2u ? 8u * at : 16u + 8u * (at - 8u);
        if (at < 2u || at == 8u || at == 9u)
            optcr = merge(optcr, (uint32_t) data[i] << shift, 0xFFu << shift & 0x0FFFFFECu);
    }
    return optcr;
}

bool rom_write(struct board *b, const uint8_t *data)
{
    struct rom *r = &b->s.rom;
    uint8_t *ram = board_memory(b, r->address, r->len, true);
    r->then = THEN_COMMAND;
    r->job = ROM_NOTHING;
    if (r->address == FOTA_ST_PSIZE_ADDRESS)
        return r->len == 4u && set_psize(r, data[0]);
    if (r->address - FOTA_ST_OPTIONS_ADDRESS < OPTION_BYTES) {
        r->optcr = options_with(b, r->address - FOTA_ST_OPTIONS_ADDRESS, data, r->len);
        r->resets = 1;
        r->job = ROM_OPTIONS;
    } else if (ram) {
        memcpy(ram, data, r->len);
        board_ram_changed(b, r->address, r->len);
    } else
        r->job = ROM_PROGRAM;
    return true;
}

/* ------------------------------------------------------------------------------------------------------ flash's work
 */

static void write_reg(struct board *b, uint32_t offset, uint32_t value)
{
    board_flash_reg_write(b, 0, offset, value, UINT32_MAX);
}

/** Old flags away, unlocked, with the width that is set. */
static void prepare(struct board *b, uint32_t cr)
{
    write_reg(b, FLASH_SR, 0xF3u);
    if (b->s.flash.cr & CR_LOCK) {
        write_reg(b, FLASH_KEYR, 0x45670123u);
        write_reg(b, FLASH_KEYR, 0xCDEF89ABu);
    }
    write_reg(b, FLASH_CR, cr | (uint32_t) b->s.rom.psize << CR_PSIZE_AT);
}

/** The next piece of the data, which lies behind its length in r->in. */
static void program(struct board *b)
{
    struct rom *r = &b->s.rom;
    const uint8_t *p = r->in + 1u + r->at;
    uint32_t size = 1u << r->psize, value = 0;
    for (uint32_t i = 0; i < size; i++)
        value |= (uint32_t) p[i] << 8u * i;
    prepare(b, CR_PG);
    board_flash_store(b, r->address + r->at, size, value);
    r->at += size;
}

static void start(struct board *b, uint32_t cr)
{
    prepare(b, cr);
    write_reg(b, FLASH_CR, cr | (uint32_t) b->s.rom.psize << CR_PSIZE_AT | CR_STRT);
}

static void program_options(struct board *b)
{
    prepare(b, 0); /* the width */
    if (b->s.flash.optcr & OPTCR_LOCK) {
        write_reg(b, FLASH_OPTKEYR, 0x08192A3Bu);
        write_reg(b, FLASH_OPTKEYR, 0x4C5D6E7Fu);
    }
    uint32_t value = b->s.rom.optcr & ~(uint32_t) (OPTCR_LOCK | OPTCR_STRT);
    write_reg(b, FLASH_OPTCR, value);
    write_reg(b, FLASH_OPTCR, value | OPTCR_STRT);
}

bool rom_work(struct board *b)
{
    struct rom *r = &b->s.rom;
    if (b->s.flash.op != FLASH_IDLE)
        return false;
    if (r->job == ROM_PROGRAM && r->at < r->len)
        program(b);
    else if (r->job == ROM_ERASE && r->at < r->len)
        start(b, CR_SER | (uint32_t) r->in[r->address + 2u * r->at++ + 1u] << 3);
    else if (r->job == ROM_ERASE_ALL) {
        r->job = r->resets ? ROM_OPTIONS : ROM_NOTHING;
        start(b, CR_MER);
    } else if (r->job == ROM_OPTIONS) {
        r->job = ROM_NOTHING;
        program_options(b);
    } else {
        r->job = ROM_NOTHING;
        if (!(b->s.flash.cr & CR_LOCK))
            write_reg(b, FLASH_CR, CR_LOCK);
        write_reg(b, FLASH_SR, 0xF3u);
        rom_worked(b); /* an error of the flash, as for a write-protected sector, is told to nobody */
    }
    return true;
}
