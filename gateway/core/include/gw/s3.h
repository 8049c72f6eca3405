/* SPDX-License-Identifier: MIT */
/** @file s3.h What S3 answers, in words. Source: "Error responses" of the S3 API reference. */
#ifndef GW_S3_H
#define GW_S3_H

#include <stddef.h>
#include <stdint.h>

#define GW_S3_CODE_MAX 40u
#define GW_S3_BODY_MAX 1024u /* of an error's XML that is looked at */

/** Take the error code out of an error's body. @param code "" when there is none. */
void gw_s3_code(const char *body, size_t length, char code[GW_S3_CODE_MAX]);

/** What to do about an error code. @return a sentence's end, beginning with ": ", or "". */
const char *gw_s3_hint(const char *code);

/** The answer was a refusal: has a presigned URL (X-Amz-Date, X-Amz-Expires) expired? @param now unix seconds, by this
 *  machine's clock. @param text a sentence's end as above, or "" when it has not, or the URL is none. @return text. */
const char *gw_s3_expired(const char *url, uint64_t now, char *text, size_t capacity);

#endif
