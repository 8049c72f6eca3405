/* SPDX-License-Identifier: GPL-2.0-only */
/** @file app.h What the parts of fota-board share. The program contains Unicorn: distributed under the GPL 2. */
#ifndef FOTA_BOARD_APP_H
#define FOTA_BOARD_APP_H

#include "board.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_CLIENTS 16
#define MAX_FDS (4 + MAX_CLIENTS + 2 * BOARD_UARTS)

enum port_kind { PORT_NONE = 0, PORT_PTY, PORT_UNIX, PORT_STDIO };

/** One end of a serial line outside the board. */
struct port {
    enum port_kind kind;
    unsigned n;           /* UART number */
    char path[108];       /* symlink of the pty, or the socket */
    uint32_t baud;        /* 0: the other end always fits */
    bool baud_of_termios; /* pty: the rate that the other end has set */
    bool connected;       /* the control command `uart N disconnect` clears it */
    int fd;               /* pty master, client socket, or stdin */
    int listener;         /* PORT_UNIX */
    bool peer;            /* somebody has the other end open */
    char slave[64];
    uint8_t out[65536];
    size_t out_head, out_count;
    uint64_t dropped; /* bytes from the chip that nobody took */
    bool raw_terminal;
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
    struct control control;
    double speed; /* virtual seconds per second; 0: as fast as possible */
    bool power, verbose, boot0;
    bool quit;
    uint64_t behind_ns; /* virtual time given up because the host was too slow */
};

/** @param spec "N=pty:PATH", "N=unix:PATH" or "N=stdio", then ",baud=RATE" or ",baud=termios". @return error or NULL.
 */
const char *port_parse(struct app *app, const char *spec);
/** Open everything that was parsed. @return false after a message to stderr. */
bool port_open_all(struct app *app);
void port_close_all(struct app *app);
/** Make the port vanish, or come back. @return false when that failed. */
bool port_connect(struct app *app, struct port *p, bool connected);
/** Add what to wait for. @return the number of entries. */
unsigned port_poll_fds(struct app *app, struct pollfd *fds);
/** Move bytes both ways; never blocks. */
void port_service(struct app *app);

bool control_open(struct app *app);
void control_close(struct app *app);
unsigned control_poll_fds(struct app *app, struct pollfd *fds);
void control_service(struct app *app);

/** Bind a listening Unix socket; a stale one is removed, one in use is an error. @return the fd or -1 with a message.
 */
int app_listen(const char *path, const char *what);
void app_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
