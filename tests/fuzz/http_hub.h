/* SPDX-License-Identifier: MIT */
/** @file http_hub.h A hub for fuzz_http.c in which there is something: a trusted key, releases, devices, updates. */
#ifndef HTTP_HUB_H
#define HTTP_HUB_H

#include "http.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { VIEWER, OPERATOR, ADMIN, GATEWAY, ROLES };

struct http_hub {
    struct hub_http *http;
    struct hub_db db;
    struct hub_store store;
    struct hub_keys keys; /* one, and its private half as the dev key, which is off */
    struct hub_uploads uploads;
    struct hub_context context;
    struct sockaddr_un address; /* no TCP: connections that linger would use up the ports */
    char token[ROLES][HUB_TOKEN_SIZE];
    struct pack_buffer package[3];      /* the first one is in use by updates, the last one is not there yet */
    char sha256[3][HUB_SHA256_HEX + 1]; /* of them */
    char job[3][HUB_JOB_MAX + 1];       /* in write, in jump, ended */
    struct sqlite3 *pristine;
    int changes; /* of the database, up to now */
};

/** Make it and start its server. */
void http_hub_start(struct http_hub *hub);

/** Make a package in memory what it says it is: name the trusted key and sign, with `digests` after size, CRC-32 and
 *  SHA-256 of the code were made anew. What is too short for a header stays as it is. */
void http_hub_sign(const struct http_hub *hub, uint8_t *package, size_t size, bool digests);

/** Judge what an input has left behind, and take it all back. @param tokens the roles that it had, a bit each. */
void http_hub_judge(struct http_hub *hub, unsigned tokens);

#endif
