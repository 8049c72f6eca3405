/* SPDX-License-Identifier: MIT */
/** @file sign.h Keys and signatures of the tests: real ones (sign_bearssl.c) or a quick stand-in (sign_double.c). */
#ifndef SUPPORT_SIGN_H
#define SUPPORT_SIGN_H

#include "fota/header.h"

#define TEST_KEYS 3u

/** A key of the tests. @param index 0 … TEST_KEYS - 1; key 0 is the one of RFC 6979 A.2.5. */
void test_key(unsigned index, struct fota_key *key);

/** Sign a digest with a key of the tests. */
void test_sign(unsigned index, const uint8_t digest[FOTA_SHA256_SIZE], uint8_t signature[FOTA_SIGNATURE_SIZE]);

#endif
