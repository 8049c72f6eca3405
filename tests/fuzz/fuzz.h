/* SPDX-License-Identifier: MIT */
/** @file fuzz.h What the fuzz targets share: input taken apart, a flash in memory that knows what is forbidden. */
#ifndef FUZZ_H
#define FUZZ_H

#include "fota/error.h"
#include "fota/flash.h"
#include "fota/header.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/** A promise that must hold whatever comes in. */
#define PROMISE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/** The rest of an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static inline uint32_t fuzz_word(struct fuzz_input *in)
{
    uint32_t w = 0;

    for (unsigned i = 0; i < 4u; i++)
        w |= (uint32_t) fuzz_byte(in) << (8u * i);
    return w;
}

/** A piece of at most `most` bytes, in memory of its own so that reading beyond it is noticed. The caller frees it. */
static inline uint8_t *fuzz_piece(struct fuzz_input *in, size_t most, size_t *size)
{
    uint8_t *piece;

    *size = in->size < most ? in->size : most;
    piece = malloc(*size != 0 ? *size : 1u);
    if (piece == NULL)
        abort();
    memcpy(piece, in->data, *size);
    in->data += *size;
    in->size -= *size;
    return piece;
}

struct fuzz_flash {
    struct fota_flash port;
    uint8_t *memory;
    uint32_t may_write; /* sectors that may be programmed and erased, a bit each */
    unsigned works;
};

/** All erased; what is outside `may_write` must never be touched. */
void fuzz_flash_init(struct fuzz_flash *flash, uint32_t may_write);
uint8_t *fuzz_flash_at(struct fuzz_flash *flash, uint32_t address);
/** Take the sectors of the journal (and others in `sectors`) back to erased. */
void fuzz_flash_clear(struct fuzz_flash *flash, uint32_t sectors);

#define FUZZ_JOURNAL (1u << 10 | 1u << 11)
#define FUZZ_SLOT_A 0x7Eu
#define FUZZ_SLOT_B 0x380u

#endif
