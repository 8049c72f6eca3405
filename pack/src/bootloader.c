/* SPDX-License-Identifier: MIT */
/** @file bootloader.c The configuration block at the end of the bootloader's sector. */
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_OFFSET (FOTA_BOOT_SIZE - FOTA_CONFIG_SIZE)

/* May a configuration be written over these bytes? Blank ones, or an older configuration. */
static bool is_free(const uint8_t *p, size_t size)
{
    if (size == FOTA_CONFIG_SIZE && fota_get32(p) == FOTA_CONFIG_MAGIC)
        return true;
    for (size_t i = 0; i < size; i++)
        if (p[i] != 0xFF)
            return false;
    return true;
}

static int check_boot(const struct pack_input *boot, struct pack_message *error)
{
    enum pack_kind kind = pack_kind_of(boot->data, boot->size);
    if (boot->size < 8u || (kind != PACK_KIND_BARE && kind != PACK_KIND_BOOTLOADER))
        return pack_fail(error, FOTA_E_VECTORS,
                         "%s: this is %s; wanted is the bootloader's bare binary (objcopy -O binary)", boot->name,
                         pack_kind_text(kind));
    uint32_t reset = fota_get32(boot->data + 4);
    if (reset < FOTA_BOOT_BASE || reset - FOTA_BOOT_BASE >= FOTA_BOOT_SIZE)
        return pack_fail(error, FOTA_E_VECTORS,
                         "%s: its reset address 0x%08" PRIx32
                         " is not in sector 0 (0x%08x to 0x%08x): this is an application, no bootloader",
                         boot->name, reset, FOTA_BOOT_BASE, FOTA_BOOT_BASE + FOTA_BOOT_SIZE - 1u);
    if (boot->size > FOTA_BOOT_SIZE ||
        (boot->size > CONFIG_OFFSET && !is_free(boot->data + CONFIG_OFFSET, boot->size - CONFIG_OFFSET)))
        return pack_fail(error, FOTA_E_SIZE,
                         "%s: %zu bytes; a bootloader has at most %u, the last %u bytes of its 16 KiB sector "
                         "are the configuration block: "
                         "make it smaller",
                         boot->name, boot->size, CONFIG_OFFSET, FOTA_CONFIG_SIZE);
    return FOTA_OK;
}

/* Which member fota_config_encode() does not like. */
static int bad_config(const struct fota_config *c, struct pack_message *error)
{
    if (c->key_count < 1u || c->key_count > FOTA_CONFIG_KEYS)
        return pack_fail(error, FOTA_E_CONFIG, "%u keys; the bootloader takes 1 or 2", c->key_count);
    if (c->uart < 1u || c->uart > 3u)
        return pack_fail(error, FOTA_E_CONFIG, "UART %u; there are 1, 2 and 3", c->uart);
    if (c->spi > 1u)
        return pack_fail(error, FOTA_E_CONFIG, "SPI %u; there is 1, or 0: none", c->spi);
    if (c->baud < FOTA_CONFIG_BAUD_MIN || c->baud > FOTA_CONFIG_BAUD_MAX)
        return pack_fail(error, FOTA_E_CONFIG, "baud rate %" PRIu32 " is not in %u to %u", c->baud,
                         FOTA_CONFIG_BAUD_MIN, FOTA_CONFIG_BAUD_MAX);
    if (c->hse_hz != 0 && (c->hse_hz < 4000000u || c->hse_hz > 26000000u || c->hse_hz % 1000000u != 0))
        return pack_fail(error, FOTA_E_CONFIG,
                         "crystal of %" PRIu32 " Hz is not in 4 to 26 MHz, in whole MHz (0: none)", c->hse_hz);
    return pack_fail(error, FOTA_E_CONFIG, "a member of the configuration is out of its range");
}

int pack_bootloader_make(const struct pack_input *boot, const struct fota_config *config, struct pack_buffer *out,
                         struct pack_message *error)
{
    *out = (struct pack_buffer){0};
    int e = check_boot(boot, error);
    if (e != FOTA_OK)
        return e;
    out->data = malloc(FOTA_BOOT_SIZE);
    if (out->data == NULL)
        return pack_no_memory(error);
    out->size = FOTA_BOOT_SIZE;
    memset(out->data, 0xFF, FOTA_BOOT_SIZE);
    memcpy(out->data, boot->data, boot->size < CONFIG_OFFSET ? boot->size : CONFIG_OFFSET);
    struct fota_config again;
    if (fota_config_encode(config, out->data + CONFIG_OFFSET) != FOTA_OK ||
        fota_config_decode(out->data + CONFIG_OFFSET, &again) != FOTA_OK) {
        pack_buffer_free(out);
        return bad_config(config, error);
    }
    return FOTA_OK;
}

int pack_bootloader_config(const struct pack_input *boot, struct fota_config *config, struct pack_message *error)
{
    if (boot->size != FOTA_BOOT_SIZE)
        return pack_fail(error, FOTA_E_SIZE,
                         "%s: %zu bytes; a configured bootloader has %u: make one with fota bootloader -o", boot->name,
                         boot->size, FOTA_BOOT_SIZE);
    int e = fota_config_decode(boot->data + CONFIG_OFFSET, config);
    if (e == FOTA_E_MAGIC)
        return pack_fail(error, e,
                         "%s: no configuration block at 0x%08x: fill it in with fota bootloader --key … "
                         "--product … -o boot.bin",
                         boot->name, FOTA_CONFIG_BASE);
    if (e != FOTA_OK)
        return pack_fail(
            error, e, "%s: the configuration block at 0x%08x is not valid (%s): fill it in again with fota bootloader",
            boot->name, FOTA_CONFIG_BASE, fota_error_name(e));
    return FOTA_OK;
}
