/* SPDX-License-Identifier: MIT */
/** @file rom_internal.h What the files of the ROM's host share. */
#ifndef GW_ROM_INTERNAL_H
#define GW_ROM_INTERNAL_H

#include "gw/rom.h"

extern const struct gw_rom_wire rom_uart, rom_spi;

static inline uint64_t rom_now(const struct gw_rom *rom)
{
    return rom->port.clock->monotonic_ms(rom->port.clock->ctx);
}

/** Let `ms` pass, and a little: the clock counts whole ones. */
void rom_sleep(struct gw_rom *rom, uint32_t ms);
/** Set the text of an error. @return `result`. */
int rom_fail(struct gw_rom *rom, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Write a block, once. @param length 4 … FOTA_ST_BLOCK, a multiple of 4. @param ms for the acknowledgement of the
 * data. */
int rom_write_block(struct gw_rom *rom, uint32_t address, const uint8_t *from, size_t length, uint32_t ms);
/** The request that fota's own bootloader answers. @param wire at least 32 bytes. @return its length. */
size_t rom_hello(uint8_t *wire);

#endif
