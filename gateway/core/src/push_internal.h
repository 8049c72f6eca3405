/* SPDX-License-Identifier: MIT */
/** @file push_internal.h What push.c, push_link.c and push_trial.c share. */
#ifndef GW_PUSH_INTERNAL_H
#define GW_PUSH_INTERNAL_H

#include "gw/push.h"

/** What is being done within a state. */
enum push_phase {
    PHASE_ASK,    /* INFO with stay, a few times: who is there? */
    PHASE_LOADER, /* REBOOT(1) was needed: wait for its answer */
    PHASE_WAIT,   /* another image is on its trial: INFO now and then, until that has ended */
    PHASE_HELLO,  /* INFO with stay, fast, until the bootloader answers */
    PHASE_BAUD,   /* a rate was asked for */
    PHASE_PROBE,  /* it is in force: is it good? */
    PHASE_CALL,   /* it is not, or nobody answers: call the device back, wait until it is back in any case */
    PHASE_BEGIN,
    PHASE_DATA,
    PHASE_STATUS, /* silence: where are we? */
    PHASE_FINISH,
    PHASE_REBOOT, /* into the trial */
    PHASE_LATER,  /* the application asks to wait; then `later_phase` again */
    PHASE_WATCH,
    PHASE_LOG,
    PHASE_ABORT,
    PHASE_LEAVE
};

uint64_t push_now(const struct gw_push *push);
uint64_t push_since(const struct gw_push *push, uint64_t then);
void push_log(struct gw_push *push, enum gw_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void push_detail(struct gw_push *push, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* push.c */
void push_phase(struct gw_push *push, enum push_phase phase);
void push_state(struct gw_push *push, enum gw_push_state state);
/** Fail with a reason; `detail` was set before. */
void push_fail(struct gw_push *push, const char *reason, int error);
void push_fail_core(struct gw_push *push, const char *what, int error);
void push_end(struct gw_push *push, enum gw_push_outcome outcome, const char *reason, int error);
void push_aborted(struct gw_push *push);

/* push_answers.c */
/** A good response has arrived; `body` is what follows the status. */
void push_response(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body,
                   size_t length);
void push_on_log(struct gw_push *push, int status, const uint8_t *body, size_t length);
/* push.c */
/** The link has vanished or is fresh: what was under way is lost. */
void push_link_lost(struct gw_push *push);

/* push_link.c */
bool push_link_open(struct gw_push *push);
void push_link_read(struct gw_push *push);
bool push_link_flush(struct gw_push *push); /* @return true when all was written */
void push_send(struct gw_push *push, uint8_t type, const void *payload, size_t length);
void push_pulse(struct gw_push *push);
void push_pulse_poll(struct gw_push *push);

/* push_baud.c */
/** Put the host's end at a rate. @return false when it cannot do that. */
bool push_rate(struct gw_push *push, uint32_t baud);
/** Back to the device's own rate, which it has after every reset. */
void push_rate_base(struct gw_push *push);
uint32_t push_base(const struct gw_push *push);
/** The bootloader was met at the present rate: agree on a higher one, then BEGIN; or BEGIN at once. */
void push_rate_up(struct gw_push *push);
/** While writing: is the line too bad for this rate? Then a lower one is asked for. @return whether that is so. */
bool push_rate_down(struct gw_push *push);
/** Nobody answers any more: at an agreed rate call the device back first. Then PHASE_ASK. */
void push_rate_lost(struct gw_push *push);
/** The same before PHASE_HELLO, at all rates: an earlier process may have agreed on one. @return false: not needed. */
bool push_rate_search(struct gw_push *push);
void push_rate_step(struct gw_push *push); /* in PHASE_BAUD, PROBE, CALL */
void push_on_baud(struct gw_push *push, int status);
void push_rate_info(struct gw_push *push); /* an INFO was answered in PHASE_PROBE */
uint32_t push_rate_next_call(const struct gw_push *push);

/* push_trial.c */
void push_trial_start(struct gw_push *push);
void push_trial_info(struct gw_push *push);
void push_trial_log(struct gw_push *push);
void push_trial_step(struct gw_push *push);
uint32_t push_watch_ms(const struct gw_push *push);
bool push_is_target(const struct gw_push *push);
bool push_was_rejected(const struct gw_push *push);

#endif
