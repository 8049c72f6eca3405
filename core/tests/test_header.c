/* SPDX-License-Identifier: MIT */
#include "fota/header.h"

#include "fota/error.h"
#include "support/cmocka_all.h"
#include "support/image.h"
#include "support/sign.h"

#include <string.h>

static struct test_image image;

static int setup(void **state)
{
    (void) state;
    test_image_make(&image, 4096, 3, 9);
    return 0;
}

/* Fields by the offsets of docs/image.md, written byte by byte on purpose: the code's own helpers are not asked. */
static void put(uint8_t *raw, unsigned at, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        raw[at + i] = (uint8_t) (value >> (8u * i));
}

static void layout_is_that_of_the_page(void **state)
{
    uint8_t raw[FOTA_HEADER_SIZE];
    struct fota_header h = {.hw_min = 0x0102,
                            .hw_max = 0x0304,
                            .version = {.major = 0x0506, .minor = 0x0708, .patch = 0x090A, .build = 0x0B0C0D0E},
                            .counter = 0x0F101112,
                            .image_size = 0x00021314,
                            .link_address = 0x08004200,
                            .distance = 0x5C000,
                            .deadline_ms = 0x00011516,
                            .flags = 0,
                            .crc = {0x191A1B1C, 0x1D1E1F20}};

    (void) state;
    for (unsigned i = 0; i < 16u; i++)
        h.product[i] = (uint8_t) (0x30u + i);
    for (unsigned i = 0; i < 32u; i++) {
        h.sha256[0][i] = (uint8_t) (0x40u + i);
        h.sha256[1][i] = (uint8_t) (0x60u + i);
    }
    memset(h.key_id, 0x80, sizeof h.key_id);
    for (unsigned i = 0; i < 64u; i++)
        h.signature[i] = (uint8_t) (0x90u + i);

    uint8_t expected[512];
    memset(expected, 0xFF, sizeof expected);
    memcpy(expected, "FOTA", 4);
    put(expected, 4, 2, 1);
    put(expected, 6, 2, 512);
    memcpy(expected + 8, h.product, 16);
    put(expected, 24, 2, 0x0102);
    put(expected, 26, 2, 0x0304);
    put(expected, 28, 2, 0x0506);
    put(expected, 30, 2, 0x0708);
    put(expected, 32, 2, 0x090A);
    put(expected, 34, 2, 0);
    put(expected, 36, 4, 0x0B0C0D0E);
    put(expected, 40, 4, 0x0F101112);
    put(expected, 44, 4, 0x00021314);
    put(expected, 48, 4, 0x08004200);
    put(expected, 52, 4, 0x5C000);
    put(expected, 56, 4, 0x00011516);
    put(expected, 60, 4, 0);
    put(expected, 64, 4, 0x191A1B1C);
    put(expected, 68, 4, 0x1D1E1F20);
    memcpy(expected + 72, h.sha256[0], 32);
    memcpy(expected + 104, h.sha256[1], 32);
    memcpy(expected + 136, h.key_id, 8);
    memcpy(expected + 448, h.signature, 64);

    fota_header_encode(&h, raw);
    assert_memory_equal(raw, expected, sizeof raw);

    struct fota_header back;
    memset(&back, 0xA5, sizeof back);
    assert_int_equal(fota_header_decode(raw, &back), FOTA_OK);
    uint8_t again[512];
    fota_header_encode(&back, again);
    assert_memory_equal(again, expected, sizeof again);
    assert_int_equal(back.version.build, 0x0B0C0D0E);
    assert_int_equal(back.crc[1], 0x1D1E1F20);
}

static void each_bound_on_both_sides(void **state)
{
    static const struct {
        unsigned at, size;
        uint32_t value;
        int error;
    } cases[] = {
        {0, 4, 0x41544F47, FOTA_E_MAGIC},
        {0, 4, 0xFFFFFFFF, FOTA_E_MAGIC},
        {4, 2, 0, FOTA_E_FORMAT},
        {4, 2, 2, FOTA_E_FORMAT},
        {6, 2, 511, FOTA_E_FORMAT},
        {6, 2, 513, FOTA_E_FORMAT},
        {60, 4, 1, FOTA_E_FLAGS},
        {60, 4, 0x80000000, FOTA_E_FLAGS},
        {44, 4, 0, FOTA_E_SIZE},
        {44, 4, 4, FOTA_E_SIZE},
        {44, 4, 8, FOTA_OK},
        {44, 4, 9, FOTA_E_SIZE},
        {44, 4, 10, FOTA_E_SIZE},
        {44, 4, 12, FOTA_OK},
        {44, 4, 376320, FOTA_OK},
        {44, 4, 376324, FOTA_E_SIZE},
        {44, 4, 0xFFFFFFFC, FOTA_E_SIZE},
        {48, 4, 0x08004000, FOTA_E_LINK_ADDRESS},
        {48, 4, 0x08060200, FOTA_E_LINK_ADDRESS},
        {52, 4, 0, FOTA_E_LINK_ADDRESS},
        {52, 4, 0x5C004, FOTA_E_LINK_ADDRESS},
        {56, 4, 999, FOTA_E_DEADLINE_RANGE},
        {56, 4, 1000, FOTA_OK},
        {56, 4, 600000, FOTA_OK},
        {56, 4, 600001, FOTA_E_DEADLINE_RANGE},
        {24, 2, 5, FOTA_OK}, /* lowest = highest */
        {24, 2, 6, FOTA_E_HW_REVISION},
    };
    struct fota_header header;

    (void) state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t raw[FOTA_HEADER_SIZE];

        memcpy(raw, image.raw, sizeof raw);
        put(raw, cases[i].at, cases[i].size, cases[i].value);
        if (fota_header_decode(raw, &header) != cases[i].error)
            fail_msg("offset %u = 0x%x: %d, expected %d", cases[i].at, cases[i].value, fota_header_decode(raw, &header),
                     cases[i].error);
    }
}

/* Arbitrary bytes never get past the bounds, whatever they are. */
static void random_bytes_stay_bounded(void **state)
{
    uint32_t random = 7;
    struct fota_header header;
    uint8_t raw[FOTA_HEADER_SIZE];

    (void) state;
    for (unsigned run = 0; run < 20000u; run++) {
        memcpy(raw, image.raw, sizeof raw);
        for (unsigned i = 0; i < 3u; i++) {
            random = random * 1664525u + 1013904223u;
            raw[4u + (random >> 8) % 60u] = (uint8_t) (random >> 24);
        }
        if (fota_header_decode(raw, &header) == FOTA_OK) {
            assert_in_range(header.image_size, 8, FOTA_CODE_MAX);
            assert_int_equal(header.image_size % 4u, 0);
            assert_in_range(header.deadline_ms, 1000, 600000);
            assert_int_equal(header.link_address, FOTA_LINK_ADDRESS);
            assert_int_equal(header.distance, FOTA_SLOT_DISTANCE);
            assert_true(header.hw_min <= header.hw_max);
        }
    }
}

static void identity_covers_the_signed_part_only(void **state)
{
    uint8_t identity[FOTA_IDENTITY_SIZE], other[FOTA_IDENTITY_SIZE], digest[FOTA_SHA256_SIZE];
    uint8_t raw[FOTA_HEADER_SIZE];

    (void) state;
    fota_header_identity(image.raw, identity);
    fota_sha256(image.raw, 448, digest);
    assert_memory_equal(identity, digest, sizeof digest);
    memcpy(raw, image.raw, sizeof raw);
    raw[448] ^= 1;
    raw[511] ^= 1;
    fota_header_identity(raw, other);
    assert_memory_equal(other, identity, sizeof identity);
    raw[447] ^= 1;
    fota_header_identity(raw, other);
    assert_memory_not_equal(other, identity, sizeof identity);
}

static void verify_finds_the_key(void **state)
{
    struct fota_key keys[TEST_KEYS];

    (void) state;
    for (unsigned i = 0; i < TEST_KEYS; i++)
        test_key(i, &keys[i]);
    assert_int_equal(fota_header_verify(image.raw, keys, 0), FOTA_E_KEY);
    assert_int_equal(fota_header_verify(image.raw, keys, 1), FOTA_OK);
    assert_int_equal(fota_header_verify(image.raw, keys + 1, 2), FOTA_E_KEY);
    image.key = 2;
    test_image_seal(&image);
    assert_int_equal(fota_header_verify(image.raw, keys, 2), FOTA_E_KEY);
    assert_int_equal(fota_header_verify(image.raw, keys, 3), FOTA_OK);

    /* any change of what is signed, in used and in reserved bytes, and of the signature */
    static const unsigned at[] = {0, 8, 40, 44, 72, 104, 144, 300, 447, 448, 480, 511};
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        image.raw[at[i]] ^= 0x10;
        assert_int_equal(fota_header_verify(image.raw, keys, 3), FOTA_E_SIGNATURE);
        image.raw[at[i]] ^= 0x10;
    }
    image.raw[136] ^= 1; /* the key's id */
    assert_int_equal(fota_header_verify(image.raw, keys, 3), FOTA_E_KEY);
    image.raw[136] ^= 1;
    /* a key under another's id does not verify */
    memcpy(keys[0].id, keys[2].id, sizeof keys[0].id);
    assert_int_equal(fota_header_verify(image.raw, keys, 1), FOTA_E_SIGNATURE);
}

static void fits_on_both_sides(void **state)
{
    struct fota_target target = test_target();

    (void) state;
    for (unsigned i = 0; i < FOTA_PRODUCT_SIZE; i++) {
        target.product[i] ^= 0x40;
        assert_int_equal(fota_header_fits(&image.header, &target), FOTA_E_PRODUCT);
        target.product[i] ^= 0x40;
    }
    for (uint16_t revision = 0; revision <= 6; revision++) { /* the image is for 1 … 5 */
        target.hw_revision = revision;
        assert_int_equal(fota_header_fits(&image.header, &target),
                         revision >= 1 && revision <= 5 ? FOTA_OK : FOTA_E_HW_REVISION);
    }
    target.hw_revision = 3;
    for (uint32_t floor = 8; floor <= 10; floor++) { /* its counter is 9 */
        target.floor = floor;
        assert_int_equal(fota_header_fits(&image.header, &target), floor <= 9 ? FOTA_OK : FOTA_E_FLOOR);
    }
    target.floor = 0xFFFFFFFFu;
    assert_int_equal(fota_header_fits(&image.header, &target), FOTA_E_FLOOR);
}

static void vectors_on_both_sides(void **state)
{
    static const struct {
        uint32_t stack, reset;
        int error[2]; /* slot A, slot B; the image has 0x100 bytes */
    } cases[] = {
        {0x20020000, 0x08004201, {FOTA_OK, FOTA_E_VECTORS}},
        {0x20020000, 0x08060201, {FOTA_E_VECTORS, FOTA_OK}},
        {0x20000008, 0x080042FF, {FOTA_OK, FOTA_E_VECTORS}},
        {0x20000000, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}}, /* no room for a stack below it */
        {0x20020008, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20010004, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}}, /* not 8-aligned */
        {0x20010001, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x10010000, 0x08004201, {FOTA_OK, FOTA_E_VECTORS}},
        {0x10000008, 0x08004201, {FOTA_OK, FOTA_E_VECTORS}},
        {0x10000000, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x10010008, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0xFFFFFFFF, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0xFFFFFFF8, 0x08004201, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20020000, 0x08004200, {FOTA_E_VECTORS, FOTA_E_VECTORS}}, /* no Thumb bit */
        {0x20020000, 0x080041FF, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20020000, 0x08004301, {FOTA_E_VECTORS, FOTA_E_VECTORS}}, /* one past the end */
        {0x20020000, 0x080602FF, {FOTA_E_VECTORS, FOTA_OK}},
        {0x20020000, 0x08060301, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20020000, 0xFFFFFFFF, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20020000, 0x00000001, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
        {0x20020000, 0x20000001, {FOTA_E_VECTORS, FOTA_E_VECTORS}},
    };

    (void) state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned slot = 0; slot < 2u; slot++) {
            uint8_t code[8];

            put(code, 0, 4, cases[i].stack);
            put(code, 4, 4, cases[i].reset);
            if (fota_vectors_check(code, 0x100, slot) != cases[i].error[slot])
                fail_msg("0x%x, 0x%x in slot %u", cases[i].stack, cases[i].reset, slot);
        }
    }
}

static void versions_are_ordered(void **state)
{
    static const struct fota_version ascending[] = {
        {.build = 0},
        {.build = 1},
        {.build = UINT32_MAX},
        {.patch = 1},
        {.patch = UINT16_MAX},
        {.minor = 1},
        {.minor = 2},
        {.minor = 10},
        {.minor = UINT16_MAX, .patch = 9, .build = 9},
        {.major = 1},
        {.major = 1, .build = 1},
        {.major = UINT16_MAX},
    };

    (void) state;
    for (int i = 0; i < (int) (sizeof ascending / sizeof ascending[0]); i++) {
        for (int k = 0; k < (int) (sizeof ascending / sizeof ascending[0]); k++) {
            int order = fota_version_compare(&ascending[i], &ascending[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(layout_is_that_of_the_page, setup),
        cmocka_unit_test_setup(each_bound_on_both_sides, setup),
        cmocka_unit_test_setup(random_bytes_stay_bounded, setup),
        cmocka_unit_test_setup(identity_covers_the_signed_part_only, setup),
        cmocka_unit_test_setup(verify_finds_the_key, setup),
        cmocka_unit_test_setup(fits_on_both_sides, setup),
        cmocka_unit_test(vectors_on_both_sides),
        cmocka_unit_test(versions_are_ordered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
