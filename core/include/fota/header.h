/* SPDX-License-Identifier: MIT */
/**
 * @file header.h
 * The 512-byte image header: the signed manifest. docs/image.md has the layout; header.c is its only
 * implementation.
 */
#ifndef FOTA_HEADER_H
#define FOTA_HEADER_H

#include "fota/bytes.h"
#include "fota/crypto.h"
#include "fota/map.h"

#include <stdbool.h>
#include <stddef.h>

#define FOTA_HEADER_MAGIC 0x41544F46u /* "FOTA" in the file */
#define FOTA_HEADER_FORMAT 1u
#define FOTA_HEADER_SIGNED (FOTA_HEADER_SIZE - FOTA_SIGNATURE_SIZE) /* bytes under the signature */
#define FOTA_PRODUCT_SIZE 16u
#define FOTA_IDENTITY_SIZE FOTA_SHA256_SIZE

#define FOTA_TRIAL_DEADLINE_MIN_MS 1000u
#define FOTA_TRIAL_DEADLINE_MAX_MS 600000u
#define FOTA_TRIAL_DEADLINE_DEFAULT_MS 20000u

/** A gateway's own program: one image, whole and at no address of the device; no device takes it. */
#define FOTA_FLAG_GATEWAY 0x01u
/** Product id of gateways that nobody gave another one: 8c1d7a40-52ee-4f6b-9a37-2f0d61b7c3e5. */
#define FOTA_GATEWAY_PRODUCT                                                                                           \
    {                                                                                                                  \
        0x8c, 0x1d, 0x7a, 0x40, 0x52, 0xee, 0x4f, 0x6b, 0x9a, 0x37, 0x2f, 0x0d, 0x61, 0xb7, 0xc3, 0xe5                 \
    }
#define FOTA_GATEWAY_MAX                                                                                               \
    FOTA_KIB(1016) /* bytes of it: the package stays below FOTA_PACKAGE_MAX, and below a cache of 1 MiB */

struct fota_version {
    uint16_t major, minor, patch, reserved; /* reserved: 0 */
    uint32_t build;
};

/** A header, member for member as it lies in the file and in flash (docs/image.md). */
struct fota_header {
    uint32_t magic;                     /* FOTA_HEADER_MAGIC */
    uint16_t format, header_size;       /* FOTA_HEADER_FORMAT, FOTA_HEADER_SIZE */
    uint8_t product[FOTA_PRODUCT_SIZE]; /* UUID in the order in which it is printed (RFC 4122) */
    uint16_t hw_min, hw_max;            /* hardware revisions that the image is for, both included */
    struct fota_version version;
    uint32_t counter;      /* security counter, compared with the floor */
    uint32_t image_size;   /* bytes of code, multiple of 4, 8 … FOTA_CODE_MAX */
    uint32_t link_address; /* of the code in slot A: FOTA_LINK_ADDRESS */
    uint32_t distance;     /* from slot A to slot B: FOTA_SLOT_DISTANCE */
    uint32_t deadline_ms;  /* trial deadline */
    uint32_t flags;        /* 0, or FOTA_FLAG_GATEWAY */
    uint32_t crc[FOTA_SLOT_COUNT];
    uint8_t sha256[FOTA_SLOT_COUNT][FOTA_SHA256_SIZE];
    uint8_t key_id[FOTA_KEY_ID_SIZE];
    uint8_t reserved[304]; /* 0xFF, signed, ignored */
    uint8_t signature[FOTA_SIGNATURE_SIZE];
};

_Static_assert(sizeof(struct fota_version) == 12u && sizeof(struct fota_header) == FOTA_HEADER_SIZE &&
                   offsetof(struct fota_header, signature) == FOTA_HEADER_SIGNED,
               "the header lies in memory as in the file");

/** A public key that is trusted. */
struct fota_key {
    uint8_t id[FOTA_KEY_ID_SIZE];
    uint8_t point[FOTA_PUBLIC_KEY_SIZE]; /* x‖y */
};

/** What a device, or whoever checks for one, compares a header with. */
struct fota_target {
    uint8_t product[FOTA_PRODUCT_SIZE];
    uint16_t hw_revision;
    uint32_t floor;
};

/** Check everything that needs no key and no device: magic, format, flags, size, link address, deadline,
 * hardware range.
 *  @return FOTA_OK, FOTA_E_MAGIC, FOTA_E_FORMAT, FOTA_E_FLAGS, FOTA_E_SIZE, FOTA_E_LINK_ADDRESS,
 *  FOTA_E_DEADLINE_RANGE or FOTA_E_HW_REVISION. */
int fota_header_check(const struct fota_header *header);

/** Copy a header from bytes and check it. @param raw 512 bytes. @return as fota_header_check(). */
int fota_header_decode(const uint8_t raw[FOTA_HEADER_SIZE], struct fota_header *header);

/** The same for whoever handles gateways' own programs as well: hub, gateway and tools. Of those link address and
 * distance are 0, and the size is at most FOTA_GATEWAY_MAX. @return as fota_header_check(). */
int fota_header_decode_any(const uint8_t raw[FOTA_HEADER_SIZE], struct fota_header *header);

/** Write a header as bytes; magic, format and reserved bytes are set here, the signature is copied as it is.
 */
void fota_header_encode(const struct fota_header *header, uint8_t raw[FOTA_HEADER_SIZE]);

/** The identity of an image: SHA-256 of the signed part of its header. */
void fota_header_identity(const uint8_t raw[FOTA_HEADER_SIZE], uint8_t identity[FOTA_IDENTITY_SIZE]);

/** Find the signing key by its id and check the signature.
 *  @param keys trusted keys. @param count 0 … any. @return FOTA_OK, FOTA_E_KEY or FOTA_E_SIGNATURE. */
int fota_header_verify(const uint8_t raw[FOTA_HEADER_SIZE], const struct fota_key *keys, unsigned count);

/** The same up to the comparison: what the signature's r must be. @param proof see fota_ecdsa_prove(); all zero when
 *  no key was found. @return FOTA_OK, FOTA_E_KEY or FOTA_E_SIGNATURE. */
int fota_header_prove(const uint8_t raw[FOTA_HEADER_SIZE], const struct fota_key *keys, unsigned count,
                      uint8_t proof[FOTA_PROOF_SIZE]);

/** Check a decoded header against a device. @return FOTA_OK, FOTA_E_PRODUCT, FOTA_E_HW_REVISION or
 * FOTA_E_FLOOR. */
int fota_header_fits(const struct fota_header *header, const struct fota_target *target);

/** Check the first two words of the code for a slot: the initial stack pointer lies in SRAM or CCM (its end
 * included) and is 8-aligned, the reset address is odd (Thumb) and inside the image. @param code at least 8
 * bytes.
 *  @return FOTA_OK or FOTA_E_VECTORS. */
int fota_vectors_check(const uint8_t *code, uint32_t image_size, unsigned slot);

/** Order of versions. @return < 0, 0 or > 0. */
int fota_version_compare(const struct fota_version *a, const struct fota_version *b);

#endif
