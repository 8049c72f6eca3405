/* SPDX-License-Identifier: MIT */
/* p256-m: half the size of BearSSL's P-256, and a third slower. The bootloader's choice. Its pieces are used, not its
 * p256_ecdsa_verify(): that one says yes or no, and a skipped instruction turns the one into the other. */
#include "fota/crypto.h"

#include "fota/error.h"

#include <p256-m.c> /* NOLINT(bugprone-suspicious-include): they are static */
#include <string.h>

/* SEC 1, 4.1.4. Everything here is public, so branches are no leak. */
int fota_ecdsa_prove(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                     const uint8_t signature[FOTA_SIGNATURE_SIZE], uint8_t proof[FOTA_PROOF_SIZE])
{
    uint32_t r[8], s[8], e[8], x[8], y[8], qx[8], qy[8];

    memset(proof, 0, FOTA_PROOF_SIZE);
    if (scalar_from_bytes(r, signature) != 0 || scalar_from_bytes(s, signature + 32) != 0 ||
        point_from_bytes(qx, qy, key) != 0)
        return FOTA_E_SIGNATURE;
    ecdsa_m256_from_hash(e, digest, FOTA_SHA256_SIZE);
    m256_prep(s, &p256_n);
    m256_inv(s, s, &p256_n);
    m256_mul(e, e, s, &p256_n); /* u1 = e / s */
    m256_done(e, &p256_n);
    m256_prep(r, &p256_n);
    m256_mul(r, r, s, &p256_n); /* u2 = r / s */
    m256_done(r, &p256_n);
    scalar_mult(x, y, qx, qy, r); /* u2 Q */
    if (u256_diff0(e) != 0) {     /* u1 G + u2 Q; a digest that is 0 leaves u2 Q */
        scalar_mult(qx, qy, p256_gx, p256_gy, e);
        point_add_or_double_leaky(qx, qy, qx, qy, x, y);
        memcpy(x, qx, sizeof x);
    }
    m256_done(x, &p256_p);
    ecdsa_m256_mod_n(x);
    u256_to_bytes(proof, x);
    return FOTA_OK;
}
