/* SPDX-License-Identifier: MIT */
/** @file dma.h One stream of a DMA controller, and the pins that lead to its peripheral; for the drivers of lines. */
#ifndef CHIP_DMA_H
#define CHIP_DMA_H

#include "stm32f407.h"

#include <stdbool.h>
#include <stddef.h>

/** A stream and the channel that serves a peripheral there (RM0090 tables 42 and 43). */
struct dma_path {
    struct dma_regs *dma;
    uint8_t stream, channel;
};

static inline struct dma_stream_regs *dma_stream(struct dma_path path)
{
    return &path.dma->STREAM[path.stream];
}

/** Switch a stream off. What it has done so far stays done; its registers can be written then.
 *  @return false when it does not stop. */
bool dma_stop(struct dma_path path);
/** Start a stream that is off. @param peripheral the data register. @param memory not in the CCM. @param count of
 * bytes, 1 … 65 535. @param cr further bits of its control register. */
void dma_start(struct dma_path path, volatile uint32_t *peripheral, const void *memory, size_t count, uint32_t cr);

enum pin_pull { PIN_FLOAT = 0, PIN_UP = 1, PIN_DOWN = 2 };
/** Give a pin to a peripheral. @param port 0 for A; its clock is on. @param pin 0 … 15. @param function DS8626 table 9.
 */
void pin_alternate(unsigned port, unsigned pin, unsigned function, enum pin_pull pull);

#endif
