/* SPDX-License-Identifier: MIT */
#include "model.h"

#define COLUMNS                                                                                                        \
    "sha256, size, identity, product, version, hw_min, hw_max, counter, image_size, key_id, name, notes, uploaded"

int hub_release_insert(struct hub_db *db, const struct hub_release *r)
{
    int rc = hub_db_run(db, "INSERT INTO releases (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", "sisssiiiisssi",
                        r->sha256, r->size, r->identity, r->product, r->version, r->hw_min, r->hw_max, r->counter,
                        r->image_size, r->key_id, r->name, r->notes, r->uploaded);
    return rc == SQLITE_CONSTRAINT ? 1 : rc;
}

static void read_row(sqlite3_stmt *query, struct hub_release *r)
{
    hub_db_text(query, 0, r->sha256, sizeof r->sha256);
    r->size = sqlite3_column_int64(query, 1);
    hub_db_text(query, 2, r->identity, sizeof r->identity);
    hub_db_text(query, 3, r->product, sizeof r->product);
    hub_db_text(query, 4, r->version, sizeof r->version);
    r->hw_min = sqlite3_column_int64(query, 5);
    r->hw_max = sqlite3_column_int64(query, 6);
    r->counter = sqlite3_column_int64(query, 7);
    r->image_size = sqlite3_column_int64(query, 8);
    hub_db_text(query, 9, r->key_id, sizeof r->key_id);
    hub_db_text(query, 10, r->name, sizeof r->name);
    hub_db_text(query, 11, r->notes, sizeof r->notes);
    r->uploaded = sqlite3_column_int64(query, 12);
}

int hub_release_get(struct hub_db *db, const char *sha256, struct hub_release *release)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT " COLUMNS " FROM releases WHERE sha256 = ?", "s", sha256);
    if (query == NULL)
        return -1;
    int rc = hub_db_step(db, query);
    if (rc == 1)
        read_row(query, release);
    sqlite3_finalize(query);
    return rc == 1 ? 0 : rc == 0 ? 1 : -1;
}

int hub_release_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_release *release), void *ctx)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT " COLUMNS " FROM releases ORDER BY uploaded DESC, rowid DESC", "");
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1) {
        struct hub_release release;
        read_row(query, &release);
        row(ctx, &release);
    }
    sqlite3_finalize(query);
    return rc;
}

int hub_release_delete(struct hub_db *db, const char *sha256)
{
    int rc = hub_db_run(db, "DELETE FROM releases WHERE sha256 = ?", "s", sha256);
    if (rc == SQLITE_CONSTRAINT)
        return 2;
    return rc != 0 ? -1 : sqlite3_changes(db->sql) == 0 ? 1 : 0;
}
