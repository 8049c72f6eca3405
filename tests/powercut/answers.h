/* SPDX-License-Identifier: MIT */
/**
 * @file answers.h
 * The host's BearSSL answers for the bootloader's signature check and for the rounds of its SHA-256, on the same inputs
 * and in the same virtual time. Where it is asked for, the Arm code runs instead and both must agree.
 */
#ifndef POWERCUT_ANSWERS_H
#define POWERCUT_ANSWERS_H

#include "rig.h"

struct answers {
    bool by_arm;                         /* let the Arm code run, and compare */
    bool frozen;                         /* answers_freeze() */
    uint64_t hosted, compared, differed; /* functions answered; run and compared; of those, with another result */
    uint64_t rounds;                     /* of SHA-256 that were answered */
    uint64_t round_cost;                 /* instructions */
    struct {
        uint8_t digest[32]; /* of the header and the keys */
        int result;
        uint64_t cost;
    } known[64];
    unsigned known_count;
    uint64_t verify_cost; /* of the last one that was measured */
    struct {
        bool under_way;
        int watch;
        uint64_t since; /* instructions */
        uint64_t rounds;
        uint32_t state;                     /* rounds: address of the state */
        uint32_t proof;                     /* verification: where it goes */
        uint8_t signature[FOTA_PROOF_SIZE]; /* what it must be */
        uint32_t expected[8];
        int result;
        unsigned slot;
        uint8_t digest[32];
    } verify, round;
};

/** Answer on a board from now on. @return false when the bootloader's ELF lacks a symbol. */
bool answers_install(struct answers *answers, struct board *board, const char *elf);

/** Take the times over that another board has measured, and measure no more: then every life in a process takes the
 * same course, whatever was lived before it. */
void answers_freeze(struct answers *answers, const struct answers *from);
/** Forget what was under way when the supply went. */
void answers_reset(struct answers *answers, struct board *board);

#endif
