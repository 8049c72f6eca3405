/* SPDX-License-Identifier: MIT */
#include "fleet.h"

#include "fleet_table.h"
#include "fleet_updates.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define COMPLAINTS 20u         /* warnings about messages in … */
#define COMPLAINT_WINDOW 10000 /* … as many ms */

static void load_gateway(void *ctx, const struct hub_gateway *row)
{
    struct hub_gateway_entry *entry = hub_table_add_gateway(ctx, row->gateway);
    if (entry != NULL)
        entry->row = *row;
}

static void load_device(void *ctx, const struct hub_device *row)
{
    struct hub_device_entry *entry = hub_table_add_device(ctx, row->gateway, row->device);
    if (entry != NULL)
        entry->seq = row->seq;
}

int hub_fleet_reload(struct hub_fleet *fleet)
{
    hub_updates_clear(fleet);
    hub_table_clear(&fleet->table);
    if (hub_gateway_list(fleet->db, load_gateway, &fleet->table) != 0 ||
        hub_device_list(fleet->db, load_device, &fleet->table) != 0)
        return -1;
    return hub_updates_load(fleet);
}

struct hub_fleet *hub_fleet_new(struct hub_db *db, const struct hub_fleet_io *io,
                                const struct hub_fleet_options *options)
{
    struct hub_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL)
        return NULL;
    fleet->db = db;
    fleet->io = *io;
    fleet->options = *options;
    if (hub_fleet_reload(fleet) == 0)
        return fleet;
    hub_fleet_free(fleet);
    return NULL;
}

void hub_fleet_free(struct hub_fleet *fleet)
{
    if (fleet == NULL)
        return;
    hub_updates_clear(fleet);
    hub_table_clear(&fleet->table);
    free(fleet);
}

bool hub_fleet_online(const struct hub_fleet *fleet, const char *gateway)
{
    const struct hub_gateway_entry *entry = hub_table_gateway(&fleet->table, gateway);
    return entry != NULL && entry->row.online;
}

bool hub_fleet_progress(const struct hub_fleet *fleet, const struct hub_device *device, struct hub_progress *progress)
{
    const struct hub_device_entry *entry = hub_table_device(&fleet->table, device->gateway, device->device);
    memset(progress, 0, sizeof *progress);
    if (entry == NULL || strcmp(entry->progress.state, device->state) != 0 ||
        strcmp(entry->progress.job, device->job) != 0)
        return false;
    *progress = entry->progress;
    return true;
}

static void complain(struct hub_fleet *fleet, const char *topic, const char *why)
{
    int64_t now = fleet->io.mono(fleet->io.ctx);
    if (now - fleet->complaint_window >= COMPLAINT_WINDOW) {
        fleet->complaint_window = now;
        fleet->complaints = 0;
    }
    char quoted[80];
    hub_quote(topic, strlen(topic), quoted, sizeof quoted);
    hub_log(++fleet->complaints > COMPLAINTS ? HUB_LOG_DEBUG : HUB_LOG_WARN, "dropped a message on %s: %s", quoted,
            why);
}

/* Find or make. A gateway row is wanted by the foreign key of its devices. NULL: no more room, or the database failed.
 */
static struct hub_gateway_entry *want_gateway(struct hub_fleet *fleet, const char *name, bool *failed)
{
    struct hub_gateway_entry *entry = hub_table_gateway(&fleet->table, name);
    if (entry != NULL || fleet->table.gateway_count >= HUB_DEVICES_MAX)
        return entry;
    struct hub_gateway row = {.updated = hub_now_ms()};
    hub_copy(row.gateway, sizeof row.gateway, name);
    if (hub_gateway_put(fleet->db, &row) != 0 || (entry = hub_table_add_gateway(&fleet->table, name)) == NULL) {
        *failed = true;
        return NULL;
    }
    entry->row = row;
    return entry;
}

static struct hub_device_entry *want_device(struct hub_fleet *fleet, const char *gateway, const char *device,
                                            bool *failed)
{
    struct hub_device_entry *entry = hub_table_device(&fleet->table, gateway, device);
    if (entry != NULL || fleet->table.device_count >= HUB_DEVICES_MAX || want_gateway(fleet, gateway, failed) == NULL)
        return entry;
    struct hub_device row = {.state = "idle", .updated = hub_now_ms()};
    hub_copy(row.gateway, sizeof row.gateway, gateway);
    hub_copy(row.device, sizeof row.device, device);
    if (hub_device_put(fleet->db, &row) != 0 || (entry = hub_table_add_device(&fleet->table, gateway, device)) == NULL)
        *failed = true;
    else
        hub_log(HUB_LOG_INFO, "new device %s/%s", gateway, device);
    return entry;
}

/* A last will carries the seq of before its connection's first "online", so for "offline" the rule of docs/mqtt.md
 * needs a second look: it is news when it is newer than the connection before the present one, and than the last
 * "offline". */
static int on_presence(struct hub_fleet *fleet, const struct hub_topic *topic, const struct hub_presence *p)
{
    bool failed = false;
    struct hub_gateway_entry *entry = want_gateway(fleet, topic->gateway, &failed);
    if (entry == NULL)
        return failed ? -1 : 0;
    struct hub_gateway row = entry->row;
    if (p->online) {
        if (p->seq <= row.seq)
            return 0;
        if (!row.online)
            row.seq_before = row.seq;
        row.seq = p->seq;
        hub_copy(row.version, sizeof row.version, p->version);
    } else {
        if (p->seq <= row.seq_before || p->seq <= row.seq_offline)
            return 0;
        row.seq_offline = p->seq;
    }
    if (row.online != p->online)
        hub_log(HUB_LOG_INFO, "gateway %s is %s", row.gateway, p->online ? "online" : "offline");
    row.online = p->online;
    row.updated = hub_now_ms();
    if (hub_gateway_put(fleet->db, &row) != 0)
        return -1;
    entry->row = row;
    for (unsigned i = 0; i < p->device_count && !failed; i++)
        want_device(fleet, topic->gateway, p->devices[i], &failed);
    return failed ? -1 : 0;
}

static int on_state(struct hub_fleet *fleet, const struct hub_topic *topic, struct hub_device *d,
                    const char *target_version)
{
    bool failed = false;
    struct hub_device_entry *entry = want_device(fleet, topic->gateway, topic->device, &failed);
    if (entry == NULL || d->seq <= entry->seq)
        return failed ? -1 : 0;
    struct hub_device before;
    if (hub_device_get(fleet->db, topic->gateway, topic->device, &before) != 0)
        return -1;
    hub_copy(d->gateway, sizeof d->gateway, topic->gateway);
    hub_copy(d->device, sizeof d->device, topic->device);
    d->updated = hub_now_ms();
    if (hub_device_put(fleet->db, d) != 0)
        return -1;
    entry->seq = d->seq;
    bool changed = before.seq == 0 || strcmp(before.state, d->state) != 0 || strcmp(before.job, d->job) != 0 ||
                   strcmp(before.reason, d->reason) != 0 || strcmp(before.version, d->version) != 0 ||
                   strcmp(before.identity, d->identity) != 0;
    if (changed) {
        struct hub_change change = {.time = d->updated};
        hub_copy(change.state, sizeof change.state, d->state);
        hub_copy(change.job, sizeof change.job, d->job);
        hub_copy(change.reason, sizeof change.reason, d->reason);
        hub_copy(change.detail, sizeof change.detail, d->detail);
        hub_copy(change.version, sizeof change.version, d->version);
        hub_copy(change.target_version, sizeof change.target_version, target_version);
        if (hub_history_add(fleet->db, d->gateway, d->device, &change) != 0)
            return -1;
        hub_log(HUB_LOG_INFO, "device %s/%s: %s%s%s", d->gateway, d->device, d->state, d->reason[0] != '\0' ? " " : "",
                d->reason);
    }
    return hub_updates_state(fleet, d);
}

static void on_progress(struct hub_fleet *fleet, const struct hub_topic *topic, const struct hub_progress *p)
{
    struct hub_device_entry *entry = hub_table_device(&fleet->table, topic->gateway, topic->device);
    if (entry == NULL || p->seq <= entry->progress.seq)
        return;
    entry->progress = *p;
    hub_updates_alive(fleet, topic->gateway, topic->device, p->job);
}

static int on_reply(struct hub_fleet *fleet, const struct hub_topic *topic, const struct hub_reply *reply)
{
    bool failed = false;
    struct hub_gateway_entry *entry = want_gateway(fleet, topic->gateway, &failed);
    if (entry == NULL || reply->seq <= entry->reply_seq)
        return failed ? -1 : 0;
    entry->reply_seq = reply->seq;
    return hub_updates_reply(fleet, topic->gateway, reply);
}

int hub_fleet_message(struct hub_fleet *fleet, const char *topic, const char *payload, size_t length)
{
    struct hub_topic t;
    char why[HUB_WHY_SIZE] = "this is no topic of docs/mqtt.md";
    char target_version[HUB_VERSION_MAX + 1];
    union {
        struct hub_presence presence;
        struct hub_reply reply;
        struct hub_device state;
        struct hub_progress progress;
    } m;
    memset(&m, 0, sizeof m);
    hub_topic_parse(topic, &t);
    switch (t.kind) {
    case HUB_TOPIC_PRESENCE:
        if (length == 0)
            return 0; /* a retained message was cleared */
        if (hub_presence_parse(payload, length, &m.presence, why) == 0)
            return on_presence(fleet, &t, &m.presence);
        break;
    case HUB_TOPIC_REPLY:
        if (hub_reply_parse(payload, length, &m.reply, why) == 0)
            return on_reply(fleet, &t, &m.reply);
        break;
    case HUB_TOPIC_STATE:
        if (length == 0)
            return 0;
        if (hub_state_parse(payload, length, &m.state, target_version, why) == 0)
            return on_state(fleet, &t, &m.state, target_version);
        break;
    case HUB_TOPIC_PROGRESS:
        if (hub_progress_parse(payload, length, &m.progress, why) == 0) {
            on_progress(fleet, &t, &m.progress);
            return 0;
        }
        break;
    default:
        break;
    }
    complain(fleet, topic, why);
    return 0;
}
