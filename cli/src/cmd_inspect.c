/* SPDX-License-Identifier: MIT */
/** @file cmd_inspect.c `fota inspect`: what a file is and what is in it. */
#include "cli.h"
#include "fota/bytes.h"
#include "fota/crc32.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct inspect {
    const char *input;
    struct cli_keys keys;
    bool json;
    cJSON *object; /* when json */
};

static const struct argp_option options[] = {
    {"key", 'k', "K.pub.pem", 0, "also check the signature with this key; may be repeated", 0},
    {"json", 'j', NULL, 0, "print the result as JSON", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct inspect *i = state->input;
    switch (key) {
    case 'k':
        cli_keys_add(&i->keys, arg, state);
        return 0;
    case 'j':
        i->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (i->input != NULL)
            argp_error(state, "more than one file: \"%s\"", arg);
        i->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (i->input == NULL)
            argp_error(state, "the file is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A member that is a word. */
static void word(const struct inspect *i, const char *name, const char *label, const char *value)
{
    if (i->json)
        cJSON_AddStringToObject(i->object, name, value);
    else
        (void) printf("%-18s %s\n", label, value);
}

static void number(const struct inspect *i, const char *name, const char *label, uint32_t value, const char *unit)
{
    if (i->json)
        cJSON_AddNumberToObject(i->object, name, value);
    else
        (void) printf("%-18s %" PRIu32 "%s\n", label, value, unit);
}

static void hex(const struct inspect *i, const char *name, const char *label, const uint8_t *data, size_t size)
{
    if (i->json)
        cli_json_hex(i->object, name, data, size);
    else
        cli_print_hex(label, data, size);
}

static void header(const struct inspect *i, const struct fota_header *h, const uint8_t *raw)
{
    uint8_t identity[FOTA_IDENTITY_SIZE];
    fota_header_identity(raw, identity);
    hex(i, "identity", "identity", identity, sizeof identity);
    if (i->json)
        cli_json_header(i->object, h);
    else
        cli_print_header(h);
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        hex(i, slot == 0 ? "code_sha256_a" : "code_sha256_b", slot == 0 ? "SHA-256, slot A" : "SHA-256, slot B",
            h->sha256[slot], FOTA_SHA256_SIZE);
        char crc[16];
        (void) snprintf(crc, sizeof crc, "0x%08" PRIx32, h->crc[slot]);
        word(i, slot == 0 ? "code_crc32_a" : "code_crc32_b", slot == 0 ? "CRC-32, slot A" : "CRC-32, slot B", crc);
    }
}

static void signature(const struct inspect *i, const uint8_t *raw)
{
    int e = fota_header_verify(raw, i->keys.key, i->keys.count);
    word(i, "signature", "signature",
         i->keys.count == 0 ? "not checked"
         : e == FOTA_OK     ? "good"
         : e == FOTA_E_KEY  ? "by another key"
                            : "bad");
}

/* The last line: is it good, and if not, why. @return the error. */
static int verdict(const struct inspect *i, int e, const char *why)
{
    if (i->json) {
        cJSON_AddBoolToObject(i->object, "ok", e == FOTA_OK);
        cJSON_AddStringToObject(i->object, "reason", e == FOTA_OK ? "" : fota_error_name(e));
        cJSON_AddStringToObject(i->object, "message", why);
    } else {
        (void) printf("%-18s %s\n", e == FOTA_OK ? "good" : "NOT GOOD", why);
    }
    return e;
}

static int package(const struct inspect *i, const struct pack_input *file)
{
    struct pack_message error = {0};
    struct pack_result result;
    struct fota_header h;
    int e = pack_verify(file, i->keys.key, i->keys.count, NULL, &result, &error);
    number(i, "size", "size", (uint32_t) file->size, " bytes");
    hex(i, "sha256", "SHA-256", result.sha256, FOTA_SHA256_SIZE);
    if (file->size >= FOTA_HEADER_SIZE && fota_header_decode_any(file->data, &h) == FOTA_OK) {
        header(i, &h, file->data);
        signature(i, file->data);
    }
    if (e == FOTA_OK)
        number(i, "relocations", "words that move", result.relocations, "");
    return verdict(i, e,
                   e != FOTA_OK ? error.text
                   : i->keys.count == 0
                       ? "structure, both slots' code and vector tables; the signature was not checked (--key)"
                       : "structure, signature, both slots' code and vector tables");
}

static int slot(const struct inspect *i, const struct pack_input *file)
{
    struct fota_header h;
    int e = fota_header_decode_any(file->data, &h);
    if (e != FOTA_OK)
        return verdict(i, e, fota_error_text(e));
    header(i, &h, file->data);
    signature(i, file->data);
    if (file->size < FOTA_HEADER_SIZE + h.image_size)
        return verdict(i, FOTA_E_TRUNCATED, "the file ends before the code is complete");
    uint32_t crc = fota_crc32(0, file->data + FOTA_HEADER_SIZE, h.image_size);
    if (crc != h.crc[FOTA_SLOT_A] && crc != h.crc[FOTA_SLOT_B])
        return verdict(i, FOTA_E_CRC, "the code is neither that for slot A nor that for slot B");
    return verdict(i, FOTA_OK,
                   crc == h.crc[FOTA_SLOT_A] ? "code for slot A, at 0x08004000" : "code for slot B, at 0x08060000");
}

/* firmware.bin, or an ELF linked with --emit-relocs. */
static int image(const struct inspect *i, const struct pack_input *file)
{
    struct pack_message error = {0};
    struct pack_image img;
    int e = pack_image_load(file, 1, NULL, 0, &img, &error);
    if (e != FOTA_OK)
        return verdict(i, e, error.text);
    number(i, "image_size", "code", img.size, " bytes");
    number(i, "relocations", "words that move", img.count, "");
    if (img.has_info) {
        char text[PACK_VERSION_TEXT];
        const struct fota_version version = {
            .major = img.info.major, .minor = img.info.minor, .patch = img.info.patch, .build = img.info.build};
        char uuid[PACK_UUID_TEXT];
        pack_uuid_print(img.info.product, uuid);
        pack_version_print(&version, text);
        word(i, "product", "product", uuid);
        word(i, "version", "version", text);
        number(i, "hw_min", "lowest hardware", img.info.hw_min, "");
        number(i, "hw_max", "highest hardware", img.info.hw_max, "");
        number(i, "counter", "security counter", img.info.counter, "");
        number(i, "deadline_ms", "trial deadline",
               img.info.deadline_ms != 0 ? img.info.deadline_ms : FOTA_TRIAL_DEADLINE_DEFAULT_MS, " ms");
    }
    e = verdict(i, FOTA_OK,
                img.has_info ? "can be packed as it is" : "can be packed; the application says nothing of itself");
    pack_image_free(&img);
    return e;
}

static int bootloader(const struct inspect *i, const struct pack_input *file)
{
    struct pack_message error = {0};
    struct fota_config config;
    char uuid[PACK_UUID_TEXT];
    int e = pack_bootloader_config(file, &config, &error);
    if (e != FOTA_OK)
        return verdict(i, e, error.text);
    pack_uuid_print(config.target.product, uuid);
    word(i, "product", "product", uuid);
    number(i, "hw", "hardware revision", config.target.hw_revision, "");
    number(i, "floor", "built-in floor", config.target.floor, "");
    hex(i, "key_id", "key id", config.keys[0].id, FOTA_KEY_ID_SIZE);
    if (config.key_count > 1u)
        hex(i, "second_key_id", "second key id", config.keys[1].id, FOTA_KEY_ID_SIZE);
    return verdict(i, FOTA_OK, "more of it: fota bootloader --show");
}

static int key_file(const struct inspect *i, const struct pack_input *file)
{
    struct pack_message error = {0};
    struct pack_key key;
    struct fota_key public_key;
    int e = pack_public_parse(file->name, file->data, file->size, &public_key, &error);
    if (e != FOTA_OK)
        return verdict(i, e, error.text);
    bool private = pack_key_parse(file->name, file->data, file->size, &key, &error) == FOTA_OK;
    pack_key_wipe(&key);
    hex(i, "key_id", "key id", public_key.id, FOTA_KEY_ID_SIZE);
    return verdict(i, FOTA_OK, private ? "a private key: it can sign" : "a public key");
}

/* The kind as a word for JSON. */
static const char *kind_word(enum pack_kind kind)
{
    static const char *const words[] = {
        [PACK_KIND_EMPTY] = "empty",      [PACK_KIND_PACKAGE] = "package", [PACK_KIND_HEADER] = "slot",
        [PACK_KIND_BIN] = "firmware-bin", [PACK_KIND_ELF] = "elf",         [PACK_KIND_BOOTLOADER] = "bootloader",
        [PACK_KIND_TEXT] = "text",        [PACK_KIND_HEX] = "intel-hex",   [PACK_KIND_SREC] = "s-record",
        [PACK_KIND_PEM] = "pem",          [PACK_KIND_BARE] = "bare-bin",   [PACK_KIND_OTHER] = "unknown",
    };
    return words[kind];
}

static int dispatch(const struct inspect *i, const struct pack_input *file)
{
    struct pack_message error = {0};
    enum pack_kind kind = pack_kind_of(file->data, file->size);
    word(i, "kind", "what it is", i->json ? kind_word(kind) : pack_kind_text(kind));
    switch (kind) {
    case PACK_KIND_PACKAGE:
        return package(i, file);
    case PACK_KIND_HEADER:
        return slot(i, file);
    case PACK_KIND_BIN:
    case PACK_KIND_ELF:
        return image(i, file);
    case PACK_KIND_BOOTLOADER:
        return bootloader(i, file);
    case PACK_KIND_PEM:
        return key_file(i, file);
    default: /* nothing that can be looked into: say what it is and what to do, as fota verify does */
        (void) pack_verify(file, NULL, 0, NULL, NULL, &error);
        return verdict(i, kind == PACK_KIND_EMPTY ? FOTA_E_TRUNCATED : FOTA_E_MAGIC, error.text);
    }
}

int cli_inspect(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Say what a file is and what is in it: a .fota package, the content of a slot, a firmware.bin, "
            "an ELF, a configured "
            "bootloader, a key.\v"
            "Everything but the signature is checked; that only with --key. Exit code 1 says that something "
            "is not good.\n\n"
            "Example: fota inspect app-1.2.3.fota",
    };
    struct inspect i = {0};
    struct pack_message error = {0};
    struct pack_buffer file = {0};
    cli_parse(&argp, argc, argv, &i);
    int e = cli_keys_load(&i.keys, &error);
    if (e == FOTA_OK)
        e = pack_file_read(i.input, PACK_FILE_MAX, &file, &error);
    if (e != FOTA_OK)
        return cli_fail(i.json, &error);
    if (i.json)
        i.object = cJSON_CreateObject();
    const struct pack_input input = {i.input, file.data, file.size};
    e = dispatch(&i, &input);
    pack_buffer_free(&file);
    if (i.json && cli_json(i.object) != CLI_OK)
        return CLI_IO;
    return e == FOTA_OK ? CLI_OK : CLI_FAILED;
}
