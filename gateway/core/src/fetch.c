/* SPDX-License-Identifier: MIT */
#include "fetch_internal.h"

#include "gw/s3.h"
#include "gw/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 40u

static uint64_t now_ms(const struct gw_fetch *f)
{
    return f->env->clock->monotonic_ms(f->env->clock->ctx);
}

static void note(const struct gw_fetch *f, enum gw_log_level level, const char *text)
{
    if (f->env->logger != NULL)
        f->env->logger->write(f->env->logger->ctx, level, NULL, text);
}

/* The record that keeps the validator of an incomplete file. */
static void etag_name(const struct gw_fetch *f, char name[NAME_SIZE])
{
    char hex[GW_HEX(16)];

    gw_hex(f->digest, 16, hex);
    (void) snprintf(name, NAME_SIZE, "etag-%s", hex);
}

/* --- the end ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void fail(struct gw_fetch *f, const char *reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(f->detail, sizeof f->detail, format, arguments);
    va_end(arguments);
    f->reason = reason;
    f->state = GW_FETCH_FAILED;
}

void fetch_trouble(struct gw_fetch *f, bool permanent, const char *reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(f->detail, sizeof f->detail, format, arguments);
    va_end(arguments);
    f->trouble = reason;
    f->permanent = permanent;
}

bool fetch_forget(struct gw_fetch *f)
{
    char name[NAME_SIZE];

    etag_name(f, name);
    (void) f->env->storage->erase(f->env->storage->ctx, name);
    f->etag[0] = '\0';
    f->have = f->synced = 0;
    f->resumed = f->cached = false;
    return f->env->storage->remove(f->env->storage->ctx, f->digest) == 0;
}

void fetch_pause_or_fail(struct gw_fetch *f)
{
    uint32_t pause = f->env->retry_ms != 0 ? f->env->retry_ms : GW_FETCH_RETRY_MS;
    char text[GW_DETAIL_MAX + 64u];

    f->handle = -1;
    if (!f->by_mqtt)
        f->dry = f->have > f->began_with ? 0 : f->dry + 1u;
    if (f->have >= f->high + GW_FETCH_PROGRESS) {
        f->high = f->have;
        f->retries = 0;
    }
    if (f->permanent || f->retries >= GW_FETCH_RETRIES) {
        size_t n = strlen(f->detail);

        if (f->mqtt_said[0] != '\0' && !f->by_mqtt)
            (void) snprintf(f->detail + n, sizeof f->detail - n, "; before that: %s", f->mqtt_said);
        f->reason = f->trouble;
        f->state = GW_FETCH_FAILED;
        return;
    }
    pause <<= f->retries++;
    if (f->retry_after * 1000u > pause && f->retry_after <= 60u)
        pause = f->retry_after * 1000u;
    f->retry_after = 0;
    f->env->random = f->env->random * 1664525u + 1013904223u;
    pause += (uint32_t) ((uint64_t) (pause / 4u) * (f->env->random >> 16) >> 16); /* not all gateways at once */
    f->retry_at = now_ms(f) + pause;
    f->state = GW_FETCH_PAUSE;
    (void) snprintf(text, sizeof text, "download: %s; attempt %u of %u in %u ms", f->detail, (unsigned) f->retries,
                    GW_FETCH_RETRIES, (unsigned) pause);
    note(f, GW_LOG_WARNING, text);
}

/* --- the check -------------------------------------------------------------------------------- */

void fetch_begin_check(struct gw_fetch *f)
{
    f->state = GW_FETCH_CHECK;
    f->checked = 0;
    f->total = f->have;
}

/* @return whether the check can go on. */
static bool has_reader(struct gw_fetch *f)
{
    if (f->reader != NULL)
        return true;
    f->reader = gw_reader_take(&f->env->readers);
    if (f->reader == NULL)
        return false;
    fota_sha256_init(&f->hash);
    fota_package_check_init(&f->reader->as.check, f->env->keys, f->env->key_count);
    return true;
}

static void judge(struct gw_fetch *f)
{
    struct fota_package_check *check = &f->reader->as.check;
    uint8_t digest[GW_DIGEST_SIZE];
    char is[GW_HEX(GW_DIGEST_SIZE)], wanted[GW_HEX(GW_DIGEST_SIZE)], id[GW_HEX(FOTA_KEY_ID_SIZE)] = "";
    int error;

    fota_sha256_out(&f->hash, digest);
    if (memcmp(digest, f->digest, GW_DIGEST_SIZE) != 0) {
        bool mixed = f->resumed || f->cached; /* put together from pieces, or an old file that has changed */

        gw_hex(digest, GW_DIGEST_SIZE, is);
        gw_hex(f->digest, GW_DIGEST_SIZE, wanted);
        if (!fetch_forget(f))
            fail(f, "cache-error", "a damaged package could not be removed from the cache");
        else if (mixed) {
            fetch_trouble(f, false, "digest-mismatch", "the pieces do not make up the package, fetching it anew");
            f->high = 0;
            fetch_pause_or_fail(f);
        } else
            fail(f, "digest-mismatch", "the file has the SHA-256 %s, the job wants %s: wrong file or wrong digest", is,
                 wanted);
        return;
    }
    error = fota_package_check_end(check);
    if (error != FOTA_OK) {
        char why[GW_DETAIL_MAX] = "";

        if (check->header_seen)
            gw_hex(check->header.key_id, FOTA_KEY_ID_SIZE, id);
        if (f->env->explain != NULL)
            f->env->explain(f->env->storage, f->digest, f->have, f->env->keys, f->env->key_count, why, sizeof why);
        (void) fetch_forget(f);
        if (error == FOTA_E_KEY)
            fail(f, fota_error_name(error), "the package is signed with key %s, which this gateway does not trust", id);
        else
            fail(f, fota_error_name(error), "%s", why[0] != '\0' ? why : fota_error_text(error));
        return;
    }
    if (!f->cached && (f->env->storage->sync(f->env->storage->ctx, f->digest) != 0 ||
                       f->env->storage->commit(f->env->storage->ctx, f->digest) != 0)) {
        fail(f, "cache-error", "the package could not be kept in the cache");
        return;
    }
    (void) f->env->storage->touch(f->env->storage->ctx, f->digest);
    etag_name(f, is);
    (void) f->env->storage->erase(f->env->storage->ctx, is);
    memcpy(f->header, check->raw, sizeof f->header);
    f->state = GW_FETCH_DONE;
    f->detail[0] = '\0';
}

static void step_check(struct gw_fetch *f)
{
    uint8_t piece[GW_FETCH_CHECK_PIECE];

    for (unsigned n = 0; n < GW_FETCH_CHECK_PIECES && f->checked < f->have; n++) {
        int got = f->env->storage->read(f->env->storage->ctx, f->digest, f->checked, piece, sizeof piece);

        if (got <= 0) {
            fail(f, "cache-error", "the package could not be read from the cache at offset %lu",
                 (unsigned long) f->checked);
            return;
        }
        fota_sha256_update(&f->hash, piece, (size_t) got);
        (void) fota_package_check_feed(&f->reader->as.check, piece,
                                       (size_t) got); /* sticky; the digest is judged first */
        f->checked += (uint32_t) got;
    }
    if (f->checked >= f->have)
        judge(f);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

bool fetch_length_fits(struct gw_fetch *f, int64_t total)
{
    if (total > (int64_t) FOTA_PACKAGE_MAX)
        fetch_trouble(f, true, "too-long", "the server says %lld bytes; a package has at most %lu", (long long) total,
                      (unsigned long) FOTA_PACKAGE_MAX);
    else if (f->size != 0 && total > (int64_t) f->size)
        fetch_trouble(f, true, "too-long", "the server says %lld bytes, the job %lu", (long long) total,
                      (unsigned long) f->size);
    else if (f->size != 0 && total < (int64_t) f->size)
        fetch_trouble(f, true, "too-short", "the server says %lld bytes, the job %lu", (long long) total,
                      (unsigned long) f->size);
    else if (total < (int64_t) GW_FETCH_MIN)
        fetch_trouble(f, true, "too-short", "the server says %lld bytes; no package has fewer than %lu",
                      (long long) total, (unsigned long) GW_FETCH_MIN);
    else
        return true;
    return false;
}

static void keep_etag(struct gw_fetch *f, const char *etag)
{
    char name[NAME_SIZE];

    memcpy(f->etag, etag, strlen(etag) + 1u);
    etag_name(f, name);
    if (etag[0] != '\0')
        (void) f->env->storage->put(f->env->storage->ctx, name, etag, strlen(etag));
    else
        (void) f->env->storage->erase(f->env->storage->ctx, name);
}

static int on_head(void *ctx, const struct gw_http_head *head)
{
    struct gw_fetch *f = ctx;
    char url[256], expired[128];
    uint64_t unix_s = f->env->clock->unix_ms(f->env->clock->ctx) / 1000u;

    f->heard_at = now_ms(f);
    (void) gw_url_text(f->url, url, sizeof url);
    if (head->status == 200) {
        if (f->have > 0 && !fetch_forget(f)) {
            fetch_trouble(f, true, "cache-error", "the incomplete package could not be removed from the cache");
            return -1;
        }
        if (head->length >= 0 && !fetch_length_fits(f, head->length))
            return -1;
        f->total = head->length >= 0 ? (uint32_t) head->length : f->size;
        f->resumed = false;
        keep_etag(f, head->etag);
        return 0;
    }
    if (head->status == 206 && f->asked_range && f->have == 0)
        keep_etag(f, head->etag);
    if (head->status == 206 && f->asked_range) {
        if (head->range_from != (int64_t) f->have ||
            (f->etag[0] != '\0' && head->etag[0] != '\0' && strcmp(f->etag, head->etag) != 0)) {
            (void) fetch_forget(f);
            fetch_trouble(f, false, "http-error",
                          "the server went on with another file or another offset: fetching it anew from %s", url);
            return -1;
        }
        if (head->range_total >= 0 && !fetch_length_fits(f, head->range_total))
            return -1;
        f->total = head->range_total >= 0 ? (uint32_t) head->range_total : f->size;
        f->resumed = true;
        return 0;
    }
    if (head->status == 416 && f->asked_range) {
        (void) fetch_forget(f); /* what is here is longer than what is there */
        fetch_trouble(f, false, "http-error", "status 416 for an incomplete file: fetching it anew from %s", url);
        return -1;
    }
    if (head->status == 412 && f->channel[0] != '\0') {
        (void) fetch_forget(f); /* another object than the one whose beginning is here */
        fetch_trouble(f, false, "http-error", "status 412, the object has changed: fetching it anew from %s", url);
        return -1;
    }
    if (head->status == 503 && f->channel[0] != '\0')
        f->retry_after = head->retry_after;
    fetch_trouble(f, head->status < 500 && head->status != 408 && head->status != 425 && head->status != 429,
                  "http-error", "status %d from %s%s", head->status, url,
                  head->status == 403 ? gw_s3_expired(f->url, unix_s, expired, sizeof expired) : "");
    return -1;
}

int fetch_take(struct gw_fetch *f, const uint8_t *data, size_t length)
{
    uint32_t limit = f->size != 0 ? f->size : FOTA_PACKAGE_MAX;

    f->heard_at = now_ms(f);
    if (f->total != 0 && f->total < limit)
        limit = f->total;
    if (length > limit - f->have) {
        (void) fetch_forget(f);
        fetch_trouble(f, true, "too-long", "the server sends more than %lu bytes", (unsigned long) limit);
        return -1;
    }
    if (f->env->storage->append(f->env->storage->ctx, f->digest, data, length) != 0) {
        fetch_trouble(f, true, "cache-error", "the cache could not take %zu bytes at offset %lu: is there room?",
                      length, (unsigned long) f->have);
        return -1;
    }
    f->have += (uint32_t) length;
    if (f->have - f->synced >= GW_FETCH_SYNC) {
        (void) f->env->storage->sync(f->env->storage->ctx, f->digest);
        f->synced = f->have;
    }
    return 0;
}

static int on_body(void *ctx, const uint8_t *data, size_t length)
{
    return fetch_take(ctx, data, length);
}

static void on_done(void *ctx, enum gw_http_result result, const char *detail)
{
    struct gw_fetch *f = ctx;
    char url[256];

    (void) gw_url_text(f->url, url, sizeof url);
    f->handle = -1;
    if (result == GW_HTTP_OK && f->piece != 0 && f->have > f->began_with && f->have < f->total) {
        f->retry_at = now_ms(f); /* the next piece */
        f->state = GW_FETCH_PAUSE;
        return;
    }
    if (result == GW_HTTP_BROKEN || (result == GW_HTTP_OK && f->total != 0 && f->have < f->total))
        fetch_trouble(f, false, "too-short", "%s ended after %lu of %lu bytes: %s", url, (unsigned long) f->have,
                      (unsigned long) f->total, detail);
    else if (result == GW_HTTP_OK && f->have < GW_FETCH_MIN)
        fetch_trouble(f, true, "too-short", "%s has %lu bytes; no package has fewer than %lu", url,
                      (unsigned long) f->have, (unsigned long) GW_FETCH_MIN);
    else if (result == GW_HTTP_OK && f->trouble == NULL) {
        fetch_begin_check(f);
        return;
    } else if (f->trouble == NULL || result == GW_HTTP_UNREACHED)
        fetch_trouble(f, false, "http-error", "%s: %s", url, detail);
    fetch_pause_or_fail(f);
}

static void begin_request(struct gw_fetch *f, const struct gw_http_request *request)
{
    f->heard_at = now_ms(f);
    f->handle = f->env->http->start(f->env->http->ctx, request, &f->events);
    if (f->handle < 0) {
        f->retry_at = now_ms(f) + 100u; /* no room now */
        f->state = GW_FETCH_PAUSE;
    } else
        f->state = GW_FETCH_RUN;
}

/* A channel's package: a piece at a time, of the one object whose ETag the first piece had. */
static void run_channel(struct gw_fetch *f)
{
    struct gw_http_request request = {.url = f->url, .from = f->have, .length = f->piece};
    struct gw_auth auth;
    char match[GW_ETAG_MAX + 16u];

    auth.count = 0;
    auth.used = 0;
    if (f->env->authorize != NULL && f->env->authorize(f->env->authorize_ctx, f->channel, f->url, &auth) != 0) {
        fetch_trouble(f, false, "http-error", "there are no credentials for channel %s now", f->channel);
        fetch_pause_or_fail(f);
        return;
    }
    if (f->have > 0 && f->etag[0] == '"') {
        (void) snprintf(match, sizeof match, "If-Match: %s", f->etag);
        auth.header[auth.count++] = match;
    }
    request.headers = auth.header;
    request.header_count = auth.count;
    begin_request(f, &request);
}

static void run(struct gw_fetch *f)
{
    struct gw_http_request request = {.url = f->url, .from = f->have};

    f->trouble = NULL;
    f->permanent = false;
    f->began_with = f->have;
    if (fetch_mqtt_next(f)) {
        fetch_mqtt_run(f);
        return;
    }
    f->by_mqtt = false;
    f->asked_range = f->have > 0 || f->channel[0] != '\0';
    f->piece = f->channel[0] != '\0' ? GW_CHANNEL_PIECE : 0;
    if (f->channel[0] != '\0') {
        run_channel(f);
        return;
    }
    /* RFC 9110, 13.1.5: only a strong validator may stand in If-Range; without one the SHA-256 tells mixed files */
    if (f->have > 0 && f->etag[0] == '"')
        request.if_range = f->etag;
    begin_request(f, &request);
}

/* --- for the gateway -------------------------------------------------------------------------- */

void gw_fetch_start(struct gw_fetch *f, struct gw_fetch_env *env, const struct gw_job *job)
{
    char name[NAME_SIZE];
    bool complete = false;
    int length;

    memset(f, 0, sizeof *f);
    f->env = env;
    f->handle = -1;
    f->reason = "";
    f->events = (struct gw_http_events){f, on_head, on_body, on_done};
    memcpy(f->digest, job->sha256, GW_DIGEST_SIZE);
    memcpy(f->url, job->url, sizeof f->url);
    memcpy(f->channel, job->channel, sizeof f->channel);
    f->size = job->size;
    f->since = f->heard_at = now_ms(f);
    if (env->storage->stat(env->storage->ctx, f->digest, &f->have, &complete) != 0) {
        fail(f, "cache-error", "the cache cannot be read");
        return;
    }
    if (f->have > FOTA_PACKAGE_MAX)
        (void) fetch_forget(f);
    if (complete || (f->have > 0 && f->have == f->size)) {
        f->cached = complete;
        f->resumed = !complete;
        fetch_begin_check(f);
        return;
    }
    etag_name(f, name);
    length = f->have > 0 ? env->storage->get(env->storage->ctx, name, f->etag, sizeof f->etag - 1u) : 0;
    f->etag[length > 0 ? length : 0] = '\0';
    f->resumed = f->have > 0;
    f->high = f->have;
    f->retry_at = f->since;
    f->state = GW_FETCH_PAUSE;
}

uint32_t fetch_stall_ms(const struct gw_fetch *f)
{
    return f->env->stall_ms != 0 ? f->env->stall_ms : GW_FETCH_STALL_MS;
}

uint32_t gw_fetch_poll(struct gw_fetch *f)
{
    uint32_t stall;
    uint64_t now;

    if (f->state == GW_FETCH_FREE || f->state == GW_FETCH_DONE || f->state == GW_FETCH_FAILED)
        return UINT32_MAX;
    stall = fetch_stall_ms(f);
    now = now_ms(f);
    if (f->state == GW_FETCH_CHECK) {
        f->waits = !has_reader(f);
        if (f->waits) {
            f->since = now; /* that is not the download's time */
            return GW_FETCH_READER_MS;
        }
        step_check(f);
        if (f->state != GW_FETCH_CHECK)
            gw_reader_give(&f->reader);
    } else if (now - f->since >= GW_FETCH_LIMIT_MS) {
        uint32_t have = f->have;

        gw_fetch_stop(f);
        fail(f, "stalled", "the download was not complete within %u s, %lu bytes had come", GW_FETCH_LIMIT_MS / 1000u,
             (unsigned long) have);
    } else if (f->state == GW_FETCH_PAUSE && now >= f->retry_at)
        run(f);
    else if (f->state == GW_FETCH_RUN && f->by_mqtt)
        return fetch_mqtt_poll(f);
    else if (f->state == GW_FETCH_RUN && now - f->heard_at >= stall) {
        f->env->http->cancel(f->env->http->ctx, f->handle);
        fetch_trouble(f, false, "stalled", "the server sent nothing for %lu ms after %lu bytes", (unsigned long) stall,
                      (unsigned long) f->have);
        fetch_pause_or_fail(f);
    }
    if (f->state == GW_FETCH_PAUSE)
        return f->retry_at > now ? (uint32_t) (f->retry_at - now) : 1u;
    return f->state == GW_FETCH_RUN && !f->by_mqtt ? 1000u : 0u;
}

void gw_fetch_stop(struct gw_fetch *f)
{
    if (f->state == GW_FETCH_RUN && !f->by_mqtt)
        f->env->http->cancel(f->env->http->ctx, f->handle);
    if (f->state == GW_FETCH_RUN || f->state == GW_FETCH_PAUSE)
        (void) f->env->storage->sync(f->env->storage->ctx, f->digest);
    gw_reader_give(&f->reader);
    f->handle = -1;
    f->state = GW_FETCH_FREE;
}

static uint32_t takes(const struct gw_storage *storage, uint32_t size)
{
    return storage->takes != NULL ? storage->takes(storage->ctx, size) : size;
}

int gw_cache_make_room(const struct gw_storage *storage, uint32_t files, uint32_t bytes,
                       const uint8_t digest[GW_DIGEST_SIZE], uint32_t need,
                       bool (*in_use)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]), void *ctx)
{
    if (takes(storage, need) > bytes)
        return -1;
    for (;;) {
        struct gw_package_file file, oldest = {.used = UINT64_MAX};
        uint32_t count = 0;
        uint64_t sum = takes(storage, need);
        bool found = false;
        int more = 1;

        for (unsigned i = 0; (more = storage->list(storage->ctx, i, &file)) > 0; i++) {
            if (memcmp(file.digest, digest, GW_DIGEST_SIZE) == 0)
                continue;
            count++;
            sum += takes(storage, file.size);
            if (file.used < oldest.used && !in_use(ctx, file.digest)) {
                oldest = file;
                found = true;
            }
        }
        if (more < 0)
            return -1;
        if (count < files && sum <= bytes)
            return 0;
        if (!found)
            return count > 0 ? 1 : -1;
        if (storage->remove(storage->ctx, oldest.digest) != 0)
            return -1;
    }
}
