/* SPDX-License-Identifier: MIT */
/* What menuconfig says, replaced by what the console has set. */
#include "port.h"

#include <nvs.h>
#include <sdkconfig.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SPACE "fota"
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

struct port_settings port_settings;

static const struct setting {
    const char *name, *standard, *help;
    size_t offset, size;
    bool secret;
} settings[] = {
#define SETTING(member, secret, standard, help)                                                                        \
    {                                                                                                                  \
#member, standard, help, offsetof(struct port_settings, member), sizeof port_settings.member, secret           \
    }
    SETTING(wifi_ssid, false, CONFIG_FOTA_WIFI_SSID, "Wi-Fi network"),
    SETTING(wifi_password, true, CONFIG_FOTA_WIFI_PASSWORD, "its password"),
    SETTING(id, false, CONFIG_FOTA_ID, "of this gateway"),
    SETTING(device, false, CONFIG_FOTA_DEVICE, "name of the device"),
    SETTING(self, false, CONFIG_FOTA_SELF, "name of this gateway as a device of its own"),
    SETTING(broker, false, CONFIG_FOTA_BROKER, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"),
    SETTING(broker_user, false, CONFIG_FOTA_BROKER_USER, ""),
    SETTING(broker_password, true, CONFIG_FOTA_BROKER_PASSWORD, ""),
    SETTING(hub_url, false, CONFIG_FOTA_HUB_URL, "without a slash at its end"),
    SETTING(hub_token, true, CONFIG_FOTA_HUB_TOKEN, "of the role gateway"),
    SETTING(key1, false, CONFIG_FOTA_KEY, "release key, base64 of the PEM file in one line"),
    SETTING(key2, false, "", "another one, while keys rotate"),
    SETTING(channel, false, CONFIG_FOTA_CHANNEL, "to be watched; empty: none"),
    SETTING(channel_url, false, CONFIG_FOTA_CHANNEL_URL, "prefix of index and packages"),
    SETTING(channel_product, false, CONFIG_FOTA_CHANNEL_PRODUCT, "UUID"),
    SETTING(channel_poll, false, TEXT(CONFIG_FOTA_POLL_S), "seconds, 1 to 86400"),
    SETTING(region, false, CONFIG_FOTA_CHANNEL_REGION, "requests to the bucket are signed for it"),
    SETTING(access_key, false, "", "who signs"),
    SETTING(secret_key, true, "", ""),
    SETTING(sntp, false, CONFIG_FOTA_SNTP, "time server"),
    SETTING(baud, false, TEXT(CONFIG_FOTA_BAUD), "the device's own"),
    SETTING(max_baud, false, TEXT(CONFIG_FOTA_MAX_BAUD), "for transfers"),
    SETTING(log, false, "info", "error, warning, info, debug"),
    SETTING(ca, false, "", "certificates that are trusted, PEM: enter `ca` and paste them"),
};

static char *place(const struct setting *s)
{
    return (char *) &port_settings + s->offset;
}

int port_settings_load(void)
{
    nvs_handle_t nvs;
    bool open = nvs_open(SPACE, NVS_READWRITE, &nvs) == ESP_OK;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *s = &settings[i];
        size_t length = s->size;

        if (!open || nvs_get_str(nvs, s->name, place(s), &length) != ESP_OK)
            (void) snprintf(place(s), s->size, "%s", s->standard);
    }
    if (open)
        nvs_close(nvs);
    return open ? 0 : -1;
}

int port_settings_set(const char *name, const char *value, char *error, size_t capacity)
{
    const struct setting *s = NULL;
    nvs_handle_t nvs;
    esp_err_t status;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].name, name) == 0)
            s = &settings[i];
    if (s == NULL) {
        (void) snprintf(error, capacity, "\"%s\" is no setting: `show` lists them", name);
        return -1;
    }
    if (value != NULL && strlen(value) >= s->size) {
        (void) snprintf(error, capacity, "%s has %u characters, it may have %u", name, (unsigned) strlen(value),
                        (unsigned) s->size - 1u);
        return -1;
    }
    status = nvs_open(SPACE, NVS_READWRITE, &nvs);
    if (status == ESP_OK) {
        status = value != NULL ? nvs_set_str(nvs, name, value) : nvs_erase_key(nvs, name);
        if (status == ESP_ERR_NVS_NOT_FOUND)
            status = ESP_OK;
        if (status == ESP_OK)
            status = nvs_commit(nvs);
        nvs_close(nvs);
    }
    if (status != ESP_OK)
        (void) snprintf(error, capacity, "%s could not be kept: %s", name, esp_err_to_name(status));
    return status == ESP_OK ? 0 : -1;
}

void port_settings_print(void)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *s = &settings[i];
        bool hidden = s->secret || strcmp(s->name, "ca") == 0;

        (void) printf("%-16s %s%s%s%s\n", s->name,
                      place(s)[0] == '\0' ? "-"
                      : hidden            ? "(set)"
                                          : place(s),
                      s->help[0] != '\0' ? "   [" : "", s->help, s->help[0] != '\0' ? "]" : "");
    }
}

uint32_t port_settings_number(const char *text, uint32_t least, uint32_t most, uint32_t otherwise)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= least && value <= most ? (uint32_t) value
                                                                                               : otherwise;
}
