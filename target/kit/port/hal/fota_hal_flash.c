/* SPDX-License-Identifier: MIT */
/* The flash through the HAL, for applications that use it for data of their own as well: its lock and its state are
 * shared then. Instead of chip/flash.c; that one also runs from RAM (FOTA_FLASH_IN_RAM), this one does not. */
#include "fota_hal.h"

#include <string.h>

#ifdef FOTA_FLASH_IN_RAM
#error "the HAL's flash routines lie in flash: take chip/flash.c instead of fota_hal_flash.c"
#endif

#define ERRORS (FLASH_FLAG_OPERR | FLASH_FLAG_WRPERR | FLASH_FLAG_PGAERR | FLASH_FLAG_PGPERR | FLASH_FLAG_PGSERR)

static bool begin(void)
{
    bool open = HAL_FLASH_Unlock() == HAL_OK;

    __HAL_FLASH_CLEAR_FLAG(FLASH_FLAG_EOP | ERRORS);
    return open;
}

static int finish(bool good)
{
    FLASH_FlushCaches();
    return HAL_FLASH_Lock() == HAL_OK && good ? FOTA_OK : FOTA_E_FLASH;
}

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    (void) ctx;
    memcpy(out, (const void *) (uintptr_t) address, length);
    return FOTA_OK;
}

static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    const uint8_t *from = data;
    bool good;
    int error;

    (void) ctx;
    if (!chip_supply_good())
        return FOTA_E_SUPPLY;
    good = begin();
    for (uint32_t i = 0; good && i < length; i += 4u) {
        uint32_t word;

        memcpy(&word, from + i, 4);
        good = HAL_FLASH_Program(FLASH_TYPEPROGRAM_WORD, address + i, word) == HAL_OK;
    }
    error = finish(good);
    if (error == FOTA_OK && memcmp((const void *) (uintptr_t) address, data, length) != 0)
        error = FOTA_E_FLASH;
    return error;
}

static int flash_erase(void *ctx, unsigned sector)
{
    FLASH_EraseInitTypeDef what = {.TypeErase = FLASH_TYPEERASE_SECTORS,
                                   .Banks = FLASH_BANK_1,
                                   .Sector = sector,
                                   .NbSectors = 1,
                                   .VoltageRange = FLASH_VOLTAGE_RANGE_3};
    uint32_t failed;
    bool good;

    (void) ctx;
    if (sector == 0 || sector >= FOTA_SECTOR_COUNT)
        return FOTA_E_FLASH; /* never the bootloader */
    if (!chip_supply_good())
        return FOTA_E_SUPPLY;
    watchdog_feed(); /* an erase may last 4 s */
    good = begin() && HAL_FLASHEx_Erase(&what, &failed) == HAL_OK;
    return finish(good);
}

const struct fota_flash chip_flash = {.read = flash_read, .program = flash_program, .erase = flash_erase};
