/* SPDX-License-Identifier: MIT */
/**
 * @file fota_hal.h
 * The agent's port on ST's HAL, for the handles that STM32CubeMX generates. Reception goes by DMA into a ring, so that
 * nothing is lost while flash work stalls the CPU; no interrupt is needed. fota_hal_flash.c and fota_hal_watchdog.c
 * stand in for the kit's chip/flash.c and chip/watchdog.c.
 */
#ifndef FOTA_HAL_H
#define FOTA_HAL_H

#include "fota_agent.h"

#include "chip.h"
#include "stm32f4xx_hal.h"

/** A UART. The HAL's own HAL_UART_Transmit() may be used beside it for text, when line_idle() says so. */
struct fota_hal_uart {
    struct line line; /* the first member */
    UART_HandleTypeDef *handle;
};

/** Start. @param handle initialized, with a DMA stream each for reception and transmission (hdmarx, hdmatx).
 *  @param ring memory that DMA reaches. @param size of it, at most 65 535. @return false when a stream is missing or
 * cannot be had. */
bool fota_hal_uart_start(struct fota_hal_uart *uart, UART_HandleTypeDef *handle, uint8_t *ring, uint32_t size);

#ifdef HAL_SPI_MODULE_ENABLED
/** A SPI slave. */
struct fota_hal_spi {
    struct line line; /* the first member */
    SPI_HandleTypeDef *handle;
    GPIO_TypeDef *nss_port;
    uint16_t nss_pin;
    uint8_t zero;    /* goes out, over and over, when there is nothing to say */
    uint8_t sending; /* bytes of a response under way; 0: zeros */
};

/** Start. @param handle SPI1 to SPI3, initialized as a slave: mode 0, 8 bits, MSB first, hardware NSS input, with its
 * two DMA streams. @param nss_port,nss_pin where NSS is. @param ring memory that DMA reaches. @param size of it, at
 * most 65 535. @return false when a stream is missing or cannot be had. */
bool fota_hal_spi_start(struct fota_hal_spi *spi, SPI_HandleTypeDef *handle, GPIO_TypeDef *nss_port, uint16_t nss_pin,
                        uint8_t *ring, uint32_t size);
/** To be called in the main loop: as spi_tend() in chip.h. */
void fota_hal_spi_tend(struct fota_hal_spi *spi);
#endif

/** A struct fota_agent_port for lines that were started. @param lines array of FOTA_AGENT_LINES struct line *. */
#define FOTA_HAL_PORT(lines)                                                                                           \
    {                                                                                                                  \
        .ctx = (lines), .peek = fota_hal_peek, .take = fota_hal_take, .send = fota_hal_send, .idle = fota_hal_idle,    \
        .flush = fota_hal_flush, .now_ms = fota_hal_now                                                                \
    }
size_t fota_hal_peek(void *ctx, unsigned line, const uint8_t **data);
void fota_hal_take(void *ctx, unsigned line, size_t count);
void fota_hal_send(void *ctx, unsigned line, const uint8_t *data, size_t length);
bool fota_hal_idle(void *ctx, unsigned line);
void fota_hal_flush(void *ctx, unsigned line);
uint32_t fota_hal_now(void *ctx);

/* --- for the parts of this port --------------------------------------------------------------------------------- */

/** Begin a transfer; what the stream was doing ends. @param mode DMA_NORMAL or DMA_CIRCULAR. @param increment
 * DMA_MINC_ENABLE or DMA_MINC_DISABLE. @param peripheral the data register. @return false when the stream cannot be
 * had. */
bool fota_hal_dma(DMA_HandleTypeDef *dma, uint32_t mode, uint32_t increment, const volatile uint32_t *peripheral,
                  const uint8_t *memory, size_t count);
/** @return where the next byte that arrives is put. */
uint32_t fota_hal_position(const struct line *line, const DMA_HandleTypeDef *dma);
/** Wait for bits of a register. @return whether they came. @param us at most so long. */
bool fota_hal_wait(const volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t us);

#endif
