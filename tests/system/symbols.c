/* SPDX-License-Identifier: MIT */
#include "symbols.h"

#include "pack.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static const Elf32_Shdr *symbol_table(const struct pack_buffer *elf)
{
    const Elf32_Ehdr *head = (const void *) elf->data;
    const Elf32_Shdr *sections = (const void *) (elf->data + head->e_shoff);

    for (unsigned i = 0; i < head->e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB)
            return &sections[i];
    return NULL;
}

static void take(struct symbols *s, const struct pack_buffer *elf, const Elf32_Shdr *table)
{
    const Elf32_Ehdr *head = (const void *) elf->data;
    const Elf32_Shdr *strings = (const Elf32_Shdr *) (const void *) (elf->data + head->e_shoff) + table->sh_link;
    const Elf32_Sym *symbols = (const void *) (elf->data + table->sh_offset);
    size_t count = table->sh_size / sizeof *symbols;

    s->list = calloc(count, sizeof *s->list);
    if (s->list == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const Elf32_Sym *symbol = &symbols[i];
        struct symbol *to = &s->list[s->count];

        if (ELF32_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_size == 0)
            continue;
        to->first = symbol->st_value & ~1u;
        to->end = to->first + symbol->st_size;
        (void) snprintf(to->name, sizeof to->name, "%s",
                        (const char *) elf->data + strings->sh_offset + symbol->st_name);
        s->count++;
    }
    qsort(s->list, s->count, sizeof *s->list, by_address);
}

bool symbols_read(struct symbols *s, const char *path)
{
    struct pack_buffer elf;
    struct pack_message error = {0};
    const Elf32_Shdr *table;

    memset(s, 0, sizeof *s);
    if (pack_file_read(path, PACK_FILE_MAX, &elf, &error) != FOTA_OK) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    table = symbol_table(&elf);
    if (table != NULL)
        take(s, &elf, table);
    pack_buffer_free(&elf);
    if (s->count == 0)
        fprintf(stderr, "%s has no symbols\n", path);
    return s->count > 0;
}

void symbols_free(struct symbols *s)
{
    free(s->list);
    memset(s, 0, sizeof *s);
}

uint32_t symbols_find(const struct symbols *s, const char *name)
{
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->list[i].name, name) == 0)
            return s->list[i].first;
    return 0;
}

const struct symbol *symbols_at(const struct symbols *s, uint32_t address)
{
    unsigned low = 0, high = s->count;

    while (low < high) {
        unsigned middle = (low + high) / 2u;

        if (address < s->list[middle].first)
            high = middle;
        else
            low = middle + 1u;
    }
    return low > 0 && address < s->list[low - 1u].end ? &s->list[low - 1u] : NULL;
}
