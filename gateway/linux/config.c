/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "config_file.h"
#include "pack.h"

#include <argp.h>
#include <cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define SHOWN 60u /* characters of a wrong value in a message */

__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...)
{
    va_list arguments;

    (void) fputs("fota-gateway: ", stderr);
    va_start(arguments, format);
    (void) vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void) fputc('\n', stderr);
    exit(EXIT_USAGE);
}

/* --- values, the same from file and options --------------------------------------------------- */

static void set_text(const char *where, char *to, size_t capacity, const char *value)
{
    if (strlen(value) >= capacity)
        refuse("%s: \"%.40s…\" is longer than %zu characters", where, value, capacity - 1u);
    memcpy(to, value, strlen(value) + 1u);
}

static uint32_t to_number(const char *where, const char *text, uint32_t low, uint32_t high)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || value < low || value > high)
        refuse("%s: \"%s\" is not a number from %lu to %lu", where, text, (unsigned long) low, (unsigned long) high);
    return (uint32_t) value;
}

static void set_level(struct config *c, const char *where, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug", "frames"};

    for (int i = 0; i < 5; i++)
        if (strcmp(text, names[i]) == 0) {
            c->log_level = i > (int) GW_LOG_DEBUG ? GW_LOG_DEBUG : (enum gw_log_level) i;
            c->log_frames = i > (int) GW_LOG_DEBUG;
            return;
        }
    refuse("%s: \"%s\" is not error, warning, info, debug or frames", where, text);
}

/* A secret never stands in the configuration or on the command line. */
static void read_secret(const char *where, const char *path, char to[CONFIG_TEXT])
{
    char error[512];

    if (fota_secret_read(path, to, CONFIG_TEXT, error, sizeof error) != 0)
        refuse("%s: %s", where, error);
}

/* A file or directory that is opened later, by a library that says little about what is wrong with it. */
static void set_path(const char *where, char to[CONFIG_TEXT], const char *path)
{
    if (access(path, R_OK) != 0)
        refuse("%s: %s: %s", where, path, strerror(errno));
    set_text(where, to, CONFIG_TEXT, path);
}

static void add_key(struct config *c, const char *path)
{
    struct pack_message message = {0};

    if (c->key_count == CONFIG_KEYS)
        refuse("key %s: more than %u keys", path, CONFIG_KEYS);
    if (pack_public_load(path, &c->keys[c->key_count], &message) != FOTA_OK)
        refuse("key: %s", message.text);
    c->key_count++;
}

static void set_broker(struct config *c, const char *text)
{
    const char *colon = strrchr(text, ':');
    bool port = colon != NULL && strchr(text, ':') == colon; /* several colons: an IPv6 address without a port */
    const char *bracket = text[0] == '[' && colon != NULL ? strchr(text, ']') : NULL;
    char host[CONFIG_TEXT];

    if (bracket != NULL) {
        port = colon == bracket + 1;
        text++;
        set_text("broker", host, sizeof host, text);
        host[bracket - text] = '\0';
    } else {
        set_text("broker", host, sizeof host, text);
        if (port)
            host[colon - text] = '\0';
    }
    if (host[0] == '\0' ||
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") != strlen(host))
        refuse("broker: \"%s\" is not HOST or HOST:PORT", text);
    set_text("broker", c->broker_host, sizeof c->broker_host, host);
    if (port)
        c->broker_port = (int) to_number("broker", colon + 1, 1, 65535);
}

static void set_hub(struct config *c, const char *url)
{
    size_t length;

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        refuse("hub url: \"%s\" does not begin with http:// or https://", url);
    set_text("hub url", c->hub_url, sizeof c->hub_url, url);
    length = strlen(c->hub_url);
    while (length > 0 && c->hub_url[length - 1u] == '/')
        c->hub_url[--length] = '\0';
}

static void via(struct config_device *d, const char *text)
{
    d->via_rom = strcmp(text, "rom") == 0;
    d->via_bootloader = strcmp(text, "bootloader") == 0;
    if (!d->via_rom && !d->via_bootloader && strcmp(text, "link") != 0)
        refuse("device: via \"%s\" is not link, bootloader or rom", text);
}

static void add_device(struct config *c, const struct config_device *d)
{
    if (c->device_count == GW_DEVICES_MAX)
        refuse("device \"%s\": more than %u devices", d->name, GW_DEVICES_MAX);
    if (d->name[0] == '\0' || d->port[0] == '\0')
        refuse("device \"%s\": name and port are needed, for example name=board1,port=/dev/ttyUSB0", d->name);
    if (!port_serial_baud_known(d->baud))
        refuse("device \"%s\": baud rate %lu is not possible here", d->name, (unsigned long) d->baud);
    if (d->max_baud > GW_PUSH_BAUD_MAX)
        refuse("device \"%s\": max-baud %lu is above %u; give the device's own rate for none above it", d->name,
               (unsigned long) d->max_baud, GW_PUSH_BAUD_MAX);
    if (port_line_check(d->port) != NULL)
        refuse("device \"%s\": port \"%s\" %s", d->name, d->port, port_line_check(d->port));
    if (port_pins_check(d->pins) != NULL)
        refuse("device \"%s\": pins \"%s\" %s", d->name, d->pins, port_pins_check(d->pins));
    if (d->via_rom && !port_pins_both(d->pins))
        refuse("device \"%s\": via rom needs NRST and BOOT0, pins \"%s\" are not both: gpio:CHIP:NRST:BOOT0", d->name,
               d->pins);
    c->devices[c->device_count++] = *d;
}

/* name=board1,port=PATH,baud=115200,max-baud=921600,pins=board:SOCK */
static void parse_device(struct config *c, const char *text)
{
    struct config_device d = {.baud = 115200, .max_baud = GW_PUSH_BAUD_MAX, .pins = "none"};
    char copy[3u * CONFIG_TEXT];
    char *rest = copy, *part;

    set_text("device", copy, sizeof copy, text);
    while ((part = strsep(&rest, ",")) != NULL) {
        char *value = strchr(part, '=');

        if (value == NULL)
            refuse("device: \"%s\" is not member=value", part);
        *value++ = '\0';
        if (strcmp(part, "name") == 0)
            set_text("device name", d.name, sizeof d.name, value);
        else if (strcmp(part, "port") == 0)
            set_text("device port", d.port, sizeof d.port, value);
        else if (strcmp(part, "pins") == 0)
            set_text("device pins", d.pins, sizeof d.pins, value);
        else if (strcmp(part, "via") == 0)
            via(&d, value);
        else if (strcmp(part, "baud") == 0)
            d.baud = to_number("device baud", value, 1, UINT32_MAX);
        else if (strcmp(part, "max-baud") == 0)
            d.max_baud = to_number("device max-baud", value, 1, UINT32_MAX);
        else
            refuse("device: \"%s\" is not one of name, port, baud, max-baud, pins, via", part);
    }
    add_device(c, &d);
}

/* --- the file --------------------------------------------------------------------------------- */

static const char *text_of(const char *where, const cJSON *item)
{
    char shown[SHOWN];

    if (!cJSON_IsString(item)) {
        fota_config_show(item, shown, sizeof shown);
        refuse("configuration: \"%s\" is %s; it must be a string", where, shown);
    }
    return item->valuestring;
}

static uint32_t number_of(const char *where, const cJSON *item, uint32_t low, uint32_t high)
{
    char shown[SHOWN];

    if (!cJSON_IsNumber(item) || item->valuedouble < (double) low || item->valuedouble > (double) high ||
        item->valuedouble != (double) (uint32_t) item->valuedouble) {
        fota_config_show(item, shown, sizeof shown);
        refuse("configuration: \"%s\" is %s; it must be a whole number from %lu to %lu", where, shown,
               (unsigned long) low, (unsigned long) high);
    }
    return (uint32_t) item->valuedouble;
}

static void file_device(struct config *c, const cJSON *json)
{
    struct config_device d = {.baud = 115200, .max_baud = GW_PUSH_BAUD_MAX, .pins = "none"};
    const cJSON *i;

    if (!cJSON_IsObject(json)) {
        char shown[SHOWN];

        fota_config_show(json, shown, sizeof shown);
        refuse("configuration: \"devices\" has %s in it; it must be a list of objects", shown);
    }
    cJSON_ArrayForEach(i, json)
    {
        if (strcmp(i->string, "name") == 0)
            set_text("name", d.name, sizeof d.name, text_of("name", i));
        else if (strcmp(i->string, "port") == 0)
            set_text("port", d.port, sizeof d.port, text_of("port", i));
        else if (strcmp(i->string, "pins") == 0)
            set_text("pins", d.pins, sizeof d.pins, text_of("pins", i));
        else if (strcmp(i->string, "via") == 0)
            via(&d, text_of("via", i));
        else if (strcmp(i->string, "baud") == 0)
            d.baud = number_of("baud", i, 1, UINT32_MAX);
        else if (strcmp(i->string, "max_baud") == 0)
            d.max_baud = number_of("max_baud", i, 1, UINT32_MAX);
        else
            refuse("configuration: a device has no member \"%s\"; it has name, port, baud, max_baud, pins, via",
                   i->string);
    }
    add_device(c, &d);
}

static void file_member(struct config *c, const cJSON *i, bool keys, bool devices)
{
    const char *name = i->string;
    const cJSON *element;

    if (strcmp(name, "id") == 0) {
        set_text(name, c->id, sizeof c->id, text_of(name, i));
    } else if (strcmp(name, "broker") == 0) {
        set_broker(c, text_of(name, i));
    } else if (strcmp(name, "broker_user") == 0) {
        set_text(name, c->broker_user, sizeof c->broker_user, text_of(name, i));
    } else if (strcmp(name, "broker_password_file") == 0) {
        read_secret(name, text_of(name, i), c->broker_password);
    } else if (strcmp(name, "broker_ca") == 0) {
        set_path(name, c->broker_ca, text_of(name, i));
    } else if (strcmp(name, "broker_cert") == 0) {
        set_path(name, c->broker_cert, text_of(name, i));
    } else if (strcmp(name, "broker_key") == 0) {
        set_path(name, c->broker_key, text_of(name, i));
    } else if (strcmp(name, "hub_url") == 0) {
        set_hub(c, text_of(name, i));
    } else if (strcmp(name, "hub_token_file") == 0) {
        read_secret(name, text_of(name, i), c->hub_token);
    } else if (strcmp(name, "cache") == 0) {
        set_text(name, c->cache, sizeof c->cache, text_of(name, i));
    } else if (strcmp(name, "cache_files") == 0) {
        c->cache_files = number_of(name, i, 2, 1000);
    } else if (strcmp(name, "cache_bytes") == 0) {
        c->cache_bytes = number_of(name, i, 2u * FOTA_PACKAGE_MAX, UINT32_MAX);
    } else if (strcmp(name, "stall_ms") == 0) {
        c->stall_ms = number_of(name, i, 100, 600000);
    } else if (strcmp(name, "retry_ms") == 0) {
        c->retry_ms = number_of(name, i, 10, 60000);
    } else if (strcmp(name, "chunk") == 0) {
        c->chunk_size = number_of(name, i, 1024, 2048);
        if (c->chunk_size != 1024 && c->chunk_size != 2048)
            refuse("configuration: \"chunk\" must be 1024 or 2048");
    } else if (strcmp(name, "fallback") == 0) {
        if (!cJSON_IsBool(i))
            refuse("configuration: \"fallback\" must be true or false");
        c->fallback = cJSON_IsTrue(i);
    } else if (strcmp(name, "log_level") == 0) {
        set_level(c, name, text_of(name, i));
    } else if (strcmp(name, "keys") == 0) {
        if (!cJSON_IsArray(i))
            refuse("configuration: \"keys\" must be a list of file names");
        cJSON_ArrayForEach(element, i)
        {
            if (keys)
                add_key(c, text_of(name, element));
        }
    } else if (strcmp(name, "devices") == 0) {
        if (!cJSON_IsArray(i))
            refuse("configuration: \"devices\" must be a list");
        cJSON_ArrayForEach(element, i)
        {
            if (devices)
                file_device(c, element);
        }
    } else if (strcmp(name, "channels") == 0) {
        char error[512];

        if (config_channels(c, i, error, sizeof error) != 0)
            refuse("configuration: %s", error);
    } else {
        refuse("configuration: \"%s\" is not known here; docs/gateway.md lists the members", name);
    }
}

static void read_file(struct config *c, const char *path, bool keys, bool devices)
{
    char error[512];
    const cJSON *item;
    cJSON *json = fota_config_file_read(path, error, sizeof error);

    if (json == NULL)
        refuse("%s", error);
    cJSON_ArrayForEach(item, json)
    {
        file_member(c, item, keys, devices);
    }
    cJSON_Delete(json);
}

/* --- options ---------------------------------------------------------------------------------- */

enum {
    OPTION_BROKER_USER = 256,
    OPTION_BROKER_PASSWORD_FILE,
    OPTION_BROKER_CA,
    OPTION_BROKER_CERT,
    OPTION_BROKER_KEY,
    OPTION_HUB_URL,
    OPTION_HUB_TOKEN_FILE,
    OPTION_LOG_LEVEL,
    OPTION_CHECK,
    OPTION_DIE
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Configuration, JSON with comments; the options below override it", 0},
    {"id", 'i', "NAME", 0, "This gateway's name in MQTT topics", 0},
    {"broker", 'b', "HOST[:PORT]", 0, "MQTT broker (port 1883; 8883 with --broker-ca)", 0},
    {"broker-user", OPTION_BROKER_USER, "NAME", 0, "User at the broker", 0},
    {"broker-password-file", OPTION_BROKER_PASSWORD_FILE, "FILE", 0, "Its first line is the password", 0},
    {"broker-ca", OPTION_BROKER_CA, "PATH", 0,
     "TLS to the broker (then port 8883): trusted certificates, a PEM file or a directory such as /etc/ssl/certs", 0},
    {"broker-cert", OPTION_BROKER_CERT, "PEM", 0, "This gateway's certificate, when the broker asks for one", 0},
    {"broker-key", OPTION_BROKER_KEY, "PEM", 0, "Its private key", 0},
    {"hub-url", OPTION_HUB_URL, "URL", 0, "The token is sent to URLs below this one only", 0},
    {"hub-token-file", OPTION_HUB_TOKEN_FILE, "FILE", 0, "Its first line is the hub's token", 0},
    {"key", 'k', "PEM", 0, "Public key that packages may be signed with; may be repeated", 0},
    {"cache", 'd', "DIR", 0, "Packages and records (/var/lib/fota-gateway)", 0},
    {"device", 'D',
     "name=N,port=P[,baud=B][,max-baud=B][,pins=none|gpio:CHIP:NRST[:BOOT0]|board:SOCKET][,via=link|bootloader|rom]", 0,
     "A device; port is a tty, unix:PATH, spi:/dev/spidevB.C[@HZ] or spi:unix:PATH; via bootloader: never installed by "
     "an application that runs; via rom: written through ST's "
     "factory bootloader; may be repeated",
     0},
    {"log-level", OPTION_LOG_LEVEL, "LEVEL", 0, "error, warning, info (default), debug or frames", 0},
    {"check-config", OPTION_CHECK, NULL, 0, "Check the configuration, print it and end", 0},
    {"die-with-parent", OPTION_DIE, NULL, 0, "End when the parent process ends", 0},
    {0}};

struct parsing {
    struct config *config;
    const char *file;
    bool keys, devices; /* given as options: they replace the file's */
};

/* Two passes: the first finds --config, the second overrides what the file said. */
static error_t first_pass(int key, char *argument, struct argp_state *state)
{
    struct parsing *p = state->input;

    if (key == 'c')
        p->file = argument;
    else if (key == 'k')
        p->keys = true;
    else if (key == 'D')
        p->devices = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "\"%s\" is not an option", argument);
    return 0;
}

static error_t second_pass(int key, char *argument, struct argp_state *state)
{
    struct config *c = ((struct parsing *) state->input)->config;

    switch (key) {
    case 'i':
        set_text("--id", c->id, sizeof c->id, argument);
        break;
    case 'b':
        set_broker(c, argument);
        break;
    case OPTION_BROKER_USER:
        set_text("--broker-user", c->broker_user, sizeof c->broker_user, argument);
        break;
    case OPTION_BROKER_PASSWORD_FILE:
        read_secret("--broker-password-file", argument, c->broker_password);
        break;
    case OPTION_BROKER_CA:
        set_path("--broker-ca", c->broker_ca, argument);
        break;
    case OPTION_BROKER_CERT:
        set_path("--broker-cert", c->broker_cert, argument);
        break;
    case OPTION_BROKER_KEY:
        set_path("--broker-key", c->broker_key, argument);
        break;
    case OPTION_HUB_URL:
        set_hub(c, argument);
        break;
    case OPTION_HUB_TOKEN_FILE:
        read_secret("--hub-token-file", argument, c->hub_token);
        break;
    case 'k':
        add_key(c, argument);
        break;
    case 'd':
        set_text("--cache", c->cache, sizeof c->cache, argument);
        break;
    case 'D':
        parse_device(c, argument);
        break;
    case OPTION_LOG_LEVEL:
        set_level(c, "--log-level", argument);
        break;
    case OPTION_CHECK:
        c->check_only = true;
        break;
    case OPTION_DIE:
        c->die_with_parent = true;
        break;
    default:
        break;
    }
    return 0;
}

static const char *program_version;

static void print_version(FILE *out, struct argp_state *state)
{
    (void) state;
    (void) fprintf(out, "fota-gateway %s\n", program_version);
}

void config_read(struct config *c, int argc, char **argv, const char *version)
{
    static const char doc[] =
        "Fetches firmware packages, checks them, and brings them into STM32F407 devices over their serial "
        "lines. Jobs come in and states go out over MQTT.";
    struct argp first = {.options = options, .parser = first_pass, .doc = doc};
    struct argp second = {.options = options, .parser = second_pass, .doc = doc};
    struct parsing parsing = {.config = c};

    program_version = version;
    argp_program_version_hook = print_version;
    argp_err_exit_status = EXIT_USAGE;
    memset(c, 0, sizeof *c);
    set_text("cache", c->cache, sizeof c->cache, "/var/lib/fota-gateway");
    c->cache_files = GW_CACHE_FILES;
    c->cache_bytes = GW_CACHE_BYTES;
    c->stall_ms = GW_FETCH_STALL_MS;
    c->retry_ms = GW_FETCH_RETRY_MS;
    c->chunk_size = GW_CHUNK_MAX;
    c->fallback = true;
    c->log_level = GW_LOG_INFO;
    (void) argp_parse(&first, argc, argv, 0, NULL, &parsing);
    if (parsing.file != NULL)
        read_file(c, parsing.file, !parsing.keys, !parsing.devices);
    (void) argp_parse(&second, argc, argv, 0, NULL, &parsing);
    if (c->broker_host[0] == '\0')
        refuse("no broker is given: --broker HOST[:PORT], or \"broker\" in the configuration");
    if (c->broker_port == 0)
        c->broker_port = c->broker_ca[0] != '\0' ? 8883 : 1883;
    if (c->broker_ca[0] == '\0' && (c->broker_cert[0] != '\0' || c->broker_key[0] != '\0'))
        refuse("broker_cert and broker_key without broker_ca: say which certificates of a broker are trusted");
    if ((c->broker_cert[0] != '\0') != (c->broker_key[0] != '\0'))
        refuse("broker_cert and broker_key belong together: one is missing");
    if (c->broker_password[0] != '\0' && c->broker_user[0] == '\0')
        refuse("a broker password without a user: give --broker-user");
    if (c->hub_token[0] != '\0' && c->hub_url[0] == '\0')
        refuse("a hub token without the hub's URL: give --hub-url, or the token would be sent nowhere");
}
