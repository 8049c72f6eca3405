/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t = {0};

    (void) clock_gettime(clock, &t);
    return (uint64_t) t.tv_sec * 1000u + (uint64_t) t.tv_nsec / 1000000u;
}

static uint64_t monotonic(void *ctx)
{
    (void) ctx;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t unix_time(void *ctx)
{
    (void) ctx;
    return read_clock(CLOCK_REALTIME);
}

const struct gw_clock port_clock = {NULL, monotonic, unix_time};
