/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "config_file.h"
#include "log.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    KEY_MQTT_CA,
    KEY_MQTT_CERT,
    KEY_MQTT_KEY,
    KEY_PUBLIC_URL,
    KEY_KEY,
    KEY_DEV_KEY,
    KEY_S3_URL,
    KEY_S3_REGION,
    KEY_S3_CREDENTIALS,
    KEY_S3_PROFILE,
    KEY_S3_CA,
    KEY_S3_CACHE,
    KEY_MAX_UPLOAD,
    KEY_LOG_LEVEL,
    KEY_NO_ANSWER,
    KEY_SILENCE,
    KEY_RESYNC,
    KEY_CHUNK_RATE,
    KEY_MAX_CONNECTIONS,
    KEY_MAX_PER_IP,
    KEY_HEADER_TIMEOUT,
    KEY_IDLE_TIMEOUT,
    KEY_REQUEST_TIMEOUT,
    KEY_DIE_WITH_PARENT,
    KEY_CHECK_CONFIG,
};

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0,
     "Configuration, JSON with comments: members are named as these options, with _ for -; options override it", 1},
    {"data", 'd', "DIR", 0, "Directory for the database and the packages; made when it is missing", 1},
    {"listen", KEY_LISTEN, "HOST:PORT", 0,
     "Address of the HTTP server (default 127.0.0.1:8080); port 0 takes a free one", 1},
    {"port-file", KEY_PORT_FILE, "FILE", 0, "Write the port there once the server listens", 1},
    {"public-url", KEY_PUBLIC_URL, "URL", 0,
     "What gateways put before /api/v1/packages/… (default: http:// and the listen address)", 1},
    {"mqtt", KEY_MQTT, "HOST:PORT", 0, "The broker (default 127.0.0.1:1883)", 2},
    {"mqtt-user", KEY_MQTT_USER, "NAME", 0, "User at the broker", 2},
    {"mqtt-password-file", KEY_MQTT_PASSWORD_FILE, "FILE", 0, "Its first line is the password", 2},
    {"mqtt-ca", KEY_MQTT_CA, "PATH", 0,
     "TLS to the broker: trusted certificates, a PEM file or a directory such as /etc/ssl/certs", 2},
    {"mqtt-cert", KEY_MQTT_CERT, "PEM", 0, "The hub's certificate, when the broker asks for one", 2},
    {"mqtt-key", KEY_MQTT_KEY, "PEM", 0, "Its private key", 2},
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
    {"chunk-rate", KEY_CHUNK_RATE, "N", 0,
     "Packages over MQTT, where HTTP does not get through: KiB a second for one gateway (default 2048); 0: not at all",
     4},
    {"s3-url", KEY_S3_URL, "URL", 0,
     "Keep the packages in an S3 bucket: its URL with a prefix, as https://bucket.s3.eu-central-1.amazonaws.com/fota",
     6},
    {"s3-region", KEY_S3_REGION, "NAME", 0, "Its region (AWS_REGION, else us-east-1)", 6},
    {"s3-credentials", KEY_S3_CREDENTIALS, "FILE", 0,
     "Shared-credentials file as the AWS CLI has it; without it AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
     "AWS_SESSION_TOKEN of the environment count",
     6},
    {"s3-profile", KEY_S3_PROFILE, "NAME", 0, "Profile in that file (default)", 6},
    {"s3-ca", KEY_S3_CA, "PEM", 0, "Trusted certificates for https to the bucket (the system's)", 6},
    {"s3-cache", KEY_S3_CACHE, "BYTES", 0, "Copies of packages on this disk (default 268435456)", 6},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "error, warn, info (default) or debug", 5},
    {"check-config", KEY_CHECK_CONFIG, NULL, 0, "Check the configuration, print it without secrets, and end", 5},
    {"die-with-parent", KEY_DIE_WITH_PARENT, NULL, 0, "End when the process ends that started this one (for demos)", 5},
    {0},
};

static const char doc[] =
    "Server of fota: releases, devices, updates over HTTP and MQTT.\v"
    "Access tokens are made, listed and revoked with:\n"
    "  fota-hub token add --data DIR --role admin|operator|viewer|gateway --name N\n"
    "  fota-hub token list --data DIR\n"
    "  fota-hub token revoke --data DIR --name N\n"
    "Everything in the data directory goes into one file, and from it into an empty directory, with:\n"
    "  fota-hub backup --data DIR FILE\n"
    "  fota-hub restore --data DIR FILE\n"
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

/* A value and where it stands: "--listen", or a member of the configuration. Ends the program. */
__attribute__((noreturn, format(printf, 2, 3))) static void refuse(const char *where, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "fota-hub: %s: ", where);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry `fota-hub --help' for more information.\n", stderr);
    exit(HUB_EXIT_USAGE);
}

static uint32_t number(const char *where, const char *text, uint32_t min, uint32_t max)
{
    uint64_t value = 0;
    if (!hub_parse_number(text, min, max, &value))
        refuse(where, "\"%s\" is not a number from %" PRIu32 " to %" PRIu32, text, min, max);
    return (uint32_t) value;
}

static const char *base_url(const char *where, char *url)
{
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!http || n > 900 || strpbrk(url, " \t\"\\?#") != NULL)
        refuse(where, "\"%s\" does not begin with http:// or https://, has a query or is longer than 900", url);
    return url;
}

/* A file that a library opens later, which says little about what is wrong with it. */
static const char *readable(const char *where, const char *path)
{
    if (access(path, R_OK) != 0)
        refuse(where, "%s: %s", path, strerror(errno));
    return path;
}

/* @param arg stays where it is for as long as the options. @return false: no such option. */
static bool set(struct hub_options *o, int key, const char *where, char *arg)
{
    switch (key) {
    case 'd':
        o->data = arg;
        break;
    case KEY_LISTEN:
        if (hub_split_address(arg, o->listen_host, sizeof o->listen_host, &o->listen_port) != 0)
            refuse(where, "\"%s\" is not HOST:PORT", arg);
        break;
    case KEY_PORT_FILE:
        o->port_file = arg;
        break;
    case KEY_MQTT:
        if (hub_split_address(arg, o->mqtt_host, sizeof o->mqtt_host, &o->mqtt_port) != 0 || o->mqtt_port == 0)
            refuse(where, "\"%s\" is not HOST:PORT", arg);
        break;
    case KEY_MQTT_USER:
        o->mqtt_user = arg;
        break;
    case KEY_MQTT_PASSWORD_FILE:
        o->mqtt_password_file = arg;
        break;
    case KEY_MQTT_CA:
        o->mqtt_ca = readable(where, arg);
        break;
    case KEY_MQTT_CERT:
        o->mqtt_cert = readable(where, arg);
        break;
    case KEY_MQTT_KEY:
        o->mqtt_key = readable(where, arg);
        break;
    case KEY_PUBLIC_URL:
        o->public_url = base_url(where, arg);
        break;
    case KEY_KEY:
        if (o->key_count == HUB_KEYS_MAX)
            refuse(where, "more than %u keys", HUB_KEYS_MAX);
        o->key[o->key_count++] = arg;
        break;
    case KEY_DEV_KEY:
        o->dev_key = arg;
        break;
    case KEY_S3_URL:
        if (strchr(arg, '@') != NULL || strlen(arg) > 400)
            refuse(where,
                   "it has an @ (credentials come from --s3-credentials or the environment), or more than 400 "
                   "characters");
        o->s3.url = base_url(where, arg);
        break;
    case KEY_S3_REGION:
        o->s3.region = arg;
        break;
    case KEY_S3_CREDENTIALS:
        o->s3.credentials = arg;
        break;
    case KEY_S3_PROFILE:
        o->s3.profile = arg;
        break;
    case KEY_S3_CA:
        o->s3.ca = readable(where, arg);
        break;
    case KEY_S3_CACHE:
        o->s3.cache_bytes = number(where, arg, FOTA_PACKAGE_MAX, UINT32_MAX);
        break;
    case KEY_MAX_UPLOAD:
        o->max_upload = number(where, arg, 1024, 67108864);
        break;
    case KEY_MAX_CONNECTIONS:
        o->max_connections = number(where, arg, 1, 10000);
        break;
    case KEY_MAX_PER_IP:
        o->max_connections_per_ip = number(where, arg, 1, 10000);
        break;
    case KEY_HEADER_TIMEOUT:
        o->header_timeout_s = number(where, arg, 1, 3600);
        break;
    case KEY_IDLE_TIMEOUT:
        o->idle_timeout_s = number(where, arg, 1, 3600);
        break;
    case KEY_REQUEST_TIMEOUT:
        o->request_timeout_s = number(where, arg, 1, 86400);
        break;
    case KEY_NO_ANSWER:
        o->no_answer_ms = 1000 * number(where, arg, 1, 86400);
        break;
    case KEY_SILENCE:
        o->silence_ms = 1000 * number(where, arg, 1, 86400);
        break;
    case KEY_RESYNC:
        o->resync_ms = 1000 * number(where, arg, 1, 86400);
        break;
    case KEY_CHUNK_RATE:
        o->chunk_rate = 1024 * number(where, arg, 0, 65536);
        break;
    case KEY_LOG_LEVEL:
        o->log_level = hub_log_parse_level(arg);
        if (o->log_level < 0)
            refuse(where, "\"%s\" is none of error, warn, info, debug", arg);
        break;
    default:
        return false;
    }
    return true;
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

/* The option that a member is named after, or NULL. */
static const struct argp_option *option_of(const char *member)
{
    char name[64];
    hub_copy(name, sizeof name, member);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
        else if (*p == '-')
            return NULL;
    for (const struct argp_option *o = table; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0 && o->arg != NULL && o->key != 'c' && o->key != KEY_KEY)
            return o;
    return NULL;
}

static void wrong(const char *where, const cJSON *value, const char *wanted)
{
    char shown[60];
    fota_config_show(value, shown, sizeof shown);
    refuse(where, "%s is not %s", shown, wanted);
}

/* Numbers go the same way as on the command line: as text. */
static void set_member(struct hub_options *o, const struct argp_option *option, const char *where, const cJSON *value)
{
    char *text = cJSON_IsString(value) ? value->valuestring : NULL;
    bool numeric =
        strcmp(option->arg, "SECONDS") == 0 || strcmp(option->arg, "N") == 0 || strcmp(option->arg, "BYTES") == 0;
    char digits[24];
    if (numeric) {
        double v = value->valuedouble;
        if (!cJSON_IsNumber(value) || v < 0 || v > UINT32_MAX || v != (double) (uint32_t) v)
            wrong(where, value, "a whole number");
        snprintf(digits, sizeof digits, "%" PRIu32, (uint32_t) v);
        text = digits; /* number() keeps nothing of it */
    } else if (text == NULL) {
        wrong(where, value, "a string");
    }
    set(o, option->key, where, text);
}

static void set_keys(struct hub_options *o, const char *where, const cJSON *list)
{
    const cJSON *element;
    if (!cJSON_IsArray(list))
        wrong(where, list, "a list of file names");
    cJSON_ArrayForEach(element, list)
    {
        if (!cJSON_IsString(element))
            wrong(where, element, "a file name");
        set(o, KEY_KEY, where, element->valuestring);
    }
}

/* @param keys false: the command line has keys, which replace these. */
static void read_file(struct hub_options *o, const char *path, bool keys)
{
    static cJSON *json; /* the options point into it until the program ends */
    char error[512], where[160], member[64];
    const cJSON *item;
    json = fota_config_file_read(path, error, sizeof error);
    if (json == NULL) {
        fprintf(stderr, "fota-hub: %s\n", error);
        exit(HUB_EXIT_USAGE);
    }
    cJSON_ArrayForEach(item, json)
    {
        const struct argp_option *option = option_of(item->string);
        hub_quote(item->string, strlen(item->string), member, sizeof member);
        snprintf(where, sizeof where, "configuration: \"%s\"", member);
        if (strcmp(item->string, "keys") == 0) {
            struct hub_options unused = {0};
            set_keys(keys ? o : &unused, where, item);
        } else if (option != NULL) {
            set_member(o, option, where, item);
        } else {
            refuse(where, "is not known here; docs/operate.md and fota-hub.json in the examples list the members");
        }
    }
}

/* --- the command line ----------------------------------------------------------------------------------------------
 */

struct parsing {
    struct hub_options *options;
    const char *file;
    bool keys; /* on the command line */
};

/* Two passes: the first finds --config, the second overrides what the file said. */
static error_t first_pass(int key, char *arg, struct argp_state *state)
{
    struct parsing *p = state->input;
    if (key == 'c')
        p->file = arg;
    else if (key == KEY_KEY)
        p->keys = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "\"%s\" is not understood; did you mean an option?", arg);
    return 0;
}

static error_t second_pass(int key, char *arg, struct argp_state *state)
{
    struct hub_options *o = ((struct parsing *) state->input)->options;
    char where[40] = "--";
    for (const struct argp_option *option = table; option->name != NULL; option++)
        if (option->key == key)
            hub_copy(where + 2, sizeof where - 2, option->name);
    switch (key) {
    case 'c':
        return 0;
    case KEY_CHECK_CONFIG:
        o->check_config = true;
        return 0;
    case KEY_DIE_WITH_PARENT:
        o->die_with_parent = true;
        return 0;
    case ARGP_KEY_END:
        if (o->data == NULL)
            argp_error(state, "--data DIR is missing, or \"data\" in the configuration");
        if (o->mqtt_password_file != NULL && o->mqtt_user == NULL)
            argp_error(state, "--mqtt-password-file without --mqtt-user");
        if (o->mqtt_ca == NULL && (o->mqtt_cert != NULL || o->mqtt_key != NULL))
            argp_error(state,
                       "--mqtt-cert and --mqtt-key without --mqtt-ca: which certificates of a broker are trusted?");
        if ((o->mqtt_cert != NULL) != (o->mqtt_key != NULL))
            argp_error(state, "--mqtt-cert and --mqtt-key belong together: one is missing");
        return 0;
    default:
        return set(o, key, where, arg) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

void hub_options_print(const struct hub_options *o)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    printf("data      %s\n", o->data);
    printf("listen    %s:%u, at most %" PRIu32 " connections, %" PRIu32 " from one address\n", o->listen_host,
           o->listen_port, o->max_connections, o->max_connections_per_ip);
    printf("public    %s\n", o->public_url != NULL ? o->public_url : "http:// and the listen address");
    printf("broker    %s:%u, %s%s%s%s%s\n", o->mqtt_host, o->mqtt_port, o->mqtt_ca != NULL ? "TLS" : "no TLS",
           o->mqtt_user != NULL ? ", user " : ", no user", o->mqtt_user != NULL ? o->mqtt_user : "",
           o->mqtt_password_file != NULL ? ", with a password" : "",
           o->mqtt_cert != NULL ? ", with a certificate" : "");
    if (o->mqtt_ca != NULL)
        printf("trusts    %s\n", o->mqtt_ca);
    if (o->s3.url != NULL)
        printf("bucket    %s, credentials from %s%s%s; up to %" PRIu32 " bytes of copies here\n", o->s3.url,
               o->s3.credentials != NULL ? o->s3.credentials : "the environment",
               o->s3.profile != NULL ? ", profile " : "", o->s3.profile != NULL ? o->s3.profile : "",
               o->s3.cache_bytes);
    printf("uploads   at most %" PRIu64 " bytes\n", o->max_upload);
    printf("requests  header %" PRIu32 " s, idle %" PRIu32 " s, in all %" PRIu32 " s\n", o->header_timeout_s,
           o->idle_timeout_s, o->request_timeout_s);
    printf("updates   no answer %" PRIu32 " s, silence %" PRIu32 " s; broker asked again every %" PRIu32 " s\n",
           o->no_answer_ms / 1000, o->silence_ms / 1000, o->resync_ms / 1000);
    printf("chunks    %" PRIu32 " KiB a second for one gateway\n", o->chunk_rate / 1024);
    printf("log       %s\n", levels[o->log_level]);
    if (o->port_file != NULL)
        printf("port file %s\n", o->port_file);
    for (unsigned i = 0; i < o->key_count; i++)
        printf("key       %s\n", o->key[i]);
    if (o->dev_key != NULL)
        printf("dev key   %s: for a bench only\n", o->dev_key);
}

void hub_options_parse(int argc, char **argv, struct hub_options *options)
{
    *options = (struct hub_options){
        .listen_host = "127.0.0.1",
        .listen_port = 8080,
        .mqtt_host = "127.0.0.1",
        .mqtt_port = 1883,
        .s3.cache_bytes = 268435456,
        .max_upload = FOTA_PACKAGE_MAX,
        .no_answer_ms = 60000,
        .silence_ms = 900000,
        .resync_ms = 300000,
        .chunk_rate = 2048 * 1024,
        .max_connections = 256,
        .max_connections_per_ip = 128,
        .header_timeout_s = 15,
        .idle_timeout_s = 30,
        .request_timeout_s = 600,
        .log_level = HUB_LOG_INFO,
    };
    static const struct argp first = {table, first_pass, NULL, doc, NULL, NULL, NULL};
    static const struct argp second = {table, second_pass, NULL, doc, NULL, NULL, NULL};
    struct parsing parsing = {.options = options};
    argp_err_exit_status = HUB_EXIT_USAGE;
    argp_parse(&first, argc, argv, 0, NULL, &parsing);
    if (parsing.file != NULL)
        read_file(options, parsing.file, !parsing.keys);
    argp_parse(&second, argc, argv, 0, NULL, &parsing);
    hub_log_set_level((enum hub_log_level) options->log_level);
}
