/* SPDX-License-Identifier: MIT */
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "fota/journal.h"
#include "support/cmocka_all.h"
#include "support/journal_help.h"

#include <string.h>

static struct ram_flash flash;
static struct fota_journal journal;

static void reopen(void)
{
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
}

static int setup(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    reopen();
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    return 0;
}

static void add(uint8_t type, uint8_t slot, uint8_t image, uint32_t arg)
{
    struct fota_record r = test_record(type, slot, image, arg);

    assert_int_equal(fota_journal_append(&journal, &r), FOTA_OK);
}

/* Fill with records that mean nothing until so many places are free. */
static void fill(uint32_t left)
{
    while (4096u - journal.used > left)
        add(FOTA_RECORD_ALLOWED, 0xFF, 200, 0);
}

static void expect_same_state_after_compaction(void)
{
    struct fota_boot_state before = test_meaning(&journal.state), after;
    uint8_t bank = journal.bank;
    uint32_t base = journal.base, used = journal.used;

    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_int_equal(journal.bank, bank ^ 1u);
    assert_in_range(journal.base, base + used, base + used + 1u);
    assert_true(journal.state.spare_clean);
    after = test_meaning(&journal.state);
    assert_memory_equal(&after, &before, sizeof after);
    reopen();
    after = test_meaning(&journal.state);
    assert_memory_equal(&after, &before, sizeof after);
    assert_int_equal(journal.bank, bank ^ 1u);
    for (uint32_t i = 0; i < FOTA_JOURNAL_BANK_SIZE; i++) /* the old bank is gone */
        assert_int_equal(*ram_flash_at(&flash, fota_sector_base(fota_journal_sector(bank)) + i), 0xFF);
    assert_int_equal(flash.conflicts, 0);
}

/* --- when --------------------------------------------------------------------------------------------------- */

static void below_320_places(void **state)
{
    uint64_t ops;

    (void) state;
    fill(320);
    ops = flash.ops;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_int_equal(flash.ops, ops);
    fill(319);
    expect_same_state_after_compaction();
    assert_true(journal.used < 4u);
    fill(319);
    expect_same_state_after_compaction(); /* and back */
    assert_int_equal(journal.bank, 0);
}

static void never_during_a_trial(void **state)
{
    uint64_t ops;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    fill(100);
    add(FOTA_RECORD_TRIAL, 1, 2, 1);
    ops = flash.ops;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_int_equal(flash.ops, ops);
    add(FOTA_RECORD_REJECTED, 1, 2, 0);
    expect_same_state_after_compaction();
}

static void from_the_very_last_place(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 3);
    fill(64);
    while (journal.used < 4096u)
        add(FOTA_RECORD_REJECTED, 1, (uint8_t) journal.used, 0);
    expect_same_state_after_compaction();
}

/* --- what --------------------------------------------------------------------------------------------------- */

static void keeps_each_part(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 1, 9, 7);
    add(FOTA_RECORD_CONFIRMED, 0, 1, 3); /* the floor is above what is confirmed */
    for (uint8_t i = 20; i < 29u; i++)
        add(FOTA_RECORD_REJECTED, 1, i, 0);
    add(FOTA_RECORD_REJECTED, 0, 1, 0); /* even one that is confirmed by now */
    add(FOTA_RECORD_INSTALL, 1, 4, 100000);
    add(FOTA_RECORD_ERASED, 1, 4, 7);
    add(FOTA_RECORD_ERASING, 1, 4, 8);
    add(FOTA_RECORD_PROGRESS, 1, 4, 65536);
    fill(319);
    expect_same_state_after_compaction();
    assert_int_equal(journal.state.floor, 7);
    assert_int_equal(journal.state.erased, 1u << 7);
    assert_int_equal(journal.state.install_next, 65536);
    add(FOTA_RECORD_PENDING, 1, 4, 0);
    fill(319);
    expect_same_state_after_compaction();
    assert_int_equal(journal.state.trial, FOTA_TRIAL_PENDING);
}

/* Any sequence of records, also of such that nobody writes, folds to the same before and after. */
static void keeps_any_state(void **state)
{
    uint64_t random = 4711;

    (void) state;
    for (unsigned run = 0; run < 60u; run++) {
        unsigned records = (unsigned) (test_random(&random) % 60u);

        for (unsigned i = 0; i < records; i++) {
            uint32_t r = (uint32_t) test_random(&random);
            uint8_t type = (uint8_t) (1u + r % 11u), slot = (uint8_t) (r >> 8 & 1u),
                    image = (uint8_t) (1u + (r >> 16) % 12u);

            if (type == FOTA_RECORD_ALLOWED && (r >> 24) % 4u != 0)
                type = FOTA_RECORD_REJECTED;
            add(type, slot, image, (r >> 20) % 12u);
        }
        if (journal.state.trial == FOTA_TRIAL_RUNNING)
            add(FOTA_RECORD_CONFIRMED, journal.state.candidate.slot, 1, 0);
        fill(319);
        expect_same_state_after_compaction();
    }
}

static void keeps_unknown_records(void **state)
{
    unsigned found = 0;

    (void) state;
    for (uint8_t i = 0; i < 50u; i++) /* slots and reasons that mean nothing here */
        add((uint8_t) (100u + i), (uint8_t) (i * 5u), i, 0xABCD0000u + i);
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    fill(319);
    expect_same_state_after_compaction();
    fill(319);
    expect_same_state_after_compaction();
    for (uint32_t i = 1; i < journal.used; i++) {
        const uint8_t *at = ram_flash_at(&flash, fota_sector_base(fota_journal_sector(journal.bank)) + 32u * i);

        if (at[4] < 100u)
            continue;
        assert_int_equal(at[4], 100u + found);
        assert_int_equal(at[5], (uint8_t) (found * 5u));
        assert_int_equal((int16_t) fota_get16(at + 6), -(int) found);
        assert_int_equal(at[8], found);
        assert_int_equal(fota_get32(at + 24), 0xABCD0000u + found);
        found++;
    }
    assert_int_equal(found, 50);
}

/* Unknown ones without end must not lead to a journal that is full from the start. */
static void unknown_records_leave_half_free(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 1);
    while (4096u - journal.used >= 320u)
        add(77, 0, 0, journal.used);
    expect_same_state_after_compaction();
    assert_in_range(journal.used, 2048, 2048 + 30);
}

/* --- which bank --------------------------------------------------------------------------------------------- */

static void put_head(unsigned bank, uint32_t base)
{
    uint8_t *at = ram_flash_at(&flash, fota_sector_base(fota_journal_sector(bank)));

    memset(at, 0xFF, 32);
    fota_put32(at, base);
    fota_put32(at + 4, FOTA_JOURNAL_MAGIC);
    fota_put32(at + 28, fota_crc32(0, at, 28));
}

static void the_newest_bank(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    put_head(0, 10);
    reopen();
    assert_true(journal.present && journal.bank == 0 && journal.base == 10);
    put_head(1, 9);
    reopen();
    assert_true(journal.bank == 0 && journal.base == 10);
    put_head(1, 11);
    reopen();
    assert_true(journal.bank == 1 && journal.base == 11);
    put_head(1, 100000); /* of another life: no place of the other bank has that number */
    reopen();
    assert_true(journal.bank == 1 && journal.base == 100000);
    assert_false(journal.state.spare_clean);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK); /* and the old one goes */
    assert_true(journal.state.spare_clean && journal.bank == 1);
    assert_int_equal(flash.erases[11], 1);
    assert_int_equal(flash.erases[10], 0);
    memset(ram_flash_at(&flash, 0x080C0000) + 5, 0, 1); /* a head with another magic number, then none */
    reopen();
    assert_false(journal.present);
}

/* A compaction is cut when its head is torn: the bank does not count. It is done again, and cut in the erase: now the
 * head reads well, but records are gone. The older bank has gone on, and stays the journal. */
static void a_head_that_reads_well_too_late(void **state)
{
    uint8_t *bank, head[32];
    struct fota_boot_state before;
    jmp_buf power_lost;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    add(FOTA_RECORD_REJECTED, 1, 2, 0);
    fill(319);
    before = test_meaning(&journal.state);
    flash.bad_sector[11] = true; /* the new bank is written whole, the old one is still there */
    assert_int_equal(fota_journal_maintain(&journal), FOTA_E_FLASH);
    flash.bad_sector[11] = false;
    assert_int_equal(journal.bank, 1);
    bank = ram_flash_at(&flash, 0x080C0000);
    memcpy(head, bank, sizeof head);
    /* the old one as it was before 6, the new one's head torn in its last word */
    put_head(0, 1);
    memset(bank + 28, 0xFF, 4);
    reopen();
    assert_int_equal(journal.bank, 0);
    if (setjmp(power_lost) == 0) {
        ram_flash_cut_at(&flash, RAM_CUT_BEFORE, flash.ops + 8u, 0,
                         &power_lost); /* the record before the erase is 8 words */
        (void) fota_journal_maintain(&journal);
        fail_msg("this was to be cut");
    }
    assert_int_equal(flash.erases[10], 2); /* not yet a third time */
    memcpy(bank, head, sizeof head);
    memset(bank + 32, 0xFF, 64);
    reopen();
    assert_int_equal(journal.bank, 0);
    struct fota_boot_state after = test_meaning(&journal.state);
    assert_memory_equal(&after, &before, sizeof after);
    expect_same_state_after_compaction();
}

/* The same with no place left for the record that makes the older bank go on: the newer one's head goes before its
 * erase. */
static void a_full_journal_voids_the_other_head(void **state)
{
    static const uint8_t zeros[32];
    uint8_t *bank;
    jmp_buf power_lost;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    fill(FOTA_JOURNAL_RESERVED);
    for (unsigned i = 0; journal.used < FOTA_JOURNAL_RECORDS; i++)
        add(FOTA_RECORD_REJECTED, 1, (uint8_t) (2u + i % 2u), 0);
    flash.bad_sector[11] = true;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_E_FLASH);
    flash.bad_sector[11] = false;
    assert_int_equal(journal.bank, 1);
    bank = ram_flash_at(&flash, 0x080C0000);
    put_head(0, 1);
    memset(bank + 28, 0xFF, 4); /* torn in its last word */
    reopen();
    assert_int_equal(journal.bank, 0);
    if (setjmp(power_lost) == 0) {
        ram_flash_cut_at(&flash, RAM_CUT_BEFORE, flash.ops + 8u, 0, &power_lost);
        (void) fota_journal_maintain(&journal);
        fail_msg("this was to be cut");
    }
    assert_int_equal(flash.erases[10], 2); /* not yet a third time */
    assert_memory_equal(bank, zeros, sizeof zeros);
    reopen();
    assert_int_equal(journal.bank, 0);
    expect_same_state_after_compaction();
}

/* --- faults ------------------------------------------------------------------------------------------------- */

static void a_new_bank_that_fails(void **state)
{
    struct fota_boot_state before;

    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    fill(319);
    before = test_meaning(&journal.state);
    for (unsigned fault = 0; fault < 3u; fault++) {
        flash.bad_sector[10] = fault == 0;
        flash.bad_from = fault == 1u ? 0x080C0024u : 0x080C0004u; /* as many places as an append tries; the head */
        flash.bad_to = fault == 0 ? 0 : fault == 1u ? flash.bad_from + 4u * 32u : flash.bad_from + 4u;
        assert_int_equal(fota_journal_maintain(&journal), FOTA_E_FLASH);
        struct fota_boot_state after = test_meaning(&journal.state);
        assert_memory_equal(&after, &before, sizeof after);
        reopen();
        assert_int_equal(journal.bank, 0);
        after = test_meaning(&journal.state);
        assert_memory_equal(&after, &before, sizeof after);
    }
    flash.bad_to = 0;
    flash.supply_low = true;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_E_SUPPLY);
    flash.supply_low = false;
    expect_same_state_after_compaction();
}

/* A worn place in the new bank is left out. */
static void a_new_bank_with_a_worn_place(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    add(FOTA_RECORD_REJECTED, 1, 2, 0);
    fill(319);
    flash.bad_from = 0x080C0044u;
    flash.bad_to = flash.bad_from + 4u;
    expect_same_state_after_compaction();
    assert_int_equal(journal.bank, 1);
}

/* With no journal at all, and the first bank's first place worn, the other bank is begun. */
static void a_first_bank_that_is_worn(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    flash.bad_from = 0x080E0004u;
    flash.bad_to = flash.bad_from + 4u;
    reopen();
    assert_false(journal.present);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    reopen();
    assert_true(journal.present);
    assert_int_equal(journal.bank, 1);
    assert_int_equal(journal.state.floor, 5);
}

static void an_old_bank_that_cannot_be_erased(void **state)
{
    (void) state;
    add(FOTA_RECORD_CONFIRMED, 0, 1, 5);
    fill(319);
    flash.bad_sector[11] = true;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_E_FLASH);
    reopen();
    assert_int_equal(journal.bank, 1);                                 /* the new one is in use */
    assert_int_equal(fota_get32(ram_flash_at(&flash, 0x080E0004)), 0); /* and the old one will never be again */
    assert_false(journal.state.spare_clean);
    assert_int_equal(journal.state.floor, 5);
    flash.bad_sector[11] = false;
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_true(journal.state.spare_clean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(below_320_places, setup),
        cmocka_unit_test_setup(never_during_a_trial, setup),
        cmocka_unit_test_setup(from_the_very_last_place, setup),
        cmocka_unit_test_setup(keeps_each_part, setup),
        cmocka_unit_test_setup(keeps_any_state, setup),
        cmocka_unit_test_setup(keeps_unknown_records, setup),
        cmocka_unit_test_setup(unknown_records_leave_half_free, setup),
        cmocka_unit_test_setup(the_newest_bank, setup),
        cmocka_unit_test_setup(a_head_that_reads_well_too_late, setup),
        cmocka_unit_test_setup(a_full_journal_voids_the_other_head, setup),
        cmocka_unit_test_setup(a_new_bank_that_fails, setup),
        cmocka_unit_test_setup(a_new_bank_with_a_worn_place, setup),
        cmocka_unit_test_setup(a_first_bank_that_is_worn, setup),
        cmocka_unit_test_setup(an_old_bank_that_cannot_be_erased, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
