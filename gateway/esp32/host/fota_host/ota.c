/* SPDX-License-Identifier: MIT */
/* In the place of ESP-IDF's OTA functions. What its bootloader does stands in tests/esp32/esp32.py: it starts the
 * program out of the place that `otadata` names, and says which one in FOTA_RUNS. */
#include "port.h"

#include "fota/bytes.h"
#include "gw/text.h"

#include <esp_partition.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 4096u
#define AT_CHIP 12u
#define AT_SECURE 36u
#define AT_VERSION 48u /* esp_image_header_t, esp_image_segment_header_t, then esp_app_desc_t (docs/image.md) */

/* The partition `otadata`. */
static struct {
    uint8_t valid, next; /* place; 0xFF: as after flashing, none */
    uint8_t unused[2];
} data;
static uint8_t runs;
static uint32_t written;

static const esp_partition_t *place(unsigned slot)
{
    return esp_partition_find_first(
        ESP_PARTITION_TYPE_APP, slot == FOTA_SLOT_A ? ESP_PARTITION_SUBTYPE_APP_OTA_0 : ESP_PARTITION_SUBTYPE_APP_OTA_1,
        NULL);
}

static int keep(uint8_t valid, uint8_t next)
{
    const esp_partition_t *p = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);

    data.valid = valid;
    data.next = next;
    return esp_partition_erase_range(p, 0, SECTOR) == ESP_OK && esp_partition_write(p, 0, &data, sizeof data) == ESP_OK
               ? FOTA_OK
               : FOTA_E_FLASH;
}

static int begin(void *ctx, uint32_t size)
{
    (void) ctx;
    written = 0;
    return size <= place(runs ^ 1u)->size ? keep(data.valid, 0xFF) : FOTA_E_SIZE;
}

static int write(void *ctx, const uint8_t *bytes, uint32_t length)
{
    const esp_partition_t *to = place(runs ^ 1u);
    uint32_t erased = (written + SECTOR - 1u) / SECTOR * SECTOR, end = written + length;

    (void) ctx;
    if (end > to->size)
        return FOTA_E_FLASH;
    for (; erased < end; erased += SECTOR)
        if (esp_partition_erase_range(to, erased, SECTOR) != ESP_OK)
            return FOTA_E_FLASH;
    if (esp_partition_write(to, written, bytes, length) != ESP_OK)
        return FOTA_E_FLASH;
    written = end;
    return FOTA_OK;
}

/* Of what esp_ota_end() looks at, the chip. */
static int end(void *ctx)
{
    uint8_t head[AT_CHIP + 2u] = {0};

    (void) ctx;
    (void) esp_partition_read(place(runs ^ 1u), 0, head, sizeof head);
    if (head[0] != 0xE9u || fota_get16(head + AT_CHIP) != (uint16_t) (CONFIG_IDF_FIRMWARE_CHIP_ID))
        return FOTA_E_PROGRAM;
    return keep(data.valid, runs ^ 1u);
}

static bool on_trial(void *ctx)
{
    (void) ctx;
    return data.valid != runs;
}

static int confirm(void *ctx)
{
    (void) ctx;
    return data.valid == runs && data.next == 0xFF ? FOTA_OK : keep(runs, 0xFF);
}

static void restart(void *ctx, bool back)
{
    (void) ctx;
    (void) back; /* what was not confirmed is not started once more */
    port_restart();
}

const struct gw_self_port port_ota = {
    .begin = begin, .write = write, .end = end, .on_trial = on_trial, .confirm = confirm, .restart = restart};

void port_ota_running(struct gw_self_config *config)
{
    const esp_partition_t *p = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
    const char *said = getenv("FOTA_RUNS");
    uint8_t head[AT_VERSION + 33u];

    (void) esp_partition_read(p, 0, &data, sizeof data);
    if (data.valid > FOTA_SLOT_B)
        data.valid = FOTA_SLOT_A; /* as after flashing */
    runs = config->slot = said != NULL && strcmp(said, "1") == 0 ? FOTA_SLOT_B : FOTA_SLOT_A;
    memset(config->uid, 0xE5, FOTA_UID_SIZE);
    (void) esp_partition_read(place(runs), 0, head, sizeof head - 1u);
    if (head[0] != 0xE9u)
        return; /* it came over the cable: the one that was built */
    head[sizeof head - 1u] = 0;
    config->version = gw_version_of((const char *) head + AT_VERSION);
    config->target.floor = fota_get32(head + AT_SECURE);
}
