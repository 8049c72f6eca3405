/* SPDX-License-Identifier: MIT */
/** @file device.h A device on a serial line or SPI, as `fota flash` and `fota status` use it: the ports of gw/push.h on
 * Linux.
 */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "cli.h"
#include "gw/push.h"
#include "gw/rom_job.h"

struct device_options {
    const char *port;    /* serial device, or what the gateway's configuration takes as a port */
    const char *control; /* control socket of a virtual board, for NRST and BOOT0; NULL: none */
    const char *pins;    /* as in the gateway's configuration; NULL: none, or those of `control` */
    uint32_t baud;
    uint32_t max_baud; /* the highest that may be agreed on for a transfer; 0: none */
    bool loader_only;  /* never install through an application that runs */
    bool verbose;
};

struct device; /* one at a time */

/** Make the ports. Nothing is opened yet: gw_push does that, and again when the port vanishes.
 *  @return FOTA_OK, or FOTA_E_IO when the port is not there at all or --control cannot be reached. */
int device_open(struct device **device, const struct device_options *options, struct pack_message *error);
void device_close(struct device *device);

/** The state machine, for gw_push_query() and gw_push_start(). */
struct gw_push *device_push(struct device *device);

/** One turn: gw_push_poll(), then wait for input, room or the next timer, at most `limit_ms`. SIGINT ends the wait. */
void device_turn(struct device *device, uint32_t limit_ms);

/** The same device through ST's ROM. Both at once is nothing: the ROM's host opens the port by itself.
 *  @param options rates and pauses, others are filled in here. @param stop whether to end, NULL: never.
 *  @param progress NULL: none. */
void device_rom(struct device *device, struct gw_rom *rom, const struct gw_rom_port *options);

/** Milliseconds of a clock that never goes back. */
uint64_t device_now_ms(void);

/* Options that both commands share: --port, --baud, --pins, --control, --verbose. */
enum {
    DEVICE_OPT_PINS = 514,
    DEVICE_OPT_PORT = 'p',
    DEVICE_OPT_BAUD = 'b',
    DEVICE_OPT_CONTROL = 512,
    DEVICE_OPT_MAX_BAUD,
    DEVICE_OPT_VERBOSE = 'v'
};
#define DEVICE_OPTIONS(group)                                                                                          \
    {"port", DEVICE_OPT_PORT, "PORT", 0, "port of the device: /dev/ttyUSB0, or spi:/dev/spidev0.0[@HZ]", group},       \
        {"baud", DEVICE_OPT_BAUD, "N", 0, "baud rate (default 115200)", group},                                        \
        {"pins",                                                                                                       \
         DEVICE_OPT_PINS,                                                                                              \
         "PINS",                                                                                                       \
         0,                                                                                                            \
         "lines for NRST and BOOT0: gpio:CHIP:NRST[:BOOT0] (numbers of lines), or board:SOCKET",                       \
         group},                                                                                                       \
        {"control",                                                                                                    \
         DEVICE_OPT_CONTROL,                                                                                           \
         "SOCKET",                                                                                                     \
         0,                                                                                                            \
         "short for --pins board:SOCKET. NRST is pulsed when the device does not answer",                              \
         group},                                                                                                       \
    {                                                                                                                  \
        "verbose", DEVICE_OPT_VERBOSE, NULL, 0, "print what the device prints, and what happens on the link", group    \
    }

/** @return true when the option was one of these. */
bool device_parse(int key, char *arg, struct device_options *options, const struct argp_state *state);

#endif
