/* SPDX-License-Identifier: MIT */
/** @file objects.h Where `fota publish` puts objects: a bucket (S3, SigV4) or a folder for a plain web server. */
#ifndef CLI_OBJECTS_H
#define CLI_OBJECTS_H

#include "cli.h"
#include "gw/sigv4.h"

#define OBJECT_NAME_MAX 128u
#define OBJECT_ETAG_MAX 128u

struct objects {
    const char *url; /* of the prefix, without a slash at its end; NULL: `directory` */
    const char *directory;
    const char *ca; /* PEM file of trusted certificates, NULL: the system's */
    struct gw_sigv4_credentials credentials;
};

/** Read an object. @param data left empty when there is none. @param etag its ETag, "" in a folder.
 *  @return FOTA_OK, FOTA_E_NO_IMAGE when there is no such object, or an error. */
int objects_get(const struct objects *objects, const char *name, size_t limit, struct pack_buffer *data,
                char etag[OBJECT_ETAG_MAX], struct pack_message *error);

/** Write an object. @param etag replace only what has this ETag; NULL: only when nothing is there.
 *  @return FOTA_OK, FOTA_E_STATE: something else is there (now), or an error. */
int objects_put(const struct objects *objects, const char *name, const void *data, size_t size, const char *etag,
                struct pack_message *error);

#endif
