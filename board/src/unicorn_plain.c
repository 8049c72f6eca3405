/* SPDX-License-Identifier: MIT */
/** @file unicorn_plain.c For versions of Unicorn whose stores to RAM need no help: see unicorn_fast.c. */
#include "internal.h"

void board_fast_init(void)
{
}

void board_fast_enter(struct board *b)
{
    (void) b;
}

void board_fast_code_page(struct board *b, uint32_t address)
{
    (void) b;
    (void) address;
}
