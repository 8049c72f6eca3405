/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "journal.h"
#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"error", "warn", "info", "debug"};
static enum hub_log_level limit = HUB_LOG_INFO;

void hub_log_set_level(enum hub_log_level level)
{
    limit = level;
}

int hub_log_parse_level(const char *name)
{
    for (int i = 0; i < (int) (sizeof names / sizeof *names); i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

void hub_log(enum hub_log_level level, const char *format, ...)
{
    if (level > limit)
        return;
    char time[HUB_TIME_SIZE];
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (fota_on_journal()) {
        fprintf(stderr, "%s%s\n", fota_journal_prefix(level), text);
        return;
    }
    hub_time_format(hub_now_ms(), time);
    fprintf(stderr, "%s %s: %s\n", time, names[level], text);
}
