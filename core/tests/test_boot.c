/* SPDX-License-Identifier: MIT */
#include "fota/boot.h"

#include "fota/bytes.h"
#include "support/cmocka_all.h"
#include "support/device.h"
#include "support/journal_help.h"
#include "support/sign.h"

#include <string.h>

static struct ram_flash flash;
static struct test_image image, other;

static int setup(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    test_image_make(&image, 3000, 1, 4);
    test_image_make(&other, 2048, 2, 5);
    return 0;
}

/* --- a slot, as at every boot ------------------------------------------------------------------------------- */

static int check(unsigned slot, struct fota_slot_image *seen)
{
    struct fota_target target = test_target();
    struct fota_key key;

    target.floor = 1000; /* is not asked here */
    test_key(0, &key);
    memset(seen, 0xA5, sizeof *seen);
    int error = fota_slot_check(&flash.port, slot, &target, &key, 1, seen);
    assert_int_equal(error, seen->error);
    return error;
}

static void slot_check_each_error(void **state)
{
    struct fota_slot_image seen;

    (void) state;
    for (unsigned slot = 0; slot < 2u; slot++) {
        assert_int_equal(check(slot, &seen), FOTA_E_NO_IMAGE);
        flash_image(&flash, &image, slot);
        assert_int_equal(check(slot, &seen), FOTA_OK);
        assert_memory_equal(seen.identity, image.identity, sizeof seen.identity);
        assert_int_equal(seen.header.counter, 4);
        /* a bit anywhere in the code, the last one too */
        for (uint32_t at = 0; at < 3000u; at += at < 2900u ? 411u : 1u) {
            *ram_flash_at(&flash, fota_slot_code(slot) + at) ^= 0x20;
            assert_int_equal(check(slot, &seen), FOTA_E_HASH);
            *ram_flash_at(&flash, fota_slot_code(slot) + at) ^= 0x20;
        }
        *ram_flash_at(&flash, fota_slot_code(slot) + 3000u) ^= 0x20; /* behind it: nothing of it */
        assert_int_equal(check(slot, &seen), FOTA_OK);
        *ram_flash_at(&flash, fota_slot_base(slot) + 511u) ^= 1;
        assert_int_equal(check(slot, &seen), FOTA_E_SIGNATURE);
        *ram_flash_at(&flash, fota_slot_base(slot) + 136u) ^= 1;
        assert_int_equal(check(slot, &seen), FOTA_E_KEY);
        *ram_flash_at(&flash, fota_slot_base(slot) + 8u) ^= 1;
        assert_int_equal(check(slot, &seen), FOTA_E_PRODUCT);
        fota_put32(ram_flash_at(&flash, fota_slot_base(slot) + 44u), UINT32_MAX);
        assert_int_equal(check(slot, &seen), FOTA_E_SIZE);
        flash.unreadable = fota_slot_base(slot) + 100u;
        assert_int_equal(check(slot, &seen), FOTA_E_IO);
        flash_image(&flash, &image, slot);
        flash.unreadable = fota_slot_code(slot) + 2999u;
        assert_int_equal(check(slot, &seen), FOTA_E_IO);
        flash.unreadable = 0;
    }
    /* slot A's code in slot B: the other hash */
    memcpy(ram_flash_at(&flash, fota_slot_code(1)), image.code[0], 3000);
    assert_int_equal(check(1, &seen), FOTA_E_HASH);
    test_image_make(&image, 3000, 1, 4);
    fota_put32(image.code[0] + 4, 0x08004201u + 3000u);
    test_image_digest(&image);
    flash_image(&flash, &image, 0);
    assert_int_equal(check(0, &seen), FOTA_E_VECTORS);
    image.header.hw_min = 4; /* the device is 3 */
    test_image_seal(&image);
    flash_image(&flash, &image, 0);
    assert_int_equal(check(0, &seen), FOTA_E_HW_REVISION);
}

static void digest_with_and_without_crc(void **state)
{
    uint8_t sha256[32], vectors[8];
    uint32_t crc = 1;

    (void) state;
    flash_image(&flash, &image, 1);
    assert_int_equal(fota_slot_digest(&flash.port, 1, 3000, &crc, sha256, vectors), FOTA_OK);
    assert_int_equal(crc, image.header.crc[1]);
    assert_memory_equal(sha256, image.header.sha256[1], 32);
    assert_memory_equal(vectors, image.code[1], 8);
    memset(sha256, 0, sizeof sha256);
    assert_int_equal(fota_slot_digest(&flash.port, 1, 3000, NULL, sha256, vectors), FOTA_OK);
    assert_memory_equal(sha256, image.header.sha256[1], 32);
    flash.unreadable = fota_slot_code(1);
    assert_int_equal(fota_slot_digest(&flash.port, 1, 3000, NULL, sha256, vectors), FOTA_E_IO);
}

/* --- the decision: every state, cause and content of the slots, against rules written down a second time ----- */

/* What lies in a slot, for the decision. Number 1 … 3 are images; 0: nothing valid. */
struct fake {
    unsigned in[2];
    int error[2];
    uint32_t counter[4];
    uint16_t patch[4];
    unsigned checks;
};

static int fake_check(void *ctx, unsigned slot, struct fota_slot_image *seen)
{
    struct fake *f = ctx;
    unsigned n;

    assert_in_range(slot, 0, 1);
    f->checks++;
    n = f->in[slot];
    memset(seen, 0, sizeof *seen);
    memset(seen->identity, (int) n, sizeof seen->identity);
    seen->header.counter = f->counter[n];
    seen->header.version.patch = f->patch[n];
    return seen->error = n == 0 ? FOTA_E_NO_IMAGE : f->error[slot];
}

static struct fota_image_ref ref(unsigned slot, unsigned n)
{
    struct fota_image_ref r = {.slot = (uint8_t) slot};

    memset(r.identity, (int) n, sizeof r.identity);
    return r;
}

static void put_reject(struct fota_boot_state *s, unsigned n)
{
    s->rejects[s->reject_count].reason = FOTA_E_RESETS;
    memset(s->rejects[s->reject_count].identity, (int) n, FOTA_IDENTITY_SHORT);
    s->reject_count++;
}

static bool boots(const struct fake *f, unsigned slot)
{
    return f->in[slot] != 0 && f->error[slot] == FOTA_OK;
}

/* The rules of docs/journal.md once more. */
static void expect(const struct fota_boot_state *s, enum fota_reset_cause cause, uint32_t floor, const struct fake *f,
                   const struct fota_decision *d)
{
    unsigned c = s->candidate.slot, rejected = 0;

    if (s->trial != FOTA_TRIAL_NONE) {
        int reason = FOTA_OK;

        rejected = s->candidate.identity[0];
        if (s->trial == FOTA_TRIAL_RUNNING && cause == FOTA_RESET_DEADLINE)
            reason = FOTA_E_DEADLINE;
        else if (s->trial == FOTA_TRIAL_RUNNING && s->attempts >= 3u)
            reason = cause == FOTA_RESET_WATCHDOG ? FOTA_E_WATCHDOG
                     : cause == FOTA_RESET_FAULT  ? FOTA_E_FAULT
                                                  : FOTA_E_RESETS;
        else if (f->in[c] != 0 && f->error[c] != FOTA_OK)
            reason = f->error[c];
        else if (f->in[c] != rejected)
            reason = FOTA_E_NO_IMAGE;
        else if (f->counter[f->in[c]] < floor)
            reason = FOTA_E_FLOOR;
        if (reason == FOTA_OK) {
            assert_int_equal(d->slot, c);
            assert_int_equal(d->attempt, s->attempts + 1u);
            assert_int_equal(d->reject, FOTA_SLOT_NONE);
            assert_int_equal(d->image.identity[0], f->in[c]);
            return;
        }
        assert_int_equal(d->reject, c);
        assert_int_equal(d->reason, reason);
        assert_memory_equal(d->reject_identity, s->candidate.identity, FOTA_IDENTITY_SHORT);
    } else {
        assert_int_equal(d->reject, FOTA_SLOT_NONE);
        assert_int_equal(d->reason, FOTA_OK);
    }
    if (s->confirmed.slot != FOTA_SLOT_NONE && boots(f, s->confirmed.slot) &&
        f->in[s->confirmed.slot] == s->confirmed.identity[0]) {
        assert_int_equal(d->slot, s->confirmed.slot);
        assert_int_equal(d->attempt, 0);
        assert_int_equal(d->image.identity[0], s->confirmed.identity[0]);
        return;
    }
    bool good[2];
    unsigned best = FOTA_SLOT_NONE;

    for (unsigned slot = 0; slot < 2u; slot++) {
        unsigned n = f->in[slot];
        bool known_bad = rejected == n && c == slot;

        for (unsigned i = 0; i < s->reject_count; i++)
            known_bad = known_bad || s->rejects[i].identity[0] == n;
        good[slot] = boots(f, slot) && !known_bad && f->counter[n] >= floor;
    }
    if (good[0] && good[1] && s->install.slot != FOTA_SLOT_NONE)
        good[s->install.slot] = false; /* an install is about to overwrite it */
    if (good[0] && good[1])
        best = f->counter[f->in[0]] != f->counter[f->in[1]] ? f->counter[f->in[1]] > f->counter[f->in[0]]
                                                            : f->patch[f->in[1]] > f->patch[f->in[0]];
    else if (good[0] || good[1])
        best = good[1];
    assert_int_equal(d->slot, best);
    assert_int_equal(d->attempt, best == FOTA_SLOT_NONE ? 0 : 1);
    if (best != FOTA_SLOT_NONE) {
        assert_int_equal(d->image.identity[0], f->in[best]);
        assert_int_equal(d->image.error, FOTA_OK);
    }
}

/* The next digit of a number that counts through all combinations. */
static unsigned digit(unsigned *number, unsigned base)
{
    unsigned d = *number % base;

    *number /= base;
    return d;
}

static void every_state_cause_and_slot(void **state)
{
    static const int errors[] = {FOTA_OK, FOTA_E_HASH};
    static const uint32_t counters[][4] = {{0, 5, 5, 5}, {0, 5, 6, 4}, {0, 6, 5, 5}};
    enum { COMBINATIONS = 3 * 7 * 2 * 4 * 4 * 4 * 4 * 4 * 3 * 3 };

    (void) state;
    for (unsigned combination = 0; combination < COMBINATIONS; combination++) {
        unsigned number = combination;
        /* confirmed: none, or image 1 in A or B; candidate: none, or image 2 pending or running with 0 … 4 attempts in
         * A or B */
        unsigned confirmed = digit(&number, 3), trial = digit(&number, 7), candidate = digit(&number, 2);
        enum fota_reset_cause cause = (enum fota_reset_cause) digit(&number, 4);
        unsigned a = digit(&number, 4), b = digit(&number, 4), broken = digit(&number, 4), rejects = digit(&number, 4);
        unsigned c = digit(&number, 3), install = digit(&number, 3);
        struct fake f = {.in = {a, b}, .error = {errors[broken & 1u], errors[broken >> 1]}, .patch = {0, 1, 2, 2}};
        const struct fota_slot_view view = {.ctx = &f, .check = fake_check};
        struct fota_boot_state s = {.floor = c == 1u ? 5 : 0};
        struct fota_decision d, again;
        uint32_t builtin = (a + b) % 3u * 3u; /* 0, 3, 6 */

        memcpy(f.counter, counters[c], sizeof f.counter);
        s.confirmed = confirmed == 0 ? ref(FOTA_SLOT_NONE, 0) : ref(confirmed - 1u, 1);
        s.install = install == 0 ? ref(FOTA_SLOT_NONE, 0) : ref(install - 1u, 3);
        s.candidate = trial == 0 ? ref(FOTA_SLOT_NONE, 0) : ref(candidate, 2);
        s.trial = trial == 0 ? FOTA_TRIAL_NONE : trial == 1u ? FOTA_TRIAL_PENDING : FOTA_TRIAL_RUNNING;
        s.attempts = (uint8_t) (trial >= 2u ? trial - 2u : 0);
        for (unsigned n = 2; n < 4u; n++)
            if (rejects & (1u << (n - 2u)))
                put_reject(&s, n);
        fota_boot_decide(&s, cause, builtin, &view, &d);
        expect(&s, cause, s.floor > builtin ? s.floor : builtin, &f, &d);
        assert_in_range(f.checks, 0, 4);
        memset(&again, 0x77, sizeof again); /* the same inputs, the same decision */
        fota_boot_decide(&s, cause, builtin, &view, &again);
        assert_memory_equal(&again, &d, sizeof d);
    }
}

/* A slot that a cut has torn may read well once and badly the next time: it is looked at once, and something boots. */
static int once(void *ctx, unsigned slot, struct fota_slot_image *seen)
{
    struct fake *f = ctx;

    (void) fake_check(ctx, slot, seen);
    return f->checks > 2u ? seen->error = FOTA_E_HASH : seen->error;
}

static void a_slot_that_changes_its_mind(void **state)
{
    struct fake f = {.in = {1, 2}, .counter = {0, 9, 5}};
    const struct fota_slot_view view = {.ctx = &f, .check = once};
    struct fota_boot_state s = {.confirmed = ref(FOTA_SLOT_NONE, 0), .install = ref(FOTA_SLOT_NONE, 0)};
    struct fota_decision d;

    (void) state;
    fota_boot_decide(&s, FOTA_RESET_OTHER, 0, &view, &d);
    assert_int_equal(d.slot, 0);
    assert_int_equal(d.attempt, 1);
    assert_int_equal(d.image.error, FOTA_OK);
    assert_int_equal(d.image.identity[0], 1);
}

/* --- what is recorded --------------------------------------------------------------------------------------- */

static void records_of_a_decision(void **state)
{
    struct fota_decision d = {.slot = 1, .attempt = 2, .reject = FOTA_SLOT_NONE};
    struct fota_journal journal;
    struct fota_header header;
    uint32_t used;

    (void) state;
    d.image.header.counter = 0x12345678;
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
    assert_int_equal(fota_boot_record_attempt(&journal, &d), FOTA_E_JOURNAL_FULL);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    used = journal.used;
    assert_int_equal(fota_boot_record_reject(&journal, &d), FOTA_OK); /* none to record */
    assert_int_equal(journal.used, used);
    memset(d.image.identity, 9, sizeof d.image.identity);
    assert_int_equal(fota_boot_record_attempt(&journal, &d), FOTA_OK);
    /* it was found without a record: what was verified of its header is made firm */
    assert_int_equal(flash.port.read(flash.port.ctx, fota_slot_base(1), &header, sizeof header), FOTA_OK);
    assert_memory_equal(&header, &d.image.header, sizeof header);
    d.image.header.counter = 0; /* on trial already: not again */
    assert_int_equal(fota_boot_record_attempt(&journal, &d), FOTA_OK);
    assert_int_equal(flash.port.read(flash.port.ctx, fota_slot_base(1), &header, sizeof header), FOTA_OK);
    assert_int_equal(header.counter, 0x12345678);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_RUNNING);
    assert_int_equal(journal.state.attempts, 2);
    assert_true(fota_image_is(&journal.state.candidate, 1, d.image.identity));
    d.reject = 1;
    d.reason = FOTA_E_WATCHDOG;
    memset(d.reject_identity, 9, sizeof d.reject_identity);
    assert_int_equal(fota_boot_record_reject(&journal, &d), FOTA_OK);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
    assert_int_equal(fota_journal_rejected(&journal.state, d.reject_identity), FOTA_E_WATCHDOG);
    d.attempt = 0;
    used = journal.used;
    assert_int_equal(fota_boot_record_attempt(&journal, &d), FOTA_OK); /* a confirmed image: nothing to record */
    assert_int_equal(journal.used, used);
    flash.supply_low = true;
    d.attempt = 1;
    assert_int_equal(fota_boot_record_attempt(&journal, &d), FOTA_E_SUPPLY);
    assert_int_equal(fota_boot_record_reject(&journal, &d), FOTA_E_SUPPLY);
}

/* --- whole lives -------------------------------------------------------------------------------------------- */

static struct device device;

static unsigned boot(enum fota_reset_cause cause)
{
    (void) device_reset(&device, cause);
    return device_jump(&device);
}

static void factory_images(void **state)
{
    (void) state;
    device_init(&device, &flash);
    assert_int_equal(boot(FOTA_RESET_OTHER), FOTA_SLOT_NONE); /* nothing at all */
    flash_image(&flash, &image, 0);
    flash_image(&flash, &other, 1); /* the higher counter */
    for (unsigned attempt = 1; attempt <= 3u; attempt++) {
        assert_int_equal(boot(FOTA_RESET_OTHER), 1);
        assert_int_equal(device.journal.state.attempts, attempt);
    }
    assert_int_equal(boot(FOTA_RESET_WATCHDOG), 0); /* the other one has its chance */
    assert_int_equal(fota_journal_rejected(&device.journal.state, other.identity), FOTA_E_WATCHDOG);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    assert_int_equal(boot(FOTA_RESET_OTHER), 0);
    assert_int_equal(device.decision.attempt, 0);
    *ram_flash_at(&flash, fota_slot_code(0) + 100u) ^= 1; /* the confirmed one rots, the other one was rejected */
    assert_int_equal(boot(FOTA_RESET_OTHER), FOTA_SLOT_NONE);
}

/* An erase that was begun may be cut and leave code that reads well and does not hold: such a slot holds nothing. */
static void a_slot_that_was_about_to_be_erased(void **state)
{
    struct fota_record install = test_record(FOTA_RECORD_INSTALL, 0, 9, 3000),
                       erasing = test_record(FOTA_RECORD_ERASING, 0, 9, 1);

    (void) state;
    device_init(&device, &flash);
    assert_int_equal(boot(FOTA_RESET_OTHER), FOTA_SLOT_NONE); /* makes the journal */
    flash_image(&flash, &image, 0);
    assert_int_equal(fota_journal_append(&device.journal, &install), FOTA_OK);
    assert_int_equal(fota_journal_append(&device.journal, &erasing), FOTA_OK);
    for (unsigned i = 0; i < 2u; i++) {
        assert_int_equal(boot(FOTA_RESET_OTHER), FOTA_SLOT_NONE);
        while (i == 0 && FOTA_JOURNAL_RECORDS - device.journal.used > 319u) { /* and so after a compaction */
            struct fota_record nothing = test_record(FOTA_RECORD_ALLOWED, 0xFF, 200, 0);

            assert_int_equal(fota_journal_append(&device.journal, &nothing), FOTA_OK);
        }
    }
    assert_int_equal(device.journal.bank, 1);
    assert_int_equal(device.journal.state.spoiled, 1);
    flash_image(&flash, &other, 1);
    assert_int_equal(boot(FOTA_RESET_OTHER), 1);
}

static bool sure(const struct fota_decision *d, uint32_t floor)
{
    uint32_t answer = fota_boot_sure(&flash.port, floor, d);

    assert_true(answer == FOTA_BOOT_SURE || answer - FOTA_BOOT_SURE + 63u < 63u || answer == 0);
    return answer == FOTA_BOOT_SURE;
}

/* The second look says no to each thing by itself that the decision looked at. */
static void the_second_look(void **state)
{
    struct fota_decision good, d;

    (void) state;
    device_init(&device, &flash);
    flash_image(&flash, &other, 1);
    assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 1);
    assert_false(sure(&device.decision, 0)); /* the attempt is not recorded */
    assert_int_equal(device_jump(&device), 1);
    good = d = device.decision;
    assert_true(sure(&good, 0));
    assert_true(sure(&good, 5));
    assert_false(sure(&good, 6)); /* the counter is 5 */
    for (unsigned i = 0; i < sizeof d.image.proof; i++, d = good) {
        d.image.proof[i] ^= 1u;
        assert_false(sure(&d, 0));
    }
    for (unsigned i = 0; i < sizeof d.image.sha256; i++, d = good) {
        d.image.sha256[i] ^= 1u;
        assert_false(sure(&d, 0));
    }
    d.image.header.version.build ^= 1u; /* not what lies in flash */
    assert_false(sure(&d, 0));
    d = good;
    d.image.vectors[0] ^= 8u;
    assert_false(sure(&d, 0));
    d = good;
    d.image.identity[0] ^= 1u; /* not the candidate */
    assert_false(sure(&d, 0));
    d = good;
    d.attempt = 0; /* nothing is confirmed */
    assert_false(sure(&d, 0));
    for (unsigned slot = 0; slot < 256u; slot++) {
        d = good;
        d.slot = (uint8_t) slot;
        assert_true(sure(&d, 0) == (slot == 1u));
    }
    flash.unreadable = fota_slot_base(1) + 4u;
    assert_false(sure(&good, 0));
    flash.unreadable = 0;
    assert_int_equal(device_confirm(&device), FOTA_OK);
    assert_int_equal(boot(FOTA_RESET_OTHER), 1);
    assert_true(sure(&device.decision, 1000)); /* what is confirmed stays so, whatever the floor */
}

static void each_cause_ends_a_trial(void **state)
{
    static const struct {
        enum fota_reset_cause cause;
        unsigned attempts;
        int reason;
    } cases[] = {{FOTA_RESET_OTHER, 3, FOTA_E_RESETS},
                 {FOTA_RESET_WATCHDOG, 3, FOTA_E_WATCHDOG},
                 {FOTA_RESET_FAULT, 3, FOTA_E_FAULT},
                 {FOTA_RESET_DEADLINE, 1, FOTA_E_DEADLINE}};

    (void) state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned attempts = 0;

        ram_flash_init(&flash);
        device_init(&device, &flash);
        flash_image(&flash, &image, 0);
        assert_int_equal(boot(FOTA_RESET_OTHER), 0);
        assert_int_equal(device_confirm(&device), FOTA_OK);
        assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 0);
        assert_int_equal(device_install(&device, &other, 512, UINT32_MAX), FOTA_OK);
        /* a cause from before the trial means nothing to it */
        for (unsigned slot = boot(cases[i].cause); slot == 1u; slot = boot(cases[i].cause))
            attempts++;
        assert_int_equal(attempts, cases[i].attempts);
        assert_int_equal(device.decision.slot, 0);
        assert_int_equal(fota_journal_rejected(&device.journal.state, other.identity), cases[i].reason);
        assert_int_equal(boot(FOTA_RESET_OTHER), 0);
        assert_int_equal(device.decision.reject, FOTA_SLOT_NONE);
        assert_int_equal(device_confirm(&device), FOTA_OK); /* no trial: nothing */
        assert_int_equal(device.journal.state.confirmed.slot, 0);
    }
}

/* The slot is rewritten behind the journal's back: what the journal says of it is about another image. */
static void nothing_is_inherited(void **state)
{
    (void) state;
    device_init(&device, &flash);
    flash_image(&flash, &image, 0);
    assert_int_equal(boot(FOTA_RESET_OTHER), 0);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    flash_image(&flash, &other, 0);
    assert_int_equal(boot(FOTA_RESET_OTHER), 0); /* valid and allowed, but on trial */
    assert_int_equal(device.decision.attempt, 1);
    image.header.version.patch = 9; /* below the floor it is nothing at all, even signed */
    image.header.counter = 3;
    test_image_seal(&image);
    flash_image(&flash, &image, 0);
    assert_int_equal(boot(FOTA_RESET_OTHER), FOTA_SLOT_NONE);
}

/* An attempt that cannot be recorded is not made. */
static void no_room_for_an_attempt(void **state)
{
    (void) state;
    device_init(&device, &flash);
    flash_image(&flash, &image, 0);
    assert_int_equal(boot(FOTA_RESET_OTHER), 0);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 0);
    assert_int_equal(device_install(&device, &other, 512, UINT32_MAX), FOTA_OK);
    assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 1);
    flash.supply_low = true;
    assert_int_equal(device_jump(&device), 0);
    flash.supply_low = false;
    assert_int_equal(boot(FOTA_RESET_OTHER), 1);
    assert_int_equal(device.decision.attempt, 1);
}

/* Resets without end, or torn places, can fill the journal while a trial runs. The trial ends then, and the journal has
 * room again. */
static void a_journal_that_fills_up_in_a_trial(void **state)
{
    (void) state;
    for (unsigned way = 0; way < 2u; way++) {
        struct fota_record record = {.type = FOTA_RECORD_TRIAL, .slot = 1, .arg = 1};

        ram_flash_init(&flash);
        device_init(&device, &flash);
        flash_image(&flash, &image, 0);
        assert_int_equal(boot(FOTA_RESET_OTHER), 0);
        assert_int_equal(device_confirm(&device), FOTA_OK);
        assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 0);
        assert_int_equal(device_install(&device, &other, 512, UINT32_MAX), FOTA_OK);
        assert_int_equal(boot(FOTA_RESET_OTHER), 1);
        memcpy(record.identity, device.journal.state.candidate.identity, sizeof record.identity);
        while (fota_journal_append(&device.journal, &record) == FOTA_OK)
            continue;
        assert_int_equal(device.journal.used, FOTA_JOURNAL_RECORDS);
        assert_int_equal(boot(way == 0 ? FOTA_RESET_DEADLINE : FOTA_RESET_OTHER), 0);
        assert_int_equal(device_reset(&device, FOTA_RESET_OTHER), 0);
        assert_int_equal(device.journal.state.trial, FOTA_TRIAL_NONE);
        assert_int_equal(fota_journal_rejected(&device.journal.state, record.identity),
                         way == 0 ? FOTA_E_DEADLINE : FOTA_E_RESETS);
        assert_true(device.journal.used < 64u);
        assert_int_equal(device_install(&device, &image, 512, UINT32_MAX), FOTA_OK); /* and updates go on */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(slot_check_each_error, setup),
        cmocka_unit_test_setup(digest_with_and_without_crc, setup),
        cmocka_unit_test(every_state_cause_and_slot),
        cmocka_unit_test(a_slot_that_changes_its_mind),
        cmocka_unit_test_setup(records_of_a_decision, setup),
        cmocka_unit_test_setup(factory_images, setup),
        cmocka_unit_test_setup(a_slot_that_was_about_to_be_erased, setup),
        cmocka_unit_test_setup(the_second_look, setup),
        cmocka_unit_test_setup(each_cause_ends_a_trial, setup),
        cmocka_unit_test_setup(nothing_is_inherited, setup),
        cmocka_unit_test_setup(no_room_for_an_attempt, setup),
        cmocka_unit_test(a_journal_that_fills_up_in_a_trial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
