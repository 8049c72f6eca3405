/* SPDX-License-Identifier: MIT */
#include "fota/crypto.h"

#include <bearssl.h>

_Static_assert(sizeof(struct fota_sha256) >= sizeof(br_sha256_context), "room for the library's context");
_Static_assert(_Alignof(struct fota_sha256) >= _Alignof(br_sha256_context), "alignment of the library's context");

void fota_sha256_init(struct fota_sha256 *hash)
{
    br_sha256_init((br_sha256_context *) (void *) hash);
}

void fota_sha256_update(struct fota_sha256 *hash, const void *data, size_t length)
{
    br_sha256_update((br_sha256_context *) (void *) hash, data, length);
}

void fota_sha256_out(const struct fota_sha256 *hash, uint8_t out[FOTA_SHA256_SIZE])
{
    br_sha256_out((const br_sha256_context *) (const void *) hash, out);
}
