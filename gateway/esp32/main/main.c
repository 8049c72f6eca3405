/* SPDX-License-Identifier: MIT */
#include "port.h"

void app_main(void)
{
    port_app_start();
}
