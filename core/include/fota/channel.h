/* SPDX-License-Identifier: MIT */
/**
 * @file channel.h
 * The channel index: 256 signed bytes that say which package the devices of a product on a channel are to run.
 * docs/channel.md has the layout; channel.c is its only implementation.
 */
#ifndef FOTA_CHANNEL_H
#define FOTA_CHANNEL_H

#include "fota/header.h"

#define FOTA_CHANNEL_SIZE 256u
#define FOTA_CHANNEL_SIGNED (FOTA_CHANNEL_SIZE - FOTA_SIGNATURE_SIZE) /* bytes under the signature */
#define FOTA_CHANNEL_MAGIC 0x49484346u                                /* "FCHI" in the file */
#define FOTA_CHANNEL_FORMAT 1u
#define FOTA_CHANNEL_NAME_SIZE 32u                /* with its NUL */
#define FOTA_CHANNEL_TIME_MAX 253402300799ull     /* the last second of the year 9999 */
#define FOTA_CHANNEL_VALID_MAX (10ull * 31622400) /* seconds from not_before to expiry */

/** An index, member for member as it lies in the file (docs/channel.md). */
struct fota_channel {
    uint32_t magic;                     /* FOTA_CHANNEL_MAGIC */
    uint16_t format, size;              /* FOTA_CHANNEL_FORMAT, FOTA_CHANNEL_SIZE */
    uint8_t product[FOTA_PRODUCT_SIZE]; /* UUID in the order in which it is printed */
    char name[FOTA_CHANNEL_NAME_SIZE];  /* A-Z a-z 0-9 _ -, 1 to 31 of them, then NULs */
    uint32_t sequence;                  /* 1 …, greater with every index of the channel */
    uint32_t package_size;              /* bytes, 1 … FOTA_PACKAGE_MAX */
    uint64_t not_before, expiry;        /* unix seconds; good from, good until, not_before < expiry */
    uint8_t package[FOTA_SHA256_SIZE];  /* SHA-256 of the package file */
    uint8_t identity[FOTA_IDENTITY_SIZE];
    struct fota_version version; /* for people; the package's own header decides */
    uint8_t key_id[FOTA_KEY_ID_SIZE];
    uint8_t reserved[28]; /* 0xFF, signed, ignored */
    uint8_t signature[FOTA_SIGNATURE_SIZE];
};

_Static_assert(sizeof(struct fota_channel) == FOTA_CHANNEL_SIZE &&
                   offsetof(struct fota_channel, signature) == FOTA_CHANNEL_SIGNED,
               "the index lies in memory as in the file");

/** @return whether a channel may have this name. */
bool fota_channel_name_valid(const char *name);

/** Check everything that needs no key, no clock and no memory of earlier ones.
 *  @return FOTA_OK, FOTA_E_MAGIC, FOTA_E_FORMAT, FOTA_E_ARGUMENT (name, sequence or times), or FOTA_E_SIZE. */
int fota_channel_check(const struct fota_channel *channel);

/** Copy an index from bytes and check it. @param size exactly FOTA_CHANNEL_SIZE, else FOTA_E_TRUNCATED or
 *  FOTA_E_TRAILING. @return those, or as fota_channel_check(). */
int fota_channel_decode(const void *raw, size_t size, struct fota_channel *channel);

/** Write an index as bytes; magic, format and reserved bytes are set here, the signature is copied as it is. */
void fota_channel_encode(const struct fota_channel *channel, uint8_t raw[FOTA_CHANNEL_SIZE]);

/** Find the signing key by its id and check the signature. @return FOTA_OK, FOTA_E_KEY or FOTA_E_SIGNATURE. */
int fota_channel_verify(const uint8_t raw[FOTA_CHANNEL_SIZE], const struct fota_key *keys, unsigned count);

#endif
