/* SPDX-License-Identifier: MIT */
/**
 * @file push.h
 * The host's side of the link (docs/link.md): brings one image into one device and watches its trial. It is
 * driven by gw_push_poll(), never blocks, allocates nothing and needs nothing of the rest of the gateway:
 * `fota flash` and `fota status` use it alone.
 *
 *     struct gw_push push;
 *     gw_push_init(&push, &(struct gw_push_ports){.link = &link, .clock = &clock});
 *     gw_push_start(&push, &(struct gw_push_job){.header = raw, .source = {&src, gw_package_source_read}});
 *     while (push.state != GW_PUSH_ENDED)
 *         wait_for_input(fd, gw_push_poll(&push));
 *     // push.outcome, push.reason, push.detail, push.info
 */
#ifndef GW_PUSH_H
#define GW_PUSH_H

#include "fota/link.h"
#include "gw/port.h"
#include "gw/source.h"

/* Timers, in milliseconds. */
#define GW_PUSH_HELLO_MS 50u     /* INFO with stay, while the bootloader is waited for */
#define GW_PUSH_ASK_MS 400u      /* silence after which a request is repeated */
#define GW_PUSH_BEGIN_MS 4000u   /* silence after which BEGIN is repeated: a signature is checked, perhaps at 16 MHz */
#define GW_PUSH_SILENCE_MS 5000u /* silence during WRITE and VERIFY after which STATUS, FINISH is sent */
#define GW_PUSH_ENTER_LIMIT_MS 20000u /* to reach the bootloader and to have BEGIN answered */
#define GW_PUSH_WRITE_LIMIT_MS 30000u /* without progress */
#define GW_PUSH_VERIFY_LIMIT_MS 15000u
#define GW_PUSH_WATCH_MS 1000u /* INFO during the trial */
#define GW_PUSH_WATCHDOG_MS                                                                                            \
    62000u /* longest period of the independent watchdog (RM0090 table 107, LSI at its slowest) */
#define GW_PUSH_NRST_MARGIN_MS 5000u /* after the trial deadline, before NRST may be pulsed */
#define GW_PUSH_BOOT_MS 5000u /* allowance for the bootloader's own verification before the trial's clock starts */
#define GW_PUSH_NRST_LOW_MS 20u
#define GW_PUSH_LEAVE_LIMIT_MS 1000u
#define GW_PUSH_LATER_MS 1000u          /* where an application asks to wait */
#define GW_PUSH_HASHES_MS 20u           /* the same while it computes the hash of what was written */
#define GW_PUSH_LATER_LIMIT_MS 3600000u /* it may ask for so long in a row */
#define GW_PUSH_REOPEN_MS 250u          /* between attempts to open a port that vanished */
#define GW_PUSH_QUERY_TRIES 12u
#define GW_PUSH_REBEGIN_LIMIT 8u /* BEGINs in a row without a byte of progress */
#define GW_PUSH_CHUNK 1024u      /* bytes of code in a DATA frame, unless the device wants fewer */
/* The agreed baud rate (push_baud.c). */
#define GW_PUSH_BAUD_MAX 2000000u  /* what the programs allow by default */
#define GW_PUSH_PROBES 4u          /* long INFOs that must be answered at a new rate, none damaged */
#define GW_PUSH_PROBE_SIZE 1024u   /* bytes of each */
#define GW_PUSH_PROBE_MS 250u      /* for each answer */
#define GW_PUSH_SWITCH_MS 5u       /* from the answer to BAUD to the first probe */
#define GW_PUSH_REVERT_MS 700u     /* by then a device that heard nothing is back: 500 by its own clock */
#define GW_PUSH_CALL_MS 60u        /* for a call back at a rate, two short frames, to go out */
#define GW_PUSH_BAUD_ROOM_MS 8000u /* of a state's limit that must be left for another attempt */
#define GW_PUSH_FOREIGN 3u /* answers in a row of another protocol version, before the device is taken to speak it */
#define GW_PUSH_FAULTS 4u  /* damaged answers and frames sent again at a rate, before it is given up */

#define GW_PUSH_FLIGHT 128u /* DATA frames under way that are remembered */
#define GW_PUSH_LINE 160u   /* longest line of device output that is given on whole */
#define GW_PUSH_DETAIL 240u
#define GW_PUSH_REJECTS 8u

enum gw_push_state {
    GW_PUSH_IDLE,   /* nothing was asked yet */
    GW_PUSH_QUERY,  /* gw_push_query() */
    GW_PUSH_ENTER,  /* getting into the bootloader, and BEGIN for the first time */
    GW_PUSH_WRITE,  /* BEGIN was accepted; also while a lost device is being reached again */
    GW_PUSH_VERIFY, /* FINISH */
    GW_PUSH_JUMP,   /* REBOOT, the trial */
    GW_PUSH_LEAVE,  /* after a failure or a cancel: ABORT, REBOOT, at most 1 s */
    GW_PUSH_ENDED   /* see outcome */
};

enum gw_push_outcome {
    GW_PUSH_NONE,
    GW_PUSH_ANSWERED,    /* a query: info is there */
    GW_PUSH_CONFIRMED,   /* the device itself says that it confirmed the image */
    GW_PUSH_ROLLED_BACK, /* the device is back on its confirmed image; reason says why */
    GW_PUSH_FAILED       /* the image was never tried; reason says why */
};

struct gw_push_ports {
    const struct gw_link *link;
    const struct gw_pins *pins; /* may be NULL */
    const struct gw_clock *clock;
    uint32_t baud;     /* the device's own; 0: 115 200 */
    uint32_t baud_max; /* agree on up to this for the transfer; not above `baud`: never */
    bool loader_only;  /* never install through an application that runs */
    uint32_t chunk;    /* bytes of code in a DATA frame, a multiple of 4; 0: GW_PUSH_CHUNK */
    bool debug_frames; /* give every frame sent and received to log() */
    void *ctx;         /* for the two below, which may be NULL */
    /** A line of text that the device printed between frames, without its line end. Bytes outside of ASCII's
     *  printable ones were replaced by '?' unless they may be UTF-8. */
    void (*text)(void *ctx, const char *line);
    void (*log)(void *ctx, enum gw_log_level level, const char *message);
};

struct gw_push_job {
    const uint8_t *header; /* 512 bytes, copied; the package was checked whole before */
    struct gw_source source;
    bool retry; /* install even what the device rejected before */
    bool force; /* write it again even when the device already runs and confirmed this very image */
    /** Where an earlier process stood with this same job: GW_PUSH_ENTER for a new job; GW_PUSH_WRITE, VERIFY
     * or JUMP to go on. It decides how an answer is read (a rejection found in JUMP is this trial's), never
     * skips a check. */
    enum gw_push_state resume;
    bool slot_known; /* with resume == GW_PUSH_JUMP: `slot` is the one that was written */
    uint8_t slot;
};

struct gw_push {
    /* For the caller to read. */
    enum gw_push_state state;
    enum gw_push_outcome outcome;
    const char *reason; /* a word of docs/mqtt.md, "" when there is none */
    int error;          /* enum fota_error behind `reason`, FOTA_OK when it is not one of those */
    char detail[GW_PUSH_DETAIL];
    uint32_t bytes, total; /* of code, accepted by the device */
    uint32_t resumed_at;   /* offset at which the first BEGIN of this job began */
    uint64_t begun_at;     /* when that was sent, on the ports' monotonic clock; 0: not yet */
    uint32_t rate;         /* baud rate in force */
    uint8_t slot;          /* being written, FOTA_SLOT_NONE before BEGIN */
    bool contact;          /* `info` is there */
    struct fota_link_info info;
    uint32_t info_count; /* grows with every INFO answer */
    uint32_t reject_count;
    struct fota_link_reject rejects[GW_PUSH_REJECTS]; /* gw_push_query() with `log` */
    struct fota_header header;                        /* of the job */
    uint8_t identity[FOTA_IDENTITY_SIZE];
    struct {
        uint32_t frames_sent, frames_received, resent, damaged, reopened, nrst_pulses;
        uint32_t rates_tried, rates_dropped; /* BAUDs that the device took; of those, given up again */
    } stats;

    /* Its own. */
    struct gw_push_ports ports;
    struct gw_push_job job;
    uint8_t raw[FOTA_HEADER_SIZE];
    bool open, want_log, made_room, begun_anew, nrst_low, went_back;
    uint8_t phase;     /* of the state, enum push_phase */
    uint8_t tag;       /* of the last frame sent */
    uint8_t since_tag; /* INFO answers older than this belong to an earlier phase */
    uint8_t wait_tag;  /* of the request that is waited for */
    uint8_t begin_tag; /* of the BEGIN whose session it is */
    uint8_t back_tag;  /* first frame after going back */
    uint8_t tries, reboots, foreign;
    uint8_t later_phase; /* what is asked again then */
    uint8_t losses;      /* of contact at an agreed rate */
    uint8_t calling;     /* next of the rates at which the device is called back */
    bool calling_all, called;
    uint8_t trial_attempts;
    uint32_t session, next, credit, sent, high, back_to, rebegins;
    uint64_t state_since, progress_since, phase_since, sent_at, heard_at, reopen_at, pulse_at, pulsed_at, rebooted_at;
    uint32_t rate_wanted, rate_cap; /* BAUD was sent for this one; the highest that may be tried now */
    uint32_t faults;                /* of the line, when the rate was agreed */
    uint32_t later_ms;              /* of this wait */
    uint64_t trial_since, loader_since, rate_since;
    uint64_t later_since; /* since then the application asks to wait; 0: it does not */
    struct {
        uint8_t tag;
        uint32_t offset;
    } flight[GW_PUSH_FLIGHT]; /* DATA frames, newest first found by tag: tells a gap from a duplicate */
    enum gw_push_outcome end_outcome;
    struct fota_link_rx rx;
    uint8_t out[FOTA_LINK_WIRE_MAX];
    size_t out_length, out_done;
    char line[GW_PUSH_LINE + 1u];
    bool line_binary;
    size_t line_length, line_run; /* characters of the line; of those, before the present run of bytes without 0x00 */
};

/** Begin, nothing is sent yet. @param ports copied; what it points to must outlive `push`. */
void gw_push_init(struct gw_push *push, const struct gw_push_ports *ports);

/** Ask the device what it is: INFO, and LOG when `log`. Ends as GW_PUSH_ANSWERED, or GW_PUSH_FAILED with
 * `device-lost`. Does not disturb an application, and does not hold a bootloader.
 *  @return FOTA_OK or FOTA_E_STATE when something is under way. */
int gw_push_query(struct gw_push *push, bool log);

/** Begin an update. @return FOTA_OK, FOTA_E_STATE when something is under way, or an error of
 * fota_header_decode(). */
int gw_push_start(struct gw_push *push, const struct gw_push_job *job);

/** End a query, or a job in ENTER or WRITE (the device goes back to what it ran); it then ends as GW_PUSH_FAILED,
 * `cancelled`.
 *  @return FOTA_OK, or FOTA_E_STATE: from VERIFY on the device decides by itself. */
int gw_push_cancel(struct gw_push *push);

/** Do what can be done now. Call it when the link has input or room, or when the time that it returned is
 * over.
 *  @return milliseconds until it wants to be called again at the latest; UINT32_MAX when nothing is under
 * way. */
uint32_t gw_push_poll(struct gw_push *push);

/** True while bytes wait for room in the link: then the caller waits for writability, too. */
bool gw_push_wants_write(const struct gw_push *push);

/** Read what came while nothing is under way, for the device's text; frames are dropped. A port that has vanished is
 * closed. */
void gw_push_listen(struct gw_push *push);

/** Close the link. Called when nothing is under way, to give the port to another program. */
void gw_push_close(struct gw_push *push);

/** The latest end of a trial in ms: 4 x (deadline + watchdog) + 30 s. */
uint32_t gw_push_jump_limit_ms(const struct fota_header *header);

#endif
