/* SPDX-License-Identifier: MIT */
/**
 * @file elf.h
 * A bounded reader of ELF32 little-endian Arm executables (TIS ELF 1.2; ELF for the Arm Architecture, IHI
 * 0044). Nothing is copied: the file stays in memory, every offset and count in it is checked against its
 * size before it is used.
 */
#ifndef PACK_ELF_H
#define PACK_ELF_H

#include "pack.h"

#define PACK_ELF_SEGMENTS 32u

enum { SHT_PROGBITS = 1, SHT_SYMTAB = 2, SHT_RELA = 4, SHT_NOBITS = 8, SHT_REL = 9 };
enum { SHF_ALLOC = 2, SHF_EXECINSTR = 4 };
enum { STT_OBJECT = 1, STT_FUNC = 2, STT_SECTION = 3, STT_FILE = 4 };
enum { SHN_UNDEF = 0, SHN_LORESERVE = 0xFF00, SHN_ABS = 0xFFF1 };

/** A part of the file that is loaded; a file's own headers are cut off already. */
struct pack_segment {
    uint32_t offset, virtual_address, load_address, size;
};

struct pack_elf {
    const char *name;
    const uint8_t *data;
    uint32_t size;
    uint32_t section_offset, section_count;
    uint32_t names_offset, names_size; /* of sections; size 0: none */
    uint32_t symbol_table;             /* index of its section, 0: stripped */
    uint32_t symbol_offset, symbol_count;
    uint32_t strings_offset, strings_size;
    struct pack_segment segment[PACK_ELF_SEGMENTS];
    unsigned segment_count;
    uint32_t entry;
    uint32_t low, high; /* load addresses: first byte, one past the last */
};

struct pack_section {
    const char *name;
    uint32_t type, flags, address, offset, size, link, info, entry_size;
};

struct pack_symbol {
    const char *name;
    uint32_t value, size;
    uint8_t type;
    uint16_t section;
};

/** Check the file's structure and find its segments, sections and symbols. @param elf keeps pointers into
 * `input`.
 *  @return FOTA_OK, FOTA_E_FORMAT (no Arm executable), FOTA_E_TRUNCATED (something lies outside the file) or
 *  FOTA_E_LINK_ADDRESS (load addresses overlap or wrap). */
int pack_elf_open(struct pack_elf *elf, const struct pack_input *input, struct pack_message *error);

/** @return false when there is no such section or it lies outside the file. */
bool pack_elf_section(const struct pack_elf *elf, uint32_t index, struct pack_section *section);
/** @param index < symbol_count. */
void pack_elf_symbol(const struct pack_elf *elf, uint32_t index, struct pack_symbol *symbol);

/** The load address of a section. @return false when it is not loaded from the file. */
bool pack_elf_load_address(const struct pack_elf *elf, const struct pack_section *section, uint32_t *address);

/** Copy what is loaded to `out`: bytes between segments become 0xFF. @param out elf->high - elf->low bytes.
 */
void pack_elf_flatten(const struct pack_elf *elf, uint8_t *out);

/** Name the place of a load address for a message: "`symbol`+0x10 in .section". */
void pack_elf_describe(const struct pack_elf *elf, uint32_t load_address, char *text, size_t size);

#endif
