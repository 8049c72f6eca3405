/* SPDX-License-Identifier: MIT */
/* The agreed baud rate, with the real bootloader: both ends have a rate of their own here, and where they differ both
 * hear garbage. */
#include "rig.h"

#include "fota/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define UART 3u

static struct rig *fast_rig(void)
{
    const struct rig_options options = {.max_baud = 2000000, .no_pins = true};
    struct rig *rig = rig_create(&options);

    rig->dice = 12345;
    rig_factory(rig);
    return rig;
}

static void until_bytes(struct rig *rig, uint32_t bytes)
{
    while (rig_step(rig) && rig->push.bytes < bytes)
        continue;
    assert_int_equal(rig->push.state, GW_PUSH_WRITE);
}

static struct gw_push done; /* as it was at the end of an update */

/* Run to the end; it is a good one, and both ends are back at the usual rate: the application is heard. */
static void expect_confirmed(struct rig *rig)
{
    struct fota_link_info info;

    while (rig_step(rig))
        continue;
    if (rig->push.outcome != GW_PUSH_CONFIRMED)
        print_message("%s: %s\n", rig->push.reason, rig->push.detail);
    assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
    done = rig->push;
    assert_int_equal(rig->host_baud, 115200);
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_APPLICATION);
    assert_int_equal(info.version.minor, 1);
    assert_true(rig_run_until(rig, "hello 1.1.0 in slot B", 5u * RIG_SECOND) || rig_query(rig, &info));
    assert_int_equal(board_rule_violations(rig->board), 0);
}

static void test_two_megabit(void **state)
{
    struct rig *rig = fast_rig();
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    uint64_t overruns = board_counters(rig->board)->uart_overruns[UART];

    (void) state;
    rig_start(rig, &next, false);
    until_bytes(rig, 20000);
    assert_int_equal(rig->push.rate, 2000000);
    assert_int_equal(rig->host_baud, 2000000);
    expect_confirmed(rig);
    assert_int_equal(done.stats.resent, 0);
    assert_int_equal(board_counters(rig->board)->uart_overruns[UART], overruns);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* Each rate of the list is made and found good. */
static void test_every_rate(void **state)
{
    static const uint32_t rates[] = {230400, 460800, 921600, 1000000};

    (void) state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rig *rig = fast_rig();
        struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

        rig->options.max_baud = rates[i];
        rig_start(rig, &next, false);
        until_bytes(rig, 4096);
        assert_int_equal(rig->push.rate, rates[i]);
        expect_confirmed(rig);
        assert_int_equal(done.stats.resent, 0);
        pack_buffer_free(&next);
        rig_destroy(rig);
    }
}

static void test_cable_for_460800(void **state)
{
    static const unsigned damage[] = {1000, 5}; /* nothing passes; a few bytes do not */

    (void) state;
    for (unsigned i = 0; i < 2u; i++) {
        struct rig *rig = fast_rig();
        struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
        uint64_t began = board_now(rig->board);

        rig->cable_limit = 460800;
        rig->damage = damage[i];
        rig_start(rig, &next, false);
        until_bytes(rig, 4096);
        assert_int_equal(rig->push.rate, 460800);
        assert_true(board_now(rig->board) - began < 8u * RIG_SECOND);
        expect_confirmed(rig);
        assert_int_equal(done.stats.resent, 0);
        pack_buffer_free(&next);
        rig_destroy(rig);
    }
}

/* The cable gets worse while it is used: the rate falls, and the transfer goes on where it was. */
static void test_cable_turns_bad(void **state)
{
    static const unsigned damage[] = {1, 1000};

    (void) state;
    for (unsigned i = 0; i < 2u; i++) {
        struct rig *rig = fast_rig();
        struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

        rig_start(rig, &next, false);
        until_bytes(rig, 10000);
        assert_int_equal(rig->push.rate, 2000000);
        rig->cable_limit = 460800;
        rig->damage = damage[i];
        expect_confirmed(rig);
        assert_true(done.stats.rates_dropped > 0 || done.stats.resent < GW_PUSH_FAULTS);
        pack_buffer_free(&next);
        rig_destroy(rig);
    }
}

static void test_reset_in_the_middle(void **state)
{
    struct rig *rig = fast_rig();
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_start(rig, &next, false);
    until_bytes(rig, 40000);
    assert_int_equal(rig->push.rate, 2000000);
    board_power(rig->board, false);
    for (unsigned i = 0; i < 1000u; i++)
        assert_true(rig_step(rig));
    board_power(rig->board, true);
    while (rig_step(rig) && !(rig->push.state == GW_PUSH_WRITE && rig->push.rate == 115200u))
        continue;
    while (rig_step(rig) && rig->push.rate == 115200u)
        continue;
    assert_int_equal(rig->push.rate, 2000000); /* a reset is no fault of the rate */
    expect_confirmed(rig);
    assert_int_equal(done.stats.rates_dropped, 0);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* The gateway dies at the agreed rate, and another finds the device without waiting until it leaves. */
static void test_gateway_dies(void **state)
{
    struct rig *rig = fast_rig();
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    uint64_t began;

    (void) state;
    rig_start(rig, &next, false);
    until_bytes(rig, 40000);
    rig_start(rig, &next, false); /* a new one, which knows nothing */
    began = board_now(rig->board);
    while (rig_step(rig) && !rig->push.contact)
        continue;
    assert_int_equal(rig->push.info.mode, FOTA_MODE_BOOTLOADER);
    assert_true(board_now(rig->board) - began < 5u * RIG_SECOND);
    expect_confirmed(rig);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* --- the bootloader's side alone ---------------------------------------------------------------------------------- */

/* Send a request at a rate. @return the status of the answer to it; 1 when none comes within `ms`. */
static int ask(struct rig *rig, uint32_t rate, uint8_t type, const void *payload, size_t length, unsigned ms)
{
    static uint8_t tags;
    const uint8_t tag = ++tags;
    uint8_t wire[64], byte;
    struct fota_link_rx rx;
    struct fota_frame answer;
    struct fota_frame request = {
        .version = FOTA_LINK_VERSION, .type = type, .tag = tag, .payload = payload, .length = length};

    fota_link_rx_init(&rx);
    board_uart_baud(rig->board, UART, rate);
    assert_int_equal(rig->host_baud = rate, rate);
    (void) board_uart_write(rig->board, UART, wire, fota_frame_encode(&request, wire, sizeof wire));
    for (unsigned i = 0; i < ms * 10u; i++) {
        (void) board_run(rig->board, RIG_SECOND / 10000u);
        while (board_uart_read(rig->board, UART, &byte, 1) == 1)
            if (fota_link_rx_byte(&rx, byte, &answer) && answer.tag == tag &&
                answer.type == (type | FOTA_LINK_RESPONSE))
                return (int16_t) fota_get16(answer.payload);
    }
    return 1;
}

static int ask_baud(struct rig *rig, uint32_t at, uint32_t baud)
{
    uint8_t payload[4];

    fota_put32(payload, baud);
    return ask(rig, at, FOTA_LINK_BAUD, payload, sizeof payload, 50);
}

static int ask_info(struct rig *rig, uint32_t at)
{
    return ask(rig, at, FOTA_LINK_INFO, NULL, 0, 50);
}

static void wait_ms(struct rig *rig, unsigned ms)
{
    (void) board_run(rig->board, ms * (RIG_SECOND / 1000u));
}

static void test_bootloader_alone(void **state)
{
    /* at 42 MHz, from docs/link.md: at least 16 clocks a bit, and within 2 % */
    static const uint32_t good[] = {1200, 9600, 115200, 921600, 1500000, 2000000, 2625000};
    static const uint32_t bad[] = {0, 1, 600, 2550000, 2700000, 3000000, 42000000, UINT32_MAX};
    static const uint8_t loader = FOTA_LINK_REBOOT_LOADER;
    struct rig *rig = fast_rig();

    (void) state;
    assert_int_equal(ask_baud(rig, 115200, 921600), FOTA_E_UNKNOWN); /* the application's agent */
    assert_int_equal(ask(rig, 115200, FOTA_LINK_REBOOT, &loader, 1, 50), FOTA_OK);
    for (unsigned i = 0; i < 100u && ask_info(rig, 115200) != FOTA_OK; i++)
        continue;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ask_baud(rig, 115200, bad[i]), FOTA_E_ARGUMENT);
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(ask_baud(rig, 115200, good[i]), FOTA_OK); /* answered at the old rate */
        if (good[i] >= 115200u)
            assert_int_equal(ask_info(rig, good[i]), FOTA_OK);
        if (good[i] >= 115200u)
            assert_int_equal(ask_baud(rig, good[i], 115200), FOTA_OK);
        else
            wait_ms(rig, 600);
    }
    /* without a good frame it goes back after 500 ms, not earlier */
    assert_int_equal(ask_baud(rig, 115200, 1000000), FOTA_OK);
    wait_ms(rig, 400);
    assert_int_equal(ask_info(rig, 115200), 1); /* garbage is no good frame */
    wait_ms(rig, 80);
    assert_int_equal(ask_info(rig, 115200), FOTA_OK);
    /* with one it stays, also when somebody else shouts, and for as long as a session may be silent */
    assert_int_equal(ask_baud(rig, 115200, 1000000), FOTA_OK);
    wait_ms(rig, 400);
    assert_int_equal(ask_info(rig, 1000000), FOTA_OK);
    wait_ms(rig, 600);
    assert_int_equal(ask_info(rig, 115200), 1);
    wait_ms(rig, 8000);
    assert_int_equal(ask_info(rig, 1000000), FOTA_OK);
    /* silence: it leaves, and the application has its own rate */
    wait_ms(rig, 12000);
    assert_int_equal(ask_info(rig, 115200), FOTA_OK);
    assert_int_equal(ask_baud(rig, 115200, 921600), FOTA_E_UNKNOWN);
    /* a reset does the same */
    assert_int_equal(ask(rig, 115200, FOTA_LINK_REBOOT, &loader, 1, 50), FOTA_OK);
    for (unsigned i = 0; i < 100u && ask_info(rig, 115200) != FOTA_OK; i++)
        continue;
    assert_int_equal(ask_baud(rig, 115200, 2000000), FOTA_OK);
    assert_int_equal(ask(rig, 2000000, FOTA_LINK_REBOOT, &loader, 1, 50), FOTA_OK);
    wait_ms(rig, 1000);
    assert_int_equal(ask_info(rig, 2000000), 1);
    assert_int_equal(ask_info(rig, 115200), FOTA_OK);
    assert_int_equal(board_rule_violations(rig->board), 0);
    rig_destroy(rig);
}

/* A device with nothing to boot cannot leave: after the same silence it is back at its rate. */
static void test_blank_device_comes_back(void **state)
{
    struct rig *rig = rig_create(NULL);

    (void) state;
    rig_program(rig, NULL);
    board_power(rig->board, true);
    wait_ms(rig, 5000); /* the journal is made first, that erases */
    assert_int_equal(ask_baud(rig, 115200, 2000000), FOTA_OK);
    assert_int_equal(ask_info(rig, 2000000), FOTA_OK);
    wait_ms(rig, 9000);
    assert_int_equal(ask_info(rig, 2000000), FOTA_OK);
    wait_ms(rig, 11000);
    assert_int_equal(ask_info(rig, 115200), FOTA_OK);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootloader_alone),    cmocka_unit_test(test_blank_device_comes_back),
        cmocka_unit_test(test_two_megabit),         cmocka_unit_test(test_every_rate),
        cmocka_unit_test(test_cable_for_460800),    cmocka_unit_test(test_cable_turns_bad),
        cmocka_unit_test(test_reset_in_the_middle), cmocka_unit_test(test_gateway_dies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
