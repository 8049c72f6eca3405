/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include "cmocka_all.h"

#include <string.h>

static const struct belief nothing = {.confirmed_slot = ORACLE_NONE,
                                      .confirmed = ORACLE_NONE,
                                      .candidate_slot = ORACLE_NONE,
                                      .candidate = ORACLE_NONE,
                                      .open = ORACLE_NONE};

void oracle_init(struct oracle *o)
{
    memset(o, 0, sizeof *o);
    o->beliefs[0] = nothing;
    o->count = 1;
}

void oracle_forget(struct oracle *o)
{
    o->beliefs[0] = nothing;
    o->count = 1;
}

static void no_candidate(struct belief *b)
{
    b->candidate_slot = b->candidate = ORACLE_NONE;
    b->attempts = 0;
}

static void happen(struct belief *b, const struct act *a)
{
    if (a->act == ACT_INSTALL)
        b->open = a->slot;
    else if (a->act <= ACT_ATTEMPT && b->open == a->slot)
        b->open = ORACLE_NONE;
    switch (a->act) {
    case ACT_CONFIRM:
        b->confirmed_slot = a->slot;
        b->confirmed = a->image;
        if (a->counter > b->floor)
            b->floor = a->counter;
        no_candidate(b);
        break;
    case ACT_PENDING:
        b->candidate_slot = a->slot;
        b->candidate = a->image;
        b->attempts = 0;
        break;
    case ACT_ATTEMPT:
        if (b->candidate_slot != a->slot || b->candidate != a->image)
            b->attempts = 0;
        b->candidate_slot = a->slot;
        b->candidate = a->image;
        b->attempts++;
        break;
    case ACT_REJECT:
        b->rejected |= (uint16_t) (1u << a->image);
        no_candidate(b);
        break;
    case ACT_INSTALL:
        if (b->candidate_slot == a->slot)
            no_candidate(b);
        break;
    case ACT_ALLOW:
        b->rejected &= (uint16_t) ~(1u << a->image);
        break;
    }
}

static bool same(const struct belief *a, const struct belief *b)
{
    return a->confirmed_slot == b->confirmed_slot && a->confirmed == b->confirmed &&
           a->candidate_slot == b->candidate_slot && a->candidate == b->candidate && a->attempts == b->attempts &&
           a->rejected == b->rejected && a->floor == b->floor;
}

static void add(struct oracle *o, const struct belief *b)
{
    for (unsigned i = 0; i < o->count; i++)
        if (same(&o->beliefs[i], b) && o->beliefs[i].open == b->open)
            return;
    assert_true(o->count < ORACLE_BELIEFS);
    o->beliefs[o->count++] = *b;
}

void oracle_begin(struct oracle *o, const struct act *acts, unsigned count)
{
    assert_int_equal(o->acts_under_way, 0);
    assert_in_range(count, 1, 2);
    memcpy(o->acts, acts, count * sizeof *acts);
    o->acts_under_way = count;
}

void oracle_end(struct oracle *o, bool done)
{
    for (unsigned i = 0; done && i < o->count; i++)
        for (unsigned k = 0; k < o->acts_under_way; k++)
            happen(&o->beliefs[i], &o->acts[k]);
    o->acts_under_way = 0;
}

void oracle_cut(struct oracle *o)
{
    unsigned before = o->count;

    for (unsigned i = 0; i < before; i++) {
        struct belief b = o->beliefs[i];

        for (unsigned k = 0; k < o->acts_under_way; k++) {
            happen(&b, &o->acts[k]);
            add(o, &b);
        }
    }
    o->acts_under_way = 0;
}

/* With nothing confirmed: not what an install is about to overwrite, if there is another; the highest counter, then the
 * higher number (the tests' versions ascend with it), then slot A. */
static uint8_t best(const struct oracle *o, const struct belief *b, const uint8_t in[2], uint8_t but)
{
    uint8_t slot = ORACLE_NONE;

    for (uint8_t s = 0; s < 2u; s++) {
        if (in[s] == ORACLE_NONE || in[s] == but || (b->rejected & (1u << in[s])) != 0 || o->counters[in[s]] < b->floor)
            continue;
        if (slot == ORACLE_NONE || b->open == slot)
            slot = s;
        else if (b->open != s && (o->counters[in[s]] > o->counters[in[slot]] ||
                                  (o->counters[in[s]] == o->counters[in[slot]] && in[s] > in[slot])))
            slot = s;
    }
    return slot;
}

/* What a device that is in this state must do. */
static bool allows(const struct oracle *o, const struct belief *b, enum oracle_cause cause, const uint8_t in[2],
                   const bool unsure[2], const struct showing *d)
{
    uint8_t reject = ORACLE_NONE, slot;

    if (!same(b, &d->state))
        return false;
    if (b->candidate_slot != ORACLE_NONE) {
        if (b->attempts < 3u && (b->attempts == 0 || cause != CAUSE_DEADLINE))
            return d->boots == b->candidate_slot && d->attempt == b->attempts + 1u && d->reject == ORACLE_NONE;
        if (d->reject != b->candidate_slot || d->reason != (int) cause)
            return false;
        reject = b->candidate;
    } else if (d->reject != ORACLE_NONE) {
        return false;
    }
    if (b->confirmed_slot != ORACLE_NONE)
        return d->boots == b->confirmed_slot && d->attempt == 0;
    if (d->boots != ORACLE_NONE && unsure[d->boots])
        return d->attempt == 1u;
    slot = best(o, b, in, reject);
    return d->boots == slot && d->attempt == (slot == ORACLE_NONE ? 0 : 1u);
}

const char *oracle_decision(struct oracle *o, enum oracle_cause cause, const uint8_t in[2], const bool unsure[2],
                            const struct showing *d)
{
    unsigned left = 0;

    assert_int_equal(o->acts_under_way, 0);
    for (unsigned i = 0; i < o->count; i++) {
        const struct belief *b = &o->beliefs[i];

        if (b->confirmed_slot != ORACLE_NONE && in[b->confirmed_slot] != b->confirmed)
            return "the confirmed image was touched";
        if (allows(o, b, cause, in, unsure, d))
            o->beliefs[left++] = *b;
    }
    if (left == 0)
        return "nothing that was lived through leads to this decision";
    o->count = left;
    return NULL;
}
