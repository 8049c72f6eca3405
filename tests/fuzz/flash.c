/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include "fota/map.h"

uint8_t *fuzz_flash_at(struct fuzz_flash *f, uint32_t address)
{
    PROMISE(address - FOTA_FLASH_BASE < FOTA_FLASH_SIZE);
    return f->memory + (address - FOTA_FLASH_BASE);
}

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    struct fuzz_flash *f = ctx;

    PROMISE(address >= FOTA_FLASH_BASE && length <= FOTA_FLASH_SIZE &&
            address - FOTA_FLASH_BASE <= FOTA_FLASH_SIZE - length);
    memcpy(out, f->memory + (address - FOTA_FLASH_BASE), length);
    return FOTA_OK;
}

static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    struct fuzz_flash *f = ctx;
    const uint8_t *from = data;
    uint8_t *to = fuzz_flash_at(f, address);

    PROMISE(address % 4u == 0 && length % 4u == 0 && length > 0 &&
            address - FOTA_FLASH_BASE <= FOTA_FLASH_SIZE - length);
    for (uint32_t at = address; at < address + length; at += 4u)
        PROMISE((f->may_write >> fota_sector_of(at) & 1u) != 0);
    f->works++;
    for (uint32_t i = 0; i < length; i++)
        to[i] &= from[i];
    return memcmp(to, from, length) == 0 ? FOTA_OK : FOTA_E_FLASH;
}

static int flash_erase(void *ctx, unsigned sector)
{
    struct fuzz_flash *f = ctx;

    PROMISE(sector < FOTA_SECTOR_COUNT && (f->may_write >> sector & 1u) != 0);
    f->works++;
    memset(fuzz_flash_at(f, fota_sector_base(sector)), 0xFF, fota_sector_size(sector));
    return FOTA_OK;
}

void fuzz_flash_init(struct fuzz_flash *f, uint32_t may_write)
{
    memset(f, 0, sizeof *f);
    f->port = (struct fota_flash){.ctx = f, .read = flash_read, .program = flash_program, .erase = flash_erase};
    f->memory = malloc(FOTA_FLASH_SIZE);
    if (f->memory == NULL)
        abort();
    memset(f->memory, 0xFF, FOTA_FLASH_SIZE);
    f->may_write = may_write;
}

void fuzz_flash_clear(struct fuzz_flash *f, uint32_t sectors)
{
    for (unsigned s = 0; s < FOTA_SECTOR_COUNT; s++)
        if ((sectors >> s & 1u) != 0)
            memset(fuzz_flash_at(f, fota_sector_base(s)), 0xFF, fota_sector_size(s));
    f->works = 0;
}
