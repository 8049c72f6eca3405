/* SPDX-License-Identifier: MIT */
#include "memory_flash.h"

#include "fota/error.h"
#include "fota/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int memory_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    memcpy(out, (const uint8_t *) ctx + (address - FOTA_FLASH_BASE), length);
    return FOTA_OK;
}

static int memory_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    memcpy((uint8_t *) ctx + (address - FOTA_FLASH_BASE), data, length);
    return FOTA_OK;
}

static int memory_erase(void *ctx, unsigned sector)
{
    memset((uint8_t *) ctx + (fota_sector_base(sector) - FOTA_FLASH_BASE), 0xFF, fota_sector_size(sector));
    return FOTA_OK;
}

struct fota_flash memory_flash(uint8_t *flash)
{
    return (struct fota_flash){.ctx = flash, .read = memory_read, .program = memory_program, .erase = memory_erase};
}

void memory_record(uint8_t *flash, uint8_t type, unsigned slot, const uint8_t *image, uint32_t arg)
{
    struct fota_flash port = memory_flash(flash);
    struct fota_record r = {.type = type, .slot = (uint8_t) slot, .arg = arg};
    struct fota_journal journal;
    uint8_t identity[FOTA_IDENTITY_SIZE];

    fota_header_identity(image, identity);
    memcpy(r.identity, identity, FOTA_IDENTITY_SHORT);
    if (fota_journal_open(&journal, &port) != FOTA_OK ||
        (!journal.present && fota_journal_maintain(&journal) != FOTA_OK) ||
        fota_journal_append(&journal, &r) != FOTA_OK) {
        fprintf(stderr, "the journal cannot be written\n");
        exit(2);
    }
}

void memory_fill(uint8_t *flash, uint32_t left)
{
    struct fota_flash port = memory_flash(flash);
    struct fota_record r = {.type = FOTA_RECORD_ALLOWED, .slot = FOTA_SLOT_NONE};
    struct fota_journal journal;
    int error = fota_journal_open(&journal, &port);

    if (error == FOTA_OK)
        error = fota_journal_maintain(&journal);
    while (error == FOTA_OK && FOTA_JOURNAL_RECORDS - journal.used > left)
        error = fota_journal_append(&journal, &r);
    if (error != FOTA_OK) {
        fprintf(stderr, "the journal cannot be filled\n");
        exit(2);
    }
}
