/* SPDX-License-Identifier: MIT */
/** @file options.h The command line and the configuration file. argp ends the program by itself for --help, --version
 * and errors (status 64). */
#ifndef HUB_OPTIONS_H
#define HUB_OPTIONS_H

#include "inspect.h"
#include "s3.h"

#include <stdbool.h>
#include <stdint.h>

#define HUB_EXIT_OK 0
#define HUB_EXIT_FAILURE 1
#define HUB_EXIT_USAGE 64

struct hub_options {
    const char *data;
    char listen_host[256];
    uint16_t listen_port;
    const char *port_file;
    char mqtt_host[256];
    uint16_t mqtt_port;
    const char *mqtt_user, *mqtt_password_file;
    const char *mqtt_ca, *mqtt_cert, *mqtt_key; /* TLS; NULL: none */
    const char *public_url;                     /* NULL: from the listen address */
    const char *key[HUB_KEYS_MAX];
    unsigned key_count;
    const char *dev_key;
    struct hub_s3_options s3;
    uint64_t max_upload;
    uint32_t no_answer_ms, silence_ms, resync_ms;
    uint32_t max_connections, max_connections_per_ip, header_timeout_s, idle_timeout_s, request_timeout_s;
    uint32_t chunk_rate; /* bytes a second for one gateway, 0: packages do not go over MQTT */
    int log_level;
    bool die_with_parent, check_config;
};

/** Read the options of the server, and the file that --config names. */
void hub_options_parse(int argc, char **argv, struct hub_options *options);

/** Print what is in force, without secrets. */
void hub_options_print(const struct hub_options *options);

/** `fota-hub backup …`, `fota-hub restore …`. @param argv begins with the command. @return the exit status. */
int hub_backup_command(int argc, char **argv);

/** Started by root: become the owner of the data directory, so that what is made there can be used by the hub.
 *  @return 0, or -1 (said on stderr). */
int hub_become_owner(const char *data);

/** `fota-hub token …`. @param argv begins with "token". @return the exit status. */
int hub_token_command(int argc, char **argv);

/** A number with bounds, for option parsers. @return false when it is none or outside. */
bool hub_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif
