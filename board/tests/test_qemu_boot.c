/* SPDX-License-Identifier: MIT */
/**
 * @file test_qemu_boot.c
 * The bootloader's way from reset to the application in QEMU, on a flash that the virtual board has brought to the
 * state of a device in the field (image signed and confirmed). QEMU has no unique id, so the unmodified binary ends in
 * a fault before the jump; the first test shows that. With one address in it changed, and not one instruction, it gets
 * there: the unique id is read from flash. Nothing is received, since QEMU has no DMA either: its registers read 0.
 */
#include "qemu.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNIQUE_ID 0x1FFF7A10u

/** The flash of a device whose application has confirmed itself. To be freed. */
static uint8_t *field_flash(uint32_t vectors[2])
{
    struct rig *rig = rig_create(NULL);
    uint8_t *flash = malloc(FOTA_FLASH_SIZE);
    assert_non_null(flash);
    rig_factory(rig);
    board_power(rig->board, false);
    memcpy(flash, board_flash(rig->board), FOTA_FLASH_SIZE);
    assert_true(board_read(rig->board, fota_slot_code(FOTA_SLOT_A), vectors, 8));
    rig_destroy(rig);
    return flash;
}

/** Replace each word of the bootloader that is an address. @return how many there were. */
static unsigned replace(uint8_t *flash, uint32_t from, uint32_t to)
{
    unsigned n = 0;
    for (uint32_t at = 0; at < FOTA_KIB(16) - 256u; at += 4)
        if (memcmp(flash + at, &from, 4) == 0) {
            memcpy(flash + at, &to, 4);
            n++;
        }
    return n;
}

/** QEMU writes the registers when it executes the block at the application's entry. */
static char *trace_entry(const uint8_t *flash, uint32_t entry, const char *until, int ms)
{
    char filter[40];
    snprintf(filter, sizeof filter, "0x%x+0x2", (unsigned) (entry & ~1u));
    const char *more[] = {"-d", "exec,cpu,nochain", "-dfilter", filter, NULL};
    return qemu_run(flash, more, until, ms);
}

static void test_unmodified_does_not_arrive(void **state)
{
    uint32_t vectors[2];
    const char *more[] = {"-d", "int", NULL};
    (void) state;
    qemu_or_skip();
    uint8_t *flash = field_flash(vectors);
    char *log = qemu_run(flash, more, "BFSR.PRECISERR", 20000);
    if (!strstr(log, "with CFSR.PRECISERR and BFAR 0x1fff7a"))
        fail_msg("expected the fault of the unique id, got: %.400s", log);
    free(log);
    free(flash);
}

static void test_boot_and_jump(void **state)
{
    uint32_t vectors[2];
    char want[32];
    (void) state;
    qemu_or_skip();
    uint8_t *flash = field_flash(vectors);
    assert_int_equal(replace(flash, UNIQUE_ID, FOTA_FLASH_BASE), 1);
    char *log = trace_entry(flash, vectors[1], "XPSR=", 60000);
    if (!strstr(log, "XPSR="))
        fail_msg("the application's first instruction was not executed: %.400s", log);
    snprintf(want, sizeof want, "R13=%08x", (unsigned) vectors[0]);
    if (!strstr(log, want))
        fail_msg("no %s (the application's stack) in: %.600s", want, log);
    free(log);

    flash[fota_slot_code(FOTA_SLOT_A) - FOTA_FLASH_BASE + 1000] ^= 1; /* one bit: the signature is wrong */
    log = trace_entry(flash, vectors[1], "XPSR=", 15000);
    assert_null(strstr(log, "XPSR="));
    free(log);
    free(flash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unmodified_does_not_arrive),
                                       cmocka_unit_test(test_boot_and_jump)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
