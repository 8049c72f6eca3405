/* SPDX-License-Identifier: MIT */
/* Updates while the application runs: the agent in busy, the real gateway, the board. */
#include "memory_flash.h"
#include "rig.h"
#include "symbols.h"

#include "fota/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rig *start(const char *name, const struct rig_options *options)
{
    struct rig *rig = rig_create(options);
    struct pack_buffer package = rig_package(rig, name, NULL);

    rig_program(rig, &package);
    pack_buffer_free(&package);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "confirmed", 10u * RIG_SECOND));
    return rig;
}

/* @return what is said behind `name`. */
static unsigned long said(const struct rig *rig, const char *name)
{
    const char *at = strstr(rig->text, name);

    if (at == NULL)
        fail_msg("it never says \"%s\", but:\n%s", name, rig->text);
    return strtoul(at + strlen(name), NULL, 10);
}

/* An update, in which the device is reset once at most: into the new image. */
static void update(struct rig *rig, const char *name)
{
    struct pack_buffer package = rig_package(rig, name, NULL);
    const struct board_counters *c = board_counters(rig->board);
    uint64_t software = c->resets[BOARD_RESET_SOFTWARE], pins = c->resets[BOARD_RESET_PIN];
    enum gw_push_outcome outcome = rig_update(rig, &package, false);

    if (outcome != GW_PUSH_CONFIRMED)
        fail_msg("%s: outcome %d, %s: %s\n%s", name, outcome, rig->push.reason, rig->push.detail, rig->text);
    assert_int_equal(c->resets[BOARD_RESET_SOFTWARE], software + 1u);
    assert_int_equal(c->resets[BOARD_RESET_PIN], pins);
    pack_buffer_free(&package);
}

static void expect_undisturbed(struct rig *rig)
{
    print_message("%s", strstr(rig->text, "busy: late"));
    assert_int_equal(said(rig, "busy: late "), 0);
    assert_true(said(rig, "late in announced erases ") > 0);
    assert_true(said(rig, "copies ") > 1000u);
    assert_int_equal(said(rig, "damaged "), 0);
    assert_in_range(said(rig, "load "), 250, 350);
    assert_true(said(rig, "longest poll ") <= 200u);
}

/* From A to B and back. The product loses no deadline outside of the announced erases. */
static void test_update_while_running(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);

    (void) state;
    update(rig, "busy-1.1.0");
    expect_undisturbed(rig);
    assert_non_null(strstr(rig->text, "busy 1.1.0 in slot B, trial"));
    assert_non_null(strstr(rig->text, "busy 1.1.0 in slot B, confirmed"));
    rig->text_length = 0;
    update(rig, "busy-1.0.0");
    expect_undisturbed(rig);
    assert_non_null(strstr(rig->text, "busy 1.0.0 in slot A, confirmed"));
    assert_int_equal(board_rule_violations(rig->board), 0);
    rig_destroy(rig);
}

/* The agent in the task of the lowest priority of a preemptive scheduler, with others that use the FPU. */
static void test_in_a_task(void **state)
{
    struct rig *rig = start("tasks-1.0.0", NULL);

    (void) state;
    update(rig, "tasks-1.1.0");
    assert_non_null(strstr(rig->text, "tasks: all sums right"));
    rig->text_length = 0;
    update(rig, "tasks-1.0.0");
    assert_non_null(strstr(rig->text, "tasks: all sums right"));
    rig_destroy(rig);
}

/* With the flash's routines, the interrupt and its vectors in RAM nothing is late at all. */
static void test_flash_in_ram(void **state)
{
    struct rig *rig = start("busy-ram-1.0.0", NULL);

    (void) state;
    update(rig, "busy-ram-1.1.0");
    print_message("%s", strstr(rig->text, "busy: late"));
    assert_int_equal(said(rig, "busy: late "), 0);
    assert_int_equal(said(rig, "late in announced erases "), 0);
    rig_destroy(rig);
}

/* --- interruptions ---------------------------------------------------------------------------------------------- */

static void run_until_bytes(struct rig *rig, uint32_t bytes)
{
    while (rig->push.bytes < bytes)
        if (!rig_step(rig))
            fail_msg("it ended at %lu bytes: %s", (unsigned long) rig->push.bytes, rig->push.reason);
}

/* The supply goes in the middle: the application comes back, and the install goes on where it was. */
static void test_device_cut(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);
    struct pack_buffer package = rig_package(rig, "busy-1.1.0", NULL);
    uint32_t lowest = UINT32_MAX;

    (void) state;
    rig_start(rig, &package, false);
    run_until_bytes(rig, 40000);
    board_power(rig->board, false);
    (void) board_run(rig->board, RIG_SECOND / 10u);
    board_power(rig->board, true);
    while (rig_step(rig))
        if (rig->push.state == GW_PUSH_WRITE && rig->push.bytes < lowest)
            lowest = rig->push.bytes;
    assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
    assert_in_range(lowest, 32768, 40448);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* The gateway is restarted in the middle, twice. */
static void test_gateway_restarts(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);
    struct pack_buffer package = rig_package(rig, "busy-1.1.0", NULL);

    (void) state;
    rig_start(rig, &package, false);
    run_until_bytes(rig, 20000);
    rig_start(rig, &package, false);
    run_until_bytes(rig, 50000);
    assert_in_range(rig->push.resumed_at, 16384, 20480);
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_CONFIRMED);
    assert_in_range(rig->push.resumed_at, 49152, 52000);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* A journal is nearly full in a trial, in which it is never compacted; once the application has confirmed itself it has
 * no room for an install. The bootloader makes some: the gateway asks for it. */
static void test_journal_full(void **state)
{
    static uint8_t flash[FOTA_FLASH_SIZE];
    struct rig *rig = rig_create(NULL);
    struct pack_buffer first = rig_package(rig, "busy-1.0.0", NULL), next = rig_package(rig, "busy-1.1.0", NULL);
    uint32_t journal = fota_sector_base(FOTA_JOURNAL_SPARE_SECTOR);

    (void) state;
    memset(flash, 0xFF, sizeof flash);
    memory_fill(flash, FOTA_JOURNAL_RESERVED + 6u);
    rig_program(rig, &first);
    memory_record(flash, FOTA_RECORD_TRIAL, FOTA_SLOT_A, first.data, 1);
    board_flash_load(rig->board, journal, flash + (journal - FOTA_FLASH_BASE), 2u * FOTA_JOURNAL_BANK_SIZE);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "busy 1.0.0 in slot A, confirmed", 10u * RIG_SECOND));
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_true(board_counters(rig->board)->resets[BOARD_RESET_SOFTWARE] >= 2u);
    pack_buffer_free(&first);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

static void expect_failure(struct rig *rig, const struct pack_buffer *package, const char *reason)
{
    assert_int_equal(rig_update(rig, package, false), GW_PUSH_FAILED);
    assert_string_equal(rig->push.reason, reason);
}

/* A supply that is too low for the flash, seen by a detector that the application has set to another threshold, too:
 * its interrupt does not come, it goes on, and the same update is good later. */
static void test_low_supply(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer first = rig_package(rig, "probe-1.0.0", NULL), next = rig_package(rig, "probe-1.1.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, &first);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "again: 0", 10u * RIG_SECOND));
    assert_true(board_supply(rig->board, 2500));
    expect_failure(rig, &next, "supply");
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_APPLICATION);
    assert_true(board_supply(rig->board, 3300));
    assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);
    assert_int_equal(board_counters(rig->board)->rules[BOARD_RULE_FLASH_SUPPLY], 0);
    pack_buffer_free(&first);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* It falls when the image is whole: the image stays good. */
static void test_low_supply_at_the_end(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);
    struct pack_buffer package = rig_package(rig, "busy-1.1.0", NULL);

    (void) state;
    rig_start(rig, &package, false);
    while (rig->push.state != GW_PUSH_VERIFY)
        assert_true(rig_step(rig));
    assert_true(board_supply(rig->board, 2500));
    while (rig_step(rig))
        ;
    assert_string_equal(rig->push.reason, "supply");
    assert_true(board_supply(rig->board, 3300));
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_CONFIRMED);
    assert_in_range(rig->push.resumed_at, rig->push.total - FOTA_PROGRESS_STEP, rig->push.total);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

/* @return the status of BEGIN with this header. */
static int begin(struct rig *rig, const uint8_t header[FOTA_HEADER_SIZE])
{
    uint8_t payload[4 + FOTA_HEADER_SIZE] = {0}, wire[FOTA_LINK_WIRE_MAX], byte;
    static uint8_t last_tag;
    const uint8_t tag = (uint8_t) (last_tag + 1u);
    const struct fota_frame request = {.version = FOTA_LINK_VERSION,
                                       .type = FOTA_LINK_BEGIN,
                                       .tag = tag,
                                       .payload = payload,
                                       .length = sizeof payload};
    static struct fota_link_rx rx;
    struct fota_frame frame;

    last_tag = tag;
    fota_link_rx_init(&rx);
    memcpy(payload + 4, header, FOTA_HEADER_SIZE);
    (void) board_uart_write(rig->board, 3, wire, fota_frame_encode(&request, wire, sizeof wire));
    for (unsigned ms = 0; ms < 3000u; ms++) {
        (void) board_run(rig->board, RIG_SECOND / 1000u);
        while (board_uart_read(rig->board, 3, &byte, 1) == 1)
            if (fota_link_rx_byte(&rx, byte, &frame) && frame.tag == tag &&
                frame.type == (FOTA_LINK_BEGIN | FOTA_LINK_RESPONSE))
                return (int16_t) fota_get16(frame.payload);
    }
    fail_msg("BEGIN was not answered");
    return 0;
}

/* What the bootloader refuses, the agent refuses with the same code, and before anything is erased. */
static void test_refuses_as_the_bootloader(void **state)
{
    /* a byte of each field, after docs/image.md, and some of the signature */
    static const uint16_t bytes[] = {0,  4,  6,  8,  24, 26,  28,  30,  32,  36,  40,  44,  48,
                                     52, 56, 60, 64, 96, 128, 160, 200, 300, 446, 448, 480, 511};
    struct rig_options options = {.floor = 1};
    struct rig *agent = start("busy-1.0.0", &options), *loader = rig_create(&options);
    struct pack_buffer package = rig_package(agent, "busy-1.1.0", NULL);
    struct fota_link_info info;
    uint64_t work = rig_slot_work(agent, 1);
    unsigned refused = 0, different = 0;

    (void) state;
    rig_program(loader, NULL);
    board_power(loader->board, true);
    (void) board_run(loader->board, 6u * RIG_SECOND); /* it makes its journal */
    assert_true(rig_query(loader, &info));
    for (unsigned i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        uint8_t header[FOTA_HEADER_SIZE];
        int a, b;

        memcpy(header, package.data, sizeof header);
        header[bytes[i]] ^= 0x81u;
        a = begin(agent, header);
        b = begin(loader, header);
        if (a != b)
            print_error("byte %u: the agent says %s, the bootloader %s\n", bytes[i], fota_error_name(a),
                        fota_error_name(b));
        different += a != b;
        refused += a != FOTA_OK;
    }
    assert_int_equal(different, 0);
    assert_int_equal(refused, sizeof bytes / sizeof bytes[0]);
    assert_int_equal(rig_slot_work(agent, 1), work);
    pack_buffer_free(&package);
    rig_destroy(agent);
    rig_destroy(loader);
}

/* Noise, and questions without end: the product goes on, and the next update is as good as any. */
static void test_babble(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);
    uint64_t random = 5;
    uint8_t wire[64], noise[256], none = 0;
    const struct fota_frame ask = {FOTA_LINK_VERSION, FOTA_LINK_INFO, 1, 0, &none, 1};
    size_t length = fota_frame_encode(&ask, wire, sizeof wire);

    (void) state;
    for (unsigned ms = 0; ms < 4000u; ms++) {
        for (unsigned i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t) rig_random(&random);
        while (board_uart_pending(rig->board, 3) < 512u)
            if (ms < 2000u)
                (void) board_uart_write(rig->board, 3, noise, sizeof noise);
            else
                (void) board_uart_write(rig->board, 3, wire, length);
        (void) board_run(rig->board, RIG_SECOND / 1000u);
        rig_listen(rig);
    }
    board_uart_flush(rig->board, 3);
    update(rig, "busy-1.1.0");
    expect_undisturbed(rig);
    rig_destroy(rig);
}

/* --- the application's own calls -------------------------------------------------------------------------------- */

static void test_confirm(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer first = rig_package(rig, "probe-1.0.0", NULL), late = rig_package(rig, "hello-1.2.1", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, &first);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "again: 0", 10u * RIG_SECOND));
    assert_non_null(strstr(rig->text, "probe on trial"));
    assert_non_null(strstr(rig->text, "in an interrupt: -39"));
    assert_non_null(strstr(rig->text, "then confirmed"));
    rig->text_length = 0;
    board_nrst(rig->board, true); /* and outside of a trial */
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    board_nrst(rig->board, false);
    assert_true(rig_run_until(rig, "again: 0", 3u * RIG_SECOND));
    assert_non_null(strstr(rig->text, "probe confirmed"));
    rig->text_length = 0; /* and after a rollback */
    assert_int_equal(rig_update(rig, &late, false), GW_PUSH_ROLLED_BACK);
    if (strstr(rig->text, "again: 0") == NULL)
        assert_true(rig_run_until(rig, "again: 0", 3u * RIG_SECOND));
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.slot, FOTA_SLOT_A);
    assert_int_equal(info.confirmed_slot, FOTA_SLOT_A);
    assert_int_equal(info.last_reason, FOTA_E_DEADLINE);
    pack_buffer_free(&first);
    pack_buffer_free(&late);
    rig_destroy(rig);
}

static void test_recovery_on_request(void **state)
{
    struct rig *rig = rig_create(NULL);
    struct pack_buffer package = rig_package(rig, "probe-1.2.0", NULL);
    struct fota_link_info info;

    (void) state;
    rig_program(rig, &package);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "again: 0", 10u * RIG_SECOND));
    (void) rig_run_until(rig, NULL, 4u * RIG_SECOND);
    assert_true(rig_query(rig, &info));
    assert_int_equal(info.mode, FOTA_MODE_BOOTLOADER);
    assert_int_equal(info.confirmed_slot, FOTA_SLOT_A);
    assert_true(rig_run_until(rig, "probe confirmed", 15u * RIG_SECOND)); /* nobody came */
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* Where an image ended in a fault is known until the supply goes. */
static void test_fault_is_told(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);
    struct pack_buffer package = rig_package(rig, "hello-1.4.0", NULL);
    struct symbols symbols;
    struct fota_link_info info;
    const struct symbol *at;

    (void) state;
    assert_true(symbols_read(&symbols, RIG_TARGET "/hello-1.4.0.b.elf"));
    assert_int_equal(rig_update(rig, &package, false), GW_PUSH_ROLLED_BACK);
    assert_string_equal(rig->push.reason, "fault");
    print_message("%s\n", rig->push.detail);
    assert_non_null(strstr(rig->push.detail, "at PC 0x0806"));
    assert_true(rig_query(rig, &info));
    at = symbols_at(&symbols, info.fault_pc);
    assert_non_null(at);
    print_message("the fault was at 0x%08x in %s(), called from 0x%08x\n", info.fault_pc, at->name, info.fault_lr);
    assert_non_null(symbols_at(&symbols, info.fault_lr)); /* a write faults late: some instructions behind it */
    symbols_free(&symbols);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_while_running),
        cmocka_unit_test(test_flash_in_ram),
        cmocka_unit_test(test_in_a_task),
        cmocka_unit_test(test_device_cut),
        cmocka_unit_test(test_gateway_restarts),
        cmocka_unit_test(test_journal_full),
        cmocka_unit_test(test_low_supply),
        cmocka_unit_test(test_low_supply_at_the_end),
        cmocka_unit_test(test_refuses_as_the_bootloader),
        cmocka_unit_test(test_babble),
        cmocka_unit_test(test_confirm),
        cmocka_unit_test(test_recovery_on_request),
        cmocka_unit_test(test_fault_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
