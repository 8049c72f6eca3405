/* SPDX-License-Identifier: MIT */
#include "fota/package.h"

#include "fota/crc32.h"
#include "fota/error.h"

#include <string.h>

static int take_header(void *ctx, const struct fota_header *header, const uint8_t raw[FOTA_HEADER_SIZE])
{
    struct fota_package_check *check = ctx;

    check->header = *header;
    check->header_seen = true;
    memcpy(check->raw, raw, FOTA_HEADER_SIZE);
    fota_header_identity(raw, check->identity);
    return check->key_count > 0 ? fota_header_verify(raw, check->keys, check->key_count) : FOTA_OK;
}

static int take_code(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations,
                     unsigned count)
{
    struct fota_package_check *check = ctx;

    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        if (slot == FOTA_SLOT_B)
            fota_relocate(code, relocations, count, check->header.distance);
        /* the packer never makes a first block shorter than the vector table's two words */
        if (offset == 0 && check->header.flags == 0 &&
            (length < 8u || fota_vectors_check(code, check->header.image_size, slot) != FOTA_OK))
            return FOTA_E_VECTORS;
        fota_sha256_update(&check->hash[slot], code, length);
        check->crc[slot] = fota_crc32(check->crc[slot], code, length);
    }
    check->relocations += count;
    return FOTA_OK;
}

void fota_package_check_init(struct fota_package_check *check, const struct fota_key *keys, unsigned key_count)
{
    static const struct fota_package_sink sink = {.header = take_header, .code = take_code};

    memset(check, 0, sizeof *check);
    fota_package_init(&check->package, &sink, check);
    check->keys = keys;
    check->key_count = key_count;
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
        fota_sha256_init(&check->hash[slot]);
}

int fota_package_check_feed(struct fota_package_check *check, const void *data, size_t length)
{
    return fota_package_feed(&check->package, data, length);
}

int fota_package_check_end(struct fota_package_check *check)
{
    uint8_t digest[FOTA_SHA256_SIZE];
    int error = fota_package_end(&check->package);

    for (unsigned slot = 0; error == FOTA_OK && slot < FOTA_SLOT_COUNT; slot++) {
        if (check->crc[slot] != check->header.crc[slot])
            return FOTA_E_CRC;
        fota_sha256_out(&check->hash[slot], digest);
        if (memcmp(digest, check->header.sha256[slot], FOTA_SHA256_SIZE) != 0)
            error = FOTA_E_HASH;
    }
    return error;
}
