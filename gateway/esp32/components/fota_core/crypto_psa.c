/* SPDX-License-Identifier: MIT */
/*
 * The crypto facade on PSA, as ESP-IDF has it (Mbed TLS 3.6 in 5.x, 4 in 6.x). A running hash of PSA may own memory of
 * the heap and has to be ended, while the facade's may be forgotten at any time: so the operations live in a small pool
 * here, each bound to the address of the facade's. Called from one task only.
 */
#include "fota/crypto.h"

#include "fota/error.h"

#include <psa/crypto.h>
#include <stdbool.h>
#include <string.h>

#define POOL 6u /* a download's check has three, and three more may be computed beside it */

static struct entry {
    const struct fota_sha256 *owner;
    bool spent; /* its digest was read: it goes first */
    uint32_t used;
    psa_hash_operation_t operation;
} pool[POOL];
static uint32_t clock_of_use;

static struct entry *find(const struct fota_sha256 *hash)
{
    for (unsigned i = 0; i < POOL; i++)
        if (pool[i].owner == hash)
            return &pool[i];
    return NULL;
}

/* The entry that was this hash's before, a free one, or the one whose digest was read the longest time ago. */
static struct entry *choose(const struct fota_sha256 *hash)
{
    struct entry *best = find(hash);

    if (best == NULL)
        best = find(NULL);
    if (best != NULL)
        return best;
    for (unsigned i = 0; i < POOL; i++)
        if (pool[i].spent && (best == NULL || pool[i].used < best->used))
            best = &pool[i];
    return best; /* NULL: all of them are under way */
}

void fota_sha256_init(struct fota_sha256 *hash)
{
    struct entry *e = choose(hash);

    if (e == NULL)
        return; /* its digest will be zeros, which no digest is */
    (void) psa_hash_abort(&e->operation);
    e->operation = psa_hash_operation_init();
    e->owner = psa_hash_setup(&e->operation, PSA_ALG_SHA_256) == PSA_SUCCESS ? hash : NULL;
    e->spent = false;
    e->used = ++clock_of_use;
}

void fota_sha256_update(struct fota_sha256 *hash, const void *data, size_t length)
{
    struct entry *e = find(hash);

    if (e == NULL || length == 0)
        return;
    e->spent = false;
    e->used = ++clock_of_use;
    if (psa_hash_update(&e->operation, data, length) != PSA_SUCCESS)
        e->owner = NULL;
}

void fota_sha256_out(const struct fota_sha256 *hash, uint8_t out[FOTA_SHA256_SIZE])
{
    struct entry *e = find(hash);
    psa_hash_operation_t copy = psa_hash_operation_init();
    size_t length = 0;

    memset(out, 0, FOTA_SHA256_SIZE);
    if (e == NULL)
        return;
    e->spent = true;
    if (psa_hash_clone(&e->operation, &copy) != PSA_SUCCESS ||
        psa_hash_finish(&copy, out, FOTA_SHA256_SIZE, &length) != PSA_SUCCESS || length != FOTA_SHA256_SIZE)
        memset(out, 0, FOTA_SHA256_SIZE);
    (void) psa_hash_abort(&copy);
}

/* PSA says yes or no; where it says yes, the proof is r itself. */
int fota_ecdsa_prove(const uint8_t key[FOTA_PUBLIC_KEY_SIZE], const uint8_t digest[FOTA_SHA256_SIZE],
                     const uint8_t signature[FOTA_SIGNATURE_SIZE], uint8_t proof[FOTA_PROOF_SIZE])
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    uint8_t point[1u + FOTA_PUBLIC_KEY_SIZE];
    psa_key_id_t id = 0;
    psa_status_t status;

    point[0] = 0x04; /* uncompressed */
    memcpy(point + 1, key, FOTA_PUBLIC_KEY_SIZE);
    memset(proof, 0, FOTA_PROOF_SIZE);
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    if (psa_crypto_init() != PSA_SUCCESS || psa_import_key(&attributes, point, sizeof point, &id) != PSA_SUCCESS)
        return FOTA_E_SIGNATURE;
    status =
        psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, FOTA_SHA256_SIZE, signature, FOTA_SIGNATURE_SIZE);
    (void) psa_destroy_key(id);
    if (status != PSA_SUCCESS)
        return FOTA_E_SIGNATURE;
    memcpy(proof, signature, FOTA_PROOF_SIZE);
    return FOTA_OK;
}
