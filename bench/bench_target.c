/* SPDX-License-Identifier: MIT */
/*
 * What the target costs, in virtual time, at 1.0 and 1.5 cycles an instruction: from reset to the application's first
 * instruction, and a full image over the serial line and over SPI against the floor, the larger of wire time and flash
 * time (RM0090 and DS8626: erase and program, typical). Both slots held other content before. From the first byte of
 * BEGIN to the acknowledgement of FINISH; the agreement on the baud rate comes before and stands in a row of its own.
 *
 * Prints lines of `name value unit`; bench.py makes figures of them.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#define PROGRAM_WORD_S 16e-6
#define BITS_PER_BYTE 10.0
#define BITS_PER_BYTE_SPI 8.0
#define BASE_BAUD 115200u
#define AGENT_BAUD 921600u

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

/* Something else than what will be written, so that nothing can be left out. */
static void fill_slot(struct rig *rig, unsigned slot)
{
    static uint8_t other[FOTA_SLOT_SIZE];

    for (size_t i = 0; i < sizeof other; i++)
        other[i] = (uint8_t) (i * 37u + slot + 1u);
    board_flash_load(rig->board, fota_slot_base(slot), other, sizeof other);
}

static void bench_boot(double cycles)
{
    struct rig_options options = {.board = {.cycles = cycles}};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-3.0.0", NULL);
    uint32_t vectors[2];
    uint64_t hit = 0;

    fill_slot(rig, FOTA_SLOT_B);
    rig_program(rig, &package);
    board_power(rig->board, true);
    (void) rig_run_until(rig, "confirmed", 20u * RIG_SECOND); /* the journal is there now, the image confirmed */
    (void) board_read(rig->board, fota_slot_code(FOTA_SLOT_A), vectors, sizeof vectors);
    int watch = board_watch(rig->board, vectors[1] & ~1u, vectors[1] & ~1u);
    board_nrst(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 1000u);
    board_nrst(rig->board, false);
    (void) board_run_until(rig->board, 10u * RIG_SECOND, BOARD_ON_ADDRESS);
    if (board_watch_hit(rig->board, watch, &hit) && hit > board_reset_time(rig->board))
        printf("boot_368k_cpi%.1f %.1f ms\n", cycles, (double) (hit - board_reset_time(rig->board)) / 1e6);
    else
        printf("boot_368k_cpi%.1f_failed 1 never\n", cycles);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* @param baud bit/s that are agreed on; of SPI the clock. @param chunk bytes of code in a frame. */
static void bench_update(double cycles, bool spi, uint32_t baud, uint32_t chunk)
{
    struct rig_options options = {
        .board = {.cycles = cycles}, .max_baud = spi ? 0 : baud, .spi_hz = spi ? baud : 0, .chunk = chunk};
    struct rig *rig = rig_create(&options);
    struct pack_buffer package = rig_package(rig, "hello-3.0.0", NULL);
    double met = 0, begun = 0, verify = 0, done = 0;
    char name[64];

    snprintf(name, sizeof name, "update_%s%u%s_cpi%.1f", spi ? "spi_" : "", baud, chunk == FOTA_KIB(2) ? "_2k" : "",
             cycles);
    rig_factory(rig);
    fill_slot(rig, FOTA_SLOT_B);
    rig_start(rig, &package, false);
    while (rig_step(rig)) {
        if (rig->push.info_count > 0 && rig->push.info.mode == FOTA_MODE_BOOTLOADER && met == 0)
            met = seconds(rig);
        if (rig->push.begun_at != 0)
            begun = (double) rig->push.begun_at / 1e3;
        if (rig->push.state == GW_PUSH_VERIFY && verify == 0)
            verify = seconds(rig);
        if (rig->push.state == GW_PUSH_JUMP && done == 0) {
            done = seconds(rig);
            if ((!spi && rig->push.rate != baud) || rig->push.stats.resent > 0)
                break; /* not what is to be measured */
        }
    }
    if (rig->push.outcome == GW_PUSH_CONFIRMED) {
        uint32_t size = rig->push.header.image_size;
        double wire = (spi ? BITS_PER_BYTE_SPI : BITS_PER_BYTE) * size / baud;
        double flash = erase_s(fota_slot_base(rig->push.slot), size + FOTA_HEADER_SIZE) + size / 4.0 * PROGRAM_WORD_S;
        double floor = wire > flash ? wire : flash;

        printf("%s_s %.2f s\n", name, done - begun);
        printf("%s_verify_s %.2f s\n", name, done - verify);
        printf("%s_floor_s %.2f s\n", name, floor);
        printf("%s_ratio %.3f x\n", name, (done - begun) / floor);
        if (!spi && baud != BASE_BAUD)
            printf("%s_agree_s %.3f s\n", name, begun - met);
    } else {
        printf("%s_failed 1 %s\n", name, rig->push.state == GW_PUSH_ENDED ? rig->push.reason : "rate");
    }
    fflush(stdout);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* The same through an application that runs, at the baud rate that it has. With a receive buffer of 2 KiB nothing comes
 * while a sector is erased, so that the floor is erase and wire; with one of 96 KiB it is erase and program. */
static void bench_agent(double cycles, bool large)
{
    struct rig_options options = {.board = {.cycles = cycles}, .baud = AGENT_BAUD};
    struct rig *rig = rig_create(&options);
    struct pack_buffer first = rig_package(rig, large ? "busy-large-1.0.0" : "busy-small-1.0.0", NULL),
                       second = rig_package(rig, large ? "busy-large-1.1.0" : "busy-small-1.1.0", NULL);
    double begun = 0, done = 0;
    char name[64];

    snprintf(name, sizeof name, "agent_%s_%u_cpi%.1f", large ? "96k" : "2k", AGENT_BAUD, cycles);
    rig_program(rig, &first);
    board_power(rig->board, true);
    (void) rig_run_until(rig, "confirmed", 20u * RIG_SECOND);
    fill_slot(rig, FOTA_SLOT_B);
    rig_start(rig, &second, false);
    while (rig_step(rig)) {
        if (rig->push.begun_at != 0)
            begun = (double) rig->push.begun_at / 1e3;
        if (rig->push.state == GW_PUSH_JUMP && done == 0)
            done = seconds(rig);
    }
    if (rig->push.outcome == GW_PUSH_CONFIRMED) {
        uint32_t size = rig->push.header.image_size;
        double erase = erase_s(fota_slot_base(rig->push.slot), size + FOTA_HEADER_SIZE),
               floor = erase + (large ? size / 4.0 * PROGRAM_WORD_S : BITS_PER_BYTE * size / AGENT_BAUD);

        printf("%s_s %.2f s\n", name, done - begun);
        printf("%s_floor_s %.2f s\n", name, floor);
        printf("%s_ratio %.3f x\n", name, (done - begun) / floor);
    } else {
        printf("%s_failed 1 %s\n", name, rig->push.reason);
    }
    fflush(stdout);
    pack_buffer_free(&first);
    pack_buffer_free(&second);
    rig_destroy(rig);
}

/* Bytes of a block of 256 on the wire, acknowledgements included: three commands' worth of AN3155, and the same with
 * the 5A in front and three procedures of at least four bytes over SPI (AN4286). */
#define UART_BLOCK (2.0 + 1 + 5 + 1 + 258 + 1)
#define SPI_BLOCK (3.0 + 3 + 5 + 3 + 258 + 3)
#define BITS_8E1 11.0
#define SPI_GAP_NS 8000u
#define SPI_HZ 8000000u

/* A slot's worth of code through ST's ROM: erase and write without what comes between, against the sum of wire, erase
 * and program time; blank check and read-back by themselves. */
static void bench_rom(bool spi)
{
    static uint8_t code[FOTA_SLOT_SIZE], back[FOTA_SLOT_SIZE];
    struct rig_options options = {
        .spi_hz = spi ? SPI_HZ : 0, .rom_gap_ns = SPI_GAP_NS, .board = {.rom_gap_ns = SPI_GAP_NS}};
    struct rig *rig = rig_create(&options);
    const struct board_counters *c = board_counters(rig->board);
    const char *name = spi ? "rom_spi_8000000" : "rom_uart_115200";
    double blocks = (double) sizeof code / FOTA_ST_BLOCK, erase = erase_s(FOTA_SLOT_B_BASE, sizeof code),
           program = sizeof code / 4.0 * PROGRAM_WORD_S, wire, wrote;
    struct gw_rom rom;
    int result;

    for (size_t i = 0; i < sizeof code; i++)
        code[i] = (uint8_t) (i * 131u + i / 256u);
    board_power(rig->board, true);
    rig_rom(rig, &rom);
    result = gw_rom_enter(&rom);
    if (result == GW_ROM_OK)
        result = gw_rom_x32(&rom);
    for (unsigned s = fota_sector_of(FOTA_SLOT_B_BASE); result == GW_ROM_OK && s < FOTA_JOURNAL_SPARE_SECTOR; s++)
        result = gw_rom_erase(&rom, s);
    rom.stats.write_ms = 0; /* that of x32 */
    if (result == GW_ROM_OK)
        result = gw_rom_write(&rom, FOTA_SLOT_B_BASE, code, sizeof code);
    if (!spi && result == GW_ROM_OK)
        printf("%s_wire_and_chip_s %.2f s\n", name,
               (double) (c->uart_rx[3] + c->uart_tx[3]) * BITS_8E1 / BASE_BAUD + erase + program);
    rom.stats.read_ms = 0;
    if (result == GW_ROM_OK)
        result = gw_rom_read(&rom, FOTA_SLOT_B_BASE, back, sizeof back);
    if (result != GW_ROM_OK || memcmp(code, back, sizeof back) != 0) {
        printf("%s_failed 1 run\n", name);
        fprintf(stderr, "%s: %s\n", name, rom.error);
    } else {
        wire = blocks * (spi ? SPI_BLOCK * (8e9 / SPI_HZ + SPI_GAP_NS) / 1e9 : UART_BLOCK * BITS_8E1 / BASE_BAUD);
        wrote = (double) (rom.stats.erase_ms + rom.stats.write_ms) / 1e3;
        printf("%s_write_s %.2f s\n", name, wrote);
        printf("%s_sum_s %.2f s\n", name, wire + erase + program);
        printf("%s_ratio %.3f x\n", name, wrote / (wire + erase + program));
        printf("%s_blank_check_s %.2f s\n", name, (double) rom.stats.blank_ms / 1e3);
        printf("%s_read_back_s %.2f s\n", name, (double) rom.stats.read_ms / 1e3);
    }
    fflush(stdout);
    rig_destroy(rig);
}

int main(void)
{
    static const double cycles[] = {1.0, 1.5};

    for (unsigned i = 0; i < sizeof cycles / sizeof cycles[0]; i++) {
        bench_boot(cycles[i]);
        bench_update(cycles[i], false, BASE_BAUD, FOTA_KIB(1));
        bench_update(cycles[i], false, 921600, FOTA_KIB(1));
        bench_update(cycles[i], false, 921600, FOTA_KIB(2));
        bench_update(cycles[i], false, 2000000, FOTA_KIB(1));
        bench_update(cycles[i], false, 2000000, FOTA_KIB(2));
        bench_update(cycles[i], true, 21000000, FOTA_KIB(1));
        bench_agent(cycles[i], false);
        bench_agent(cycles[i], true);
    }
    bench_rom(true);
    bench_rom(false);
    return 0;
}
