/* SPDX-License-Identifier: MIT */
/* A channel: the index is polled, judged, kept. channel_devices.c does what it says. */
#include "gw_internal.h"

#include "fota/error.h"
#include "gw/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint32_t random_below(struct gw *gw, uint32_t limit)
{
    gw->fetch_env.random = gw->fetch_env.random * 1664525u + 1013904223u;
    return (uint32_t) ((uint64_t) limit * (gw->fetch_env.random >> 16) >> 16);
}

uint64_t channel_unix_s(const struct gw *gw)
{
    return gw->ports.clock->unix_ms(gw->ports.clock->ctx) / 1000u;
}

/* A problem is said once, not with every poll; "" clears it. */
void channel_problem(struct gw_channel *c, const char *format, ...)
{
    char text[GW_DETAIL_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (strcmp(text, c->problem) == 0)
        return;
    memcpy(c->problem, text, sizeof text);
    if (text[0] != '\0')
        gw_log(c->gw, GW_LOG_WARNING, NULL, "channel %s: %s", c->config->name, text);
    else
        gw_log(c->gw, GW_LOG_INFO, NULL, "channel %s: in order again", c->config->name);
    report_channels(c->gw);
}

/* --- what survives a restart: the index itself, and its ETag ---------------------------------- */

static void record_name(const struct gw_channel *c, char name[GW_RECORD_NAME_MAX + 1u])
{
    uint8_t digest[FOTA_SHA256_SIZE];
    struct fota_sha256 hash;
    char hex[GW_HEX(16)];

    fota_sha256_init(&hash); /* two products may have channels of one name */
    fota_sha256_update(&hash, c->config->product, FOTA_PRODUCT_SIZE);
    fota_sha256_update(&hash, c->config->name, strlen(c->config->name));
    fota_sha256_out(&hash, digest);
    gw_hex(digest, 16, hex);
    (void) snprintf(name, GW_RECORD_NAME_MAX + 1u, "chan-%s", hex);
}

static bool keep(struct gw_channel *c, const uint8_t raw[FOTA_CHANNEL_SIZE], const char *etag)
{
    const struct gw_storage *storage = c->gw->ports.storage;
    uint8_t record[FOTA_CHANNEL_SIZE + GW_ETAG_MAX];
    char name[GW_RECORD_NAME_MAX + 1u];
    size_t length = strlen(etag);

    memcpy(record, raw, FOTA_CHANNEL_SIZE);
    memcpy(record + FOTA_CHANNEL_SIZE, etag, length);
    record_name(c, name);
    return storage->put(storage->ctx, name, record, FOTA_CHANNEL_SIZE + length) == 0;
}

static void load(struct gw_channel *c)
{
    const struct gw_storage *storage = c->gw->ports.storage;
    const struct gw_config *config = &c->gw->config;
    uint8_t record[FOTA_CHANNEL_SIZE + GW_ETAG_MAX];
    char name[GW_RECORD_NAME_MAX + 1u];
    int length;

    record_name(c, name);
    length = storage->get(storage->ctx, name, record, sizeof record - 1u);
    if (length < (int) FOTA_CHANNEL_SIZE || fota_channel_decode(record, FOTA_CHANNEL_SIZE, &c->index) != FOTA_OK ||
        fota_channel_verify(record, config->keys, config->key_count) != FOTA_OK)
        return; /* signed with a key that is not trusted any more: nobody can replay it either */
    memcpy(c->raw, record, FOTA_CHANNEL_SIZE);
    c->has_index = true;
    memcpy(c->etag, record + FOTA_CHANNEL_SIZE, (size_t) length - FOTA_CHANNEL_SIZE);
}

/* --- requests --------------------------------------------------------------------------------- */

static void header(struct gw_auth *auth, const char *name, const char *value)
{
    char *text = auth->text + auth->used;
    int n = snprintf(text, sizeof auth->text - auth->used, "%s: %s", name, value);

    if (n < 0 || (size_t) n >= sizeof auth->text - auth->used || auth->count >= GW_AUTH_HEADERS)
        return; /* cannot be: each value has its bound, and there is room for all of them */
    auth->used += (size_t) n + 1u;
    auth->header[auth->count++] = text;
}

static int authorize(struct gw_channel *c, const char *url, struct gw_auth *auth)
{
    struct gw_sigv4_credentials credentials;
    struct gw_sigv4_request request = {
        .method = "GET", .url = url, .payload = GW_SIGV4_EMPTY, .time = channel_unix_s(c->gw)};
    struct gw_sigv4 out;
    int result;

    if (c->config->credentials == NULL)
        return 0;
    memset(&credentials, 0, sizeof credentials);
    result = c->config->credentials(c->config->ctx, &credentials);
    if (result == 0)
        result = gw_sigv4_sign(&credentials, &request, &out);
    if (result == 0) {
        header(auth, "Authorization", out.authorization);
        header(auth, "x-amz-date", out.date);
        header(auth, "x-amz-content-sha256", GW_SIGV4_EMPTY);
        if (credentials.token[0] != '\0')
            header(auth, "x-amz-security-token", credentials.token);
    }
    memset(&credentials, 0, sizeof credentials);
    return result;
}

int channel_authorize(void *ctx, const char *channel, const char *url, struct gw_auth *auth)
{
    struct gw *gw = ctx;

    for (unsigned i = 0; i < gw->config.channel_count; i++) {
        struct gw_channel *c = &gw->channel[i];
        size_t length = strlen(c->config->url);

        /* credentials go nowhere but below the channel's own URL */
        if (strcmp(c->config->name, channel) == 0 && strncmp(url, c->config->url, length) == 0 && url[length] == '/')
            return authorize(c, url, auth);
    }
    return 0;
}

static void later(struct gw_channel *c, bool soon)
{
    uint32_t interval = c->config->poll_s * 1000u, pause = interval;

    if (soon) {
        pause = GW_CHANNEL_RETRY_MS << (c->failures < 16u ? c->failures : 16u);
        pause = pause < interval ? pause : interval;
        c->failures++;
    }
    if (c->retry_after > 0 && c->retry_after <= GW_CHANNEL_POLL_MAX_S && c->retry_after * 1000u > pause)
        pause = c->retry_after * 1000u;
    /* a tenth of it by chance, so that a fleet that was switched on together does not poll together */
    c->poll_at = gw_now(c->gw) + pause + random_below(c->gw, pause / 10u + 1u);
}

/* --- the answer ------------------------------------------------------------------------------- */

static int on_head(void *ctx, const struct gw_http_head *head)
{
    struct gw_channel *c = ctx;

    c->heard_at = gw_now(c->gw);
    c->status = head->status;
    c->retry_after = head->retry_after;
    memcpy(c->new_etag, head->etag, sizeof c->new_etag);
    return 0;
}

static int on_body(void *ctx, const uint8_t *data, size_t length)
{
    struct gw_channel *c = ctx;
    size_t room = sizeof c->body - c->length;

    c->heard_at = gw_now(c->gw);
    if (length > room && c->status == 200)
        return -1;
    length = length < room ? length : room;
    memcpy(c->body + c->length, data, length);
    c->length += length;
    return 0;
}

static void take(struct gw_channel *c)
{
    const struct gw_config *config = &c->gw->config;
    const uint8_t *raw = (const uint8_t *) c->body;
    char version[GW_VERSION_TEXT], time[GW_TIME_TEXT];
    struct fota_channel new;
    int error = fota_channel_decode(raw, c->length, &new);

    if (error == FOTA_OK)
        error = fota_channel_verify(raw, config->keys, config->key_count);
    if (error != FOTA_OK)
        channel_problem(c, "the index is not good: %s (%s)", fota_error_name(error),
                        error == FOTA_E_KEY         ? "signed with a key that this gateway does not trust"
                        : error == FOTA_E_SIGNATURE ? "its signature is wrong: damaged, or forged"
                                                    : "this is no channel index: look at the URL");
    else if (memcmp(new.product, c->config->product, FOTA_PRODUCT_SIZE) != 0 || strcmp(new.name, c->config->name) != 0)
        channel_problem(c, "the index there is that of channel \"%s\" or of another product", new.name);
    else if (c->has_index && new.sequence < c->index.sequence)
        channel_problem(c, "the index has sequence %lu, %lu was seen already: an old one was put back",
                        (unsigned long) new.sequence, (unsigned long) c->index.sequence);
    else if (c->has_index && new.sequence == c->index.sequence && memcmp(raw, c->raw, FOTA_CHANNEL_SIZE) != 0)
        channel_problem(c, "two different indexes have the sequence %lu: two publishers, or a forged one",
                        (unsigned long) new.sequence);
    else if (!keep(c, raw, c->new_etag))
        channel_problem(c, "the index could not be recorded");
    else {
        bool fresh = !c->has_index || new.sequence != c->index.sequence;

        memcpy(c->raw, raw, FOTA_CHANNEL_SIZE);
        c->index = new;
        c->has_index = true;
        c->polled = channel_unix_s(c->gw);
        memcpy(c->etag, c->new_etag, sizeof c->etag);
        memset(c->device, 0, sizeof c->device);
        gw_version_text(&new.version, version);
        gw_time_text(new.expiry * 1000u, time);
        channel_problem(c, "%s", "");
        if (fresh)
            gw_log(c->gw, GW_LOG_INFO, NULL, "channel %s: version %s, sequence %lu, good until %s", c->config->name,
                   version, (unsigned long) new.sequence, time);
        report_channels(c->gw);
    }
}

static void on_done(void *ctx, enum gw_http_result result, const char *detail)
{
    struct gw_channel *c = ctx;
    char code[GW_S3_CODE_MAX], url[256], expired[128] = "";
    bool soon = false;

    c->running = false;
    (void) gw_url_text(c->config->index_url[0] != '\0' ? c->config->index_url : c->config->url, url, sizeof url);
    if (result != GW_HTTP_OK) {
        soon = result != GW_HTTP_ABORTED;
        channel_problem(c, "%s: %s", url,
                        result == GW_HTTP_ABORTED ? "this is no channel index: it is too long" : detail);
    } else if (c->status == 304 && c->has_index) {
        c->polled = channel_unix_s(c->gw);
        channel_problem(c, "%s", "");
    } else if (c->status == 200) {
        take(c);
    } else {
        gw_s3_code(c->body, c->length, code);
        soon = c->status >= 500 || c->status == 408 || c->status == 429;
        if (c->status == 403)
            (void) gw_s3_expired(c->config->index_url, channel_unix_s(c->gw), expired, sizeof expired);
        channel_problem(c, "%s: status %d%s%s%s", url, c->status, code[0] != '\0' ? " " : "", code,
                        expired[0] != '\0' ? expired : gw_s3_hint(code));
    }
    if (!soon)
        c->failures = 0;
    if (c->polled - c->polled_told >= GW_CHANNEL_TELL_S)
        report_channels(c->gw);
    later(c, soon);
}

/* @return false: there are no credentials. Its buffers are gone before anything is reported: a stack may be small. */
__attribute__((noinline)) static bool start(struct gw_channel *c)
{
    struct gw_auth auth;
    char url[GW_URL_MAX + 1u], uuid[GW_UUID_TEXT];
    struct gw_http_request request = {.url = url};

    auth.count = 0;
    auth.used = 0;

    gw_uuid_text(c->config->product, uuid);
    if (c->config->index_url[0] != '\0')
        memcpy(url, c->config->index_url, sizeof url);
    else
        (void) snprintf(url, sizeof url, "%s/%s/%s.idx", c->config->url, uuid, c->config->name);
    c->retry_after = 0;
    if (c->config->index_url[0] == '\0' && authorize(c, url, &auth) != 0)
        return false;
    if (c->has_index && c->etag[0] != '\0')
        header(&auth, "If-None-Match", c->etag);
    request.headers = auth.header;
    request.header_count = auth.count;
    c->status = 0;
    c->length = 0;
    c->heard_at = gw_now(c->gw);
    c->handle = c->gw->ports.http->start(c->gw->ports.http->ctx, &request, &c->events);
    c->running = c->handle >= 0;
    if (!c->running)
        c->poll_at = gw_now(c->gw) + 100u; /* no room now */
    return true;
}

/* --- for the gateway -------------------------------------------------------------------------- */

void channel_init(struct gw_channel *c, struct gw *gw, const struct gw_channel_config *config)
{
    memset(c, 0, sizeof *c);
    c->gw = gw;
    c->config = config;
    c->handle = -1;
    c->events = (struct gw_http_events){c, on_head, on_body, on_done};
    load(c);
    c->poll_at = gw_now(gw) + random_below(gw, GW_CHANNEL_RETRY_MS);
}

uint32_t channel_poll(struct gw_channel *c)
{
    uint64_t now = gw_now(c->gw);

    if (!c->running && now >= c->poll_at) {
        if (!start(c)) {
            channel_problem(c, "there are no credentials now");
            later(c, true);
        }
        now = gw_now(c->gw); /* not before heard_at */
    }
    if (c->running && now - c->heard_at >= GW_CHANNEL_LIMIT_MS) {
        c->gw->ports.http->cancel(c->gw->ports.http->ctx, c->handle);
        c->running = false;
        channel_problem(c, "the server did not answer within %u s", GW_CHANNEL_LIMIT_MS / 1000u);
        later(c, true);
    }
    channel_apply(c);
    if (c->running)
        return 1000u;
    return c->poll_at > now && c->poll_at - now < 1000u ? (uint32_t) (c->poll_at - now) : 1000u;
}

void channel_stop(struct gw_channel *c)
{
    if (c->running)
        c->gw->ports.http->cancel(c->gw->ports.http->ctx, c->handle);
    c->running = false;
}
