/* SPDX-License-Identifier: MIT */
/* Updates of the real application by the real bootloader: from A to B and back, and each way in which one can
 * be bad. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect_no_violations(struct rig *rig)
{
    const struct board_counters *c = board_counters(rig->board);

    for (unsigned rule = 0; rule < BOARD_RULES; rule++)
        if (c->rules[rule] != 0)
            fail_msg("rule %s was broken %llu times: %s", board_rule_name(rule), (unsigned long long) c->rules[rule],
                     board_message(rig->board));
}

static void expect_running(struct rig *rig, unsigned slot, uint16_t major, uint16_t minor)
{
    struct fota_link_info info;

    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_APPLICATION);
    assert_int_equal(info.slot, slot);
    assert_int_equal(info.confirmed_slot, slot);
    assert_int_equal(info.trial, FOTA_TRIAL_NONE);
    assert_int_equal(info.version.major, major);
    assert_int_equal(info.version.minor, minor);
}

static void test_there_and_back(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL), last = rig_package(rig, "hello-1.0.0", NULL);

    (void) state;
    rig_factory(rig);
    expect_running(rig, FOTA_SLOT_A, 1, 0);
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_non_null(strstr(rig->text, "hello 1.1.0 in slot B, trial 1"));
    expect_running(rig, FOTA_SLOT_B, 1, 1);
    assert_int_equal(rig_update(rig, &last, false), GW_PUSH_CONFIRMED);
    expect_running(rig, FOTA_SLOT_A, 1, 0);

    /* what was confirmed is what boots after the power was off */
    board_power(rig->board, false);
    board_run(rig->board, RIG_SECOND);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
    expect_no_violations(rig);
    pack_buffer_free(&next);
    pack_buffer_free(&last);
    rig_destroy(rig);
}

/* An image that does not confirm comes to `reason`, and the device is back on 1.0.0 in slot A. */
static void rolls_back(const char *name, const char *reason, bool pins)
{
    struct rig_options rig_options = {.no_pins = !pins};
    struct rig *rig = rig_create(&rig_options);
    struct pack_options options = {.set = PACK_SET_DEADLINE, .deadline_ms = 4000};
    struct pack_buffer bad = rig_package(rig, name, &options);
    struct fota_link_info info;

    rig_factory(rig);
    assert_int_equal(rig_update(rig, &bad, false), GW_PUSH_ROLLED_BACK);
    assert_string_equal(rig->push.reason, reason);
    expect_running(rig, FOTA_SLOT_A, 1, 0);

    /* the same image is refused now, and before anything is erased */
    uint64_t before = rig_slot_work(rig, FOTA_SLOT_B);
    assert_int_equal(rig_update(rig, &bad, false), GW_PUSH_FAILED);
    assert_string_equal(rig->push.reason, "rejected");
    assert_int_equal(rig_slot_work(rig, FOTA_SLOT_B), before);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 15u * RIG_SECOND) || rig_query(rig, &info));
    expect_running(rig, FOTA_SLOT_A, 1, 0);

    /* unless an operator asks for it */
    assert_int_equal(rig_update(rig, &bad, true), GW_PUSH_ROLLED_BACK);
    expect_running(rig, FOTA_SLOT_A, 1, 0);
    expect_no_violations(rig);
    pack_buffer_free(&bad);
    rig_destroy(rig);
}

static void test_never_confirms(void **state)
{
    (void) state;
    rolls_back("hello-1.2.0", "deadline", true);
}

static void test_hangs(void **state)
{
    (void) state;
    rolls_back("hello-1.3.0", "watchdog", false);
    rolls_back("hello-1.3.0", "resets", true); /* the gateway pulses NRST before the watchdog barks */
}

static void test_faults(void **state)
{
    (void) state;
    rolls_back("hello-1.4.0", "fault", true);
}

static void test_resets(void **state)
{
    (void) state;
    rolls_back("hello-1.5.0", "resets", true);
}

/* The power goes in the middle of a transfer: the old image runs, and the next attempt goes on where it was.
 */
static void test_resume(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    rig_start(rig, &next, false);
    while (rig_step(rig) && rig->push.bytes < 60000u)
        continue;
    assert_int_equal(rig->push.state, GW_PUSH_WRITE);
    board_power(rig->board, false);
    board_run(rig->board, RIG_SECOND);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_in_range(rig->push.resumed_at, 32768, 60000);
    expect_running(rig, FOTA_SLOT_B, 1, 1);
    expect_no_violations(rig);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* The gateway dies in the middle: the device leaves its bootloader by itself. */
static void test_aborted_upload_strands_nobody(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    rig_start(rig, &next, false);
    while (rig_step(rig) && rig->push.bytes < 20000u)
        continue;
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 12u * RIG_SECOND));
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* A line that loses, repeats and damages bytes delays the update and nothing more. */
static void test_noise(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    static const uint8_t babble[] = {0x00, 0xFF, 0x55, 0x13, 0x00, 0x02, 0x80, 0x00};
    unsigned n = 0;

    (void) state;
    rig_factory(rig);
    rig_start(rig, &next, false);
    while (rig_step(rig))
        if (rig->push.state == GW_PUSH_WRITE && ++n % 997u == 0)
            (void) board_uart_write(rig->board, 3, babble, sizeof babble);
    assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
    assert_true(rig->push.stats.resent > 0);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* The same with the errors that the receiver can report: none of its flags stops it, a damaged or lost byte costs a
 * frame. */
static void test_line_errors(void **state)
{
    static const enum board_uart_error kinds[] = {BOARD_UART_PARITY, BOARD_UART_FRAMING, BOARD_UART_NOISE,
                                                  BOARD_UART_OVERRUN};

    (void) state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        struct rig *rig = rig_create(NULL);
        struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
        unsigned n = 0;

        rig_factory(rig);
        rig_start(rig, &next, false);
        while (rig_step(rig))
            if (rig->push.state == GW_PUSH_WRITE && ++n % 499u == 0)
                assert_true(board_uart_error(rig->board, 3, kinds[kind], 0, 1));
        assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
        assert_true(n >= 499u * 3u);
        /* noise leaves the byte as it is, and so does a stop bit that is missing */
        assert_true((rig->push.stats.resent > 0) ==
                    (kinds[kind] == BOARD_UART_PARITY || kinds[kind] == BOARD_UART_OVERRUN));
        pack_buffer_free(&next);
        rig_destroy(rig);
    }
}

/* Headers that must be refused before anything is erased. */
struct bad {
    const char *reason;
    void (*spoil)(uint8_t *raw);
    bool sign_again;
};

static void spoil_signature(uint8_t *raw)
{
    raw[500] ^= 1;
}

static void spoil_key(uint8_t *raw)
{
    raw[offsetof(struct fota_header, key_id)] ^= 1;
}

static void spoil_product(uint8_t *raw)
{
    raw[offsetof(struct fota_header, product) + 3] ^= 1;
}

static void spoil_hw(uint8_t *raw)
{
    raw[offsetof(struct fota_header, hw_min)] = 7;
    raw[offsetof(struct fota_header, hw_max)] = 9;
}

static void spoil_counter(uint8_t *raw)
{
    raw[offsetof(struct fota_header, counter)] = 0;
}

static void sign(const struct rig *rig, uint8_t *raw)
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_sha256(raw, FOTA_HEADER_SIGNED, digest);
    assert_int_equal(pack_sign(&rig->key, digest, raw + FOTA_HEADER_SIGNED), FOTA_OK);
}

static void test_bad_headers(void **state)
{
    static const struct bad cases[] = {
        {"signature", spoil_signature, false}, {"key", spoil_key, true},       {"product", spoil_product, true},
        {"hw-revision", spoil_hw, true},       {"floor", spoil_counter, true},
    };
    struct rig *rig = rig_create(NULL);

    (void) state;
    rig_factory(rig);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pack_buffer package = rig_package(rig, "hello-1.1.0", NULL);
        uint64_t before_a = rig_slot_work(rig, FOTA_SLOT_A), before_b = rig_slot_work(rig, FOTA_SLOT_B);

        cases[i].spoil(package.data);
        if (cases[i].sign_again)
            sign(rig, package.data);
        assert_int_equal(rig_update(rig, &package, false), GW_PUSH_FAILED);
        assert_string_equal(rig->push.reason, cases[i].reason);
        assert_int_equal(rig_slot_work(rig, FOTA_SLOT_A), before_a);
        assert_int_equal(rig_slot_work(rig, FOTA_SLOT_B), before_b);
        pack_buffer_free(&package);
    }
    assert_true(rig_run_until(rig, NULL, 15u * RIG_SECOND) == false);
    expect_running(rig, FOTA_SLOT_A, 1, 0);
    rig_destroy(rig);
}

/* Code that is not the header's is found by the device itself, and is not tried. */
static void test_wrong_code(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer package = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    package.data[package.size - 1000] ^= 0x10;
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_FAILED);
    assert_string_equal(rig->push.reason, "crc");
    (void) rig_run_until(rig, NULL, 15u * RIG_SECOND);
    expect_running(rig, FOTA_SLOT_A, 1, 0);
    package.data[package.size - 1000] ^= 0x10;
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_CONFIRMED);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* The floor rises with a confirmation and not before. */
static void test_floor(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer higher = rig_package(rig, "hello-2.0.0", NULL), old = rig_package(rig, "hello-1.1.0", NULL);

    (void) state;
    rig_factory(rig);
    assert_int_equal(rig_update(rig, &higher, false), GW_PUSH_CONFIRMED);
    assert_int_equal(rig_update(rig, &old, false), GW_PUSH_FAILED);
    assert_string_equal(rig->push.reason, "floor");
    pack_buffer_free(&higher);
    pack_buffer_free(&old);
    rig_destroy(rig);
}

/* One ELF with its relocations gives the same package as two links, for each build of the example. */
static void test_one_elf_is_enough(void **state)
{
    static const char *const builds[] = {"hello-1.0.0", "hello-1.4.0", "hello-3.0.0"};
    struct rig *rig = rig_create(NULL);

    (void) state;
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        struct pack_buffer two = rig_package(rig, builds[i], NULL), one = rig_package_of_one(rig, builds[i]);

        assert_int_equal(one.size, two.size);
        assert_memory_equal(one.data, two.data, two.size);
        pack_buffer_free(&two);
        pack_buffer_free(&one);
    }
    rig_destroy(rig);
}

/* The deadline passes while the supply is too low to write: the rejection cannot be recorded, and is not forgotten. */
static void test_rejection_at_a_low_supply(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer bad = rig_package(rig, "hello-1.2.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_factory(rig);
    rig_start(rig, &bad, false);
    while (rig_step(rig) && strstr(rig->text, "hello 1.2.0 in slot B, trial 1") == NULL)
        continue;
    board_supply(rig->board, 2500);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A", 30u * RIG_SECOND));
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.trial, FOTA_TRIAL_RUNNING); /* as the journal has it */
    board_supply(rig->board, 3300);
    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 100u);
    board_nrst(rig->board, false);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.trial, FOTA_TRIAL_NONE);
    assert_int_equal(info.last_reason, FOTA_E_DEADLINE);
    pack_buffer_free(&bad);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_never_confirms),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_aborted_upload_strands_nobody),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_line_errors),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_wrong_code),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_one_elf_is_enough),
        cmocka_unit_test(test_rejection_at_a_low_supply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
