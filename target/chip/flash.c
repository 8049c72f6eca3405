/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "fota/error.h"
#include "stm32f407.h"

#include <string.h>

#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu

/* The bus stalls a poll from flash until the work is done, so this bounds what is left: code running from
 * RAM. A 128 KiB erase lasts 4 s at the worst (x8); at 168 MHz and 10 cycles a poll this is 6 s. */
#define POLLS 1000u
#define ROUNDS 100000u

void (*chip_flash_idle)(void);

CHIP_RAM static bool wait(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (chip_wait(&FLASH->SR, FLASH_SR_BSY, 0, POLLS))
            return true;
        if (chip_flash_idle != NULL)
            chip_flash_idle();
    }
    return false;
}

CHIP_RAM static void unlock(void)
{
    if ((FLASH->CR & FLASH_CR_LOCK) != 0) {
        FLASH->KEYR = KEY1;
        FLASH->KEYR = KEY2;
    }
    FLASH->SR = FLASH_SR_ERRORS | FLASH_SR_EOP;
}

/* Caches may hold what was there before (RM0090 3.5.4): off, reset, and as they were. */
CHIP_RAM static void drop_caches(void)
{
    uint32_t acr = FLASH->ACR;

    FLASH->ACR = acr & ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN);
    FLASH->ACR = (acr & ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN)) | FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH->ACR = acr;
}

/* The end of an operation: locked again, whatever happened. */
CHIP_RAM static int finish(bool good)
{
    if ((FLASH->SR & FLASH_SR_ERRORS) != 0)
        good = false;
    FLASH->CR = FLASH_CR_LOCK;
    drop_caches();
    return good ? FOTA_OK : FOTA_E_FLASH;
}

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    const uint32_t *from = (const uint32_t *) (uintptr_t) address;
    uint32_t *to = out;

    (void) ctx;
    if (((address | length | (uintptr_t) out) & 3u) != 0)
        memcpy(out, from, length);
    else /* by words: the library's memcpy is the small one, and a boot reads half a megabyte */
        for (uint32_t i = 0; i < length / 4u; i++)
            to[i] = from[i];
    return FOTA_OK;
}

CHIP_RAM static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    volatile uint32_t *to = (volatile uint32_t *) (uintptr_t) address;
    const uint8_t *from = data;
    bool good = wait();
    int error;

    (void) ctx;
    if (!chip_supply_good())
        return FOTA_E_SUPPLY;
    unlock();
    FLASH->CR = FLASH_CR_PSIZE_X32 | FLASH_CR_PG;
    for (uint32_t i = 0; good && i < length / 4u; i++) {
        uint32_t word;

        memcpy(&word, from + 4u * i, 4);
        to[i] = word;
        __asm volatile("dsb" ::: "memory"); /* the write must have reached the flash before BSY means something */
        good = wait() && (FLASH->SR & FLASH_SR_ERRORS) == 0;
    }
    error = finish(good);
    if (error == FOTA_OK && memcmp((const void *) (uintptr_t) address, data, length) != 0)
        error = FOTA_E_FLASH;
    return error;
}

CHIP_RAM static int flash_erase(void *ctx, unsigned sector)
{
    bool good = wait();

    (void) ctx;
    if (sector == 0 || sector >= FOTA_SECTOR_COUNT)
        return FOTA_E_FLASH; /* never our own sector */
    if (!chip_supply_good())
        return FOTA_E_SUPPLY;
    watchdog_feed(); /* an erase may last 4 s */
    unlock();
    FLASH->CR = FLASH_CR_PSIZE_X32 | FLASH_CR_SER | FLASH_CR_SNB(sector);
    FLASH->CR = FLASH_CR_PSIZE_X32 | FLASH_CR_SER | FLASH_CR_SNB(sector) | FLASH_CR_STRT;
    __asm volatile("dsb" ::: "memory");
    good = wait() && good;
    return finish(good);
}

const struct fota_flash chip_flash = {.read = flash_read, .program = flash_program, .erase = flash_erase};
