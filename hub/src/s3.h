/* SPDX-License-Identifier: MIT */
/**
 * @file s3.h
 * Packages in an S3 bucket, as `fota publish` lays them there: packages/<sha256>.fota below a URL, written once. Runs
 * in the main loop beside the HTTP server and never waits; what is fetched goes into the store's cache.
 */
#ifndef HUB_S3_H
#define HUB_S3_H

#include "store.h"

#include <poll.h>

#define HUB_S3_TRANSFERS 10u /* at once: more than HUB_UPLOADS_AT_ONCE, so that downloads get through */
#define HUB_S3_WAITERS 32u   /* for one object */

struct hub_s3_options {
    const char *url;         /* of the prefix, without a slash at its end; NULL: no bucket */
    const char *region;      /* NULL: AWS_REGION, else us-east-1 */
    const char *credentials; /* a file as the AWS CLI has it; NULL: the environment */
    const char *profile;     /* in that file; NULL: default */
    const char *ca;          /* PEM file of trusted certificates; NULL: the system's */
    uint32_t cache_bytes;    /* of copies on this disk */
};

/** Called once from hub_s3_run() or hub_s3_close(). @param error NULL: done; else the error of the answer. */
typedef void (*hub_s3_done)(void *ctx, const struct hub_error *error);

struct hub_s3;

/** Are the credentials there? @return 0, or -1 (logged). */
int hub_s3_check(const struct hub_s3_options *options);

/** Open. Packages that the store holds for good are moved to the bucket one by one, and tried again when that fails.
 *  @param options stays where it is. @return NULL on failure (logged). */
struct hub_s3 *hub_s3_open(const struct hub_s3_options *options, struct hub_store *store, struct hub_db *db);
/** Every transfer ends with an error; NULL is allowed. */
void hub_s3_close(struct hub_s3 *s3);

/** Begin to write a package, where there is none yet; an identical one is fine.
 *  @param fd the package, read here and now. @return 0, or -1 with the error of the answer. */
int hub_s3_put(struct hub_s3 *s3, const char *sha256, int fd, hub_s3_done done, void *ctx, struct hub_error *error);

/** Begin to fetch a package into the store's cache. @return 0, or -1 with the error of the answer. */
int hub_s3_get(struct hub_s3 *s3, const char *sha256, hub_s3_done done, void *ctx, struct hub_error *error);

/** As hub_store_keep(), for a package that is in the bucket. */
int hub_s3_keep_copy(struct hub_s3 *s3, int fd, const char *name, const char *sha256);

/** As poll(), and for what the bucket waits for. */
void hub_s3_wait(struct hub_s3 *s3, struct pollfd *fds, unsigned count, int timeout);

/** Do what there is to do, without waiting. */
void hub_s3_run(struct hub_s3 *s3);

#endif
