/* SPDX-License-Identifier: MIT */
#include "fota/journal.h"

#include "fota/crc32.h"

#include <string.h>

/**
 * A record as it lies in flash. The sequence number comes first on purpose: words are programmed in ascending
 * order, and the number that belongs to a place never changes, so a first word torn by a power cut is simply
 * programmed again by the next record at this place.
 */
struct raw_record {
    uint32_t sequence;
    struct fota_record record;
    uint32_t crc; /* CRC-32 of all before */
};
_Static_assert(sizeof(struct raw_record) == FOTA_RECORD_SIZE, "no padding");

/** The head of a bank, in the place of the first record. */
struct raw_head {
    uint32_t base; /* sequence number of this place */
    uint32_t magic;
    uint8_t unused[20]; /* 0xFF */
    uint32_t crc;
};
_Static_assert(sizeof(struct raw_head) == FOTA_RECORD_SIZE, "no padding");

/** What lies in a place. */
union place {
    struct raw_record r;
    struct raw_head head;
    uint32_t words[FOTA_RECORD_SIZE / 4u];
};

#define APPEND_TRIES 4u /* places that may fail in a row before something worse than a worn word is the matter */
#define CRC_LENGTH offsetof(struct raw_record, crc)

static uint32_t address_of(unsigned bank, uint32_t index)
{
    return fota_sector_base(fota_journal_sector(bank)) + index * FOTA_RECORD_SIZE;
}

static void seal(union place *p)
{
    p->r.crc = fota_crc32(0, p, CRC_LENGTH);
}

static bool sealed(const union place *p)
{
    return p->r.crc == fota_crc32(0, p, CRC_LENGTH);
}

static bool is_erased(const union place *p)
{
    for (unsigned i = 0; i < FOTA_RECORD_SIZE / 4u; i++)
        if (p->words[i] != UINT32_MAX)
            return false;
    return true;
}

/* --- the fold --------------------------------------------------------------------------------------------------- */

bool fota_image_is(const struct fota_image_ref *ref, unsigned slot, const uint8_t identity[FOTA_IDENTITY_SHORT])
{
    return ref->slot == slot && memcmp(ref->identity, identity, FOTA_IDENTITY_SHORT) == 0;
}

static void set_image(struct fota_image_ref *ref, const struct fota_record *record)
{
    ref->slot = record->slot;
    memcpy(ref->identity, record->identity, FOTA_IDENTITY_SHORT);
}

static int reject_index(const struct fota_boot_state *state, const uint8_t *identity)
{
    for (int i = 0; i < state->reject_count; i++)
        if (memcmp(state->rejects[i].identity, identity, FOTA_IDENTITY_SHORT) == 0)
            return i;
    return -1;
}

int fota_journal_rejected(const struct fota_boot_state *state, const uint8_t identity[FOTA_IDENTITY_SHORT])
{
    int i = reject_index(state, identity);

    return i < 0 ? FOTA_OK : state->rejects[i].reason;
}

static void drop_reject(struct fota_boot_state *state, int i)
{
    if (i < 0)
        return;
    state->reject_count--;
    memmove(&state->rejects[i], &state->rejects[i + 1], (size_t) (state->reject_count - i) * sizeof state->rejects[0]);
}

static void add_reject(struct fota_boot_state *state, const struct fota_record *record)
{
    struct fota_link_reject *last;

    drop_reject(state, reject_index(state, record->identity));
    if (state->reject_count == FOTA_REJECTS)
        drop_reject(state, 0);
    last = &state->rejects[state->reject_count++];
    last->reason = record->reason;
    memcpy(last->identity, record->identity, FOTA_IDENTITY_SHORT);
}

static void no_candidate(struct fota_boot_state *state)
{
    state->candidate.slot = FOTA_SLOT_NONE;
    state->trial = FOTA_TRIAL_NONE;
    state->attempts = 0;
}

static void end_install(struct fota_boot_state *state, unsigned slot)
{
    if (state->install.slot == slot)
        state->install.slot = FOTA_SLOT_NONE;
}

static void set_candidate(struct fota_boot_state *state, const struct fota_record *record, uint8_t trial)
{
    set_image(&state->candidate, record);
    state->trial = trial;
    state->attempts = trial == FOTA_TRIAL_RUNNING ? (uint8_t) record->arg : 0;
    end_install(state, record->slot);
}

/* No erase of this slot is half done. */
static void whole(struct fota_boot_state *state, unsigned slot)
{
    if (slot < FOTA_SLOT_COUNT)
        state->spoiled &= (uint8_t) ~(1u << slot);
}

static void fold(struct fota_boot_state *state, const struct fota_record *record)
{
    if (record->type <= FOTA_RECORD_TRIAL && record->slot >= FOTA_SLOT_COUNT)
        return; /* those need a slot that exists */
    switch (record->type) {
    case FOTA_RECORD_CONFIRMED:
        set_image(&state->confirmed, record);
        if (record->arg > state->floor)
            state->floor = record->arg;
        no_candidate(state);
        end_install(state, record->slot);
        whole(state, record->slot);
        break;
    case FOTA_RECORD_PENDING:
        whole(state, record->slot);
        set_candidate(state, record, FOTA_TRIAL_PENDING);
        break;
    case FOTA_RECORD_TRIAL:
        set_candidate(state, record, FOTA_TRIAL_RUNNING);
        break;
    case FOTA_RECORD_REJECTED:
        add_reject(state, record);
        if (fota_image_is(&state->candidate, record->slot, record->identity))
            no_candidate(state);
        break;
    case FOTA_RECORD_ALLOWED:
        drop_reject(state, reject_index(state, record->identity));
        break;
    case FOTA_RECORD_INSTALL:
        set_image(&state->install, record);
        state->install_size = record->arg;
        state->install_next = 0;
        state->erased = 0;
        if (state->candidate.slot == record->slot)
            no_candidate(state);
        break;
    case FOTA_RECORD_ERASING:
        if (record->slot < FOTA_SLOT_COUNT)
            state->spoiled |= (uint8_t) (1u << record->slot);
        state->erased &= (uint16_t) ~(1u << (record->arg % 16u));
        break;
    case FOTA_RECORD_ERASED:
        whole(state, record->slot);
        state->erased |= (uint16_t) (1u << (record->arg % 16u));
        break;
    case FOTA_RECORD_PROGRESS:
        if (fota_image_is(&state->install, record->slot, record->identity))
            state->install_next = record->arg;
        break;
    case FOTA_RECORD_VOID:
        end_install(state, record->slot);
        break;
    case FOTA_RECORD_FLOOR:
        if (record->arg > state->floor)
            state->floor = record->arg;
        break;
    case FOTA_RECORD_CLEAN:
    case FOTA_RECORD_DIRTY:
        state->spare_clean = record->type == FOTA_RECORD_CLEAN;
        break;
    default: /* of a newer bootloader or agent: kept, not understood */
        break;
    }
}

/* A record counts when its CRC is right and it is in its own place. */
static bool counts(const union place *p, uint32_t sequence)
{
    return p->r.sequence == sequence && sealed(p);
}

static int read_at(const struct fota_journal *j, unsigned bank, uint32_t index, union place *p)
{
    return j->flash->read(j->flash->ctx, address_of(bank, index), p, sizeof *p);
}

/* Whether a bank went on after the other one was written from it: then that compaction was given up, and what it left
 * is no journal even if its head, torn when the supply went, reads well today. */
static bool went_on(const struct fota_journal *j, unsigned bank, uint32_t base, uint32_t other_base)
{
    union place p;

    for (uint32_t i = other_base - base; i < FOTA_JOURNAL_RECORDS; i++)
        if (read_at(j, bank, i, &p) == FOTA_OK && counts(&p, base + i))
            return true;
    return false;
}

static int find_bank(struct fota_journal *j)
{
    union place p;
    uint32_t base[FOTA_JOURNAL_BANKS] = {0};
    unsigned found = 0;

    for (unsigned bank = 0; bank < FOTA_JOURNAL_BANKS; bank++) {
        int error = read_at(j, bank, 0, &p);

        if (error != FOTA_OK)
            return error;
        if (p.head.magic == FOTA_JOURNAL_MAGIC && sealed(&p)) {
            base[bank] = p.head.base;
            found |= 1u << bank;
        }
    }
    j->present = found != 0;
    j->bank = found == 2u || (found == 3u && base[1] > base[0]);
    if (found == 3u && went_on(j, j->bank ^ 1u, base[j->bank ^ 1u], base[j->bank]))
        j->bank ^= 1u;
    j->base = base[j->bank];
    return FOTA_OK;
}

/* Reads a bank record by record. Of the records before a skip only the last one, and skips after it, can turn out not
 * to count, so one step back is enough. */
struct reader {
    struct fota_boot_state *state;
    struct fota_boot_state before; /* `last` */
    struct fota_record last;       /* that is no skip */
    uint32_t last_sequence;
    uint32_t newest; /* sequence number of the last one, skips included */
};

static void take(struct reader *r, const struct raw_record *raw)
{
    /* the same one twice: its first place was worn */
    bool again = r->newest == r->last_sequence && memcmp(&r->last, &raw->record, sizeof r->last) == 0;

    if (raw->record.type != FOTA_RECORD_SKIP && !again) {
        r->before = *r->state;
        r->last = raw->record;
        r->last_sequence = raw->sequence;
        fold(r->state, &r->last);
    } else if (raw->record.type == FOTA_RECORD_SKIP && r->newest > raw->record.arg) {
        *r->state = r->before;
        if (r->last_sequence <= raw->record.arg)
            fold(r->state, &r->last);
    }
    if (!again)
        r->newest = raw->sequence;
}

int fota_journal_open(struct fota_journal *j, const struct fota_flash *flash)
{
    struct reader reader = {.state = &j->state};
    union place p;
    int error;

    memset(j, 0, sizeof *j);
    j->flash = flash;
    j->state.confirmed.slot = j->state.candidate.slot = j->state.install.slot = FOTA_SLOT_NONE;
    reader.before = j->state;
    error = find_bank(j);
    if (error != FOTA_OK || !j->present)
        return error;
    j->used = 1;
    for (uint32_t i = 1; i < FOTA_JOURNAL_RECORDS; i++) {
        error = read_at(j, j->bank, i, &p);
        if (error != FOTA_OK)
            return error;
        if (is_erased(&p))
            continue;
        j->used = i + 1u;
        if (counts(&p, j->base + i))
            take(&reader, &p.r);
    }
    return FOTA_OK;
}

int fota_journal_peek(const struct fota_flash *flash, unsigned bank, uint32_t index, uint32_t *sequence,
                      struct fota_record *record)
{
    const struct fota_journal j = {.flash = flash};
    union place p;
    int error = read_at(&j, bank, index, &p);

    if (error != FOTA_OK)
        return error;
    if (is_erased(&p))
        return FOTA_E_NO_IMAGE;
    if (!sealed(&p) || (index == 0 && p.head.magic != FOTA_JOURNAL_MAGIC))
        return FOTA_E_CRC;
    *sequence = p.r.sequence;
    *record = p.r.record;
    return FOTA_OK;
}

static int program_at(const struct fota_journal *j, unsigned bank, uint32_t index, const union place *p)
{
    return j->flash->program(j->flash->ctx, address_of(bank, index), p, sizeof *p);
}

/* --- appending -------------------------------------------------------------------------------------------------- */

static bool privileged(uint8_t type)
{
    return type == FOTA_RECORD_TRIAL || type == FOTA_RECORD_CONFIRMED || type == FOTA_RECORD_REJECTED ||
           type == FOTA_RECORD_DIRTY || type == FOTA_RECORD_SKIP;
}

int fota_journal_append(struct fota_journal *j, const struct fota_record *record)
{
    union place p = {.r.record = *record};
    uint32_t limit = FOTA_JOURNAL_RECORDS - (privileged(record->type) ? 0u : FOTA_JOURNAL_RESERVED);
    int error = FOTA_E_JOURNAL_FULL;

    for (unsigned tries = 0; j->present && j->used < limit && tries < APPEND_TRIES; tries++) {
        uint32_t index = j->used++;

        p.r.sequence = j->base + index;
        seal(&p);
        error = program_at(j, j->bank, index, &p);
        if (error == FOTA_OK)
            fold(&j->state, record);
        if (error == FOTA_E_SUPPLY)
            j->used = index; /* nothing was written */
        if (error != FOTA_E_FLASH)
            break; /* else the place is worn: the same again in the next one */
    }
    return error;
}

/* A cut may have torn what was written last: it reads well or badly, or now so and now so. Nothing is ever programmed
 * over it but the same words, which makes it firm; anything else might again be torn, and let it read well another day.
 */
int fota_journal_settle(struct fota_journal *j)
{
    struct fota_record skip = {.type = FOTA_RECORD_SKIP, .slot = FOTA_SLOT_NONE};
    union place p;
    uint32_t last = j->used;
    int error = FOTA_OK;

    if (j->used < 2u) /* no journal, or only its head: maintain sees to that */
        return FOTA_OK;
    do { /* the last one that reads well */
        last--;
        error = read_at(j, j->bank, last, &p);
    } while (error == FOTA_OK && last > 0 && !counts(&p, j->base + last));
    if (error == FOTA_OK && last > 0)
        error = program_at(j, j->bank, last, &p);
    if (error == FOTA_OK && last + 1u < j->used) { /* what follows it does not count, however it reads */
        skip.arg = j->base + last;
        error = fota_journal_append(j, &skip);
    }
    if (error == FOTA_OK || error == FOTA_E_JOURNAL_FULL)
        error = fota_journal_open(j, j->flash); /* what was folded before was read while it was not firm */
    return error;
}

/* --- compaction ------------------------------------------------------------------------------------------------- */

/** The bank that a compaction writes. */
struct copy {
    const struct fota_journal *journal;
    unsigned bank;
    uint32_t base, used;
    int error;
};

static void copy_record(struct copy *c, const struct fota_record *record)
{
    union place p = {.r = {.record = *record}};

    if (c->error != FOTA_OK)
        return;
    for (unsigned tries = 0; tries < APPEND_TRIES; tries++) { /* a worn place is left out, as by an append */
        p.r.sequence = c->base + c->used;
        seal(&p);
        c->error = program_at(c->journal, c->bank, c->used++, &p);
        if (c->error != FOTA_E_FLASH)
            return;
    }
}

static void copy_part(struct copy *c, uint8_t type, const struct fota_image_ref *image, int16_t reason, uint32_t arg)
{
    struct fota_record record = {.type = type, .slot = image->slot, .reason = reason, .arg = arg};

    memcpy(record.identity, image->identity, FOTA_IDENTITY_SHORT);
    copy_record(c, &record);
}

/* Records of types that are not known here come along as they are, as long as half of the new bank stays
 * free. */
static void copy_unknown(struct copy *c)
{
    const struct fota_journal *j = c->journal;
    union place p;

    for (uint32_t i = 1; i < j->used && c->used < FOTA_JOURNAL_RECORDS / 2u; i++)
        if (read_at(j, j->bank, i, &p) == FOTA_OK && counts(&p, j->base + i) &&
            (p.r.record.type == 0 || p.r.record.type > FOTA_RECORD_SKIP))
            copy_record(c, &p.r.record);
}

/* The order matters to the fold: what clears comes before what it must not clear. */
static void copy_state(struct copy *c)
{
    const struct fota_boot_state *s = &c->journal->state;
    struct fota_image_ref none = {.slot = FOTA_SLOT_NONE};

    if (s->floor > 0)
        copy_part(c, FOTA_RECORD_FLOOR, &none, 0, s->floor);
    for (unsigned i = 0; i < s->reject_count; i++) {
        memcpy(none.identity, s->rejects[i].identity, FOTA_IDENTITY_SHORT);
        copy_part(c, FOTA_RECORD_REJECTED, &none, s->rejects[i].reason, 0);
    }
    if (s->confirmed.slot != FOTA_SLOT_NONE)
        copy_part(c, FOTA_RECORD_CONFIRMED, &s->confirmed, 0, 0);
    if (s->install.slot != FOTA_SLOT_NONE) {
        copy_part(c, FOTA_RECORD_INSTALL, &s->install, 0, s->install_size);
        for (unsigned sector = 0; sector < FOTA_SECTOR_COUNT; sector++)
            if (s->erased & (1u << sector))
                copy_part(c, FOTA_RECORD_ERASED, &s->install, 0, sector);
        copy_part(c, FOTA_RECORD_PROGRESS, &s->install, 0, s->install_next);
    }
    if (s->trial == FOTA_TRIAL_PENDING)
        copy_part(c, FOTA_RECORD_PENDING, &s->candidate, 0, 0);
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
        if ((s->spoiled >> slot & 1u) != 0) { /* some sector: which one does not matter any more */
            none.slot = (uint8_t) slot;
            copy_part(c, FOTA_RECORD_ERASING, &none, 0, FOTA_SECTOR_COUNT);
        }
}

static int write_head(struct fota_journal *j, unsigned bank, uint32_t base)
{
    union place p;

    memset(&p, 0xFF, sizeof p);
    p.head.base = base;
    p.head.magic = FOTA_JOURNAL_MAGIC;
    seal(&p);
    return program_at(j, bank, 0, &p);
}

/* Where an erase is torn, a bank may be left with a good head and half of its records. */
static void void_head(const struct fota_journal *j, unsigned bank)
{
    static const union place nothing;

    (void) program_at(j, bank, 0, &nothing); /* what an earlier erase left half done may not read back */
}

/* Write a bank whole; its head comes last, so it counts for nothing before. */
static int write_bank(struct fota_journal *j, unsigned bank, uint32_t base)
{
    struct copy c = {.journal = j, .bank = bank, .base = base, .used = 1};
    int error = j->flash->erase(j->flash->ctx, fota_journal_sector(bank));

    if (error != FOTA_OK)
        return error;
    if (j->present) {
        copy_unknown(&c);
        copy_state(&c);
    }
    return c.error == FOTA_OK ? write_head(j, bank, base) : c.error;
}

/* Erase the bank that is not in use and say so. A cut may have torn the head of the one in use, so it is made
 * firm before. The other one's head is voided before the erase: torn, an erase may leave a bank with a good head and
 * half of its records, and that must never be taken for the journal. */
static int clean_spare(struct fota_journal *j)
{
    struct fota_record record = {.type = FOTA_RECORD_CLEAN, .slot = FOTA_SLOT_NONE};
    int error = write_head(j, j->bank, j->base);

    if (error != FOTA_OK)
        return error;
    void_head(j, j->bank ^ 1u);
    error = j->flash->erase(j->flash->ctx, fota_journal_sector(j->bank ^ 1u));
    return error == FOTA_OK ? fota_journal_append(j, &record) : error;
}

/* The journal goes on in the other bank. The record before anything is erased makes sure that nothing which an earlier,
 * interrupted compaction left there is ever taken for the journal again: this bank went on. */
static int compact(struct fota_journal *j)
{
    struct fota_record record = {.type = FOTA_RECORD_DIRTY, .slot = FOTA_SLOT_NONE};
    int error = j->present ? fota_journal_append(j, &record) : FOTA_OK;

    if (error == FOTA_E_JOURNAL_FULL) /* no place for it: then the head that it would outdo must go first */
        void_head(j, j->bank ^ 1u);
    if (j->present && (error == FOTA_OK || error == FOTA_E_JOURNAL_FULL))
        error = write_bank(j, j->bank ^ 1u, j->base + j->used);
    for (unsigned bank = 0; !j->present && bank < FOTA_JOURNAL_BANKS; bank++) { /* where one is worn, the other */
        error = write_bank(j, bank, 1);
        if (error != FOTA_E_FLASH)
            break;
    }
    return error == FOTA_OK ? fota_journal_open(j, j->flash) : error;
}

int fota_journal_conclude(struct fota_journal *j, const struct fota_record *record)
{
    if (!j->present)
        return FOTA_E_JOURNAL_FULL;
    fold(&j->state, record);
    return fota_journal_maintain(j);
}

int fota_journal_maintain(struct fota_journal *j)
{
    int error = FOTA_OK;

    if (j->state.trial == FOTA_TRIAL_RUNNING)
        return FOTA_OK;
    if (!j->present || FOTA_JOURNAL_RECORDS - j->used < FOTA_JOURNAL_LOW)
        error = compact(j);
    if (error == FOTA_OK && !j->state.spare_clean)
        error = clean_spare(j);
    return error;
}
