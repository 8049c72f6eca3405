/* SPDX-License-Identifier: MIT */
#include "gw/source.h"

#include <string.h>

static int on_code(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations,
                   unsigned count)
{
    struct gw_package_source *s = ctx;

    /* One piece of the package completes one large block at most, and small ones that add up to less than the
     * piece. */
    if (offset != s->start + s->length || length > sizeof s->window - s->length)
        return FOTA_E_STATE;
    if (s->slot == FOTA_SLOT_B)
        fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    memcpy(s->window + s->length, code, length);
    s->length += length;
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

static int advance(struct gw_package_source *s)
{
    int got = s->bytes.read(s->bytes.ctx, s->position, s->piece, sizeof s->piece);

    if (got < 0)
        return FOTA_E_IO;
    if (got == 0)
        return FOTA_E_TRUNCATED;
    s->start += s->length;
    s->length = 0;
    s->position += (uint32_t) got;
    return fota_package_feed(&s->package, s->piece, (size_t) got);
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

            memcpy(data, s->window + in, part);
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
