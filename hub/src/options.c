/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "log.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifndef FOTA_VERSION
#error "FOTA_VERSION comes from CMake"
#endif

const char *argp_program_version = "fota-hub " FOTA_VERSION;

enum {
    KEY_LISTEN = 256,
    KEY_PORT_FILE,
    KEY_MQTT,
    KEY_MQTT_USER,
    KEY_MQTT_PASSWORD_FILE,
    KEY_PUBLIC_URL,
    KEY_KEY,
    KEY_DEV_KEY,
    KEY_MAX_UPLOAD,
    KEY_LOG_LEVEL,
    KEY_NO_ANSWER,
    KEY_SILENCE,
    KEY_RESYNC,
    KEY_MAX_CONNECTIONS,
    KEY_MAX_PER_IP,
    KEY_HEADER_TIMEOUT,
    KEY_IDLE_TIMEOUT,
    KEY_REQUEST_TIMEOUT,
    KEY_DIE_WITH_PARENT,
};

static const struct argp_option table[] = {
    {"data", 'd', "DIR", 0, "Directory for the database and the packages; made when it is missing", 1},
    {"listen", KEY_LISTEN, "HOST:PORT", 0,
     "Address of the HTTP server (default 127.0.0.1:8080); port 0 takes a free one", 1},
    {"port-file", KEY_PORT_FILE, "FILE", 0, "Write the port there once the server listens", 1},
    {"public-url", KEY_PUBLIC_URL, "URL", 0,
     "What gateways put before /api/v1/packages/… (default: http:// and the listen address)", 1},
    {"mqtt", KEY_MQTT, "HOST:PORT", 0, "The broker (default 127.0.0.1:1883)", 2},
    {"mqtt-user", KEY_MQTT_USER, "NAME", 0, "User at the broker", 2},
    {"mqtt-password-file", KEY_MQTT_PASSWORD_FILE, "FILE", 0, "Its first line is the password", 2},
    {"key", KEY_KEY, "PUB.PEM", 0, "A public key whose releases are accepted (repeatable, at most 16)", 3},
    {"dev-key", KEY_DEV_KEY, "KEY.PEM", 0,
     "For a bench only: a private key; firmware.bin and .elf uploads are packed and signed on the spot", 3},
    {"max-upload", KEY_MAX_UPLOAD, "BYTES", 0, "Largest upload (default 1048576)", 4},
    {"max-connections", KEY_MAX_CONNECTIONS, "N", 0, "HTTP connections at once (default 256)", 4},
    {"max-connections-per-ip", KEY_MAX_PER_IP, "N", 0, "… from one address (default 128)", 4},
    {"header-timeout", KEY_HEADER_TIMEOUT, "SECONDS", 0, "Until a request's header is complete (default 15)", 4},
    {"idle-timeout", KEY_IDLE_TIMEOUT, "SECONDS", 0, "Without a byte from or to the client (default 30)", 4},
    {"request-timeout", KEY_REQUEST_TIMEOUT, "SECONDS", 0, "For a whole request with its answer (default 600)", 4},
    {"no-answer-timeout", KEY_NO_ANSWER, "SECONDS", 0,
     "Until an update that no gateway answers has failed (default 60)", 4},
    {"silence-timeout", KEY_SILENCE, "SECONDS", 0,
     "Until an update of which nothing more is heard has failed (default 900)", 4},
    {"resync-interval", KEY_RESYNC, "SECONDS", 0,
     "How often the broker is asked for all retained states again (default 300)", 4},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "error, warn, info (default) or debug", 5},
    {"die-with-parent", KEY_DIE_WITH_PARENT, NULL, 0, "End when the process ends that started this one (for demos)", 5},
    {0},
};

static const char doc[] =
    "Server of fota: releases, devices, updates over HTTP and MQTT.\v"
    "Access tokens are made, listed and revoked with:\n"
    "  fota-hub token add --data DIR --role admin|operator|viewer|gateway --name N\n"
    "  fota-hub token list --data DIR\n"
    "  fota-hub token revoke --data DIR --name N\n"
    "\n"
    "SIGTERM and SIGINT end the server cleanly. Exit status: 0 after a clean end, 1 when it could not start or go on, "
    "64 for a wrong command line.";

bool hub_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, NULL, 10);
    *value = n;
    return errno == 0 && n >= min && n <= max;
}

static uint32_t number(struct argp_state *state, const char *option, const char *text, uint32_t min, uint32_t max)
{
    uint64_t value = 0;
    if (!hub_parse_number(text, min, max, &value))
        argp_error(state, "--%s: \"%s\" is not a number from %" PRIu32 " to %" PRIu32, option, text, min, max);
    return (uint32_t) value;
}

static void set_public_url(struct argp_state *state, struct hub_options *o, char *url)
{
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!http || n > 900 || strpbrk(url, " \t\"\\?#") != NULL)
        argp_error(state,
                   "--public-url: \"%s\" does not begin with http:// or https://, has a query or is longer than 900",
                   url);
    o->public_url = url;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct hub_options *o = state->input;
    int level;
    switch (key) {
    case 'd':
        o->data = arg;
        return 0;
    case KEY_LISTEN:
        if (hub_split_address(arg, o->listen_host, sizeof o->listen_host, &o->listen_port) != 0)
            argp_error(state, "--listen: \"%s\" is not HOST:PORT", arg);
        return 0;
    case KEY_PORT_FILE:
        o->port_file = arg;
        return 0;
    case KEY_MQTT:
        if (hub_split_address(arg, o->mqtt_host, sizeof o->mqtt_host, &o->mqtt_port) != 0 || o->mqtt_port == 0)
            argp_error(state, "--mqtt: \"%s\" is not HOST:PORT", arg);
        return 0;
    case KEY_MQTT_USER:
        o->mqtt_user = arg;
        return 0;
    case KEY_MQTT_PASSWORD_FILE:
        o->mqtt_password_file = arg;
        return 0;
    case KEY_PUBLIC_URL:
        set_public_url(state, o, arg);
        return 0;
    case KEY_KEY:
        if (o->key_count == HUB_KEYS_MAX)
            argp_error(state, "--key: more than %u keys", HUB_KEYS_MAX);
        o->key[o->key_count++] = arg;
        return 0;
    case KEY_DEV_KEY:
        o->dev_key = arg;
        return 0;
    case KEY_MAX_UPLOAD:
        o->max_upload = number(state, "max-upload", arg, 1024, 67108864);
        return 0;
    case KEY_MAX_CONNECTIONS:
        o->max_connections = number(state, "max-connections", arg, 1, 10000);
        return 0;
    case KEY_MAX_PER_IP:
        o->max_connections_per_ip = number(state, "max-connections-per-ip", arg, 1, 10000);
        return 0;
    case KEY_HEADER_TIMEOUT:
        o->header_timeout_s = number(state, "header-timeout", arg, 1, 3600);
        return 0;
    case KEY_IDLE_TIMEOUT:
        o->idle_timeout_s = number(state, "idle-timeout", arg, 1, 3600);
        return 0;
    case KEY_REQUEST_TIMEOUT:
        o->request_timeout_s = number(state, "request-timeout", arg, 1, 86400);
        return 0;
    case KEY_NO_ANSWER:
        o->no_answer_ms = 1000 * number(state, "no-answer-timeout", arg, 1, 86400);
        return 0;
    case KEY_SILENCE:
        o->silence_ms = 1000 * number(state, "silence-timeout", arg, 1, 86400);
        return 0;
    case KEY_RESYNC:
        o->resync_ms = 1000 * number(state, "resync-interval", arg, 1, 86400);
        return 0;
    case KEY_LOG_LEVEL:
        level = hub_log_parse_level(arg);
        if (level < 0)
            argp_error(state, "--log-level: \"%s\" is none of error, warn, info, debug", arg);
        hub_log_set_level((enum hub_log_level) level);
        return 0;
    case KEY_DIE_WITH_PARENT:
        o->die_with_parent = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is not understood; did you mean an option?", arg);
        return 0;
    case ARGP_KEY_END:
        if (o->data == NULL)
            argp_error(state, "--data DIR is missing");
        if (o->mqtt_password_file != NULL && o->mqtt_user == NULL)
            argp_error(state, "--mqtt-password-file without --mqtt-user");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void hub_options_parse(int argc, char **argv, struct hub_options *options)
{
    *options = (struct hub_options){
        .listen_host = "127.0.0.1",
        .listen_port = 8080,
        .mqtt_host = "127.0.0.1",
        .mqtt_port = 1883,
        .max_upload = FOTA_PACKAGE_MAX,
        .no_answer_ms = 60000,
        .silence_ms = 900000,
        .resync_ms = 300000,
        .max_connections = 256,
        .max_connections_per_ip = 128,
        .header_timeout_s = 15,
        .idle_timeout_s = 30,
        .request_timeout_s = 600,
    };
    static const struct argp argp = {table, parse, NULL, doc, NULL, NULL, NULL};
    argp_err_exit_status = HUB_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
