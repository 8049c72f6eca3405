/* SPDX-License-Identifier: MIT */
/** @file bytes.h Little-endian access to unaligned bytes. */
#ifndef FOTA_BYTES_H
#define FOTA_BYTES_H

#include <stdint.h>

/* Structs that lie on the wire or in flash as they are (headers, records, messages) rely on this. */
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "fota's formats are little-endian and so must the processor be"
#endif

static inline uint16_t fota_get16(const uint8_t *p)
{
    return (uint16_t) (p[0] | (p[1] << 8));
}

static inline uint32_t fota_get32(const uint8_t *p)
{
    return (uint32_t) p[0] | ((uint32_t) p[1] << 8) | ((uint32_t) p[2] << 16) | ((uint32_t) p[3] << 24);
}

static inline void fota_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
}

static inline void fota_put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) (v >> 16);
    p[3] = (uint8_t) (v >> 24);
}

#endif
