/* SPDX-License-Identifier: MIT */
/**
 * @file gw.h
 * The gateway's orchestration: jobs in, packages fetched and checked, devices updated, states out. One gw_poll(), no
 * threads of its own. docs/gateway.md describes the states and their timers, docs/mqtt.md what goes over MQTT.
 */
#ifndef GW_GW_H
#define GW_GW_H

#include "gw/channel.h"
#include "gw/fetch.h"
#include "gw/job.h"
#include "gw/push.h"
#include "gw/rom_job.h"

#include <stdatomic.h>

#ifndef GW_DEVICES_MAX
#define GW_DEVICES_MAX 64u
#endif
#ifndef GW_FETCHES_MAX
#define GW_FETCHES_MAX 4u /* downloads at the same time; further devices wait for their turn */
#endif
#ifndef GW_READERS_MAX
/* Packages that can be read at the same time: to be checked, or into a device. Fewer than this, and updates wait for
 * each other. */
#define GW_READERS_MAX (GW_DEVICES_MAX + GW_FETCHES_MAX)
#endif
#ifndef GW_RECENT_JOBS
#define GW_RECENT_JOBS 32u /* whose id is known again */
#endif

#define GW_QUERY_MS 60000u       /* INFO while nothing is under way */
#define GW_QUERY_SILENT_MS 5000u /* … when the last one was not answered */
#define GW_QUERY_TRIAL_MS 2000u  /* … when a trial is under way, or a bootloader was met that may just be booting */
#define GW_QUERY_LOADER_MS                                                                                             \
    15000u /* … when a bootloader answered again: longer than the 10 s that a frame makes it stay */
#define GW_QUERY_SOON_MS 2000u /* after a job has ended */
#define GW_PROGRESS_MS 1000u
#define GW_MQTT_CONNECT_MS 15000u /* for the broker's answer */
#define GW_MQTT_RETRY_MS 1000u    /* first pause before connecting again; doubled up to the next */
#define GW_MQTT_RETRY_MAX_MS 30000u
#define GW_CACHE_FILES 16u
#define GW_CACHE_BYTES (8u * 1024u * 1024u)
#define GW_SEQ_AHEAD 65536u /* sequence numbers that one write of the record reserves */

enum gw_state { GW_IDLE, GW_DOWNLOAD, GW_WRITE, GW_VERIFY, GW_JUMP, GW_CONFIRMED, GW_ROLLED_BACK, GW_FAILED };

/** As in docs/mqtt.md. */
const char *gw_state_name(enum gw_state state);

struct gw_device_config {
    char name[GW_NAME_MAX + 1u];
    uint32_t baud;     /* 0: 115 200 */
    uint32_t baud_max; /* for transfers, agreed on with the device (gw/push.h); not above `baud`: never */
    bool loader_only;  /* never install through an application that runs */
    const struct gw_link *link;
    const struct gw_pins *pins; /* NULL: none */
    /* Images are written through ST's ROM (gw/rom.h); NULL: by fota's own bootloader. `ctx` and `wait` of it are used,
     * on a thread. */
    const struct gw_rom_port *rom;
    struct gw_rom_task *rom_task; /* memory for that, of this device alone */
};

/** An update through ST's ROM, while it runs on a thread. */
struct gw_rom_task {
    struct gw_rom rom;
    struct gw_rom_survey survey;
    struct gw_rom_image image;
    const struct gw_rom_port *port;
    int result;
    atomic_int state;
    atomic_uint bytes;
    atomic_bool verifying, stop;
};

/** Threads for what waits. */
struct gw_worker {
    void *ctx;
    /** Run something on a thread of its own. @param n of the device; one at a time for each. @return 0 or -1. */
    int (*start)(void *ctx, unsigned n, void (*run)(void *arg), void *arg);
};

struct gw_config {
    char id[GW_NAME_MAX + 1u];
    const char *version;         /* of the gateway's program */
    const struct fota_key *keys; /* at least one */
    unsigned key_count;
    const struct gw_device_config *devices;
    unsigned device_count;             /* 1 … GW_DEVICES_MAX */
    uint32_t cache_files, cache_bytes; /* 0: the defaults */
    uint32_t stall_ms, retry_ms;       /* of downloads; 0: the defaults */
    uint32_t chunk_size;               /* of chunks over MQTT, 1024 or 2048; 0: the latter */
    const struct gw_channel_config *channels;
    unsigned channel_count; /* 0 … GW_CHANNELS_MAX */
    bool no_fallback;       /* MQTT only where a job says so */
    gw_explain explain;     /* may be NULL, see fetch.h */
    bool debug_frames;
};

struct gw_ports {
    const struct gw_http *http;
    const struct gw_mqtt *mqtt;
    const struct gw_storage *storage;
    const struct gw_clock *clock;
    const struct gw_logger *logger;
    const struct gw_worker *worker; /* NULL where no device is written through ST's ROM */
};

struct gw;

/** One device. */
struct gw_device {
    struct gw *gw;
    const struct gw_device_config *config;
    enum gw_state state;
    char reason[24];
    char detail[GW_DETAIL_MAX];
    bool has_job; /* under way, or the last thing that happened */
    struct gw_job job;
    bool has_header; /* of the job's package */
    uint8_t header[FOTA_HEADER_SIZE];
    uint8_t slot; /* being written, or written; FOTA_SLOT_NONE: not known yet */
    bool contact; /* `info` is there */
    struct fota_link_info info;
    char recent[GW_RECENT_JOBS][GW_JOB_ID_MAX + 1u]; /* newest first */
    struct gw_push push;
    /* its own */
    struct gw_reader *reader; /* of the job's package, while its code may be wanted */
    struct gw_fetch *fetch;
    bool pushing, through_rom, querying, unsaved, unpublished, silent;
    bool waits; /* for the application, or for another device's update, and `detail` says so */
    enum gw_state saved_as;
    uint32_t info_count, loader_seen;
    uint64_t query_at, progress_at, rate_since, download_since;
    uint32_t progress_bytes, rate_bytes;
};

enum gw_mqtt_state { GW_MQTT_OFF, GW_MQTT_CONNECTING, GW_MQTT_ON };

struct gw {
    struct gw_config config;
    struct gw_ports ports;
    struct gw_device device[GW_DEVICES_MAX];
    struct gw_channel channel[GW_CHANNELS_MAX];
    struct gw_fetch fetch[GW_FETCHES_MAX];
    struct gw_reader reader[GW_READERS_MAX];
    struct gw_fetch_env fetch_env;
    struct gw_chunk_port chunk_port;
    enum gw_mqtt_state mqtt;
    uint32_t mqtt_pause;
    uint64_t mqtt_at; /* OFF: connect then; CONNECTING: give up then */
    uint64_t seq, seq_reserved, presence_seq;
    bool stopping;
};

/** Check names, keys and numbers. @return 0, or -1 with `error` naming the member that is wrong and its value. */
int gw_config_check(const struct gw_config *config, char *error, size_t capacity);

/** Begin: read the records, go on with every job that was under way.
 *  @param config, ports copied; what they point to must outlive `gw`.
 *  @return as gw_config_check(). */
int gw_init(struct gw *gw, const struct gw_config *config, const struct gw_ports *ports, char *error, size_t capacity);

/** Do what can be done now. Call it when a link, HTTP or MQTT has something to do, or when the returned time is over.
 *  @return ms until the next call is wanted at the latest. */
uint32_t gw_poll(struct gw *gw);

/** Say goodbye: presence offline, links closed. Jobs stay recorded and go on after the next gw_init(). */
void gw_stop(struct gw *gw);

/* For the MQTT port. */
void gw_mqtt_connected(struct gw *gw);
void gw_mqtt_lost(struct gw *gw, const char *why);
void gw_mqtt_received(struct gw *gw, const char *topic, const void *payload, size_t length);

#endif
