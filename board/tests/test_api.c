/* SPDX-License-Identifier: MIT */
/** @file test_api.c The board's functions, with the probe firmware on it. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <threads.h>
#include <unistd.h>

static char directory[] = "/tmp/board-test-XXXXXX";
static char flash_path[64];

/* ----------------------------------------------------------------------------------------------------- options */

static void refused(const struct board_options *o, const char *word)
{
    struct board *b = board_create(o);
    assert_null(b);
    if (!strstr(board_create_error(), word))
        fail_msg("the error \"%s\" does not name %s", board_create_error(), word);
}

static void put(const char *mode, const char *text)
{
    FILE *f = fopen(flash_path, mode);
    if (f == NULL)
        abort();
    fputs(text, f);
    fclose(f);
}

static void test_bad_options(void **state)
{
    struct board_options o;
    (void) state;
    board_options_default(&o);
    o.cycles = 0.5;
    refused(&o, "cycles");
    board_options_default(&o);
    o.lsi_hz = 50000;
    refused(&o, "LSI");
    board_options_default(&o);
    o.hse_hz = 1000;
    refused(&o, "HSE");
    board_options_default(&o);
    o.flash_path = "/nonexistent/flash";
    refused(&o, "/nonexistent/flash");
}

static void test_flash_file(void **state)
{
    struct board_options o;
    uint8_t got[4];
    struct stat st;
    (void) state;
    board_options_default(&o);
    o.flash_path = flash_path;
    struct board *b = board_create(&o);
    assert_non_null(b);
    assert_int_equal(board_flash(b)[0], 0xFF);
    assert_int_equal(board_flash(b)[0xFFFFF], 0xFF);
    assert_int_equal(board_option_bytes(b), 0x0FFFAAEDu);
    refused(&o, "in use");
    assert_true(board_flash_load(b, 0x080FFFFCu, "end!", 4));
    assert_false(board_flash_load(b, 0x080FFFFDu, "end!", 4));
    assert_false(board_flash_load(b, 0x07FFFFFFu, "x", 1));
    board_option_bytes_set(b, 0x0FFEAAECu);
    board_destroy(b);
    assert_int_equal(stat(flash_path, &st), 0);
    b = board_create(&o);
    assert_non_null(b);
    assert_true(board_read(b, 0x080FFFFCu, got, 4));
    assert_memory_equal(got, "end!", 4);
    assert_int_equal(board_option_bytes(b), 0x0FFEAAEDu);
    board_destroy(b);
    put("ab", "!");
    refused(&o, "not a flash file");
    unlink(flash_path);
    put("wb", "image"); /* a plain image is taken and padded */
    b = board_create(&o);
    assert_non_null(b);
    assert_memory_equal(board_flash(b), "image\xFF", 6);
    board_destroy(b);
    unlink(flash_path);
}

/* ------------------------------------------------------------------------------------------- power and reset */

static void test_ready_and_clean(void **state)
{
    (void) state;
    struct board *b = bench_probe(NULL);
    bench_command(b, 'e');
    bench_command(b, 'p');
    uint32_t words[2];
    assert_true(board_read(b, SECTOR5, words, sizeof words));
    assert_int_equal(words[0], 0x00FF0000u);
    assert_int_equal(words[1], 0x00FF0001u);
    const struct board_counters *c = board_counters(b);
    assert_int_equal(c->flash_erases[5], 1);
    assert_int_equal(c->flash_programs[5], 16);
    assert_int_equal(c->flash_operations, 17);
    assert_int_equal(c->uart_rx[3], 2);
    if (board_rule_violations(b))
        fail_msg("a clean firmware broke a rule: %s", board_message(b));
    assert_int_equal(c->unmodelled, 0);
    board_destroy(b);
}

/** The numbers of the READY line: reset flags, backup counter, RAM counter. */
static void ready_numbers(struct board *b, uint32_t n[3])
{
    char line[64] = {0};
    assert_true(board_run_until_text(b, 3, "READY HS", 2u * (uint64_t) SECONDS));
    assert_true(board_run(b, 20u * MS) == BOARD_STOP_TIME);
    size_t len = board_uart_read(b, 3, line, sizeof line - 1);
    assert_true(len > 20);
    char *next = line + 1; /* behind the E or I */
    for (int i = 0; i < 3; i++)
        n[i] = (uint32_t) strtoul(next, &next, 16);
    assert_int_equal(*next, '\n');
}

static void test_resets(void **state)
{
    uint32_t first[3], n[3];
    (void) state;
    struct board *b = board_create(NULL);
    bench_load(b, "probe");
    board_power(b, true);
    ready_numbers(b, first);
    assert_int_equal(first[0] >> 24, 0x0E);
    assert_int_equal(first[1], 1);
    board_uart_write(b, 3, "x", 1);
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_RESET), BOARD_STOP_RESET);
    ready_numbers(b, n);
    assert_int_equal(n[0] >> 24, 0x14);
    assert_int_equal(n[1], 2);            /* backup registers live on */
    assert_int_equal(n[2], first[2] + 1); /* so does SRAM */
    board_nrst(b, true);
    assert_int_equal(board_cpu(b), BOARD_CPU_RESET);
    uint64_t instructions = board_counters(b)->instructions;
    board_run(b, 50u * MS);
    assert_int_equal(board_counters(b)->instructions, instructions);
    board_nrst(b, false);
    ready_numbers(b, n);
    assert_int_equal(n[0] >> 24, 0x04);
    board_uart_write(b, 3, "w", 1);
    uint64_t before = board_now(b);
    assert_int_equal(board_run_until(b, 2u * (uint64_t) SECONDS, BOARD_ON_RESET), BOARD_STOP_RESET);
    uint64_t took = board_now(b) - before;
    assert_true(took > 495u * MS && took < 505u * MS);
    ready_numbers(b, n);
    assert_int_equal(n[0] >> 24, 0x24);
    assert_int_equal(n[1], 4);
    board_power(b, false);
    assert_int_equal(board_cpu(b), BOARD_CPU_OFF);
    board_run(b, 10u * MS);
    board_power(b, true);
    ready_numbers(b, n);
    assert_int_equal(n[0] >> 24, 0x0E);
    assert_int_equal(n[1], 1);                 /* backup registers are lost with the power */
    assert_int_not_equal(n[2], first[2] + 5u); /* SRAM holds noise again */
    const struct board_counters *c = board_counters(b);
    assert_int_equal(c->resets[BOARD_RESET_POWER], 2);
    assert_int_equal(c->resets[BOARD_RESET_PIN], 1);
    assert_int_equal(c->resets[BOARD_RESET_SOFTWARE], 1);
    assert_int_equal(c->resets[BOARD_RESET_IWDG], 1);
    board_destroy(b);
}

static void test_watchdog_follows_lsi(void **state)
{
    static const struct {
        uint32_t lsi, ms;
    } cases[] = {{17000, 941}, {47000, 340}};
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        struct board_options o;
        board_options_default(&o);
        o.lsi_hz = cases[i].lsi;
        struct board *b = bench_probe(&o);
        board_uart_write(b, 3, "w", 1);
        assert_true(board_run_until_text(b, 3, "w\n", 10u * MS));
        uint64_t before = board_now(b);
        assert_int_equal(board_run_until(b, 2u * (uint64_t) SECONDS, BOARD_ON_RESET), BOARD_STOP_RESET);
        assert_in_range((board_now(b) - before) / MS, cases[i].ms - 3, cases[i].ms + 3);
        board_destroy(b);
    }
}

static void test_boot0_and_crystal(void **state)
{
    struct board_options o;
    (void) state;
    board_options_default(&o);
    o.hse_absent = true;
    struct board *b = board_create(&o);
    bench_load(b, "probe");
    board_boot0(b, true);
    board_power(b, true);
    board_run(b, 100u * MS);
    assert_int_equal(board_cpu(b), BOARD_CPU_ROM);
    assert_non_null(strstr(board_message(b), "BOOT0"));
    board_boot0(b, false);
    board_nrst(b, true);
    board_run(b, 1u * MS);
    board_nrst(b, false);
    assert_true(board_run_until_text(b, 3, "READY HSI", 200u * MS));
    board_destroy(b);
}

static void test_time_models(void **state)
{
    uint64_t ready[2], erase[2];
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        struct board_options o;
        board_options_default(&o);
        o.cycles = i ? 1.5 : 1.0;
        o.flash_timing = i ? BOARD_FLASH_MAX : BOARD_FLASH_TYPICAL;
        struct board *b = bench_probe(&o);
        uint64_t before = board_counters(b)->instructions;
        bench_command(b, 'b');
        ready[i] = board_counters(b)->instructions - before; /* polls while 2000 bytes leave: time / cycles */
        before = board_now(b);
        bench_command(b, 'e');
        erase[i] = board_now(b) - before;
        board_destroy(b);
    }
    assert_in_range(ready[0] * 1000 / ready[1], 1480, 1520);
    assert_in_range(erase[0] / MS, 1000, 1002);
    assert_in_range(erase[1] / MS, 2000, 2002);
}

/* -------------------------------------------------------------------------------------------------- power cuts */

static void start_cut(struct board *b, char letter, uint64_t operation, enum board_cut_phase phase, uint64_t seed)
{
    board_cut(b, operation, phase, seed);
    board_uart_write(b, 3, &letter, 1);
    assert_int_equal(board_run(b, 5u * (uint64_t) SECONDS), BOARD_STOP_POWER);
    assert_int_equal(board_cpu(b), BOARD_CPU_OFF);
    assert_int_equal(board_counters(b)->power_cuts, 1);
}

static uint32_t word_at(struct board *b, uint32_t address)
{
    uint32_t v;
    assert_true(board_read(b, address, &v, 4));
    return v;
}

static void test_cut_program(void **state)
{
    (void) state;
    for (int phase = BOARD_CUT_BEFORE; phase <= BOARD_CUT_AFTER; phase++) {
        struct board *b = bench_probe(NULL);
        start_cut(b, 'p', 3, (enum board_cut_phase) phase, 7);
        assert_int_equal(word_at(b, SECTOR5), 0x00FF0000u);
        assert_int_equal(word_at(b, SECTOR5 + 4), 0x00FF0001u);
        uint32_t third = word_at(b, SECTOR5 + 8);
        if (phase == BOARD_CUT_BEFORE)
            assert_int_equal(third, 0xFFFFFFFFu);
        else if (phase == BOARD_CUT_AFTER)
            assert_int_equal(third, 0x00FF0002u);
        else
            assert_int_equal(third & 0x00FF0002u, 0x00FF0002u); /* bits that stay 1 are 1 in any case */
        assert_int_equal(word_at(b, SECTOR5 + 12), 0xFFFFFFFFu);
        board_power(b, true); /* and it starts again */
        assert_true(board_run_until_text(b, 3, "READY HSE", 100u * MS));
        board_destroy(b);
    }
}

/** A torn erase: the share of bits that are 1 already, and whether equal seeds give equal flash. */
static void torn_erase(uint64_t seed, uint8_t *out)
{
    static uint8_t zeros[131072];
    struct board *b = bench_probe(NULL);
    assert_true(board_flash_load(b, SECTOR5, zeros, sizeof zeros));
    start_cut(b, 'e', 1, BOARD_CUT_INSIDE, seed);
    memcpy(out, board_flash(b) + (SECTOR5 - 0x08000000u), 131072);
    assert_int_equal(board_flash(b)[SECTOR5 - 0x08000000u + 131072], 0xFF); /* the neighbours are untouched */
    assert_int_equal(board_counters(b)->flash_erases[5], 1);
    board_destroy(b);
}

static void test_cut_erase(void **state)
{
    static uint8_t a[131072], b[131072];
    bool some = false;
    (void) state;
    torn_erase(1, a);
    torn_erase(1, b);
    assert_memory_equal(a, b, 131072);
    for (uint64_t seed = 2; seed < 6; seed++) {
        torn_erase(seed, b);
        assert_memory_not_equal(a, b, 131072);
        unsigned ones = 0;
        for (unsigned i = 0; i < 131072; i++)
            ones += (unsigned) __builtin_popcount(b[i]);
        some = some || (ones > 100000 && ones < 900000);
    }
    assert_true(some); /* among five, at least one is neither nearly whole nor nearly nothing */
}

static void test_power_lost_during_erase(void **state)
{
    static uint8_t zeros[131072];
    (void) state;
    for (int how = 0; how < 2; how++) {
        struct board *b = bench_probe(NULL);
        board_flash_load(b, SECTOR5, zeros, sizeof zeros);
        board_uart_write(b, 3, "e", 1);
        board_run(b, 300u * MS); /* of 1000 */
        assert_int_equal(word_at(b, SECTOR5), 0);
        if (how == 0)
            board_power(b, false);
        else
            board_nrst(b, true);
        unsigned ones = 0;
        for (unsigned i = 0; i < 131072; i++)
            ones += (unsigned) __builtin_popcount(board_flash(b)[SECTOR5 - 0x08000000u + i]);
        assert_true(ones < 131072 * 8);
        assert_int_equal(board_counters(b)->flash_erases[5], 1);
        board_destroy(b);
    }
}

/* ------------------------------------------------------------------------------------------------ serial ports */

static void test_uart_baud(void **state)
{
    char text[16] = {0};
    (void) state;
    struct board *b = bench_probe(NULL);
    board_uart_baud(b, 3, 117000); /* 1.6 % off: still fits */
    bench_command(b, 'q');
    assert_int_equal(board_counters(b)->uart_garbled[3], 0);
    board_uart_baud(b, 3, 57600);
    board_uart_write(b, 3, "q", 1);
    board_run(b, 5u * MS);
    size_t n = board_uart_read(b, 3, text, sizeof text);
    assert_true(board_counters(b)->uart_garbled[3] >= 2); /* one in, at least one out */
    assert_true(n < 2 || memcmp(text, "q\n", 2) != 0);
    board_destroy(b);
}

static void test_uart_pace(void **state)
{
    (void) state;
    struct board *b = bench_probe(NULL);
    uint64_t before = board_now(b);
    bench_command(b, 'b'); /* 2002 bytes of 10 bits at 115068 baud, after the one that asks for it */
    assert_in_range((board_now(b) - before) / 1000, 174000, 174200);
    board_destroy(b);
}

static void test_uart_losses(void **state)
{
    (void) state;
    struct board *b = bench_probe(NULL);
    bench_command(b, 'q');
    board_uart_write(b, 3, "d123", 4); /* three bytes while it is deaf: one stays in DR, two are lost */
    assert_true(board_run_until_text(b, 3, "d\n", 100u * MS));
    assert_int_equal(board_counters(b)->uart_overruns[3], 2);
    assert_true(
        board_run_until_text(b, 3, "1\n", 100u * MS)); /* ORE is still set: the interrupt reads the old byte again */
    board_uart_connect(b, 3, false);
    board_uart_write(b, 3, "q", 1);
    assert_false(board_run_until_text(b, 3, "q\n", 20u * MS));
    assert_int_equal(board_counters(b)->uart_lost[3], 1);
    board_uart_connect(b, 3, true);
    bench_command(b, 'q');
    board_power(b, false);
    board_uart_write(b, 3, "qq", 2);
    board_run(b, 10u * MS);
    assert_int_equal(board_counters(b)->uart_lost[3], 3);
    assert_int_equal(board_uart_pending(b, 3), 0);
    assert_int_equal(board_uart_write(b, 4, "q", 1), 0);
    board_destroy(b);
}

/* ---------------------------------------------------------------------------------------- running and watching */

static void test_run_until(void **state)
{
    uint64_t ns;
    (void) state;
    struct board *b = board_create(NULL);
    bench_load(b, "probe");
    assert_int_equal(board_run(b, 10u * MS), BOARD_STOP_TIME); /* without power, time passes all the same */
    assert_int_equal(board_now(b), 10u * MS);
    uint32_t entry = word_at(b, 0x08000004u) & ~1u;
    int exact = board_watch(b, entry, entry), range = board_watch(b, 0x08000000u, 0x0800FFFFu);
    assert_true(exact >= 0 && range >= 0);
    board_power(b, true);
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_RESET), BOARD_STOP_RESET);
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_ADDRESS), BOARD_STOP_ADDRESS);
    assert_int_equal(board_register(b, BOARD_PC), entry);
    assert_true(board_watch_hit(b, exact, &ns));
    assert_int_equal(ns, board_reset_time(b));
    board_unwatch(b, range);
    board_unwatch(b, exact);
    assert_false(board_watch_hit(b, exact, &ns));
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_UART), BOARD_STOP_UART);
    assert_true(board_run_until_text(b, 3, "\n", 100u * MS));
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_SLEEP), BOARD_STOP_SLEEP);
    assert_int_equal(board_cpu(b), BOARD_CPU_SLEEPING);
    assert_true(board_next_event(b) > board_now(b) && board_next_event(b) <= board_now(b) + 1u * MS);
    board_uart_write(b, 3, "l", 1);
    assert_int_equal(board_run_until(b, 100u * MS, BOARD_ON_LOCKUP), BOARD_STOP_LOCKUP);
    assert_int_equal(board_counters(b)->lockups, 1);
    assert_int_equal(board_run(b, 10u * MS), BOARD_STOP_TIME);
    assert_int_equal(board_cpu(b), BOARD_CPU_LOCKUP);
    board_destroy(b);
}

static void count_block(void *context, uint32_t pc, uint32_t size)
{
    unsigned *n = context;
    (void) pc;
    *n += size != 0;
}

static void test_trace_and_registers(void **state)
{
    unsigned blocks = 0;
    (void) state;
    struct board *b = bench_probe(NULL);
    board_on_trace(b, count_block, &blocks);
    bench_command(b, 'q');
    board_on_trace(b, NULL, NULL);
    assert_in_range(blocks, 10, 100); /* rounds of polling loops that are skipped are not traced */
    assert_int_equal(board_peek(b, 0xE000ED00u), 0x410FC241u);
    assert_int_equal(board_peek(b, 0x40000000u), 0); /* TIM2, clock off: a look is no violation */
    assert_int_equal(board_rule_violations(b), 0);
    assert_int_equal(board_pin_get(b, 'B', 3), 0);
    board_pin_set(b, 'C', 13, 1);
    assert_int_equal(board_pin_get(b, 'C', 13), 1);
    uint32_t word = 0x12345678u, back = 0;
    assert_true(board_write(b, 0x10000000u, &word, 4) && board_read(b, 0x10000000u, &back, 4));
    assert_int_equal(back, word);
    assert_false(board_write(b, 0x08000000u, &word, 4));
    assert_false(board_read(b, 0x20020000u - 2u, &back, 4));
    board_destroy(b);
}

/** The same work on two boards. */
static uint64_t work(enum board_mode mode, uint64_t seed, const char *letters, bool in_slices)
{
    struct board_options o;
    board_options_default(&o);
    o.mode = mode;
    o.seed = seed;
    struct board *b = bench_probe(&o);
    for (; *letters; letters++)
        bench_command(b, *letters);
    uint64_t end = board_now(b) + 50u * MS;
    while (in_slices && board_now(b) + 1u * MS < end)
        board_run(b, 777777u);
    board_run(b, end - board_now(b));
    uint64_t hash = board_hash(b);
    board_destroy(b);
    return hash;
}

static void test_deterministic(void **state)
{
    (void) state;
    uint64_t first = work(BOARD_MODE_BLOCK, 1, "epb", false);
    assert_true(first == work(BOARD_MODE_BLOCK, 1, "epb", false));
    assert_true(first != work(BOARD_MODE_BLOCK, 2, "epb", false));
    assert_true(first != work(BOARD_MODE_BLOCK, 1, "epbq", false));
    uint64_t code = work(BOARD_MODE_CODE, 1, "epb", false);
    assert_true(code == work(BOARD_MODE_CODE, 1, "epb", false));
}

/** How the time is cut into runs must not matter while the chip sleeps between them. */
static void test_slices(void **state)
{
    (void) state;
    assert_true(work(BOARD_MODE_BLOCK, 1, "ep", false) == work(BOARD_MODE_BLOCK, 1, "ep", true));
}

static int in_thread(void *result)
{
    *(uint64_t *) result = work(BOARD_MODE_BLOCK, 1, "epb", false);
    return 0;
}

/** Boards in different threads do not disturb each other; nor do two that take turns in one. */
static void test_two_boards(void **state)
{
    uint64_t hash[2] = {0};
    thrd_t thread[2];
    (void) state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(thrd_create(&thread[i], in_thread, &hash[i]), thrd_success);
    for (unsigned i = 0; i < 2; i++)
        thrd_join(thread[i], NULL);
    assert_true(hash[0] == hash[1] && hash[0] == work(BOARD_MODE_BLOCK, 1, "epb", false));
    struct board *a = bench_probe(NULL), *b = bench_probe(NULL);
    for (unsigned i = 0; i < 3; i++) {
        bench_command(a, "epb"[i]);
        bench_command(b, "epb"[i]);
    }
    assert_true(board_hash(a) == board_hash(b));
    board_destroy(a);
    board_destroy(b);
}

static int set_up(void **state)
{
    (void) state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(flash_path, sizeof flash_path, "%s/flash", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    unlink(flash_path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_flash_file),
        cmocka_unit_test(test_ready_and_clean),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_watchdog_follows_lsi),
        cmocka_unit_test(test_boot0_and_crystal),
        cmocka_unit_test(test_time_models),
        cmocka_unit_test(test_cut_program),
        cmocka_unit_test(test_cut_erase),
        cmocka_unit_test(test_power_lost_during_erase),
        cmocka_unit_test(test_uart_baud),
        cmocka_unit_test(test_uart_pace),
        cmocka_unit_test(test_uart_losses),
        cmocka_unit_test(test_run_until),
        cmocka_unit_test(test_trace_and_registers),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_two_boards),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
