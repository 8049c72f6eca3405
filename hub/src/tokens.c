/* SPDX-License-Identifier: MIT */
#include "tokens.h"

#include "util.h"

#include <fota/crypto.h>
#include <string.h>
#include <strings.h>

unsigned hub_role_permissions(const char *role)
{
    static const struct {
        const char *name;
        unsigned may;
    } roles[] = {
        {"viewer", HUB_MAY_DOWNLOAD | HUB_MAY_READ},
        {"operator", HUB_MAY_DOWNLOAD | HUB_MAY_READ | HUB_MAY_OPERATE},
        {"admin", HUB_MAY_DOWNLOAD | HUB_MAY_READ | HUB_MAY_OPERATE | HUB_MAY_DELETE},
        {"gateway", HUB_MAY_DOWNLOAD},
    };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, role) == 0)
            return roles[i].may;
    return 0;
}

int hub_token_add(struct hub_db *db, const char *role, const char *name, char token[HUB_TOKEN_SIZE])
{
    uint8_t random[32], hash[FOTA_SHA256_SIZE];
    if (hub_random(random, sizeof random) != 0)
        return -1;
    memcpy(token, HUB_TOKEN_PREFIX, sizeof HUB_TOKEN_PREFIX - 1);
    hub_hex(random, sizeof random, token + sizeof HUB_TOKEN_PREFIX - 1);
    fota_sha256(token, strlen(token), hash);
    int rc = hub_db_run(db, "INSERT INTO tokens (name, role, hash, created) VALUES (?, ?, ?, ?)", "ssbi", name, role,
                        hash, sizeof hash, hub_now_ms());
    return rc == SQLITE_CONSTRAINT ? 1 : rc;
}

int hub_token_revoke(struct hub_db *db, const char *name)
{
    int rc =
        hub_db_run(db, "UPDATE tokens SET revoked = ? WHERE name = ? AND revoked IS NULL", "is", hub_now_ms(), name);
    return rc != 0 ? -1 : sqlite3_changes(db->sql) == 0 ? 1 : 0;
}

int hub_token_list(struct hub_db *db,
                   void (*row)(void *ctx, const char *name, const char *role, int64_t created, int64_t revoked),
                   void *ctx)
{
    sqlite3_stmt *query =
        hub_db_query(db, "SELECT name, role, created, coalesce(revoked, 0) FROM tokens ORDER BY id", "");
    if (query == NULL)
        return -1;
    int rc;
    while ((rc = hub_db_step(db, query)) == 1)
        row(ctx, (const char *) sqlite3_column_text(query, 0), (const char *) sqlite3_column_text(query, 1),
            sqlite3_column_int64(query, 2), sqlite3_column_int64(query, 3));
    sqlite3_finalize(query);
    return rc;
}

unsigned hub_token_check(struct hub_db *db, const char *token, char *name, char *role)
{
    uint8_t hash[FOTA_SHA256_SIZE];
    fota_sha256(token, strlen(token), hash);
    sqlite3_stmt *query = hub_db_query(db, "SELECT name, role, hash FROM tokens WHERE revoked IS NULL", "");
    if (query == NULL)
        return 0;
    unsigned may = 0;
    while (hub_db_step(db, query) == 1) {
        if (sqlite3_column_bytes(query, 2) != (int) sizeof hash ||
            !hub_equal(hash, sqlite3_column_blob(query, 2), sizeof hash))
            continue; /* and on to the end: the time tells nothing about where a match was */
        hub_db_text(query, 0, name, HUB_TOKEN_NAME_MAX + 1);
        hub_db_text(query, 1, role, 16);
        may = hub_role_permissions(role);
    }
    sqlite3_finalize(query);
    return may;
}

const char *hub_token_of_header(const char *authorization)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *token = authorization + 7 + strspn(authorization + 7, " ");
    size_t length = strlen(token);
    return length > 0 && length <= 256 ? token : NULL;
}
