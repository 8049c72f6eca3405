/* SPDX-License-Identifier: MIT */
#include "life.h"

#include "cmocka_all.h"

#include <string.h>

#define BOOTS_MAX 60u

static uint8_t image_number(const struct life *l, const uint8_t *identity)
{
    for (uint8_t i = 0; i < l->image_count; i++)
        if (memcmp(l->images[i].image->identity, identity, FOTA_IDENTITY_SHORT) == 0)
            return i;
    return ORACLE_NONE;
}

/* Which image lies in a slot, byte by byte as it should. */
static uint8_t image_in(struct life *l, unsigned slot)
{
    for (uint8_t i = 0; i < l->image_count; i++) {
        const struct test_image *image = l->images[i].image;

        if (memcmp(ram_flash_at(l->flash, fota_slot_base(slot)), image->raw, FOTA_HEADER_SIZE) == 0 &&
            memcmp(ram_flash_at(l->flash, fota_slot_code(slot)), image->code[slot], image->header.image_size) == 0)
            return i;
    }
    return ORACLE_NONE;
}

/* --- acts, with the oracle as a witness ---------------------------------------------------------------------- */

static void acts_begin(struct life *l, enum oracle_act first, enum oracle_act second, unsigned count, unsigned slot,
                       uint8_t image)
{
    struct act acts[2] = {{.act = first, .slot = (uint8_t) slot, .image = image},
                          {.act = second, .slot = (uint8_t) slot, .image = image}};

    acts[0].counter = image < l->image_count ? l->images[image].image->header.counter : 0;
    oracle_begin(&l->oracle, acts, count);
}

static void act_begin(struct life *l, enum oracle_act act, unsigned slot, uint8_t image)
{
    acts_begin(l, act, act, 1, slot, image);
}

/* --- what the device shows ----------------------------------------------------------------------------------- */

static uint8_t shown_slot(unsigned slot)
{
    return slot == FOTA_SLOT_NONE ? ORACLE_NONE : (uint8_t) slot;
}

static struct showing show(struct life *l)
{
    const struct fota_boot_state *s = &l->device.journal.state;
    const struct fota_decision *d = &l->device.decision;
    struct showing showing = {.boots = shown_slot(d->slot), .attempt = d->attempt, .reject = shown_slot(d->reject)};
    struct belief *b = &showing.state;

    b->confirmed_slot = shown_slot(s->confirmed.slot);
    b->confirmed = s->confirmed.slot == FOTA_SLOT_NONE ? ORACLE_NONE : image_number(l, s->confirmed.identity);
    b->candidate_slot = s->trial == FOTA_TRIAL_NONE ? ORACLE_NONE : s->candidate.slot;
    b->candidate = s->trial == FOTA_TRIAL_NONE ? ORACLE_NONE : image_number(l, s->candidate.identity);
    b->attempts = s->attempts;
    b->floor = s->floor;
    for (unsigned i = 0; i < s->reject_count; i++) {
        uint8_t image = image_number(l, s->rejects[i].identity);

        if (image != ORACLE_NONE)
            b->rejected |= (uint16_t) (1u << image);
    }
    showing.reason = d->reason == FOTA_E_WATCHDOG   ? CAUSE_WATCHDOG
                     : d->reason == FOTA_E_FAULT    ? CAUSE_FAULT
                     : d->reason == FOTA_E_DEADLINE ? CAUSE_DEADLINE
                     : d->reason == FOTA_E_RESETS   ? CAUSE_OTHER
                                                    : -1;
    return showing;
}

static const enum oracle_cause causes[] = {[FOTA_RESET_OTHER] = CAUSE_OTHER,
                                           [FOTA_RESET_WATCHDOG] = CAUSE_WATCHDOG,
                                           [FOTA_RESET_FAULT] = CAUSE_FAULT,
                                           [FOTA_RESET_DEADLINE] = CAUSE_DEADLINE};

static void judge(struct life *l)
{
    struct showing showing = show(l);
    uint8_t in[2];
    bool unsure[2];
    const char *wrong;

    for (unsigned slot = 0; slot < 2u; slot++) {
        unsigned first = fota_sector_of(fota_slot_base(slot));

        in[slot] = image_in(l, slot);
        unsure[slot] = (l->flash->unstable & (1u << first)) != 0;
    }
    wrong = oracle_decision(&l->oracle, causes[l->cause], in, unsure, &showing);
    if (wrong != NULL)
        fail_msg(
            "boot %u: %s. confirmed %u/%u candidate %u/%u attempts %u rejected %x floor %u; boots %u attempt %u reject "
            "%u (%d), "
            "cause %d",
            l->boots, wrong, showing.state.confirmed_slot, showing.state.confirmed, showing.state.candidate_slot,
            showing.state.candidate, showing.state.attempts, showing.state.rejected, (unsigned) showing.state.floor,
            showing.boots, showing.attempt, showing.reject, l->device.decision.reason, (int) l->cause);
}

/* --- the gateway --------------------------------------------------------------------------------------------- */

static struct job *present_job(struct life *l)
{
    return l->job < l->job_count ? &l->jobs[l->job] : NULL;
}

static void job_ends(struct life *l, enum outcome outcome)
{
    l->outcomes[l->job++] = outcome;
    l->sent = false;
    l->still = 0;
}

/* @return FOTA_OK when the image is in the device, whole. */
static int send_image(struct life *l, const struct job *job)
{
    struct fota_installer *in = &l->device.installer;
    const struct life_image *li = &l->images[job->image];
    const struct test_image *image = li->image;
    const struct fota_boot_state *s = &l->device.journal.state;
    bool keep_a = s->confirmed.slot == FOTA_SLOT_A ||
                  (s->confirmed.slot == FOTA_SLOT_NONE &&
                   (s->trial == FOTA_TRIAL_PENDING ? s->candidate.slot == FOTA_SLOT_B : in->boots == FOTA_SLOT_A));
    unsigned slot = keep_a ? FOTA_SLOT_B : FOTA_SLOT_A;
    int error;

    acts_begin(l, ACT_ALLOW, ACT_INSTALL, 2, slot, job->image);
    if (!job->retry) {
        l->oracle.acts[0] = l->oracle.acts[1];
        l->oracle.acts_under_way = 1;
    }
    error = fota_install_begin(in, image->raw, job->retry);
    if (error == FOTA_OK && in->state == FOTA_INSTALL_COMPLETE) { /* it is there already: nothing has happened */
        oracle_end(&l->oracle, false);
        return FOTA_OK;
    }
    oracle_end(&l->oracle, error == FOTA_OK);
    if (error != FOTA_OK)
        return error;
    assert_int_equal(in->slot, slot);
    assert_true(in->next <= image->header.image_size);
    assert_memory_equal(ram_flash_at(l->flash, fota_slot_code(slot)), image->code[slot], in->next);
    while (error == FOTA_OK && in->next < image->header.image_size) {
        uint8_t piece[2048];
        uint32_t left = image->header.image_size - in->next, length = left < l->chunk ? left : l->chunk;

        memcpy(piece, image->code[slot] + in->next, length);
        if (li->bad && length == left)
            piece[length - 1u] ^= 0x55;
        error = fota_install_write(in, in->next, piece, length);
    }
    if (error != FOTA_OK)
        return error;
    act_begin(l, ACT_PENDING, slot, job->image);
    error = fota_install_finish(in);
    oracle_end(&l->oracle, error == FOTA_OK);
    if (error == FOTA_OK)
        assert_int_equal(image_in(l, slot), job->image);
    return error;
}

/* What the gateway does while the device listens. @return whether something was installed, so that the device is reset.
 */
static bool serve(struct life *l, bool agent)
{
    const struct fota_boot_state *s = &l->device.journal.state;
    struct job *job = present_job(l);
    int error;

    if (job == NULL)
        return false;
    const uint8_t *identity = l->images[job->image].image->identity;
    if (s->trial != FOTA_TRIAL_NONE) {
        if (fota_image_is(&s->candidate, s->candidate.slot, identity))
            l->sent = true;
        if (s->trial == FOTA_TRIAL_RUNNING) { /* nobody may interfere */
            uint64_t ops = l->flash->ops;

            assert_int_equal(fota_install_begin(&l->device.installer, l->images[0].image->raw, true), FOTA_E_BUSY);
            assert_true(l->flash->ops == ops);
            return false;
        }
    }
    if (l->sent && s->trial == FOTA_TRIAL_NONE) {
        bool confirmed = fota_image_is(&s->confirmed, s->confirmed.slot, identity);

        assert_true(confirmed || fota_journal_rejected(s, identity) != FOTA_OK);
        job_ends(l, confirmed ? CONFIRMED : ROLLED_BACK);
        return serve(l, agent);
    }
    if (l->sent || agent != job->by_agent)
        return false;
    error = send_image(l, job);
    if (error == FOTA_OK) {
        l->sent = true;
        return true;
    }
    if (error != FOTA_E_CRC)
        fail_msg("boot %u: install of image %u ends with %d", l->boots, job->image, error);
    job_ends(l, FAILED);
    return true;
}

/* --- the application ----------------------------------------------------------------------------------------- */

/* An application runs. @return why it is reset. */
static enum fota_reset_cause run(struct life *l, unsigned slot)
{
    static const enum fota_reset_cause ends[] = {[LATE] = FOTA_RESET_DEADLINE,
                                                 [HANGS] = FOTA_RESET_WATCHDOG,
                                                 [FAULTS] = FOTA_RESET_FAULT,
                                                 [RESETS] = FOTA_RESET_OTHER};
    uint8_t image = image_in(l, slot);
    struct device *d = &l->device;

    if (image == ORACLE_NONE && (l->flash->unstable & (1u << fota_sector_of(fota_slot_base(slot)))) != 0)
        image = image_number(l, d->decision.image.identity);
    assert_int_not_equal(image, ORACLE_NONE); /* it was verified */
    assert_int_equal(fota_journal_open(&d->journal, &l->flash->port), FOTA_OK);
    fota_install_init(&d->installer, &d->journal, &d->target, &d->key, 1, slot);
    if (d->decision.attempt != 0) {
        assert_false(serve(l, true));
        if (l->images[image].behaviour != CONFIRMS)
            return ends[l->images[image].behaviour];
        act_begin(l, ACT_CONFIRM, slot, image);
        assert_int_equal(device_confirm(d), FOTA_OK);
        oracle_end(&l->oracle, true);
    }
    (void) serve(l, true);
    return FOTA_RESET_OTHER;
}

/* --- one boot after the other -------------------------------------------------------------------------------- */

static void boot(struct life *l)
{
    struct device *d = &l->device;
    unsigned slot;

    if (++l->boots > BOOTS_MAX)
        fail_msg("no end after %u boots, job %u", l->boots, l->job);
    device_init(d, l->flash);
    (void) device_decide(d, l->cause);
    assert_int_equal(d->error, FOTA_OK);
    judge(l);
    if (d->decision.reject != FOTA_SLOT_NONE)
        act_begin(l, ACT_REJECT, d->decision.reject, image_number(l, d->decision.reject_identity));
    assert_int_equal(device_reject(d), FOTA_OK);
    oracle_end(&l->oracle, true);
    l->cause = FOTA_RESET_OTHER;
    if (serve(l, false))
        return;
    if (d->decision.slot != FOTA_SLOT_NONE && d->decision.attempt != 0)
        act_begin(l, ACT_ATTEMPT, d->decision.slot, image_number(l, d->decision.image.identity));
    slot = device_jump(d);
    oracle_end(&l->oracle, true);
    assert_int_equal(slot, d->decision.slot);
    if (slot != FOTA_SLOT_NONE)
        l->cause = run(l, slot);
    if (present_job(l) == NULL)
        l->still++;
}

static void power_up(struct life *l)
{
    l->started_ops = l->flash->ops;
    if (l->cuts_done < l->cut_count) {
        const struct cut *cut = &l->cuts[l->cuts_done];

        ram_flash_cut_at(l->flash, cut->kind, l->flash->ops + cut->after, cut->seed, &l->power_lost);
    }
}

void life_run(struct life *l)
{
    if (setjmp(l->power_lost) != 0) {
        oracle_cut(&l->oracle);
        l->cause = FOTA_RESET_OTHER;
        l->cuts_done++;
    }
    power_up(l);
    while (l->still < 2u)
        boot(l);
    ram_flash_no_cut(l->flash);
    assert_int_equal(l->job, l->job_count);
    for (unsigned i = 0; i < l->job_count; i++) {
        /* three cuts may cost a trial its three attempts */
        bool unlucky = l->cuts_done >= 3u && l->jobs[i].expected == CONFIRMED && l->outcomes[i] == ROLLED_BACK;

        if (l->outcomes[i] != l->jobs[i].expected && !unlucky)
            fail_msg("job %u ended as %d, expected %d", i, (int) l->outcomes[i], (int) l->jobs[i].expected);
    }
    if (l->flash->conflicts != 0)
        fail_msg("%u words were programmed from 0 to 1", l->flash->conflicts);
}
