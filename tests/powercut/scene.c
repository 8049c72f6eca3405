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

static void check(const struct scene *s)
{
    if (s->story.wrong[0] != 0)
        die(s, s->story.wrong);
    if (s->story.oracle.count != 1)
        die(s, "the oracle is not sure");
}

static void live(struct scene *s, uint64_t ns)
{
    story_live(&s->story, ns);
    check(s);
}

static void settle(struct scene *s)
{
    story_settle(&s->story);
    check(s);
}

static enum gw_push_outcome update(struct scene *s, uint8_t image, bool retry, uint32_t cut_at)
{
    enum gw_push_outcome outcome = story_update(&s->story, image, retry, cut_at);

    check(s);
    return outcome;
}

/* The first piece is written: the install is in the journal. */
static void rom_progress(void *ctx, const char *step, uint32_t done, uint32_t total)
{
    struct scene *s = rom_scene;

    (void) ctx;
    (void) done;
    (void) total;
    if (s->story.phase != INSTALLING || strcmp(step, "write") != 0)
        return;
    oracle_act(&s->story.oracle, &s->world, ACT_INSTALL, s->story.slot, s->story.image);
    story_phase(&s->story, SENDING, CAUSE_OTHER, s->story.slot, s->story.image, false);
}

/* An update through ST's ROM, by the gateway that has BOOT0 and NRST in its hand. */
static enum gw_push_outcome through_rom(struct scene *s, uint8_t image)
{
    static struct gw_rom_survey survey;
    struct gw_rom_image what = rig_image(&images[image].package);
    uint8_t slot = story_spare(&s->story);
    struct gw_rom rom;

    rom_scene = s;
    rig_rom(s->rig, &rom);
    rom.port.progress = rom_progress;
    story_phase(&s->story, INSTALLING, CAUSE_OTHER, slot, image, false);
    if (gw_rom_enter(&rom) != GW_ROM_OK || gw_rom_x32(&rom) != GW_ROM_OK ||
        gw_rom_update(&rom, &survey, &what) != FOTA_OK)
        die(s, rom.error);
    oracle_act(&s->story.oracle, &s->world, ACT_PENDING, slot, image);
    story_phase(&s->story, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    (void) gw_rom_leave(&rom);
    story_forget_resets(&s->story);
    rig_watch_start(s->rig, &images[image].package, slot);
    while (rig_step(s->rig))
        story_watch(&s->story);
    settle(s);
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
    story_forget_resets(&s->story);
    story_phase(&s->story, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
}

static void factory_with(struct scene *s, uint8_t image)
{
    rig_program(s->rig, &images[image].package);
    action(s);
    settle(s);
    if (s->story.oracle.beliefs[0].confirmed != image)
        die(s, "the factory's image did not confirm itself");
}

static void factory(struct scene *s)
{
    factory_with(s, FIRST);
}

static void in_peace(struct scene *s)
{
    factory(s);
    action(s);
    settle(s);
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

/* Through the agent, while the application runs. */
static void by_the_agent(struct scene *s)
{
    factory_with(s, AGENT_OLD);
    action(s);
    settle(s);
    expect(s, update(s, AGENT_NEW, false, 0), GW_PUSH_CONFIRMED);
}

static void agent_resumes(struct scene *s)
{
    factory_with(s, AGENT_OLD);
    action(s);
    settle(s);
    expect(s, update(s, AGENT_NEW, false, 8192), GW_PUSH_CONFIRMED);
}

/* The agent installs an image that is late, and the bootloader goes back to it. */
static void agent_rolls_back(struct scene *s)
{
    factory_with(s, AGENT_OLD);
    action(s);
    settle(s);
    expect(s, update(s, IS_LATE, false, 0), GW_PUSH_ROLLED_BACK);
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
    settle(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
}

static void resume(struct scene *s)
{
    in_peace(s);
    expect(s, update(s, THIRD, false, 4096), GW_PUSH_CONFIRMED);
}

/* Into slot A, whose sectors are small: the cut comes in the second one, and what was recorded before it is not sent
 * again. */
static void resume_at_offset(struct scene *s)
{
    a_to_b(s);
    action(s);
    settle(s);
    expect(s, update(s, MEDIUM, false, 28672), GW_PUSH_CONFIRMED);
    if (s->story.resumed_at < 16384u || s->story.resumed_at > 28672u)
        die(s, "it did not go on at an offset");
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
    settle(s);
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
    story_phase(&s->story, INSTALLING, CAUSE_OTHER, 1, IS_LATE, false);
    while (rig_step(rig) && rig->push.state <= GW_PUSH_VERIFY)
        if (s->story.phase == INSTALLING && rig->push.state >= GW_PUSH_WRITE) {
            oracle_act(&s->story.oracle, &s->world, ACT_INSTALL, 1, IS_LATE);
            story_phase(&s->story, SENDING, CAUSE_OTHER, 1, IS_LATE, false);
        }
    oracle_act(&s->story.oracle, &s->world, ACT_PENDING, 1, IS_LATE);
    story_forget_resets(&s->story);
    story_phase(&s->story, BOOTING, CAUSE_OTHER, ORACLE_NONE, ORACLE_NONE, false);
    while (rig->push.state != GW_PUSH_ENDED && s->story.phase != TRYING) {
        (void) rig_step(rig);
        story_watch(&s->story);
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
    if (s->story.phase != BOOTING || rig_slot_work(rig, 0) + rig_slot_work(rig, 1) != work)
        die(s, "BEGIN in a trial was not refused");
    live(s, 20u * RIG_SECOND); /* nobody talks: the trial goes on, and ends */
    if (s->story.oracle.beliefs[0].candidate != ORACLE_NONE ||
        (s->story.oracle.beliefs[0].rejected & 1u << IS_LATE) == 0)
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
    settle(s);
}

static void compaction_in_update(struct scene *s)
{
    rejections(s);
    journal_left(s, 322);
    action(s);
    settle(s);
    expect(s, update(s, THIRD, false, 0), GW_PUSH_CONFIRMED);
}

static void compaction_back(struct scene *s)
{
    compaction(s);
    board_power(s->rig->board, false);
    journal_left(s, 321);
    action(s);
    settle(s);
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
    settle(s);
}

static void spare_bank_lost(struct scene *s)
{
    rejections(s);
    spoil_bank(s, 1);
    journal_left(s, 318);
    action(s);
    settle(s);
}

static void both_banks_lost(struct scene *s)
{
    rejections(s);
    spoil_bank(s, 0);
    spoil_bank(s, 1);
    oracle_blank(&s->story.oracle);
    action(s);
    settle(s);
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
    {.name = "resume-at-offset", .play = resume_at_offset, .sparse = 29},
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
    {.name = "agent", .play = by_the_agent, .sparse = 11},
    {.name = "agent-resume", .play = agent_resumes, .sparse = 11},
    {.name = "agent-rollback", .play = agent_rolls_back, .sparse = 3},
    {.name = "rom", .play = rom_a_to_b, .sparse = 1},
    {.name = "rom-rollback", .play = rom_rolls_back, .sparse = 3},
    {.name = "large", .play = full_life, .sparse = 53},
};
const unsigned scene_count = sizeof scenes / sizeof scenes[0];

void scene_play(struct scene *s, const struct rig_options *options, struct board *start)
{
    s->rig = rig_create(options);
    s->start = start;
    memset(&s->world, 0, sizeof s->world);
    memset(&s->trace, 0, sizeof s->trace);
    for (unsigned i = 0; i < IMAGES; i++)
        s->world.counters[i] = images[i].counter;
    story_create(&s->story, s->rig, &s->trace, &s->world);
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
