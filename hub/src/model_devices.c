/* SPDX-License-Identifier: MIT */
#include "model.h"

int hub_gateway_put(struct hub_db *db, const struct hub_gateway *g)
{
    return hub_db_run(db,
                      "INSERT INTO gateways (gateway, online, version, seq, seq_before, seq_offline, updated)"
                      " VALUES (?,?,?,?,?,?,?) ON CONFLICT (gateway) DO UPDATE SET online = excluded.online,"
                      " version = excluded.version, seq = excluded.seq, seq_before = excluded.seq_before,"
                      " seq_offline = excluded.seq_offline, updated = excluded.updated",
                      "sisiiii", g->gateway, (int64_t) g->online, g->version, g->seq, g->seq_before, g->seq_offline,
                      g->updated);
}

int hub_gateway_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_gateway *gateway), void *ctx)
{
    sqlite3_stmt *query = hub_db_query(
        db, "SELECT gateway, online, version, seq, seq_before, seq_offline, updated FROM gateways ORDER BY gateway",
        "");
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1) {
        struct hub_gateway g;
        hub_db_text(query, 0, g.gateway, sizeof g.gateway);
        g.online = sqlite3_column_int(query, 1) != 0;
        hub_db_text(query, 2, g.version, sizeof g.version);
        g.seq = sqlite3_column_int64(query, 3);
        g.seq_before = sqlite3_column_int64(query, 4);
        g.seq_offline = sqlite3_column_int64(query, 5);
        g.updated = sqlite3_column_int64(query, 6);
        row(ctx, &g);
    }
    sqlite3_finalize(query);
    return rc;
}

#define DEVICE_COLUMNS                                                                                                 \
    "gateway, device, seq, state, job, reason, detail, version, identity, slot, confirmed, target, info, updated"

int hub_device_put(struct hub_db *db, const struct hub_device *d)
{
    return hub_db_run(
        db,
        "INSERT INTO devices (" DEVICE_COLUMNS
        ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (gateway, device) DO UPDATE SET seq = excluded.seq, state = excluded.state,"
        " job = excluded.job, reason = excluded.reason, detail = excluded.detail, version = excluded.version,"
        " identity = excluded.identity, slot = excluded.slot, confirmed = excluded.confirmed,"
        " target = excluded.target, info = excluded.info, updated = excluded.updated",
        "ssisssssssissi", d->gateway, d->device, d->seq, d->state, d->job, d->reason, d->detail, d->version,
        d->identity, d->slot, (int64_t) d->confirmed, d->target[0] != '\0' ? d->target : NULL,
        d->info[0] != '\0' ? d->info : NULL, d->updated);
}

static void read_device(sqlite3_stmt *query, struct hub_device *d)
{
    hub_db_text(query, 0, d->gateway, sizeof d->gateway);
    hub_db_text(query, 1, d->device, sizeof d->device);
    d->seq = sqlite3_column_int64(query, 2);
    hub_db_text(query, 3, d->state, sizeof d->state);
    hub_db_text(query, 4, d->job, sizeof d->job);
    hub_db_text(query, 5, d->reason, sizeof d->reason);
    hub_db_text(query, 6, d->detail, sizeof d->detail);
    hub_db_text(query, 7, d->version, sizeof d->version);
    hub_db_text(query, 8, d->identity, sizeof d->identity);
    hub_db_text(query, 9, d->slot, sizeof d->slot);
    d->confirmed = sqlite3_column_int(query, 10) != 0;
    hub_db_text(query, 11, d->target, sizeof d->target);
    hub_db_text(query, 12, d->info, sizeof d->info);
    d->updated = sqlite3_column_int64(query, 13);
}

int hub_device_get(struct hub_db *db, const char *gateway, const char *device, struct hub_device *out)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT " DEVICE_COLUMNS " FROM devices WHERE gateway = ? AND device = ?",
                                       "ss", gateway, device);
    if (query == NULL)
        return -1;
    int rc = hub_db_step(db, query);
    if (rc == 1)
        read_device(query, out);
    sqlite3_finalize(query);
    return rc == 1 ? 0 : rc == 0 ? 1 : -1;
}

int hub_device_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_device *device), void *ctx)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT " DEVICE_COLUMNS " FROM devices ORDER BY gateway, device", "");
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1) {
        struct hub_device device;
        read_device(query, &device);
        row(ctx, &device);
    }
    sqlite3_finalize(query);
    return rc;
}

int hub_history_add(struct hub_db *db, const char *gateway, const char *device, const struct hub_change *c)
{
    int rc = hub_db_run(
        db,
        "INSERT INTO history (gateway, device, time, state, job, reason, detail, version, target_version)"
        " VALUES (?,?,?,?,?,?,?,?,?)",
        "ssissssss", gateway, device, c->time, c->state, c->job, c->reason, c->detail, c->version, c->target_version);
    if (rc != 0)
        return -1;
    return hub_db_run(db,
                      "DELETE FROM history WHERE gateway = ?1 AND device = ?2 AND id <= (SELECT id FROM history"
                      " WHERE gateway = ?1 AND device = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                      "ssi", gateway, device, (int64_t) HUB_HISTORY_PER_DEVICE);
}

int hub_history_list(struct hub_db *db, const char *gateway, const char *device, int64_t limit,
                     void (*row)(void *ctx, const struct hub_change *change), void *ctx)
{
    sqlite3_stmt *query = hub_db_query(db,
                                       "SELECT time, state, job, reason, detail, version, target_version FROM history"
                                       " WHERE gateway = ? AND device = ? ORDER BY id DESC LIMIT ?",
                                       "ssi", gateway, device, limit);
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1) {
        struct hub_change c;
        c.time = sqlite3_column_int64(query, 0);
        hub_db_text(query, 1, c.state, sizeof c.state);
        hub_db_text(query, 2, c.job, sizeof c.job);
        hub_db_text(query, 3, c.reason, sizeof c.reason);
        hub_db_text(query, 4, c.detail, sizeof c.detail);
        hub_db_text(query, 5, c.version, sizeof c.version);
        hub_db_text(query, 6, c.target_version, sizeof c.target_version);
        row(ctx, &c);
    }
    sqlite3_finalize(query);
    return rc;
}
