/* SPDX-License-Identifier: MIT */
/**
 * @file map.h
 * Flash geometry of the STM32F407 (RM0090 table 5) and the default layout. The only place where they stand.
 */
#ifndef FOTA_MAP_H
#define FOTA_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define FOTA_KIB(n) ((uint32_t) (n) *1024u)

#define FOTA_FLASH_BASE 0x08000000u
#define FOTA_FLASH_SIZE FOTA_KIB(1024)
#define FOTA_SECTOR_COUNT 12u

#define FOTA_BOOT_BASE FOTA_FLASH_BASE
#define FOTA_BOOT_SIZE FOTA_KIB(16)
#define FOTA_CONFIG_SIZE 256u
#define FOTA_CONFIG_BASE (FOTA_BOOT_BASE + FOTA_BOOT_SIZE - FOTA_CONFIG_SIZE)

#define FOTA_SLOT_COUNT 2u
#define FOTA_SLOT_A_BASE 0x08004000u
#define FOTA_SLOT_B_BASE 0x08060000u
#define FOTA_SLOT_SIZE FOTA_KIB(368)
#define FOTA_SLOT_DISTANCE (FOTA_SLOT_B_BASE - FOTA_SLOT_A_BASE)

/** The header comes first in a slot, the vector table right after it (VTOR wants 512-byte alignment). */
#define FOTA_HEADER_SIZE 512u
#define FOTA_CODE_MAX (FOTA_SLOT_SIZE - FOTA_HEADER_SIZE)
#define FOTA_LINK_ADDRESS (FOTA_SLOT_A_BASE + FOTA_HEADER_SIZE)

#define FOTA_JOURNAL_BANKS 2u
#define FOTA_JOURNAL_BANK_SIZE FOTA_KIB(128)
#define FOTA_JOURNAL_SECTOR 11u       /* the metadata sector */
#define FOTA_JOURNAL_SPARE_SECTOR 10u /* where it goes when sector 11 is compacted */

#define FOTA_RAM_BASE 0x20000000u
#define FOTA_RAM_SIZE FOTA_KIB(128)
#define FOTA_CCM_BASE 0x10000000u
#define FOTA_CCM_SIZE FOTA_KIB(64)

enum fota_slot { FOTA_SLOT_A = 0, FOTA_SLOT_B = 1, FOTA_SLOT_NONE = 0xff };

_Static_assert(FOTA_SLOT_DISTANCE == 0x5C000u, "slot distance");
_Static_assert(FOTA_SLOT_A_BASE + FOTA_SLOT_SIZE == FOTA_SLOT_B_BASE, "slot A ends where slot B begins");
_Static_assert(FOTA_SLOT_B_BASE + FOTA_SLOT_SIZE <= 0x080C0000u, "slot B ends before the journal");
_Static_assert((FOTA_LINK_ADDRESS % 512u) == 0 && ((FOTA_LINK_ADDRESS + FOTA_SLOT_DISTANCE) % 512u) == 0,
               "vector tables are 512-aligned");

/** @return size of a sector in bytes (RM0090 table 5), 0 when there is no such sector. */
static inline uint32_t fota_sector_size(unsigned sector)
{
    return sector < 4u ? FOTA_KIB(16) : sector == 4u ? FOTA_KIB(64) : sector < FOTA_SECTOR_COUNT ? FOTA_KIB(128) : 0u;
}

/** @return address of a sector's first byte; for sector == FOTA_SECTOR_COUNT the end of the flash. */
static inline uint32_t fota_sector_base(unsigned sector)
{
    return sector <= 4u ? FOTA_FLASH_BASE + sector * FOTA_KIB(16) : FOTA_FLASH_BASE + FOTA_KIB(128) * (sector - 4u);
}

/** @return the sector that holds an address of the flash, FOTA_SECTOR_COUNT when it lies outside. */
static inline unsigned fota_sector_of(uint32_t address)
{
    if (address - FOTA_FLASH_BASE >= FOTA_FLASH_SIZE)
        return FOTA_SECTOR_COUNT;
    uint32_t offset = address - FOTA_FLASH_BASE;
    return offset < FOTA_KIB(64) ? offset / FOTA_KIB(16) : offset < FOTA_KIB(128) ? 4u : 4u + offset / FOTA_KIB(128);
}

/** @param slot FOTA_SLOT_A or FOTA_SLOT_B. @return address of the slot's header. */
static inline uint32_t fota_slot_base(unsigned slot)
{
    uint32_t offset = (slot == FOTA_SLOT_A ? FOTA_SLOT_A_BASE : FOTA_SLOT_B_BASE) - FOTA_FLASH_BASE;

#ifdef __arm__
    /* Keeps the compiler from a literal 0x08004000: in an application of one link it would look like an address that
     * forgot to move with the image (`fota pack` asks about such words). */
    __asm("" : "+r"(offset));
#endif
    return FOTA_FLASH_BASE + offset;
}

/** @param slot FOTA_SLOT_A or FOTA_SLOT_B. @return address of the slot's code, its vector table. */
static inline uint32_t fota_slot_code(unsigned slot)
{
    return fota_slot_base(slot) + FOTA_HEADER_SIZE;
}

/** @param bank 0 or 1. @return sector of a journal bank: bank 0 is the metadata sector 11. */
static inline unsigned fota_journal_sector(unsigned bank)
{
    return bank == 0u ? FOTA_JOURNAL_SECTOR : FOTA_JOURNAL_SPARE_SECTOR;
}

#endif
