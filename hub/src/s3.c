/* SPDX-License-Identifier: MIT */
#include "s3.h"

#include "credentials.h"
#include "fota/crypto.h"
#include "fota/package.h"
#include "log.h"
#include "model.h"
#include "s3_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__GNUC__) && !defined(__clang__)
/* The analyzer loses sight of what is stored in a place of an array that a loop has found; finish() frees it. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define RETRIES 3u           /* after 1, 2 and 4 s */
#define ADOPT_AGAIN_MS 60000 /* after a package that could not be moved to the bucket */

struct waiter {
    hub_s3_done done;
    void *ctx;
};

enum what { FREE, PUT, COMPARE, GET }; /* COMPARE: something is there already; is it the same? */

struct transfer {
    enum what what;
    char sha256[HUB_SHA256_HEX + 1];
    struct s3_request request;
    uint8_t *body;
    unsigned attempts;
    bool running;
    int64_t again_at; /* not running: when it is asked again */
    struct waiter waiter[HUB_S3_WAITERS];
    unsigned waiters;
};

struct hub_s3 {
    const struct hub_s3_options *options;
    struct hub_store *store;
    struct hub_db *db;
    CURLM *multi;
    struct transfer transfer[HUB_S3_TRANSFERS];
    char adopting[HUB_SHA256_HEX + 1]; /* "": none */
    int64_t adopt_at;
};

/* They are read for each request: another program may replace temporary ones. */
static int read_credentials(const struct hub_s3_options *o, struct gw_sigv4_credentials *out, char *error,
                            size_t capacity)
{
    memset(out, 0, sizeof *out);
    int rc = port_credentials_read(o->credentials, o->profile, out, error, capacity);
    if (rc == 1)
        snprintf(error, capacity,
                 "no credentials for the bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give "
                 "--s3-credentials FILE");
    if (rc == 0)
        rc = port_credentials_region(o->region, out, error, capacity);
    return rc == 0 ? 0 : -1;
}

int hub_s3_check(const struct hub_s3_options *options)
{
    struct gw_sigv4_credentials credentials;
    char error[512];
    int rc = read_credentials(options, &credentials, error, sizeof error);
    memset(&credentials, 0, sizeof credentials);
    if (rc != 0)
        hub_log(HUB_LOG_ERROR, "%s", error);
    return rc;
}

struct hub_s3 *hub_s3_open(const struct hub_s3_options *options, struct hub_store *store, struct hub_db *db)
{
    struct hub_s3 *b = calloc(1, sizeof *b);
    if (b == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(b);
        return NULL;
    }
    b->options = options;
    b->store = store;
    b->db = db;
    b->multi = curl_multi_init();
    if (b->multi != NULL)
        return b;
    hub_s3_close(b);
    return NULL;
}

/* --- a transfer ----------------------------------------------------------------------------------------------------
 */

static void stop_request(struct hub_s3 *b, struct transfer *t)
{
    if (t->running)
        curl_multi_remove_handle(b->multi, t->request.easy);
    t->running = false;
}

/* Its waiters are called when the place is free again: they may begin the next one. */
static void finish(struct hub_s3 *b, struct transfer *t, const struct hub_error *error)
{
    struct waiter waiter[HUB_S3_WAITERS];
    unsigned waiters = t->waiters;
    memcpy(waiter, t->waiter, sizeof waiter);
    if (error != NULL)
        hub_log(HUB_LOG_WARN, "bucket: %s", error->message);
    stop_request(b, t);
    s3_request_free(&t->request);
    free(t->body);
    memset(t, 0, sizeof *t);
    for (unsigned i = 0; i < waiters; i++)
        waiter[i].done(waiter[i].ctx, error);
}

static void finish_failed(struct hub_s3 *b, struct transfer *t, unsigned status, const char *code, const char *text)
{
    struct hub_error error;
    hub_fail(&error, status, code, "sha256", "%s", text);
    finish(b, t, &error);
}

/* Send the request, for the first time or again. @return 0, or -1 with a sentence. */
static int send_request(struct hub_s3 *b, struct transfer *t, char *error, size_t capacity)
{
    struct gw_sigv4_credentials credentials;
    if (read_credentials(b->options, &credentials, error, capacity) != 0)
        return -1;
    int rc = s3_request_begin(&t->request, &credentials);
    memset(&credentials, 0, sizeof credentials);
    if (rc == 0 && curl_multi_add_handle(b->multi, t->request.easy) == CURLM_OK) {
        t->running = true;
        return 0;
    }
    snprintf(error, capacity, "package %s: out of memory, or the bucket's URL is none", t->sha256);
    return -1;
}

static struct transfer *begin(struct hub_s3 *b, enum what what, const char *sha256, hub_s3_done done, void *ctx,
                              struct hub_error *error)
{
    for (unsigned i = 0; i < HUB_S3_TRANSFERS; i++) {
        struct transfer *t = &b->transfer[i];
        if (t->what != FREE)
            continue;
        t->what = what;
        hub_copy(t->sha256, sizeof t->sha256, sha256);
        t->waiter[t->waiters++] = (struct waiter){done, ctx};
        t->request.method = what == PUT ? "PUT" : "GET";
        t->request.condition = what == PUT ? "If-None-Match: *" : NULL;
        t->request.limit = FOTA_PACKAGE_MAX;
        t->request.ca = b->options->ca;
        t->request.agent = "fota-hub";
        snprintf(t->request.url, sizeof t->request.url, "%s/packages/%s.fota", b->options->url, sha256);
        return t;
    }
    hub_fail(error, 503, "busy", "", "%u transfers from and to the bucket are under way; try again in a moment",
             HUB_S3_TRANSFERS);
    return NULL;
}

/* Nobody has been told that it is under way: nobody is called. */
static int give_up(struct hub_s3 *b, struct transfer *t, const char *why, struct hub_error *error)
{
    hub_fail(error, 502, "bucket", "sha256", "%s", why);
    t->waiters = 0;
    finish(b, t, error);
    return -1;
}

/* @return malloc'ed, or NULL. */
static uint8_t *read_package(int fd, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > (off_t) FOTA_PACKAGE_MAX)
        return NULL;
    *size = (size_t) st.st_size;
    uint8_t *body = malloc(*size);
    size_t done = 0;
    while (body != NULL && done < *size) {
        ssize_t n = pread(fd, body + done, *size - done, (off_t) done);
        if (n <= 0) {
            free(body);
            return NULL;
        }
        done += (size_t) n;
    }
    return body;
}

int hub_s3_put(struct hub_s3 *b, const char *sha256, int fd, hub_s3_done done, void *ctx, struct hub_error *error)
{
    char why[HUB_ERROR_TEXT];
    size_t size;
    uint8_t *body = read_package(fd, &size);
    if (body == NULL)
        return hub_fail(error, 500, "internal", "", "the package cannot be read back from the disk");
    struct transfer *t = begin(b, PUT, sha256, done, ctx, error);
    if (t == NULL) {
        free(body);
        return -1;
    }
    t->body = body;
    t->request.body = body;
    t->request.body_size = size;
    return send_request(b, t, why, sizeof why) == 0 ? 0 : give_up(b, t, why, error);
}

int hub_s3_get(struct hub_s3 *b, const char *sha256, hub_s3_done done, void *ctx, struct hub_error *error)
{
    char why[HUB_ERROR_TEXT];
    for (unsigned i = 0; i < HUB_S3_TRANSFERS; i++) {
        struct transfer *t = &b->transfer[i];
        if (t->what != GET || strcmp(t->sha256, sha256) != 0 || t->waiters == HUB_S3_WAITERS)
            continue;
        t->waiter[t->waiters++] = (struct waiter){done, ctx};
        return 0;
    }
    struct transfer *t = begin(b, GET, sha256, done, ctx, error);
    if (t == NULL)
        return -1;
    return send_request(b, t, why, sizeof why) == 0 ? 0 : give_up(b, t, why, error);
}

/* --- answers -------------------------------------------------------------------------------------------------------
 */

static bool is_package(const struct transfer *t)
{
    uint8_t digest[FOTA_SHA256_SIZE];
    char hex[HUB_SHA256_HEX + 1];
    fota_sha256(t->request.size > 0 ? t->request.data : (const uint8_t *) "", t->request.size, digest);
    hub_hex(digest, sizeof digest, hex);
    return strcmp(hex, t->sha256) == 0;
}

int hub_s3_keep_copy(struct hub_s3 *b, int fd, const char *name, const char *sha256)
{
    return hub_store_keep_copy(b->store, fd, name, sha256, b->options->cache_bytes);
}

static int keep_copy(struct hub_s3 *b, const struct transfer *t)
{
    char name[HUB_FILE_NAME_SIZE];
    int fd = hub_store_temp(b->store, name);
    if (fd < 0)
        return -1;
    int rc = hub_write_all(fd, t->request.data, t->request.size);
    if (rc != 0)
        hub_log(HUB_LOG_ERROR, "cannot write %s: %s", name, strerror(errno));
    else
        rc = hub_s3_keep_copy(b, fd, name, t->sha256);
    if (rc != 0)
        hub_store_discard(b->store, name);
    close(fd);
    return rc;
}

/* Something is there already. */
static void compare(struct hub_s3 *b, struct transfer *t)
{
    char why[HUB_ERROR_TEXT];
    t->what = COMPARE;
    t->attempts = 0;
    t->request.method = "GET";
    t->request.condition = NULL;
    t->request.body = NULL;
    t->request.body_size = 0;
    if (send_request(b, t, why, sizeof why) != 0)
        finish_failed(b, t, 502, "bucket", why);
}

static void on_answer(struct hub_s3 *b, struct transfer *t, CURLcode result)
{
    char why[HUB_ERROR_TEXT];
    stop_request(b, t);
    if (s3_request_end(&t->request, result, why, sizeof why) != 0) {
        finish_failed(b, t, 502, "bucket", why);
        return;
    }
    long status = t->request.status;
    if (s3_request_may_work_later(&t->request) && t->attempts < RETRIES) {
        t->again_at = hub_mono_ms() + (1000 << t->attempts++);
        return;
    }
    if (t->what == PUT && (status == 412 || status == 409)) {
        compare(b, t);
    } else if (t->what == PUT ? status < 200 || status > 299 : status != 200) {
        s3_request_refusal(&t->request, why, sizeof why);
        finish_failed(b, t, 502, "bucket", why);
    } else if (t->what != PUT && !is_package(t)) {
        snprintf(why, sizeof why, "%s has another SHA-256, damaged or forged: remove that object and upload it again",
                 t->request.url);
        finish_failed(b, t, 502, "bucket", why);
    } else if (t->what == GET && keep_copy(b, t) != 0) {
        finish_failed(b, t, 500, "internal", "the package cannot be stored; see the hub's log");
    } else {
        finish(b, t, NULL);
    }
}

/* --- packages that lie on this disk for good: of a hub that had no bucket, or from a backup ------------------------
 */

static void adopted(void *ctx, const struct hub_error *error)
{
    struct hub_s3 *b = ctx;
    b->adopt_at = hub_mono_ms() + (error != NULL ? ADOPT_AGAIN_MS : 0);
    if (error == NULL && hub_store_make_copy(b->store, b->adopting, b->options->cache_bytes) == 0)
        hub_log(HUB_LOG_INFO, "bucket: the package %s is there now", b->adopting);
    b->adopting[0] = '\0';
}

static void adopt(struct hub_s3 *b)
{
    struct hub_error error;
    if (b->adopting[0] != '\0' || hub_mono_ms() < b->adopt_at)
        return;
    b->adopt_at = INT64_MAX; /* nothing comes there while the hub runs */
    if (!hub_store_next_package(b->store, b->adopting))
        return;
    int fd = hub_store_open_package(b->store, b->adopting);
    if (fd < 0 || hub_s3_put(b, b->adopting, fd, adopted, b, &error) != 0) {
        b->adopting[0] = '\0';
        b->adopt_at = hub_mono_ms() + ADOPT_AGAIN_MS;
    }
    if (fd >= 0)
        close(fd);
}

/* What chunks over MQTT were asked for. */
static void fetched(void *ctx, const struct hub_error *error)
{
    (void) ctx; /* logged; the gateway asks again in any case */
    (void) error;
}

static void fetch_wanted(struct hub_s3 *b)
{
    char sha256[HUB_SHA256_HEX + 1];
    struct hub_release release;
    struct hub_error error;
    if (!hub_store_wanted(b->store, sha256))
        return;
    if (hub_release_get(b->db, sha256, &release) == 1)
        hub_store_no_such(b->store, sha256);
    else
        hub_s3_get(b, sha256, fetched, NULL, &error);
}

/* --- the main loop -------------------------------------------------------------------------------------------------
 */

void hub_s3_wait(struct hub_s3 *b, struct pollfd *fds, unsigned count, int timeout)
{
    struct curl_waitfd more[4];
    memset(more, 0, sizeof more);
    count = count < 4 ? count : 4;
    for (unsigned i = 0; i < count; i++)
        more[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(b->multi, more, count, timeout, NULL) != CURLM_OK)
        poll(fds, count, timeout); /* interrupted, or out of memory: libcurl says nothing of the others then */
    else
        for (unsigned i = 0; i < count; i++)
            fds[i].revents = (more[i].revents & CURL_WAIT_POLLIN) != 0 ? POLLIN : 0;
}

static struct transfer *of_handle(struct hub_s3 *b, const CURL *easy)
{
    for (unsigned i = 0; i < HUB_S3_TRANSFERS; i++)
        if (b->transfer[i].running && b->transfer[i].request.easy == easy)
            return &b->transfer[i];
    return NULL;
}

void hub_s3_run(struct hub_s3 *b)
{
    char why[HUB_ERROR_TEXT];
    CURLMsg *message;
    int n;
    int64_t now = hub_mono_ms();
    for (unsigned i = 0; i < HUB_S3_TRANSFERS; i++) {
        struct transfer *t = &b->transfer[i];
        if (t->what != FREE && !t->running && now >= t->again_at && send_request(b, t, why, sizeof why) != 0)
            finish_failed(b, t, 502, "bucket", why);
    }
    fetch_wanted(b);
    adopt(b);
    curl_multi_perform(b->multi, &n);
    while ((message = curl_multi_info_read(b->multi, &n)) != NULL) {
        struct transfer *t = message->msg == CURLMSG_DONE ? of_handle(b, message->easy_handle) : NULL;
        if (t != NULL)
            on_answer(b, t, message->data.result);
    }
}

void hub_s3_close(struct hub_s3 *b)
{
    if (b == NULL)
        return;
    for (unsigned i = 0; i < HUB_S3_TRANSFERS; i++)
        if (b->transfer[i].what != FREE)
            finish_failed(b, &b->transfer[i], 503, "busy", "the hub ends; try again when it is back");
    if (b->multi != NULL)
        curl_multi_cleanup(b->multi);
    curl_global_cleanup();
    free(b);
}
