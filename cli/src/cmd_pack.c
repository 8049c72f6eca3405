/* SPDX-License-Identifier: MIT */
/** @file cmd_pack.c `fota pack` and `fota bin`. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALLOW_MAX 256u

struct packing {
    const char *inputs[2];
    unsigned count;
    const char *key, *output;
    struct pack_options options;
    uint32_t allow[ALLOW_MAX];
    bool json;
};

enum { OPT_PRODUCT = 256, OPT_HW, OPT_VERSION, OPT_COUNTER, OPT_DEADLINE, OPT_ALLOW };

static const struct argp_option pack_option_table[] = {
    {"key", 'k', "K.pem", 0, "private key that signs", 0},
    {"output", 'o', "OUT.fota", 0, "the package", 0},
    {"product", OPT_PRODUCT, "UUID", 0, "product id", 1},
    {"hw", OPT_HW, "MIN-MAX", 0, "hardware revisions, both included, 0 to 65535", 1},
    {"version", OPT_VERSION, "X.Y.Z[+B]", 0, "firmware version and build number", 1},
    {"counter", OPT_COUNTER, "N", 0, "security counter; a device refuses what is below its floor", 1},
    {"deadline", OPT_DEADLINE, "SECONDS", 0, "time that a trial has to confirm, 1 to 600 (default 20)", 1},
    {"allow-word", OPT_ALLOW, "ADDRESS", 0,
     "one ELF only: the word at this address (slot A) looks like an address but is none; may be repeated", 2},
    {"json", 'j', NULL, 0, "print the result as JSON", 3},
    {0},
};

static const struct argp_option bin_option_table[] = {
    {"output", 'o', "FIRMWARE.bin", 0, "the file to write", 0},
    {"allow-word", OPT_ALLOW, "ADDRESS", 0,
     "one ELF only: the word at this address (slot A) looks like an address but is none; may be repeated", 2},
    {"json", 'j', NULL, 0, "print the result as JSON", 3},
    {0},
};

static void parse_member(int key, const char *arg, struct packing *p, const struct argp_state *state)
{
    struct pack_options *o = &p->options;
    switch (key) {
    case OPT_PRODUCT:
        cli_uuid("--product", arg, o->product, state);
        o->set |= PACK_SET_PRODUCT;
        break;
    case OPT_HW:
        if (!pack_range_parse(arg, &o->hw_min, &o->hw_max))
            argp_error(state, "--hw: \"%s\" is not a revision or a range such as 1-3, 0 to 65535", arg);
        o->set |= PACK_SET_HW;
        break;
    case OPT_VERSION:
        if (!pack_version_parse(arg, &o->version))
            argp_error(state, "--version: \"%s\" is not a version such as 1.2.3 or 1.2.3+45", arg);
        o->set |= PACK_SET_VERSION;
        break;
    case OPT_COUNTER:
        o->counter = cli_number("--counter", arg, 0, UINT32_MAX, state);
        o->set |= PACK_SET_COUNTER;
        break;
    default:
        o->deadline_ms = 1000u * cli_number("--deadline", arg, 1, 600, state);
        o->set |= PACK_SET_DEADLINE;
        break;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct packing *p = state->input;
    switch (key) {
    case 'k':
        p->key = arg;
        return 0;
    case 'o':
        p->output = arg;
        return 0;
    case 'j':
        p->json = true;
        return 0;
    case OPT_PRODUCT:
    case OPT_HW:
    case OPT_VERSION:
    case OPT_COUNTER:
    case OPT_DEADLINE:
        parse_member(key, arg, p, state);
        return 0;
    case OPT_ALLOW:
        if (p->options.allow_count == ALLOW_MAX)
            argp_error(state, "more than %u words allowed", ALLOW_MAX);
        p->allow[p->options.allow_count++] = cli_number("--allow-word", arg, 0, UINT32_MAX, state);
        return 0;
    case ARGP_KEY_ARG:
        if (p->count == 2u)
            argp_error(state, "more than two input files: \"%s\"", arg);
        p->inputs[p->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (p->count == 0)
            argp_error(state, "the input is missing: one ELF, two ELFs (slot A, slot B) or a firmware.bin");
        if (p->output == NULL)
            argp_error(state, "-o is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define INPUTS_DOC                                                                                                     \
    "Input is one of:\n"                                                                                               \
    "  A.elf B.elf    two links of the same objects, for slot A (0x08004200) and slot B (0x08060200)\n"                \
    "  APP.elf        one link for slot A, made with -Wl,--emit-relocs\n"

int cli_pack(int argc, char **argv)
{
    static const struct argp argp = {
        .options = pack_option_table,
        .parser = parse,
        .args_doc = "A.elf [B.elf] | FIRMWARE.bin | GATEWAY.bin",
        .doc =
            "Make a signed package for both slots of what the linker made.\v" INPUTS_DOC
            "  FIRMWARE.bin   made by fota bin\n"
            "  GATEWAY.bin    a gateway's own program, made by ESP-IDF; version and security counter come from it, the "
            "hardware revision is its chip\n\n"
            "Product, hardware revisions, version, security counter and deadline come from the application "
            "(fota/appinfo.h) "
            "unless they are given here. The package is checked as a gateway does before it is written.\n\n"
            "Example: fota pack app_a.elf app_b.elf --key release.pem -o app-1.2.3.fota",
    };
    struct packing p = {0};
    struct pack_message error = {0};
    struct pack_result result;
    struct pack_key key;
    cli_parse(&argp, argc, argv, &p);
    p.options.allow_words = p.allow;
    if (p.key == NULL) {
        (void) fprintf(stderr, "fota pack: --key K.pem is missing; make one with fota keygen -o NAME\n");
        return CLI_USAGE;
    }
    int e = pack_key_load(p.key, &key, &error);
    if (e == FOTA_OK) {
        e = pack_build(&p.options, p.inputs, p.count, &key, p.output, &result, &error);
        pack_key_wipe(&key);
    }
    if (e != FOTA_OK)
        return cli_fail(p.json, &error);
    if (p.json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "file", p.output);
        cJSON_AddNumberToObject(object, "size", (double) result.size);
        cli_json_hex(object, "sha256", result.sha256, FOTA_SHA256_SIZE);
        cli_json_hex(object, "identity", result.identity, FOTA_IDENTITY_SIZE);
        cli_json_header(object, &result.header);
        cJSON_AddNumberToObject(object, "relocations", result.relocations);
        return cli_json(object);
    }
    (void) printf("%s: %zu bytes, %" PRIu32 " words move between the slots\n", p.output, result.size,
                  result.relocations);
    cli_print_header(&result.header);
    cli_print_hex("identity", result.identity, FOTA_IDENTITY_SIZE);
    cli_print_hex("SHA-256 of the file", result.sha256, FOTA_SHA256_SIZE);
    return CLI_OK;
}

int cli_bin(int argc, char **argv)
{
    static const struct argp argp = {
        .options = bin_option_table,
        .parser = parse,
        .args_doc = "A.elf [B.elf]",
        .doc =
            "Make a firmware.bin with its relocation table appended. It is not signed: fota pack, or a hub "
            "with --dev-key, "
            "makes the package of it.\v" INPUTS_DOC "\nExample: fota bin app_a.elf app_b.elf -o firmware.bin",
    };
    struct packing p = {0};
    struct pack_message error = {0};
    struct pack_buffer file[2] = {{0}, {0}}, out = {0};
    struct pack_input input[2] = {{0}, {0}};
    struct pack_image image = {0};
    int e = FOTA_OK;
    cli_parse(&argp, argc, argv, &p);
    for (unsigned i = 0; i < p.count && e == FOTA_OK; i++) {
        e = pack_file_read(p.inputs[i], PACK_FILE_MAX, &file[i], &error);
        input[i] = (struct pack_input){p.inputs[i], file[i].data, file[i].size};
    }
    if (e == FOTA_OK)
        e = pack_image_load(input, p.count, p.allow, p.options.allow_count, &image, &error);
    if (e == FOTA_OK)
        e = pack_bin_make(&image, &out, &error);
    if (e == FOTA_OK)
        e = pack_file_write(p.output, out.data, out.size, 0644, &error);
    int exit_code = CLI_OK;
    if (e != FOTA_OK) {
        exit_code = cli_fail(p.json, &error);
    } else if (p.json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "file", p.output);
        cJSON_AddNumberToObject(object, "size", (double) out.size);
        cJSON_AddNumberToObject(object, "image_size", image.size);
        cJSON_AddNumberToObject(object, "relocations", image.count);
        exit_code = cli_json(object);
    } else {
        (void) printf("%s: %zu bytes: %" PRIu32 " of code, %" PRIu32 " words move between the slots; not signed\n",
                      p.output, out.size, image.size, image.count);
    }
    pack_image_free(&image);
    pack_buffer_free(&out);
    pack_buffer_free(&file[0]);
    pack_buffer_free(&file[1]);
    return exit_code;
}
