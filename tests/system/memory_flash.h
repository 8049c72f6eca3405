/* SPDX-License-Identifier: MIT */
/** @file memory_flash.h A flash of 1 MiB in memory, to write journals into that a board is then loaded with. */
#ifndef MEMORY_FLASH_H
#define MEMORY_FLASH_H

#include "fota/journal.h"

/** @param flash 1 MiB; stays the caller's. */
struct fota_flash memory_flash(uint8_t *flash);

/** Append a record about an image, to a journal that is made where there is none. Ends the program when it cannot.
 *  @param image its header. */
void memory_record(uint8_t *flash, uint8_t type, unsigned slot, const uint8_t *image, uint32_t arg);

/** Append records that mean nothing until so many places are left, at least FOTA_JOURNAL_RESERVED. */
void memory_fill(uint8_t *flash, uint32_t left);

#endif
