/* SPDX-License-Identifier: MIT */
#include "inspect.h"

#include "log.h"
#include "store.h"

#include <fota/bytes.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 16384u

int hub_keys_add(struct hub_keys *keys, const char *path)
{
    struct pack_message message = {0};
    if (keys->count == HUB_KEYS_MAX) {
        hub_log(HUB_LOG_ERROR, "--key %s: there are %u keys already, and no more are allowed", path, HUB_KEYS_MAX);
        return -1;
    }
    if (pack_public_load(path, &keys->keys[keys->count], &message) != FOTA_OK) {
        hub_log(HUB_LOG_ERROR, "--key: %s", message.text);
        return -1;
    }
    keys->count++;
    return 0;
}

int hub_keys_set_dev(struct hub_keys *keys, const char *path)
{
    struct pack_message message = {0};
    if (keys->count == HUB_KEYS_MAX) {
        hub_log(HUB_LOG_ERROR, "--dev-key %s: no room for its public half beside %u keys", path, HUB_KEYS_MAX);
        return -1;
    }
    if (pack_key_load(path, &keys->dev_key, &message) != FOTA_OK) {
        hub_log(HUB_LOG_ERROR, "--dev-key: %s", message.text);
        return -1;
    }
    keys->keys[keys->count++] = keys->dev_key.public_key;
    keys->dev = true;
    return 0;
}

/* Read fully at an offset. @return bytes, fewer only at the end of the file; -1 on failure. */
static ssize_t read_at(int fd, void *buffer, size_t size, off_t offset)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = pread(fd, (char *) buffer + have, size - have, offset + (off_t) have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t) n;
    }
    return (ssize_t) have;
}

static int io_error(struct hub_error *error)
{
    hub_log(HUB_LOG_ERROR, "an upload could not be read back or written: %s", strerror(errno));
    return hub_fail(error, 500, "internal", "", "the hub's disk failed: %s", strerror(errno));
}

/* The message of the packer's library, which knows field, value and remedy; the code is the reason of docs/mqtt.md. */
static int refuse(int code, int fd, const struct hub_keys *keys, const char *name, struct hub_error *error)
{
    struct stat st;
    size_t size = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t) st.st_size : 0;
    uint8_t *data = malloc(size > 0 ? size : 1); /* whole: the message says how long it is and what is in it */
    if (data == NULL || read_at(fd, data, size, 0) != (ssize_t) size) {
        free(data);
        return hub_fail(error, 400, fota_error_name(code), fota_error_name(code), "%s", fota_error_text(code));
    }
    /* What is too short for a header and does not begin like one is no package, rather than half of one. */
    if (code == FOTA_E_TRUNCATED && size >= 4u && fota_get32(data) != FOTA_HEADER_MAGIC)
        code = FOTA_E_MAGIC;
    struct pack_context context = {.file = name[0] != '\0' ? name : "the upload",
                                   .header = size >= FOTA_HEADER_SIZE ? data : NULL,
                                   .file_head = data,
                                   .file_head_size = size,
                                   .keys = keys->keys,
                                   .key_count = keys->count};
    char text[1024];
    pack_explain(code, &context, text, sizeof text);
    free(data);
    return hub_fail(error, 400, fota_error_name(code), fota_error_name(code), "%s", text);
}

static void describe(const struct fota_package_check *check, struct hub_release *release)
{
    const struct fota_header *h = &check->header;
    char version[PACK_VERSION_TEXT];
    hub_hex(check->identity, sizeof check->identity, release->identity);
    pack_uuid_print(h->product, release->product);
    pack_version_print(&h->version, version);
    hub_copy(release->version, sizeof release->version, version);
    release->hw_min = h->hw_min;
    release->hw_max = h->hw_max;
    release->counter = h->counter;
    release->image_size = h->image_size;
    hub_hex(h->key_id, sizeof h->key_id, release->key_id);
}

int hub_inspect(int fd, const struct hub_keys *keys, struct hub_release *release, struct hub_error *error)
{
    if (keys->count == 0)
        return hub_fail(error, 400, "key", "key",
                        "this hub trusts no release key yet; start it with --key release.pub.pem");
    struct fota_package_check *check = malloc(sizeof *check);
    uint8_t *piece = malloc(PIECE);
    struct fota_sha256 hash;
    uint8_t digest[FOTA_SHA256_SIZE];
    ssize_t n = -1;
    int code = FOTA_OK;
    int rc = 0;
    release->size = 0;
    if (check == NULL || piece == NULL) {
        rc = hub_fail(error, 500, "internal", "", "out of memory");
    } else {
        fota_package_check_init(check, keys->keys, keys->count);
        fota_sha256_init(&hash);
        while (code == FOTA_OK && (n = read_at(fd, piece, PIECE, (off_t) release->size)) > 0) {
            fota_sha256_update(&hash, piece, (size_t) n);
            code = fota_package_check_feed(check, piece, (size_t) n);
            release->size += n;
        }
        if (code == FOTA_OK && n == 0)
            code = fota_package_check_end(check);
        if (n < 0) {
            rc = io_error(error);
        } else if (code != FOTA_OK) {
            rc = refuse(code, fd, keys, release->name, error);
        } else {
            fota_sha256_out(&hash, digest);
            hub_hex(digest, sizeof digest, release->sha256);
            describe(check, release);
        }
    }
    free(piece);
    free(check);
    return rc;
}

bool hub_wants_packing(int fd, const struct hub_keys *keys)
{
    uint8_t head[4096];
    ssize_t n = keys->dev ? read_at(fd, head, sizeof head, 0) : -1;
    if (n <= 0)
        return false;
    enum pack_kind kind = pack_kind_of(head, (size_t) n);
    return kind != PACK_KIND_PACKAGE && kind != PACK_KIND_HEADER;
}

int hub_pack(int in, const char *name, const struct hub_keys *keys, int out, struct hub_error *error)
{
    struct stat st;
    struct pack_options options = {0};
    struct pack_message message = {0};
    struct pack_buffer package = {0};
    if (fstat(in, &st) != 0 || st.st_size < 0)
        return io_error(error);
    size_t size = (size_t) st.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL)
        return hub_fail(error, 500, "internal", "", "out of memory");
    int rc = 0;
    if (read_at(in, data, size, 0) != (ssize_t) size) {
        rc = io_error(error);
    } else {
        struct pack_input input = {name[0] != '\0' ? name : "the upload", data, size};
        int code = pack_make(&options, &input, 1, &keys->dev_key, &package, NULL, &message);
        if (code != FOTA_OK)
            rc = hub_fail(error, 400, fota_error_name(code), fota_error_name(code), "%s", message.text);
        else if (hub_write_all(out, package.data, package.size) != 0)
            rc = io_error(error);
        pack_buffer_free(&package);
    }
    free(data);
    return rc;
}
