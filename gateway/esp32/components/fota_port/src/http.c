/* SPDX-License-Identifier: MIT */
/*
 * gw_http on esp_http_client, which blocks: it runs in a task of its own. That task hands the head and then the body
 * over through a stream buffer; where the gateway is slower the task waits, and so does the server. One request at a
 * time: who comes second is told that there is no room now, and comes again.
 */
#include "port.h"

#include <esp_http_client.h>
#include <freertos/FreeRTOS.h>
#include <freertos/stream_buffer.h>
#include <freertos/task.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef CONFIG_MBEDTLS_CERTIFICATE_BUNDLE
#include <esp_crt_bundle.h>
#endif

#define BODY 2048u    /* bytes under way from the task to the gateway */
#define PIECE 512u    /* handed over at once */
#define HEADERS 1024u /* of a request: all lines */
#define CONNECT_MS 10000
#define READ_MS 1000 /* how soon a cancelled request ends; silence is the core's to judge */
#define RECEIVE 2048
#define SEND 3072          /* the request's line and headers */
#define CERTIFICATE 0x2700 /* MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, without its sign */

enum { FREE, WANTED, HEAD, ENDED };

static struct {
    /* the gateway's */
    const struct gw_http_events *events; /* NULL: cancelled, or none */
    bool told, aborted;
    /* written by the gateway while the state is FREE, read by the task afterwards */
    char url[GW_URL_MAX + 1u], headers[HEADERS];
    /* written by the task before the state is HEAD, or ENDED */
    struct gw_http_head head;
    enum gw_http_result result;
    char detail[160];
    atomic_int state;
    atomic_bool cancel;
} request;

static uint8_t body_storage[BODY + 1u];
static StaticStreamBuffer_t body_control;
static StreamBufferHandle_t body;
static StackType_t stack[PORT_HTTP_STACK / sizeof(StackType_t)];
static StaticTask_t task_control;
static TaskHandle_t task;

/* --- the answer's head ------------------------------------------------------------------------ */

static esp_err_t on_event(esp_http_client_event_t *event)
{
    if (event->event_id == HTTP_EVENT_ON_HEADER && event->header_key != NULL && event->header_value != NULL)
        gw_http_header(&request.head, event->header_key, event->header_value);
    return ESP_OK;
}

/* --- the task --------------------------------------------------------------------------------- */

static void ended(enum gw_http_result result, const char *detail)
{
    request.result = result;
    (void) snprintf(request.detail, sizeof request.detail, "%s", detail);
}

/* "Name: value" lines, one after another with a zero between them. */
static void set_headers(esp_http_client_handle_t client)
{
    for (char *at = request.headers; *at != '\0';) {
        size_t whole = strlen(at) + 1u;
        char *colon = strchr(at, ':');

        if (colon != NULL) {
            *colon = '\0';
            (void) esp_http_client_set_header(client, at, colon + 1 + strspn(colon + 1, " "));
        }
        at += whole;
    }
}

static void unreached(esp_http_client_handle_t client, esp_err_t error)
{
    int code = 0, flags = 0;

    (void) esp_http_client_get_and_clear_last_tls_error(client, &code, &flags);
    request.result = GW_HTTP_UNREACHED;
    if (code == CERTIFICATE || flags != 0)
        (void) snprintf(request.detail, sizeof request.detail,
                        "the server's certificate was refused (flags 0x%x): is it for this name, signed by whom the "
                        "setting `ca` trusts, and not expired?",
                        (unsigned) flags);
    else
        (void) snprintf(request.detail, sizeof request.detail, "no connection: %s, TLS error 0x%x",
                        esp_err_to_name(error), (unsigned) code);
}

static bool give(const char *data, size_t length)
{
    while (length > 0 && !request.cancel) {
        size_t n = xStreamBufferSend(body, data, length, pdMS_TO_TICKS(100));

        data += n;
        length -= n;
        port_wake();
    }
    return length == 0;
}

static void read_body(esp_http_client_handle_t client)
{
    static char piece[PIECE];
    int n;

    do {
        n = esp_http_client_read(client, piece, sizeof piece);
        if (n > 0 && !give(piece, (size_t) n))
            break;
    } while (!request.cancel && (n > 0 || n == -ESP_ERR_HTTP_EAGAIN));
    if (esp_http_client_is_complete_data_received(client))
        ended(GW_HTTP_OK, "");
    else
        ended(GW_HTTP_BROKEN, "the connection ended before the answer was complete");
}

static void perform(void)
{
    const esp_http_client_config_t config = {
        .url = request.url,
        .user_agent = "fota-gateway-esp32",
        .timeout_ms = CONNECT_MS,
        .disable_auto_redirect = true,
        .event_handler = on_event,
        .buffer_size = RECEIVE,
        .buffer_size_tx = SEND,
        .cert_pem = port_settings.ca[0] != '\0' ? port_settings.ca : NULL,
#ifdef CONFIG_MBEDTLS_CERTIFICATE_BUNDLE
        .crt_bundle_attach = port_settings.ca[0] != '\0' ? NULL : esp_crt_bundle_attach,
#endif
    };
    esp_http_client_handle_t client;
    esp_err_t error;

    request.head = (struct gw_http_head){.length = -1, .range_from = -1, .range_total = -1};
    if (strncmp(request.url, "https:", 6) == 0 && !port_clock_is_set()) {
        ended(GW_HTTP_UNREACHED,
              "the clock is not set yet, and TLS needs it: is the time server (setting `sntp`) reached?");
        return;
    }
    client = esp_http_client_init(&config);
    if (client == NULL) {
        ended(GW_HTTP_UNREACHED, "the URL is none, or there is no memory");
        return;
    }
    set_headers(client);
    error = esp_http_client_open(client, 0);
    if (error != ESP_OK) {
        unreached(client, error);
    } else if (esp_http_client_fetch_headers(client) < 0 || esp_http_client_get_status_code(client) <= 0) {
        ended(GW_HTTP_UNREACHED, "the server did not answer");
    } else {
        (void) esp_http_client_set_timeout_ms(client, READ_MS);
        request.head.status = esp_http_client_get_status_code(client);
        request.state = HEAD;
        port_wake();
        read_body(client);
    }
    (void) esp_http_client_cleanup(client);
}

static void run(void *arg)
{
    (void) arg;
    for (;;) { /* endless: the task's; it sleeps until there is a request */
        (void) ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
        if (request.state != WANTED)
            continue;
        perform();
        request.state = ENDED;
        port_wake();
    }
}

/* --- for the core ----------------------------------------------------------------------------- */

/* @return false: there is no room for it. */
static bool add(size_t *used, const char *name, const char *value)
{
    int n = snprintf(request.headers + *used, sizeof request.headers - *used - 1u, "%s%s", name, value);

    if (n < 0 || (size_t) n >= sizeof request.headers - *used - 1u)
        return false;
    *used += (size_t) n + 1u;
    request.headers[*used] = '\0';
    return true;
}

static int http_start(void *ctx, const struct gw_http_request *r, const struct gw_http_events *events)
{
    char range[48];
    size_t used = 0;
    bool good = strlen(r->url) < sizeof request.url;

    (void) ctx;
    if (request.state != FREE)
        return -1;
    request.headers[0] = '\0';
    for (unsigned i = 0; i < r->header_count; i++)
        good = good && add(&used, r->headers[i], "");
    if (r->from > 0 || r->length > 0) {
        int n = snprintf(range, sizeof range, "bytes=%lu-", (unsigned long) r->from);

        if (r->length > 0)
            (void) snprintf(range + n, sizeof range - (size_t) n, "%lu", (unsigned long) r->from + r->length - 1u);
        good = good && add(&used, "Range: ", range) && (r->if_range == NULL || add(&used, "If-Range: ", r->if_range));
    }
    if (port_settings.hub_token[0] != '\0' && gw_http_is_below(port_settings.hub_url, r->url))
        good = good && add(&used, "Authorization: Bearer ", port_settings.hub_token);
    request.events = events;
    request.told = request.aborted = false;
    request.cancel = false;
    request.head.status = 0;
    if (!good) {
        ended(GW_HTTP_UNREACHED, "the request does not fit: a URL may have 1024 bytes, its headers together 1 KiB");
        request.state = ENDED;
        return 0;
    }
    memcpy(request.url, r->url, strlen(r->url) + 1u);
    request.state = WANTED;
    (void) xTaskNotifyGive(task);
    return 0;
}

static void http_cancel(void *ctx, int handle)
{
    (void) ctx;
    (void) handle;
    request.events = NULL;
    request.cancel = true;
}

static void abort_if(int result)
{
    if (result == 0)
        return;
    request.aborted = true;
    request.cancel = true;
}

static void http_poll(void *ctx)
{
    static uint8_t piece[PIECE];
    const struct gw_http_events *events = request.events;
    int state = request.state; /* before the body: when it says ENDED nothing more will come */
    size_t n;

    (void) ctx;
    if (state == FREE || state == WANTED)
        return;
    if (events != NULL && !request.told && request.head.status > 0) {
        request.told = true;
        abort_if(events->head(events->ctx, &request.head));
    }
    do {
        n = xStreamBufferReceive(body, piece, sizeof piece, 0);
        if (n > 0 && request.events != NULL && !request.aborted)
            abort_if(events->body(events->ctx, piece, n));
    } while (n > 0);
    if (state != ENDED)
        return;
    events = request.events;
    request.events = NULL;
    memset(request.headers, 0, sizeof request.headers); /* a token may be there */
    request.state = FREE;
    if (events != NULL)
        events->done(events->ctx, request.aborted ? GW_HTTP_ABORTED : request.result, request.detail);
}

const struct gw_http port_http = {NULL, http_start, http_poll, http_cancel};

void port_http_start(void)
{
    body = xStreamBufferCreateStatic(sizeof body_storage - 1u, 1, body_storage, &body_control);
    task = xTaskCreateStatic(run, "http", sizeof stack / sizeof stack[0], NULL, PORT_PRIORITY, stack, &task_control);
}
