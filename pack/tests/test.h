/* SPDX-License-Identifier: MIT */
/** @file test.h cmocka and what its header needs before it. */
#ifndef PACK_TEST_H
#define PACK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pack.h"

/** A small generator (xorshift), so that tests are the same on every run. */
static inline uint32_t test_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

#endif
