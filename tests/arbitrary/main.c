/* SPDX-License-Identifier: MIT */
/*
 * Whatever stands in the sectors 1 to 11: the bootloader decides within 2 s, erases left out, enters nothing that is
 * not a signed image whole, and else answers on the link and takes an update where the journal lets it. Where journal
 * and confirmed image are as they were, it boots that image, or the candidate, whatever stands elsewhere.
 *
 *     arbitrary FIRST COUNT      contents FIRST to FIRST + COUNT - 1; a failure prints the line that replays it
 */
#include "answers.h"
#include "images.h"
#include "memory_flash.h"

#include "fota/crc32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIDE_MS 2000u
#define END_MS 60000u /* with the erases: then it will never decide */
#define FLASH_SR 0x40023C0Cu
#define FLASH_SR_BSY (1u << 16)
#define DUMPS 8u

static struct {
    struct rig *rig;
    struct answers answers;
    uint8_t *dumps[DUMPS]; /* flashes of devices in the field */
    uint8_t *flash;
    uint64_t entered, stayed, intact, updated, refused, wrong, late;
    unsigned slowest;
} run;

/* --- devices in the field --------------------------------------------------------------------------------------- */

/* What their journals say. The candidates have attempts left. */
static const struct {
    uint8_t confirmed_slot, confirmed, candidate_slot, candidate;
} said[DUMPS] = {
    {FOTA_SLOT_NONE, 0, FOTA_SLOT_NONE, 0},    {FOTA_SLOT_A, FIRST, FOTA_SLOT_NONE, 0},
    {FOTA_SLOT_A, FIRST, FOTA_SLOT_B, SECOND}, {FOTA_SLOT_A, FIRST, FOTA_SLOT_B, THIRD},
    {FOTA_SLOT_B, SECOND, FOTA_SLOT_NONE, 0},  {FOTA_SLOT_B, SECOND, FOTA_SLOT_NONE, 0},
    {FOTA_SLOT_NONE, 0, FOTA_SLOT_NONE, 0},    {FOTA_SLOT_A, LARGE, FOTA_SLOT_NONE, 0},
};

static uint8_t *blank(void)
{
    uint8_t *flash = malloc(FOTA_FLASH_SIZE);

    if (flash == NULL)
        exit(2);
    memset(flash, 0xFF, FOTA_FLASH_SIZE);
    return flash;
}

static uint8_t *put(uint8_t *flash, unsigned slot, unsigned image)
{
    memcpy(flash + (fota_slot_base(slot) - FOTA_FLASH_BASE), images[image].slot[slot].data,
           images[image].slot[slot].size);
    return flash;
}

static void record(uint8_t *flash, uint8_t type, unsigned slot, unsigned image, uint32_t arg)
{
    memory_record(flash, type, slot, images[image].slot[slot].data, arg);
}

static void make_dumps(void)
{
    uint8_t *f;

    run.dumps[0] = put(blank(), FOTA_SLOT_A, FIRST); /* as it comes from a programmer */
    f = run.dumps[1] = put(blank(), FOTA_SLOT_A, FIRST);
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, FIRST, images[FIRST].counter);
    f = run.dumps[2] = put(put(blank(), FOTA_SLOT_A, FIRST), FOTA_SLOT_B, SECOND);
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, FIRST, images[FIRST].counter);
    record(f, FOTA_RECORD_PENDING, FOTA_SLOT_B, SECOND, 0);
    f = run.dumps[3] = put(put(blank(), FOTA_SLOT_A, FIRST), FOTA_SLOT_B, THIRD);
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, FIRST, images[FIRST].counter);
    record(f, FOTA_RECORD_TRIAL, FOTA_SLOT_B, THIRD, 2);
    f = run.dumps[4] = put(put(blank(), FOTA_SLOT_A, FIRST), FOTA_SLOT_B, SECOND);
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_B, SECOND, images[SECOND].counter);
    f = run.dumps[5] = put(put(blank(), FOTA_SLOT_A, THIRD), FOTA_SLOT_B, SECOND); /* an install was under way in A */
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_B, SECOND, images[SECOND].counter);
    record(f, FOTA_RECORD_INSTALL, FOTA_SLOT_A, THIRD, (uint32_t) images[THIRD].slot[0].size - FOTA_HEADER_SIZE);
    record(f, FOTA_RECORD_ERASING, FOTA_SLOT_A, THIRD, 1);
    record(f, FOTA_RECORD_ERASED, FOTA_SLOT_A, THIRD, 1);
    f = run.dumps[6] = put(put(blank(), FOTA_SLOT_A, IS_BAD), FOTA_SLOT_B, HANGS);
    record(f, FOTA_RECORD_REJECTED, FOTA_SLOT_B, HANGS, 0);
    f = run.dumps[7] = put(put(blank(), FOTA_SLOT_A, LARGE), FOTA_SLOT_B, FIRST);
    record(f, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, LARGE, images[LARGE].counter);
}

/* --- contents --------------------------------------------------------------------------------------------------- */

static void noise(uint8_t *to, uint32_t size, uint64_t *random)
{
    for (uint32_t i = 0; i < size; i += 8u) {
        uint64_t r = rig_random(random);

        memcpy(to + i, &r, 8);
    }
}

/* Bits that have changed: mostly lost charge one way, sometimes either. */
static void rot(uint8_t *to, uint32_t size, uint64_t *random)
{
    unsigned bits = 1u << rig_random(random) % 12u, kind = (unsigned) (rig_random(random) % 3u);

    while (bits-- > 0) {
        uint64_t r = rig_random(random);
        uint8_t bit = (uint8_t) (1u << (r >> 32 & 7u)), *at = to + (uint32_t) r % size;

        *at = (uint8_t) (kind == 0 ? *at | bit : kind == 1 ? *at & ~bit : *at ^ bit);
    }
}

/* Records as nobody writes them, whole all the same: any type, slot, image and number, in and out of sequence. */
static void hostile_journal(uint8_t *to, uint64_t *random)
{
    uint32_t base = (uint32_t) rig_random(random), count = (uint32_t) rig_random(random) % 400u;
    uint32_t head[8] = {base, FOTA_JOURNAL_MAGIC, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0};

    if (rig_random(random) % 4u == 0)
        base = head[0] = UINT32_MAX - (uint32_t) rig_random(random) % 300u;
    if (rig_random(random) % 16u == 0)
        count = FOTA_JOURNAL_RECORDS - 1u;
    head[7] = fota_crc32(0, head, 28);
    memcpy(to, head, sizeof head);
    for (uint32_t i = 1; i <= count; i++) {
        struct fota_record r = {.type = (uint8_t) (rig_random(random) % 16u),
                                .slot = (uint8_t) (rig_random(random) % 3u)};
        uint8_t *at = to + i * FOTA_RECORD_SIZE;
        uint64_t what = rig_random(random);
        uint32_t sequence = base + i + (what % 32u == 0), crc;

        if (r.slot == 2u)
            r.slot = FOTA_SLOT_NONE;
        if (what % 64u == 1u)
            noise((uint8_t *) &r.type, 1, random);
        memcpy(r.identity, images[(what >> 8) % IMAGES].identity, FOTA_IDENTITY_SHORT);
        r.reason = (int16_t) (what >> 16 & 31u);
        r.arg = what >> 32 & 1u ? (uint32_t) (what >> 40) : (uint32_t) (what >> 40 & 3u);
        memcpy(at, &sequence, 4);
        memcpy(at + 4, &r, sizeof r);
        crc = fota_crc32(0, at, FOTA_RECORD_SIZE - 4u);
        memcpy(at + FOTA_RECORD_SIZE - 4u, &crc, 4);
    }
}

/* An image that nobody signed, and all else of it is right: a bit of its header, or one of its code with the digests
 * made anew. */
static void forge(uint8_t *slot_start, unsigned slot, uint64_t *random)
{
    struct fota_header header;
    uint8_t *code = slot_start + FOTA_HEADER_SIZE;
    uint64_t r = rig_random(random);

    memcpy(&header, slot_start, sizeof header);
    if (r % 2u == 0 || fota_header_check(&header) != FOTA_OK || header.image_size > FOTA_KIB(15)) {
        slot_start[(r >> 8) % FOTA_HEADER_SIZE] ^= (uint8_t) (1u << (r >> 32 & 7u));
        return;
    }
    code[512u + (r >> 8) % (header.image_size - 512u)] ^= (uint8_t) (1u << (r >> 32 & 7u));
    header.crc[slot] = fota_crc32(0, code, header.image_size);
    fota_sha256(code, header.image_size, header.sha256[slot]);
    memcpy(slot_start, &header, sizeof header);
}

static void fill(uint64_t *random)
{
    unsigned whole = (unsigned) (rig_random(random) % DUMPS); /* one device, and something of it gone wrong */
    bool mixed = rig_random(random) % 4u == 0;                /* or sectors of several */

    for (unsigned sector = 1; sector < FOTA_SECTOR_COUNT; sector++) {
        uint32_t at = fota_sector_base(sector) - FOTA_FLASH_BASE, size = fota_sector_size(sector);
        unsigned from = mixed ? (unsigned) (rig_random(random) % DUMPS) : whole;

        memcpy(run.flash + at, run.dumps[from] + at, size);
        switch (rig_random(random) % 16u) {
        case 0:
            memset(run.flash + at, 0, size);
            break;
        case 1:
            memset(run.flash + at, 0xFF, size);
            break;
        case 2:
            noise(run.flash + at, size, random);
            break;
        case 3:
        case 4:
            rot(run.flash + at, size, random);
            break;
        case 5:
        case 6:
        case 7:
            if (sector >= FOTA_JOURNAL_SPARE_SECTOR)
                hostile_journal(run.flash + at, random);
            break;
        default:
            break;
        }
        for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
            if (sector == fota_sector_of(fota_slot_base(slot)) && rig_random(random) % 4u == 0)
                forge(run.flash + at, slot, random);
    }
}

static bool holds(unsigned slot, unsigned image)
{
    const struct pack_buffer *whole = &images[image].slot[slot];

    return memcmp(run.flash + (fota_slot_base(slot) - FOTA_FLASH_BASE), whole->data, whole->size) == 0;
}

/* The slot that must be entered: the journal of a device stands there, no other bank claims to be one, and the
 * confirmed image is whole. @return FOTA_SLOT_NONE where too much is gone to say. */
static unsigned must_enter(void)
{
    uint32_t journal = fota_sector_base(FOTA_JOURNAL_SECTOR) - FOTA_FLASH_BASE, magic;

    memcpy(&magic, run.flash + (fota_sector_base(FOTA_JOURNAL_SPARE_SECTOR) - FOTA_FLASH_BASE) + 4, sizeof magic);
    for (unsigned i = 0; i < DUMPS && magic != FOTA_JOURNAL_MAGIC; i++) {
        if (said[i].confirmed_slot == FOTA_SLOT_NONE || !holds(said[i].confirmed_slot, said[i].confirmed) ||
            memcmp(run.flash + journal, run.dumps[i] + journal, FOTA_JOURNAL_BANK_SIZE) != 0)
            continue;
        return said[i].candidate_slot != FOTA_SLOT_NONE && holds(said[i].candidate_slot, said[i].candidate)
                   ? said[i].candidate_slot
                   : said[i].confirmed_slot;
    }
    return FOTA_SLOT_NONE;
}

/* --- one content ------------------------------------------------------------------------------------------------ */

static bool fails(uint64_t number, const char *what)
{
    run.wrong++;
    fprintf(stderr, "FAILED: %s\n  replay: arbitrary %llu 1\n", what, (unsigned long long) number);
    return false;
}

/* Until something is entered or the bootloader sleeps for the first time. @return ms without erases. */
static unsigned decide(bool *entered)
{
    struct board *b = run.rig->board;
    unsigned ms = 0;

    *entered = false;
    for (unsigned all = 0; all < END_MS; all++) {
        enum board_stop stop = board_run_until(b, 1000000u, BOARD_ON_ADDRESS | BOARD_ON_SLEEP);

        *entered = stop == BOARD_STOP_ADDRESS;
        if (stop != BOARD_STOP_TIME)
            return ms;
        ms += (board_peek(b, FLASH_SR) & FLASH_SR_BSY) == 0;
    }
    return END_MS;
}

static bool judge(uint64_t number, uint64_t *random)
{
    struct rig *rig = run.rig;
    struct fota_link_info info;
    enum gw_push_outcome outcome;
    bool entered;
    unsigned must = must_enter(), ms = decide(&entered);

    run.intact += must != FOTA_SLOT_NONE;
    if (ms > run.slowest)
        run.slowest = ms;
    if (ms > DECIDE_MS) {
        run.late++;
        return fails(number, ms == END_MS ? "it never decided" : "it took more than 2 s to decide");
    }
    if (entered) {
        uint32_t pc = board_register(rig->board, BOARD_PC);
        struct slots slots = images_in(rig->board);

        run.entered++;
        if (slots.in[pc < FOTA_SLOT_B_BASE ? 0 : 1] == ORACLE_NONE)
            return fails(number, "it entered what is no whole signed image");
        if (must != FOTA_SLOT_NONE && must != (pc < FOTA_SLOT_B_BASE ? FOTA_SLOT_A : FOTA_SLOT_B))
            return fails(number, "it entered another image than its journal says");
        return true;
    }
    if (must != FOTA_SLOT_NONE)
        return fails(number, "journal and confirmed image are whole, and it does not boot");
    run.stayed++;
    if (!rig_query(rig, &info))
        return fails(number, "it boots nothing and does not answer");
    if (rig_random(random) % 8u != 0)
        return true;
    outcome = rig_update(rig, &images[THIRD].package, false);
    if (outcome == GW_PUSH_CONFIRMED)
        run.updated++;
    else if (outcome == GW_PUSH_FAILED && rig->push.reason != NULL && rig->push.reason[0] != '\0')
        run.refused++;
    else
        return fails(number, "the update neither was confirmed nor failed with a reason");
    return true;
}

static void one(uint64_t number)
{
    struct board *b = run.rig->board;
    uint64_t random = number * 0x9E3779B97F4A7C15u;
    int watch;

    random = rig_random(&random);
    board_power(b, false);
    answers_reset(&run.answers, b);
    board_uart_flush(b, 3);
    board_reseed(b, rig_random(&random));
    memcpy(run.flash, board_flash(b), fota_sector_size(0));
    fill(&random);
    if (!board_flash_load(b, FOTA_FLASH_BASE, run.flash, FOTA_FLASH_SIZE))
        exit(2);
    run.answers.by_arm = rig_random(&random) % 64u == 0;
    watch = board_watch(b, FOTA_SLOT_A_BASE, FOTA_SLOT_B_BASE + FOTA_SLOT_SIZE - 2u);
    board_power(b, true);
    if (watch < 0)
        exit(2);
    (void) judge(number, &random);
    board_unwatch(b, watch);
}

int main(int argc, char **argv)
{
    struct rig_options options = {.max_baud = 2000000};
    uint64_t first, count;

    if (argc != 3 || (count = strtoull(argv[2], NULL, 10)) == 0) {
        fputs(
            "usage: arbitrary FIRST COUNT\n"
            "Fills the sectors 1 to 11 with contents FIRST to FIRST + COUNT - 1 and boots each. Prints a line of "
            "JSON.\n"
            "Exit status: 0 all right, 1 failures, 2 it could not run.\n",
            stderr);
        return 2;
    }
    first = strtoull(argv[1], NULL, 10);
    board_options_default(&options.board);
    run.rig = rig_create(&options);
    images_make(run.rig);
    make_dumps();
    run.flash = blank();
    rig_program(run.rig, NULL);
    if (!answers_install(&run.answers, run.rig->board, RIG_TARGET "/bootloader.elf"))
        return 2;
    for (uint64_t i = 0; i < count; i++)
        one(first + i);
    printf(
        "{\"contents\":%llu,\"entered\":%llu,\"stayed\":%llu,\"intact\":%llu,\"updated\":%llu,\"refused\":%llu,"
        "\"wrong\":%llu,\"late\":"
        "%llu,"
        "\"slowest_ms\":%u,\"differed\":%llu}\n",
        (unsigned long long) count, (unsigned long long) run.entered, (unsigned long long) run.stayed,
        (unsigned long long) run.intact, (unsigned long long) run.updated, (unsigned long long) run.refused,
        (unsigned long long) run.wrong, (unsigned long long) run.late, run.slowest,
        (unsigned long long) run.answers.differed);
    for (unsigned i = 0; i < DUMPS; i++)
        free(run.dumps[i]);
    free(run.flash);
    rig_destroy(run.rig);
    return run.wrong + run.answers.differed > 0 ? 1 : 0;
}
