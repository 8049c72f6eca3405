/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void story_create(struct story *s, struct rig *rig, struct trace *trace, const struct oracle_world *world)
{
    memset(s, 0, sizeof *s);
    s->rig = rig;
    s->trace = trace;
    s->world = world;
    oracle_blank(&s->oracle);
    for (unsigned i = 0; i < IMAGES; i++)
        for (unsigned slot = 0; slot < 2u; slot++) {
            uint32_t at = images[i].entry[slot];
            bool again = false;

            for (unsigned k = 0; k < i; k++)
                again = again || images[k].entry[slot] == at;
            if (again)
                continue;
            s->entry[s->entries] = board_watch(rig->board, at, at);
            if (s->entry[s->entries++] < 0) {
                fprintf(stderr, "no watch left for the entry of %s\n", images[i].name);
                exit(2);
            }
        }
}

static void wrong(struct story *s, const char *what)
{
    if (s->wrong[0] == 0)
        (void) snprintf(s->wrong, sizeof s->wrong, "%s", what);
}

void story_phase(struct story *s, enum phase_kind kind, enum oracle_cause cause, uint8_t slot, uint8_t image,
                 bool retry)
{
    struct phase p = {.kind = kind, .cause = cause, .slot = slot, .image = image, .retry = retry, .oracle = s->oracle};

    s->phase = kind;
    s->slot = slot;
    s->image = image;
    trace_phase(s->trace, &p);
}

/* @return whether there was a reset since the last look. */
static bool was_reset(struct story *s, bool *from_outside)
{
    const struct board_counters *c = board_counters(s->rig->board);
    uint64_t outside = c->resets[BOARD_RESET_PIN] + c->resets[BOARD_RESET_POWER], all = 0;
    bool was;

    for (unsigned i = 0; i < BOARD_RESET_CAUSES; i++)
        all += c->resets[i];
    was = all != s->resets;
    *from_outside = outside != s->outside;
    s->resets = all;
    s->outside = outside;
    return was;
}

void story_forget_resets(struct story *s)
{
    bool unused;

    (void) was_reset(s, &unused);
}

/* The watches forget only when the chip leaves reset. */
static bool entered(const struct story *s)
{
    enum board_cpu_state cpu = board_cpu(s->rig->board);

    for (unsigned i = 0; i < s->entries && cpu != BOARD_CPU_RESET && cpu != BOARD_CPU_OFF; i++)
        if (board_watch_hit(s->rig->board, s->entry[i], NULL))
            return true;
    return false;
}

/* An application runs: by a decision that the oracle expects. What the device says of itself is not known yet, so every
 * belief that fits goes on. */
static void jumped(struct story *s)
{
    struct slots slots = images_in(s->rig->board);
    struct oracle all = s->oracle, after = {0};
    enum oracle_cause cause = s->trace->phases[s->trace->phase_count - 1u].cause;
    uint32_t pc = board_register(s->rig->board, BOARD_PC);
    uint8_t slot = pc - FOTA_SLOT_A_BASE < FOTA_SLOT_SIZE ? 0 : 1;
    bool trial = false;

    oracle_maybe_boot(&all, s->world, cause, &slots);
    for (unsigned i = 0; i < all.count; i++) {
        const struct belief *b = &all.beliefs[i];
        bool tried = b->candidate != ORACLE_NONE && b->attempts > 0 && b->candidate_slot == slot;
        struct seen seen = {.slot = slot,
                            .confirmed_slot = b->confirmed_slot,
                            .attempts = b->attempts,
                            .trial = b->candidate != ORACLE_NONE,
                            .floor = b->floor,
                            .rejected = b->rejected};
        struct oracle o = s->oracle;

        if ((tried || (b->candidate == ORACLE_NONE && b->confirmed_slot == slot)) &&
            oracle_boot(&o, s->world, cause, &slots, &seen) == NULL) {
            oracle_join(&after, &o);
            trial = trial || tried;
        }
    }
    if (after.count == 0)
        wrong(s, "the oracle does not expect this boot");
    else
        s->oracle = after;
    s->rig->text_length = 0;
    s->rig->text[0] = 0;
    story_phase(s, trial ? TRYING : QUIET, CAUSE_OTHER, slot, slots.in[slot], false);
}

static enum oracle_cause cause_of(const struct story *s, bool from_outside)
{
    static const enum oracle_cause causes[] = {[CONFIRMS] = CAUSE_OTHER,
                                               [RUNS_LATE] = CAUSE_DEADLINE,
                                               [BARKS] = CAUSE_WATCHDOG,
                                               [TRAPS] = CAUSE_FAULT,
                                               [RESTARTS] = CAUSE_OTHER};

    return from_outside || s->phase != TRYING ? CAUSE_OTHER : causes[images[s->image].behaviour];
}

void story_watch(struct story *s)
{
    bool from_outside;

    if (was_reset(s, &from_outside))
        story_phase(s, BOOTING, cause_of(s, from_outside), ORACLE_NONE, ORACLE_NONE, false);
    if (s->phase == BOOTING && entered(s))
        jumped(s);
    if (s->phase == TRYING && images[s->image].behaviour == CONFIRMS && strstr(s->rig->text, "confirmed") != NULL) {
        oracle_act(&s->oracle, s->world, ACT_CONFIRM, s->slot, s->image);
        story_phase(s, QUIET, CAUSE_OTHER, s->slot, s->image, false);
    }
}

void story_live(struct story *s, uint64_t ns)
{
    for (uint64_t end = board_now(s->rig->board) + ns; board_now(s->rig->board) < end && s->wrong[0] == 0;) {
        (void) board_run(s->rig->board, 1000000u);
        rig_listen(s->rig);
        story_watch(s);
    }
}

void story_settle(struct story *s)
{
    for (unsigned i = 0;
         i < 200u && s->wrong[0] == 0 && (s->phase != QUIET || s->oracle.beliefs[0].candidate != ORACLE_NONE); i++)
        story_live(s, RIG_SECOND / 4u);
    story_live(s, RIG_SECOND / 4u);
}

uint8_t story_spare(const struct story *s)
{
    const struct belief *b = &s->oracle.beliefs[0];

    return b->confirmed != ORACLE_NONE ? (uint8_t) (1u - b->confirmed_slot) : ORACLE_NONE;
}

/* The gateway may have sent a byte of a bad image wrong. */
static void as_sent(const struct image *image, struct pack_buffer *package)
{
    package->size = image->package.size;
    package->data = malloc(package->size);
    if (package->data == NULL)
        abort();
    memcpy(package->data, image->package.data, package->size);
    if (image->bad)
        package->data[FOTA_HEADER_SIZE + 2048u] ^= 0x55u;
}

/* The device has taken the image: it is in its journal that this slot is written. */
static void taken(struct story *s, uint8_t image, bool retry)
{
    uint8_t spare = story_spare(s), slot = s->rig->push.slot;

    if (spare != ORACLE_NONE && slot != spare)
        wrong(s, "it installs into the slot that is confirmed");
    story_forget_resets(s);
    if (retry)
        oracle_act(&s->oracle, s->world, ACT_ALLOW, slot, image);
    oracle_act(&s->oracle, s->world, ACT_INSTALL, slot, image);
    story_phase(s, SENDING, CAUSE_OTHER, slot, image, false);
}

static void cut_once(struct rig *rig)
{
    board_power(rig->board, false);
    board_run(rig->board, RIG_SECOND / 10u);
    board_power(rig->board, true);
}

enum gw_push_outcome story_update(struct story *s, uint8_t image, bool retry, uint32_t cut_at)
{
    struct pack_buffer package;
    struct rig *rig = s->rig;
    bool sent = false, cut = cut_at == 0;
    const struct gw_push *push = &rig->push;

    as_sent(&images[image], &package);
    s->resumed_at = UINT32_MAX;
    rig_start(rig, &package, retry);
    story_phase(s, INSTALLING, CAUSE_OTHER, story_spare(s), image, retry);
    while (s->wrong[0] == 0 && rig_step(rig)) {
        if (s->phase == INSTALLING && push->state >= GW_PUSH_WRITE && push->state <= GW_PUSH_JUMP)
            taken(s, image, retry);
        if (s->phase == SENDING && push->state == GW_PUSH_JUMP && !sent) {
            oracle_act(&s->oracle, s->world, ACT_PENDING, s->slot, image);
            story_forget_resets(s); /* an application that has installed it runs until the next one */
            story_phase(s, entered(s) ? QUIET : BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
            sent = true;
        }
        if (sent)
            story_watch(s);
        if (!cut && push->bytes >= cut_at) {
            cut_once(rig);
            cut = true;
        } else if (cut && push->state == GW_PUSH_WRITE && push->bytes < s->resumed_at) {
            s->resumed_at = push->bytes;
        }
    }
    if (!sent && images[image].bad && s->phase == SENDING)
        oracle_act(&s->oracle, s->world, ACT_VOID, s->slot, image);
    if (!sent)
        story_phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    story_settle(s);
    pack_buffer_free(&package);
    return push->outcome;
}
