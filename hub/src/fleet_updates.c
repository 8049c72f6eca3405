/* SPDX-License-Identifier: MIT */
#include "fleet_updates.h"

#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool queued(const struct hub_active *a)
{
    return strcmp(a->update.state, "queued") == 0;
}

/* Any word from the gateway starts the timer anew; which timer depends on what is being waited for. */
static void rearm(struct hub_fleet *fleet, struct hub_active *a)
{
    bool answer = queued(a) || a->update.cancelling;
    a->deadline = fleet->io.mono(fleet->io.ctx) + (answer ? fleet->options.no_answer_ms : fleet->options.silence_ms);
}

static struct hub_active *find(struct hub_fleet *fleet, const char *job)
{
    struct hub_active *a = fleet->active;
    while (a != NULL && strcmp(a->update.job, job) != 0)
        a = a->next;
    return a;
}

static struct hub_active *add(struct hub_fleet *fleet, const struct hub_update *update)
{
    struct hub_active *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->update = *update;
    a->next = fleet->active;
    fleet->active = a;
    rearm(fleet, a);
    return a;
}

static void drop(struct hub_fleet *fleet, struct hub_active *gone)
{
    struct hub_active **link = &fleet->active;
    while (*link != gone)
        link = &(*link)->next;
    *link = gone->next;
    free(gone);
}

static void load_row(void *ctx, const struct hub_update *update)
{
    struct hub_active *a = add(ctx, update);
    if (a != NULL)
        a->sent = true; /* nobody knows: it may have been */
}

int hub_updates_load(struct hub_fleet *fleet)
{
    return hub_update_list(fleet->db, true, 0, load_row, fleet);
}

void hub_updates_clear(struct hub_fleet *fleet)
{
    while (fleet->active != NULL)
        drop(fleet, fleet->active);
}

static int publish(struct hub_fleet *fleet, const char *gateway, cJSON *message)
{
    char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    int rc = text != NULL ? fleet->io.publish(fleet->io.ctx, gateway, text) : -1;
    free(text);
    return rc;
}

static cJSON *command(const char *cmd, const struct hub_update *u)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddNumberToObject(message, "v", 1);
    cJSON_AddStringToObject(message, "cmd", cmd);
    cJSON_AddStringToObject(message, "job", u->job);
    cJSON_AddStringToObject(message, "device", u->device);
    return message;
}

static int publish_update(struct hub_fleet *fleet, struct hub_active *a)
{
    const struct hub_update *u = &a->update;
    char url[1200];
    snprintf(url, sizeof url, "%s/api/v1/packages/%s.fota", fleet->options.public_url, u->release);
    cJSON *message = command("update", u);
    cJSON_AddStringToObject(message, "url", url);
    cJSON_AddStringToObject(message, "sha256", u->release);
    cJSON_AddNumberToObject(message, "size", (double) u->size);
    cJSON_AddBoolToObject(message, "retry", u->retry);
    int rc = publish(fleet, u->gateway, message);
    a->sent = a->sent || rc == 0;
    return rc;
}

static int publish_cancel(struct hub_fleet *fleet, const struct hub_update *u)
{
    return publish(fleet, u->gateway, command("cancel", u));
}

/* Write an update that ended, and forget it here. */
static int end(struct hub_fleet *fleet, struct hub_active *a, const char *state, const char *reason, const char *detail,
               bool by_hub)
{
    struct hub_update *u = &a->update;
    hub_copy(u->state, sizeof u->state, state);
    hub_copy(u->reason, sizeof u->reason, reason);
    hub_copy(u->detail, sizeof u->detail, detail);
    u->ended = hub_now_ms();
    u->ended_by_hub = by_hub;
    u->cancelling = false;
    hub_log(HUB_LOG_INFO, "update %s of %s/%s: %s %s", u->job, u->gateway, u->device, u->state, u->reason);
    int rc = hub_update_put(fleet->db, u) == 0 ? 0 : -1;
    drop(fleet, a);
    return rc;
}

static bool same_device(const struct hub_update *u, const char *gateway, const char *device)
{
    return strcmp(u->gateway, gateway) == 0 && strcmp(u->device, device) == 0;
}

static void target_text(const cJSON *target, const char *member, char *out, size_t size)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(target, member);
    hub_copy(out, size, cJSON_IsString(item) ? item->valuestring : "");
}

static void read_target(const struct hub_device *d, struct hub_update *u)
{
    cJSON *target = cJSON_Parse(d->target);
    target_text(target, "sha256", u->release, sizeof u->release);
    target_text(target, "version", u->version, sizeof u->version);
    cJSON_Delete(target);
}

/* An update that a gateway has started by itself (docs/channel.md) is recorded like one of ours; what its package is
 * becomes known with its first state, and its version when the gateway has checked it. */
static int adopt(struct hub_fleet *fleet, const struct hub_device *d)
{
    struct hub_update u = {.started = hub_now_ms()};
    read_target(d, &u);
    hub_copy(u.job, sizeof u.job, d->job);
    hub_copy(u.gateway, sizeof u.gateway, d->gateway);
    hub_copy(u.device, sizeof u.device, d->device);
    hub_copy(u.state, sizeof u.state, d->state);
    hub_copy(u.reason, sizeof u.reason, d->reason);
    hub_copy(u.detail, sizeof u.detail, d->detail);
    hub_copy(u.origin, sizeof u.origin, d->origin);
    int rc = hub_update_insert(fleet->db, &u);
    if (rc != 0)
        return rc < 0 ? -1 : 0; /* one of ours is under way: the gateway refuses it, and the history has both */
    hub_log(HUB_LOG_INFO, "update %s of %s/%s, started by its gateway (%s)", u.job, u.gateway, u.device, u.origin);
    if (hub_state_ends(d->state)) {
        u.ended = u.started;
        return hub_update_put(fleet->db, &u) == 0 ? 0 : -1;
    }
    struct hub_active *a = add(fleet, &u);
    if (a == NULL)
        return -1;
    a->sent = true;
    return 0;
}

/* The device's word on an update that has ended here. A timer of the hub is only a guess, the device's word counts; and
 * a device that ended one way may correct itself to another end. What comes back to life must not collide with a newer
 * update of the device: then only an end is recorded. */
static int late_state(struct hub_fleet *fleet, const struct hub_device *d)
{
    struct hub_update u;
    int rc = hub_update_get(fleet->db, d->job, &u);
    if (rc == 1 && d->origin[0] != '\0')
        return adopt(fleet, d);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    bool ends = hub_state_ends(d->state);
    if (u.ended == 0 || !same_device(&u, d->gateway, d->device) || !(u.ended_by_hub || ends) ||
        (strcmp(u.state, d->state) == 0 && strcmp(u.reason, d->reason) == 0))
        return 0;
    hub_copy(u.state, sizeof u.state, d->state);
    hub_copy(u.reason, sizeof u.reason, d->reason);
    hub_copy(u.detail, sizeof u.detail, d->detail);
    u.ended_by_hub = false;
    u.ended = ends ? hub_now_ms() : 0;
    rc = hub_update_put(fleet->db, &u);
    if (rc == 1) {
        hub_log(HUB_LOG_WARN, "update %s of %s/%s is in %s, but the hub has given it up for another", u.job, u.gateway,
                u.device, d->state);
        return 0;
    }
    if (rc == 0 && !ends) {
        struct hub_active *a = add(fleet, &u);
        if (a == NULL)
            return -1;
        a->sent = true;
    }
    return rc;
}

int hub_updates_state(struct hub_fleet *fleet, const struct hub_device *d)
{
    if (d->job[0] == '\0' || strcmp(d->state, "idle") == 0)
        return 0;
    struct hub_active *a = find(fleet, d->job);
    if (a == NULL)
        return late_state(fleet, d);
    struct hub_update *u = &a->update;
    if (!same_device(u, d->gateway, d->device))
        return 0;
    if (u->version[0] == '\0')
        read_target(d, u);
    if (hub_state_ends(d->state))
        return end(fleet, a, d->state, d->reason, d->detail, false);
    bool changed =
        strcmp(u->state, d->state) != 0 || strcmp(u->reason, d->reason) != 0 || strcmp(u->detail, d->detail) != 0;
    hub_copy(u->state, sizeof u->state, d->state);
    hub_copy(u->reason, sizeof u->reason, d->reason);
    hub_copy(u->detail, sizeof u->detail, d->detail);
    /* While a cancel waits for its answer, only that answer (or the end) stops its timer. */
    if (!u->cancelling)
        rearm(fleet, a);
    return changed && hub_update_put(fleet->db, u) != 0 ? -1 : 0;
}

int hub_updates_reply(struct hub_fleet *fleet, const char *gateway, const struct hub_reply *reply)
{
    struct hub_active *a = find(fleet, reply->job);
    if (a == NULL || strcmp(a->update.gateway, gateway) != 0)
        return 0; /* a job of somebody else */
    struct hub_update *u = &a->update;
    if (strcmp(reply->cmd, "update") == 0) {
        if (!reply->ok && queued(a))
            return end(fleet, a, "failed", reply->reason, reply->detail, false);
        if (reply->ok && !u->cancelling)
            rearm(fleet, a);
    } else if (strcmp(reply->cmd, "cancel") == 0 && u->cancelling) {
        if (reply->ok) {
            rearm(fleet, a); /* the state that ends it is on its way */
        } else if (strcmp(reply->reason, "unknown-job") == 0) {
            /* The gateway never had it, or has lost it: either way nothing is going on. */
            return end(fleet, a, "failed", "cancelled", reply->detail, false);
        } else {
            u->cancelling = false;
            hub_copy(u->detail, sizeof u->detail, reply->detail);
            rearm(fleet, a);
            return hub_update_put(fleet->db, u) == 0 ? 0 : -1;
        }
    }
    return 0;
}

void hub_updates_alive(struct hub_fleet *fleet, const char *gateway, const char *device, const char *job)
{
    struct hub_active *a = find(fleet, job);
    if (a != NULL && same_device(&a->update, gateway, device) && !a->update.cancelling && !queued(a))
        rearm(fleet, a);
}

void hub_fleet_connected(struct hub_fleet *fleet)
{
    for (struct hub_active *a = fleet->active; a != NULL; a = a->next) {
        int rc = a->update.cancelling ? publish_cancel(fleet, &a->update) : queued(a) ? publish_update(fleet, a) : 0;
        if (rc != 0)
            return; /* gone again; the next connection tries once more */
    }
}

static void expire(struct hub_fleet *fleet, struct hub_active *a)
{
    const struct hub_update *u = &a->update;
    char detail[HUB_DETAIL_MAX];
    const char *reason = "no-answer";
    const char *presence = hub_fleet_online(fleet, u->gateway) ? "online" : "offline";
    if (u->cancelling) {
        snprintf(detail, sizeof detail,
                 "gateway %s (%s) did not answer the cancel within %" PRId64
                 " s; in state %s the device may still go on by itself",
                 u->gateway, presence, fleet->options.no_answer_ms / 1000, u->state);
    } else if (queued(a)) {
        snprintf(detail, sizeof detail, "gateway %s (%s) did not answer within %" PRId64 " s%s", u->gateway, presence,
                 fleet->options.no_answer_ms / 1000,
                 a->sent ? "; check that it runs and reaches the broker"
                         : ": the hub has no connection to the broker; check --mqtt");
        /* Or a broker that keeps messages would hand over a job that nobody waits for any more. */
        if (a->sent)
            publish_cancel(fleet, u);
    } else {
        reason = "stalled";
        snprintf(detail, sizeof detail, "nothing was heard of it for %" PRId64 " s in state %s; gateway %s is %s",
                 fleet->options.silence_ms / 1000, u->state, u->gateway, presence);
    }
    end(fleet, a, "failed", reason, detail, true);
}

void hub_fleet_tick(struct hub_fleet *fleet)
{
    int64_t now = fleet->io.mono(fleet->io.ctx);
    for (struct hub_active *a = fleet->active, *next; a != NULL; a = next) {
        next = a->next;
        if (now >= a->deadline)
            expire(fleet, a);
    }
}

/* Unique for ever: the second it was made in, and 64 random bits. */
static int make_job(char job[HUB_JOB_MAX + 1])
{
    uint8_t random[8];
    char digits[17];
    time_t now = (time_t) (hub_now_ms() / 1000);
    struct tm t;
    if (hub_random(random, sizeof random) != 0)
        return -1;
    gmtime_r(&now, &t);
    size_t n = strftime(job, HUB_JOB_MAX, "%Y%m%d-%H%M%S-", &t);
    hub_hex(random, sizeof random, digits);
    memcpy(job + n, digits, sizeof digits);
    return 0;
}

static int database_error(struct hub_error *error)
{
    return hub_fail(error, 500, "internal", "", "the database failed; see the hub's log");
}

int hub_fleet_start(struct hub_fleet *fleet, const char *gateway, const char *device, const char *release_id,
                    bool retry, struct hub_update *u, struct hub_error *error)
{
    struct hub_release release;
    if (hub_table_device(&fleet->table, gateway, device) == NULL)
        return hub_fail(error, 404, "not-found", "device",
                        "no device \"%s\" of a gateway \"%s\" is known; GET /api/v1/devices lists those that are",
                        device, gateway);
    int rc = hub_release_get(fleet->db, release_id, &release);
    if (rc < 0)
        return database_error(error);
    if (rc == 1)
        return hub_fail(error, 404, "not-found", "release", "there is no release %s; upload it first", release_id);
    for (const struct hub_active *a = fleet->active; a != NULL; a = a->next)
        if (same_device(&a->update, gateway, device))
            return hub_fail(error, 409, "busy", "device",
                            "update %s of %s/%s is under way (%s); wait for it or cancel it", a->update.job, gateway,
                            device, a->update.state);
    memset(u, 0, sizeof *u);
    if (make_job(u->job) != 0)
        return hub_fail(error, 500, "internal", "", "the system has no random numbers");
    hub_copy(u->gateway, sizeof u->gateway, gateway);
    hub_copy(u->device, sizeof u->device, device);
    hub_copy(u->release, sizeof u->release, release_id);
    hub_copy(u->version, sizeof u->version, release.version);
    hub_copy(u->state, sizeof u->state, "queued");
    u->size = release.size;
    u->retry = retry;
    u->started = hub_now_ms();
    if (hub_update_insert(fleet->db, u) != 0)
        return database_error(error);
    struct hub_active *a = add(fleet, u);
    if (a == NULL)
        return hub_fail(error, 500, "internal", "", "out of memory");
    hub_log(HUB_LOG_INFO, "update %s of %s/%s to %s", u->job, gateway, device, u->version);
    if (publish_update(fleet, a) != 0)
        hub_log(HUB_LOG_WARN, "update %s waits for the broker", u->job);
    return 0;
}

int hub_fleet_cancel(struct hub_fleet *fleet, const char *job, struct hub_update *update, struct hub_error *error)
{
    struct hub_active *a = find(fleet, job);
    if (a == NULL) {
        int rc = hub_update_get(fleet->db, job, update);
        if (rc < 0)
            return database_error(error);
        if (rc == 1)
            return hub_fail(error, 404, "not-found", "job", "there is no update \"%s\"", job);
        return hub_fail(error, 409, "conflict", "job", "update %s has ended already (%s)", job, update->state);
    }
    struct hub_update *u = &a->update;
    if (strcmp(u->state, "jump") == 0)
        return hub_fail(error, 409, "too-late", "job",
                        "the device is trying the new image of update %s and decides by itself; wait for it", job);
    if (!a->sent) { /* nobody has heard of it */
        int rc = end(fleet, a, "failed", "cancelled", "cancelled before it was sent", false);
        return rc == 0 && hub_update_get(fleet->db, job, update) == 0 ? 0 : database_error(error);
    }
    u->cancelling = true;
    if (hub_update_put(fleet->db, u) != 0)
        return database_error(error);
    rearm(fleet, a);
    publish_cancel(fleet, u);
    *update = *u;
    return 0;
}
