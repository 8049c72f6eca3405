/* SPDX-License-Identifier: MIT */
/*
 * The supply goes at every flash operation of whole lives: before it, inside it in several ways, after it; then again
 * during the recovery. The oracle (support/oracle.c) knows what must come of it. A failure prints the line that replays
 * it:
 *
 *     core_powercut SCENARIO KIND:OPERATION:SEED [KIND:OPERATION:SEED …]
 *
 * `core_powercut full` takes some minutes and makes many more of them.
 */
#include "fota/bytes.h"
#include "support/cmocka_all.h"
#include "support/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SWEEP_SHARE
#define SWEEP_SHARE 1u /* one of so many cuts is made */
#endif

#define DATA_SHARE 17u /* one of so many plain words is cut at */
#define LOG_SIZE 40000u

static unsigned seeds = 2; /* ways of a cut inside an operation */
static unsigned again = 1; /* runs with more cuts for each of them */

static struct test_image images[LIFE_IMAGES];
static struct life_image set[LIFE_IMAGES];
static struct ram_flash start, flash;
static struct ram_op log_of_ops[LOG_SIZE];
static struct life life;
static char replay[160];
static unsigned long cuts, boots;

/* --- the world ----------------------------------------------------------------------------------------------- */

enum { FACTORY, SECOND, THIRD, IS_LATE, DOES_FAULT, DOES_HANG, DOES_RESET, IS_BAD };

static void make_images(uint32_t size, uint32_t of_third)
{
    static const enum behaviour behaviours[LIFE_IMAGES] = {
        [IS_LATE] = LATE, [DOES_FAULT] = FAULTS, [DOES_HANG] = HANGS, [DOES_RESET] = RESETS};

    for (unsigned i = 0; i < LIFE_IMAGES; i++) {
        test_image_make(&images[i], i == THIRD ? of_third : size + 4u * i, (uint16_t) i, 1u + i / 2u);
        set[i] = (struct life_image){.image = &images[i], .behaviour = behaviours[i], .bad = i == IS_BAD};
    }
}

static void world(void)
{
    memset(&life, 0, sizeof life);
    life.images = set;
    life.image_count = LIFE_IMAGES;
    life.flash = &flash;
    life.chunk = 256;
    oracle_init(&life.oracle);
    for (unsigned i = 0; i < LIFE_IMAGES; i++)
        life.oracle.counters[i] = images[i].header.counter;
}

static void job(uint8_t image, enum outcome expected)
{
    life.jobs[life.job_count++] = (struct job){.image = image, .expected = expected};
}

/* Live so far without a cut, and go on from there. */
static void lived(void)
{
    struct oracle oracle;

    life_run(&life);
    oracle = life.oracle;
    world();
    life.oracle = oracle;
}

/* The journal has so many places left: what lies before was given up. */
static void journal_left(uint32_t left)
{
    struct fota_journal j;

    assert_int_equal(fota_journal_open(&j, &flash.port), FOTA_OK);
    for (uint32_t i = j.used; i < FOTA_JOURNAL_RECORDS - left; i++) {
        uint8_t *at = ram_flash_at(&flash, fota_sector_base(fota_journal_sector(j.bank)) + 32u * i);

        memset(at, 0, 32);
        if (i + 1u == FOTA_JOURNAL_RECORDS - left) /* the tail is looked at closer */
            fota_put32(at, j.base + i);
    }
}

static void confirmed_in_a(void)
{
    flash_image(&flash, &images[FACTORY], FOTA_SLOT_A);
    lived();
}

/* --- the scenarios ------------------------------------------------------------------------------------------- */

static void factory_first_boot(void)
{
    flash_image(&flash, &images[FACTORY], FOTA_SLOT_A);
}

static void a_to_b_to_a(void)
{
    confirmed_in_a();
    job(SECOND, CONFIRMED);
    job(THIRD, CONFIRMED);
}

static void by_the_agent(void)
{
    confirmed_in_a();
    job(SECOND, CONFIRMED);
    life.jobs[0].by_agent = true;
}

static void rollback_late(void)
{
    confirmed_in_a();
    job(IS_LATE, ROLLED_BACK);
}

static void rollback_fault(void)
{
    confirmed_in_a();
    job(DOES_FAULT, ROLLED_BACK);
}

static void rollback_hang(void)
{
    confirmed_in_a();
    job(DOES_HANG, ROLLED_BACK);
}

static void rollback_reset_and_retry(void)
{
    confirmed_in_a();
    job(DOES_RESET, ROLLED_BACK);
    job(DOES_RESET, ROLLED_BACK);
    life.jobs[1].retry = true;
}

static void bad_then_good(void)
{
    confirmed_in_a();
    job(IS_BAD, FAILED);
    job(SECOND, CONFIRMED);
}

static void nothing_bootable(void)
{
    job(SECOND, CONFIRMED);
}

static void both_banks_lost(void)
{
    confirmed_in_a();
    job(SECOND, CONFIRMED);
    lived();
    memset(ram_flash_at(&flash, fota_sector_base(10)), 0x5A, 128u * 1024u);
    memset(ram_flash_at(&flash, fota_sector_base(11)), 0xA5, 128u * 1024u);
    oracle_forget(&life.oracle);
    job(THIRD, CONFIRMED);
}

static void spare_bank_lost(void)
{
    confirmed_in_a();
    memset(ram_flash_at(&flash, fota_sector_base(10)), 0x5A, 128u * 1024u);
    journal_left(320);
    job(SECOND, CONFIRMED);
}

/* A compaction with a floor, rejected images, something confirmed in B. */
static void full_life(void)
{
    confirmed_in_a();
    job(SECOND, CONFIRMED);
    job(IS_LATE, ROLLED_BACK);
    job(DOES_RESET, ROLLED_BACK);
    lived();
}

static void compaction_in_peace(void)
{
    full_life();
    journal_left(319);
}

static void compaction_and_install(void)
{
    full_life();
    journal_left(322);
    job(THIRD, CONFIRMED);
}

static void compaction_back(void)
{
    full_life();
    journal_left(319);
    lived();
    journal_left(321);
    job(DOES_FAULT, ROLLED_BACK);
}

static void resume_large(void)
{
    make_images(700, 40000); /* over three sectors of slot A, with progress records */
    flash_image(&flash, &images[FACTORY], FOTA_SLOT_A);
    job(SECOND, CONFIRMED);
    lived();
    life.chunk = 2048;
    job(THIRD, CONFIRMED);
}

static const struct scenario {
    const char *name;
    void (*prepare)(void);
    unsigned data_share;
} scenarios[] = {
    {"factory-first-boot", factory_first_boot, 1},
    {"a-to-b-to-a", a_to_b_to_a, DATA_SHARE},
    {"by-the-agent", by_the_agent, DATA_SHARE},
    {"rollback-late", rollback_late, DATA_SHARE},
    {"rollback-fault", rollback_fault, DATA_SHARE},
    {"rollback-hang", rollback_hang, DATA_SHARE},
    {"rollback-reset-and-retry", rollback_reset_and_retry, DATA_SHARE},
    {"bad-then-good", bad_then_good, DATA_SHARE},
    {"nothing-bootable", nothing_bootable, DATA_SHARE},
    {"both-banks-lost", both_banks_lost, DATA_SHARE},
    {"spare-bank-lost", spare_bank_lost, DATA_SHARE},
    {"compaction-in-peace", compaction_in_peace, 1},
    {"compaction-and-install", compaction_and_install, DATA_SHARE},
    {"compaction-back", compaction_back, DATA_SHARE},
    {"resume-large", resume_large, 499},
};

/* --- the sweep ----------------------------------------------------------------------------------------------- */

static void live(const struct scenario *scenario, const struct life *from, const struct cut *list, unsigned count)
{
    int at = snprintf(replay, sizeof replay, "%s", scenario->name);

    ram_flash_restore(&flash, &start);
    life = *from;
    for (unsigned i = 0; i < count; i++) {
        life.cuts[i] = list[i];
        at += snprintf(replay + at, sizeof replay - (size_t) at, " %d:%lu:%lu", (int) list[i].kind,
                       (unsigned long) list[i].after, (unsigned long) list[i].seed);
    }
    life.cut_count = count;
    life_run(&life);
    replay[0] = 0;
    cuts += life.cuts_done;
    boots += life.boots;
}

static void prepare(const struct scenario *scenario, struct life *from)
{
    snprintf(replay, sizeof replay, "%s", scenario->name);
    make_images(700, 900);
    ram_flash_init(&flash);
    world();
    scenario->prepare();
    flash.ops = 0;
    flash.touched = 0;
    *from = life;
    ram_flash_copy(&start, &flash);
}

/* Words of code and header are many and alike: the first and last ones of a part and some of the others are enough. */
static bool plain(const struct ram_op *op)
{
    uint32_t at = op->address % 4096u; /* a slot begins on such a boundary */

    return !op->erase && fota_sector_of(op->address) < FOTA_JOURNAL_SPARE_SECTOR && at >= 8u &&
           (at < FOTA_HEADER_SIZE - 4u || at >= FOTA_HEADER_SIZE + 8u);
}

static bool chosen(uint64_t *random)
{
    return SWEEP_SHARE == 1u || test_random(random) % SWEEP_SHARE == 0;
}

static void sweep(const struct scenario *scenario)
{
    static struct life from;
    uint64_t ops, random = 20250101u;

    prepare(scenario, &from);
    start.log = log_of_ops;
    start.log_size = LOG_SIZE;
    live(scenario, &from, NULL, 0);
    start.log = NULL;
    ops = flash.ops;
    assert_in_range(ops, 8, LOG_SIZE);
    for (uint64_t op = 0; op < ops; op++) {
        struct cut list[3] = {{.after = op}};

        if (plain(&log_of_ops[op]) && op % scenario->data_share != 0)
            continue;
        for (unsigned way = 0; way < seeds + 2u; way++) {
            /* after one operation is before the next one, but for the last */
            if (!chosen(&random) || (way == 1u && again == 1u && op % 8u != 0 && op + 1u != ops))
                continue;
            list[0].kind = way == 0 ? RAM_CUT_BEFORE : way == 1u ? RAM_CUT_AFTER : RAM_CUT_INSIDE;
            list[0].seed = op * 64u + way;
            live(scenario, &from, list, 1);
            assert_int_equal(life.cuts_done, 1);
            /* again in the recovery, mostly soon; sometimes a third time */
            for (unsigned more = 0; way >= 2u && way % 2u == 0 && more < again; more++) {
                uint64_t r = test_random(&random);

                list[1] = (struct cut){.kind = r % 8u == 0 ? RAM_CUT_BEFORE : RAM_CUT_INSIDE,
                                       .after = (r >> 8) % (r % 3u == 0 ? 200u : 24u),
                                       .seed = r >> 40};
                r = test_random(&random);
                list[2] = (struct cut){.kind = RAM_CUT_INSIDE, .after = (r >> 8) % 40u, .seed = r >> 40};
                live(scenario, &from, list, r % 4u == 0 ? 3 : 2);
            }
        }
    }
}

static void sweep_one(void **state)
{
    sweep(*state);
}

static int tell(void **state)
{
    (void) state;
    if (replay[0] != 0)
        print_error("replay: core_powercut %s\n", replay);
    replay[0] = 0;
    return 0;
}

/* Replay one run from the command line. */
static const struct scenario *replayed;
static struct cut replayed_cuts[3];
static unsigned replayed_count;

static void one_run(void **state)
{
    static struct life from;

    (void) state;
    prepare(replayed, &from);
    live(replayed, &from, replayed_cuts, replayed_count);
}

static int from_command_line(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_run)};

    for (unsigned i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0)
            replayed = &scenarios[i];
    if (replayed == NULL || argc > 5) {
        fprintf(stderr, "no such scenario, or too many cuts: %s\n", argv[1]);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        char *at = argv[i];
        struct cut *cut = &replayed_cuts[replayed_count++];

        cut->kind = (enum ram_cut) strtoul(at, &at, 10);
        cut->after = strtoul(*at != 0 ? at + 1 : at, &at, 10);
        cut->seed = strtoul(*at != 0 ? at + 1 : at, &at, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    enum { COUNT = sizeof scenarios / sizeof scenarios[0] };
    struct CMUnitTest tests[COUNT];
    int failed;

    if (argc == 2 && strcmp(argv[1], "full") == 0) {
        seeds = 16;
        again = 4;
    } else if (argc > 1)
        return from_command_line(argc, argv);
    for (unsigned i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = sweep_one,
                                       .teardown_func = tell,
                                       .initial_state = (void *) (uintptr_t) &scenarios[i]};
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("%lu cuts, %lu boots\n", cuts, boots);
    return failed;
}
