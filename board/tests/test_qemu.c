/* SPDX-License-Identifier: MIT */
/** @file test_qemu.c One self-test binary on two emulators: the virtual board and QEMU must agree on the CPU. */
#define _GNU_SOURCE
#include "bench.h"
#include "qemu.h"

#include <stdlib.h>
#include <string.h>

#define CHECKS 75 /* at least so many must pass */

/* Where QEMU 7.2 is not the chip; every other check must pass there. */
static const char *const known[] = {
    "dwt: the cycle counter counts",  /* no DWT */
    "systick: ten periods of 100 us", /* measured with the DWT */
    "nvic: four priority bits",       /* it has eight */
    "fault: BKPT without a debugger", /* HFSR says FORCED, not DEBUGEVT */
    "fault: IMPRECISERR",             /* stores fault precisely */
};

/** Count the checks of a report. @return those that passed; fails the test at one that must not fail. */
static unsigned count(const char *report, bool strict)
{
    unsigned passed = 0, excused = 0;
    char *copy = strdup(report), *save = NULL;
    for (char *line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        bool excuse = false;
        if (strncmp(line, "ok ", 3) == 0)
            passed++;
        if (strncmp(line, "FAIL ", 5) != 0)
            continue;
        for (unsigned i = 0; i < sizeof known / sizeof known[0] && !strict; i++)
            excuse = excuse || strncmp(line + 5, known[i], strlen(known[i])) == 0;
        if (!excuse)
            fail_msg("%s", line);
        excused++;
    }
    free(copy);
    print_message("%u checks passed, %u known differences\n", passed, excused);
    return passed;
}

static void test_on_qemu(void **state)
{
    size_t len;
    (void) state;
    qemu_or_skip();
    uint8_t *firmware = bench_firmware("qemu", &len), *flash = malloc(1u << 20);
    if (flash == NULL)
        abort();
    memset(flash, 0xFF, 1u << 20);
    memcpy(flash, firmware, len);
    char *report = qemu_run(flash, NULL, "DONE\n", 20000);
    if (!strstr(report, "DONE\n"))
        fail_msg("the self-test did not end in QEMU: %.300s",
                 report + (strlen(report) > 300 ? strlen(report) - 300 : 0));
    assert_true(count(report, false) >= CHECKS);
    free(report);
    free(flash);
    free(firmware);
}

static void test_on_the_board(void **state)
{
    static char report[65536];
    (void) state;
    struct board *b = board_create(NULL);
    bench_load(b, "qemu");
    board_power(b, true);
    board_run(b, 5u * (uint64_t) SECONDS);
    size_t len = board_uart_read(b, 1, report, sizeof report - 1);
    report[len] = 0;
    assert_non_null(strstr(report, "DONE\n"));
    assert_true(count(report, true) >= CHECKS);
    board_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_on_the_board), cmocka_unit_test(test_on_qemu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
