/* SPDX-License-Identifier: MIT */
#include "objects.h"

#include "gw/s3.h"
#include "s3_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define URL_MAX 1400u
_Static_assert(OBJECT_ETAG_MAX >= S3_ETAG_MAX, "an ETag is copied whole");
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

/* A server that is throttled or in trouble is asked again, a few times: all requests here may be repeated. */
static int transfer(const struct objects *o, const char *name, struct s3_request *r, struct pack_message *error)
{
    (void) snprintf(r->url, sizeof r->url, "%s/%s", o->url, name);
    r->ca = o->ca;
    r->agent = "fota/" FOTA_VERSION;
    for (unsigned n = 0;; n++) {
        if (s3_request_begin(r, &o->credentials) != 0)
            return fail(error, FOTA_E_IO, "%s %s: no request can be made of that", r->method, r->url);
        if (s3_request_end(r, curl_easy_perform(r->easy), error->text, sizeof error->text) != 0)
            return error->code = r->too_long ? FOTA_E_SIZE : FOTA_E_IO;
        if (!s3_request_may_work_later(r) || n == RETRIES)
            return FOTA_OK;
        (void) sleep(1u << n);
    }
}

static int refuse(const struct s3_request *r, struct pack_message *error)
{
    s3_request_refusal(r, error->text, sizeof error->text);
    return error->code = FOTA_E_IO;
}

static int http_get(const struct objects *o, const char *name, size_t limit, struct pack_buffer *data, char *etag,
                    struct pack_message *error)
{
    struct s3_request r = {.method = "GET", .limit = limit};
    char code[GW_S3_CODE_MAX];
    int e = transfer(o, name, &r, error);

    if (e == FOTA_OK && r.status == 404 && strcmp(s3_request_code(&r, code), "NoSuchBucket") != 0)
        e = FOTA_E_NO_IMAGE;
    else if (e == FOTA_OK && r.status != 200)
        e = refuse(&r, error);
    if (e != FOTA_OK) {
        s3_request_free(&r);
        return e;
    }
    *data = (struct pack_buffer){.data = r.data, .size = r.size};
    memcpy(etag, r.etag, OBJECT_ETAG_MAX);
    return FOTA_OK;
}

static int put_once(const struct objects *o, const char *name, const void *data, size_t size, const char *condition,
                    struct pack_message *error)
{
    struct s3_request r = {.method = "PUT", .body = data, .body_size = size, .condition = condition, .limit = 65536};
    int e = transfer(o, name, &r, error);

    if (e == FOTA_OK && (r.status == 412 || r.status == 409))
        e = FOTA_E_STATE;
    else if (e == FOTA_OK && (r.status < 200 || r.status > 299))
        e = refuse(&r, error);
    s3_request_free(&r);
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
