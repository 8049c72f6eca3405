/* SPDX-License-Identifier: MIT */
/* The chip behind ST's ROM as core sees a flash, and its option bytes. */
#include "rom_internal.h"

#include "fota/bytes.h"
#include "fota/error.h"

#include <string.h>

#define OPTIONS_SIZE 16u
#define AT_USER 0u
#define AT_RDP 1u
#define AT_WRITE 8u
#define USER_MASK 0xECu /* bits 1:0 are OPTSTRT and OPTLOCK in the register, bit 4 is reserved */

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    struct gw_rom *rom = ctx;
    uint8_t *to = out;

    while (length > 0) {
        uint32_t block = address / FOTA_ST_BLOCK * FOTA_ST_BLOCK, at = address - block;
        uint32_t n = length < FOTA_ST_BLOCK - at ? length : FOTA_ST_BLOCK - at;

        if (rom->cached != block) {
            rom->cached = 0;
            if (gw_rom_read(rom, block, rom->cache, FOTA_ST_BLOCK) != GW_ROM_OK)
                return FOTA_E_IO;
            rom->cached = block;
        }
        memcpy(to, rom->cache + at, n);
        to += n;
        address += n;
        length -= n;
    }
    return FOTA_OK;
}

static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    struct gw_rom *rom = ctx;
    uint8_t back[FOTA_HEADER_SIZE];

    if (gw_rom_write(rom, address, data, length) != GW_ROM_OK)
        return FOTA_E_IO;
    if (length > sizeof back)
        return FOTA_OK;
    if (gw_rom_read(rom, address, back, length) != GW_ROM_OK)
        return FOTA_E_IO;
    if (memcmp(back, data, length) == 0)
        return FOTA_OK;
    return rom_fail(rom, FOTA_E_FLASH,
                    "%lu bytes at 0x%08lx do not read as they were written: is sector %u write-protected?",
                    (unsigned long) length, (unsigned long) address, fota_sector_of(address));
}

static int flash_erase(void *ctx, unsigned sector)
{
    int result = gw_rom_erase(ctx, sector);

    return result == GW_ROM_OK ? FOTA_OK : result == GW_ROM_E_VERIFY ? FOTA_E_FLASH : FOTA_E_IO;
}

const struct fota_flash *gw_rom_flash(struct gw_rom *rom)
{
    rom->flash = (struct fota_flash){rom, flash_read, flash_program, flash_erase};
    return &rom->flash;
}

/* --- option bytes ----------------------------------------------------------------------------------------------- */

int gw_rom_options(struct gw_rom *rom, struct gw_rom_options *options)
{
    uint8_t raw[OPTIONS_SIZE];
    int result = gw_rom_read(rom, FOTA_ST_OPTIONS_ADDRESS, raw, sizeof raw);

    if (result == GW_ROM_OK) {
        options->user = raw[AT_USER] & USER_MASK;
        options->rdp = raw[AT_RDP];
        options->write = (uint16_t) (fota_get16(raw + AT_WRITE) & 0x0FFFu);
    }
    return result;
}

int gw_rom_set_options(struct gw_rom *rom, const struct gw_rom_options *options)
{
    struct gw_rom_options now;
    uint8_t raw[OPTIONS_SIZE];
    int result;

    if (options->rdp == FOTA_ST_RDP_LEVEL_2)
        return rom_fail(rom, GW_ROM_E_ARGUMENT, "readout protection of level 2 is for ever, and never set here");
    memset(raw, 0xFF, sizeof raw);
    raw[AT_USER] = options->user | (uint8_t) ~USER_MASK;
    raw[AT_RDP] = options->rdp;
    fota_put16(raw + AT_WRITE, (uint16_t) (options->write | 0xF000u));
    result = rom_write_block(rom, FOTA_ST_OPTIONS_ADDRESS, raw, sizeof raw, GW_ROM_OPTIONS_MS);
    if (result != GW_ROM_OK)
        return result;
    rom_sleep(rom, GW_ROM_OPTIONS_MS);
    result = gw_rom_enter(rom);
    if (result != GW_ROM_OK || options->rdp != FOTA_ST_RDP_LEVEL_0)
        return result; /* they cannot be read any more */
    result = gw_rom_options(rom, &now);
    if (result == GW_ROM_OK &&
        (now.user != (options->user & USER_MASK) || now.rdp != options->rdp || now.write != (options->write & 0x0FFFu)))
        result = rom_fail(rom, GW_ROM_E_VERIFY,
                          "the option bytes read user %02x, RDP %02x, nWRP %03x instead of %02x, %02x, %03x", now.user,
                          now.rdp, now.write, options->user & USER_MASK, options->rdp, options->write & 0x0FFFu);
    return result;
}
