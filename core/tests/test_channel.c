/* SPDX-License-Identifier: MIT */
#include "fota/channel.h"

#include "fota/error.h"
#include "fota/package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fota_channel good(void)
{
    struct fota_channel c = {.magic = FOTA_CHANNEL_MAGIC,
                             .format = FOTA_CHANNEL_FORMAT,
                             .size = FOTA_CHANNEL_SIZE,
                             .name = "stable",
                             .sequence = 1,
                             .package_size = FOTA_PACKAGE_MAX,
                             .not_before = 1000,
                             .expiry = 2000};

    memset(c.reserved, 0xFF, sizeof c.reserved);
    return c;
}

static void layout(void **state)
{
    struct fota_channel c = good(), back;
    uint8_t raw[FOTA_CHANNEL_SIZE + 1u];

    (void) state;
    fota_channel_encode(&c, raw);
    assert_memory_equal(raw, "FCHI\1\0\0\1", 8);
    assert_string_equal((char *) raw + 24, "stable");
    assert_int_equal(fota_get32(raw + 56), 1);
    assert_int_equal(fota_get32(raw + 64), 1000);
    assert_int_equal(fota_channel_decode(raw, FOTA_CHANNEL_SIZE, &back), FOTA_OK);
    assert_memory_equal(&back, &c, sizeof c);
    assert_int_equal(fota_channel_decode(raw, FOTA_CHANNEL_SIZE - 1u, &back), FOTA_E_TRUNCATED);
    assert_int_equal(fota_channel_decode(raw, 0, &back), FOTA_E_TRUNCATED);
    assert_int_equal(fota_channel_decode(raw, FOTA_CHANNEL_SIZE + 1u, &back), FOTA_E_TRAILING);
}

#define BAD(change, error)                                                                                             \
    do {                                                                                                               \
        struct fota_channel c = good();                                                                                \
        change;                                                                                                        \
        assert_int_equal(fota_channel_check(&c), error);                                                               \
    } while (0)

static void bounds(void **state)
{
    (void) state;
    BAD((void) 0, FOTA_OK);
    BAD(c.magic = FOTA_HEADER_MAGIC, FOTA_E_MAGIC);
    BAD(c.format = 2, FOTA_E_FORMAT);
    BAD(c.size = 255, FOTA_E_FORMAT);
    BAD(c.name[0] = '\0', FOTA_E_ARGUMENT);
    BAD(c.name[0] = '/', FOTA_E_ARGUMENT);
    BAD(c.name[31] = 'x', FOTA_E_ARGUMENT);
    BAD(memset(c.name, 'x', sizeof c.name), FOTA_E_ARGUMENT);
    BAD(memset(c.name, 'x', sizeof c.name - 1u), FOTA_OK);
    BAD(c.sequence = 0, FOTA_E_ARGUMENT);
    BAD(c.sequence = UINT32_MAX, FOTA_OK);
    BAD(c.not_before = 2000, FOTA_E_ARGUMENT);
    BAD(c.expiry = FOTA_CHANNEL_TIME_MAX + 1u, FOTA_E_ARGUMENT);
    BAD(c.expiry = 1001 + FOTA_CHANNEL_VALID_MAX, FOTA_E_ARGUMENT);
    BAD(c.package_size = 0, FOTA_E_SIZE);
    BAD(c.package_size = FOTA_PACKAGE_MAX + 1u, FOTA_E_SIZE);
}

static void keys(void **state)
{
    struct fota_channel c = good();
    struct fota_key key = {.id = {1}};
    uint8_t raw[FOTA_CHANNEL_SIZE];

    (void) state;
    fota_channel_encode(&c, raw);
    assert_int_equal(fota_channel_verify(raw, NULL, 0), FOTA_E_KEY);
    assert_int_equal(fota_channel_verify(raw, &key, 1), FOTA_E_KEY);
    key.id[0] = 0;
    assert_int_equal(fota_channel_verify(raw, &key, 1), FOTA_E_SIGNATURE); /* a good one: tests/s3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layout), cmocka_unit_test(bounds), cmocka_unit_test(keys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
