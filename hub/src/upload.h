/* SPDX-License-Identifier: MIT */
/** @file upload.h A release on its way in: streamed to a temporary file, checked whole, then kept. */
#ifndef HUB_UPLOAD_H
#define HUB_UPLOAD_H

#include "inspect.h"
#include "s3.h"
#include "store.h"

#define HUB_UPLOADS_AT_ONCE 8u

struct hub_upload;

/** What uploads work with. */
struct hub_uploads {
    struct hub_store *store;
    struct hub_s3 *s3; /* NULL: packages stay on this disk */
    struct hub_db *db;
    const struct hub_keys *keys;
    uint64_t max_bytes;
    unsigned under_way;
};

/** Begin. @param name, notes checked already. @return NULL with the error of the answer. */
struct hub_upload *hub_upload_begin(struct hub_uploads *uploads, const char *name, const char *notes,
                                    struct hub_error *error);

/** Take the next bytes. @return 0, or -1 with the error of the answer: too large, or the disk is full. */
int hub_upload_write(struct hub_upload *upload, const void *data, size_t size, struct hub_error *error);

/** All bytes are there: check, keep, record.
 *  @param created false when this very package was there already. @param wake called when 1 was returned, later: then
 *  call this once more.
 *  @return 0 with the release; 1 while the bucket is being written; -1 with the error of the answer. After 0 and -1
 * only hub_upload_abort() is left. */
int hub_upload_finish(struct hub_upload *upload, struct hub_release *release, bool *created, hub_s3_done wake,
                      void *ctx, struct hub_error *error);

/** Free it, and what was not kept; NULL is allowed. Not between a 1 of hub_upload_finish() and its wake. */
void hub_upload_abort(struct hub_upload *upload);

#endif
