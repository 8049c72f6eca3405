/* SPDX-License-Identifier: MIT */
/* Threads for updates through ST's ROM. */
#include "port.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

static struct {
    pthread_t thread;
    bool running; /* or ended and not joined yet */
    void (*run)(void *arg);
    void *arg;
} workers[GW_DEVICES_MAX];

/* Signals are for the poll loop. */
static void *work(void *arg)
{
    const unsigned *n = arg;
    sigset_t all;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, NULL);
    workers[*n].run(workers[*n].arg);
    return NULL;
}

static int start(void *ctx, unsigned n, void (*run)(void *arg), void *arg)
{
    static unsigned numbers[GW_DEVICES_MAX];

    (void) ctx;
    if (workers[n].running)
        (void) pthread_join(workers[n].thread, NULL); /* its task has ended, or this would not be called */
    workers[n].run = run;
    workers[n].arg = arg;
    numbers[n] = n;
    workers[n].running = pthread_create(&workers[n].thread, NULL, work, &numbers[n]) == 0;
    return workers[n].running ? 0 : -1;
}

const struct gw_worker port_worker = {NULL, start};

void port_rom_join(void)
{
    for (unsigned i = 0; i < GW_DEVICES_MAX; i++)
        if (workers[i].running)
            (void) pthread_join(workers[i].thread, NULL);
}

static void wait_for_input(void *ctx, uint32_t ms)
{
    struct pollfd p = {.fd = port_line_fd(ctx), .events = POLLIN}; /* -1 on SPI: a plain sleep */

    (void) poll(&p, 1, (int) ms);
}

struct port_rom *port_rom_make(struct port_line *line, const struct gw_pins *pins, uint32_t baud)
{
    struct port_rom *rom = calloc(1, sizeof *rom);

    if (rom != NULL)
        rom->port = (struct gw_rom_port){.link = line->spi_used ? NULL : line->link,
                                         .spi = line->spi_used ? &line->spi.spi : NULL,
                                         .pins = pins,
                                         .clock = &port_clock,
                                         .baud = baud < GW_ROM_BAUD ? baud : GW_ROM_BAUD,
                                         .ctx = line,
                                         .wait = wait_for_input};
    return rom;
}
