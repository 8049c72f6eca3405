/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

#include <string.h>

/** Where a USART's pins and its DMA streams are (DS8626 table 9, RM0090 tables 42 and 43). */
struct uart_hardware {
    struct usart_regs *usart;
    struct dma_regs *dma;
    volatile uint32_t *enable, *reset;
    uint32_t bit; /* in both */
    uint8_t dma_number, rx_stream, tx_stream, port, tx, rx;
};

#define CHANNEL 4u /* the same for all of these streams */
#define AF7 7u
#define STREAM_POLLS 1000u   /* a stream that is switched off ends with the item under way: some cycles of the bus */
#define POSITION_ROUNDS 100u /* two of them do: half a ring fills between two changes of the buffer */

static const struct uart_hardware hardware[] = {
    {USART1, DMA2, &RCC->APB2ENR, &RCC->APB2RSTR, BIT(4), 2, 2, 7, 0, 9, 10},
    {USART2, DMA1, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(17), 1, 5, 6, 0, 2, 3},
    {USART3, DMA1, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(18), 1, 1, 3, 1, 10, 11},
};

static void memory_barrier(void)
{
    __asm volatile("dmb" ::: "memory");
}

static struct dma_stream_regs *rx_stream(const struct uart *uart)
{
    return &uart->hardware->dma->STREAM[uart->hardware->rx_stream];
}

static struct dma_stream_regs *tx_stream(const struct uart *uart)
{
    return &uart->hardware->dma->STREAM[uart->hardware->tx_stream];
}

static void alternate(unsigned port, unsigned pin)
{
    struct gpio_regs *gpio = GPIO(port);
    unsigned shift = 4u * (pin % 8u);

    gpio->AFR[pin / 8u] = (gpio->AFR[pin / 8u] & ~(15ul << shift)) | (AF7 << shift);
    gpio->PUPDR = (gpio->PUPDR & ~(3ul << (2u * pin))) | (1ul << (2u * pin)); /* an open line must read as idle */
    gpio->MODER = (gpio->MODER & ~(3ul << (2u * pin))) | (2ul << (2u * pin));
}

static uint32_t divider(const struct uart *uart, uint32_t baud)
{
    return (uart->hz + baud / 2u) / baud;
}

/* Off. What it has done so far stays done; its registers can be written then. */
static bool stop(struct dma_stream_regs *stream)
{
    stream->CR = 0;
    return chip_wait(&stream->CR, DMA_CR_EN, 0, STREAM_POLLS);
}

bool uart_start(struct uart *uart, unsigned number, uint32_t baud, uint8_t *ring, uint32_t size)
{
    const struct uart_hardware *h = &hardware[number - 1u];
    struct dma_stream_regs *stream;

    uart->hardware = h;
    uart->ring = ring;
    uart->size = size;
    uart->read = 0;
    uart->hz = !clock_is_fast() ? CLOCK_HSI_HZ
               : number == 1u   ? CLOCK_FAST_HZ / CLOCK_APB2_DIVIDER
                                : CLOCK_FAST_HZ / CLOCK_APB1_DIVIDER;

    RCC->AHB1ENR |= RCC_AHB1_DMA(h->dma_number) | RCC_AHB1_GPIO(h->port);
    *h->enable |= h->bit;
    (void) *h->enable; /* the clock needs two cycles before the first access (ES0182) */
    *h->reset |= h->bit;
    *h->reset &= ~h->bit;
    alternate(h->port, h->tx);
    alternate(h->port, h->rx);

    /* NDTR counts to 65 535, a ring may be larger: its halves are the two buffers of the double-buffer mode
     * (RM0090 10.3.9) */
    stream = rx_stream(uart);
    if (!stop(stream))
        return false;
    stream->PAR = (uint32_t) (uintptr_t) &h->usart->DR;
    stream->M0AR = (uint32_t) (uintptr_t) ring;
    stream->M1AR = (uint32_t) (uintptr_t) (ring + size / 2u);
    stream->NDTR = size / 2u;
    stream->CR = DMA_CR_CHANNEL(CHANNEL) | DMA_CR_MINC;
    stream->CR |=
        DMA_CR_DBM; /* apart: all in one the number looks like an address of slot A, and `fota pack` asks about it */
    stream->CR |= DMA_CR_EN;

    h->usart->BRR = divider(uart, baud);
    h->usart->CR3 = USART_CR3_DMAR | USART_CR3_DMAT;
    h->usart->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    return true;
}

/* Where the next byte goes in the ring. The buffer and the count in it are two registers: read again when the buffer
 * changed between. If they never agree, nothing has arrived. */
static uint32_t write_position(const struct uart *uart)
{
    const struct dma_stream_regs *stream = rx_stream(uart);
    uint32_t half = uart->size / 2u;

    for (unsigned i = 0; i < POSITION_ROUNDS; i++) {
        uint32_t second = stream->CR & DMA_CR_CT, left = stream->NDTR;

        if ((stream->CR & DMA_CR_CT) == second && left != 0) /* 0: just before the other buffer is taken */
            return ((second != 0 ? half : 0) + half - left) % uart->size;
    }
    return uart->read;
}

size_t uart_peek(const struct uart *uart, const uint8_t **data)
{
    uint32_t write = write_position(uart);

    memory_barrier(); /* what the DMA wrote is read after the position, not before */
    *data = uart->ring + uart->read;
    return write >= uart->read ? write - uart->read : uart->size - uart->read;
}

void uart_take(struct uart *uart, size_t count)
{
    uart->read = (uart->read + (uint32_t) count) % uart->size;
}

/* Polls for twice the time of a full buffer. A byte takes 10 bits, a bit BRR cycles of the USART's clock, and one of
 * those is at most four of the CPU's (CLOCK_APB1_DIVIDER), as many as a poll takes at least. */
static uint32_t send_polls(const struct uart *uart)
{
    return 2u * 10u * UART_OUT * uart->hardware->usart->BRR;
}

static bool wait_sent(const struct uart *uart)
{
    return chip_wait(&tx_stream(uart)->CR, DMA_CR_EN, 0, send_polls(uart));
}

void uart_send(struct uart *uart, const uint8_t *data, size_t length)
{
    const struct uart_hardware *h = uart->hardware;
    struct dma_stream_regs *stream = tx_stream(uart);

    while (length > 0) {
        size_t n = length < sizeof uart->out ? length : sizeof uart->out;

        if (!wait_sent(uart)) {
            (void) stop(stream); /* the peer gets half a frame, drops it, and asks again */
            return;
        }
        memcpy(uart->out, data, n);
        data += n;
        length -= n;
        /* the flags of a stream must be clear before it is enabled (RM0090 10.3.17): those of this one */
        if (h->tx_stream < 4u)
            h->dma->LIFCR = DMA_FLAGS(h->tx_stream);
        else
            h->dma->HIFCR = DMA_FLAGS(h->tx_stream - 4u);
        stream->PAR = (uint32_t) (uintptr_t) &h->usart->DR;
        stream->M0AR = (uint32_t) (uintptr_t) uart->out;
        stream->NDTR = n;
        stream->CR = DMA_CR_CHANNEL(CHANNEL) | DMA_CR_MINC | DMA_CR_FROM_MEMORY;
        h->usart->SR = ~(uint32_t) USART_SR_TC;
        memory_barrier(); /* the piece is in memory before the DMA fetches it */
        stream->CR |= DMA_CR_EN;
    }
}

void uart_flush(const struct uart *uart)
{
    if (wait_sent(uart))
        (void) chip_wait(&uart->hardware->usart->SR, USART_SR_TC, USART_SR_TC, send_polls(uart));
}

/* BRR holds 16 bits; below 16 there are not enough samples of a bit (RM0090 30.3.4). A receiver
 * stands 3.3 % (30.3.5): this takes 2 of them, the rest is for both ends' clocks. */
bool uart_can(const struct uart *uart, uint32_t baud)
{
    uint32_t brr = baud != 0 ? divider(uart, baud) : 0, made = brr * baud;

    return brr >= 16u && brr <= 0xFFFFu && (made > uart->hz ? made - uart->hz : uart->hz - made) <= uart->hz / 50u;
}

void uart_baud(const struct uart *uart, uint32_t baud)
{
    uart_flush(uart);
    uart->hardware->usart->BRR = divider(uart, baud);
}
