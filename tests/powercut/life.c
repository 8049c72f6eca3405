/* SPDX-License-Identifier: MIT */
#include "life.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIDE_NS (2u * RIG_SECOND) /* without a flash operation; then it stays in the bootloader */
#define DECIDE_LIMIT 40u            /* of those */
#define TRIAL_NS (75u * RIG_SECOND) /* the longest watchdog period, and the rest of a trial */
#define BOOTS_MAX 24u

static bool fail(struct life *l, const char *format, ...)
{
    va_list args;

    if (l->wrong[0] != 0)
        return false;
    va_start(args, format);
    (void) vsnprintf(l->wrong, sizeof l->wrong, format, args);
    va_end(args);
    return false;
}

static void note(struct life *l, const char *format, ...)
{
    size_t n = strlen(l->decisions);
    va_list args;

    va_start(args, format);
    (void) vsnprintf(l->decisions + n, sizeof l->decisions - n, format, args);
    va_end(args);
}

void life_create(struct life *l, const struct rig_options *options)
{
    memset(l, 0, sizeof *l);
    l->rig = rig_create(options);
    for (unsigned i = 0; i < IMAGES; i++)
        l->world.counters[i] = images[i].counter;
    story_create(&l->story, l->rig, &l->trace, &l->world);
    if (!answers_install(&l->answers, l->rig->board, RIG_TARGET "/bootloader.elf"))
        exit(2);
}

void life_destroy(struct life *l)
{
    rig_destroy(l->rig);
    trace_free(&l->trace);
}

/* --- a boot ----------------------------------------------------------------------------------------------------- */

/* Run to the first instruction of an application. @return false: it stays in the bootloader. */
static bool run_to_entry(struct life *l)
{
    struct board *b = l->rig->board;

    for (unsigned i = 0; i < DECIDE_LIMIT; i++) {
        uint64_t work = board_counters(b)->flash_operations;
        enum board_stop stop = board_run_until(b, DECIDE_NS, BOARD_ON_ADDRESS);

        if (stop == BOARD_STOP_ADDRESS)
            return true;
        if (stop != BOARD_STOP_TIME)
            return fail(l, "the board stopped (%d): %s", (int) stop, board_message(b));
        if (board_counters(b)->flash_operations == work)
            return false;
    }
    return fail(l, "the bootloader neither decides nor stays: it works on the flash without an end");
}

static bool look(struct life *l, bool jumped, struct seen *seen)
{
    struct rig *rig = l->rig;
    struct fota_link_info info;
    uint32_t pc = board_register(rig->board, BOARD_PC);

    memset(seen, 0, sizeof *seen);
    seen->slot = ORACLE_NONE;
    if (jumped)
        seen->slot = pc - FOTA_SLOT_A_BASE < FOTA_SLOT_SIZE ? 0 : 1;
    else if (pc - FOTA_BOOT_BASE >= FOTA_SLOT_A_BASE - FOTA_BOOT_BASE)
        return fail(l, "it runs at 0x%08x without having entered an image", pc);
    if (!rig_query(rig, &info))
        return fail(l, "it does not answer on the link");
    if ((info.mode == FOTA_MODE_APPLICATION) != jumped || (jumped && info.slot != seen->slot))
        return fail(l, "it entered slot %u and says mode %u slot %u", seen->slot, info.mode, info.slot);
    seen->confirmed_slot = info.confirmed_slot == FOTA_SLOT_NONE ? ORACLE_NONE : info.confirmed_slot;
    seen->trial = info.trial != FOTA_TRIAL_NONE;
    seen->attempts = info.attempts;
    seen->floor = info.floor;
    for (unsigned i = 0; i < rig->push.reject_count; i++) {
        uint8_t image = images_find(rig->push.rejects[i].identity);

        if (image == ORACLE_NONE)
            return fail(l, "it lists a rejected image that does not exist");
        seen->rejected |= (uint16_t) (1u << image);
    }
    return true;
}

/* From power-on or reset to a judged decision. */
static bool boot(struct life *l, struct oracle *o, enum oracle_cause cause, struct seen *seen)
{
    struct phase phase = {.kind = BOOTING, .cause = cause, .oracle = *o};
    struct slots slots;
    const char *wrong;
    bool jumped;

    trace_phase(&l->trace, &phase);
    jumped = run_to_entry(l);
    if (l->wrong[0] != 0)
        return false;
    l->totals.boots++;
    slots = images_in(l->rig->board);
    phase = (struct phase){.kind = BOOTING, .cause = cause, .oracle = *o};
    if (jumped &&
        slots.in[board_register(l->rig->board, BOARD_PC) - FOTA_SLOT_A_BASE < FOTA_SLOT_SIZE ? 0 : 1] == ORACLE_NONE)
        return fail(l, "it jumped into a slot that holds no whole signed image");
    if (!look(l, jumped, seen))
        return false;
    note(l, " %s%u/%u", seen->slot == ORACLE_NONE ? "stays " : "boots ", seen->slot, seen->attempts);
    wrong = oracle_boot(o, &l->world, cause, &slots, seen);
    if (wrong != NULL)
        return fail(l,
                    "%s: slot %u, confirmed slot %u, trial %d attempt %u, rejected 0x%x, floor %u; the slots hold %u%s "
                    "and %u%s; one belief: confirmed %u in %u, candidate %u in %u attempts %u rejected 0x%x floor %u",
                    wrong, seen->slot, seen->confirmed_slot, seen->trial, seen->attempts, seen->rejected,
                    (unsigned) seen->floor, slots.in[0], slots.unsure[0] ? "?" : "", slots.in[1],
                    slots.unsure[1] ? "?" : "", o->beliefs[0].confirmed, o->beliefs[0].confirmed_slot,
                    o->beliefs[0].candidate, o->beliefs[0].candidate_slot, o->beliefs[0].attempts,
                    o->beliefs[0].rejected, (unsigned) o->beliefs[0].floor);
    if (seen->slot == ORACLE_NONE)
        phase.kind = QUIET;
    else {
        phase.kind = seen->trial ? TRYING : QUIET;
        phase.slot = seen->slot;
        phase.image = slots.in[seen->slot];
    }
    phase.oracle = *o;
    trace_phase(&l->trace, &phase);
    return true;
}

static void power(struct life *l, bool on)
{
    board_power(l->rig->board, on);
    answers_reset(&l->answers, l->rig->board);
    board_uart_flush(l->rig->board, 3);
}

static bool boot_again(struct life *l, struct oracle *o, struct seen *seen)
{
    power(l, false);
    power(l, true);
    return boot(l, o, CAUSE_OTHER, seen);
}

/* --- trials ----------------------------------------------------------------------------------------------------- */

/* Let the trials go on to their end: confirmed, or nothing is on trial any more. */
static bool live_trials(struct life *l, struct oracle *o, struct seen *seen)
{
    static const enum oracle_cause causes[] = {
        [RUNS_LATE] = CAUSE_DEADLINE, [BARKS] = CAUSE_WATCHDOG, [TRAPS] = CAUSE_FAULT, [RESTARTS] = CAUSE_OTHER};

    for (unsigned boots = 0; seen->trial && seen->slot != ORACLE_NONE; boots++) {
        uint8_t image = images_in(l->rig->board).in[seen->slot];
        struct phase phase = {.kind = QUIET};

        if (boots == BOOTS_MAX)
            return fail(l, "its trials do not end");
        if (images[image].behaviour == CONFIRMS) {
            if (!rig_run_until(l->rig, "confirmed", 3u * RIG_SECOND))
                return fail(l, "the application did not confirm its trial");
            oracle_act(o, &l->world, ACT_CONFIRM, seen->slot, image);
            phase.oracle = *o;
            trace_phase(&l->trace, &phase);
            return boot_again(l, o, seen);
        }
        if (board_run_until(l->rig->board, TRIAL_NS, BOARD_ON_RESET) != BOARD_STOP_RESET)
            return fail(l, "the trial of %s was not ended by a reset", images[image].name);
        if (!boot(l, o, causes[images[image].behaviour], seen))
            return false;
    }
    return true;
}

/* --- the gateway comes again ------------------------------------------------------------------------------------ */

/* It must be refused for this reason, before anything is touched. */
static bool refused(struct life *l, uint8_t image, const char *reason)
{
    struct rig *rig = l->rig;
    uint64_t work = rig_slot_work(rig, 0) + rig_slot_work(rig, 1);
    enum gw_push_outcome outcome;

    story_phase(&l->story, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    outcome = rig_update(rig, &images[image].package, false);
    note(l, " %s %s", images[image].name, rig->push.reason);
    if (outcome != GW_PUSH_FAILED || strcmp(rig->push.reason, reason) != 0)
        return fail(l, "%s should be refused as %s, but: outcome %d, %s", images[image].name, reason, outcome,
                    rig->push.reason);
    if (rig_slot_work(rig, 0) + rig_slot_work(rig, 1) != work)
        return fail(l, "%s was refused, but not before a slot was touched", images[image].name);
    return true;
}

/* It must be installed and confirmed; that is cut in, too. */
static bool installed(struct life *l, struct oracle *o, uint8_t image)
{
    struct story *s = &l->story;
    const struct gw_push *push = &l->rig->push;
    struct seen seen;
    enum gw_push_outcome outcome;

    l->totals.installs++;
    outcome = story_update(s, image, false, 0);
    l->totals.resumed += push->resumed_at > 0;
    note(l, " %s from %lu %s", images[image].name, (unsigned long) push->resumed_at,
         outcome == GW_PUSH_CONFIRMED ? "confirmed" : push->reason);
    if (s->wrong[0] != 0)
        return fail(l, "%s", s->wrong);
    if (outcome != GW_PUSH_CONFIRMED)
        return fail(l, "%s should be confirmed, but: outcome %d, %s: %s", images[image].name, outcome, push->reason,
                    push->detail);
    *o = s->oracle;
    return boot_again(l, o, &seen);
}

/* What was under way goes on; else the lowest image that the floor lets in is installed. */
static uint8_t choice(const struct life *l, const struct belief *b, uint32_t floor)
{
    uint8_t take = ORACLE_NONE;

    for (uint8_t i = 0; i < IMAGES; i++) {
        bool may = images[i].behaviour == CONFIRMS && !images[i].bad && images[i].counter >= floor &&
                   (b->rejected & (1u << i)) == 0 && i != b->confirmed && i != LARGE &&
                   ((i != MEDIUM && !images[i].agent) || i == l->under_way);

        if (may && (take == ORACLE_NONE || i == l->under_way ||
                    (take != l->under_way && images[i].counter < images[take].counter)))
            take = i;
    }
    return take;
}

static bool afterlife(struct life *l, struct oracle *o)
{
    const struct belief b = o->beliefs[0];
    uint32_t floor = b.floor > l->world.floor ? b.floor : l->world.floor;
    uint8_t take = choice(l, &b, floor);

    l->trace.offered = l->trace.count;
    l->story.oracle = *o;
    l->story.wrong[0] = 0;
    story_forget_resets(&l->story);
    for (uint8_t i = 0; i < IMAGES; i++) {
        bool below = images[i].counter < floor, rejected = (b.rejected & (1u << i)) != 0;

        if (!images[i].bad && i != LARGE && i != b.confirmed && (rejected || (below && i == FIRST)) &&
            !refused(l, i, below ? "floor" : "rejected"))
            return false;
    }
    return take == ORACLE_NONE || installed(l, o, take);
}

/* ---------------------------------------------------------------------------------------------------------------- */

static bool live(struct life *l, struct oracle *o, int how)
{
    struct seen seen;
    power(l, true);
    if (!boot(l, o, CAUSE_OTHER, &seen))
        return false;
    if (seen.slot == ORACLE_NONE)
        l->totals.boots_recovery++;
    else if (seen.trial)
        l->totals.boots_new++;
    else
        l->totals.boots_old++;
    if (how == LIFE_BRIEF) {
        /* without a flash operation the next boot would be the same, unless what it reads is not */
        unsigned boots = board_flash_unsure(l->rig->board, FOTA_FLASH_BASE, FOTA_FLASH_SIZE) ? 3u
                         : l->trace.count > 0                                                ? 1u
                                                                                             : 0;

        for (unsigned i = 0; i < boots; i++)
            if (!boot_again(l, o, &seen))
                return false;
        return true;
    }
    if (!live_trials(l, o, &seen))
        return false;
    return how == LIFE_AFTERLIFE ? afterlife(l, o) : true;
}

bool life_on(struct life *l, struct board *flash, const struct oracle *oracle, uint64_t seed, int how)
{
    struct board *b = l->rig->board;
    struct oracle o = *oracle;
    uint64_t broken = board_rule_violations(b);
    bool good;

    l->wrong[0] = l->decisions[0] = 0;
    trace_clear(&l->trace);
    power(l, false);
    board_reseed(b, seed);
    if (!board_flash_copy(b, flash))
        return fail(l, "the flash cannot be copied");
    board_on_flash(b, trace_work, &l->trace);
    good = live(l, &o, how) && l->wrong[0] == 0;
    if (board_rule_violations(b) != broken)
        good = fail(l, "a rule of the chip was broken: %s", board_message(b));
    power(l, false);
    board_on_flash(b, NULL, NULL);
    return good;
}
