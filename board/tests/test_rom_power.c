/* SPDX-License-Identifier: MIT */
/** @file test_rom_power.c The factory bootloader, lost power and resets in the middle, and copies of a board. */
#include "rom_host.h"

#include <string.h>

#define ACK ((int) FOTA_ST_ACK)

struct seen {
    struct board_flash_work last;
    unsigned count;
};

static void note(void *context, const struct board_flash_work *work)
{
    struct seen *seen = context;
    seen->last = *work;
    seen->count++;
}

static void test_cuts(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 12; i++) {
        enum board_cut_phase phase = (enum board_cut_phase)(i % 3u);
        bool spi = i % 2u, erase = i >= 6;
        struct host h = host_begin(spi, BOARD_ROM_V91);
        struct board *b = h.board;
        struct seen seen = {.count = 0};
        uint8_t block[256];
        memset(block, 0x55, sizeof block);
        assert_int_equal(host_write(&h, 0x08004000u, block, 256), ACK);
        h.patience_ns = 2ull * SECONDS;
        board_on_flash(b, note, &seen);
        board_cut(b, erase ? 1 : 4, phase, 2);
        assert_int_equal(erase ? host_erase(&h, (const uint8_t[]){1}, 1) : host_write(&h, 0x08008000u, block, 256),
                         SILENCE);
        assert_int_equal(board_cpu(b), BOARD_CPU_OFF);
        assert_int_equal(board_counters(b)->power_cuts, 1);
        const uint8_t *flash = board_flash(b);
        unsigned old = 0, blank = 0;
        for (unsigned k = 0; k < 256; k++) {
            old += flash[0x4000 + k] == 0x55;
            blank += flash[0x4000 + k] == 0xFF;
        }
        if (erase) {
            assert_int_equal(seen.count, phase != BOARD_CUT_BEFORE);
            assert_int_equal(old == 256, phase == BOARD_CUT_BEFORE);
            assert_int_equal(blank == 256, phase == BOARD_CUT_AFTER);
        } else {
            assert_memory_equal(flash + 0x8000, "\x55\x55\x55", 3);
            assert_int_equal(flash[0x8004], 0xFF);
            assert_int_equal(flash[0x8003] == 0x55, phase == BOARD_CUT_AFTER);
            assert_int_equal(seen.count, phase == BOARD_CUT_BEFORE ? 3 : 4);
        }
        board_power(b, true);
        board_run(b, 90u * MS);
        assert_int_equal(host_sync(&h), ACK);
        assert_int_equal(host_erase(&h, (const uint8_t[]){1, 2}, 2), ACK);
        assert_int_equal(flash[0x4000] & flash[0x8003], 0xFF);
        board_destroy(b);
    }
}

/** NRST in the middle of an erase, with BOOT0 low again: torn, and the firmware starts. */
static void test_reset_in_between(void **state)
{
    (void) state;
    struct host h = host_begin(false, BOARD_ROM_V91);
    struct board *b = h.board;
    h.patience_ns = 200u * MS;
    assert_int_equal(host_write(&h, 0x08004000u, "\0\0\0\0\0\0\0\0", 8), ACK);
    assert_int_equal(host_erase(&h, (const uint8_t[]){1}, 1), SILENCE);
    board_boot0(b, false);
    board_nrst(b, true);
    assert_int_equal(board_counters(b)->flash_erases[1], 1);
    assert_string_equal(board_rom_interface(b), "off");
    board_nrst(b, false);
    assert_true(board_run_until_text(b, 3, "READY", 100u * MS));
    board_destroy(b);
}

/** A copy in the middle of a write goes on as the first one does; so does the same history on another board. */
static void test_copies(void **state)
{
    (void) state;
    for (unsigned spi = 0; spi < 2; spi++) {
        struct host h = host_begin(spi, BOARD_ROM_V91), again = host_begin(spi, BOARD_ROM_V91);
        struct board *copy = board_create(NULL);
        assert_int_equal(board_hash(h.board), board_hash(again.board));
        struct host *both[2] = {&h, &again};
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(host_command(both[i], FOTA_ST_ERASE), ACK);
            if (spi)
                assert_int_equal(host_packet(both[i], "\0\0", 2), ACK);
            host_send(both[i], spi ? "\0\x01\x01" : "\0\0\0\x01\x01", spi ? 3 : 5, NULL);
            board_run(both[i]->board, 100u * MS + i); /* other slices */
            board_run(both[i]->board, 1u - i);
        }
        assert_int_equal(board_hash(h.board), board_hash(again.board));
        assert_true(board_copy(copy, h.board));
        assert_int_equal(board_hash(copy), board_hash(h.board));
        board_destroy(again.board);
        again.board = copy;
        assert_int_equal(host_answer(&h), ACK);
        assert_int_equal(host_answer(&again), ACK);
        assert_int_equal(host_write(&h, 0x08004000u, "\1\2\3\4", 4), ACK);
        assert_int_equal(host_write(&again, 0x08004000u, "\1\2\3\4", 4), ACK);
        assert_int_equal(board_hash(copy), board_hash(h.board));
        board_destroy(copy);
        board_destroy(h.board);
    }
}

/* -------------------------------------------------------------------------------------------------- both ways to cut
 */

/** Another board takes over the flash at the n-th operation, torn. */
struct fork {
    struct board *board, *other;
    uint64_t at, count, seed;
};

static void take_over(void *context, const struct board_flash_work *work)
{
    struct fork *fork = context;
    if (++fork->count == fork->at)
        assert_true(board_flash_copy(fork->other, fork->board) &&
                    board_flash_replay(fork->other, work, true, fork->seed));
}

/** Two erases and eight bytes at x8: operations 1 to 10. */
static int change(struct host *h)
{
    int answer = host_erase(h, (const uint8_t[]){1, 2}, 2);
    return answer == ACK ? host_write(h, 0x08004000u, "\x12\x34\x56\x78\x9A\xBC\xDE\xF0", 8) : answer;
}

static void test_both_ways_to_cut(void **state)
{
    (void) state;
    for (uint64_t at = 1; at <= 10; at++) {
        struct host passing = host_begin(at % 2u, BOARD_ROM_V91), cut = host_begin(at % 2u, BOARD_ROM_V91);
        struct fork fork = {.board = passing.board, .other = board_create(NULL), .at = at, .seed = at};
        board_on_flash(passing.board, take_over, &fork);
        assert_int_equal(change(&passing), ACK);
        assert_int_equal(fork.count, 10);
        board_cut(cut.board, at, BOARD_CUT_INSIDE, at);
        cut.patience_ns = 2ull * SECONDS;
        assert_int_equal(change(&cut), SILENCE);
        assert_memory_equal(board_flash(cut.board), board_flash(fork.other), 1u << 20);
        board_destroy(fork.other);
        board_destroy(passing.board);
        board_destroy(cut.board);
    }
}

/** A torn word with bits that do not hold is read by the ROM as by any program: now so, now so. */
static void test_unsure_bits(void **state)
{
    (void) state;
    static const uint8_t x32[4] = {FOTA_ST_PSIZE_X32, 0xFF, 0xFF, 0xFF};
    unsigned unsure = 0, changed = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct board_options o;
        board_options_default(&o);
        o.weak = BOARD_WEAK_EACH_READ;
        struct board *b = board_create(&o);
        struct host h = host_on_uart(b, 3);
        h.patience_ns = 100u * MS;
        board_boot0(b, true);
        board_power(b, true);
        board_run(b, 90u * MS);
        assert_int_equal(host_sync(&h), ACK);
        assert_int_equal(host_write(&h, FOTA_ST_PSIZE_ADDRESS, x32, 4), ACK);
        board_cut(b, 2, BOARD_CUT_INSIDE, seed);
        assert_int_equal(host_write(&h, 0x08020000u, "\1\2\3\4\0\0\0\0", 8), SILENCE);
        board_power(b, true);
        board_run(b, 90u * MS);
        assert_int_equal(host_sync(&h), ACK);
        uint8_t first[8], again[8];
        bool differs = false;
        assert_int_equal(host_read(&h, 0x08020000u, first, 8), ACK);
        assert_memory_equal(first, "\1\2\3\4", 4);
        for (unsigned i = 0; i < 16; i++) {
            assert_int_equal(host_read(&h, 0x08020000u, again, 8), ACK);
            differs = differs || memcmp(first, again, 8) != 0;
        }
        unsure += board_flash_unsure(b, 0x08020004u, 4);
        changed += differs;
        assert_true(!differs || board_flash_unsure(b, 0x08020004u, 4));
        board_destroy(b);
    }
    assert_true(unsure > 5 && changed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),   cmocka_unit_test(test_reset_in_between), cmocka_unit_test(test_both_ways_to_cut),
        cmocka_unit_test(test_copies), cmocka_unit_test(test_unsure_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
