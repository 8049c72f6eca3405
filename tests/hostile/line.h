/* SPDX-License-Identifier: MIT */
/** @file line.h  A serial line as bad as the seed wants it: see struct line for what it does. */
#ifndef HOSTILE_LINE_H
#define HOSTILE_LINE_H

#include "fota/link.h"
#include "rig.h"

#define LINE_HELD 4096u
#define LINE_KEPT 8u

struct line {
    uint64_t random;
    struct board *board;
    /* one of so many bytes, 0: never */
    uint32_t flip, drop, twice;
    /* one of so many pieces of the stream: the rest of the piece is lost; it is held back for a while; something is put
     * before it */
    uint32_t cut, stall, babble;
    /* the faults come in bursts: on for so many ms, then off for so many; 0: always on */
    uint32_t on_ms, off_ms;
    uint64_t began;
    struct {
        uint8_t data[LINE_HELD];
        size_t length;
        uint64_t until; /* ns */
    } held[2];
    struct { /* whole frames that went by, to be heard again later, out of place */
        uint8_t data[FOTA_LINK_WIRE_MAX];
        size_t length;
    } kept[LINE_KEPT];
    uint8_t frame[2][FOTA_LINK_WIRE_MAX];
    size_t frame_length[2];
    struct fota_link_rx heard; /* of what goes to the device */
    uint32_t offset;           /* of the last DATA frame, and its length: what forged ones say, too */
    size_t data_length;
    uint64_t faults;
};

/** @param seed decides on every rate. */
void line_init(struct line *line, struct board *board, uint64_t seed);
/** What rig_line.travel wants. */
size_t line_travel(void *line, bool to_device, uint8_t *data, size_t length, size_t capacity);

#endif
