/* SPDX-License-Identifier: MIT */
#include "fakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- storage ---------------------------------------------------------------------------------- */

static int find(const struct fake_storage *s, const uint8_t *digest)
{
    for (int i = 0; i < (int) FAKE_FILES; i++)
        if (s->file[i].used && memcmp(s->file[i].digest, digest, GW_DIGEST_SIZE) == 0)
            return i;
    return -1;
}

static int s_stat(void *ctx, const uint8_t *digest, uint32_t *size, bool *complete)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    *size = i >= 0 ? s->file[i].size : 0;
    *complete = i >= 0 && s->file[i].complete;
    return 0;
}

static int s_append(void *ctx, const uint8_t *digest, const uint8_t *data, size_t length)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    if (s->append_fails)
        return -1;
    for (int k = 0; i < 0 && k < (int) FAKE_FILES; k++)
        if (!s->file[k].used) {
            i = k;
            s->file[i].used = true;
            s->file[i].complete = false;
            s->file[i].size = 0;
            memcpy(s->file[i].digest, digest, GW_DIGEST_SIZE);
        }
    if (i < 0 || s->file[i].complete)
        return -1;
    s->file[i].data = realloc(s->file[i].data, s->file[i].size + length);
    memcpy(s->file[i].data + s->file[i].size, data, length);
    s->file[i].size += (uint32_t) length;
    s->file[i].when = ++s->tick;
    return 0;
}

static int s_read(void *ctx, const uint8_t *digest, uint32_t offset, uint8_t *data, size_t length)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    if (i < 0)
        return -1;
    if (offset >= s->file[i].size)
        return 0;
    if (length > s->file[i].size - offset)
        length = s->file[i].size - offset;
    memcpy(data, s->file[i].data + offset, length);
    return (int) length;
}

static int s_sync(void *ctx, const uint8_t *digest)
{
    (void) digest;
    ((struct fake_storage *) ctx)->syncs++;
    return 0;
}

static int s_touch(void *ctx, const uint8_t *digest)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    if (i >= 0)
        s->file[i].when = ++s->tick;
    return i >= 0 ? 0 : -1;
}

static int s_commit(void *ctx, const uint8_t *digest)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    if (i >= 0)
        s->file[i].complete = true;
    return i >= 0 ? 0 : -1;
}

static int s_remove(void *ctx, const uint8_t *digest)
{
    struct fake_storage *s = ctx;
    int i = find(s, digest);

    s->removes++;
    if (i >= 0) {
        free(s->file[i].data);
        memset(&s->file[i], 0, sizeof s->file[i]);
    }
    return 0;
}

static int s_list(void *ctx, unsigned index, struct gw_package_file *file)
{
    struct fake_storage *s = ctx;

    for (unsigned i = 0; i < FAKE_FILES; i++)
        if (s->file[i].used && index-- == 0) {
            memcpy(file->digest, s->file[i].digest, GW_DIGEST_SIZE);
            file->size = s->file[i].size;
            file->complete = s->file[i].complete;
            file->used = s->file[i].when;
            return 1;
        }
    return 0;
}

static int s_put(void *ctx, const char *name, const void *data, size_t length)
{
    struct fake_storage *s = ctx;

    if (s->put_fails || length > GW_RECORD_MAX || strlen(name) > GW_RECORD_NAME_MAX)
        return -1;
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < FAKE_RECORDS; i++)
            if (strcmp(s->record[i].name, pass == 0 ? name : "") == 0) {
                (void) snprintf(s->record[i].name, sizeof s->record[i].name, "%s", name);
                memcpy(s->record[i].data, data, length);
                s->record[i].length = length;
                s->puts++;
                return 0;
            }
    return -1;
}

static int s_get(void *ctx, const char *name, void *data, size_t capacity)
{
    struct fake_storage *s = ctx;

    for (unsigned i = 0; i < FAKE_RECORDS; i++)
        if (strcmp(s->record[i].name, name) == 0) {
            if (s->record[i].length > capacity)
                return -1;
            memcpy(data, s->record[i].data, s->record[i].length);
            return (int) s->record[i].length;
        }
    return 0;
}

static int s_erase(void *ctx, const char *name)
{
    struct fake_storage *s = ctx;

    for (unsigned i = 0; i < FAKE_RECORDS; i++)
        if (strcmp(s->record[i].name, name) == 0)
            s->record[i].name[0] = '\0';
    return 0;
}

void fake_storage_init(struct fake_storage *s)
{
    memset(s, 0, sizeof *s);
    s->port = (struct gw_storage){.ctx = s,
                                  .stat = s_stat,
                                  .append = s_append,
                                  .read = s_read,
                                  .sync = s_sync,
                                  .commit = s_commit,
                                  .touch = s_touch,
                                  .remove = s_remove,
                                  .list = s_list,
                                  .put = s_put,
                                  .get = s_get,
                                  .erase = s_erase};
}

void fake_storage_free(struct fake_storage *s)
{
    for (unsigned i = 0; i < FAKE_FILES; i++)
        free(s->file[i].data);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static int h_start(void *ctx, const struct gw_http_request *request, const struct gw_http_events *events)
{
    struct fake_http *h = ctx;
    unsigned n = h->requests < h->answers ? h->requests : h->answers - 1u;

    for (int i = 0; i < (int) GW_FETCHES_MAX; i++)
        if (!h->active[i].used) {
            h->active[i].used = true;
            h->active[i].head_sent = false;
            h->active[i].answer = h->answer[n];
            h->active[i].from = h->active[i].at = request->from;
            h->active[i].length = request->length;
            h->active[i].events = events;
            h->last_from = request->from;
            (void) snprintf(h->last_if_range, sizeof h->last_if_range, "%s",
                            request->if_range != NULL ? request->if_range : "");
            h->last_match[0] = '\0';
            for (unsigned k = 0; k < request->header_count; k++)
                if (strncmp(request->headers[k], "If-Match: ", 10) == 0)
                    (void) snprintf(h->last_match, sizeof h->last_match, "%s", request->headers[k] + 10);
            if (h->vary != 0 && h->requests > 0 && h->requests % h->vary == 0)
                (void) snprintf(h->etag, sizeof h->etag, "\"w%u\"", h->requests);
            h->requests++;
            return i;
        }
    return -1;
}

static void finish(struct fake_http *h, int i, enum gw_http_result result, const char *detail)
{
    const struct gw_http_events *events = h->active[i].events;

    h->active[i].used = false;
    events->done(events->ctx, result, detail);
}

static bool head(struct fake_http *h, int i)
{
    const struct fake_answer *a = &h->active[i].answer;
    struct gw_http_head head = {.status = a->status, .length = -1, .range_from = -1, .range_total = -1};
    bool partial = (h->active[i].from > 0 || h->active[i].length > 0) && !a->ignore_range &&
                   (h->last_if_range[0] == '\0' || strcmp(h->last_if_range, h->etag) == 0);

    (void) snprintf(head.etag, sizeof head.etag, "%s", h->etag);
    if (a->status == 200 && h->last_match[0] != '\0' && strcmp(h->last_match, h->etag) != 0) {
        head.status = 412;
    } else if (a->status == 200 && partial && h->active[i].from >= h->size) {
        head.status = 416;
    } else if (a->status == 200 && partial) {
        head.status = 206;
        head.range_from = h->active[i].from;
        head.range_total = h->size;
        head.length = h->size - h->active[i].from;
        if (h->active[i].length > 0 && head.length > h->active[i].length)
            head.length = h->active[i].length;
    } else {
        h->active[i].at = 0;
        h->active[i].length = 0;
        head.length = a->say == -2 ? (int64_t) h->size : a->say;
    }
    h->active[i].head_sent = true;
    if (h->active[i].events->head(h->active[i].events->ctx, &head) != 0) {
        finish(h, i, GW_HTTP_ABORTED, "aborted");
        return false;
    }
    return true;
}

static void h_poll(void *ctx)
{
    struct fake_http *h = ctx;

    for (int i = 0; i < (int) GW_FETCHES_MAX; i++) {
        const struct fake_answer *a = &h->active[i].answer;
        uint32_t end, n;

        if (!h->active[i].used)
            continue;
        if (a->unreached) {
            finish(h, i, GW_HTTP_UNREACHED, "connection refused");
            continue;
        }
        if (!h->active[i].head_sent && !head(h, i))
            continue;
        end = a->drop_at != 0 && a->drop_at < h->size ? a->drop_at : h->size;
        end = a->stall_at != 0 && a->stall_at < end ? a->stall_at : end;
        if (h->active[i].length > 0 && h->active[i].from + h->active[i].length < end)
            end = h->active[i].from + h->active[i].length;
        n = end > h->active[i].at ? end - h->active[i].at : 0;
        n = n < h->piece ? n : h->piece;
        if (n > 0) {
            uint32_t at = h->active[i].at;

            h->active[i].at += n;
            if (h->active[i].events->body(h->active[i].events->ctx, h->data + at, n) != 0)
                finish(h, i, GW_HTTP_ABORTED, "aborted");
        } else if (a->stall_at != 0 && h->active[i].at == a->stall_at) {
            continue;
        } else if (a->drop_at != 0 && h->active[i].at >= a->drop_at) {
            finish(h, i, GW_HTTP_BROKEN, "connection reset");
        } else {
            finish(h, i, GW_HTTP_OK, "");
        }
    }
}

static void h_cancel(void *ctx, int handle)
{
    ((struct fake_http *) ctx)->active[handle].used = false;
}

void fake_http_init(struct fake_http *h)
{
    memset(h, 0, sizeof *h);
    h->piece = 4096;
    h->answers = 1;
    h->answer[0] = (struct fake_answer){.status = 200, .say = -2};
    (void) snprintf(h->etag, sizeof h->etag, "\"v1\"");
    h->port = (struct gw_http){h, h_start, h_poll, h_cancel};
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static int m_connect(void *ctx, const struct gw_mqtt_message *will)
{
    struct fake_mqtt *m = ctx;

    m->connects++;
    (void) snprintf(m->will, sizeof m->will, "%s %s", will->topic, will->payload);
    return 0;
}

static void m_disconnect(void *ctx)
{
    ((struct fake_mqtt *) ctx)->connected = false;
}

static int m_subscribe(void *ctx, const char *topic, int qos)
{
    struct fake_mqtt *m = ctx;

    m->subscribed = m->subscribed || (strcmp(topic, "fota/v1/gw1/cmd") == 0 && qos == 1);
    return 0;
}

static int m_publish(void *ctx, const struct gw_mqtt_message *message)
{
    struct fake_mqtt *m = ctx;

    if (!m->connected || m->messages == FAKE_MESSAGES)
        return -1;
    (void) snprintf(m->message[m->messages].topic, sizeof m->message[0].topic, "%s", message->topic);
    (void) snprintf(m->message[m->messages].payload, sizeof m->message[0].payload, "%.*s", (int) message->length,
                    message->payload);
    m->message[m->messages].qos = message->qos;
    m->message[m->messages++].retain = message->retain;
    return 0;
}

static void m_poll(void *ctx)
{
    struct fake_mqtt *m = ctx;

    if (m->gw->mqtt == GW_MQTT_CONNECTING && m->reachable) {
        m->connected = true;
        gw_mqtt_connected(m->gw);
    } else if (m->connected && !m->reachable) {
        m->connected = false;
        gw_mqtt_lost(m->gw, "test");
    }
}

void fake_mqtt_init(struct fake_mqtt *m, struct gw *gw)
{
    memset(m, 0, sizeof *m);
    m->gw = gw;
    m->reachable = true;
    m->port = (struct gw_mqtt){m, m_connect, m_disconnect, m_subscribe, m_publish, m_poll};
}
