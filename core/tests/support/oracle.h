/* SPDX-License-Identifier: MIT */
/**
 * @file oracle.h
 * What a device must do, told from outside: by what its application, its gateway and its supply have lived through. It
 * knows nothing of the journal and shares no code with core.
 *
 * An act that was acknowledged has happened. An act that a power cut interrupted has happened or not: from then on
 * there are two beliefs, until the device shows which one is true. A device that shows something that no belief allows
 * is wrong, and so is one that first showed one and later the other.
 */
#ifndef SUPPORT_ORACLE_H
#define SUPPORT_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_NONE 0xFFu
#define ORACLE_BELIEFS 32u

enum oracle_cause { CAUSE_OTHER, CAUSE_WATCHDOG, CAUSE_FAULT, CAUSE_DEADLINE };

/** An image has a number, 0 … 15; a slot is 0 or 1. */
struct belief {
    uint8_t confirmed_slot, confirmed;
    uint8_t candidate_slot, candidate;
    uint8_t attempts;  /* trial boots of the candidate; 0: pending */
    uint16_t rejected; /* images, a bit each */
    uint32_t floor;
    uint8_t open; /* slot with an install that has begun and not ended; the device does not show it */
};

enum oracle_act { ACT_CONFIRM, ACT_PENDING, ACT_ATTEMPT, ACT_REJECT, ACT_INSTALL, ACT_ALLOW };

struct act {
    enum oracle_act act;
    uint8_t slot, image;
    uint32_t counter; /* of a confirmation */
};

/** What the device shows at the decision. */
struct showing {
    struct belief state; /* what it says of itself (INFO and LOG) */
    uint8_t boots, attempt, reject;
    int reason; /* of the reject, as enum oracle_reason */
};

struct oracle {
    struct belief beliefs[ORACLE_BELIEFS];
    unsigned count;
    struct act acts[2]; /* under way, in this order */
    unsigned acts_under_way;
    uint32_t counters[16]; /* of the images */
};

void oracle_init(struct oracle *oracle);
/** Acts begin. */
void oracle_begin(struct oracle *oracle, const struct act *acts, unsigned count);
/** They were acknowledged, or refused. */
void oracle_end(struct oracle *oracle, bool done);
/** The supply went. */
void oracle_cut(struct oracle *oracle);
/** Both journal banks are lost. */
void oracle_forget(struct oracle *oracle);
/** The device shows its decision. @param in what really lies whole in each slot, ORACLE_NONE otherwise.
 *  @param unsure nobody can tell what lies there as it reads differently each time.
 *  @return NULL, or what is wrong. */
const char *oracle_decision(struct oracle *oracle, enum oracle_cause cause, const uint8_t in[2], const bool unsure[2],
                            const struct showing *showing);

#endif
