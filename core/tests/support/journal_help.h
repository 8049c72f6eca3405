/* SPDX-License-Identifier: MIT */
/** @file journal_help.h Records for the tests of the journal. */
#ifndef SUPPORT_JOURNAL_HELP_H
#define SUPPORT_JOURNAL_HELP_H

#include "fota/journal.h"
#include "ram_flash.h"

#include <string.h>

/** A record about image number `image`: its identity is that byte 16 times, its reason the negative number. */
static inline struct fota_record test_record(uint8_t type, uint8_t slot, uint8_t image, uint32_t arg)
{
    struct fota_record r = {.type = type, .slot = slot, .reason = (int16_t) -image, .arg = arg};

    memset(r.identity, image, sizeof r.identity);
    return r;
}

/** A state without what has no meaning: the identity of no slot, the progress of no install. */
static inline struct fota_boot_state test_meaning(const struct fota_boot_state *state)
{
    struct fota_boot_state s;

    memset(&s, 0, sizeof s); /* padding, too */
    s.confirmed.slot = s.candidate.slot = s.install.slot = FOTA_SLOT_NONE;
    if (state->confirmed.slot != FOTA_SLOT_NONE)
        s.confirmed = state->confirmed;
    if (state->candidate.slot != FOTA_SLOT_NONE)
        s.candidate = state->candidate;
    s.trial = state->trial;
    s.attempts = state->attempts;
    s.floor = state->floor;
    s.spoiled = state->spoiled;
    s.reject_count = state->reject_count;
    memcpy(s.rejects, state->rejects, state->reject_count * sizeof s.rejects[0]);
    if (state->install.slot != FOTA_SLOT_NONE) {
        s.install = state->install;
        s.install_size = state->install_size;
        s.install_next = state->install_next;
        s.erased = (uint16_t) (state->erased & 0x0FFFu); /* there are 12 sectors */
    }
    return s;
}

#endif
