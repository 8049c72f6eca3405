/* SPDX-License-Identifier: MIT */
/*
 * The supply goes at the flash operations of a scene: before, inside and after each; then again at those of the
 * recovery, and a third time up to an eighth at one of each recovery after that. After each cut the device lives on, on
 * another board, and an oracle judges. One line that replays it is printed for each failure:
 *
 *     powercut SCENE CONFIG OPERATION:PHASE:SEED [OPERATION:PHASE:SEED …]
 *
 * PHASE is b(efore), i(nside) or a(fter). CONFIG is 0 to 5: flash timing typical or maximum, LSI 17, 32 or 47 kHz.
 */
#include "scene.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 8u
#define CONFIGS 6u
#define BY_ARM 500u /* one of so many runs executes the Arm code of signature and hash */
#define EXACT 8u    /* one of so many with unsure words lets them change from read to read */

struct cut {
    unsigned operation;
    char phase;
    uint64_t seed;
};

static struct {
    double share; /* of the cuts of a full run */
    uint64_t seed;
    unsigned seeds; /* ways of a cut inside an operation */
    struct scene *scene;
    unsigned config, failures;
    struct life
        life[2]; /* the second one for bits that read differently from read to read: it takes four times as long */
    struct life *last;
    struct board *shadow[LEVELS], *torn;
    struct trace traces[LEVELS]; /* of the scene, of the recovery, of that one's */
    struct cut cuts[LEVELS];
    uint64_t failed, by_arm, unsure;
    uint64_t *states;
    size_t state_count, state_room;
    bool verbose;
} run;

/* --- states ----------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t value)
{
    h ^= value;
    return rig_random(&h);
}

static bool state_is_new(uint64_t id)
{
    size_t i;

    if (2u * (run.state_count + 1u) > run.state_room) {
        size_t room = run.state_room == 0 ? 4096u : 2u * run.state_room;
        uint64_t *old = run.states;

        run.states = calloc(room, sizeof *run.states);
        if (run.states == NULL)
            exit(2);
        for (size_t k = 0; k < run.state_room; k++)
            if (old[k] != 0) {
                for (i = old[k] % room; run.states[i] != 0; i = (i + 1u) % room)
                    continue;
                run.states[i] = old[k];
            }
        free(old);
        run.state_room = room;
    }
    id |= 1u;
    for (i = id % run.state_room; run.states[i] != 0; i = (i + 1u) % run.state_room)
        if (run.states[i] == id)
            return false;
    run.states[i] = id;
    run.state_count++;
    return true;
}

/* A torn operation makes a state of its own by what it left. */
static uint64_t torn_state(uint64_t id, const struct board_flash_work *work)
{
    const uint8_t *p = board_flash(run.torn) + (work->address - FOTA_FLASH_BASE);
    uint64_t h = mix(id, board_flash_unsure(run.torn, work->address, work->length));

    for (uint32_t i = 0; i < work->length; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

/* --- one cut ---------------------------------------------------------------------------------------------------- */

static void print_json(void);

/* As a replay takes them. */
static void print_cuts(FILE *to, unsigned level)
{
    for (unsigned i = 0; i <= level; i++)
        fprintf(to, " %u:%c:%llu", run.cuts[i].operation, run.cuts[i].phase, (unsigned long long) run.cuts[i].seed);
}

static void report(const struct life *life, unsigned level)
{
    fprintf(stderr, "FAILED: %s\n  saw:%s\n  replay: powercut %s %u", life->wrong, life->decisions, run.scene->name,
            run.config);
    print_cuts(stderr, level);
    fprintf(stderr, "\n");
    if (++run.failed >= run.failures) {
        fprintf(stderr, "%u failures after %llu cuts: stopped\n", run.failures,
                (unsigned long long) (run.life[0].totals.cuts + run.life[1].totals.cuts));
        print_json(); /* the figures have this part, too */
        exit(1);
    }
}

/* Cut at an operation of `level`'s trace; its shadow is as before it. @return whether all was right. */
static bool cut(unsigned level, uint64_t *id, int how)
{
    const struct cut *c = &run.cuts[level];
    struct board_flash_work once = run.traces[level].works[c->operation];
    const struct board_flash_work *work = &once;
    const struct phase *phase;
    struct life *life;
    struct slots slots;
    struct oracle oracle;
    bool good, unsure;

    once.number = 0; /* it counts over all lives of a process: what is torn must follow from the seed alone */
    (void) board_flash_copy(run.torn, run.shadow[level]);
    slots = images_in(run.torn);
    oracle = trace_cut(&run.traces[level], &run.scene->world, c->operation, &slots);
    if (c->phase != 'b' && !board_flash_replay(run.torn, work, c->phase == 'i', c->seed))
        exit(2);
    *id = mix(*id, c->operation + (c->phase == 'a' ? 1u : 0u));
    if (c->phase == 'i')
        *id = torn_state(*id, work);
    (void) state_is_new(*id);
    unsure = board_flash_unsure(run.torn, FOTA_FLASH_BASE, FOTA_FLASH_SIZE);
    life = &run.life[unsure && (work->erase || c->seed % EXACT == 0)];
    run.unsure += unsure;
    run.last = life;
    phase = &run.traces[level].phases[run.traces[level].at[c->operation]];
    life->under_way = ORACLE_NONE;
    if (phase->kind == INSTALLING || phase->kind == SENDING)
        life->under_way = phase->image;
    if (work->erase && life->under_way != ORACLE_NONE)
        how = LIFE_AFTERLIFE; /* does the install go on as it should? */
    life->totals.cuts++;
    life->answers.by_arm = c->seed % BY_ARM == 0;
    run.by_arm += life->answers.by_arm;
    good = life_on(life, run.torn, &oracle, c->seed, how);
    if (run.verbose) {
        printf("cut");
        print_cuts(stdout, level);
        printf(" |%s, %016llx\n", life->decisions, (unsigned long long) *id);
    }
    if (!good) {
        life->totals.bricked++;
        report(life, level);
    }
    return good;
}

static int how_of(uint64_t seed)
{
    uint64_t r = seed >> 9 & 63u;

    return r < 46u ? LIFE_BRIEF : r < 60u ? LIFE_LONG : LIFE_AFTERLIFE;
}

/* The recovery that has just been lived through is cut in, too. */
static void deeper(unsigned level)
{
    struct trace trace = run.traces[level];

    run.traces[level] = run.last->trace;
    run.last->trace = trace; /* its memory is used again */
    (void) board_flash_copy(run.shadow[level], run.torn);
}

/* --- the sweep -------------------------------------------------------------------------------------------------- */

/* Words of code and header are many and alike; the first and last ones of a part are as good as the others. */
static bool plain(const struct board_flash_work *work)
{
    uint32_t at = work->address - fota_sector_base(fota_sector_of(work->address));

    return !work->erase && fota_sector_of(work->address) < FOTA_JOURNAL_SPARE_SECTOR && at >= 8u &&
           (at < FOTA_HEADER_SIZE - 4u || at >= FOTA_HEADER_SIZE + 8u);
}

/* Of an install in a recovery, which is as long as that of a scene, only some operations are cut at. */
static double weight(const struct trace *t, unsigned op)
{
    const struct board_flash_work *work = &t->works[op];

    return op < t->offered ? 1.0 : work->erase ? 0.5 : plain(work) ? 0.005 : 0.2;
}

static bool chosen(uint64_t *random, double share)
{
    return (double) (rig_random(random) >> 11) / 9007199254740992.0 < share;
}

/* A third cut, a fourth …: at one operation of each recovery. */
static void sweep_on(unsigned level, uint64_t id, uint64_t seed)
{
    uint64_t random = mix(seed, level);
    struct cut *c = &run.cuts[level];

    if (level >= LEVELS || run.last->trace.count == 0)
        return;
    deeper(level);
    for (unsigned i = 0; i < 4u; i++) { /* hardly ever a word of code */
        c->operation = (unsigned) (rig_random(&random) % run.traces[level].count);
        if (!plain(&run.traces[level].works[c->operation]))
            break;
    }
    c->seed = rig_random(&random);
    c->phase = "iiiba"[rig_random(&random) % 5u];
    for (unsigned op = 0; op < c->operation; op++)
        (void) board_flash_replay(run.shadow[level], &run.traces[level].works[op], false, 0);
    if (cut(level, &id, how_of(c->seed)) && chosen(&random, 0.6))
        sweep_on(level + 1u, id, c->seed);
}

/* Every operation of the recovery. */
static void sweep_recovery(uint64_t id, uint64_t seed)
{
    double share = run.share > 0.25 ? 1.0 : 4.0 * run.share;
    uint64_t random = mix(seed, 1);
    struct cut *c = &run.cuts[1];

    deeper(1);
    for (unsigned op = 0; op < run.traces[1].count; op++) {
        uint64_t here = id;

        c->operation = op;
        c->seed = rig_random(&random);
        c->phase = "iiiba"[rig_random(&random) % 5u];
        if (chosen(&random, share * weight(&run.traces[1], op)) && cut(1, &here, how_of(c->seed)) &&
            chosen(&random, 0.125))
            sweep_on(2, here, c->seed);
        (void) board_flash_replay(run.shadow[1], &run.traces[1].works[op], false, 0);
    }
}

static void sweep(void)
{
    struct trace *t = &run.traces[0];
    uint64_t random = mix(run.seed, run.config);

    for (unsigned op = 0; op < t->count; op++) {
        const struct board_flash_work *work = &t->works[op];
        bool is_plain = plain(work);
        bool seals = !is_plain && !work->erase && work->address % 32u == 28u; /* the last word of a record */
        unsigned ways = 2u + (is_plain ? 1u : seals ? 2u * run.seeds : run.seeds);

        /* each operation in one of the configurations; which one differs from seed to seed */
        if ((op / 8u + run.seed) % CONFIGS != run.config && run.share == 1.0)
            ways = 0;
        if (is_plain && (op / 4u) % run.scene->sparse != 0)
            ways = 0;
        for (unsigned way = 0; way < ways; way++) {
            uint64_t id = mix(0, 1);
            struct cut *c = &run.cuts[0];

            c->operation = op;
            c->phase = way == 0 ? 'b' : way == 1 ? 'a' : 'i';
            c->seed = rig_random(&random);
            if (!chosen(&random, run.share) || !cut(0, &id, how_of(c->seed)))
                continue;
            if (way == 2u && (!is_plain || c->seed % 16u == 0))
                sweep_recovery(id, c->seed);
        }
        (void) board_flash_replay(run.shadow[0], work, false, 0);
    }
}

/* --- */

static void replay(unsigned count)
{
    uint64_t id = mix(0, 1); /* as a sweep begins */

    run.verbose = true;
    for (unsigned level = 0; level < count; level++) {
        struct trace *t = &run.traces[level];

        if (level > 0)
            deeper(level);
        if (run.cuts[level].operation >= t->count) {
            fprintf(stderr, "there are only %u operations to cut at\n", t->count);
            exit(2);
        }
        for (unsigned op = 0; op < run.cuts[level].operation; op++)
            (void) board_flash_replay(run.shadow[level], &t->works[op], false, 0);
        if (!cut(level, &id, how_of(run.cuts[level].seed)))
            return;
    }
}

static struct board *blank_board(struct board_options options)
{
    struct board *b;

    options.weak = BOARD_WEAK_EACH_READ;
    b = board_create(&options);
    if (b == NULL) {
        fprintf(stderr, "%s\n", board_create_error());
        exit(2);
    }
    return b;
}

static void prepare(void)
{
    static const uint32_t lsi[] = {17000, 32000, 47000};
    struct rig_options options = {0};

    board_options_default(&options.board);
    options.board.flash_timing = run.config % 2u == 0 ? BOARD_FLASH_TYPICAL : BOARD_FLASH_MAX;
    options.board.lsi_hz = lsi[run.config / 2u];
    options.max_baud = 2000000; /* as a gateway has it: and it is sooner here */
    for (unsigned i = 0; i < LEVELS; i++)
        run.shadow[i] = blank_board(options.board);
    run.torn = blank_board(options.board);
    scene_play(run.scene, &options, run.shadow[0]);
    run.traces[0] = run.scene->trace;
    memset(&run.scene->trace, 0, sizeof run.scene->trace);
    options.board.weak = BOARD_WEAK_NOW_AND_THEN;
    life_create(&run.life[0], &options);
    options.board.weak = BOARD_WEAK_EACH_READ;
    life_create(&run.life[1], &options);
    for (unsigned i = 0; i < 2u; i++)
        answers_freeze(&run.life[i].answers, &run.scene->answers);
}

static uint64_t differed(void)
{
    return run.scene->answers.differed + run.life[0].answers.differed + run.life[1].answers.differed;
}

static void print_json(void)
{
    const struct totals *t = &run.life[0].totals, *u = &run.life[1].totals;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"operations", run.traces[0].count},
                {"cuts", t->cuts + u->cuts},
                {"unsure", run.unsure},
                {"bricked", t->bricked + u->bricked},
                {"states", run.state_count},
                {"boots_old", t->boots_old + u->boots_old},
                {"boots_new", t->boots_new + u->boots_new},
                {"boots_recovery", t->boots_recovery + u->boots_recovery},
                {"boots", t->boots + u->boots},
                {"installs", t->installs + u->installs},
                {"resumed", t->resumed + u->resumed},
                {"by_arm", run.by_arm},
                {"compared", run.life[0].answers.compared + run.life[1].answers.compared},
                {"differed", differed()}};

    printf("{\"scene\":\"%s\",\"config\":%u", run.scene->name, run.config);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf(",\"%s\":%llu", rows[i].name, (unsigned long long) rows[i].value);
    printf("}\n");
}

static const char usage[] =
    "usage: powercut [--share F] [--seed N] [--seeds N] [--failures N] [--verbose] SCENE CONFIG [OPERATION:PHASE:SEED "
    "...]\n"
    "       powercut --list\n"
    "Cuts the supply of a virtual STM32F407 at the flash operations of a scene, and of the recoveries.\n"
    "  --share F    part of the cuts of a full run to make, 0 to 1 (default 1)\n"
    "  --seed N     of everything that is left to chance (default 1)\n"
    "  --seeds N    ways of a cut inside an operation (default 5)\n"
    "  --failures N stop after so many (default 20)\n"
    "  --verbose    print every cut and what came of it\n"
    "  CONFIG       0 to 5: flash timing typical (even) or maximum (odd), LSI 17, 32 or 47 kHz (CONFIG / 2)\n"
    "  OPERATION:PHASE:SEED   replay cuts, each in the recovery from the one before; PHASE b, i or a\n"
    "Prints a line of JSON. Exit status: 0 all right, 1 failures, 2 it could not run.\n";

static void parse_cuts(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        struct cut *c = &run.cuts[i];
        unsigned long long seed;

        if (sscanf(argv[i], "%u:%c:%llu", &c->operation, &c->phase, &seed) != 3 || strchr("bia", c->phase) == NULL) {
            fprintf(stderr, "not a cut: %s\n%s", argv[i], usage);
            exit(2);
        }
        c->seed = seed;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"share", required_argument, NULL, 's'},    {"seed", required_argument, NULL, 'S'},
        {"seeds", required_argument, NULL, 'n'},    {"verbose", no_argument, NULL, 'v'},
        {"failures", required_argument, NULL, 'f'}, {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},           {0}};
    int option;
    struct rig *rig;

    run.share = 1.0;
    run.seed = 1;
    run.seeds = 5;
    run.failures = 20;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            run.share = strtod(optarg, NULL);
            break;
        case 'S':
            run.seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            run.seeds = (unsigned) strtoul(optarg, NULL, 0);
            break;
        case 'f':
            run.failures = (unsigned) strtoul(optarg, NULL, 0);
            break;
        case 'v':
            run.verbose = true;
            break;
        case 'l':
            for (unsigned i = 0; i < scene_count; i++)
                printf("%s\n", scenes[i].name);
            return 0;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    for (unsigned i = 0; argc - optind >= 2 && i < scene_count; i++)
        if (strcmp(scenes[i].name, argv[optind]) == 0)
            run.scene = &scenes[i];
    if (run.scene == NULL || argc - optind > 2 + (int) LEVELS || !(run.share > 0.0 && run.share <= 1.0)) {
        fputs(usage, stderr);
        return 2;
    }
    run.config = (unsigned) strtoul(argv[optind + 1], NULL, 10) % CONFIGS;
    rig = rig_create(NULL);
    images_make(rig);
    rig_destroy(rig);
    prepare();
    if (argc - optind > 2) {
        parse_cuts(argc - optind - 2, argv + optind + 2);
        replay((unsigned) (argc - optind - 2));
    } else {
        sweep();
    }
    print_json();
    return run.failed + differed() > 0 ? 1 : 0;
}
