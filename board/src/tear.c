/* SPDX-License-Identifier: MIT */
/**
 * @file tear.c
 * What a flash operation does to the cells, whole or torn, of the chip itself or replayed from another one.
 */
#include "internal.h"

uint8_t *board_flash_cells(const struct board *b, uint32_t address)
{
    return address - OTP_BASE < OTP_SIZE ? b->sysmem + (address - SYSMEM_BASE) : b->flash + (address - FOTA_FLASH_BASE);
}

/** Some bits of what should change, firmly: from nearly none to nearly all. */
static void change_some(const struct board_flash_work *work, uint8_t *p, uint64_t *random)
{
    unsigned progress = (unsigned) (board_random(random) % 9u);
    for (uint32_t i = 0; i < work->length; i++) {
        uint8_t goal = (uint8_t) (work->erase ? 0xFFu : p[i] & (work->value >> (8 * i)));
        uint8_t which = 0;
        uint64_t r = board_random(random);
        for (unsigned bit = 0; bit < 8; bit++)
            which |= (uint8_t) (((r >> (8 * bit) & 7u) < progress) << bit);
        p[i] = (uint8_t) ((p[i] & ~which) | (goal & which));
    }
}

/** A word under way: some of its bits are 0 for sure, some read so and so. */
static void leave_unsure(struct board *b, const struct board_flash_work *work, uint8_t *p, uint64_t *random)
{
    uint32_t word = load32(p), done = (uint32_t) board_random(random), mode = (uint32_t) board_random(random);
    uint32_t changing = word & ~work->value, unsure;
    if (mode & 0x100u) /* all of the others */
        unsure = changing & ~done;
    else
        unsure = changing & ~done & (uint32_t) board_random(random);
    if (mode & 0x200u) /* none for sure */
        unsure |= changing & done, done = 0;
    store32(p, word & ~(changing & done));
    board_weak_word(b, work->address, unsure, mode & 0xFFu);
}

/** An erase under way. The chip programs all cells to 0 first, then erases them, and then looks whether it holds. */
static void tear_sector(struct board *b, uint32_t first, uint8_t *p, uint64_t *random)
{
    unsigned sector = fota_sector_of(first);
    uint32_t len = fota_sector_size(sector), often = 0;
    uint64_t kind = board_random(random) % 8u;
    board_weak_forget(b, first, len);
    if (kind == 0 || kind == 1 || kind == 6)
        often = 1u + (uint32_t) (board_random(random) % 64u);
    for (uint32_t i = 0; i < len; i += 8u) {
        uint64_t r = board_random(random), word, erased;
        memcpy(&word, p + i, 8);
        switch (kind) {
        case 0: /* reads as before, mostly */
            erased = 0;
            break;
        case 1: /* all ones that do not hold */
            erased = UINT64_MAX;
            break;
        case 2: /* all zeros: so it begins */
            word = erased = 0;
            break;
        case 3: /* most are 0, some still 1 */
            word &= r & board_random(random) & board_random(random);
            erased = 0;
            break;
        case 4: /* whole words */
            erased = (r & 1u ? 0xFFFFFFFFu : 0) | (r & 2u ? 0xFFFFFFFFull << 32 : 0);
            break;
        case 5: /* a few bits */
            erased = r & board_random(random) & board_random(random);
            break;
        default: /* any mixture; in kind 6 it does not hold either */
            erased = r;
            break;
        }
        word |= erased;
        memcpy(p + i, &word, 8);
    }
    if (often)
        board_weak_sector(b, sector, often);
}

static void tear(struct board *b, const struct board_flash_work *work, uint8_t *p, uint64_t random)
{
    bool otp = work->address - OTP_BASE < OTP_SIZE;
    if (b->options.weak == BOARD_WEAK_NONE || otp || (!work->erase && work->length != 4u)) {
        if (!otp)
            board_weak_forget(b, work->address, work->length);
        change_some(work, p, &random);
        return;
    }
    if (work->erase) {
        for (uint32_t at = 0; at < work->length; at += fota_sector_size(fota_sector_of(work->address + at)))
            tear_sector(b, work->address + at, p + at, &random);
        return;
    }
    if (board_random(&random) % 4u == 0)
        change_some(work, p, &random);
    else
        leave_unsure(b, work, p, &random);
}

void board_flash_change(struct board *b, const struct board_flash_work *work, bool torn, uint64_t seed)
{
    uint8_t *p = board_flash_cells(b, work->address);
    board_weak_calm(b);
    if (torn) {
        b->weak.random = seed + work->number;
        tear(b, work, p, seed ^ (work->number * 0x9E3779B97F4A7C15u));
    } else if (work->erase) {
        board_weak_forget(b, work->address, work->length);
        memset(p, 0xFF, work->length);
    } else {
        uint32_t mask = work->length < 4u ? (1u << 8u * work->length) - 1u : UINT32_MAX;
        board_weak_program(b, work->address & ~3u, (~work->value & mask) << 8u * (work->address & 3u));
        for (uint32_t i = 0; i < work->length; i++)
            p[i] &= (uint8_t) (work->value >> (8 * i));
    }
    if (work->address - OTP_BASE < OTP_SIZE)
        memcpy(board_store_otp(b), b->sysmem + (OTP_BASE - SYSMEM_BASE), OTP_SIZE);
    else
        board_code_changed(b, work->address, work->length);
}

/* --------------------------------------------------------------------------------------------- fork in passing */

void board_on_flash(struct board *b, void (*f)(void *, const struct board_flash_work *), void *context)
{
    b->flash_cb = f;
    b->flash_ctx = context;
}

static bool is_a_sector(const struct board_flash_work *work)
{
    unsigned sector = fota_sector_of(work->address);
    return (work->address == fota_sector_base(sector) && work->length == fota_sector_size(sector)) ||
           work->length == FOTA_FLASH_SIZE;
}

bool board_flash_replay(struct board *b, const struct board_flash_work *work, bool torn, uint64_t seed)
{
    uint32_t at = work->address - FOTA_FLASH_BASE;
    if (b->s.powered || at >= FOTA_FLASH_SIZE || work->length > FOTA_FLASH_SIZE - at ||
        (work->erase ? !is_a_sector(work) : work->length == 0 || work->length > 4u))
        return false;
    board_flash_change(b, work, torn, seed);
    return true;
}

void board_flash_same(struct board *to, struct board *from)
{
    board_weak_calm(from);
    for (uint32_t at = 0; at < FOTA_FLASH_SIZE; at += CODE_PAGE)
        if (memcmp(to->flash + at, from->flash + at, CODE_PAGE) != 0) {
            memcpy(to->flash + at, from->flash + at, CODE_PAGE);
            board_code_changed(to, FOTA_FLASH_BASE + at, CODE_PAGE);
        }
    to->weak = from->weak;
    board_weak_look(to);
}

bool board_flash_copy(struct board *to, struct board *from)
{
    if (to->s.powered)
        return false;
    board_flash_same(to, from);
    return true;
}
