/* SPDX-License-Identifier: MIT */
/**
 * @file emitted.c
 * One link with --emit-relocs: which words move is read from the relocation sections that the linker kept
 * (ELF for the Arm Architecture, IHI 0044, 4.6), strictly. What this cannot prove is refused, with two links
 * as the remedy.
 */
#include "emitted.h"
#include "fota/bytes.h"
#include "thumb.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REL_SIZE 8u

struct work {
    const struct pack_elf *elf;
    struct pack_image *image;
    struct pack_message *error;
    uint8_t *marks;
    uint32_t capacity;
    uint32_t relocations_seen;
};

/* One relocation, looked up. */
struct entry {
    unsigned type;
    uint32_t place;   /* where it stands when the program runs */
    uint32_t address; /* where it is loaded, in slot A */
    uint32_t offset;  /* the same in the image */
    struct pack_symbol symbol;
};

enum action { IGNORE, MOVE_WORD, RELATIVE, BRANCH, HALF, PART, UNKNOWN };

/* What a relocation of this type does to its place. */
static enum action action_of(unsigned type)
{
    switch (type) {
    case 0:  /* NONE */
    case 40: /* V4BX */
        return IGNORE;
    case 2:  /* ABS32 */
    case 38: /* TARGET1: the same as ABS32 unless the linker was told --target1-rel; the word's value tells */
        return MOVE_WORD;
    case 3:  /* REL32 */
    case 42: /* PREL31 */
    case 41: /* TARGET2: REL32 for bare metal */
    case 4:  /* LDR_PC_G0 */
    case 11: /* THM_PC8 */
    case 45: /* MOVW_PREL_NC */
    case 46: /* MOVT_PREL */
    case 49: /* THM_MOVW_PREL_NC */
    case 50: /* THM_MOVT_PREL */
    case 53: /* THM_ALU_PREL_11_0 */
    case 54: /* THM_PC12 */
        return RELATIVE;
    case 10:  /* THM_CALL */
    case 30:  /* THM_JUMP24 */
    case 51:  /* THM_JUMP19 */
    case 52:  /* THM_JUMP6 */
    case 102: /* THM_JUMP11 */
    case 103: /* THM_JUMP8 */
        return BRANCH;
    case 43:  /* MOVW_ABS_NC */
    case 44:  /* MOVT_ABS */
    case 47:  /* THM_MOVW_ABS_NC */
    case 48:  /* THM_MOVT_ABS */
    case 132: /* THM_ALU_ABS_G0_NC … G3 */
    case 133:
    case 134:
    case 135:
        return HALF;
    case 5: /* ABS16 */
    case 6: /* ABS12 */
    case 7: /* THM_ABS5 */
    case 8: /* ABS8 */
        return PART;
    default:
        return UNKNOWN;
    }
}

/* How many bytes of its section a relocation touches. */
static uint32_t action_width(unsigned type)
{
    switch (type) {
    case 5:  /* ABS16 */
    case 7:  /* THM_ABS5 */
    case 11: /* THM_PC8 */
    case 52: /* THM_JUMP6 */
    case 102:
    case 103:
    case 132: /* THM_ALU_ABS: one 16-bit instruction each */
    case 133:
    case 134:
    case 135:
        return 2u;
    case 8: /* ABS8 */
        return 1u;
    default:
        return 4u;
    }
}

/* "app.elf: the word at 0x08004310 (`main`+0x10 in .text)" */
static int refuse(const struct work *w, const struct entry *e, const char *thing, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const struct work *w, const struct entry *e, const char *thing, const char *format, ...)
{
    char place[200], why[600];
    va_list list;
    va_start(list, format);
    (void) vsnprintf(why, sizeof why, format, list);
    va_end(list);
    pack_elf_describe(w->elf, e->address, place, sizeof place);
    return pack_fail(w->error, FOTA_E_RELOCATION, "%s: the %s at 0x%08" PRIx32 " (%s) %s", w->elf->name, thing,
                     e->address, place, why);
}

static int move_word(struct work *w, const struct entry *e)
{
    uint32_t value = fota_get32(w->image->code + e->offset);
    if (e->symbol.value == FOTA_SLOT_B_BASE)
        return refuse(w, e, "word",
                      "refers to `%s` = 0x%08" PRIx32
                      ", which is the end of slot A and the beginning of slot B as well: " PACK_TWO_LINKS,
                      e->symbol.name, e->symbol.value);
    if (!pack_in_slot_a(e->symbol.value, false))
        return FOTA_OK; /* RAM, a peripheral, a number; the search for uncovered words looks at it once more
                         */
    if (!pack_in_slot_a(value, true))
        return refuse(w, e, "word",
                      "is 0x%08" PRIx32 ": its relocation names `%s` = 0x%08" PRIx32
                      " in slot A, but the word is no address there: " PACK_TWO_LINKS,
                      value, e->symbol.name, e->symbol.value);
    for (unsigned i = 0; i < 4u; i++) {
        if ((w->marks[e->offset + i] & MARK_COVERED) != 0)
            return refuse(w, e, "word", "overlaps another one that has a relocation, too: " PACK_TWO_LINKS);
        w->marks[e->offset + i] |= MARK_COVERED;
    }
    return pack_relocation_add(w->image, &w->capacity, e->offset) ? FOTA_OK : pack_no_memory(w->error);
}

static int branch(const struct work *w, const struct entry *e)
{
    uint32_t target = e->symbol.value;
    bool place_moves = pack_in_slot_a(e->place, false);
    /* the linker may have put a veneer in between; a call of a missing weak function becomes a NOP */
    const uint8_t *code = w->image->code + e->offset;
    if (action_width(e->type) == 4u && !thumb_branch(fota_get16(code), fota_get16(code + 2), e->place, &target))
        return FOTA_OK;
    if (place_moves == pack_in_slot_a(target, true))
        return FOTA_OK;
    return refuse(w, e, "branch",
                  "goes to `%s` = 0x%08" PRIx32
                  ", which does not move together with it: call it through a pointer (a variable, or -mlong-calls)",
                  e->symbol.name, target);
}

static int judge(struct work *w, const struct entry *e)
{
    bool symbol_moves = pack_in_slot_a(e->symbol.value, true);
    switch (action_of(e->type)) {
    case IGNORE:
        return FOTA_OK;
    case MOVE_WORD:
        return move_word(w, e);
    case BRANCH:
        return branch(w, e);
    case HALF:
        if (!symbol_moves)
            return FOTA_OK;
        return refuse(w, e, "instruction",
                      "is a MOVW or MOVT (relocation type %u) that holds half the address of `%s`; only "
                      "whole 32-bit words can be "
                      "moved to slot B: " PACK_MOVW_REMEDY,
                      e->type, e->symbol.name);
    case PART:
        if (!symbol_moves)
            return FOTA_OK;
        break;
    case RELATIVE:
        if (pack_in_slot_a(e->place, false) == symbol_moves)
            return FOTA_OK;
        break;
    case UNKNOWN:
        return refuse(w, e, "place", "has a relocation of type %u, which is not known here: " PACK_TWO_LINKS, e->type);
    }
    return refuse(w, e, "place",
                  "has a relocation of type %u to `%s` = 0x%08" PRIx32
                  ", whose value in slot B is not a word that moved by the slot distance: " PACK_TWO_LINKS,
                  e->type, e->symbol.name, e->symbol.value);
}

/* One entry of a section that is loaded at `lma`. */
static int relocation(struct work *w, const struct pack_section *section, uint32_t lma, const uint8_t *raw)
{
    const struct pack_elf *elf = w->elf;
    uint32_t info = fota_get32(raw + 4);
    struct entry e = {.type = info & 0xFFu, .place = fota_get32(raw)};
    if (action_of(e.type) == IGNORE)
        return FOTA_OK;
    w->relocations_seen++;
    uint32_t width = action_width(e.type), into = e.place - section->address;
    if (section->size < width || into > section->size - width || info >> 8 >= elf->symbol_count)
        return pack_fail(w->error, FOTA_E_RELOCATION,
                         "%s: a relocation of type %u at 0x%08" PRIx32
                         " lies outside its section %s, or has no symbol: the ELF is damaged",
                         elf->name, e.type, e.place, section->name);
    e.address = lma + into;
    e.offset = e.address - FOTA_LINK_ADDRESS;
    pack_elf_symbol(elf, info >> 8, &e.symbol);
    if (e.symbol.type == STT_SECTION) {
        struct pack_section of;
        e.symbol.name = pack_elf_section(elf, e.symbol.section, &of) ? of.name : "";
    }
    return judge(w, &e);
}

static int sections(struct work *w)
{
    const struct pack_elf *elf = w->elf;
    for (uint32_t i = 1; i < elf->section_count; i++) {
        struct pack_section rel, of;
        uint32_t lma = 0;
        if (!pack_elf_section(elf, i, &rel) || (rel.type != SHT_REL && rel.type != SHT_RELA) || rel.size == 0 ||
            !pack_elf_section(elf, rel.info, &of) || !pack_elf_load_address(elf, &of, &lma))
            continue; /* of debug information, or of something that is not loaded */
        if (rel.type != SHT_REL || rel.entry_size != REL_SIZE || rel.link != elf->symbol_table ||
            elf->symbol_table == 0)
            return pack_fail(
                w->error, FOTA_E_FORMAT,
                "%s: the relocations of %s are not as the Arm ELF ABI wants them (SHT_REL): " PACK_TWO_LINKS, elf->name,
                of.name);
        for (uint32_t at = 0; rel.size - at >= REL_SIZE; at += REL_SIZE) {
            int e = relocation(w, &of, lma, elf->data + rel.offset + at);
            if (e != FOTA_OK)
                return e;
        }
    }
    if (w->relocations_seen == 0)
        return pack_fail(w->error, FOTA_E_RELOCATION,
                         "%s: there are no relocations in this ELF, so it cannot be moved to slot B: link it "
                         "with -Wl,--emit-relocs, or "
                         "link it a second time for slot B (0x%08x) and give both",
                         elf->name, FOTA_LINK_ADDRESS + FOTA_SLOT_DISTANCE);
    return FOTA_OK;
}

static int allow_words(struct work *w, const uint32_t *allow, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (allow[i] < FOTA_LINK_ADDRESS || allow[i] - FOTA_LINK_ADDRESS > w->image->size - 4u)
            return pack_fail(w->error, FOTA_E_ARGUMENT,
                             "--allow-word 0x%08" PRIx32 " is outside the image, 0x%08x to 0x%08" PRIx32, allow[i],
                             FOTA_LINK_ADDRESS, FOTA_LINK_ADDRESS + w->image->size - 4u);
        w->marks[allow[i] - FOTA_LINK_ADDRESS] |= MARK_ALLOWED;
    }
    return FOTA_OK;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

int pack_emitted(const struct pack_elf *elf, const uint32_t *allow, size_t allow_count, struct pack_image *image,
                 struct pack_message *error)
{
    struct work w = {.elf = elf, .image = image, .error = error, .marks = calloc(image->size, 1)};
    if (w.marks == NULL)
        return pack_no_memory(error);
    int e = sections(&w);
    if (e == FOTA_OK)
        e = allow_words(&w, allow, allow_count);
    if (e == FOTA_OK)
        e = pack_search(elf, image, w.marks, error);
    if (image->count > 0)
        qsort(image->relocations, image->count, sizeof *image->relocations, by_value);
    free(w.marks);
    return e;
}
