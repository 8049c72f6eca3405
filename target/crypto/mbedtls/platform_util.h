/* SPDX-License-Identifier: MIT */
/* What p256-m wants of Mbed TLS: to be switched on, and a way to wipe memory. A verification has no secrets. */
#ifndef CRYPTO_PLATFORM_UTIL_H
#define CRYPTO_PLATFORM_UTIL_H

#include <string.h>

#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#define mbedtls_platform_zeroize(p, n) memset(p, 0, n)

#endif
