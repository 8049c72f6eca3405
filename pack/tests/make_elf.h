/* SPDX-License-Identifier: MIT */
/** @file make_elf.h Small ELFs made by hand: one .text, one .data, symbols and relocations, all as the test wants them.
 */
#ifndef MAKE_ELF_H
#define MAKE_ELF_H

#include "elf.h"

#define MAKE_MAX 64u

struct make_symbol {
    const char *name;
    uint32_t value, size;
    uint8_t type;
    uint16_t section; /* 1: .text, 2: .data, SHN_ABS … */
};

struct make_relocation {
    uint32_t place;
    uint8_t type;
    uint32_t symbol; /* index, 1 is the first of `symbols` */
};

struct make_elf {
    uint32_t text_address, text_size;
    uint8_t text[1024];
    uint32_t data_address, data_load, data_size;
    uint8_t data[64];
    struct make_symbol symbols[MAKE_MAX];
    unsigned symbol_count;
    struct make_relocation text_rel[MAKE_MAX], data_rel[MAKE_MAX];
    unsigned text_rel_count, data_rel_count;
    bool headers_in_segment; /* the first segment begins with the ELF's own headers, as ld may do it */
};

/** A valid program for slot A: a vector table, and the symbols `top` (1), `reset` (2), `_sidata` (3, absolute),
 * `buffer` (4, RAM). */
void make_elf_default(struct make_elf *m);
void make_elf_word(struct make_elf *m, uint32_t offset, uint32_t value);
void make_elf_relocation(struct make_elf *m, uint32_t offset, uint8_t type, uint32_t symbol);
/** @return allocated; the caller frees input->data. */
struct pack_input make_elf(const struct make_elf *m);

#endif
