/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

#define PVD_POLLS 64u /* some µs for the voltage detector to settle */

/* Set the voltage detector. @return whether the supply is above its threshold, once it has settled. */
static bool detect(uint32_t cr)
{
    PWR->CR = cr;
    for (unsigned i = 0; i < PVD_POLLS; i++)
        (void) PWR->CSR;
    return (PWR->CSR & PWR_CSR_PVDO) == 0;
}

/* The detector may be the application's: it is left as it was, its interrupt does not hear of our threshold, and for
 * these some µs no other interrupt writes what we write back. */
bool chip_supply_good(void)
{
    uint32_t primask, enabled, detector, heard, pending;
    bool good;

    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask)::"memory");
    enabled = RCC->APB1ENR;
    RCC->APB1ENR = enabled | RCC_APB1_PWR;
    heard = EXTI->IMR;
    pending = EXTI->PR;
    EXTI->IMR = heard & ~EXTI_PVD;
    detector = PWR->CR;
    good = detect((detector & ~PWR_CR_PLS) | PWR_CR_PLS_2V7 | PWR_CR_PVDE);
    if ((detector & PWR_CR_PVDE) != 0)
        (void) detect(detector); /* settles, so that the edge is gone before its interrupt is let through */
    else
        PWR->CR = detector;
    EXTI->PR = EXTI_PVD & ~pending;
    EXTI->IMR = heard;
    RCC->APB1ENR = enabled;
    __asm volatile("msr primask, %0" ::"r"(primask) : "memory");
    return good;
}
