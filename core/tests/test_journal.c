/* SPDX-License-Identifier: MIT */
/* What lies in flash is written and read here byte by byte after docs/journal.md; compaction has test_compaction.c. */
#include "fota/journal.h"

#include "fota/bytes.h"
#include "fota/crc32.h"
#include "support/cmocka_all.h"
#include "support/journal_help.h"

#include <string.h>

static struct ram_flash flash;
static struct fota_journal journal;

static int setup(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    return 0;
}

/* A fresh journal, open. */
static int setup_journal(void **state)
{
    setup(state);
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    return 0;
}

static void reopen(void)
{
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
}

static int append(uint8_t type, uint8_t slot, uint8_t image, uint32_t arg)
{
    struct fota_record r = test_record(type, slot, image, arg);

    return fota_journal_append(&journal, &r);
}

static void add(uint8_t type, uint8_t slot, uint8_t image, uint32_t arg)
{
    assert_int_equal(append(type, slot, image, arg), FOTA_OK);
}

static bool rejected(uint8_t image)
{
    struct fota_record r = test_record(0, 0, image, 0);

    return fota_journal_rejected(&journal.state, r.identity) != FOTA_OK;
}

static bool is(const struct fota_image_ref *ref, unsigned slot, uint8_t image)
{
    struct fota_record r = test_record(0, 0, image, 0);

    return fota_image_is(ref, slot, r.identity);
}

/* --- no journal, the first one ------------------------------------------------------------------------------ */

static void none(void **state)
{
    (void) state;
    reopen();
    assert_false(journal.present);
    assert_int_equal(journal.state.confirmed.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.candidate.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.install.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
    assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
    assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, 1, 1), FOTA_E_JOURNAL_FULL);
    assert_int_equal(flash.ops, 0);
}

static void the_first_one(void **state)
{
    const uint8_t *bank = ram_flash_at(&flash, 0x080E0000), *other = ram_flash_at(&flash, 0x080C0000);
    uint8_t head[32];

    (void) state;
    memset(ram_flash_at(&flash, 0x080C0000), 0x5A, 128u * 1024u); /* whatever was there */
    memset(ram_flash_at(&flash, 0x080E0000), 0xA5, 128u * 1024u);
    reopen();
    assert_false(journal.present);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_true(journal.present && journal.state.spare_clean);
    memset(head, 0xFF, sizeof head);
    fota_put32(head, 1);
    memcpy(head + 4, "FOJ1", 4);
    fota_put32(head + 28, fota_crc32(0, head, 28));
    assert_memory_equal(bank, head, sizeof head);
    assert_int_equal(fota_get32(bank + 32), 2); /* CLEAN, number 2 */
    assert_int_equal(bank[32 + 4], 12);
    for (unsigned i = 0; i < 128u * 1024u; i++)
        assert_int_equal(other[i], 0xFF);
    assert_int_equal(flash.conflicts, 0);
    /* once is enough */
    uint64_t ops = flash.ops;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_int_equal(flash.ops, ops);
}

static void record_layout(void **state)
{
    struct fota_record r = {.type = FOTA_RECORD_REJECTED, .slot = 1, .reason = -36, .arg = 0x0A0B0C0D};
    uint8_t expected[32];

    (void) state;
    for (unsigned i = 0; i < 16u; i++)
        r.identity[i] = (uint8_t) (0xC0u + i);
    flash.words_programmed = 0;
    assert_int_equal(fota_journal_append(&journal, &r), FOTA_OK);
    assert_int_equal(flash.words_programmed, 8);
    fota_put32(expected, 3);
    expected[4] = 4;
    expected[5] = 1;
    fota_put16(expected + 6, 0xFFDC);
    memcpy(expected + 8, r.identity, 16);
    fota_put32(expected + 24, 0x0A0B0C0D);
    fota_put32(expected + 28, fota_crc32(0, expected, 28));
    assert_memory_equal(ram_flash_at(&flash, 0x080E0040), expected, 32);
}

/* --- the fold ----------------------------------------------------------------------------------------------- */

static void confirmed_and_floor(void **state)
{
    (void) state;
    add(FOTA_RECORD_TRIAL, 1, 7, 1);
    assert_int_equal(journal.state.floor, 0); /* not by a trial */
    add(FOTA_RECORD_CONFIRMED, 1, 7, 5);
    assert_true(is(&journal.state.confirmed, 1, 7));
    assert_false(is(&journal.state.confirmed, 0, 7));
    assert_false(is(&journal.state.confirmed, 1, 8));
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
    assert_int_equal(journal.state.candidate.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.attempts, 0);
    assert_int_equal(journal.state.floor, 5);
    add(FOTA_RECORD_CONFIRMED, 0, 8, 4); /* on purpose an older counter: the floor stays */
    assert_true(is(&journal.state.confirmed, 0, 8));
    assert_int_equal(journal.state.floor, 5);
    add(FOTA_RECORD_FLOOR, 0xFF, 0, 6);
    assert_int_equal(journal.state.floor, 6);
    add(FOTA_RECORD_FLOOR, 0xFF, 0, 3);
    add(FOTA_RECORD_REJECTED, 0, 9, 99);
    add(FOTA_RECORD_PENDING, 0, 9, 99);
    add(FOTA_RECORD_TRIAL, 0, 9, 99);
    assert_int_equal(journal.state.floor, 6);
    reopen();
    assert_int_equal(journal.state.floor, 6);
}

static void pending_trial_rejected(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    add(FOTA_RECORD_PENDING, 1, 2, 0);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_PENDING);
    assert_true(is(&journal.state.candidate, 1, 2));
    assert_int_equal(journal.state.attempts, 0);
    for (uint32_t attempt = 1; attempt <= 3u; attempt++) {
        add(FOTA_RECORD_TRIAL, 1, 2, attempt);
        reopen();
        assert_int_equal(journal.state.trial, FOTA_TRIAL_RUNNING);
        assert_int_equal(journal.state.attempts, attempt);
    }
    add(FOTA_RECORD_REJECTED, 0, 2, 0); /* another slot, another image: the trial goes on */
    add(FOTA_RECORD_REJECTED, 1, 3, 0);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_RUNNING);
    add(FOTA_RECORD_REJECTED, 1, 2, 0);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
    assert_int_equal(journal.state.candidate.slot, FOTA_SLOT_NONE);
    assert_true(is(&journal.state.confirmed, 0, 1));
    assert_true(rejected(2) && rejected(3) && !rejected(1));
}

static void install_progress_void(void **state)
{
    const struct fota_boot_state *s = &journal.state;

    (void) state;
    add(FOTA_RECORD_INSTALL, 1, 2, 50000);
    add(FOTA_RECORD_ERASING, 1, 2, 7);
    assert_int_equal(s->erased, 0);
    add(FOTA_RECORD_ERASED, 1, 2, 7);
    add(FOTA_RECORD_ERASED, 1, 2, 8);
    assert_int_equal(s->erased, 1u << 7 | 1u << 8);
    add(FOTA_RECORD_ERASING, 1, 2, 8);
    assert_int_equal(s->erased, 1u << 7);
    add(FOTA_RECORD_PROGRESS, 1, 3, 16384); /* another image's */
    add(FOTA_RECORD_PROGRESS, 0, 2, 16384);
    assert_int_equal(s->install_next, 0);
    add(FOTA_RECORD_PROGRESS, 1, 2, 16384);
    reopen();
    assert_true(is(&s->install, 1, 2));
    assert_int_equal(s->install_size, 50000);
    assert_int_equal(s->install_next, 16384);
    assert_int_equal(s->erased, 1u << 7);

    add(FOTA_RECORD_INSTALL, 1, 2, 50000); /* again: nothing of before counts */
    assert_int_equal(s->install_next, 0);
    assert_int_equal(s->erased, 0);
    add(FOTA_RECORD_VOID, 0, 2, 0); /* the other slot's */
    assert_true(is(&s->install, 1, 2));
    add(FOTA_RECORD_VOID, 1, 2, 0);
    assert_int_equal(s->install.slot, FOTA_SLOT_NONE);

    add(FOTA_RECORD_INSTALL, 1, 4, 100);
    add(FOTA_RECORD_PENDING, 1, 4, 0);
    assert_int_equal(s->install.slot, FOTA_SLOT_NONE);
    add(FOTA_RECORD_INSTALL, 0, 5, 100); /* into the other slot: the candidate stays */
    assert_int_equal(s->trial, FOTA_TRIAL_PENDING);
    add(FOTA_RECORD_INSTALL, 1, 5, 100); /* over the candidate: it is none any more */
    assert_int_equal(s->trial, FOTA_TRIAL_NONE);
    assert_int_equal(s->candidate.slot, FOTA_SLOT_NONE);
}

static void eight_rejects(void **state)
{
    (void) state;
    for (uint8_t i = 1; i <= 8u; i++)
        add(FOTA_RECORD_REJECTED, 1, i, 0);
    assert_int_equal(journal.state.reject_count, 8);
    assert_true(rejected(1));
    add(FOTA_RECORD_REJECTED, 1, 2, 0); /* known already: becomes the newest */
    assert_int_equal(journal.state.reject_count, 8);
    assert_true(rejected(1) && rejected(2));
    assert_int_equal(journal.state.rejects[7].identity[0], 2);
    add(FOTA_RECORD_REJECTED, 1, 9, 0); /* the oldest goes */
    assert_int_equal(journal.state.reject_count, 8);
    assert_true(!rejected(1) && rejected(2) && rejected(3) && rejected(9));
    add(FOTA_RECORD_REJECTED, 1, 10, 0);
    assert_true(!rejected(3) && rejected(4));
    add(FOTA_RECORD_ALLOWED, 1, 4, 0);
    add(FOTA_RECORD_ALLOWED, 1, 77, 0); /* never heard of */
    assert_int_equal(journal.state.reject_count, 7);
    assert_false(rejected(4));
    reopen();
    static const uint8_t left[] = {5, 6, 7, 8, 2, 9, 10};
    for (unsigned i = 0; i < sizeof left; i++) {
        assert_int_equal(journal.state.rejects[i].identity[0], left[i]);
        assert_int_equal(journal.state.rejects[i].reason, -left[i]);
    }
}

static void slots_that_do_not_exist(void **state)
{
    static const uint8_t types[] = {FOTA_RECORD_CONFIRMED, FOTA_RECORD_PENDING, FOTA_RECORD_TRIAL};

    (void) state;
    for (unsigned i = 0; i < sizeof types; i++) {
        add(types[i], 2, 9, 1);
        add(types[i], FOTA_SLOT_NONE, 9, 1);
        add(types[i], 200, 9, 1);
    }
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
    assert_int_equal(journal.state.confirmed.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.candidate.slot, FOTA_SLOT_NONE);
    assert_int_equal(journal.state.floor, 0);
    for (uint32_t sector = 0; sector < 300u; sector += 11u) /* bounded, whatever the sector */
        add(FOTA_RECORD_ERASED, 0, 1, sector);
    for (unsigned type = 15; type <= 256u; type++) /* of the future */
        add((uint8_t) type, 5, 9, UINT32_MAX);
    assert_int_equal(journal.state.trial, FOTA_TRIAL_NONE);
}

static void damaged_records_do_not_count(void **state)
{
    uint8_t *at;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    add(FOTA_RECORD_REJECTED, 1, 2, 0);
    add(FOTA_RECORD_CONFIRMED, 1, 3, 1);
    at = ram_flash_at(&flash, 0x080E0000 + 3u * 32u); /* head, CLEAN, CONFIRMED, REJECTED */
    for (unsigned bit = 0; bit < 256u; bit++) {
        at[bit / 8u] ^= (uint8_t) (1u << (bit % 8u));
        reopen();
        assert_false(rejected(2));
        assert_true(is(&journal.state.confirmed, 1, 3));
        assert_int_equal(journal.used, 5);
        at[bit / 8u] ^= (uint8_t) (1u << (bit % 8u));
    }
    reopen();
    assert_true(rejected(2));
    memcpy(at, at + 32, 32); /* a good record in the wrong place */
    reopen();
    assert_false(rejected(2));
    memset(at, 0xFF, 32); /* a hole does not end the journal */
    reopen();
    assert_true(is(&journal.state.confirmed, 1, 3));
    assert_int_equal(journal.used, 5);
}

/* --- settling ----------------------------------------------------------------------------------------------- */

static void settle_programs_the_tail_again(void **state)
{
    uint32_t words;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    reopen();
    words = flash.words_programmed;
    assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
    assert_int_equal(flash.words_programmed, words + 8u);
    assert_true(is(&journal.state.confirmed, 0, 1));
    assert_int_equal(flash.conflicts, 0);
}

/* A tail of which only some words are there: a record says that it does not count, and it never comes back. */
static void settle_skips_a_torn_tail(void **state)
{
    (void) state;
    for (unsigned words = 1; words < 8u; words++) {
        uint8_t *at, torn[32];
        uint32_t used;

        setup_journal(NULL);
        add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
        add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
        used = journal.used;
        at = ram_flash_at(&flash, 0x080E0000 + 32u * (used - 1u));
        memcpy(torn, at, sizeof torn);
        memset(at + 4u * words, 0xFF, 32u - 4u * words);
        reopen();
        assert_true(is(&journal.state.confirmed, 0, 1));
        assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
        assert_int_equal(at[32 + 4], FOTA_RECORD_SKIP);
        assert_int_equal(fota_get32(at + 32 + 24), used - 1u); /* the one before the torn one; the base is 1 */
        assert_int_equal(journal.used, used + 1u);
        assert_true(is(&journal.state.confirmed, 0, 1));
        memcpy(at, torn, sizeof torn); /* today it reads well */
        reopen();
        assert_true(is(&journal.state.confirmed, 0, 1));
        assert_int_equal(journal.state.floor, 1);
        assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
        assert_int_equal(journal.used, used + 1u); /* once is enough */
        add(FOTA_RECORD_CONFIRMED, 1, 5, 3);
        reopen();
        assert_true(is(&journal.state.confirmed, 1, 5));
        assert_int_equal(flash.conflicts, 0);
    }
}

/* Skips one after the other: the last word is that of the last one. R counts or not; S is a torn skip that reads well
 * today. */
static void skips_of_skips(void **state)
{
    (void) state;
    for (unsigned counts = 0; counts < 2u; counts++) {
        setup_journal(NULL);
        add(FOTA_RECORD_CONFIRMED, 0, 1, 1);            /* number 3 */
        add(FOTA_RECORD_CONFIRMED, 1, 2, 2);            /* number 4: R */
        add(FOTA_RECORD_SKIP, 0xFF, 0, 3);              /* number 5: S, against R */
        add(FOTA_RECORD_SKIP, 0xFF, 0, counts ? 4 : 3); /* number 6 */
        reopen();
        assert_true(is(&journal.state.confirmed, counts ? 1 : 0, counts ? 2 : 1));
        add(FOTA_RECORD_REJECTED, 1, 7, 0);
        reopen();
        assert_true(is(&journal.state.confirmed, counts ? 1 : 0, counts ? 2 : 1));
        assert_true(rejected(7));
    }
    setup_journal(NULL); /* the very first record of all */
    add(FOTA_RECORD_SKIP, 0xFF, 0, 1);
    reopen();
    assert_false(journal.state.spare_clean);
    for (unsigned reads_well = 0; reads_well < 2u;
         reads_well++) { /* a later skip has no say in an earlier one that stands */
        setup_journal(NULL);
        add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
        add(FOTA_RECORD_CONFIRMED, 1, 2, 2); /* number 4: R */
        add(FOTA_RECORD_SKIP, 0xFF, 0, 3);   /* number 5 */
        if (reads_well)
            add(FOTA_RECORD_CONFIRMED, 1, 3, 3);
        add(FOTA_RECORD_SKIP, 0xFF, 0, 5);
        reopen();
        assert_true(is(&journal.state.confirmed, 0, 1));
        assert_int_equal(journal.state.floor, 1);
    }
    setup_journal(NULL); /* a record that does not count, and then the same again, which does */
    add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
    add(FOTA_RECORD_SKIP, 0xFF, 0, 2);
    add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
    reopen();
    assert_true(is(&journal.state.confirmed, 1, 2));
    setup_journal(NULL); /* the same record twice, as a worn place leaves it, and then neither */
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
    add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
    add(FOTA_RECORD_SKIP, 0xFF, 0, 3);
    reopen();
    assert_true(is(&journal.state.confirmed, 0, 1));
}

/* The last record reads well or badly from read to read. Whatever settle saw, it has told, and everyone after it sees
 * the same. */
static void settle_makes_an_unsure_tail_firm(void **state)
{
    unsigned seen[2] = {0, 0};

    (void) state;
    for (uint64_t seed = 1; seed <= 200u; seed++) {
        bool confirmed;

        setup_journal(NULL);
        add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
        add(FOTA_RECORD_CONFIRMED, 1, 2, 2);
        flash.random = seed * 7919u;
        uint32_t address = 0x080E0000u + 32u * (journal.used - 1u) + 4u * (uint32_t) (seed % 8u);
        uint32_t word = fota_get32(ram_flash_at(&flash, address));
        fota_put32(ram_flash_at(&flash, address), UINT32_MAX);
        flash.weak[0] = (struct ram_weak){.address = address, .unsure = ~word, .mode = RAM_WEAK_TOGETHER};
        flash.unstable = 1u << 11;

        reopen();
        assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
        confirmed = is(&journal.state.confirmed, 1, 2);
        seen[confirmed]++;
        for (unsigned again = 0; again < 10u; again++) {
            reopen();
            assert_int_equal(is(&journal.state.confirmed, 1, 2), confirmed);
        }
        assert_int_equal(flash.conflicts, 0);
    }
    assert_true(seen[0] > 20u && seen[1] > 20u);
}

static void settle_tells_errors(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    flash.unreadable = 0x080E0000u + 64u;
    assert_int_equal(fota_journal_settle(&journal), FOTA_E_IO);
    flash.unreadable = 0;
    flash.supply_low = true;
    assert_int_equal(fota_journal_settle(&journal), FOTA_E_SUPPLY);
}

static void open_tells_read_errors(void **state)
{
    static const uint32_t at[] = {0x080E0000, 0x080C0000, 0x080E0020, 0x080FFFE0};

    (void) state;
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        flash.unreadable = at[i];
        assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_E_IO);
    }
}

/* --- appending ---------------------------------------------------------------------------------------------- */

static void the_last_64_places(void **state)
{
    static const uint8_t others[] = {2, 5, 6, 7, 8, 9, 10, 11, 12, 15, 0, 255};

    (void) state;
    while (journal.used < 4096u - 64u)
        add(FOTA_RECORD_PROGRESS, 1, 1, journal.used);
    assert_int_equal(journal.used, 4032);
    for (unsigned i = 0; i < sizeof others; i++)
        assert_int_equal(append(others[i], 1, 1, 1), FOTA_E_JOURNAL_FULL);
    assert_int_equal(journal.used, 4032);
    for (unsigned i = 0; i < 64u; i++)
        add(i % 3u == 0    ? FOTA_RECORD_TRIAL
            : i % 3u == 1u ? FOTA_RECORD_CONFIRMED
                           : FOTA_RECORD_REJECTED,
            1, (uint8_t) i, 1);
    assert_int_equal(journal.used, 4096);
    struct fota_boot_state before = journal.state;
    assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, 99, 9), FOTA_E_JOURNAL_FULL);
    assert_memory_equal(&journal.state, &before, sizeof before);
    reopen();
    assert_int_equal(journal.used, 4096);
    assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
}

static void places_that_fail(void **state)
{
    uint32_t next = 0x080E0000u + 2u * 32u;

    (void) state;
    flash.bad_from = next + 8u; /* one word, in the first place or in three places */
    flash.bad_to = next + 12u;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    assert_int_equal(journal.used, 4);
    flash.bad_from = next + 64u;
    flash.bad_to = next + 64u + 96u;
    add(FOTA_RECORD_CONFIRMED, 1, 2, 1);
    assert_int_equal(journal.used, 8);
    reopen();
    assert_true(is(&journal.state.confirmed, 1, 2));
    assert_int_equal(journal.used, 8);

    flash.bad_from = 0x080E0000u; /* nothing works: an end, and the state is as it was */
    flash.bad_to = 0x08100000u;
    struct fota_boot_state before = journal.state;
    uint64_t ops = flash.ops;
    assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, 3, 9), FOTA_E_FLASH);
    assert_memory_equal(&journal.state, &before, sizeof before);
    assert_int_equal(flash.ops - ops, 4u * 8u);
    flash.bad_to = 0;
    flash.supply_low = true;
    ops = flash.ops;
    for (unsigned i = 0, used = journal.used; i < 3u; i++) { /* it may be tried for ever: no place is used up */
        assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, 3, 9), FOTA_E_SUPPLY);
        assert_int_equal(journal.used, used);
    }
    assert_memory_equal(&journal.state, &before, sizeof before);
    flash.supply_low = false;
    add(FOTA_RECORD_CONFIRMED, 0, 3, 9);
    reopen();
    assert_true(is(&journal.state.confirmed, 0, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(none, setup),
        cmocka_unit_test_setup(the_first_one, setup),
        cmocka_unit_test_setup(record_layout, setup_journal),
        cmocka_unit_test_setup(confirmed_and_floor, setup_journal),
        cmocka_unit_test_setup(pending_trial_rejected, setup_journal),
        cmocka_unit_test_setup(install_progress_void, setup_journal),
        cmocka_unit_test_setup(eight_rejects, setup_journal),
        cmocka_unit_test_setup(slots_that_do_not_exist, setup_journal),
        cmocka_unit_test_setup(damaged_records_do_not_count, setup_journal),
        cmocka_unit_test_setup(settle_programs_the_tail_again, setup_journal),
        cmocka_unit_test_setup(settle_skips_a_torn_tail, setup_journal),
        cmocka_unit_test(skips_of_skips),
        cmocka_unit_test_setup(settle_makes_an_unsure_tail_firm, setup_journal),
        cmocka_unit_test_setup(settle_tells_errors, setup_journal),
        cmocka_unit_test_setup(open_tells_read_errors, setup_journal),
        cmocka_unit_test_setup(the_last_64_places, setup_journal),
        cmocka_unit_test_setup(places_that_fail, setup_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
