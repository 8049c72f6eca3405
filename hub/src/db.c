/* SPDX-License-Identifier: MIT */
#include "db.h"

#include "log.h"
#include "util.h"

#include <stdarg.h>

/* One entry a schema version; entry n turns version n into n + 1. Never change one that was released: add the next. */
static const char *const migrations[HUB_DB_VERSION] = {
    "CREATE TABLE tokens ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'gateway')),"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  created INTEGER NOT NULL,"
    "  revoked INTEGER);"
    "CREATE UNIQUE INDEX token_names ON tokens (name) WHERE revoked IS NULL;"

    "CREATE TABLE releases ("
    "  sha256 TEXT PRIMARY KEY,"
    "  size INTEGER NOT NULL, identity TEXT NOT NULL, product TEXT NOT NULL, version TEXT NOT NULL,"
    "  hw_min INTEGER NOT NULL, hw_max INTEGER NOT NULL, counter INTEGER NOT NULL, image_size INTEGER NOT NULL,"
    "  key_id TEXT NOT NULL, name TEXT NOT NULL, notes TEXT NOT NULL, uploaded INTEGER NOT NULL);"
    "CREATE INDEX release_times ON releases (uploaded);"

    "CREATE TABLE gateways ("
    "  gateway TEXT PRIMARY KEY,"
    "  online INTEGER NOT NULL, version TEXT NOT NULL,"
    "  seq INTEGER NOT NULL,"         /* of the newest presence that said online */
    "  seq_before INTEGER NOT NULL,"  /* of the one before that: see fleet.c */
    "  seq_offline INTEGER NOT NULL," /* of the newest presence that said offline */
    "  updated INTEGER NOT NULL);"

    "CREATE TABLE devices ("
    "  gateway TEXT NOT NULL REFERENCES gateways ON DELETE CASCADE, device TEXT NOT NULL,"
    "  seq INTEGER NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  version TEXT NOT NULL, identity TEXT NOT NULL, slot TEXT NOT NULL, confirmed INTEGER NOT NULL,"
    "  target TEXT, info TEXT," /* JSON as the hub wrote it, NULL: none */
    "  updated INTEGER NOT NULL,"
    "  PRIMARY KEY (gateway, device));"

    "CREATE TABLE history ("
    "  id INTEGER PRIMARY KEY,"
    "  gateway TEXT NOT NULL, device TEXT NOT NULL,"
    "  time INTEGER NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  version TEXT NOT NULL, target_version TEXT NOT NULL,"
    "  FOREIGN KEY (gateway, device) REFERENCES devices ON DELETE CASCADE);"
    "CREATE INDEX history_devices ON history (gateway, device, id);"

    "CREATE TABLE updates ("
    "  id INTEGER PRIMARY KEY,"
    "  job TEXT NOT NULL UNIQUE,"
    "  gateway TEXT NOT NULL, device TEXT NOT NULL,"
    "  release TEXT NOT NULL,"
    /* The reference that keeps a release from being deleted while it is used; cleared when the update ends. */
    "  active_release TEXT REFERENCES releases (sha256) ON DELETE RESTRICT,"
    "  size INTEGER NOT NULL, version TEXT NOT NULL, retry INTEGER NOT NULL,"
    "  state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  started INTEGER NOT NULL, ended INTEGER,"
    "  ended_by_hub INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,"
    "  FOREIGN KEY (gateway, device) REFERENCES devices ON DELETE CASCADE,"
    "  CHECK ((ended IS NULL) = (active_release IS NOT NULL)));"
    "CREATE UNIQUE INDEX one_update_a_device ON updates (gateway, device) WHERE ended IS NULL;"
    "CREATE INDEX active_releases ON updates (active_release) WHERE active_release IS NOT NULL;",

    /* 2: updates that a gateway started by itself. They hold no release of ours. */
    "CREATE TABLE updates_2 ("
    "  id INTEGER PRIMARY KEY,"
    "  job TEXT NOT NULL UNIQUE,"
    "  gateway TEXT NOT NULL, device TEXT NOT NULL,"
    "  release TEXT NOT NULL,"
    "  active_release TEXT REFERENCES releases (sha256) ON DELETE RESTRICT,"
    "  size INTEGER NOT NULL, version TEXT NOT NULL, retry INTEGER NOT NULL,"
    "  state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  started INTEGER NOT NULL, ended INTEGER,"
    "  ended_by_hub INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,"
    "  origin TEXT NOT NULL DEFAULT ''," /* '': this hub */
    "  FOREIGN KEY (gateway, device) REFERENCES devices ON DELETE CASCADE,"
    "  CHECK ((ended IS NULL AND origin = '') = (active_release IS NOT NULL)));"
    "INSERT INTO updates_2 SELECT *, '' FROM updates;"
    "DROP TABLE updates;"
    "ALTER TABLE updates_2 RENAME TO updates;"
    "CREATE UNIQUE INDEX one_update_a_device ON updates (gateway, device) WHERE ended IS NULL;"
    "CREATE INDEX active_releases ON updates (active_release) WHERE active_release IS NOT NULL;",
};

static int execute(struct hub_db *db, const char *statements)
{
    char *message = NULL;
    int rc = sqlite3_exec(db->sql, statements, NULL, NULL, &message);
    if (rc != SQLITE_OK)
        hub_log(HUB_LOG_ERROR, "database: %s (%d)", message != NULL ? message : sqlite3_errmsg(db->sql), rc);
    sqlite3_free(message);
    return rc == SQLITE_OK ? 0 : -1;
}

int hub_db_version(struct hub_db *db)
{
    sqlite3_stmt *query = hub_db_query(db, "PRAGMA user_version", "");
    int version = query != NULL && hub_db_step(db, query) == 1 ? sqlite3_column_int(query, 0) : -1;
    sqlite3_finalize(query);
    return version;
}

int hub_db_migrate(struct hub_db *db, const char *const *steps, int count)
{
    for (;;) {
        /* IMMEDIATE: two programs that open a new file at once (the hub and `token add`) take turns. */
        if (execute(db, "BEGIN IMMEDIATE") != 0)
            return -1;
        int version = hub_db_version(db);
        if (version < 0 || version >= count) {
            hub_db_rollback(db);
            if (version > count)
                hub_log(HUB_LOG_ERROR, "database: schema version %d is newer than %d; use the fota-hub that wrote it",
                        version, count);
            return version == count ? 0 : -1;
        }
        char step[48];
        sqlite3_snprintf(sizeof step, step, "PRAGMA user_version = %d", version + 1);
        if (execute(db, steps[version]) != 0 || execute(db, step) != 0 || hub_db_commit(db) != 0) {
            hub_db_rollback(db);
            return -1;
        }
        hub_log(HUB_LOG_INFO, "database: schema version %d", version + 1);
    }
}

int hub_db_open(struct hub_db *db, const char *path)
{
    int rc = sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK) {
        hub_log(HUB_LOG_ERROR, "database %s: %s", path, db->sql != NULL ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc));
        sqlite3_close(db->sql);
        db->sql = NULL;
        return -1;
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, 5000);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (execute(db,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA trusted_schema = OFF;") != 0 ||
        hub_db_migrate(db, migrations, HUB_DB_VERSION) != 0) {
        hub_log(HUB_LOG_ERROR, "database %s: not usable; restore a backup or choose another --data", path);
        hub_db_close(db);
        return -1;
    }
    return 0;
}

void hub_db_close(struct hub_db *db)
{
    sqlite3_close(db->sql);
    db->sql = NULL;
}

static sqlite3_stmt *prepare(struct hub_db *db, const char *statement, const char *types, va_list args)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(db->sql, statement, -1, &query, NULL);
    for (int i = 1; rc == SQLITE_OK && *types != '\0'; i++, types++) {
        if (*types == 's') {
            rc = sqlite3_bind_text(query, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        } else if (*types == 'i') {
            rc = sqlite3_bind_int64(query, i, va_arg(args, int64_t));
        } else {
            const void *data = va_arg(args, const void *);
            rc = sqlite3_bind_blob64(query, i, data, va_arg(args, size_t), SQLITE_TRANSIENT);
        }
    }
    if (rc != SQLITE_OK) {
        hub_log(HUB_LOG_ERROR, "database: %s in: %s", sqlite3_errmsg(db->sql), statement);
        sqlite3_finalize(query);
        return NULL;
    }
    return query;
}

sqlite3_stmt *hub_db_query(struct hub_db *db, const char *statement, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *query = prepare(db, statement, types, args);
    va_end(args);
    return query;
}

int hub_db_run(struct hub_db *db, const char *statement, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *query = prepare(db, statement, types, args);
    va_end(args);
    if (query == NULL)
        return -1;
    int rc = sqlite3_step(query);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW && (rc & 0xFF) != SQLITE_CONSTRAINT)
        hub_log(HUB_LOG_ERROR, "database: %s in: %s", sqlite3_errmsg(db->sql), statement);
    sqlite3_finalize(query);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : (rc & 0xFF) == SQLITE_CONSTRAINT ? SQLITE_CONSTRAINT : -1;
}

int hub_db_step(struct hub_db *db, sqlite3_stmt *query)
{
    int rc = sqlite3_step(query);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    hub_log(HUB_LOG_ERROR, "database: %s", sqlite3_errmsg(db->sql));
    return -1;
}

void hub_db_text(sqlite3_stmt *query, int column, char *out, size_t capacity)
{
    const unsigned char *text = sqlite3_column_text(query, column);
    hub_copy(out, capacity, text != NULL ? (const char *) text : "");
}

int hub_db_begin(struct hub_db *db)
{
    return execute(db, "BEGIN IMMEDIATE");
}

int hub_db_commit(struct hub_db *db)
{
    return execute(db, "COMMIT");
}

void hub_db_rollback(struct hub_db *db)
{
    if (!sqlite3_get_autocommit(db->sql))
        execute(db, "ROLLBACK");
}
