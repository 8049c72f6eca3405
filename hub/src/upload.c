/* SPDX-License-Identifier: MIT */
#include "upload.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hub_upload {
    struct hub_uploads *uploads;
    int fd;
    char file[HUB_FILE_NAME_SIZE]; /* in tmp/ */
    uint64_t size;
    struct fota_sha256 hash; /* of what came in, compared with what the disk gives back */
    bool checked;
    struct hub_release release; /* once it is checked */
    char name[HUB_RELEASE_NAME_MAX + 1], notes[HUB_RELEASE_NOTES_MAX + 1];
};

static int storage_error(struct hub_error *error)
{
    return hub_fail(error, 500, "internal", "", "the upload cannot be stored (%s); see the hub's log", strerror(errno));
}

struct hub_upload *hub_upload_begin(struct hub_uploads *uploads, const char *name, const char *notes,
                                    struct hub_error *error)
{
    if (uploads->under_way >= HUB_UPLOADS_AT_ONCE) {
        hub_fail(error, 503, "busy", "", "%u uploads are under way; try again in a moment", uploads->under_way);
        return NULL;
    }
    struct hub_upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        hub_fail(error, 500, "internal", "", "out of memory");
        return NULL;
    }
    upload->fd = hub_store_temp(uploads->store, upload->file);
    if (upload->fd < 0) {
        storage_error(error);
        free(upload);
        return NULL;
    }
    upload->uploads = uploads;
    uploads->under_way++;
    fota_sha256_init(&upload->hash);
    hub_copy(upload->name, sizeof upload->name, name);
    hub_copy(upload->notes, sizeof upload->notes, notes);
    return upload;
}

void hub_upload_abort(struct hub_upload *upload)
{
    if (upload == NULL)
        return;
    hub_store_discard(upload->uploads->store, upload->file); /* harmless after it was renamed */
    upload->uploads->under_way--;
    close(upload->fd);
    free(upload);
}

int hub_upload_write(struct hub_upload *upload, const void *data, size_t size, struct hub_error *error)
{
    uint64_t max = upload->uploads->max_bytes;
    if (size > max - upload->size)
        return hub_fail(error, 413, "too-large", "size",
                        "the file has more than %" PRIu64 " bytes, the limit of this hub", max);
    if (hub_write_all(upload->fd, data, size) != 0)
        return storage_error(error);
    upload->size += size;
    fota_sha256_update(&upload->hash, data, size);
    return 0;
}

/* A bench: put the package made from the upload in the upload's place. */
static int pack_in_place(struct hub_upload *upload, struct hub_error *error)
{
    struct hub_store *store = upload->uploads->store;
    char file[HUB_FILE_NAME_SIZE];
    int out = hub_store_temp(store, file);
    if (out < 0)
        return storage_error(error);
    if (hub_pack(upload->fd, upload->name, upload->uploads->keys, out, error) != 0) {
        close(out);
        hub_store_discard(store, file);
        return -1;
    }
    hub_store_discard(store, upload->file);
    close(upload->fd);
    upload->fd = out;
    memcpy(upload->file, file, sizeof file);
    return 0;
}

static int check(struct hub_upload *upload, struct hub_error *error)
{
    struct hub_release *release = &upload->release;
    const struct hub_keys *keys = upload->uploads->keys;
    bool packing = hub_wants_packing(upload->fd, keys);
    hub_copy(release->name, sizeof release->name, upload->name);
    hub_copy(release->notes, sizeof release->notes, upload->notes);
    release->uploaded = hub_now_ms();
    if ((packing && pack_in_place(upload, error) != 0) || hub_inspect(upload->fd, keys, release, error) != 0)
        return -1;
    uint8_t digest[FOTA_SHA256_SIZE];
    char sent[2 * FOTA_SHA256_SIZE + 1];
    fota_sha256_out(&upload->hash, digest);
    hub_hex(digest, sizeof digest, sent);
    if (!packing && strcmp(sent, release->sha256) != 0)
        return hub_fail(error, 500, "internal", "sha256", "the disk gave back other bytes (%s) than were sent (%s)",
                        release->sha256, sent);
    return 0;
}

static int keep(struct hub_upload *upload, struct hub_release *release, bool *created, struct hub_error *error)
{
    struct hub_uploads *u = upload->uploads;
    *release = upload->release;
    if ((u->s3 != NULL ? hub_s3_keep_copy(u->s3, upload->fd, upload->file, release->sha256)
                       : hub_store_keep(u->store, upload->fd, upload->file, release->sha256)) != 0)
        return storage_error(error);
    int rc = hub_release_insert(u->db, release);
    *created = rc == 0;
    if (rc == 1)
        rc = hub_release_get(u->db, release->sha256, release);
    if (rc != 0)
        return hub_fail(error, 500, "internal", "", "the database failed; see the hub's log");
    hub_log(HUB_LOG_INFO, "release %s: version %s%s", release->sha256, release->version,
            *created ? "" : " (was there)");
    return 0;
}

/* With a bucket the release is recorded when its package is there, and not before. */
int hub_upload_finish(struct hub_upload *upload, struct hub_release *release, bool *created, hub_s3_done wake,
                      void *ctx, struct hub_error *error)
{
    struct hub_s3 *s3 = upload->uploads->s3;
    bool first = !upload->checked;
    int rc = first ? check(upload, error) : 0;
    upload->checked = true;
    if (rc == 0 && first && s3 != NULL) {
        if (hub_s3_put(s3, upload->release.sha256, upload->fd, wake, ctx, error) == 0)
            return 1;
        rc = -1;
    }
    if (rc == 0)
        rc = keep(upload, release, created, error);
    if (rc != 0)
        hub_log(HUB_LOG_INFO, "an upload of %" PRIu64 " bytes was refused: %s: %s", upload->size, error->code,
                error->message);
    return rc;
}
