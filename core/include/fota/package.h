/* SPDX-License-Identifier: MIT */
/**
 * @file package.h
 * Reading a `.fota` package as a stream, with constant memory. docs/image.md has the format:
 *
 *   header (512) | section: u16 type, u16 flags = 0, u32 length | payload … | section END with length 0
 *
 * A CODE payload is a run of blocks: u16 code length (1 … 4096), u16 count of relocations (0 … 1024), the
 * relocations (u16 offsets of 32-bit words inside the block, ascending, not overlapping), then the code as
 * linked for slot A.
 */
#ifndef FOTA_PACKAGE_H
#define FOTA_PACKAGE_H

#include "fota/header.h"

#include <stddef.h>

#define FOTA_SECTION_HEAD 8u
#define FOTA_SECTION_CODE 1u
#define FOTA_SECTION_DELTA 2u      /* reserved, refused */
#define FOTA_SECTION_COMPRESSED 3u /* reserved, refused */
#define FOTA_SECTION_ENCRYPTED 4u  /* reserved, refused */
#define FOTA_SECTION_END 0xFFFFu

#define FOTA_BLOCK_HEAD 4u
#define FOTA_BLOCK_MAX 4096u
#define FOTA_BLOCK_RELOCATIONS_MAX (FOTA_BLOCK_MAX / 4u)

/** No valid package is larger: every block full of relocations would not reach it. */
#define FOTA_PACKAGE_MAX FOTA_KIB(1024)

/** What a reader of packages wants to see. Either may be NULL. A negative return ends the reading with that
 * error. */
struct fota_package_sink {
    /** The header, decoded and checked by fota_header_decode(). */
    int (*header)(void *ctx, const struct fota_header *header, const uint8_t raw[FOTA_HEADER_SIZE]);
    /** A block of code as linked for slot A. `code` may be changed in place (fota_relocate()). `offset` is in
     * the code: 0 is the vector table. */
    int (*code)(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations,
                unsigned count);
};

/** State of a reader; the owner provides the memory (about 6.7 KiB). */
struct fota_package {
    const struct fota_package_sink *sink;
    void *ctx;
    int error;       /* the first error, sticky */
    uint8_t state;   /* which part comes next */
    uint32_t have;   /* bytes of the present part that are there */
    uint32_t left;   /* bytes left in the present section */
    uint32_t offset; /* code seen so far */
    uint32_t image_size;
    bool moves; /* between slots: relocations make sense */
    uint16_t block, relocations;
    uint16_t relocation[FOTA_BLOCK_RELOCATIONS_MAX];
    union {
        uint8_t raw[FOTA_HEADER_SIZE];
        uint8_t code[FOTA_BLOCK_MAX];
        uint8_t words[FOTA_BLOCK_MAX / 2u];
    } buffer;
};

/** Begin. @param sink callbacks, kept by reference. */
void fota_package_init(struct fota_package *package, const struct fota_package_sink *sink, void *ctx);

/** Take the next bytes, any number. @return FOTA_OK or the first error: those of fota_header_decode(),
 * FOTA_E_SECTION, FOTA_E_RELOCATION, FOTA_E_SIZE, FOTA_E_TRAILING, or what the sink returned. */
int fota_package_feed(struct fota_package *package, const void *data, size_t length);

/** How many bytes complete the part that is being read. A sink's `code` stays valid after the feed that ended with
 * them, until the next one. @return bytes; 0: the package is complete. */
uint32_t fota_package_wants(const struct fota_package *package);

/** End of the input. @return FOTA_OK when the package was complete, else FOTA_E_TRUNCATED or the first error.
 */
int fota_package_end(const struct fota_package *package);

/** Turn a block linked for slot A into the one for slot B: add `distance` to each 32-bit word named. */
void fota_relocate(uint8_t *code, const uint16_t *relocations, unsigned count, uint32_t distance);

/** A complete check of a package, as hub, gateway and `fota verify` do it before anything else happens. */
struct fota_package_check {
    struct fota_package package;
    const struct fota_key *keys;
    unsigned key_count;
    struct fota_header header; /* valid once header_seen */
    uint8_t raw[FOTA_HEADER_SIZE];
    uint8_t identity[FOTA_IDENTITY_SIZE];
    bool header_seen;
    struct fota_sha256 hash[FOTA_SLOT_COUNT];
    uint32_t crc[FOTA_SLOT_COUNT];
    uint32_t relocations; /* how many in all */
};

/** Begin a check. With key_count 0 the signature is not checked (`fota inspect`); nobody else may do that. */
void fota_package_check_init(struct fota_package_check *check, const struct fota_key *keys, unsigned key_count);
/** Take the next bytes; signature and key are judged as soon as the header is there. @return as
 * fota_package_feed(). */
int fota_package_check_feed(struct fota_package_check *check, const void *data, size_t length);
/** End: structure complete, both slots' CRC-32, SHA-256 and vector table good (of a gateway's own program, which has
 * no vector table, both are the same).
 *  @return FOTA_OK or FOTA_E_TRUNCATED, FOTA_E_CRC, FOTA_E_HASH, FOTA_E_VECTORS or the first error. */
int fota_package_check_end(struct fota_package_check *check);

#endif
