/* SPDX-License-Identifier: MIT */
/** @file walk.c Which code can be reached. */
#include "walk.h"

#include "emitted.h"
#include "fota/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Beside those of emitted.h; READY: it stands in the queue or was done. */
enum { MARK_START = 16, MARK_READY = 32, MARK_REACHED = 64 };

struct walk_item {
    uint32_t address;
    struct thumb_state state;
};

/* Where an address of the running program lies in `code`. @param length that must be there. */
static bool locate(const struct walk *w, uint32_t address, uint32_t length, uint32_t *offset)
{
    for (unsigned i = 0; i < w->elf->segment_count; i++) {
        const struct pack_segment *s = &w->elf->segment[i];
        uint32_t into = address - s->virtual_address;
        if (address >= s->virtual_address && into < s->size && length <= s->size - into) {
            *offset = s->load_address - w->elf->low + into;
            return true;
        }
    }
    return false;
}

bool walk_word(const struct walk *w, uint32_t address, uint32_t *value)
{
    uint32_t at = 0;
    if (!locate(w, address, 4, &at))
        return false;
    *value = fota_get32(w->code + at);
    return true;
}

uint32_t walk_load_address(const struct walk *w, uint32_t address)
{
    uint32_t at = 0;
    return locate(w, address, 1, &at) ? w->elf->low + at : address;
}

static int by_offset(const void *key, const void *element)
{
    uint32_t x, y;
    memcpy(&x, key, sizeof x);
    memcpy(&y, element, sizeof y);
    return x < y ? -1 : x > y;
}

/* What an instruction reads; outside of the flash a variable has changed since. */
static bool read_word(void *ctx, uint32_t address, bool literal, uint32_t *value, bool *moves)
{
    const struct walk *w = ctx;
    uint32_t at = 0;
    if ((!literal && address - FOTA_FLASH_BASE >= FOTA_FLASH_SIZE) || !locate(w, address, 4, &at))
        return false;
    *value = fota_get32(w->code + at);
    *moves = w->image != NULL && w->image->count > 0 && at + 4u <= w->image->size &&
             bsearch(&at, w->image->relocations, w->image->count, sizeof at, by_offset) != NULL;
    return true;
}

static void mark_starts(struct walk *w)
{
    for (uint32_t i = 1; i < w->elf->symbol_count; i++) {
        struct pack_symbol s;
        uint32_t at = 0;
        pack_elf_symbol(w->elf, i, &s);
        if (s.type != STT_FUNC || (s.value & 1u) == 0 || s.section == SHN_UNDEF || !locate(w, s.value & ~1u, 2, &at))
            continue;
        w->marks[at] |= MARK_START;
        w->symbols = true;
    }
}

int walk_begin(struct walk *w, const struct pack_elf *elf, const uint8_t *code, const struct pack_image *image,
               struct pack_message *error)
{
    *w = (struct walk){.elf = elf, .image = image, .code = code, .size = elf->high - elf->low};
    w->memory = (struct thumb_memory){w, read_word};
    w->marks = calloc(w->size, 1);
    if (w->marks == NULL)
        return pack_no_memory(error);
    int e = pack_mark_code(elf, code, w->size, w->marks, error);
    if (e == FOTA_OK)
        mark_starts(w);
    return e;
}

void walk_end(struct walk *w)
{
    free(w->marks);
    free(w->queue);
    w->marks = NULL;
    w->queue = NULL;
}

void walk_again(struct walk *w)
{
    for (uint32_t i = 0; i < w->size; i++)
        w->marks[i] &= (uint8_t) ~(MARK_READY | MARK_REACHED);
}

/* Is an instruction here, as far as one can know? */
static bool is_code(const struct walk *w, uint32_t at)
{
    return !w->symbols || (w->marks[at] & (MARK_THUMB | MARK_FUNCTION)) != MARK_FUNCTION;
}

static void add(struct walk *w, uint32_t from, uint32_t address, const struct thumb_state *state)
{
    uint32_t at = 0;
    if (!locate(w, address, 2, &at) || !is_code(w, at))
        return;
    if (w->events.edge != NULL)
        w->events.edge(w->events.ctx, from, address);
    if ((w->marks[at] & MARK_READY) != 0)
        return;
    if (w->queued == w->capacity) {
        size_t more = w->capacity == 0 ? 256u : 2u * w->capacity;
        struct walk_item *larger = realloc(w->queue, more * sizeof *larger);
        if (larger == NULL) {
            w->no_memory = true;
            return;
        }
        w->queue = larger;
        w->capacity = more;
    }
    w->marks[at] |= MARK_READY;
    w->queue[w->queued++] = (struct walk_item){address, *state};
}

/* Does a word look like a pointer to a function? With symbols it must be the beginning of one. */
static bool is_function(const struct walk *w, uint32_t value)
{
    uint32_t at = 0;
    return (value & 1u) != 0 && locate(w, value & ~1u, 2, &at) && (!w->symbols || (w->marks[at] & MARK_START) != 0);
}

#define TABLE_MAX 1024u

/* A table ends where the first of its targets begins: nothing else bounds it. */
static void follow_table(struct walk *w, uint32_t from, const struct thumb_step *step, const struct thumb_state *state)
{
    uint32_t end = UINT32_MAX, at = 0;
    for (uint32_t n = 0; n < TABLE_MAX; n++) {
        uint32_t target, place = step->table + n * step->table_width;
        if (place >= end)
            return;
        if (!locate(w, place, step->table_width, &at) || ((w->marks[at] & MARK_REACHED) != 0 && w->symbols))
            return;
        if (step->table_width == 4u) {
            target = fota_get32(w->code + at);
            if ((target & 1u) == 0 || !locate(w, target & ~1u, 2, &at))
                return;
            target &= ~1u;
        } else {
            target = step->table + 2u * (step->table_width == 2u ? fota_get16(w->code + at) : (uint32_t) w->code[at]);
        }
        add(w, from, target, state);
        if (target >= step->table && target < end)
            end = target;
    }
}

/* The way on behind an instruction. @return false: there is none. */
static bool follow(struct walk *w, uint32_t address, const struct thumb_step *step, struct thumb_state *state)
{
    static const struct thumb_state nothing;
    struct thumb_state called = *state;
    uint32_t next = address + step->size, at = 0;
    switch (step->flow) {
    case THUMB_NEXT:
        return true;
    case THUMB_EITHER:
        add(w, address, step->target, state);
        return true;
    case THUMB_BRANCH:
        add(w, address, step->target, state);
        return false;
    case THUMB_CALL:
        called.it = 0;
        if (step->target != 0)
            add(w, address, step->target, &called);
        thumb_after_call(state);
        /* what never returns may be the last of its function */
        return locate(w, next, 2, &at) && (w->marks[at] & MARK_START) == 0;
    case THUMB_TABLE:
        follow_table(w, address, step, step->table_width == 4u ? &nothing : state);
        return false;
    case THUMB_LEAVE:
        break;
    }
    return false;
}

static void straight(struct walk *w, struct walk_item *item)
{
    static const struct thumb_state nothing;
    uint32_t at = 0;
    for (uint32_t address = item->address;;) {
        struct thumb_step step = {0};
        if (!locate(w, address, 2, &at) || !is_code(w, at) || (w->marks[at] & MARK_REACHED) != 0)
            return;
        uint16_t first = fota_get16(w->code + at), second = 0;
        w->marks[at] |= MARK_READY | MARK_REACHED;
        if (thumb_is_long(first)) {
            if (!locate(w, address, 4, &at))
                return;
            second = fota_get16(w->code + at + 2u);
        }
        thumb_step(&w->memory, &item->state, address, first, second, &step);
        if (w->events.step != NULL)
            w->events.step(w->events.ctx, address, &step);
        if (step.literal && is_function(w, step.loaded))
            add(w, address, step.loaded & ~1u, &nothing);
        if (!follow(w, address, &step, &item->state))
            return;
        address += step.size;
    }
}

static void work(struct walk *w)
{
    while (w->queued > 0) {
        struct walk_item item = w->queue[--w->queued];
        straight(w, &item);
    }
}

void walk_from(struct walk *w, uint32_t pointer)
{
    static const struct thumb_state nothing;
    if ((pointer & 1u) != 0)
        add(w, w->elf->low, pointer & ~1u, &nothing);
    work(w);
}

void walk_from_data(struct walk *w)
{
    static const struct thumb_state nothing;
    for (unsigned i = 0; w->symbols && i < w->elf->segment_count; i++) {
        const struct pack_segment *s = &w->elf->segment[i];
        uint32_t begin = s->load_address - w->elf->low;
        for (uint32_t into = (0u - s->virtual_address) & 3u; into < s->size && s->size - into >= 4u; into += 4u) {
            uint32_t value = fota_get32(w->code + begin + into);
            if ((w->marks[begin + into] & (MARK_FUNCTION | MARK_THUMB)) != 0 || !is_function(w, value))
                continue;
            add(w, s->virtual_address + into, value & ~1u, &nothing);
        }
    }
    work(w);
}

bool walk_reached(const struct walk *w, uint32_t address)
{
    uint32_t at = 0;
    return locate(w, address & ~1u, 2, &at) && (w->marks[at] & MARK_REACHED) != 0;
}
