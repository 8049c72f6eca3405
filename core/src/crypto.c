/* SPDX-License-Identifier: MIT */
/* The part of the façade that no library is needed for. */
#include "fota/crypto.h"

#include <string.h>

void fota_sha256(const void *data, size_t length, uint8_t out[FOTA_SHA256_SIZE])
{
    struct fota_sha256 hash;

    fota_sha256_init(&hash);
    fota_sha256_update(&hash, data, length);
    fota_sha256_out(&hash, out);
}

void fota_key_id(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], uint8_t id[FOTA_KEY_ID_SIZE])
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_sha256(key, FOTA_PUBLIC_KEY_SIZE, digest);
    memcpy(id, digest, FOTA_KEY_ID_SIZE);
}
