/* SPDX-License-Identifier: MIT */
#include "fota/header.h"

#include "fota/bytes.h"
#include "fota/error.h"

#include <string.h>

/* Offsets of docs/image.md. */
enum {
    AT_MAGIC = 0,
    AT_FORMAT = 4,
    AT_SIZE = 6,
    AT_PRODUCT = 8,
    AT_HW_MIN = 24,
    AT_HW_MAX = 26,
    AT_VERSION = 28,
    AT_COUNTER = 40,
    AT_IMAGE_SIZE = 44,
    AT_LINK_ADDRESS = 48,
    AT_DISTANCE = 52,
    AT_DEADLINE = 56,
    AT_FLAGS = 60,
    AT_CRC = 64,
    AT_SHA256 = 72,
    AT_KEY_ID = 136
};

int fota_header_decode(const uint8_t raw[FOTA_HEADER_SIZE], struct fota_header *header)
{
    if (fota_get32(raw + AT_MAGIC) != FOTA_HEADER_MAGIC)
        return FOTA_E_MAGIC;

    memcpy(header->product, raw + AT_PRODUCT, FOTA_PRODUCT_SIZE);
    header->hw_min = fota_get16(raw + AT_HW_MIN);
    header->hw_max = fota_get16(raw + AT_HW_MAX);
    header->version.major = fota_get16(raw + AT_VERSION);
    header->version.minor = fota_get16(raw + AT_VERSION + 2);
    header->version.patch = fota_get16(raw + AT_VERSION + 4);
    header->version.build = fota_get32(raw + AT_VERSION + 8);
    header->counter = fota_get32(raw + AT_COUNTER);
    header->image_size = fota_get32(raw + AT_IMAGE_SIZE);
    header->link_address = fota_get32(raw + AT_LINK_ADDRESS);
    header->distance = fota_get32(raw + AT_DISTANCE);
    header->deadline_ms = fota_get32(raw + AT_DEADLINE);
    header->flags = fota_get32(raw + AT_FLAGS);
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        header->crc[slot] = fota_get32(raw + AT_CRC + 4u * slot);
        memcpy(header->sha256[slot], raw + AT_SHA256 + FOTA_SHA256_SIZE * slot, FOTA_SHA256_SIZE);
    }
    memcpy(header->key_id, raw + AT_KEY_ID, FOTA_KEY_ID_SIZE);
    memcpy(header->signature, raw + FOTA_HEADER_SIGNED, FOTA_SIGNATURE_SIZE);

    if (fota_get16(raw + AT_FORMAT) != FOTA_HEADER_FORMAT || fota_get16(raw + AT_SIZE) != FOTA_HEADER_SIZE)
        return FOTA_E_FORMAT;
    if (header->flags != 0)
        return FOTA_E_FLAGS;
    if (header->image_size < 8u || header->image_size > FOTA_CODE_MAX || header->image_size % 4u != 0)
        return FOTA_E_SIZE;
    if (header->link_address != FOTA_LINK_ADDRESS || header->distance != FOTA_SLOT_DISTANCE)
        return FOTA_E_LINK_ADDRESS;
    if (header->deadline_ms < FOTA_TRIAL_DEADLINE_MIN_MS || header->deadline_ms > FOTA_TRIAL_DEADLINE_MAX_MS)
        return FOTA_E_DEADLINE_RANGE;
    if (header->hw_min > header->hw_max)
        return FOTA_E_HW_REVISION;
    return FOTA_OK;
}

void fota_header_encode(const struct fota_header *header, uint8_t raw[FOTA_HEADER_SIZE])
{
    memset(raw, 0xFF, FOTA_HEADER_SIZE);
    fota_put32(raw + AT_MAGIC, FOTA_HEADER_MAGIC);
    fota_put16(raw + AT_FORMAT, FOTA_HEADER_FORMAT);
    fota_put16(raw + AT_SIZE, FOTA_HEADER_SIZE);
    memcpy(raw + AT_PRODUCT, header->product, FOTA_PRODUCT_SIZE);
    fota_put16(raw + AT_HW_MIN, header->hw_min);
    fota_put16(raw + AT_HW_MAX, header->hw_max);
    fota_put16(raw + AT_VERSION, header->version.major);
    fota_put16(raw + AT_VERSION + 2, header->version.minor);
    fota_put16(raw + AT_VERSION + 4, header->version.patch);
    fota_put16(raw + AT_VERSION + 6, 0);
    fota_put32(raw + AT_VERSION + 8, header->version.build);
    fota_put32(raw + AT_COUNTER, header->counter);
    fota_put32(raw + AT_IMAGE_SIZE, header->image_size);
    fota_put32(raw + AT_LINK_ADDRESS, header->link_address);
    fota_put32(raw + AT_DISTANCE, header->distance);
    fota_put32(raw + AT_DEADLINE, header->deadline_ms);
    fota_put32(raw + AT_FLAGS, header->flags);
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        fota_put32(raw + AT_CRC + 4u * slot, header->crc[slot]);
        memcpy(raw + AT_SHA256 + FOTA_SHA256_SIZE * slot, header->sha256[slot], FOTA_SHA256_SIZE);
    }
    memcpy(raw + AT_KEY_ID, header->key_id, FOTA_KEY_ID_SIZE);
    memcpy(raw + FOTA_HEADER_SIGNED, header->signature, FOTA_SIGNATURE_SIZE);
}

void fota_header_identity(const uint8_t raw[FOTA_HEADER_SIZE], uint8_t identity[FOTA_IDENTITY_SIZE])
{
    fota_sha256(raw, FOTA_HEADER_SIGNED, identity);
}

int fota_header_verify(const uint8_t raw[FOTA_HEADER_SIZE], const struct fota_key *keys, unsigned count)
{
    uint8_t identity[FOTA_IDENTITY_SIZE];

    for (unsigned i = 0; i < count; i++) {
        if (memcmp(keys[i].id, raw + AT_KEY_ID, FOTA_KEY_ID_SIZE) == 0) {
            fota_header_identity(raw, identity);
            return fota_ecdsa_verify(keys[i].point, identity, raw + FOTA_HEADER_SIGNED);
        }
    }
    return FOTA_E_KEY;
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
