/* SPDX-License-Identifier: MIT */
/**
 * @file stm32f407.h
 * The registers that fota uses, named as in RM0090. Core peripherals: Armv7-M Architecture Reference Manual,
 * B3.
 */
#ifndef CHIP_STM32F407_H
#define CHIP_STM32F407_H

#include <stdint.h>

#define BIT(n) (1ul << (n))

struct flash_regs {
    volatile uint32_t ACR, KEYR, OPTKEYR, SR, CR, OPTCR;
};
#define FLASH ((struct flash_regs *) 0x40023C00u) /* RM0090 3.9 */
#define FLASH_ACR_ICEN BIT(9)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_ICRST BIT(11)
#define FLASH_ACR_DCRST BIT(12)
#define FLASH_SR_ERRORS 0xF2u /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR */
#define FLASH_SR_EOP BIT(0)
#define FLASH_SR_BSY BIT(16)
#define FLASH_OPTCR_WDG_SW BIT(5)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_SER BIT(1)
#define FLASH_CR_SNB(n) ((uint32_t) (n) << 3)
#define FLASH_CR_PSIZE_X32 (2ul << 8)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_LOCK BIT(31)

struct rcc_regs {
    volatile uint32_t CR, PLLCFGR, CFGR, CIR;
    volatile uint32_t AHB1RSTR, AHB2RSTR, AHB3RSTR, reserved0, APB1RSTR, APB2RSTR, reserved1[2];
    volatile uint32_t AHB1ENR, AHB2ENR, AHB3ENR, reserved2, APB1ENR, APB2ENR, reserved3[2];
    volatile uint32_t AHB1LPENR, AHB2LPENR, AHB3LPENR, reserved4, APB1LPENR, APB2LPENR, reserved5[2];
    volatile uint32_t BDCR, CSR, reserved6[2], SSCGR, PLLI2SCFGR;
};
#define RCC ((struct rcc_regs *) 0x40023800u) /* RM0090 7.3 */
#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_HSEON BIT(16)
#define RCC_CR_HSERDY BIT(17)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CSR_RMVF BIT(24)
#define RCC_CSR_IWDGRSTF BIT(29)
#define RCC_CSR_WWDGRSTF BIT(30)
#define RCC_AHB1_RESET 0x00100000u     /* AHB1ENR after reset: the CCM is on */
#define RCC_AHB1_DMA(n) BIT(20u + (n)) /* n: 1 or 2 */
#define RCC_AHB1_GPIO(n) BIT(n)        /* n: 0 for A */
#define RCC_APB1_PWR BIT(28)
#define RCC_APB2_SPI1 BIT(12)

struct gpio_regs {
    volatile uint32_t MODER, OTYPER, OSPEEDR, PUPDR, IDR, ODR, BSRR, LCKR, AFR[2];
};
#define GPIO(n) ((struct gpio_regs *) (0x40020000u + 0x400u * (n))) /* RM0090 8.4; n: 0 for A */

struct usart_regs {
    volatile uint32_t SR, DR, BRR, CR1, CR2, CR3, GTPR;
};
#define USART1 ((struct usart_regs *) 0x40011000u) /* RM0090 30.6 */
#define USART2 ((struct usart_regs *) 0x40004400u)
#define USART3 ((struct usart_regs *) 0x40004800u)
#define USART_SR_TC BIT(6)
#define USART_SR_TXE BIT(7)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_UE BIT(13)
#define USART_CR3_DMAR BIT(6)
#define USART_CR3_DMAT BIT(7)

struct spi_regs {
    volatile uint32_t CR1, CR2, SR, DR;
};
#define SPI1 ((struct spi_regs *) 0x40013000u) /* RM0090 28.5 */
#define SPI_CR1_SPE BIT(6)
#define SPI_CR2_RXDMAEN BIT(0)
#define SPI_CR2_TXDMAEN BIT(1)
#define SPI_SR_TXE BIT(1)
#define SPI_SR_OVR BIT(6)
#define SPI_SR_BSY BIT(7)

struct dma_stream_regs {
    volatile uint32_t CR, NDTR, PAR, M0AR, M1AR, FCR;
};
struct dma_regs {
    volatile uint32_t LISR, HISR, LIFCR, HIFCR;
    struct dma_stream_regs STREAM[8];
};
#define DMA1 ((struct dma_regs *) 0x40026000u) /* RM0090 10.5 */
#define DMA2 ((struct dma_regs *) 0x40026400u)
#define DMA_CR_EN BIT(0)
#define DMA_CR_FROM_MEMORY BIT(6)
#define DMA_CR_CIRC BIT(8)
#define DMA_CR_MEMORY (2ul << 6) /* from memory to memory: PAR is the source */
#define DMA_CR_PINC BIT(9)
#define DMA_CR_MINC BIT(10)
#define DMA_CR_WORDS (2ul << 11 | 2ul << 13)
#define DMA_CR_FIRST (3ul << 16) /* before the other streams of this controller */
#define DMA_CR_DBM BIT(18)
#define DMA_CR_CT BIT(19)
#define DMA_CR_CHANNEL(n) ((uint32_t) (n) << 25)
/* all flags of stream n, 0 … 3, in LIFCR; of stream 4 + n in HIFCR */
#define DMA_FLAGS(n) (0x3Dul << ((n) % 2u * 6u + (n) / 2u * 16u))

struct pwr_regs {
    volatile uint32_t CR, CSR;
};
#define PWR ((struct pwr_regs *) 0x40007000u) /* RM0090 5.4 */
#define PWR_CR_PVDE BIT(4)
#define PWR_CR_PLS_2V7 (5ul << 5)
#define PWR_CR_PLS (7ul << 5)
#define PWR_CR_DBP BIT(8)
#define PWR_CSR_PVDO BIT(2)

struct exti_regs {
    volatile uint32_t IMR, EMR, RTSR, FTSR, SWIER, PR;
};
#define EXTI ((struct exti_regs *) 0x40013C00u) /* RM0090 12.3 */
#define EXTI_PVD BIT(16)

#define RTC_BACKUP ((volatile uint32_t *) 0x40002850u) /* RM0090 26.6.20: 20 words */

struct iwdg_regs {
    volatile uint32_t KR, PR, RLR, SR;
};
#define IWDG ((struct iwdg_regs *) 0x40003000u) /* RM0090 21.4 */
#define IWDG_FEED 0xAAAAu
#define IWDG_ACCESS 0x5555u
#define IWDG_START 0xCCCCu

#define UNIQUE_ID ((const uint8_t *) 0x1FFF7A10u) /* RM0090 39.1 */

struct systick_regs {
    volatile uint32_t CTRL, LOAD, VAL, CALIB;
};
#define SYSTICK ((struct systick_regs *) 0xE000E010u)

struct nvic_regs {
    volatile uint32_t ISER[8], reserved0[24], ICER[8], reserved1[24], ISPR[8], reserved2[24], ICPR[8];
};
#define NVIC ((struct nvic_regs *) 0xE000E100u)

struct scb_regs {
    volatile uint32_t CPUID, ICSR, VTOR, AIRCR, SCR, CCR, SHPR[3], SHCSR, CFSR, HFSR, DFSR, MMFAR, BFAR;
};
#define SCB ((struct scb_regs *) 0xE000ED00u)
/* ARMv7-M ARM B3.5 */
struct mpu_regs {
    volatile uint32_t TYPE, CTRL, RNR, RBAR, RASR;
};
#define MPU ((struct mpu_regs *) 0xE000ED90u)
#define MPU_CTRL_ENABLE BIT(0)
#define MPU_CTRL_PRIVDEFENA BIT(2)
#define MPU_RBAR_VALID BIT(4) /* with the region's number in bits 3:0 */
#define MPU_RASR_ENABLE BIT(0)
#define MPU_RASR_SIZE(bits) (((bits) -1u) << 1)
#define MPU_RASR_CACHED BIT(17)
#define MPU_RASR_FULL_ACCESS (3u << 24)
#define MPU_RASR_XN BIT(28)

#define SCB_ICSR_PENDSTCLR BIT(25)
#define SCB_ICSR_PENDSVCLR BIT(27)
#define SCB_AIRCR_RESET 0x05FA0004u /* key and SYSRESETREQ */

#define CHIP_VECTORS (16u + 82u) /* RM0090 table 61 */

static inline void chip_barrier(void)
{
    __asm volatile("dsb\n\tisb" ::: "memory");
}

static inline void chip_wait_for_interrupt(void)
{
    __asm volatile("dsb\n\twfi" ::: "memory");
}

/** Reset the chip (SYSRESETREQ). Does not return. */
_Noreturn static inline void chip_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB->AIRCR = SCB_AIRCR_RESET;
    for (;;) /* endless: until the reset comes, within some cycles */
        __asm volatile("dsb" ::: "memory");
}

#endif
