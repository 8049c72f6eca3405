/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MEMORY_PER_CONNECTION 32768u /* header, and the piece of the body that is at hand */
#define DRAIN_MAX                                                                                                      \
    (4u * 1024u * 1024u) /* of the body of a refused request, so that the client gets to read the answer */

/* A connection and the moment when it is cut. MHD's own timeout starts again with every byte; this one does not. */
struct link {
    struct link *next, *previous;
    struct MHD_Connection *connection;
    int64_t deadline;
};

struct hub_http {
    struct MHD_Daemon *daemon;
    struct hub_context *context;
    struct hub_http_limits limits;
    struct link *links;
    int64_t swept;
    int fd;
};

const char *hub_header(const struct hub_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *hub_query(const struct hub_request *request, const char *name, size_t *length)
{
    const char *value = NULL;
    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, length) !=
        MHD_YES)
        return NULL;
    if (value == NULL) { /* "?name" without a value */
        *length = 0;
        return "";
    }
    return value;
}

enum MHD_Result hub_request_wait(struct hub_request *request)
{
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

void hub_request_wake(void *ctx, const struct hub_error *error)
{
    struct hub_request *request = ctx;
    request->woken = true;
    request->refused = error != NULL;
    if (error != NULL)
        request->error = *error;
    MHD_resume_connection(request->connection);
}

static enum MHD_Result respond(struct hub_request *request, unsigned status, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result rc = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static struct MHD_Response *json_response(cJSON *json)
{
    char *text = json != NULL ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (text == NULL)
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    else
        MHD_add_response_header(response, "Content-Type", "application/json; charset=utf-8");
    return response;
}

enum MHD_Result hub_send_json(struct hub_request *request, unsigned status, cJSON *json)
{
    return respond(request, status, json_response(json));
}

enum MHD_Result hub_send_empty(struct hub_request *request, unsigned status)
{
    return respond(request, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

/* The methods that a path has, for Allow. */
static void allowed_methods(const struct hub_request *request, char *out, size_t size);

enum MHD_Result hub_send_error(struct hub_request *request, const struct hub_error *error)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *inner = cJSON_AddObjectToObject(json, "error");
    cJSON_AddStringToObject(inner, "code", error->code);
    cJSON_AddStringToObject(inner, "field", error->field);
    cJSON_AddStringToObject(inner, "message", error->message);
    struct MHD_Response *response = json_response(json);
    if (response != NULL && error->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"fota-hub\"");
    if (response != NULL && error->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        char methods[64];
        allowed_methods(request, methods, sizeof methods);
        MHD_add_response_header(response, "Allow", methods);
    }
    if (response != NULL && error->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "2");
    return respond(request, error->status, response);
}

/* Does a path (after HUB_API) fit a pattern? The segments for stars go to `arg`. */
static bool path_matches(const char *pattern, const char *path, char arg[2][HUB_ARG_MAX])
{
    unsigned stars = 0;
    for (;;) {
        size_t have = strcspn(path, "/");
        size_t want = strcspn(pattern, "/");
        if (want == 1 && pattern[0] == '*') {
            if (have == 0 || have >= HUB_ARG_MAX)
                return false;
            memcpy(arg[stars], path, have);
            arg[stars++][have] = '\0';
        } else if (have != want || memcmp(path, pattern, want) != 0) {
            return false;
        }
        path += have;
        pattern += want;
        if (*path == '\0' || *pattern == '\0')
            return *path == *pattern;
        path++;
        pattern++;
    }
}

static bool method_matches(const char *of_route, const char *method)
{
    return strcmp(of_route, method) == 0 || (strcmp(of_route, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void allowed_methods(const struct hub_request *request, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < hub_route_count && n < size; i++)
        if (strcmp(hub_routes[i].pattern, request->route->pattern) == 0)
            n += (size_t) snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "",
                                   strcmp(hub_routes[i].method, "GET") == 0 ? "GET, HEAD" : hub_routes[i].method);
}

/* Find the route. `known` is set when the path exists but not with this method; the route is then one of that path. */
static bool find_route(struct hub_request *request, const char *method, const char *url, bool *known)
{
    *known = false;
    if (strncmp(url, HUB_API, sizeof HUB_API - 1) != 0)
        return false;
    for (unsigned i = 0; i < hub_route_count; i++) {
        char arg[2][HUB_ARG_MAX] = {"", ""};
        if (!path_matches(hub_routes[i].pattern, url + sizeof HUB_API - 1, arg))
            continue;
        request->route = &hub_routes[i];
        memcpy(request->arg, arg, sizeof arg);
        *known = true;
        if (method_matches(hub_routes[i].method, method))
            return true;
    }
    return false;
}

/* @return 0 when the request may go on, else -1 with the error. */
static int admit(struct hub_request *request, const char *method, const char *url)
{
    bool known;
    char role[16] = "";
    bool found = find_route(request, method, url, &known);
    if (!found || request->route->permission != 0) {
        const char *token = hub_token_of_header(hub_header(request, "Authorization"));
        unsigned may = token != NULL ? hub_token_check(request->hub->db, token, request->who, role) : 0;
        if (may == 0)
            return hub_fail(
                &request->error, 401, "unauthorized", "Authorization",
                token == NULL
                    ? "there is no header \"Authorization: Bearer <token>\"; make a token with: fota-hub token add"
                    : "the token is not known, or was revoked; make one with: fota-hub token add");
        if (found && (may & request->route->permission) == 0)
            return hub_fail(&request->error, 403, "forbidden", "role", "the role %s of token \"%s\" may not do this",
                            role, request->who);
    }
    char quoted[120];
    hub_quote(url, strlen(url), quoted, sizeof quoted);
    if (!known)
        return hub_fail(&request->error, 404, "not-found", "path",
                        "there is nothing at %s; docs/http.md lists what there is", quoted);
    if (!found)
        return hub_fail(&request->error, 405, "method", "method", "%s knows no %.16s", quoted, method);
    return 0;
}

/* The declared length of the body. @return false when there is none (no body, or chunked). */
static bool content_length(const struct hub_request *request, uint64_t *length)
{
    const char *text = hub_header(request, "Content-Length");
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    *length = strtoull(text, NULL, 10); /* a number too large becomes the largest */
    return true;
}

/* An optional text of the query: bounded, UTF-8, no control characters. */
static int query_text(struct hub_request *request, const char *name, size_t max, const char **out)
{
    size_t length;
    const char *value = hub_query(request, name, &length);
    *out = value != NULL ? value : "";
    if (value == NULL)
        return 0;
    if (length > max)
        return hub_fail(&request->error, 400, "bad-request", name, "%s has %zu bytes, more than %zu", name, length,
                        max);
    bool good = hub_valid_utf8(value, length);
    for (size_t i = 0; i < length; i++)
        good = good && ((uint8_t) value[i] >= 0x20 || value[i] == '\n') && value[i] != 0x7F;
    if (!good)
        return hub_fail(&request->error, 400, "bad-request", name, "%s is not UTF-8, or has control characters", name);
    return 0;
}

static int begin_upload(struct hub_request *request)
{
    const char *name, *notes;
    const char *type = hub_header(request, "Content-Type");
    if (type != NULL && strncasecmp(type, "multipart/", 10) == 0)
        return hub_fail(
            &request->error, 400, "bad-request", "Content-Type",
            "the body is a form (multipart); send the raw file as application/octet-stream (curl --data-binary @file)");
    if (query_text(request, "name", HUB_RELEASE_NAME_MAX, &name) != 0 ||
        query_text(request, "notes", HUB_RELEASE_NOTES_MAX, &notes) != 0)
        return -1;
    request->upload = hub_upload_begin(request->hub->uploads, name, notes, &request->error);
    return request->upload != NULL ? 0 : -1;
}

static int begin_body(struct hub_request *request)
{
    uint64_t length, most = request->route->body == HUB_BODY_UPLOAD ? request->hub->uploads->max_bytes : HUB_BODY_MAX;
    if (content_length(request, &length) && length > most)
        return hub_fail(&request->error, 413, "too-large", "size", "the body has %" PRIu64 " bytes, more than %" PRIu64,
                        length, most);
    if (request->route->body == HUB_BODY_UPLOAD)
        return begin_upload(request);
    if (request->route->body == HUB_BODY_JSON && (request->body = malloc(HUB_BODY_MAX)) == NULL)
        return hub_fail(&request->error, 500, "internal", "", "out of memory");
    return 0;
}

/* A piece of the body. */
static void take(struct hub_request *request, const char *data, size_t size)
{
    int rc = 0;
    if (!request->refused && request->upload != NULL) {
        rc = hub_upload_write(request->upload, data, size, &request->error);
    } else if (!request->refused && size > HUB_BODY_MAX - request->received) {
        rc = hub_fail(&request->error, 413, "too-large", "size", "the body has more than %u bytes", HUB_BODY_MAX);
    } else if (!request->refused && request->body != NULL) {
        memcpy(request->body + request->received, data, size);
    }
    request->received += size;
    if (rc != 0) {
        request->refused = true;
        hub_upload_abort(request->upload);
        request->upload = NULL;
    }
}

static struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static enum MHD_Result begin(struct hub_http *http, struct MHD_Connection *connection, const char *method,
                             const char *url, struct hub_request **out)
{
    struct hub_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return MHD_NO;
    *out = request;
    request->hub = http->context;
    request->connection = connection;
    request->method = method;
    struct link *link = link_of(connection);
    if (link != NULL)
        link->deadline = hub_mono_ms() + (int64_t) http->limits.request_s * 1000;
    request->refused = admit(request, method, url) != 0 || begin_body(request) != 0;
    if (!request->refused)
        return MHD_YES;
    /* Who waits for "100 Continue", or announces more than is worth reading, gets the answer at once. */
    uint64_t length = 0;
    if (hub_header(request, "Expect") != NULL || (content_length(request, &length) && length > DRAIN_MAX))
        return hub_send_error(request, &request->error);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    (void) version;
    struct hub_request *request = *state;
    if (request == NULL) {
        enum MHD_Result rc = begin(cls, connection, method, url, &request);
        *state = request;
        return rc;
    }
    if (*size > 0) {
        take(request, data, *size);
        *size = 0;
        return request->refused && request->received > DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (request->refused)
        return hub_send_error(request, &request->error);
    return request->route->serve(request);
}

static void on_request_end(void *cls, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode how)
{
    (void) how;
    struct hub_http *http = cls;
    struct hub_request *request = *state;
    struct link *link = link_of(connection);
    if (link != NULL)
        link->deadline = hub_mono_ms() + (int64_t) http->limits.header_s * 1000;
    if (request == NULL)
        return;
    hub_upload_abort(request->upload); /* still there: the client went away in the middle */
    free(request->body);
    free(request);
    *state = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct hub_http *http = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct link *link = calloc(1, sizeof *link);
        *state = link;
        if (link == NULL)
            return;
        link->connection = connection;
        link->deadline = hub_mono_ms() + (int64_t) http->limits.header_s * 1000;
        link->next = http->links;
        if (http->links != NULL)
            http->links->previous = link;
        http->links = link;
    } else if (*state != NULL) {
        struct link *link = *state;
        if (link->next != NULL)
            link->next->previous = link->previous;
        if (link->previous != NULL)
            link->previous->next = link->next;
        else
            http->links = link->next;
        free(link);
        *state = NULL;
    }
}

static void sweep(struct hub_http *http)
{
    int64_t now = hub_mono_ms();
    if (now - http->swept < 250)
        return;
    http->swept = now;
    for (struct link *link = http->links; link != NULL; link = link->next) {
        if (now < link->deadline)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(link->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL)
            shutdown(info->connect_fd, SHUT_RDWR); /* MHD sees the end and cleans up */
        link->deadline = now + 1000;
    }
}

static void on_log(void *cls, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *format, va_list args)
{
    (void) cls;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    hub_log(HUB_LOG_DEBUG, "http: %s", text);
}

struct hub_http *hub_http_start(struct hub_context *context, int listener, const struct hub_http_limits *limits)
{
    struct hub_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->context = context;
    http->limits = *limits;
    http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                                    on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                    MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
                                    limits->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, limits->connections_per_ip,
                                    MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                    (size_t) MEMORY_PER_CONNECTION, MHD_OPTION_NOTIFY_COMPLETED, on_request_end, http,
                                    MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        http->daemon != NULL ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (info == NULL) {
        hub_log(HUB_LOG_ERROR, "http: the server does not start");
        hub_http_stop(http);
        return NULL;
    }
    http->fd = info->epoll_fd;
    return http;
}

void hub_http_stop(struct hub_http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    free(http);
}

int hub_http_fd(const struct hub_http *http)
{
    return http->fd;
}

int hub_http_timeout(const struct hub_http *http, int most)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(http->daemon, &ms) != MHD_YES || ms > (MHD_UNSIGNED_LONG_LONG) most)
        return most;
    return (int) ms;
}

void hub_http_run(struct hub_http *http)
{
    MHD_run(http->daemon);
    sweep(http);
}
