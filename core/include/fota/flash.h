/* SPDX-License-Identifier: MIT */
/** @file flash.h How core reaches the flash: a few callbacks with a context, as littlefs does it. */
#ifndef FOTA_FLASH_H
#define FOTA_FLASH_H

#include "fota/map.h"

struct fota_flash {
    void *ctx;
    /** Copy from flash. @return FOTA_OK or a negative error. */
    int (*read)(void *ctx, uint32_t address, void *out, uint32_t length);
    /** Program words in ascending order. Address and length are multiples of 4; bits only go from 1 to 0;
     * words that hold the same value already are programmed again all the same (that settles a torn word).
     *  @return FOTA_OK when the words read back as asked, else FOTA_E_FLASH or FOTA_E_SUPPLY. */
    int (*program)(void *ctx, uint32_t address, const void *data, uint32_t length);
    /** Erase a sector, 0 … 11. @return FOTA_OK or FOTA_E_FLASH or FOTA_E_SUPPLY. */
    int (*erase)(void *ctx, unsigned sector);
};

#endif
