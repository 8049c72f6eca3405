/* SPDX-License-Identifier: MIT */
/* p256-m: half the size of BearSSL's P-256, and a third slower. The bootloader's choice. */
#include "fota/crypto.h"

#include "fota/error.h"

#include <p256-m.h>

int fota_ecdsa_verify(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                      const uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    return p256_ecdsa_verify(signature, key, digest, FOTA_SHA256_SIZE) == P256_SUCCESS ? FOTA_OK : FOTA_E_SIGNATURE;
}
