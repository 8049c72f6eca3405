/* SPDX-License-Identifier: MIT */
/**
 * @file fetch.h
 * One package into the cache: download with resume and retries, over HTTP or in chunks over MQTT, then the whole check.
 * Devices that need the same package share a fetch.
 */
#ifndef GW_FETCH_H
#define GW_FETCH_H

#include "fota/error.h"
#include "fota/package.h"
#include "gw/channel.h"
#include "gw/chunk.h"
#include "gw/job.h"
#include "gw/source.h"

#define GW_FETCH_STALL_MS 30000u   /* without a byte */
#define GW_FETCH_RETRIES 5u        /* in a row without GW_FETCH_PROGRESS new bytes */
#define GW_FETCH_RETRY_MS 1000u    /* first pause; doubled each time, up to a quarter more by chance */
#define GW_FETCH_LIMIT_MS 1800000u /* in all */
#define GW_FETCH_PROGRESS 16384u
#define GW_FETCH_DRY 2u      /* HTTP attempts in a row without a byte, after which a hub is asked over MQTT */
#define GW_FETCH_SYNC 65536u /* bytes between two syncs */
#define GW_FETCH_CHECK_PIECE 1024u
#define GW_FETCH_CHECK_PIECES 32u /* in one poll */
#define GW_FETCH_READER_MS 100u   /* a reader is asked for again */
/** No valid package is smaller: header, one block of 8 bytes of code, end. */
#define GW_FETCH_MIN (FOTA_HEADER_SIZE + 2u * FOTA_SECTION_HEAD + FOTA_BLOCK_HEAD + 8u)

enum gw_fetch_state { GW_FETCH_FREE, GW_FETCH_PAUSE, GW_FETCH_RUN, GW_FETCH_CHECK, GW_FETCH_DONE, GW_FETCH_FAILED };

/** Says in a sentence why a package in the cache is refused: field, value, what to do. `text` is left empty when it has
 * nothing to say. */
typedef void (*gw_explain)(const struct gw_storage *storage, const uint8_t digest[GW_DIGEST_SIZE], uint32_t size,
                           const struct fota_key *keys, unsigned key_count, char *text, size_t capacity);

/** What all fetches of a gateway have in common. */
struct gw_fetch_env {
    const struct gw_http *http;
    const struct gw_storage *storage;
    const struct gw_clock *clock;
    const struct gw_logger *logger;
    const struct fota_key *keys;
    unsigned key_count;
    struct gw_readers readers;          /* at least one */
    uint32_t stall_ms, retry_ms;        /* 0: the defaults above */
    uint32_t random;                    /* state of the jitter */
    const struct gw_chunk_port *chunks; /* NULL: nothing over MQTT */
    uint32_t chunk_size;                /* 1024 or 2048; 0: the latter */
    bool fallback;                      /* MQTT for a hub's URL that HTTP does not get through to */
    gw_explain explain;                 /* NULL: the error's own sentence, which knows no values */
    /** Headers for a channel's package; NULL: none. @return 0 or -1: no credentials now. */
    int (*authorize)(void *ctx, const char *channel, const char *url, struct gw_auth *auth);
    void *authorize_ctx;
};

struct gw_fetch {
    enum gw_fetch_state state;
    uint8_t digest[GW_DIGEST_SIZE];
    char url[GW_URL_MAX + 1u];
    char channel[32];   /* of the job: then in pieces with If-Match, signed where the channel has credentials */
    uint32_t size;      /* that the job gave, 0: none */
    uint32_t have;      /* bytes in the cache; in CHECK: all */
    uint32_t total;     /* 0: not known yet */
    const char *reason; /* FAILED */
    char detail[GW_DETAIL_MAX];
    /* its own */
    struct gw_fetch_env *env;
    struct gw_http_events events;
    int handle;
    bool cached, resumed, asked_range;
    char etag[GW_ETAG_MAX];
    uint32_t piece, retry_after;
    uint32_t retries, high, synced, checked;
    uint64_t since, heard_at, retry_at;
    bool by_mqtt;             /* the present attempt, or the one before */
    uint32_t dry, began_with; /* HTTP attempts in a row without a byte; bytes when the attempt began */
    char mqtt_said[GW_DETAIL_MAX];
    struct gw_chunk chunk;
    const char *trouble; /* reason of the present attempt, NULL: none */
    bool permanent;
    struct fota_sha256 hash;
    struct gw_reader *reader;         /* of the check */
    bool waits;                       /* CHECK: for a reader */
    uint8_t header[FOTA_HEADER_SIZE]; /* DONE */
};

/** Begin. What lies in the cache already is used: whole, or as the beginning. */
void gw_fetch_start(struct gw_fetch *fetch, struct gw_fetch_env *env, const struct gw_job *job);
/** @return ms until the next call is wanted. */
uint32_t gw_fetch_poll(struct gw_fetch *fetch);
/** End it and free it. What was downloaded stays in the cache. */
void gw_fetch_stop(struct gw_fetch *fetch);

/** A chunk has come over MQTT; the fetch ignores those of other packages. */
void gw_fetch_chunk(struct gw_fetch *fetch, const struct gw_chunk_message *message);
/** A hub has refused the chunk request `seq`. */
void gw_fetch_chunk_refused(struct gw_fetch *fetch, uint64_t seq, const char *reason, const char *detail,
                            uint32_t retry_ms);

/** Make room in the cache for a package of `need` bytes, a part of which may be there: remove others that were used
 * least recently, and none that `in_use` names, until it fits into `files` files and `bytes` bytes with what is left.
 * @return 0; 1: what is in use leaves no room now; -1: storage fails, or there is never so much room. */
int gw_cache_make_room(const struct gw_storage *storage, uint32_t files, uint32_t bytes,
                       const uint8_t digest[GW_DIGEST_SIZE], uint32_t need,
                       bool (*in_use)(void *ctx, const uint8_t digest[GW_DIGEST_SIZE]), void *ctx);

#endif
