/* SPDX-License-Identifier: MIT */
/**
 * @file port.h
 * What a port gives the gateway's portable core: each a small struct of functions with a context pointer. No
 * function may block for longer than a few milliseconds, and none is called from another thread or from
 * inside another one.
 */
#ifndef GW_PORT_H
#define GW_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A byte stream to one device. */
struct gw_link {
    void *ctx;
    /** Open, or open again after it vanished. @param baud bits a second; ignored by streams that have none.
     *  @return 0, or -1 when it is not there (yet). Called again later in that case. */
    int (*open)(void *ctx, uint32_t baud);
    void (*close)(void *ctx);
    /** Read what is there. @return bytes read, 0 when there are none now, -1 when the port has vanished. */
    int (*read)(void *ctx, uint8_t *data, size_t capacity);
    /** Write what fits. @return bytes taken (0 when there is no room now), -1 when the port has vanished. */
    int (*write)(void *ctx, const uint8_t *data, size_t length);
    /** Change the rate of the open stream; what was written before has gone out. NULL: it cannot be changed.
     *  @return 0 (also where a stream has none), or -1: not possible here, the old rate stays. */
    int (*baud)(void *ctx, uint32_t baud);
    /** Even parity (8E1, ST's ROM) or none (8N1). NULL: it cannot be changed. @return 0 or -1. */
    int (*parity)(void *ctx, bool even);
    /** How often read() has to be called while something is awaited, in ms; 0: the caller hears of input otherwise. */
    uint32_t poll_ms;
    /** Why may the device not answer? Called when it was given up; may take 100 ms. NULL: nothing to say. @param text
     * a sentence for people. */
    void (*explain)(void *ctx, char *text, size_t capacity);
};

/** The two wires beside the stream. A function that is NULL says that the wire is not there. */
struct gw_pins {
    void *ctx;
    /** Hold the device in reset or let it run. @return 0, or -1 when the wire could not be moved. */
    int (*nrst)(void *ctx, bool low);
    /** BOOT0 for ST's ROM bootloader. @return 0 or -1. */
    int (*boot0)(void *ctx, bool high);
};

struct gw_clock {
    void *ctx;
    uint64_t (*monotonic_ms)(void *ctx); /* never goes back */
    uint64_t (*unix_ms)(void *ctx);      /* wall clock, UTC */
};

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARNING, GW_LOG_INFO, GW_LOG_DEBUG };

/** Messages for people. `device` is NULL when it is about none. No secrets are ever given to it. */
struct gw_logger {
    void *ctx;
    void (*write)(void *ctx, enum gw_log_level level, const char *device, const char *text);
};

/* ---- HTTP ---- */

#define GW_ETAG_MAX 128u

struct gw_http_request {
    const char *url;            /* http:// or https:// */
    uint32_t from;              /* first byte that is wanted; 0: no Range header */
    const char *if_range;       /* strong validator for If-Range, NULL: none */
    uint32_t length;            /* bytes from `from` on that are wanted; 0: all, and no Range header when `from` is 0 */
    const char *const *headers; /* more of them, whole lines without an end; copied */
    unsigned header_count;
};

struct gw_http_head {
    int status;
    int64_t length;         /* Content-Length of this answer, -1: not said */
    int64_t range_from;     /* 206: first byte of Content-Range, -1: not said or malformed */
    int64_t range_total;    /* 206: length of the whole from Content-Range, -1: "*" or not said */
    uint32_t retry_after;   /* seconds of Retry-After, 0: not said, or a date */
    char etag[GW_ETAG_MAX]; /* as sent, with its quotes; empty when there was none or it is too long */
};

/** Take a header of the answer; those of no meaning here are left out. @param head begun with -1 where that means "not
 * said". @param name of any case. @param value without blanks around it. */
void gw_http_header(struct gw_http_head *head, const char *name, const char *value);
/** @param base a URL without a slash at its end; NULL or "": none. @return whether `url` lies below it: its token may
 * go there. */
bool gw_http_is_below(const char *base, const char *url);

enum gw_http_result {
    GW_HTTP_OK,        /* the answer is complete */
    GW_HTTP_UNREACHED, /* no connection, name not found, TLS refused, … */
    GW_HTTP_BROKEN,    /* the connection ended before the answer was complete */
    GW_HTTP_ABORTED    /* a callback returned non-zero */
};

/** Called from inside poll(). */
struct gw_http_events {
    void *ctx;
    /** Status and headers. @return 0 to go on, anything else ends the request as GW_HTTP_ABORTED. */
    int (*head)(void *ctx, const struct gw_http_head *head);
    int (*body)(void *ctx, const uint8_t *data, size_t length); /* as head() */
    /** Once, at the end; not after cancel(). @param detail a sentence for people, without secrets. */
    void (*done)(void *ctx, enum gw_http_result result, const char *detail);
};

struct gw_http {
    void *ctx;
    /** Begin a GET. `request` is copied, `events` is kept by reference until done() or cancel().
     *  @return a handle >= 0, or -1 when there is no room now. */
    int (*start)(void *ctx, const struct gw_http_request *request, const struct gw_http_events *events);
    void (*poll)(void *ctx);
    void (*cancel)(void *ctx, int handle);
};

/* ---- MQTT 3.1.1 ---- */

struct gw_mqtt_message {
    const char *topic;
    const char *payload;
    size_t length;
    int qos;
    bool retain;
};

/** The port calls gw_mqtt_connected(), gw_mqtt_lost() and gw_mqtt_received() (gw.h) when something happens.
 * It does not reconnect by itself, and a new connect() forgets whatever an older connection had not sent. */
struct gw_mqtt {
    void *ctx;
    /** Begin to connect, with a clean session. @param will copied. @return 0, or -1: cannot even try now. */
    int (*connect)(void *ctx, const struct gw_mqtt_message *will);
    void (*disconnect)(void *ctx);
    int (*subscribe)(void *ctx, const char *topic, int qos);
    /** @return 0, or -1 when the message was not taken. */
    int (*publish)(void *ctx, const struct gw_mqtt_message *message);
    void (*poll)(void *ctx); /* may be NULL */
};

/* ---- Storage ---- */

#define GW_DIGEST_SIZE 32u
#define GW_RECORD_NAME_MAX 40u /* characters of a record's name, [a-z0-9A-Z_-] */
#ifndef GW_RECORD_MAX
#define GW_RECORD_MAX 8192u /* bytes of a record */
#endif

struct gw_package_file {
    uint8_t digest[GW_DIGEST_SIZE];
    uint32_t size;
    bool complete; /* commit() was called */
    uint64_t used; /* grows with every commit and touch: the smallest is the oldest */
};

/** Package cache and small records. What sync(), commit() and put() returned 0 for survives a cut of power.
 */
struct gw_storage {
    void *ctx;
    /** @return 0 and *size, *complete; size 0 and not complete when there is no such file; -1 on failure. */
    int (*stat)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], uint32_t *size, bool *complete);
    /** Append to an incomplete file, made when it is not there. @return 0, -1: no room or failure. */
    int (*append)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], const uint8_t *data, size_t length);
    /** @return bytes read (fewer only at the end of the file), -1 on failure. */
    int (*read)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], uint32_t offset, uint8_t *data, size_t length);
    int (*sync)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]);
    int (*commit)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]); /* whole and checked: keep as complete */
    int (*touch)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]);  /* it was used now */
    int (*remove)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]); /* 0 also when it was not there */
    /** @return 1 and the index-th file (0 …, any order), 0 when there are no more, -1 on failure. */
    int (*list)(void *ctx, unsigned index, struct gw_package_file *file);
    /** How many bytes of the cache's bounds a package of `size` bytes takes. NULL: `size`. */
    uint32_t (*takes)(void *ctx, uint32_t size);
    /** Replace a record whole: after a cut of power either the old or the new one is there. @return 0 or -1.
     */
    int (*put)(void *ctx, const char *name, const void *data, size_t length);
    /** @return length, 0 when there is none, -1 on failure or when it does not fit. */
    int (*get)(void *ctx, const char *name, void *data, size_t capacity);
    int (*erase)(void *ctx, const char *name);
};

#endif
