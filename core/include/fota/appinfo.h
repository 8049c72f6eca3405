/* SPDX-License-Identifier: MIT */
/**
 * @file appinfo.h
 * What an application says of itself. `fota pack` and the hub find this block in the code (its 16 bytes of
 * magic stand once in an image, 4-aligned) and take product, version and the rest from it, so that they are
 * written in one place: the application's source. Options of `fota pack` override it.
 */
#ifndef FOTA_APPINFO_H
#define FOTA_APPINFO_H

#include <stdint.h>

#define FOTA_APPINFO_MAGIC_SIZE 16u
#define FOTA_APPINFO_MAGIC                                                                                             \
    {                                                                                                                  \
        'F', 'O', 'T', 'A', '-', 'A', 'P', 'P', '-', 'I', 'N', 'F', 'O', '-', '0', '1'                                 \
    }

/** Laid out without padding; little-endian in the image. 56 bytes. */
struct fota_appinfo {
    uint8_t magic[FOTA_APPINFO_MAGIC_SIZE];
    uint8_t product[16];
    uint16_t hw_min, hw_max;
    uint16_t major, minor, patch, reserved;
    uint32_t build;
    uint32_t counter;
    uint32_t deadline_ms; /* 0: the default */
};

_Static_assert(sizeof(struct fota_appinfo) == 56u, "no padding");

#endif
