/* SPDX-License-Identifier: MIT */
/** @file util.h Small things that every part of the hub needs: clocks, hex, names, UTF-8, the error of an answer. */
#ifndef HUB_UTIL_H
#define HUB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_NAME_MAX 32u   /* gateway, device */
#define HUB_JOB_MAX 64u    /* job */
#define HUB_SHA256_HEX 64u /* digits */
#define HUB_TIME_SIZE 25u  /* "2026-11-21T04:00:00.456Z" and the NUL */
#define HUB_ERROR_FIELD 48u
#define HUB_ERROR_TEXT 800u

/** An answer that is not a success: HTTP status, code (docs/http.md), the field it is about, a sentence. */
struct hub_error {
    unsigned status;
    const char *code; /* a constant string */
    char field[HUB_ERROR_FIELD];
    char message[HUB_ERROR_TEXT];
};

/** Fill in an error. @return always -1, so that `return hub_fail(…)` reads well. */
int hub_fail(struct hub_error *error, unsigned status, const char *code, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** @return Unix time in milliseconds. */
int64_t hub_now_ms(void);
/** @return monotonic time in milliseconds, for timers. */
int64_t hub_mono_ms(void);
/** RFC 3339, UTC, milliseconds. @param ms Unix time in milliseconds, 0 up to the year 9999. */
void hub_time_format(int64_t ms, char out[HUB_TIME_SIZE]);

/** Write lower-case hex digits and a NUL. @param out 2 * length + 1 bytes. */
void hub_hex(const uint8_t *data, size_t length, char *out);
/** Read exactly 2 * length hex digits of either case. @return false when there are fewer, more or others. */
bool hub_unhex(const char *text, uint8_t *out, size_t length);

/** @return true for 1–32 characters of A–Z a–z 0–9 _ - (a gateway). */
bool hub_valid_name(const char *text);
/** @return true for a valid name that is not presence, cmd, reply or chunk (a device). */
bool hub_valid_device(const char *text);
/** @return true for 1–64 characters of A–Z a–z 0–9 . _ - (a job). */
bool hub_valid_job(const char *text);
/** @return true for 64 lower-case hex digits. */
bool hub_valid_sha256(const char *text);
/** @return true when all bytes are well-formed UTF-8 (RFC 3629) without NUL. */
bool hub_valid_utf8(const char *text, size_t length);

/** Copy text of unknown origin so that it is safe in a log line or message: not printable ASCII becomes '?', what does
 *  not fit is cut and marked with "...". @param capacity at least 4. @return out. */
const char *hub_quote(const char *text, size_t length, char *out, size_t capacity);

/** Copy a string and cut it at a UTF-8 character when it does not fit. */
void hub_copy(char *out, size_t capacity, const char *text);

/** Random bytes of the kernel. @return 0, or -1 when there are none. */
int hub_random(void *out, size_t length);

/** Compare in a time that depends on the length only. @return true when equal. */
bool hub_equal(const void *a, const void *b, size_t length);

/** Split "host:port" or "[v6]:port". @param host buffer for the host without brackets.
 *  @return 0, or -1 when it is no such thing or the port is not 0–65535. */
int hub_split_address(const char *text, char *host, size_t capacity, uint16_t *port);

#endif
