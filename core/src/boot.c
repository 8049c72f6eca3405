/* SPDX-License-Identifier: MIT */
#include "fota/boot.h"

#include "fota/crc32.h"

#include <string.h>

#define CHUNK 512u

void fota_slot_hash_begin(struct fota_slot_hash *hash, bool with_crc)
{
    fota_sha256_init(&hash->sha256);
    hash->crc = hash->done = 0;
    hash->with_crc = with_crc;
    memset(hash->vectors, 0, sizeof hash->vectors);
}

int fota_slot_hash_step(struct fota_slot_hash *hash, const struct fota_flash *flash, unsigned slot, uint32_t size,
                        uint32_t most)
{
    uint32_t chunk[CHUNK / 4u];

    for (uint32_t end = size - hash->done < most ? size : hash->done + most; hash->done < end;) {
        uint32_t length = end - hash->done < CHUNK ? end - hash->done : CHUNK;
        int error = flash->read(flash->ctx, fota_slot_code(slot) + hash->done, chunk, length);

        if (error != FOTA_OK)
            return error;
        if (hash->done == 0)
            memcpy(hash->vectors, chunk, sizeof hash->vectors);
        fota_sha256_update(&hash->sha256, chunk, length);
        if (hash->with_crc)
            hash->crc = fota_crc32(hash->crc, chunk, length);
        hash->done += length;
    }
    return FOTA_OK;
}

int fota_slot_digest(const struct fota_flash *flash, unsigned slot, uint32_t size, uint32_t *crc,
                     uint8_t sha256[FOTA_SHA256_SIZE], uint8_t vectors[8])
{
    struct fota_slot_hash hash;
    int error;

    fota_slot_hash_begin(&hash, crc != NULL);
    error = fota_slot_hash_step(&hash, flash, slot, size, size);
    if (error != FOTA_OK)
        return error;
    if (crc != NULL)
        *crc = hash.crc;
    memcpy(vectors, hash.vectors, sizeof hash.vectors);
    fota_sha256_out(&hash.sha256, sha256);
    return FOTA_OK;
}

static int check(const struct fota_flash *flash, unsigned slot, const struct fota_target *target,
                 const struct fota_key *keys, unsigned key_count, struct fota_slot_image *image)
{
    struct fota_header *header = &image->header;
    const uint8_t *raw = (const uint8_t *) header;
    uint8_t vectors[sizeof image->vectors];
    /* the floor gates what may be installed and tried, not what was confirmed: see fota_boot_decide() */
    struct fota_target any_floor = *target;
    int error = flash->read(flash->ctx, fota_slot_base(slot), header, sizeof *header);

    any_floor.floor = 0;
    if (error == FOTA_OK)
        error = fota_header_check(header);
    if (error == FOTA_E_MAGIC)
        return FOTA_E_NO_IMAGE;
    if (error == FOTA_OK) {
        fota_header_identity(raw, image->identity);
        error = fota_header_fits(header, &any_floor);
    }
    if (error == FOTA_OK)
        error = fota_header_prove(raw, keys, key_count, image->proof);
    if (error == FOTA_OK && memcmp(image->proof, raw + FOTA_HEADER_SIGNED, FOTA_PROOF_SIZE) != 0)
        error = FOTA_E_SIGNATURE;
    if (error == FOTA_OK)
        error = fota_slot_digest(flash, slot, header->image_size, NULL, image->sha256, vectors);
    if (error == FOTA_OK && memcmp(image->sha256, header->sha256[slot], FOTA_SHA256_SIZE) != 0)
        error = FOTA_E_HASH;
    if (error == FOTA_OK)
        error = fota_vectors_check(vectors, header->image_size, slot);
    if (error == FOTA_OK)
        memcpy(image->vectors, vectors, sizeof image->vectors);
    return error;
}

int fota_slot_check(const struct fota_flash *flash, unsigned slot, const struct fota_target *target,
                    const struct fota_key *keys, unsigned key_count, struct fota_slot_image *image)
{
    memset(image, 0, sizeof *image);
    return image->error = check(flash, slot, target, keys, key_count, image);
}

/* --- the decision ----------------------------------------------------------------------------------------------- */

static int16_t reason_of(enum fota_reset_cause cause)
{
    return cause == FOTA_RESET_WATCHDOG   ? FOTA_E_WATCHDOG
           : cause == FOTA_RESET_FAULT    ? FOTA_E_FAULT
           : cause == FOTA_RESET_DEADLINE ? FOTA_E_DEADLINE
                                          : FOTA_E_RESETS;
}

/* Check a slot that the journal knows: it must hold the very image that the record is about. */
static int check_ref(const struct fota_slot_view *view, const struct fota_image_ref *ref, struct fota_slot_image *image)
{
    int error = view->check(view->ctx, ref->slot, image);

    if (error == FOTA_OK && memcmp(image->identity, ref->identity, FOTA_IDENTITY_SHORT) != 0)
        error = image->error = FOTA_E_NO_IMAGE;
    return error;
}

/* The candidate: may it be tried (again)? @return FOTA_OK or why it is rejected. */
static int16_t judge_candidate(const struct fota_boot_state *state, enum fota_reset_cause cause, uint32_t floor,
                               const struct fota_slot_view *view, struct fota_decision *d)
{
    int error;

    if (state->trial == FOTA_TRIAL_RUNNING && (cause == FOTA_RESET_DEADLINE || state->attempts >= FOTA_ATTEMPTS))
        return reason_of(cause);
    error = check_ref(view, &state->candidate, &d->image);
    if (error == FOTA_OK && d->image.header.counter < floor)
        error = FOTA_E_FLOOR;
    return (int16_t) error;
}

/* Is `image` in `slot` a better choice than what `d` holds? What an install is about to overwrite comes last, then
 * counter and version decide. */
static bool better(const struct fota_boot_state *state, const struct fota_decision *d, unsigned slot,
                   const struct fota_header *h)
{
    const struct fota_header *best = &d->image.header;

    if (d->slot == FOTA_SLOT_NONE || state->install.slot == d->slot)
        return true;
    if (state->install.slot == slot)
        return false;
    return h->counter > best->counter ||
           (h->counter == best->counter && fota_version_compare(&h->version, &best->version) > 0);
}

/* With nothing confirmed that boots: the best valid image that was not rejected is entered as a trial. A slot is looked
 * at once: what a power cut has torn may read differently the next time. */
static void find_any(const struct fota_boot_state *state, uint32_t floor, const struct fota_slot_view *view,
                     struct fota_decision *d)
{
    struct fota_slot_image image;

    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        if ((state->spoiled >> slot & 1u) != 0)
            continue; /* an erase was begun there: what reads well may not hold */
        if (view->check(view->ctx, slot, &image) != FOTA_OK || image.header.counter < floor ||
            fota_journal_rejected(state, image.identity) != FOTA_OK ||
            (d->reject == slot && memcmp(d->reject_identity, image.identity, FOTA_IDENTITY_SHORT) == 0))
            continue;
        if (better(state, d, slot, &image.header)) {
            d->image = image;
            d->slot = (uint8_t) slot;
            d->attempt = 1;
        }
    }
}

void fota_boot_decide(const struct fota_boot_state *state, enum fota_reset_cause cause, uint32_t floor_builtin,
                      const struct fota_slot_view *view, struct fota_decision *d)
{
    uint32_t floor = state->floor > floor_builtin ? state->floor : floor_builtin;

    memset(d, 0, sizeof *d);
    d->slot = d->reject = FOTA_SLOT_NONE;
    if (state->trial != FOTA_TRIAL_NONE) {
        d->reason = judge_candidate(state, cause, floor, view, d);
        if (d->reason == FOTA_OK) {
            d->slot = state->candidate.slot;
            d->attempt = (uint8_t) (state->attempts + 1u);
            return;
        }
        d->reject = state->candidate.slot;
        memcpy(d->reject_identity, state->candidate.identity, FOTA_IDENTITY_SHORT);
    }
    if (state->confirmed.slot != FOTA_SLOT_NONE && check_ref(view, &state->confirmed, &d->image) == FOTA_OK) {
        d->slot = state->confirmed.slot;
        return;
    }
    find_any(state, floor, view, d);
}

int fota_boot_record_reject(struct fota_journal *journal, const struct fota_decision *d)
{
    struct fota_record record = {.type = FOTA_RECORD_REJECTED, .slot = d->reject, .reason = d->reason};
    int error;

    if (d->reject == FOTA_SLOT_NONE)
        return FOTA_OK;
    memcpy(record.identity, d->reject_identity, FOTA_IDENTITY_SHORT);
    error = fota_journal_append(journal, &record);
    return error == FOTA_E_JOURNAL_FULL ? fota_journal_conclude(journal, &record) : error;
}

int fota_boot_record_attempt(struct fota_journal *journal, const struct fota_decision *d)
{
    struct fota_record record = {.type = FOTA_RECORD_TRIAL, .slot = d->slot, .arg = d->attempt};
    int error = FOTA_OK;

    if (d->attempt == 0)
        return FOTA_OK;
    /* Found, and not known as pending: its header may be half written, and read well this time only. Made firm, or the
     * trial might confirm what does not verify at the next boot. */
    if (journal->state.trial == FOTA_TRIAL_NONE)
        error = journal->flash->program(journal->flash->ctx, fota_slot_base(d->slot), &d->image.header,
                                        sizeof d->image.header);
    if (error != FOTA_OK)
        return error;
    memcpy(record.identity, d->image.identity, FOTA_IDENTITY_SHORT);
    error = fota_journal_append(journal, &record);
    if (error == FOTA_E_JOURNAL_FULL && journal->present) { /* so many resets that the journal is full: no more tries */
        record.type = FOTA_RECORD_REJECTED;
        record.reason = FOTA_E_RESETS;
        (void) fota_journal_conclude(journal, &record);
    }
    return error;
}
