/* SPDX-License-Identifier: MIT */
/**
 * @file journal.h
 * The boot journal: append-only 32-byte records in two banks, folded into one state. docs/journal.md is the
 * specification.
 */
#ifndef FOTA_JOURNAL_H
#define FOTA_JOURNAL_H

#include "fota/error.h"
#include "fota/flash.h"
#include "fota/link.h"

#define FOTA_JOURNAL_MAGIC 0x314A4F46u /* "FOJ1" */
#define FOTA_RECORD_SIZE 32u
#define FOTA_JOURNAL_RECORDS (FOTA_JOURNAL_BANK_SIZE / FOTA_RECORD_SIZE) /* the bank's head included */
#define FOTA_JOURNAL_RESERVED 64u                                        /* kept for trial, confirmed and rejected */
#define FOTA_JOURNAL_LOW 320u /* compact when fewer are free: an install takes some 45 */
#define FOTA_REJECTS 8u
#define FOTA_ATTEMPTS 3u

enum fota_record_type {
    FOTA_RECORD_CONFIRMED = 1, /* slot, identity; arg: security counter. The floor rises here and nowhere else */
    FOTA_RECORD_PENDING = 2,   /* slot, identity: installed whole, to be tried */
    FOTA_RECORD_TRIAL = 3,     /* slot, identity; arg: attempt 1 … 3, written before the jump */
    FOTA_RECORD_REJECTED = 4,  /* slot, identity, reason */
    FOTA_RECORD_ALLOWED = 5,   /* identity: an operator asked for another try */
    FOTA_RECORD_INSTALL = 6,   /* slot, identity; arg: image size. An install has begun */
    FOTA_RECORD_ERASING = 7,   /* arg: sector */
    FOTA_RECORD_ERASED = 8,    /* arg: sector */
    FOTA_RECORD_PROGRESS = 9,  /* slot, identity; arg: code up to this offset is programmed */
    FOTA_RECORD_VOID = 10,     /* slot, identity, reason: the install was given up */
    FOTA_RECORD_FLOOR = 11,    /* arg: the floor, written by a compaction */
    FOTA_RECORD_CLEAN = 12,    /* the other bank has been erased */
    FOTA_RECORD_DIRTY = 13,    /* the other bank is about to be erased and written by a compaction */
    FOTA_RECORD_SKIP = 14      /* arg: sequence number; what lies between it and this record does not count */
};

struct fota_record {
    uint8_t type, slot;
    int16_t reason;
    uint8_t identity[FOTA_IDENTITY_SHORT];
    uint32_t arg;
};

/** An image as the journal knows it: never a slot without the identity of what lies in it. */
struct fota_image_ref {
    uint8_t slot; /* FOTA_SLOT_NONE: none */
    uint8_t identity[FOTA_IDENTITY_SHORT];
};

/** The fold of all records. */
struct fota_boot_state {
    struct fota_image_ref confirmed;
    struct fota_image_ref candidate; /* pending or on trial */
    uint8_t trial;                   /* enum fota_trial */
    uint8_t attempts;                /* of the trial */
    bool spare_clean;                /* the other bank is known to be erased */
    uint32_t floor;                  /* the highest counter that was confirmed */
    uint8_t reject_count;
    struct fota_link_reject rejects[FOTA_REJECTS]; /* oldest first */
    struct fota_image_ref install;                 /* an install that has begun and not ended */
    uint32_t install_size, install_next;           /* bytes of code; all before install_next is programmed */
    uint8_t
        spoiled; /* slots, a bit each, in which an erase was begun and not ended: what reads well there may not hold */
    uint16_t erased; /* sectors, a bit each, erased whole since this install began and not erased anew */
};

struct fota_journal {
    const struct fota_flash *flash;
    bool present;  /* a bank was found */
    uint8_t bank;  /* the one in use */
    uint32_t base; /* sequence number of the bank's head; record i has base + i */
    uint32_t used; /* records in use, the head included: the next one goes there */
    struct fota_boot_state state;
};

/** Find the newest bank and fold it. Writes nothing. Without a bank the state is empty and `present` false.
 *  @return FOTA_OK or the error of the flash's read. */
int fota_journal_open(struct fota_journal *journal, const struct fota_flash *flash);

/** Make the tail firm before anything is decided on it: the last record that reads well is programmed again with the
 * same words; torn ones behind it are skipped from now on. Then the journal is read anew: only now does everybody who
 * reads it later read the same. @return FOTA_OK, FOTA_E_FLASH, FOTA_E_SUPPLY or the error of the flash's read. */
int fota_journal_settle(struct fota_journal *journal);

/** Append a record and fold it in. Only trial, confirmed, rejected, dirty and skip may use the last
 * FOTA_JOURNAL_RESERVED places. Where a place cannot be programmed the next one is taken.
 *  @return FOTA_OK, FOTA_E_JOURNAL_FULL, FOTA_E_FLASH or FOTA_E_SUPPLY (then nothing has changed in the state). */
int fota_journal_append(struct fota_journal *journal, const struct fota_record *record);

/** Bootloader only: create the journal where there is none, finish an interrupted compaction (erase the old
 * bank), and compact when fewer than FOTA_JOURNAL_LOW places are left. Does nothing during a trial.
 *  @return FOTA_OK or FOTA_E_FLASH. */
int fota_journal_maintain(struct fota_journal *journal);

/** Bootloader only: end a trial for whose rejection there is no place left. The record is folded in and a compaction
 * writes what follows from it. Without this a journal that fills up in a trial would stay full. @return FOTA_OK or as
 * fota_journal_maintain(). */
int fota_journal_conclude(struct fota_journal *journal, const struct fota_record *record);

/** Look at one place of a bank, for people. @param index 0 (the bank's head) … FOTA_JOURNAL_RECORDS - 1. @param
 * sequence, record what stands there; of a head only the number. @return FOTA_OK, FOTA_E_NO_IMAGE: erased, FOTA_E_CRC:
 * nothing that counts, or the error of the flash's read. */
int fota_journal_peek(const struct fota_flash *flash, unsigned bank, uint32_t index, uint32_t *sequence,
                      struct fota_record *record);

/** @return why an identity was rejected (enum fota_error), FOTA_OK when it was not. */
int fota_journal_rejected(const struct fota_boot_state *state, const uint8_t identity[FOTA_IDENTITY_SHORT]);

/** @return whether `ref` is this slot with this identity. */
bool fota_image_is(const struct fota_image_ref *ref, unsigned slot, const uint8_t identity[FOTA_IDENTITY_SHORT]);

#endif
