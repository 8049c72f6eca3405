/* SPDX-License-Identifier: MIT */
/** @file http.h The HTTP server: connections, limits, who may do what, which route. What the routes do is in routes.c.
 */
#ifndef HUB_HTTP_H
#define HUB_HTTP_H

#include "fleet.h"
#include "tokens.h"
#include "upload.h"

#include <cjson/cJSON.h>
#include <microhttpd.h>

#define HUB_API "/api/v1/"
#define HUB_BODY_MAX 16384u /* of a JSON request */
#define HUB_ARG_MAX 72u

/** What the routes work with. */
struct hub_context {
    struct hub_db *db;
    struct hub_store *store;
    struct hub_s3 *s3; /* NULL: no bucket */
    struct hub_fleet *fleet;
    struct hub_uploads *uploads;
    bool (*mqtt_connected)(void *ctx);
    void *mqtt_ctx;
    const char *version;
};

struct hub_http_limits {
    unsigned connections, connections_per_ip;
    unsigned idle_s;    /* without a byte */
    unsigned header_s;  /* until a request's header is complete; also how long an idle connection is kept */
    unsigned request_s; /* for a whole request with its answer */
};

struct hub_request;

enum hub_body { HUB_BODY_NONE, HUB_BODY_JSON, HUB_BODY_UPLOAD };

struct hub_route {
    const char *method;
    const char *pattern; /* after HUB_API; a star stands for one segment */
    unsigned permission; /* 0: for everybody */
    enum hub_body body;
    enum MHD_Result (*serve)(struct hub_request *request);
};

/** A request under way. */
struct hub_request {
    struct hub_context *hub;
    struct MHD_Connection *connection;
    const struct hub_route *route;
    const char *method;       /* valid as long as the request */
    char arg[2][HUB_ARG_MAX]; /* the segments that stood for stars */
    char who[HUB_TOKEN_NAME_MAX + 1];
    bool woken;   /* it was waiting, and goes on */
    bool refused; /* `error` is the answer; what is left of the body is read and forgotten */
    struct hub_error error;
    uint64_t received;
    struct hub_upload *upload;
    char *body;
};

extern const struct hub_route hub_routes[];
extern const unsigned hub_route_count;

struct hub_http;

/** Start. @param listener a listening socket; it belongs to the server from now on. @return NULL on failure (logged).
 */
struct hub_http *hub_http_start(struct hub_context *context, int listener, const struct hub_http_limits *limits);
void hub_http_stop(struct hub_http *http);

/** @return a descriptor that is readable when there is something to do. */
int hub_http_fd(const struct hub_http *http);
/** @return ms until hub_http_run() is due at the latest, at most `most`. */
int hub_http_timeout(const struct hub_http *http, int most);
/** Do what there is to do, without waiting. */
void hub_http_run(struct hub_http *http);

/** The request waits for the bucket: its route is called again after hub_request_wake(), or the error is the answer. */
enum MHD_Result hub_request_wait(struct hub_request *request);
/** A hub_s3_done. @param ctx the request. */
void hub_request_wake(void *ctx, const struct hub_error *error);

/** Answers. JSON objects are taken over and freed. */
enum MHD_Result hub_send_json(struct hub_request *request, unsigned status, cJSON *json);
enum MHD_Result hub_send_error(struct hub_request *request, const struct hub_error *error);
enum MHD_Result hub_send_empty(struct hub_request *request, unsigned status);

/** In download.c: GET packages/<sha256>.fota */
enum MHD_Result hub_serve_package(struct hub_request *request);

/** @return a request header's value, or NULL. */
const char *hub_header(const struct hub_request *request, const char *name);
/** @return a query argument's value, or NULL. @param length its length; it may contain NULs. */
const char *hub_query(const struct hub_request *request, const char *name, size_t *length);

#endif
