/* SPDX-License-Identifier: MIT */
/* SPI masters on Linux: spidev, and the socket of a virtual board (docs/board.md, "SPI"). */
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_HZ 8000000u
#define BITS 8u
#define ANSWER_MS 1000 /* of the board, for a transfer: it runs in real time */

static int complain(struct port_spi *s)
{
    if (!s->complained)
        port_log(GW_LOG_WARNING, "SPI port %s cannot be opened: %s; trying again", s->path, strerror(errno));
    s->complained = true;
    if (s->fd >= 0)
        (void) close(s->fd);
    s->fd = -1;
    return -1;
}

static int opened(struct port_spi *s)
{
    port_log(GW_LOG_INFO, "SPI port %s is open", s->path);
    s->complained = false;
    return 0;
}

static void spi_close(void *ctx)
{
    struct port_spi *s = ctx;

    if (s->fd >= 0)
        (void) close(s->fd);
    s->fd = -1;
}

/* --- spidev ----------------------------------------------------------------------------------------------------- */

static int dev_mode(void *ctx, unsigned mode)
{
    const struct port_spi *s = ctx;
    uint8_t m = (uint8_t) mode; /* SPI_MODE_0 … SPI_MODE_3 */

    return ioctl(s->fd, SPI_IOC_WR_MODE, &m) == 0 ? 0 : -1;
}

static int dev_open(void *ctx)
{
    struct port_spi *s = ctx;
    uint8_t bits = BITS;

    s->pace_hz = s->hz;
    s->gap_us = 0;
    s->fd = open(s->path, O_RDWR | O_CLOEXEC);
    if (s->fd < 0 || dev_mode(s, SPI_MODE_0) != 0 || ioctl(s->fd, SPI_IOC_WR_BITS_PER_WORD, &bits) != 0 ||
        ioctl(s->fd, SPI_IOC_WR_MAX_SPEED_HZ, &s->hz) != 0)
        return complain(s);
    return opened(s);
}

static int dev_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    const struct port_spi *s = ctx;
    struct spi_ioc_transfer t[GW_SPI_PIECE];
    /* A pause behind each byte: not every controller knows word_delay_usecs, each knows one behind a transfer. */
    size_t piece = s->gap_us != 0 ? 1u : length, count = length / piece;

    memset(t, 0, count * sizeof t[0]);
    for (size_t i = 0; i < count; i++) {
        t[i].tx_buf = (uint64_t) (uintptr_t) (out + i * piece);
        t[i].rx_buf = (uint64_t) (uintptr_t) (in + i * piece);
        t[i].len = (uint32_t) piece;
        t[i].speed_hz = s->pace_hz;
        t[i].delay_usecs = s->gap_us;
        t[i].bits_per_word = BITS;
    }
    /* SPI_IOC_MESSAGE() of a number that is no constant declares an array of variable length */
    return ioctl(s->fd, _IOC(_IOC_WRITE, SPI_IOC_MAGIC, 0, count * sizeof t[0]), t) == (int) length ? 0 : -1;
}

static int dev_pace(void *ctx, uint32_t hz, uint32_t gap_ns)
{
    struct port_spi *s = ctx;

    s->pace_hz = hz < s->hz ? hz : s->hz;
    s->gap_us = (uint16_t) ((gap_ns + 999u) / 1000u);
    return 0;
}

/* --- the board -------------------------------------------------------------------------------------------------- */

static int board_open(void *ctx)
{
    struct port_spi *s = ctx;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(s->path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return complain(s);
    }
    memcpy(address.sun_path, s->path, strlen(s->path) + 1u);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (const struct sockaddr *) &address, sizeof address) != 0)
        return complain(s);
    return opened(s);
}

static int board_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    const struct port_spi *s = ctx;
    uint8_t message[2u + GW_SPI_PIECE];
    size_t have = 0;

    message[0] = (uint8_t) length;
    message[1] = (uint8_t) (length >> 8);
    memcpy(message + 2, out, length);
    if (send(s->fd, message, length + 2u, MSG_NOSIGNAL) != (ssize_t) (length + 2u))
        return -1;
    while (have < length) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, ANSWER_MS) == 1 ? read(s->fd, in + have, length - have) : -1;

        if (n <= 0)
            return -1;
        have += (size_t) n;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------------- */

void port_spi_init(struct port_spi *s, const char *path)
{
    const char *at = strrchr(path, '@');

    *s = (struct port_spi){.fd = -1, .hz = DEFAULT_HZ};
    s->spi.ctx = s;
    s->spi.close = spi_close;
    if (strncmp(path, "unix:", 5) == 0) {
        s->path = path + 5;
        s->spi.open = board_open;
        s->spi.transfer = board_transfer;
    } else {
        if (at != NULL)
            s->hz = (uint32_t) strtoul(at + 1, NULL, 10);
        memcpy(s->device, path, at != NULL ? (size_t) (at - path) : strlen(path));
        s->path = s->device;
        s->spi.open = dev_open;
        s->spi.transfer = dev_transfer;
        s->spi.mode = dev_mode;
        s->spi.pace = dev_pace;
    }
    gw_spi_link_init(&s->link, &s->spi, &port_clock);
}
