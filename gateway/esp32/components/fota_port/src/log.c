/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "gw/text.h"

#include <stdarg.h>
#include <string.h>

static const char *const names[] = {"error", "warning", "info", "debug"};
static enum gw_log_level shown = GW_LOG_INFO;

bool port_log_level(const char *name)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            shown = (enum gw_log_level) i;
            return true;
        }
    return false;
}

/* The time since the start while the clock is not set. */
static void out(enum gw_log_level level, const char *device, const char *text)
{
    char time[GW_TIME_TEXT];

    if (level > shown)
        return;
    if (port_clock_is_set())
        gw_time_text(port_clock.unix_ms(NULL), time);
    else
        (void) snprintf(time, sizeof time, "+%lu ms", (unsigned long) port_clock.monotonic_ms(NULL));
    (void) printf("%s %s: %s%s%s\n", time, names[level], device != NULL ? device : "", device != NULL ? ": " : "",
                  text);
}

static void log_write(void *ctx, enum gw_log_level level, const char *device, const char *text)
{
    (void) ctx;
    out(level, device, text);
}

void port_log(enum gw_log_level level, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out(level, NULL, text);
}

const struct gw_logger port_logger = {NULL, log_write};
