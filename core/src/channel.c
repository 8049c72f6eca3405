/* SPDX-License-Identifier: MIT */
#include "fota/channel.h"

#include "fota/error.h"
#include "fota/package.h"

#include <string.h>

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool fota_channel_name_valid(const char *name)
{
    size_t n = 0;

    while (n < FOTA_CHANNEL_NAME_SIZE && name_character(name[n]))
        n++;
    return n >= 1u && n < FOTA_CHANNEL_NAME_SIZE && name[n] == '\0';
}

int fota_channel_check(const struct fota_channel *c)
{
    if (c->magic != FOTA_CHANNEL_MAGIC)
        return FOTA_E_MAGIC;
    if (c->format != FOTA_CHANNEL_FORMAT || c->size != FOTA_CHANNEL_SIZE)
        return FOTA_E_FORMAT;
    if (!fota_channel_name_valid(c->name))
        return FOTA_E_ARGUMENT;
    for (size_t i = strlen(c->name); i < FOTA_CHANNEL_NAME_SIZE; i++)
        if (c->name[i] != '\0')
            return FOTA_E_ARGUMENT; /* one name, one spelling */
    if (c->sequence == 0 || c->expiry > FOTA_CHANNEL_TIME_MAX || c->not_before >= c->expiry ||
        c->expiry - c->not_before > FOTA_CHANNEL_VALID_MAX)
        return FOTA_E_ARGUMENT;
    return c->package_size == 0 || c->package_size > FOTA_PACKAGE_MAX ? FOTA_E_SIZE : FOTA_OK;
}

int fota_channel_decode(const void *raw, size_t size, struct fota_channel *channel)
{
    if (size != FOTA_CHANNEL_SIZE)
        return size < FOTA_CHANNEL_SIZE ? FOTA_E_TRUNCATED : FOTA_E_TRAILING;
    memcpy(channel, raw, FOTA_CHANNEL_SIZE);
    return fota_channel_check(channel);
}

void fota_channel_encode(const struct fota_channel *channel, uint8_t raw[FOTA_CHANNEL_SIZE])
{
    struct fota_channel c = *channel;

    c.magic = FOTA_CHANNEL_MAGIC;
    c.format = FOTA_CHANNEL_FORMAT;
    c.size = FOTA_CHANNEL_SIZE;
    c.version.reserved = 0;
    memset(c.reserved, 0xFF, sizeof c.reserved);
    memcpy(raw, &c, FOTA_CHANNEL_SIZE);
}

int fota_channel_verify(const uint8_t raw[FOTA_CHANNEL_SIZE], const struct fota_key *keys, unsigned count)
{
    uint8_t digest[FOTA_SHA256_SIZE];

    for (unsigned i = 0; i < count; i++) {
        if (memcmp(keys[i].id, raw + offsetof(struct fota_channel, key_id), FOTA_KEY_ID_SIZE) == 0) {
            fota_sha256(raw, FOTA_CHANNEL_SIGNED, digest);
            return fota_ecdsa_verify(keys[i].point, digest, raw + FOTA_CHANNEL_SIGNED);
        }
    }
    return FOTA_E_KEY;
}
