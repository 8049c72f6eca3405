/* SPDX-License-Identifier: MIT */
/* What the bootloader does without an update: first boot, recovery, clocks, and how it leaves the chip. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Registers that an application may expect as after reset, with their reset values (RM0090, ARMv7-M ARM). */
static const struct {
    const char *name;
    uint32_t address, value, mask;
} after_reset[] = {
    {"RCC_CR", 0x40023800, 0x00000083, 0xFFFF00FF}, /* the calibration bits are the chip's own */
    {"RCC_PLLCFGR", 0x40023804, 0x24003010, 0xFFFFFFFF},
    {"RCC_CFGR", 0x40023808, 0, 0xFFFFFFFF},
    {"RCC_AHB1ENR", 0x40023830, 0x00100000, 0xFFFFFFFF},
    {"RCC_APB1ENR", 0x40023840, 0, 0xFFFFFFFF},
    {"RCC_APB2ENR", 0x40023844, 0, 0xFFFFFFFF},
    {"FLASH_CR", 0x40023C10, 0x80000000, 0xFFFFFFFF},
    {"FLASH_ACR", 0x40023C00, 0, 0xFFFFFFFF},
    {"SYST_CSR", 0xE000E010, 0, 0x7},
    {"SYST_RVR", 0xE000E014, 0, 0xFFFFFF},
    {"NVIC_ISER0", 0xE000E100, 0, 0xFFFFFFFF},
    {"NVIC_ISER1", 0xE000E104, 0, 0xFFFFFFFF},
    {"NVIC_ISER2", 0xE000E108, 0, 0xFFFFFFFF},
    {"NVIC_ISPR0", 0xE000E200, 0, 0xFFFFFFFF},
    {"NVIC_ISPR1", 0xE000E204, 0, 0xFFFFFFFF},
    {"ICSR", 0xE000ED04, 0, 0x14000000}, /* PENDSV, PENDST */
    {"SHCSR", 0xE000ED24, 0, 0xFFFFFFFF},
    {"CPACR", 0xE000ED88, 0, 0xFFFFFFFF},
};

static void test_jump_leaves_the_chip_as_after_reset(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer package = rig_package(rig, "hello-1.0.0", NULL);
    uint32_t vectors[2];

    (void) state;
    rig_program(rig, &package);
    assert_true(board_read(rig->board, fota_slot_code(FOTA_SLOT_A), vectors, sizeof vectors));
    assert_true(board_watch(rig->board, vectors[1] & ~1u, vectors[1] & ~1u) >= 0);
    board_power(rig->board, true);
    assert_int_equal(board_run_until(rig->board, 10u * RIG_SECOND, BOARD_ON_ADDRESS), BOARD_STOP_ADDRESS);
    assert_int_equal(board_register(rig->board, BOARD_PC), vectors[1] & ~1u);
    assert_int_equal(board_register(rig->board, BOARD_MSP), vectors[0]);
    assert_int_equal(board_register(rig->board, BOARD_CONTROL), 0);
    assert_int_equal(board_register(rig->board, BOARD_PRIMASK), 0);
    assert_int_equal(board_peek(rig->board, 0xE000ED08), fota_slot_code(FOTA_SLOT_A)); /* VTOR */
    for (size_t i = 0; i < sizeof after_reset / sizeof after_reset[0]; i++) {
        uint32_t value = board_peek(rig->board, after_reset[i].address);

        if ((value & after_reset[i].mask) != after_reset[i].value)
            fail_msg("%s is 0x%08x at the application's first instruction, 0x%08x after reset", after_reset[i].name,
                     value, after_reset[i].value);
    }
    assert_int_equal(board_rule_violations(rig->board), 0);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

static void test_without_crystal(void **state)
{
    struct rig_options options = {.board = {.hse_absent = true}};
    struct rig *rig = rig_create(&options);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_int_equal(board_rule_violations(rig->board), 0);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* Nothing in the slots: the bootloader waits for as long as it takes, and an update brings the device to
 * life. */
static void test_recovery(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer first = rig_package(rig, "hello-1.0.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, NULL);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, 60u * RIG_SECOND);
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
    assert_int_equal(info.slot, FOTA_SLOT_NONE);
    assert_int_equal(info.flags, FOTA_INFO_CONFIGURED);
    assert_int_equal(rig_update(rig, &first, false), GW_PUSH_CONFIRMED);
    pack_buffer_free(&first);
    rig_destroy(rig);
}

/* The first image is on trial like any other; when it fails, the device waits in its bootloader. */
static void test_bad_factory_image(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer bad = rig_package(rig, "hello-1.5.0", NULL), good = rig_package(rig, "hello-1.0.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, &bad);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, 20u * RIG_SECOND);
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
    assert_int_equal(info.last_reason, FOTA_E_RESETS);
    assert_int_equal(rig_update(rig, &good, false), GW_PUSH_CONFIRMED);
    pack_buffer_free(&bad);
    pack_buffer_free(&good);
    rig_destroy(rig);
}

/* A bootloader that was never given keys trusts nobody, and says so. */
static void test_unconfigured(void **state)
{
    struct rig_options options = {.unconfigured = true};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-1.0.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, &package);
    board_power(rig->board, true);
    assert_false(rig_run_until(rig, "hello", 20u * RIG_SECOND));
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.flags, 0);
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_FAILED);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* The confirmed image is damaged: what lies in the other slot is tried, else the device waits. */
static void test_confirmed_image_damaged(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    static const uint8_t zeros[4];

    (void) state;
    rig_factory(rig);
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED); /* now in slot B; 1.0.0 is still in A */
    board_power(rig->board, false);
    assert_true(board_flash_load(rig->board, FOTA_SLOT_B_BASE + 0x1000, zeros, sizeof zeros));
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 5u * RIG_SECOND));
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* The gateway gets in by NRST alone, at any time, and without NRST by asking the application. */
static void test_ways_in(void **state)
{
    struct rig_options options = {.no_pins = true};
    struct rig *rig = rig_create(&options);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_int_equal(rig->push.stats.nrst_pulses, 0);
    pack_buffer_free(&next);
    rig_destroy(rig);

    /* an application that hangs from its first instruction on leaves only the pin */
    rig = rig_create(NULL);
    next = rig_package(rig, "hello-1.3.0", NULL);
    rig_program(rig, &next);
    pack_buffer_free(&next);
    next = rig_package(rig, "hello-1.0.0", NULL);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, 6u * RIG_SECOND);                /* 1.5 s after its start it hangs */
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_FAILED); /* its trial is under way */
    assert_string_equal(rig->push.reason, "busy");
    assert_true(rig->push.stats.nrst_pulses > 0);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* Somebody who only asks, and does not say stay, gets the whole answer, and the boot goes on. */
static void test_answer_is_out_before_the_jump(void **state)
{
    const uint8_t no_flags = 0;
    const struct fota_frame ask = {FOTA_LINK_VERSION, FOTA_LINK_INFO, 9, 0, &no_flags, 1};
    struct rig *rig = rig_create(NULL);
    struct fota_link_rx rx;
    struct fota_frame frame;
    uint8_t wire[64], byte;
    bool answered = false;

    (void) state;
    rig_factory(rig);
    fota_link_rx_init(&rx);
    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    board_nrst(rig->board, false);
    (void) board_run(rig->board, RIG_SECOND / 100u); /* the receiver is on, the signature being checked */
    (void) board_uart_write(rig->board, 3, wire, fota_frame_encode(&ask, wire, sizeof wire));
    for (unsigned ms = 0; ms < 1000u && !answered; ms++) {
        (void) board_run(rig->board, RIG_SECOND / 1000u);
        while (board_uart_read(rig->board, 3, &byte, 1) == 1)
            if (fota_link_rx_byte(&rx, byte, &frame))
                answered = frame.tag == 9 && frame.length == 4u + FOTA_LINK_INFO_SIZE &&
                           frame.payload[4] == FOTA_MODE_BOOTLOADER;
    }
    assert_true(answered);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", RIG_SECOND));
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jump_leaves_the_chip_as_after_reset),
        cmocka_unit_test(test_without_crystal),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_bad_factory_image),
        cmocka_unit_test(test_unconfigured),
        cmocka_unit_test(test_confirmed_image_damaged),
        cmocka_unit_test(test_ways_in),
        cmocka_unit_test(test_answer_is_out_before_the_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
