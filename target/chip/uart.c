/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

/** Where a USART's pins and its receiving DMA stream are (DS8626 table 9, RM0090 tables 42 and 43). */
struct uart_hardware {
    struct usart_regs *usart;
    struct dma_regs *dma;
    volatile uint32_t *enable, *reset;
    uint32_t bit; /* in both */
    uint8_t dma_number, stream, port, tx, rx;
};

#define RX_CHANNEL 4u /* the same for all three */
#define AF7 7u

static const struct uart_hardware hardware[] = {
    {USART1, DMA2, &RCC->APB2ENR, &RCC->APB2RSTR, BIT(4), 2, 2, 0, 9, 10},
    {USART2, DMA1, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(17), 1, 5, 0, 2, 3},
    {USART3, DMA1, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(18), 1, 1, 1, 10, 11},
};

static void alternate(unsigned port, unsigned pin)
{
    struct gpio_regs *gpio = GPIO(port);
    unsigned shift = 4u * (pin % 8u);

    gpio->AFR[pin / 8u] = (gpio->AFR[pin / 8u] & ~(15ul << shift)) | (AF7 << shift);
    gpio->PUPDR = (gpio->PUPDR & ~(3ul << (2u * pin))) | (1ul << (2u * pin)); /* an open line must read as idle */
    gpio->MODER = (gpio->MODER & ~(3ul << (2u * pin))) | (2ul << (2u * pin));
}

void uart_start(struct uart *uart, unsigned number, uint32_t baud, uint8_t *ring, uint32_t size)
{
    const struct uart_hardware *h = &hardware[number - 1u];
    uint32_t hz = !clock_is_fast() ? CLOCK_HSI_HZ
                  : number == 1u   ? CLOCK_FAST_HZ / CLOCK_APB2_DIVIDER
                                   : CLOCK_FAST_HZ / CLOCK_APB1_DIVIDER;
    struct dma_stream_regs *stream = &h->dma->STREAM[h->stream];

    uart->hardware = h;
    uart->ring = ring;
    uart->size = size;
    uart->read = 0;

    RCC->AHB1ENR |= RCC_AHB1_DMA(h->dma_number) | RCC_AHB1_GPIO(h->port);
    *h->enable |= h->bit;
    (void) *h->enable; /* the clock needs two cycles before the first access (ES0182) */
    *h->reset |= h->bit;
    *h->reset &= ~h->bit;
    alternate(h->port, h->tx);
    alternate(h->port, h->rx);

    stream->CR = 0;
    while ((stream->CR & DMA_CR_EN) != 0)
        continue; /* ends with the item under way, of which there is none after reset */
    stream->PAR = (uint32_t) (uintptr_t) &h->usart->DR;
    stream->M0AR = (uint32_t) (uintptr_t) ring;
    stream->NDTR = size;
    stream->CR = DMA_CR_CHANNEL(RX_CHANNEL) | DMA_CR_MINC | DMA_CR_CIRC;
    stream->CR |= DMA_CR_EN;

    h->usart->BRR = (hz + baud / 2u) / baud;
    h->usart->CR3 = USART_CR3_DMAR;
    h->usart->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

size_t uart_peek(const struct uart *uart, const uint8_t **data)
{
    const struct uart_hardware *h = uart->hardware;
    uint32_t write = uart->size - h->dma->STREAM[h->stream].NDTR;

    *data = uart->ring + uart->read;
    if (write >= uart->size) /* NDTR read 0, just before it is loaded again */
        write = 0;
    return write >= uart->read ? write - uart->read : uart->size - uart->read;
}

void uart_take(struct uart *uart, size_t count)
{
    uart->read = (uart->read + (uint32_t) count) % uart->size;
}

void uart_send(const struct uart *uart, const uint8_t *data, size_t length)
{
    struct usart_regs *usart = uart->hardware->usart;

    for (; length > 0; length--) {
        while ((usart->SR & USART_SR_TXE) == 0)
            continue; /* a transmitter that is enabled always gets there */
        usart->DR = *data++;
    }
}

void uart_flush(const struct uart *uart)
{
    while ((uart->hardware->usart->SR & USART_SR_TC) == 0)
        continue;
}
