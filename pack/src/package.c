/* SPDX-License-Identifier: MIT */
/** @file package.c The writer of packages, and the check that everything written goes through before it
 * leaves. */
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Gather what the header says of the program: the application's own block first, then the options. */
static int describe(const struct pack_image *image, const struct pack_options *options, struct fota_header *header,
                    struct pack_message *error)
{
    const unsigned needed = PACK_SET_PRODUCT | PACK_SET_HW | PACK_SET_VERSION | PACK_SET_COUNTER;
    const struct fota_appinfo *info = &image->info;
    if (!image->has_info && (options->set & needed) != needed)
        return pack_fail(error, FOTA_E_ARGUMENT,
                         "the application says nothing of itself (fota/appinfo.h), so %s%s%s%smust be given",
                         (options->set & PACK_SET_PRODUCT) == 0 ? "--product " : "",
                         (options->set & PACK_SET_HW) == 0 ? "--hw " : "",
                         (options->set & PACK_SET_VERSION) == 0 ? "--version " : "",
                         (options->set & PACK_SET_COUNTER) == 0 ? "--counter " : "");
    memcpy(header->product, (options->set & PACK_SET_PRODUCT) != 0 ? options->product : info->product,
           FOTA_PRODUCT_SIZE);
    header->hw_min = (options->set & PACK_SET_HW) != 0 ? options->hw_min : info->hw_min;
    header->hw_max = (options->set & PACK_SET_HW) != 0 ? options->hw_max : info->hw_max;
    header->version = (options->set & PACK_SET_VERSION) != 0
                          ? options->version
                          : (struct fota_version){
                                .major = info->major, .minor = info->minor, .patch = info->patch, .build = info->build};
    header->counter = (options->set & PACK_SET_COUNTER) != 0 ? options->counter : info->counter;
    header->deadline_ms = (options->set & PACK_SET_DEADLINE) != 0 ? options->deadline_ms : info->deadline_ms;
    if (header->deadline_ms == 0 && (options->set & PACK_SET_DEADLINE) == 0)
        header->deadline_ms = FOTA_TRIAL_DEADLINE_DEFAULT_MS;
    return FOTA_OK;
}

/* How much of the code goes into the block at `offset`, and how many relocations: no word crosses the end. */
static uint32_t block_size(const struct pack_image *image, uint32_t offset, uint32_t first, uint32_t *count)
{
    uint32_t length = image->size - offset < FOTA_BLOCK_MAX ? image->size - offset : FOTA_BLOCK_MAX;
    uint32_t n = 0;
    while (first + n < image->count && image->relocations[first + n] < offset + length) {
        if (image->relocations[first + n] + 4u > offset + length) {
            length = image->relocations[first + n] - offset;
            break;
        }
        n++;
    }
    *count = n;
    return length;
}

/* Walk the blocks: with `out` NULL only the size of the payload is computed. The code of both slots is hashed
 * on the way. */
static size_t write_code(const struct pack_image *image, uint8_t *out, struct fota_header *header)
{
    size_t size = 0;
    uint32_t offset = 0, next = 0;
    struct fota_sha256 hash[FOTA_SLOT_COUNT];
    uint16_t places[FOTA_BLOCK_RELOCATIONS_MAX];
    uint8_t moved[FOTA_BLOCK_MAX];
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
        fota_sha256_init(&hash[slot]);
    while (offset < image->size) {
        uint32_t count = 0, length = block_size(image, offset, next, &count);
        if (out != NULL) {
            uint8_t *p = out + size;
            fota_put16(p, (uint16_t) length);
            fota_put16(p + 2, (uint16_t) count);
            p += FOTA_BLOCK_HEAD;
            for (uint32_t i = 0; i < count; i++, p += 2) {
                places[i] = (uint16_t) (image->relocations[next + i] - offset);
                fota_put16(p, places[i]);
            }
            memcpy(p, image->code + offset, length);
            memcpy(moved, image->code + offset, length);
            for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
                if (slot == FOTA_SLOT_B)
                    fota_relocate(moved, places, count, FOTA_SLOT_DISTANCE);
                fota_sha256_update(&hash[slot], moved, length);
                header->crc[slot] = fota_crc32(header->crc[slot], moved, length);
            }
        }
        size += FOTA_BLOCK_HEAD + 2u * (size_t) count + length;
        offset += length;
        next += count;
    }
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
        fota_sha256_out(&hash[slot], header->sha256[slot]);
    return size;
}

int pack_image_sign(const struct pack_image *image, const struct pack_options *options, const struct pack_key *key,
                    struct pack_buffer *out, struct pack_result *result, struct pack_message *error)
{
    struct fota_header header = {.image_size = image->size,
                                 .link_address = image->gateway ? 0 : FOTA_LINK_ADDRESS,
                                 .distance = image->gateway ? 0 : FOTA_SLOT_DISTANCE,
                                 .flags = image->gateway ? FOTA_FLAG_GATEWAY : 0};
    *out = (struct pack_buffer){0};
    int e = describe(image, options, &header, error);
    if (e != FOTA_OK)
        return e;
    size_t payload = write_code(image, NULL, &header);
    out->size = FOTA_HEADER_SIZE + FOTA_SECTION_HEAD + payload + FOTA_SECTION_HEAD;
    out->data = calloc(out->size, 1);
    if (out->data == NULL)
        return pack_no_memory(error);
    uint8_t *p = out->data + FOTA_HEADER_SIZE;
    fota_put16(p, FOTA_SECTION_CODE);
    fota_put32(p + 4, (uint32_t) payload);
    (void) write_code(image, p + FOTA_SECTION_HEAD, &header);
    fota_put16(p + FOTA_SECTION_HEAD + payload, FOTA_SECTION_END);

    uint8_t digest[FOTA_SHA256_SIZE];
    memcpy(header.key_id, key->public_key.id, FOTA_KEY_ID_SIZE);
    fota_header_encode(&header, out->data);
    fota_header_identity(out->data, digest);
    e = pack_sign(key, digest, header.signature);
    fota_header_encode(&header, out->data);
    if (e != FOTA_OK)
        e = pack_fail(error, e, "the key cannot sign");
    /* Nothing leaves that the gateway would refuse. */
    const struct pack_input written = {"the new package", out->data, out->size};
    if (e == FOTA_OK)
        e = pack_verify(&written, &key->public_key, 1, NULL, result, error);
    if (e != FOTA_OK)
        pack_buffer_free(out);
    return e;
}

int pack_make(const struct pack_options *options, const struct pack_input *inputs, unsigned count,
              const struct pack_key *key, struct pack_buffer *out, struct pack_result *result,
              struct pack_message *error)
{
    struct pack_image image;
    *out = (struct pack_buffer){0};
    int e = pack_image_load(inputs, count, options->allow_words, options->allow_count, &image, error);
    if (e != FOTA_OK)
        return e;
    e = pack_image_sign(&image, options, key, out, result, error);
    pack_image_free(&image);
    return e;
}

int pack_build(const struct pack_options *options, const char *const *inputs, unsigned count,
               const struct pack_key *key, const char *out_path, struct pack_result *result, struct pack_message *error)
{
    struct pack_buffer file[2] = {{0}, {0}}, out = {0};
    struct pack_input input[2] = {{0}, {0}};
    int e = FOTA_OK;
    if (count != 1u && count != 2u)
        return pack_fail(error, FOTA_E_ARGUMENT,
                         "%u input files; wanted is one ELF, two ELFs (slot A, slot B) or one firmware.bin", count);
    for (unsigned i = 0; i < count && e == FOTA_OK; i++) {
        e = pack_file_read(inputs[i], PACK_FILE_MAX, &file[i], error);
        input[i] = (struct pack_input){inputs[i], file[i].data, file[i].size};
    }
    if (e == FOTA_OK)
        e = pack_make(options, input, count, key, &out, result, error);
    if (e == FOTA_OK)
        e = pack_file_write(out_path, out.data, out.size, 0644, error);
    pack_buffer_free(&out);
    pack_buffer_free(&file[0]);
    pack_buffer_free(&file[1]);
    return e;
}

int pack_verify(const struct pack_input *input, const struct fota_key *keys, unsigned key_count,
                const struct fota_target *target, struct pack_result *result, struct pack_message *error)
{
    struct fota_package_check *check = malloc(sizeof *check);
    if (check == NULL)
        return pack_no_memory(error);
    fota_package_check_init(check, keys, key_count);
    int e = input->size > FOTA_PACKAGE_MAX ? FOTA_E_TRAILING : fota_package_check_feed(check, input->data, input->size);
    if (e == FOTA_OK)
        e = fota_package_check_end(check);
    if (e == FOTA_OK && target != NULL)
        e = fota_header_fits(&check->header, target);
    if (result != NULL) {
        *result = (struct pack_result){.header = check->header, .size = input->size, .relocations = check->relocations};
        memcpy(result->identity, check->identity, sizeof result->identity);
        fota_sha256(input->data, input->size, result->sha256);
    }
    if (e != FOTA_OK) {
        char why[800];
        const struct pack_context context = {
            .file = input->name,
            .header = input->size >= FOTA_HEADER_SIZE ? input->data : NULL,
            .file_head = input->data,
            .file_head_size = input->size,
            .target = target,
            .keys = keys,
            .key_count = key_count,
        };
        pack_explain(e, &context, why, sizeof why);
        (void) pack_fail(error, e, "%s: %s", input->name, why);
    }
    free(check);
    return e;
}

/* A sink that lays the code out in memory. */
struct layout {
    uint8_t *slot;
    unsigned which;
};

static int lay(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations, unsigned count)
{
    struct layout *l = ctx;
    if (l->which == FOTA_SLOT_B)
        fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    memcpy(l->slot + FOTA_HEADER_SIZE + offset, code, length);
    return FOTA_OK;
}

int pack_slot_make(const struct pack_input *package, const struct fota_key *keys, unsigned key_count, unsigned slot,
                   struct pack_buffer *out, struct pack_message *error)
{
    static const struct fota_package_sink sink = {.code = lay};
    struct pack_result result = {0};
    *out = (struct pack_buffer){0};
    int e = pack_verify(package, keys, key_count, NULL, &result, error);
    if (e != FOTA_OK)
        return e;
    if (result.header.flags != 0)
        return pack_fail(error, FOTA_E_FLAGS,
                         "%s: this is a gateway's own program, and not for a slot: give it to the "
                         "gateway as an update",
                         package->name);
    struct fota_package *reader = malloc(sizeof *reader);
    out->size = FOTA_HEADER_SIZE + result.header.image_size;
    out->data = malloc(out->size);
    if (reader == NULL || out->data == NULL) {
        free(reader);
        pack_buffer_free(out);
        return pack_no_memory(error);
    }
    struct layout layout = {out->data, slot};
    memcpy(out->data, package->data, FOTA_HEADER_SIZE);
    fota_package_init(reader, &sink, &layout);
    (void) fota_package_feed(reader, package->data, package->size);
    e = fota_package_end(reader);
    free(reader);
    return e == FOTA_OK ? FOTA_OK : pack_fail(error, e, "%s: %s", package->name, fota_error_text(e));
}
