/* SPDX-License-Identifier: MIT */
#include "fota/install.h"

#include <string.h>

void fota_install_init(struct fota_installer *in, struct fota_journal *journal, const struct fota_target *target,
                       const struct fota_key *keys, unsigned key_count, unsigned boots)
{
    memset(in, 0, sizeof *in);
    in->journal = journal;
    in->target = *target;
    in->keys = keys;
    in->key_count = key_count;
    in->boots = (uint8_t) boots;
    in->slot = FOTA_SLOT_NONE;
}

static int record(struct fota_installer *in, uint8_t type, int16_t reason, uint32_t arg)
{
    struct fota_record r = {.type = type, .slot = in->slot, .reason = reason, .arg = arg};

    memcpy(r.identity, in->identity, FOTA_IDENTITY_SHORT);
    return fota_journal_append(in->journal, &r);
}

/* The slot that may be written: never the confirmed one, and with nothing confirmed never the one that would
 * be booted. */
static uint8_t spare_slot(const struct fota_installer *in)
{
    const struct fota_boot_state *s = &in->journal->state;
    uint8_t keep = s->confirmed.slot;

    if (keep == FOTA_SLOT_NONE && s->trial == FOTA_TRIAL_PENDING)
        return s->candidate.slot; /* what is pending may be written anew; the other slot may be all there is */
    if (keep == FOTA_SLOT_NONE)
        keep = in->boots;
    return keep == FOTA_SLOT_A ? FOTA_SLOT_B : FOTA_SLOT_A;
}

/* During a trial nothing may be written. The same holds when the confirmed image is broken and the other slot
 * is about to be tried in its place. */
static bool busy(const struct fota_installer *in)
{
    const struct fota_boot_state *s = &in->journal->state;

    return s->trial == FOTA_TRIAL_RUNNING || (s->trial == FOTA_TRIAL_NONE && s->confirmed.slot != FOTA_SLOT_NONE &&
                                              in->boots != FOTA_SLOT_NONE && in->boots != s->confirmed.slot);
}

static int check_header(struct fota_installer *in, const uint8_t raw[FOTA_HEADER_SIZE])
{
    struct fota_target target = in->target;
    int error = fota_header_decode(raw, &in->header);

    if (in->journal->state.floor > target.floor)
        target.floor = in->journal->state.floor;
    if (error == FOTA_OK)
        error = fota_header_fits(&in->header, &target);
    return error == FOTA_OK ? fota_header_verify(raw, in->keys, in->key_count) : error;
}

int fota_install_begin(struct fota_installer *in, const uint8_t raw[FOTA_HEADER_SIZE], bool retry)
{
    const struct fota_boot_state *s = &in->journal->state;
    const uint8_t *identity = in->identity;
    int error;

    in->state = FOTA_INSTALL_IDLE;
    in->slot = FOTA_SLOT_NONE;
    if (busy(in))
        return FOTA_E_BUSY;
    error = check_header(in, raw);
    if (error != FOTA_OK)
        return error;
    fota_header_identity(raw, in->identity);
    if (fota_journal_rejected(s, identity) != FOTA_OK && !retry)
        return FOTA_E_REJECTED;

    in->slot = spare_slot(in);
    in->next = 0;
    if (s->trial == FOTA_TRIAL_PENDING && fota_image_is(&s->candidate, in->slot, identity)) {
        in->next = in->header.image_size;
        in->state = FOTA_INSTALL_COMPLETE;
        return FOTA_OK;
    }
    if (fota_journal_rejected(s, identity) != FOTA_OK)
        error = record(in, FOTA_RECORD_ALLOWED, 0, 0);
    if (error == FOTA_OK && fota_image_is(&s->install, in->slot, identity) &&
        s->install_size == in->header.image_size && s->install_next <= in->header.image_size)
        in->next = s->install_next;
    else if (error == FOTA_OK) {
        error = record(in, FOTA_RECORD_INSTALL, 0, in->header.image_size);
        if (error == FOTA_OK)
            in->boots = in->slot ^ 1u; /* whatever was pending here is not any more */
    }
    if (error == FOTA_OK)
        in->state = FOTA_INSTALL_RECEIVING;
    return error;
}

unsigned fota_install_erases(const struct fota_installer *in, uint32_t length)
{
    uint32_t address = fota_slot_code(in->slot) + in->next;
    unsigned last;

    if (in->state != FOTA_INSTALL_RECEIVING || length == 0 || length > in->header.image_size - in->next)
        return 0;
    last = fota_sector_of(address + length - 1u);
    for (unsigned sector = fota_sector_of(address); sector <= last; sector++)
        if ((in->journal->state.erased & (1u << sector)) == 0)
            return sector;
    return 0;
}

int fota_install_erase(struct fota_installer *in, unsigned sector)
{
    const struct fota_flash *flash = in->journal->flash;
    int error = record(in, FOTA_RECORD_ERASING, 0, sector);

    if (error == FOTA_OK)
        error = flash->erase(flash->ctx, sector);
    return error == FOTA_OK ? record(in, FOTA_RECORD_ERASED, 0, sector) : error;
}

/* Erase what the next bytes need, once: a completed erase is in the journal, an interrupted one is not. */
static int prepare(struct fota_installer *in, uint32_t length)
{
    int error = FOTA_OK;

    for (unsigned sector; error == FOTA_OK && (sector = fota_install_erases(in, length)) != 0;)
        error = fota_install_erase(in, sector);
    return error;
}

/* The install is void: the next begin starts anew. */
static void give_up(struct fota_installer *in, int reason)
{
    (void) record(in, FOTA_RECORD_VOID, (int16_t) reason, 0);
    fota_install_abort(in);
}

int fota_install_write(struct fota_installer *in, uint32_t offset, const void *data, uint32_t length)
{
    const struct fota_flash *flash = in->journal->flash;
    uint32_t address = fota_slot_code(in->slot) + offset;
    int error;

    if (in->state != FOTA_INSTALL_RECEIVING)
        return FOTA_E_STATE;
    if (offset != in->next)
        return FOTA_E_OFFSET;
    if (length == 0 || length % 4u != 0 || length > in->header.image_size - offset)
        return FOTA_E_ARGUMENT;
    error = prepare(in, length);
    if (error != FOTA_OK)
        return error;
    error = flash->program(flash->ctx, address, data, length);
    if (error == FOTA_E_FLASH) /* other bytes stand there: a resume would fail at the same place for ever */
        give_up(in, error);
    if (error != FOTA_OK)
        return error;
    in->next += length;
    if (in->next / FOTA_PROGRESS_STEP != offset / FOTA_PROGRESS_STEP)
        error = record(in, FOTA_RECORD_PROGRESS, 0, in->next);
    return error;
}

static int check_code(const struct fota_installer *in, const struct fota_slot_hash *hash)
{
    uint8_t sha256[FOTA_SHA256_SIZE];

    if (hash->done != in->header.image_size)
        return FOTA_E_INCOMPLETE;
    if (hash->crc != in->header.crc[in->slot])
        return FOTA_E_CRC;
    fota_sha256_out(&hash->sha256, sha256);
    if (memcmp(sha256, in->header.sha256[in->slot], FOTA_SHA256_SIZE) != 0)
        return FOTA_E_HASH;
    return fota_vectors_check(hash->vectors, in->header.image_size, in->slot);
}

/* @return FOTA_OK when all bytes are there, but nothing was checked. */
static int all_there(const struct fota_installer *in)
{
    if (in->state != FOTA_INSTALL_RECEIVING)
        return FOTA_E_STATE;
    return in->next == in->header.image_size ? FOTA_OK : FOTA_E_INCOMPLETE;
}

int fota_install_conclude(struct fota_installer *in, const struct fota_slot_hash *hash)
{
    const struct fota_flash *flash = in->journal->flash;
    int error = all_there(in);

    if (error != FOTA_OK)
        return in->state == FOTA_INSTALL_COMPLETE ? FOTA_OK : error;
    error = check_code(in, hash);
    if (error == FOTA_OK) /* fails where an earlier attempt left the header of another signature: then begin anew */
        error = flash->program(flash->ctx, fota_slot_base(in->slot), &in->header, FOTA_HEADER_SIZE);
    if (error == FOTA_E_SUPPLY) /* nothing was written: it is for the gateway to ask again */
        return error;
    if (error != FOTA_OK) {
        give_up(in, error);
        return error;
    }
    error = record(in, FOTA_RECORD_PENDING, 0, 0);
    if (error == FOTA_OK)
        in->state = FOTA_INSTALL_COMPLETE;
    return error;
}

int fota_install_finish(struct fota_installer *in)
{
    struct fota_slot_hash hash;
    int error = all_there(in);

    if (error != FOTA_OK)
        return in->state == FOTA_INSTALL_COMPLETE ? FOTA_OK : error;
    fota_slot_hash_begin(&hash, true);
    error = fota_slot_hash_step(&hash, in->journal->flash, in->slot, in->header.image_size, in->header.image_size);
    if (error == FOTA_OK)
        return fota_install_conclude(in, &hash);
    give_up(in, error);
    return error;
}

void fota_install_abort(struct fota_installer *in)
{
    in->state = FOTA_INSTALL_IDLE;
    in->slot = FOTA_SLOT_NONE;
}
