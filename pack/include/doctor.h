/* SPDX-License-Identifier: MIT */
/**
 * @file doctor.h
 * What is wrong with an application's ELF, all of it at once and in words: what `fota pack` would refuse, and what
 * would go wrong on a device. docs/cli.md lists the checks. What code does is found by following it from its vectors,
 * so it may be that something is not seen; what is said was seen.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "pack.h"

enum doctor_level {
    DOCTOR_NOTE,    /* good to know, or could not be told */
    DOCTOR_WARNING, /* it works, but not all of it */
    DOCTOR_ERROR    /* it cannot be packed, or a device would not keep it */
};

struct doctor_finding {
    enum doctor_level level;
    const char *check; /* a word for programs, e.g. "vtor" */
    char text[1100];   /* a sentence, what to do included */
};

struct doctor_report {
    struct doctor_finding *finding; /* allocated: doctor_free() */
    unsigned count, errors, warnings;
};

/** Examine one ELF (slot A, with its relocations) or two (slot A, slot B). The same limits as of pack_image_load().
 *  @param report filled in; doctor_free() gives it back, in any case. @return FOTA_OK, also when much is wrong;
 *  FOTA_E_ARGUMENT (count) or FOTA_E_IO (out of memory). */
int doctor_examine(const struct pack_input *inputs, unsigned count, struct doctor_report *report,
                   struct pack_message *error);
void doctor_free(struct doctor_report *report);

#endif
