/* SPDX-License-Identifier: MIT */
/** @file test_package.c The writer: blocks, relocations at their borders, firmware.bin, slots, bootloader. */
#include "test.h"

#include "fota/bin.h"
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static struct pack_message error;
static struct pack_key key;
static const struct pack_options options = {
    .set = PACK_SET_PRODUCT | PACK_SET_HW | PACK_SET_VERSION | PACK_SET_COUNTER | PACK_SET_DEADLINE,
    .product = {1, 2, 3},
    .hw_min = 2,
    .hw_max = 5,
    .version = {.major = 1, .minor = 2, .patch = 3, .build = 4},
    .counter = 9,
    .deadline_ms = 30000,
};

static int make_key(void **state)
{
    (void) state;
    return pack_key_generate(&key, &error);
}

/* An image of a size whose words at `offsets` move, besides the reset address at 4. */
static struct pack_image image_of(uint32_t size, const uint32_t *offsets, uint32_t count)
{
    struct pack_image image = {
        .code = malloc(size), .size = size, .relocations = malloc(4u * (count + 1u)), .count = count + 1u};
    assert_non_null(image.code);
    assert_non_null(image.relocations);
    for (uint32_t i = 0; i < size; i++)
        image.code[i] = (uint8_t) (i * 31u + (i >> 8));
    image.relocations[0] = 4;
    for (uint32_t i = 0; i < count; i++) {
        image.relocations[i + 1u] = offsets[i];
        fota_put32(image.code + offsets[i], 0x08004200u + offsets[i]);
    }
    fota_put32(image.code, 0x20020000);
    fota_put32(image.code + 4, 0x08004201);
    return image;
}

/* Pack it, read it, and compare both slots with what was computed here. */
static void round_trip(uint32_t size, const uint32_t *offsets, uint32_t count, uint32_t *blocks)
{
    struct pack_image image = image_of(size, offsets, count);
    struct pack_buffer package, slot;
    struct pack_result result;
    if (pack_image_sign(&image, &options, &key, &package, &result, &error) != FOTA_OK)
        fail_msg("%s", error.text);
    assert_int_equal(result.relocations, image.count);
    assert_int_equal(result.size, package.size);
    const struct pack_input input = {"p.fota", package.data, package.size};
    for (unsigned which = 0; which < FOTA_SLOT_COUNT; which++) {
        assert_int_equal(pack_slot_make(&input, &key.public_key, 1, which, &slot, &error), FOTA_OK);
        assert_int_equal(slot.size, FOTA_HEADER_SIZE + size);
        assert_memory_equal(slot.data, package.data, FOTA_HEADER_SIZE);
        assert_memory_equal(slot.data + FOTA_HEADER_SIZE, image.code, size);
        pack_buffer_free(&slot);
        for (uint32_t i = 0; i < image.count; i++) {
            uint8_t *word = image.code + image.relocations[i];
            fota_put32(word, fota_get32(word) + FOTA_SLOT_DISTANCE);
        }
    }
    *blocks = 0;
    for (size_t at = FOTA_HEADER_SIZE + FOTA_SECTION_HEAD; at + FOTA_SECTION_HEAD < package.size; (*blocks)++) {
        uint32_t length = fota_get16(package.data + at), n = fota_get16(package.data + at + 2);
        assert_in_range(length, 1, FOTA_BLOCK_MAX);
        at += FOTA_BLOCK_HEAD + 2u * n + length;
    }
    pack_buffer_free(&package);
    pack_image_free(&image);
}

static void test_sizes(void **state)
{
    static const struct {
        uint32_t size, blocks;
    } sizes[] = {{8, 1}, {4092, 1}, {4096, 1}, {4100, 2}, {8192, 2}, {8196, 3}, {FOTA_CODE_MAX, 92}};
    uint32_t blocks = 0;
    (void) state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        round_trip(sizes[i].size, NULL, 0, &blocks);
        assert_int_equal(blocks, sizes[i].blocks);
    }
}

static void test_words_at_the_border_of_a_block(void **state)
{
    uint32_t blocks = 0;
    (void) state;
    for (uint32_t at = 4088; at <= 4100; at++) {
        const uint32_t one[] = {at}, two[] = {at, at + 4u}, three[] = {at - 4u, at, at + 4u};
        round_trip(12288, one, 1, &blocks);
        assert_int_equal(blocks, at > 4092 && at < 4096 ? 4 : 3);
        round_trip(12288, two, 2, &blocks);
        round_trip(12288, three, 3, &blocks);
        round_trip(at + 8u + (4u - at % 4u) % 4u, two, 2, &blocks);
    }
}

static void test_nothing_but_words(void **state)
{
    static uint32_t offsets[FOTA_CODE_MAX / 4u];
    uint32_t blocks = 0, count = 0;
    (void) state;
    for (uint32_t at = 8; at + 4u <= FOTA_CODE_MAX; at += 4u)
        offsets[count++] = at;
    round_trip(FOTA_CODE_MAX, offsets, count, &blocks);
    assert_int_equal(blocks, 92);
    for (unsigned shift = 1; shift < 4; shift++) { /* unaligned and adjacent: every border must be moved */
        count = 0;
        for (uint32_t at = 8u + shift; at + 4u <= 40000; at += 4u)
            offsets[count++] = at;
        round_trip(40000, offsets, count, &blocks);
        assert_int_equal(blocks, 10);
    }
}

static void test_random_words(void **state)
{
    static uint32_t offsets[20000];
    uint32_t seed = 99, blocks = 0;
    (void) state;
    for (unsigned round = 0; round < 30; round++) {
        uint32_t size = 8u + test_random(&seed) % 30000u / 4u * 4u, count = 0, spread = 1u + test_random(&seed) % 40u;
        for (uint32_t at = 8u + test_random(&seed) % spread; at + 4u <= size; at += 4u + test_random(&seed) % spread)
            offsets[count++] = at;
        round_trip(size, offsets, count, &blocks);
    }
}

static void test_members_that_are_out_of_range(void **state)
{
    struct pack_image image = image_of(64, NULL, 0);
    struct pack_options o = options;
    struct pack_buffer package;
    (void) state;
    o.deadline_ms = 999;
    assert_int_equal(pack_image_sign(&image, &o, &key, &package, NULL, &error), FOTA_E_DEADLINE_RANGE);
    assert_null(package.data);
    assert_non_null(strstr(error.text, "trial deadline 999 ms is not in 1000 to 600000 ms"));
    o = options;
    o.hw_min = 6;
    assert_int_equal(pack_image_sign(&image, &o, &key, &package, NULL, &error), FOTA_E_HW_REVISION);
    o = options;
    o.set &= ~(unsigned) (PACK_SET_VERSION | PACK_SET_DEADLINE);
    assert_int_equal(pack_image_sign(&image, &o, &key, &package, NULL, &error), FOTA_E_ARGUMENT);
    assert_string_equal(error.text,
                        "the application says nothing of itself (fota/appinfo.h), so --version must be given");
    /* An image whose reset address does not move is refused by the check of the writer's own output. */
    image.count = 0;
    assert_int_equal(pack_image_sign(&image, &options, &key, &package, NULL, &error), FOTA_E_VECTORS);
    pack_image_free(&image);
}

static void test_firmware_bin_mutations(void **state)
{
    const uint32_t offsets[] = {9, 13, 40};
    struct pack_image image = image_of(64, offsets, 3), again;
    struct pack_buffer bin;
    uint32_t seed = 5, good = 0;
    (void) state;
    assert_int_equal(pack_bin_make(&image, &bin, &error), FOTA_OK);
    const struct pack_input input = {"f.bin", bin.data, bin.size};
    assert_int_equal(pack_image_load(&input, 1, NULL, 0, &again, &error), FOTA_OK);
    assert_int_equal(again.count, 4);
    assert_memory_equal(again.relocations, image.relocations, 16);
    assert_memory_equal(again.code, image.code, 64);
    pack_image_free(&again);
    for (unsigned round = 0; round < 5000; round++) {
        size_t size = bin.size - (round % 3u == 0 ? test_random(&seed) % 8u : 0);
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bin.data + (bin.size - size), size);
        fota_put32(copy + test_random(&seed) % (size - 3u), test_random(&seed) % 100u);
        if (round % 2u == 0) { /* with the right CRC, so that the checks behind it are reached */
            fota_put32(copy + size - 8u, fota_crc32(0, copy, size - 8u));
            fota_put32(copy + size - 4u, FOTA_BIN_MAGIC);
        }
        const struct pack_input mutated = {"f.bin", copy, size};
        if (pack_image_load(&mutated, 1, NULL, 0, &again, &error) == FOTA_OK) {
            good++;
            for (uint32_t i = 0; i < again.count; i++)
                assert_true(again.relocations[i] <= again.size - 4u);
            pack_image_free(&again);
        }
        free(copy);
    }
    assert_true(good > 0 && good < 4000);
    pack_buffer_free(&bin);
    pack_image_free(&image);
}

/* Any single byte of a package changed: never accepted with a key. */
static void test_every_byte_counts(void **state)
{
    const uint32_t offsets[] = {9, 13, 40};
    struct pack_image image = image_of(64, offsets, 3);
    struct pack_buffer package;
    (void) state;
    assert_int_equal(pack_image_sign(&image, &options, &key, &package, NULL, &error), FOTA_OK);
    const struct pack_input input = {"p.fota", package.data, package.size};
    assert_int_equal(pack_verify(&input, &key.public_key, 1, NULL, NULL, &error), FOTA_OK);
    for (size_t i = 0; i < package.size; i++) {
        package.data[i] ^= 0x10;
        error = (struct pack_message){0};
        int e = pack_verify(&input, &key.public_key, 1, NULL, NULL, &error);
        if (e == FOTA_OK)
            fail_msg("byte %zu does not count", i);
        assert_int_equal(e, error.code);
        package.data[i] ^= 0x10;
    }
    pack_buffer_free(&package);
    pack_image_free(&image);
}

static void test_bootloader(void **state)
{
    uint8_t boot[FOTA_BOOT_SIZE];
    struct pack_buffer out;
    struct fota_config config = {.target = {.product = {7}, .hw_revision = 3, .floor = 2},
                                 .key_count = 1,
                                 .uart = 3,
                                 .baud = 115200,
                                 .hse_hz = 8000000};
    struct fota_config read;
    (void) state;
    memset(boot, 0, sizeof boot);
    fota_put32(boot, 0x20020000);
    fota_put32(boot + 4, 0x08000101);
    config.keys[0] = key.public_key;
    const struct pack_input input = {"bl.bin", boot, FOTA_BOOT_SIZE - FOTA_CONFIG_SIZE};
    assert_int_equal(pack_bootloader_make(&input, &config, &out, &error), FOTA_OK);
    assert_int_equal(out.size, FOTA_BOOT_SIZE);
    const struct pack_input made = {"boot.bin", out.data, out.size};
    assert_int_equal(pack_bootloader_config(&made, &read, &error), FOTA_OK);
    assert_int_equal(read.target.hw_revision, 3);
    assert_int_equal(read.target.floor, 2);
    assert_memory_equal(&read.keys[0], &key.public_key, sizeof key.public_key);
    pack_buffer_free(&out);
    static const struct {
        unsigned keys;
        uint8_t uart;
        uint32_t baud, hse;
    } wrong[] = {{0, 3, 115200, 0},     {3, 3, 115200, 0},      {1, 0, 115200, 0},
                 {1, 4, 115200, 0},     {1, 3, 1199, 0},        {1, 3, 2000001, 0},
                 {1, 3, 9600, 3000000}, {1, 3, 9600, 27000000}, {1, 3, 9600, 8000001}};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fota_config c = config;
        c.key_count = wrong[i].keys;
        c.uart = wrong[i].uart;
        c.baud = wrong[i].baud;
        c.hse_hz = wrong[i].hse;
        assert_int_equal(pack_bootloader_make(&input, &c, &out, &error), FOTA_E_CONFIG);
        assert_null(out.data);
        assert_string_not_equal(error.text, "a member of the configuration is out of its range");
    }
}

/* --- a gateway's own program ------------------------------------------------------------------------------ */

#define ESP_SIZE 10001u /* of one segment, checksum, hash, and something behind it */
#define ESP_END (ESP_SIZE / 16u * 16u - 64u)

/* Checksum and hash of an image that ends at `end` and then has a hash. */
static void esp_seal(uint8_t *esp, uint32_t end)
{
    uint8_t sum = 0xEF;
    esp[1] = 1;
    esp[23] = 1;
    fota_put32(esp + 28, end - 32u - 5u); /* then four bytes of padding and the checksum */
    for (uint32_t i = 32; i < end - 5u; i++)
        sum ^= esp[i];
    esp[end - 1u] = sum;
    fota_sha256(esp, end, esp + end);
}

static void esp_make(uint8_t *esp, const char *version)
{
    for (uint32_t i = 0; i < ESP_SIZE; i++)
        esp[i] = (uint8_t) (i * 13u);
    esp[0] = 0xE9;
    fota_put16(esp + 12, 9);
    fota_put32(esp + 32, 0xABCD5432u);
    fota_put32(esp + 36, 7);
    memset(esp + 48, 0, 32);
    memcpy(esp + 48, version, strlen(version));
    esp_seal(esp, ESP_END);
}

static int esp_pack(const uint8_t *esp, size_t size, struct pack_buffer *package, struct pack_result *result)
{
    static const struct pack_options none;
    const struct pack_input input = {"gateway.bin", esp, size};
    return pack_make(&none, &input, 1, &key, package, result, &error);
}

/* What it says of itself comes out again; no device takes it, and no slot is made of it. */
static void test_gateway_program(void **state)
{
    static uint8_t esp[ESP_SIZE];
    static const uint8_t product[FOTA_PRODUCT_SIZE] = FOTA_GATEWAY_PRODUCT;
    struct pack_buffer package, slot;
    struct pack_result result;
    struct fota_header header;
    (void) state;
    esp_make(esp, "v2.3.4");
    if (esp_pack(esp, sizeof esp, &package, &result) != FOTA_OK)
        fail_msg("%s", error.text);
    assert_int_equal(result.header.flags, FOTA_FLAG_GATEWAY);
    assert_int_equal(result.header.image_size, (ESP_SIZE + 3u) & ~3u);
    assert_int_equal(result.header.hw_min, 9);
    assert_int_equal(result.header.hw_max, 9);
    assert_int_equal(result.header.counter, 7);
    assert_int_equal(result.header.version.major * 100 + result.header.version.minor * 10 + result.header.version.patch,
                     234);
    assert_memory_equal(result.header.product, product, sizeof product);
    assert_int_equal(result.relocations, 0);
    assert_int_equal(fota_header_decode(package.data, &header), FOTA_E_FLAGS); /* as a bootloader does */
    const struct pack_input input = {"p.fota", package.data, package.size};
    assert_int_equal(pack_slot_make(&input, &key.public_key, 1, 0, &slot, &error), FOTA_E_FLAGS);
    for (size_t i = 0; i < package.size; i++) { /* each byte counts here, too */
        package.data[i] ^= 0x10u;
        assert_int_not_equal(pack_verify(&input, &key.public_key, 1, NULL, NULL, &error), FOTA_OK);
        package.data[i] ^= 0x10u;
    }
    pack_buffer_free(&package);
}

static void test_gateway_program_that_is_wrong(void **state)
{
    static uint8_t esp[ESP_SIZE], large[FOTA_GATEWAY_MAX + 1u];
    struct pack_buffer package;
    struct pack_image image = {.gateway = true};
    (void) state;
    esp_make(esp, "6c2f-dirty");
    assert_int_equal(esp_pack(esp, sizeof esp, &package, NULL), FOTA_E_ARGUMENT);
    assert_non_null(strstr(error.text, "6c2f-dirty"));
    esp_make(esp, "1.2.3-4-g6c2f+5");
    assert_int_equal(esp_pack(esp, sizeof esp, &package, NULL), FOTA_E_ARGUMENT);
    for (unsigned build = 0; build < 5u; build += 4u) {
        struct pack_result result;
        esp_make(esp, build != 0 ? "1.2.3+4.g6c2fa01.dirty" : "1.2.3+g6c2fa01");
        assert_int_equal(esp_pack(esp, sizeof esp, &package, &result), FOTA_OK);
        assert_int_equal(result.header.version.patch, 3);
        assert_int_equal(result.header.version.build, build);
        pack_buffer_free(&package);
    }
    esp_make(large, "1.0.0");
    esp_seal(large, FOTA_GATEWAY_MAX - 32u);
    assert_int_equal(esp_pack(large, sizeof large, &package, NULL), FOTA_E_SIZE);
    assert_int_equal(esp_pack(large, sizeof large - 1u, &package, NULL), FOTA_OK); /* the largest fits a package */
    pack_buffer_free(&package);
    assert_int_equal(pack_bin_make(&image, &package, &error), FOTA_E_ARGUMENT);
    esp_make(esp, "1.0.0");
    for (uint32_t i = 0; i < ESP_END + 32u; i += 37u) { /* a byte of it is another one */
        esp[i] ^= 4u;
        assert_int_not_equal(esp_pack(esp, sizeof esp, &package, NULL), FOTA_OK);
        esp[i] ^= 4u;
    }
    for (uint32_t size = 0; size < ESP_END + 32u; size += 101u) /* it is cut short */
        assert_int_not_equal(esp_pack(esp, size, &package, NULL), FOTA_OK);
    fota_put32(esp + 28, 0xFFFFFFFFu);
    assert_int_not_equal(esp_pack(esp, sizeof esp, &package, NULL), FOTA_OK);
    fota_put32(esp + 32, 0xABCD5433u);
    assert_int_not_equal(esp_pack(esp, sizeof esp, &package, NULL), FOTA_OK);
    assert_int_not_equal(esp_pack(esp, 200, &package, NULL), FOTA_OK);
    /* relocations make no sense in it */
    image = image_of(4096, NULL, 0);
    image.gateway = true;
    assert_int_equal(pack_image_sign(&image, &options, &key, &package, NULL, &error), FOTA_E_RELOCATION);
    pack_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_words_at_the_border_of_a_block),
        cmocka_unit_test(test_nothing_but_words),
        cmocka_unit_test(test_random_words),
        cmocka_unit_test(test_members_that_are_out_of_range),
        cmocka_unit_test(test_firmware_bin_mutations),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_bootloader),
        cmocka_unit_test(test_gateway_program),
        cmocka_unit_test(test_gateway_program_that_is_wrong),
    };
    return cmocka_run_group_tests_name("pack: packages", tests, make_key, NULL);
}
