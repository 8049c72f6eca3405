/* SPDX-License-Identifier: MIT */
/** @file tokens.h Access tokens and what their roles may do. Only the SHA-256 of a token is ever stored. */
#ifndef HUB_TOKENS_H
#define HUB_TOKENS_H

#include "db.h"

#include <stdbool.h>

#define HUB_TOKEN_PREFIX "fota_"
#define HUB_TOKEN_SIZE (sizeof HUB_TOKEN_PREFIX + 64) /* the prefix, 64 hex digits, the NUL */
#define HUB_TOKEN_NAME_MAX 64u

/** What a request needs; a role is a set of these. */
enum hub_permission {
    HUB_MAY_DOWNLOAD = 1,
    HUB_MAY_READ = 2,
    HUB_MAY_OPERATE = 4,
    HUB_MAY_DELETE = 8,
};

/** @param role its name. @return the set of permissions, 0 for an unknown role. */
unsigned hub_role_permissions(const char *role);

/** Make a token. @param name 1–64 characters as in a job. @param token the token itself, to be shown once.
 *  @return 0; 1 when an active token has this name; -1 on failure (logged). */
int hub_token_add(struct hub_db *db, const char *role, const char *name, char token[HUB_TOKEN_SIZE]);

/** Revoke the active token of this name. @return 0; 1 when there is none; -1 on failure (logged). */
int hub_token_revoke(struct hub_db *db, const char *name);

/** Call back for every token, active or revoked, in the order of creation. @param revoked 0: it is active. */
int hub_token_list(struct hub_db *db,
                   void (*row)(void *ctx, const char *name, const char *role, int64_t created, int64_t revoked),
                   void *ctx);

/** Look up a token. Compares with every active token, hash by hash, in constant time.
 *  @param name, role buffers of HUB_TOKEN_NAME_MAX + 1 and 16 bytes. @return its permissions, 0 when it is unknown. */
unsigned hub_token_check(struct hub_db *db, const char *token, char *name, char *role);

/** The token in an Authorization header (RFC 6750). @return it, inside the header, or NULL when it is no bearer token.
 */
const char *hub_token_of_header(const char *authorization);

#endif
