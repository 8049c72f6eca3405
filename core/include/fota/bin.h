/* SPDX-License-Identifier: MIT */
/**
 * @file bin.h
 * `firmware.bin` with its relocation table appended: code | u32 offsets (ascending, from the start of the
 * code) | trailer. The trailer is the last 24 bytes: u32 code size, u32 link address, u32 distance, u32
 * count, u32 CRC-32 of everything before this member, and the magic "FRL1". A bare .bin has no such end and
 * is refused.
 */
#ifndef FOTA_BIN_H
#define FOTA_BIN_H

#define FOTA_BIN_TRAILER 24u
#define FOTA_BIN_MAGIC 0x314C5246u /* "FRL1" */

#endif
