/* SPDX-License-Identifier: MIT */
/**
 * @file ram_flash.h
 * The STM32F407's flash in memory: its sectors, its rules, and what a cut of the supply leaves behind.
 *
 * Every word programmed and every sector erased is one operation. A rule that is broken by the caller (unaligned,
 * outside, sector 0) fails the test at once. A cut leaves the code under test by longjmp() to the place that
 * ram_flash_cut_at() was given; what the operation left half done stays in the memory, including bits that read
 * differently from read to read until they are programmed again or their sector is erased.
 */
#ifndef SUPPORT_RAM_FLASH_H
#define SUPPORT_RAM_FLASH_H

#include "fota/error.h"
#include "fota/flash.h"

#include <setjmp.h>

enum ram_cut { RAM_CUT_NONE, RAM_CUT_BEFORE, RAM_CUT_INSIDE, RAM_CUT_AFTER };

#define RAM_WEAK_WORDS 16u

/** How the unsure bits of a word read: each by itself (half, an eighth, seven eighths of the time), or all together
 * (half or seven eighths of the time done). */
enum ram_weak_mode {
    RAM_WEAK_EACH_BIT,
    RAM_WEAK_RARELY_DONE,
    RAM_WEAK_MOSTLY_DONE,
    RAM_WEAK_TOGETHER,
    RAM_WEAK_TOGETHER_MOSTLY,
    RAM_WEAK_MODES
};

/** A word that was being programmed when the supply went. */
struct ram_weak {
    uint32_t address; /* 0: this place of the list is free */
    uint32_t unsure;  /* bits that read differently from read to read */
    uint8_t mode;     /* enum ram_weak_mode */
};

/** A sector that was being erased when the supply went. */
struct ram_torn {
    bool torn;
    uint32_t often; /* one in so many reads of a word is wrong */
};

/** An operation. */
struct ram_op {
    uint32_t address; /* of the word, or of the sector */
    bool erase;
};

struct ram_flash {
    struct fota_flash port;
    uint8_t memory[FOTA_FLASH_SIZE];
    struct ram_weak weak[RAM_WEAK_WORDS];
    struct ram_torn torn[FOTA_SECTOR_COUNT];
    uint32_t unstable; /* sectors, a bit each, with weak words or torn */
    uint32_t touched;  /* sectors, a bit each, written or erased since the last ram_flash_copy() */
    uint64_t random;
    uint64_t ops; /* operations so far: words programmed and sectors erased */
    uint32_t words_programmed, erases[FOTA_SECTOR_COUNT];
    uint32_t conflicts; /* words for which a 0 was to become 1: what is stored is then old AND new */
    struct ram_op *log; /* where each operation is noted, if not NULL */
    uint64_t log_size;
    /* a cut that is to come */
    enum ram_cut cut;
    uint64_t cut_op;
    jmp_buf *power_lost;
    /* faults of a living device */
    uint32_t bad_from, bad_to;          /* words in here cannot be programmed to 0 */
    bool bad_sector[FOTA_SECTOR_COUNT]; /* cannot be erased */
    bool supply_low;
    uint32_t unreadable; /* reads that touch this address fail; 0: none */
};

/** All erased, nothing counted. */
void ram_flash_init(struct ram_flash *flash);
/** Make `to` what `from` is. */
void ram_flash_copy(struct ram_flash *to, const struct ram_flash *from);
/** The same where `to` was made such a copy before and `from` has not changed since: quicker. */
void ram_flash_restore(struct ram_flash *to, const struct ram_flash *from);
/** Cut the supply at an operation. @param op counted as `ops` counts: the first one is 0. @param seed what is left
 * then. */
void ram_flash_cut_at(struct ram_flash *flash, enum ram_cut cut, uint64_t op, uint64_t seed, jmp_buf *power_lost);
/** No cut is to come. */
void ram_flash_no_cut(struct ram_flash *flash);
/** Where a byte of the flash lies, to look or to spoil (of a copy: only in sectors that it has touched). */
uint8_t *ram_flash_at(struct ram_flash *flash, uint32_t address);

/** A small generator of numbers, the same on every machine (xorshift64*). @param state not 0. */
uint64_t test_random(uint64_t *state);

#endif
