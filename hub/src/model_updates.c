/* SPDX-License-Identifier: MIT */
#include "model.h"

int hub_update_insert(struct hub_db *db, const struct hub_update *u)
{
    int rc =
        hub_db_run(db,
                   "INSERT INTO updates (job, gateway, device, release, active_release, size, version, retry, state,"
                   " reason, detail, started, origin)"
                   " VALUES (?1,?2,?3,?4,CASE ?12 WHEN '' THEN ?4 ELSE NULL END,?5,?6,?7,?8,?9,?10,?11,?12)",
                   "ssssisisssis", u->job, u->gateway, u->device, u->release, u->size, u->version, (int64_t) u->retry,
                   u->state, u->reason, u->detail, u->started, u->origin);
    return rc == SQLITE_CONSTRAINT ? 1 : rc;
}

int hub_update_put(struct hub_db *db, const struct hub_update *u)
{
    int rc = hub_db_run(db,
                        "UPDATE updates SET state = ?2, reason = ?3, detail = ?4, ended = nullif(?5, 0),"
                        " active_release = CASE WHEN ?5 = 0 AND origin = '' THEN release ELSE NULL END, ended_by_hub = "
                        "?6, cancelling = ?7,"
                        " version = CASE version WHEN '' THEN ?8 ELSE version END WHERE job = ?1",
                        "ssssiiis", u->job, u->state, u->reason, u->detail, u->ended, (int64_t) u->ended_by_hub,
                        (int64_t) u->cancelling, u->version);
    return rc == SQLITE_CONSTRAINT ? 1 : rc;
}

#define COLUMNS                                                                                                        \
    "job, gateway, device, release, size, version, retry, state, reason, detail, started, coalesce(ended, 0),"         \
    " ended_by_hub, cancelling, origin"

static void read_row(sqlite3_stmt *query, struct hub_update *u)
{
    hub_db_text(query, 0, u->job, sizeof u->job);
    hub_db_text(query, 1, u->gateway, sizeof u->gateway);
    hub_db_text(query, 2, u->device, sizeof u->device);
    hub_db_text(query, 3, u->release, sizeof u->release);
    u->size = sqlite3_column_int64(query, 4);
    hub_db_text(query, 5, u->version, sizeof u->version);
    u->retry = sqlite3_column_int(query, 6) != 0;
    hub_db_text(query, 7, u->state, sizeof u->state);
    hub_db_text(query, 8, u->reason, sizeof u->reason);
    hub_db_text(query, 9, u->detail, sizeof u->detail);
    u->started = sqlite3_column_int64(query, 10);
    u->ended = sqlite3_column_int64(query, 11);
    u->ended_by_hub = sqlite3_column_int(query, 12) != 0;
    u->cancelling = sqlite3_column_int(query, 13) != 0;
    hub_db_text(query, 14, u->origin, sizeof u->origin);
}

int hub_update_get(struct hub_db *db, const char *job, struct hub_update *update)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT " COLUMNS " FROM updates WHERE job = ?", "s", job);
    if (query == NULL)
        return -1;
    int rc = hub_db_step(db, query);
    if (rc == 1)
        read_row(query, update);
    sqlite3_finalize(query);
    return rc == 1 ? 0 : rc == 0 ? 1 : -1;
}

int hub_update_list(struct hub_db *db, bool active_only, int64_t limit,
                    void (*row)(void *ctx, const struct hub_update *update), void *ctx)
{
    sqlite3_stmt *query =
        active_only ? hub_db_query(db, "SELECT " COLUMNS " FROM updates WHERE ended IS NULL ORDER BY id", "")
                    : hub_db_query(db, "SELECT " COLUMNS " FROM updates ORDER BY id DESC LIMIT ?", "i", limit);
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1) {
        struct hub_update update;
        read_row(query, &update);
        row(ctx, &update);
    }
    sqlite3_finalize(query);
    return rc;
}
