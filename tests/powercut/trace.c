/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

void trace_clear(struct trace *t)
{
    t->count = t->phase_count = 0;
    t->offered = UINT32_MAX;
}

void trace_free(struct trace *t)
{
    free(t->works);
    free(t->at);
    free(t->phases);
}

static void *grow(void *p, unsigned *room, size_t size)
{
    *room = *room == 0 ? 256u : 2u * *room;
    p = realloc(p, *room * size);
    if (p == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return p;
}

void trace_phase(struct trace *t, const struct phase *phase)
{
    if (t->phase_count == t->phase_room)
        t->phases = grow(t->phases, &t->phase_room, sizeof *t->phases);
    t->phases[t->phase_count++] = *phase;
}

void trace_work(void *trace, const struct board_flash_work *work)
{
    struct trace *t = trace;

    if (t->phase_count == 0)
        return;
    if (t->count == t->room) {
        unsigned room = t->room;

        t->works = grow(t->works, &t->room, sizeof *t->works);
        t->at = grow(t->at, &room, sizeof *t->at);
    }
    t->at[t->count] = t->phase_count - 1u;
    t->works[t->count++] = *work;
}

struct oracle trace_cut(const struct trace *t, const struct oracle_world *w, unsigned n, const struct slots *slots)
{
    const struct phase *phase = &t->phases[t->at[n]];
    struct oracle o = phase->oracle;

    switch (phase->kind) {
    case QUIET:
        break;
    case INSTALLING:
        for (uint8_t slot = 0; slot < 2u; slot++) {
            if (phase->slot != slot && phase->slot != ORACLE_NONE)
                continue;
            if (phase->retry)
                oracle_maybe(&o, w, ACT_ALLOW, slot, phase->image);
            oracle_maybe(&o, w, ACT_INSTALL, slot, phase->image);
        }
        break;
    case SENDING: /* pending only when it is all there, firm */
        if (images[phase->image].bad)
            oracle_maybe(&o, w, ACT_VOID, phase->slot, phase->image);
        else if (slots->in[phase->slot] == phase->image && !slots->unsure[phase->slot])
            oracle_maybe(&o, w, ACT_PENDING, phase->slot, phase->image);
        break;
    case BOOTING:
        oracle_maybe_boot(&o, w, phase->cause, slots);
        break;
    case TRYING:
        if (images[phase->image].behaviour == CONFIRMS)
            oracle_maybe(&o, w, ACT_CONFIRM, phase->slot, phase->image);
        break;
    }
    return o;
}
