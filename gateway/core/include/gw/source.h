/* SPDX-License-Identifier: MIT */
/**
 * @file source.h
 * Code for either slot, read as a stream out of a package. The memory is constant; going back means reading
 * the package again from its start (rare: only after a lost frame at a block's border).
 */
#ifndef GW_SOURCE_H
#define GW_SOURCE_H

#include "fota/error.h"
#include "fota/package.h"

#include <stddef.h>
#include <stdint.h>

/** Where the code of an image comes from, as the push state machine wants it. */
struct gw_source {
    void *ctx;
    /** @param slot FOTA_SLOT_A or FOTA_SLOT_B: for which slot the code is to be. @param offset in the code (0
     * is the vector table). @param length bytes that are wanted, all of them inside the image.
     *  @return FOTA_OK, or a negative value of enum fota_error. */
    int (*read)(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length);
};

/** The bytes of a package, random access. */
struct gw_bytes {
    void *ctx;
    /** @return bytes read, fewer than `length` only at the end; -1 on failure. */
    int (*read)(void *ctx, uint32_t offset, uint8_t *data, size_t length);
};

#define GW_SOURCE_PIECE 512u

/** A gw_source over a `.fota` package. About 12 KiB; the owner provides the memory. */
struct gw_package_source {
    struct gw_bytes bytes;
    struct fota_package package;
    unsigned slot;
    uint32_t position; /* bytes of the package that were fed */
    uint32_t start;    /* the window holds the code from here */
    uint32_t length;
    uint32_t restarts; /* how often the package was read from its start, for statistics */
    uint8_t window[FOTA_BLOCK_MAX + GW_SOURCE_PIECE];
    uint8_t piece[GW_SOURCE_PIECE];
};

/** Begin. The package was checked before (fota_package_check_end()). @param bytes copied. */
void gw_package_source_init(struct gw_package_source *source, const struct gw_bytes *bytes);

/** The read function for struct gw_source; ctx is the struct gw_package_source. */
int gw_package_source_read(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length);

#endif
