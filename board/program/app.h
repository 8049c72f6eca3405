/* SPDX-License-Identifier: GPL-2.0-only */
/** @file app.h What the parts of fota-board share. The program contains Unicorn: distributed under the GPL 2. */
#ifndef FOTA_BOARD_APP_H
#define FOTA_BOARD_APP_H

#include "board.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_CLIENTS 16
#define MAX_FDS (4 + MAX_CLIENTS + 2 * BOARD_UARTS + BOARD_SPIS)

enum port_kind { PORT_NONE = 0, PORT_PTY, PORT_UNIX, PORT_STDIO };

/** One end of a serial line outside the board. */
struct port {
    enum port_kind kind;
    unsigned n;           /* UART number */
    char path[108];       /* symlink of the pty, or the socket */
    uint32_t baud;        /* 0: the other end always fits */
    bool baud_of_termios; /* pty: the rate that the other end has set */
    enum board_uart_format format;
    bool connected; /* the control command `uart N disconnect` clears it */
    int fd;         /* pty master, client socket, or stdin */
    int listener;   /* PORT_UNIX */
    bool peer;      /* somebody has the other end open */
    char slave[64];
    uint8_t out[65536];
    size_t out_head, out_count;
    uint64_t dropped; /* bytes from the chip that nobody took */
    bool raw_terminal;
};

/** The master of one SPI, on a Unix socket; see spi.c for the messages. */
struct spi_port {
    unsigned n; /* SPI number, 0: not there */
    char path[108];
    struct board_spi_options options;
    int fd, listener;
    bool active;            /* a transfer is under way */
    uint8_t in[2 + 0x7FFF]; /* length and bytes of the next one */
    uint8_t out[0x7FFF];    /* answer to the last one */
    size_t have, out_len, out_done;
};

struct control {
    char path[108];
    int listener;
    struct {
        int fd;
        char line[1024];
        size_t len;
        bool discard; /* the rest of a line that was too long */
    } client[MAX_CLIENTS];
};

struct app {
    struct board *board;
    struct port port[BOARD_UARTS];
    struct spi_port spi[BOARD_SPIS];
    struct control control;
    const char *option_bytes; /* for the start, NULL: as they are in the flash file */
    uint32_t supply_mv;
    double speed;    /* virtual seconds per second; 0: as fast as possible */
    int64_t rest_ns; /* shortest sleep between two turns */
    bool power, verbose, boot0;
    bool quit;
    uint64_t behind_ns; /* virtual time given up because the host was too slow */
};

/** @param spec "N=pty:PATH", "N=unix:PATH" or "N=stdio", then ",baud=RATE" or ",baud=termios", then ",format=8E1" or
 * another one. @return error or NULL. */
const char *port_parse(struct app *app, const char *spec);
/** @param text "fits", "8N1", "8E1" or "8O1". @return false when it is something else. */
bool port_format(const char *text, enum board_uart_format *format);
/** Open everything that was parsed. @return false after a message to stderr. */
bool port_open_all(struct app *app);
void port_close_all(struct app *app);
/** Make the port vanish, or come back. @return false when that failed. */
bool port_connect(struct app *app, struct port *p, bool connected);
/** Add what to wait for. @return the number of entries. */
unsigned port_poll_fds(struct app *app, struct pollfd *fds);
/** Move bytes both ways; never blocks. */
void port_service(struct app *app);

/** @param spec "N=unix:PATH", then ",hz=N", ",mode=N", ",gap=NS". @return error or NULL. */
const char *spi_parse(struct app *app, const char *spec);
bool spi_open_all(struct app *app);
void spi_close_all(struct app *app);
unsigned spi_poll_fds(struct app *app, struct pollfd *fds);
void spi_service(struct app *app);

bool control_open(struct app *app);
void control_close(struct app *app);
unsigned control_poll_fds(struct app *app, struct pollfd *fds);
void control_service(struct app *app);

/**
 * Change option bytes by name. @param spec "0x0FFFAAEC" (as FLASH_OPTCR) or a list of "rdp=0", "rdp=1", "bor=off",
 * "bor=1" to "bor=3", "wdg=sw", "wdg=hw", "wrp=none", "wrp=SECTOR" or "wrp=FIRST-LAST". @param value the old ones, then
 * the new.
 * @return error or NULL.
 */
const char *option_parse(const char *spec, uint32_t *value);

/** Bind a listening Unix socket; a stale one is removed, one in use is an error. @return the fd or -1 with a message.
 */
int app_listen(const char *path, const char *what);
void app_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
