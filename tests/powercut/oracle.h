/* SPDX-License-Identifier: MIT */
/**
 * @file oracle.h
 * What a device may be and do after all that happened to it, written from docs/journal.md ("Decision", "Installing")
 * and sharing no code with the product: it knows what was acknowledged, seen or begun, never what stands in the
 * journal. After a cut in the middle of an act it believes in both outcomes; what the device does next decides.
 */
#ifndef POWERCUT_ORACLE_H
#define POWERCUT_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_NONE 0xFFu
#define ORACLE_BELIEFS 64u
#define ORACLE_IMAGES 12u

enum oracle_cause { CAUSE_OTHER, CAUSE_WATCHDOG, CAUSE_FAULT, CAUSE_DEADLINE };
enum oracle_act { ACT_ALLOW, ACT_INSTALL, ACT_VOID, ACT_PENDING, ACT_CONFIRM };

/** One history that fits all that was seen. Images are numbers below ORACLE_IMAGES. */
struct belief {
    uint8_t confirmed_slot, confirmed;
    uint8_t candidate_slot, candidate, attempts;
    uint8_t open; /* slot of an unfinished install */
    uint16_t rejected;
    uint32_t floor;
};

struct oracle {
    struct belief beliefs[ORACLE_BELIEFS];
    unsigned count;
    bool overflow;
};

/** What lies in the slots, byte by byte. */
struct slots {
    uint8_t in[2];  /* image, ORACLE_NONE when it is none of them, whole */
    bool unsure[2]; /* it may read so today and otherwise tomorrow */
};

/** What a device showed after a reset. */
struct seen {
    uint8_t slot; /* that it jumped to; ORACLE_NONE: it stayed */
    /* what it says of itself on the link */
    uint8_t confirmed_slot, attempts;
    bool trial;
    uint32_t floor;
    uint16_t rejected;
};

/** Counters of the images, and the floor that is built into the bootloader. */
struct oracle_world {
    uint32_t counters[ORACLE_IMAGES];
    uint32_t floor;
};

/** A device without a journal. */
void oracle_blank(struct oracle *o);
/** What the other one believes may be true as well. */
void oracle_join(struct oracle *o, const struct oracle *other);
/** It happened. */
void oracle_act(struct oracle *o, const struct oracle_world *w, enum oracle_act act, uint8_t slot, uint8_t image);
/** The supply went while it happened. */
void oracle_maybe(struct oracle *o, const struct oracle_world *w, enum oracle_act act, uint8_t slot, uint8_t image);
/** The supply went while the device booted. */
void oracle_maybe_boot(struct oracle *o, const struct oracle_world *w, enum oracle_cause cause,
                       const struct slots *slots);
/** It booted. @return NULL, or what is wrong with that. */
const char *oracle_boot(struct oracle *o, const struct oracle_world *w, enum oracle_cause cause,
                        const struct slots *slots, const struct seen *seen);

#endif
