/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file port.c
 * The board's serial ports on the host: pty, Unix socket, standard input and output. A port behaves like a wire: what
 * the chip sends while nobody has the other end open is lost.
 */
#define _GNU_SOURCE
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define QUEUE_LIMIT 4096u /* bytes on their way to the chip beyond which the other end has to wait */

static struct termios terminal_before;

/* ----------------------------------------------------------------------------------------------- configuration */

bool port_format(const char *text, enum board_uart_format *format)
{
    static const char *const names[] = {"fits", "8N1", "8E1", "8O1"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *format = (enum board_uart_format) i;
            return true;
        }
    return false;
}

const char *port_parse(struct app *app, const char *spec)
{
    char text[160], *comma;
    if (strlen(spec) >= sizeof text)
        return "is too long";
    snprintf(text, sizeof text, "%s", spec);
    if (text[0] < '1' || text[0] > '3' || text[1] != '=')
        return "must begin with the number of the UART, 1 to 3, and '='";
    struct port *p = &app->port[text[0] - '1'];
    if (p->kind != PORT_NONE)
        return "names a UART that is set already";
    uint32_t baud = 0;
    bool of_termios = false;
    enum board_uart_format format = BOARD_UART_FITS;
    comma = strstr(text, ",format=");
    if (comma) { /* the last option */
        if (!port_format(comma + 8, &format))
            return "has a format that is not fits, 8N1, 8E1 or 8O1, or something behind it";
        *comma = 0;
    }
    comma = strstr(text, ",baud=");
    if (comma) {
        of_termios = strcmp(comma + 6, "termios") == 0;
        char *end;
        unsigned long rate = strtoul(comma + 6, &end, 10);
        if (!of_termios && (*end || rate < 300 || rate > 10500000))
            return "has a baud rate that is not 300 to 10500000 or 'termios'";
        baud = of_termios ? 0 : (uint32_t) rate;
        *comma = 0;
    }
    enum port_kind kind = PORT_NONE;
    const char *path = "";
    if (strncmp(text + 2, "pty:", 4) == 0) {
        kind = PORT_PTY;
        path = text + 6;
    } else if (strncmp(text + 2, "unix:", 5) == 0) {
        kind = PORT_UNIX;
        path = text + 7;
    } else if (strcmp(text + 2, "stdio") == 0)
        kind = PORT_STDIO;
    else
        return "must be N=pty:PATH, N=unix:PATH or N=stdio";
    if (kind != PORT_STDIO && (!*path || strlen(path) >= sizeof p->path))
        return "needs a path of 1 to 107 characters";
    if (of_termios && kind != PORT_PTY)
        return "can take its baud rate from termios only on a pty";
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->n = (unsigned) (text[0] - '0');
    snprintf(p->path, sizeof p->path, "%s", path);
    p->baud = baud;
    p->baud_of_termios = of_termios;
    p->format = format;
    p->fd = p->listener = -1;
    return NULL;
}

/* -------------------------------------------------------------------------------------------------------- opening */

/** Point the link at the pty; an old link is replaced, anything else is left alone. */
static bool make_link(const struct port *p)
{
    char old[128];
    ssize_t n = readlink(p->path, old, sizeof old - 1);
    if (n < 0 && errno != ENOENT) {
        app_message("%s exists and is no symbolic link; remove it or choose another path", p->path);
        return false;
    }
    if (n >= 0)
        unlink(p->path);
    if (symlink(p->slave, p->path) < 0) {
        app_message("cannot make the link %s: %s", p->path, strerror(errno));
        return false;
    }
    return true;
}

static void remove_link(const struct port *p)
{
    char target[128];
    ssize_t n = readlink(p->path, target, sizeof target - 1);
    if (n > 0) {
        target[n] = 0;
        if (strcmp(target, p->slave) == 0) /* still ours */
            unlink(p->path);
    }
}

static bool open_pty(struct port *p)
{
    struct termios t;
    p->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->fd < 0 || grantpt(p->fd) < 0 || unlockpt(p->fd) < 0 || ptsname_r(p->fd, p->slave, sizeof p->slave) != 0) {
        app_message("cannot open a pty: %s", strerror(errno));
        return false;
    }
    /* Set the line raw, and open and close it once: from then on the master reports POLLHUP while nobody is there. */
    int slave = open(p->slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || tcgetattr(slave, &t) < 0) {
        app_message("cannot open %s: %s", p->slave, strerror(errno));
        return false;
    }
    cfmakeraw(&t);
    cfsetspeed(&t, B115200);
    tcsetattr(slave, TCSANOW, &t);
    close(slave);
    return make_link(p);
}

static bool open_stdio(struct port *p)
{
    struct termios t;
    p->fd = STDIN_FILENO;
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &terminal_before) == 0) {
        t = terminal_before;
        t.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
        p->raw_terminal = true;
    }
    p->peer = true;
    return true;
}

static void receive_byte(void *context, unsigned n, uint8_t byte)
{
    struct app *app = context;
    struct port *p = &app->port[n - 1];
    if (p->kind == PORT_NONE || !p->peer || p->out_count == sizeof p->out) {
        p->dropped++;
        return;
    }
    p->out[(p->out_head + p->out_count++) % sizeof p->out] = byte;
}

static bool open_port(struct port *p)
{
    p->connected = true;
    switch (p->kind) {
    case PORT_PTY:
        return open_pty(p);
    case PORT_UNIX:
        p->listener = app_listen(p->path, "UART");
        return p->listener >= 0;
    case PORT_STDIO:
        return open_stdio(p);
    default:
        return true;
    }
}

bool port_open_all(struct app *app)
{
    for (unsigned i = 0; i < BOARD_UARTS; i++) {
        struct port *p = &app->port[i];
        if (p->kind == PORT_NONE)
            continue;
        if (!open_port(p))
            return false;
        board_uart_baud(app->board, p->n, p->baud);
        board_uart_format(app->board, p->n, p->format);
        board_on_uart(app->board, p->n, receive_byte, app);
        if (p->kind == PORT_PTY)
            app_message("UART %u: %s -> %s", p->n, p->path, p->slave);
        else if (p->kind == PORT_UNIX)
            app_message("UART %u: socket %s", p->n, p->path);
    }
    return true;
}

static void close_port(struct port *p)
{
    if (p->kind == PORT_PTY && p->slave[0]) {
        remove_link(p);
        p->slave[0] = 0;
    }
    if (p->kind == PORT_UNIX && p->listener >= 0) {
        close(p->listener);
        unlink(p->path);
        p->listener = -1;
    }
    if (p->raw_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    p->raw_terminal = false;
    if (p->fd >= 0 && p->kind != PORT_STDIO)
        close(p->fd);
    p->fd = -1;
    p->peer = p->connected = false;
    p->out_count = 0;
}

void port_close_all(struct app *app)
{
    for (unsigned i = 0; i < BOARD_UARTS; i++)
        if (app->port[i].kind != PORT_NONE)
            close_port(&app->port[i]);
}

bool port_connect(struct app *app, struct port *p, bool connected)
{
    if (p->kind == PORT_NONE || p->connected == connected)
        return p->kind != PORT_NONE;
    board_uart_connect(app->board, p->n, connected);
    if (connected)
        return open_port(p);
    close_port(p);
    board_uart_flush(app->board, p->n);
    return true;
}

/* ------------------------------------------------------------------------------------------------------ service */

/** Is somebody at the other end of the pty? */
static void check_peer(struct port *p)
{
    struct pollfd f = {.fd = p->fd, .events = POLLIN};
    p->peer = poll(&f, 1, 0) >= 0 && !(f.revents & POLLHUP);
    if (!p->peer)
        p->out_count = 0;
}

static bool wants_input(const struct app *app, const struct port *p)
{
    return board_uart_pending(app->board, p->n) < QUEUE_LIMIT;
}

unsigned port_poll_fds(struct app *app, struct pollfd *fds)
{
    unsigned n = 0;
    for (unsigned i = 0; i < BOARD_UARTS; i++) {
        struct port *p = &app->port[i];
        if (p->kind == PORT_NONE || !p->connected)
            continue;
        if (p->kind == PORT_UNIX && p->fd < 0)
            fds[n++] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        if (p->fd >= 0 && p->peer) {
            short events = (short) ((wants_input(app, p) ? POLLIN : 0) | (p->out_count ? POLLOUT : 0));
            if (events)
                fds[n++] = (struct pollfd){.fd = p->kind == PORT_STDIO && !(events & POLLIN) ? STDOUT_FILENO : p->fd,
                                           .events = events};
        }
    }
    return n;
}

/** The rate that the other end of a pty has set. */
static void follow_termios(struct app *app, struct port *p)
{
    static const struct {
        speed_t code;
        uint32_t rate;
    } rates[] = {{B9600, 9600},       {B19200, 19200},     {B38400, 38400},     {B57600, 57600},
                 {B115200, 115200},   {B230400, 230400},   {B460800, 460800},   {B500000, 500000},
                 {B576000, 576000},   {B921600, 921600},   {B1000000, 1000000}, {B1152000, 1152000},
                 {B1500000, 1500000}, {B2000000, 2000000}, {B3000000, 3000000}};
    struct termios t;
    if (tcgetattr(p->fd, &t) < 0)
        return;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (rates[i].code == cfgetospeed(&t) && rates[i].rate != p->baud) {
            p->baud = rates[i].rate;
            board_uart_baud(app->board, p->n, p->baud);
        }
}

static void lost_peer(struct port *p)
{
    p->out_count = 0;
    if (p->kind == PORT_UNIX) {
        close(p->fd);
        p->fd = -1;
    }
    p->peer = false;
}

static void read_port(struct app *app, struct port *p)
{
    uint8_t buffer[1024];
    while (p->fd >= 0 && p->peer && wants_input(app, p)) {
        ssize_t n = read(p->fd, buffer, sizeof buffer);
        if (n > 0)
            board_uart_write(app->board, p->n, buffer, (size_t) n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            lost_peer(p);
            if (p->kind == PORT_STDIO)
                p->fd = -1; /* end of the input; output goes on */
            p->peer = p->kind == PORT_STDIO;
            return;
        } else
            return;
        if (n < (ssize_t) sizeof buffer)
            return;
    }
}

static void write_port(struct port *p)
{
    while (p->out_count && p->peer) {
        size_t run = sizeof p->out - p->out_head;
        if (run > p->out_count)
            run = p->out_count;
        ssize_t n = p->kind == PORT_UNIX
                        ? send(p->fd, p->out + p->out_head, run, MSG_NOSIGNAL)
                        : write(p->kind == PORT_STDIO ? STDOUT_FILENO : p->fd, p->out + p->out_head, run);
        if (n <= 0) {
            if (n < 0 && errno != EAGAIN && errno != EINTR)
                lost_peer(p);
            return;
        }
        p->out_head = (p->out_head + (size_t) n) % sizeof p->out;
        p->out_count -= (size_t) n;
    }
}

void port_service(struct app *app)
{
    for (unsigned i = 0; i < BOARD_UARTS; i++) {
        struct port *p = &app->port[i];
        if (p->kind == PORT_NONE || !p->connected)
            continue;
        if (p->kind == PORT_PTY) {
            check_peer(p);
            if (p->baud_of_termios && p->peer)
                follow_termios(app, p);
        }
        if (p->kind == PORT_UNIX && p->fd < 0) {
            p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            p->peer = p->fd >= 0;
        }
        read_port(app, p);
        write_port(p);
    }
}
