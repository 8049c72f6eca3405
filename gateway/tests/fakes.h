/* SPDX-License-Identifier: MIT */
/** @file fakes.h Ports in memory: storage that can fail, an HTTP server with faults, a broker, a clock. */
#ifndef GW_TEST_FAKES_H
#define GW_TEST_FAKES_H

#include "gw/gw.h"

#define FAKE_FILES 24u
#define FAKE_RECORDS 32u
#define FAKE_MESSAGES 512u

struct fake_storage {
    struct {
        bool used, complete;
        uint8_t digest[GW_DIGEST_SIZE];
        uint8_t *data;
        uint32_t size;
        uint64_t when;
    } file[FAKE_FILES];
    struct {
        char name[GW_RECORD_NAME_MAX + 1u];
        uint8_t data[GW_RECORD_MAX];
        size_t length;
    } record[FAKE_RECORDS];
    uint64_t tick;
    bool append_fails, put_fails;
    unsigned puts, syncs, removes;
    struct gw_storage port;
};

/* What the next request gets. */
struct fake_answer {
    int status;
    bool unreached;
    int64_t say;      /* Content-Length; -1: none, -2: the true one */
    uint32_t drop_at; /* the connection breaks at this byte of the file; 0: never */
    uint32_t stall_at;
    bool ignore_range;
};

struct fake_http {
    const uint8_t *data; /* the file */
    uint32_t size;
    char etag[64];
    struct fake_answer answer[16]; /* for request 0, 1, …; the last one repeats */
    unsigned answers, requests;
    char last_if_range[64], last_match[64]; /* of If-Match, "": none; another one than `etag` is answered 412 */
    unsigned vary; /* 1 … 9: after so many requests the file has another ETag; and again after as many more */
    uint32_t last_from;
    uint32_t piece; /* bytes a poll */
    struct {
        bool used, head_sent;
        struct fake_answer answer;
        uint32_t from, at, length;
        const struct gw_http_events *events;
    } active[GW_FETCHES_MAX];
    struct gw_http port;
};

struct fake_mqtt {
    struct gw *gw;
    bool connected, reachable, subscribed;
    unsigned connects;
    char will[256];
    struct {
        char topic[96];
        char payload[GW_PAYLOAD_MAX];
        int qos;
        bool retain;
    } message[FAKE_MESSAGES];
    unsigned messages;
    struct gw_mqtt port;
};

void fake_storage_init(struct fake_storage *storage);
void fake_storage_free(struct fake_storage *storage);
void fake_http_init(struct fake_http *http);
void fake_mqtt_init(struct fake_mqtt *mqtt, struct gw *gw);

#endif
