/* SPDX-License-Identifier: MIT */
#include "s3_request.h"

#include "fota/crypto.h"
#include "gw/s3.h"
#include "gw/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CONNECT_S 15L
#define SILENCE_S 30L
#define TOTAL_S 300L

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct s3_request *r = ctx;
    size_t length = size * count, limit = r->limit > GW_S3_BODY_MAX ? r->limit : GW_S3_BODY_MAX;
    uint8_t *longer;

    if (length > limit - r->size) {
        r->too_long = true;
        return 0;
    }
    longer = realloc(r->data, r->size + length);
    if (longer == NULL)
        return 0;
    memcpy(longer + r->size, data, length);
    r->data = longer;
    r->size += length;
    return length;
}

static void keep_header(const char *line, size_t length, const char *name, char *to, size_t capacity)
{
    size_t n = strlen(name);

    if (length <= n || strncasecmp(line, name, n) != 0)
        return;
    for (line += n, length -= n; length > 0 && *line == ' '; length--)
        line++;
    while (length > 0 && strchr(" \r\n", line[length - 1u]) != NULL)
        length--;
    if (length < capacity) {
        memcpy(to, line, length);
        to[length] = '\0';
    }
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct s3_request *r = ctx;

    keep_header(line, size * count, "ETag:", r->etag, sizeof r->etag);
    keep_header(line, size * count, "Date:", r->date, sizeof r->date);
    return size * count;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct s3_request *r = ctx;
    size_t length = r->body_size - r->sent;

    length = length < size * count ? length : size * count;
    memcpy(to, (const char *) r->body + r->sent, length);
    r->sent += length;
    return length;
}

static bool add(struct s3_request *r, const char *name, const char *value)
{
    char text[GW_SIGV4_TOKEN_MAX + 64u];
    struct curl_slist *longer;

    (void) snprintf(text, sizeof text, "%s%s", name, value);
    longer = curl_slist_append(r->headers, text);
    r->headers = longer != NULL ? longer : r->headers;
    memset(text, 0, sizeof text);
    return longer != NULL;
}

static bool sign(struct s3_request *r, const struct gw_sigv4_credentials *credentials)
{
    uint8_t digest[FOTA_SHA256_SIZE];
    char hex[GW_HEX(FOTA_SHA256_SIZE)];
    struct gw_sigv4_request request = {
        .method = r->method, .url = r->url, .payload = hex, .time = (uint64_t) time(NULL)};
    struct gw_sigv4 out;

    fota_sha256(r->body_size > 0 ? r->body : "", r->body_size, digest);
    gw_hex(digest, sizeof digest, hex);
    return gw_sigv4_sign(credentials, &request, &out) == 0 && add(r, "Authorization: ", out.authorization) &&
           add(r, "x-amz-date: ", out.date) && add(r, "x-amz-content-sha256: ", hex) &&
           (credentials->token[0] == '\0' || add(r, "x-amz-security-token: ", credentials->token));
}

static bool set_up(struct s3_request *r)
{
    CURL *e = r->easy;

    return curl_easy_setopt(e, CURLOPT_URL, r->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, r->agent) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, SILENCE_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT, TOTAL_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->why) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, r) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, r) == CURLE_OK &&
           /* that alone: without the system's folder, which libcurl would look into as well */
           (r->ca == NULL || (curl_easy_setopt(e, CURLOPT_CAINFO, r->ca) == CURLE_OK &&
                              curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK)) &&
           (r->body == NULL || (curl_easy_setopt(e, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
                                curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
                                curl_easy_setopt(e, CURLOPT_READDATA, r) == CURLE_OK &&
                                curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t) r->body_size) == CURLE_OK));
}

int s3_request_begin(struct s3_request *r, const struct gw_sigv4_credentials *credentials)
{
    s3_request_free(r);
    r->status = 0;
    r->sent = 0;
    r->too_long = false;
    r->etag[0] = r->date[0] = r->why[0] = '\0';
    r->easy = curl_easy_init();
    if (r->easy != NULL && (credentials->access_key[0] == '\0' || sign(r, credentials)) && add(r, "Expect:", "") &&
        (r->condition == NULL || add(r, "", r->condition)) && set_up(r))
        return 0;
    s3_request_free(r);
    return -1;
}

int s3_request_end(struct s3_request *r, CURLcode result, char *error, size_t capacity)
{
    if (result == CURLE_OK)
        (void) curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &r->status);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    r->easy = NULL;
    r->headers = NULL;
    if (result == CURLE_OK)
        return 0;
    if (r->too_long)
        (void) snprintf(error, capacity, "%s has more than %zu bytes: that is none of ours", r->url, r->limit);
    else
        (void) snprintf(error, capacity, "%s %s: %s", r->method, r->url,
                        r->why[0] != '\0' ? r->why : curl_easy_strerror(result));
    return -1;
}

bool s3_request_may_work_later(const struct s3_request *r)
{
    return (r->status >= 500 && r->status != 501) || r->status == 429;
}

const char *s3_request_code(const struct s3_request *r, char *code)
{
    gw_s3_code((const char *) r->data, r->data != NULL ? r->size : 0, code);
    return code;
}

void s3_request_refusal(const struct s3_request *r, char *text, size_t capacity)
{
    char code[GW_S3_CODE_MAX], skew[96] = "";

    (void) s3_request_code(r, code);
    if (strcmp(code, "RequestTimeTooSkewed") == 0)
        (void) snprintf(skew, sizeof skew, " (the server says %s)", r->date);
    (void) snprintf(text, capacity, "%s %s: status %ld%s%s%s%s", r->method, r->url, r->status,
                    code[0] != '\0' ? " " : "", code, gw_s3_hint(code), skew);
}

void s3_request_free(struct s3_request *r)
{
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    free(r->data);
    r->easy = NULL;
    r->headers = NULL;
    r->data = NULL;
    r->size = 0;
}
