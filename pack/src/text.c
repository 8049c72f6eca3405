/* SPDX-License-Identifier: MIT */
/** @file text.c Spelling of numbers, versions and product ids; telling kinds of files apart. */
#include "fota/bin.h"
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool pack_uuid_parse(const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE])
{
    if (strlen(text) != PACK_UUID_TEXT - 1u)
        return false;
    unsigned n = 0;
    for (unsigned i = 0; i < PACK_UUID_TEXT - 1u;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1u]);
        if (high < 0 || low < 0)
            return false;
        uuid[n++] = (uint8_t) (high * 16 + low);
        i += 2u;
    }
    return true;
}

void pack_hex_print(const uint8_t *data, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15u];
    }
    *text = '\0';
}

void pack_uuid_print(const uint8_t uuid[FOTA_PRODUCT_SIZE], char text[PACK_UUID_TEXT])
{
    static const unsigned groups[] = {4, 2, 2, 2, 6};
    for (unsigned g = 0; g < 5u; g++) {
        pack_hex_print(uuid, groups[g], text);
        uuid += groups[g];
        text += 2u * groups[g];
        *text++ = g < 4u ? '-' : '\0';
    }
}

/* A decimal number without sign or spaces. @return where it ended, NULL when there is none or it is larger
 * than max. */
static const char *digits(const char *text, uint32_t max, uint32_t *value)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = 10u * v + (uint64_t) (*p - '0');
        if (v > max)
            return NULL;
    }
    *value = (uint32_t) v;
    return p == text ? NULL : p;
}

bool pack_version_parse(const char *text, struct fota_version *version)
{
    uint32_t part[4] = {0, 0, 0, 0};
    for (unsigned i = 0; i < 3u; i++) {
        text = digits(text, UINT16_MAX, &part[i]);
        if (text == NULL || (i < 2u && *text++ != '.'))
            return false;
    }
    if (*text == '+')
        text = digits(text + 1, UINT32_MAX, &part[3]);
    if (text == NULL || *text != '\0')
        return false;
    *version = (struct fota_version){
        .major = (uint16_t) part[0], .minor = (uint16_t) part[1], .patch = (uint16_t) part[2], .build = part[3]};
    return true;
}

void pack_version_print(const struct fota_version *version, char text[PACK_VERSION_TEXT])
{
    int n = snprintf(text, PACK_VERSION_TEXT, "%u.%u.%u", version->major, version->minor, version->patch);
    if (version->build != 0)
        (void) snprintf(text + n, PACK_VERSION_TEXT - (size_t) n, "+%" PRIu32, version->build);
}

bool pack_range_parse(const char *text, uint16_t *low, uint16_t *high)
{
    uint32_t a = 0, b = 0;
    text = digits(text, UINT16_MAX, &a);
    if (text == NULL)
        return false;
    b = a;
    if (*text == '-')
        text = digits(text + 1, UINT16_MAX, &b);
    if (text == NULL || *text != '\0' || a > b)
        return false;
    *low = (uint16_t) a;
    *high = (uint16_t) b;
    return true;
}

bool pack_number_parse(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
    uint64_t v = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        if (text[2] == '\0')
            return false;
        for (const char *p = text + 2; *p != '\0'; p++) {
            int d = hex_digit(*p);
            if (d < 0 || v > UINT32_MAX)
                return false;
            v = 16u * v + (uint64_t) d;
        }
    } else {
        uint32_t decimal = 0;
        const char *end = digits(text, UINT32_MAX, &decimal);
        if (end == NULL || *end != '\0')
            return false;
        v = decimal;
    }
    if (v < min || v > max)
        return false;
    *value = (uint32_t) v;
    return true;
}

/* Kinds of files -------------------------------------------------------------------------------------- */

static bool is_text(const uint8_t *p, size_t size)
{
    size_t n = size < 4096u ? size : 4096u;
    for (size_t i = 0; i < n; i++) {
        bool control = p[i] < 0x20u && p[i] != '\n' && p[i] != '\r' && p[i] != '\t' && p[i] != '\f' && p[i] != 0x1Bu;
        if (control || p[i] == 0x7Fu || p[i] == 0xFFu)
            return false;
    }
    return true;
}

static bool looks_like_vectors(const uint8_t *p, size_t size)
{
    if (size < 8u)
        return false;
    uint32_t stack = fota_get32(p), reset = fota_get32(p + 4);
    bool ram = (stack >= 0x10000000u && stack <= 0x10100000u) || (stack >= 0x20000000u && stack <= 0x20100000u);
    return ram && (stack % 4u) == 0 && (reset & 1u) != 0 && reset < 0x20000000u;
}

enum pack_kind pack_kind_of(const void *data, size_t size)
{
    const uint8_t *p = data;
    if (size == 0)
        return PACK_KIND_EMPTY;
    if (size >= 4u && memcmp(p, "\177ELF", 4) == 0)
        return PACK_KIND_ELF;
    if (size >= 4u && fota_get32(p) == FOTA_HEADER_MAGIC && !is_text(p, size)) {
        /* In a slot a stack pointer follows, which is 8-aligned; no section type is. */
        bool slot = size >= FOTA_HEADER_SIZE + 8u && fota_get16(p + FOTA_HEADER_SIZE) % 8u == 0 &&
                    looks_like_vectors(p + FOTA_HEADER_SIZE, size - FOTA_HEADER_SIZE);
        return slot ? PACK_KIND_HEADER : PACK_KIND_PACKAGE;
    }
    if (size >= FOTA_BIN_TRAILER && fota_get32(p + size - 4u) == FOTA_BIN_MAGIC)
        return PACK_KIND_BIN;
    if (size == FOTA_BOOT_SIZE && fota_get32(p + size - FOTA_CONFIG_SIZE) == FOTA_CONFIG_MAGIC)
        return PACK_KIND_BOOTLOADER;
    if (is_text(p, size)) {
        if (size >= 11u && memcmp(p, "-----BEGIN ", 11) == 0)
            return PACK_KIND_PEM;
        if (size >= 11u && p[0] == ':' && hex_digit((char) p[1]) >= 0 && hex_digit((char) p[2]) >= 0)
            return PACK_KIND_HEX;
        if (size >= 10u && p[0] == 'S' && p[1] >= '0' && p[1] <= '9' && hex_digit((char) p[2]) >= 0)
            return PACK_KIND_SREC;
        return PACK_KIND_TEXT;
    }
    if (pack_looks_like_esp(p, size))
        return PACK_KIND_ESP;
    return looks_like_vectors(p, size) ? PACK_KIND_BARE : PACK_KIND_OTHER;
}

const char *pack_kind_text(enum pack_kind kind)
{
    switch (kind) {
    case PACK_KIND_EMPTY:
        return "an empty file";
    case PACK_KIND_PACKAGE:
        return "a .fota package";
    case PACK_KIND_HEADER:
        return "the content of a slot (header and code)";
    case PACK_KIND_BIN:
        return "a firmware.bin with its relocation table";
    case PACK_KIND_ELF:
        return "an ELF file";
    case PACK_KIND_BOOTLOADER:
        return "a bootloader with its configuration block";
    case PACK_KIND_TEXT:
        return "a text file";
    case PACK_KIND_HEX:
        return "an Intel HEX file";
    case PACK_KIND_SREC:
        return "a Motorola S-record file";
    case PACK_KIND_PEM:
        return "a PEM file (a key or certificate)";
    case PACK_KIND_ESP:
        return "an ESP-IDF application";
    case PACK_KIND_BARE:
        return "a bare .bin, without a relocation table";
    case PACK_KIND_OTHER:
        break;
    }
    return "a file of an unknown kind";
}
