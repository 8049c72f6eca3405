/* SPDX-License-Identifier: MIT */
/**
 * @file boot.h
 * Which image to boot: a decision from the journal and the two slots, and the records that make it firm
 * before it is acted on.
 */
#ifndef FOTA_BOOT_H
#define FOTA_BOOT_H

#include "fota/journal.h"

/** Why the chip was reset, as far as it matters to a trial. */
enum fota_reset_cause {
    FOTA_RESET_OTHER,    /* power, pin, software */
    FOTA_RESET_WATCHDOG, /* the independent watchdog */
    FOTA_RESET_FAULT,    /* the application's fault handler asked for it */
    FOTA_RESET_DEADLINE  /* the agent asked for it: the trial deadline has passed */
};

/** What lies in a slot. */
struct fota_slot_image {
    int error; /* FOTA_OK: header, signature, hash and vectors are good */
    struct fota_header header;
    uint8_t identity[FOTA_IDENTITY_SIZE];
    /* what was computed, for the second look: what the signature's r must be, the digest of the code, its vectors */
    uint8_t proof[FOTA_PROOF_SIZE], sha256[FOTA_SHA256_SIZE];
    uint32_t vectors[2];
};

/** Check a slot as it is done at every boot: header, product and hardware, signature, SHA-256 and vector
 * table, not the floor.
 *  @param image filled in; `identity` and `header` are valid when the header could be decoded.
 *  @return image->error: FOTA_OK, FOTA_E_NO_IMAGE (there is no header), FOTA_E_IO or what the checks said. */
int fota_slot_check(const struct fota_flash *flash, unsigned slot, const struct fota_target *target,
                    const struct fota_key *keys, unsigned key_count, struct fota_slot_image *image);

/** CRC-32 and SHA-256 over the code of a slot, computed piece by piece. */
struct fota_slot_hash {
    struct fota_sha256 sha256;
    uint32_t crc, done; /* bytes so far */
    bool with_crc;
    uint8_t vectors[8]; /* the first bytes of the code */
};

/** Begin. @param with_crc whether the CRC-32 is wanted as well. */
void fota_slot_hash_begin(struct fota_slot_hash *hash, bool with_crc);
/** Go on. @param size of the code; multiple of 4, at least 8. @param most so many bytes at most, a multiple of 4, at
 *  least 8. @return FOTA_OK or the flash's error. All is done when hash->done is `size`. */
int fota_slot_hash_step(struct fota_slot_hash *hash, const struct fota_flash *flash, unsigned slot, uint32_t size,
                        uint32_t most);

/** CRC-32 and SHA-256 over the code of a slot, read from flash.
 *  @param crc may be NULL: then no CRC-32 is computed. @return FOTA_OK or the flash's error. */
int fota_slot_digest(const struct fota_flash *flash, unsigned slot, uint32_t size, uint32_t *crc,
                     uint8_t sha256[FOTA_SHA256_SIZE], uint8_t vectors[8]);

/** How the decision looks at a slot. @return image->error. */
struct fota_slot_view {
    void *ctx;
    int (*check)(void *ctx, unsigned slot, struct fota_slot_image *image);
};

struct fota_decision {
    uint8_t slot;    /* to be booted; FOTA_SLOT_NONE: stay and wait for an update */
    uint8_t attempt; /* 0: a confirmed image; 1 … 3: a trial, to be recorded */
    uint8_t reject;  /* slot whose candidate is to be recorded as rejected first; FOTA_SLOT_NONE: none */
    int16_t reason;  /* of that rejection */
    uint8_t reject_identity[FOTA_IDENTITY_SHORT];
    struct fota_slot_image image; /* of `slot` */
};

/** Decide. The same settled journal, slots and cause always give the same decision. Writes nothing.
 *  @param floor_builtin floor of the configuration block; the journal's floor counts when it is higher. */
void fota_boot_decide(const struct fota_boot_state *state, enum fota_reset_cause cause, uint32_t floor_builtin,
                      const struct fota_slot_view *view, struct fota_decision *decision);

/** Record the rejection of a decision, if it has one: at once, while the cause of the reset is known.
 *  @return FOTA_OK or the journal's error; the rest of the decision stands all the same. */
int fota_boot_record_reject(struct fota_journal *journal, const struct fota_decision *decision);

/** Record the attempt of a decision, if it is a trial: right before the jump. The header of an image that was found
 *  without a record about it is programmed again first, with what was verified.
 *  @return FOTA_OK or the journal's error; then there must be no jump into the trial. */
int fota_boot_record_attempt(struct fota_journal *journal, const struct fota_decision *decision);

#define FOTA_BOOT_SURE 0x5AC3963Cu

/** The second look, right before the jump and after the attempt was recorded: whether everything that fota_slot_check()
 *  and fota_boot_decide() compared is equal, from what they computed, the flash and the journal. No instruction skipped
 *  in one of the two makes both say yes.
 *  @param floor_builtin as above. @return FOTA_BOOT_SURE, or another number. */
uint32_t fota_boot_sure(const struct fota_flash *flash, uint32_t floor_builtin, const struct fota_decision *decision);

#endif
