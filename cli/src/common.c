/* SPDX-License-Identifier: MIT */
/** @file common.c Options, messages and output that the commands share. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    error_t e = argp_parse(argp, argc, argv, 0, NULL, input);
    if (e != 0)
        exit(CLI_USAGE);
}

int cli_json(cJSON *object)
{
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    bool done = text != NULL && puts(text) >= 0 && fflush(stdout) == 0;
    cJSON_free(text);
    return done ? CLI_OK : CLI_IO;
}

int cli_fail(bool json, const struct pack_message *error)
{
    if (json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", false);
        cJSON_AddStringToObject(object, "reason", fota_error_name(error->code));
        cJSON_AddStringToObject(object, "message", error->text);
        char *text = cJSON_PrintUnformatted(object); /* one line: fota flash prints an object a line */
        (void) (text != NULL && puts(text) >= 0 && fflush(stdout) == 0);
        cJSON_free(text);
        cJSON_Delete(object);
    } else {
        (void) fflush(stdout);
        (void) fprintf(stderr, "fota: %s\n", error->text);
    }
    return error->code == FOTA_E_IO ? CLI_IO : error->code == FOTA_E_ARGUMENT ? CLI_USAGE : CLI_FAILED;
}

void cli_keys_add(struct cli_keys *keys, char *path, const struct argp_state *state)
{
    if (keys->count == CLI_KEYS_MAX)
        argp_error(state, "more than %u keys", CLI_KEYS_MAX);
    else
        keys->path[keys->count++] = path;
}

int cli_keys_load(struct cli_keys *keys, struct pack_message *error)
{
    for (unsigned i = 0; i < keys->count; i++) {
        int e = pack_public_load(keys->path[i], &keys->key[i], error);
        if (e != FOTA_OK)
            return e;
    }
    return FOTA_OK;
}

uint32_t cli_number(const char *option, const char *text, uint32_t min, uint32_t max, const struct argp_state *state)
{
    uint32_t value = min;
    if (!pack_number_parse(text, min, max, &value))
        argp_error(state, "%s: \"%s\" is not a number from %" PRIu32 " to %" PRIu32, option, text, min, max);
    return value;
}

void cli_uuid(const char *option, const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE], const struct argp_state *state)
{
    if (!pack_uuid_parse(text, uuid))
        argp_error(state, "%s: \"%s\" is not a UUID such as 3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c001", option, text);
}

void cli_json_hex(cJSON *object, const char *name, const uint8_t *data, size_t size)
{
    char text[PACK_HEX_TEXT(64)];
    pack_hex_print(data, size <= 64u ? size : 64u, text);
    cJSON_AddStringToObject(object, name, text);
}

void cli_json_version(cJSON *object, const char *name, const struct fota_version *version)
{
    char text[PACK_VERSION_TEXT];
    pack_version_print(version, text);
    cJSON_AddStringToObject(object, name, text);
}

void cli_json_header(cJSON *object, const struct fota_header *header)
{
    char uuid[PACK_UUID_TEXT];
    pack_uuid_print(header->product, uuid);
    cJSON_AddStringToObject(object, "product", uuid);
    cli_json_version(object, "version", &header->version);
    cJSON_AddNumberToObject(object, "hw_min", header->hw_min);
    cJSON_AddNumberToObject(object, "hw_max", header->hw_max);
    cJSON_AddNumberToObject(object, "counter", header->counter);
    cJSON_AddNumberToObject(object, "image_size", header->image_size);
    if (header->flags == FOTA_FLAG_GATEWAY)
        cJSON_AddBoolToObject(object, "gateway", true);
    cJSON_AddNumberToObject(object, "deadline_ms", header->deadline_ms);
    cli_json_hex(object, "key_id", header->key_id, FOTA_KEY_ID_SIZE);
}

void cli_print_hex(const char *label, const uint8_t *data, size_t size)
{
    char text[PACK_HEX_TEXT(64)];
    pack_hex_print(data, size <= 64u ? size : 64u, text);
    (void) printf("%-18s %s\n", label, text);
}

void cli_print_header(const struct fota_header *h)
{
    char uuid[PACK_UUID_TEXT], version[PACK_VERSION_TEXT];
    pack_uuid_print(h->product, uuid);
    pack_version_print(&h->version, version);
    (void) printf("%-18s %s\n", "product", uuid);
    (void) printf("%-18s %u to %u\n", "hardware revision", h->hw_min, h->hw_max);
    (void) printf("%-18s %s\n", "version", version);
    (void) printf("%-18s %" PRIu32 "\n", "security counter", h->counter);
    if (h->flags == FOTA_FLAG_GATEWAY) {
        (void) printf("%-18s %" PRIu32 " bytes, a gateway's own program\n", "code", h->image_size);
    } else {
        (void) printf("%-18s %" PRIu32 " bytes, %" PRIu32 " %% of a slot\n", "code", h->image_size,
                      (100u * h->image_size + FOTA_CODE_MAX - 1u) / FOTA_CODE_MAX);
        (void) printf("%-18s 0x%08" PRIx32 " in slot A, 0x%08" PRIx32 " in slot B\n", "linked for", h->link_address,
                      h->link_address + h->distance);
    }
    (void) printf("%-18s %" PRIu32 ".%03" PRIu32 " s\n", "trial deadline", h->deadline_ms / 1000u,
                  h->deadline_ms % 1000u);
    cli_print_hex("key id", h->key_id, FOTA_KEY_ID_SIZE);
}
