/* SPDX-License-Identifier: MIT */
/** @file cmd_keygen.c `fota keygen`. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

struct keygen {
    const char *name;
    bool force, json;
};

static const struct argp_option options[] = {
    {"output", 'o', "NAME", 0, "write NAME.pem (private, mode 0600) and NAME.pub.pem (public)", 0},
    {"force", 'f', NULL, 0, "replace files that are there: devices that trust only the old key are lost for updates",
     0},
    {"json", 'j', NULL, 0, "print the result as JSON", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct keygen *k = state->input;
    switch (key) {
    case 'o':
        k->name = arg;
        return 0;
    case 'f':
        k->force = true;
        return 0;
    case 'j':
        k->json = true;
        return 0;
    case ARGP_KEY_END:
        if (k->name == NULL)
            argp_error(state, "-o NAME is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_keygen(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Make a signing key: ECDSA on NIST P-256, in PEM files that openssl reads as well.\v"
            "The private file signs (fota pack --key). The public file goes into the bootloader (fota "
            "bootloader --key) "
            "and to whoever checks packages (fota verify --key, hub, gateway). Whoever has the private file "
            "can make "
            "firmware that your devices install: keep it off servers, and keep a copy.\n\n"
            "Example: fota keygen -o release",
    };
    struct keygen k = {0};
    struct pack_message error = {0};
    struct pack_key key;
    cli_parse(&argp, argc, argv, &k);
    int e = pack_key_generate(&key, &error);
    if (e == FOTA_OK)
        e = pack_key_save(&key, k.name, k.force, &error);
    struct fota_key public_key = key.public_key;
    pack_key_wipe(&key);
    if (e != FOTA_OK)
        return cli_fail(k.json, &error);
    if (k.json) {
        char path[4200];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cli_json_hex(object, "key_id", public_key.id, FOTA_KEY_ID_SIZE);
        (void) snprintf(path, sizeof path, "%s.pem", k.name);
        cJSON_AddStringToObject(object, "private", path);
        (void) snprintf(path, sizeof path, "%s.pub.pem", k.name);
        cJSON_AddStringToObject(object, "public", path);
        return cli_json(object);
    }
    (void) printf(
        "%s.pem      the private key: signs; keep it secret, keep a copy\n"
        "%s.pub.pem  the public key: for the bootloader and for checks\n",
        k.name, k.name);
    cli_print_hex("key id", public_key.id, FOTA_KEY_ID_SIZE);
    return CLI_OK;
}
