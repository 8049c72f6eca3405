/* SPDX-License-Identifier: MIT */
/* The virtual board's sockets instead of the wire: FOTA_PORT is unix:PATH, a pty, or spi:unix:PATH; FOTA_PINS is the
 * board's control socket (docs/board.md). */
#include "port.h"

#include "gw/spi.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MS 1000

static int fd = -1;
static struct wire_uart uart;

/* --- signals interrupt system calls here: the tick is one ---------------------------------------- */

static int wait_for(int f, short events, int ms)
{
    struct pollfd p = {.fd = f, .events = events};
    uint64_t end = port_clock.monotonic_ms(NULL) + (uint64_t) ms;
    int n;

    do
        n = poll(&p, 1, ms > 0 ? 1 : 0);
    while (n <= 0 && port_clock.monotonic_ms(NULL) < end);
    return n > 0 ? 0 : -1;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int f;

    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1u);
    f = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f >= 0 && connect(f, (const struct sockaddr *) &address, sizeof address) != 0) {
        (void) close(f);
        return -1;
    }
    return f;
}

/* --- a serial line ---------------------------------------------------------------------------- */

static int serial_open(void *ctx, uint32_t baud)
{
    const char *path = ctx;
    struct termios t;

    (void) baud;
    if (strncmp(path, "unix:", 5) == 0) {
        fd = connect_to(path + 5);
        return fd >= 0 ? 0 : -1;
    }
    fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        (void) tcsetattr(fd, TCSANOW, &t);
    }
    return 0;
}

static void line_close(void *ctx)
{
    (void) ctx;
    if (fd >= 0)
        (void) close(fd);
    fd = -1;
}

static int serial_read(void *ctx, uint8_t *data, size_t capacity)
{
    ssize_t n = read(fd, data, capacity);

    (void) ctx;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? (int) wire_uart_take(&uart, data, (size_t) n) : -1;
}

static int serial_write(void *ctx, const uint8_t *data, size_t length)
{
    ssize_t n = write(fd, data, length);

    (void) ctx;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n >= 0 ? (int) n : -1;
}

static int serial_baud(void *ctx, uint32_t baud)
{
    (void) ctx;
    (void) baud;
    return 0;
}

/* --- SPI -------------------------------------------------------------------------------------- */

static int spi_open(void *ctx)
{
    fd = connect_to(ctx);
    return fd >= 0 ? 0 : -1;
}

static uint8_t tx[GW_SPI_PIECE], rx[GW_SPI_PIECE];

static int acquire(void *ctx)
{
    (void) ctx;
    return 0;
}

static void release(void *ctx)
{
    (void) ctx;
}

static void pause_ns(void *ctx, uint32_t ns)
{
    (void) ctx;
    (void) ns;
}

/* A message of the board's socket is a whole frame of chip select. */
static int exchange(void *ctx, size_t length, bool keep)
{
    uint8_t message[2u + GW_SPI_PIECE];
    size_t have = 0;

    (void) ctx;
    message[0] = (uint8_t) length;
    message[1] = (uint8_t) (length >> 8);
    memcpy(message + 2, tx, length);
    if (keep || send(fd, message, length + 2u, MSG_NOSIGNAL) != (ssize_t) (length + 2u))
        return -1;
    while (have < length) {
        ssize_t n = wait_for(fd, POLLIN, ANSWER_MS) == 0 ? read(fd, rx + have, length - have) : -1;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        have += (size_t) n;
    }
    return 0;
}

static int spi_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    static const struct wire_spi wire = {NULL, tx, rx, sizeof tx, acquire, exchange, release, pause_ns};

    (void) ctx;
    return wire_spi_transfer(&wire, 0, out, in, length);
}

/* --- pins ------------------------------------------------------------------------------------- */

static int command(const char *text)
{
    const char *path = getenv("FOTA_PINS");
    int f = path != NULL ? connect_to(path) : -1, result = -1;
    char answer[512];

    if (f < 0)
        return -1;
    if (send(f, text, strlen(text), MSG_NOSIGNAL) == (ssize_t) strlen(text) && wait_for(f, POLLIN, ANSWER_MS) == 0) {
        ssize_t n = read(f, answer, sizeof answer - 1u);

        if (n > 0) {
            answer[n] = '\0';
            result = strstr(answer, "\"ok\":true") != NULL || strstr(answer, "\"ok\": true") != NULL ? 0 : -1;
        }
    }
    (void) close(f);
    return result;
}

enum { NRST = 1, BOOT0 };

static int level(void *ctx, int pin, bool high)
{
    (void) ctx;
    if (pin == NRST)
        return command(high ? "nrst high\n" : "nrst low\n");
    return command(high ? "boot0 1\n" : "boot0 0\n");
}

static int output(void *ctx, int pin, bool open_drain)
{
    (void) ctx;
    return open_drain == (pin == NRST) ? 0 : -1;
}

static const struct wire_gpio gpio = {NULL, level, output};
static struct wire_pins wires = {&gpio, NRST, BOOT0, false};

static int nrst(void *ctx, bool low)
{
    return wire_nrst(ctx, low);
}

static int boot0(void *ctx, bool high)
{
    return wire_boot0(ctx, high);
}

/* ---------------------------------------------------------------------------------------------- */

const struct gw_link *port_line(void)
{
    static struct gw_link serial = {.open = serial_open,
                                    .close = line_close,
                                    .read = serial_read,
                                    .write = serial_write,
                                    .baud = serial_baud,
                                    .poll_ms = 1};
    static struct gw_spi spi = {.open = spi_open, .close = line_close, .transfer = spi_transfer};
    static struct gw_spi_link spi_link;
    const char *path = getenv("FOTA_PORT");

    if (path != NULL && strncmp(path, "spi:unix:", 9) == 0) {
        spi.ctx = (void *) (uintptr_t) (path + 9);
        gw_spi_link_init(&spi_link, &spi, &port_clock);
        return &spi_link.link;
    }
    serial.ctx = (void *) (uintptr_t) (path != NULL ? path : "unix:/nowhere");
    return &serial;
}

const struct gw_pins *port_pins(void)
{
    static const struct gw_pins pins = {&wires, nrst, boot0};

    return getenv("FOTA_PINS") != NULL ? &pins : NULL;
}
