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
#include "story.h"

struct totals {
    uint64_t cuts, bricked, boots_old, boots_new, boots_recovery, boots;
    uint64_t installs, resumed; /* by a gateway that came again; of those, at an offset */
};

struct life {
    struct rig *rig;
    struct answers answers;
    struct oracle_world world;
    struct totals totals;
    uint8_t under_way; /* image of the install that was cut, ORACLE_NONE: none; the gateway comes back with it */
    struct story story;
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
