/* SPDX-License-Identifier: MIT */
/* The host's side of ST's factory bootloader against the board's model of it, over UART and SPI. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SPI_HZ 8000000u
#define SLOT_B_SECTOR 7u

struct way {
    const char *name;
    uint32_t spi_hz;
    enum board_rom rom;
};
static const struct way ways[] = {
    {"UART, V9.1", 0, BOARD_ROM_V91}, {"UART, V3.1", 0, BOARD_ROM_V31}, {"SPI, V9.1", SPI_HZ, BOARD_ROM_V91}};

static struct rig *rom_rig(const struct way *way, struct gw_rom *rom)
{
    struct rig_options options = {.spi_hz = way->spi_hz};
    struct rig *rig;

    board_options_default(&options.board);
    options.board.rom = way->rom;
    rig = rig_create(&options);
    rig_factory(rig);
    rig_rom(rig, rom);
    return rig;
}

static void expect(const struct gw_rom *rom, int result, int expected, const char *words)
{
    if (result != expected || (words != NULL && strstr(rom->error, words) == NULL))
        fail_msg("result %d instead of %d: %s", result, expected, rom->error);
}

static void expect_ok(const struct gw_rom *rom, int result)
{
    expect(rom, result, GW_ROM_OK, NULL);
}

static void test_all_commands(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct gw_rom rom;
        struct rig *rig = rom_rig(&ways[w], &rom);
        struct gw_rom_options options;
        uint8_t wrote[1000], back[1000];
        uint32_t address = fota_sector_base(SLOT_B_SECTOR) + 4u;

        expect_ok(&rom, gw_rom_enter(&rom));
        assert_int_equal(rom.version, ways[w].rom == BOARD_ROM_V91 ? FOTA_ST_V91 : FOTA_ST_V31);
        assert_false(rom.protected);
        expect_ok(&rom, gw_rom_x32(&rom));
        for (unsigned i = 0; i < sizeof wrote; i++)
            wrote[i] = (uint8_t) (i * 7u + 3u);
        expect_ok(&rom, gw_rom_erase(&rom, SLOT_B_SECTOR));
        expect_ok(&rom, gw_rom_write(&rom, address, wrote, sizeof wrote));
        expect_ok(&rom, gw_rom_read(&rom, address, back, sizeof back));
        assert_memory_equal(wrote, back, sizeof back);
        (void) board_read(rig->board, address, back, sizeof back);
        assert_memory_equal(wrote, back, sizeof back);

        expect_ok(&rom, gw_rom_write_protect(&rom, 1u << 0 | 1u << SLOT_B_SECTOR));
        expect_ok(&rom, gw_rom_options(&rom, &options));
        assert_int_equal(options.write, 0x0FFFu & ~(1u << 0 | 1u << SLOT_B_SECTOR));
        expect(&rom, gw_rom_erase(&rom, SLOT_B_SECTOR), GW_ROM_E_VERIFY, "is it write-protected?");
        expect_ok(&rom, gw_rom_write_unprotect(&rom));
        expect_ok(&rom, gw_rom_erase(&rom, SLOT_B_SECTOR));

        options.user &= (uint8_t) ~0x0Cu; /* BOR level 3 */
        options.write = 0x0FFEu;
        expect_ok(&rom, gw_rom_set_options(&rom, &options));
        options.rdp = 0xCC;
        expect(&rom, gw_rom_set_options(&rom, &options), GW_ROM_E_ARGUMENT, "level 2");

        expect_ok(&rom, gw_rom_readout_protect(&rom));
        assert_true(rom.protected);
        expect(&rom, gw_rom_read(&rom, FOTA_BOOT_BASE, back, 4), GW_ROM_E_PROTECTED, "RDP level 1");
        expect(&rom, gw_rom_write(&rom, address, wrote, 4), GW_ROM_E_PROTECTED, "RDP level 1");
        expect(&rom, gw_rom_erase(&rom, 5), GW_ROM_E_PROTECTED, "RDP level 1");
        expect_ok(&rom, gw_rom_leave(&rom));
        assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND)); /* it still runs */

        expect_ok(&rom, gw_rom_enter(&rom));
        expect_ok(&rom, gw_rom_readout_unprotect(&rom));
        assert_false(rom.protected);
        expect_ok(&rom, gw_rom_read(&rom, FOTA_BOOT_BASE, back, 4));
        assert_memory_equal(back, "\xff\xff\xff\xff", 4);
        expect_ok(&rom, gw_rom_leave(&rom));
        rig_destroy(rig);
    }
}

/* Go: the bootloader starts from the ROM without a reset, and the application after it. */
static void test_go(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct gw_rom rom;
        struct rig *rig = rom_rig(&ways[w], &rom);

        expect_ok(&rom, gw_rom_enter(&rom));
        expect_ok(&rom, gw_rom_go(&rom, FOTA_BOOT_BASE));
        board_uart_format(rig->board, 3, BOARD_UART_FITS);
        assert_true(rig_run_until(rig, "hello 1.0.0", 3u * RIG_SECOND));
        assert_int_equal(board_rule_violations(rig->board), 0);
        rig_destroy(rig);
    }
}

/* Each part of each command refused once: it is repeated, and what is written is right. */
static void test_refusals_are_survived(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++)
        for (unsigned skip = 0; skip < 12u; skip++) {
            struct gw_rom rom;
            struct rig *rig = rom_rig(&ways[w], &rom);
            uint8_t wrote[512], back[512] = {0};
            int result;

            expect_ok(&rom, gw_rom_enter(&rom));
            expect_ok(&rom, gw_rom_x32(&rom));
            memset(wrote, 0x5A, sizeof wrote);
            board_rom_nack(rig->board, skip, 1);
            result = gw_rom_erase(&rom, 2);
            if (result == GW_ROM_OK)
                result = gw_rom_write(&rom, fota_sector_base(2), wrote, sizeof wrote);
            if (result == GW_ROM_OK)
                result = gw_rom_read(&rom, fota_sector_base(2), back, sizeof back);
            if (result != GW_ROM_OK || memcmp(wrote, back, sizeof back) != 0)
                fail_msg("%s, refusal %u: %s", ways[w].name, skip, rom.error);
            rig_destroy(rig);
        }
}

/* One that goes on is reported: command, address, what was seen. */
static void test_errors_say_what_was_seen(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct gw_rom rom;
        struct rig *rig = rom_rig(&ways[w], &rom);
        uint8_t word[4];

        expect_ok(&rom, gw_rom_enter(&rom));
        expect(&rom, gw_rom_read(&rom, 0x40000000u, word, 4), GW_ROM_E_REFUSED,
               "Read Memory (11) at 0x40000000: the ROM refused the address (NACK)");
        expect(&rom, gw_rom_write(&rom, 0x08000002u, word, 4), GW_ROM_E_ARGUMENT, "not in whole words");
        expect(&rom, gw_rom_erase(&rom, 12), GW_ROM_E_ARGUMENT, "no sector 12");
        board_rom_mute(rig->board, true);
        expect(&rom, gw_rom_read(&rom, FOTA_BOOT_BASE, word, 4), GW_ROM_E_TIMEOUT,
               "Read Memory (11) at 0x08000000: no acknowledgement of the command within");
        expect(&rom, gw_rom_enter(&rom), GW_ROM_E_SILENT, "does not answer");
        rig_destroy(rig);
    }
}

static void test_early_acknowledgement(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct gw_rom rom;
        struct rig *rig = rom_rig(&ways[w], &rom);
        uint8_t block[256];

        expect_ok(&rom, gw_rom_enter(&rom));
        memset(block, 0x11, sizeof block);
        expect_ok(&rom, gw_rom_write(&rom, fota_sector_base(SLOT_B_SECTOR) + 0x1F000u, block, sizeof block));
        board_rom_early_ack(rig->board, true);
        expect_ok(&rom, gw_rom_erase(&rom, SLOT_B_SECTOR));
        (void) board_read(rig->board, fota_sector_base(SLOT_B_SECTOR) + 0x1F000u, block, 4);
        assert_memory_equal(block, "\xff\xff\xff\xff", 4);
        rig_destroy(rig);
    }
}

static void test_boot0_is_not_wired(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct gw_rom rom;
        struct rig *rig = rom_rig(&ways[w], &rom);

        rig->options.no_boot0 = true;
        expect(&rom, gw_rom_enter(&rom), GW_ROM_E_NOT_ROM, "BOOT0 does not reach the chip");
        expect_ok(&rom, gw_rom_leave(&rom));
        rig_destroy(rig);
    }
}

static void test_spi_trouble(void **state)
{
    static const struct way old = {"SPI, V3.1", SPI_HZ, BOARD_ROM_V31};
    struct gw_rom rom;
    struct rig *rig = rom_rig(&old, &rom);

    (void) state;
    expect(&rom, gw_rom_enter(&rom), GW_ROM_E_SILENT, "V3.1 has no SPI");
    rig_destroy(rig);

    rig = rom_rig(&ways[2], &rom);
    rom.port.gap_ns = 2000; /* the chip needs 15 µs */
    expect(&rom, gw_rom_enter(&rom), GW_ROM_E_TIMEOUT, "the gap between bytes");
    expect_ok(&rom, gw_rom_leave(&rom));
    rom.port.gap_ns = FOTA_ST_SPI_GAP_NS;
    expect_ok(&rom, gw_rom_enter(&rom));
    expect_ok(&rom, gw_rom_leave(&rom));
    rom.port.spi_hz = 18000000; /* too fast */
    expect(&rom, gw_rom_enter(&rom), GW_ROM_E_SILENT, NULL);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_commands),          cmocka_unit_test(test_go),
        cmocka_unit_test(test_refusals_are_survived), cmocka_unit_test(test_errors_say_what_was_seen),
        cmocka_unit_test(test_early_acknowledgement), cmocka_unit_test(test_boot0_is_not_wired),
        cmocka_unit_test(test_spi_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
