/* SPDX-License-Identifier: MIT */
/** @file images.h  The images of the campaign, all signed, and which of them lies in a slot. */
#ifndef POWERCUT_IMAGES_H
#define POWERCUT_IMAGES_H

#include "oracle.h"
#include "rig.h"

/** In ascending order of their versions, as the oracle wants it. */
enum { AGENT_OLD, FIRST, AGENT_NEW, SECOND, IS_LATE, HANGS, FAULTS, RESETS, IS_BAD, THIRD, MEDIUM, LARGE, IMAGES };

enum behaviour { CONFIRMS, RUNS_LATE, BARKS, TRAPS, RESTARTS };

struct image {
    const char *name;
    enum behaviour behaviour;
    bool agent; /* installs images while it runs */
    bool bad;   /* the gateway sends a byte of it wrong */
    struct pack_buffer package;
    struct pack_buffer slot[2]; /* header and code as they lie there */
    uint8_t identity[FOTA_IDENTITY_SIZE];
    uint32_t counter, entry[2];
};

extern struct image images[IMAGES];

void images_make(const struct rig *rig);
/** What lies in the slots. */
struct slots images_in(struct board *board);
/** @return the image with this short identity, ORACLE_NONE for none. */
uint8_t images_find(const uint8_t *identity);

#endif
