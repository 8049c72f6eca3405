/* SPDX-License-Identifier: MIT */
/** @file symbols.h The functions of an Arm ELF, by address. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct symbol {
    uint32_t first, end;
    char name[40];
};

struct symbols {
    struct symbol *list; /* ascending */
    unsigned count;
};

/** @return false, with a message on stderr, when the file has no symbol table. */
bool symbols_read(struct symbols *symbols, const char *path);
void symbols_free(struct symbols *symbols);

/** @return the address of the function with this name, 0 when there is none. */
uint32_t symbols_find(const struct symbols *symbols, const char *name);

/** @return the function that an address lies in, NULL for none. */
const struct symbol *symbols_at(const struct symbols *symbols, uint32_t address);

#endif
