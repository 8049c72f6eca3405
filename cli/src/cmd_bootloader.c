/* SPDX-License-Identifier: MIT */
/** @file cmd_bootloader.c `fota bootloader`: fill in or show the configuration block. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GIVEN_PRODUCT = 1, GIVEN_HW = 2 };

struct boot {
    const char *input, *output;
    struct cli_keys keys;
    struct fota_config config;
    unsigned given;
    bool show, json;
};

enum { OPT_PRODUCT = 256, OPT_HW, OPT_FLOOR, OPT_UART, OPT_SPI, OPT_BAUD, OPT_HSE, OPT_SHOW };

static const struct argp_option options[] = {
    {"key", 'k', "K.pub.pem", 0,
     "a key that may sign firmware, once or twice (a second one lets keys be changed); of a private "
     "key file the public half is taken",
     0},
    {"product", OPT_PRODUCT, "UUID", 0, "product id", 0},
    {"hw", OPT_HW, "N", 0, "hardware revision of this board, 0 to 65535", 0},
    {"floor", OPT_FLOOR, "N", 0, "lowest security counter of a device without a journal (default 0)", 1},
    {"uart", OPT_UART, "N", 0, "USART of the link: 1, 2 or 3 (default 3, PB10/PB11)", 1},
    {"baud", OPT_BAUD, "N", 0, "its baud rate, 2400 to 2000000 (default 115200)", 1},
    {"spi", OPT_SPI, "N", 0,
     "1: SPI1 listens, too (PA4 to PA7, default); 0: it does not, the board uses these pins otherwise", 1},
    {"hse", OPT_HSE, "HZ", 0, "crystal in Hz, whole MHz from 4 to 26; 0: none (default 8000000)", 1},
    {"output", 'o', "OUT.bin", 0, "the configured bootloader, 16384 bytes, for address 0x08000000", 2},
    {"show", OPT_SHOW, NULL, 0, "print the configuration of a bootloader instead", 2},
    {"json", 'j', NULL, 0, "print the result as JSON", 3},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct boot *b = state->input;
    struct fota_config *c = &b->config;
    switch (key) {
    case 'k':
        if (b->keys.count == FOTA_CONFIG_KEYS)
            argp_error(state, "the bootloader holds at most %u keys", FOTA_CONFIG_KEYS);
        cli_keys_add(&b->keys, arg, state);
        return 0;
    case 'o':
        b->output = arg;
        return 0;
    case 'j':
        b->json = true;
        return 0;
    case OPT_SHOW:
        b->show = true;
        return 0;
    case OPT_PRODUCT:
        cli_uuid("--product", arg, c->target.product, state);
        b->given |= GIVEN_PRODUCT;
        return 0;
    case OPT_HW:
        c->target.hw_revision = (uint16_t) cli_number("--hw", arg, 0, UINT16_MAX, state);
        b->given |= GIVEN_HW;
        return 0;
    case OPT_FLOOR:
        c->target.floor = cli_number("--floor", arg, 0, UINT32_MAX, state);
        return 0;
    case OPT_UART:
        c->uart = (uint8_t) cli_number("--uart", arg, 1, 3, state);
        return 0;
    case OPT_SPI:
        c->spi = (uint8_t) cli_number("--spi", arg, 0, 1, state);
        return 0;
    case OPT_BAUD:
        c->baud = cli_number("--baud", arg, FOTA_CONFIG_BAUD_MIN, FOTA_CONFIG_BAUD_MAX, state);
        return 0;
    case OPT_HSE:
        c->hse_hz = cli_number("--hse", arg, 0, 26000000, state);
        return 0;
    case ARGP_KEY_ARG:
        if (b->input != NULL)
            argp_error(state, "more than one input file: \"%s\"", arg);
        b->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (b->input == NULL)
            argp_error(state, "the bootloader's binary is missing");
        if (!b->show && (b->keys.count == 0 || b->given != (GIVEN_PRODUCT | GIVEN_HW) || b->output == NULL))
            argp_error(state, "--key, --product, --hw and -o are needed (or --show)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print(const struct boot *b, const struct fota_config *c)
{
    char uuid[PACK_UUID_TEXT];
    pack_uuid_print(c->target.product, uuid);
    if (b->json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "product", uuid);
        cJSON_AddNumberToObject(object, "hw", c->target.hw_revision);
        cJSON_AddNumberToObject(object, "floor", c->target.floor);
        cJSON_AddNumberToObject(object, "uart", c->uart);
        cJSON_AddNumberToObject(object, "spi", c->spi);
        cJSON_AddNumberToObject(object, "baud", c->baud);
        cJSON_AddNumberToObject(object, "hse", c->hse_hz);
        cJSON *keys = cJSON_AddArrayToObject(object, "keys");
        for (unsigned i = 0; i < c->key_count; i++) {
            char id[PACK_HEX_TEXT(FOTA_KEY_ID_SIZE)];
            pack_hex_print(c->keys[i].id, FOTA_KEY_ID_SIZE, id);
            cJSON_AddItemToArray(keys, cJSON_CreateString(id));
        }
        return cli_json(object);
    }
    (void) printf("%-18s %s\n%-18s %u\n%-18s %" PRIu32 "\n", "product", uuid, "hardware revision",
                  c->target.hw_revision, "built-in floor", c->target.floor);
    (void) printf("%-18s USART%u, %" PRIu32 " baud%s\n", "link", c->uart, c->baud, c->spi != 0 ? "; SPI1" : "");
    if (c->hse_hz != 0)
        (void) printf("%-18s %" PRIu32 " MHz\n", "crystal", c->hse_hz / 1000000u);
    else
        (void) printf("%-18s none, runs from HSI\n", "crystal");
    for (unsigned i = 0; i < c->key_count; i++)
        cli_print_hex("key id", c->keys[i].id, FOTA_KEY_ID_SIZE);
    return CLI_OK;
}

static int fill_in(struct boot *b, const struct pack_input *boot, struct pack_message *error)
{
    struct pack_buffer out = {0};
    int e = cli_keys_load(&b->keys, error);
    if (e != FOTA_OK)
        return e;
    b->config.key_count = b->keys.count;
    memcpy(b->config.keys, b->keys.key, sizeof b->config.keys);
    if (b->keys.count == 2u && memcmp(b->keys.key[0].point, b->keys.key[1].point, FOTA_PUBLIC_KEY_SIZE) == 0) {
        error->code = FOTA_E_ARGUMENT;
        (void) snprintf(error->text, sizeof error->text, "%s and %s are the same key; give two different ones, or one",
                        b->keys.path[0], b->keys.path[1]);
        return error->code;
    }
    e = pack_bootloader_make(boot, &b->config, &out, error);
    if (e == FOTA_OK)
        e = pack_file_write(b->output, out.data, out.size, 0644, error);
    pack_buffer_free(&out);
    return e;
}

int cli_bootloader(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "BOOT.bin",
        .doc =
            "Put keys, product id and board into the bootloader's configuration block, without a compiler; "
            "or show what is in "
            "it.\v"
            "BOOT.bin is the bootloader's bare binary, or an output of this command, whose configuration is "
            "replaced.\n\n"
            "Examples:\n"
            "  fota bootloader bootloader.bin --key release.pub.pem --product "
            "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c001 --hw 1 -o "
            "boot.bin\n"
            "  fota bootloader --show boot.bin",
    };
    struct boot b = {.config = {.uart = 3, .spi = 1, .baud = 115200, .hse_hz = 8000000}};
    struct pack_message error = {0};
    struct pack_buffer file;
    cli_parse(&argp, argc, argv, &b);
    int e = pack_file_read(b.input, 1024u * 1024u, &file, &error);
    if (e != FOTA_OK)
        return cli_fail(b.json, &error);
    const struct pack_input boot = {b.input, file.data, file.size};
    e = b.show ? pack_bootloader_config(&boot, &b.config, &error) : fill_in(&b, &boot, &error);
    pack_buffer_free(&file);
    if (e != FOTA_OK)
        return cli_fail(b.json, &error);
    if (!b.show && !b.json)
        (void) printf("%s: %u bytes for address 0x%08x\n", b.output, FOTA_BOOT_SIZE, FOTA_BOOT_BASE);
    return print(&b, &b.config);
}
