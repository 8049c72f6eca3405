/* SPDX-License-Identifier: MIT */
/* Vector table and start of the bootloader. It uses no interrupt, so the table ends after the core's own
 * entries. */
#include "bootloader.h"
#include "chip.h"
#include "stm32f407.h"

#include <string.h>

#define SECTOR_0_BITS 14u
_Static_assert(FOTA_BOOT_BASE + (1u << SECTOR_0_BITS) == FOTA_SLOT_A_BASE, "sector 0 is 16 KiB");

extern uint32_t _stack_top, _data, _data_end, _data_load, _bss, _bss_end;

_Noreturn void reset(void);

/* Nothing in the bootloader may fault; if the chip says otherwise, begin again. */
static void fault(void)
{
    chip_reset();
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*core[6])(void);
    uint32_t version; /* an entry that the core does not use: the agent reads the bootloader's version here */
    void (*rest[8])(void);
} vectors = {
    .stack = &_stack_top,
    .core = {(void (*)(void)) reset, fault, fault, fault, fault, fault},
    .version = BOOTLOADER_VERSION,
    .rest = {0, 0, 0, fault, fault, 0, fault, fault},
};

_Noreturn void reset(void)
{
    chip_execute_only(FOTA_BOOT_BASE, SECTOR_0_BITS);
    memcpy(&_data, &_data_load, (uintptr_t) &_data_end - (uintptr_t) &_data);
    memset(&_bss, 0, (uintptr_t) &_bss_end - (uintptr_t) &_bss);
    bootloader();
}
