/* SPDX-License-Identifier: MIT */
/** @file check.c Results, kept in RAM and sent over USART3 ("ok NAME" or "FAIL NAME VALUE"), and the phases. */
#include "chip.h"

#include <string.h>

static struct {
    const char *name;
    uint32_t value;
    bool ok;
} results[200];
static unsigned result_count;

NOINIT struct kept kept;
#define MAGIC 0x5E1F7E57u

void check(const char *name, bool ok, uint32_t value)
{
    if (result_count < sizeof results / sizeof results[0]) {
        results[result_count].name = name;
        results[result_count].ok = ok;
        results[result_count++].value = value;
    }
    if (ok)
        kept.passed++;
    else
        kept.failed++;
}

void say(const char *text)
{
    for (; *text; text++) {
        while (!(USART3_SR & 0x80u))
            ;
        USART3_DR = (uint8_t) *text;
    }
    while (!(USART3_SR & 0x40u))
        ;
}

static void say_hex(uint32_t v)
{
    char text[11] = "0x";
    for (int i = 0; i < 8; i++)
        text[2 + i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15u];
    text[10] = 0;
    say(text);
}

void report(void)
{
    for (unsigned i = 0; i < result_count; i++) {
        say(results[i].ok ? "ok " : "FAIL ");
        say(results[i].name);
        if (!results[i].ok) {
            say(" ");
            say_hex(results[i].value);
        }
        say("\n");
    }
    result_count = 0;
}

void uart3_start(uint32_t baud)
{
    RCC_AHB1ENR |= 1u << 1;
    RCC_APB1ENR |= 1u << 18;
    GPIO('B', 0x24) = (GPIO('B', 0x24) & ~0xFF00u) | 0x7700u; /* AF7 on PB10, PB11 */
    GPIO('B', 0x00) = (GPIO('B', 0x00) & ~0xF00000u) | 0xA00000u;
    USART3_CR1 = 0;
    USART3_BRR = (42000000u + baud / 2) / baud;
    USART3_CR3 = 0;
    USART3_CR1 = 1u << 13 | 1u << 3 | 1u << 2;
}

/** HSE, PLL, 168 MHz, five wait states; as every firmware for this chip does it. */
void clock_168(void)
{
    FLASH_ACR = 5u | 7u << 8;
    RCC_CR |= 1u << 16;
    while (!(RCC_CR & 1u << 17))
        ;
    RCC_PLLCFGR = 8u | 336u << 6 | 0u << 16 | 1u << 22 | 7u << 24;
    RCC_CR |= 1u << 24;
    while (!(RCC_CR & 1u << 25))
        ;
    RCC_CFGR = 5u << 10 | 4u << 13 | 2u;
    while ((RCC_CFGR >> 2 & 3u) != 2u)
        ;
}

static void finish(void)
{
    say(kept.failed ? "DONE FAILED\n" : "DONE PASSED\n");
}

static void software_reset(void)
{
    SCB_AIRCR = 0x05FA0004u;
    barrier();
    for (;;)
        ;
}

int main(void)
{
    uint32_t cause = RCC_CSR;
    RCC_CSR |= 1u << 24;
    if (kept.magic != MAGIC || (cause & 1u << 27)) {
        memset(&kept, 0, sizeof kept);
        kept.magic = MAGIC;
    }
    if (kept.phase == 0)
        test_clock(); /* starts on the HSI */
    else
        clock_168();
    uart3_start(921600);
    RCC_APB1ENR |= 1u << 28;
    switch (kept.phase) {
    case 0:
        EQUAL("reset: power-on cause", cause & 0xFE000000u, 0x0E000000u);
        test_cpu();
        test_exceptions();
        test_faults();
        test_execute_never();
        test_fpu();
        test_small();
        report();
        test_flash();
        test_flash_errors();
        report();
        test_uart();
        test_dma();
        report();
        test_spi();
        test_spi_dma();
        test_exti();
        report();
        test_line_errors();
        test_supply();
        report();
        test_backup_sram();
        test_otp();
        test_options();
        report();
        test_flash_key();
        PWR_CR |= 1u << 8;
        RTC_BKP(0) = 0xCAFE0001u;
        RTC_BKP(19) = 0x12345678u;
        EQUAL("backup: written", RTC_BKP(0), 0xCAFE0001u);
        kept.phase = 1;
        report();
        software_reset();
        break;
    case 1:
        EQUAL("reset: software cause", cause & 0xFE000000u, 0x14000000u);
        EQUAL("backup: register 0 survives a reset", RTC_BKP(0), 0xCAFE0001u);
        EQUAL("backup: register 19 survives a reset", RTC_BKP(19), 0x12345678u);
        EQUAL("reset: PWR_CR", PWR_CR, 0x4000u);
        RTC_BKP(0) = 1;
        EQUAL("backup: locked without DBP", RTC_BKP(0), 0xCAFE0001u);
        kept.phase = 2;
        report();
        IWDG_KR = 0x5555u;
        IWDG_PR = 0;
        IWDG_RLR = 400;
        IWDG_KR = 0xCCCCu;
        while (IWDG_SR)
            ;
        for (int i = 0; i < 3; i++) { /* fed: 50 ms at 32 kHz / 4 */
            IWDG_KR = 0xAAAAu;
            for (volatile uint32_t n = 0; n < 700000; n++)
                ;
        }
        CHECK("watchdog: feeding keeps it quiet", true);
        EQUAL("watchdog: LSI runs", RCC_CSR & 2u, 2u);
        RCC_CSR &= ~1u;
        IWDG_PR = 6; /* locked again by the feeding: must have no effect */
        report();
        for (;;)
            ;
    case 2:
        EQUAL("reset: watchdog cause", cause & 0xFE000000u, 0x24000000u);
        kept.phase = 3;
        report();
        say("PULSE NRST\n");
        for (;;)
            wait_for_interrupt();
    case 3:
        EQUAL("reset: pin cause", cause & 0xFE000000u, 0x04000000u);
        EQUAL("reset: SRAM survives", kept.magic, MAGIC);
        RCC_AHB1ENR |= 1u << 18;
        EQUAL("backup SRAM: survives resets", REG(0x40024FFC), 0x5AFE0002u);
        EQUAL("options: BOR level 3 is in force", FLASH_OPTCR >> 2 & 3u, 0);
        kept.phase = 4;
        report();
        say("BROWN OUT\n");
        for (;;)
            wait_for_interrupt();
    case 4:
        EQUAL("reset: brown-out cause", cause & 0xFE000000u, 0x06000000u);
        EQUAL("reset: SRAM survives a brown-out", kept.magic, MAGIC);
        kept.phase = 5;
        report();
        finish();
        break;
    default:
        say("UNEXPECTED PHASE\n");
        break;
    }
    return 0;
}
