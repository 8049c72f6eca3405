/* SPDX-License-Identifier: MIT */
/* The journal on arbitrary flash: opened, settled, maintained, used. The first byte says how records are made good:
 * without, only the checksum's luck would get any counted. */
#include "fuzz.h"

#include "fota/bytes.h"
#include "fota/crc32.h"
#include "fota/journal.h"
#include "fota/map.h"

static struct fuzz_flash flash;

static void bounded(const struct fota_boot_state *s)
{
    PROMISE(s->confirmed.slot <= 1u || s->confirmed.slot == FOTA_SLOT_NONE);
    PROMISE(s->candidate.slot <= 1u || s->candidate.slot == FOTA_SLOT_NONE);
    PROMISE(s->reject_count <= FOTA_REJECTS);
    PROMISE(s->trial <= FOTA_TRIAL_RUNNING);
    PROMISE((s->trial == FOTA_TRIAL_NONE) == (s->candidate.slot == FOTA_SLOT_NONE));
}

/* Records at the places that the input names, in both banks. */
static void fill(struct fuzz_input *in, uint8_t how)
{
    uint32_t base[2] = {fuzz_word(in), fuzz_word(in)};

    for (unsigned bank = 0; bank < 2u; bank++) {
        uint8_t *head = fuzz_flash_at(&flash, fota_sector_base(bank == 0 ? 11 : 10));

        if ((how & (1u << bank)) == 0)
            continue;
        fota_put32(head, base[bank]);
        fota_put32(head + 4, 0x314A4F46u);
        fota_put32(head + 28, fota_crc32(0, head, 28));
    }
    while (in->size >= 4u) {
        uint16_t where = (uint16_t) (fuzz_byte(in) | fuzz_byte(in) << 8);
        unsigned bank = where >> 15, place = (how & 8u) != 0 ? where % 4096u : where % 64u;
        uint8_t *at = fuzz_flash_at(&flash, fota_sector_base(bank == 0 ? 11 : 10)) + 32u * place;

        for (unsigned i = 4; i < 28u; i++)
            at[i] = i < 8u || i >= 24u || (i & 7u) == 0 ? fuzz_byte(in) : at[i] & 0x11u;
        if ((how & 4u) == 0) {
            fota_put32(at, base[bank] + place);
            fota_put32(at + 28, fota_crc32(0, at, 28));
        } else {
            fota_put32(at, fuzz_word(in));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fota_journal j, again;
    struct fuzz_input in = {data, size};
    struct fota_record record = {.type = FOTA_RECORD_REJECTED, .slot = 1, .reason = -3};
    int error;

    if (flash.memory == NULL)
        fuzz_flash_init(&flash, FUZZ_JOURNAL);
    fuzz_flash_clear(&flash, FUZZ_JOURNAL);
    fill(&in, fuzz_byte(&in));

    PROMISE(fota_journal_open(&j, &flash.port) == FOTA_OK);
    bounded(&j.state);
    PROMISE(fota_journal_open(&again, &flash.port) == FOTA_OK);
    PROMISE(memcmp(&j, &again, sizeof j) == 0); /* the same content is read in the same way */
    error = fota_journal_settle(&j);
    bounded(&j.state);
    if (error == FOTA_OK)
        error = fota_journal_maintain(&j);
    bounded(&j.state);
    PROMISE(flash.works < 5000u);
    if (error == FOTA_OK && (error = fota_journal_append(&j, &record)) == FOTA_OK) {
        bounded(&j.state);
        PROMISE(fota_journal_open(&again, &flash.port) == FOTA_OK);
        PROMISE(memcmp(&j.state, &again.state, sizeof j.state) == 0); /* what was written is what is read */
        PROMISE(j.used == again.used && j.bank == again.bank);
    }
    return 0;
}
