/* SPDX-License-Identifier: MIT */
/* What p256-m names of Mbed TLS's PSA to make keys; a verification never calls it, so it exists nowhere. */
#ifndef CRYPTO_PSA_CRYPTO_H
#define CRYPTO_PSA_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

int psa_generate_random(uint8_t *output, size_t size);

#endif
