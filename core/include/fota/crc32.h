/* SPDX-License-Identifier: MIT */
/** @file crc32.h CRC-32 as in zlib and IEEE 802.3 (reflected polynomial 0xEDB88320). */
#ifndef FOTA_CRC32_H
#define FOTA_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** Go on with a CRC-32. @param crc 0 to begin, else the value returned before. @param data bytes, may be NULL
 *  when length is 0. @return the CRC of everything so far; "123456789" gives 0xCBF43926. */
uint32_t fota_crc32(uint32_t crc, const void *data, size_t length);

#endif
