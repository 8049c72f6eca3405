/* SPDX-License-Identifier: MIT */
#include "port.h"

void app_main(void); /* called by ESP-IDF */

void app_main(void)
{
    port_app_start();
}
