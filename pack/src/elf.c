/* SPDX-License-Identifier: MIT */
/** @file elf.c The bounded ELF reader. */
#include "elf.h"
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EHDR_SIZE 52u
#define PHDR_SIZE 32u
#define SHDR_SIZE 40u
#define SYM_SIZE 16u
#define ET_EXEC 2u
#define EM_ARM 40u
#define PT_LOAD 1u
#define PT_DYNAMIC 2u
#define PHDRS_MAX 1024u

/* Does [offset, offset + length) lie in the file? */
static bool inside(const struct pack_elf *elf, uint32_t offset, uint64_t length)
{
    return length <= elf->size && offset <= elf->size - length;
}

static const char *string_at(const struct pack_elf *elf, uint32_t offset, uint32_t size, uint32_t index)
{
    if (index >= size)
        return "";
    const char *s = (const char *) elf->data + offset + index;
    return memchr(s, 0, size - index) != NULL ? s : "";
}

bool pack_elf_section(const struct pack_elf *elf, uint32_t index, struct pack_section *section)
{
    if (index >= elf->section_count)
        return false;
    const uint8_t *p = elf->data + elf->section_offset + index * SHDR_SIZE;
    *section = (struct pack_section){
        .name = string_at(elf, elf->names_offset, elf->names_size, fota_get32(p)),
        .type = fota_get32(p + 4),
        .flags = fota_get32(p + 8),
        .address = fota_get32(p + 12),
        .offset = fota_get32(p + 16),
        .size = fota_get32(p + 20),
        .link = fota_get32(p + 24),
        .info = fota_get32(p + 28),
        .entry_size = fota_get32(p + 36),
    };
    return section->type == SHT_NOBITS || inside(elf, section->offset, section->size);
}

void pack_elf_symbol(const struct pack_elf *elf, uint32_t index, struct pack_symbol *symbol)
{
    const uint8_t *p = elf->data + elf->symbol_offset + index * SYM_SIZE;
    *symbol = (struct pack_symbol){
        .name = string_at(elf, elf->strings_offset, elf->strings_size, fota_get32(p)),
        .value = fota_get32(p + 4),
        .size = fota_get32(p + 8),
        .type = p[12] & 15u,
        .section = fota_get16(p + 14),
    };
}

static int bad(const struct pack_elf *elf, struct pack_message *error, const char *what)
{
    return pack_fail(error, FOTA_E_TRUNCATED,
                     "%s: %s lies outside the file (%" PRIu32 " bytes): the ELF is damaged or cut off", elf->name, what,
                     elf->size);
}

static int open_header(struct pack_elf *elf, struct pack_message *error)
{
    const uint8_t *p = elf->data;
    if (elf->size < EHDR_SIZE)
        return bad(elf, error, "the ELF header");
    if (p[4] != 1 || p[5] != 1)
        return pack_fail(error, FOTA_E_FORMAT,
                         "%s: %s: not a program for the STM32F407; wanted is a 32-bit little-endian Arm ELF", elf->name,
                         p[4] != 1 ? "a 64-bit ELF" : "a big-endian ELF");
    unsigned machine = fota_get16(p + 18), type = fota_get16(p + 16);
    if (machine != EM_ARM)
        return pack_fail(error, FOTA_E_FORMAT,
                         "%s: an ELF for machine %u, not for Arm (40): build it with arm-none-eabi-gcc", elf->name,
                         machine);
    if (type != ET_EXEC)
        return pack_fail(error, FOTA_E_FORMAT, "%s: ELF type %u%s; wanted is a linked program (type 2)", elf->name,
                         type,
                         type == 1   ? " is an object file that was not linked yet"
                         : type == 3 ? " is position-independent (link with -no-pie) or a shared library"
                                     : "");
    elf->entry = fota_get32(p + 24);
    elf->section_offset = fota_get32(p + 32);
    elf->section_count = fota_get16(p + 48);
    if (elf->section_count > 0 && (fota_get16(p + 46) != SHDR_SIZE ||
                                   !inside(elf, elf->section_offset, (uint64_t) elf->section_count * SHDR_SIZE)))
        return bad(elf, error, "the section table");
    struct pack_section names;
    uint32_t index = fota_get16(p + 50);
    if (index != SHN_UNDEF && elf->section_count > 0) {
        if (!pack_elf_section(elf, index, &names) || names.type == SHT_NOBITS)
            return bad(elf, error, "the table of section names");
        elf->names_offset = names.offset;
        elf->names_size = names.size;
    }
    return FOTA_OK;
}

static int open_symbols(struct pack_elf *elf, struct pack_message *error)
{
    struct pack_section s, strings;
    for (uint32_t i = 1; i < elf->section_count; i++) {
        if (!pack_elf_section(elf, i, &s))
            return bad(elf, error, "a section");
        if (s.type != SHT_SYMTAB || elf->symbol_table != 0)
            continue;
        if (s.entry_size != SYM_SIZE || !pack_elf_section(elf, s.link, &strings) || strings.type == SHT_NOBITS)
            return bad(elf, error, "the symbol table");
        elf->symbol_table = i;
        elf->symbol_offset = s.offset;
        elf->symbol_count = s.size / SYM_SIZE;
        elf->strings_offset = strings.offset;
        elf->strings_size = strings.size;
    }
    return FOTA_OK;
}

/* A linker may put the file's own headers into the first segment, below the first section: they are no code.
 */
static bool cut_headers(const struct pack_elf *elf, struct pack_segment *segment)
{
    if (segment->offset >= EHDR_SIZE)
        return true;
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 1; i < elf->section_count; i++) {
        struct pack_section s;
        if (pack_elf_section(elf, i, &s) && (s.flags & SHF_ALLOC) != 0 && s.type != SHT_NOBITS && s.size > 0 &&
            s.offset >= segment->offset && s.offset - segment->offset < segment->size && s.offset < first)
            first = s.offset;
    }
    if (first == UINT32_MAX)
        return false;
    uint32_t cut = first - segment->offset;
    segment->offset += cut;
    segment->virtual_address += cut;
    segment->load_address += cut;
    segment->size -= cut;
    return true;
}

static int add_segment(struct pack_elf *elf, const uint8_t *p, struct pack_message *error)
{
    struct pack_segment s = {fota_get32(p + 4), fota_get32(p + 8), fota_get32(p + 12), fota_get32(p + 16)};
    if (s.size == 0)
        return FOTA_OK;
    if (!inside(elf, s.offset, s.size))
        return bad(elf, error, "a segment");
    if (s.size > UINT32_MAX - s.load_address || s.size > UINT32_MAX - s.virtual_address)
        return pack_fail(error, FOTA_E_LINK_ADDRESS, "%s: the segment at 0x%08" PRIx32 " goes beyond the address space",
                         elf->name, s.load_address);
    if (!cut_headers(elf, &s))
        return pack_fail(error, FOTA_E_FORMAT,
                         "%s: a segment holds the ELF's own headers and no section: link with -Wl,-n", elf->name);
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct pack_segment *t = &elf->segment[i];
        if (s.load_address < t->load_address + t->size && t->load_address < s.load_address + s.size)
            return pack_fail(error, FOTA_E_LINK_ADDRESS,
                             "%s: the segments at load addresses 0x%08" PRIx32 " and 0x%08" PRIx32 " overlap",
                             elf->name, t->load_address, s.load_address);
    }
    if (elf->segment_count == PACK_ELF_SEGMENTS)
        return pack_fail(error, FOTA_E_FORMAT, "%s: more than %u segments", elf->name, PACK_ELF_SEGMENTS);
    elf->segment[elf->segment_count++] = s;
    if (s.load_address < elf->low)
        elf->low = s.load_address;
    if (s.load_address + s.size > elf->high)
        elf->high = s.load_address + s.size;
    return FOTA_OK;
}

int pack_elf_open(struct pack_elf *elf, const struct pack_input *input, struct pack_message *error)
{
    *elf = (struct pack_elf){.name = input->name, .data = input->data, .low = UINT32_MAX};
    if (input->size > PACK_FILE_MAX)
        return pack_fail(error, FOTA_E_SIZE, "%s: larger than %u bytes", input->name, PACK_FILE_MAX);
    elf->size = (uint32_t) input->size;
    int e = open_header(elf, error);
    if (e == FOTA_OK)
        e = open_symbols(elf, error);
    if (e != FOTA_OK)
        return e;
    uint32_t offset = fota_get32(elf->data + 28), count = fota_get16(elf->data + 44);
    if (count > PHDRS_MAX ||
        (count > 0 && (fota_get16(elf->data + 42) != PHDR_SIZE || !inside(elf, offset, (uint64_t) count * PHDR_SIZE))))
        return bad(elf, error, "the program header table");
    for (uint32_t i = 0; i < count && e == FOTA_OK; i++) {
        const uint8_t *p = elf->data + offset + i * PHDR_SIZE;
        if (fota_get32(p) == PT_DYNAMIC)
            return pack_fail(error, FOTA_E_FORMAT, "%s: dynamically linked; link it with -static -no-pie", elf->name);
        if (fota_get32(p) == PT_LOAD)
            e = add_segment(elf, p, error);
    }
    if (e == FOTA_OK && elf->segment_count == 0)
        return pack_fail(error, FOTA_E_FORMAT, "%s: there is nothing to load in this ELF", elf->name);
    return e;
}

bool pack_elf_load_address(const struct pack_elf *elf, const struct pack_section *section, uint32_t *address)
{
    if (section->type == SHT_NOBITS || (section->flags & SHF_ALLOC) == 0 || section->size == 0)
        return false;
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct pack_segment *s = &elf->segment[i];
        uint32_t into = section->offset - s->offset;
        if (section->offset >= s->offset && into < s->size && section->size <= s->size - into &&
            section->address - s->virtual_address == into) {
            *address = s->load_address + into;
            return true;
        }
    }
    return false;
}

void pack_elf_flatten(const struct pack_elf *elf, uint8_t *out)
{
    memset(out, 0xFF, elf->high - elf->low);
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct pack_segment *s = &elf->segment[i];
        memcpy(out + (s->load_address - elf->low), elf->data + s->offset, s->size);
    }
}

/* The symbol at or below an address of a section: one whose size covers it, else the nearest. */
static bool nearest(const struct pack_elf *elf, uint32_t index, uint32_t address, struct pack_symbol *best)
{
    bool found = false, covered = false;
    for (uint32_t i = 1; i < elf->symbol_count; i++) {
        struct pack_symbol s;
        pack_elf_symbol(elf, i, &s);
        if (s.section != index || s.name[0] == '\0' || s.name[0] == '$' || s.type == STT_SECTION || s.type == STT_FILE)
            continue;
        if (s.type == STT_FUNC)
            s.value &= ~1u;
        bool covers = address >= s.value && address - s.value < s.size;
        if (s.value > address || (covered && !covers) || (found && covered == covers && s.value < best->value))
            continue;
        *best = s;
        found = true;
        covered = covers;
    }
    return found;
}

void pack_elf_describe(const struct pack_elf *elf, uint32_t load_address, char *text, size_t size)
{
    for (uint32_t i = 1; i < elf->section_count; i++) {
        struct pack_section s;
        struct pack_symbol symbol = {0};
        uint32_t lma = 0;
        if (!pack_elf_section(elf, i, &s) || !pack_elf_load_address(elf, &s, &lma) || load_address < lma ||
            load_address - lma >= s.size)
            continue;
        uint32_t address = s.address + (load_address - lma);
        if (!nearest(elf, i, address, &symbol))
            (void) snprintf(text, size, "%s+0x%" PRIx32, s.name, load_address - lma);
        else if (symbol.value == address)
            (void) snprintf(text, size, "`%s` in %s", symbol.name, s.name);
        else
            (void) snprintf(text, size, "`%s`+0x%" PRIx32 " in %s", symbol.name, address - symbol.value, s.name);
        return;
    }
    (void) snprintf(text, size, "no section");
}
