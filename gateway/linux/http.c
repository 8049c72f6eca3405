/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADER_NAME 32u
#define CONNECT_S 10L
#define LOW_SPEED_BYTES 1L /* the core's own timer comes first; this one ends what it forgot */
#define LOW_SPEED_S 120L

/* --- one request ------------------------------------------------------------------------------ */

/* A header's name and its value, without blanks around it. @return false: it is none, or longer than any of ours. */
static bool split(const char *line, size_t length, char name[HEADER_NAME], char *value, size_t capacity)
{
    const char *colon = memchr(line, ':', length);
    size_t n = colon != NULL ? (size_t) (colon - line) : length;

    if (n == length || n >= HEADER_NAME)
        return false;
    memcpy(name, line, n);
    name[n] = '\0';
    line += n + 1u;
    length -= n + 1u;
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    while (length > 0 && (line[length - 1u] == '\r' || line[length - 1u] == '\n' || line[length - 1u] == ' '))
        length--;
    if (length >= capacity)
        return false;
    memcpy(value, line, length);
    value[length] = '\0';
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct port_http_request *r = ctx;
    size_t length = size * count;
    char name[HEADER_NAME], value[GW_ETAG_MAX];

    if (length >= 5u && memcmp(line, "HTTP/", 5) == 0) {
        r->head = (struct gw_http_head){.length = -1, .range_from = -1, .range_total = -1};
    } else if (split(line, length, name, value, sizeof value)) {
        gw_http_header(&r->head, name, value);
    } else if (length <= 2u) { /* the empty line: all headers are there */
        long status = 0;

        (void) curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        r->head.status = (int) status;
        if (status >= 200 && !r->told) {
            r->told = true;
            r->aborted = r->events->head(r->events->ctx, &r->head) != 0;
        }
    }
    return r->aborted ? 0 : length;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct port_http_request *r = ctx;

    r->aborted = r->aborted || r->events->body(r->events->ctx, (const uint8_t *) data, size * count) != 0;
    return r->aborted ? 0 : size * count;
}

static void release(struct port_http *http, struct port_http_request *r)
{
    (void) curl_multi_remove_handle(http->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    memset(r, 0, sizeof *r);
}

static bool add_header(struct port_http_request *r, const char *text)
{
    struct curl_slist *longer = curl_slist_append(r->headers, text);

    if (longer != NULL)
        r->headers = longer;
    return longer != NULL;
}

static bool set_up(struct port_http *http, struct port_http_request *r, const struct gw_http_request *request)
{
    char text[640];
    const char *ca = http->ca != NULL ? http->ca(http->ca_ctx, request->url) : NULL;
    bool good = true;
    CURL *e = r->easy;

    for (unsigned i = 0; good && i < request->header_count; i++)
        good = add_header(r, request->headers[i]);
    if (request->from > 0 || request->length > 0) {
        int n = snprintf(text, sizeof text, "%lu-", (unsigned long) request->from);

        if (request->length > 0)
            (void) snprintf(text + n, sizeof text - (size_t) n, "%lu",
                            (unsigned long) request->from + request->length - 1u);
        good = good && curl_easy_setopt(e, CURLOPT_RANGE, text) == CURLE_OK;
        if (request->if_range != NULL) {
            (void) snprintf(text, sizeof text, "If-Range: %s", request->if_range);
            good = good && add_header(r, text);
        }
    }
    if (http->token != NULL && gw_http_is_below(http->hub_url, request->url)) {
        (void) snprintf(text, sizeof text, "Authorization: Bearer %s", http->token);
        good = good && add_header(r, text);
    }
    if (ca != NULL) /* that alone: without the system's folder, which libcurl would look into as well */
        good = good && curl_easy_setopt(e, CURLOPT_CAINFO, ca) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return good && curl_easy_setopt(e, CURLOPT_URL, request->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, http->agent) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, r) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, r) == CURLE_OK && curl_easy_setopt(e, CURLOPT_PRIVATE, r) == CURLE_OK;
}

static int http_start(void *ctx, const struct gw_http_request *request, const struct gw_http_events *events)
{
    struct port_http *http = ctx;

    for (int i = 0; i < (int) PORT_HTTP_REQUESTS; i++) {
        struct port_http_request *r = &http->request[i];

        if (r->easy != NULL)
            continue;
        r->easy = curl_easy_init();
        if (r->easy == NULL)
            return -1;
        r->events = events;
        if (!set_up(http, r, request) || curl_multi_add_handle(http->multi, r->easy) != CURLM_OK) {
            release(http, r);
            return -1;
        }
        return i;
    }
    return -1;
}

static void http_cancel(void *ctx, int handle)
{
    struct port_http *http = ctx;

    if (handle >= 0 && handle < (int) PORT_HTTP_REQUESTS && http->request[handle].easy != NULL)
        release(http, &http->request[handle]);
}

static enum gw_http_result result_of(const struct port_http_request *r, CURLcode code)
{
    if (code == CURLE_OK)
        return GW_HTTP_OK;
    if (r->aborted)
        return GW_HTTP_ABORTED;
    return r->told ? GW_HTTP_BROKEN : GW_HTTP_UNREACHED;
}

static void http_poll(void *ctx)
{
    struct port_http *http = ctx;
    CURLMsg *message;
    int n;

    (void) curl_multi_perform(http->multi, &n);
    while ((message = curl_multi_info_read(http->multi, &n)) != NULL) {
        struct port_http_request *r = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &r);
        if (r == NULL) {
            http->probe_done(http->probe_ctx, message->easy_handle, code);
        } else {
            const struct gw_http_events *events = r->events;
            enum gw_http_result result = result_of(r, code);
            char detail[CURL_ERROR_SIZE];

            (void) snprintf(detail, sizeof detail, "%s", r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
            release(http, r);
            events->done(events->ctx, result, detail);
        }
    }
}

int port_http_open(struct port_http *http, const char *hub_url, const char *token, const char *version)
{
    memset(http, 0, sizeof *http);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -1;
    http->multi = curl_multi_init();
    http->hub_url = hub_url;
    http->token = token;
    http->http = (struct gw_http){http, http_start, http_poll, http_cancel};
    (void) snprintf(http->agent, sizeof http->agent, "fota-gateway/%s", version);
    return http->multi != NULL ? 0 : -1;
}

void port_http_close(struct port_http *http)
{
    for (int i = 0; i < (int) PORT_HTTP_REQUESTS; i++)
        http_cancel(http, i);
    (void) curl_multi_cleanup(http->multi);
    curl_global_cleanup();
}
