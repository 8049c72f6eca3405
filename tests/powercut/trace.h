/* SPDX-License-Identifier: MIT */
/** @file trace.h  Flash operations in the order in which they began, and what was going on meanwhile. */
#ifndef POWERCUT_TRACE_H
#define POWERCUT_TRACE_H

#include "images.h"

/** What was going on when a flash operation began. */
enum phase_kind { QUIET, INSTALLING, SENDING, BOOTING, TRYING };
struct phase {
    enum phase_kind kind;
    enum oracle_cause cause; /* BOOTING */
    uint8_t slot, image;     /* INSTALLING, SENDING, TRYING; slot ORACLE_NONE: either one */
    bool retry;              /* INSTALLING: an operator asks for it */
    struct oracle oracle;    /* what was certain before */
};

struct trace {
    struct board_flash_work *works;
    unsigned *at; /* phase of each */
    unsigned count, room;
    struct phase *phases;
    unsigned phase_count, phase_room;
    unsigned offered; /* of a recovery: the gateway has come again, and this is its first operation */
};

void trace_clear(struct trace *trace);
void trace_free(struct trace *trace);
/** A new phase begins. */
void trace_phase(struct trace *trace, const struct phase *phase);
/** For board_on_flash(), with the trace as context. */
void trace_work(void *trace, const struct board_flash_work *work);
/** What may be true after a cut at operation `n`. @param slots as they are when it begins. */
struct oracle trace_cut(const struct trace *trace, const struct oracle_world *world, unsigned n,
                        const struct slots *slots);

#endif
