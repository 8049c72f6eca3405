/* SPDX-License-Identifier: MIT */
/* The gateway's own program: two OTA partitions, of which ESP-IDF's bootloader starts one; with
 * CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE one that was not confirmed is started once. */
#include "port.h"

#include "gw/text.h"

#include <esp_app_desc.h>
#include <esp_mac.h>
#include <esp_ota_ops.h>
#include <esp_partition.h>

static struct {
    const esp_partition_t *to;
    esp_ota_handle_t handle;
    bool open;
} ota;

static int begin(void *ctx, uint32_t size)
{
    (void) ctx;
    if (ota.open) /* an install that was not ended */
        (void) esp_ota_abort(ota.handle);
    ota.open = false;
    ota.to = esp_ota_get_next_update_partition(NULL);
    if (ota.to == NULL || size > ota.to->size)
        return FOTA_E_SIZE;
    /* erased piece by piece: all at once would keep the gateway for seconds */
    ota.open = esp_ota_begin(ota.to, OTA_WITH_SEQUENTIAL_WRITES, &ota.handle) == ESP_OK;
    return ota.open ? FOTA_OK : FOTA_E_FLASH;
}

static int write(void *ctx, const uint8_t *data, uint32_t length)
{
    (void) ctx;
    return ota.open && esp_ota_write(ota.handle, data, length) == ESP_OK ? FOTA_OK : FOTA_E_FLASH;
}

static int end(void *ctx)
{
    bool good = ota.open && esp_ota_end(ota.handle) == ESP_OK; /* chip, revision, checksum, SHA-256 of the program */

    (void) ctx;
    ota.open = false;
    if (!good)
        return FOTA_E_PROGRAM;
    return esp_ota_set_boot_partition(ota.to) == ESP_OK ? FOTA_OK : FOTA_E_FLASH;
}

static bool on_trial(void *ctx)
{
    esp_ota_img_states_t state;

    (void) ctx;
    return esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK &&
           state == ESP_OTA_IMG_PENDING_VERIFY;
}

/* Where the program that should start is damaged, ESP-IDF's bootloader starts the other one and says so nowhere. Then
 * the next update would take the place of the running program's entry in otadata, and there was no way back. */
static int confirm(void *ctx)
{
    const esp_partition_t *running = esp_ota_get_running_partition();
    bool other = esp_ota_get_boot_partition() != running;

    if (other && esp_ota_set_boot_partition(running) != ESP_OK)
        return FOTA_E_FLASH;
    return (!other && !on_trial(ctx)) || esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? FOTA_OK : FOTA_E_FLASH;
}

static void restart(void *ctx, bool back)
{
    (void) ctx;
    if (back)
        (void) esp_ota_mark_app_invalid_rollback_and_reboot(); /* returns where there is nothing to go back to */
    port_restart();
}

const struct gw_self_port port_ota = {
    .begin = begin, .write = write, .end = end, .on_trial = on_trial, .confirm = confirm, .restart = restart};

void port_ota_running(struct gw_self_config *config)
{
    const esp_app_desc_t *says = esp_app_get_description();

    config->slot =
        esp_ota_get_running_partition()->subtype == ESP_PARTITION_SUBTYPE_APP_OTA_0 ? FOTA_SLOT_A : FOTA_SLOT_B;
    (void) esp_efuse_mac_get_default(config->uid); /* 6 bytes, or 8 */
    config->version = gw_version_of(says->version);
    config->target.floor = says->secure_version;
}
