/* SPDX-License-Identifier: MIT */
/**
 * @file backup.h One file with everything that a hub keeps. It is an SQLite database: the hub's own, with a table
 * `package` (sha256, data) added that holds the packages of all releases, and PRAGMA application_id = HUB_BACKUP_ID.
 * Access tokens are in it as their hashes only.
 */
#ifndef HUB_BACKUP_H
#define HUB_BACKUP_H

#include "db.h"

#define HUB_BACKUP_ID 0x464f5441 /* "FOTA" */

/** Write a backup of a data directory. The hub may run: the database is copied as it was at one moment, and the
 * packages are those of the releases in that copy.
 *  @param file must not exist; it appears whole, mode 0600.
 *  @return 0, or -1 (logged). */
int hub_backup_write(const char *data, const char *file);

/** Open a backup and verify all of it: SQLite's integrity, that it is a backup of a schema that this program knows, and
 * the SHA-256 of each package. @return 0, or -1 (logged). */
int hub_backup_open(struct hub_db *backup, const char *file);

/** Restore into a data directory that is missing or empty.
 *  @param backup from hub_backup_open(). @return 0, or -1 (logged; nothing is left behind). */
int hub_backup_restore(struct hub_db *backup, const char *data);

#endif
