/* SPDX-License-Identifier: MIT */
/** @file db.h SQLite: opening, migrating, and one-line statements. What the tables mean is in the modules that use
 * them. */
#ifndef HUB_DB_H
#define HUB_DB_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/** The schema that this program writes (PRAGMA user_version). */
#define HUB_DB_VERSION 2

struct hub_db {
    sqlite3 *sql;
};

/** Open or create the database, migrate it to HUB_DB_VERSION in one transaction a step.
 *  @return 0, or -1 (logged): not readable, not a database, written by a newer hub. */
int hub_db_open(struct hub_db *db, const char *path);
void hub_db_close(struct hub_db *db);

/** Bring the schema to version `count`, each step in a transaction of its own: a cut or a failure leaves the version
 * before it.
 *  @param steps steps[n] turns version n into n + 1. @return 0, or -1 (logged). */
int hub_db_migrate(struct hub_db *db, const char *const *steps, int count);

/** @return the schema version of the file, or -1. */
int hub_db_version(struct hub_db *db);

/** Prepare a statement and bind its parameters.
 *  @param types one letter a parameter: s (const char *, NULL allowed), i (int64_t), b (const void *, size_t).
 *  @return the statement, to be ended with sqlite3_finalize(), or NULL (logged). */
sqlite3_stmt *hub_db_query(struct hub_db *db, const char *statement, const char *types, ...);

/** Run a statement without results. @return 0; SQLITE_CONSTRAINT when a constraint forbids it; -1 for any other failure
 *  (logged). */
int hub_db_run(struct hub_db *db, const char *statement, const char *types, ...);

/** Step a query. @return 1 with a row, 0 at the end, -1 on failure (logged). */
int hub_db_step(struct hub_db *db, sqlite3_stmt *query);

/** Copy a text column, "" for NULL, cut to the capacity. */
void hub_db_text(sqlite3_stmt *query, int column, char *out, size_t capacity);

/** Transactions. A failure is logged and returned as -1. */
int hub_db_begin(struct hub_db *db);
int hub_db_commit(struct hub_db *db);
void hub_db_rollback(struct hub_db *db);

#endif
