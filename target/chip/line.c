/* SPDX-License-Identifier: MIT */
#include "chip.h"

#include <string.h>

size_t line_peek(const struct line *line, const uint8_t **data)
{
    uint32_t write = line->driver->position(line);

    __asm volatile("dmb" ::: "memory"); /* what the DMA wrote is read after the position, not before */
    *data = line->ring + line->read;
    return write >= line->read ? write - line->read : line->size - line->read;
}

void line_take(struct line *line, size_t count)
{
    line->read = (line->read + (uint32_t) count) % line->size;
}

void line_send(struct line *line, const uint8_t *data, size_t length)
{
    while (length > 0) {
        size_t n = length < sizeof line->out ? length : sizeof line->out;

        if (!line->driver->ready(line))
            return; /* the peer gets half a frame, drops it, and asks again */
        memcpy(line->out, data, n);
        data += n;
        length -= n;
        line->driver->go(line, n);
    }
}

void line_flush(struct line *line)
{
    line->driver->flush(line);
}

bool line_idle(const struct line *line)
{
    return line->driver->idle(line);
}
