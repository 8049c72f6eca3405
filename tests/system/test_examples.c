/* SPDX-License-Identifier: MIT */
/* One build, two slots: each example is updated from A to B to A and so on. After each update the other slot is filled
 * with 0xDE and every access to it is trapped, from the start of the image on: a relocation that was missed cannot
 * hide. usage: examples NAME */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 10u
#define SPI_HZ 2000000u

/* An example, and two versions of it. */
static const struct example {
    const char *name, *builds[2];
    uint32_t spi_hz; /* 0: over the UART */
    bool optional;   /* built only where something else is there */
} examples[] = {
    {"hello", {"hello-1.0.1", "hello-1.1.1"}, 0, false},
    {"bare", {"bare-1.0.0", "bare-1.1.0"}, 0, false},
    {"busy", {"busy-1.0.0", "busy-1.1.0"}, 0, false},
    {"busy-ram", {"busy-ram-1.0.0", "busy-ram-1.1.0"}, 0, false},
    {"tasks", {"tasks-1.0.0", "tasks-1.1.0"}, 0, false},
    {"hal", {"hal-1.0.0", "hal-1.1.0"}, 0, false},
    {"hal-spi", {"hal-1.0.0", "hal-1.1.0"}, SPI_HZ, false},
    {"freertos", {"freertos-1.0.0", "freertos-1.1.0"}, 0, true},
};
static const struct example *example; /* that main() was asked for */

/* --- the trap --------------------------------------------------------------------------------------------------- */

static void fill(struct rig *rig, unsigned slot)
{
    static uint8_t other[FOTA_SLOT_SIZE];

    memset(other, 0xDE, sizeof other);
    assert_true(board_flash_load(rig->board, fota_slot_base(slot), other, sizeof other));
}

/* From a reset on, for so long that all of the application has run. @return the accesses to `slot`. */
static uint64_t accesses(struct rig *rig, unsigned slot, const char *text)
{
    uint32_t base = fota_slot_base(slot), pc;
    uint64_t hits;

    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    assert_true(board_trap(rig->board, base, base + FOTA_SLOT_SIZE - 1u));
    board_nrst(rig->board, false);
    rig->text_length = 0;
    rig->text[0] = 0;
    assert_true(rig_run_until(rig, text, 3u * RIG_SECOND));
    (void) rig_run_until(rig, NULL, RIG_SECOND);
    hits = board_trapped(rig->board, &pc);
    if (hits > 0)
        print_message("%llu accesses to slot %c, the first near 0x%08x\n", (unsigned long long) hits, "AB"[slot], pc);
    board_untrap(rig->board);
    return hits;
}

/* --- updates ---------------------------------------------------------------------------------------------------- */

static struct rig *start(const struct pack_buffer *package, uint32_t spi_hz, const char *text)
{
    struct rig_options options = {.spi_hz = spi_hz};
    struct rig *rig;

    board_options_default(&options.board);
    rig = rig_create(&options);
    rig_program(rig, package);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, text, 20u * RIG_SECOND));
    return rig;
}

static void update(struct rig *rig, const struct pack_buffer *package, unsigned slot)
{
    if (rig_update(rig, package, false) != GW_PUSH_CONFIRMED)
        fail_msg("%s: %s", rig->push.reason, rig->push.detail);
    assert_int_equal(rig->push.info.slot, slot);
    fill(rig, slot ^ 1u);
}

static void test_there_and_back(void **state)
{
    struct rig *keys = rig_create(NULL); /* all rigs have the same */
    struct pack_buffer package[2];
    struct rig *rig;

    (void) state;
    if (example->optional && access(RIG_TARGET "/freertos-1.0.0.a.elf", R_OK) != 0) {
        print_message("skipped: %s is not built, see make examples\n", example->name);
        skip();
    }
    for (unsigned i = 0; i < 2u; i++)
        package[i] = rig_package(keys, example->builds[i], NULL);
    rig = start(&package[0], example->spi_hz, "confirmed");
    assert_true(accesses(rig, FOTA_SLOT_A, "confirmed") > 0); /* the trap works: it runs there */
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned slot = (round + 1u) % 2u;

        update(rig, &package[slot], slot);
        if (accesses(rig, slot ^ 1u, "confirmed") != 0)
            fail_msg("%s in slot %c reaches into the other one", example->builds[slot], "AB"[slot]);
    }
    assert_int_equal(board_rule_violations(rig->board), 0);
    print_message("%s: %u updates\n", example->name, ROUNDS);
    pack_buffer_free(&package[0]);
    pack_buffer_free(&package[1]);
    rig_destroy(rig);
    rig_destroy(keys);
}

/* --- does the trap catch anything? ------------------------------------------------------------------------------ */

/* An image that reaches into slot A wherever it runs gets past packing, signature and hash. In slot A that is itself;
 * in slot B it must be seen, be it a read that changes nothing, or a call. */
static void expect_caught(const char *name)
{
    struct rig *keys = rig_create(NULL);
    struct pack_buffer good = rig_package(keys, "probe-1.0.0", NULL), astray = rig_package(keys, name, NULL);
    struct rig *rig = start(&good, 0, "again: 0");

    update(rig, &astray, FOTA_SLOT_B);
    assert_true(accesses(rig, FOTA_SLOT_A, "probe ") > 0); /* a call may end it before it has said more */
    pack_buffer_free(&good);
    pack_buffer_free(&astray);
    rig_destroy(rig);
    rig_destroy(keys);
}

static void test_a_read_is_caught(void **state)
{
    (void) state;
    expect_caught("probe-1.3.0");
}

static void test_a_call_is_caught(void **state)
{
    (void) state;
    expect_caught("probe-1.4.0");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest updates[] = {cmocka_unit_test(test_there_and_back)},
                            trap[] = {cmocka_unit_test(test_a_read_is_caught), cmocka_unit_test(test_a_call_is_caught)};

    for (unsigned i = 0; argc == 2 && i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(argv[1], examples[i].name) == 0)
            example = &examples[i];
    if (example != NULL)
        return cmocka_run_group_tests(updates, NULL, NULL);
    if (argc == 2 && strcmp(argv[1], "trap") == 0)
        return cmocka_run_group_tests(trap, NULL, NULL);
    fprintf(stderr, "usage: examples trap|NAME\n");
    return 2;
}
