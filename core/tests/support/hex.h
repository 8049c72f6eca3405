/* SPDX-License-Identifier: MIT */
/** @file hex.h Bytes from the hexadecimal text in which standards print their vectors. */
#ifndef SUPPORT_HEX_H
#define SUPPORT_HEX_H

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static inline void test_hex(const char *text, uint8_t *out, size_t size)
{
    assert_int_equal(strlen(text), 2u * size);
    for (size_t i = 0; i < size; i++) {
        const char digits[3] = {text[2u * i], text[2u * i + 1u], 0};

        out[i] = (uint8_t) strtoul(digits, NULL, 16);
    }
}

#endif
