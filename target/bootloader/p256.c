/* SPDX-License-Identifier: MIT */
/*
 * The library's P-256, cut down to what a verification needs. A verification computes u·Q + v·G. Asked for
 * the generator without naming it, the library takes a window of precomputed multiples; named like any other
 * point it costs 1.6 KiB less and some milliseconds more. That the multiplier is in the same file lets the
 * compiler see that the rest is never called.
 */
#define br_ec_p256_m31 complete_p256_m31
#include <ec/ec_p256_m31.c>
#undef br_ec_p256_m31

static uint32_t muladd_generator(unsigned char *a, const unsigned char *b, size_t length, const unsigned char *x,
                                 size_t x_length, const unsigned char *y, size_t y_length, int curve)
{
    (void) b; /* a verification passes NULL: the generator */
    return api_muladd(a, P256_G, length, x, x_length, y, y_length, curve);
}

const br_ec_impl br_ec_p256_m31 = {.supported_curves = 1u << BR_EC_secp256r1, .muladd = muladd_generator};
