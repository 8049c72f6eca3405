/* SPDX-License-Identifier: MIT */
#include "gw/source.h"

#include <string.h>

static int on_code(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations,
                   unsigned count)
{
    struct gw_package_source *s = ctx;

    if (s->slot == FOTA_SLOT_B)
        fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    s->block = code;
    s->start = offset;
    s->length = length;
    return FOTA_OK;
}

static const struct fota_package_sink sink = {.code = on_code};

static void restart(struct gw_package_source *s, unsigned slot)
{
    fota_package_init(&s->package, &sink, s);
    s->slot = slot;
    s->position = s->start = s->length = 0;
    s->restarts++;
}

void gw_package_source_init(struct gw_package_source *s, const struct gw_bytes *bytes)
{
    s->bytes = *bytes;
    s->restarts = 0;
    restart(s, FOTA_SLOT_A);
}

/* Never past a part of the package, so that the block it completes can be read where it lies. */
static int advance(struct gw_package_source *s)
{
    uint8_t piece[GW_SOURCE_PIECE];
    uint32_t wants = fota_package_wants(&s->package);
    int got = s->bytes.read(s->bytes.ctx, s->position, piece, wants < sizeof piece ? wants : sizeof piece);

    if (got < 0)
        return FOTA_E_IO;
    if (got == 0)
        return FOTA_E_TRUNCATED;
    s->start += s->length;
    s->length = 0;
    s->position += (uint32_t) got;
    return fota_package_feed(&s->package, piece, (size_t) got);
}

int gw_package_source_read(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length)
{
    struct gw_package_source *s = ctx;

    if (slot >= FOTA_SLOT_COUNT || offset > FOTA_PACKAGE_MAX || length > FOTA_PACKAGE_MAX - offset)
        return FOTA_E_ARGUMENT;
    if (slot != s->slot || offset < s->start || s->package.error != FOTA_OK)
        restart(s, slot);
    while (length > 0) {
        uint32_t in = offset - s->start;

        if (in < s->length) {
            uint32_t part = s->length - in < length ? s->length - in : length;

            memcpy(data, s->block + in, part);
            data += part;
            offset += part;
            length -= part;
        } else {
            int error = advance(s);

            if (error != FOTA_OK)
                return error;
        }
    }
    return FOTA_OK;
}

struct gw_reader *gw_reader_take(const struct gw_readers *readers)
{
    for (unsigned i = 0; i < readers->count; i++) {
        if (!readers->reader[i].taken) {
            readers->reader[i].taken = true;
            return &readers->reader[i];
        }
    }
    return NULL;
}

void gw_reader_give(struct gw_reader **reader)
{
    if (*reader != NULL)
        (*reader)->taken = false;
    *reader = NULL;
}
