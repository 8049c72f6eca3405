/* SPDX-License-Identifier: MIT */
#include "gw/s3.h"

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
