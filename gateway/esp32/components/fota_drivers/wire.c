/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <string.h>

/* --- SPI ------------------------------------------------------------------------------------- */

int wire_spi_transfer(const struct wire_spi *spi, uint32_t gap_ns, const uint8_t *out, uint8_t *in, size_t length)
{
    size_t most = gap_ns != 0 ? 1u : spi->size;
    int result = spi->acquire(spi->ctx);

    if (result != 0)
        return -1;
    for (size_t done = 0; result == 0 && done < length;) {
        size_t piece = length - done < most ? length - done : most;

        memcpy(spi->tx, out + done, piece);
        result = spi->exchange(spi->ctx, piece, done + piece < length);
        if (result != 0)
            break;
        memcpy(in + done, spi->rx, piece);
        done += piece;
        if (gap_ns != 0)
            spi->pause(spi->ctx, gap_ns);
    }
    spi->release(spi->ctx);
    return result == 0 ? 0 : -1;
}

/* --- pins ------------------------------------------------------------------------------------ */

/* The level comes first: an output that begins with the wrong one is a pulse. */
static int take(struct wire_pins *p)
{
    const struct wire_gpio *g = p->gpio;

    if (p->taken)
        return 0;
    if (p->nrst >= 0 && (g->level(g->ctx, p->nrst, true) != 0 || g->output(g->ctx, p->nrst, true) != 0))
        return -1;
    if (p->boot0 >= 0 && (g->level(g->ctx, p->boot0, false) != 0 || g->output(g->ctx, p->boot0, false) != 0))
        return -1;
    p->taken = true;
    return 0;
}

int wire_nrst(struct wire_pins *pins, bool low)
{
    if (pins->nrst < 0 || take(pins) != 0)
        return -1;
    return pins->gpio->level(pins->gpio->ctx, pins->nrst, !low);
}

int wire_boot0(struct wire_pins *pins, bool high)
{
    if (pins->boot0 < 0 || take(pins) != 0)
        return -1;
    return pins->gpio->level(pins->gpio->ctx, pins->boot0, high);
}

/* --- UART ------------------------------------------------------------------------------------ */

void wire_uart_overrun(struct wire_uart *uart)
{
    uart->skipping = true;
    uart->overruns++;
}

size_t wire_uart_take(struct wire_uart *uart, uint8_t *data, size_t length)
{
    const uint8_t *end;

    if (!uart->skipping || length == 0)
        return length;
    end = memchr(data, 0, length); /* a frame ends with a zero (docs/link.md), and has no other */
    if (end == NULL)
        return 0;
    uart->skipping = false;
    length -= (size_t) (end - data) + 1u;
    memmove(data, end + 1, length);
    return length;
}

size_t wire_uart_fits(size_t room, size_t length)
{
    if (room <= WIRE_UART_SPARE)
        return 0;
    room -= WIRE_UART_SPARE;
    return length < room ? length : room;
}
