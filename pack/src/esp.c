/* SPDX-License-Identifier: MIT */
/** @file esp.c The .bin of an ESP-IDF application: a gateway's own program. Its layout is esp_image_header_t and
 * esp_app_desc_t of ESP-IDF (esp_app_format.h, esp_app_desc.h). */
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_SEGMENTS = 1,     /* u8 */
    AT_CHIP = 12,        /* u16 */
    AT_DESCRIPTION = 32, /* behind the headers of image and first segment */
    AT_SECURE = AT_DESCRIPTION + 4,
    AT_VERSION = AT_DESCRIPTION + 16,
    VERSION_SIZE = 32,
    DESCRIPTION_END = AT_DESCRIPTION + 256,
    AT_HASHED = 23, /* u8: a SHA-256 of all before follows */
    HEAD_SIZE = 24,
    SEGMENT_HEAD = 8, /* u32 load address, u32 length */
    PADDED = 16,      /* the checksum is the last byte of such a block */
};
#define CHECKSUM_SEED 0xEFu
#define IMAGE_MAGIC 0xE9u
#define DESCRIPTION_MAGIC 0xABCD5432u
#define DEADLINE_MS 120000u /* Wi-Fi, time and broker may take a while */

bool pack_looks_like_esp(const uint8_t *p, size_t size)
{
    return size >= DESCRIPTION_END && p[0] == IMAGE_MAGIC && fota_get32(p + AT_DESCRIPTION) == DESCRIPTION_MAGIC;
}

/* @return bytes up to and with the checksum, or 0: they are not all there, or the checksum says that they are others.
 */
static size_t checked(const uint8_t *p, size_t size)
{
    size_t at = HEAD_SIZE;
    uint8_t sum = CHECKSUM_SEED;
    for (unsigned i = 0; i < p[AT_SEGMENTS]; i++) {
        if (size - at < SEGMENT_HEAD || fota_get32(p + at + 4) > size - at - SEGMENT_HEAD)
            return 0;
        for (size_t n = fota_get32(p + at + 4), from = at + SEGMENT_HEAD; n > 0; n--)
            sum ^= p[from++];
        at += SEGMENT_HEAD + fota_get32(p + at + 4);
    }
    at = (at / PADDED + 1u) * PADDED;
    return at <= size && p[at - 1u] == sum ? at : 0;
}

static bool whole(const uint8_t *p, size_t size)
{
    uint8_t digest[FOTA_SHA256_SIZE];
    size_t end = checked(p, size);
    if (end == 0 || p[AT_HASHED] == 0)
        return end != 0;
    fota_sha256(p, end, digest);
    return size - end >= sizeof digest && memcmp(p + end, digest, sizeof digest) == 0;
}

/* As scripts/version.sh makes it, 1.2.3+g6c2fa01.dirty or 1.2.3+4.g6c2fa01: which commit it was does not count. */
static bool version_of(const char *text, struct fota_version *version)
{
    char number[VERSION_SIZE + 1] = "";
    const char *from = text[0] == 'v' ? text + 1 : text;
    size_t length = strcspn(from, "+");
    if (from[length] == '+') {
        size_t digits = strspn(from + length + 1, "0123456789");
        length += digits > 0 ? digits + 1u : 0u;
    }
    memcpy(number, from, length);
    return pack_version_parse(number, version);
}

int pack_esp_read(const struct pack_input *input, struct pack_image *image, struct pack_message *error)
{
    static const uint8_t product[FOTA_PRODUCT_SIZE] = FOTA_GATEWAY_PRODUCT;
    char text[VERSION_SIZE + 1] = "";
    struct fota_version version;
    if (input->size > FOTA_GATEWAY_MAX)
        return pack_fail(error, FOTA_E_SIZE,
                         "%s: %zu bytes; a gateway's own program may have %u: optimize for size (-Os)", input->name,
                         input->size, FOTA_GATEWAY_MAX);
    if (!whole(input->data, input->size))
        return pack_fail(error, FOTA_E_TRUNCATED,
                         "%s: cut short or damaged: its segments, checksum or hash do not fit; build it again",
                         input->name);
    memcpy(text, input->data + AT_VERSION, VERSION_SIZE);
    if (!version_of(text, &version))
        return pack_fail(
            error, FOTA_E_ARGUMENT,
            "%s: its version is \"%s\"; wanted is one such as 1.2.3: set PROJECT_VER in its CMakeLists.txt",
            input->name, text);
    image->size = ((uint32_t) input->size + 3u) & ~3u;
    image->code = malloc(image->size);
    if (image->code == NULL)
        return pack_no_memory(error);
    memset(image->code + image->size - 4u, 0xFF, 4);
    memcpy(image->code, input->data, input->size);
    image->gateway = image->has_info = true;
    memcpy(image->info.product, product, sizeof product);
    image->info.hw_min = image->info.hw_max = fota_get16(input->data + AT_CHIP);
    image->info.major = version.major;
    image->info.minor = version.minor;
    image->info.patch = version.patch;
    image->info.build = version.build;
    image->info.counter = fota_get32(input->data + AT_SECURE);
    image->info.deadline_ms = DEADLINE_MS;
    return FOTA_OK;
}
