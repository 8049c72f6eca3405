/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define PTY_MAJOR_FIRST 136u /* Documentation/admin-guide/devices.txt: the slaves of Unix98 ptys */
#define PTY_MAJOR_LAST 143u

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {{1200, B1200},       {2400, B2400},      {4800, B4800},     {9600, B9600},       {19200, B19200},
              {38400, B38400},     {57600, B57600},    {115200, B115200}, {230400, B230400},   {460800, B460800},
              {500000, B500000},   {576000, B576000},  {921600, B921600}, {1000000, B1000000}, {1152000, B1152000},
              {1500000, B1500000}, {2000000, B2000000}};

static speed_t speed_of(uint32_t baud)
{
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].baud == baud)
            return speeds[i].speed;
    return B0;
}

bool port_serial_baud_known(uint32_t baud)
{
    return speed_of(baud) != B0;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1u);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof address) != 0) {
        int error = errno;

        (void) close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int open_tty(const char *path, uint32_t baud)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios t;

    if (fd < 0)
        return -1;
    if (tcgetattr(fd, &t) != 0) {
        (void) close(fd);
        return -1;
    }
    cfmakeraw(&t);
    t.c_cflag &= ~(tcflag_t) (CSTOPB | CRTSCTS | HUPCL); /* closing must not pull DTR: it may be wired to a reset */
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cc[VMIN] = 1; /* so that a read of 0 bytes means that the port has gone */
    t.c_cc[VTIME] = 0;
    (void) cfsetspeed(&t, speed_of(baud));
    if (tcsetattr(fd, TCSANOW, &t) != 0) {
        (void) close(fd);
        return -1;
    }
    (void) ioctl(fd, TIOCEXCL);
    (void) tcflush(fd, TCIOFLUSH);
    return fd;
}

static int serial_open(void *ctx, uint32_t baud)
{
    struct port_serial *s = ctx;

    s->fd = strncmp(s->path, "unix:", 5) == 0 ? open_socket(s->path + 5) : open_tty(s->path, baud);
    if (s->fd < 0) {
        if (!s->complained)
            port_log(GW_LOG_WARNING, "port %s cannot be opened: %s; trying again", s->path, strerror(errno));
        s->complained = true;
        return -1;
    }
    port_log(GW_LOG_INFO, "port %s is open", s->path);
    s->complained = false;
    return 0;
}

static void serial_close(void *ctx)
{
    struct port_serial *s = ctx;

    if (s->fd >= 0)
        (void) close(s->fd);
    s->fd = -1;
}

static int serial_read(void *ctx, uint8_t *data, size_t capacity)
{
    struct port_serial *s = ctx;
    ssize_t n;

    do
        n = read(s->fd, data, capacity);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return n > 0 ? (int) n : -1;
}

static int serial_write(void *ctx, const uint8_t *data, size_t length)
{
    struct port_serial *s = ctx;
    ssize_t n;

    do
        n = strncmp(s->path, "unix:", 5) == 0 ? send(s->fd, data, length, MSG_NOSIGNAL) : write(s->fd, data, length);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return n >= 0 ? (int) n : -1;
}

/* Drivers take any rate of the list and may set another one: what they set is asked for. */
static int serial_baud(void *ctx, uint32_t baud)
{
    struct port_serial *s = ctx;
    struct termios t, before;

    if (strncmp(s->path, "unix:", 5) == 0)
        return 0; /* a stream without a rate */
    if (speed_of(baud) == B0 || tcgetattr(s->fd, &before) != 0)
        return -1;
    t = before;
    (void) cfsetspeed(&t, speed_of(baud));
    if (tcsetattr(s->fd, TCSANOW, &t) == 0 && tcgetattr(s->fd, &t) == 0 && cfgetospeed(&t) == speed_of(baud) &&
        cfgetispeed(&t) == speed_of(baud))
        return 0;
    (void) tcsetattr(s->fd, TCSANOW, &before);
    return -1;
}

/* Ptys have no parity, nor have sockets: what is at their other end takes the bits as they are. */
static int serial_parity(void *ctx, bool even)
{
    struct port_serial *s = ctx;
    struct termios t;
    struct stat file;

    if (strncmp(s->path, "unix:", 5) == 0 ||
        (fstat(s->fd, &file) == 0 && major(file.st_rdev) >= PTY_MAJOR_FIRST && major(file.st_rdev) <= PTY_MAJOR_LAST))
        return 0;
    if (tcgetattr(s->fd, &t) != 0)
        return -1;
    t.c_cflag = even ? (t.c_cflag | PARENB) & ~(tcflag_t) PARODD : t.c_cflag & ~(tcflag_t) PARENB;
    if (tcsetattr(s->fd, TCSADRAIN, &t) != 0 || tcgetattr(s->fd, &t) != 0)
        return -1;
    return ((t.c_cflag & PARENB) != 0) == even ? 0 : -1;
}

void port_serial_init(struct port_serial *s, const char *path)
{
    *s = (struct port_serial){
        .path = path,
        .fd = -1,
        .link = {s, serial_open, serial_close, serial_read, serial_write, serial_baud, serial_parity, 0, NULL}};
}
