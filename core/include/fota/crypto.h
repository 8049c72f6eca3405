/* SPDX-License-Identifier: MIT */
/**
 * @file crypto.h
 * The crypto façade: SHA-256 and ECDSA P-256, and nothing else of the library behind it. BearSSL implements
 * it on the target and on Linux (sha256_bearssl.c, ecdsa_bearssl.c in core/src), p256-m in the bootloader
 * (ecdsa_p256m.c); another library is another file.
 */
#ifndef FOTA_CRYPTO_H
#define FOTA_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#define FOTA_SHA256_SIZE 32u
#define FOTA_SIGNATURE_SIZE 64u  /* r and s, 32 bytes each, big-endian */
#define FOTA_PROOF_SIZE 32u      /* what r must be: see fota_ecdsa_prove() */
#define FOTA_PUBLIC_KEY_SIZE 64u /* x and y of the point, 32 bytes each, big-endian */
#define FOTA_KEY_ID_SIZE 8u      /* the first bytes of the SHA-256 over the public key's 64 bytes */

/** A running SHA-256; large enough for the library behind it (checked with a static assertion). */
struct fota_sha256 {
    uint64_t opaque[16];
};

void fota_sha256_init(struct fota_sha256 *hash);
void fota_sha256_update(struct fota_sha256 *hash, const void *data, size_t length);
/** The digest so far; the running hash is not changed. */
void fota_sha256_out(const struct fota_sha256 *hash, uint8_t out[FOTA_SHA256_SIZE]);
/** SHA-256 of one piece of memory. */
void fota_sha256(const void *data, size_t length, uint8_t out[FOTA_SHA256_SIZE]);

/** Compute what r must be in an ECDSA P-256 signature over a SHA-256 digest (FIPS 186-4, 6.4: step 6, before the
 *  comparison). It is kept as a proof: whoever must not be fooled by one skipped instruction compares it once more.
 *  @param key x‖y. @param digest the SHA-256. @param signature r‖s.
 *  @param proof as r, big-endian; or all zero, which no r is, when the signature is not good for other reasons.
 *  @return FOTA_OK when it was computed, else FOTA_E_SIGNATURE. */
int fota_ecdsa_prove(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                     const uint8_t signature[FOTA_SIGNATURE_SIZE], uint8_t proof[FOTA_PROOF_SIZE]);

/** Check an ECDSA P-256 signature over a SHA-256 digest. Parameters as above.
 *  @return FOTA_OK or FOTA_E_SIGNATURE. */
int fota_ecdsa_verify(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                      const uint8_t signature[FOTA_SIGNATURE_SIZE]);

/** The id of a public key: the first 8 bytes of SHA-256(x‖y). */
void fota_key_id(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], uint8_t id[FOTA_KEY_ID_SIZE]);

#endif
