/* SPDX-License-Identifier: MIT */
/* Cuts aimed at the journal's own weak moments, several in a row: a record torn in its first word, a place being given
 * up, a compaction whose head is torn and which is then done again. test_powercut.c has whole lives. */
#include "fota/bytes.h"
#include "fota/journal.h"
#include "support/cmocka_all.h"
#include "support/journal_help.h"

#include <string.h>

static struct ram_flash flash, start;
static struct fota_journal journal;
static jmp_buf power_lost;
static volatile unsigned phase; /* how many cuts there were */

static int reopen(void)
{
    int error = fota_journal_open(&journal, &flash.port);

    return error == FOTA_OK ? fota_journal_settle(&journal) : error;
}

static int append(uint8_t type, uint8_t slot, uint8_t image, uint32_t arg)
{
    struct fota_record r = test_record(type, slot, image, arg);

    return fota_journal_append(&journal, &r);
}

static void fresh(void)
{
    ram_flash_init(&flash);
    assert_int_equal(reopen(), FOTA_OK);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, 1, 5), FOTA_OK);
}

static void from_here(void)
{
    ram_flash_copy(&start, &flash);
    ram_flash_copy(&flash, &start);
}

/* --- records ------------------------------------------------------------------------------------------------- */

static bool confirmed(uint8_t slot, uint8_t image)
{
    struct fota_record r = test_record(0, 0, image, 0);

    return fota_image_is(&journal.state.confirmed, slot, r.identity);
}

/* At every boot another image is confirmed, and the supply goes during that or during the settling before. The last one
 * that was confirmed for sure is, or the one that was being confirmed; and once a boot has seen which, it is that for
 * all times. */
static void torn_again_and_again(uint64_t seed, const uint64_t *ops, unsigned count)
{
    static volatile uint8_t sure, maybe;

    ram_flash_restore(&flash, &start);
    phase = 0;
    sure = maybe = 1;
    if (setjmp(power_lost) != 0)
        phase++;
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
    if (phase < count)
        ram_flash_cut_at(&flash, RAM_CUT_INSIDE, flash.ops + ops[phase], seed * 31u + phase, &power_lost);
    assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
    assert_true(confirmed(0, sure) || confirmed(0, maybe));
    sure = confirmed(0, maybe) ? maybe : sure;
    maybe = (uint8_t) (2u + phase);
    assert_int_equal(append(FOTA_RECORD_CONFIRMED, 0, maybe, 5), FOTA_OK);
    sure = maybe;
    if (phase < count) /* the cut would have come later */
        ram_flash_no_cut(&flash);
    for (unsigned i = 0; i < 8u; i++) {
        assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
        assert_true(confirmed(0, sure));
        assert_int_equal(journal.state.reject_count, 1);
    }
    assert_int_equal(flash.conflicts, 0);
}

static void torn_records(void **state)
{
    uint64_t random = 11;

    (void) state;
    fresh();
    assert_int_equal(append(FOTA_RECORD_REJECTED, 1, 9, 0), FOTA_OK);
    from_here();
    for (uint64_t seed = 0; seed < 800u; seed++) {
        uint64_t ops[5];

        /* Settling programs 8 words again, and appends 8 where something was torn; then 8 are appended. The first and
         * the last word of a record are the most delicate ones. */
        for (unsigned i = 0; i < 5u; i++) {
            uint64_t r = test_random(&random);

            ops[i] = r % 3u * 8u + ((r >> 8) % 3u == 0 ? 0 : (r >> 8) % 3u == 1u ? 7 : (r >> 16) % 8u);
        }
        ops[0] = 8u + ops[0] % 8u;
        torn_again_and_again(seed, ops, 1u + (unsigned) seed % 5u);
    }
}

/* --- a compaction -------------------------------------------------------------------------------------------- */

struct aimed {
    enum ram_cut kind;
    uint64_t op;
};

static struct fota_boot_state meant;

static void expect_meant(void)
{
    struct fota_boot_state s = test_meaning(&journal.state);

    assert_true(journal.present);
    assert_memory_equal(&s, &meant, sizeof s);
}

/* Whatever happens to a compaction, the journal says the same, as often as it is read. @return operations without a
 * cut. */
static uint64_t cut_again_and_again(uint64_t seed, const struct aimed *cuts, unsigned count)
{
    uint64_t ops;

    ram_flash_restore(&flash, &start);
    phase = 0;
    if (setjmp(power_lost) != 0)
        phase++;
    assert_int_equal(reopen(), FOTA_OK);
    expect_meant();
    ops = flash.ops;
    if (phase < count)
        ram_flash_cut_at(&flash, cuts[phase].kind, ops + cuts[phase].op, seed * 31u + phase, &power_lost);
    assert_int_equal(fota_journal_maintain(&journal), FOTA_OK);
    ram_flash_no_cut(&flash);
    ops = flash.ops - ops;
    expect_meant();
    assert_true(journal.state.spare_clean);
    assert_int_equal(append(FOTA_RECORD_ALLOWED, 0xFF, 99, 0), FOTA_OK);
    for (unsigned i = 0; i < 4u; i++) {
        assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
        expect_meant();
    }
    assert_int_equal(flash.conflicts, 0);
    return ops;
}

static void a_compaction(void **state)
{
    static struct ram_op log[1000];
    uint64_t ops, random = 1, head = 0, erases[4];
    unsigned erase_count = 0;

    (void) state;
    fresh();
    for (uint8_t i = 10; i < 15u; i++)
        assert_int_equal(append(FOTA_RECORD_REJECTED, 1, i, 0), FOTA_OK);
    assert_int_equal(append(FOTA_RECORD_INSTALL, 1, 7, 50000), FOTA_OK);
    assert_int_equal(append(FOTA_RECORD_ERASED, 1, 7, 7), FOTA_OK);
    while (4096u - journal.used >= 320u) /* quicker than appending: they were given up */
        memset(ram_flash_at(&flash, 0x080E0000u + 32u * journal.used++), 0, 32);
    fota_put32(ram_flash_at(&flash, 0x080E0000u + 32u * (journal.used - 1u)), journal.base + journal.used - 1u);
    assert_int_equal(reopen(), FOTA_OK);
    meant = test_meaning(&journal.state);
    flash.conflicts = 0;
    flash.ops = 0;
    from_here();

    start.log = log;
    start.log_size = 1000;
    ops = cut_again_and_again(0, NULL, 0);
    start.log = NULL;
    for (uint64_t op = 0; op < ops; op++) {
        if (log[op + 8u].erase && erase_count < 4u) /* 8 words are the settled tail */
            erases[erase_count++] = op;
        if (log[op + 8u].address == 0x080C0000u && !log[op + 8u].erase && head == 0)
            head = op;
    }
    assert_true(head > 0 && erase_count == 2u);

    for (uint64_t op = 0; op < ops; op++) {
        for (uint64_t seed = 0; seed < 3u; seed++) {
            struct aimed cuts[4] = {{RAM_CUT_INSIDE, op}};

            (void) cut_again_and_again(op * 64u + seed, cuts, 1);
            for (unsigned i = 1; i < 4u; i++)
                cuts[i] = (struct aimed){.kind = test_random(&random) % 4u == 0 ? RAM_CUT_BEFORE : RAM_CUT_INSIDE,
                                         .op = test_random(&random) % ops};
            (void) cut_again_and_again(op * 64u + seed, cuts, 2u + (unsigned) seed % 3u);
        }
    }
    /* the head is torn, then the erase of what it stood for, then anything */
    for (uint64_t seed = 0; seed < 240u; seed++) {
        struct aimed cuts[4] = {{RAM_CUT_INSIDE, head + (seed % 4u == 0 ? seed / 4u % 8u : 7u)},
                                {RAM_CUT_INSIDE, erases[0]},
                                {RAM_CUT_INSIDE, seed % 3u == 0 ? erases[0] : test_random(&random) % ops},
                                {RAM_CUT_INSIDE, erases[seed % 2u]}};

        if (seed % 5u == 3u) { /* the record before the erase is torn first */
            cuts[2] = cuts[1];
            cuts[1].op = seed / 5u % (erases[0] + 1u);
        }
        (void) cut_again_and_again(seed, cuts, 2u + (unsigned) (seed / 8u) % 3u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(torn_records), cmocka_unit_test(a_compaction)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
