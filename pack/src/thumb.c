/* SPDX-License-Identifier: MIT */
/** @file thumb.c Thumb instructions of 16 bits, and what all of them share. */
#include "thumb.h"

#include <stddef.h>

#define CALLER_SAVED 0x100Fu /* r0 to r3, r12: a call may change them (AAPCS 6.1.1) */
#define SP 13u
#define LR 14u

bool thumb_is_long(uint16_t first)
{
    return first >> 11 >= 0x1Du;
}

struct thumb_value thumb_number(uint32_t value)
{
    return (struct thumb_value){value, true, false};
}

struct thumb_value thumb_get(const struct thumb_work *w, unsigned n)
{
    const struct thumb_state *s = w->state;
    if (n == THUMB_PC) /* moves with the image, but what is computed of it is never written to VTOR */
        return (struct thumb_value){w->pc, true, true};
    return (struct thumb_value){s->value[n], (s->known >> n & 1u) != 0, (s->moves >> n & 1u) != 0};
}

void thumb_set(struct thumb_work *w, unsigned n, struct thumb_value v)
{
    struct thumb_state *s = w->state;
    uint16_t bit = (uint16_t) (1u << n);
    s->value[n] = v.known ? v.value : 0;
    s->known = (uint16_t) (v.known ? s->known | bit : s->known & ~bit);
    s->moves = (uint16_t) (v.known && v.moves ? s->moves | bit : s->moves & ~bit);
}

void thumb_forget(struct thumb_work *w, unsigned n)
{
    thumb_set(w, n, (struct thumb_value){0});
}

struct thumb_value thumb_compute(enum thumb_operation operation, struct thumb_value a, struct thumb_value b)
{
    struct thumb_value r = {0, a.known && b.known, a.moves || b.moves};
    switch (operation) {
    case THUMB_AND:
        r.value = a.value & b.value;
        break;
    case THUMB_BIC:
        r.value = a.value & ~b.value;
        break;
    case THUMB_OR:
        r.value = a.value | b.value;
        break;
    case THUMB_ORN:
        r.value = a.value | ~b.value;
        break;
    case THUMB_EOR:
        r.value = a.value ^ b.value;
        break;
    case THUMB_ADD:
        r.value = a.value + b.value;
        break;
    case THUMB_SUB:
        r.value = a.value - b.value;
        r.moves = a.moves != b.moves; /* the distance of two addresses stays */
        break;
    case THUMB_RSB:
        r.value = b.value - a.value;
        r.moves = a.moves != b.moves;
        break;
    }
    return r;
}

struct thumb_value thumb_shift(unsigned type, struct thumb_value a, unsigned by)
{
    if (type == 0)
        a.value <<= by;
    else if (type == 1u)
        a.value = by == 0 ? 0 : a.value >> by;
    else
        a.known = false; /* ASR, ROR, RRX: of no address */
    a.moves = a.moves && by == 0 && type == 0;
    return a;
}

void thumb_load_literal(struct thumb_work *w, unsigned n, uint32_t at)
{
    struct thumb_value v = {0};
    v.known = w->memory->word(w->memory->ctx, at, true, &v.value, &v.moves);
    w->step->literal = v.known;
    w->step->loaded = v.value;
    w->step->loaded_moves = v.moves;
    if (n == THUMB_PC)
        thumb_jump(w, v, false);
    else
        thumb_set(w, n, v);
}

void thumb_load(struct thumb_work *w, unsigned n, struct thumb_value at, bool word)
{
    struct thumb_value v = {0};
    if (at.known) {
        w->step->reads = true;
        w->step->read = at.value;
        v.known = word && w->memory->word(w->memory->ctx, at.value, false, &v.value, &v.moves);
    }
    if (n == THUMB_PC)
        thumb_jump(w, v, false);
    else
        thumb_set(w, n, v);
}

void thumb_store(struct thumb_work *w, unsigned n, struct thumb_value at, bool word)
{
    struct thumb_value v = thumb_get(w, n);
    struct thumb_step *s = w->step;
    s->writes = true;
    s->write_known = at.known;
    s->write = at.value;
    s->value_known = v.known && word;
    s->value = v.value;
    s->value_moves = v.moves;
}

void thumb_load_many(struct thumb_work *w, unsigned base, unsigned list)
{
    for (unsigned n = 0; n < THUMB_PC; n++)
        if ((list >> n & 1u) != 0)
            thumb_forget(w, n);
    thumb_forget(w, base);
    if ((list >> THUMB_PC & 1u) != 0)
        w->step->flow = THUMB_LEAVE;
}

/* Nobody writes VTOR or the watchdog like this: only the base's new value is lost. */
void thumb_store_many(struct thumb_work *w, unsigned base, unsigned list)
{
    (void) list;
    thumb_forget(w, base);
}

void thumb_jump(struct thumb_work *w, struct thumb_value to, bool call)
{
    struct thumb_step *s = w->step;
    bool known = to.known && (to.value & 1u) != 0;
    s->target = known ? to.value & ~1u : 0;
    s->flow = call ? THUMB_CALL : known ? THUMB_BRANCH : THUMB_LEAVE;
}

/* 000x: shifts, ADD and SUB of registers and small numbers; 001x: with a byte. */
static void arithmetic(struct thumb_work *w, uint16_t h)
{
    unsigned op = h >> 11, d = h & 7u, n = h >> 3 & 7u, third = h >> 6 & 7u;
    struct thumb_value byte = thumb_number(h & 0xFFu);
    if (op <= 2u) {
        thumb_set(w, d, thumb_shift(op, thumb_get(w, n), h >> 6 & 31u));
    } else if (op == 3u) {
        struct thumb_value b = (h & 0x0400u) != 0 ? thumb_number(third) : thumb_get(w, third);
        thumb_set(w, d, thumb_compute((h & 0x0200u) != 0 ? THUMB_SUB : THUMB_ADD, thumb_get(w, n), b));
    } else {
        d = h >> 8 & 7u;
        if (op == 4u)
            thumb_set(w, d, byte);
        else if (op != 5u) /* CMP */
            thumb_set(w, d, thumb_compute(op == 6u ? THUMB_ADD : THUMB_SUB, thumb_get(w, d), byte));
    }
}

/* 010000: data processing. */
static void process(struct thumb_work *w, uint16_t h)
{
    unsigned d = h & 7u;
    struct thumb_value a = thumb_get(w, d), b = thumb_get(w, h >> 3 & 7u);
    switch (h >> 6 & 15u) {
    case 0:
        thumb_set(w, d, thumb_compute(THUMB_AND, a, b));
        break;
    case 1:
        thumb_set(w, d, thumb_compute(THUMB_EOR, a, b));
        break;
    case 8:  /* TST */
    case 10: /* CMP */
    case 11: /* CMN */
        break;
    case 9:
        thumb_set(w, d, thumb_compute(THUMB_RSB, b, thumb_number(0)));
        break;
    case 12:
        thumb_set(w, d, thumb_compute(THUMB_OR, a, b));
        break;
    case 14:
        thumb_set(w, d, thumb_compute(THUMB_BIC, a, b));
        break;
    case 15:
        thumb_set(w, d, thumb_compute(THUMB_ORN, thumb_number(0), b));
        break;
    default:
        thumb_forget(w, d);
        break;
    }
}

/* 010001: ADD, CMP, MOV, BX, BLX of any register. */
static void any_register(struct thumb_work *w, uint16_t h)
{
    unsigned d = (h & 7u) | (h >> 4 & 8u);
    struct thumb_value m = thumb_get(w, h >> 3 & 15u);
    switch (h >> 8 & 3u) {
    case 0:
        if (d == THUMB_PC)
            w->step->flow = THUMB_LEAVE;
        else
            thumb_set(w, d, thumb_compute(THUMB_ADD, thumb_get(w, d), m));
        break;
    case 1:
        break;
    case 2:
        if (d == THUMB_PC)
            w->step->flow = THUMB_LEAVE;
        else
            thumb_set(w, d, m);
        break;
    default:
        thumb_jump(w, m, (h & 0x80u) != 0);
        break;
    }
}

/* 0101, 011x, 1000, 1001: loads and stores of one register. */
static void load_store(struct thumb_work *w, uint16_t h)
{
    static const unsigned char size_of[8] = {2, 1, 0, 0, 2, 1, 0, 1}; /* of 0101: log2 */
    unsigned t = h & 7u, op = h >> 9 & 7u;
    struct thumb_value base = thumb_get(w, h >> 3 & 7u), offset;
    bool load = (h & 0x0800u) != 0, word = true;
    if (h >> 12 == 5u) {
        load = op >= 3u;
        word = size_of[op] == 2u;
        offset = thumb_get(w, h >> 6 & 7u);
    } else if (h >> 12 == 9u) {
        t = h >> 8 & 7u;
        base = thumb_get(w, SP);
        offset = thumb_number(4u * (h & 0xFFu));
    } else {
        unsigned shift = h >> 12 == 6u ? 2u : h >> 12 == 7u ? 0u : 1u;
        word = shift == 2u;
        offset = thumb_number((h >> 6 & 31u) << shift);
    }
    struct thumb_value at = thumb_compute(THUMB_ADD, base, offset);
    if (load)
        thumb_load(w, t, at, word);
    else
        thumb_store(w, t, at, word);
}

/* 1011: what does not fit elsewhere. */
static void miscellaneous(struct thumb_work *w, uint16_t h)
{
    struct thumb_step *s = w->step;
    if ((h & 0xFF00u) == 0xB000u) {
        thumb_forget(w, SP);
    } else if ((h & 0xF500u) == 0xB100u) { /* CBZ, CBNZ */
        s->flow = THUMB_EITHER;
        s->target = w->pc + ((h >> 3 & 0x40u) | (h >> 2 & 0x3Eu));
    } else if ((h & 0xFE00u) == 0xBC00u) { /* POP */
        thumb_load_many(w, SP, (h & 0xFFu) | (h & 0x0100u) << 7);
    } else if ((h & 0xFF00u) == 0xBF00u && (h & 15u) != 0) { /* IT */
        w->state->it = (uint8_t) h;
    } else if ((h & 0xFF00u) == 0xB200u || (h & 0xFF00u) == 0xBA00u) { /* SXTH …, REV … */
        thumb_forget(w, h & 7u);
    }
}

static void short_branch(struct thumb_work *w, uint16_t h)
{
    struct thumb_step *s = w->step;
    uint32_t byte = h & 0xFFu, distance = h & 0x7FFu;
    if (h >> 12 == 14u) {
        s->flow = THUMB_BRANCH;
        s->target = w->pc + (((distance ^ 0x400u) - 0x400u) << 1);
    } else if ((h >> 8 & 15u) < 14u) {
        s->flow = THUMB_EITHER;
        s->target = w->pc + (((byte ^ 0x80u) - 0x80u) << 1);
    } else if ((h >> 8 & 15u) == 14u) { /* UDF */
        s->flow = THUMB_LEAVE;
    }
}

static void short_one(struct thumb_work *w, uint16_t h)
{
    unsigned five = h >> 11;
    if (five < 8u)
        arithmetic(w, h);
    else if (h >> 10 == 0x10u)
        process(w, h);
    else if (h >> 10 == 0x11u)
        any_register(w, h);
    else if (five == 9u)
        thumb_load_literal(w, h >> 8 & 7u, (w->pc & ~3u) + 4u * (h & 0xFFu));
    else if (five < 20u)
        load_store(w, h);
    else if (five == 20u) /* ADR */
        thumb_set(w, h >> 8 & 7u, (struct thumb_value){(w->pc & ~3u) + 4u * (h & 0xFFu), true, true});
    else if (five == 21u)
        thumb_forget(w, h >> 8 & 7u);
    else if (h >> 12 == 11u)
        miscellaneous(w, h);
    else if (five == 24u)
        thumb_store_many(w, h >> 8 & 7u, h & 0xFFu);
    else if (five == 25u)
        thumb_load_many(w, h >> 8 & 7u, h & 0xFFu);
    else
        short_branch(w, h);
}

/* In an IT block an instruction may be left out: what it changed is not known, and the next one may follow. */
static void perhaps(struct thumb_state *state, const struct thumb_state *before, struct thumb_step *step)
{
    for (unsigned n = 0; n < THUMB_PC; n++) {
        uint16_t bit = (uint16_t) (1u << n);
        if (((state->known ^ before->known) & bit) != 0 || state->value[n] != before->value[n] ||
            ((state->moves ^ before->moves) & bit) != 0) {
            state->known &= (uint16_t) ~bit;
            state->moves &= (uint16_t) ~bit;
        }
    }
    if (step->flow == THUMB_BRANCH)
        step->flow = THUMB_EITHER;
    else if (step->flow == THUMB_LEAVE)
        step->flow = THUMB_NEXT;
    unsigned it = before->it; /* ITAdvance() */
    state->it = (uint8_t) ((it & 7u) == 0 ? 0u : (it & 0xE0u) | (it << 1 & 0x1Fu));
}

void thumb_step(const struct thumb_memory *memory, struct thumb_state *state, uint32_t address, uint16_t first,
                uint16_t second, struct thumb_step *step)
{
    struct thumb_state before = *state;
    struct thumb_work w = {memory, state, step, address, address + 4u};
    *step = (struct thumb_step){.size = thumb_is_long(first) ? 4u : 2u, .flow = THUMB_NEXT};
    if (step->size == 4u)
        thumb_long(&w, first, second);
    else
        short_one(&w, first);
    if (before.it != 0)
        perhaps(state, &before, step);
}

void thumb_after_call(struct thumb_state *state)
{
    state->known &= (uint16_t) ~(CALLER_SAVED | 1u << LR);
    state->moves &= state->known;
}
