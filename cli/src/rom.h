/* SPDX-License-Identifier: MIT */
/** @file rom.h A session with ST's factory bootloader, for the commands that use it. */
#ifndef CLI_ROM_H
#define CLI_ROM_H

#include "device.h"

struct rom_options {
    struct device_options device;
    uint32_t gap_us; /* 0: 15 */
    bool x8;         /* flash work by bytes */
    bool json;
};

enum { ROM_OPT_GAP = 640, ROM_OPT_X8 };
#define ROM_OPTIONS(group)                                                                                             \
    {"port", DEVICE_OPT_PORT, "PORT", 0, "port of the device: /dev/ttyUSB0, or spi:/dev/spidev0.0[@HZ]", group},       \
        {"pins",                                                                                                       \
         DEVICE_OPT_PINS,                                                                                              \
         "PINS",                                                                                                       \
         0,                                                                                                            \
         "lines for NRST and BOOT0: gpio:CHIP:NRST:BOOT0 (numbers of lines), or board:SOCKET",                         \
         group},                                                                                                       \
        {"control", DEVICE_OPT_CONTROL, "SOCKET", 0, "short for --pins board:SOCKET", group},                          \
        {"rom-gap", ROM_OPT_GAP, "US", 0, "pause behind each byte on SPI, in microseconds (default 15; AN2606 has 8)", \
         group},                                                                                                       \
    {                                                                                                                  \
        "rom-x8", ROM_OPT_X8, NULL, 0, "write by bytes, four times slower: for a supply below 2.7 V", group            \
    }

/** @return true when the option was one of these. */
bool rom_parse(int key, char *arg, struct rom_options *options, const struct argp_state *state);
/** After the last option: what is missing is said, and the program ends. */
void rom_require(const struct rom_options *options, const struct argp_state *state);

struct rom_session {
    const struct rom_options *options;
    struct device *device;
    struct gw_rom rom;
    char step[24]; /* that is shown */
    uint32_t percent;
    bool tty;
};

/** Open the device and get into the ROM; SIGINT then ends the next command. @return FOTA_OK or an error with its text.
 * rom_close() in both cases. */
int rom_open(struct rom_session *session, const struct rom_options *options, struct pack_message *error);
/** Out of the ROM: the chip starts from its flash. @param error an earlier one is kept, and its text; else that of
 * leaving.
 * @return it. */
int rom_close(struct rom_session *session, int earlier, struct pack_message *error);
/** An error of gw_rom_…() with its sentence. @return `code`. */
int rom_error(const struct rom_session *session, int code, struct pack_message *error);

/** A package, checked whole, as an image. */
struct rom_package {
    struct pack_buffer file;
    struct gw_package_source source;
    struct gw_rom_image image;
};
/** @return FOTA_OK or an error with its text. rom_package_free() in both cases. */
int rom_package_load(struct rom_package *package, const char *path, const struct fota_key *keys, unsigned key_count,
                     struct pack_message *error);
void rom_package_free(struct rom_package *package);

#endif
