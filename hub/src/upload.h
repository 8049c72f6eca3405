/* SPDX-License-Identifier: MIT */
/** @file upload.h A release on its way in: streamed to a temporary file, checked whole, then kept. */
#ifndef HUB_UPLOAD_H
#define HUB_UPLOAD_H

#include "inspect.h"
#include "store.h"

#define HUB_UPLOADS_AT_ONCE 8u

struct hub_upload;

/** What uploads work with. */
struct hub_uploads {
    struct hub_store *store;
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

/** All bytes are there: check, keep, record. The upload is gone afterwards.
 *  @param created false when this very package was there already.
 *  @return 0 with the release, or -1 with the error of the answer. */
int hub_upload_finish(struct hub_upload *upload, struct hub_release *release, bool *created, struct hub_error *error);

/** Throw it away; NULL is allowed. */
void hub_upload_abort(struct hub_upload *upload);

#endif
