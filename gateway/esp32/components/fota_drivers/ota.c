/* SPDX-License-Identifier: MIT */
/* The gateway's own program: two OTA partitions, of which ESP-IDF's bootloader starts one; with
 * CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE one that was not confirmed is started once. */
#include "port.h"

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

/* A program that came over a cable has nothing to confirm. */
static int confirm(void *ctx)
{
    esp_ota_img_states_t state;

    (void) ctx;
    if (esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) != ESP_OK ||
        state != ESP_OTA_IMG_PENDING_VERIFY)
        return FOTA_OK;
    return esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? FOTA_OK : FOTA_E_FLASH;
}

static void restart(void *ctx, bool back)
{
    (void) ctx;
    if (back)
        (void) esp_ota_mark_app_invalid_rollback_and_reboot(); /* returns where there is nothing to go back to */
    port_restart();
}

const struct gw_self_port port_ota = {
    .begin = begin, .write = write, .end = end, .confirm = confirm, .restart = restart};

uint8_t port_ota_running(uint8_t uid[FOTA_UID_SIZE], char *version, size_t capacity)
{
    const esp_partition_t *running = esp_ota_get_running_partition();

    (void) esp_efuse_mac_get_default(uid); /* 6 bytes, or 8 */
    (void) version, (void) capacity;
    return running == NULL || running->subtype == ESP_PARTITION_SUBTYPE_APP_OTA_0 ? FOTA_SLOT_A : FOTA_SLOT_B;
}
