/* SPDX-License-Identifier: MIT */
#include "fota/package.h"

#include "fota/bytes.h"
#include "fota/error.h"

#include <string.h>

enum state { HEADER, SECTION, BLOCK, RELOCATIONS, CODE, DONE };

void fota_package_init(struct fota_package *package, const struct fota_package_sink *sink, void *ctx)
{
    memset(package, 0, sizeof *package);
    package->sink = sink;
    package->ctx = ctx;
}

/* How many bytes the present part has. */
static uint32_t part_size(const struct fota_package *p)
{
    switch (p->state) {
    case HEADER:
        return FOTA_HEADER_SIZE;
    case SECTION:
        return FOTA_SECTION_HEAD;
    case BLOCK:
        return FOTA_BLOCK_HEAD;
    case RELOCATIONS:
        return 2u * (uint32_t) p->relocations;
    case CODE:
        return p->block;
    default:
        return 0;
    }
}

uint32_t fota_package_wants(const struct fota_package *p)
{
    return part_size(p) - p->have;
}

static int header_done(struct fota_package *p)
{
    struct fota_header header;
    int error = fota_header_decode_any(p->buffer.raw, &header);

    if (error != FOTA_OK)
        return error;
    p->image_size = header.image_size;
    p->moves = header.distance != 0;
    p->state = SECTION;
    return p->sink->header != NULL ? p->sink->header(p->ctx, &header, p->buffer.raw) : FOTA_OK;
}

static int section_done(struct fota_package *p)
{
    uint32_t type = fota_get16(p->buffer.raw);
    uint32_t length = fota_get32(p->buffer.raw + 4);
    bool code_seen = p->offset > 0;

    if (fota_get16(p->buffer.raw + 2) != 0)
        return FOTA_E_SECTION;
    if (type == FOTA_SECTION_END && length == 0 && code_seen) {
        p->state = DONE;
        return FOTA_OK;
    }
    if (type != FOTA_SECTION_CODE || code_seen)
        return FOTA_E_SECTION;
    if (length > FOTA_PACKAGE_MAX)
        return FOTA_E_SIZE;
    p->left = length;
    p->state = BLOCK;
    return FOTA_OK;
}

static int block_done(struct fota_package *p)
{
    uint32_t payload;

    p->block = fota_get16(p->buffer.raw);
    p->relocations = fota_get16(p->buffer.raw + 2);
    payload = FOTA_BLOCK_HEAD + 2u * (uint32_t) p->relocations + p->block;
    if (p->block == 0 || p->block > FOTA_BLOCK_MAX || p->block > p->image_size - p->offset)
        return FOTA_E_SIZE;
    if (p->relocations > (p->moves ? FOTA_BLOCK_RELOCATIONS_MAX : 0u))
        return FOTA_E_RELOCATION;
    if (payload > p->left)
        return FOTA_E_SECTION;
    p->left -= payload;
    p->state = p->relocations > 0 ? RELOCATIONS : CODE;
    return FOTA_OK;
}

static int relocations_done(struct fota_package *p)
{
    uint32_t free_from = 0;

    for (unsigned i = 0; i < p->relocations; i++) {
        uint16_t at = fota_get16(p->buffer.words + 2u * i);

        if (at < free_from || at + 4u > p->block)
            return FOTA_E_RELOCATION;
        p->relocation[i] = at;
        free_from = at + 4u;
    }
    p->state = CODE;
    return FOTA_OK;
}

static int code_done(struct fota_package *p)
{
    uint32_t offset = p->offset;

    p->offset += p->block;
    p->state = BLOCK;
    if (p->left == 0) {
        if (p->offset != p->image_size)
            return FOTA_E_SIZE;
        p->state = SECTION;
    }
    return p->sink->code != NULL
               ? p->sink->code(p->ctx, offset, p->buffer.code, p->block, p->relocation, p->relocations)
               : FOTA_OK;
}

static int part_done(struct fota_package *p)
{
    switch (p->state) {
    case HEADER:
        return header_done(p);
    case SECTION:
        return section_done(p);
    case BLOCK:
        return block_done(p);
    case RELOCATIONS:
        return relocations_done(p);
    default:
        return code_done(p);
    }
}

int fota_package_feed(struct fota_package *p, const void *data, size_t length)
{
    const uint8_t *from = data;

    while (length > 0 && p->error == FOTA_OK) {
        uint32_t want = fota_package_wants(p);
        size_t take = length < want ? length : want;

        if (p->state == DONE)
            return p->error = FOTA_E_TRAILING;
        memcpy(p->buffer.code + p->have, from, take);
        p->have += (uint32_t) take;
        from += take;
        length -= take;
        if (take == want) {
            p->have = 0;
            p->error = part_done(p);
        }
    }
    return p->error;
}

int fota_package_end(const struct fota_package *p)
{
    if (p->error != FOTA_OK)
        return p->error;
    return p->state == DONE ? FOTA_OK : FOTA_E_TRUNCATED;
}

void fota_relocate(uint8_t *code, const uint16_t *relocations, unsigned count, uint32_t distance)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t *word = code + relocations[i];

        fota_put32(word, fota_get32(word) + distance);
    }
}
