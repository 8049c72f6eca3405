/* SPDX-License-Identifier: MIT */
/** @file range.h Range, If-Range and If-None-Match of RFC 9110, as far as the hub serves them. No I/O. */
#ifndef HUB_RANGE_H
#define HUB_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum hub_range_result {
    HUB_RANGE_NONE,          /* no range, or one to be ignored: send everything (RFC 9110, 14.2) */
    HUB_RANGE_PART,          /* send first … last */
    HUB_RANGE_UNSATISFIABLE, /* 416 */
};

/** Judge a Range header. Several ranges, other units and malformed headers are ignored, as RFC 9110 allows.
 *  @param header value of the header, NULL when there is none. @param size bytes of the file.
 *  @param first, last set for HUB_RANGE_PART: both included, last < size. */
enum hub_range_result hub_range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *last);

/** If-None-Match with weak comparison (RFC 9110, 13.1.2). @param header NULL when there is none.
 *  @param etag the strong ETag with its quotes. @return true when one of the list, or `*`, matches. */
bool hub_etag_in_list(const char *header, const char *etag);

/** If-Range with strong comparison (RFC 9110, 13.1.5). A date never matches, since the hub sends none.
 *  @return true when the range may be served: no header, or exactly this ETag. */
bool hub_if_range(const char *header, const char *etag);

#endif
