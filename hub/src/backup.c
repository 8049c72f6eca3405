/* SPDX-License-Identifier: MIT */
#include "backup.h"

#include "log.h"
#include "model.h"
#include "store.h"

#include "fota/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096u
#define PACKAGE_MAX 67108864 /* the largest --max-upload */

static int fail(const char *what, const char *path)
{
    hub_log(HUB_LOG_ERROR, "%s %s: %s", what, path, strerror(errno));
    return -1;
}

static int sqlite_fail(struct hub_db *db, const char *what, const char *path)
{
    hub_log(HUB_LOG_ERROR, "%s %s: %s", what, path, db->sql != NULL ? sqlite3_errmsg(db->sql) : "out of memory");
    return -1;
}

/* Without migrating: a backup before an upgrade is of the older hub's database. */
static int open_plain(struct hub_db *db, const char *path, int flags)
{
    int rc = sqlite3_open_v2(path, &db->sql, flags | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK) {
        sqlite_fail(db, "cannot open", path);
        hub_db_close(db);
        return -1;
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, 10000);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return hub_db_run(db, "PRAGMA trusted_schema = OFF", "");
}

static int64_t number(struct hub_db *db, const char *statement)
{
    sqlite3_stmt *query = hub_db_query(db, statement, "");
    int64_t value = query != NULL && hub_db_step(db, query) == 1 ? sqlite3_column_int64(query, 0) : -1;
    sqlite3_finalize(query);
    return value;
}

/* All pages, as they are at one moment: in WAL mode a reader holds up no writer. */
static int copy_database(struct hub_db *from, struct hub_db *to, const char *path)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->sql, "main", from->sql, "main");
    int rc = backup != NULL ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
    if (backup != NULL && sqlite3_backup_finish(backup) != SQLITE_OK)
        rc = SQLITE_ERROR;
    if (rc != SQLITE_DONE)
        return sqlite_fail(to, "cannot copy the database to", path);
    /* The copy is a single file, without -wal and -shm. */
    return hub_db_run(to, "PRAGMA journal_mode = DELETE", "");
}

static void digest_hex(const void *data, size_t size, char hex[HUB_SHA256_HEX + 1])
{
    uint8_t digest[FOTA_SHA256_SIZE];
    fota_sha256(data, size, digest);
    hub_hex(digest, sizeof digest, hex);
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

/* @return 0 with malloc'ed content; 1 when there is no such file; -1 (logged). */
static int read_package(const int packages[2], const char *sha256, void **data, size_t *size)
{
    char name[HUB_FILE_NAME_SIZE], hex[HUB_SHA256_HEX + 1];
    struct stat st;
    snprintf(name, sizeof name, "%s.fota", sha256);
    int fd = openat(packages[0], name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && packages[1] >= 0)
        fd = openat(packages[1], name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 1 : fail("cannot read the package", name);
    int rc = -1;
    *data = NULL;
    if (fstat(fd, &st) != 0 || st.st_size > PACKAGE_MAX || (*data = malloc((size_t) st.st_size + 1)) == NULL) {
        fail("cannot read the package", name);
    } else {
        size_t done = 0;
        ssize_t n = 1;
        while (done < (size_t) st.st_size && (n = read(fd, (char *) *data + done, (size_t) st.st_size - done)) > 0)
            done += (size_t) n;
        digest_hex(*data, done, hex);
        if (n < 0)
            fail("cannot read the package", name);
        else if (strcmp(hex, sha256) != 0)
            hub_log(HUB_LOG_ERROR,
                    "the package %s is damaged: its SHA-256 is %s; delete the release or upload it again", name, hex);
        else
            rc = 0;
        *size = done;
    }
    close(fd);
    if (rc != 0)
        free(*data);
    return rc;
}

struct writing {
    struct hub_db *live, *copy;
    const int *packages; /* packages/, cache/ */
    unsigned elsewhere;
    bool failed;
};

static void add_package(void *ctx, const struct hub_release *release)
{
    struct writing *w = ctx;
    struct hub_release now;
    void *data;
    size_t size;
    if (w->failed)
        return;
    int rc = read_package(w->packages, release->sha256, &data, &size);
    if (rc == 0) {
        rc = hub_db_run(w->copy, "INSERT INTO package (sha256, data) VALUES (?, ?)", "sb", release->sha256, data, size);
        free(data);
    } else if (rc == 1 && hub_release_get(w->live, release->sha256, &now) == 1) {
        /* Deleted since the copy was made; the row is dropped below. */
        rc = 0;
    } else if (rc == 1 && w->packages[1] >= 0) {
        w->elsewhere++;
        rc = hub_db_run(w->copy, "INSERT INTO package (sha256, data) VALUES (?, ?)", "sb", release->sha256, "",
                        (size_t) 0);
    } else if (rc == 1) {
        hub_log(HUB_LOG_ERROR, "the package of release %s is missing; delete the release or upload it again",
                release->sha256);
    }
    w->failed = rc != 0;
}

static int write_copy(struct hub_db *live, const int packages[2], struct hub_db *copy, const char *path)
{
    struct writing w = {live, copy, packages, 0, false};
    char id[64];
    snprintf(id, sizeof id, "PRAGMA application_id = %d", HUB_BACKUP_ID);
    if (copy_database(live, copy, path) != 0 || hub_db_begin(copy) != 0 ||
        hub_db_run(copy, "CREATE TABLE package (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)", "") != 0 ||
        hub_release_list(copy, add_package, &w) != 0 || w.failed ||
        hub_db_run(copy, "DELETE FROM releases WHERE sha256 NOT IN (SELECT sha256 FROM package)", "") != 0 ||
        hub_db_run(copy, id, "") != 0)
        return -1;
    if (w.elsewhere > 0)
        hub_log(HUB_LOG_WARN, "%u packages are in the bucket only: this backup has their releases without them",
                w.elsewhere);
    return hub_db_commit(copy);
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return rc;
}

static void close_both(const int directory[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (directory[i] >= 0)
            close(directory[i]);
}

int hub_backup_write(const char *data, const char *file)
{
    char source[PATH_SIZE], part[PATH_SIZE];
    struct hub_db live = {NULL}, copy = {NULL};
    int packages[2] = {-1, -1}, rc = -1, fd;
    if ((size_t) snprintf(source, sizeof source, "%s/packages", data) >= sizeof source ||
        (size_t) snprintf(part, sizeof part, "%s.part", file) >= sizeof part)
        return -1;
    if (access(file, F_OK) == 0) {
        hub_log(HUB_LOG_ERROR, "%s is there already; choose another name", file);
        return -1;
    }
    packages[0] = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (packages[0] < 0)
        return fail("no data directory of a hub:", source);
    snprintf(source, sizeof source, "%s/cache", data); /* of a hub whose packages are in a bucket */
    packages[1] = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(source, sizeof source, "%s/hub.db", data);
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        fail(errno == EEXIST ? "another backup is being written, or one was cut; if so remove" : "cannot write", part);
        close_both(packages);
        return -1;
    }
    close(fd);
    if (open_plain(&live, source, SQLITE_OPEN_READWRITE) == 0 && open_plain(&copy, part, SQLITE_OPEN_READWRITE) == 0)
        rc = write_copy(&live, packages, &copy, part);
    if (copy.sql != NULL)
        hub_db_close(&copy);
    if (live.sql != NULL)
        hub_db_close(&live);
    close_both(packages);
    /* Read back what was written: a backup that cannot be restored is none. */
    if (rc == 0 && (rc = hub_backup_open(&copy, part)) == 0)
        hub_db_close(&copy);
    if (rc == 0 && (sync_file(part) != 0 || link(part, file) != 0))
        rc = fail("cannot write", file);
    unlink(part);
    return rc;
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static int verify_packages(struct hub_db *db, const char *file)
{
    sqlite3_stmt *query = hub_db_query(db, "SELECT sha256, data FROM package", "");
    char sha256[HUB_FILE_NAME_SIZE], hex[HUB_SHA256_HEX + 1];
    int rc = query == NULL ? -1 : 1;
    while (rc == 1 && (rc = hub_db_step(db, query)) == 1) {
        hub_db_text(query, 0, sha256, sizeof sha256);
        size_t size = (size_t) sqlite3_column_bytes(query, 1);
        if (size == 0 && hub_valid_sha256(sha256))
            continue; /* it is in a bucket */
        digest_hex(sqlite3_column_blob(query, 1), size, hex);
        if (!hub_valid_sha256(sha256) || strcmp(hex, sha256) != 0) {
            hub_log(HUB_LOG_ERROR, "backup %s: the package \"%.64s\" has the SHA-256 %s", file, sha256, hex);
            rc = -1;
        }
    }
    sqlite3_finalize(query);
    return rc;
}

int hub_backup_open(struct hub_db *db, const char *file)
{
    char answer[200] = "";
    if (open_plain(db, file, SQLITE_OPEN_READONLY) != 0) {
        if (db->sql != NULL)
            hub_db_close(db);
        return -1;
    }
    int64_t id = number(db, "PRAGMA application_id");
    int version = hub_db_version(db);
    if (id != HUB_BACKUP_ID) {
        hub_log(HUB_LOG_ERROR, "%s is no backup of fota-hub", file);
    } else if (version < 1 || version > HUB_DB_VERSION) {
        hub_log(HUB_LOG_ERROR, "backup %s: schema version %d is not from 1 to %d; use the fota-hub that wrote it", file,
                version, HUB_DB_VERSION);
    } else {
        sqlite3_stmt *query = hub_db_query(db, "PRAGMA integrity_check(1)", "");
        if (query != NULL && hub_db_step(db, query) == 1)
            hub_db_text(query, 0, answer, sizeof answer);
        sqlite3_finalize(query);
        if (strcmp(answer, "ok") != 0)
            hub_log(HUB_LOG_ERROR, "backup %s is damaged: %s", file, answer);
        else if (number(db, "SELECT count(*) FROM releases WHERE sha256 NOT IN (SELECT sha256 FROM package)") != 0)
            hub_log(HUB_LOG_ERROR, "backup %s: a release has no package", file);
        else if (verify_packages(db, file) == 0)
            return 0;
    }
    hub_db_close(db);
    return -1;
}

/* --- restoring -----------------------------------------------------------------------------------------------------
 */

static bool is_empty(const char *data)
{
    DIR *d = opendir(data);
    bool empty = true;
    if (d == NULL)
        return errno == ENOENT;
    /* cppcheck-suppress readdirCalled; nobody else has this stream, and POSIX 2024 allows it then */
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    closedir(d);
    return empty;
}

static int restore_packages(struct hub_db *backup, struct hub_store *store)
{
    sqlite3_stmt *query = hub_db_query(backup, "SELECT sha256, data FROM package", "");
    char sha256[HUB_FILE_NAME_SIZE], name[HUB_FILE_NAME_SIZE];
    int rc = query == NULL ? -1 : 1;
    while (rc == 1 && (rc = hub_db_step(backup, query)) == 1) {
        hub_db_text(query, 0, sha256, sizeof sha256);
        if (sqlite3_column_bytes(query, 1) == 0)
            continue;
        int fd = hub_store_temp(store, name);
        if (fd < 0 || hub_write_all(fd, sqlite3_column_blob(query, 1), (size_t) sqlite3_column_bytes(query, 1)) != 0 ||
            hub_store_keep(store, fd, name, sha256) != 0) {
            rc = fail("cannot restore the package", sha256);
            if (fd >= 0)
                hub_store_discard(store, name);
        }
        if (fd >= 0)
            close(fd);
    }
    sqlite3_finalize(query);
    return rc;
}

/* The database comes last, under another name until it is complete: a hub that starts in between finds none. */
static int restore_database(struct hub_db *backup, const char *data)
{
    char part[PATH_SIZE], final[PATH_SIZE];
    struct hub_db db = {NULL};
    if ((size_t) snprintf(part, sizeof part, "%s/tmp/hub.db", data) >= sizeof part)
        return -1;
    snprintf(final, sizeof final, "%s/hub.db", data);
    int rc = open_plain(&db, part, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (rc == 0 && (copy_database(backup, &db, part) != 0 || hub_db_run(&db, "DROP TABLE package", "") != 0 ||
                    hub_db_run(&db, "PRAGMA application_id = 0", "") != 0 || hub_db_run(&db, "VACUUM", "") != 0))
        rc = -1;
    if (db.sql != NULL)
        hub_db_close(&db);
    if (rc == 0 && (chmod(part, 0600) != 0 || sync_file(part) != 0 || rename(part, final) != 0))
        rc = fail("cannot restore", final);
    if (rc == 0 && (rc = hub_db_open(&db, final)) == 0) /* migrates */
        hub_db_close(&db);
    return rc;
}

/* What a restore that failed has made, and nothing else: the directory was empty. */
static void clean(struct hub_db *backup, struct hub_store *store, const char *data)
{
    static const char *const made[] = {"tmp/hub.db", "tmp/hub.db-journal", "tmp",      "hub.db",
                                       "hub.db-wal", "hub.db-shm",         "hub.lock", "packages"};
    char path[PATH_SIZE], sha256[HUB_FILE_NAME_SIZE];
    sqlite3_stmt *query = hub_db_query(backup, "SELECT sha256 FROM package", "");
    while (query != NULL && hub_db_step(backup, query) == 1) {
        hub_db_text(query, 0, sha256, sizeof sha256);
        hub_store_remove_package(store, sha256);
    }
    sqlite3_finalize(query);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if ((size_t) snprintf(path, sizeof path, "%s/%s", data, made[i]) < sizeof path)
            remove(path);
}

int hub_backup_restore(struct hub_db *backup, const char *data)
{
    struct hub_store store;
    if (!is_empty(data)) {
        hub_log(HUB_LOG_ERROR, "%s is not an empty directory; move away what is in it, or choose another --data", data);
        return -1;
    }
    if (hub_store_open(&store, data) != 0)
        return -1;
    int rc = restore_packages(backup, &store) == 0 ? restore_database(backup, data) : -1;
    if (rc != 0)
        clean(backup, &store, data);
    hub_store_close(&store);
    return rc;
}
