/* SPDX-License-Identifier: MIT */
/** @file emitted.h Between emitted.c (relocation sections) and search.c (words that no relocation covers). */
#ifndef PACK_EMITTED_H
#define PACK_EMITTED_H

#include "internal.h"

#define PACK_TWO_LINKS "link twice (slot A and slot B) and give both ELFs"

/* What is known about each byte of the image. ALLOWED: a word begins
 * here that the user has declared to be no address. */
enum { MARK_COVERED = 1, MARK_ALLOWED = 2, MARK_THUMB = 4, MARK_FUNCTION = 8 };

/** Find 32-bit words that look like an address in slot A and are not marked as covered or allowed.
 *  @param marks one byte for each byte of the image. @return FOTA_OK or FOTA_E_RELOCATION. */
int pack_search(const struct pack_elf *elf, const struct pack_image *image, uint8_t *marks, struct pack_message *error);

/** Mark the instructions (MARK_THUMB) and the functions (MARK_FUNCTION) of what is loaded at elf->low and above, as the
 * symbols tell. @param code its bytes. @param marks one byte for each of them. @return FOTA_OK or FOTA_E_IO (no
 * memory).
 */
int pack_mark_code(const struct pack_elf *elf, const uint8_t *code, uint32_t size, uint8_t *marks,
                   struct pack_message *error);

#endif
