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

#define GW_SOURCE_PIECE 512u /* bytes that are read at once */

/** A gw_source over a `.fota` package. The owner provides the memory. */
struct gw_package_source {
    struct gw_bytes bytes;
    struct fota_package package;
    unsigned slot;
    uint32_t position;    /* bytes of the package that were fed */
    const uint8_t *block; /* in `package`: the code from `start` on */
    uint32_t start, length;
    uint32_t restarts; /* how often the package was read from its start, for statistics */
};

/** Begin. The package was checked before (fota_package_check_end()). @param bytes copied. */
void gw_package_source_init(struct gw_package_source *source, const struct gw_bytes *bytes);

/** The read function for struct gw_source; ctx is the struct gw_package_source. */
int gw_package_source_read(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length);

/** Memory to read a package with: to check it whole, or as the source of a push. */
struct gw_reader {
    bool taken;
    union {
        struct fota_package_check check;
        struct gw_package_source source;
    } as;
};

/** The readers of a gateway. Where there is little memory they are few, and who needs one waits. */
struct gw_readers {
    struct gw_reader *reader;
    unsigned count;
};

/** @return one that is taken now; NULL: there is none, ask again later. */
struct gw_reader *gw_reader_take(const struct gw_readers *readers);
/** Give it back. @param reader set to NULL, where it may have been already. */
void gw_reader_give(struct gw_reader **reader);

#endif
