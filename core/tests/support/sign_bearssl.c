/* SPDX-License-Identifier: MIT */
#include "sign.h"

#include "cmocka_all.h"

#include <bearssl.h>
#include <string.h>

/* RFC 6979 A.2.5, P-256: the private key x. The other keys of the tests differ in the last byte. */
static const uint8_t sample_x[32] = {0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21,
                                     0x57, 0x67, 0xB1, 0xD6, 0x93, 0x4E, 0x50, 0xC3, 0xDB, 0x36, 0xE8,
                                     0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B, 0x12, 0x0F, 0x67, 0x21};

static br_ec_private_key private_key(unsigned index, uint8_t x[32])
{
    memcpy(x, sample_x, 32);
    x[31] = (uint8_t) (x[31] + index);
    return (br_ec_private_key){.curve = BR_EC_secp256r1, .x = x, .xlen = 32};
}

void test_key(unsigned index, struct fota_key *key)
{
    uint8_t x[32], point[1 + FOTA_PUBLIC_KEY_SIZE];
    br_ec_private_key private = private_key(index, x);

    assert_int_equal(br_ec_compute_pub(&br_ec_p256_m31, NULL, point, &private), sizeof point);
    memcpy(key->point, point + 1, FOTA_PUBLIC_KEY_SIZE);
    fota_key_id(key->point, key->id);
}

void test_sign(unsigned index, const uint8_t digest[FOTA_SHA256_SIZE], uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    uint8_t x[32];
    br_ec_private_key private = private_key(index, x);

    assert_int_equal(br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, digest, &private, signature),
                     FOTA_SIGNATURE_SIZE);
}
