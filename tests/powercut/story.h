/* SPDX-License-Identifier: MIT */
/**
 * @file story.h
 * A device that talks with its gateway: what happens becomes phases of a trace, and the oracle learns what is certain
 * from what is seen and acknowledged. A scene is told so, and so is a recovery in which the gateway comes again.
 */
#ifndef POWERCUT_STORY_H
#define POWERCUT_STORY_H

#include "trace.h"

struct story {
    struct rig *rig;
    struct trace *trace;
    const struct oracle_world *world;
    struct oracle oracle;
    enum phase_kind phase;
    uint8_t slot, image; /* of the phase */
    uint64_t resets, outside;
    int entry[2 * IMAGES]; /* watches of the first instructions of the images */
    unsigned entries;
    uint32_t resumed_at; /* lowest offset at which the last update went on after story_update() had cut the supply */
    char wrong[400];     /* why it cannot go on; empty: all is right */
};

/** @param rig its board gets a watch for the entry of each image. */
void story_create(struct story *story, struct rig *rig, struct trace *trace, const struct oracle_world *world);
/** A phase begins. */
void story_phase(struct story *story, enum phase_kind kind, enum oracle_cause cause, uint8_t slot, uint8_t image,
                 bool retry);
/** What happened until now was meant to: no reset is new. */
void story_forget_resets(struct story *story);
/** Look at what happened; to be called after each millisecond. */
void story_watch(struct story *story);
/** Live for so long, with nobody at the other end. */
void story_live(struct story *story, uint64_t ns);
/** Live until nothing is on trial and an application runs. */
void story_settle(struct story *story);
/** @return the slot that an install goes to; ORACLE_NONE: nothing is confirmed, the device may choose. */
uint8_t story_spare(const struct story *story);
/** An update by the real gateway, from asking to the end of the trial. @param retry an operator asks for it.
 * @param cut_at bytes after which the supply goes once; 0: never. @return its outcome. */
enum gw_push_outcome story_update(struct story *story, uint8_t image, bool retry, uint32_t cut_at);

#endif
