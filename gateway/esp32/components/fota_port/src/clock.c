/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <esp_timer.h>
#include <sys/time.h>

#define SET_S 1704067200 /* 2024: before that a clock was never set */

static uint64_t monotonic(void *ctx)
{
    (void) ctx;
    return (uint64_t) esp_timer_get_time() / 1000u;
}

static uint64_t unix_time(void *ctx)
{
    struct timeval t = {0};

    (void) ctx;
    (void) gettimeofday(&t, NULL);
    return (uint64_t) t.tv_sec * 1000u + (uint64_t) t.tv_usec / 1000u;
}

bool port_clock_is_set(void)
{
    return unix_time(NULL) / 1000u >= SET_S;
}

const struct gw_clock port_clock = {NULL, monotonic, unix_time};
