/* SPDX-License-Identifier: MIT */
#include "dma.h"

#include "chip.h"

#define STREAM_POLLS 1000u /* a stream that is switched off ends with the item under way: some cycles of the bus */
#define SPEED_50_MHZ 2ul   /* at 30 pF (DS8626 table 50) */

bool dma_stop(struct dma_path path)
{
    dma_stream(path)->CR = 0;
    return chip_wait(&dma_stream(path)->CR, DMA_CR_EN, 0, STREAM_POLLS);
}

void dma_start(struct dma_path path, volatile uint32_t *peripheral, const void *memory, size_t count, uint32_t cr)
{
    struct dma_stream_regs *stream = dma_stream(path);

    /* the flags of a stream must be clear before it is enabled (RM0090 10.3.17): those of this one */
    if (path.stream < 4u)
        path.dma->LIFCR = DMA_FLAGS(path.stream);
    else
        path.dma->HIFCR = DMA_FLAGS(path.stream - 4u);
    stream->PAR = (uint32_t) (uintptr_t) peripheral;
    stream->M0AR = (uint32_t) (uintptr_t) memory;
    stream->NDTR = count;
    stream->CR = DMA_CR_CHANNEL(path.channel);
    stream->CR |=
        cr; /* apart: all in one the number may look like an address of slot A, and `fota pack` asks about it */
    __asm volatile("dmb" ::: "memory"); /* what is sent is in memory before the DMA fetches it */
    stream->CR |= DMA_CR_EN;
}

void pin_alternate(unsigned port, unsigned pin, unsigned function, enum pin_pull pull)
{
    struct gpio_regs *gpio = GPIO(port);
    unsigned shift = 4u * (pin % 8u);

    gpio->AFR[pin / 8u] = (gpio->AFR[pin / 8u] & ~(15ul << shift)) | ((uint32_t) function << shift);
    gpio->PUPDR = (gpio->PUPDR & ~(3ul << (2u * pin))) | ((uint32_t) pull << (2u * pin));
    gpio->OSPEEDR = (gpio->OSPEEDR & ~(3ul << (2u * pin))) | (SPEED_50_MHZ << (2u * pin));
    gpio->MODER = (gpio->MODER & ~(3ul << (2u * pin))) | (2ul << (2u * pin));
}
