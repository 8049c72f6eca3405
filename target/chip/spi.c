/* SPDX-License-Identifier: MIT */
/*
 * The slave's side of the link on SPI1. The master clocks whenever it likes, also while the CPU stands still for flash
 * work: the receive stream goes round its ring, and the transmit stream sends a response once, or zeros round and
 * round. A response that ended while the CPU stood still is followed by its last byte again, which is a zero, too.
 *
 * DMA2 serves nothing but SPI1 and USART1 here, both on APB2 (ES0182 2.1.10: with AHB peripherals among them it may
 * damage data).
 */
#include "chip.h"
#include "dma.h"

#define PORT_A 0u
#define NSS 4u
#define SCK 5u
#define MISO 6u
#define MOSI 7u
#define AF5 5u
#define FLUSH_MS 50u    /* for the master to fetch a response */
#define PAUSE_US 200u   /* a busy master pauses within */
#define POLL_CYCLES 16u /* of out_of_step() */

static const struct dma_path rx = {DMA2, 0, 3}, tx = {DMA2, 3, 3};

static uint32_t write_position(const struct line *line)
{
    return (line->size - dma_stream(rx)->NDTR) % line->size;
}

static void send_zeros(struct spi *spi)
{
    spi->sending = 0;
    if (dma_stop(tx))
        dma_start(tx, &SPI1->DR, &spi->zero, 1, DMA_CR_CIRC | DMA_CR_FROM_MEMORY);
}

static bool ready(struct line *line)
{
    (void) line;
    return dma_stop(tx);
}

static bool idle(const struct line *line)
{
    (void) line;
    return true; /* the newest response counts */
}

static void go(struct line *line, size_t length)
{
    ((struct spi *) line)->sending = (uint8_t) length;
    dma_start(tx, &SPI1->DR, line->out, length, DMA_CR_MINC | DMA_CR_FROM_MEMORY);
}

/* A poll takes at least 4 cycles. */
static bool wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    return chip_wait(reg, mask, value, clock_cpu_hz() / 1000u * FLUSH_MS / 4u);
}

/* The last two bytes are in the block when the stream has ended. */
static void flush(struct line *line)
{
    if (((struct spi *) line)->sending != 0 && wait_for(&dma_stream(tx)->CR, DMA_CR_EN, 0) &&
        wait_for(&SPI1->SR, SPI_SR_TXE, SPI_SR_TXE))
        (void) wait_for(&SPI1->SR, SPI_SR_BSY, 0);
}

static const struct line_driver driver = {
    .position = write_position, .ready = ready, .idle = idle, .go = go, .flush = flush};

/* The block as after reset: only that takes half a byte out of it, and a byte that waits to be sent. */
static void begin_anew(void)
{
    RCC->APB2RSTR |= RCC_APB2_SPI1;
    RCC->APB2RSTR &= ~(uint32_t) RCC_APB2_SPI1;
    SPI1->CR2 = SPI_CR2_RXDMAEN | SPI_CR2_TXDMAEN;
    SPI1->CR1 = SPI_CR1_SPE; /* a slave in mode 0, 8 bits, MSB first, NSS by its pin */
}

bool spi_start(struct spi *spi, uint8_t *ring, uint32_t size)
{
    spi->line.driver = &driver;
    spi->line.ring = ring;
    spi->line.size = size;
    spi->line.read = 0;
    spi->zero = 0;
    RCC->AHB1ENR |= RCC_AHB1_DMA(2u) | RCC_AHB1_GPIO(PORT_A);
    RCC->APB2ENR |= RCC_APB2_SPI1;
    (void) RCC->APB2ENR;                     /* the clock needs two cycles before the first access (ES0182) */
    pin_alternate(PORT_A, NSS, AF5, PIN_UP); /* with nobody there: not selected */
    pin_alternate(PORT_A, SCK, AF5, PIN_DOWN);
    pin_alternate(PORT_A, MISO, AF5, PIN_FLOAT);
    pin_alternate(PORT_A, MOSI, AF5, PIN_DOWN);
    if (!dma_stop(rx))
        return false;
    begin_anew();
    dma_start(rx, &SPI1->DR, ring, size, DMA_CR_CIRC | DMA_CR_MINC | DMA_CR_FIRST);
    send_zeros(spi);
    return true;
}

static bool selected(void)
{
    return (GPIO(PORT_A)->IDR & BIT(NSS)) == 0;
}

/* The master broke off within a byte: what is left of it makes the block busy also while it is not selected, and all
 * that follows is out of step. A master that hardly pauses is watched for a moment, or we might look whenever it talks.
 */
static bool out_of_step(void)
{
    for (uint32_t polls = clock_cpu_hz() / 1000000u * PAUSE_US / POLL_CYCLES; polls > 0; polls--) {
        if ((SPI1->SR & SPI_SR_BSY) == 0)
            return false;
        if (!selected())
            return (SPI1->SR & SPI_SR_BSY) != 0 && !selected();
    }
    return false;
}

void spi_tend(struct spi *spi)
{
    uint8_t left = spi->sending;

    if ((SPI1->SR & SPI_SR_OVR) != 0 || out_of_step()) {
        begin_anew();
        if (left != 0 && dma_stop(tx))
            go(&spi->line, left); /* from its first byte: one was in the block */
    } else if (left != 0 && (dma_stream(tx)->CR & DMA_CR_EN) == 0) {
        send_zeros(spi);
    }
}
