/* SPDX-License-Identifier: MIT */
/**
 * @file weak.c
 * Cells that a cut of the supply left between 0 and 1: they read differently from one read to the next. Two kinds:
 * - a word whose program was interrupted has unsure bits. Programmed again, those that shall be 0 are 0 for sure;
 * - a sector whose erase was interrupted reads wrong now and then, anywhere.
 * A whole erase heals both. The cells hold what is read now: they are thrown anew before each read of the CPU (a hook
 * of Unicorn), or every few hundred instructions. Code is fetched as it was last read.
 */
#include "internal.h"

/* How the unsure bits of a word behave. */
enum { EACH_HALF = 0, MOSTLY_1, MOSTLY_0, TOGETHER, TOGETHER_MOSTLY_0, MODES };

static uint32_t random32(struct weak *w)
{
    return (uint32_t) (board_random(&w->random) >> 32);
}

/** Any bit is set one time in eight. */
static uint32_t few(struct weak *w)
{
    uint32_t a = random32(w), b = random32(w), c = random32(w);
    return a & b & c;
}

void board_weak_look(struct board *b)
{
    struct weak *w = &b->weak;
    w->any = w->strayed != 0;
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        w->any = w->any || w->word[i].address != 0;
    for (unsigned s = 0; s < BOARD_SECTORS; s++)
        w->any = w->any || w->often[s] != 0;
    w->next = w->any && b->options.weak == BOARD_WEAK_NOW_AND_THEN ? b->s.icount : NEVER;
    board_time_horizon(b);
}

static uint32_t zeros_now(struct weak *w, uint32_t mode)
{
    switch (mode) {
    case MOSTLY_1:
        return few(w);
    case MOSTLY_0:
        return ~few(w);
    case TOGETHER:
        return random32(w) % 2u ? UINT32_MAX : 0;
    case TOGETHER_MOSTLY_0:
        return random32(w) % 8u ? UINT32_MAX : 0;
    default:
        return random32(w);
    }
}

void board_weak_calm(struct board *b)
{
    if (b->weak.strayed)
        store32(board_flash_cells(b, b->weak.strayed), b->weak.strays_from);
    b->weak.strayed = 0;
}

static void throw_word(struct board *b, unsigned i)
{
    struct weak *w = &b->weak;
    uint8_t *at = board_flash_cells(b, w->word[i].address);
    store32(at, (load32(at) | w->word[i].unsure) & ~(w->word[i].unsure & zeros_now(w, w->word[i].mode)));
    b->traits |= TRAIT_UNSAFE; /* a polling loop sees something else each time */
}

static void read_word(struct board *b, uint32_t address)
{
    struct weak *w = &b->weak;
    uint8_t *at = board_flash_cells(b, address);
    uint32_t often = w->often[fota_sector_of(address)];
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        if (w->word[i].address == address)
            throw_word(b, i);
    if (often == 0)
        return;
    b->traits |= TRAIT_UNSAFE;
    if (random32(w) % often == 0) {
        w->strayed = address;
        w->strays_from = load32(at);
        store32(at, w->strays_from ^ few(w));
    }
}

void board_weak_roll(struct board *b)
{
    struct weak *w = &b->weak;
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        if (w->word[i].address)
            throw_word(b, i);
    w->next = b->s.icount + 1u + random32(w) % 512u;
    board_time_horizon(b);
}

void board_weak_read(struct board *b, uint32_t address, uint32_t len)
{
    if (address - FOTA_FLASH_BASE >= FOTA_FLASH_SIZE)
        return;
    board_weak_calm(b);
    for (uint32_t at = address & ~3u; at < address + len && at - FOTA_FLASH_BASE < FOTA_FLASH_SIZE; at += 4u)
        read_word(b, at);
}

void board_weak_program(struct board *b, uint32_t address, uint32_t zeros)
{
    struct weak *w = &b->weak;
    board_weak_calm(b);
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        if (w->word[i].address == address) {
            w->word[i].unsure &= ~zeros;
            if (w->word[i].unsure == 0)
                w->word[i].address = 0;
        }
    board_weak_look(b);
}

void board_weak_forget(struct board *b, uint32_t first, uint32_t len)
{
    struct weak *w = &b->weak;
    if (w->strayed - first < len)
        w->strayed = 0; /* its content is new */
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        if (w->word[i].address && w->word[i].address + 3u - first < len + 3u)
            w->word[i].address = 0;
    for (unsigned s = 0; s < BOARD_SECTORS; s++)
        if (fota_sector_base(s) >= first && fota_sector_base(s) - first + fota_sector_size(s) <= len)
            w->often[s] = 0;
    board_weak_look(b);
}

void board_weak_word(struct board *b, uint32_t address, uint32_t unsure, uint32_t mode)
{
    struct weak *w = &b->weak;
    unsigned free_at = WEAK_WORDS;
    for (unsigned i = 0; i < WEAK_WORDS; i++) {
        if (w->word[i].address == address) {
            free_at = i;
            unsure |= w->word[i].unsure;
            break;
        }
        if (!w->word[i].address)
            free_at = i;
    }
    if (free_at == WEAK_WORDS) { /* more cuts than anybody makes: the bits become firm */
        board_say(b, "more than %u words with unsure bits: those at 0x%08x stay as they are", WEAK_WORDS, address);
        return;
    }
    w->word[free_at].address = unsure ? address : 0;
    w->word[free_at].unsure = unsure;
    w->word[free_at].mode = mode % MODES;
    board_weak_look(b);
}

void board_weak_sector(struct board *b, unsigned sector, uint32_t often)
{
    b->weak.often[sector] = often;
    board_weak_look(b);
}

bool board_flash_unsure(const struct board *b, uint32_t address, uint32_t len)
{
    const struct weak *w = &b->weak;
    if (!w->any)
        return false;
    for (unsigned i = 0; i < WEAK_WORDS; i++)
        if (w->word[i].address && w->word[i].address + 3u - address < len + 3u)
            return true;
    for (unsigned s = 0; s < BOARD_SECTORS; s++)
        if (w->often[s] && fota_sector_base(s) < address + len && address < fota_sector_base(s) + fota_sector_size(s))
            return true;
    return false;
}

/** Where the bits differ, they are all unsure. A word may lie across the ends of the range. */
static bool differ_unsurely(const struct weak *w, uint32_t address, uint8_t difference)
{
    for (unsigned i = 0; i < WEAK_WORDS && difference != 0; i++)
        if (w->word[i].address && address - w->word[i].address < 4u)
            difference &= (uint8_t) ~(w->word[i].unsure >> (8u * (address - w->word[i].address)));
    return difference == 0;
}

bool board_flash_may_be(struct board *b, uint32_t address, const void *data, uint32_t len)
{
    const uint8_t *is = b->flash + (address - FOTA_FLASH_BASE), *be = data;
    if (address - FOTA_FLASH_BASE >= FOTA_FLASH_SIZE || len > FOTA_FLASH_BASE + FOTA_FLASH_SIZE - address)
        return false;
    board_weak_calm(b);
    if (memcmp(is, be, len) == 0)
        return true;
    for (uint32_t i = 0; b->weak.any && i < len; i++)
        if (is[i] != be[i] && !differ_unsurely(&b->weak, address + i, is[i] ^ be[i]))
            return false;
    return b->weak.any;
}
