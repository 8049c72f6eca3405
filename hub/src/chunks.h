/* SPDX-License-Identifier: MIT */
/**
 * @file chunks.h
 * Packages in chunks over MQTT (docs/mqtt.md, "Chunks"), for gateways that HTTP does not get through to. The hub only
 * answers: it keeps nothing of a transfer, so a restart of either side costs one request. Runs in the thread of the
 * MQTT library; a request is at most 16 reads of 2 KiB from the page cache.
 */
#ifndef HUB_CHUNKS_H
#define HUB_CHUNKS_H

#include "store.h"

#define HUB_CHUNK_REQUEST 56u /* bytes of a request */
#define HUB_CHUNK_HEAD 32u    /* bytes before the data of a chunk */
#define HUB_CHUNK_MAX 2048u   /* bytes of data in a chunk */
#define HUB_CHUNK_COUNT 16u   /* chunks that one request may ask for */
#define HUB_CHUNK_BURST 65536u
#define HUB_CHUNK_GATEWAYS 64u /* whose rates are remembered; the one heard least recently is forgotten */
#define HUB_CHUNK_ALL 8u       /* all gateways together get this many times the rate of one */
#define HUB_CHUNK_COST 256u    /* what a request costs besides its data, in bytes of the rate */

struct hub_chunks_io {
    /** Publish with QoS 0 in the thread that calls hub_chunks_request(). @return 0, or -1: no room or no connection. */
    int (*publish)(void *ctx, const char *topic, const void *payload, size_t length);
    int64_t (*mono_ms)(void *ctx);
    void *ctx;
};

/** A bucket of bytes that fills with time. */
struct hub_bucket {
    int64_t bytes, at; /* may be taken now; when that was right, monotonic ms */
};

struct hub_chunks {
    struct hub_store *store;
    uint32_t rate; /* bytes a second for one gateway */
    struct hub_bucket all;
    struct {
        char name[HUB_NAME_MAX + 1];
        struct hub_bucket bucket;
        int64_t heard, busy_at; /* the last request; the last `busy` */
    } gateway[HUB_CHUNK_GATEWAYS];
};

/** @param rate bytes a second for one gateway, at least 1. @param now monotonic ms. */
void hub_chunks_init(struct hub_chunks *chunks, struct hub_store *store, uint32_t rate, int64_t now);

/** Answer a request: chunks, or one error, or nothing for what is no request or comes too often. */
void hub_chunks_request(struct hub_chunks *chunks, const struct hub_chunks_io *io, const char *gateway,
                        const void *payload, size_t length);

#endif
