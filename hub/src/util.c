/* SPDX-License-Identifier: MIT */
#include "util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int hub_fail(struct hub_error *error, unsigned status, const char *code, const char *field, const char *format, ...)
{
    error->status = status;
    error->code = code;
    hub_copy(error->field, sizeof error->field, field);
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return -1;
}

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t hub_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t hub_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void hub_time_format(int64_t ms, char out[HUB_TIME_SIZE])
{
    const int64_t last = 253402300799999; /* the end of the year 9999 */
    ms = ms < 0 ? 0 : ms > last ? last : ms;
    time_t seconds = (time_t) (ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    char text[20];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(out, HUB_TIME_SIZE, "%s.%03uZ", text, (unsigned) (ms % 1000));
}

void hub_hex(const uint8_t *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * length] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hub_unhex(const char *text, uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t) (high << 4 | low);
    }
    return text[2 * length] == '\0';
}

static bool valid_chars(const char *text, size_t max, const char *extra)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++) {
        char c = text[n];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (n >= max || (!alnum && strchr(extra, c) == NULL))
            return false;
    }
    return n > 0;
}

bool hub_valid_name(const char *text)
{
    return valid_chars(text, HUB_NAME_MAX, "_-");
}

bool hub_valid_device(const char *text)
{
    static const char *const reserved[] = {"presence", "cmd", "reply", "chunk"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(text, reserved[i]) == 0)
            return false;
    return hub_valid_name(text);
}

bool hub_valid_job(const char *text)
{
    return valid_chars(text, HUB_JOB_MAX, "._-");
}

bool hub_valid_sha256(const char *text)
{
    return strspn(text, "0123456789abcdef") == HUB_SHA256_HEX && text[HUB_SHA256_HEX] == '\0';
}

bool hub_valid_utf8(const char *text, size_t length)
{
    const uint8_t *p = (const uint8_t *) text;
    for (size_t i = 0; i < length;) {
        uint32_t c = p[i++];
        if (c == 0)
            return false;
        if (c < 0x80)
            continue;
        unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c < 0xC2 || c > 0xF4 || length - i < more)
            return false;
        c &= 0x3Fu >> more;
        for (unsigned k = 0; k < more; k++, i++) {
            if ((p[i] & 0xC0) != 0x80)
                return false;
            c = c << 6 | (p[i] & 0x3Fu);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            return false;
    }
    return true;
}

const char *hub_quote(const char *text, size_t length, char *out, size_t capacity)
{
    bool cut = length >= capacity;
    size_t n = cut ? capacity - 4 : length;
    for (size_t i = 0; i < n; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
    if (cut) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n] = '\0';
    return out;
}

void hub_copy(char *out, size_t capacity, const char *text)
{
    size_t n = strlen(text);
    if (n >= capacity) {
        n = capacity - 1;
        while (n > 0 && ((uint8_t) text[n] & 0xC0) == 0x80)
            n--;
    }
    memmove(out, text, n);
    out[n] = '\0';
}

int hub_random(void *out, size_t length)
{
    uint8_t *p = out;
    while (length > 0) {
        ssize_t n = getrandom(p, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        length -= (size_t) n;
    }
    return 0;
}

bool hub_equal(const void *a, const void *b, size_t length)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < length; i++)
        difference = (uint8_t) (difference | (x[i] ^ y[i]));
    return difference == 0;
}

int hub_split_address(const char *text, char *host, size_t capacity, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text)
        return -1;
    const char *begin = text;
    const char *end = colon;
    if (*begin == '[') {
        if (end[-1] != ']')
            return -1;
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t) (end - begin)) != NULL) {
        return -1; /* a bare IPv6 address: which colon is the port's is anyone's guess */
    }
    size_t n = (size_t) (end - begin);
    if (n == 0 || n >= capacity)
        return -1;
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0')
        return -1;
    unsigned long value = strtoul(colon + 1, NULL, 10);
    if (value > 65535)
        return -1;
    memcpy(host, begin, n);
    host[n] = '\0';
    *port = (uint16_t) value;
    return 0;
}
