/* SPDX-License-Identifier: MIT */
/* The part of the façade that no library is needed for. */
#include "fota/crypto.h"

#include "fota/error.h"

#include <string.h>

int fota_ecdsa_verify(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                      const uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    uint8_t proof[FOTA_PROOF_SIZE];
    int error = fota_ecdsa_prove(key, digest, signature, proof);

    return error == FOTA_OK && memcmp(proof, signature, sizeof proof) != 0 ? FOTA_E_SIGNATURE : error;
}

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
