/* SPDX-License-Identifier: MIT */
/** @file store.h The data directory: hub.db, packages/<sha256>.fota, tmp/ for what is not complete yet. */
#ifndef HUB_STORE_H
#define HUB_STORE_H

#include "db.h"
#include "util.h"

#define HUB_FILE_NAME_SIZE 72u /* "<sha256>.fota" and the NUL */

struct hub_store {
    int packages, tmp; /* directories */
    int lock;
};

/** Make the directory where it is missing, take its lock (one hub a directory) and empty tmp/.
 *  @return 0, or -1 (logged). */
int hub_store_open(struct hub_store *store, const char *dir);
void hub_store_close(struct hub_store *store);

/** Make only the directory itself, for `fota-hub token`. @return 0, or -1 (logged). */
int hub_store_make_dir(const char *dir);

/** Remove packages that no release names: a cut between rename and commit, or between commit and unlink, leaves such.
 *  Releases whose file is missing are logged. @return 0, or -1 (logged). */
int hub_store_sweep(struct hub_store *store, struct hub_db *db);

/** Make an empty temporary file. @param name set to its name in tmp/. @return its descriptor, or -1 (logged). */
int hub_store_temp(struct hub_store *store, char name[HUB_FILE_NAME_SIZE]);
void hub_store_discard(struct hub_store *store, const char *name);

/** Sync a temporary file and move it to packages/. @return 0, or -1 (logged; the temporary file is still there). */
int hub_store_keep(struct hub_store *store, int fd, const char *name, const char *sha256);

/** Open a package. @return its descriptor, or -1 with errno. */
int hub_store_open_package(const struct hub_store *store, const char *sha256);
void hub_store_remove_package(struct hub_store *store, const char *sha256);

/** Write all. @return 0, or -1 with errno. */
int hub_write_all(int fd, const void *data, size_t size);

#endif
