/* SPDX-License-Identifier: MIT */
#include "image.h"

#include "cmocka_all.h"
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "fota/package.h"
#include "ram_flash.h"
#include "sign.h"

#include <string.h>

const uint8_t test_product[FOTA_PRODUCT_SIZE] = {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0x4D, 0xEF,
                                                 0x81, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF};

struct fota_target test_target(void)
{
    struct fota_target target = {.hw_revision = TEST_HW_REVISION};

    memcpy(target.product, test_product, sizeof test_product);
    return target;
}

static bool relocated(const struct test_image *image, uint32_t offset)
{
    return offset == 4u || (offset > 4u && offset % image->relocation_step == 0);
}

void test_image_make(struct test_image *image, uint32_t size, uint16_t patch, uint32_t counter)
{
    uint64_t random = size * 2654435761u + patch * 97u + 1u;
    struct fota_header *h = &image->header;

    assert_true(size % 4u == 0 && size >= 8u && size <= FOTA_CODE_MAX);
    *h = (struct fota_header){.hw_min = 1,
                              .hw_max = 5,
                              .version = {.major = 1, .minor = 2, .patch = patch, .build = 77},
                              .counter = counter,
                              .image_size = size,
                              .link_address = FOTA_LINK_ADDRESS,
                              .distance = FOTA_SLOT_DISTANCE,
                              .deadline_ms = FOTA_TRIAL_DEADLINE_DEFAULT_MS};
    memcpy(h->product, test_product, sizeof test_product);
    image->relocation_step = 64;
    image->key = 0;
    for (uint32_t at = 0; at < size; at += 4u) {
        uint32_t word = (uint32_t) (test_random(&random) >> 32);

        if (at == 0)
            word = FOTA_RAM_BASE + FOTA_RAM_SIZE;
        else if (relocated(image, at))
            word = FOTA_LINK_ADDRESS + (at == 4u ? 0u : word % size) + 1u;
        fota_put32(image->code[FOTA_SLOT_A] + at, word);
        fota_put32(image->code[FOTA_SLOT_B] + at, relocated(image, at) ? word + FOTA_SLOT_DISTANCE : word);
    }
    test_image_digest(image);
}

void test_image_digest(struct test_image *image)
{
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        image->header.crc[slot] = fota_crc32(0, image->code[slot], image->header.image_size);
        fota_sha256(image->code[slot], image->header.image_size, image->header.sha256[slot]);
    }
    test_image_seal(image);
}

void test_image_seal(struct test_image *image)
{
    struct fota_key key;

    test_key(image->key, &key);
    memcpy(image->header.key_id, key.id, sizeof key.id);
    fota_header_encode(&image->header, image->raw);
    test_image_sign_raw(image);
}

void test_image_sign_raw(struct test_image *image)
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_sha256(image->raw, FOTA_HEADER_SIGNED, digest);
    memcpy(image->identity, digest, sizeof digest);
    test_sign(image->key, digest, image->raw + FOTA_HEADER_SIGNED);
    memcpy(image->header.signature, image->raw + FOTA_HEADER_SIGNED, FOTA_SIGNATURE_SIZE);
}

static uint8_t *put_section(uint8_t *to, uint16_t type, uint32_t length)
{
    fota_put16(to, type);
    fota_put16(to + 2, 0);
    fota_put32(to + 4, length);
    return to + FOTA_SECTION_HEAD;
}

size_t test_package_make(const struct test_image *image, uint32_t block, uint8_t *out, size_t capacity)
{
    uint32_t size = image->header.image_size;
    uint8_t *to = out + FOTA_HEADER_SIZE + FOTA_SECTION_HEAD;

    assert_true(block % 4u == 0 && capacity >= FOTA_HEADER_SIZE + 64u + size + size / 4u + 4u * (size / block + 1u));
    memcpy(out, image->raw, FOTA_HEADER_SIZE);
    for (uint32_t at = 0; at < size; at += block) {
        uint32_t length = size - at < block ? size - at : block;
        uint8_t *head = to;
        uint16_t count = 0;

        to += FOTA_BLOCK_HEAD;
        for (uint32_t i = 0; i < length; i += 4u) {
            if (relocated(image, at + i)) {
                fota_put16(to, (uint16_t) i);
                to += 2;
                count++;
            }
        }
        fota_put16(head, (uint16_t) length);
        fota_put16(head + 2, count);
        memcpy(to, image->code[FOTA_SLOT_A] + at, length);
        to += length;
    }
    put_section(out + FOTA_HEADER_SIZE, FOTA_SECTION_CODE,
                (uint32_t) (to - out) - FOTA_HEADER_SIZE - FOTA_SECTION_HEAD);
    return (size_t) (put_section(to, FOTA_SECTION_END, 0) - out);
}
