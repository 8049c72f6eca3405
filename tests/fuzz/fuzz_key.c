/* SPDX-License-Identifier: MIT */
/* Keys in PEM, and the small texts of the command line. */
#include "fuzz.h"

#include "pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pack_key key;
    struct fota_key public_key;
    struct pack_message message = {0};
    char *text = malloc(size + 1u);
    struct fota_version version;
    uint8_t uuid[FOTA_PRODUCT_SIZE];
    uint16_t low, high;
    uint32_t number;
    char back[PACK_UUID_TEXT];

    memcpy(text, data, size);
    text[size] = 0;
    if (pack_key_parse("key", data, size, &key, &message) == FOTA_OK) {
        uint8_t signature[FOTA_SIGNATURE_SIZE], digest[FOTA_SHA256_SIZE] = {1};

        PROMISE(pack_sign(&key, digest, signature) == FOTA_OK);
        PROMISE(fota_ecdsa_verify(key.public_key.point, digest, signature) == FOTA_OK);
    }
    (void) pack_public_parse("key", data, size, &public_key, &message);
    (void) pack_version_parse(text, &version);
    if (pack_uuid_parse(text, uuid))
        pack_uuid_print(uuid, back);
    if (pack_range_parse(text, &low, &high))
        PROMISE(low <= high);
    if (pack_number_parse(text, 3, 1000, &number))
        PROMISE(number >= 3u && number <= 1000u);
    free(text);
    return 0;
}
