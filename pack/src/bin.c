/* SPDX-License-Identifier: MIT */
/** @file bin.c firmware.bin with its relocation table appended (docs/image.md). */
#include "fota/bin.h"
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int check_trailer(const struct pack_input *input, const uint8_t *trailer, struct pack_message *error)
{
    uint32_t code = fota_get32(trailer), link = fota_get32(trailer + 4), distance = fota_get32(trailer + 8);
    uint32_t count = fota_get32(trailer + 12);
    if (code < 8u || code > FOTA_CODE_MAX || code % 4u != 0)
        return pack_fail(error, FOTA_E_SIZE,
                         "%s: its table says %" PRIu32 " bytes of code; allowed are 8 to %" PRIu32 ", a multiple of 4",
                         input->name, code, FOTA_CODE_MAX);
    if (link != FOTA_LINK_ADDRESS || distance != FOTA_SLOT_DISTANCE)
        return pack_fail(error, FOTA_E_LINK_ADDRESS,
                         "%s: linked for 0x%08" PRIx32 " with the distance 0x%" PRIx32
                         "; wanted is 0x%08x with 0x%x: link it for "
                         "slot A and make it again with fota bin",
                         input->name, link, distance, FOTA_LINK_ADDRESS, FOTA_SLOT_DISTANCE);
    if ((uint64_t) code + 4u * (uint64_t) count + FOTA_BIN_TRAILER != input->size)
        return pack_fail(error, FOTA_E_TRUNCATED,
                         "%s: %zu bytes, but its table says %" PRIu32 " bytes of code and %" PRIu32
                         " relocations: the file is damaged; make it again with fota bin",
                         input->name, input->size, code, count);
    uint32_t crc = fota_crc32(0, input->data, input->size - 8u), said = fota_get32(trailer + 16);
    if (crc != said)
        return pack_fail(error, FOTA_E_CRC,
                         "%s: CRC-32 is 0x%08" PRIx32 ", its table says 0x%08" PRIx32
                         ": the file is damaged; make it again with fota bin",
                         input->name, crc, said);
    return FOTA_OK;
}

int pack_bin_read(const struct pack_input *input, struct pack_image *image, struct pack_message *error)
{
    if (input->size < FOTA_BIN_TRAILER)
        return pack_fail(error, FOTA_E_TRUNCATED, "%s: too short for a firmware.bin", input->name);
    const uint8_t *trailer = input->data + input->size - FOTA_BIN_TRAILER;
    int e = check_trailer(input, trailer, error);
    if (e != FOTA_OK)
        return e;
    uint32_t size = fota_get32(trailer), count = fota_get32(trailer + 12);
    const uint8_t *table = input->data + size;
    image->code = malloc(size);
    image->relocations = malloc((size_t) count * 4u + 4u);
    if (image->code == NULL || image->relocations == NULL)
        return pack_no_memory(error);
    memcpy(image->code, input->data, size);
    image->size = size;
    image->count = count;
    uint32_t free_from = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset = fota_get32(table + 4u * (size_t) i);
        if (offset > size - 4u || offset < free_from)
            return pack_fail(error, FOTA_E_RELOCATION,
                             "%s: relocation %" PRIu32 " of %" PRIu32 " is at offset %" PRIu32 ", %s", input->name,
                             i + 1u, count, offset,
                             offset > size - 4u ? "outside the code" : "not after the one before it");
        image->relocations[i] = offset;
        free_from = offset + 4u;
    }
    return FOTA_OK;
}

int pack_bin_make(const struct pack_image *image, struct pack_buffer *out, struct pack_message *error)
{
    if (image->gateway)
        return pack_fail(error, FOTA_E_ARGUMENT,
                         "a gateway's own program needs no relocation table: give its .bin to fota pack");
    size_t table = (size_t) image->count * 4u;
    *out = (struct pack_buffer){.size = image->size + table + FOTA_BIN_TRAILER};
    out->data = malloc(out->size);
    if (out->data == NULL)
        return pack_no_memory(error);
    memcpy(out->data, image->code, image->size);
    uint8_t *p = out->data + image->size;
    for (uint32_t i = 0; i < image->count; i++, p += 4)
        fota_put32(p, image->relocations[i]);
    fota_put32(p, image->size);
    fota_put32(p + 4, FOTA_LINK_ADDRESS);
    fota_put32(p + 8, FOTA_SLOT_DISTANCE);
    fota_put32(p + 12, image->count);
    fota_put32(p + 16, fota_crc32(0, out->data, out->size - 8u));
    fota_put32(p + 20, FOTA_BIN_MAGIC);
    return FOTA_OK;
}
