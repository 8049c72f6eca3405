/* SPDX-License-Identifier: MIT */
/** @file image.h Images and packages for the tests: code with a valid vector table for both slots, signed. */
#ifndef SUPPORT_IMAGE_H
#define SUPPORT_IMAGE_H

#include "fota/header.h"

#include <stddef.h>

extern const uint8_t test_product[FOTA_PRODUCT_SIZE];
#define TEST_HW_REVISION 3u

struct test_image {
    struct fota_header header; /* test_image_seal() makes the rest from it */
    unsigned key;
    uint8_t raw[FOTA_HEADER_SIZE];
    uint8_t identity[FOTA_IDENTITY_SIZE];
    uint8_t code[FOTA_SLOT_COUNT][FOTA_CODE_MAX];
    uint16_t relocation_step; /* every so many bytes a word is relocated, besides the reset address at 4 */
};

/** An image with pseudorandom code, digests of both slots and a signature of key 0. @param size bytes, a multiple of 4,
 * at least 8. */
void test_image_make(struct test_image *image, uint32_t size, uint16_t patch, uint32_t counter);
/** Compute digests from the code again, then seal. */
void test_image_digest(struct test_image *image);
/** Encode and sign the header as it stands in the struct. */
void test_image_seal(struct test_image *image);
/** Sign bytes that stand in `raw` already (members that the encoder would set). */
void test_image_sign_raw(struct test_image *image);

/** Make a package. @param block code bytes in a block. @param capacity of out. @return its size. */
size_t test_package_make(const struct test_image *image, uint32_t block, uint8_t *out, size_t capacity);

/** What test devices are: product, hardware revision, floor 0. */
struct fota_target test_target(void);

#endif
