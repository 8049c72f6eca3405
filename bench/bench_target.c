/* SPDX-License-Identifier: MIT */
/*
 * What the target costs, in virtual time, at 1.0 and 1.5 cycles an instruction: from reset to the application's first instruction, and a full
 * image over the serial line against the floor, the larger of wire time and flash time (RM0090 and DS8626: erase and program, typical).
 *
 * Prints lines of `name value unit`; bench.py makes figures of them.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#define PROGRAM_WORD_S 16e-6
#define BITS_PER_BYTE 10.0

static double seconds(const struct rig *rig)
{
    return (double) board_now(rig->board) / 1e9;
}

static double erase_s(uint32_t first, uint32_t bytes)
{
    double total = 0;

    for (unsigned s = fota_sector_of(first); s <= fota_sector_of(first + bytes - 1u); s++)
        total += fota_sector_size(s) == FOTA_KIB(16) ? 0.25 : fota_sector_size(s) == FOTA_KIB(64) ? 0.55 : 1.0;
    return total;
}

static void bench_boot(double cycles)
{
    struct rig_options options = {.board = {.cycles = cycles}};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-3.0.0", NULL);
    uint32_t vectors[2];
    uint64_t hit = 0;

    rig_program(rig, &package);
    board_power(rig->board, true);
    (void) rig_run_until(rig, "confirmed", 20u * RIG_SECOND); /* the journal is there now, the image confirmed */
    (void) board_read(rig->board, fota_slot_code(FOTA_SLOT_A), vectors, sizeof vectors);
    int watch = board_watch(rig->board, vectors[1] & ~1u, vectors[1] & ~1u);
    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    board_nrst(rig->board, false);
    (void) board_run_until(rig->board, 10u * RIG_SECOND, BOARD_ON_ADDRESS);
    (void) board_watch_hit(rig->board, watch, &hit);
    printf("boot_368k_cpi%.1f %.1f ms\n", cycles, (double) (hit - board_reset_time(rig->board)) / 1e6);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

static void bench_update(double cycles, uint32_t baud)
{
    struct rig_options options = {.board = {.cycles = cycles}, .baud = baud};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-3.0.0", NULL);
    double begun = 0, verify = 0, done = 0;

    rig_factory(rig);
    rig_start(rig, &package, false);
    while (rig_step(rig)) {
        if (rig->push.state == GW_PUSH_WRITE && begun == 0)
            begun = seconds(rig);
        if (rig->push.state == GW_PUSH_VERIFY && verify == 0)
            verify = seconds(rig);
        if (rig->push.state == GW_PUSH_JUMP && done == 0)
            done = seconds(rig);
    }
    if (rig->push.outcome == GW_PUSH_CONFIRMED) {
        uint32_t size = rig->push.header.image_size;
        double wire = BITS_PER_BYTE * size / baud;
        double flash = erase_s(fota_slot_base(rig->push.slot), size + FOTA_HEADER_SIZE) + size / 4.0 * PROGRAM_WORD_S;
        double floor = wire > flash ? wire : flash;

        printf("update_%u_cpi%.1f_s %.2f s\n", baud, cycles, done - begun);
        printf("update_%u_cpi%.1f_verify_s %.2f s\n", baud, cycles, done - verify);
        printf("update_%u_cpi%.1f_floor_s %.2f s\n", baud, cycles, floor);
        printf("update_%u_cpi%.1f_ratio %.3f x\n", baud, cycles, (done - begun) / floor);
    } else {
        printf("update_%u_cpi%.1f_failed 1 %s\n", baud, cycles, rig->push.reason);
    }
    fflush(stdout);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

int main(void)
{
    static const double cycles[] = {1.0, 1.5};

    for (unsigned i = 0; i < sizeof cycles / sizeof cycles[0]; i++) {
        bench_boot(cycles[i]);
        bench_update(cycles[i], 115200);
        bench_update(cycles[i], 921600);
    }
    return 0;
}
