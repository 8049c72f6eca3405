/* SPDX-License-Identifier: MIT */
/* A stand-in for ECDSA: thousands of boots in a sweep would spend all their time in it. A signature is good when it is
 * what this file makes of key and digest; everything that a header's signature has to do with stays as it is. */
#include "sign.h"

#include "fota/error.h"

#include <string.h>

static void make(const uint8_t point[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                 uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    for (unsigned i = 0; i < FOTA_SIGNATURE_SIZE; i++)
        signature[i] = (uint8_t) (point[i] ^ (digest[i % FOTA_SHA256_SIZE] + i));
}

int fota_ecdsa_prove(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                     const uint8_t signature[FOTA_SIGNATURE_SIZE], uint8_t proof[FOTA_PROOF_SIZE])
{
    uint8_t expected[FOTA_SIGNATURE_SIZE];

    make(key, digest, expected);
    memcpy(proof, expected, FOTA_PROOF_SIZE);
    return memcmp(expected, signature, sizeof expected) == 0 ? FOTA_OK : FOTA_E_SIGNATURE;
}

void test_key(unsigned index, struct fota_key *key)
{
    memset(key->point, (int) (0x50u + index), sizeof key->point);
    fota_key_id(key->point, key->id);
}

void test_sign(unsigned index, const uint8_t digest[FOTA_SHA256_SIZE], uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    struct fota_key key;

    test_key(index, &key);
    make(key.point, digest, signature);
}
