/* SPDX-License-Identifier: MIT */
/** @file thumb32.c Thumb instructions of 32 bits (ARMv7-M ARM A5.3). */
#include "thumb.h"

bool thumb_branch(uint16_t first, uint16_t second, uint32_t place, uint32_t *target)
{
    uint32_t a = first, b = second, sign = a >> 10 & 1u, j1 = b >> 13 & 1u, j2 = b >> 11 & 1u, distance = 0;
    if ((a & 0xF800u) != 0xF000u || (b & 0x8000u) == 0)
        return false;
    if ((b & 0x5000u) != 0) /* BL, BLX, B.W without condition */
        distance = (sign != 0 ? 0xFF000000u : 0) | (~(j1 ^ sign) & 1u) << 23 | (~(j2 ^ sign) & 1u) << 22 |
                   (a & 0x3FFu) << 12 | (b & 0x7FFu) << 1;
    else if ((a & 0x0380u) != 0x0380u) /* B.W with condition */
        distance = (sign != 0 ? 0xFFF00000u : 0) | j2 << 19 | j1 << 18 | (a & 0x3Fu) << 12 | (b & 0x7FFu) << 1;
    else
        return false;
    *target = place + 4u + distance;
    return true;
}

/* ThumbExpandImm(), A5.3.2 */
static uint32_t expand(uint16_t first, uint16_t second)
{
    uint32_t code = (first & 0x0400u) << 1 | (second & 0x7000u) >> 4 | (second & 0xFFu), byte = code & 0xFFu;
    switch (code >> 8) {
    case 0:
        return byte;
    case 1:
        return byte | byte << 16;
    case 2:
        return byte << 8 | byte << 24;
    case 3:
        return byte | byte << 8 | byte << 16 | byte << 24;
    default: {
        unsigned by = code >> 7; /* 8 to 31 */
        uint32_t v = 0x80u | (code & 0x7Fu);
        return v >> by | v << (32u - by);
    }
    }
}

/* AND to RSB with a second operand, for both of its forms. */
static void process(struct thumb_work *w, unsigned op, unsigned n, unsigned d, struct thumb_value b)
{
    struct thumb_value a = thumb_get(w, n), nothing = thumb_number(0);
    if (d == THUMB_PC) /* TST, TEQ, CMN, CMP */
        return;
    switch (op) {
    case 0:
        thumb_set(w, d, thumb_compute(THUMB_AND, a, b));
        break;
    case 1:
        thumb_set(w, d, thumb_compute(THUMB_BIC, a, b));
        break;
    case 2:
        thumb_set(w, d, thumb_compute(THUMB_OR, n == THUMB_PC ? nothing : a, b));
        break;
    case 3:
        thumb_set(w, d, thumb_compute(THUMB_ORN, n == THUMB_PC ? nothing : a, b));
        break;
    case 4:
        thumb_set(w, d, thumb_compute(THUMB_EOR, a, b));
        break;
    case 8:
        thumb_set(w, d, thumb_compute(THUMB_ADD, a, b));
        break;
    case 13:
        thumb_set(w, d, thumb_compute(THUMB_SUB, a, b));
        break;
    case 14:
        thumb_set(w, d, thumb_compute(THUMB_RSB, a, b));
        break;
    default:
        thumb_forget(w, d);
        break;
    }
}

static void shifted_register(struct thumb_work *w, uint16_t first, uint16_t second)
{
    unsigned type = second >> 4 & 3u, by = (second >> 10 & 0x1Cu) | (second >> 6 & 3u);
    process(w, first >> 5 & 15u, first & 15u, second >> 8 & 15u, thumb_shift(type, thumb_get(w, second & 15u), by));
}

/* ADDW, SUBW, ADR, MOVW, MOVT and the bit fields. */
static void plain_number(struct thumb_work *w, uint16_t first, uint16_t second)
{
    unsigned op = first >> 4 & 31u, n = first & 15u, d = second >> 8 & 15u;
    uint32_t twelve = (first & 0x0400u) << 1 | (second & 0x7000u) >> 4 | (second & 0xFFu);
    uint32_t sixteen = (uint32_t) n << 12 | twelve;
    struct thumb_value base = n == THUMB_PC ? (struct thumb_value){w->pc & ~3u, true, true} : thumb_get(w, n), old;
    switch (op) {
    case 0:
        thumb_set(w, d, thumb_compute(THUMB_ADD, base, thumb_number(twelve)));
        break;
    case 10:
        thumb_set(w, d, thumb_compute(THUMB_SUB, base, thumb_number(twelve)));
        break;
    case 4:
        thumb_set(w, d, thumb_number(sixteen));
        break;
    case 12:
        old = thumb_get(w, d);
        old.value = (old.value & 0xFFFFu) | sixteen << 16;
        old.moves = false; /* halves do not move */
        w->step->literal = old.known;
        w->step->loaded = old.value;
        thumb_set(w, d, old);
        break;
    default:
        thumb_forget(w, d);
        break;
    }
}

static void branch_or_control(struct thumb_work *w, uint16_t first, uint16_t second)
{
    struct thumb_step *s = w->step;
    uint32_t target = 0;
    if (!thumb_branch(first, second, w->address, &target)) {
        if ((first & 0xFFE0u) == 0xF3E0u) /* MRS */
            thumb_forget(w, second >> 8 & 15u);
        else if ((first & 0xFFF0u) == 0xF7F0u) /* UDF */
            s->flow = THUMB_LEAVE;
        return;
    }
    s->target = target & ~1u;
    s->flow = (second & 0x5000u) == 0 ? THUMB_EITHER : (second & 0x4000u) != 0 ? THUMB_CALL : THUMB_BRANCH;
}

static void load_store_one(struct thumb_work *w, uint16_t first, uint16_t second)
{
    unsigned n = first & 15u, t = second >> 12;
    bool load = (first & 0x10u) != 0, word = (first >> 5 & 3u) == 2u, wide = (first & 0x80u) != 0;
    struct thumb_value base = thumb_get(w, n), at = {0};
    if (load && t == THUMB_PC && !word)
        return; /* PLD, PLI */
    if (load && n == THUMB_PC) {
        uint32_t from = (w->pc & ~3u) + (wide ? second & 0xFFFu : 0u - (second & 0xFFFu));
        if (word)
            thumb_load_literal(w, t, from);
        else
            thumb_load(w, t, (struct thumb_value){from, true, true}, false);
        return;
    }
    if (wide) {
        at = thumb_compute(THUMB_ADD, base, thumb_number(second & 0xFFFu));
    } else if ((second & 0x0800u) != 0) {
        bool up = (second & 0x0200u) != 0, before = (second & 0x0400u) != 0, back = (second & 0x0100u) != 0;
        struct thumb_value moved = thumb_compute(up ? THUMB_ADD : THUMB_SUB, base, thumb_number(second & 0xFFu));
        at = before ? moved : base;
        if (back || !before)
            thumb_set(w, n, moved);
    } else {
        at = thumb_compute(THUMB_ADD, base, thumb_shift(0, thumb_get(w, second & 15u), second >> 4 & 3u));
        if (load && t == THUMB_PC && base.known) { /* a switch: `ldr pc, [table, n, lsl #2]` */
            w->step->flow = THUMB_TABLE;
            w->step->table = base.value;
            w->step->table_width = 4u;
            return;
        }
    }
    if (load)
        thumb_load(w, t, at, word);
    else
        thumb_store(w, t, at, word);
}

/* LDRD and STRD, exclusive loads and stores, TBB and TBH. */
static void pair(struct thumb_work *w, uint16_t first, uint16_t second)
{
    bool load = (first & 0x10u) != 0;
    if ((first & 0xFFF0u) == 0xE8D0u && (second & 0xFFE0u) == 0xF000u) {
        struct thumb_value base = thumb_get(w, first & 15u);
        w->step->flow = base.known ? THUMB_TABLE : THUMB_LEAVE;
        w->step->table = base.value;
        w->step->table_width = (second & 0x10u) != 0 ? 2u : 1u;
        return;
    }
    if ((first & 0x0120u) == 0) { /* exclusive */
        thumb_forget(w, second & 15u);
        thumb_forget(w, second >> 8 & 15u);
        thumb_forget(w, second >> 12);
        return;
    }
    unsigned n = first & 15u;
    struct thumb_value base = n == THUMB_PC ? (struct thumb_value){w->pc & ~3u, true, true} : thumb_get(w, n);
    struct thumb_value moved =
        thumb_compute((first & 0x80u) != 0 ? THUMB_ADD : THUMB_SUB, base, thumb_number(4u * (second & 0xFFu)));
    struct thumb_value at = (first & 0x100u) != 0 ? moved : base;
    unsigned t[2] = {second >> 12, second >> 8 & 15u};
    if ((first & 0x20u) != 0 && n != THUMB_PC)
        thumb_set(w, n, moved);
    if (load) {
        thumb_forget(w, t[0]);
        thumb_forget(w, t[1]);
        return;
    }
    thumb_store(w, t[0], at, true);
    if (at.known && (at.value & 0xFFu) == 0x04u) /* the second word may be VTOR */
        thumb_store(w, t[1], thumb_compute(THUMB_ADD, at, thumb_number(4)), true);
}

void thumb_long(struct thumb_work *w, uint16_t first, uint16_t second)
{
    if ((first & 0xFE40u) == 0xE800u) {
        if ((first & 0x10u) != 0)
            thumb_load_many(w, first & 15u, second);
        else
            thumb_store_many(w, first & 15u, second);
    } else if ((first & 0xFE40u) == 0xE840u) {
        pair(w, first, second);
    } else if ((first & 0xFE00u) == 0xEA00u) {
        shifted_register(w, first, second);
    } else if ((first & 0xF800u) == 0xF000u && (second & 0x8000u) != 0) {
        branch_or_control(w, first, second);
    } else if ((first & 0xFA00u) == 0xF000u) {
        process(w, first >> 5 & 15u, first & 15u, second >> 8 & 15u, thumb_number(expand(first, second)));
    } else if ((first & 0xFA00u) == 0xF200u) {
        plain_number(w, first, second);
    } else if ((first & 0xFE00u) == 0xF800u) {
        load_store_one(w, first, second);
    } else { /* multiplications, coprocessors: any register that is named may have changed */
        thumb_forget(w, second >> 12);
        thumb_forget(w, second >> 8 & 15u);
        if ((first & 0xFC00u) == 0xEC00u) /* VLDM with write-back */
            thumb_forget(w, first & 15u);
    }
}
