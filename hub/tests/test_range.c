/* SPDX-License-Identifier: MIT */
#include "range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void part(const char *header, uint64_t size, uint64_t want_first, uint64_t want_last)
{
    uint64_t first = 0, last = 0;
    assert_int_equal(hub_range_parse(header, size, &first, &last), HUB_RANGE_PART);
    assert_int_equal(first, want_first);
    assert_int_equal(last, want_last);
}

static void gives(const char *header, uint64_t size, enum hub_range_result want)
{
    uint64_t first, last;
    assert_int_equal(hub_range_parse(header, size, &first, &last), want);
}

static void parts(void **state)
{
    (void) state;
    part("bytes=0-0", 1000, 0, 0);
    part("bytes=0-999", 1000, 0, 999);
    part("bytes=0-1000", 1000, 0, 999);
    part("bytes=500-", 1000, 500, 999);
    part("bytes=999-", 1000, 999, 999);
    part("bytes=-1", 1000, 999, 999);
    part("bytes=-1000", 1000, 0, 999);
    part("bytes=-2000", 1000, 0, 999);
    part("BYTES= 10-19 ", 1000, 10, 19);
    part("bytes=5-99999999999999999999999999", 1000, 5, 999);
    part("bytes=-99999999999999999999999999", 1000, 0, 999);
}

static void unsatisfiable(void **state)
{
    (void) state;
    gives("bytes=1000-", 1000, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=1000-2000", 1000, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=18446744073709551615-", 1000, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=99999999999999999999999999-", 1000, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=-0", 1000, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=-5", 0, HUB_RANGE_UNSATISFIABLE);
    gives("bytes=0-", 0, HUB_RANGE_UNSATISFIABLE);
}

static void ignored(void **state)
{
    (void) state;
    static const char *const headers[] = {NULL,         "",           "bytes",       "bytes=",    "bytes=-",
                                          "bytes=a-b",  "bytes=9-5",  "items=0-5",   "bytes=0",   "bytes=0-1,3-4",
                                          "bytes=1--2", "bytes=+1-2", "bytes=0x1-2", "bytes 0-5", "bytes=0-5;",
                                          "bytes=0 -5"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        gives(headers[i], 1000, HUB_RANGE_NONE);
}

static void none_match(void **state)
{
    (void) state;
    assert_false(hub_etag_in_list(NULL, "\"a\""));
    assert_true(hub_etag_in_list("*", "\"a\""));
    assert_true(hub_etag_in_list("\"a\"", "\"a\""));
    assert_true(hub_etag_in_list("W/\"a\"", "\"a\""));
    assert_true(hub_etag_in_list("\"b\", \"c,d\" ,W/\"a\"", "\"a\""));
    assert_false(hub_etag_in_list("\"b\"", "\"a\""));
    assert_false(hub_etag_in_list("\"ab\"", "\"a\""));
    assert_false(hub_etag_in_list("a", "\"a\""));
    assert_false(hub_etag_in_list("\"a", "\"a\""));
    assert_false(hub_etag_in_list("\"b\" \"a\"", "\"a\""));
    assert_false(hub_etag_in_list("", "\"a\""));
}

static void if_range(void **state)
{
    (void) state;
    assert_true(hub_if_range(NULL, "\"a\""));
    assert_true(hub_if_range("\"a\"", "\"a\""));
    assert_false(hub_if_range("W/\"a\"", "\"a\"")); /* strong comparison */
    assert_false(hub_if_range("\"b\"", "\"a\""));
    assert_false(hub_if_range("Sat, 21 Nov 2026 04:00:00 GMT", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(unsatisfiable),
                                       cmocka_unit_test(ignored), cmocka_unit_test(none_match),
                                       cmocka_unit_test(if_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
