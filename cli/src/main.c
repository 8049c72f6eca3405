/* SPDX-License-Identifier: MIT */
/** @file main.c `fota`: chooses the command. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"keygen", cli_keygen, "make a signing key"},
    {"pack", cli_pack, "make a signed .fota package of what the linker made"},
    {"doctor", cli_doctor, "say what is wrong with what the linker made, and what to do"},
    {"bin", cli_bin, "make a firmware.bin with its relocation table, unsigned"},
    {"bootloader", cli_bootloader, "put keys and product id into the bootloader, or show them"},
    {"image", cli_image, "make the content of a slot, to be programmed by a debug probe"},
    {"inspect", cli_inspect, "say what a file is and what is in it"},
    {"verify", cli_verify, "check a package as gateway and device do"},
    {"flash", cli_flash, "install a package over the serial line and wait for its confirmation"},
    {"provision", cli_provision, "make a device of a blank chip, through ST's factory bootloader"},
    {"rescue", cli_rescue, "bring back a chip whose bootloader or journal is destroyed, the same way"},
    {"dump", cli_dump, "read a slot, the journal or the option bytes, the same way"},
    {"publish", cli_publish, "put a package into a bucket and make a channel point to it"},
    {"presign", cli_presign, "make a URL with which everybody may read an object for some time"},
    {"status", cli_status, "ask a device over the serial line what it runs"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void help(FILE *to)
{
    (void) fputs("Usage: fota COMMAND [OPTION...]\nFirmware over the air for STM32F407 devices.\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        (void) fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    (void) fputs(
        "\nfota COMMAND --help explains a command, fota --version prints the version.\n"
        "Exit codes: 0 done, 1 a check or the operation failed, 2 wrong usage, 3 a file, the\n"
        "serial port or a silent device, 4 (flash) the device went back to its old image.\n",
        to);
}

int main(int argc, char **argv)
{
    argp_program_version = "fota " FOTA_VERSION;
    argp_err_exit_status = CLI_USAGE;
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-?") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void) printf("%s\n", argp_program_version);
        return CLI_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        char name[32];
        (void) snprintf(name, sizeof name, "fota %s", commands[i].name);
        argv[1] = name; /* what argp calls the program in its messages */
        return commands[i].run(argc - 1, argv + 1);
    }
    (void) fprintf(stderr, "fota: there is no command \"%s\"; fota --help lists them\n", argv[1]);
    return CLI_USAGE;
}
