/* SPDX-License-Identifier: MIT */
/*
 * hal: an application on ST's HAL, with clock, USART3 (PB10, PB11) and SPI1 (PA4 to PA7) as STM32CubeMX sets them up.
 * The agent takes updates over both, through the kit's port/hal.
 */
#include "fota_hal.h"

#include <string.h>

#define SELF_TEST_MS 1000u
#define RING 4096u
#define TEXT_MS 100u

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = 1, .minor = EXAMPLE_MINOR, .counter = 1);
FOTA_FAULT_HANDLER(HardFault_Handler);

void SysTick_Handler(void);

void SysTick_Handler(void)
{
    HAL_IncTick();
}

/* --- as STM32CubeMX generates it -------------------------------------------------------------------------------- */

static UART_HandleTypeDef huart3;
static SPI_HandleTypeDef hspi1;
static DMA_HandleTypeDef hdma_usart3_rx, hdma_usart3_tx, hdma_spi1_rx, hdma_spi1_tx;

static bool clock_config(void)
{
    RCC_OscInitTypeDef oscillator = {.OscillatorType = RCC_OSCILLATORTYPE_HSE,
                                     .HSEState = RCC_HSE_ON,
                                     .PLL = {.PLLState = RCC_PLL_ON,
                                             .PLLSource = RCC_PLLSOURCE_HSE,
                                             .PLLM = 8,
                                             .PLLN = 336,
                                             .PLLP = RCC_PLLP_DIV2,
                                             .PLLQ = 7}};
    RCC_ClkInitTypeDef clocks = {.ClockType = RCC_CLOCKTYPE_HCLK | RCC_CLOCKTYPE_SYSCLK | RCC_CLOCKTYPE_PCLK1 |
                                              RCC_CLOCKTYPE_PCLK2,
                                 .SYSCLKSource = RCC_SYSCLKSOURCE_PLLCLK,
                                 .AHBCLKDivider = RCC_SYSCLK_DIV1,
                                 .APB1CLKDivider = RCC_HCLK_DIV4,
                                 .APB2CLKDivider = RCC_HCLK_DIV2};

    return HAL_RCC_OscConfig(&oscillator) == HAL_OK && HAL_RCC_ClockConfig(&clocks, FLASH_LATENCY_5) == HAL_OK;
}

static void pins(GPIO_TypeDef *port, uint32_t which, uint32_t pull, uint32_t function)
{
    GPIO_InitTypeDef init = {
        .Pin = which, .Mode = GPIO_MODE_AF_PP, .Pull = pull, .Speed = GPIO_SPEED_FREQ_HIGH, .Alternate = function};

    HAL_GPIO_Init(port, &init);
}

static void stream(DMA_HandleTypeDef *dma, DMA_Stream_TypeDef *instance, uint32_t channel, uint32_t direction)
{
    dma->Instance = instance;
    dma->Init = (DMA_InitTypeDef){.Channel = channel,
                                  .Direction = direction,
                                  .PeriphInc = DMA_PINC_DISABLE,
                                  .MemInc = DMA_MINC_ENABLE,
                                  .PeriphDataAlignment = DMA_PDATAALIGN_BYTE,
                                  .MemDataAlignment = DMA_MDATAALIGN_BYTE,
                                  .Mode = DMA_NORMAL,
                                  .Priority = DMA_PRIORITY_LOW,
                                  .FIFOMode = DMA_FIFOMODE_DISABLE};
    (void) HAL_DMA_Init(dma);
}

void HAL_UART_MspInit(UART_HandleTypeDef *huart)
{
    __HAL_RCC_USART3_CLK_ENABLE();
    __HAL_RCC_GPIOB_CLK_ENABLE();
    __HAL_RCC_DMA1_CLK_ENABLE();
    pins(GPIOB, GPIO_PIN_10 | GPIO_PIN_11, GPIO_PULLUP, GPIO_AF7_USART3);
    stream(&hdma_usart3_rx, DMA1_Stream1, DMA_CHANNEL_4, DMA_PERIPH_TO_MEMORY);
    stream(&hdma_usart3_tx, DMA1_Stream3, DMA_CHANNEL_4, DMA_MEMORY_TO_PERIPH);
    __HAL_LINKDMA(huart, hdmarx, hdma_usart3_rx);
    __HAL_LINKDMA(huart, hdmatx, hdma_usart3_tx);
}

void HAL_SPI_MspInit(SPI_HandleTypeDef *hspi)
{
    __HAL_RCC_SPI1_CLK_ENABLE();
    __HAL_RCC_GPIOA_CLK_ENABLE();
    __HAL_RCC_DMA2_CLK_ENABLE();
    pins(GPIOA, GPIO_PIN_4, GPIO_PULLUP, GPIO_AF5_SPI1);
    pins(GPIOA, GPIO_PIN_5 | GPIO_PIN_7, GPIO_PULLDOWN, GPIO_AF5_SPI1);
    pins(GPIOA, GPIO_PIN_6, GPIO_NOPULL, GPIO_AF5_SPI1);
    stream(&hdma_spi1_rx, DMA2_Stream0, DMA_CHANNEL_3, DMA_PERIPH_TO_MEMORY);
    stream(&hdma_spi1_tx, DMA2_Stream3, DMA_CHANNEL_3, DMA_MEMORY_TO_PERIPH);
    __HAL_LINKDMA(hspi, hdmarx, hdma_spi1_rx);
    __HAL_LINKDMA(hspi, hdmatx, hdma_spi1_tx);
}

static bool peripherals(void)
{
    huart3.Instance = USART3;
    huart3.Init = (UART_InitTypeDef){.BaudRate = 115200,
                                     .WordLength = UART_WORDLENGTH_8B,
                                     .StopBits = UART_STOPBITS_1,
                                     .Parity = UART_PARITY_NONE,
                                     .Mode = UART_MODE_TX_RX,
                                     .HwFlowCtl = UART_HWCONTROL_NONE,
                                     .OverSampling = UART_OVERSAMPLING_16};
    hspi1.Instance = SPI1;
    hspi1.Init = (SPI_InitTypeDef){.Mode = SPI_MODE_SLAVE,
                                   .Direction = SPI_DIRECTION_2LINES,
                                   .DataSize = SPI_DATASIZE_8BIT,
                                   .CLKPolarity = SPI_POLARITY_LOW,
                                   .CLKPhase = SPI_PHASE_1EDGE,
                                   .NSS = SPI_NSS_HARD_INPUT,
                                   .FirstBit = SPI_FIRSTBIT_MSB,
                                   .TIMode = SPI_TIMODE_DISABLE,
                                   .CRCCalculation = SPI_CRCCALCULATION_DISABLE};
    return HAL_UART_Init(&huart3) == HAL_OK && HAL_SPI_Init(&hspi1) == HAL_OK;
}

/* --- what fota adds --------------------------------------------------------------------------------------------- */

static uint8_t uart_ring[RING], spi_ring[RING];
static struct fota_hal_uart uart;
static struct fota_hal_spi spi;
static struct line *lines[FOTA_AGENT_LINES] = {&uart.line, &spi.line};
static const struct fota_agent_port port = FOTA_HAL_PORT(lines);
static const struct fota_agent_hooks hooks = {.window = 1536, .chunk = 512};
static struct fota_agent agent;
static struct fota_agent_update update;

int main(void)
{
    static const char text[] = "\r\nhal, confirmed\r\n";
    bool good, confirmed = false;

    (void) HAL_Init();
    good = clock_config() && peripherals() && fota_hal_uart_start(&uart, &huart3, uart_ring, RING) &&
           fota_hal_spi_start(&spi, &hspi1, GPIOA, GPIO_PIN_4, spi_ring, RING);
    (void) fota_agent_start(&agent, &port);
    (void) fota_agent_updates(&agent, &update, &hooks);
    for (;;) {    /* endless: an application */
        if (good) /* else the deadline ends the trial */
            (void) fota_agent_poll(&agent);
        fota_hal_spi_tend(&spi);
        fota_feed(&agent);
        if (good && !confirmed && HAL_GetTick() >= SELF_TEST_MS && fota_confirm(&agent) == FOTA_OK) {
            confirmed = true;
            (void) HAL_UART_Transmit(&huart3, (const uint8_t *) text, sizeof text - 1u, TEXT_MS);
        }
        HAL_PWR_EnterSLEEPMode(PWR_MAINREGULATOR_ON, PWR_SLEEPENTRY_WFI);
    }
}
