/* SPDX-License-Identifier: MIT */
/* The second look: a fault that skips one instruction (a dip of the supply, a pulse) may turn any single comparison
 * around. So what a good image must satisfy is compared twice, here from what cannot be had without the key and the
 * code: the computed r of the signature, and the computed digest; and the journal is read anew. */
#include "fota/boot.h"

#include <string.h>

/* Each term is a different part of the sum, so that none of them can stand for another one. */
enum {
    TERM_HEADER = 1,
    TERM_SIGNATURE = 2,
    TERM_CODE = 4,
    TERM_VECTORS = 8,
    TERM_STATE = 16,
    TERM_FLOOR = 32,
    TERMS = 63
};

uint32_t fota_boot_sure(const struct fota_flash *flash, uint32_t floor_builtin, const struct fota_decision *d)
{
    const struct fota_slot_image *image = &d->image;
    const struct fota_header *header = &image->header;
    struct fota_journal journal;
    const struct fota_boot_state *state = &journal.state;
    const struct fota_image_ref *known = d->attempt > 0 ? &state->candidate : &state->confirmed;
    volatile uint32_t terms = 0; /* counted in memory: no value of a register is a yes by chance */
    struct fota_header again;
    uint32_t vectors[2];

    if (d->slot >= FOTA_SLOT_COUNT)
        return 0;
    if (flash->read(flash->ctx, fota_slot_base(d->slot), &again, sizeof again) == FOTA_OK &&
        memcmp(&again, header, sizeof again) == 0)
        terms += TERM_HEADER;
    if (memcmp(again.signature, image->proof, sizeof image->proof) == 0)
        terms += TERM_SIGNATURE;
    if (memcmp(again.sha256[d->slot], image->sha256, sizeof image->sha256) == 0)
        terms += TERM_CODE;
    if (flash->read(flash->ctx, fota_slot_code(d->slot), vectors, sizeof vectors) == FOTA_OK &&
        memcmp(vectors, image->vectors, sizeof vectors) == 0 && vectors[1] - fota_slot_code(d->slot) < FOTA_CODE_MAX)
        terms += TERM_VECTORS;
    if (fota_journal_open(&journal, flash) == FOTA_OK && fota_image_is(known, d->slot, image->identity))
        terms += TERM_STATE;
    if (d->attempt == 0 || (again.counter >= state->floor && again.counter >= floor_builtin))
        terms += TERM_FLOOR;
    return FOTA_BOOT_SURE - TERMS + terms;
}
