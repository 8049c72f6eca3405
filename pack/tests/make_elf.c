/* SPDX-License-Identifier: MIT */
/** @file make_elf.c Small ELFs made by hand. */
#include "make_elf.h"
#include "fota/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { NULL_SECTION, TEXT, DATA, REL_TEXT, REL_DATA, SYMTAB, STRTAB, SHSTRTAB, SECTIONS };
static const char section_names[] = "\0.text\0.data\0.rel.text\0.rel.data\0.symtab\0.strtab\0.shstrtab";
static const uint8_t name_at[SECTIONS] = {0, 1, 7, 13, 23, 33, 41, 49};

void make_elf_word(struct make_elf *m, uint32_t offset, uint32_t value)
{
    fota_put32(m->text + offset, value);
}

void make_elf_relocation(struct make_elf *m, uint32_t offset, uint8_t type, uint32_t symbol)
{
    m->text_rel[m->text_rel_count++] = (struct make_relocation){m->text_address + offset, type, symbol};
}

void make_elf_default(struct make_elf *m)
{
    *m = (struct make_elf){
        .text_address = FOTA_LINK_ADDRESS, .text_size = 64, .data_address = FOTA_RAM_BASE, .data_size = 8};
    m->data_load = m->text_address + m->text_size;
    m->symbols[0] = (struct make_symbol){"top", 0x20020000u, 0, 0, SHN_ABS};
    m->symbols[1] = (struct make_symbol){"reset", m->text_address + 17u, 16, STT_FUNC, TEXT};
    m->symbols[2] = (struct make_symbol){"_sidata", m->data_load, 0, 0, SHN_ABS};
    m->symbols[3] = (struct make_symbol){"buffer", m->data_address, 8, 1, DATA};
    m->symbol_count = 4;
    make_elf_word(m, 0, 0x20020000u);
    make_elf_relocation(m, 0, 2, 1);
    make_elf_word(m, 4, m->text_address + 17u);
    make_elf_relocation(m, 4, 2, 2);
}

static void section(uint8_t *table, unsigned index, uint32_t type, uint32_t flags, uint32_t address, uint32_t offset,
                    uint32_t size, uint32_t link, uint32_t info, uint32_t entry)
{
    const uint32_t member[10] = {name_at[index], type, flags, address, offset, size, link, info, 4, entry};
    for (unsigned i = 0; i < 10u; i++)
        fota_put32(table + index * 40u + 4u * i, member[i]);
}

static uint32_t relocations(uint8_t *out, const struct make_relocation *r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fota_put32(out + 8u * i, r[i].place);
        fota_put32(out + 8u * i + 4u, r[i].symbol << 8 | r[i].type);
    }
    return 8u * count;
}

struct pack_input make_elf(const struct make_elf *m)
{
    uint8_t *p = calloc(1, 16384);
    if (p == NULL)
        abort();
    uint32_t at = 52u + 2u * 32u;
    uint32_t text = at, data = text + m->text_size, rel_text = data + m->data_size;
    memcpy(p + text, m->text, m->text_size);
    memcpy(p + data, m->data, m->data_size);
    uint32_t rel_data = rel_text + relocations(p + rel_text, m->text_rel, m->text_rel_count);
    uint32_t symbols = rel_data + relocations(p + rel_data, m->data_rel, m->data_rel_count);
    uint32_t strings = symbols + 16u * (m->symbol_count + 1u), used = 1;
    for (unsigned i = 0; i < m->symbol_count; i++) {
        const struct make_symbol *s = &m->symbols[i];
        uint8_t *e = p + symbols + 16u * (i + 1u);
        fota_put32(e, used);
        fota_put32(e + 4, s->value);
        fota_put32(e + 8, s->size);
        e[12] = (uint8_t) (0x10u | s->type);
        fota_put16(e + 14, s->section);
        memcpy(p + strings + used, s->name, strlen(s->name) + 1u);
        used += (uint32_t) strlen(s->name) + 1u;
    }
    uint32_t names = strings + used, table = names + (uint32_t) sizeof section_names;
    memcpy(p + names, section_names, sizeof section_names);
    section(p + table, TEXT, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, m->text_address, text, m->text_size, 0, 0, 0);
    section(p + table, DATA, SHT_PROGBITS, SHF_ALLOC | 1u, m->data_address, data, m->data_size, 0, 0, 0);
    section(p + table, REL_TEXT, SHT_REL, 0, 0, rel_text, rel_data - rel_text, SYMTAB, TEXT, 8);
    section(p + table, REL_DATA, SHT_REL, 0, 0, rel_data, symbols - rel_data, SYMTAB, DATA, 8);
    section(p + table, SYMTAB, SHT_SYMTAB, 0, 0, symbols, strings - symbols, STRTAB, 1, 16);
    section(p + table, STRTAB, 3, 0, 0, strings, used, 0, 0, 0);
    section(p + table, SHSTRTAB, 3, 0, 0, names, (uint32_t) sizeof section_names, 0, 0, 0);

    memcpy(p, "\177ELF\1\1\1", 7);
    fota_put16(p + 16, 2);
    fota_put16(p + 18, 40);
    fota_put32(p + 20, 1);
    fota_put32(p + 24, m->text_address + 17u);
    fota_put32(p + 28, 52);
    fota_put32(p + 32, table);
    fota_put16(p + 40, 52);
    fota_put16(p + 42, 32);
    fota_put16(p + 44, 2);
    fota_put16(p + 46, 40);
    fota_put16(p + 48, SECTIONS);
    fota_put16(p + 50, SHSTRTAB);
    uint32_t head = m->headers_in_segment ? text : 0;
    const uint32_t program[2][8] = {{1, text - head, m->text_address - head, m->text_address - head,
                                     m->text_size + head, m->text_size + head, 5, 4},
                                    {1, data, m->data_address, m->data_load, m->data_size, m->data_size, 6, 4}};
    for (unsigned i = 0; i < 16u; i++)
        fota_put32(p + 52u + 4u * i, program[i / 8u][i % 8u]);
    return (struct pack_input){"made.elf", p, table + SECTIONS * 40u};
}
