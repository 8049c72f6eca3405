/* SPDX-License-Identifier: MIT */
/** @file config.h The bootloader's configuration block (docs/image.md), filled by a tool, read by the
 * bootloader. */
#ifndef FOTA_CONFIG_H
#define FOTA_CONFIG_H

#include "fota/header.h"

#define FOTA_CONFIG_MAGIC 0x47464346u /* "FCFG" */
#define FOTA_CONFIG_FORMAT 1u
#define FOTA_CONFIG_KEYS 2u

struct fota_config {
    struct fota_target target; /* product, hardware revision, built-in floor */
    unsigned key_count;        /* 1 … FOTA_CONFIG_KEYS */
    struct fota_key keys[FOTA_CONFIG_KEYS];
    uint8_t uart;    /* 1, 2 or 3 */
    uint32_t baud;   /* 1 200 … 2 000 000 */
    uint32_t hse_hz; /* 4 000 000 … 26 000 000 in whole MHz, or 0: no crystal */
};

/** Decode and check a block. @return FOTA_OK, FOTA_E_MAGIC, FOTA_E_FORMAT, FOTA_E_CRC or FOTA_E_CONFIG. */
int fota_config_decode(const uint8_t raw[FOTA_CONFIG_SIZE], struct fota_config *config);

/** Write a block. @return FOTA_OK or FOTA_E_CONFIG when a member is out of its range. */
int fota_config_encode(const struct fota_config *config, uint8_t raw[FOTA_CONFIG_SIZE]);

#endif
