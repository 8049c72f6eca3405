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

/* --- one record ---------------------------------------------------------------------------------------------- */

static bool confirmed(uint8_t slot, uint8_t image)
{
    struct fota_record r = test_record(0, 0, image, 0);

    return fota_image_is(&journal.state.confirmed, slot, r.identity);
}

/* A record is torn, settling it is cut as often as there are operations given, then a record is written that must hold.
 */
static void torn_again_and_again(uint64_t seed, const uint64_t *ops, unsigned count)
{
    bool second;

    ram_flash_restore(&flash, &start);
    phase = 0;
    if (setjmp(power_lost) != 0)
        phase++;
    assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
    if (phase < count)
        ram_flash_cut_at(&flash, RAM_CUT_INSIDE, flash.ops + ops[phase], seed * 31u + phase, &power_lost);
    if (phase == 0) {
        (void) append(FOTA_RECORD_CONFIRMED, 1, 2, 5);
        fail_msg("this was to be cut");
    }
    assert_int_equal(fota_journal_settle(&journal), FOTA_OK);
    ram_flash_no_cut(&flash);
    second = confirmed(1, 2);
    assert_true(second || confirmed(0, 1));
    assert_int_equal(append(FOTA_RECORD_REJECTED, 0, 3, 0), FOTA_OK);
    for (unsigned i = 0; i < 12u; i++) { /* from now on everyone reads the same */
        assert_int_equal(fota_journal_open(&journal, &flash.port), FOTA_OK);
        assert_int_equal(confirmed(1, 2), second);
        assert_int_equal(journal.state.reject_count, 1);
    }
    assert_int_equal(flash.conflicts, 0);
}

static void a_torn_record(void **state)
{
    (void) state;
    fresh();
    from_here();
    for (uint64_t seed = 0; seed < 640u; seed++) {
        /* the first word is the most delicate one: as often as all others together */
        uint64_t ops[4];

        for (unsigned i = 0; i < 4u; i++)
            ops[i] = seed >> i & 1u ? 0 : (seed * 7u + i * 3u) % 8u;
        torn_again_and_again(seed, ops, 1u + (unsigned) (seed / 16u) % 4u);
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
    for (uint64_t seed = 0; seed < 320u; seed++) {
        struct aimed cuts[4] = {{RAM_CUT_INSIDE, head + seed % 8u},
                                {RAM_CUT_INSIDE, erases[0]},
                                {RAM_CUT_INSIDE, seed % 3u == 0 ? erases[0] : test_random(&random) % ops},
                                {RAM_CUT_INSIDE, erases[seed % 2u]}};

        if (seed % 4u == 3u) { /* the record before the erase is torn first */
            cuts[2] = cuts[1];
            cuts[1].op = seed / 4u % (erases[0] + 1u);
        }
        (void) cut_again_and_again(seed, cuts, 2u + (unsigned) (seed / 8u) % 3u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_torn_record), cmocka_unit_test(a_compaction)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
