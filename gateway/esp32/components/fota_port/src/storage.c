/* SPDX-License-Identifier: MIT */
/* Records in NVS, packages in the partition `packages`. */
#include "port.h"

#include "fota/crypto.h"
#include "gw/text.h"

#include <esp_partition.h>
#include <nvs.h>
#include <nvs_flash.h>
#include <string.h>

#define KEY_HASH 7u /* bytes of a name's SHA-256: NVS keys have at most 15 characters */

static struct port_cache cache;
static nvs_handle_t records;

/* --- flash ------------------------------------------------------------------------------------ */

static int flash_read(void *ctx, uint32_t offset, void *data, size_t length)
{
    return esp_partition_read(ctx, offset, data, length) == ESP_OK ? 0 : -1;
}

static int flash_write(void *ctx, uint32_t offset, const void *data, size_t length)
{
    return esp_partition_write(ctx, offset, data, length) == ESP_OK ? 0 : -1;
}

static int flash_erase(void *ctx, uint32_t offset, size_t length)
{
    return esp_partition_erase_range(ctx, offset, length) == ESP_OK ? 0 : -1;
}

/* --- records ---------------------------------------------------------------------------------- */

static const char *key_of(const char *name, char key[GW_HEX(KEY_HASH)])
{
    uint8_t digest[FOTA_SHA256_SIZE];

    fota_sha256(name, strlen(name), digest);
    gw_hex(digest, KEY_HASH, key);
    return key;
}

static int record_put(void *ctx, const char *name, const void *data, size_t length)
{
    char key[GW_HEX(KEY_HASH)];

    (void) ctx;
    return nvs_set_blob(records, key_of(name, key), data, length) == ESP_OK && nvs_commit(records) == ESP_OK ? 0 : -1;
}

static int record_get(void *ctx, const char *name, void *data, size_t capacity)
{
    char key[GW_HEX(KEY_HASH)];
    size_t length = capacity;
    esp_err_t error = nvs_get_blob(records, key_of(name, key), data, &length);

    (void) ctx;
    if (error == ESP_ERR_NVS_NOT_FOUND)
        return 0;
    return error == ESP_OK ? (int) length : -1;
}

static int record_erase(void *ctx, const char *name)
{
    char key[GW_HEX(KEY_HASH)];
    esp_err_t error = nvs_erase_key(records, key_of(name, key));

    (void) ctx;
    if (error == ESP_ERR_NVS_NOT_FOUND)
        return 0;
    return error == ESP_OK && nvs_commit(records) == ESP_OK ? 0 : -1;
}

static struct gw_storage storage = {.put = record_put, .get = record_get, .erase = record_erase};
const struct gw_storage *const port_records = &storage;

/* ---------------------------------------------------------------------------------------------- */

const struct gw_storage *port_storage_open(char *error, size_t capacity)
{
    const struct port_flash flash = {
        (void *) esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "packages"), flash_read,
        flash_write, flash_erase};
    esp_err_t status = nvs_open("fota-records", NVS_READWRITE, &records);

    if (status != ESP_OK) {
        (void) snprintf(error, capacity, "NVS cannot be opened (%s): erase it with idf.py erase-flash and flash again",
                        esp_err_to_name(status));
        return NULL;
    }
    if (flash.ctx == NULL || port_cache_open(&cache, &flash, ((const esp_partition_t *) flash.ctx)->size) != 0) {
        (void) snprintf(error, capacity, "the partition \"packages\" %s: flash the partition table of this project",
                        flash.ctx == NULL ? "is not there" : "cannot be read, or has less than 512 KiB");
        return NULL;
    }
    port_cache_storage(&cache, &storage);
    return &storage;
}

unsigned port_storage_files(void)
{
    return cache.slots;
}
