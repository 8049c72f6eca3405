/* SPDX-License-Identifier: MIT */
/** @file test_explain.c Every error has a sentence of its own, with the values where they are known. */
#include "test.h"

#include <string.h>

static char text[800];

static const int codes[] = {
#define X(name, value, word, sentence) value,
    FOTA_ERRORS(X)
#undef X
};

static void test_every_error_without_context(void **state)
{
    static const struct pack_context nothing;
    (void) state;
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pack_explain(codes[i], &nothing, text, sizeof text);
        if (codes[i] == FOTA_E_MAGIC)
            assert_non_null(strstr(text, "make one with fota pack"));
        else
            assert_int_equal(strncmp(text, fota_error_text(codes[i]), strlen(fota_error_text(codes[i]))), 0);
    }
    pack_explain(-9999, &nothing, text, sizeof text);
    assert_true(text[0] != '\0');
}

static void test_every_error_with_everything(void **state)
{
    uint8_t file[600];
    const struct fota_target target = {.hw_revision = 3, .floor = 5};
    const struct fota_key keys[2] = {{.id = {1}}, {.id = {2}}};
    const struct fota_header header = {.counter = 3, .hw_min = 1, .hw_max = 2, .image_size = 64};
    (void) state;
    memset(file, 0, sizeof file);
    fota_header_encode(&header, file);
    const struct pack_context c = {.file = "f",
                                   .header = file,
                                   .file_head = file,
                                   .file_head_size = sizeof file,
                                   .target = &target,
                                   .keys = keys,
                                   .key_count = 2};
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pack_explain(codes[i], &c, text, sizeof text);
        assert_true(strlen(text) >= 20);
        for (size_t size = 0; size < 40; size++) { /* any room: cut, never overrun, always ended */
            char small[40];
            memset(small, 'x', sizeof small);
            pack_explain(codes[i], &c, small, size);
            if (size > 0)
                assert_true(strlen(small) < size && strncmp(small, text, strlen(small)) == 0);
            for (size_t k = size; k < sizeof small; k++)
                assert_int_equal(small[k], 'x');
        }
    }
    pack_explain(FOTA_E_FLOOR, &c, text, sizeof text);
    assert_string_equal(
        text,
        "security counter 3 is below the floor 5 of the device: a release with that floor was confirmed there; "
        "pack this version with --counter 5 or higher if it may be installed");
    pack_explain(FOTA_E_KEY, &c, text, sizeof text);
    assert_string_equal(text,
                        "signed with the key 0000000000000000, which is not trusted here; trusted: 0100000000000000, "
                        "0200000000000000: sign it with a trusted key, or add this one's public half");
    pack_explain(FOTA_E_HW_REVISION, &c, text, sizeof text);
    assert_string_equal(
        text,
        "hardware revision 3 of the device is outside 1 to 2, for which the image is made: choose another "
        "package, or pack it with a wider --hw");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_without_context),
        cmocka_unit_test(test_every_error_with_everything),
    };
    return cmocka_run_group_tests_name("pack: explain", tests, NULL, NULL);
}
