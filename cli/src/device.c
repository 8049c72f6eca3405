/* SPDX-License-Identifier: MIT */
/** @file device.c The ports of gw/push.h on Linux, taken from the gateway; no second host side of the link. */
#include "device.h"
#include "port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct device {
    struct port_line line;
    struct port_pins pins;
    char pins_text[PORT_SPI_PATH];
    struct gw_push push;
};

static void on_text(void *ctx, const char *line)
{
    (void) ctx;
    (void) fprintf(stderr, "device: %s\n", line);
}

static void on_log(void *ctx, enum gw_log_level level, const char *message)
{
    (void) ctx;
    (void) level;
    (void) fprintf(stderr, "link: %s\n", message);
}

bool device_parse(int key, char *arg, struct device_options *options, const struct argp_state *state)
{
    switch (key) {
    case DEVICE_OPT_PORT:
        options->port = arg;
        return true;
    case DEVICE_OPT_BAUD:
        options->baud = cli_number("--baud", arg, 1200, 2000000, state);
        if (!port_serial_baud_known(options->baud))
            argp_error(state, "--baud: %s is not a rate that serial ports of this system know; take 115200 or 921600",
                       arg);
        return true;
    case DEVICE_OPT_MAX_BAUD:
        options->max_baud = cli_number("--max-baud", arg, 1200, GW_PUSH_BAUD_MAX, state);
        return true;
    case DEVICE_OPT_PINS:
        if (port_pins_check(arg) != NULL)
            argp_error(state, "--pins: %s %s", arg, port_pins_check(arg));
        options->pins = arg;
        return true;
    case DEVICE_OPT_CONTROL:
        options->control = arg;
        return true;
    case DEVICE_OPT_VERBOSE:
        options->verbose = true;
        return true;
    default:
        return false;
    }
}

static int check_path(const char *path, const char *what, struct pack_message *error)
{
    struct stat s;
    if (stat(path, &s) == 0 && (S_ISCHR(s.st_mode) || S_ISSOCK(s.st_mode)))
        return FOTA_OK;
    error->code = FOTA_E_IO;
    (void) snprintf(error->text, sizeof error->text, "%s: %s: %s", path,
                    errno != 0 ? strerror(errno) : "neither a serial port nor a socket", what);
    return error->code;
}

/* The file in the text of a port: what stands behind spi: and unix:, before the rate. */
static void port_file(const char *port, char *path, size_t capacity)
{
    bool spi = strncmp(port, "spi:", 4) == 0;
    port += spi ? 4 : 0;
    bool socket = strncmp(port, "unix:", 5) == 0;
    (void) snprintf(path, capacity, "%s", socket ? port + 5 : port);
    if (spi && !socket)
        path[strcspn(path, "@")] = '\0';
}

int device_open(struct device **device, const struct device_options *options, struct pack_message *error)
{
    const char *wrong = port_line_check(options->port);
    char path[PORT_SPI_PATH];
    if (wrong != NULL) {
        error->code = FOTA_E_ARGUMENT;
        (void) snprintf(error->text, sizeof error->text, "--port: \"%s\" %s", options->port, wrong);
        return error->code;
    }
    port_file(options->port, path, sizeof path);
    errno = 0;
    int e = check_path(path, "is the device plugged in? dmesg names new ports", error);
    if (e == FOTA_OK && options->control != NULL)
        e = check_path(options->control, "does the board run?", error);
    if (e != FOTA_OK)
        return e;
    struct device *d = calloc(1, sizeof *d);
    if (d == NULL) {
        error->code = FOTA_E_IO;
        (void) snprintf(error->text, sizeof error->text, "out of memory");
        return error->code;
    }
    port_log_level(options->verbose ? GW_LOG_INFO : GW_LOG_WARNING);
    port_line_init(&d->line, options->port);
    if (options->control != NULL)
        (void) snprintf(d->pins_text, sizeof d->pins_text, "board:%s", options->control);
    else
        (void) snprintf(d->pins_text, sizeof d->pins_text, "%s", options->pins != NULL ? options->pins : "none");
    const struct gw_push_ports ports = {
        .link = d->line.link,
        .pins = port_pins_init(&d->pins, d->pins_text),
        .clock = &port_clock,
        .baud = options->baud,
        .baud_max = options->max_baud,
        .loader_only = options->loader_only,
        .text = options->verbose ? on_text : NULL,
        .log = options->verbose ? on_log : NULL,
    };
    gw_push_init(&d->push, &ports);
    *device = d;
    return FOTA_OK;
}

void device_close(struct device *device)
{
    gw_push_close(&device->push);
    free(device);
}

struct gw_push *device_push(struct device *device)
{
    return &device->push;
}

void device_turn(struct device *device, uint32_t limit_ms)
{
    uint32_t wait = gw_push_poll(&device->push);
    if (device->push.state == GW_PUSH_ENDED)
        return;
    struct pollfd p = {
        .fd = port_line_fd(&device->line), /* -1 on SPI, and while the port is away: then this is a plain sleep */
        .events = (short) (POLLIN | (gw_push_wants_write(&device->push) ? POLLOUT : 0)),
    };
    (void) poll(&p, 1, (int) (wait < limit_ms ? wait : limit_ms));
}

static void rom_wait(void *ctx, uint32_t ms)
{
    const struct device *device = ctx;
    struct pollfd p = {.fd = port_line_fd(&device->line), .events = POLLIN}; /* -1 on SPI: a plain sleep */
    (void) poll(&p, 1, (int) ms);
}

void device_rom(struct device *device, struct gw_rom *rom, const struct gw_rom_port *options)
{
    struct gw_rom_port port = *options;
    port.link = device->line.spi_used ? NULL : device->line.link;
    port.spi = device->line.spi_used ? &device->line.spi.spi : NULL;
    port.pins = device->push.ports.pins;
    port.clock = &port_clock;
    port.ctx = device;
    port.wait = rom_wait;
    gw_rom_init(rom, &port);
}

uint64_t device_now_ms(void)
{
    return port_clock.monotonic_ms(port_clock.ctx);
}
