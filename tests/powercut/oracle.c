/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <string.h>

#define ATTEMPTS 3u

void oracle_blank(struct oracle *o)
{
    memset(o, 0, sizeof *o);
    o->beliefs[0] = (struct belief){.confirmed_slot = ORACLE_NONE,
                                    .confirmed = ORACLE_NONE,
                                    .candidate_slot = ORACLE_NONE,
                                    .candidate = ORACLE_NONE,
                                    .open = ORACLE_NONE};
    o->count = 1;
}

static void add(struct oracle *o, const struct belief *b)
{
    for (unsigned i = 0; i < o->count; i++)
        if (memcmp(&o->beliefs[i], b, sizeof *b) == 0)
            return;
    if (o->count == ORACLE_BELIEFS)
        o->overflow = true;
    else
        o->beliefs[o->count++] = *b;
}

void oracle_join(struct oracle *o, const struct oracle *other)
{
    o->overflow = o->overflow || other->overflow;
    for (unsigned i = 0; i < other->count; i++)
        add(o, &other->beliefs[i]);
}

static void no_candidate(struct belief *b)
{
    b->candidate_slot = b->candidate = ORACLE_NONE;
    b->attempts = 0;
}

static void reject(struct belief *b)
{
    b->rejected |= (uint16_t) (1u << b->candidate);
    no_candidate(b);
}

static void happen(struct belief *b, const struct oracle_world *w, enum oracle_act act, uint8_t slot, uint8_t image)
{
    if (act != ACT_ALLOW && act != ACT_INSTALL && b->open == slot)
        b->open = ORACLE_NONE;
    switch (act) {
    case ACT_ALLOW:
        b->rejected &= (uint16_t) ~(1u << image);
        break;
    case ACT_INSTALL:
        b->open = slot;
        if (b->candidate_slot == slot)
            no_candidate(b);
        break;
    case ACT_VOID:
        break;
    case ACT_PENDING:
        b->candidate_slot = slot;
        b->candidate = image;
        b->attempts = 0;
        break;
    case ACT_CONFIRM:
        b->confirmed_slot = slot;
        b->confirmed = image;
        if (w->counters[image] > b->floor)
            b->floor = w->counters[image];
        no_candidate(b);
        break;
    }
}

void oracle_act(struct oracle *o, const struct oracle_world *w, enum oracle_act act, uint8_t slot, uint8_t image)
{
    struct oracle after = {.overflow = o->overflow};

    for (unsigned i = 0; i < o->count; i++) {
        struct belief b = o->beliefs[i];

        happen(&b, w, act, slot, image);
        add(&after, &b);
    }
    *o = after;
}

void oracle_maybe(struct oracle *o, const struct oracle_world *w, enum oracle_act act, uint8_t slot, uint8_t image)
{
    unsigned before = o->count;

    for (unsigned i = 0; i < before; i++) {
        struct belief b = o->beliefs[i];

        happen(&b, w, act, slot, image);
        add(o, &b);
    }
}

/* --- the decision ----------------------------------------------------------------------------------------------- */

struct outcome {
    uint8_t slot; /* ORACLE_NONE: stays */
    struct belief after;
};

#define OUTCOMES 8u
struct outcomes {
    struct outcome list[OUTCOMES];
    unsigned count;
};

static void may(struct outcomes *all, uint8_t slot, const struct belief *after)
{
    if (all->count < OUTCOMES)
        all->list[all->count++] = (struct outcome){slot, *after};
}

/* With nothing confirmed that boots: not what an install is about to overwrite, if there is another; then the highest
 * counter, the higher number (the images' versions ascend with it), slot A. */
static uint8_t best(const struct oracle_world *w, const struct belief *b, uint32_t floor, const uint8_t in[2])
{
    uint8_t slot = ORACLE_NONE;

    for (uint8_t s = 0; s < 2u; s++) {
        if (in[s] == ORACLE_NONE || (b->rejected & (1u << in[s])) != 0 || w->counters[in[s]] < floor)
            continue;
        if (slot == ORACLE_NONE || b->open == slot)
            slot = s;
        else if (b->open != s && (w->counters[in[s]] > w->counters[in[slot]] ||
                                  (w->counters[in[s]] == w->counters[in[slot]] && in[s] > in[slot])))
            slot = s;
    }
    return slot;
}

static void try_any(const struct oracle_world *w, const struct belief *b, uint32_t floor, const struct slots *slots,
                    struct outcomes *all)
{
    for (unsigned missing = 0; missing < 4u; missing++) { /* each way in which unsure slots may read */
        uint8_t in[2] = {slots->in[0], slots->in[1]}, slot;
        struct belief after = *b;
        bool possible = true;

        for (unsigned s = 0; s < 2u; s++)
            if ((missing & (1u << s)) != 0) {
                possible = possible && slots->unsure[s];
                in[s] = ORACLE_NONE;
            }
        if (!possible)
            continue;
        slot = best(w, b, floor, in);
        if (slot != ORACLE_NONE) {
            after.candidate_slot = slot;
            after.candidate = in[slot];
            after.attempts = 1;
            if (after.open == slot)
                after.open = ORACLE_NONE;
        }
        may(all, slot, &after);
    }
}

static void decide(const struct oracle_world *w, const struct belief *from, enum oracle_cause cause,
                   const struct slots *slots, struct outcomes *all)
{
    struct belief b = *from;
    uint32_t floor = b.floor > w->floor ? b.floor : w->floor;

    all->count = 0;
    if (b.candidate != ORACLE_NONE) {
        uint8_t s = b.candidate_slot;
        bool over = b.attempts >= ATTEMPTS || (b.attempts > 0 && cause == CAUSE_DEADLINE);
        bool good = !over && slots->in[s] == b.candidate && w->counters[b.candidate] >= floor;

        if (good) {
            struct belief after = b;

            after.attempts++;
            may(all, s, &after);
            if (!slots->unsure[s])
                return;
        }
        reject(&b);
    }
    if (b.confirmed != ORACLE_NONE && slots->in[b.confirmed_slot] == b.confirmed) {
        may(all, b.confirmed_slot, &b);
        if (!slots->unsure[b.confirmed_slot])
            return;
    }
    try_any(w, &b, floor, slots, all);
}

void oracle_maybe_boot(struct oracle *o, const struct oracle_world *w, enum oracle_cause cause,
                       const struct slots *slots)
{
    unsigned before = o->count;

    for (unsigned i = 0; i < before; i++) {
        struct belief b = o->beliefs[i];
        struct outcomes all;

        decide(w, &b, cause, slots, &all);
        for (unsigned k = 0; k < all.count; k++) {
            struct belief rejected = b;

            add(o, &all.list[k].after);
            if (b.candidate != ORACLE_NONE && all.list[k].after.rejected != b.rejected) {
                reject(&rejected); /* a rejection is recorded at once, the next attempt later */
                add(o, &rejected);
            }
        }
    }
}

static bool shows(const struct belief *b, const struct seen *seen)
{
    return b->confirmed_slot == seen->confirmed_slot && seen->trial == (b->candidate != ORACLE_NONE) &&
           (!seen->trial || b->attempts == seen->attempts) && b->rejected == seen->rejected && b->floor == seen->floor;
}

const char *oracle_boot(struct oracle *o, const struct oracle_world *w, enum oracle_cause cause,
                        const struct slots *slots, const struct seen *seen)
{
    struct oracle after = {.overflow = o->overflow};
    const char *wrong = "it decided against all that was lived through";

    for (unsigned i = 0; i < o->count; i++) {
        const struct belief *b = &o->beliefs[i];
        struct outcomes all;

        if (b->confirmed != ORACLE_NONE && slots->in[b->confirmed_slot] != b->confirmed)
            return "the confirmed image was touched";
        if (b->confirmed != ORACLE_NONE && slots->unsure[b->confirmed_slot])
            return "the confirmed image does not read firmly";
        decide(w, b, cause, slots, &all);
        for (unsigned k = 0; k < all.count; k++) {
            if (all.list[k].slot != seen->slot)
                continue;
            if (shows(&all.list[k].after, seen))
                add(&after, &all.list[k].after);
            else
                wrong = "it boots right, but says of itself what cannot be";
        }
    }
    if (after.overflow)
        return "the oracle's memory is too small";
    if (after.count == 0)
        return wrong;
    *o = after;
    return NULL;
}
