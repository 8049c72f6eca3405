/* SPDX-License-Identifier: MIT */
/* Update, provision and rescue through ST's ROM: the board's model of it, then the real bootloader and applications. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SPI_HZ 8000000u

static const uint32_t wires[] = {0, SPI_HZ}; /* 0: UART */

static struct rig *new_rig(uint32_t spi_hz)
{
    struct rig_options options = {.spi_hz = spi_hz};

    board_options_default(&options.board);
    return rig_create(&options);
}

static void expect(const struct gw_rom *rom, int error, int expected, const char *words)
{
    if (error != expected || (words != NULL && strstr(rom->error, words) == NULL))
        fail_msg("%s instead of %s: %s", fota_error_name(error), fota_error_name(expected), rom->error);
}

static void enter(struct rig *rig, struct gw_rom *rom)
{
    rig_rom(rig, rom);
    if (gw_rom_enter(rom) != GW_ROM_OK || gw_rom_x32(rom) != GW_ROM_OK)
        fail_msg("the ROM: %s", rom->error);
}

/* @return what gw_rom_update() said; the chip is out of the ROM again. */
static int update(struct rig *rig, struct gw_rom *rom, const struct pack_buffer *package, struct gw_rom_image *image)
{
    static struct gw_rom_survey survey;
    int error;

    enter(rig, rom);
    *image = rig_image(package);
    error = gw_rom_update(rom, &survey, image);
    assert_int_equal(gw_rom_leave(rom), GW_ROM_OK);
    return error;
}

static void test_update_there_and_back(void **state)
{
    (void) state;
    for (unsigned w = 0; w < sizeof wires / sizeof wires[0]; w++) {
        struct rig *rig = new_rig(wires[w]);
        struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL), bad = rig_package(rig, "hello-1.2.0", NULL);
        struct gw_rom_image image;
        struct gw_rom rom;

        rig_factory(rig);
        expect(&rom, update(rig, &rom, &next, &image), FOTA_OK, NULL);
        assert_int_equal(image.slot, FOTA_SLOT_B);
        assert_int_equal(rig_watch(rig, &next, image.slot), GW_PUSH_CONFIRMED);
        expect(&rom, update(rig, &rom, &bad, &image), FOTA_OK, NULL);
        assert_int_equal(image.slot, FOTA_SLOT_A);
        assert_int_equal(rig_watch(rig, &bad, image.slot), GW_PUSH_ROLLED_BACK);
        assert_string_equal(rig->push.reason, "deadline");
        expect(&rom, update(rig, &rom, &bad, &image), FOTA_E_REJECTED, "rejected by the device before");
        pack_buffer_free(&next);
        pack_buffer_free(&bad);
        rig_destroy(rig);
    }
}

/* Refused before anything is erased. */
static void test_refusals(void **state)
{
    struct rig *rig = new_rig(SPI_HZ);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL), bad = rig_package(rig, "hello-1.2.0", NULL);
    struct gw_rom_image image;
    struct gw_rom rom;
    uint64_t work;

    (void) state;
    rig_factory(rig);
    work = rig_slot_work(rig, FOTA_SLOT_B);
    next.data[100] ^= 1u;
    expect(&rom, update(rig, &rom, &next, &image), FOTA_E_SIGNATURE, "does not take this image");
    next.data[100] ^= 1u;
    assert_int_equal(rig_slot_work(rig, FOTA_SLOT_B), work);

    /* on trial: nothing is written, and the trial goes on (one attempt is spent by the reset) */
    expect(&rom, update(rig, &rom, &bad, &image), FOTA_OK, NULL);
    assert_true(rig_run_until(rig, "hello 1.2.0 in slot B, trial 1", 5u * RIG_SECOND));
    work = rig_slot_work(rig, FOTA_SLOT_A) + rig_slot_work(rig, FOTA_SLOT_B);
    expect(&rom, update(rig, &rom, &next, &image), FOTA_E_BUSY, "a trial is under way");
    assert_int_equal(rig_slot_work(rig, FOTA_SLOT_A) + rig_slot_work(rig, FOTA_SLOT_B), work);
    pack_buffer_free(&next);
    pack_buffer_free(&bad);
    rig_destroy(rig);
}

static unsigned left_to_do;

static bool stop_soon(void *ctx)
{
    (void) ctx;
    return left_to_do == 0 || --left_to_do == 0;
}

/* Stopped after any number of commands the old image is in charge, and the next time goes on. */
static void test_resume(void **state)
{
    struct rig *rig = new_rig(SPI_HZ);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    static struct gw_rom_survey survey;
    struct gw_rom_image image;
    struct gw_rom rom;
    unsigned stops = 0, resumed = 0;
    int error = FOTA_E_IO;

    (void) state;
    rig_factory(rig);
    for (unsigned i = 1; error != FOTA_OK && i < 40u; i++) {
        enter(rig, &rom);
        left_to_do = 700u + 130u * i;
        rom.port.stop = stop_soon;
        image = rig_image(&next);
        error = gw_rom_update(&rom, &survey, &image);
        if (error != FOTA_OK) {
            expect(&rom, error, FOTA_E_IO, "cancelled");
            stops++;
        }
        resumed += image.slot != FOTA_SLOT_NONE && image.resumed_at > 0;
        rom.port.stop = NULL;
        assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
        if (error != FOTA_OK)
            assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
    }
    assert_int_equal(error, FOTA_OK);
    assert_true(stops > 2u && resumed > 0);
    assert_int_equal(rig_watch(rig, &next, image.slot), GW_PUSH_CONFIRMED);
    pack_buffer_free(&next);
    rig_destroy(rig);
}

static void test_write_protected_slot(void **state)
{
    struct rig *rig = new_rig(SPI_HZ);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    struct gw_rom_image image;
    struct gw_rom rom;

    (void) state;
    rig_factory(rig);
    enter(rig, &rom);
    assert_int_equal(gw_rom_write_protect(&rom, 1u << 7), GW_ROM_OK);
    expect(&rom, update(rig, &rom, &next, &image), FOTA_E_CRC, "write-protected");
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
    pack_buffer_free(&next);
    rig_destroy(rig);
}

/* --- provision and rescue --------------------------------------------------------------------------------------- */

/* The configured bootloader, from a rig that has it in its flash. */
static void boot_image(uint32_t spi_hz, uint8_t boot[FOTA_BOOT_SIZE])
{
    struct rig *rig = new_rig(spi_hz);

    rig_program(rig, NULL);
    assert_true(board_read(rig->board, FOTA_BOOT_BASE, boot, FOTA_BOOT_SIZE));
    rig_destroy(rig);
}

static void test_provision(void **state)
{
    static uint8_t boot[FOTA_BOOT_SIZE];

    (void) state;
    for (unsigned w = 0; w < sizeof wires / sizeof wires[0]; w++) {
        struct rig *rig = new_rig(wires[w]);
        struct pack_buffer first = rig_package(rig, "hello-1.0.0", NULL), next = rig_package(rig, "hello-1.1.0", NULL);
        struct gw_rom_image image = rig_image(&first);
        struct gw_rom_provision what = {.boot = boot, .image = &image};
        struct gw_rom_options options;
        struct fota_link_info info;
        struct gw_rom rom;

        boot_image(wires[w], boot);
        board_power(rig->board, true);
        enter(rig, &rom);
        expect(&rom, gw_rom_provision(&rom, &what), FOTA_OK, NULL);
        assert_int_equal(gw_rom_options(&rom, &options), GW_ROM_OK);
        assert_int_equal(options.write, 0x0FFE);
        assert_int_equal(options.user & 0x0Cu, 0);
        assert_int_equal(options.rdp, 0xAA);
        assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
        assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
        assert_true(rig_query(rig, &info));
        assert_int_equal(info.confirmed_slot, FOTA_SLOT_A);
        assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED);

        enter(rig, &rom);
        expect(&rom, gw_rom_provision(&rom, &what), FOTA_E_STATE, "fota is on this chip already");
        what.force = what.protect = true;
        image = rig_image(&first);
        expect(&rom, gw_rom_provision(&rom, &what), FOTA_OK, NULL);
        assert_true(rom.protected);
        expect(&rom, gw_rom_provision(&rom, &what), FOTA_E_STATE, "are lost");
        assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
        assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));
        assert_int_equal(rig_update(rig, &next, false), GW_PUSH_CONFIRMED); /* the link still works */
        pack_buffer_free(&first);
        pack_buffer_free(&next);
        rig_destroy(rig);
    }
}

static void ruin(struct rig *rig, uint32_t address, uint32_t length)
{
    static uint8_t junk[FOTA_KIB(128)];

    for (uint32_t i = 0; i < length; i++)
        junk[i] = (uint8_t) (i * 29u + 7u);
    assert_true(board_flash_load(rig->board, address, junk, length));
}

static void test_rescue(void **state)
{
    static uint8_t boot[FOTA_BOOT_SIZE];
    struct rig *rig = new_rig(SPI_HZ);
    struct pack_buffer next = rig_package(rig, "hello-1.1.0", NULL);
    struct gw_rom_image image = rig_image(&next);
    struct gw_rom_provision what = {.boot = boot};
    struct gw_rom_rescue found;
    struct gw_rom rom;

    (void) state;
    boot_image(SPI_HZ, boot);
    rig_factory(rig);

    ruin(rig, FOTA_BOOT_BASE, FOTA_BOOT_SIZE); /* journal and image are kept */
    enter(rig, &rom);
    expect(&rom, gw_rom_rescue(&rom, &what, &found), FOTA_OK, NULL);
    assert_true(!found.boot_kept && found.journal_kept && found.good_slots == 1u && !found.image_written);
    assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 3u * RIG_SECOND));

    ruin(rig, fota_sector_base(10), FOTA_KIB(128)); /* the bootloader finds the image again, and tries it */
    ruin(rig, fota_sector_base(11), FOTA_KIB(128));
    enter(rig, &rom);
    expect(&rom, gw_rom_rescue(&rom, &what, &found), FOTA_OK, NULL);
    assert_true(found.boot_kept && !found.journal_kept && found.good_slots == 1u);
    assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 20u * RIG_SECOND));

    ruin(rig, FOTA_SLOT_A_BASE, FOTA_KIB(64)); /* nothing is left */
    enter(rig, &rom);
    expect(&rom, gw_rom_rescue(&rom, &what, &found), FOTA_E_NO_IMAGE, "give a package");
    what.image = &image;
    expect(&rom, gw_rom_rescue(&rom, &what, &found), FOTA_OK, NULL);
    assert_true(found.image_written);
    assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
    assert_true(rig_run_until(rig, "hello 1.1.0 in slot A, confirmed", 20u * RIG_SECOND));
    pack_buffer_free(&next);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_there_and_back), cmocka_unit_test(test_refusals),  cmocka_unit_test(test_resume),
        cmocka_unit_test(test_write_protected_slot),  cmocka_unit_test(test_provision), cmocka_unit_test(test_rescue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
