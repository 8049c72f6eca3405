/* SPDX-License-Identifier: MIT */
/* Flags of the hardware that never come: whatever the bootloader waits for, it ends to wait. The image starts, or the
 * chip is reset and tried again; nothing hangs. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define USART3_SR 0x40004800u
#define TC (1u << 6)
#define DMA1_RX 0x40026028u /* stream 1 */
#define DMA1_TX 0x40026058u /* stream 3 */
#define EN 1u

enum outcome { STARTS, IS_RESET };

static const struct {
    const char *name;
    uint32_t address, mask, value;
    enum outcome outcome;
} flags[] = {
    {"RCC_CR.HSIRDY is 0", 0x40023800, 1u << 1, 0, STARTS},
    {"RCC_CR.HSERDY is 0", 0x40023800, 1u << 17, 0, STARTS},
    {"RCC_CR.PLLRDY is 0", 0x40023800, 1u << 25, 0, STARTS},
    {"RCC_CR.PLLRDY is 1", 0x40023800, 1u << 25, 1u << 25, STARTS},
    {"RCC_CFGR.SWS is 0", 0x40023808, 3u << 2, 0, STARTS},
    {"RCC_CFGR.SWS is 2", 0x40023808, 3u << 2, 2u << 2, STARTS},
    {"IWDG_SR is 3", 0x4000300C, 3, 3, STARTS},
    {"FLASH_SR.BSY is 1", 0x40023C0C, 1u << 16, 1u << 16, IS_RESET}, /* a trial that cannot be recorded is not begun */
    {"DMA1_S1CR.EN is 1", DMA1_RX, EN, EN, STARTS},
    {"DMA1_S1NDTR is 0", DMA1_RX + 4u, 0xFFFF, 0, STARTS},
    {"DMA1_S3CR.EN is 1", DMA1_TX, EN, EN, STARTS},
    {"USART3_SR.TC is 0", USART3_SR, TC, 0, STARTS},
};

/* A device that was just programmed: its first start uses the watchdog and the flash, too. */
static struct rig *start(void)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer package = rig_package(rig, "hello-1.0.1", NULL);
    uint32_t vectors[2];

    rig_program(rig, &package);
    pack_buffer_free(&package);
    assert_true(board_read(rig->board, fota_slot_code(FOTA_SLOT_A), vectors, sizeof vectors));
    assert_true(board_watch(rig->board, vectors[1] & ~1u, vectors[1] & ~1u) >= 0);
    return rig;
}

static void test_each_flag(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct rig *rig = start();
        enum board_stop stop;

        assert_true(board_stick(rig->board, flags[i].address, flags[i].mask, flags[i].value));
        board_power(rig->board, true);
        (void) board_run(rig->board, RIG_SECOND / 500u); /* out of the power-on reset */
        stop = board_run_until(rig->board, 60u * RIG_SECOND, BOARD_ON_ADDRESS | BOARD_ON_RESET);
        if (stop != (flags[i].outcome == STARTS ? BOARD_STOP_ADDRESS : BOARD_STOP_RESET))
            fail_msg("%s: the bootloader hangs at 0x%08x", flags[i].name, board_register(rig->board, BOARD_PC));
        print_message("%s: %s after %u ms\n", flags[i].name, flags[i].outcome == STARTS ? "starts" : "reset",
                      (unsigned) (board_now(rig->board) / 1000000u));
        rig_destroy(rig);
    }
}

static void ask(struct rig *rig, uint8_t tag, uint8_t flag)
{
    const struct fota_frame frame = {FOTA_LINK_VERSION, FOTA_LINK_INFO, tag, 0, &flag, 1};
    uint8_t wire[64];

    (void) board_uart_write(rig->board, 3, wire, fota_frame_encode(&frame, wire, sizeof wire));
}

/* The transmitter stands still in the middle of a visit: the bootloader leaves after its 10 s of silence; and where it
 * works again, it answers again. */
static void test_transmitter(void **state)
{
    static const struct {
        uint32_t address, mask, value;
    } ways[] = {{DMA1_TX, EN, EN}, {USART3_SR, TC, 0}};

    (void) state;
    for (size_t way = 0; way < 2u; way++)
        for (unsigned again = 0; again < 2u; again++) {
            struct rig *rig = start();
            struct fota_link_info info;

            board_power(rig->board, true);
            (void) board_run(rig->board, RIG_SECOND / 100u);
            ask(rig, 1, FOTA_LINK_INFO_STAY);
            (void) board_run(rig->board, RIG_SECOND);
            assert_true(rig_query(rig, &info));
            assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
            assert_true(board_stick(rig->board, ways[way].address, ways[way].mask, ways[way].value));
            for (uint8_t i = 0; i < 3u; i++) {
                ask(rig, i, 0);
                (void) board_run(rig->board, RIG_SECOND / 10u);
            }
            if (again != 0) {
                assert_true(board_stick(rig->board, ways[way].address, 0, 0));
                assert_true(rig_query(rig, &info));
                assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
            } else {
                assert_int_equal(board_run_until(rig->board, 12u * RIG_SECOND, BOARD_ON_RESET), BOARD_STOP_RESET);
                assert_int_equal(board_run_until(rig->board, 12u * RIG_SECOND, BOARD_ON_ADDRESS), BOARD_STOP_ADDRESS);
            }
            rig_destroy(rig);
        }
}

/* A peer that never stops, with whole frames: a device that has something to boot boots it. */
static void test_babbling_peer(void **state)
{
    struct rig *rig = start();

    (void) state;
    board_power(rig->board, true);
    for (unsigned ms = 0; ms < 10000u; ms++) {
        while (board_uart_pending(rig->board, 3) < 512u)
            ask(rig, 1, 0);
        if (board_run_until(rig->board, RIG_SECOND / 1000u, BOARD_ON_ADDRESS) == BOARD_STOP_ADDRESS) {
            rig_destroy(rig);
            return;
        }
    }
    fail_msg("a peer that never stops keeps the device in its bootloader");
}

/* The same after it once asked the device to stay. */
static void test_babbling_after_stay(void **state)
{
    struct rig *rig = start();
    struct fota_link_info info;

    (void) state;
    board_power(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 100u);
    ask(rig, 1, FOTA_LINK_INFO_STAY);
    (void) board_run(rig->board, 5u * RIG_SECOND);
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
    for (unsigned ms = 0; ms < 60000u; ms++) {
        while (board_uart_pending(rig->board, 3) < 512u)
            ask(rig, 1, 0);
        if (board_run_until(rig->board, RIG_SECOND / 1000u, BOARD_ON_ADDRESS) == BOARD_STOP_ADDRESS) {
            print_message("the application after %u ms\n", ms);
            rig_destroy(rig);
            return;
        }
    }
    fail_msg("a peer that never stops keeps the device in its bootloader");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_flag),
        cmocka_unit_test(test_transmitter),
        cmocka_unit_test(test_babbling_peer),
        cmocka_unit_test(test_babbling_after_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
