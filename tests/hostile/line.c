/* SPDX-License-Identifier: MIT */
#include "line.h"

#include "fota/bytes.h"

#include <string.h>

#define LINE_UART 3u

static uint64_t next(struct line *l)
{
    return rig_random(&l->random);
}

static bool one_in(struct line *l, uint32_t n)
{
    return n != 0 && next(l) % n == 0;
}

/* Half of the time not at all, else between `low` and 512 times that, evenly in its logarithm. */
static uint32_t rate(struct line *l, uint32_t low)
{
    return next(l) % 2u == 0 ? 0 : low << next(l) % 10u;
}

void line_init(struct line *l, struct board *board, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->random = seed;
    l->board = board;
    l->flip = rate(l, 40);
    l->drop = rate(l, 60);
    l->twice = rate(l, 60);
    l->cut = rate(l, 8);
    l->stall = rate(l, 16);
    l->babble = rate(l, 8);
    if (next(l) % 3u != 0) {
        l->on_ms = 20u << next(l) % 7u;
        l->off_ms = 50u << next(l) % 7u;
    }
    l->began = board_now(board);
    fota_link_rx_init(&l->heard);
}

static bool active(const struct line *l)
{
    uint64_t ms = (board_now(l->board) - l->began) / 1000000u;

    return l->on_ms == 0 || ms % (l->on_ms + l->off_ms) < l->on_ms;
}

static void keep_frames(struct line *l, unsigned way, const uint8_t *data, size_t length)
{
    struct fota_frame frame;

    for (size_t i = 0; i < length; i++) {
        if (way == 1u && fota_link_rx_byte(&l->heard, data[i], &frame) && frame.type == FOTA_LINK_DATA &&
            frame.length > 4u) {
            l->offset = fota_get32(frame.payload);
            l->data_length = frame.length - 4u;
        }
        if (l->frame_length[way] < sizeof l->frame[way])
            l->frame[way][l->frame_length[way]++] = data[i];
        if (data[i] != 0)
            continue;
        if (l->frame_length[way] > 8u && l->frame_length[way] <= sizeof l->frame[way]) {
            unsigned at = (unsigned) (next(l) % LINE_KEPT);

            memcpy(l->kept[at].data, l->frame[way], l->frame_length[way]);
            l->kept[at].length = l->frame_length[way];
        }
        l->frame_length[way] = 0;
    }
}

/* A frame that nobody sent: of another session, another version, another type, with another content. */
static size_t forge(struct line *l, bool to_device, uint8_t *out, size_t capacity)
{
    uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
    size_t longest = next(l) % 4u == 0 ? sizeof payload : 64u; /* as a whole header or much data, or as the others */
    struct fota_frame frame = {.version = FOTA_LINK_VERSION, .payload = payload};
    uint64_t r = next(l);

    if (r % 4u == 0)
        frame.version = (uint8_t) (r >> 8);
    frame.type = (uint8_t) ((r >> 16) % 12u | (to_device ? 0 : FOTA_LINK_RESPONSE));
    frame.tag = (uint8_t) (r >> 24);
    frame.session = (uint32_t) (r >> 32);
    if (capacity < FOTA_LINK_WIRE_MAX)
        longest = 64u;
    frame.length = next(l) % longest;
    for (size_t i = 0; i < frame.length; i++)
        payload[i] = (uint8_t) (next(l) & (r >> 40 & 1u ? 0xFFu : 3u));
    if (to_device && r >> 41 & 1u && l->data_length > 0 && capacity >= FOTA_LINK_WIRE_MAX) {
        frame.version = FOTA_LINK_VERSION; /* what the device waits for, but for the session and the content */
        frame.type = FOTA_LINK_DATA;
        frame.length = 4u + l->data_length;
        fota_put32(payload, l->offset + (r >> 42 & 1u ? (uint32_t) l->data_length : 0));
    }
    return capacity < 128u ? 0 : fota_frame_encode(&frame, out, capacity);
}

static size_t babble(struct line *l, bool to_device, uint8_t *out, size_t capacity)
{
    const unsigned at = (unsigned) (next(l) % LINE_KEPT);
    size_t n = 0;

    switch (next(l) % 3u) {
    case 0:
        return forge(l, to_device, out, capacity);
    case 1: /* what was said before, or the other way */
        n = l->kept[at].length < capacity ? l->kept[at].length : 0;
        memcpy(out, l->kept[at].data, n);
        return n;
    default:
        for (n = 0; n < 1u + next(l) % 40u && n < capacity; n++)
            out[n] = (uint8_t) next(l);
        return n;
    }
}

/* Byte by byte. @return bytes left. */
static size_t damage(struct line *l, uint8_t *data, size_t length, size_t capacity)
{
    size_t n = 0;
    uint8_t copy[1024];

    if (length > sizeof copy)
        length = sizeof copy;
    memcpy(copy, data, length);
    for (size_t i = 0; i < length && n < capacity; i++) {
        uint8_t byte = copy[i];

        if (one_in(l, l->drop)) {
            l->faults++;
            continue;
        }
        if (one_in(l, l->flip)) {
            byte ^= (uint8_t) (1u << next(l) % 8u);
            l->faults++;
        }
        data[n++] = byte;
        if (n < capacity && one_in(l, l->twice)) {
            data[n++] = byte;
            l->faults++;
        }
    }
    return n;
}

size_t line_travel(void *ctx, bool to_device, uint8_t *data, size_t length, size_t capacity)
{
    struct line *l = ctx;
    unsigned way = to_device ? 1 : 0;
    uint8_t extra[FOTA_LINK_WIRE_MAX];
    size_t before = 0;

    keep_frames(l, way, data, length);
    if (l->held[way].length > 0) { /* behind what waits */
        size_t room = LINE_HELD - l->held[way].length;

        memcpy(l->held[way].data + l->held[way].length, data, length < room ? length : room);
        l->held[way].length += length < room ? length : room;
        if (board_now(l->board) < l->held[way].until)
            return 0;
        length = l->held[way].length < capacity ? l->held[way].length : capacity;
        memcpy(data, l->held[way].data, length);
        l->held[way].length -= length;
        memmove(l->held[way].data, l->held[way].data + length, l->held[way].length);
        return length;
    }
    if (!active(l))
        return length;
    if (length > 0 && one_in(l, l->stall)) {
        l->held[way].length = length < LINE_HELD ? length : LINE_HELD;
        memcpy(l->held[way].data, data, l->held[way].length);
        l->held[way].until = board_now(l->board) + (1000000u << next(l) % 13u); /* 1 ms to 4 s */
        l->faults++;
        return 0;
    }
    if (length > 0 && one_in(l, l->cut)) {
        length = next(l) % length;
        l->faults++;
    }
    length = damage(l, data, length, capacity);
    if (one_in(l, length > 0 ? l->babble : l->babble * 64u)) { /* also when nobody speaks */
        l->faults++;
        if (to_device) { /* may be longer than what a piece holds: it goes first */
            (void) board_uart_write(l->board, LINE_UART, extra, babble(l, true, extra, sizeof extra));
        } else {
            before = babble(l, false, extra, capacity - length < sizeof extra ? capacity - length : sizeof extra);
            memmove(data + before, data, length);
            memcpy(data, extra, before);
        }
    }
    return before + length;
}
