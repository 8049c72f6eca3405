/* SPDX-License-Identifier: MIT */
/**
 * @file decode.c
 * As much of the Thumb-2 encoding as the board needs: lengths, floating point, SEV, and which instruction of a
 * block made an access.
 */
#include "internal.h"

uint32_t board_fetch16(const struct board *b, uint32_t address)
{
    const uint8_t *p = board_memory(b, address & ~1u, 2, false);
    return p ? (uint32_t) p[0] | (uint32_t) p[1] << 8 : 0;
}

unsigned board_insn_size(uint32_t first_halfword)
{
    return (first_halfword >> 11) >= 0x1Du ? 4u : 2u;
}

/** Coprocessors 10 and 11 (DDI 0403E A5.3.18, A6.4 to A6.7). */
bool board_insn_is_fp(uint32_t hw1, uint32_t hw2)
{
    return (hw1 & 0xEC00u) == 0xEC00u && (hw2 & 0x0E00u) == 0x0A00u;
}

/** Does it write memory? Too often yes is harmless. */
static bool is_store(uint32_t hw1, unsigned size)
{
    if (size == 4)
        return (hw1 & 0xFE10u) == 0xF800u || (hw1 & 0xFC10u) == 0xE800u;
    return (hw1 & 0xF800u) == 0x6000u || (hw1 & 0xF800u) == 0x7000u || (hw1 & 0xF800u) == 0x8000u ||
           (hw1 & 0xF800u) == 0x9000u || ((hw1 & 0xF000u) == 0x5000u && (hw1 >> 9 & 7u) < 3u) ||
           (hw1 & 0xFE00u) == 0xB400u || (hw1 & 0xF800u) == 0xC000u;
}

unsigned board_decode_block(const struct board *b, uint32_t pc, uint32_t size, uint8_t *flags, uint8_t *traits)
{
    unsigned count = 0;
    *flags = *traits = 0;
    for (uint32_t at = pc; at < pc + size; count++) {
        uint32_t hw1 = board_fetch16(b, at);
        unsigned n = board_insn_size(hw1);
        if (n == 4 && board_insn_is_fp(hw1, board_fetch16(b, at + 2)))
            *flags |= BLOCK_FP;
        else if (hw1 == 0xBF40u)
            *flags |= BLOCK_SEV;
        else if ((hw1 & 0xFFE8u) == 0xB660u || (n == 4 && (hw1 & 0xFFF0u) == 0xF380u)) /* CPS, MSR */
            *flags |= BLOCK_MASKS;
        if (is_store(hw1, n))
            *traits |= TRAIT_STORE;
        at += n;
    }
    if (*flags)
        *traits |= TRAIT_UNSAFE;
    if (b->options.mode == BOARD_MODE_CODE)
        *flags |= BLOCK_CHECK;
    return count ? count : 1u;
}

static uint32_t r(struct board *b, unsigned n, uint32_t pc)
{
    return n < 13    ? board_reg(b, UC_ARM_REG_R0 + (int) n)
           : n == 13 ? board_reg(b, UC_ARM_REG_SP)
           : n == 14 ? board_reg(b, UC_ARM_REG_LR)
                     : ((pc + 4u) & ~3u);
}

struct access {
    uint32_t first, len;
    bool store;
};

static unsigned popcount(uint32_t v)
{
    return (unsigned) __builtin_popcount(v);
}

static bool access16(struct board *b, uint32_t pc, uint32_t i, struct access *a)
{
    static const uint8_t size_of[8] = {4, 2, 1, 1, 4, 2, 1, 2}; /* STR STRH STRB LDRSB LDR LDRH LDRB LDRSH */
    uint32_t base = r(b, i >> 3 & 7u, pc), imm5 = i >> 6 & 31u;
    switch (i >> 12) {
    case 0x4:
        if ((i & 0xF800u) != 0x4800u)
            return false;
        *a = (struct access){((pc + 4u) & ~3u) + 4u * (i & 0xFFu), 4, false};
        return true;
    case 0x5: {
        unsigned op = i >> 9 & 7u;
        *a = (struct access){base + r(b, i >> 6 & 7u, pc), size_of[op], op < 3};
        return true;
    }
    case 0x6:
        *a = (struct access){base + 4u * imm5, 4, !(i & 0x800u)};
        return true;
    case 0x7:
        *a = (struct access){base + imm5, 1, !(i & 0x800u)};
        return true;
    case 0x8:
        *a = (struct access){base + 2u * imm5, 2, !(i & 0x800u)};
        return true;
    case 0x9:
        *a = (struct access){r(b, 13, pc) + 4u * (i & 0xFFu), 4, !(i & 0x800u)};
        return true;
    case 0xB: {
        uint32_t n = 4u * popcount(i & 0x1FFu);
        if ((i & 0xFE00u) == 0xB400u)
            *a = (struct access){r(b, 13, pc) - n, n, true};
        else if ((i & 0xFE00u) == 0xBC00u)
            *a = (struct access){r(b, 13, pc), n, false};
        else
            return false;
        return true;
    }
    case 0xC:
        *a = (struct access){r(b, i >> 8 & 7u, pc), 4u * popcount(i & 0xFFu), !(i & 0x800u)};
        return true;
    default:
        return false;
    }
}

static bool access32(struct board *b, uint32_t pc, uint32_t h1, uint32_t h2, struct access *a)
{
    uint32_t base = r(b, h1 & 15u, pc);
    bool load = (h1 & 0x10u) != 0;
    if ((h1 & 0xFE00u) == 0xF800u) { /* LDR, STR and their narrow kinds */
        uint32_t len = 1u << (h1 >> 5 & 3u);
        if (h1 & 0x80u)
            *a = (struct access){base + (h2 & 0xFFFu), len, !load};
        else if ((h1 & 15u) == 15u)
            *a = (struct access){base - (h2 & 0xFFFu), len, !load};
        else if (!(h2 & 0x800u))
            *a = (struct access){base + (r(b, h2 & 15u, pc) << (h2 >> 4 & 3u)), len, !load};
        else if (!(h2 & 0x400u))
            *a = (struct access){base, len, !load}; /* post-indexed */
        else
            *a = (struct access){h2 & 0x200u ? base + (h2 & 0xFFu) : base - (h2 & 0xFFu), len, !load};
        return true;
    }
    if ((h1 & 0xFE40u) == 0xE840u) { /* LDRD, STRD, exclusives, table branches */
        uint32_t imm = 4u * (h2 & 0xFFu);
        if ((h1 & 0x120u) == 0 && (h1 & 0x80u)) {
            bool table = (h2 & 0xE0u) == 0;
            uint32_t index = table ? r(b, h2 & 15u, pc) << (h2 >> 4 & 1u) : 0;
            if (table && (h1 & 15u) == 15u)
                base = pc + 4u;
            *a = (struct access){base + index, table ? 1u + (h2 >> 4 & 1u) : 1u << (h2 >> 4 & 3u), !load};
        } else if ((h1 & 0x120u) == 0)
            *a = (struct access){base + imm, 4, !load};
        else
            *a = (struct access){h1 & 0x100u ? (h1 & 0x80u ? base + imm : base - imm) : base, 8, !load};
        return true;
    }
    if ((h1 & 0xFE40u) == 0xE800u) { /* LDM, STM */
        uint32_t n = 4u * popcount(h2);
        *a = (struct access){h1 & 0x100u ? base - n : base, n, !load};
        return true;
    }
    if ((h1 & 0xFE00u) == 0xEC00u && board_insn_is_fp(h1, h2) && (h1 & 0x01A0u)) { /* VLDR, VSTR, VLDM, VSTM */
        uint32_t imm = 4u * (h2 & 0xFFu);
        if ((h1 & 0x120u) == 0x100u)
            *a = (struct access){h1 & 0x80u ? base + imm : base - imm, h2 & 0x100u ? 8 : 4, !load};
        else
            *a = (struct access){h1 & 0x100u ? base - imm : base, imm, !load};
        return true;
    }
    return false;
}

bool board_locate_access(struct board *b, uint32_t pc, uint32_t size, uint32_t address, bool store, uint32_t *where)
{
    for (uint32_t at = pc; at < pc + size;) {
        uint32_t h1 = board_fetch16(b, at);
        unsigned n = board_insn_size(h1);
        struct access a;
        bool known = n == 2 ? access16(b, at, h1, &a) : access32(b, at, h1, board_fetch16(b, at + 2), &a);
        if (known && a.store == store && address - a.first < (a.len ? a.len : 1u)) {
            *where = at;
            return true;
        }
        at += n;
    }
    return false;
}

uint32_t board_check_insn(struct board *b, uint32_t pc)
{
    enum { UNALIGNED = 1u << 8, DIVBYZERO = 1u << 9, UNALIGN_TRP = 1u << 3, DIV_0_TRP = 1u << 4 };
    uint32_t h1 = board_fetch16(b, pc), h2 = board_fetch16(b, pc + 2u), ccr = b->s.nvic.ccr;
    bool wide = board_insn_size(h1) == 4u;
    struct access a;
    if (wide && (h1 & 0xFFD0u) == 0xFB90u && (h2 & 0xF0u) == 0xF0u) /* SDIV, UDIV */
        return (ccr & DIV_0_TRP) && r(b, h2 & 15u, pc) == 0 ? (uint32_t) DIVBYZERO : 0;
    /* word by word: always aligned. LDRD, STRD, LDREX, STREX, LDM, STM, VLDR, VSTR and their like (DDI 0403E A3.2.1) */
    bool strict = wide ? ((h1 & 0xFE00u) == 0xE800u && !((h1 & 0xFFE0u) == 0xE8C0u)) || (h1 & 0xFE00u) == 0xEC00u
                       : (h1 & 0xF000u) == 0xC000u;
    if (!strict && !(ccr & UNALIGN_TRP))
        return 0;
    if (!(wide ? access32(b, pc, h1, h2, &a) : access16(b, pc, h1, &a)))
        return 0;
    uint32_t mask = a.len >= 4u ? 3u : a.len == 2u ? 1u : 0;
    return (a.first & mask) ? (uint32_t) UNALIGNED : 0;
}
