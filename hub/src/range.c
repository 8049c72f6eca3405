/* SPDX-License-Identifier: MIT */
#include "range.h"

#include <string.h>
#include <strings.h>

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t");
}

/* Digits as a number that stops at UINT64_MAX instead of wrapping: a huge offset is beyond the end all the same. */
static const char *read_number(const char *p, uint64_t *value)
{
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t) (*p - '0');
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
    }
    return p;
}

enum hub_range_result hub_range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *last)
{
    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0)
        return HUB_RANGE_NONE;
    const char *p = skip_space(header + 6);
    uint64_t a, b;
    const char *q = read_number(p, &a);
    bool has_a = q != p;
    if (*q != '-')
        return HUB_RANGE_NONE;
    p = q + 1;
    q = read_number(p, &b);
    bool has_b = q != p;
    if (*skip_space(q) != '\0' || (!has_a && !has_b) || (has_a && has_b && b < a))
        return HUB_RANGE_NONE;
    if (!has_a) { /* the last b bytes */
        if (b == 0 || size == 0)
            return HUB_RANGE_UNSATISFIABLE;
        *first = b < size ? size - b : 0;
        *last = size - 1;
        return HUB_RANGE_PART;
    }
    if (a >= size)
        return HUB_RANGE_UNSATISFIABLE;
    *first = a;
    *last = has_b && b < size ? b : size - 1;
    return HUB_RANGE_PART;
}

bool hub_etag_in_list(const char *header, const char *etag)
{
    if (header == NULL)
        return false;
    size_t length = strlen(etag);
    const char *p = skip_space(header);
    if (*p == '*')
        return *skip_space(p + 1) == '\0';
    while (*p != '\0') {
        if (p[0] == 'W' && p[1] == '/')
            p += 2;
        if (*p != '"')
            return false;
        const char *end = strchr(p + 1, '"');
        if (end == NULL)
            return false;
        if ((size_t) (end + 1 - p) == length && memcmp(p, etag, length) == 0)
            return true;
        p = skip_space(end + 1);
        if (*p != ',')
            return false;
        p = skip_space(p + 1);
    }
    return false;
}

bool hub_if_range(const char *header, const char *etag)
{
    return header == NULL || strcmp(header, etag) == 0;
}
