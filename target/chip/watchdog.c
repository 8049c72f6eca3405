/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

#define PRESCALER_256 6u
#define RELOAD_MAX 0xFFFu
#define POLLS 100000u /* the registers take over within 5 cycles of the LSI (RM0090 21.4.4) */

void watchdog_start(void)
{
    IWDG->KR = IWDG_START; /* starts the LSI too, which the registers below need */
    IWDG->KR = IWDG_ACCESS;
    IWDG->PR = PRESCALER_256;
    IWDG->RLR = RELOAD_MAX;
    (void) chip_wait(&IWDG->SR, UINT32_MAX, 0, POLLS);
    IWDG->KR = IWDG_FEED;
}

void watchdog_stretch(void)
{
    if ((FLASH->OPTCR & FLASH_OPTCR_WDG_SW) == 0)
        watchdog_start();
}

void watchdog_feed(void)
{
    IWDG->KR = IWDG_FEED;
}
