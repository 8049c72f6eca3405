/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file spi.c
 * The SPI master's side on the host: a Unix socket for one client after the other. A transfer is a message of a
 * 16-bit little-endian word (bits 14:0 the length, bit 15: NSS stays low afterwards) and that many bytes; the answer is
 * as many bytes, when the last one was clocked. See docs/board.md.
 */
#define _GNU_SOURCE
#include "app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_HZ 8000000u

static const char *parse_option(struct spi_port *p, const char *text)
{
    char *end = NULL;
    unsigned long v = 0;
    const char *value = strchr(text, '=');
    if (value)
        v = strtoul(value + 1, &end, 10);
    if (!value || !value[1] || *end)
        return "has an option that is not hz=N, mode=N or gap=NS";
    if (strncmp(text, "hz=", 3) == 0 && v >= 1000 && v <= 100000000)
        p->options.hz = (uint32_t) v;
    else if (strncmp(text, "mode=", 5) == 0 && v <= 3)
        p->options.mode = (uint8_t) v;
    else if (strncmp(text, "gap=", 4) == 0 && v <= 1000000000)
        p->options.gap_ns = (uint32_t) v;
    else
        return "has an option that is out of range: hz=1000 to 100000000, mode=0 to 3, gap=0 to 1000000000 ns";
    return NULL;
}

const char *spi_parse(struct app *app, const char *spec)
{
    char text[200], *save = NULL;
    if (strlen(spec) >= sizeof text)
        return "is too long";
    snprintf(text, sizeof text, "%s", spec);
    if (text[0] < '1' || text[0] > '2' || strncmp(text + 1, "=unix:", 6) != 0)
        return "must be N=unix:PATH, with N 1 or 2";
    struct spi_port *p = &app->spi[text[0] - '1'];
    if (p->n)
        return "names an SPI that is set already";
    const char *path = strtok_r(text + 7, ",", &save);
    if (!path || strlen(path) >= sizeof p->path)
        return "needs a path of 1 to 107 characters";
    memset(p, 0, sizeof *p);
    p->options.hz = DEFAULT_HZ;
    for (const char *o; (o = strtok_r(NULL, ",", &save)) != NULL;) {
        const char *wrong = parse_option(p, o);
        if (wrong)
            return wrong;
    }
    p->options.lead_ns =
        p->options.gap_ns; /* transfers may follow each other closely, and the pause is for the slave */
    p->n = (unsigned) (text[0] - '0');
    p->fd = p->listener = -1;
    snprintf(p->path, sizeof p->path, "%s", path);
    return NULL;
}

bool spi_open_all(struct app *app)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        struct spi_port *p = &app->spi[i];
        if (!p->n)
            continue;
        p->listener = app_listen(p->path, "SPI");
        if (p->listener < 0)
            return false;
        board_spi_start(app->board, p->n, NULL, 0, &p->options); /* the master is there: NSS is high */
        app_message("SPI %u: socket %s, %u Hz, mode %u", p->n, p->path, (unsigned) p->options.hz, p->options.mode);
    }
    return true;
}

static void drop_client(struct spi_port *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->have = p->out_len = p->out_done = 0;
}

void spi_close_all(struct app *app)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        struct spi_port *p = &app->spi[i];
        if (!p->n)
            continue;
        drop_client(p);
        if (p->listener >= 0) {
            close(p->listener);
            unlink(p->path);
        }
    }
}

unsigned spi_poll_fds(struct app *app, struct pollfd *fds)
{
    unsigned n = 0;
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        const struct spi_port *p = &app->spi[i];
        if (!p->n)
            continue;
        if (p->fd < 0)
            fds[n++] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        else if (p->out_len)
            fds[n++] = (struct pollfd){.fd = p->fd, .events = POLLOUT};
        else if (!p->active)
            fds[n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
    }
    return n;
}

/** Read on until a message is complete. @return true then. */
static bool message_complete(struct spi_port *p)
{
    for (;;) {
        size_t want = 2;
        if (p->have >= 2)
            want += (size_t) (p->in[0] | (p->in[1] & 0x7F) << 8);
        if (p->have == want && want > 2)
            return true;
        if (p->have == 2 && want == 2)
            return true;
        ssize_t got = recv(p->fd, p->in + p->have, want - p->have, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            drop_client(p);
            return false;
        }
        if (got < 0)
            return false;
        p->have += (size_t) got;
    }
}

static void send_answer(struct spi_port *p)
{
    while (p->out_done < p->out_len) {
        ssize_t n = send(p->fd, p->out + p->out_done, p->out_len - p->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0) {
            if (errno != EAGAIN && errno != EINTR)
                drop_client(p);
            return;
        }
        p->out_done += (size_t) n;
    }
    p->out_len = p->out_done = 0;
}

void spi_service(struct app *app)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        struct spi_port *p = &app->spi[i];
        if (!p->n)
            continue;
        if (p->active && !board_spi_busy(app->board, p->n)) {
            p->active = false;
            p->out_len = board_spi_read(app->board, p->n, p->out, sizeof p->out);
        }
        if (p->fd < 0) {
            p->out_len = 0;
            p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        }
        if (p->fd >= 0 && p->out_len)
            send_answer(p);
        if (p->fd < 0 || p->active || p->out_len || !message_complete(p))
            continue;
        p->options.keep_selected = (p->in[1] & 0x80) != 0;
        p->active = board_spi_start(app->board, p->n, p->in + 2, p->have - 2, &p->options);
        p->have = 0;
    }
}
