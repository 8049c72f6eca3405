/* SPDX-License-Identifier: MIT */
/** @file cmd_image.c `fota image`: the content of a slot. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct slot_image {
    const char *input, *output;
    struct cli_keys keys;
    unsigned slot;
    bool json;
};

static const struct argp_option options[] = {
    {"slot", 's', "A|B", 0, "for which slot", 0},
    {"output", 'o', "SLOT.bin", 0, "the file to write", 0},
    {"key", 'k', "K.pub.pem", 0, "also check the signature with this key; may be repeated", 0},
    {"json", 'j', NULL, 0, "print the result as JSON", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct slot_image *s = state->input;
    switch (key) {
    case 's':
        if (strcmp(arg, "A") == 0 || strcmp(arg, "a") == 0)
            s->slot = FOTA_SLOT_A;
        else if (strcmp(arg, "B") == 0 || strcmp(arg, "b") == 0)
            s->slot = FOTA_SLOT_B;
        else
            argp_error(state, "--slot: \"%s\" is neither A nor B", arg);
        return 0;
    case 'o':
        s->output = arg;
        return 0;
    case 'k':
        cli_keys_add(&s->keys, arg, state);
        return 0;
    case 'j':
        s->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (s->input != NULL)
            argp_error(state, "more than one package: \"%s\"", arg);
        s->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (s->input == NULL || s->output == NULL || s->slot == FOTA_SLOT_NONE)
            argp_error(state, "the package, --slot and -o are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_image(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PACKAGE.fota",
        .doc =
            "Make the content of a slot, header and code, to be programmed by a debug probe: at 0x08004000 "
            "for slot A, at "
            "0x08060000 for slot B.\v"
            "Without --key the signature is not looked at; the bootloader will.\n\n"
            "Example: fota image app-1.2.3.fota --slot A -o slot_a.bin",
    };
    struct slot_image s = {.slot = FOTA_SLOT_NONE};
    struct pack_message error = {0};
    struct pack_buffer file = {0}, out = {0};
    cli_parse(&argp, argc, argv, &s);
    int e = cli_keys_load(&s.keys, &error);
    if (e == FOTA_OK)
        e = pack_file_read(s.input, PACK_FILE_MAX, &file, &error);
    if (e == FOTA_OK) {
        const struct pack_input package = {s.input, file.data, file.size};
        e = pack_slot_make(&package, s.keys.key, s.keys.count, s.slot, &out, &error);
    }
    if (e == FOTA_OK)
        e = pack_file_write(s.output, out.data, out.size, 0644, &error);
    size_t size = out.size;
    pack_buffer_free(&file);
    pack_buffer_free(&out);
    if (e != FOTA_OK)
        return cli_fail(s.json, &error);
    if (s.json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "file", s.output);
        cJSON_AddNumberToObject(object, "size", (double) size);
        cJSON_AddNumberToObject(object, "address", fota_slot_base(s.slot));
        return cli_json(object);
    }
    (void) printf("%s: %zu bytes for address 0x%08" PRIx32 " (slot %s)\n", s.output, size, fota_slot_base(s.slot),
                  s.slot == FOTA_SLOT_A ? "A" : "B");
    return CLI_OK;
}
