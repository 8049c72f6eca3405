/* SPDX-License-Identifier: MIT */
/* What developers give to `fota pack` and what they upload to a hub with --dev-key: ELFs, one or two, firmware.bin with
 * its relocation table, bootloaders. First byte: how the rest is split. */
#include "fuzz.h"

#include "pack.h"

static void check_image(const struct pack_image *image)
{
    PROMISE(image->size % 4u == 0 && image->size <= FOTA_CODE_MAX);
    for (uint32_t i = 0; i < image->count; i++) {
        PROMISE(image->relocations[i] <= image->size - 4u);
        PROMISE(i == 0 || image->relocations[i] >= image->relocations[i - 1u] + 4u);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned links = fuzz_byte(&in) % 2u == 0 ? 1u : 2u;
    size_t first, second;
    uint8_t *a = fuzz_piece(&in, links == 1u ? in.size : in.size / 2u, &first);
    uint8_t *b = fuzz_piece(&in, in.size, &second);
    struct pack_input inputs[2] = {{"first", a, first}, {"second", b, second}};
    struct pack_image image;
    struct pack_message message = {0};
    struct fota_config config;

    if (pack_image_load(inputs, links, NULL, 0, &image, &message) == FOTA_OK) {
        check_image(&image);
        pack_image_free(&image);
    } else {
        PROMISE(message.text[0] != 0);
    }
    (void) pack_bootloader_config(&inputs[0], &config, &message);
    (void) pack_kind_of(a, first);
    free(a);
    free(b);
    return 0;
}
