/* SPDX-License-Identifier: MIT */
/** @file store.h The data directory: hub.db, packages/<sha256>.fota, tmp/ for what is not complete yet; and of a hub
 * that keeps its packages in a bucket cache/<sha256>.fota, copies that may vanish. */
#ifndef HUB_STORE_H
#define HUB_STORE_H

#include "db.h"
#include "util.h"

#include <pthread.h>

#define HUB_FILE_NAME_SIZE 72u /* "<sha256>.fota" and the NUL */

struct hub_store {
    int packages, tmp; /* directories */
    int lock;
    int cache;   /* directory; -1: this hub has never had a bucket */
    bool bucket; /* it has one now */
    /* What was asked for in another thread and is not on this disk. */
    pthread_mutex_t wanted_lock;
    char wanted[HUB_SHA256_HEX + 1], no_such[HUB_SHA256_HEX + 1];
};

/** A store that is not open. */
#define HUB_STORE_CLOSED                                                                                               \
    {                                                                                                                  \
        .packages = -1, .tmp = -1, .lock = -1, .cache = -1, .wanted_lock = PTHREAD_MUTEX_INITIALIZER                   \
    }

/** Make the directory where it is missing, take its lock (one hub a directory) and empty tmp/.
 *  @return 0, or -1 (logged). */
int hub_store_open(struct hub_store *store, const char *dir);
void hub_store_close(struct hub_store *store);

/** Make only the directory itself, for `fota-hub token`. @return 0, or -1 (logged). */
int hub_store_make_dir(const char *dir);

/** Remove packages that no release names: a cut between rename and commit, or between commit and unlink, leaves such.
 *  Releases whose file is missing are logged, unless there is a bucket. @return 0, or -1 (logged). */
int hub_store_sweep(struct hub_store *store, struct hub_db *db);

/** Make an empty temporary file. @param name set to its name in tmp/. @return its descriptor, or -1 (logged). */
int hub_store_temp(struct hub_store *store, char name[HUB_FILE_NAME_SIZE]);
void hub_store_discard(struct hub_store *store, const char *name);

/** Sync a temporary file and move it to packages/. @return 0, or -1 (logged; the temporary file is still there). */
int hub_store_keep(struct hub_store *store, int fd, const char *name, const char *sha256);

/** Open a package, or its copy. @return its descriptor, or -1 with errno (ENOENT: perhaps it is in the bucket). */
int hub_store_open_package(const struct hub_store *store, const char *sha256);
void hub_store_remove_package(struct hub_store *store, const char *sha256);

/** The packages are in a bucket: from now on there is a cache. @return 0, or -1 (logged). */
int hub_store_use_bucket(struct hub_store *store, const char *dir);

/** As hub_store_keep(), into the cache; the copies used least recently make room. @param limit bytes of the cache. */
int hub_store_keep_copy(struct hub_store *store, int fd, const char *name, const char *sha256, uint64_t limit);

/** A package is in the bucket now: what is in packages/ becomes a copy. @return 0, or -1 (logged). */
int hub_store_make_copy(struct hub_store *store, const char *sha256, uint64_t limit);

/** @return true and one of packages/, or false when there is none. */
bool hub_store_next_package(struct hub_store *store, char sha256[HUB_SHA256_HEX + 1]);

/** In any thread: this package is not on this disk. @return true when it is to be fetched, so ask again in a moment. */
bool hub_store_want(struct hub_store *store, const char *sha256);
/** What was wanted last, once. @return false: nothing. */
bool hub_store_wanted(struct hub_store *store, char sha256[HUB_SHA256_HEX + 1]);
/** What was wanted is no release. */
void hub_store_no_such(struct hub_store *store, const char *sha256);

/** Write all. @return 0, or -1 with errno. */
int hub_write_all(int fd, const void *data, size_t size);

#endif
