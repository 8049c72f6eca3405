/* SPDX-License-Identifier: MIT */
/** @file examine.h Between doctor.c (the ELF as a file and in its memory) and doctor_code.c (what its code does). */
#ifndef PACK_EXAMINE_H
#define PACK_EXAMINE_H

#include "doctor.h"
#include "elf.h"

struct examination {
    struct doctor_report *report;
    struct pack_message *error; /* only for what ends an examination: no memory */
    struct pack_elf elf[2];
    unsigned count;
    struct pack_elf flash; /* the first one, without what is not loaded into the flash */
    uint8_t *code;         /* flash.high - flash.low bytes; NULL: nothing there */
    struct pack_image image;
    bool moves_known; /* the image's relocations are known */
    uint32_t named;   /* segments, a bit each, whose load addresses the code makes of MOVW and MOVT, or loads */
    uint32_t base;    /* of the first ELF: where the vector table has to be */
};

/** Add a finding; beyond some of one kind there is one that says so. */
void examine_found(struct examination *x, enum doctor_level level, const char *check, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

_Static_assert(PACK_ELF_SEGMENTS <= 32u, "a bit each");

/** What the code does: VTOR, watchdog, confirmation, faults, the other slot. @return FOTA_OK or FOTA_E_IO. */
int examine_code(struct examination *x);

#endif
