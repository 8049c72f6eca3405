/* SPDX-License-Identifier: MIT */
/* Reception goes on while a sector is erased: the bus stalls the CPU, which fetches from the flash that is busy, and
 * not one instruction is executed; the DMA writes to the ring meanwhile. So neither code nor vectors need to be in RAM.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FLASH_SR 0x40023C0Cu
#define BSY (1u << 16)
#define UART 3u
#define WINDOW 90112u /* the bootloader's credit: what may be under way (target/bootloader/main.c) */

struct erase {
    uint64_t ms, instructions, bytes;
};

static bool is_busy(struct rig *rig)
{
    return (board_peek(rig->board, FLASH_SR) & BSY) != 0;
}

/* A full image over a line of this rate. @return its longest erase, of which those milliseconds count in which the
 * flash was busy from begin to end. */
static struct erase update(uint32_t baud)
{
    struct rig_options options = {.max_baud = baud};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-3.0.0", NULL);
    const struct board_counters *c;
    struct erase this = {0}, longest = {0};
    uint64_t overruns, erases = 0;
    uint32_t rate = 0; /* the gateway is back at the first one in the end */
    bool under_way = true;

    rig_factory(rig);
    rig_start(rig, &package, false);
    overruns = board_counters(rig->board)->uart_overruns[UART];
    while (under_way) {
        bool busy = is_busy(rig);
        struct board_counters before = *board_counters(rig->board);

        under_way = rig_step(rig);
        rate = rig->push.rate > rate ? rig->push.rate : rate;
        c = board_counters(rig->board);
        if (!busy || !is_busy(rig) || c->flash_operations != before.flash_operations) {
            memset(&this, 0, sizeof this);
            continue;
        }
        this.ms++;
        this.instructions += c->instructions - before.instructions;
        this.bytes += c->uart_rx[UART] - before.uart_rx[UART];
        if (this.ms > longest.ms)
            longest = this;
    }
    c = board_counters(rig->board);
    assert_int_equal(rig->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(rate, baud);
    assert_int_equal(rig->push.stats.resent, 0);
    assert_int_equal(c->uart_overruns[UART], overruns);
    for (unsigned s = fota_sector_of(FOTA_SLOT_B_BASE); s < FOTA_SECTOR_COUNT - 2u; s++)
        erases += c->flash_erases[s];
    assert_int_equal(erases, 3);
    print_message("%u bit/s: in %u ms of an erase %u instructions, %u bytes received, no overrun\n", baud,
                  (unsigned) longest.ms, (unsigned) longest.instructions, (unsigned) longest.bytes);
    pack_buffer_free(&package);
    rig_destroy(rig);
    return longest;
}

static void test_erase(void **state)
{
    static const uint32_t bauds[] = {115200, 921600, 2000000};

    (void) state;
    for (size_t i = 0; i < sizeof bauds / sizeof bauds[0]; i++) {
        struct erase e = update(bauds[i]);
        uint64_t line = bauds[i] / 10000u * e.ms; /* as much as the line brings in that time */

        assert_true(e.ms >= 990 && e.ms <= 1000); /* 128 KiB at x32 */
        assert_int_equal(e.instructions, 0);
        /* all of it, or the window is full: nine tenths, since the gateway needs frames whole */
        assert_true(e.bytes >= (line < WINDOW ? line : WINDOW) * 9u / 10u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_erase)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
