/* SPDX-License-Identifier: MIT */
#include "fota/config.h"

#include "fota/crc32.h"
#include "fota/error.h"
#include "support/cmocka_all.h"
#include "support/image.h"
#include "support/sign.h"

#include <string.h>

static struct fota_config good(unsigned keys)
{
    struct fota_config config = {
        .target = test_target(), .key_count = keys, .uart = 3, .spi = 1, .baud = 115200, .hse_hz = 8000000};

    config.target.floor = 0x0A0B0C0D;
    config.target.hw_revision = 0x0708;
    test_key(0, &config.keys[0]);
    test_key(1, &config.keys[1]);
    return config;
}

static void put(uint8_t *raw, unsigned at, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        raw[at + i] = (uint8_t) (value >> (8u * i));
}

static void layout_is_that_of_the_page(void **state)
{
    for (unsigned keys = 1; keys <= 2u; keys++) {
        struct fota_config config = good(keys), back;
        uint8_t raw[FOTA_CONFIG_SIZE], expected[256];

        (void) state;
        memset(expected, 0xFF, sizeof expected);
        memcpy(expected, "FCFG", 4);
        put(expected, 4, 2, 1);
        put(expected, 6, 2, 256);
        memcpy(expected + 8, test_product, 16);
        put(expected, 24, 2, 0x0708);
        expected[26] = (uint8_t) keys;
        expected[27] = 3;
        expected[184] = 1;
        put(expected, 28, 4, 115200);
        put(expected, 32, 4, 0x0A0B0C0D);
        put(expected, 36, 4, 8000000);
        for (unsigned i = 0; i < keys; i++) {
            memcpy(expected + 40 + 72 * i, config.keys[i].id, 8);
            memcpy(expected + 48 + 72 * i, config.keys[i].point, 64);
        }
        put(expected, 252, 4, fota_crc32(0, expected, 252));

        assert_int_equal(fota_config_encode(&config, raw), FOTA_OK);
        assert_memory_equal(raw, expected, sizeof raw);
        memset(&back, 0xA5, sizeof back);
        assert_int_equal(fota_config_decode(raw, &back), FOTA_OK);
        assert_memory_equal(&back.target.product, test_product, 16);
        assert_int_equal(back.target.hw_revision, 0x0708);
        assert_int_equal(back.target.floor, 0x0A0B0C0D);
        assert_int_equal(back.key_count, keys);
        assert_int_equal(back.uart, 3);
        assert_int_equal(raw[184], 1);
        assert_int_equal(back.spi, 1);
        assert_int_equal(back.baud, 115200);
        assert_int_equal(back.hse_hz, 8000000);
        assert_memory_equal(back.keys, config.keys, keys * sizeof config.keys[0]);
    }
}

static void each_bound_on_both_sides(void **state)
{
    static const struct {
        unsigned at, size;
        uint32_t value;
        bool good;
    } cases[] = {
        {26, 1, 0, false},        {26, 1, 1, true},         {26, 1, 2, true},        {26, 1, 3, false},
        {26, 1, 255, false},      {27, 1, 0, false},        {27, 1, 1, true},        {27, 1, 3, true},
        {27, 1, 4, false},        {28, 4, 2399, false},     {28, 4, 2400, true},     {28, 4, 2000000, true},
        {28, 4, 2000001, false},  {36, 4, 0, true},         {36, 4, 1, false},       {36, 4, 3000000, false},
        {36, 4, 4000000, true},   {36, 4, 8000001, false},  {36, 4, 25000000, true}, {36, 4, 26000000, true},
        {36, 4, 27000000, false}, {36, 4, 26500000, false}, {32, 4, 0, true},        {32, 4, 0xFFFFFFFF, true},
        {184, 1, 0, true},        {184, 1, 1, true},        {184, 1, 2, false},
    };
    struct fota_config config = good(2), back;
    uint8_t raw[FOTA_CONFIG_SIZE];

    (void) state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fota_config_encode(&config, raw), FOTA_OK);
        put(raw, cases[i].at, cases[i].size, cases[i].value);
        put(raw, 252, 4, fota_crc32(0, raw, 252));
        if (fota_config_decode(raw, &back) != (cases[i].good ? FOTA_OK : FOTA_E_CONFIG))
            fail_msg("decode: offset %u = %u", cases[i].at, cases[i].value);
        /* and the encoder refuses the same */
        back = good(2);
        if (cases[i].at == 26)
            back.key_count = cases[i].value;
        else if (cases[i].at == 27)
            back.uart = (uint8_t) cases[i].value;
        else if (cases[i].at == 184)
            back.spi = (uint8_t) cases[i].value;
        else if (cases[i].at == 28)
            back.baud = cases[i].value;
        else if (cases[i].at == 36)
            back.hse_hz = cases[i].value;
        if (fota_config_encode(&back, raw) != (cases[i].good ? FOTA_OK : FOTA_E_CONFIG))
            fail_msg("encode: offset %u = %u", cases[i].at, cases[i].value);
    }
}

static void an_older_block_has_no_spi(void **state)
{
    struct fota_config config = good(2), back;
    uint8_t raw[FOTA_CONFIG_SIZE];

    (void) state;
    assert_int_equal(fota_config_encode(&config, raw), FOTA_OK);
    put(raw, 184, 1, 0xFF);
    put(raw, 252, 4, fota_crc32(0, raw, 252));
    assert_int_equal(fota_config_decode(raw, &back), FOTA_OK);
    assert_int_equal(back.spi, 0);
}

static void damage_is_seen(void **state)
{
    struct fota_config config = good(1), back;
    uint8_t raw[FOTA_CONFIG_SIZE], blank[FOTA_CONFIG_SIZE];

    (void) state;
    assert_int_equal(fota_config_encode(&config, raw), FOTA_OK);
    for (unsigned bit = 0; bit < 8u * FOTA_CONFIG_SIZE; bit++) {
        raw[bit / 8u] ^= (uint8_t) (1u << (bit % 8u));
        int expected = bit < 32u ? FOTA_E_MAGIC : bit < 64u ? FOTA_E_FORMAT : FOTA_E_CRC;
        assert_int_equal(fota_config_decode(raw, &back), expected);
        raw[bit / 8u] ^= (uint8_t) (1u << (bit % 8u));
    }
    memset(blank, 0xFF, sizeof blank);
    assert_int_equal(fota_config_decode(blank, &back), FOTA_E_MAGIC);
    memset(blank, 0, sizeof blank);
    assert_int_equal(fota_config_decode(blank, &back), FOTA_E_MAGIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layout_is_that_of_the_page),
                                       cmocka_unit_test(each_bound_on_both_sides),
                                       cmocka_unit_test(an_older_block_has_no_spi), cmocka_unit_test(damage_is_seen)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
