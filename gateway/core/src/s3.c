/* SPDX-License-Identifier: MIT */
#include "gw/s3.h"

#include "gw/text.h"

#include <stdio.h>
#include <string.h>

void gw_s3_code(const char *body, size_t length, char code[GW_S3_CODE_MAX])
{
    static const char tag[] = "<Code>";
    size_t n = 0, at = 0;

    while (at + sizeof tag - 1u <= length && memcmp(body + at, tag, sizeof tag - 1u) != 0)
        at++;
    at += sizeof tag - 1u;
    /* only letters and digits: it goes into logs and messages */
    while (at < length && n < GW_S3_CODE_MAX - 1u &&
           ((body[at] >= 'A' && body[at] <= 'Z') || (body[at] >= 'a' && body[at] <= 'z') ||
            (body[at] >= '0' && body[at] <= '9')))
        code[n++] = body[at++];
    code[n] = '\0';
}

const char *gw_s3_hint(const char *code)
{
    static const struct {
        const char *code, *hint;
    } hints[] = {
        {"InvalidAccessKeyId", ": the access key id is not known there"},
        {"SignatureDoesNotMatch", ": the secret access key does not belong to the access key id"},
        {"AuthorizationHeaderMalformed", ": the region is probably not the bucket's"},
        {"RequestTimeTooSkewed", ": this machine's clock is more than 15 minutes off; set it (NTP)"},
        {"ExpiredToken", ": the session token has expired; fetch new temporary credentials"},
        {"InvalidToken", ": the session token is not good"},
        {"NoSuchBucket", ": the bucket is gone, or the URL names another one"},
        {"NoSuchKey", ": there is no such object; was the channel published?"},
        {"AccessDenied", ": no right to do that, or a presigned URL has expired; docs/s3.md lists the rights needed"},
        {"SlowDown", ": the server asks for fewer requests"},
        {"PermanentRedirect", ": the bucket is in another region; use that region's endpoint"},
    };

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].code, code) == 0)
            return hints[i].hint;
    return "";
}

/* @param digits how many must be there. @return the number, or UINT32_MAX. */
static uint32_t number(const char *text, unsigned digits)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return UINT32_MAX;
        value = value * 10u + (uint32_t) (text[i] - '0');
    }
    return value;
}

/* The value of a query's parameter, up to `&`, or NULL. */
static const char *parameter(const char *url, const char *name)
{
    size_t length = strlen(name);
    const char *p = strchr(url, '?');

    while (p != NULL && (strncmp(p + 1, name, length) != 0 || p[1 + length] != '='))
        p = strchr(p + 1, '&');
    return p != NULL ? p + 1 + length + 1 : NULL;
}

/* "20130524T000000Z" as unix seconds, 0: it is none. */
static uint64_t seconds_of(const char *date)
{
    uint32_t year = number(date, 4), month, day, hour, minute, second, days;

    if (year == UINT32_MAX || strlen(date) < 16u || date[8] != 'T' || date[15] != 'Z')
        return 0;
    month = number(date + 4, 2);
    day = number(date + 6, 2);
    hour = number(date + 9, 2);
    minute = number(date + 11, 2);
    second = number(date + 13, 2);
    if (year < 1970u || month < 1u || month > 12u || day < 1u || day > 31u || hour > 23u || minute > 59u ||
        second > 60u)
        return 0;
    /* as in gw_time_text(): years begin in March, the leap day comes last */
    year -= month <= 2u ? 1u : 0u;
    days = 365u * year + year / 4u - year / 100u + year / 400u +
           (153u * (month > 2u ? month - 3u : month + 9u) + 2u) / 5u + day - 1u;
    return (uint64_t) (days - 719468u) * 86400u + hour * 3600u + minute * 60u + second;
}

const char *gw_s3_expired(const char *url, uint64_t now, char *text, size_t capacity)
{
    const char *date = parameter(url, "X-Amz-Date"), *expires = parameter(url, "X-Amz-Expires");
    unsigned digits = expires != NULL ? (unsigned) strspn(expires, "0123456789") : 0;
    uint64_t made = date != NULL ? seconds_of(date) : 0;
    char at[GW_TIME_TEXT];

    text[0] = '\0';
    if (made == 0 || digits < 1u || digits > 6u || now < made + number(expires, digits))
        return text;
    gw_time_text((made + number(expires, digits)) * 1000u, at);
    (void) snprintf(text, capacity, ": the presigned URL expired at %s; make a new one (fota presign)", at);
    return text;
}
