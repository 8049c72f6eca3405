/* SPDX-License-Identifier: MIT */
/* One build, two slots: each application is updated from A to B to A and so on. After each update the other slot is
 * filled with 0xDE and every access to it is trapped, from the start of the image on: a relocation that was missed
 * cannot hide. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 4u

static void fill(struct rig *rig, unsigned slot)
{
    static uint8_t other[FOTA_SLOT_SIZE];

    memset(other, 0xDE, sizeof other);
    assert_true(board_flash_load(rig->board, fota_slot_base(slot), other, sizeof other));
}

/* From a reset on, for so long that all of the application has run. @return the accesses to `slot`. */
static uint64_t accesses(struct rig *rig, unsigned slot)
{
    uint32_t base = fota_slot_base(slot), pc;
    uint64_t hits;

    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    assert_true(board_trap(rig->board, base, base + FOTA_SLOT_SIZE - 1u));
    board_nrst(rig->board, false);
    rig->text_length = 0;
    rig->text[0] = 0;
    assert_true(rig_run_until(rig, "confirmed", 3u * RIG_SECOND));
    (void) rig_run_until(rig, NULL, 2u * RIG_SECOND);
    hits = board_trapped(rig->board, &pc);
    if (hits > 0)
        print_message("%llu accesses to slot %c, the first near 0x%08x\n", (unsigned long long) hits, "AB"[slot], pc);
    board_untrap(rig->board);
    return hits;
}

static void there_and_back(const char *first, const char *second)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer package[2] = {rig_package(rig, first, NULL), rig_package(rig, second, NULL)};
    unsigned slot = FOTA_SLOT_A;

    rig_program(rig, &package[0]);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "confirmed", 20u * RIG_SECOND));
    assert_true(accesses(rig, FOTA_SLOT_A) > 0); /* the trap works: it runs there */
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (rig_update(rig, &package[(round + 1u) % 2u], false) != GW_PUSH_CONFIRMED)
            fail_msg("%s: %s", rig->push.reason, rig->push.detail);
        slot ^= 1u;
        assert_int_equal(rig->push.info.slot, slot);
        fill(rig, slot ^ 1u);
        if (accesses(rig, slot ^ 1u) != 0)
            fail_msg("%s in slot %c reaches into the other one", round % 2u == 0 ? second : first, "AB"[slot]);
    }
    print_message("%s, %s: %u updates\n", first, second, ROUNDS);
    pack_buffer_free(&package[0]);
    pack_buffer_free(&package[1]);
    rig_destroy(rig);
}

static void test_hello(void **state)
{
    (void) state;
    there_and_back("hello-1.0.1", "hello-1.1.1");
}

static void test_busy(void **state)
{
    (void) state;
    there_and_back("busy-1.0.0", "busy-1.1.0");
}

static void test_busy_in_ram(void **state)
{
    (void) state;
    there_and_back("busy-ram-1.0.0", "busy-ram-1.1.0");
}

static void test_tasks(void **state)
{
    (void) state;
    there_and_back("tasks-1.0.0", "tasks-1.1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_busy_in_ram),
        cmocka_unit_test(test_tasks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
