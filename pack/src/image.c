/* SPDX-License-Identifier: MIT */
/** @file image.c From input files to one image: what kind they are, where they are linked, what they say of
 * themselves. */
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t info_magic[FOTA_APPINFO_MAGIC_SIZE] = FOTA_APPINFO_MAGIC;

bool pack_in_slot_a(uint32_t value, bool end)
{
    return value >= FOTA_SLOT_A_BASE && value - FOTA_SLOT_A_BASE < FOTA_SLOT_SIZE + (end ? 1u : 0u);
}

void pack_image_free(struct pack_image *image)
{
    free(image->code);
    free(image->relocations);
    *image = (struct pack_image){0};
}

int pack_wrong_kind(const struct pack_input *input, struct pack_message *error)
{
    enum pack_kind kind = pack_kind_of(input->data, input->size);
    const char *what = pack_kind_text(kind);
    switch (kind) {
    case PACK_KIND_EMPTY:
        return pack_fail(error, FOTA_E_TRUNCATED, "%s: the file is empty; give the ELF that the linker made",
                         input->name);
    case PACK_KIND_PACKAGE:
        return pack_fail(error, FOTA_E_MAGIC,
                         "%s: this is a .fota package already; to see what is in it: fota inspect, to "
                         "install it: fota flash",
                         input->name);
    case PACK_KIND_BARE:
    case PACK_KIND_HEX:
    case PACK_KIND_SREC:
        return pack_fail(error, FOTA_E_MAGIC,
                         "%s: this is %s: it does not say which of its words are addresses, so it cannot be "
                         "moved to slot B. Give "
                         "the ELF that it was made of (two links, or one with -Wl,--emit-relocs), or a "
                         "firmware.bin made by fota bin",
                         input->name, what);
    default:
        return pack_fail(error, FOTA_E_MAGIC,
                         "%s: this is %s; wanted is the ELF that the linker made, or a firmware.bin with its "
                         "relocation table",
                         input->name, what);
    }
}

int pack_check_loads(const struct pack_elf *elf, struct pack_message *error)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        uint32_t at = elf->segment[i].load_address;
        if (at >= FOTA_CCM_BASE && (at < FOTA_FLASH_BASE || at - FOTA_FLASH_BASE >= FOTA_FLASH_SIZE))
            return pack_fail(error, FOTA_E_LINK_ADDRESS,
                             "%s: %" PRIu32 " bytes have the load address 0x%08" PRIx32
                             ", which is no flash: initialised data in RAM needs `AT> FLASH` in the linker script",
                             elf->name, elf->segment[i].size, at);
    }
    return FOTA_OK;
}

int pack_check_address(const struct pack_elf *elf, unsigned slot, struct pack_message *error)
{
    const char *which = slot == FOTA_SLOT_A ? "A" : "B";
    uint32_t base = fota_slot_code(slot);
    bool other = elf->low == fota_slot_code(slot == FOTA_SLOT_A ? FOTA_SLOT_B : FOTA_SLOT_A);
    if (elf->low == base)
        return FOTA_OK;
    return pack_fail(error, FOTA_E_LINK_ADDRESS,
                     "%s: linked for 0x%08" PRIx32 "%s; the address for slot %s is 0x%08" PRIx32
                     ": %sset the origin of the flash in the linker script to 0x%08" PRIx32 ", the length to %" PRIu32,
                     elf->name, elf->low, other ? " (that is the other slot)" : "", which, base,
                     other ? "give slot A first and slot B second, or " : "", base, FOTA_CODE_MAX);
}

int pack_check_size(const struct pack_elf *elf, struct pack_message *error)
{
    if (elf->high - elf->low <= FOTA_CODE_MAX)
        return FOTA_OK;
    return pack_fail(error, FOTA_E_SIZE,
                     "%s: %" PRIu32 " bytes of code, %" PRIu32 " more than the %" PRIu32
                     " that a slot holds: make it smaller (-Os, "
                     "-Wl,--gc-sections)",
                     elf->name, elf->high - elf->low, elf->high - elf->low - FOTA_CODE_MAX, FOTA_CODE_MAX);
}

static int check_place(const struct pack_elf *elf, unsigned slot, struct pack_message *error)
{
    int e = pack_check_loads(elf, error);
    if (e == FOTA_OK)
        e = pack_check_address(elf, slot, error);
    return e == FOTA_OK ? pack_check_size(elf, error) : e;
}

/* Flatten an ELF and pad it. */
static int flatten(const struct pack_elf *elf, uint8_t **code, uint32_t *size, struct pack_message *error)
{
    uint32_t length = elf->high - elf->low;
    uint32_t padded = (length + 3u) & ~3u;
    if (padded < 8u)
        return pack_fail(error, FOTA_E_SIZE, "%s: %" PRIu32 " bytes of code: not even a vector table", elf->name,
                         length);
    *code = malloc(padded);
    if (*code == NULL)
        return pack_no_memory(error);
    memset(*code + length, 0xFF, padded - length);
    pack_elf_flatten(elf, *code);
    *size = padded;
    return FOTA_OK;
}

int pack_image_two(const struct pack_elf *a, const struct pack_elf *b, struct pack_image *image,
                   struct pack_message *error)
{
    uint8_t *code_b = NULL;
    uint32_t size_b = 0;
    int e = flatten(a, &image->code, &image->size, error);
    if (e == FOTA_OK)
        e = flatten(b, &code_b, &size_b, error);
    if (e == FOTA_OK && a->high - a->low != b->high - b->low)
        e = pack_fail(error, FOTA_E_SIZE,
                      "%s has %" PRIu32 " bytes of code and %s has %" PRIu32
                      ": the two must be links of the same objects with nothing but the origin of the flash changed",
                      a->name, a->high - a->low, b->name, b->high - b->low);
    if (e == FOTA_OK)
        e = pack_differ(a, b, code_b, image, error);
    free(code_b);
    return e;
}

int pack_image_one(const struct pack_elf *elf, const uint32_t *allow, size_t count, struct pack_image *image,
                   struct pack_message *error)
{
    int e = flatten(elf, &image->code, &image->size, error);
    return e == FOTA_OK ? pack_emitted(elf, allow, count, image, error) : e;
}

static int load_two(const struct pack_input *inputs, struct pack_image *image, struct pack_message *error)
{
    struct pack_elf a, b;
    int e = pack_elf_open(&a, &inputs[0], error);
    if (e == FOTA_OK)
        e = pack_elf_open(&b, &inputs[1], error);
    if (e == FOTA_OK)
        e = check_place(&a, FOTA_SLOT_A, error);
    if (e == FOTA_OK)
        e = check_place(&b, FOTA_SLOT_B, error);
    return e == FOTA_OK ? pack_image_two(&a, &b, image, error) : e;
}

static int load_one(const struct pack_input *input, const uint32_t *allow, size_t count, struct pack_image *image,
                    struct pack_message *error)
{
    struct pack_elf elf;
    int e = pack_elf_open(&elf, input, error);
    if (e == FOTA_OK)
        e = check_place(&elf, FOTA_SLOT_A, error);
    return e == FOTA_OK ? pack_image_one(&elf, allow, count, image, error) : e;
}

int pack_check_vectors(const char *name, const struct pack_image *image, struct pack_message *error)
{
    if (fota_vectors_check(image->code, image->size, FOTA_SLOT_A) != FOTA_OK)
        return pack_fail(
            error, FOTA_E_VECTORS,
            "%s: the vector table at 0x%08x begins with stack pointer 0x%08" PRIx32 " and reset address 0x%08" PRIx32
            "; the stack pointer must be 8-aligned in SRAM (0x20000000-0x20020000) or CCM "
            "(0x10000000-0x10010000), the "
            "reset address odd and between 0x%08x and 0x%08" PRIx32 ": put the vector table first in the linker script",
            name, FOTA_LINK_ADDRESS, fota_get32(image->code), fota_get32(image->code + 4), FOTA_LINK_ADDRESS,
            FOTA_LINK_ADDRESS + image->size);
    uint32_t reset = 4u;
    for (uint32_t i = 0; i < image->count; i++)
        if (image->relocations[i] == reset)
            return FOTA_OK;
    return pack_fail(error, FOTA_E_VECTORS,
                     "%s: the reset address at 0x%08x is not one of the words that move to slot B: slot B "
                     "would start the code of "
                     "slot A; give the vector table relocations (no absolute numbers in it)",
                     name, FOTA_LINK_ADDRESS + reset);
}

int pack_find_info(const char *name, struct pack_image *image, struct pack_message *error)
{
    uint32_t first = 0;
    for (uint32_t i = 0; image->size >= sizeof image->info && i <= image->size - sizeof image->info; i += 4u) {
        const uint8_t *p = image->code + i;
        if (memcmp(p, info_magic, sizeof info_magic) != 0)
            continue;
        if (image->has_info)
            return pack_fail(error, FOTA_E_FORMAT,
                             "%s: two blocks of application info, at 0x%08" PRIx32 " and 0x%08" PRIx32
                             ": there must be one (appinfo.h); remove the other",
                             name, FOTA_LINK_ADDRESS + first, FOTA_LINK_ADDRESS + i);
        first = i;
        image->has_info = true;
        memcpy(image->info.magic, p, sizeof info_magic);
        memcpy(image->info.product, p + 16, FOTA_PRODUCT_SIZE);
        image->info.hw_min = fota_get16(p + 32);
        image->info.hw_max = fota_get16(p + 34);
        image->info.major = fota_get16(p + 36);
        image->info.minor = fota_get16(p + 38);
        image->info.patch = fota_get16(p + 40);
        image->info.build = fota_get32(p + 44);
        image->info.counter = fota_get32(p + 48);
        image->info.deadline_ms = fota_get32(p + 52);
    }
    return FOTA_OK;
}

int pack_image_load(const struct pack_input *inputs, unsigned count, const uint32_t *allow_words, size_t allow_count,
                    struct pack_image *image, struct pack_message *error)
{
    *image = (struct pack_image){0};
    int e = FOTA_OK;
    if (count != 1u && count != 2u)
        return pack_fail(error, FOTA_E_ARGUMENT,
                         "%u input files; wanted is one ELF, two ELFs (slot A, slot B) or one firmware.bin", count);
    for (unsigned i = 0; i < count && e == FOTA_OK; i++) {
        enum pack_kind kind = pack_kind_of(inputs[i].data, inputs[i].size);
        if ((kind == PACK_KIND_BIN || kind == PACK_KIND_ESP) && count == 2u)
            e = pack_fail(error, FOTA_E_ARGUMENT, "%s: this is %s, which is whole: give it alone", inputs[i].name,
                          pack_kind_text(kind));
        else if (kind == PACK_KIND_ESP)
            return pack_esp_read(&inputs[i], image, error);
        else if (kind != PACK_KIND_ELF && kind != PACK_KIND_BIN)
            e = pack_wrong_kind(&inputs[i], error);
    }
    if (e == FOTA_OK) {
        if (count == 2u)
            e = load_two(inputs, image, error);
        else if (pack_kind_of(inputs[0].data, inputs[0].size) == PACK_KIND_BIN)
            e = pack_bin_read(&inputs[0], image, error);
        else
            e = load_one(&inputs[0], allow_words, allow_count, image, error);
    }
    if (e == FOTA_OK)
        e = pack_check_vectors(inputs[0].name, image, error);
    if (e == FOTA_OK)
        e = pack_find_info(inputs[0].name, image, error);
    if (e != FOTA_OK)
        pack_image_free(image);
    return e;
}
