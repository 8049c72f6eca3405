/* SPDX-License-Identifier: MIT */
/** @file s3_request.h One request to S3 with libcurl, signed: for the programs that read and write whole objects. The
 *  caller performs it, at once or in a multi handle. */
#ifndef GW_LINUX_S3_REQUEST_H
#define GW_LINUX_S3_REQUEST_H

#include "gw/sigv4.h"

#include <curl/curl.h>
#include <stdbool.h>

#define S3_URL_MAX 1400u
#define S3_ETAG_MAX 128u
#define S3_DATE_MAX 48u

struct s3_request {
    const char *method; /* "GET" or "PUT" */
    char url[S3_URL_MAX];
    const char *condition; /* a whole header line, NULL: none */
    const void *body;      /* of a PUT; stays there until the end */
    size_t body_size;
    size_t limit;      /* bytes of an answer; never less than S3's errors need */
    const char *ca;    /* PEM file of trusted certificates, NULL: the system's */
    const char *agent; /* User-Agent */
    /* the answer */
    long status;
    uint8_t *data; /* freed by s3_request_free() */
    size_t size;
    bool too_long;
    char etag[S3_ETAG_MAX], date[S3_DATE_MAX];
    /* its own */
    CURL *easy;
    struct curl_slist *headers;
    size_t sent;
    char why[CURL_ERROR_SIZE];
};

/** Set it up, also once more after an end: then the answer is forgotten first. @param credentials with an empty access
 *  key: not signed. @return 0 and `easy` is to be performed, or -1: out of memory, or the URL is none. */
int s3_request_begin(struct s3_request *request, const struct gw_sigv4_credentials *credentials);

/** It was performed. @param error when there was no whole answer: a sentence with method and URL.
 *  @return 0: `status` and `data` are there; or -1. */
int s3_request_end(struct s3_request *request, CURLcode result, char *error, size_t capacity);

/** @return whether the server is throttled or in trouble, so that the same request may work in a moment. */
bool s3_request_may_work_later(const struct s3_request *request);

/** @return S3's code for an error, "" when there is none. @param code room for it. */
const char *s3_request_code(const struct s3_request *request, char *code);

/** What was refused, as a sentence: method, URL (so bucket and key), status, S3's code, what to look at. */
void s3_request_refusal(const struct s3_request *request, char *text, size_t capacity);

/** Free everything, also of a request that was never performed. */
void s3_request_free(struct s3_request *request);

#endif
