/* SPDX-License-Identifier: MIT */
/** @file cli.h What the commands of `fota` share. */
#ifndef CLI_H
#define CLI_H

#include "pack.h"

#include <argp.h>
#include <cjson/cJSON.h>

/** Exit codes, documented in docs/cli.md. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* a check or the operation failed */
    CLI_USAGE = 2,
    CLI_IO = 3,         /* a file, the serial port, the device's silence */
    CLI_ROLLED_BACK = 4 /* fota flash: the device went back to its old image */
};

#define CLI_KEYS_MAX 8u

struct cli_keys {
    const char *path[CLI_KEYS_MAX];
    struct fota_key key[CLI_KEYS_MAX];
    unsigned count;
};

/* The commands: each parses its own argv (argv[0] is "fota NAME") and returns an exit code. */
int cli_keygen(int argc, char **argv);
int cli_pack(int argc, char **argv);
int cli_bin(int argc, char **argv);
int cli_bootloader(int argc, char **argv);
int cli_image(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_flash(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_provision(int argc, char **argv);
int cli_rescue(int argc, char **argv);
int cli_dump(int argc, char **argv);
int cli_publish(int argc, char **argv);
int cli_presign(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/** Parse with the flags that all commands share; wrong usage exits with CLI_USAGE. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/** Report a failure: a line on stderr, or a JSON object on stdout. @return the exit code for it. */
int cli_fail(bool json, const struct pack_message *error);

/** Print an object and free it. @return CLI_OK, or CLI_IO when stdout takes no more. */
int cli_json(cJSON *object);

/** Remember a --key option; argp_error() when there are too many. */
void cli_keys_add(struct cli_keys *keys, char *path, const struct argp_state *state);
/** Load them. @return FOTA_OK or an error of pack_public_load(). */
int cli_keys_load(struct cli_keys *keys, struct pack_message *error);

/* Values of options; argp_error() names the option and the value when they are wrong. */
uint32_t cli_number(const char *option, const char *text, uint32_t min, uint32_t max, const struct argp_state *state);
void cli_uuid(const char *option, const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE], const struct argp_state *state);

/** The members that docs/http.md gives a release, and the trial deadline. */
void cli_json_header(cJSON *object, const struct fota_header *header);
void cli_json_hex(cJSON *object, const char *name, const uint8_t *data, size_t size);
void cli_json_version(cJSON *object, const char *name, const struct fota_version *version);
/** The same for people. */
void cli_print_header(const struct fota_header *header);
void cli_print_hex(const char *label, const uint8_t *data, size_t size);

#endif
