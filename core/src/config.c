/* SPDX-License-Identifier: MIT */
#include "fota/config.h"

#include "fota/bytes.h"
#include "fota/crc32.h"
#include "fota/error.h"

#include <string.h>

#define BLANK 0xFFu

enum {
    AT_MAGIC = 0,
    AT_FORMAT = 4,
    AT_SIZE = 6,
    AT_PRODUCT = 8,
    AT_HW = 24,
    AT_KEY_COUNT = 26,
    AT_UART = 27,
    AT_BAUD = 28,
    AT_FLOOR = 32,
    AT_HSE = 36,
    AT_KEYS = 40,
    KEY_SIZE = FOTA_KEY_ID_SIZE + FOTA_PUBLIC_KEY_SIZE,
    AT_SPI = AT_KEYS + FOTA_CONFIG_KEYS * KEY_SIZE,
    AT_CRC = FOTA_CONFIG_SIZE - 4u
};

static bool in_range(const struct fota_config *config)
{
    return config->key_count >= 1u && config->key_count <= FOTA_CONFIG_KEYS && config->uart >= 1u &&
           config->uart <= 3u && config->spi <= 1u && config->baud >= FOTA_CONFIG_BAUD_MIN &&
           config->baud <= FOTA_CONFIG_BAUD_MAX &&
           (config->hse_hz == 0 ||
            (config->hse_hz >= 4000000u && config->hse_hz <= 26000000u && config->hse_hz % 1000000u == 0));
}

int fota_config_decode(const uint8_t raw[FOTA_CONFIG_SIZE], struct fota_config *config)
{
    if (fota_get32(raw + AT_MAGIC) != FOTA_CONFIG_MAGIC)
        return FOTA_E_MAGIC;
    if (fota_get16(raw + AT_FORMAT) != FOTA_CONFIG_FORMAT || fota_get16(raw + AT_SIZE) != FOTA_CONFIG_SIZE)
        return FOTA_E_FORMAT;
    if (fota_get32(raw + AT_CRC) != fota_crc32(0, raw, AT_CRC))
        return FOTA_E_CRC;

    memcpy(config->target.product, raw + AT_PRODUCT, FOTA_PRODUCT_SIZE);
    config->target.hw_revision = fota_get16(raw + AT_HW);
    config->target.floor = fota_get32(raw + AT_FLOOR);
    config->key_count = raw[AT_KEY_COUNT];
    config->uart = raw[AT_UART];
    config->spi = raw[AT_SPI] == BLANK ? 0 : raw[AT_SPI]; /* blocks of before SPI say nothing of it */
    config->baud = fota_get32(raw + AT_BAUD);
    config->hse_hz = fota_get32(raw + AT_HSE);
    for (unsigned i = 0; i < FOTA_CONFIG_KEYS; i++)
        memcpy(&config->keys[i], raw + AT_KEYS + i * KEY_SIZE, KEY_SIZE);
    return in_range(config) ? FOTA_OK : FOTA_E_CONFIG;
}

int fota_config_encode(const struct fota_config *config, uint8_t raw[FOTA_CONFIG_SIZE])
{
    if (!in_range(config))
        return FOTA_E_CONFIG;
    memset(raw, BLANK, FOTA_CONFIG_SIZE);
    fota_put32(raw + AT_MAGIC, FOTA_CONFIG_MAGIC);
    fota_put16(raw + AT_FORMAT, FOTA_CONFIG_FORMAT);
    fota_put16(raw + AT_SIZE, FOTA_CONFIG_SIZE);
    memcpy(raw + AT_PRODUCT, config->target.product, FOTA_PRODUCT_SIZE);
    fota_put16(raw + AT_HW, config->target.hw_revision);
    raw[AT_KEY_COUNT] = (uint8_t) config->key_count;
    raw[AT_UART] = config->uart;
    raw[AT_SPI] = config->spi;
    fota_put32(raw + AT_BAUD, config->baud);
    fota_put32(raw + AT_FLOOR, config->target.floor);
    fota_put32(raw + AT_HSE, config->hse_hz);
    for (unsigned i = 0; i < config->key_count; i++)
        memcpy(raw + AT_KEYS + i * KEY_SIZE, &config->keys[i], KEY_SIZE);
    fota_put32(raw + AT_CRC, fota_crc32(0, raw, AT_CRC));
    return FOTA_OK;
}

_Static_assert(sizeof(struct fota_key) == KEY_SIZE, "a key is copied whole");
_Static_assert(AT_SPI < AT_CRC, "the keys fit");
