/* SPDX-License-Identifier: MIT */
/* The slave's side of the link: as chip/spi.c does it, on the HAL's handles. Empty where the HAL's SPI is not used. */
#include "fota_hal.h"

#ifdef HAL_SPI_MODULE_ENABLED

#define FLUSH_US 50000u /* for the master to fetch a response */
#define PAUSE_US 200u   /* a busy master pauses within */
#define POLL_CYCLES 16u /* of out_of_step() */
#define MHZ 1000000u

static struct fota_hal_spi *spi_of(struct line *line)
{
    return (struct fota_hal_spi *) line;
}

static uint32_t position(const struct line *line)
{
    return fota_hal_position(line, ((const struct fota_hal_spi *) line)->handle->hdmarx);
}

static void send_zeros(struct fota_hal_spi *spi)
{
    spi->sending = 0;
    (void) fota_hal_dma(spi->handle->hdmatx, DMA_CIRCULAR, DMA_MINC_DISABLE, &spi->handle->Instance->DR, &spi->zero, 1);
}

/* The newest response counts: what was being sent ends when go() begins. But `out` is free only then. */
static bool ready(struct line *line)
{
    __HAL_DMA_DISABLE(spi_of(line)->handle->hdmatx);
    return fota_hal_wait(&spi_of(line)->handle->hdmatx->Instance->CR, DMA_SxCR_EN, 0, PAUSE_US);
}

static bool idle(const struct line *line)
{
    (void) line;
    return true;
}

static void go(struct line *line, size_t length)
{
    struct fota_hal_spi *spi = spi_of(line);

    spi->sending = (uint8_t) length;
    (void) fota_hal_dma(spi->handle->hdmatx, DMA_NORMAL, DMA_MINC_ENABLE, &spi->handle->Instance->DR, line->out,
                        length);
}

/* The last two bytes are in the block when the stream has ended. */
static void flush(struct line *line)
{
    const struct fota_hal_spi *spi = spi_of(line);
    const SPI_TypeDef *block = spi->handle->Instance;

    if (spi->sending != 0 && fota_hal_wait(&spi->handle->hdmatx->Instance->CR, DMA_SxCR_EN, 0, FLUSH_US) &&
        fota_hal_wait(&block->SR, SPI_SR_TXE, SPI_SR_TXE, FLUSH_US))
        (void) fota_hal_wait(&block->SR, SPI_SR_BSY, 0, FLUSH_US);
}

static const struct line_driver driver = {.position = position, .ready = ready, .idle = idle, .go = go, .flush = flush};

static void reset_block(const SPI_TypeDef *block)
{
    if (block == SPI1) {
        __HAL_RCC_SPI1_FORCE_RESET();
        __HAL_RCC_SPI1_RELEASE_RESET();
    } else if (block == SPI2) {
        __HAL_RCC_SPI2_FORCE_RESET();
        __HAL_RCC_SPI2_RELEASE_RESET();
    } else {
        __HAL_RCC_SPI3_FORCE_RESET();
        __HAL_RCC_SPI3_RELEASE_RESET();
    }
}

/* The block as after reset: only that takes half a byte out of it, and a byte that waits to be sent. */
static bool begin_anew(const struct fota_hal_spi *spi)
{
    reset_block(spi->handle->Instance);
    if (HAL_SPI_Init(spi->handle) != HAL_OK)
        return false;
    spi->handle->Instance->CR2 |= SPI_CR2_RXDMAEN | SPI_CR2_TXDMAEN;
    __HAL_SPI_ENABLE(spi->handle);
    return true;
}

bool fota_hal_spi_start(struct fota_hal_spi *spi, SPI_HandleTypeDef *handle, GPIO_TypeDef *nss_port, uint16_t nss_pin,
                        uint8_t *ring, uint32_t size)
{
    spi->line.driver = &driver;
    spi->line.ring = ring;
    spi->line.size = size;
    spi->line.read = 0;
    spi->handle = handle;
    spi->nss_port = nss_port;
    spi->nss_pin = nss_pin;
    spi->zero = 0;
    if (handle->hdmarx == NULL || handle->hdmatx == NULL || !begin_anew(spi) ||
        !fota_hal_dma(handle->hdmarx, DMA_CIRCULAR, DMA_MINC_ENABLE, &handle->Instance->DR, ring, size))
        return false;
    send_zeros(spi);
    return true;
}

static bool selected(const struct fota_hal_spi *spi)
{
    return HAL_GPIO_ReadPin(spi->nss_port, spi->nss_pin) == GPIO_PIN_RESET;
}

static bool out_of_step(const struct fota_hal_spi *spi)
{
    const SPI_TypeDef *block = spi->handle->Instance;

    for (uint32_t polls = SystemCoreClock / MHZ * PAUSE_US / POLL_CYCLES; polls > 0; polls--) {
        if ((block->SR & SPI_SR_BSY) == 0)
            return false;
        if (!selected(spi))
            return (block->SR & SPI_SR_BSY) != 0 && !selected(spi);
    }
    return false;
}

void fota_hal_spi_tend(struct fota_hal_spi *spi)
{
    uint8_t left = spi->sending;

    if ((spi->handle->Instance->SR & SPI_SR_OVR) != 0 || out_of_step(spi)) {
        (void) begin_anew(spi);
        if (left != 0)
            go(&spi->line, left); /* from its first byte: one was in the block */
    } else if (left != 0 && (spi->handle->hdmatx->Instance->CR & DMA_SxCR_EN) == 0) {
        send_zeros(spi);
    }
}

#endif
