/* SPDX-License-Identifier: MIT */
/**
 * @file life.h
 * A device lives on from a flash as a cut of the supply left it: it boots, says what it is, runs its application, boots
 * again, sometimes meets a gateway once more; and the oracle judges every boot. What it does to its flash on the way is
 * kept, for further cuts.
 */
#ifndef POWERCUT_LIFE_H
#define POWERCUT_LIFE_H

#include "answers.h"
#include "images.h"

/** What was going on when a flash operation began. */
enum phase_kind { QUIET, INSTALLING, SENDING, BOOTING, TRYING };
struct phase {
    enum phase_kind kind;
    enum oracle_cause cause; /* BOOTING */
    uint8_t slot, image;     /* INSTALLING, SENDING, TRYING */
    bool retry;              /* INSTALLING: an operator asks for it */
    struct oracle oracle;    /* what was certain before */
};

/** Flash operations in the order in which they began. */
struct trace {
    struct board_flash_work *works;
    unsigned *at; /* phase of each */
    unsigned count, room;
    struct phase *phases;
    unsigned phase_count, phase_room;
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

struct totals {
    uint64_t cuts, bricked, boots_old, boots_new, boots_recovery, boots;
};

struct life {
    struct rig *rig;
    struct answers answers;
    struct oracle_world world;
    struct totals totals;
    uint8_t under_way;    /* image of the install that was cut, ORACLE_NONE: none; the gateway comes back with it */
    struct trace trace;   /* of the last life_on() */
    char wrong[400];      /* why the last life_on() failed */
    char decisions[1024]; /* what was seen in it, for the reader of a replay */
};

void life_create(struct life *life, const struct rig_options *options);
void life_destroy(struct life *life);

enum { LIFE_BRIEF = 0, LIFE_LONG = 1, LIFE_AFTERLIFE = 2 };

/**
 * Live on.
 * @param flash a board without power whose flash it is. @param oracle what may be true.
 * @param seed of everything that is left to chance. @param how LIFE_BRIEF: two boots; LIFE_LONG: until trials have
 *        ended; LIFE_AFTERLIFE: and a gateway comes with images that must be taken or refused.
 * @return true when all was right, else life->wrong says what was not.
 */
bool life_on(struct life *life, struct board *flash, const struct oracle *oracle, uint64_t seed, int how);

#endif
