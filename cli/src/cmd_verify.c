/* SPDX-License-Identifier: MIT */
/** @file cmd_verify.c `fota verify`. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GIVEN_PRODUCT = 1, GIVEN_HW = 2, GIVEN_FLOOR = 4 };

struct verify {
    const char *input;
    struct cli_keys keys;
    struct fota_target target;
    unsigned given;
    bool json;
};

enum { OPT_PRODUCT = 256, OPT_HW, OPT_FLOOR };

static const struct argp_option options[] = {
    {"key", 'k', "K.pub.pem", 0, "a key that is trusted; may be repeated", 0},
    {"product", OPT_PRODUCT, "UUID", 0, "also check that it is for this product", 1},
    {"hw", OPT_HW, "N", 0, "also check that it is for this hardware revision", 1},
    {"floor", OPT_FLOOR, "N", 0, "also check that its security counter is not below this", 1},
    {"json", 'j', NULL, 0, "print the result as JSON", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct verify *v = state->input;
    switch (key) {
    case 'k':
        cli_keys_add(&v->keys, arg, state);
        return 0;
    case 'j':
        v->json = true;
        return 0;
    case OPT_PRODUCT:
        cli_uuid("--product", arg, v->target.product, state);
        v->given |= GIVEN_PRODUCT;
        return 0;
    case OPT_HW:
        v->target.hw_revision = (uint16_t) cli_number("--hw", arg, 0, UINT16_MAX, state);
        v->given |= GIVEN_HW;
        return 0;
    case OPT_FLOOR:
        v->target.floor = cli_number("--floor", arg, 0, UINT32_MAX, state);
        v->given |= GIVEN_FLOOR;
        return 0;
    case ARGP_KEY_ARG:
        if (v->input != NULL)
            argp_error(state, "more than one package: \"%s\"", arg);
        v->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (v->input == NULL || v->keys.count == 0)
            argp_error(state, "the package and at least one --key are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What was not given fits by definition: it is taken from the header. */
static int fits(struct verify *v, const struct pack_input *package, const struct pack_result *result,
                struct pack_message *error)
{
    const struct fota_header *h = &result->header;
    if ((v->given & GIVEN_PRODUCT) == 0)
        memcpy(v->target.product, h->product, FOTA_PRODUCT_SIZE);
    if ((v->given & GIVEN_HW) == 0)
        v->target.hw_revision = h->hw_min;
    struct pack_result again;
    return pack_verify(package, v->keys.key, v->keys.count, &v->target, &again, error);
}

int cli_verify(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PACKAGE.fota",
        .doc =
            "Check a package as gateway and device do: structure, header, signature, relocations, CRC-32, "
            "SHA-256 and vector "
            "table for both slots; with --product, --hw, --floor also whether it fits a device.\v"
            "Example: fota verify app-1.2.3.fota --key release.pub.pem --hw 1 --floor 3",
    };
    struct verify v = {0};
    struct pack_message error = {0};
    struct pack_buffer file = {0};
    struct pack_result result;
    cli_parse(&argp, argc, argv, &v);
    int e = cli_keys_load(&v.keys, &error);
    if (e == FOTA_OK)
        e = pack_file_read(v.input, PACK_FILE_MAX, &file, &error);
    if (e == FOTA_OK) {
        const struct pack_input package = {v.input, file.data, file.size};
        e = pack_verify(&package, v.keys.key, v.keys.count, NULL, &result, &error);
        if (e == FOTA_OK && v.given != 0)
            e = fits(&v, &package, &result, &error);
    }
    pack_buffer_free(&file);
    if (e != FOTA_OK)
        return cli_fail(v.json, &error);
    if (v.json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddNumberToObject(object, "size", (double) result.size);
        cli_json_hex(object, "sha256", result.sha256, FOTA_SHA256_SIZE);
        cli_json_hex(object, "identity", result.identity, FOTA_IDENTITY_SIZE);
        cli_json_header(object, &result.header);
        return cli_json(object);
    }
    (void) printf("%s: good\n", v.input);
    cli_print_header(&result.header);
    cli_print_hex("identity", result.identity, FOTA_IDENTITY_SIZE);
    return CLI_OK;
}
