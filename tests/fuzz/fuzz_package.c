/* SPDX-License-Identifier: MIT */
/* A package, in pieces of any size: the answer does not depend on how it is cut, and no block leaves the image. */
#include "fuzz.h"

#include "pack.h"

static int on_code(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations,
                   unsigned count)
{
    uint32_t *end = ctx;

    PROMISE(offset == *end && length <= FOTA_BLOCK_MAX && length <= FOTA_CODE_MAX - offset);
    for (unsigned i = 0; i < count; i++)
        PROMISE(relocations[i] + 4u <= length);
    fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    *end += length;
    return FOTA_OK;
}

static int read_whole(const uint8_t *data, size_t size, size_t piece)
{
    static const struct fota_package_sink sink = {.code = on_code};
    static struct fota_package package;
    uint32_t end = 0;
    int error = FOTA_OK;

    fota_package_init(&package, &sink, &end);
    for (size_t at = 0; at < size && error == FOTA_OK; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(n);

        memcpy(copy, data + at, n);
        error = fota_package_feed(&package, copy, n);
        free(copy);
    }
    return error == FOTA_OK ? fota_package_end(&package) : error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pack_input input = {"package", data, size};
    struct pack_message message = {0};
    struct pack_result result;
    int whole = read_whole(data, size, size + 1u);

    PROMISE(read_whole(data, size, 7) == whole);
    PROMISE(read_whole(data, size, 512) == whole);
    if (pack_verify(&input, NULL, 0, NULL, &result, &message) == FOTA_OK) /* with no key to judge it by */
        PROMISE(whole == FOTA_OK);
    else
        PROMISE(message.text[0] != 0);
    return 0;
}
