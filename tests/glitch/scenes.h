/* SPDX-License-Identifier: MIT */
/** @file scenes.h What lies in the flash of a device that somebody would like to boot the wrong image. */
#ifndef GLITCH_SCENES_H
#define GLITCH_SCENES_H

#include "rig.h"

struct glitch_scene {
    const char *name, *what;
    void (*make)(uint8_t *flash);
    unsigned wrong; /* the slot that must not be entered */
};

extern const struct glitch_scene glitch_scenes[];
extern const unsigned glitch_scene_count;

/** Make what the scenes are made of; needs a rig for its key. */
void scenes_prepare(const struct rig *rig);

/** Fill a board without power: the bootloader as the rig has it, then the scene. @param flash of the rig's board. */
void scene_load(const struct glitch_scene *scene, const struct rig *rig, struct board *board);

#endif
