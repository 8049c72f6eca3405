/* SPDX-License-Identifier: MIT */
#include "fota/crc32.h"

#include "support/cmocka_all.h"

#include <string.h>

static void known_answers(void **state)
{
    static const char fox[] = "The quick brown fox jumps over the lazy dog";
    uint8_t bytes[32];

    (void) state;
    assert_int_equal(fota_crc32(0, NULL, 0), 0);
    assert_int_equal(fota_crc32(0, "a", 1), 0xE8B7BE43u);
    assert_int_equal(fota_crc32(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(fota_crc32(0, fox, sizeof fox - 1), 0x414FA339u);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(fota_crc32(0, bytes, sizeof bytes), 0x190A55ADu);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(fota_crc32(0, bytes, sizeof bytes), 0xFF6CAB0Bu);
}

/* The definition, bit by bit, over every byte value and every way to cut the input in two. */
static void same_as_the_polynomial_in_any_pieces(void **state)
{
    uint8_t bytes[256];
    uint32_t expected = 0xFFFFFFFFu;

    (void) state;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t) (i * 167u + 13u);
        expected ^= bytes[i];
        for (unsigned bit = 0; bit < 8u; bit++)
            expected = (expected >> 1) ^ ((expected & 1u) != 0 ? 0xEDB88320u : 0u);
    }
    expected = ~expected;
    for (unsigned cut = 0; cut <= sizeof bytes; cut++)
        assert_int_equal(fota_crc32(fota_crc32(0, bytes, cut), bytes + cut, sizeof bytes - cut), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers),
                                       cmocka_unit_test(same_as_the_polynomial_in_any_pieces)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
