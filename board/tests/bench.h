/* SPDX-License-Identifier: MIT */
/** @file bench.h What the board's tests share. */
#ifndef BOARD_BENCH_H
#define BOARD_BENCH_H

#include "board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS 1000000u
#define SECONDS 1000000000u
#define SECTOR5 0x08020000u

/** Read a firmware ("probe") that was built for the tests. @return its bytes, to be freed. */
uint8_t *bench_firmware(const char *name, size_t *len);
/** Put a firmware at the start of a board's flash. */
void bench_load(struct board *b, const char *name);
/** A board with the probe in its flash, powered, after its READY line. */
struct board *bench_probe(const struct board_options *options);
/** Send one letter to the probe and wait for its echo. */
void bench_command(struct board *b, char letter);

#endif
