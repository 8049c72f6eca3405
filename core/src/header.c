/* SPDX-License-Identifier: MIT */
#include "fota/header.h"

#include "fota/error.h"

#include <string.h>

int fota_header_check(const struct fota_header *h)
{
    if (h->magic != FOTA_HEADER_MAGIC)
        return FOTA_E_MAGIC;
    if (h->format != FOTA_HEADER_FORMAT || h->header_size != FOTA_HEADER_SIZE)
        return FOTA_E_FORMAT;
    if (h->flags != 0)
        return FOTA_E_FLAGS;
    if (h->image_size < 8u || h->image_size > FOTA_CODE_MAX || h->image_size % 4u != 0)
        return FOTA_E_SIZE;
    if (h->link_address != fota_slot_code(FOTA_SLOT_A) || h->distance != FOTA_SLOT_DISTANCE)
        return FOTA_E_LINK_ADDRESS;
    if (h->deadline_ms < FOTA_TRIAL_DEADLINE_MIN_MS || h->deadline_ms > FOTA_TRIAL_DEADLINE_MAX_MS)
        return FOTA_E_DEADLINE_RANGE;
    return h->hw_min > h->hw_max ? FOTA_E_HW_REVISION : FOTA_OK;
}

int fota_header_decode(const uint8_t raw[FOTA_HEADER_SIZE], struct fota_header *header)
{
    memcpy(header, raw, FOTA_HEADER_SIZE);
    return fota_header_check(header);
}

int fota_header_decode_any(const uint8_t raw[FOTA_HEADER_SIZE], struct fota_header *header)
{
    struct fota_header h;

    memcpy(header, raw, FOTA_HEADER_SIZE);
    h = *header;
    if (h.flags == FOTA_FLAG_GATEWAY) { /* what differs; the rest is as for a device */
        if (h.image_size < 8u || h.image_size > FOTA_GATEWAY_MAX || h.image_size % 4u != 0)
            return FOTA_E_SIZE;
        if (h.link_address != 0 || h.distance != 0)
            return FOTA_E_LINK_ADDRESS;
        h.flags = 0;
        h.image_size = FOTA_CODE_MAX;
        h.link_address = FOTA_LINK_ADDRESS;
        h.distance = FOTA_SLOT_DISTANCE;
    }
    return fota_header_check(&h);
}

void fota_header_encode(const struct fota_header *header, uint8_t raw[FOTA_HEADER_SIZE])
{
    struct fota_header h = *header;

    h.magic = FOTA_HEADER_MAGIC;
    h.format = FOTA_HEADER_FORMAT;
    h.header_size = FOTA_HEADER_SIZE;
    h.version.reserved = 0;
    memset(h.reserved, 0xFF, sizeof h.reserved);
    memcpy(raw, &h, FOTA_HEADER_SIZE);
}

void fota_header_identity(const uint8_t raw[FOTA_HEADER_SIZE], uint8_t identity[FOTA_IDENTITY_SIZE])
{
    fota_sha256(raw, FOTA_HEADER_SIGNED, identity);
}

int fota_header_prove(const uint8_t raw[FOTA_HEADER_SIZE], const struct fota_key *keys, unsigned count,
                      uint8_t proof[FOTA_PROOF_SIZE])
{
    uint8_t identity[FOTA_IDENTITY_SIZE];

    memset(proof, 0, FOTA_PROOF_SIZE);
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(keys[i].id, raw + offsetof(struct fota_header, key_id), FOTA_KEY_ID_SIZE) == 0) {
            fota_header_identity(raw, identity);
            return fota_ecdsa_prove(keys[i].point, identity, raw + FOTA_HEADER_SIGNED, proof);
        }
    }
    return FOTA_E_KEY;
}

int fota_header_verify(const uint8_t raw[FOTA_HEADER_SIZE], const struct fota_key *keys, unsigned count)
{
    uint8_t proof[FOTA_PROOF_SIZE];
    int error = fota_header_prove(raw, keys, count, proof);

    return error == FOTA_OK && memcmp(proof, raw + FOTA_HEADER_SIGNED, sizeof proof) != 0 ? FOTA_E_SIGNATURE : error;
}

int fota_header_fits(const struct fota_header *header, const struct fota_target *target)
{
    if (memcmp(header->product, target->product, FOTA_PRODUCT_SIZE) != 0)
        return FOTA_E_PRODUCT;
    if (target->hw_revision < header->hw_min || target->hw_revision > header->hw_max)
        return FOTA_E_HW_REVISION;
    if (header->counter < target->floor)
        return FOTA_E_FLOOR;
    return FOTA_OK;
}

int fota_vectors_check(const uint8_t *code, uint32_t image_size, unsigned slot)
{
    uint32_t stack = fota_get32(code);
    uint32_t reset = fota_get32(code + 4);
    /* the stack grows down, so the address just past the end is the usual one and the base itself is none */
    bool in_ram = stack - FOTA_RAM_BASE - 1u < FOTA_RAM_SIZE || stack - FOTA_CCM_BASE - 1u < FOTA_CCM_SIZE;

    if (!in_ram || stack % 8u != 0 || reset % 2u == 0)
        return FOTA_E_VECTORS;
    return reset - 1u - fota_slot_code(slot) < image_size ? FOTA_OK : FOTA_E_VECTORS;
}

int fota_version_compare(const struct fota_version *a, const struct fota_version *b)
{
    const uint32_t left[] = {a->major, a->minor, a->patch, a->build};
    const uint32_t right[] = {b->major, b->minor, b->patch, b->build};

    for (unsigned i = 0; i < 4u; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}
