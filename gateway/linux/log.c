/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "gw/text.h"
#include "journal.h"

#include <stdarg.h>
#include <stdio.h>

static enum gw_log_level shown = GW_LOG_INFO;

void port_log_level(enum gw_log_level level)
{
    shown = level;
}

static void out(enum gw_log_level level, const char *device, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char time[GW_TIME_TEXT];

    if (level > shown)
        return;
    if (fota_on_journal()) {
        (void) fprintf(stderr, "%s%s%s%s\n", fota_journal_prefix((unsigned) level), device != NULL ? device : "",
                       device != NULL ? ": " : "", text);
        return;
    }
    gw_time_text(port_clock.unix_ms(NULL), time);
    (void) fprintf(stderr, "%s %s: %s%s%s\n", time, names[level], device != NULL ? device : "",
                   device != NULL ? ": " : "", text);
}

static void log_write(void *ctx, enum gw_log_level level, const char *device, const char *text)
{
    (void) ctx;
    out(level, device, text);
}

void port_log(enum gw_log_level level, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out(level, NULL, text);
}

const struct gw_logger port_logger = {NULL, log_write};
