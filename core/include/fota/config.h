/* SPDX-License-Identifier: MIT */
/** @file config.h The bootloader's configuration block (docs/image.md), filled by a tool, read by the
 * bootloader. */
#ifndef FOTA_CONFIG_H
#define FOTA_CONFIG_H

#include "fota/header.h"

#define FOTA_CONFIG_MAGIC 0x47464346u /* "FCFG" */
#define FOTA_CONFIG_FORMAT 1u
#define FOTA_CONFIG_KEYS 2u
#define FOTA_CONFIG_BAUD_MIN 2400u /* USART1 at 84 MHz: BRR has 16 bits (RM0090 30.3.4) */
#define FOTA_CONFIG_BAUD_MAX 2000000u

/** Word 7 of the bootloader's vector table, which the core does not use, holds its version. */
#define FOTA_BOOT_VERSION_ADDRESS (FOTA_BOOT_BASE + 0x1Cu)
#define FOTA_BOOT_VERSION(major, minor, patch)                                                                         \
    ((uint32_t) (major) << 24 | (uint32_t) (minor) << 16 | (uint32_t) (patch))

static inline struct fota_version fota_boot_version(uint32_t word)
{
    return (struct fota_version){(uint16_t) (word >> 24), (word >> 16) & 0xFFu, word & 0xFFFFu, 0, 0};
}

struct fota_config {
    struct fota_target target; /* product, hardware revision, built-in floor */
    unsigned key_count;        /* 1 … FOTA_CONFIG_KEYS */
    struct fota_key keys[FOTA_CONFIG_KEYS];
    uint8_t uart;    /* 1, 2 or 3 */
    uint8_t spi;     /* 1: SPI1 listens, too; 0: none */
    uint32_t baud;   /* FOTA_CONFIG_BAUD_MIN … FOTA_CONFIG_BAUD_MAX */
    uint32_t hse_hz; /* 4 000 000 … 26 000 000 in whole MHz, or 0: no crystal */
};

/** Decode and check a block. @return FOTA_OK, FOTA_E_MAGIC, FOTA_E_FORMAT, FOTA_E_CRC or FOTA_E_CONFIG. */
int fota_config_decode(const uint8_t raw[FOTA_CONFIG_SIZE], struct fota_config *config);

/** Write a block. @return FOTA_OK or FOTA_E_CONFIG when a member is out of its range. */
int fota_config_encode(const struct fota_config *config, uint8_t raw[FOTA_CONFIG_SIZE]);

#endif
