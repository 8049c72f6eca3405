/* SPDX-License-Identifier: MIT */
#include "fota/journal.h"

#include "fota/bytes.h"
#include "fota/crc32.h"

#include <string.h>

/* Offsets in a record. The sequence number comes first on purpose: words are programmed in ascending order, and the number that belongs to a
 * place never changes, so a first word torn by a power cut is simply programmed again by the next record at this place. */
enum { AT_SEQUENCE = 0, AT_TYPE = 4, AT_SLOT = 5, AT_REASON = 6, AT_IDENTITY = 8, AT_ARG = 24, AT_CRC = 28 };

/* A bank's head: AT_SEQUENCE holds the base, AT_TYPE the magic number; the rest is 0xFF up to the CRC. */

static uint32_t place(unsigned bank, uint32_t index)
{
    return fota_sector_base(fota_journal_sector(bank)) + index * FOTA_RECORD_SIZE;
}

static void seal(uint8_t raw[FOTA_RECORD_SIZE])
{
    fota_put32(raw + AT_CRC, fota_crc32(0, raw, AT_CRC));
}

static bool sealed(const uint8_t raw[FOTA_RECORD_SIZE])
{
    return fota_get32(raw + AT_CRC) == fota_crc32(0, raw, AT_CRC);
}

static bool filled_with(const uint8_t raw[FOTA_RECORD_SIZE], uint8_t byte)
{
    for (unsigned i = 0; i < FOTA_RECORD_SIZE; i++)
        if (raw[i] != byte)
            return false;
    return true;
}

/* --- the fold ----------------------------------------------------------------------------------------------- */

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

static void fold(struct fota_boot_state *state, const struct fota_record *record)
{
    switch (record->type) {
    case FOTA_RECORD_CONFIRMED:
        set_image(&state->confirmed, record);
        if (record->arg > state->floor)
            state->floor = record->arg;
        no_candidate(state);
        end_install(state, record->slot);
        break;
    case FOTA_RECORD_PENDING:
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
        state->erased &= (uint16_t) ~(1u << (record->arg % 16u));
        break;
    case FOTA_RECORD_ERASED:
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
        state->spare_clean = true;
        break;
    default: /* of a newer bootloader or agent: kept, not understood */
        break;
    }
}

/* A record that folds has a slot that exists, or none. */
static bool decode(const uint8_t raw[FOTA_RECORD_SIZE], uint32_t sequence, struct fota_record *record)
{
    if (!sealed(raw) || fota_get32(raw + AT_SEQUENCE) != sequence)
        return false;
    record->type = raw[AT_TYPE];
    record->slot = raw[AT_SLOT];
    record->reason = (int16_t) fota_get16(raw + AT_REASON);
    memcpy(record->identity, raw + AT_IDENTITY, FOTA_IDENTITY_SHORT);
    record->arg = fota_get32(raw + AT_ARG);
    return record->slot < FOTA_SLOT_COUNT || record->slot == FOTA_SLOT_NONE;
}

static int read_at(const struct fota_journal *j, unsigned bank, uint32_t index, uint8_t raw[FOTA_RECORD_SIZE])
{
    return j->flash->read(j->flash->ctx, place(bank, index), raw, FOTA_RECORD_SIZE);
}

static int find_bank(struct fota_journal *j)
{
    uint8_t raw[FOTA_RECORD_SIZE];

    for (unsigned bank = 0; bank < FOTA_JOURNAL_BANKS; bank++) {
        int error = read_at(j, bank, 0, raw);
        uint32_t base = fota_get32(raw + AT_SEQUENCE);

        if (error != FOTA_OK)
            return error;
        if (fota_get32(raw + AT_TYPE) == FOTA_JOURNAL_MAGIC && sealed(raw) && (!j->present || base > j->base)) {
            j->present = true;
            j->bank = (uint8_t) bank;
            j->base = base;
        }
    }
    return FOTA_OK;
}

int fota_journal_open(struct fota_journal *j, const struct fota_flash *flash)
{
    uint8_t raw[FOTA_RECORD_SIZE];
    struct fota_record record;
    int error;

    memset(j, 0, sizeof *j);
    j->flash = flash;
    j->state.confirmed.slot = j->state.candidate.slot = j->state.install.slot = FOTA_SLOT_NONE;
    error = find_bank(j);
    if (error != FOTA_OK || !j->present)
        return error;
    j->used = 1;
    for (uint32_t i = 1; i < FOTA_JOURNAL_RECORDS; i++) {
        error = read_at(j, j->bank, i, raw);
        if (error != FOTA_OK)
            return error;
        if (filled_with(raw, 0xFF))
            continue;
        j->used = i + 1u;
        if (decode(raw, j->base + i, &record))
            fold(&j->state, &record);
    }
    return FOTA_OK;
}

static int program_at(const struct fota_journal *j, unsigned bank, uint32_t index, const uint8_t raw[FOTA_RECORD_SIZE])
{
    return j->flash->program(j->flash->ctx, place(bank, index), raw, FOTA_RECORD_SIZE);
}

static int settle_at(const struct fota_journal *j, uint32_t index)
{
    uint8_t raw[FOTA_RECORD_SIZE];
    int error = read_at(j, j->bank, index, raw);

    if (error != FOTA_OK)
        return error;
    if (!sealed(raw) || fota_get32(raw + AT_SEQUENCE) != j->base + index)
        memset(raw, 0, sizeof raw);
    return program_at(j, j->bank, index, raw);
}

int fota_journal_settle(struct fota_journal *j)
{
    int error = FOTA_OK;

    if (!j->present)
        return FOTA_OK;
    if (!j->state.spare_clean) /* the bank may be fresh from a compaction that was cut off */
        error = settle_at(j, 0);
    if (error == FOTA_OK && j->used > 1u)
        error = settle_at(j, j->used - 1u);
    return error;
}

/* --- appending ---------------------------------------------------------------------------------------------- */

static void encode(const struct fota_record *record, uint32_t sequence, uint8_t raw[FOTA_RECORD_SIZE])
{
    fota_put32(raw + AT_SEQUENCE, sequence);
    raw[AT_TYPE] = record->type;
    raw[AT_SLOT] = record->slot;
    fota_put16(raw + AT_REASON, (uint16_t) record->reason);
    memcpy(raw + AT_IDENTITY, record->identity, FOTA_IDENTITY_SHORT);
    fota_put32(raw + AT_ARG, record->arg);
    seal(raw);
}

static bool privileged(uint8_t type)
{
    return type == FOTA_RECORD_TRIAL || type == FOTA_RECORD_CONFIRMED || type == FOTA_RECORD_REJECTED;
}

int fota_journal_append(struct fota_journal *j, const struct fota_record *record)
{
    static const uint8_t zeros[FOTA_RECORD_SIZE];
    uint8_t raw[FOTA_RECORD_SIZE];

    if (!j->present)
        return FOTA_E_JOURNAL_FULL;
    while (j->used < FOTA_JOURNAL_RECORDS - (privileged(record->type) ? 0u : FOTA_JOURNAL_RESERVED)) {
        uint32_t index = j->used++;

        encode(record, j->base + index, raw);
        if (program_at(j, j->bank, index, raw) == FOTA_OK) {
            fold(&j->state, record);
            return FOTA_OK;
        }
        /* a worn or torn place: void it and take the next one */
        (void) program_at(j, j->bank, index, zeros);
    }
    return FOTA_E_JOURNAL_FULL;
}

/* --- compaction --------------------------------------------------------------------------------------------- */

/** The bank that a compaction writes. */
struct copy {
    const struct fota_journal *journal;
    unsigned bank;
    uint32_t base, used;
    int error;
};

static void copy_raw(struct copy *c, uint8_t raw[FOTA_RECORD_SIZE])
{
    fota_put32(raw + AT_SEQUENCE, c->base + c->used);
    seal(raw);
    if (c->error == FOTA_OK)
        c->error = program_at(c->journal, c->bank, c->used++, raw);
}

static void copy_record(struct copy *c, uint8_t type, const struct fota_image_ref *image, int16_t reason, uint32_t arg)
{
    uint8_t raw[FOTA_RECORD_SIZE];
    struct fota_record record = {.type = type, .slot = image->slot, .reason = reason, .arg = arg};

    memcpy(record.identity, image->identity, FOTA_IDENTITY_SHORT);
    encode(&record, 0, raw);
    copy_raw(c, raw);
}

/* Records of types that are not known here come along as they are, as long as half of the new bank stays free. */
static void copy_unknown(struct copy *c)
{
    const struct fota_journal *j = c->journal;
    uint8_t raw[FOTA_RECORD_SIZE];
    struct fota_record record;

    for (uint32_t i = 1; i < j->used && c->used < FOTA_JOURNAL_RECORDS / 2u; i++)
        if (read_at(j, j->bank, i, raw) == FOTA_OK && decode(raw, j->base + i, &record) &&
            (record.type == 0 || record.type > FOTA_RECORD_CLEAN))
            copy_raw(c, raw);
}

/* The order matters to the fold: what clears comes before what it must not clear. */
static void copy_state(struct copy *c)
{
    const struct fota_boot_state *s = &c->journal->state;
    struct fota_image_ref none = {.slot = FOTA_SLOT_NONE};

    if (s->floor > 0)
        copy_record(c, FOTA_RECORD_FLOOR, &none, 0, s->floor);
    for (unsigned i = 0; i < s->reject_count; i++) {
        memcpy(none.identity, s->rejects[i].identity, FOTA_IDENTITY_SHORT);
        copy_record(c, FOTA_RECORD_REJECTED, &none, s->rejects[i].reason, 0);
    }
    if (s->confirmed.slot != FOTA_SLOT_NONE)
        copy_record(c, FOTA_RECORD_CONFIRMED, &s->confirmed, 0, 0);
    if (s->install.slot != FOTA_SLOT_NONE) {
        copy_record(c, FOTA_RECORD_INSTALL, &s->install, 0, s->install_size);
        for (unsigned sector = 0; sector < FOTA_SECTOR_COUNT; sector++)
            if (s->erased & (1u << sector))
                copy_record(c, FOTA_RECORD_ERASED, &s->install, 0, sector);
        copy_record(c, FOTA_RECORD_PROGRESS, &s->install, 0, s->install_next);
    }
    if (s->trial == FOTA_TRIAL_PENDING)
        copy_record(c, FOTA_RECORD_PENDING, &s->candidate, 0, 0);
}

/* Write a bank whole; its head comes last, so it counts for nothing before. */
static int write_bank(struct fota_journal *j, unsigned bank, uint32_t base)
{
    struct copy c = {.journal = j, .bank = bank, .base = base, .used = 1};
    uint8_t raw[FOTA_RECORD_SIZE];
    int error = j->flash->erase(j->flash->ctx, fota_journal_sector(bank));

    if (error != FOTA_OK)
        return error;
    if (j->present) {
        copy_unknown(&c);
        copy_state(&c);
    }
    memset(raw, 0xFF, sizeof raw);
    fota_put32(raw + AT_SEQUENCE, base);
    fota_put32(raw + AT_TYPE, FOTA_JOURNAL_MAGIC);
    seal(raw);
    if (c.error == FOTA_OK)
        c.error = program_at(j, bank, 0, raw);
    return c.error;
}

/* Erase the bank that is not in use and say so. */
static int clean_spare(struct fota_journal *j)
{
    struct fota_record record = {.type = FOTA_RECORD_CLEAN, .slot = FOTA_SLOT_NONE};
    int error = j->flash->erase(j->flash->ctx, fota_journal_sector(j->bank ^ 1u));

    return error != FOTA_OK ? error : fota_journal_append(j, &record);
}

int fota_journal_maintain(struct fota_journal *j)
{
    bool fresh = !j->present;
    int error = FOTA_OK;

    if (j->state.trial == FOTA_TRIAL_RUNNING)
        return FOTA_OK;
    if (fresh || FOTA_JOURNAL_RECORDS - j->used < FOTA_JOURNAL_LOW) {
        error = write_bank(j, fresh ? 0u : j->bank ^ 1u, fresh ? 1u : j->base + j->used);
        if (error == FOTA_OK)
            error = fota_journal_open(j, j->flash);
    }
    if (error == FOTA_OK && !j->state.spare_clean)
        error = clean_spare(j);
    return error;
}
