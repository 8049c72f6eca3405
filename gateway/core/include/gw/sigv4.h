/* SPDX-License-Identifier: MIT */
/**
 * @file sigv4.h
 * AWS Signature Version 4 as S3 wants it, for requests with headers and for presigned URLs. Source: "Authenticating
 * Requests (AWS Signature Version 4)" of the S3 API reference. No heap, no I/O, no clock of its own.
 */
#ifndef GW_SIGV4_H
#define GW_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#define GW_SIGV4_HEADERS 8u  /* additional headers under a signature */
#define GW_SIGV4_QUERIES 24u /* parameters of a query */
#define GW_SIGV4_KEY_MAX 128u
#ifndef GW_SIGV4_TOKEN_MAX
#define GW_SIGV4_TOKEN_MAX 2048u
#endif
#define GW_SIGV4_REGION_MAX 32u
#define GW_SIGV4_DATE 17u           /* "20130524T000000Z" and NUL */
#define GW_SIGV4_AUTHORIZATION 640u /* value of the header, and NUL */
#define GW_SIGV4_EXPIRES_MAX 604800u

#define GW_SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* SHA-256 of no body */
#define GW_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

/** Who signs. Never logged. */
struct gw_sigv4_credentials {
    char access_key[GW_SIGV4_KEY_MAX + 1u];
    char secret_key[GW_SIGV4_KEY_MAX + 1u];
    char token[GW_SIGV4_TOKEN_MAX + 1u]; /* of temporary credentials; "": none */
    char region[GW_SIGV4_REGION_MAX + 1u];
};

struct gw_sigv4_header {
    const char *name; /* lower case */
    const char *value;
};

/** What is signed. Host, x-amz-content-sha256, x-amz-date and x-amz-security-token are added by the signer. */
struct gw_sigv4_request {
    const char *method;  /* "GET", "HEAD", "PUT" */
    const char *url;     /* http:// or https://, as it is sent; its percent-encoding is made canonical here */
    const char *payload; /* hex SHA-256 of the body, or GW_SIGV4_UNSIGNED */
    const struct gw_sigv4_header *headers;
    unsigned header_count;
    uint64_t time; /* unix seconds; a server refuses more than 15 minutes of difference */
};

struct gw_sigv4 {
    char date[GW_SIGV4_DATE];                   /* header x-amz-date */
    char authorization[GW_SIGV4_AUTHORIZATION]; /* header Authorization */
    char signature[65];                         /* the last part of it */
};

/** Sign with headers. The caller sends `date`, `authorization`, the payload's hash as x-amz-content-sha256, the token
 *  as x-amz-security-token when there is one, and the headers that it gave.
 *  @return 0, or -1: no http(s) URL with a host, too many headers or parameters, or something is too long. */
int gw_sigv4_sign(const struct gw_sigv4_credentials *credentials, const struct gw_sigv4_request *request,
                  struct gw_sigv4 *out);

/** Make a presigned URL. @param request `payload` is not used. @param expires seconds, 1 … GW_SIGV4_EXPIRES_MAX.
 *  @param url room for the result. @return 0, or -1 as above, or when it does not fit. */
int gw_sigv4_presign(const struct gw_sigv4_credentials *credentials, const struct gw_sigv4_request *request,
                     uint32_t expires, char *url, size_t capacity);

#endif
