/* SPDX-License-Identifier: MIT */
/**
 * @file stm32f4xx_hal.h
 * What the kit's port/hal and examples/hal use of ST's HAL, declared again so that both are compiled and run where the
 * real one is not (`make examples STM32CUBE_DIR=…` takes that). Not ST's text: names and values only, as their users
 * need them, on the registers of chip/stm32f407.h. hal.c has the functions.
 */
#ifndef STM32F4XX_HAL_H
#define STM32F4XX_HAL_H

#include "stm32f407.h"

#include <stddef.h>

#define HAL_SPI_MODULE_ENABLED
#define HAL_IWDG_MODULE_ENABLED

typedef enum { HAL_OK, HAL_ERROR, HAL_BUSY, HAL_TIMEOUT } HAL_StatusTypeDef;

extern uint32_t SystemCoreClock;
HAL_StatusTypeDef HAL_Init(void);
void HAL_IncTick(void);
uint32_t HAL_GetTick(void);

#define PWR_MAINREGULATOR_ON 0u
#define PWR_SLEEPENTRY_WFI 1u
void HAL_PWR_EnterSLEEPMode(uint32_t regulator, uint8_t entry);

/* --- clocks ----------------------------------------------------------------------------------------------------- */

#define HAL_ENABLE(reg, bits)                                                                                          \
    do {                                                                                                               \
        (reg) |= (bits);                                                                                               \
        (void) (reg);                                                                                                  \
    } while (0)
#define __HAL_RCC_GPIOA_CLK_ENABLE() HAL_ENABLE(RCC->AHB1ENR, RCC_AHB1_GPIO(0u))
#define __HAL_RCC_GPIOB_CLK_ENABLE() HAL_ENABLE(RCC->AHB1ENR, RCC_AHB1_GPIO(1u))
#define __HAL_RCC_DMA1_CLK_ENABLE() HAL_ENABLE(RCC->AHB1ENR, RCC_AHB1_DMA(1u))
#define __HAL_RCC_DMA2_CLK_ENABLE() HAL_ENABLE(RCC->AHB1ENR, RCC_AHB1_DMA(2u))
#define __HAL_RCC_USART3_CLK_ENABLE() HAL_ENABLE(RCC->APB1ENR, BIT(18))
#define __HAL_RCC_SPI1_CLK_ENABLE() HAL_ENABLE(RCC->APB2ENR, RCC_APB2_SPI1)
#define __HAL_RCC_SPI1_FORCE_RESET() (RCC->APB2RSTR |= RCC_APB2_SPI1)
#define __HAL_RCC_SPI1_RELEASE_RESET() (RCC->APB2RSTR &= ~(uint32_t) RCC_APB2_SPI1)
#define __HAL_RCC_SPI2_FORCE_RESET() (RCC->APB1RSTR |= BIT(14))
#define __HAL_RCC_SPI2_RELEASE_RESET() (RCC->APB1RSTR &= ~(uint32_t) BIT(14))
#define __HAL_RCC_SPI3_FORCE_RESET() (RCC->APB1RSTR |= BIT(15))
#define __HAL_RCC_SPI3_RELEASE_RESET() (RCC->APB1RSTR &= ~(uint32_t) BIT(15))

#define RCC_OSCILLATORTYPE_HSE 1u
#define RCC_HSE_ON BIT(16)
#define RCC_PLL_ON 2u
#define RCC_PLLSOURCE_HSE BIT(22)
#define RCC_PLLP_DIV2 2u
#define RCC_CLOCKTYPE_SYSCLK 1u
#define RCC_CLOCKTYPE_HCLK 2u
#define RCC_CLOCKTYPE_PCLK1 4u
#define RCC_CLOCKTYPE_PCLK2 8u
#define RCC_SYSCLKSOURCE_PLLCLK 2u
#define RCC_SYSCLK_DIV1 0u
#define RCC_HCLK_DIV2 0x1000u
#define RCC_HCLK_DIV4 0x1400u
#define FLASH_LATENCY_5 5u

typedef struct {
    uint32_t OscillatorType, HSEState;
    struct {
        uint32_t PLLState, PLLSource, PLLM, PLLN, PLLP, PLLQ;
    } PLL;
} RCC_OscInitTypeDef;
typedef struct {
    uint32_t ClockType, SYSCLKSource, AHBCLKDivider, APB1CLKDivider, APB2CLKDivider;
} RCC_ClkInitTypeDef;
HAL_StatusTypeDef HAL_RCC_OscConfig(const RCC_OscInitTypeDef *init);
HAL_StatusTypeDef HAL_RCC_ClockConfig(const RCC_ClkInitTypeDef *init, uint32_t latency);

/* --- pins ------------------------------------------------------------------------------------------------------- */

typedef struct gpio_regs GPIO_TypeDef;
typedef enum { GPIO_PIN_RESET, GPIO_PIN_SET } GPIO_PinState;
typedef struct {
    uint32_t Pin, Mode, Pull, Speed, Alternate;
} GPIO_InitTypeDef;
#define GPIOA GPIO(0u)
#define GPIOB GPIO(1u)
#define GPIO_PIN_4 0x0010u
#define GPIO_PIN_5 0x0020u
#define GPIO_PIN_6 0x0040u
#define GPIO_PIN_7 0x0080u
#define GPIO_PIN_10 0x0400u
#define GPIO_PIN_11 0x0800u
#define GPIO_MODE_AF_PP 2u
#define GPIO_NOPULL 0u
#define GPIO_PULLUP 1u
#define GPIO_PULLDOWN 2u
#define GPIO_SPEED_FREQ_HIGH 2u
#define GPIO_AF5_SPI1 5u
#define GPIO_AF7_USART3 7u
void HAL_GPIO_Init(GPIO_TypeDef *port, const GPIO_InitTypeDef *init);
GPIO_PinState HAL_GPIO_ReadPin(const GPIO_TypeDef *port, uint16_t pin);

/* --- DMA -------------------------------------------------------------------------------------------------------- */

typedef struct dma_stream_regs DMA_Stream_TypeDef;
typedef struct {
    uint32_t Channel, Direction, PeriphInc, MemInc, PeriphDataAlignment, MemDataAlignment, Mode, Priority, FIFOMode;
} DMA_InitTypeDef;
typedef struct {
    DMA_Stream_TypeDef *Instance;
    DMA_InitTypeDef Init;
} DMA_HandleTypeDef;
#define DMA1_Stream1 (&DMA1->STREAM[1])
#define DMA1_Stream3 (&DMA1->STREAM[3])
#define DMA2_Stream0 (&DMA2->STREAM[0])
#define DMA2_Stream3 (&DMA2->STREAM[3])
#define DMA_CHANNEL_3 DMA_CR_CHANNEL(3u)
#define DMA_CHANNEL_4 DMA_CR_CHANNEL(4u)
#define DMA_PERIPH_TO_MEMORY 0u
#define DMA_MEMORY_TO_PERIPH DMA_CR_FROM_MEMORY
#define DMA_PINC_DISABLE 0u
#define DMA_MINC_DISABLE 0u
#define DMA_MINC_ENABLE DMA_CR_MINC
#define DMA_PDATAALIGN_BYTE 0u
#define DMA_MDATAALIGN_BYTE 0u
#define DMA_NORMAL 0u
#define DMA_CIRCULAR DMA_CR_CIRC
#define DMA_PRIORITY_LOW 0u
#define DMA_FIFOMODE_DISABLE 0u
#define DMA_SxCR_EN DMA_CR_EN
#define __HAL_DMA_DISABLE(handle) ((handle)->Instance->CR &= ~(uint32_t) DMA_SxCR_EN)
#define __HAL_DMA_GET_COUNTER(handle) ((handle)->Instance->NDTR)
#define __HAL_LINKDMA(handle, member, dma) ((handle)->member = &(dma))
HAL_StatusTypeDef HAL_DMA_Init(DMA_HandleTypeDef *handle);
HAL_StatusTypeDef HAL_DMA_Start(DMA_HandleTypeDef *handle, uint32_t source, uint32_t destination, uint32_t count);

/* --- UART ------------------------------------------------------------------------------------------------------- */

typedef struct usart_regs USART_TypeDef;
typedef struct {
    uint32_t BaudRate, WordLength, StopBits, Parity, Mode, HwFlowCtl, OverSampling;
} UART_InitTypeDef;
typedef struct {
    USART_TypeDef *Instance;
    UART_InitTypeDef Init;
    DMA_HandleTypeDef *hdmatx, *hdmarx;
} UART_HandleTypeDef;
#define UART_WORDLENGTH_8B 0u
#define UART_STOPBITS_1 0u
#define UART_PARITY_NONE 0u
#define UART_MODE_TX_RX (USART_CR1_TE | USART_CR1_RE)
#define UART_HWCONTROL_NONE 0u
#define UART_OVERSAMPLING_16 0u
HAL_StatusTypeDef HAL_UART_Init(UART_HandleTypeDef *handle);
void HAL_UART_MspInit(UART_HandleTypeDef *handle);
HAL_StatusTypeDef HAL_UART_Transmit(const UART_HandleTypeDef *handle, const uint8_t *data, uint16_t size,
                                    uint32_t timeout);

/* --- SPI -------------------------------------------------------------------------------------------------------- */

typedef struct spi_regs SPI_TypeDef;
typedef struct {
    uint32_t Mode, Direction, DataSize, CLKPolarity, CLKPhase, NSS, FirstBit, TIMode, CRCCalculation;
} SPI_InitTypeDef;
typedef struct {
    SPI_TypeDef *Instance;
    SPI_InitTypeDef Init;
    DMA_HandleTypeDef *hdmatx, *hdmarx;
    uint32_t State; /* not 0: initialized before */
} SPI_HandleTypeDef;
#define SPI2 ((SPI_TypeDef *) 0x40003800u)
#define SPI_MODE_SLAVE 0u
#define SPI_DIRECTION_2LINES 0u
#define SPI_DATASIZE_8BIT 0u
#define SPI_POLARITY_LOW 0u
#define SPI_PHASE_1EDGE 0u
#define SPI_NSS_HARD_INPUT 0u
#define SPI_FIRSTBIT_MSB 0u
#define SPI_TIMODE_DISABLE 0u
#define SPI_CRCCALCULATION_DISABLE 0u
#define __HAL_SPI_ENABLE(handle) ((handle)->Instance->CR1 |= SPI_CR1_SPE)
HAL_StatusTypeDef HAL_SPI_Init(SPI_HandleTypeDef *handle);
void HAL_SPI_MspInit(SPI_HandleTypeDef *handle);

/* --- flash, watchdog -------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t TypeErase, Banks, Sector, NbSectors, VoltageRange;
} FLASH_EraseInitTypeDef;
#define FLASH_TYPEPROGRAM_WORD 2u
#define FLASH_TYPEERASE_SECTORS 0u
#define FLASH_BANK_1 1u
#define FLASH_VOLTAGE_RANGE_3 2u
#define FLASH_FLAG_EOP FLASH_SR_EOP
#define FLASH_FLAG_OPERR BIT(1)
#define FLASH_FLAG_WRPERR BIT(4)
#define FLASH_FLAG_PGAERR BIT(5)
#define FLASH_FLAG_PGPERR BIT(6)
#define FLASH_FLAG_PGSERR BIT(7)
#define __HAL_FLASH_CLEAR_FLAG(flags) (FLASH->SR = (flags))
HAL_StatusTypeDef HAL_FLASH_Unlock(void);
HAL_StatusTypeDef HAL_FLASH_Lock(void);
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t type, uint32_t address, uint64_t data);
HAL_StatusTypeDef HAL_FLASHEx_Erase(const FLASH_EraseInitTypeDef *what, uint32_t *failed);
void FLASH_FlushCaches(void);

typedef struct iwdg_regs IWDG_TypeDef;
typedef struct {
    IWDG_TypeDef *Instance;
} IWDG_HandleTypeDef;
HAL_StatusTypeDef HAL_IWDG_Refresh(IWDG_HandleTypeDef *handle);

#endif
