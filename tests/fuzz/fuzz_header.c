/* SPDX-License-Identifier: MIT */
/* The image header, the configuration block: whatever decodes also encodes to itself, and fits no device by accident.
 */
#include "fuzz.h"

#include "fota/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fota_header header;
    struct fota_config config;
    struct fota_key key = {{0}, {0}};
    uint8_t raw[FOTA_HEADER_SIZE], again[FOTA_HEADER_SIZE], block[FOTA_CONFIG_SIZE], back[FOTA_CONFIG_SIZE];

    memset(raw, 0xFF, sizeof raw);
    memcpy(raw, data, size < sizeof raw ? size : sizeof raw);
    if (fota_header_decode(raw, &header) == FOTA_OK) {
        PROMISE(header.image_size >= 8u && header.image_size <= FOTA_CODE_MAX && header.image_size % 4u == 0);
        PROMISE(header.hw_min <= header.hw_max);
        memset(header.reserved, 0xFF, sizeof header.reserved);
        fota_header_encode(&header, again);
        memset(raw + offsetof(struct fota_header, version.reserved), 0, 2); /* ignored when read */
        PROMISE(memcmp(raw, again, offsetof(struct fota_header, reserved)) == 0);
    }
    memcpy(key.id, raw + offsetof(struct fota_header, key_id), sizeof key.id);
    memcpy(key.point, raw, sizeof key.point);
    if (size % 16u == 0) /* an arbitrary point and an arbitrary signature: never good */
        PROMISE(fota_header_verify(raw, &key, 1) != FOTA_OK);
    memset(block, 0xFF, sizeof block);
    memcpy(block, data, size < sizeof block ? size : sizeof block);
    if (fota_config_decode(block, &config) == FOTA_OK) {
        PROMISE(config.key_count >= 1u && config.key_count <= FOTA_CONFIG_KEYS && config.uart >= 1u &&
                config.uart <= 3u);
        PROMISE(fota_config_encode(&config, back) == FOTA_OK);
    }
    return 0;
}
