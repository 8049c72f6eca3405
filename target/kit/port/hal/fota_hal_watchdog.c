/* SPDX-License-Identifier: MIT */
#include "fota_hal.h"

#ifndef HAL_IWDG_MODULE_ENABLED
#error "enable the IWDG in stm32f4xx_hal_conf.h, or take chip/watchdog.c instead of fota_hal_watchdog.c"
#endif

/* The bootloader starts it for a trial; fed is all that it is here. */
void watchdog_feed(void)
{
    static IWDG_HandleTypeDef watchdog = {.Instance = IWDG};

    (void) HAL_IWDG_Refresh(&watchdog);
}
