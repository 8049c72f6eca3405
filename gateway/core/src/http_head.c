/* SPDX-License-Identifier: MIT */
/* What an HTTP client tells of an answer, in the words of gw/port.h: for every port's client. */
#include "gw/port.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_MAX_S 86400

bool gw_http_is_below(const char *base, const char *url)
{
    size_t length = base != NULL ? strlen(base) : 0;

    return length > 0 && strncmp(url, base, length) == 0 && url[length] == '/';
}

static int64_t number(const char *text, const char **end)
{
    char *stop;
    long long value;

    if (*text < '0' || *text > '9')
        return -1;
    value = strtoll(text, &stop, 10);
    *end = stop;
    return value;
}

/* "bytes 100-199/200" or "bytes 100-199/\*" (RFC 9110, 14.4) */
static void content_range(struct gw_http_head *head, const char *value)
{
    const char *p = value;
    int64_t from;

    if (strncasecmp(p, "bytes ", 6) != 0)
        return;
    from = number(p + 6, &p);
    if (from < 0 || *p != '-' || number(p + 1, &p) < from || *p != '/')
        return;
    head->range_from = from;
    head->range_total = number(p + 1, &p);
}

void gw_http_header(struct gw_http_head *head, const char *name, const char *value)
{
    const char *end;

    if (strcasecmp(name, "Content-Length") == 0) {
        head->length = number(value, &end);
    } else if (strcasecmp(name, "Content-Range") == 0) {
        content_range(head, value);
    } else if (strcasecmp(name, "ETag") == 0 && strlen(value) < sizeof head->etag) {
        memcpy(head->etag, value, strlen(value) + 1u);
    } else if (strcasecmp(name, "Retry-After") == 0) {
        int64_t seconds = number(value, &end);

        head->retry_after = seconds > 0 && seconds <= RETRY_MAX_S ? (uint32_t) seconds : 0;
    }
}
