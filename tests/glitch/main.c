/* SPDX-License-Identifier: MIT */
/*
 * One instruction is skipped, of those that the bootloader executes from reset to its decision; with something in the
 * flash that must not be booted. Each once outside the loops of the cryptography, some inside. Nothing of it may enter
 * the wrong slot.
 *
 *     glitch [--share F] [--inside N] [--seed N] SCENE     prints a line of JSON
 *     glitch SCENE INSTRUCTION                             replays one
 *
 * One board executes the boot, instruction by instruction (its Arm code for signature and hash, too). At each that is
 * tried a second board is made like it, leaves that one out, and lives on.
 */
#include "answers.h"
#include "scenes.h"
#include "symbols.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_NS (2u * RIG_SECOND)
/* After the skip: a boot of these small images takes 0.2 s, and a reset may come. */
#define LIVE_NS (700u * 1000000ull)
#define PART_LENGTH 600u /* instructions from the beginning of such a part to a skip inside the loops */
#define ALWAYS 3u        /* executions of an address that are tried whatever --share says */

static struct {
    struct rig *reference, *trial;
    struct answers answers;
    struct symbols symbols;
    const struct glitch_scene *scene;
    double share;
    uint64_t inside_every; /* one of so many multiplications of the loops has a skip tried in it; 0: none */
    uint64_t seed, random, random_inside; /* apart, so that a replay without --share comes to the same places inside */
    uint32_t part;                        /* the function that the loops call most */
    uint64_t only;                        /* replay: this instruction; 0: all */
    /* the reference's boot */
    unsigned it_left;     /* instructions of the IT block that come */
    uint64_t inside_stop; /* inside the loops: the instruction to stop at; 0: outside */
    uint64_t outside;     /* instructions that were executed outside of them */
    uint16_t *seen;       /* executions of each halfword of sector 0 */
    bool *loops;          /* whether it belongs to the loops of the cryptography */
    uint64_t tried, inside, booted, resets;
} run;

static bool chosen(double share)
{
    return share >= 1.0 || (double) (rig_random(&run.random) >> 11) / 9007199254740992.0 < share;
}

/* --- where the reference is ------------------------------------------------------------------------------------- */

static bool is_loop(uint32_t pc)
{
    static const char *const loops[] = {"br_sha2small_round", "m256_",      "u256_add",     "u256_sub",
                                        "u256_cmov",          "u288_",      "point_double", "point_add",
                                        "point_to_affine",    "scalar_mult"};
    const struct symbol *symbol = symbols_at(&run.symbols, pc);

    for (unsigned i = 0; symbol != NULL && i < sizeof loops / sizeof loops[0]; i++)
        if (strncmp(symbol->name, loops[i], strlen(loops[i])) == 0)
            return true;
    return false;
}

static bool in_loop(uint32_t pc)
{
    return pc - FOTA_BOOT_BASE < fota_sector_size(0) && run.loops[(pc - FOTA_BOOT_BASE) / 2u];
}

static uint64_t instructions(void)
{
    return board_counters(run.reference->board)->instructions;
}

static uint32_t halfword(uint32_t address)
{
    const uint8_t *at = board_flash(run.reference->board) + (address - FOTA_FLASH_BASE);

    return (uint32_t) (at[0] | at[1] << 8);
}

static uint32_t size_at(uint32_t address)
{
    return halfword(address) >= 0xE800u ? 4u : 2u; /* ARMv7-M ARM A5.1 */
}

/* @return how many instructions an IT makes conditional, 0 when it is none (ARMv7-M ARM A7.7.38). */
static unsigned it_length(uint32_t address)
{
    uint32_t code = halfword(address);

    return (code & 0xFF00u) != 0xBF00u || (code & 0xFu) == 0 ? 0
           : (code & 1u) != 0                                ? 4u
           : (code & 2u) != 0                                ? 3u
           : (code & 4u) != 0                                ? 2u
                                                             : 1u;
}

/* An instruction of the reference is about to execute. Unicorn tells nothing of the inside of an IT block, so nobody
 * stops there. */
static void on_instruction(void *ctx, uint32_t pc, uint32_t size)
{
    (void) ctx;
    (void) size;
    if (run.it_left > 0)
        run.it_left--;
    else
        run.it_left = it_length(pc);
    if (run.it_left == 0 && instructions() >= run.inside_stop)
        board_request_stop(run.reference->board);
}

/* --- the other board -------------------------------------------------------------------------------------------- */

static bool entered_wrong(struct board *b)
{
    uint32_t pc = board_register(b, BOARD_PC), vtor = board_peek(b, 0xE000ED08u),
             base = fota_slot_base(run.scene->wrong);

    return pc - base < FOTA_SLOT_SIZE || vtor - base < FOTA_SLOT_SIZE;
}

static void try_one(uint32_t pc, uint64_t index, bool inside)
{
    struct board *b = run.trial->board;
    const struct symbol *symbol = symbols_at(&run.symbols, pc);
    uint64_t resets;

    answers_reset(&run.answers, b);
    if (!board_copy(b, run.reference->board) || !board_skip_instruction(b, pc)) {
        fprintf(stderr, "instruction %llu at 0x%08x cannot be skipped\n", (unsigned long long) index, pc);
        exit(2);
    }
    resets = board_counters(b)->resets[BOARD_RESET_SOFTWARE];
    (void) board_run_until(b, LIVE_NS, BOARD_ON_ADDRESS);
    run.resets += board_counters(b)->resets[BOARD_RESET_SOFTWARE] > resets;
    run.tried++;
    run.inside += inside;
    if (entered_wrong(b)) {
        run.booted++;
        fprintf(stderr,
                "BOOTED %s: without the instruction at 0x%08x (%s + %u)\n  replay: glitch --seed %llu --inside %llu %s "
                "%llu\n",
                run.scene->what, pc, symbol == NULL ? "?" : symbol->name, symbol == NULL ? 0 : pc - symbol->first,
                (unsigned long long) run.seed, (unsigned long long) run.inside_every, run.scene->name,
                (unsigned long long) index);
    } else if (run.only != 0) {
        printf("without the instruction at 0x%08x (%s): at 0x%08x now\n", pc, symbol == NULL ? "?" : symbol->name,
               board_register(b, BOARD_PC));
    }
}

/* The reference stands before an instruction: it is tried, and with an IT those that it makes conditional. */
static void try_here(uint32_t pc, bool inside)
{
    unsigned more = it_length(pc);
    uint64_t index = instructions() + 1u;
    uint16_t *seen = &run.seen[(pc - FOTA_BOOT_BASE) / 2u];
    bool always = inside || *seen < ALWAYS;

    if (*seen < UINT16_MAX)
        ++*seen;
    run.outside += inside ? 0 : 1u + more;
    if (run.only == 0 && !always && !chosen(run.share))
        return;
    for (unsigned i = 0; i <= more; i++, index++) {
        if (run.only == 0 || run.only == index)
            try_one(pc, index, inside);
        pc += size_at(pc);
    }
}

/* The reference stands before a loop of the cryptography: it runs through, but for stops in some of its parts. */
static void pass_loop(void)
{
    struct board *b = run.reference->board;
    uint32_t back = board_register(b, BOARD_LR) & ~1u;
    int end = board_watch(b, back, back), part = board_watch(b, run.part, run.part);

    board_on_trace(b, NULL, NULL);
    run.it_left = 0;
    while (board_run_until(b, BOOT_NS, BOARD_ON_ADDRESS) == BOARD_STOP_ADDRESS && board_register(b, BOARD_PC) != back) {
        if (run.inside_every == 0 || rig_random(&run.random_inside) % run.inside_every != 0)
            continue;
        run.inside_stop = instructions() + 1u + rig_random(&run.random_inside) % PART_LENGTH;
        board_on_trace(b, on_instruction, NULL);
        (void) board_run_until(b, BOOT_NS, 0);
        board_on_trace(b, NULL, NULL);
        run.inside_stop = 0;
        if (board_register(b, BOARD_PC) != back)
            try_here(board_register(b, BOARD_PC), true);
    }
    board_unwatch(b, end);
    board_unwatch(b, part);
    board_on_trace(b, on_instruction, NULL);
}

/* --- */

static uint32_t entry_of(const struct board *b, unsigned slot)
{
    uint32_t word = 0xFFFFFFFFu;

    (void) board_read(b, fota_slot_code(slot) + 4u, &word, sizeof word);
    return word & ~1u;
}

static void prepare(void)
{
    struct rig_options options = {0};
    char path[] = RIG_TARGET "/bootloader.elf";

    board_options_default(&options.board);
    run.trial = rig_create(&options);
    options.board.mode = BOARD_MODE_CODE;
    run.reference = rig_create(&options);
    run.seen = calloc(fota_sector_size(0) / 2u, sizeof *run.seen);
    run.loops = calloc(fota_sector_size(0) / 2u, sizeof *run.loops);
    if (run.seen == NULL || run.loops == NULL || !symbols_read(&run.symbols, path))
        exit(2);
    for (uint32_t i = 0; i < fota_sector_size(0) / 2u; i++)
        run.loops[i] = is_loop(FOTA_BOOT_BASE + 2u * i);
    run.part = symbols_find(&run.symbols, "m256_mul");
    if (run.part == 0) {
        fprintf(stderr, "%s has no m256_mul: the loops of the cryptography are not known any more\n", path);
        exit(2);
    }
    run.reference->key = run.trial->key;
    scenes_prepare(run.trial);
    rig_program(run.reference, NULL);
    rig_program(run.trial, NULL);
    scene_load(run.scene, run.reference, run.reference->board);
    scene_load(run.scene, run.trial, run.trial->board);
    if (!answers_install(&run.answers, run.trial->board, path))
        exit(2);
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        uint32_t entry = entry_of(run.reference->board, slot);

        if (entry - fota_slot_base(slot) < FOTA_SLOT_SIZE && board_watch(run.trial->board, entry, entry) < 0)
            exit(2);
    }
    /* once without a skip: that boot must be right, and measures what the host's answers cost */
    board_power(run.trial->board, true);
    (void) board_run_until(run.trial->board, BOOT_NS, BOARD_ON_ADDRESS);
    if (entered_wrong(run.trial->board)) {
        fprintf(stderr, "%s is booted without any glitch\n", run.scene->name);
        exit(1);
    }
    board_power(run.trial->board, false);
}

static void sweep(void)
{
    struct board *b = run.reference->board;
    enum board_stop stop = BOARD_STOP_REQUEST;

    board_on_trace(b, on_instruction, NULL);
    board_power(b, true);
    /* the decision is over when something is entered, or the first time that the core sleeps: it serves the link */
    while (stop == BOARD_STOP_REQUEST && (run.only == 0 || instructions() < run.only)) {
        uint32_t pc;

        stop = board_run_until(b, BOOT_NS, BOARD_ON_SLEEP);
        pc = board_register(b, BOARD_PC);
        if (stop == BOARD_STOP_REQUEST && board_cpu(b) != BOARD_CPU_RUNNING)
            stop = BOARD_STOP_SLEEP;
        if (stop != BOARD_STOP_REQUEST)
            continue;
        if (in_loop(pc))
            pass_loop();
        else if (pc - FOTA_BOOT_BASE < fota_sector_size(0))
            try_here(pc, false);
        else
            stop = BOARD_STOP_ADDRESS; /* an application */
    }
    if (stop == BOARD_STOP_TIME) {
        fprintf(stderr, "the boot without a glitch came to 0x%08x and no decision: %s\n", board_register(b, BOARD_PC),
                board_message(b));
        exit(2);
    }
}

static const char usage[] =
    "usage: glitch [--share F] [--inside N] [--seed N] SCENE\n"
    "       glitch SCENE INSTRUCTION\n"
    "       glitch --list\n"
    "Skips instructions of the bootloader, one at a time, while the flash holds what must not be booted.\n"
    "  --share F    part of the instructions outside of the cryptography's loops to try, 0 to 1 (default 1); of each\n"
    "               address the first three executions always\n"
    "  --inside N   and one in each of N multiplications inside of them (default 20; 0: none)\n"
    "  --seed N     of what is left to chance (default 1)\n"
    "  INSTRUCTION  only this one, counted from reset\n"
    "Prints a line of JSON. Exit status: 0 nothing was booted, 1 something was, 2 it could not run.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"share", required_argument, NULL, 's'}, {"inside", required_argument, NULL, 'i'},
        {"seed", required_argument, NULL, 'S'},  {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},        {0}};
    int option;

    run.share = 1.0;
    run.inside_every = 20;
    run.seed = 1;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            run.share = strtod(optarg, NULL);
            break;
        case 'i':
            run.inside_every = strtoull(optarg, NULL, 10);
            break;
        case 'S':
            run.seed = strtoull(optarg, NULL, 10);
            break;
        case 'l':
            for (unsigned i = 0; i < glitch_scene_count; i++)
                printf("%s\n", glitch_scenes[i].name);
            return 0;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    for (unsigned i = 0; argc - optind >= 1 && i < glitch_scene_count; i++)
        if (strcmp(glitch_scenes[i].name, argv[optind]) == 0)
            run.scene = &glitch_scenes[i];
    if (run.scene == NULL || argc - optind > 2) {
        fputs(usage, stderr);
        return 2;
    }
    if (argc - optind == 2)
        run.only = strtoull(argv[optind + 1], NULL, 10);
    run.random = run.random_inside = run.seed;
    prepare();
    sweep();
    printf(
        "{\"scene\":\"%s\",\"instructions\":%llu,\"outside\":%llu,\"tried\":%llu,\"inside\":%llu,\"ended_in_a_reset\":%"
        "llu,\"booted\":%llu}\n",
        run.scene->name, (unsigned long long) instructions(), (unsigned long long) run.outside,
        (unsigned long long) run.tried, (unsigned long long) run.inside, (unsigned long long) run.resets,
        (unsigned long long) run.booted);
    symbols_free(&run.symbols);
    free(run.seen);
    free(run.loops);
    rig_destroy(run.reference);
    rig_destroy(run.trial);
    return run.booted > 0 ? 1 : 0;
}
