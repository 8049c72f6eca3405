/* SPDX-License-Identifier: MIT */
#include "db.h"
#include "log.h"
#include "model.h"
#include "schema_v1.h"
#include "tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA_2 "2222222222222222222222222222222222222222222222222222222222222222"

static char dir[64], path[96];

static int setup(void **state)
{
    (void) state;
    snprintf(dir, sizeof dir, "/tmp/fota-hub-db-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/hub.db", dir);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static int64_t number(struct hub_db *db, const char *query)
{
    sqlite3_stmt *s = hub_db_query(db, query, "");
    assert_non_null(s);
    assert_int_equal(hub_db_step(db, s), 1);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static void migration(void **state)
{
    (void) state;
    struct hub_db db, other;
    assert_int_equal(hub_db_open(&db, path), 0);
    assert_int_equal(hub_db_version(&db), HUB_DB_VERSION);
    assert_int_equal(number(&db, "PRAGMA foreign_keys"), 1);
    sqlite3_stmt *s = hub_db_query(&db, "PRAGMA journal_mode", "");
    assert_int_equal(hub_db_step(&db, s), 1);
    assert_string_equal((const char *) sqlite3_column_text(s, 0), "wal");
    sqlite3_finalize(s);
    assert_int_equal(hub_db_open(&other, path), 0); /* a second program, as `token add` beside the hub */
    hub_db_close(&other);
    hub_db_close(&db);
    assert_int_equal(hub_db_open(&db, path), 0); /* nothing to migrate the second time */
    /* A database of a newer hub is left alone. */
    assert_int_equal(hub_db_run(&db, "PRAGMA user_version = 99", ""), 0);
    hub_db_close(&db);
    assert_int_equal(hub_db_open(&db, path), -1);
}

/* A database as the first release made it, with something in every table. */
static void make_v1(void)
{
    static const char rows[] =
        "INSERT INTO tokens VALUES (1, 'root', 'admin', zeroblob(32), 1, NULL);"
        "INSERT INTO releases VALUES ('" SHA_1
        "', 1000, 'i', 'p', '1.1.0', 1, 1, 1, 500, 'k', 'n', '', 5);"
        "INSERT INTO gateways VALUES ('gw1', 1, '0.1.0', 10, 9, 8, 7);"
        "INSERT INTO devices VALUES ('gw1', 'board1', 11, 'write', 'j1', '', '', '1.0.0', 'i', 'A', 1, NULL, NULL, 6);"
        "INSERT INTO history VALUES (1, 'gw1', 'board1', 4, 'idle', '', '', '', '1.0.0', '');"
        "INSERT INTO updates VALUES (1, 'j1', 'gw1', 'board1', '" SHA_1 "', '" SHA_1
        "', 1000, '1.1.0', 0, 'write', '', '', 3, NULL, 0, 0);"
        "PRAGMA user_version = 1;";
    sqlite3 *sql;
    assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql, schema_v1, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql, rows, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

static void check_v1_rows(struct hub_db *db)
{
    struct hub_update u;
    struct hub_release r;
    assert_int_equal(hub_release_get(db, SHA_1, &r), 0);
    assert_string_equal(r.version, "1.1.0");
    assert_int_equal(hub_update_get(db, "j1", &u), 0);
    assert_string_equal(u.state, "write");
    assert_int_equal(hub_release_delete(db, SHA_1), 2); /* still in use */
    assert_int_equal(number(db, "SELECT count(*) FROM tokens WHERE name = 'root' AND revoked IS NULL"), 1);
    assert_int_equal(number(db, "SELECT seq FROM devices WHERE gateway = 'gw1' AND device = 'board1'"), 11);
    assert_int_equal(number(db, "SELECT count(*) FROM history WHERE version = '1.0.0'"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void upgrade_from_1(void **state)
{
    (void) state;
    struct hub_db db;
    make_v1();
    assert_int_equal(hub_db_open(&db, path), 0);
    assert_int_equal(hub_db_version(&db), HUB_DB_VERSION);
    check_v1_rows(&db);
    hub_db_close(&db);
}

/* What a later release will do: two steps more, of which the second fails at first. */
static void steps(void **state)
{
    (void) state;
    static const char more[] =
        "ALTER TABLE releases ADD COLUMN channel TEXT NOT NULL DEFAULT 'stable';"
        "CREATE INDEX channels ON releases (channel);"
        "ALTER TABLE updates ADD COLUMN origin TEXT NOT NULL DEFAULT '';"; /* as version 2 has it */
    static const char *const broken[] = {schema_v1, more,
                                         "CREATE TABLE groups (name TEXT); INSERT INTO nowhere VALUES (1);"};
    static const char *const good[] = {schema_v1, more, "CREATE TABLE groups (name TEXT)"};
    struct hub_db db;
    make_v1();
    assert_int_equal(sqlite3_open(path, &db.sql), SQLITE_OK);
    assert_int_equal(hub_db_run(&db, "PRAGMA foreign_keys = ON", ""), 0);
    assert_int_equal(hub_db_migrate(&db, broken, 3), -1);
    assert_int_equal(hub_db_version(&db), 2); /* the step that failed left nothing, the one before it stays */
    assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_master WHERE name = 'groups'"), 0);
    assert_int_equal(hub_db_migrate(&db, good, 3), 0);
    assert_int_equal(hub_db_version(&db), 3);
    assert_int_equal(number(&db, "SELECT count(*) FROM releases WHERE channel = 'stable'"), 1);
    check_v1_rows(&db);
    assert_int_equal(hub_db_migrate(&db, good, 3), 0);  /* nothing to do */
    assert_int_equal(hub_db_migrate(&db, good, 2), -1); /* written by a newer program */
    hub_db_close(&db);
}

static void not_a_database(void **state)
{
    (void) state;
    struct hub_db db;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 2000; i++)
        fputs("not a database", f);
    fclose(f);
    assert_int_equal(hub_db_open(&db, path), -1);
    assert_int_equal(hub_db_open(&db, "/nonexistent/hub.db"), -1);
}

static void count_row(void *ctx, const char *name, const char *role, int64_t created, int64_t revoked)
{
    (void) name;
    (void) role;
    assert_true(created > 0);
    int *counts = ctx;
    counts[revoked != 0]++;
}

static void tokens(void **state)
{
    (void) state;
    struct hub_db db;
    char admin[HUB_TOKEN_SIZE], viewer[HUB_TOKEN_SIZE], again[HUB_TOKEN_SIZE];
    char name[HUB_TOKEN_NAME_MAX + 1], role[16];
    int counts[2] = {0, 0};
    assert_int_equal(hub_db_open(&db, path), 0);
    assert_int_equal(hub_token_add(&db, "admin", "root", admin), 0);
    assert_int_equal(hub_token_add(&db, "viewer", "eye", viewer), 0);
    assert_int_equal(strlen(admin), HUB_TOKEN_SIZE - 1);
    assert_string_not_equal(admin, viewer);
    assert_int_equal(hub_token_add(&db, "viewer", "root", again), 1); /* the name is taken */
    assert_int_equal(hub_token_check(&db, admin, name, role),
                     HUB_MAY_DOWNLOAD | HUB_MAY_READ | HUB_MAY_OPERATE | HUB_MAY_DELETE);
    assert_string_equal(name, "root");
    assert_string_equal(role, "admin");
    assert_int_equal(hub_token_check(&db, viewer, name, role), HUB_MAY_DOWNLOAD | HUB_MAY_READ);
    admin[10] = admin[10] == '0' ? '1' : '0';
    assert_int_equal(hub_token_check(&db, admin, name, role), 0);
    assert_int_equal(hub_token_check(&db, "", name, role), 0);
    assert_int_equal(hub_token_revoke(&db, "eye"), 0);
    assert_int_equal(hub_token_revoke(&db, "eye"), 1);
    assert_int_equal(hub_token_check(&db, viewer, name, role), 0);
    assert_int_equal(hub_token_add(&db, "gateway", "eye", again), 0); /* free again */
    assert_int_equal(hub_token_check(&db, again, name, role), HUB_MAY_DOWNLOAD);
    assert_int_equal(hub_token_list(&db, count_row, counts), 0);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 1);
    /* The token itself is nowhere in the file. */
    assert_int_equal(
        number(&db, "SELECT count(*) FROM tokens WHERE CAST(hash AS TEXT) LIKE 'fota%' OR name LIKE 'fota%'"), 0);
    assert_int_equal(number(&db, "SELECT min(length(hash)) FROM tokens"), 32);
    hub_db_close(&db);
}

static void bearer(void **state)
{
    (void) state;
    assert_string_equal(hub_token_of_header("Bearer abc"), "abc");
    assert_string_equal(hub_token_of_header("bearer   abc"), "abc");
    assert_null(hub_token_of_header(NULL));
    assert_null(hub_token_of_header(""));
    assert_null(hub_token_of_header("Bearer"));
    assert_null(hub_token_of_header("Bearer "));
    assert_null(hub_token_of_header("Basic abc"));
    char text[300] = "Bearer ";
    memset(text + 7, 'a', 257);
    assert_null(hub_token_of_header(text));
}

static void add_release(struct hub_db *db, const char *sha256)
{
    struct hub_release r = {.size = 1000, .version = "1.1.0", .uploaded = 5};
    hub_copy(r.sha256, sizeof r.sha256, sha256);
    assert_int_equal(hub_release_insert(db, &r), 0);
    assert_int_equal(hub_release_insert(db, &r), 1);
}

static void constraints(void **state)
{
    (void) state;
    struct hub_db db;
    struct hub_gateway g = {.gateway = "gw1", .updated = 1};
    struct hub_device d = {.gateway = "gw1", .device = "board1", .state = "idle", .updated = 1};
    struct hub_update u = {.gateway = "gw1", .device = "board1", .release = SHA_1, .state = "queued", .started = 1}, v;
    assert_int_equal(hub_db_open(&db, path), 0);
    add_release(&db, SHA_1);
    add_release(&db, SHA_2);
    assert_int_equal(hub_device_put(&db, &d), SQLITE_CONSTRAINT); /* no such gateway */
    assert_int_equal(hub_gateway_put(&db, &g), 0);
    assert_int_equal(hub_device_put(&db, &d), 0);
    hub_copy(u.job, sizeof u.job, "j1");
    assert_int_equal(hub_update_insert(&db, &u), 0);
    hub_copy(u.job, sizeof u.job, "j2");
    assert_int_equal(hub_update_insert(&db, &u), 1); /* one at a time */
    assert_int_equal(hub_release_delete(&db, SHA_1), 2);
    assert_int_equal(hub_release_delete(&db, SHA_2), 0);
    assert_int_equal(hub_release_delete(&db, SHA_2), 1);
    assert_int_equal(hub_update_get(&db, "j1", &v), 0);
    hub_copy(v.state, sizeof v.state, "confirmed");
    v.ended = 9;
    assert_int_equal(hub_update_put(&db, &v), 0);
    assert_int_equal(hub_update_insert(&db, &u), 0); /* j2, now that j1 has ended */
    v.ended = 0;
    assert_int_equal(hub_update_put(&db, &v), 1); /* j1 cannot come back beside j2 */
    assert_int_equal(hub_update_get(&db, "j2", &u), 0);
    u.ended = 10;
    assert_int_equal(hub_update_put(&db, &u), 0);
    assert_int_equal(hub_release_delete(&db, SHA_1), 0);
    assert_int_equal(hub_update_get(&db, "j2", &u), 0);
    assert_string_equal(u.release, SHA_1); /* what was installed is still on record */
    hub_db_close(&db);
}

static void see_change(void *ctx, const struct hub_change *change)
{
    int64_t *last = ctx;
    assert_true(*last == 0 || change->time == *last - 1);
    *last = change->time;
}

static void history_is_bounded(void **state)
{
    (void) state;
    struct hub_db db;
    struct hub_gateway g = {.gateway = "gw1", .updated = 1};
    struct hub_device d = {.gateway = "gw1", .device = "board1", .state = "idle", .updated = 1};
    assert_int_equal(hub_db_open(&db, path), 0);
    assert_int_equal(hub_gateway_put(&db, &g), 0);
    assert_int_equal(hub_device_put(&db, &d), 0);
    assert_int_equal(hub_db_begin(&db), 0);
    for (int64_t i = 1; i <= (int64_t) HUB_HISTORY_PER_DEVICE + 50; i++) {
        struct hub_change c = {.time = i, .state = "idle"};
        assert_int_equal(hub_history_add(&db, "gw1", "board1", &c), 0);
    }
    assert_int_equal(hub_db_commit(&db), 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM history"), HUB_HISTORY_PER_DEVICE);
    assert_int_equal(number(&db, "SELECT min(time) FROM history"), 51);
    int64_t last = 0;
    assert_int_equal(hub_history_list(&db, "gw1", "board1", 10, see_change, &last), 0);
    assert_int_equal(last, HUB_HISTORY_PER_DEVICE + 50 - 9);
    hub_db_close(&db);
}

static void small_things(void **state)
{
    (void) state;
    char host[32], text[HUB_TIME_SIZE];
    uint16_t port;
    assert_int_equal(hub_split_address("127.0.0.1:0", host, sizeof host, &port), 0);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(hub_split_address("[::1]:65535", host, sizeof host, &port), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 65535);
    static const char *const wrong[] = {"", "a", ":1", "a:", "a:x", "a:65536", "a:-1", "::1:5", "[::1:5", "a:1234567"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hub_split_address(wrong[i], host, sizeof host, &port), -1);
    hub_time_format(1795233600456, text);
    assert_string_equal(text, "2026-11-21T04:00:00.456Z");
    assert_true(hub_valid_sha256(SHA_1));
    assert_false(hub_valid_sha256("111"));
    assert_false(hub_valid_sha256(SHA_1 "1"));
    assert_false(hub_valid_sha256("A" SHA_1));
    char quoted[8];
    assert_string_equal(hub_quote("a\nb", 3, quoted, sizeof quoted), "a?b");
    assert_string_equal(hub_quote("abcdefghij", 10, quoted, sizeof quoted), "abcd...");
    assert_true(hub_equal("abc", "abc", 3));
    assert_false(hub_equal("abc", "abd", 3));
}

int main(void)
{
    hub_log_set_level(HUB_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(migration, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade_from_1, setup, teardown),
        cmocka_unit_test_setup_teardown(steps, setup, teardown),
        cmocka_unit_test_setup_teardown(not_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens, setup, teardown),
        cmocka_unit_test(bearer),
        cmocka_unit_test_setup_teardown(constraints, setup, teardown),
        cmocka_unit_test_setup_teardown(history_is_bounded, setup, teardown),
        cmocka_unit_test(small_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
