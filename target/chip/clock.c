/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

#define MHZ 1000000u
#define HSI_MHZ 16u
/* VCO 336 MHz from 1 MHz: M = the source in MHz, N = 336, P = 2, Q = 7 (RM0090 7.3.2) */
#define PLLCFGR(m, hse) ((m) | (336u << 6) | (0u << 16) | ((hse) ? BIT(22) : 0u) | (7u << 24))
#define CFGR_FAST ((5u << 10) | (4u << 13)) /* APB1 / 4, APB2 / 2: CLOCK_APB1_DIVIDER, CLOCK_APB2_DIVIDER */
#define CFGR_SW_PLL 2u
#define CFGR_SWS(x) (((x) >> 2) & 3u)
#define ACR_LATENCY 5u /* 168 MHz at 2.7–3.6 V (RM0090 table 10) */

/* Polls of a register before a wait is given up. A crystal may take 10 ms (DS8626 table 31); at 16 MHz and
 * some 10 cycles a poll this is about 30 ms, so a crystal that never starts costs no more than that. */
#define POLLS 50000u

static bool wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    return chip_wait(reg, mask, value, POLLS);
}

/* Nobody says what ran before: ST's ROM starts a program at its own PLL, and PLLCFGR takes nothing while that is on. */
static void back_to_hsi(void)
{
    RCC->CR |= RCC_CR_HSION;
    (void) wait_for(&RCC->CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    RCC->CFGR &= ~3u; /* first the source, then the prescalers: the buses must never be too fast */
    (void) wait_for(&RCC->CFGR, 3u << 2, 0);
    RCC->CFGR = 0;
    RCC->CR &= ~(RCC_CR_HSEON | RCC_CR_PLLON);
    (void) wait_for(&RCC->CR, RCC_CR_PLLRDY, 0);
}

bool clock_fast(uint32_t hse_hz)
{
    bool hse = false;

    back_to_hsi();
    if (hse_hz != 0) {
        RCC->CR |= RCC_CR_HSEON;
        hse = wait_for(&RCC->CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
        if (!hse)
            RCC->CR &= ~RCC_CR_HSEON;
    }
    RCC->PLLCFGR = PLLCFGR(hse ? hse_hz / MHZ : HSI_MHZ, hse);
    RCC->CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC->CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        RCC->CR &= ~RCC_CR_PLLON;
        return false;
    }
    FLASH->ACR = ACR_LATENCY;
    FLASH->ACR = ACR_LATENCY | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    RCC->CFGR = CFGR_FAST;
    RCC->CFGR = CFGR_FAST | CFGR_SW_PLL;
    return wait_for(&RCC->CFGR, 3u << 2, CFGR_SW_PLL << 2);
}

void clock_reset(void)
{
    back_to_hsi();
    RCC->PLLCFGR = 0x24003010u; /* RM0090 7.3.2 */
    FLASH->ACR = ACR_LATENCY;   /* caches off before they are reset (RM0090 3.9.1) */
    FLASH->ACR = ACR_LATENCY | FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH->ACR = 0;

    RCC->AHB1RSTR = RCC->AHB2RSTR = RCC->AHB3RSTR = RCC->APB1RSTR = RCC->APB2RSTR = UINT32_MAX;
    RCC->AHB1RSTR = RCC->AHB2RSTR = RCC->AHB3RSTR = RCC->APB1RSTR = RCC->APB2RSTR = 0;
    RCC->AHB1ENR = RCC_AHB1_RESET;
    RCC->AHB2ENR = RCC->AHB3ENR = RCC->APB1ENR = RCC->APB2ENR = 0;
}

bool clock_is_fast(void)
{
    return CFGR_SWS(RCC->CFGR) == CFGR_SW_PLL;
}
