/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene *rom_scene; /* of rom_progress(), whose context is the rig */

_Noreturn static void die(const struct scene *s, const char *what)
{
    fprintf(stderr, "scene %s, without any cut: %s\n", s->name, what);
    exit(2);
}

/* --- what happens becomes phases -------------------------------------------------------------------------------- */

static void phase(struct scene *s, enum phase_kind kind, enum oracle_cause cause, uint8_t slot, uint8_t image,
                  bool retry)
{
    struct phase p = {.kind = kind, .cause = cause, .slot = slot, .image = image, .retry = retry, .oracle = s->oracle};

    s->phase = kind;
    s->slot = slot;
    s->image = image;
    trace_phase(&s->trace, &p);
}

/* @return whether there was a reset since the last look. */
static bool was_reset(struct scene *s, bool *from_outside)
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

static void forget_resets(struct scene *s)
{
    bool unused;

    (void) was_reset(s, &unused);
}

/* The watches forget only when the chip leaves reset. */
static bool entered(const struct scene *s)
{
    enum board_cpu_state cpu = board_cpu(s->rig->board);

    for (unsigned i = 0; i < s->entries && cpu != BOARD_CPU_RESET && cpu != BOARD_CPU_OFF; i++)
        if (board_watch_hit(s->rig->board, s->entry[i], NULL))
            return true;
    return false;
}

/* An application runs: by the decision that the oracle expects. */
static void jumped(struct scene *s)
{
    struct slots slots = images_in(s->rig->board);
    struct oracle after = s->oracle;
    enum oracle_cause cause = s->trace.phases[s->trace.phase_count - 1u].cause;
    uint32_t pc = board_register(s->rig->board, BOARD_PC);
    uint8_t slot = pc - FOTA_SLOT_A_BASE < FOTA_SLOT_SIZE ? 0 : 1;
    unsigned fit = 0;

    oracle_maybe_boot(&after, &s->world, cause, &slots);
    for (unsigned i = 0; i < after.count; i++) {
        const struct belief *b = &after.beliefs[i];
        bool trial = b->candidate != ORACLE_NONE && b->attempts > 0 && b->candidate_slot == slot;
        struct seen seen = {.slot = slot,
                            .confirmed_slot = b->confirmed_slot,
                            .attempts = b->attempts,
                            .trial = b->candidate != ORACLE_NONE,
                            .floor = b->floor,
                            .rejected = b->rejected};
        struct oracle o = s->oracle;

        if ((trial || (b->candidate == ORACLE_NONE && b->confirmed_slot == slot)) &&
            oracle_boot(&o, &s->world, cause, &slots, &seen) == NULL && fit++ == 0)
            after = o;
    }
    if (fit != 1)
        die(s, "the oracle does not expect this boot");
    s->oracle = after;
    s->rig->text_length = 0;
    s->rig->text[0] = 0;
    if (after.beliefs[0].candidate != ORACLE_NONE)
        phase(s, TRYING, 0, slot, slots.in[slot], false);
    else
        phase(s, QUIET, 0, slot, slots.in[slot], false);
}

static enum oracle_cause cause_of(const struct scene *s, bool from_outside)
{
    static const enum oracle_cause causes[] = {[CONFIRMS] = CAUSE_OTHER,
                                               [RUNS_LATE] = CAUSE_DEADLINE,
                                               [BARKS] = CAUSE_WATCHDOG,
                                               [TRAPS] = CAUSE_FAULT,
                                               [RESTARTS] = CAUSE_OTHER};

    return from_outside || s->phase != TRYING ? CAUSE_OTHER : causes[images[s->image].behaviour];
}

/* After each millisecond. */
static void watch(struct scene *s)
{
    bool from_outside;

    if (was_reset(s, &from_outside))
        phase(s, BOOTING, cause_of(s, from_outside), ORACLE_NONE, ORACLE_NONE, false);
    if (s->phase == BOOTING && entered(s))
        jumped(s);
    if (s->phase == TRYING && images[s->image].behaviour == CONFIRMS && strstr(s->rig->text, "confirmed") != NULL) {
        oracle_act(&s->oracle, &s->world, ACT_CONFIRM, s->slot, s->image);
        phase(s, QUIET, 0, s->slot, s->image, false);
    }
}

/* --- steps ------------------------------------------------------------------------------------------------------ */

static void live(struct scene *s, uint64_t ns)
{
    for (uint64_t end = board_now(s->rig->board) + ns; board_now(s->rig->board) < end;) {
        (void) board_run(s->rig->board, 1000000u);
        rig_listen(s->rig);
        watch(s);
    }
}

/* Until nothing is on trial and an application runs. */
static void live_until_settled(struct scene *s)
{
    for (unsigned i = 0; i < 200u && (s->phase != QUIET || s->oracle.beliefs[0].candidate != ORACLE_NONE); i++)
        live(s, RIG_SECOND / 4u);
    live(s, RIG_SECOND / 4u);
}

static uint8_t spare(const struct scene *s)
{
    const struct belief *b = &s->oracle.beliefs[0];

    if (b->confirmed != ORACLE_NONE)
        return (uint8_t) (1u - b->confirmed_slot);
    return 0;
}

/* The last byte of a bad image arrives wrong. */
static struct pack_buffer as_sent(const struct image *image)
{
    struct pack_buffer package = {malloc(image->package.size), image->package.size};

    if (package.data == NULL)
        abort();
    memcpy(package.data, image->package.data, package.size);
    return package;
}

/* An update by the real gateway. @param cut_at bytes after which the supply goes; 0: never. */
static enum gw_push_outcome update(struct scene *s, uint8_t image, bool retry, uint32_t cut_at)
{
    struct pack_buffer package = as_sent(&images[image]);
    uint8_t slot = spare(s);
    bool sent = false, cut = false;
    struct rig *rig = s->rig;

    if (images[image].bad)
        package.data[FOTA_HEADER_SIZE + 2048u] ^= 0x55u;
    rig_start(rig, &package, retry);
    phase(s, INSTALLING, 0, slot, image, retry);
    while (rig_step(rig)) {
        if (s->phase == INSTALLING && rig->push.state >= GW_PUSH_WRITE && rig->push.state <= GW_PUSH_JUMP) {
            forget_resets(s);
            if (retry)
                oracle_act(&s->oracle, &s->world, ACT_ALLOW, slot, image);
            oracle_act(&s->oracle, &s->world, ACT_INSTALL, slot, image);
            phase(s, SENDING, 0, slot, image, false);
        }
        if (s->phase == SENDING && rig->push.state == GW_PUSH_JUMP && !sent) {
            oracle_act(&s->oracle, &s->world, ACT_PENDING, slot, image);
            phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
            forget_resets(s);
            sent = true;
        }
        if (sent)
            watch(s);
        if (cut_at != 0 && !cut && rig->push.bytes >= cut_at) {
            board_power(rig->board, false);
            board_run(rig->board, RIG_SECOND / 10u);
            board_power(rig->board, true);
            cut = true;
        }
    }
    if (!sent && images[image].bad && s->phase == SENDING) {
        oracle_act(&s->oracle, &s->world, ACT_VOID, slot, image);
        phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    } else if (!sent) {
        phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    }
    live_until_settled(s);
    pack_buffer_free(&package);
    return rig->push.outcome;
}

/* The first piece is written: the install is in the journal. */
static void rom_progress(void *ctx, const char *step, uint32_t done, uint32_t total)
{
    struct scene *s = rom_scene;

    (void) ctx;
    (void) done;
    (void) total;
    if (s->phase != INSTALLING || strcmp(step, "write") != 0)
        return;
    oracle_act(&s->oracle, &s->world, ACT_INSTALL, s->slot, s->image);
    phase(s, SENDING, 0, s->slot, s->image, false);
}

/* An update through ST's ROM, by the gateway that has BOOT0 and NRST in its hand. */
static enum gw_push_outcome through_rom(struct scene *s, uint8_t image)
{
    static struct gw_rom_survey survey;
    struct gw_rom_image what = rig_image(&images[image].package);
    uint8_t slot = spare(s);
    struct gw_rom rom;

    rom_scene = s;
    rig_rom(s->rig, &rom);
    rom.port.progress = rom_progress;
    phase(s, INSTALLING, 0, slot, image, false);
    if (gw_rom_enter(&rom) != GW_ROM_OK || gw_rom_x32(&rom) != GW_ROM_OK ||
        gw_rom_update(&rom, &survey, &what) != FOTA_OK)
        die(s, rom.error);
    oracle_act(&s->oracle, &s->world, ACT_PENDING, slot, image);
    phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    (void) gw_rom_leave(&rom);
    forget_resets(s);
    rig_watch_start(s->rig, &images[image].package, slot);
    while (rig_step(s->rig))
        watch(s);
    live_until_settled(s);
    return s->rig->push.outcome;
}

static void expect(struct scene *s, enum gw_push_outcome outcome, enum gw_push_outcome expected)
{
    char text[400];

    if (outcome == expected)
        return;
    (void) snprintf(text, sizeof text, "outcome %d instead of %d: %s, %s", outcome, expected, s->rig->push.reason,
                    s->rig->push.detail);
    die(s, text);
}

/* The trace begins here. */
static void action(struct scene *s)
{
    board_power(s->rig->board, false);
    if (!board_flash_copy(s->start, s->rig->board))
        die(s, "the flash cannot be copied");
    trace_clear(&s->trace);
    board_on_flash(s->rig->board, trace_work, &s->trace);
    board_power(s->rig->board, true);
    forget_resets(s);
    phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
}

static void factory(struct scene *s)
{
    rig_program(s->rig, &images[FIRST].package);
    action(s);
    live_until_settled(s);
    if (s->oracle.beliefs[0].confirmed != FIRST)
        die(s, "the factory's image did not confirm itself");
}

static void in_peace(struct scene *s)
{
    factory(s);
    action(s);
    live_until_settled(s);
}

/* --- the journal from outside, after docs/journal.md ------------------------------------------------------------ */

#define PLACE 32u
#define PLACES 4096u

static uint32_t bank_address(unsigned bank)
{
    return bank == 0 ? 0x080E0000u : 0x080C0000u;
}

static uint32_t word(struct scene *s, uint32_t address)
{
    uint32_t w = 0;

    (void) board_read(s->rig->board, address, &w, 4);
    return w;
}

/* So many places are left; those before were given up. The supply is off. */
static void journal_left(struct scene *s, uint32_t left)
{
    unsigned bank =
        word(s, bank_address(0) + 4u) == 0x314A4F46u &&
                (word(s, bank_address(1) + 4u) != 0x314A4F46u || word(s, bank_address(0)) > word(s, bank_address(1)))
            ? 0
            : 1;
    uint32_t base = word(s, bank_address(bank)), used = 0;
    uint8_t place[PLACE] = {0};

    for (uint32_t i = 0; i < PLACES; i++)
        for (uint32_t k = 0; k < PLACE; k += 4u)
            if (word(s, bank_address(bank) + PLACE * i + k) != UINT32_MAX)
                used = i + 1u;
    for (uint32_t i = used; i < PLACES - left; i++) {
        if (i + 1u == PLACES - left) /* a cut left it: it needs settling */
            memcpy(place, &(uint32_t){base + i}, 4);
        (void) board_flash_load(s->rig->board, bank_address(bank) + PLACE * i, place, PLACE);
    }
}

static void spoil_bank(struct scene *s, unsigned bank)
{
    static uint8_t garbage[PLACE * PLACES];
    uint64_t random = bank;

    for (unsigned i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t) rig_random(&random);
    (void) board_flash_load(s->rig->board, bank_address(bank), garbage, sizeof garbage);
}

/* --- the scenes ------------------------------------------------------------------------------------------------- */

static void first_install(struct scene *s)
{
    rig_program(s->rig, NULL);
    action(s);
    live(s, 6u * RIG_SECOND);
    expect(s, update(s, SECOND, false, 0), GW_PUSH_CONFIRMED);
}

static void a_to_b(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, SECOND, false, 0), GW_PUSH_CONFIRMED);
}

static void rom_a_to_b(struct scene *s)
{
    in_peace(s);
    expect(s, through_rom(s, SECOND), GW_PUSH_CONFIRMED);
}

static void rom_rolls_back(struct scene *s)
{
    in_peace(s);
    expect(s, through_rom(s, IS_LATE), GW_PUSH_ROLLED_BACK);
}

static void b_to_a(struct scene *s)
{
    a_to_b(s);
    action(s);
    live_until_settled(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
}

static void resume(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, THIRD, false, 4096), GW_PUSH_CONFIRMED);
}

static void rolls_back(struct scene *s, uint8_t image)
{
    in_peace(s);
    expect(s, update(s, image, false, 0), GW_PUSH_ROLLED_BACK);
}

static void rolls_back_late(struct scene *s)
{
    rolls_back(s, IS_LATE);
}

static void rolls_back_hung(struct scene *s)
{
    s->rig->options.no_pins = true;
    rolls_back(s, HANGS);
}

static void rolls_back_fault(struct scene *s)
{
    rolls_back(s, FAULTS);
}

static void resets_and_retry(struct scene *s)
{
    rolls_back(s, RESETS);
    action(s);
    live_until_settled(s);
    expect(s, update(s, RESETS, true, 0), GW_PUSH_ROLLED_BACK);
}

/* A request in the middle of a trial, past all that the gateway would wait for. */
static void begin_in_trial(struct scene *s)
{
    uint8_t payload[4 + FOTA_HEADER_SIZE] = {0}, wire[FOTA_LINK_WIRE_MAX];
    struct fota_frame stay = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .tag = 1, .payload = payload, .length = 1};
    struct fota_frame begin = {.version = FOTA_LINK_VERSION,
                               .type = FOTA_LINK_BEGIN,
                               .tag = 2,
                               .session = 7,
                               .payload = payload,
                               .length = sizeof payload};
    struct rig *rig = s->rig;
    uint64_t work;

    in_peace(s);
    rig_start(rig, &images[IS_LATE].package, false);
    phase(s, INSTALLING, 0, 1, IS_LATE, false);
    while (rig_step(rig) && rig->push.state <= GW_PUSH_VERIFY)
        if (s->phase == INSTALLING && rig->push.state >= GW_PUSH_WRITE) {
            oracle_act(&s->oracle, &s->world, ACT_INSTALL, 1, IS_LATE);
            phase(s, SENDING, 0, 1, IS_LATE, false);
        }
    oracle_act(&s->oracle, &s->world, ACT_PENDING, 1, IS_LATE);
    forget_resets(s);
    phase(s, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    while (rig->push.state != GW_PUSH_ENDED && s->phase != TRYING) {
        (void) rig_step(rig);
        watch(s);
    }
    live(s, RIG_SECOND); /* the gateway is gone; the trial runs */
    board_nrst(rig->board, true);
    live(s, 10000000u);
    board_nrst(rig->board, false);
    live(s, 50000000u);
    work = rig_slot_work(rig, 0) + rig_slot_work(rig, 1);
    payload[0] = FOTA_LINK_INFO_STAY;
    (void) board_uart_write(rig->board, 3, wire, fota_frame_encode(&stay, wire, sizeof wire));
    payload[0] = 0;
    memcpy(payload + 4, images[THIRD].package.data, FOTA_HEADER_SIZE);
    (void) board_uart_write(rig->board, 3, wire, fota_frame_encode(&begin, wire, sizeof wire));
    live(s, 3u * RIG_SECOND);
    if (s->phase != BOOTING || rig_slot_work(rig, 0) + rig_slot_work(rig, 1) != work)
        die(s, "BEGIN in a trial was not refused");
    live(s, 20u * RIG_SECOND); /* nobody talks: the trial goes on, and ends */
    if (s->oracle.beliefs[0].candidate != ORACLE_NONE || (s->oracle.beliefs[0].rejected & 1u << IS_LATE) == 0)
        die(s, "the trial did not end in a rollback");
}

static void full_life(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
    expect(s, update(s, LARGE, false, 40000), GW_PUSH_CONFIRMED);
}

static void rejections(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, SECOND, false, 0), GW_PUSH_CONFIRMED);
    expect(s, update(s, FAULTS, false, 0), GW_PUSH_ROLLED_BACK);
    expect(s, update(s, RESETS, false, 0), GW_PUSH_ROLLED_BACK);
    board_power(s->rig->board, false);
}

static void compaction(struct scene *s)
{
    rejections(s);
    journal_left(s, 319);
    action(s);
    live_until_settled(s);
}

static void compaction_in_update(struct scene *s)
{
    rejections(s);
    journal_left(s, 322);
    action(s);
    live_until_settled(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
}

static void compaction_back(struct scene *s)
{
    compaction(s);
    board_power(s->rig->board, false);
    journal_left(s, 321);
    action(s);
    live_until_settled(s);
    expect(s, update(s, IS_LATE, false, 0), GW_PUSH_ROLLED_BACK);
    live(s, 3u * RIG_SECOND);
}

/* A compaction has written the new bank, and the old one is still there: the new one, now in use, is lost. */
static void bank_in_use_lost(struct scene *s)
{
    rejections(s);
    journal_left(s, 319);
    board_power(s->rig->board, true);
    for (unsigned i = 0; i < 500000u && word(s, bank_address(1) + 28u) == UINT32_MAX; i++)
        (void) board_run(s->rig->board, 10000u); /* the head's last word takes 16 µs */
    board_power(s->rig->board, false);
    if (word(s, bank_address(0) + 4u) != 0x314A4F46u || word(s, bank_address(1) + 28u) == UINT32_MAX)
        die(s, "the compaction was not met between its two banks");
    spoil_bank(s, 1);
    action(s);
    live_until_settled(s);
}

static void spare_bank_lost(struct scene *s)
{
    rejections(s);
    spoil_bank(s, 1);
    journal_left(s, 318);
    action(s);
    live_until_settled(s);
}

static void both_banks_lost(struct scene *s)
{
    rejections(s);
    spoil_bank(s, 0);
    spoil_bank(s, 1);
    oracle_blank(&s->oracle);
    action(s);
    live_until_settled(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
}

static void bad_then_good(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, IS_BAD, false, 0), GW_PUSH_FAILED);
    expect(s, update(s, SECOND, false, 0), GW_PUSH_CONFIRMED);
}

struct scene scenes[] = {
    {.name = "factory", .play = factory, .sparse = 1},
    {.name = "first-install", .play = first_install, .sparse = 1},
    {.name = "a-to-b", .play = a_to_b, .sparse = 1},
    {.name = "b-to-a", .play = b_to_a, .sparse = 1},
    {.name = "resume", .play = resume, .sparse = 1},
    {.name = "rollback-deadline", .play = rolls_back_late, .sparse = 3},
    {.name = "rollback-watchdog", .play = rolls_back_hung, .sparse = 3},
    {.name = "rollback-fault", .play = rolls_back_fault, .sparse = 3},
    {.name = "rollback-resets-retry", .play = resets_and_retry, .sparse = 3},
    {.name = "begin-in-trial", .play = begin_in_trial, .sparse = 3},
    {.name = "compaction", .play = compaction, .sparse = 1},
    {.name = "compaction-in-update", .play = compaction_in_update, .sparse = 3},
    {.name = "compaction-back", .play = compaction_back, .sparse = 3},
    {.name = "spare-bank-lost", .play = spare_bank_lost, .sparse = 1},
    {.name = "bank-in-use-lost", .play = bank_in_use_lost, .sparse = 1},
    {.name = "both-banks-lost", .play = both_banks_lost, .sparse = 3},
    {.name = "bad-then-good", .play = bad_then_good, .sparse = 3},
    {.name = "rom", .play = rom_a_to_b, .sparse = 1},
    {.name = "rom-rollback", .play = rom_rolls_back, .sparse = 3},
    {.name = "large", .play = full_life, .sparse = 53},
};
const unsigned scene_count = sizeof scenes / sizeof scenes[0];

void scene_play(struct scene *s, const struct rig_options *options, struct board *start)
{
    s->rig = rig_create(options);
    s->start = start;
    s->entries = 0;
    memset(&s->world, 0, sizeof s->world);
    memset(&s->trace, 0, sizeof s->trace);
    oracle_blank(&s->oracle);
    for (unsigned i = 0; i < IMAGES; i++) {
        s->world.counters[i] = images[i].counter;
        for (unsigned slot = 0; slot < 2u; slot++) {
            bool again = false;

            for (unsigned k = 0; k < i; k++)
                again = again || images[k].entry[slot] == images[i].entry[slot];
            if (!again)
                s->entry[s->entries++] = board_watch(s->rig->board, images[i].entry[slot], images[i].entry[slot]);
        }
    }
    if (!answers_install(&s->answers, s->rig->board, RIG_TARGET "/bootloader.elf"))
        exit(2);
    s->play(s);
    if (board_rule_violations(s->rig->board) != 0)
        die(s, board_message(s->rig->board));
    board_on_flash(s->rig->board, NULL, NULL);
}

void scene_end(struct scene *s)
{
    rig_destroy(s->rig);
    trace_free(&s->trace);
}
