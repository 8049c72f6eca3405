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
    *store = (struct hub_store){-1, -1, -1};
    if (hub_store_make_dir(dir) != 0)
        return -1;
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail("cannot open the data directory", dir);
    store->lock = openat(root, "hub.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    store->packages = open_subdir(root, "packages");
    store->tmp = open_subdir(root, "tmp");
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
    int *fds[] = {&store->lock, &store->packages, &store->tmp};
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
    if (each_file(store->packages, remove_orphan, db) != 0)
        return -1;
    return hub_release_list(db, report_missing, store);
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

int hub_store_keep(struct hub_store *store, int fd, const char *name, const char *sha256)
{
    char final[HUB_FILE_NAME_SIZE];
    package_name(sha256, final);
    if (fchmod(fd, 0400) != 0 || fsync(fd) != 0)
        return fail("cannot sync", name);
    if (renameat(store->tmp, name, store->packages, final) != 0)
        return fail("cannot rename to", final);
    if (fsync(store->packages) != 0)
        return fail("cannot sync the directory of", final);
    return 0;
}

int hub_store_open_package(const struct hub_store *store, const char *sha256)
{
    char name[HUB_FILE_NAME_SIZE];
    package_name(sha256, name);
    return openat(store->packages, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void hub_store_remove_package(struct hub_store *store, const char *sha256)
{
    char name[HUB_FILE_NAME_SIZE];
    package_name(sha256, name);
    if (unlinkat(store->packages, name, 0) != 0 && errno != ENOENT)
        fail("cannot remove", name);
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
