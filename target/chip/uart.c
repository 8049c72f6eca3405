/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "dma.h"

/** Where a USART's pins and its DMA streams are (DS8626 table 9, RM0090 tables 42 and 43). */
struct uart_hardware {
    struct usart_regs *usart;
    volatile uint32_t *enable, *reset;
    uint32_t bit; /* in both */
    struct dma_path rx, tx;
    uint8_t dma_number, port, tx_pin, rx_pin;
};

#define CHANNEL 4u /* the same for all of these streams */
#define AF7 7u
#define POSITION_ROUNDS 100u /* two of them do: half a ring fills between two changes of the buffer */

static const struct uart_hardware hardware[] = {
    {USART1, &RCC->APB2ENR, &RCC->APB2RSTR, BIT(4), {DMA2, 2, CHANNEL}, {DMA2, 7, CHANNEL}, 2, 0, 9, 10},
    {USART2, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(17), {DMA1, 5, CHANNEL}, {DMA1, 6, CHANNEL}, 1, 0, 2, 3},
    {USART3, &RCC->APB1ENR, &RCC->APB1RSTR, BIT(18), {DMA1, 1, CHANNEL}, {DMA1, 3, CHANNEL}, 1, 1, 10, 11},
};

static uint32_t divider(const struct uart *uart, uint32_t baud)
{
    return (uart->hz + baud / 2u) / baud;
}

/* Where the next byte goes in the ring. The buffer and the count in it are two registers: read again when the buffer
 * changed between. If they never agree, nothing has arrived. */
static uint32_t write_position(const struct line *line)
{
    const struct dma_stream_regs *stream = dma_stream(((const struct uart *) line)->hardware->rx);
    uint32_t half = line->size / 2u;

    for (unsigned i = 0; i < POSITION_ROUNDS; i++) {
        uint32_t second = stream->CR & DMA_CR_CT, left = stream->NDTR;

        if ((stream->CR & DMA_CR_CT) == second && left != 0) /* 0: just before the other buffer is taken */
            return ((second != 0 ? half : 0) + half - left) % line->size;
    }
    return line->read;
}

/* Polls for twice the time of a full buffer. A byte takes 10 bits, a bit BRR cycles of the USART's clock, and one of
 * those is at most four of the CPU's (CLOCK_APB1_DIVIDER), as many as a poll takes at least. */
static uint32_t send_polls(const struct uart_hardware *h)
{
    return 2u * 10u * LINE_OUT * h->usart->BRR;
}

static bool wait_sent(const struct uart_hardware *h)
{
    return chip_wait(&dma_stream(h->tx)->CR, DMA_CR_EN, 0, send_polls(h));
}

static bool ready(struct line *line)
{
    const struct uart_hardware *h = ((struct uart *) line)->hardware;

    if (wait_sent(h))
        return true;
    (void) dma_stop(h->tx);
    return false;
}

static bool idle(const struct line *line)
{
    const struct uart_hardware *h = ((const struct uart *) line)->hardware;

    return (dma_stream(h->tx)->CR & DMA_CR_EN) == 0;
}

static void go(struct line *line, size_t length)
{
    const struct uart_hardware *h = ((struct uart *) line)->hardware;

    h->usart->SR = ~(uint32_t) USART_SR_TC;
    dma_start(h->tx, &h->usart->DR, line->out, length, DMA_CR_MINC | DMA_CR_FROM_MEMORY);
}

static void flush(struct line *line)
{
    const struct uart_hardware *h = ((struct uart *) line)->hardware;

    if (wait_sent(h))
        (void) chip_wait(&h->usart->SR, USART_SR_TC, USART_SR_TC, send_polls(h));
}

static const struct line_driver driver = {
    .position = write_position, .ready = ready, .idle = idle, .go = go, .flush = flush};

bool uart_start(struct uart *uart, unsigned number, uint32_t baud, uint8_t *ring, uint32_t size)
{
    const struct uart_hardware *h = &hardware[number - 1u];

    uart->line.driver = &driver;
    uart->line.ring = ring;
    uart->line.size = size;
    uart->line.read = 0;
    uart->hardware = h;
    uart->hz = !clock_is_fast() ? CLOCK_HSI_HZ
               : number == 1u   ? CLOCK_FAST_HZ / CLOCK_APB2_DIVIDER
                                : CLOCK_FAST_HZ / CLOCK_APB1_DIVIDER;

    RCC->AHB1ENR |= RCC_AHB1_DMA(h->dma_number) | RCC_AHB1_GPIO(h->port);
    *h->enable |= h->bit;
    (void) *h->enable; /* the clock needs two cycles before the first access (ES0182) */
    *h->reset |= h->bit;
    *h->reset &= ~h->bit;
    pin_alternate(h->port, h->tx_pin, AF7, PIN_UP);
    pin_alternate(h->port, h->rx_pin, AF7, PIN_UP); /* an open line must read as idle */

    /* NDTR counts to 65 535, a ring may be larger: its halves are the two buffers of the double-buffer mode
     * (RM0090 10.3.9) */
    if (!dma_stop(h->rx))
        return false;
    dma_stream(h->rx)->M1AR = (uint32_t) (uintptr_t) (ring + size / 2u);
    dma_start(h->rx, &h->usart->DR, ring, size / 2u, DMA_CR_MINC | DMA_CR_DBM);

    h->usart->BRR = divider(uart, baud);
    h->usart->CR3 = USART_CR3_DMAR | USART_CR3_DMAT;
    h->usart->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    return true;
}

/* BRR holds 16 bits; below 16 there are not enough samples of a bit (RM0090 30.3.4). A receiver
 * stands 3.3 % (30.3.5): this takes 2 of them, the rest is for both ends' clocks. */
bool uart_can(const struct uart *uart, uint32_t baud)
{
    uint32_t brr = baud != 0 ? divider(uart, baud) : 0, made = brr * baud;

    return brr >= 16u && brr <= 0xFFFFu && (made > uart->hz ? made - uart->hz : uart->hz - made) <= uart->hz / 50u;
}

void uart_baud(struct uart *uart, uint32_t baud)
{
    flush(&uart->line);
    uart->hardware->usart->BRR = divider(uart, baud);
}
