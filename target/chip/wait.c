/* SPDX-License-Identifier: MIT */
#include "chip.h"

CHIP_RAM bool chip_wait(const volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t polls)
{
    for (uint32_t i = 0; i < polls; i++)
        if ((*reg & mask) == value)
            return true;
    return false;
}
