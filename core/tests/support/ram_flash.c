/* SPDX-License-Identifier: MIT */
#include "ram_flash.h"

#include "cmocka_all.h"
#include "fota/bytes.h"

#include <string.h>

uint64_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static uint32_t random32(struct ram_flash *f)
{
    return (uint32_t) (test_random(&f->random) >> 32);
}

uint8_t *ram_flash_at(struct ram_flash *f, uint32_t address)
{
    assert_in_range(address, FOTA_FLASH_BASE, FOTA_FLASH_BASE + FOTA_FLASH_SIZE - 1u);
    return f->memory + (address - FOTA_FLASH_BASE);
}

static struct ram_weak *weak_at(struct ram_flash *f, uint32_t address)
{
    for (unsigned i = 0; i < RAM_WEAK_WORDS; i++)
        if (f->weak[i].address == address)
            return &f->weak[i];
    return NULL;
}

/* Which of the unsure bits read 0 this time. */
static uint32_t unsure_now(struct ram_flash *f, struct ram_weak *w)
{
    switch (w->mode) {
    case RAM_WEAK_RARELY_DONE:
        return w->unsure & random32(f) & random32(f) & random32(f);
    case RAM_WEAK_MOSTLY_DONE:
        return w->unsure & (random32(f) | random32(f) | random32(f));
    case RAM_WEAK_TOGETHER:
        return random32(f) % 2u == 0 ? w->unsure : 0;
    case RAM_WEAK_TOGETHER_MOSTLY:
        return random32(f) % 8u == 0 ? 0 : w->unsure;
    default:
        return w->unsure & random32(f);
    }
}

/* A word as it reads now. */
static uint32_t read_word(struct ram_flash *f, uint32_t address)
{
    const struct ram_torn *torn = &f->torn[fota_sector_of(address)];
    uint32_t word = fota_get32(ram_flash_at(f, address));
    struct ram_weak *w = (f->unstable & (1u << fota_sector_of(address))) != 0 ? weak_at(f, address) : NULL;

    if (w != NULL)
        word &= ~unsure_now(f, w);
    if (torn->torn && random32(f) % torn->often == 0)
        word ^= random32(f) & random32(f) & random32(f);
    return word;
}

static void find_unstable(struct ram_flash *f)
{
    f->unstable = 0;
    for (unsigned i = 0; i < RAM_WEAK_WORDS; i++)
        if (f->weak[i].address != 0)
            f->unstable |= 1u << fota_sector_of(f->weak[i].address);
    for (unsigned sector = 0; sector < FOTA_SECTOR_COUNT; sector++)
        if (f->torn[sector].torn)
            f->unstable |= 1u << sector;
}

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    struct ram_flash *f = ctx;
    uint8_t *to = out;

    if (length == 0 || length > FOTA_FLASH_SIZE || address < FOTA_FLASH_BASE ||
        address - FOTA_FLASH_BASE > FOTA_FLASH_SIZE - length)
        fail_msg("read of %u bytes at 0x%x", (unsigned) length, (unsigned) address);
    if (f->unreadable != 0 && f->unreadable >= address && f->unreadable < address + length)
        return FOTA_E_IO;
    memcpy(to, f->memory + (address - FOTA_FLASH_BASE), length);
    if (f->unstable != 0 &&
        (f->unstable & (1u << fota_sector_of(address) | 1u << fota_sector_of(address + length - 1u))) != 0) {
        assert_true(address % 4u == 0 && length % 4u == 0);
        for (uint32_t i = 0; i < length; i += 4u)
            fota_put32(to + i, read_word(f, address + i));
    }
    return FOTA_OK;
}

static void store(struct ram_flash *f, uint32_t address, uint32_t word)
{
    uint8_t *at = ram_flash_at(f, address);
    struct ram_weak *w = weak_at(f, address);

    if (w != NULL) { /* what is asked to be 0 now is so for sure; an unsure bit that should be 1 stays unsure */
        w->unsure &= word;
        if (w->unsure == 0)
            w->address = 0;
        find_unstable(f);
    }
    if ((word & ~fota_get32(at)) != 0 || (w != NULL && (word & w->unsure) != 0))
        f->conflicts++;
    f->touched |= 1u << fota_sector_of(address);
    if (address < f->bad_from || address >= f->bad_to)
        fota_put32(at, fota_get32(at) & word);
}

/* The supply goes while a word is programmed: any subset of the bits is done, any may be unsure. */
static void tear_word(struct ram_flash *f, uint32_t address, uint32_t word)
{
    uint8_t *at = ram_flash_at(f, address);
    uint32_t old = fota_get32(at);
    uint32_t changing = old & ~word, done;
    struct ram_weak *w;

    switch (random32(f) % 4u) {
    case 0: /* some are done, for sure */
        fota_put32(at, old & ~(changing & random32(f)));
        return;
    case 1: /* nearly none or nearly all are done */
        done = random32(f) & random32(f) & random32(f) & random32(f);
        fota_put32(at, old & ~(changing & (random32(f) % 2u == 0 ? done : ~done)));
        return;
    default:
        break;
    }
    w = weak_at(f, address);
    if (w == NULL)
        w = weak_at(f, 0);
    if (w == NULL) {
        fail_msg("more torn words than the model keeps");
        return;
    }
    if (w->address == 0)
        w->unsure = 0;
    w->address = address;
    w->mode = (uint8_t) (random32(f) % RAM_WEAK_MODES);
    done = random32(f) % 2u == 0 ? 0 : changing & random32(f) & random32(f);
    fota_put32(at, old & ~done);
    w->unsure |= changing & ~done;
}

static void now(struct ram_flash *f)
{
    jmp_buf *to = f->power_lost;

    ram_flash_no_cut(f);
    longjmp(*to, 1);
}

/* @return whether the cut comes inside this operation. */
static bool step(struct ram_flash *f, uint32_t address, bool erase)
{
    bool here = f->cut != RAM_CUT_NONE && f->ops == f->cut_op;

    if (f->log != NULL && f->ops < f->log_size)
        f->log[f->ops] = (struct ram_op){.address = address, .erase = erase};
    if (here && f->cut == RAM_CUT_BEFORE)
        now(f);
    f->ops++;
    return here && f->cut == RAM_CUT_INSIDE;
}

static void step_done(struct ram_flash *f)
{
    if (f->cut == RAM_CUT_AFTER && f->ops == f->cut_op + 1u)
        now(f);
}

static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    struct ram_flash *f = ctx;

    assert_true(address % 4u == 0 && length % 4u == 0 && length > 0 && length <= FOTA_FLASH_SIZE);
    assert_true(address >= fota_sector_base(1) && address - FOTA_FLASH_BASE <= FOTA_FLASH_SIZE - length);
    if (f->supply_low)
        return FOTA_E_SUPPLY;
    for (uint32_t i = 0; i < length; i += 4u) {
        uint32_t word = fota_get32((const uint8_t *) data + i);

        if (step(f, address + i, false)) {
            tear_word(f, address + i, word);
            f->touched |= 1u << fota_sector_of(address);
            find_unstable(f);
            now(f);
        }
        store(f, address + i, word);
        f->words_programmed++;
        step_done(f);
    }
    for (uint32_t i = 0; i < length; i += 4u)
        if (read_word(f, address + i) != fota_get32((const uint8_t *) data + i))
            return FOTA_E_FLASH;
    return FOTA_OK;
}

static void forget_weak(struct ram_flash *f, unsigned sector)
{
    for (unsigned i = 0; i < RAM_WEAK_WORDS; i++)
        if (f->weak[i].address != 0 && fota_sector_of(f->weak[i].address) == sector)
            f->weak[i].address = 0;
}

/* The supply goes while a sector is erased. */
static void tear_sector(struct ram_flash *f, unsigned sector)
{
    uint32_t base = fota_sector_base(sector), size = fota_sector_size(sector);
    unsigned kind = random32(f) % 6u;

    switch (kind) {
    case 0: /* hardly begun: all reads as before, mostly */
    case 1: /* all ones that do not hold */
        f->torn[sector].torn = true;
        f->torn[sector].often = 1u + random32(f) % 64u;
        break;
    case 2: /* the erase programs all bits to 0 first */
        memset(ram_flash_at(f, base), 0, size);
        forget_weak(f, sector);
        return;
    default:
        break;
    }
    if (kind == 0)
        return;
    forget_weak(f, sector);
    for (uint32_t i = 0; i < size; i += 4u) {
        uint8_t *at = ram_flash_at(f, base + i);
        uint32_t gone = kind == 1   ? 0xFFFFFFFFu
                        : kind == 3 ? random32(f)                               /* any mixture */
                        : kind == 4 ? (random32(f) % 2u == 0 ? 0xFFFFFFFFu : 0) /* whole words */
                                    : random32(f) & random32(f) & random32(f);  /* a few bits */

        fota_put32(at, fota_get32(at) | gone);
    }
}

static int flash_erase(void *ctx, unsigned sector)
{
    struct ram_flash *f = ctx;

    assert_in_range(sector, 1, FOTA_SECTOR_COUNT - 1u);
    if (f->supply_low)
        return FOTA_E_SUPPLY;
    if (step(f, fota_sector_base(sector), true)) {
        tear_sector(f, sector);
        f->touched |= 1u << sector;
        find_unstable(f);
        now(f);
    }
    f->erases[sector]++;
    if (f->bad_sector[sector])
        return FOTA_E_FLASH;
    memset(ram_flash_at(f, fota_sector_base(sector)), 0xFF, fota_sector_size(sector));
    forget_weak(f, sector);
    f->torn[sector].torn = false;
    f->touched |= 1u << sector;
    find_unstable(f);
    step_done(f);
    return FOTA_OK;
}

void ram_flash_init(struct ram_flash *f)
{
    memset(f, 0, sizeof *f);
    memset(f->memory, 0xFF, sizeof f->memory);
    f->port = (struct fota_flash){.ctx = f, .read = flash_read, .program = flash_program, .erase = flash_erase};
    f->random = 1;
}

void ram_flash_copy(struct ram_flash *to, const struct ram_flash *from)
{
    *to = *from;
    to->port.ctx = to;
    to->touched = 0;
    ram_flash_no_cut(to);
}

void ram_flash_restore(struct ram_flash *to, const struct ram_flash *from)
{
    uint32_t touched = to->touched;

    memcpy((uint8_t *) to + offsetof(struct ram_flash, weak), (const uint8_t *) from + offsetof(struct ram_flash, weak),
           sizeof *to - offsetof(struct ram_flash, weak)); /* all behind the memory */
    for (unsigned sector = 0; sector < FOTA_SECTOR_COUNT; sector++) {
        uint32_t at = fota_sector_base(sector) - FOTA_FLASH_BASE;

        if ((touched & (1u << sector)) != 0)
            memcpy(to->memory + at, from->memory + at, fota_sector_size(sector));
    }
    to->touched = 0;
    ram_flash_no_cut(to);
}

void ram_flash_cut_at(struct ram_flash *f, enum ram_cut cut, uint64_t op, uint64_t seed, jmp_buf *power_lost)
{
    f->cut = cut;
    f->cut_op = op;
    f->power_lost = power_lost;
    f->random = (seed + 1u) * 0x9E3779B97F4A7C15u;
    if (f->random == 0)
        f->random = 1;
}

void ram_flash_no_cut(struct ram_flash *f)
{
    f->cut = RAM_CUT_NONE;
    f->power_lost = NULL;
}
