/* SPDX-License-Identifier: MIT */
#include "store.h"

#include "log.h"
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what, const char *name)
{
    hub_log(HUB_LOG_ERROR, "%s %s: %s", what, name, strerror(errno));
    return -1;
}

int hub_store_make_dir(const char *dir)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail("cannot make the data directory", dir);
    return 0;
}

static int open_subdir(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Call `visit` for every file of a directory. */
static int each_file(int directory, void (*visit)(int directory, const char *name, void *ctx), void *ctx)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (d == NULL) {
        if (copy >= 0)
            close(copy);
        return fail("cannot list", "the data directory");
    }
    /* cppcheck-suppress readdirCalled; nobody else has this stream, and POSIX 2024 allows it then */
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            visit(directory, e->d_name, ctx);
    closedir(d);
    return 0;
}

static void remove_partial(int directory, const char *name, void *ctx)
{
    (void) ctx;
    if (unlinkat(directory, name, 0) == 0)
        hub_log(HUB_LOG_INFO, "removed the partial upload %s", name);
    else
        fail("cannot remove", name);
}

int hub_store_open(struct hub_store *store, const char *dir)
{
    *store = (struct hub_store) HUB_STORE_CLOSED;
    if (hub_store_make_dir(dir) != 0)
        return -1;
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail("cannot open the data directory", dir);
    store->lock = openat(root, "hub.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    store->packages = open_subdir(root, "packages");
    store->tmp = open_subdir(root, "tmp");
    store->cache = openat(root, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(root);
    if (store->lock < 0 || store->packages < 0 || store->tmp < 0) {
        fail("cannot use the data directory", dir);
    } else if (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
        hub_log(HUB_LOG_ERROR, "data directory %s: another fota-hub uses it; end that one or choose another --data",
                dir);
    } else if (each_file(store->tmp, remove_partial, NULL) == 0) {
        return 0;
    }
    hub_store_close(store);
    return -1;
}

void hub_store_close(struct hub_store *store)
{
    int *fds[] = {&store->lock, &store->packages, &store->tmp, &store->cache};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static void remove_orphan(int directory, const char *name, void *ctx)
{
    char sha256[HUB_FILE_NAME_SIZE];
    struct hub_release release;
    hub_copy(sha256, sizeof sha256, name);
    char *dot = strrchr(sha256, '.');
    if (dot != NULL)
        *dot = '\0';
    if (hub_valid_sha256(sha256) && strcmp(name + HUB_SHA256_HEX, ".fota") == 0 &&
        hub_release_get(ctx, sha256, &release) == 1 && unlinkat(directory, name, 0) == 0)
        hub_log(HUB_LOG_INFO, "removed the package %s, of which there is no release", name);
}

static void report_missing(void *ctx, const struct hub_release *release)
{
    int fd = hub_store_open_package(ctx, release->sha256);
    if (fd < 0)
        hub_log(HUB_LOG_ERROR, "the package of release %s is missing (%s); upload it again", release->sha256,
                strerror(errno));
    else
        close(fd);
}

int hub_store_sweep(struct hub_store *store, struct hub_db *db)
{
    if (each_file(store->packages, remove_orphan, db) != 0 ||
        (store->cache >= 0 && each_file(store->cache, remove_orphan, db) != 0))
        return -1;
    return store->bucket ? 0 : hub_release_list(db, report_missing, store);
}

int hub_store_temp(struct hub_store *store, char name[HUB_FILE_NAME_SIZE])
{
    uint8_t random[16];
    char digits[33];
    if (hub_random(random, sizeof random) != 0)
        return -1;
    hub_hex(random, sizeof random, digits);
    snprintf(name, HUB_FILE_NAME_SIZE, "upload-%s", digits);
    int fd = openat(store->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        fail("cannot make the file", name);
    return fd;
}

void hub_store_discard(struct hub_store *store, const char *name)
{
    if (unlinkat(store->tmp, name, 0) != 0 && errno != ENOENT)
        fail("cannot remove", name);
}

static void package_name(const char *sha256, char name[HUB_FILE_NAME_SIZE])
{
    snprintf(name, HUB_FILE_NAME_SIZE, "%s.fota", sha256);
}

static int move_in(struct hub_store *store, int fd, const char *name, int directory, const char *sha256)
{
    char final[HUB_FILE_NAME_SIZE];
    package_name(sha256, final);
    if (fchmod(fd, 0400) != 0 || fsync(fd) != 0)
        return fail("cannot sync", name);
    if (renameat(store->tmp, name, directory, final) != 0)
        return fail("cannot rename to", final);
    if (fsync(directory) != 0)
        return fail("cannot sync the directory of", final);
    return 0;
}

int hub_store_keep(struct hub_store *store, int fd, const char *name, const char *sha256)
{
    return move_in(store, fd, name, store->packages, sha256);
}

int hub_store_open_package(const struct hub_store *store, const char *sha256)
{
    char name[HUB_FILE_NAME_SIZE];
    package_name(sha256, name);
    int fd = openat(store->packages, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 || errno != ENOENT || store->cache < 0)
        return fd;
    fd = openat(store->cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        futimens(fd, NULL); /* used now; without that it only makes room earlier */
    return fd;
}

void hub_store_remove_package(struct hub_store *store, const char *sha256)
{
    char name[HUB_FILE_NAME_SIZE];
    package_name(sha256, name);
    if (unlinkat(store->packages, name, 0) != 0 && errno != ENOENT)
        fail("cannot remove", name);
    if (store->cache >= 0 && unlinkat(store->cache, name, 0) != 0 && errno != ENOENT)
        fail("cannot remove", name);
}

/* --- a bucket ------------------------------------------------------------------------------------------------------
 */

int hub_store_use_bucket(struct hub_store *store, const char *dir)
{
    store->bucket = true;
    if (store->cache >= 0)
        return 0;
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0) {
        store->cache = open_subdir(root, "cache");
        close(root);
    }
    return store->cache >= 0 ? 0 : fail("cannot make the cache in", dir);
}

struct cached {
    uint64_t bytes;
    const char *keep;
    char oldest[HUB_FILE_NAME_SIZE];
    struct timespec used;
};

static void look_at(int directory, const char *name, void *ctx)
{
    struct cached *c = ctx;
    struct stat st;
    if (strlen(name) >= HUB_FILE_NAME_SIZE || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    c->bytes += (uint64_t) st.st_size;
    bool older = st.st_mtim.tv_sec < c->used.tv_sec ||
                 (st.st_mtim.tv_sec == c->used.tv_sec && st.st_mtim.tv_nsec < c->used.tv_nsec);
    if (strcmp(name, c->keep) == 0 || (c->oldest[0] != '\0' && !older))
        return;
    hub_copy(c->oldest, sizeof c->oldest, name);
    c->used = st.st_mtim;
}

static void make_room(struct hub_store *store, const char *keep, uint64_t limit)
{
    for (;;) {
        struct cached c = {.keep = keep};
        if (each_file(store->cache, look_at, &c) != 0 || c.bytes <= limit || c.oldest[0] == '\0')
            return;
        if (unlinkat(store->cache, c.oldest, 0) != 0) {
            fail("cannot remove", c.oldest);
            return;
        }
    }
}

int hub_store_keep_copy(struct hub_store *store, int fd, const char *name, const char *sha256, uint64_t limit)
{
    char final[HUB_FILE_NAME_SIZE];
    package_name(sha256, final);
    int rc = move_in(store, fd, name, store->cache, sha256);
    if (rc == 0)
        make_room(store, final, limit);
    return rc;
}

int hub_store_make_copy(struct hub_store *store, const char *sha256, uint64_t limit)
{
    char name[HUB_FILE_NAME_SIZE];
    package_name(sha256, name);
    if (renameat(store->packages, name, store->cache, name) != 0)
        return errno == ENOENT ? 0 : fail("cannot move to the cache", name); /* ENOENT: deleted in the meantime */
    make_room(store, name, limit);
    return 0;
}

static void take_package(int directory, const char *name, void *ctx)
{
    char sha256[HUB_FILE_NAME_SIZE];
    (void) directory;
    hub_copy(sha256, sizeof sha256, name);
    sha256[strcspn(sha256, ".")] = '\0';
    if (hub_valid_sha256(sha256))
        memcpy(ctx, sha256, HUB_SHA256_HEX + 1);
}

bool hub_store_next_package(struct hub_store *store, char sha256[HUB_SHA256_HEX + 1])
{
    sha256[0] = '\0';
    return each_file(store->packages, take_package, sha256) == 0 && sha256[0] != '\0';
}

bool hub_store_want(struct hub_store *store, const char *sha256)
{
    if (!store->bucket)
        return false;
    pthread_mutex_lock(&store->wanted_lock);
    bool none = strcmp(store->no_such, sha256) == 0;
    store->no_such[0] = '\0'; /* asked for once more it is looked for once more: it may have been uploaded */
    if (!none)
        hub_copy(store->wanted, sizeof store->wanted, sha256);
    pthread_mutex_unlock(&store->wanted_lock);
    return !none;
}

bool hub_store_wanted(struct hub_store *store, char sha256[HUB_SHA256_HEX + 1])
{
    pthread_mutex_lock(&store->wanted_lock);
    memcpy(sha256, store->wanted, HUB_SHA256_HEX + 1);
    store->wanted[0] = '\0';
    pthread_mutex_unlock(&store->wanted_lock);
    return sha256[0] != '\0';
}

void hub_store_no_such(struct hub_store *store, const char *sha256)
{
    pthread_mutex_lock(&store->wanted_lock);
    hub_copy(store->no_such, sizeof store->no_such, sha256);
    pthread_mutex_unlock(&store->wanted_lock);
}

int hub_write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        size -= (size_t) n;
    }
    return 0;
}
