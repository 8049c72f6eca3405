/* SPDX-License-Identifier: MIT */
/* What a campaign of power cuts needs of the board: bits that do not hold, flash operations done again on another
 * board, functions that the host answers; and that none of it, nor a watch, changes what the chip does. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR5_SIZE 131072u

static struct board *weak_probe(enum board_weak kind)
{
    struct board_options o;
    board_options_default(&o);
    o.weak = kind;
    return bench_probe(&o);
}

/** The hexadecimal number that the probe prints after a letter. */
static uint32_t ask(struct board *b, char letter, unsigned which)
{
    char text[64] = {0}, echo[2] = {letter, 0};
    assert_int_equal(board_uart_write(b, 3, echo, 1), 1);
    board_run(b, 20u * MS);
    board_uart_read(b, 3, text, sizeof text - 1);
    char *at = strchr(text, ' ');
    for (; at && which > 0; which--)
        at = strchr(at + 1, ' ');
    if (!at) {
        fail_msg("no answer to '%c': %s", letter, text);
        return 0;
    }
    at[9] = 0; /* the echo of the letter may follow */
    return (uint32_t) strtoul(at, NULL, 16);
}

static void cut_in(struct board *b, char letter, uint64_t operation, uint64_t seed)
{
    board_cut(b, operation, BOARD_CUT_INSIDE, seed);
    board_uart_write(b, 3, &letter, 1);
    assert_int_equal(board_run(b, 5u * (uint64_t) SECONDS), BOARD_STOP_POWER);
}

static void start(struct board *b)
{
    board_power(b, true);
    assert_true(board_run_until_text(b, 3, "READY HSE", 100u * MS));
    assert_true(board_run_until_text(b, 3, "\n", 10u * MS));
}

/* A torn word reads differently from read to read, through power cycles, until it is programmed again. */
static void test_unsure_word(void **state)
{
    unsigned unsure = 0, unsteady = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct board *b = weak_probe(seed % 2 ? BOARD_WEAK_EACH_READ : BOARD_WEAK_NOW_AND_THEN);
        cut_in(b, 'p', 3, seed);
        start(b);
        bool weak = board_flash_unsure(b, SECTOR5 + 8, 4);
        uint32_t n = ask(b, 'u', 0);
        assert_false(board_flash_unsure(b, SECTOR5, 8) || board_flash_unsure(b, SECTOR5 + 12, SECTOR5_SIZE - 12));
        assert_true(weak || n == 0);
        unsure += weak;
        unsteady += n > 0;
        bench_command(b, 'p'); /* the same words again: what is to be 0 is 0 for sure now */
        uint32_t word;
        assert_true(board_read(b, SECTOR5 + 8, &word, 4));
        assert_int_equal(word, 0x00FF0002);
        assert_false(board_flash_unsure(b, SECTOR5, SECTOR5_SIZE));
        assert_int_equal(ask(b, 'u', 0), 0);
        board_destroy(b);
    }
    assert_in_range(unsure, 8, 23);
    assert_in_range(unsteady, 6, unsure);
}

/* A torn erase leaves each of what it can leave, and a whole one heals it. */
static void test_torn_erase(void **state)
{
    unsigned ones = 0, zeros = 0, mixed = 0, unsure = 0, unsteady = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct board *b = weak_probe(BOARD_WEAK_EACH_READ);
        bench_command(b, 'p');
        cut_in(b, 'e', 1, seed);
        const uint8_t *p = board_flash(b) + (SECTOR5 - 0x08000000u);
        unsigned set = 0;
        for (unsigned i = 0; i < 64; i++)
            set += (unsigned) __builtin_popcount(p[i]);
        ones += set == 512;
        zeros += set == 0;
        mixed += set != 0 && set != 512;
        unsure += board_flash_unsure(b, SECTOR5 + 1000, 4);
        start(b);
        unsteady += ask(b, 'u', 0) > 0;
        bench_command(b, 'e');
        assert_false(board_flash_unsure(b, SECTOR5, SECTOR5_SIZE));
        assert_int_equal(ask(b, 'u', 0), 0);
        board_destroy(b);
    }
    assert_true(ones > 0 && zeros > 0 && mixed > 10 && unsure > 5 && unsteady > 5 && unsteady <= unsure);
}

struct log {
    struct board_flash_work work[32];
    unsigned count;
};

static void keep(void *context, const struct board_flash_work *work)
{
    struct log *log = context;
    if (log->count < 32)
        log->work[log->count] = *work;
    log->count++;
}

/* A cut on the board itself, and the same operations done to another one's flash: the same, bit by bit. */
static void test_fork_equals_cut(void **state)
{
    struct board_options o;
    (void) state;
    board_options_default(&o);
    for (int weak = BOARD_WEAK_NONE; weak <= BOARD_WEAK_EACH_READ; weak++)
        for (uint64_t seed = 1; seed <= 12; seed++) {
            struct log log = {.count = 0};
            char letter = seed % 3 == 0 ? 'e' : 'p';
            uint64_t operation = letter == 'e' ? 1 : seed;
            o.weak = (enum board_weak) weak;
            struct board *whole = bench_probe(&o), *cut = bench_probe(&o), *fork = board_create(&o);
            bench_command(whole, 'e');
            bench_command(cut, 'e');
            board_power(fork, false);
            assert_true(board_flash_copy(fork, cut));
            board_on_flash(whole, keep, &log);
            bench_command(whole, letter);
            cut_in(cut, letter, operation, seed);
            assert_in_range(log.count, operation, 16);
            for (unsigned i = 0; i + 1 < operation; i++)
                assert_true(board_flash_replay(fork, &log.work[i], false, 0));
            assert_true(board_flash_replay(fork, &log.work[operation - 1], true, seed));
            assert_memory_equal(board_flash(fork), board_flash(cut), 1u << 20);
            assert_int_equal(board_flash_unsure(fork, SECTOR5, SECTOR5_SIZE),
                             board_flash_unsure(cut, SECTOR5, SECTOR5_SIZE));
            start(fork); /* and both go on alike */
            start(cut);
            assert_int_equal(ask(fork, 'u', 0), ask(cut, 'u', 0));
            board_destroy(whole);
            board_destroy(cut);
            board_destroy(fork);
        }
}

static void test_replay_refuses(void **state)
{
    struct board *b = bench_probe(NULL), *c = board_create(NULL);
    struct board_flash_work good = {.address = SECTOR5, .length = 4, .value = 1}, bad = good;
    (void) state;
    assert_false(board_flash_replay(b, &good, false, 0)); /* it has power */
    assert_false(board_flash_copy(b, c));
    board_power(b, false);
    assert_true(board_flash_replay(b, &good, false, 0));
    bad.address = 0x08100000u;
    assert_false(board_flash_replay(b, &bad, false, 0));
    bad.address = 0x080FFFFEu;
    assert_false(board_flash_replay(b, &bad, false, 0));
    bad = (struct board_flash_work){.address = SECTOR5 + 4, .length = SECTOR5_SIZE, .erase = true};
    assert_false(board_flash_replay(b, &bad, false, 0));
    board_destroy(b);
    board_destroy(c);
}

static uint64_t answer(void *context, struct board *b)
{
    unsigned *calls = context;
    assert_int_equal(board_register(b, BOARD_R0), 7);
    if (++*calls == 1)
        return 0; /* let the code run */
    board_register_set(b, BOARD_R0, 99);
    return 3000;
}

static void test_answer(void **state)
{
    struct board *b = bench_probe(NULL);
    unsigned calls = 0;
    (void) state;
    uint32_t slow = ask(b, 'f', 0) & ~1u;
    int n = board_on_call(b, slow, answer, &calls);
    assert_true(n >= 0);
    assert_int_equal(ask(b, 'f', 1), 21);
    assert_int_equal(ask(b, 'f', 1), 99);
    assert_int_equal(calls, 2);
    board_unwatch(b, n);
    assert_int_equal(ask(b, 'f', 1), 21);
    board_destroy(b);
}

static uint64_t run_code(void *context, struct board *b)
{
    (void) b;
    ++*(unsigned *) context;
    return 0;
}

static uint64_t take_long(void *context, struct board *b)
{
    board_register_set(b, BOARD_R0, 21);
    return *(uint64_t *) context;
}

/* The time of an answer passes, and what falls into it happens: SysTick's interrupts, bytes. */
static void test_answer_takes_time(void **state)
{
    (void) state;
    for (uint64_t cost = 1000; cost <= 100000000u; cost *= 100u) {
        struct board *b = bench_probe(NULL);
        uint32_t slow = ask(b, 'f', 0) & ~1u;
        assert_true(board_on_call(b, slow, take_long, &cost) >= 0);
        char letter = 'f';
        uint64_t before = board_now(b);
        board_uart_write(b, 3, &letter, 1);
        assert_true(board_run_until_text(b, 3, "00000015", 5u * (uint64_t) SECONDS));
        uint64_t took = board_now(b) - before, due = cost * 1000u / 168u; /* 168 MHz */
        assert_in_range(took, due, due + 5u * MS);
        board_destroy(b);
    }
}

/* A function that lets its code run is asked once a call, also right after a stop before it. */
static void test_answer_lets_it_run(void **state)
{
    struct board *b = bench_probe(NULL);
    unsigned calls = 0;
    (void) state;
    uint32_t slow = ask(b, 'f', 0) & ~1u;
    assert_true(board_on_call(b, slow, run_code, &calls) >= 0);
    assert_true(board_watch(b, 0x08000000u, 0x080FFFFEu) >= 0); /* and everything takes the slow way */
    assert_int_equal(ask(b, 'f', 1), 21);
    assert_int_equal(ask(b, 'f', 1), 21);
    assert_int_equal(calls, 2);
    board_destroy(b);
}

/* A copy goes on as its original does, in either mode. */
static void test_copy(void **state)
{
    struct board_options o;
    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        board_options_default(&o);
        struct board *to = bench_probe(&o);
        o.mode = i == 2 ? BOARD_MODE_CODE : BOARD_MODE_BLOCK;
        struct board *from = bench_probe(&o);
        board_uart_write(from, 3, "efpbfu", 6);
        board_run(from, 1000u * (i + 1u));
        assert_true(board_copy(to, from));
        assert_int_equal(board_hash(to), board_hash(from));
        board_run(to, 5u * (uint64_t) SECONDS);
        board_run(from, 5u * (uint64_t) SECONDS);
        if (i < 2) { /* in CODE mode events come between instructions, not between blocks */
            assert_int_equal(board_now(to), board_now(from));
            assert_int_equal(board_hash(to), board_hash(from));
        }
        board_uart_flush(to, 3);
        assert_int_equal(ask(to, 'f', 1), 21);
        board_destroy(from);
        board_destroy(to);
    }
}

/* An instruction that is left out once: the result is another one, and the next time it is there again. */
static void test_skip_instruction(void **state)
{
    struct board *b = bench_probe(NULL);
    uint32_t slow = ask(b, 'f', 0) & ~1u, at = slow;
    uint16_t code[64];
    char text[64] = {0}, letter = 'f';
    (void) state;
    assert_true(board_read(b, slow, code, sizeof code));
    for (unsigned i = 1; i < 64 && code[i] != 0x4770; i++) /* the last instruction before BX LR makes 3 x */
        at = slow + 2u * i - (code[i - 1u] >= 0xE800u ? 2u : 0);
    int watch = board_watch(b, at, at);
    board_uart_write(b, 3, &letter, 1);
    assert_int_equal(board_run_until(b, (uint64_t) SECONDS, BOARD_ON_ADDRESS), BOARD_STOP_ADDRESS);
    board_unwatch(b, watch);
    assert_true(board_skip_instruction(b, at));
    board_run(b, 20u * MS);
    board_uart_read(b, 3, text, sizeof text - 1);
    assert_null(strstr(text, "00000015"));
    assert_int_equal(ask(b, 'f', 1), 21);
    assert_true(board_read(b, slow, text, sizeof text));
    assert_memory_equal(text, code, sizeof text);
    board_destroy(b);
}

/* Unsure bits are taken as they suit, firm ones are not. */
static void test_may_be(void **state)
{
    unsigned unsure = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct board *b = weak_probe(BOARD_WEAK_EACH_READ);
        uint32_t word, other;
        cut_in(b, 'p', 3, seed);
        assert_true(board_read(b, SECTOR5 + 8, &word, 4));
        assert_true(board_flash_may_be(b, SECTOR5 + 8, &word, 4));
        other = 0x00FF0002; /* whole */
        unsure += board_flash_may_be(b, SECTOR5 + 8, &other, 4);
        other = 0x00FF0000; /* a bit that should stay 1 */
        assert_false(board_flash_may_be(b, SECTOR5 + 8, &other, 4));
        board_destroy(b);
    }
    assert_in_range(unsure, 4, 23);
}

/* Neither a watch, nor the look at every load, nor short runs change what the chip does. */
static void test_nothing_disturbs(void **state)
{
    struct board_options o;
    uint64_t hash[4], now[4];
    unsigned calls = 0;
    (void) state;
    board_options_default(&o);
    for (unsigned i = 0; i < 4; i++) {
        o.weak = i == 2 ? BOARD_WEAK_EACH_READ : BOARD_WEAK_NONE;
        struct board *b = board_create(&o);
        bench_load(b, "probe");
        uint32_t slow = 0x08000400u; /* inside the probe, wherever */
        if (i == 1 || i == 3)
            assert_true(board_watch(b, 0x080E0000u, 0x080E0000u) >= 0);
        if (i == 3)
            assert_true(board_on_call(b, slow, run_code, &calls) >= 0);
        board_power(b, true);
        board_run(b, 50u * MS);
        board_uart_write(b, 3, "efpbfu", 6);
        for (unsigned k = 0; k < 2000; k++)
            board_run(b, MS);
        hash[i] = board_hash(b);
        now[i] = board_now(b);
        board_destroy(b);
    }
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(now[i], now[0]);
        assert_int_equal(hash[i], hash[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsure_word),
        cmocka_unit_test(test_torn_erase),
        cmocka_unit_test(test_fork_equals_cut),
        cmocka_unit_test(test_replay_refuses),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_takes_time),
        cmocka_unit_test(test_nothing_disturbs),
        cmocka_unit_test(test_answer_lets_it_run),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_skip_instruction),
        cmocka_unit_test(test_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
