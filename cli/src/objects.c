/* SPDX-License-Identifier: MIT */
#include "objects.h"

#include "fota/crypto.h"
#include "gw/s3.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define URL_MAX 1400u
#define CONNECT_S 15L
#define TOTAL_S 300L
#define RETRIES 3u /* after 1, 2 and 4 s */

__attribute__((format(printf, 3, 4))) static int fail(struct pack_message *error, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

struct exchange {
    const char *method, *name;
    const void *body;
    size_t body_size, body_sent;
    const char *condition; /* a whole header line, NULL: none */
    size_t limit;
    /* the answer */
    long status;
    struct pack_buffer data;
    bool too_long;
    char etag[OBJECT_ETAG_MAX], date[48];
};

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    size_t length = size * count;
    uint8_t *longer;

    if (length > x->limit - x->data.size) {
        x->too_long = true;
        return 0;
    }
    longer = realloc(x->data.data, x->data.size + length);
    if (longer == NULL)
        return 0;
    memcpy(longer + x->data.size, data, length);
    x->data.data = longer;
    x->data.size += length;
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
    struct exchange *x = ctx;

    keep_header(line, size * count, "ETag:", x->etag, sizeof x->etag);
    keep_header(line, size * count, "Date:", x->date, sizeof x->date);
    return size * count;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    size_t length = x->body_size - x->body_sent;

    length = length < size * count ? length : size * count;
    memcpy(to, (const char *) x->body + x->body_sent, length);
    x->body_sent += length;
    return length;
}

static bool add(struct curl_slist **list, const char *format, const char *value)
{
    char text[GW_SIGV4_TOKEN_MAX + 64u];
    struct curl_slist *longer;

    (void) snprintf(text, sizeof text, format, value); /* NOLINT: two formats, both ours */
    longer = curl_slist_append(*list, text);
    *list = longer != NULL ? longer : *list;
    memset(text, 0, sizeof text);
    return longer != NULL;
}

static bool sign(const struct objects *o, const struct exchange *x, const char *url, struct curl_slist **headers)
{
    uint8_t digest[FOTA_SHA256_SIZE];
    char hex[65];
    struct gw_sigv4_request request = {.method = x->method, .url = url, .payload = hex, .time = (uint64_t) time(NULL)};
    struct gw_sigv4 out;

    fota_sha256(x->body_size > 0 ? x->body : "", x->body_size, digest);
    pack_hex_print(digest, sizeof digest, hex);
    return gw_sigv4_sign(&o->credentials, &request, &out) == 0 &&
           add(headers, "Authorization: %s", out.authorization) && add(headers, "x-amz-date: %s", out.date) &&
           add(headers, "x-amz-content-sha256: %s", hex) &&
           (o->credentials.token[0] == '\0' || add(headers, "x-amz-security-token: %s", o->credentials.token));
}

static int transfer_once(const struct objects *o, struct exchange *x, struct pack_message *error)
{
    char url[URL_MAX], why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURL *e = curl_easy_init();
    CURLcode result = CURLE_OUT_OF_MEMORY;

    (void) snprintf(url, sizeof url, "%s/%s", o->url, x->name);
    if (e != NULL && (o->credentials.access_key[0] == '\0' || sign(o, x, url, &headers)) &&
        add(&headers, "%s", "Expect:") && (x->condition == NULL || add(&headers, "%s", x->condition)) &&
        curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_USERAGENT, "fota/" FOTA_VERSION) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_S) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_TIMEOUT, TOTAL_S) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HEADERDATA, x) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_WRITEDATA, x) == CURLE_OK &&
        (o->ca == NULL || curl_easy_setopt(e, CURLOPT_CAINFO, o->ca) == CURLE_OK) &&
        (x->body == NULL || (curl_easy_setopt(e, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
                             curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
                             curl_easy_setopt(e, CURLOPT_READDATA, x) == CURLE_OK &&
                             curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t) x->body_size) == CURLE_OK)))
        result = curl_easy_perform(e);
    if (result == CURLE_OK)
        (void) curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &x->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(e);
    if (x->too_long)
        return fail(error, FOTA_E_SIZE, "%s has more than %zu bytes: that is none of ours", url, x->limit);
    if (result != CURLE_OK)
        return fail(error, FOTA_E_IO, "%s %s: %s", x->method, url, why[0] != '\0' ? why : curl_easy_strerror(result));
    return FOTA_OK;
}

/* A server that is throttled or in trouble is asked again, a few times: all requests here may be repeated. */
static int transfer(const struct objects *o, struct exchange *x, struct pack_message *error)
{
    for (unsigned n = 0;; n++) {
        int e = transfer_once(o, x, error);

        if (e != FOTA_OK || (x->status < 500 && x->status != 429) || x->status == 501 || n == RETRIES)
            return e;
        pack_buffer_free(&x->data);
        x->body_sent = 0;
        (void) sleep(1u << n);
    }
}

static int refuse(const struct objects *o, const struct exchange *x, struct pack_message *error)
{
    char code[GW_S3_CODE_MAX], skew[96] = "";

    gw_s3_code((const char *) x->data.data, x->data.data != NULL ? x->data.size : 0, code);
    if (strcmp(code, "RequestTimeTooSkewed") == 0)
        (void) snprintf(skew, sizeof skew, " (the server says %s)", x->date);
    return fail(error, FOTA_E_IO, "%s %s/%s: status %ld%s%s%s%s", x->method, o->url, x->name, x->status,
                code[0] != '\0' ? " " : "", code, gw_s3_hint(code), skew);
}

static int http_get(const struct objects *o, const char *name, size_t limit, struct pack_buffer *data, char *etag,
                    struct pack_message *error)
{
    struct exchange x = {.method = "GET", .name = name, .limit = limit > GW_S3_BODY_MAX ? limit : GW_S3_BODY_MAX};
    char code[GW_S3_CODE_MAX];
    int e = transfer(o, &x, error);

    gw_s3_code((const char *) x.data.data, x.data.data != NULL ? x.data.size : 0, code);
    if (e == FOTA_OK && x.status == 404 && strcmp(code, "NoSuchBucket") != 0)
        e = FOTA_E_NO_IMAGE;
    else if (e == FOTA_OK && x.status != 200)
        e = refuse(o, &x, error);
    if (e != FOTA_OK) {
        pack_buffer_free(&x.data);
        return e;
    }
    *data = x.data;
    memcpy(etag, x.etag, OBJECT_ETAG_MAX);
    return FOTA_OK;
}

static int put_once(const struct objects *o, const char *name, const void *data, size_t size, const char *condition,
                    struct pack_message *error)
{
    struct exchange x = {
        .method = "PUT", .name = name, .body = data, .body_size = size, .condition = condition, .limit = 65536};
    int e = transfer(o, &x, error);

    if (e == FOTA_OK && (x.status == 412 || x.status == 409))
        e = FOTA_E_STATE;
    else if (e == FOTA_OK && (x.status < 200 || x.status > 299))
        e = refuse(o, &x, error);
    pack_buffer_free(&x.data);
    return e;
}

static int http_put(const struct objects *o, const char *name, const void *data, size_t size, const char *etag,
                    struct pack_message *error)
{
    char condition[OBJECT_ETAG_MAX + 16u];
    size_t length = etag != NULL ? strlen(etag) : 0;
    int e;

    if (etag == NULL)
        return put_once(o, name, data, size, "If-None-Match: *", error);
    (void) snprintf(condition, sizeof condition, "If-Match: %s", etag);
    e = put_once(o, name, data, size, condition, error);
    if (e == FOTA_E_STATE && length > 2u && etag[0] == '"') {
        /* radosgw compares PUT's If-Match with the ETag without its quotes; where that is not so this fails, too */
        (void) snprintf(condition, sizeof condition, "If-Match: %.*s", (int) (length - 2u), etag + 1);
        e = put_once(o, name, data, size, condition, error);
    }
    return e;
}

/* --- a folder --------------------------------------------------------------------------------- */

static int make_folders(char *path, size_t root, struct pack_message *error)
{
    for (char *slash = strchr(path + root, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return fail(error, FOTA_E_IO, "%s: %s", path, strerror(errno));
        *slash = '/';
    }
    return FOTA_OK;
}

static int folder_put(const struct objects *o, const char *name, const void *data, size_t size, const char *etag,
                      struct pack_message *error)
{
    char path[URL_MAX];
    int e;

    (void) snprintf(path, sizeof path, "%s/%s", o->directory, name);
    e = make_folders(path, strlen(o->directory), error);
    if (e == FOTA_OK && etag == NULL && access(path, F_OK) == 0)
        e = FOTA_E_STATE;
    return e == FOTA_OK ? pack_file_write(path, data, size, 0644, error) : e;
}

int objects_get(const struct objects *o, const char *name, size_t limit, struct pack_buffer *data,
                char etag[OBJECT_ETAG_MAX], struct pack_message *error)
{
    char path[URL_MAX];

    *data = (struct pack_buffer){0};
    etag[0] = '\0';
    if (o->url != NULL)
        return http_get(o, name, limit, data, etag, error);
    (void) snprintf(path, sizeof path, "%s/%s", o->directory, name);
    return access(path, F_OK) != 0 && errno == ENOENT ? FOTA_E_NO_IMAGE : pack_file_read(path, limit, data, error);
}

int objects_put(const struct objects *o, const char *name, const void *data, size_t size, const char *etag,
                struct pack_message *error)
{
    return o->url != NULL ? http_put(o, name, data, size, etag, error) : folder_put(o, name, data, size, etag, error);
}
