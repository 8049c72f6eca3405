/* SPDX-License-Identifier: MIT */
/**
 * @file install.h
 * Installing an image into the spare slot: begin, write, finish. Nothing is erased before every check of the
 * header has passed, and the order is always code, header, journal. The bootloader and the agent use the same
 * installer.
 */
#ifndef FOTA_INSTALL_H
#define FOTA_INSTALL_H

#include "fota/boot.h"

#define FOTA_PROGRESS_STEP FOTA_KIB(16) /* a record after each: what a resume repeats at most */

enum fota_install_state { FOTA_INSTALL_IDLE = 0, FOTA_INSTALL_RECEIVING = 1, FOTA_INSTALL_COMPLETE = 2 };

struct fota_installer {
    struct fota_journal *journal;
    struct fota_target target; /* its floor is the built-in one */
    const struct fota_key *keys;
    unsigned key_count;
    uint8_t boots; /* the slot that would be booted; it is not written when nothing is confirmed */
    uint8_t state; /* enum fota_install_state */
    uint8_t slot;  /* being written */
    uint32_t next; /* offset in the code */
    struct fota_header header;
    uint8_t identity[FOTA_IDENTITY_SIZE];
};

/** Prepare. @param boots slot that the boot decision chose, FOTA_SLOT_NONE when there is none.
 *  @param target product, hardware revision and built-in floor. @param keys trusted keys, kept by reference.
 */
void fota_install_init(struct fota_installer *installer, struct fota_journal *journal, const struct fota_target *target,
                       const struct fota_key *keys, unsigned key_count, unsigned boots);

/** Begin, or go on with an interrupted install of the same image: then `next` is where. Erases nothing.
 *  @param retry an operator asks for an image that was rejected before.
 *  @return FOTA_OK, FOTA_E_BUSY during a trial, FOTA_E_REJECTED, what decode, fit and verify of the header
 * say, FOTA_E_JOURNAL_FULL or FOTA_E_FLASH. After an error the installer is idle. */
int fota_install_begin(struct fota_installer *installer, const uint8_t raw[FOTA_HEADER_SIZE], bool retry);

/** Write the next piece; sectors are erased when the first byte for them comes.
 *  @param offset must be `next`. @param length multiple of 4, not beyond the image.
 *  @return FOTA_OK, FOTA_E_STATE, FOTA_E_OFFSET, FOTA_E_ARGUMENT, FOTA_E_FLASH, FOTA_E_SUPPLY or
 * FOTA_E_JOURNAL_FULL. When the piece cannot be programmed (FOTA_E_FLASH) the install is void and the next
 * begin starts anew. */
int fota_install_write(struct fota_installer *installer, uint32_t offset, const void *data, uint32_t length);

/** Check CRC-32, SHA-256 and vectors from flash, write the header, verify it, record `pending`. May be
 * repeated.
 *  @return FOTA_OK, FOTA_E_STATE, FOTA_E_INCOMPLETE, FOTA_E_CRC, FOTA_E_HASH, FOTA_E_VECTORS, FOTA_E_FLASH or
 *  FOTA_E_JOURNAL_FULL. After a failed check the install is void and the next begin starts anew. */
int fota_install_finish(struct fota_installer *installer);

/** The rest of fota_install_finish(), for whoever has computed the hash piece by piece: fota_slot_hash_step() over
 * the whole image in installer->slot, with CRC-32, after the last write. Errors are the same. */
int fota_install_conclude(struct fota_installer *installer, const struct fota_slot_hash *hash);

/** Which sector a write of the next bytes would erase first. @param length of them, as fota_install_write() takes it.
 *  @return 1 … 11, or 0: none has to be erased, or no install is under way. */
unsigned fota_install_erases(const struct fota_installer *installer, uint32_t length);
/** Erase that sector now, and record it: as fota_install_write() would. @param sector from fota_install_erases().
 *  @return FOTA_OK, FOTA_E_FLASH, FOTA_E_SUPPLY or FOTA_E_JOURNAL_FULL. */
int fota_install_erase(struct fota_installer *installer, unsigned sector);

/** Leave the install as it is; a later begin of the same image goes on. */
void fota_install_abort(struct fota_installer *installer);

#endif
