/* SPDX-License-Identifier: MIT */
/**
 * @file chip.h
 * Registers of the STM32F407 as RM0090 and PM0214 give them, written down here on their own so that the board is
 * tested against a second reading of the manuals and not against the drivers that run on it.
 */
#ifndef SELFTEST_CHIP_H
#define SELFTEST_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#define REG(a) (*(volatile uint32_t *) (a))
#define REG8(a) (*(volatile uint8_t *) (a))
#define REG16(a) (*(volatile uint16_t *) (a))

#define RCC_CR REG(0x40023800)
#define RCC_PLLCFGR REG(0x40023804)
#define RCC_CFGR REG(0x40023808)
#define RCC_AHB1RSTR REG(0x40023810)
#define RCC_APB1RSTR REG(0x40023820)
#define RCC_APB2RSTR REG(0x40023824)
#define RCC_AHB1ENR REG(0x40023830)
#define RCC_AHB2ENR REG(0x40023834)
#define RCC_APB1ENR REG(0x40023840)
#define RCC_APB2ENR REG(0x40023844)
#define RCC_CSR REG(0x40023874)

#define PWR_CR REG(0x40007000)
#define PWR_CSR REG(0x40007004)
#define RTC_BKP(n) REG(0x40002850 + 4 * (n))
#define IWDG_KR REG(0x40003000)
#define IWDG_PR REG(0x40003004)
#define IWDG_RLR REG(0x40003008)
#define IWDG_SR REG(0x4000300C)
#define CRC_DR REG(0x40023000)
#define CRC_IDR REG(0x40023004)
#define CRC_CR REG(0x40023008)

#define FLASH_ACR REG(0x40023C00)
#define FLASH_KEYR REG(0x40023C04)
#define FLASH_OPTKEYR REG(0x40023C08)
#define FLASH_SR REG(0x40023C0C)
#define FLASH_CR REG(0x40023C10)
#define FLASH_OPTCR REG(0x40023C14)

#define SYSCFG_EXTICR(n) REG(0x40013808 + 4 * (n))
#define EXTI_IMR REG(0x40013C00)
#define EXTI_RTSR REG(0x40013C08)
#define EXTI_FTSR REG(0x40013C0C)
#define EXTI_SWIER REG(0x40013C10)
#define EXTI_PR REG(0x40013C14)
#define SPI1_BASE 0x40013000u
#define SPI2_BASE 0x40003800u
#define SPI1_CR1 REG(0x40013000)
#define SPI1_CR2 REG(0x40013004)
#define SPI1_SR REG(0x40013008)
#define SPI1_DR REG(0x4001300C)
#define SPI1_CRCPR REG(0x40013010)

#define GPIO(port, offset) REG(0x40020000 + 0x400 * ((port) - 'A') + (offset))
#define USART_BASE(n) ((n) == 1 ? 0x40011000 : (n) == 2 ? 0x40004400 : 0x40004800)
#define USART(n, offset) REG(USART_BASE(n) + (offset))
#define USART3_SR REG(0x40004800)
#define USART3_DR REG(0x40004804)
#define USART3_BRR REG(0x40004808)
#define USART3_CR1 REG(0x4000480C)
#define USART3_CR3 REG(0x40004814)

#define DMA1_LISR REG(0x40026000)
#define DMA1_LIFCR REG(0x40026008)
#define DMA1_S(n, offset) REG(0x40026010 + 0x18 * (n) + (offset))
#define DMA2_LISR REG(0x40026400)
#define DMA2_LIFCR REG(0x40026408)
#define DMA2_S(n, offset) REG(0x40026410 + 0x18 * (n) + (offset))

#define SYST_CSR REG(0xE000E010)
#define SYST_RVR REG(0xE000E014)
#define SYST_CVR REG(0xE000E018)
#define NVIC_ISER(n) REG(0xE000E100 + 4 * (n))
#define NVIC_ICER(n) REG(0xE000E180 + 4 * (n))
#define NVIC_ISPR(n) REG(0xE000E200 + 4 * (n))
#define NVIC_ICPR(n) REG(0xE000E280 + 4 * (n))
#define NVIC_IABR(n) REG(0xE000E300 + 4 * (n))
#define NVIC_IPR(n) REG8(0xE000E400 + (n))
#define SCB_CPUID REG(0xE000ED00)
#define SCB_ICSR REG(0xE000ED04)
#define SCB_VTOR REG(0xE000ED08)
#define SCB_AIRCR REG(0xE000ED0C)
#define SCB_SCR REG(0xE000ED10)
#define SCB_CCR REG(0xE000ED14)
#define SCB_SHPR(n) REG8(0xE000ED14 + (n)) /* n: exception number, 4 to 15 */
#define SCB_SHCSR REG(0xE000ED24)
#define SCB_CFSR REG(0xE000ED28)
#define MPU_TYPE REG(0xE000ED90)
#define MPU_CTRL REG(0xE000ED94)
#define MPU_RBAR REG(0xE000ED9C)
#define MPU_RASR REG(0xE000EDA0)
#define SCB_HFSR REG(0xE000ED2C)
#define SCB_BFAR REG(0xE000ED38)
#define SCB_CPACR REG(0xE000ED88)
#define DEMCR REG(0xE000EDFC)
#define DWT_CTRL REG(0xE0001000)
#define DWT_CYCCNT REG(0xE0001004)
#define DBGMCU_IDCODE REG(0xE0042000)

#define NAKED __attribute__((naked, noinline))
#define RAM_CODE __attribute__((section(".ramcode"), noinline, long_call))
#define NOINIT __attribute__((section(".noinit")))

/* start.c */
extern void (*irq_hook[82])(void);
extern void (*systick_hook)(void), (*pendsv_hook)(void);
extern uint32_t *(*svc_hook)(uint32_t *frame, uint32_t exc_return);

/** What the last fault looked like; the handler skips `fault_skip` bytes behind the stacked PC. */
struct fault {
    uint32_t exception, exc_return, pc, xpsr, lr, cfsr, hfsr, bfar, count;
};
extern volatile struct fault last_fault;
extern volatile uint32_t fault_skip;

/* check.c */
void check(const char *name, bool ok, uint32_t value);
#define CHECK(name, condition) check(name, (condition), 0)
#define EQUAL(name, got, want)                                                                                         \
    do {                                                                                                               \
        uint32_t got_ = (uint32_t) (got);                                                                              \
        check(name, got_ == (uint32_t) (want), got_);                                                                  \
    } while (0)
void report(void);
void say(const char *text);
void clock_168(void);
void uart3_start(uint32_t baud);

struct kept { /* survives resets, not power cycles */
    uint32_t magic, phase, passed, failed;
};
extern struct kept kept;

/* the tests */
void test_cpu(void);
void test_exceptions(void);
void test_faults(void);
void test_execute_never(void);
void test_fpu(void);
void test_clock(void);
void test_flash(void);
void test_flash_errors(void);
void test_flash_key(void);
void test_uart(void);
void test_dma(void);
void test_small(void);
void test_spi(void);
void test_spi_dma(void);
void test_exti(void);
void test_supply(void);
void test_backup_sram(void);
void test_otp(void);
void test_options(void);
void test_line_errors(void);

static inline void irq_off(void)
{
    __asm volatile("cpsid i" ::: "memory");
}
static inline void irq_on(void)
{
    __asm volatile("cpsie i\n isb" ::: "memory");
}
static inline void wait_for_interrupt(void)
{
    __asm volatile("dsb\n wfi" ::: "memory");
}
static inline void barrier(void)
{
    __asm volatile("dsb\n isb" ::: "memory");
}

#endif
