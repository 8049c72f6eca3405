/* SPDX-License-Identifier: MIT */
/**
 * @file channel.h
 * Channels: the gateway watches a signed index in a bucket or on a web server (docs/channel.md) and starts updates by
 * itself. Polled by gw_poll(); everything goes through the ports of gw/port.h.
 */
#ifndef GW_CHANNEL_H
#define GW_CHANNEL_H

#include "fota/channel.h"
#include "gw/job.h"
#include "gw/s3.h"
#include "gw/sigv4.h"

#ifndef GW_CHANNELS_MAX
#define GW_CHANNELS_MAX 4u
#endif
#ifndef GW_CHANNEL_DEVICES
#define GW_CHANNEL_DEVICES 64u
#endif
#define GW_CHANNEL_POLL_S 300u
#define GW_CHANNEL_POLL_MAX_S 86400u
#define GW_CHANNEL_RETRY_MS 2000u   /* first pause after a 5xx, a 429 or no answer; doubled up to the poll's interval */
#define GW_CHANNEL_TELL_S 60u       /* how often a poll that found nothing new is reported */
#define GW_CHANNEL_LIMIT_MS 30000u  /* for an answer, without a byte */
#define GW_CHANNEL_DEVICE_MS 60000u /* after an update that failed by bad luck, before the next; doubled */
#define GW_CHANNEL_DEVICE_MAX_MS 3600000u /* … up to this */
#define GW_CHANNEL_PIECE 262144u          /* bytes of a Range of a package */

struct gw_channel_config {
    char name[FOTA_CHANNEL_NAME_SIZE];
    uint8_t product[FOTA_PRODUCT_SIZE];
    char url[GW_URL_MAX / 2u];       /* of the prefix, without a slash at its end: packages, and the index */
    char index_url[GW_URL_MAX + 1u]; /* the index alone is there, for example a presigned URL; "": below `url` */
    uint32_t poll_s;
    char devices[GW_CHANNEL_DEVICES][GW_NAME_MAX + 1u]; /* none: all of that product */
    unsigned device_count;
    /** Credentials for signing, asked for before each request since they may change. NULL: requests are not signed.
     *  @return 0, or -1: there are none now. */
    int (*credentials)(void *ctx, struct gw_sigv4_credentials *out);
    void *ctx;
};

/** Headers that go with one request. */
#define GW_AUTH_HEADERS 5u
#define GW_AUTH_REST 256u /* bytes of names, date and the body's hash */
struct gw_auth {
    const char *header[GW_AUTH_HEADERS];
    unsigned count;
    size_t used; /* of the text: one after the other, each with its NUL */
    char text[GW_SIGV4_TOKEN_MAX + GW_SIGV4_AUTHORIZATION + GW_ETAG_MAX + GW_AUTH_REST];
};

struct gw;

struct gw_channel {
    const struct gw_channel_config *config;
    struct gw *gw;
    bool has_index, running;
    uint8_t raw[FOTA_CHANNEL_SIZE];
    struct fota_channel index; /* the newest good one, perhaps expired */
    char etag[GW_ETAG_MAX];    /* of it: tells versions apart, vouches for nothing */
    char problem[GW_DETAIL_MAX];
    /* its own */
    struct gw_http_events events;
    int handle, status;
    char body[GW_S3_BODY_MAX], new_etag[GW_ETAG_MAX];
    size_t length;
    uint32_t retry_after, failures;
    uint64_t poll_at, heard_at;
    uint64_t polled, polled_told; /* unix seconds: the last good answer; the one that was reported */
    bool expiry_told;
    struct {
        uint64_t at;
        uint32_t failures;
        bool counted;
    } device[GW_CHANNEL_DEVICES];
};

#endif
