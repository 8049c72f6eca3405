/* SPDX-License-Identifier: MIT */
/* The routes of docs/http.md: what each does with a request that was admitted. */
#include "http.h"
#include "json_out.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000

static enum MHD_Result refuse(struct hub_request *request, unsigned status, const char *code, const char *field,
                              const char *message)
{
    struct hub_error error;
    hub_fail(&error, status, code, field, "%s", message);
    return hub_send_error(request, &error);
}

static enum MHD_Result database_failed(struct hub_request *request)
{
    return refuse(request, 500, "internal", "", "the database failed; see the hub's log");
}

static enum MHD_Result unknown(struct hub_request *request, const char *field, const char *what, const char *value)
{
    struct hub_error error;
    char quoted[HUB_ARG_MAX];
    hub_fail(&error, 404, "not-found", field, "there is no %s \"%s\"", what,
             hub_quote(value, strlen(value), quoted, sizeof quoted));
    return hub_send_error(request, &error);
}

/* {"<name>": [ … ]} */
static enum MHD_Result send_list(struct hub_request *request, const char *name, cJSON *list)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, name, list);
    return hub_send_json(request, MHD_HTTP_OK, json);
}

/* The query's `limit`. @return 0, or -1 with the error. */
static int query_limit(struct hub_request *request, int64_t *limit)
{
    size_t length;
    const char *text = hub_query(request, "limit", &length);
    *limit = LIMIT_DEFAULT;
    if (text == NULL)
        return 0;
    if (length >= 1 && length <= 4 && strspn(text, "0123456789") == length)
        *limit = strtol(text, NULL, 10);
    else
        *limit = 0;
    if (*limit >= 1 && *limit <= LIMIT_MAX)
        return 0;
    char quoted[32];
    return hub_fail(&request->error, 400, "bad-request", "limit", "limit is \"%s\", not a number from 1 to %d",
                    hub_quote(text, length, quoted, sizeof quoted), LIMIT_MAX);
}

static enum MHD_Result get_health(struct hub_request *request)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "ok", true);
    cJSON_AddStringToObject(json, "version", request->hub->version);
    cJSON_AddBoolToObject(json, "mqtt", request->hub->mqtt_connected(request->hub->mqtt_ctx));
    return hub_send_json(request, MHD_HTTP_OK, json);
}

static enum MHD_Result post_release(struct hub_request *request)
{
    struct hub_release release;
    bool created;
    int rc = hub_upload_finish(request->upload, &release, &created, hub_request_wake, request, &request->error);
    if (rc == 1)
        return hub_request_wait(request);
    hub_upload_abort(request->upload);
    request->upload = NULL;
    if (rc != 0)
        return hub_send_error(request, &request->error);
    return hub_send_json(request, created ? MHD_HTTP_CREATED : MHD_HTTP_OK, hub_release_json(&release));
}

static void add_release(void *ctx, const struct hub_release *release)
{
    cJSON_AddItemToArray(ctx, hub_release_json(release));
}

static enum MHD_Result get_releases(struct hub_request *request)
{
    cJSON *list = cJSON_CreateArray();
    if (hub_release_list(request->hub->db, add_release, list) == 0)
        return send_list(request, "releases", list);
    cJSON_Delete(list);
    return database_failed(request);
}

static enum MHD_Result get_release(struct hub_request *request)
{
    struct hub_release release;
    int rc = hub_release_get(request->hub->db, request->arg[0], &release);
    if (rc == 0)
        return hub_send_json(request, MHD_HTTP_OK, hub_release_json(&release));
    return rc < 0 ? database_failed(request) : unknown(request, "sha256", "release", request->arg[0]);
}

static enum MHD_Result delete_release(struct hub_request *request)
{
    const char *sha256 = request->arg[0];
    switch (hub_release_delete(request->hub->db, sha256)) {
    case 0:
        hub_store_remove_package(request->hub->store, sha256);
        hub_log(HUB_LOG_INFO, "release %s was deleted by %s", sha256, request->who);
        return hub_send_empty(request, MHD_HTTP_NO_CONTENT);
    case 1:
        return unknown(request, "sha256", "release", sha256);
    case 2:
        return refuse(request, 409, "conflict", "sha256",
                      "an update that is under way uses this release; wait for it or cancel it");
    default:
        return database_failed(request);
    }
}

static cJSON *device_json(struct hub_request *request, const struct hub_device *device)
{
    struct hub_progress progress;
    hub_fleet_progress(request->hub->fleet, device, &progress);
    return hub_device_json(device, hub_fleet_online(request->hub->fleet, device->gateway), &progress);
}

struct device_list {
    struct hub_request *request;
    cJSON *list;
};

static void add_device(void *ctx, const struct hub_device *device)
{
    struct device_list *devices = ctx;
    cJSON_AddItemToArray(devices->list, device_json(devices->request, device));
}

static enum MHD_Result get_devices(struct hub_request *request)
{
    struct device_list devices = {request, cJSON_CreateArray()};
    if (hub_device_list(request->hub->db, add_device, &devices) == 0)
        return send_list(request, "devices", devices.list);
    cJSON_Delete(devices.list);
    return database_failed(request);
}

static enum MHD_Result get_device(struct hub_request *request)
{
    struct hub_device device;
    int rc = hub_device_get(request->hub->db, request->arg[0], request->arg[1], &device);
    if (rc == 0)
        return hub_send_json(request, MHD_HTTP_OK, device_json(request, &device));
    return rc < 0 ? database_failed(request)
                  : unknown(request, "device", "device of this gateway named", request->arg[1]);
}

static void add_change(void *ctx, const struct hub_change *change)
{
    cJSON_AddItemToArray(ctx, hub_change_json(change));
}

static enum MHD_Result get_history(struct hub_request *request)
{
    struct hub_device device;
    int64_t limit;
    if (query_limit(request, &limit) != 0)
        return hub_send_error(request, &request->error);
    int rc = hub_device_get(request->hub->db, request->arg[0], request->arg[1], &device);
    if (rc != 0)
        return rc < 0 ? database_failed(request)
                      : unknown(request, "device", "device of this gateway named", request->arg[1]);
    cJSON *list = cJSON_CreateArray();
    if (hub_history_list(request->hub->db, request->arg[0], request->arg[1], limit, add_change, list) == 0)
        return send_list(request, "history", list);
    cJSON_Delete(list);
    return database_failed(request);
}

/* A required text of a request's JSON. @return it, or NULL with the error. */
static const char *want_text(struct hub_request *request, const cJSON *json, const char *member,
                             bool (*valid)(const char *text), const char *expected)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, member);
    if (cJSON_IsString(value) && valid(value->valuestring))
        return value->valuestring;
    char *text = value != NULL ? cJSON_PrintUnformatted(value) : NULL;
    char quoted[80] = "missing";
    if (text != NULL)
        hub_quote(text, strlen(text), quoted, sizeof quoted);
    free(text);
    hub_fail(&request->error, 400, "bad-request", member, "%s is %s, not %s", member, quoted, expected);
    return NULL;
}

static int start_update(struct hub_request *request, const cJSON *json, struct hub_update *update)
{
    const cJSON *retry = cJSON_GetObjectItemCaseSensitive(json, "retry");
    const char *gateway, *device, *release;
    if ((gateway = want_text(request, json, "gateway", hub_valid_name, "1 to 32 characters of A-Z a-z 0-9 _ -")) ==
            NULL ||
        (device = want_text(request, json, "device", hub_valid_device, "1 to 32 characters of A-Z a-z 0-9 _ -")) ==
            NULL ||
        (release = want_text(request, json, "release", hub_valid_sha256, "64 lower-case hex digits")) == NULL)
        return -1;
    if (retry != NULL && !cJSON_IsBool(retry))
        return hub_fail(&request->error, 400, "bad-request", "retry", "retry is neither true nor false");
    return hub_fleet_start(request->hub->fleet, gateway, device, release, cJSON_IsTrue(retry), update, &request->error);
}

static enum MHD_Result post_update(struct hub_request *request)
{
    struct hub_update update;
    char why[128];
    cJSON *json = hub_json_object(request->body, (size_t) request->received, why, sizeof why);
    if (json == NULL)
        return refuse(request, 400, "bad-request", "body", why);
    int rc = start_update(request, json, &update);
    cJSON_Delete(json);
    if (rc != 0)
        return hub_send_error(request, &request->error);
    return hub_send_json(request, MHD_HTTP_CREATED, hub_update_json(&update));
}

static void add_update(void *ctx, const struct hub_update *update)
{
    cJSON_AddItemToArray(ctx, hub_update_json(update));
}

static enum MHD_Result get_updates(struct hub_request *request)
{
    int64_t limit;
    if (query_limit(request, &limit) != 0)
        return hub_send_error(request, &request->error);
    cJSON *list = cJSON_CreateArray();
    if (hub_update_list(request->hub->db, false, limit, add_update, list) == 0)
        return send_list(request, "updates", list);
    cJSON_Delete(list);
    return database_failed(request);
}

static enum MHD_Result get_update(struct hub_request *request)
{
    struct hub_update update;
    int rc = hub_update_get(request->hub->db, request->arg[0], &update);
    if (rc == 0)
        return hub_send_json(request, MHD_HTTP_OK, hub_update_json(&update));
    return rc < 0 ? database_failed(request) : unknown(request, "job", "update", request->arg[0]);
}

static enum MHD_Result cancel_update(struct hub_request *request)
{
    struct hub_update update;
    if (hub_fleet_cancel(request->hub->fleet, request->arg[0], &update, &request->error) != 0)
        return hub_send_error(request, &request->error);
    return hub_send_json(request, MHD_HTTP_ACCEPTED, hub_update_json(&update));
}

const struct hub_route hub_routes[] = {
    {"GET", "health", 0, HUB_BODY_NONE, get_health},
    {"POST", "releases", HUB_MAY_OPERATE, HUB_BODY_UPLOAD, post_release},
    {"GET", "releases", HUB_MAY_READ, HUB_BODY_NONE, get_releases},
    {"GET", "releases/*", HUB_MAY_READ, HUB_BODY_NONE, get_release},
    {"DELETE", "releases/*", HUB_MAY_DELETE, HUB_BODY_NONE, delete_release},
    {"GET", "packages/*", HUB_MAY_DOWNLOAD, HUB_BODY_NONE, hub_serve_package},
    {"GET", "devices", HUB_MAY_READ, HUB_BODY_NONE, get_devices},
    {"GET", "devices/*/*", HUB_MAY_READ, HUB_BODY_NONE, get_device},
    {"GET", "devices/*/*/history", HUB_MAY_READ, HUB_BODY_NONE, get_history},
    {"POST", "updates", HUB_MAY_OPERATE, HUB_BODY_JSON, post_update},
    {"GET", "updates", HUB_MAY_READ, HUB_BODY_NONE, get_updates},
    {"GET", "updates/*", HUB_MAY_READ, HUB_BODY_NONE, get_update},
    {"POST", "updates/*/cancel", HUB_MAY_OPERATE, HUB_BODY_NONE, cancel_update},
};
const unsigned hub_route_count = sizeof hub_routes / sizeof *hub_routes;
