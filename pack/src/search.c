/* SPDX-License-Identifier: MIT */
/**
 * @file search.c
 * The search for words that look like an address in slot A although no relocation covers them: the linker's
 * veneers, LONG() in the linker script, numbers used as addresses.
 *
 * Thumb instructions (`add.w r8, r6, r3` is 0x0803EB06 as a word) and the byte tables of TBB and TBH look
 * like addresses, too. So the instructions of functions and these tables are left out; mapping symbols ($t,
 * $d; IHI 0044, 4.5.6) and function symbols tell where they are. What a linker script or the linker itself
 * adds lies outside of functions.
 */
#include "emitted.h"
#include "fota/bytes.h"

#include <inttypes.h>
#include <stdlib.h>

struct mapping {
    uint32_t from, to; /* of the image; `to` is the end of the section at first */
    bool thumb;
};

static int by_from(const void *a, const void *b)
{
    const struct mapping *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static bool is_mapping(const char *name)
{
    return name[0] == '$' && (name[1] == 't' || name[1] == 'd' || name[1] == 'a') &&
           (name[2] == '\0' || name[2] == '.');
}

/* Mark what the symbols call code. @param depth size + 1 counters, all 0, so that any number of
 * functions costs one pass. */
static void mark_symbols(const struct pack_elf *elf, uint32_t size, uint8_t *marks, struct mapping *mappings,
                         int32_t *depth)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < elf->symbol_count; i++) {
        struct pack_symbol s;
        struct pack_section in;
        uint32_t lma = 0;
        pack_elf_symbol(elf, i, &s);
        bool mapping = is_mapping(s.name), function = s.type == STT_FUNC && (s.value & 1u) != 0;
        if ((!mapping && !function) || s.section >= SHN_LORESERVE || !pack_elf_section(elf, s.section, &in) ||
            !pack_elf_load_address(elf, &in, &lma))
            continue;
        uint32_t into = (s.value & ~1u) - in.address, from = lma - elf->low + into;
        if (into >= in.size)
            continue;
        uint32_t room = in.size - into;
        if (mapping) {
            mappings[count++] = (struct mapping){from, from + room, s.name[1] == 't'};
        } else {
            depth[from]++;
            depth[from + (s.size < room ? s.size : room)]--;
        }
    }
    if (count > 0)
        qsort(mappings, count, sizeof *mappings, by_from);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = i + 1u < count && mappings[i + 1u].from < mappings[i].to ? mappings[i + 1u].from : mappings[i].to;
        for (uint32_t at = mappings[i].from; mappings[i].thumb && at < to; at++)
            marks[at] |= MARK_THUMB;
    }
    int32_t inside = 0;
    for (uint32_t i = 0; i < size; i++) {
        inside += depth[i];
        if (inside > 0)
            marks[i] |= MARK_FUNCTION;
    }
}

static bool is_code(uint8_t marks)
{
    return (marks & (MARK_THUMB | MARK_FUNCTION)) == (MARK_THUMB | MARK_FUNCTION);
}

int pack_mark_code(const struct pack_elf *elf, const uint8_t *code, uint32_t size, uint8_t *marks,
                   struct pack_message *error)
{
    struct mapping *mappings = malloc(((size_t) elf->symbol_count + 1u) * sizeof *mappings);
    int32_t *depth = calloc((size_t) size + 1u, sizeof *depth);
    if (mappings != NULL && depth != NULL)
        mark_symbols(elf, size, marks, mappings, depth);
    bool done = mappings != NULL && depth != NULL;
    free(mappings);
    free(depth);
    for (uint32_t i = 0; i + 4u <= size;) {
        if (!is_code(marks[i])) {
            i += 2u;
            continue;
        }
        uint32_t first = fota_get16(code + i), second = fota_get16(code + i + 2u);
        i += first >> 11 >= 0x1Du ? 4u : 2u;                   /* ARMv7-M ARM A5.1 */
        if (first != 0xE8DFu || (second & 0xFFE0u) != 0xF000u) /* TBB, TBH relative to the PC: A7.7.182 */
            continue;
        for (; i < size && (marks[i] & (MARK_THUMB | MARK_FUNCTION)) == MARK_FUNCTION; i++)
            marks[i] |= MARK_THUMB;
        i = (i + 1u) & ~1u;
    }
    return done ? FOTA_OK : pack_no_memory(error);
}

/* May a word be at this offset that nobody vouches for? */
static bool is_suspect(const uint8_t *marks, uint32_t i)
{
    bool in_function = false;
    if ((marks[i] & MARK_ALLOWED) != 0)
        return false;
    for (uint32_t at = i; at < i + 4u; at++) {
        if ((marks[at] & MARK_COVERED) != 0 || is_code(marks[at]))
            return false;
        in_function = in_function || (marks[at] & MARK_FUNCTION) != 0;
    }
    return !in_function || i % 4u == 0; /* literal pools are aligned */
}

int pack_search(const struct pack_elf *elf, const struct pack_image *image, uint8_t *marks, struct pack_message *error)
{
    int e = pack_mark_code(elf, image->code, image->size, marks, error);
    if (e != FOTA_OK)
        return e;
    for (uint32_t i = 0; i + 4u <= image->size; i++) {
        uint32_t value = fota_get32(image->code + i);
        if (!pack_in_slot_a(value, false) || !is_suspect(marks, i))
            continue;
        char place[200];
        pack_elf_describe(elf, FOTA_LINK_ADDRESS + i, place, sizeof place);
        e = pack_fail(error, FOTA_E_RELOCATION,
                      "%s: the word 0x%08" PRIx32 " at 0x%08" PRIx32
                      " (%s) looks like an address in slot A, but no relocation covers it (a veneer of "
                      "the linker, a LONG() of the "
                      "linker script, a number used as an address): " PACK_TWO_LINKS
                      "; or, if it is no address, say --allow-word 0x%08" PRIx32,
                      elf->name, value, FOTA_LINK_ADDRESS + i, place, FOTA_LINK_ADDRESS + i);
        error->word = FOTA_LINK_ADDRESS + i;
        return e;
    }
    return FOTA_OK;
}
