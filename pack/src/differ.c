/* SPDX-License-Identifier: MIT */
/** @file differ.c Two links of the same objects: every difference is a 32-bit word off by the slot distance.
 */
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The distance is a multiple of 256, so the lowest byte of a word that moves stays and the next one always
 * changes: the first byte that differs tells where the word begins, whatever its alignment. */
_Static_assert((FOTA_SLOT_DISTANCE & 0xFFu) == 0 && (FOTA_SLOT_DISTANCE & 0xFF00u) != 0,
               "the second byte always changes");

bool pack_relocation_add(struct pack_image *image, uint32_t *capacity, uint32_t offset)
{
    if (image->count == *capacity) {
        uint32_t more = *capacity == 0 ? 256u : 2u * *capacity;
        uint32_t *larger = realloc(image->relocations, (size_t) more * sizeof *larger);
        if (larger == NULL)
            return false;
        image->relocations = larger;
        *capacity = more;
    }
    image->relocations[image->count++] = offset;
    return true;
}

/* Does a MOVW or MOVT (encoding T3 / T1, ARMv7-M ARM A7.7.76, A7.7.79) lie at or just before this offset? */
static bool is_movw(const uint8_t *code, uint32_t size, uint32_t offset)
{
    for (uint32_t at = offset & ~1u, n = 0; n < 2u; n++, at -= 2u) {
        if (at + 4u <= size) {
            unsigned first = fota_get16(code + at), second = fota_get16(code + at + 2u);
            if (((first & 0xFBF0u) == 0xF240u || (first & 0xFBF0u) == 0xF2C0u) && (second & 0x8000u) == 0)
                return true;
        }
        if (at < 2u)
            break;
    }
    return false;
}

static int refuse(const struct pack_elf *a, const struct pack_elf *b_elf, const struct pack_image *image,
                  const uint8_t *b, uint32_t offset, struct pack_message *error)
{
    char place[200];
    uint32_t address = FOTA_LINK_ADDRESS + offset;
    pack_elf_describe(a, address & ~1u, place, sizeof place);
    if (is_movw(image->code, image->size, offset))
        return pack_fail(error, FOTA_E_RELOCATION,
                         "%s: the instruction at 0x%08" PRIx32
                         " (%s) is a MOVW or MOVT that holds half an address; only whole "
                         "32-bit words can be moved to slot B: " PACK_MOVW_REMEDY,
                         a->name, address & ~1u, place);
    uint32_t word = offset == 0 ? 0 : offset - 1u;
    if (word > image->size - 4u)
        word = image->size - 4u;
    pack_elf_describe(a, FOTA_LINK_ADDRESS + word, place, sizeof place);
    uint32_t in_a = fota_get32(image->code + word), in_b = fota_get32(b + word);
    return pack_fail(
        error, FOTA_E_RELOCATION,
        "the word at 0x%08" PRIx32 " (%s) is 0x%08" PRIx32 " in %s and 0x%08" PRIx32 " in %s: it differs by 0x%" PRIx32
        ", not by the slot distance 0x%x. The two must be links of the same objects with "
        "nothing but the origin of "
        "the flash changed: no __TIME__, no -Wl,--build-id, no branch to a fixed address, no "
        "arithmetic on addresses",
        FOTA_LINK_ADDRESS + word, place, in_a, a->name, in_b, b_elf->name, in_b - in_a, FOTA_SLOT_DISTANCE);
}

int pack_differ(const struct pack_elf *elf_a, const struct pack_elf *elf_b, const uint8_t *b, struct pack_image *image,
                struct pack_message *error)
{
    const uint8_t *a = image->code;
    uint32_t capacity = 0, free_from = 0; /* where the word before ended */
    for (uint32_t i = 0; i < image->size;) {
        if (a[i] == b[i]) {
            i++;
            continue;
        }
        if (i < free_from + 1u || i + 3u > image->size ||
            fota_get32(b + i - 1u) - fota_get32(a + i - 1u) != FOTA_SLOT_DISTANCE)
            return refuse(elf_a, elf_b, image, b, i, error);
        if (!pack_relocation_add(image, &capacity, i - 1u))
            return pack_no_memory(error);
        i += 3u;
        free_from = i;
    }
    return FOTA_OK;
}
