/* SPDX-License-Identifier: MIT */
/** @file cmd_provision.c `fota provision` and `fota rescue`: from a blank chip, or from ruins, to a device. */
#include "rom.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct provision {
    struct rom_options rom;
    const char *boot, *package;
    bool rescue, force, protect, erase_everything;
    struct pack_buffer boot_file;
    struct fota_config config;
    struct rom_package image;
    struct gw_rom_rescue found;
};

enum { OPT_FORCE = 256, OPT_PROTECT, OPT_ERASE };

static const struct argp_option options[] = {
    ROM_OPTIONS(0),
    {"force", OPT_FORCE, NULL, 0,
     "also a chip that fota is on: its journal, floor and list of rejected images are forgotten", 1},
    {"rdp1", OPT_PROTECT, NULL, 0,
     "set readout protection, level 1: nobody reads the flash any more, ST's factory bootloader neither; updates over "
     "the "
     "link go on. Level 2, which is for ever, is never set",
     1},
    {"erase-everything", OPT_ERASE, NULL, 0, "take readout protection off first, which erases the whole flash", 1},
    {"json", 'j', NULL, 0, "print the result as JSON", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct provision *p = state->input;
    if (rom_parse(key, arg, &p->rom, state))
        return 0;
    switch (key) {
    case 'j':
        p->rom.json = true;
        return 0;
    case OPT_FORCE:
        p->force = true;
        return 0;
    case OPT_PROTECT:
        p->protect = true;
        return 0;
    case OPT_ERASE:
        p->erase_everything = true;
        return 0;
    case ARGP_KEY_ARG:
        if (p->boot == NULL)
            p->boot = arg;
        else if (p->package == NULL)
            p->package = arg;
        else
            argp_error(state, "one bootloader and one package are wanted, \"%s\" is a third file", arg);
        return 0;
    case ARGP_KEY_END:
        if (p->boot == NULL)
            argp_error(state, "the configured bootloader is missing (fota bootloader -o BOOT.bin)");
        if (p->package == NULL && !p->rescue)
            argp_error(state, "the package is missing");
        rom_require(&p->rom, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int load(struct provision *p, struct pack_message *error)
{
    int e = pack_file_read(p->boot, FOTA_BOOT_SIZE + 1u, &p->boot_file, error);
    const struct pack_input boot = {p->boot, p->boot_file.data, p->boot_file.size};
    if (e == FOTA_OK)
        e = pack_bootloader_config(&boot, &p->config, error);
    if (e == FOTA_OK && p->package != NULL)
        e = rom_package_load(&p->image, p->package, p->config.keys, p->config.key_count, error);
    return e;
}

static int work(struct provision *p, struct rom_session *s, struct pack_message *error)
{
    const struct gw_rom_provision what = {.boot = p->boot_file.data,
                                          .image = p->package != NULL ? &p->image.image : NULL,
                                          .force = p->force,
                                          .protect = p->protect};
    if (s->rom.protected && p->erase_everything &&
        (gw_rom_readout_unprotect(&s->rom) != GW_ROM_OK || (!p->rom.x8 && gw_rom_x32(&s->rom) != GW_ROM_OK)))
        return rom_error(s, FOTA_E_IO, error);
    int e = p->rescue ? gw_rom_rescue(&s->rom, &what, &p->found) : gw_rom_provision(&s->rom, &what);
    return e == FOTA_OK ? FOTA_OK : rom_error(s, e, error);
}

static int print_json(const struct provision *p)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ok", true);
    cJSON_AddStringToObject(o, "state", p->rescue ? "rescued" : "provisioned");
    cJSON_AddBoolToObject(o, "readout_protection", p->protect);
    if (p->rescue) {
        cJSON_AddBoolToObject(o, "bootloader_kept", p->found.boot_kept);
        cJSON_AddBoolToObject(o, "journal_kept", p->found.journal_kept);
        cJSON_AddBoolToObject(o, "image_written", p->found.image_written);
        cJSON *slots = cJSON_AddArrayToObject(o, "good_slots");
        for (unsigned s = 0; s < FOTA_SLOT_COUNT; s++)
            if ((p->found.good_slots >> s & 1u) != 0)
                cJSON_AddItemToArray(slots, cJSON_CreateString(s == FOTA_SLOT_A ? "A" : "B"));
    }
    return cli_json(o);
}

static void print_text(const struct provision *p)
{
    const struct gw_rom_rescue *f = &p->found;
    if (p->rescue) {
        (void) printf("bootloader: %s\n", f->boot_kept ? "was whole, kept" : "written anew");
        (void) printf("journal: %s\n", f->journal_kept ? "kept, with its floor and rejected images"
                                                       : "lost; the floor begins again at the built-in one");
        for (unsigned s = 0; s < FOTA_SLOT_COUNT; s++)
            (void) printf("slot %c: %s\n", 'A' + s,
                          (f->good_slots >> s & 1u) != 0         ? "a good image, kept"
                          : f->image_written && s == FOTA_SLOT_A ? "the package's image, written now"
                                                                 : "no image that verifies");
    } else {
        (void) puts("provisioned: bootloader, image in slot A, journal; all of it read back");
    }
    (void) printf("option bytes: sector 0 write-protected, brown-out level 3, readout protection %s\n",
                  p->protect ? "level 1" : "off");
    (void) puts("the device starts; fota status asks it what it runs");
}

static int run(struct provision *p, const struct argp *argp, int argc, char **argv)
{
    struct pack_message error = {0};
    struct rom_session *session = calloc(1, sizeof *session);
    cli_parse(argp, argc, argv, p);
    int e = session != NULL ? load(p, &error) : FOTA_E_IO;
    if (e == FOTA_OK) {
        e = rom_open(session, &p->rom, &error);
        if (e == FOTA_OK)
            e = work(p, session, &error);
        e = rom_close(session, e, &error);
    }
    free(session);
    pack_buffer_free(&p->boot_file);
    rom_package_free(&p->image);
    if (e != FOTA_OK) {
        error.code = e;
        return cli_fail(p->rom.json, &error);
    }
    if (p->rom.json)
        return print_json(p);
    print_text(p);
    return CLI_OK;
}

int cli_provision(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "BOOT.bin PACKAGE.fota",
        .doc =
            "Make a device of a blank chip: the configured bootloader, the package's image in slot A, and a journal "
            "that "
            "says it is confirmed, through ST's factory bootloader. Everything is read back; then sector 0 is "
            "write-protected and brown-out level 3 is set.\v"
            "Interrupted it leaves a chip that does not start; the same command makes it whole.\n\n"
            "Example: fota provision boot.bin app-1.0.0.fota --port /dev/ttyUSB0 --pins gpio:gpiochip0:17:27",
    };
    static struct provision p = {.rom = {.device = {.baud = 115200}}};
    return run(&p, &argp, argc, argv);
}

int cli_rescue(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "BOOT.bin [PACKAGE.fota]",
        .doc =
            "Bring back a chip whose bootloader or journal is destroyed, through ST's factory bootloader. What is "
            "whole "
            "is kept: the journal, and images that the keys of BOOT.bin verify. The package is written only when "
            "there is no such image.\v"
            "At readout protection level 1 nothing can be read or kept: --erase-everything takes it off, which erases "
            "the "
            "flash, and the package is needed.\n\n"
            "Example: fota rescue boot.bin app-1.0.0.fota --port spi:/dev/spidev0.0 --pins gpio:gpiochip0:17:27",
    };
    static struct provision p = {.rom = {.device = {.baud = 115200}}, .rescue = true};
    return run(&p, &argp, argc, argv);
}
