/* SPDX-License-Identifier: MIT */
#include "fota/crypto.h"

#include "fota/error.h"

#include <bearssl.h>
#include <string.h>

_Static_assert(sizeof(struct fota_sha256) >= sizeof(br_sha256_context), "room for the library's context");
_Static_assert(_Alignof(struct fota_sha256) >= _Alignof(br_sha256_context), "alignment of the library's context");

void fota_sha256_init(struct fota_sha256 *hash)
{
    br_sha256_init((br_sha256_context *) (void *) hash);
}

void fota_sha256_update(struct fota_sha256 *hash, const void *data, size_t length)
{
    br_sha256_update((br_sha256_context *) (void *) hash, data, length);
}

void fota_sha256_out(const struct fota_sha256 *hash, uint8_t out[FOTA_SHA256_SIZE])
{
    br_sha256_out((const br_sha256_context *) (const void *) hash, out);
}

void fota_sha256(const void *data, size_t length, uint8_t out[FOTA_SHA256_SIZE])
{
    struct fota_sha256 hash;

    fota_sha256_init(&hash);
    fota_sha256_update(&hash, data, length);
    fota_sha256_out(&hash, out);
}

int fota_ecdsa_verify(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                      const uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    uint8_t point[1u + FOTA_PUBLIC_KEY_SIZE];
    br_ec_public_key public_key = {.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof point};

    point[0] = 0x04; /* uncompressed */
    memcpy(point + 1, key, FOTA_PUBLIC_KEY_SIZE);
    return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, FOTA_SHA256_SIZE, &public_key, signature,
                                 FOTA_SIGNATURE_SIZE) == 1
               ? FOTA_OK
               : FOTA_E_SIGNATURE;
}

void fota_key_id(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], uint8_t id[FOTA_KEY_ID_SIZE])
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_sha256(key, FOTA_PUBLIC_KEY_SIZE, digest);
    memcpy(id, digest, FOTA_KEY_ID_SIZE);
}
