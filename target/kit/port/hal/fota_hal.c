/* SPDX-License-Identifier: MIT */
#include "fota_hal.h"

#define MHZ 1000000u
#define POLL_CYCLES 4u /* that chip_wait() takes at least */
#define BITS 10u       /* of a byte on the line */

/* --- shared with SPI -------------------------------------------------------------------------------------------- */

bool fota_hal_wait(const volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t us)
{
    return chip_wait(reg, mask, value, SystemCoreClock / MHZ * us / POLL_CYCLES);
}

/* HAL_DMA_Init() stops the stream and clears its flags. Without the HAL's interrupts nothing else is to be done when a
 * transfer ends. */
bool fota_hal_dma(DMA_HandleTypeDef *dma, uint32_t mode, uint32_t increment, const volatile uint32_t *peripheral,
                  const uint8_t *memory, size_t count)
{
    uint32_t at = (uint32_t) (uintptr_t) memory, data = (uint32_t) (uintptr_t) peripheral;
    bool out = dma->Init.Direction == DMA_MEMORY_TO_PERIPH;

    dma->Init.Mode = mode;
    dma->Init.MemInc = increment;
    return HAL_DMA_Init(dma) == HAL_OK &&
           HAL_DMA_Start(dma, out ? at : data, out ? data : at, (uint32_t) count) == HAL_OK;
}

uint32_t fota_hal_position(const struct line *line, const DMA_HandleTypeDef *dma)
{
    return (line->size - __HAL_DMA_GET_COUNTER(dma)) % line->size;
}

/* --- UART ------------------------------------------------------------------------------------------------------- */

static const UART_HandleTypeDef *uart_of(const struct line *line)
{
    return ((const struct fota_hal_uart *) line)->handle;
}

static uint32_t position(const struct line *line)
{
    return fota_hal_position(line, uart_of(line)->hdmarx);
}

/* Twice the time of a full buffer. */
static uint32_t send_us(const UART_HandleTypeDef *handle)
{
    return 2u * BITS * LINE_OUT * (MHZ / 100u) / (handle->Init.BaudRate / 100u);
}

static bool idle(const struct line *line)
{
    return (uart_of(line)->hdmatx->Instance->CR & DMA_SxCR_EN) == 0;
}

static bool ready(struct line *line)
{
    const UART_HandleTypeDef *handle = uart_of(line);

    return fota_hal_wait(&handle->hdmatx->Instance->CR, DMA_SxCR_EN, 0, send_us(handle));
}

static void go(struct line *line, size_t length)
{
    const UART_HandleTypeDef *handle = uart_of(line);

    handle->Instance->SR = ~(uint32_t) USART_SR_TC;
    (void) fota_hal_dma(handle->hdmatx, DMA_NORMAL, DMA_MINC_ENABLE, &handle->Instance->DR, line->out, length);
}

static void flush(struct line *line)
{
    const UART_HandleTypeDef *handle = uart_of(line);

    if (ready(line))
        (void) fota_hal_wait(&handle->Instance->SR, USART_SR_TC, USART_SR_TC, send_us(handle));
}

static const struct line_driver driver = {.position = position, .ready = ready, .idle = idle, .go = go, .flush = flush};

bool fota_hal_uart_start(struct fota_hal_uart *uart, UART_HandleTypeDef *handle, uint8_t *ring, uint32_t size)
{
    uart->line.driver = &driver;
    uart->line.ring = ring;
    uart->line.size = size;
    uart->line.read = 0;
    uart->handle = handle;
    if (handle->hdmarx == NULL || handle->hdmatx == NULL ||
        !fota_hal_dma(handle->hdmarx, DMA_CIRCULAR, DMA_MINC_ENABLE, &handle->Instance->DR, ring, size))
        return false;
    handle->Instance->CR3 |= USART_CR3_DMAR | USART_CR3_DMAT;
    return true;
}

/* --- the agent's port ------------------------------------------------------------------------------------------- */

static struct line *line_of(void *ctx, unsigned line)
{
    return ((struct line **) ctx)[line];
}

size_t fota_hal_peek(void *ctx, unsigned line, const uint8_t **data)
{
    return line_peek(line_of(ctx, line), data);
}

void fota_hal_take(void *ctx, unsigned line, size_t count)
{
    line_take(line_of(ctx, line), count);
}

void fota_hal_send(void *ctx, unsigned line, const uint8_t *data, size_t length)
{
    line_send(line_of(ctx, line), data, length);
}

bool fota_hal_idle(void *ctx, unsigned line)
{
    return line_idle(line_of(ctx, line));
}

void fota_hal_flush(void *ctx, unsigned line)
{
    line_flush(line_of(ctx, line));
}

uint32_t fota_hal_now(void *ctx)
{
    (void) ctx;
    return HAL_GetTick();
}
