/* SPDX-License-Identifier: MIT */
/** @file config.h Configuration of fota-gateway: a JSON file with comments, and options that override it. */
#ifndef GW_LINUX_CONFIG_H
#define GW_LINUX_CONFIG_H

#include "port.h"

#include <cJSON.h>

#define CONFIG_TEXT 256u
#define CONFIG_KEYS 8u

struct config_device {
    char name[GW_NAME_MAX + 1u];
    char port[CONFIG_TEXT];
    char pins[CONFIG_TEXT];  /* "none" or "board:SOCKET" */
    bool via_bootloader;     /* never through an application that installs while it runs */
    bool via_rom;            /* images are written through ST's ROM */
    uint32_t baud, max_baud; /* the device's own; the highest that may be agreed on */
};

/** Where the credentials of a channel come from, and whom it trusts. */
struct config_channel {
    bool sign;
    char file[CONFIG_TEXT], profile[CONFIG_TEXT]; /* "": the environment; the profile `default` */
    char region[64];
    char ca[CONFIG_TEXT]; /* PEM file of trusted certificates; "": the system's */
};

struct config {
    char id[GW_NAME_MAX + 1u];
    char broker_host[CONFIG_TEXT];
    int broker_port;
    char broker_user[CONFIG_TEXT], broker_password[CONFIG_TEXT];
    char broker_ca[CONFIG_TEXT], broker_cert[CONFIG_TEXT], broker_key[CONFIG_TEXT]; /* TLS; "": none */
    char hub_url[CONFIG_TEXT], hub_token[CONFIG_TEXT];
    char cache[CONFIG_TEXT];
    uint32_t cache_files, cache_bytes, stall_ms, retry_ms, chunk_size;
    bool fallback;
    enum gw_log_level log_level;
    bool log_frames, die_with_parent, check_only;
    struct fota_key keys[CONFIG_KEYS];
    unsigned key_count;
    struct config_device devices[GW_DEVICES_MAX];
    unsigned device_count;
    struct gw_channel_config channels[GW_CHANNELS_MAX];
    struct config_channel channel_source[GW_CHANNELS_MAX]; /* of their credentials */
    unsigned channel_count;
};

/** Take the member "channels" (config_channel.c). @return 0, or -1 with a sentence in `error`. */
int config_channels(struct config *config, const struct cJSON *json, char *error, size_t capacity);

/** A port_http's `ca`: that of the channel whose URLs include `url`. @param ctx the configuration. */
const char *config_channel_ca(void *ctx, const char *url);

/** Read options, and the file that --config names. Ends the program after --help, --version and on errors. */
void config_read(struct config *config, int argc, char **argv, const char *version);

#endif
