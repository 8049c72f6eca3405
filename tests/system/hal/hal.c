/* SPDX-License-Identifier: MIT */
/* stm32f4xx_hal.h: the functions, in the way of ST's HAL as far as their users can see. */
#include "chip.h"
#include "dma.h"
#include "stm32f4xx_hal.h"

#define CRYSTAL_HZ 8000000u
#define POLLS 100000u
#define FLASH_POLLS 100000000u

/* --- clock and time --------------------------------------------------------------------------------------------- */

uint32_t SystemCoreClock = CLOCK_HSI_HZ;
static volatile uint32_t ticks;

static void start_ticks(void)
{
    SystemCoreClock = clock_cpu_hz();
    SYSTICK->LOAD = SystemCoreClock / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
}

HAL_StatusTypeDef HAL_Init(void)
{
    start_ticks();
    return HAL_OK;
}

void HAL_IncTick(void)
{
    ticks++;
}

uint32_t HAL_GetTick(void)
{
    return ticks;
}

HAL_StatusTypeDef HAL_RCC_OscConfig(const RCC_OscInitTypeDef *init)
{
    return init->HSEState == RCC_HSE_ON && init->PLL.PLLState == RCC_PLL_ON ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_RCC_ClockConfig(const RCC_ClkInitTypeDef *init, uint32_t latency)
{
    (void) latency;
    if (init->APB1CLKDivider != RCC_HCLK_DIV4 || !clock_fast(CRYSTAL_HZ))
        return HAL_ERROR;
    start_ticks();
    return HAL_OK;
}

void HAL_PWR_EnterSLEEPMode(uint32_t regulator, uint8_t entry)
{
    (void) regulator;
    (void) entry;
    chip_wait_for_interrupt();
}

/* --- pins ------------------------------------------------------------------------------------------------------- */

void HAL_GPIO_Init(GPIO_TypeDef *port, const GPIO_InitTypeDef *init)
{
    unsigned number = (unsigned) ((uintptr_t) port - (uintptr_t) GPIOA) / 0x400u;

    for (unsigned pin = 0; pin < 16u; pin++)
        if ((init->Pin & BIT(pin)) != 0)
            pin_alternate(number, pin, init->Alternate, (enum pin_pull) init->Pull);
}

GPIO_PinState HAL_GPIO_ReadPin(const GPIO_TypeDef *port, uint16_t pin)
{
    return (port->IDR & pin) != 0 ? GPIO_PIN_SET : GPIO_PIN_RESET;
}

/* --- DMA -------------------------------------------------------------------------------------------------------- */

static void clear_flags(const DMA_Stream_TypeDef *stream)
{
    struct dma_regs *dma = (uintptr_t) stream < (uintptr_t) DMA2 ? DMA1 : DMA2;
    unsigned n = (unsigned) (stream - dma->STREAM);

    if (n < 4u)
        dma->LIFCR = DMA_FLAGS(n);
    else
        dma->HIFCR = DMA_FLAGS(n - 4u);
}

HAL_StatusTypeDef HAL_DMA_Init(DMA_HandleTypeDef *handle)
{
    const DMA_InitTypeDef *init = &handle->Init;

    __HAL_DMA_DISABLE(handle);
    if (!chip_wait(&handle->Instance->CR, DMA_SxCR_EN, 0, POLLS))
        return HAL_TIMEOUT;
    handle->Instance->CR = init->Channel | init->Direction | init->PeriphInc | init->MemInc |
                           init->PeriphDataAlignment | init->MemDataAlignment | init->Mode | init->Priority;
    clear_flags(handle->Instance);
    return HAL_OK;
}

HAL_StatusTypeDef HAL_DMA_Start(DMA_HandleTypeDef *handle, uint32_t source, uint32_t destination, uint32_t count)
{
    bool out = handle->Init.Direction == DMA_MEMORY_TO_PERIPH;

    handle->Instance->NDTR = count;
    handle->Instance->PAR = out ? destination : source;
    handle->Instance->M0AR = out ? source : destination;
    handle->Instance->CR |= DMA_SxCR_EN;
    return HAL_OK;
}

/* --- UART ------------------------------------------------------------------------------------------------------- */

HAL_StatusTypeDef HAL_UART_Init(UART_HandleTypeDef *handle)
{
    uint32_t hz = clock_cpu_hz() / (clock_is_fast() ? CLOCK_APB1_DIVIDER : 1u);

    HAL_UART_MspInit(handle);
    handle->Instance->BRR = (hz + handle->Init.BaudRate / 2u) / handle->Init.BaudRate;
    handle->Instance->CR1 = handle->Init.Mode | USART_CR1_UE;
    return HAL_OK;
}

HAL_StatusTypeDef HAL_UART_Transmit(const UART_HandleTypeDef *handle, const uint8_t *data, uint16_t size,
                                    uint32_t timeout)
{
    (void) timeout;
    for (uint16_t i = 0; i < size; i++) {
        if (!chip_wait(&handle->Instance->SR, USART_SR_TXE, USART_SR_TXE, POLLS))
            return HAL_TIMEOUT;
        handle->Instance->DR = data[i];
    }
    return HAL_OK;
}

/* --- SPI -------------------------------------------------------------------------------------------------------- */

HAL_StatusTypeDef HAL_SPI_Init(SPI_HandleTypeDef *handle)
{
    if (handle->State == 0)
        HAL_SPI_MspInit(handle);
    handle->State = 1;
    handle->Instance->CR1 = handle->Init.Mode | handle->Init.CLKPolarity | handle->Init.CLKPhase;
    handle->Instance->CR2 = 0;
    return HAL_OK;
}

/* --- flash, watchdog -------------------------------------------------------------------------------------------- */

HAL_StatusTypeDef HAL_FLASH_Unlock(void)
{
    if ((FLASH->CR & FLASH_CR_LOCK) != 0) {
        FLASH->KEYR = 0x45670123u;
        FLASH->KEYR = 0xCDEF89ABu;
    }
    return (FLASH->CR & FLASH_CR_LOCK) == 0 ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_FLASH_Lock(void)
{
    FLASH->CR |= FLASH_CR_LOCK;
    return HAL_OK;
}

static HAL_StatusTypeDef finish(void)
{
    bool ended = chip_wait(&FLASH->SR, FLASH_SR_BSY, 0, FLASH_POLLS);

    FLASH->CR &= ~(uint32_t) (FLASH_CR_PG | FLASH_CR_SER);
    return ended && (FLASH->SR & FLASH_SR_ERRORS) == 0 ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_FLASH_Program(uint32_t type, uint32_t address, uint64_t data)
{
    if (type != FLASH_TYPEPROGRAM_WORD)
        return HAL_ERROR;
    FLASH->CR = FLASH_CR_PSIZE_X32 | FLASH_CR_PG;
    *(volatile uint32_t *) (uintptr_t) address = (uint32_t) data;
    __asm volatile("dsb" ::: "memory");
    return finish();
}

HAL_StatusTypeDef HAL_FLASHEx_Erase(const FLASH_EraseInitTypeDef *what, uint32_t *failed)
{
    HAL_StatusTypeDef status;

    FLASH->CR = FLASH_CR_PSIZE_X32 | FLASH_CR_SER | FLASH_CR_SNB(what->Sector);
    FLASH->CR |= FLASH_CR_STRT;
    __asm volatile("dsb" ::: "memory");
    status = finish();
    *failed = status == HAL_OK ? UINT32_MAX : what->Sector;
    return status;
}

void FLASH_FlushCaches(void)
{
    uint32_t acr = FLASH->ACR;

    FLASH->ACR = acr & ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN);
    FLASH->ACR = (acr & ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN)) | FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH->ACR = acr;
}

HAL_StatusTypeDef HAL_IWDG_Refresh(IWDG_HandleTypeDef *handle)
{
    handle->Instance->KR = IWDG_FEED;
    return HAL_OK;
}
