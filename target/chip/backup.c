/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

uint32_t backup_read(enum backup_word word)
{
    return RTC_BACKUP[word];
}

void backup_write(enum backup_word word, uint32_t value)
{
    uint32_t enabled = RCC->APB1ENR;

    RCC->APB1ENR = enabled | RCC_APB1_PWR;
    (void) RCC->APB1ENR;
    PWR->CR |= PWR_CR_DBP;
    RTC_BACKUP[word] = value;
    (void) RTC_BACKUP[word];
    PWR->CR &= ~PWR_CR_DBP;
    RCC->APB1ENR = enabled;
}
