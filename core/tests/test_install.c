/* SPDX-License-Identifier: MIT */
#include "fota/install.h"

#include "support/cmocka_all.h"
#include "support/device.h"
#include "support/journal_help.h"
#include "support/sign.h"

#include <string.h>

#define SIZE_A 20000u
#define SIZE_B 60000u

static struct ram_flash flash;
static struct device device;
static struct test_image a, b;
static struct fota_installer *in = &device.installer;

static void reset(void)
{
    (void) device_reset(&device, FOTA_RESET_OTHER);
    assert_int_equal(device.error, FOTA_OK);
}

/* A device that has confirmed image a in slot A; image b is new. */
static int setup(void **state)
{
    (void) state;
    ram_flash_init(&flash);
    device_init(&device, &flash);
    test_image_make(&a, SIZE_A, 1, 5);
    test_image_make(&b, SIZE_B, 2, 5);
    flash_image(&flash, &a, 0);
    reset();
    assert_int_equal(device_jump(&device), 0);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    reset();
    return 0;
}

static unsigned slot_erases(void)
{
    unsigned count = 0;

    for (unsigned sector = 1; sector <= 9u; sector++)
        count += flash.erases[sector];
    return count;
}

static int begin(void)
{
    return fota_install_begin(in, b.raw, false);
}

static int write(uint32_t length)
{
    return fota_install_write(in, in->next, b.code[in->slot == FOTA_SLOT_B] + in->next, length);
}

/* --- begin -------------------------------------------------------------------------------------------------- */

static void begin_refuses_before_anything_is_touched(void **state)
{
    uint64_t ops = flash.ops;

    (void) state;
    struct test_image good = b;
#define REFUSED(change, seal, error)                                                                                   \
    do {                                                                                                               \
        change;                                                                                                        \
        if (seal)                                                                                                      \
            test_image_seal(&b);                                                                                       \
        assert_int_equal(begin(), error);                                                                              \
        assert_int_equal(in->state, FOTA_INSTALL_IDLE);                                                                \
        assert_int_equal(in->slot, FOTA_SLOT_NONE);                                                                    \
        assert_int_equal(flash.ops, ops);                                                                              \
        assert_int_equal(write(4), FOTA_E_STATE);                                                                      \
        b = good;                                                                                                      \
    } while (0)
    REFUSED(b.raw[0] = 'f', false, FOTA_E_MAGIC);
    REFUSED(b.raw[4] = 2, false, FOTA_E_FORMAT);
    REFUSED(b.header.flags = 1, true, FOTA_E_FLAGS);
    REFUSED(b.header.image_size = 4, true, FOTA_E_SIZE);
    REFUSED(b.header.image_size = FOTA_CODE_MAX + 4u, true, FOTA_E_SIZE);
    REFUSED(b.header.link_address += 512u, true, FOTA_E_LINK_ADDRESS);
    REFUSED(b.header.deadline_ms = 999, true, FOTA_E_DEADLINE_RANGE);
    REFUSED(b.header.product[15] ^= 1, true, FOTA_E_PRODUCT);
    REFUSED(b.header.hw_min = 4, true, FOTA_E_HW_REVISION);
    REFUSED(b.header.hw_max = 2, true, FOTA_E_HW_REVISION);
    REFUSED(b.header.counter = 4, true, FOTA_E_FLOOR);
    REFUSED(b.key = 1, true, FOTA_E_KEY);
    REFUSED(b.raw[500] ^= 1, false, FOTA_E_SIGNATURE);
    REFUSED(b.raw[200] ^= 1, false, FOTA_E_SIGNATURE);
#undef REFUSED
    in->target.floor = 6; /* built in, above the journal's */
    assert_int_equal(begin(), FOTA_E_FLOOR);
    in->target.floor = 5;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->slot, FOTA_SLOT_B);
    assert_int_equal(in->next, 0);
    assert_int_equal(slot_erases(), 0); /* not even now */
}

static void begin_is_busy_during_a_trial(void **state)
{
    (void) state;
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    for (unsigned attempt = 0; attempt < 3u; attempt++) {
        assert_int_equal(device_jump(&device), 1);
        /* the agent's installer, and after a reset the bootloader's */
        fota_install_init(in, &device.journal, &device.target, &device.key, 1, 1);
        uint64_t ops = flash.ops;
        b.header.version.patch = 99;
        test_image_seal(&b);
        assert_int_equal(begin(), FOTA_E_BUSY);
        assert_int_equal(fota_install_begin(in, a.raw, true), FOTA_E_BUSY);
        assert_int_equal(flash.ops, ops);
        reset();
        assert_int_equal(begin(), attempt < 2u ? FOTA_E_BUSY : FOTA_OK); /* at last it is rejected */
    }
}

static void begin_of_a_rejected_image(void **state)
{
    (void) state;
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    assert_int_equal(device_jump(&device), 1);
    (void) device_reset(&device, FOTA_RESET_DEADLINE);
    assert_int_equal(begin(), FOTA_E_REJECTED);
    assert_int_equal(in->state, FOTA_INSTALL_IDLE);
    reset();
    assert_int_equal(begin(), FOTA_E_REJECTED);
    assert_int_equal(fota_install_begin(in, b.raw, true), FOTA_OK); /* an operator asks for it */
    assert_int_equal(in->next, 0);
    assert_int_equal(begin(), FOTA_OK); /* and it stays allowed */
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    assert_int_equal(device.decision.slot, 1);
}

static void begin_of_what_is_pending(void **state)
{
    uint64_t ops;

    (void) state;
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    assert_int_equal(fota_install_finish(in), FOTA_OK); /* again */
    reset();
    ops = flash.ops;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->state, FOTA_INSTALL_COMPLETE);
    assert_int_equal(in->next, SIZE_B);
    assert_int_equal(fota_install_finish(in), FOTA_OK);
    assert_int_equal(write(4), FOTA_E_STATE);
    assert_int_equal(flash.ops, ops);
    /* another image takes its place: not pending any more from here on */
    b.header.version.patch = 50;
    test_image_seal(&b);
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->slot, FOTA_SLOT_B);
    reset();
    assert_int_equal(device.decision.slot, 0);
    assert_int_equal(device.decision.reject, FOTA_SLOT_NONE);
}

/* --- write -------------------------------------------------------------------------------------------------- */

static void write_bounds(void **state)
{
    (void) state;
    assert_int_equal(fota_install_write(in, 0, b.code[1], 4), FOTA_E_STATE);
    assert_int_equal(fota_install_finish(in), FOTA_E_STATE);
    assert_int_equal(begin(), FOTA_OK);
    uint64_t ops = flash.ops;
    assert_int_equal(fota_install_write(in, 4, b.code[1], 4), FOTA_E_OFFSET);
    assert_int_equal(fota_install_write(in, UINT32_MAX, b.code[1], 4), FOTA_E_OFFSET);
    assert_int_equal(write(0), FOTA_E_ARGUMENT);
    assert_int_equal(write(1), FOTA_E_ARGUMENT);
    assert_int_equal(write(6), FOTA_E_ARGUMENT);
    assert_int_equal(write(SIZE_B + 4u), FOTA_E_ARGUMENT);
    assert_int_equal(write(UINT32_MAX - 3u), FOTA_E_ARGUMENT);
    assert_int_equal(flash.ops, ops);
    assert_int_equal(write(4), FOTA_OK);
    assert_int_equal(in->next, 4);
    assert_int_equal(fota_install_write(in, 0, b.code[1], 4), FOTA_E_OFFSET); /* a repetition */
    assert_int_equal(fota_install_finish(in), FOTA_E_INCOMPLETE);
    assert_int_equal(write(SIZE_B - 8u), FOTA_OK);
    assert_int_equal(fota_install_finish(in), FOTA_E_INCOMPLETE);
    assert_int_equal(write(8), FOTA_E_ARGUMENT);
    assert_int_equal(write(4), FOTA_OK);
    assert_int_equal(write(4), FOTA_E_ARGUMENT);
    assert_int_equal(fota_install_finish(in), FOTA_OK);
    assert_memory_equal(ram_flash_at(&flash, 0x08060000), b.raw, 512);
    assert_memory_equal(ram_flash_at(&flash, 0x08060200), b.code[1], SIZE_B);
    assert_int_equal(flash.conflicts, 0);
}

/* Only what the image needs is erased, and not before a byte for it comes. */
static void sectors(void **state)
{
    (void) state;
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    assert_int_equal(flash.erases[7], 1);
    assert_int_equal(slot_erases(), 1);
    reset();
    assert_int_equal(device_jump(&device), 1);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    reset();
    test_image_make(&a, SIZE_B, 3, 5); /* now into slot A: sectors 1, 2, 3 of 16 KiB, then 4 */
    b = a;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->slot, FOTA_SLOT_A);
    for (unsigned sector = 1; sector <= 4u; sector++) {
        uint32_t start = sector == 1u ? 0 : fota_sector_base(sector) - 0x08004200u;

        if (start > in->next)
            assert_int_equal(write(start - in->next), FOTA_OK);
        assert_int_equal(flash.erases[sector], 0);
        assert_int_equal(write(4), FOTA_OK);
        assert_int_equal(flash.erases[sector], 1);
    }
    assert_int_equal(flash.erases[5], 0);
    assert_int_equal(slot_erases(), 5);
    assert_int_equal(flash.conflicts, 0);
}

static void the_largest_image_fits(void **state)
{
    static struct test_image large;

    (void) state;
    test_image_make(&large, FOTA_CODE_MAX, 7, 5);
    assert_int_equal(device_install(&device, &large, 2048, UINT32_MAX), FOTA_OK);
    assert_int_equal(flash.erases[9], 1);
    assert_int_equal(flash.erases[10], 1); /* of maintain, in the beginning */
    reset();
    assert_int_equal(device_jump(&device), 1);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    large.header.version.patch = 8;
    test_image_seal(&large);
    reset();
    assert_int_equal(device_install(&device, &large, 2048, UINT32_MAX), FOTA_OK);
    for (unsigned sector = 1; sector <= 9u; sector++)
        assert_int_equal(flash.erases[sector], 1);
    reset();
    assert_int_equal(device.decision.slot, 0);
    assert_int_equal(device.decision.attempt, 1);
    assert_int_equal(flash.conflicts, 0);
}

/* --- resume ------------------------------------------------------------------------------------------------- */

static void resume_from_the_last_record(void **state)
{
    (void) state;
    assert_int_equal(device_install(&device, &b, 1000, 40000), FOTA_OK);
    assert_int_equal(in->next, 40000);
    fota_install_abort(in);
    assert_int_equal(write(4), FOTA_E_STATE);
    reset();
    assert_int_equal(device.decision.slot, 0);
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->next, 33000); /* the first chunk's end beyond 32 KiB */
    unsigned erases = slot_erases();
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    assert_int_equal(slot_erases(), erases); /* nothing twice */
    assert_int_equal(flash.conflicts, 0);
    reset();
    assert_int_equal(device.decision.slot, 1);
}

static void another_image_starts_anew(void **state)
{
    (void) state;
    assert_int_equal(device_install(&device, &b, 1000, 40000), FOTA_OK);
    b.header.version.build++;
    test_image_seal(&b);
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->next, 0);
    assert_int_equal(write(2048), FOTA_OK);
    assert_int_equal(flash.erases[7], 2);
    assert_int_equal(flash.conflicts, 0);
}

/* The same image under another signature is the same image. */
static void another_signature_resumes(void **state)
{
    struct fota_key keys[2];

    (void) state;
    assert_int_equal(device_install(&device, &b, 1000, 40000), FOTA_OK);
    test_key(0, &keys[0]);
    uint8_t other = b.raw[450];
    /* (r, n - s) is as good as (r, s), and needs no other random number */
    static const uint8_t n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    unsigned borrow = 0;
    for (int i = 31; i >= 0; i--) {
        unsigned minus = b.raw[480 + i] + borrow;

        borrow = n[i] < minus;
        b.raw[480 + i] = (uint8_t) (n[i] - minus);
    }
    assert_int_equal(other, b.raw[450]);
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->next, 33000);
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    assert_memory_equal(ram_flash_at(&flash, 0x08060000), b.raw, 512);
}

/* --- finish ------------------------------------------------------------------------------------------------- */

static void expect_void(int error)
{
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), error);
    assert_int_equal(in->state, FOTA_INSTALL_IDLE);
    assert_int_equal(fota_install_finish(in), FOTA_E_STATE);
    assert_int_equal(device.journal.state.install.slot, FOTA_SLOT_NONE);
    assert_int_not_equal(*ram_flash_at(&flash, 0x08060000), 'F'); /* no header was written */
    reset();
    assert_int_equal(device.decision.slot, 0);
    assert_int_equal(device.decision.attempt, 0);
    assert_int_equal(begin(), FOTA_OK); /* and it starts anew */
    assert_int_equal(in->next, 0);
    assert_int_equal(device.journal.state.erased, 0);
}

static void finish_refuses(void **state)
{
    struct test_image good = b;

    (void) state;
    b.code[1][SIZE_B - 1u] ^= 1;
    expect_void(FOTA_E_CRC);
    b = good;
    b.header.sha256[1][0] ^= 1;
    test_image_seal(&b);
    expect_void(FOTA_E_HASH);
    b = good;
    b.code[1][0] ^= 4;
    test_image_digest(&b);
    expect_void(FOTA_E_VECTORS);
    b = good;
    b.header.crc[1] ^= 1;
    test_image_seal(&b);
    expect_void(FOTA_E_CRC);
    b = good;
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    assert_int_equal(flash.conflicts, 0);
}

/* Header before journal: with no room for `pending` the image waits, and nothing is lost. */
/* In steps, as the agent does it: an erase before its bytes come, the hash while they come. */
static void in_steps(void **state)
{
    struct fota_slot_hash hash;
    unsigned erases = 0;

    (void) state;
    assert_int_equal(fota_install_erases(in, 4), 0); /* nothing under way */
    assert_int_equal(begin(), FOTA_OK);
    fota_slot_hash_begin(&hash, true);
    assert_int_equal(fota_install_conclude(in, &hash), FOTA_E_INCOMPLETE);
    assert_int_equal(fota_install_erases(in, 0), 0);
    assert_int_equal(fota_install_erases(in, SIZE_B + 4u), 0); /* beyond the image */
    while (in->next < SIZE_B) {
        uint32_t length = SIZE_B - in->next < 1000u ? SIZE_B - in->next : 1000u;
        unsigned sector = fota_install_erases(in, length);

        if (sector != 0) {
            assert_int_equal(flash.erases[sector], erases);
            assert_int_equal(fota_install_erase(in, sector), FOTA_OK);
            assert_int_equal(flash.erases[sector], 1);
            assert_int_equal(fota_install_erases(in, length), 0);
        }
        assert_int_equal(write(length), FOTA_OK);
        assert_int_equal(fota_slot_hash_step(&hash, &flash.port, in->slot, in->next, 256), FOTA_OK);
    }
    assert_int_equal(slot_erases(), 1);                                    /* all of it lies in sector 7 */
    assert_int_equal(fota_install_conclude(in, &hash), FOTA_E_INCOMPLETE); /* not all of it was hashed: void */
    assert_int_equal(in->state, FOTA_INSTALL_IDLE);
}

/* The same, with the hash whole: pending; a wrong one voids the install. */
static void concluded(void **state)
{
    struct fota_slot_hash hash;

    (void) state;
    for (unsigned wrong = 0; wrong < 2u; wrong++) {
        assert_int_equal(begin(), FOTA_OK);
        while (in->next < SIZE_B)
            assert_int_equal(write(SIZE_B - in->next < 2000u ? SIZE_B - in->next : 2000u), FOTA_OK);
        fota_slot_hash_begin(&hash, true);
        while (hash.done < SIZE_B)
            assert_int_equal(fota_slot_hash_step(&hash, &flash.port, in->slot, SIZE_B, 300), FOTA_OK);
        hash.crc ^= wrong == 0;
        assert_int_equal(fota_install_conclude(in, &hash), wrong == 0 ? FOTA_E_CRC : FOTA_OK);
        assert_int_equal(in->state, wrong == 0 ? FOTA_INSTALL_IDLE : FOTA_INSTALL_COMPLETE);
    }
    assert_int_equal(fota_install_conclude(in, &hash), FOTA_OK); /* again */
    assert_int_equal(device.journal.state.trial, FOTA_TRIAL_PENDING);
}

static void no_room_in_the_journal(void **state)
{
    struct fota_record filler = test_record(FOTA_RECORD_ALLOWED, 0xFF, 99, 0);

    (void) state;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(write(SIZE_B), FOTA_OK);
    while (fota_journal_append(&device.journal, &filler) == FOTA_OK)
        ;
    assert_int_equal(fota_install_finish(in), FOTA_E_JOURNAL_FULL);
    assert_int_equal(in->state, FOTA_INSTALL_RECEIVING);
    assert_int_equal(fota_install_begin(in, a.raw, false), FOTA_E_JOURNAL_FULL);
    assert_int_equal(in->state, FOTA_INSTALL_IDLE);
    reset(); /* the bootloader makes room */
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    assert_int_equal(device.decision.slot, 1);
    assert_int_equal(flash.conflicts, 0);
}

static void no_room_while_writing(void **state)
{
    struct fota_record filler = test_record(FOTA_RECORD_ALLOWED, 0xFF, 99, 0);

    (void) state;
    assert_int_equal(begin(), FOTA_OK);
    while (fota_journal_append(&device.journal, &filler) == FOTA_OK)
        ;
    assert_int_equal(write(4), FOTA_E_JOURNAL_FULL);
    assert_int_equal(slot_erases(), 0); /* not erased, as it could not be recorded */
    assert_int_equal(in->next, 0);
}

/* --- faults of the flash ------------------------------------------------------------------------------------ */

static void flash_faults(void **state)
{
    (void) state;
    assert_int_equal(begin(), FOTA_OK);
    flash.bad_sector[7] = true;
    assert_int_equal(write(2048), FOTA_E_FLASH);
    assert_int_equal(device.journal.state.erased, 0);
    flash.bad_sector[7] = false;
    assert_int_equal(write(2048), FOTA_OK); /* erased once more, not taken for erased */
    flash.supply_low = true;
    assert_int_equal(write(2048), FOTA_E_SUPPLY);
    flash.supply_low = false;
    assert_int_equal(in->state, FOTA_INSTALL_RECEIVING); /* waits for better times */
    flash.bad_from = fota_slot_code(1) + 3000u;
    flash.bad_to = flash.bad_from + 4u;
    assert_int_equal(write(2048), FOTA_E_FLASH);
    assert_int_equal(in->state, FOTA_INSTALL_IDLE);
    flash.bad_to = 0;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(in->next, 0);
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    assert_int_equal(device.decision.slot, 1);
}

/* Wrong bytes were written once (a gateway's fault): the install must not end in the same error for ever. */
static void wrong_bytes_do_not_stick(void **state)
{
    (void) state;
    assert_int_equal(begin(), FOTA_OK);
    assert_int_equal(fota_install_write(in, 0, b.code[0], 2048), FOTA_OK); /* of the other slot */
    reset();
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_E_FLASH);
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    assert_int_equal(device.decision.slot, 1);
}

/* --- which slot --------------------------------------------------------------------------------------------- */

static void spare_slot_of_each_state(void **state)
{
    struct fota_boot_state *s = &device.journal.state;

    (void) state;
    static const struct {
        uint8_t confirmed, trial, candidate, boots, slot;
        int error;
    } cases[] = {
        {0, 0, 0xFF, 0, 1, FOTA_OK},       {1, 0, 0xFF, 1, 0, FOTA_OK},
        {0, 0, 0xFF, 0xFF, 1, FOTA_OK},    /* the confirmed one is broken and still not touched */
        {0, 0, 0xFF, 1, 0, FOTA_E_BUSY},   /* the other one is about to be tried in its place */
        {0xFF, 0, 0xFF, 0xFF, 0, FOTA_OK}, /* nothing at all */
        {0xFF, 0, 0xFF, 0, 1, FOTA_OK},    {0xFF, 0, 0xFF, 1, 0, FOTA_OK},
        {0, 1, 1, 1, 1, FOTA_OK}, /* over what is pending */
        {1, 1, 0, 0, 0, FOTA_OK},          {0, 2, 1, 1, 0, FOTA_E_BUSY},
        {0xFF, 2, 0, 0, 0, FOTA_E_BUSY},   {0xFF, 1, 1, 1, 1, FOTA_OK},
        {0xFF, 1, 0, 0, 0, FOTA_OK}, /* nothing confirmed: over what is pending */
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s->confirmed.slot = cases[i].confirmed;
        s->trial = cases[i].trial;
        s->candidate = (struct fota_image_ref){.slot = cases[i].candidate};
        s->install.slot = FOTA_SLOT_NONE;
        fota_install_init(in, &device.journal, &device.target, &device.key, 1, cases[i].boots);
        if (begin() != cases[i].error || (cases[i].error == FOTA_OK && in->slot != cases[i].slot))
            fail_msg("case %u: slot %u", i, in->slot);
    }
}

/* Answers get lost and gateways begin again. With nothing confirmed the factory image is all there is: no number of
 * begins, of the same image or of another one, may come to its slot. */
static void begins_again_keep_the_factory_image(void **state)
{
    (void) state;
    for (unsigned factory = 0; factory < FOTA_SLOT_COUNT; factory++) {
        struct test_image *const order[] = {&b, &b, &a, &a, &b, &a};

        ram_flash_init(&flash);
        device_init(&device, &flash);
        flash_image(&flash, &a, factory);
        reset();
        assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK); /* pending in the other slot */
        for (unsigned restart = 0; restart < 2u; restart++) {
            for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
                assert_int_equal(fota_install_begin(in, order[i]->raw, false), FOTA_OK);
                assert_int_equal(in->slot, factory ^ 1u);
            }
            reset();
        }
        assert_int_equal(device.decision.slot, factory);
    }
}

/* The same with a confirmed image and a pending one: beginning again is not refused as busy. */
static void begins_again_over_what_is_pending(void **state)
{
    struct test_image c;

    (void) state;
    test_image_make(&c, SIZE_A, 3, 5);
    assert_int_equal(device_install(&device, &b, 2048, UINT32_MAX), FOTA_OK);
    reset();
    for (unsigned i = 0; i < 3u; i++) {
        assert_int_equal(fota_install_begin(in, c.raw, false), FOTA_OK);
        assert_int_equal(in->slot, FOTA_SLOT_B);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(begin_refuses_before_anything_is_touched, setup),
        cmocka_unit_test_setup(begin_is_busy_during_a_trial, setup),
        cmocka_unit_test_setup(begin_of_a_rejected_image, setup),
        cmocka_unit_test_setup(begin_of_what_is_pending, setup),
        cmocka_unit_test_setup(write_bounds, setup),
        cmocka_unit_test_setup(sectors, setup),
        cmocka_unit_test_setup(the_largest_image_fits, setup),
        cmocka_unit_test_setup(resume_from_the_last_record, setup),
        cmocka_unit_test_setup(another_image_starts_anew, setup),
        cmocka_unit_test_setup(another_signature_resumes, setup),
        cmocka_unit_test_setup(finish_refuses, setup),
        cmocka_unit_test_setup(in_steps, setup),
        cmocka_unit_test_setup(concluded, setup),
        cmocka_unit_test_setup(no_room_in_the_journal, setup),
        cmocka_unit_test_setup(no_room_while_writing, setup),
        cmocka_unit_test_setup(flash_faults, setup),
        cmocka_unit_test_setup(wrong_bytes_do_not_stick, setup),
        cmocka_unit_test_setup(spare_slot_of_each_state, setup),
        cmocka_unit_test_setup(begins_again_keep_the_factory_image, setup),
        cmocka_unit_test_setup(begins_again_over_what_is_pending, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
