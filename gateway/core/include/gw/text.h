/* SPDX-License-Identifier: MIT */
/** @file text.h Numbers and times as text, without the help of an OS. */
#ifndef GW_TEXT_H
#define GW_TEXT_H

#include "fota/header.h"

#include <stddef.h>

#define GW_HEX(bytes) (2u * (bytes) + 1u)
#define GW_UUID_TEXT 37u
#define GW_VERSION_TEXT 40u
#define GW_TIME_TEXT 25u
#define GW_ADDRESS_TEXT 11u

/** Lower-case hex digits and a NUL. @param text room for GW_HEX(length). */
void gw_hex(const uint8_t *data, size_t length, char *text);
/** Exactly 2 x length hex digits of either case. @return false when the text is anything else. */
bool gw_unhex(const char *text, uint8_t *data, size_t length);
/** @param text 1.2.3, 1.2.3+4; what follows does not count (scripts/version.sh). @return what there is of it, else 0.
 */
struct fota_version gw_version_of(const char *text);

/** @param text 8-4-4-4-12 hex digits. @return whether it is one. */
bool gw_uuid_parse(const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE]);

void gw_uuid_text(const uint8_t uuid[FOTA_PRODUCT_SIZE], char text[GW_UUID_TEXT]);
/** "1.2.3", or "1.2.3+4" when the build is not 0. */
void gw_version_text(const struct fota_version *version, char text[GW_VERSION_TEXT]);
/** RFC 3339 in UTC with milliseconds: "2026-11-21T04:00:00.456Z". Valid until the year 9999. */
void gw_time_text(uint64_t unix_ms, char text[GW_TIME_TEXT]);
/** Of the device's memory: "0x08004200". */
void gw_address_text(uint32_t address, char text[GW_ADDRESS_TEXT]);
/** A URL for people: without its query, which may hold a signature. @return text. */
const char *gw_url_text(const char *url, char *text, size_t capacity);

#endif
