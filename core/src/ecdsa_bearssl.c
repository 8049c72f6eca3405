/* SPDX-License-Identifier: MIT */
#include "fota/crypto.h"

#include "fota/error.h"

#include <bearssl.h>
#include <string.h>

/* BearSSL says yes or no; where it says yes, the proof is r itself. */
int fota_ecdsa_prove(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                     const uint8_t signature[FOTA_SIGNATURE_SIZE], uint8_t proof[FOTA_PROOF_SIZE])
{
    uint8_t point[1u + FOTA_PUBLIC_KEY_SIZE];
    br_ec_public_key public_key = {.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof point};

    point[0] = 0x04; /* uncompressed */
    memcpy(point + 1, key, FOTA_PUBLIC_KEY_SIZE);
    memset(proof, 0, FOTA_PROOF_SIZE);
    if (br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, FOTA_SHA256_SIZE, &public_key, signature, FOTA_SIGNATURE_SIZE) !=
        1)
        return FOTA_E_SIGNATURE;
    memcpy(proof, signature, FOTA_PROOF_SIZE);
    return FOTA_OK;
}
