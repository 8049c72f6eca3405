/* SPDX-License-Identifier: MIT */
/*
 * Updates of the real bootloader and applications by the real gateway over a line that damages, loses, repeats and
 * delays bytes, babbles, and carries frames of other sessions and versions, while somebody resets the device or takes
 * its power. Whatever comes of it: the update ends within its time limits, confirmed, rolled back or failed with a
 * reason; the device then runs a signed image that it has confirmed or tries; gateway and device agree; and over a good
 * line the next update goes through.
 *
 *     hostile [--verbose] FIRST COUNT      runs FIRST to FIRST + COUNT - 1; a failure prints the line that replays it
 */
#include "answers.h"
#include "gw/gw.h"
#include "images.h"
#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_NS                                                                                                      \
    (90u * RIG_SECOND) /* the rest of a trial: the longest watchdog, and three attempts of a short deadline */

static struct {
    struct rig *rig;
    struct answers answers;
    struct board *factory[2]; /* confirmed in slot A: FIRST, and AGENT_OLD, which installs while it runs */
    struct line line;
    uint64_t by_agent, confirmed, rolled_back, failed, unbootable, overtime, faults, disturbances;
    bool verbose;
} run;

static bool wrong(uint64_t seed, const char *what)
{
    struct rig *rig = run.rig;

    fprintf(stderr, "FAILED: %s; outcome %d, reason %s, %s\n  replay: hostile --verbose %llu 1\n", what,
            rig->push.outcome, rig->push.reason == NULL ? "" : rig->push.reason, rig->push.detail,
            (unsigned long long) seed);
    return false;
}

/* Somebody pulls the plug, or NRST. */
static void disturb(uint64_t *random)
{
    struct board *b = run.rig->board;

    run.disturbances++;
    if (rig_random(random) % 2u == 0) {
        board_power(b, false);
        answers_reset(&run.answers, b);
        board_run(b, 5u * 1000000u);
        board_power(b, true);
    } else {
        board_nrst(b, true);
        answers_reset(&run.answers, b);
        board_run(b, 1000000u);
        board_nrst(b, false);
    }
}

/* The device says what it runs; that must be there, whole. */
static bool ask(uint64_t seed, struct fota_link_info *info)
{
    struct slots slots;

    for (unsigned i = 0; i < 4u; i++)
        if (rig_query(run.rig, info) && info->slot != FOTA_SLOT_NONE) {
            slots = images_in(run.rig->board);
            if (slots.in[info->slot] == ORACLE_NONE)
                return wrong(seed, "it runs from a slot that holds no whole signed image");
            return true;
        }
    run.unbootable++;
    return wrong(seed, "the device does not answer, or has nothing to boot");
}

/* A lost or damaged frame costs time, never the update: only a bad image fails for what it holds. */
static bool is_about_content(const char *reason)
{
    static const char *const names[] = {"crc", "hash", "signature", "vectors", "key"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(reason, names[i]) == 0)
            return true;
    return false;
}

static bool update(uint64_t seed, uint8_t image, uint64_t *random)
{
    struct rig *rig = run.rig;
    struct pack_buffer package = {malloc(images[image].package.size), images[image].package.size};
    uint32_t trouble = rig_random(random) % 3u == 0 ? 500u << rig_random(random) % 5u : 0; /* one in so many ms */
    uint64_t begun = board_now(rig->board), limit = 0;
    bool agrees;
    struct fota_link_info info;

    if (package.data == NULL)
        abort();
    memcpy(package.data, images[image].package.data, package.size);
    if (images[image].bad)
        package.data[FOTA_HEADER_SIZE + 2048u] ^= 0x55u;
    rig->line = (struct rig_line){&run.line, line_travel};
    line_init(&run.line, rig->board, seed);
    rig_start(rig, &package, false);
    limit = (GW_PUSH_ENTER_LIMIT_MS + GW_PUSH_VERIFY_LIMIT_MS + gw_push_jump_limit_ms(&rig->push.header) +
             GW_PUSH_LEAVE_LIMIT_MS + GW_PUSH_WRITE_LIMIT_MS * (2u + (uint32_t) images[image].slot[0].size / 1024u)) *
            1000000ull;
    while (rig_step(rig) && board_now(rig->board) - begun < limit)
        if (trouble != 0 && rig_random(random) % trouble == 0)
            disturb(random);
    rig->line.travel = NULL;
    run.faults += run.line.faults;
    pack_buffer_free(&package);
    if (rig->push.state != GW_PUSH_ENDED) {
        run.overtime++;
        return wrong(seed, "the update did not end within its time limits");
    }
    run.confirmed += rig->push.outcome == GW_PUSH_CONFIRMED;
    run.rolled_back += rig->push.outcome == GW_PUSH_ROLLED_BACK;
    run.failed += rig->push.outcome == GW_PUSH_FAILED;
    if (rig->push.outcome == GW_PUSH_NONE || rig->push.outcome == GW_PUSH_ANSWERED)
        return wrong(seed, "the update ended as nothing");
    if (rig->push.outcome != GW_PUSH_CONFIRMED && (rig->push.reason == NULL || rig->push.reason[0] == 0))
        return wrong(seed, "the update failed without a reason");
    if (run.verbose)
        printf(
            "%llu: %s, outcome %d %s; %llu faults, flip %u drop %u twice %u cut %u stall %u babble %u, %u/%u ms, "
            "trouble %u\n",
            (unsigned long long) seed, images[image].name, rig->push.outcome, rig->push.reason,
            (unsigned long long) run.line.faults, run.line.flip, run.line.drop, run.line.twice, run.line.cut,
            run.line.stall, run.line.babble, run.line.on_ms, run.line.off_ms, trouble);
    if (rig->push.outcome == GW_PUSH_FAILED && !images[image].bad && is_about_content(rig->push.reason))
        return wrong(seed, "what the line did came into the image");
    if (rig->push.outcome != GW_PUSH_CONFIRMED)
        return true;
    if (images[image].bad || images[image].behaviour != CONFIRMS)
        return wrong(seed, "an image that cannot confirm itself is called confirmed");
    /* the device says the same */
    if (!ask(seed, &info))
        return false;
    agrees =
        memcmp(info.identity, images[image].identity, FOTA_IDENTITY_SHORT) == 0 && info.confirmed_slot == info.slot;
    return agrees || wrong(seed, "the gateway says confirmed, the device does not");
}

static bool live(uint64_t seed)
{
    static const uint8_t jobs[] = {SECOND, SECOND, SECOND, THIRD, IS_LATE, FAULTS, RESETS, IS_BAD};
    struct rig *rig = run.rig;
    uint64_t random = seed;
    uint8_t image = jobs[rig_random(&random) % sizeof jobs];
    bool agent = rig_random(&random) % 3u == 0;
    struct fota_link_info info;

    board_power(rig->board, false);
    answers_reset(&run.answers, rig->board);
    board_uart_flush(rig->board, 3);
    board_reseed(rig->board, seed);
    (void) board_flash_copy(rig->board, run.factory[agent]);
    run.by_agent += agent;
    if (agent && image == SECOND)
        image = AGENT_NEW;
    run.answers.by_arm = seed % 500u == 0;
    rig->options.max_baud = rig_random(&random) % 2u == 0 ? 0 : 2000000u;
    rig->options.no_pins = rig_random(&random) % 4u == 0;
    board_power(rig->board, true);
    (void) board_run(rig->board, RIG_SECOND / 2u);
    if (!update(seed, image, &random))
        return false;
    /* left alone with a good line, whatever was on its way ends */
    for (uint64_t end = board_now(rig->board) + SETTLE_NS; board_now(rig->board) < end;) {
        (void) board_run(rig->board, RIG_SECOND);
        rig_listen(rig);
        rig->text_length = 0;
        if (!rig_query(rig, &info))
            continue;
        if (info.mode == FOTA_MODE_APPLICATION && info.trial == FOTA_TRIAL_NONE)
            break;
        if (info.mode == FOTA_MODE_BOOTLOADER) /* a frame makes it stay for 10 s */
            (void) board_run(rig->board, GW_QUERY_LOADER_MS * 1000000ull);
    }
    if (!ask(seed, &info))
        return false;
    if (info.trial != FOTA_TRIAL_NONE || info.confirmed_slot != info.slot || info.mode != FOTA_MODE_APPLICATION)
        return wrong(seed, "the device did not come to rest on a confirmed image");
    /* and the next update goes through: the same code as THIRD or SECOND, whatever it does not run */
    image = memcmp(info.identity, images[THIRD].identity, FOTA_IDENTITY_SHORT) == 0 ? SECOND : THIRD;
    if (image == SECOND) /* below the floor then: refused before anything is touched */
        return rig_update(rig, &images[SECOND].package, false) == GW_PUSH_FAILED &&
               (strcmp(rig->push.reason, "floor") == 0 ||
                wrong(seed, "an image below the floor was not refused as such"));
    if (rig_update(rig, &images[THIRD].package, true) != GW_PUSH_CONFIRMED)
        return wrong(seed, "the next update over a good line did not go through");
    return true;
}

/* @return whether the image confirmed itself. */
static bool make_factory(struct board **factory, const struct rig_options *options, uint8_t image)
{
    struct rig *rig = run.rig;
    struct board *blank = board_create(&options->board);

    if (blank == NULL || !board_flash_copy(rig->board, blank))
        return false;
    rig_program(rig, &images[image].package);
    rig->text_length = 0;
    rig->text[0] = 0;
    board_power(rig->board, true);
    if (!rig_run_until(rig, "confirmed", 20u * RIG_SECOND))
        return false;
    board_power(rig->board, false);
    *factory = blank;
    return board_flash_copy(blank, rig->board);
}

int main(int argc, char **argv)
{
    struct rig_options options = {0};
    uint64_t first, count, bad = 0;

    if (argc > 1 && strcmp(argv[1], "--verbose") == 0) {
        run.verbose = true;
        argc--;
        argv++;
    }
    if (argc != 3) {
        fprintf(stderr,
                "usage: hostile [--verbose] FIRST COUNT\nRuns FIRST to FIRST + COUNT - 1 of the hostile-link campaign; "
                "prints a line of JSON.\n"
                "Exit status: 0 all right, 1 failures, 2 it could not run.\n");
        return 2;
    }
    first = strtoull(argv[1], NULL, 0);
    count = strtoull(argv[2], NULL, 0);
    board_options_default(&options.board);
    run.rig = rig_create(&options);
    images_make(run.rig);
    if (!answers_install(&run.answers, run.rig->board, RIG_TARGET "/bootloader.elf"))
        return 2;
    if (!make_factory(&run.factory[0], &options, FIRST) || !make_factory(&run.factory[1], &options, AGENT_OLD))
        return 2;
    for (uint64_t seed = first; seed < first + count; seed++)
        bad += !live(seed);
    printf(
        "{\"runs\":%llu,\"by_agent\":%llu,\"confirmed\":%llu,\"rolled_back\":%llu,\"failed\":%llu,\"wrong\":%llu,"
        "\"unbootable\":%llu,"
        "\"overtime\":%llu,"
        "\"faults\":%llu,\"resets\":%llu,\"differed\":%llu}\n",
        (unsigned long long) count, (unsigned long long) run.by_agent, (unsigned long long) run.confirmed,
        (unsigned long long) run.rolled_back, (unsigned long long) run.failed, (unsigned long long) bad,
        (unsigned long long) run.unbootable, (unsigned long long) run.overtime, (unsigned long long) run.faults,
        (unsigned long long) run.disturbances, (unsigned long long) run.answers.differed);
    return bad + run.answers.differed > 0 ? 1 : 0;
}
