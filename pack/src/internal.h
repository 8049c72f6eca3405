/* SPDX-License-Identifier: MIT */
/** @file internal.h What the sources of the library share. */
#ifndef PACK_INTERNAL_H
#define PACK_INTERNAL_H

#include "elf.h"
#include "pack.h"

/** Fill in a message. @return code. */
int pack_fail(struct pack_message *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** A message for memory that is not there. @return FOTA_E_IO. */
int pack_no_memory(struct pack_message *error);

/** Is this a value inside slot A, header included? @param end whether the address right after the slot counts
 * too. */
bool pack_in_slot_a(uint32_t value, bool end);

/** How to get rid of MOVW/MOVT pairs; one text for both ways in. */
#define PACK_MOVW_REMEDY                                                                                               \
    "compile with -mword-relocations and without -mslow-flash-data and -mpure-code (gcc), with -mno-movt "             \
    "(clang); in "                                                                                                     \
    "assembler write `ldr r0, =symbol`"

/** Two links of the same objects: find the words that differ (differ.c). `image->code` and `size` are filled
 * in already.
 *  @param b the code of the link for slot B, image->size bytes. */
int pack_differ(const struct pack_elf *elf_a, const struct pack_elf *elf_b, const uint8_t *b, struct pack_image *image,
                struct pack_message *error);

/** One link with --emit-relocs: take the words that move from the relocation sections (emitted.c). */
int pack_emitted(const struct pack_elf *elf, const uint32_t *allow, size_t allow_count, struct pack_image *image,
                 struct pack_message *error);

/* The steps of pack_image_load() (image.c), for whoever wants to know all that is wrong: `fota doctor`. */

/** Say what an input is instead of what it should be, and what to do. @return FOTA_E_MAGIC or FOTA_E_TRUNCATED. */
int pack_wrong_kind(const struct pack_input *input, struct pack_message *error);
/** What is loaded lies in the flash. */
int pack_check_loads(const struct pack_elf *elf, struct pack_message *error);
/** It begins where the slot's code does. */
int pack_check_address(const struct pack_elf *elf, unsigned slot, struct pack_message *error);
/** It fits. */
int pack_check_size(const struct pack_elf *elf, struct pack_message *error);
/** Code and relocations, of ELFs that the three above have found good. @param image all zero; pack_image_free() in any
 * case. */
int pack_image_one(const struct pack_elf *elf, const uint32_t *allow, size_t count, struct pack_image *image,
                   struct pack_message *error);
int pack_image_two(const struct pack_elf *a, const struct pack_elf *b, struct pack_image *image,
                   struct pack_message *error);
/** The first two vectors are right and move. */
int pack_check_vectors(const char *name, const struct pack_image *image, struct pack_message *error);
/** Find what the application says of itself: at most one block. */
int pack_find_info(const char *name, struct pack_image *image, struct pack_message *error);

/** Take a firmware.bin apart (bin.c). */
int pack_bin_read(const struct pack_input *input, struct pack_image *image, struct pack_message *error);

/** Is this the .bin of an ESP-IDF application? (esp.c) */
bool pack_looks_like_esp(const uint8_t *p, size_t size);
/** Take it, and what it says of itself. */
int pack_esp_read(const struct pack_input *input, struct pack_image *image, struct pack_message *error);

/** Append an offset to image->relocations, which has room for `capacity` (grown as needed). @return false: no
 * memory. */
bool pack_relocation_add(struct pack_image *image, uint32_t *capacity, uint32_t offset);

#endif
