/* SPDX-License-Identifier: MIT */
#include "fota/error.h"

#include "support/cmocka_all.h"

#include <string.h>

static const struct {
    int value;
    const char *symbol;
} all[] = {
#define X(name, value, word, text) {value, #name},
    FOTA_ERRORS(X)
#undef X
};
enum { COUNT = sizeof all / sizeof all[0] };

/* The values are on the wire and in journals: they never change, so they stand here a second time. */
static void values_are_fixed(void **state)
{
    static const char *const symbols[] = {
        "ARGUMENT",     "IO",     "TRUNCATED", "TRAILING",       "MAGIC",      "FORMAT",     "SIZE",
        "LINK_ADDRESS", "FLAGS",  "PRODUCT",   "HW_REVISION",    "FLOOR",      "KEY",        "SIGNATURE",
        "CRC",          "HASH",   "VECTORS",   "DEADLINE_RANGE", "SECTION",    "RELOCATION", "BUSY",
        "REJECTED",     "STATE",  "SESSION",   "OFFSET",         "INCOMPLETE", "FLASH",      "VERSION",
        "UNKNOWN",      "FRAME",  "NO_IMAGE",  "JOURNAL_FULL",   "CONFIG",     "DEADLINE",   "WATCHDOG",
        "FAULT",        "RESETS", "SUPPLY",    "LATER"};

    (void) state;
    assert_true(COUNT >= (int) (sizeof symbols / sizeof symbols[0]));
    for (int i = 0; i < (int) (sizeof symbols / sizeof symbols[0]); i++) {
        assert_string_equal(all[i].symbol, symbols[i]);
        assert_int_equal(all[i].value, -1 - i);
    }
}

static void names_are_distinct_words(void **state)
{
    (void) state;
    for (int i = 0; i < COUNT; i++) {
        const char *name = fota_error_name(all[i].value);

        assert_in_range(-all[i].value, 1, INT16_MAX);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
        assert_string_not_equal(name, "unknown-error");
        assert_true(strlen(fota_error_text(all[i].value)) > 10u);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(name, fota_error_name(all[k].value));
            assert_string_not_equal(fota_error_text(all[i].value), fota_error_text(all[k].value));
            assert_int_not_equal(all[i].value, all[k].value);
        }
    }
    assert_string_equal(fota_error_name(FOTA_E_HW_REVISION), "hw-revision");
}

static void outside_the_list(void **state)
{
    static const int outside[] = {1, -1 - COUNT, INT16_MIN, 1000};

    (void) state;
    assert_string_equal(fota_error_name(FOTA_OK), "ok");
    assert_string_equal(fota_error_text(FOTA_OK), "no error");
    for (unsigned i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_string_equal(fota_error_name(outside[i]), "unknown-error");
        assert_non_null(fota_error_text(outside[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_fixed), cmocka_unit_test(names_are_distinct_words),
                                       cmocka_unit_test(outside_the_list)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
