/* SPDX-License-Identifier: MIT */
/** @file file.c Messages, whole files in, whole files out. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pack_fail(struct pack_message *error, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    error->code = code;
    error->word = 0;
    (void) vsnprintf(error->text, sizeof error->text, format, list);
    va_end(list);
    return code;
}

int pack_no_memory(struct pack_message *error)
{
    return pack_fail(error, FOTA_E_IO, "out of memory");
}

void pack_buffer_free(struct pack_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct pack_buffer){0};
}

static int read_all(int fd, const char *path, size_t limit, struct pack_buffer *buffer, struct pack_message *error)
{
    size_t capacity = 0;
    for (;;) {
        if (buffer->size == capacity) {
            /* Sizes are not taken from stat(): the file may be a pipe or grow. One byte more than allowed
             * tells. */
            capacity = capacity == 0 ? 65536u : 2u * capacity;
            if (capacity > limit + 1u)
                capacity = limit + 1u;
            uint8_t *larger = realloc(buffer->data, capacity);
            if (larger == NULL)
                return pack_no_memory(error);
            buffer->data = larger;
        }
        ssize_t n = read(fd, buffer->data + buffer->size, capacity - buffer->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pack_fail(error, FOTA_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (n == 0)
            return FOTA_OK;
        buffer->size += (size_t) n;
        if (buffer->size > limit)
            return pack_fail(error, FOTA_E_SIZE, "%s: larger than the %zu bytes that are allowed here", path, limit);
    }
}

int pack_file_read(const char *path, size_t limit, struct pack_buffer *buffer, struct pack_message *error)
{
    *buffer = (struct pack_buffer){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pack_fail(error, FOTA_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    int e = read_all(fd, path, limit, buffer, error);
    (void) close(fd);
    if (e != FOTA_OK)
        pack_buffer_free(buffer);
    return e;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t) n;
    }
    return true;
}

int pack_file_write(const char *path, const void *data, size_t size, unsigned mode, struct pack_message *error)
{
    size_t length = strlen(path);
    char *temporary = malloc(length + 8u);
    if (temporary == NULL)
        return pack_no_memory(error);
    (void) snprintf(temporary, length + 8u, "%s.XXXXXX", path);
    int fd = mkstemp(temporary); /* made with mode 0600: a private key is never readable for others, not for a moment */
    bool done = fd >= 0 && write_all(fd, data, size) && fchmod(fd, (mode_t) mode) == 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && done) {
        why = errno;
        done = false;
    }
    if (done && rename(temporary, path) != 0) {
        why = errno;
        done = false;
    }
    if (!done && fd >= 0)
        (void) unlink(temporary);
    free(temporary);
    return done ? FOTA_OK : pack_fail(error, FOTA_E_IO, "%s: cannot be written: %s", path, strerror(why));
}
