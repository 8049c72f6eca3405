/* SPDX-License-Identifier: MIT */
#include "gw/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gw_hex(const uint8_t *data, size_t length, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15u];
    }
    *text = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool gw_unhex(const char *text, uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = nibble(text[2u * i]);
        int low = high < 0 ? -1 : nibble(text[2u * i + 1u]);

        if (low < 0)
            return false;
        data[i] = (uint8_t) (high << 4 | low);
    }
    return text[2u * length] == '\0';
}

struct fota_version gw_version_of(const char *text)
{
    unsigned long part[4] = {0};

    for (unsigned i = 0; i < 4u; i++) {
        char *end;

        part[i] = strtoul(text, &end, 10);
        if (end == text || *end != (i < 2u ? '.' : '+'))
            break;
        text = end + 1;
    }
    return (struct fota_version){.major = (uint16_t) part[0],
                                 .minor = (uint16_t) part[1],
                                 .patch = (uint16_t) part[2],
                                 .build = (uint32_t) part[3]};
}

bool gw_uuid_parse(const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE])
{
    char hex[GW_HEX(FOTA_PRODUCT_SIZE)];
    size_t n = 0;

    if (strlen(text) != GW_UUID_TEXT - 1u)
        return false;
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool dash = i == 8u || i == 13u || i == 18u || i == 23u;

        if (dash != (text[i] == '-'))
            return false;
        if (!dash)
            hex[n++] = text[i];
    }
    hex[n] = '\0';
    return gw_unhex(hex, uuid, FOTA_PRODUCT_SIZE);
}

void gw_uuid_text(const uint8_t uuid[FOTA_PRODUCT_SIZE], char text[GW_UUID_TEXT])
{
    char hex[GW_HEX(FOTA_PRODUCT_SIZE)];

    gw_hex(uuid, FOTA_PRODUCT_SIZE, hex);
    (void) snprintf(text, GW_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void gw_version_text(const struct fota_version *v, char text[GW_VERSION_TEXT])
{
    int n = snprintf(text, GW_VERSION_TEXT, "%u.%u.%u", v->major, v->minor, v->patch);

    if (v->build != 0)
        (void) snprintf(text + n, GW_VERSION_TEXT - (size_t) n, "+%lu", (unsigned long) v->build);
}

/* Days since 1970 to a date of the Gregorian calendar, counted in years that begin in March so that the leap day comes
 * last. */
void gw_time_text(uint64_t unix_ms, char text[GW_TIME_TEXT])
{
    uint32_t ms = (uint32_t) (unix_ms % 1000u), second = (uint32_t) (unix_ms / 1000u % 86400u);
    uint32_t days = (uint32_t) (unix_ms / 86400000u % 2932897u) + 719468u; /* since 1 March of the year 0 */
    uint32_t era = days / 146097u, day_of_era = days % 146097u;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460u + day_of_era / 36524u - day_of_era / 146096u) / 365u;
    uint32_t day_of_year = day_of_era - (365u * year_of_era + year_of_era / 4u - year_of_era / 100u);
    uint32_t month_from_march = (5u * day_of_year + 2u) / 153u;
    uint32_t day = day_of_year - (153u * month_from_march + 2u) / 5u + 1u;
    uint32_t month = month_from_march < 10u ? month_from_march + 3u : month_from_march - 9u;
    uint32_t year = era * 400u + year_of_era + (month <= 2u ? 1u : 0u);
    char longer[48];

    (void) snprintf(longer, sizeof longer, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned) year, (unsigned) month,
                    (unsigned) day, (unsigned) (second / 3600u), (unsigned) (second / 60u % 60u),
                    (unsigned) (second % 60u), (unsigned) ms);
    memcpy(text, longer, GW_TIME_TEXT - 1u);
    text[GW_TIME_TEXT - 1u] = '\0';
}

void gw_address_text(uint32_t address, char text[GW_ADDRESS_TEXT])
{
    (void) snprintf(text, GW_ADDRESS_TEXT, "0x%08lx", (unsigned long) address);
}

const char *gw_url_text(const char *url, char *text, size_t capacity)
{
    size_t length = strcspn(url, "?#");

    (void) snprintf(text, capacity, "%.*s%s", (int) (length > 200u ? 200u : length), url, length > 200u ? "…" : "");
    return text;
}
