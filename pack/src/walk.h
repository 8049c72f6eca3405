/* SPDX-License-Identifier: MIT */
/**
 * @file walk.h
 * Which code of a program can be reached, and what it does on its way: from its roots along all branches, calls and
 * addresses of functions, each instruction once, with what is known in the registers on the first way that comes there.
 */
#ifndef PACK_WALK_H
#define PACK_WALK_H

#include "elf.h"
#include "thumb.h"

/** What the program does; called for each instruction that is reached. Any may be NULL. */
struct walk_events {
    void *ctx;
    void (*step)(void *ctx, uint32_t address, const struct thumb_step *step);
    /** From an instruction, or a word that holds an address, to code. */
    void (*edge)(void *ctx, uint32_t from, uint32_t to);
};

struct walk {
    const struct pack_elf *elf;
    const struct pack_image *image; /* its relocations say what moves; NULL: not known */
    const uint8_t *code;            /* what is loaded at elf->low and above */
    uint8_t *marks;
    uint32_t size;
    bool symbols; /* functions and data can be told apart */
    struct walk_events events;
    struct thumb_memory memory;
    struct walk_item *queue;
    size_t queued, capacity;
    bool no_memory;
};

/** @param elf all of whose segments lie within 1 MiB of load addresses. @param code elf->high - elf->low bytes.
 *  @return FOTA_OK or FOTA_E_IO (no memory); walk_end() in any case. */
int walk_begin(struct walk *walk, const struct pack_elf *elf, const uint8_t *code, const struct pack_image *image,
               struct pack_message *error);
void walk_end(struct walk *walk);

/** Walk from an address, as a pointer to a function has it (bit 0 set). */
void walk_from(struct walk *walk, uint32_t pointer);
/** Walk from all pointers to functions that data outside of functions hold. */
void walk_from_data(struct walk *walk);
/** Forget what was reached. */
void walk_again(struct walk *walk);

/** @return whether code at this address was reached. */
bool walk_reached(const struct walk *walk, uint32_t address);
/** A word of the program. @return false when there is none at this address. */
bool walk_word(const struct walk *walk, uint32_t address, uint32_t *value);
/** @return the load address of what runs at `address`, or `address` itself. */
uint32_t walk_load_address(const struct walk *walk, uint32_t address);

#endif
