/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "gw/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHOLE ".fota"
#define PART ".part"
#define FILE_NAME (GW_HEX(GW_DIGEST_SIZE) + sizeof PART)

static const char *file_name(const uint8_t *digest, const char *suffix, char name[FILE_NAME])
{
    gw_hex(digest, GW_DIGEST_SIZE, name);
    (void) strcat(name, suffix); /* NOLINT: sized for it */
    return name;
}

static int write_all(int fd, const void *data, size_t length)
{
    const char *from = data;

    while (length > 0) {
        ssize_t n = write(fd, from, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        from += n;
        length -= (size_t) n;
    }
    return 0;
}

/* --- packages --------------------------------------------------------------------------------- */

static int files_stat(void *ctx, const uint8_t *digest, uint32_t *size, bool *complete)
{
    struct port_files *f = ctx;
    char name[FILE_NAME];
    struct stat st;

    *size = 0;
    *complete = fstatat(f->packages, file_name(digest, WHOLE, name), &st, 0) == 0;
    if (!*complete && fstatat(f->packages, file_name(digest, PART, name), &st, 0) != 0)
        return errno == ENOENT ? 0 : -1;
    *size = st.st_size > (off_t) UINT32_MAX ? UINT32_MAX : (uint32_t) st.st_size;
    return 0;
}

static int files_append(void *ctx, const uint8_t *digest, const uint8_t *data, size_t length)
{
    struct port_files *f = ctx;
    char name[FILE_NAME];
    int fd = openat(f->packages, file_name(digest, PART, name), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    int result;

    if (fd < 0)
        return -1;
    result = write_all(fd, data, length);
    return close(fd) != 0 ? -1 : result;
}

static int open_for_reading(const struct port_files *f, const uint8_t *digest)
{
    char name[FILE_NAME];
    int fd = openat(f->packages, file_name(digest, WHOLE, name), O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        fd = openat(f->packages, file_name(digest, PART, name), O_RDONLY | O_CLOEXEC);
    return fd;
}

static int files_read(void *ctx, const uint8_t *digest, uint32_t offset, uint8_t *data, size_t length)
{
    int fd = open_for_reading(ctx, digest);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = pread(fd, data, length, (off_t) offset);
    (void) close(fd);
    return (int) n;
}

static int files_sync(void *ctx, const uint8_t *digest)
{
    int fd = open_for_reading(ctx, digest);
    int result;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    result = fsync(fd);
    (void) close(fd);
    return result;
}

static int files_touch(void *ctx, const uint8_t *digest)
{
    struct port_files *f = ctx;
    char name[FILE_NAME];

    return utimensat(f->packages, file_name(digest, WHOLE, name), NULL, 0);
}

static int files_commit(void *ctx, const uint8_t *digest)
{
    struct port_files *f = ctx;
    char part[FILE_NAME], whole[FILE_NAME];

    if (renameat(f->packages, file_name(digest, PART, part), f->packages, file_name(digest, WHOLE, whole)) != 0)
        return -1;
    return fsync(f->packages);
}

static int files_remove(void *ctx, const uint8_t *digest)
{
    struct port_files *f = ctx;
    char name[FILE_NAME];
    int result = 0;

    if (unlinkat(f->packages, file_name(digest, WHOLE, name), 0) != 0 && errno != ENOENT)
        result = -1;
    if (unlinkat(f->packages, file_name(digest, PART, name), 0) != 0 && errno != ENOENT)
        result = -1;
    return result;
}

/* A name of ours. @return false for anything else that lies in the directory. */
static bool parse_name(const char *name, uint8_t *digest, bool *complete)
{
    char hex[GW_HEX(GW_DIGEST_SIZE)];

    if (strlen(name) != GW_HEX(GW_DIGEST_SIZE) - 1u + 5u)
        return false;
    memcpy(hex, name, sizeof hex - 1u);
    hex[sizeof hex - 1u] = '\0';
    *complete = strcmp(name + sizeof hex - 1u, WHOLE) == 0;
    return (*complete || strcmp(name + sizeof hex - 1u, PART) == 0) && gw_unhex(hex, digest, GW_DIGEST_SIZE);
}

static int files_list(void *ctx, unsigned index, struct gw_package_file *file)
{
    struct port_files *f = ctx;
    int fd = openat(f->packages, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int found = 0;

    if (dir == NULL) {
        if (fd >= 0)
            (void) close(fd);
        return -1;
    }
    /* cppcheck-suppress readdirCalled; nobody else has this stream, and POSIX 2024 allows it then */
    while (found == 0 && (entry = readdir(dir)) != NULL) {
        struct stat st;

        if (!parse_name(entry->d_name, file->digest, &file->complete) ||
            fstatat(f->packages, entry->d_name, &st, 0) != 0 || index-- > 0)
            continue;
        file->size = st.st_size > (off_t) UINT32_MAX ? UINT32_MAX : (uint32_t) st.st_size;
        file->used = (uint64_t) st.st_mtim.tv_sec * 1000000000u + (uint64_t) st.st_mtim.tv_nsec;
        found = 1;
    }
    (void) closedir(dir);
    return found;
}

/* --- records ---------------------------------------------------------------------------------- */

static int files_put(void *ctx, const char *name, const void *data, size_t length)
{
    struct port_files *f = ctx;
    char temporary[GW_RECORD_NAME_MAX + 8u];
    int fd, result;

    (void) snprintf(temporary, sizeof temporary, "%s.new", name);
    fd = openat(f->state, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    result = write_all(fd, data, length);
    if (result == 0)
        result = fsync(fd);
    if (close(fd) != 0 || result != 0 || renameat(f->state, temporary, f->state, name) != 0) {
        (void) unlinkat(f->state, temporary, 0);
        return -1;
    }
    return fsync(f->state);
}

static int files_get(void *ctx, const char *name, void *data, size_t capacity)
{
    struct port_files *f = ctx;
    int fd = openat(f->state, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) == 0 && st.st_size >= 0 && (size_t) st.st_size <= capacity)
        n = read(fd, data, (size_t) st.st_size);
    (void) close(fd);
    return (int) n;
}

static int files_erase(void *ctx, const char *name)
{
    struct port_files *f = ctx;

    return unlinkat(f->state, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/* --- the directory ---------------------------------------------------------------------------- */

static int make_directory(int at, const char *path)
{
    if (mkdirat(at, path, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int port_files_open(struct port_files *f, const char *directory, char *error, size_t capacity)
{
    int base;

    *f = (struct port_files){.lock = -1, .packages = -1, .state = -1};
    f->storage = (struct gw_storage){.ctx = f,
                                     .stat = files_stat,
                                     .append = files_append,
                                     .read = files_read,
                                     .sync = files_sync,
                                     .commit = files_commit,
                                     .touch = files_touch,
                                     .remove = files_remove,
                                     .list = files_list,
                                     .put = files_put,
                                     .get = files_get,
                                     .erase = files_erase};
    base = make_directory(AT_FDCWD, directory);
    if (base >= 0) {
        f->packages = make_directory(base, "packages");
        f->state = make_directory(base, "state");
        f->lock = openat(base, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    if (base < 0 || f->packages < 0 || f->state < 0 || f->lock < 0) {
        (void) snprintf(error, capacity, "cache directory %s: %s", directory, strerror(errno));
        if (base >= 0)
            (void) close(base);
        port_files_close(f);
        return -1;
    }
    (void) close(base);
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) {
        (void) snprintf(error, capacity, "cache directory %s is used by another gateway", directory);
        port_files_close(f);
        return -1;
    }
    return 0;
}

void port_files_close(struct port_files *f)
{
    int *fds[] = {&f->lock, &f->packages, &f->state};

    for (size_t i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            (void) close(*fds[i]);
        *fds[i] = -1;
    }
}
