/* SPDX-License-Identifier: MIT */
/**
 * @file thumb.h
 * What one Thumb-2 instruction does (ARMv7-M ARM A5 to A7), as far as `fota doctor` has to know: where the program goes
 * on, what it reads and writes, and which registers hold a value that is known. What is not understood makes the
 * registers that it may change unknown; that is never wrong, only less.
 */
#ifndef PACK_THUMB_H
#define PACK_THUMB_H

#include <stdbool.h>
#include <stdint.h>

#define THUMB_PC 15u

/** What is known before an instruction. */
struct thumb_state {
    uint32_t value[16];
    uint16_t known; /* a bit for each register */
    uint16_t moves; /* its value is an address that moves with the image */
    uint8_t it;     /* ITSTATE, ARMv7-M ARM A7.3.3 */
};

/** The program that is looked at. */
struct thumb_memory {
    void *ctx;
    /** @param literal whether it belongs to the code; else it may be a variable. @param moves set to whether the word
     * moves with the image. @return false when no such word is known. */
    bool (*word)(void *ctx, uint32_t address, bool literal, uint32_t *value, bool *moves);
};

enum thumb_flow {
    THUMB_NEXT,   /* goes on with the next instruction */
    THUMB_BRANCH, /* goes to `target` */
    THUMB_EITHER, /* one of both */
    THUMB_CALL,   /* goes to `target` and comes back */
    THUMB_LEAVE,  /* goes to where nobody knows: a return, a jump through a register */
    THUMB_TABLE   /* goes on by a table of branches: TBB, TBH */
};

/** What an instruction did. */
struct thumb_step {
    unsigned size; /* of the instruction, 2 or 4 bytes */
    enum thumb_flow flow;
    uint32_t target;               /* of a branch; of a call that is not known: 0 */
    bool literal, reads, writes;   /* a number was made; a known address is read; something is written */
    uint32_t read, loaded;         /* the address; the number: a literal, or of MOVW and MOVT */
    bool loaded_moves;             /* the number is an address that moves with the image */
    bool write_known, value_known; /* whether the next two are */
    bool value_moves;              /* it is an address that moves with the image */
    uint32_t write, value;         /* address and word that is written */
    uint32_t table;                /* where it begins */
    unsigned table_width;          /* of its entries, 1 or 2 bytes; 4: a table of addresses */
};

/** Do one instruction. @param first, second halfwords; `second` counts for 32-bit instructions. @param state changed.
 */
void thumb_step(const struct thumb_memory *memory, struct thumb_state *state, uint32_t address, uint16_t first,
                uint16_t second, struct thumb_step *step);

/** @return whether the instruction that begins like this has 32 bits (ARMv7-M ARM A5.1). */
bool thumb_is_long(uint16_t first);

/** Where a 32-bit branch goes (ARMv7-M ARM A7.7.12, A7.7.18). @return false when this is none. */
bool thumb_branch(uint16_t first, uint16_t second, uint32_t place, uint32_t *target);

/** What is still known when a call has come back. */
void thumb_after_call(struct thumb_state *state);

/* Between thumb.c (16 bits) and thumb32.c ------------------------------------------------------------------------ */

struct thumb_work {
    const struct thumb_memory *memory;
    struct thumb_state *state;
    struct thumb_step *step;
    uint32_t address, pc; /* `pc`: as instructions read it */
};

/** A register's value. */
struct thumb_value {
    uint32_t value;
    bool known, moves;
};

enum thumb_operation { THUMB_AND, THUMB_BIC, THUMB_OR, THUMB_ORN, THUMB_EOR, THUMB_ADD, THUMB_SUB, THUMB_RSB };

struct thumb_value thumb_number(uint32_t value);
struct thumb_value thumb_get(const struct thumb_work *w, unsigned n);
void thumb_set(struct thumb_work *w, unsigned n, struct thumb_value value);
void thumb_forget(struct thumb_work *w, unsigned n);
struct thumb_value thumb_compute(enum thumb_operation operation, struct thumb_value a, struct thumb_value b);
/** Shift by a number as encoded. @param type 0: LSL, 1: LSR, where 0 is 32; others: not known. */
struct thumb_value thumb_shift(unsigned type, struct thumb_value a, unsigned by);
void thumb_load_literal(struct thumb_work *w, unsigned n, uint32_t at);
void thumb_load(struct thumb_work *w, unsigned n, struct thumb_value at, bool word);
void thumb_store(struct thumb_work *w, unsigned n, struct thumb_value at, bool word);
void thumb_load_many(struct thumb_work *w, unsigned base, unsigned list);
void thumb_store_many(struct thumb_work *w, unsigned base, unsigned list);
/** A jump to what a register holds. */
void thumb_jump(struct thumb_work *w, struct thumb_value to, bool call);
void thumb_long(struct thumb_work *w, uint16_t first, uint16_t second);

#endif
