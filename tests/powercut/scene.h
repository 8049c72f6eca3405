/* SPDX-License-Identifier: MIT */
/** @file scene.h  What the real bootloader, applications and gateway go through without a cut, as a trace to cut in. */
#ifndef POWERCUT_SCENE_H
#define POWERCUT_SCENE_H

#include "life.h"

struct scene {
    const char *name;
    void (*play)(struct scene *scene);
    unsigned sparse; /* of the words of code, one of so many is cut at in a full run */
    /* of the present run */
    struct rig *rig;
    struct answers answers;
    struct oracle_world world;
    struct trace trace;
    struct story story;  /* its oracle has one belief */
    struct board *start; /* the flash at the beginning of the trace */
};

extern struct scene scenes[];
extern const unsigned scene_count;

/** Play it. Ends the program when it does not go as it should. @param start a board without power that receives the
 * flash at the beginning of the trace. */
void scene_play(struct scene *scene, const struct rig_options *options, struct board *start);
void scene_end(struct scene *scene);

#endif
