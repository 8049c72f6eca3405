/* SPDX-License-Identifier: MIT */
#include "device.h"

#include "cmocka_all.h"
#include "sign.h"

#include <string.h>

void device_init(struct device *d, struct ram_flash *flash)
{
    memset(d, 0, sizeof *d);
    d->flash = flash;
    d->target = test_target();
    test_key(0, &d->key);
}

static int check_slot(void *ctx, unsigned slot, struct fota_slot_image *image)
{
    struct device *d = ctx;

    return fota_slot_check(&d->flash->port, slot, &d->target, &d->key, 1, image);
}

static void decide(struct device *d, const struct fota_boot_state *state, enum fota_reset_cause cause)
{
    const struct fota_slot_view view = {.ctx = d, .check = check_slot};

    fota_boot_decide(state, cause, d->target.floor, &view, &d->decision);
}

unsigned device_decide(struct device *d, enum fota_reset_cause cause)
{
    d->error = fota_journal_open(&d->journal, &d->flash->port);
    if (d->error == FOTA_OK)
        d->error = fota_journal_settle(&d->journal);
    if (d->error == FOTA_OK)
        d->error = fota_journal_maintain(&d->journal);
    decide(d, &d->journal.state, cause);
    return d->decision.slot;
}

int device_reject(struct device *d)
{
    int error = fota_boot_record_reject(&d->journal, &d->decision);

    fota_install_init(&d->installer, &d->journal, &d->target, &d->key, 1, d->decision.slot);
    return error;
}

unsigned device_reset(struct device *d, enum fota_reset_cause cause)
{
    (void) device_decide(d, cause);
    (void) device_reject(d);
    return d->decision.slot;
}

unsigned device_jump(struct device *d)
{
    /* an install that came meanwhile is news: the bootloader resets and decides again */
    if (fota_boot_record_attempt(&d->journal, &d->decision) != FOTA_OK) {
        struct fota_boot_state state = d->journal.state;

        state.trial = FOTA_TRIAL_NONE;
        decide(d, &state, FOTA_RESET_OTHER);
        if (d->decision.attempt != 0)
            return FOTA_SLOT_NONE;
    }
    return d->decision.slot;
}

int device_confirm(struct device *d)
{
    const struct fota_image_ref *candidate = &d->journal.state.candidate;
    struct fota_record record = {
        .type = FOTA_RECORD_CONFIRMED, .slot = d->decision.slot, .arg = d->decision.image.header.counter};

    d->error = fota_journal_open(&d->journal, &d->flash->port);
    if (d->error != FOTA_OK || d->journal.state.trial != FOTA_TRIAL_RUNNING ||
        !fota_image_is(candidate, d->decision.slot, d->decision.image.identity))
        return d->error;
    memcpy(record.identity, d->decision.image.identity, FOTA_IDENTITY_SHORT);
    return d->error = fota_journal_append(&d->journal, &record);
}

int device_install(struct device *d, const struct test_image *image, uint32_t chunk, uint32_t until)
{
    struct fota_installer *in = &d->installer;
    int error = fota_install_begin(in, image->raw, false);

    while (error == FOTA_OK && in->state == FOTA_INSTALL_RECEIVING && in->next < image->header.image_size) {
        uint32_t left = image->header.image_size - in->next;

        if (in->next >= until)
            return FOTA_OK;
        error = fota_install_write(in, in->next, image->code[in->slot] + in->next, left < chunk ? left : chunk);
    }
    return error == FOTA_OK ? fota_install_finish(in) : error;
}

void flash_image(struct ram_flash *flash, const struct test_image *image, unsigned slot)
{
    memcpy(ram_flash_at(flash, fota_slot_base(slot)), image->raw, FOTA_HEADER_SIZE);
    memcpy(ram_flash_at(flash, fota_slot_code(slot)), image->code[slot], image->header.image_size);
}
