/* SPDX-License-Identifier: MIT */
/* The channel index: whatever decodes is bounded and encodes to itself, and is never signed by accident. */
#include "fuzz.h"

#include "fota/channel.h"
#include "fota/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fota_channel c;
    struct fota_key key = {{0}, {0}};
    uint8_t raw[FOTA_CHANNEL_SIZE], again[FOTA_CHANNEL_SIZE];

    PROMISE(size == FOTA_CHANNEL_SIZE || fota_channel_decode(data, size, &c) != FOTA_OK);
    memset(raw, 0, sizeof raw);
    memcpy(raw, data, size < sizeof raw ? size : sizeof raw);
    if (fota_channel_decode(raw, sizeof raw, &c) == FOTA_OK) {
        PROMISE(strlen(c.name) >= 1u && strlen(c.name) < FOTA_CHANNEL_NAME_SIZE);
        PROMISE(c.package_size >= 1u && c.package_size <= FOTA_PACKAGE_MAX && c.not_before < c.expiry);
        fota_channel_encode(&c, again);
        memset(raw + offsetof(struct fota_channel, version.reserved), 0, 2); /* ignored when read */
        PROMISE(memcmp(raw, again, offsetof(struct fota_channel, reserved)) == 0);
    }
    memcpy(key.id, raw + offsetof(struct fota_channel, key_id), sizeof key.id);
    memcpy(key.point, raw, sizeof key.point);
    if (size % 16u == 0)
        PROMISE(fota_channel_verify(raw, &key, 1) != FOTA_OK);
    return 0;
}
