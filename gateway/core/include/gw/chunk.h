/* SPDX-License-Identifier: MIT */
/**
 * @file chunk.h
 * The receiver's side of a package that comes in chunks over MQTT (docs/mqtt.md, "Chunks"). Chunks are pulled: a
 * request names digest, offset and count, and what does not come is asked for again. No I/O, no storage of its own but
 * the window in which chunks wait for the ones before them.
 */
#ifndef GW_CHUNK_H
#define GW_CHUNK_H

#include "gw/port.h"

#define GW_CHUNK_REQUEST 56u /* bytes of a request */
#define GW_CHUNK_HEAD 32u    /* bytes before the data of a chunk */
#define GW_CHUNK_MAX 2048u   /* bytes of data in a chunk */
#ifndef GW_CHUNK_WINDOW
#define GW_CHUNK_WINDOW 16u /* chunks a request; GW_CHUNK_WINDOW x 2 KiB of RAM a download */
#endif
#define GW_CHUNK_WAIT_MS 2000u /* for the next chunk, before it is asked for again; doubled each time in vain */
#define GW_CHUNK_WAIT_MAX_MS 8000u
#define GW_CHUNK_BUSY_MAX_MS 10000u /* the longest pause that a hub may ask for */

#define GW_CHUNK_ERROR_MAX 512u /* bytes of a hub's error; more is ignored */

/** What the receiver needs. */
struct gw_chunk_port {
    void *ctx;
    /** @return whether the broker is connected. */
    bool (*ready)(void *ctx);
    /** Publish a request. @param size bytes a chunk. @param seq set to the request's number. @return 0 or -1. */
    int (*ask)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], uint32_t offset, uint32_t count, uint32_t size,
               uint64_t *seq);
};

/** Where the bytes go, in order. */
struct gw_chunk_sink {
    void *ctx;
    /** The length of the whole, once, before the first byte. @return false: it cannot be. */
    bool (*total)(void *ctx, uint32_t total);
    /** @return 0, or anything else to end it. */
    int (*bytes)(void *ctx, const uint8_t *data, size_t length);
};

enum gw_chunk_state {
    GW_CHUNK_RUN,
    GW_CHUNK_COMPLETE,
    GW_CHUNK_SILENT,  /* nothing new came for the stall time */
    GW_CHUNK_REFUSED, /* the hub answered with an error: `why` */
    GW_CHUNK_RANGE,   /* more is here than there */
    GW_CHUNK_STOPPED  /* the sink said no */
};

struct gw_chunk {
    enum gw_chunk_state state;
    const struct gw_chunk_port *port;
    struct gw_chunk_sink sink;
    uint8_t digest[GW_DIGEST_SIZE];
    uint32_t size;         /* of a chunk */
    uint32_t origin, have; /* offset of the beginning; all bytes before `have` went to the sink */
    uint32_t end, last;    /* of the window; of the latest request */
    uint32_t total;
    bool total_known, away;
    uint32_t stall, wait;
    uint64_t seq, ask_at, heard_at;
    uint32_t asked, again, unwanted; /* requests; those of them for the second time; chunks that were not needed */
    char why[160];
    uint16_t held[GW_CHUNK_WINDOW]; /* bytes of a chunk that waits, 0: none */
    uint8_t data[GW_CHUNK_WINDOW][GW_CHUNK_MAX];
};

/** A chunk as it came. */
struct gw_chunk_message {
    uint8_t digest[16]; /* the first bytes of the package's SHA-256 */
    uint32_t offset, total;
    const uint8_t *data;
    size_t length;
};

/** Take a message apart. @return false for anything that is not a whole chunk with the right CRC. */
bool gw_chunk_decode(const void *payload, size_t length, struct gw_chunk_message *message);

/** Write a request. */
void gw_chunk_encode(uint8_t payload[GW_CHUNK_REQUEST], const uint8_t digest[GW_DIGEST_SIZE], uint64_t seq,
                     uint32_t offset, uint32_t count, uint32_t size);

/** Begin. @param have bytes that are there already. @param size 1024 or 2048. @param stall ms without anything new that
 *  end it. @param now monotonic ms. */
void gw_chunk_start(struct gw_chunk *chunk, const struct gw_chunk_port *port, const struct gw_chunk_sink *sink,
                    const uint8_t digest[GW_DIGEST_SIZE], uint32_t have, uint32_t size, uint32_t stall, uint64_t now);

/** Ask where it is time to. @return ms until the next call is wanted. */
uint32_t gw_chunk_poll(struct gw_chunk *chunk, uint64_t now);

/** A chunk has come; those of other packages are ignored. */
void gw_chunk_received(struct gw_chunk *chunk, const struct gw_chunk_message *message, uint64_t now);

/** The hub has refused a request. @param retry_ms of `busy`. */
void gw_chunk_refused(struct gw_chunk *chunk, uint64_t seq, const char *reason, const char *detail, uint32_t retry_ms,
                      uint64_t now);

#endif
