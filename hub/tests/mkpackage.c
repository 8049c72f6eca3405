/* SPDX-License-Identifier: MIT */
/* Makes keys, signed packages and a firmware.bin for the tests of the hub; the images are noise with a good vector
 * table.
 *
 *   mkpackage key NAME                           NAME.pem and NAME.pub.pem
 *   mkpackage package KEY.pem VERSION SIZE OUT   a .fota of SIZE bytes of code
 *   mkpackage bin VERSION SIZE OUT               a firmware.bin with its relocation table
 */
#include <fota/bytes.h>
#include <pack.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFO_AT 0x40u
#define RELOCATIONS 64u

static int fail(const struct pack_message *message)
{
    fprintf(stderr, "mkpackage: %s\n", message->text);
    return 1;
}

static bool make_image(const char *version, uint32_t size, struct pack_image *image)
{
    static const struct fota_appinfo info = {.magic = FOTA_APPINFO_MAGIC,
                                             .product = {0x5a, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15},
                                             .hw_min = 1,
                                             .hw_max = 3,
                                             .counter = 7};
    struct fota_version v;
    memset(image, 0, sizeof *image);
    if (!pack_version_parse(version, &v) || size < 1024 || size > FOTA_CODE_MAX || size % 4 != 0)
        return false;
    image->code = malloc(size);
    image->relocations = malloc(RELOCATIONS * sizeof *image->relocations);
    if (image->code == NULL || image->relocations == NULL)
        return false;
    image->size = size;
    uint32_t noise = v.major * 65537u + v.minor * 257u + v.patch + 1u;
    for (uint32_t i = 0; i < size; i += 4) {
        noise = noise * 1664525u + 1013904223u;
        fota_put32(image->code + i, (noise & 0x00FFFFFFu) | 0xA5000000u); /* never like an address of a slot */
    }
    fota_put32(image->code, FOTA_RAM_BASE + FOTA_RAM_SIZE);
    image->relocations[image->count++] = 4;
    for (uint32_t at = 256; image->count < RELOCATIONS && at < size; at += (size / RELOCATIONS) & ~3u)
        image->relocations[image->count++] = at;
    for (uint32_t i = 0; i < image->count; i++)
        fota_put32(image->code + image->relocations[i], FOTA_LINK_ADDRESS + 0x101u);
    image->info = info;
    image->info.major = v.major;
    image->info.minor = v.minor;
    image->info.patch = v.patch;
    image->info.build = v.build;
    image->has_info = true;
    memcpy(image->code + INFO_AT, &image->info, sizeof image->info);
    return true;
}

static int write_out(const char *path, struct pack_buffer *buffer)
{
    struct pack_message message = {0};
    int rc = pack_file_write(path, buffer->data, buffer->size, 0644, &message);
    pack_buffer_free(buffer);
    return rc == FOTA_OK ? 0 : fail(&message);
}

int main(int argc, char **argv)
{
    struct pack_message message = {0};
    struct pack_options options = {0};
    struct pack_buffer out = {0};
    struct pack_image image;
    struct pack_key key;
    if (argc == 3 && strcmp(argv[1], "key") == 0)
        return pack_key_generate(&key, &message) == FOTA_OK && pack_key_save(&key, argv[2], true, &message) == FOTA_OK
                   ? 0
                   : fail(&message);
    if (argc == 6 && strcmp(argv[1], "package") == 0 &&
        make_image(argv[3], (uint32_t) strtoul(argv[4], NULL, 10), &image)) {
        if (pack_key_load(argv[2], &key, &message) != FOTA_OK ||
            pack_image_sign(&image, &options, &key, &out, NULL, &message) != FOTA_OK)
            return fail(&message);
        pack_image_free(&image);
        return write_out(argv[5], &out);
    }
    if (argc == 5 && strcmp(argv[1], "bin") == 0 &&
        make_image(argv[2], (uint32_t) strtoul(argv[3], NULL, 10), &image)) {
        if (pack_bin_make(&image, &out, &message) != FOTA_OK)
            return fail(&message);
        pack_image_free(&image);
        return write_out(argv[4], &out);
    }
    fprintf(stderr, "usage: see mkpackage.c\n");
    return 64;
}
