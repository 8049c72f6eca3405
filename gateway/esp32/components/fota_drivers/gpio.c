/* SPDX-License-Identifier: MIT */
/* NRST, open-drain, and BOOT0 behind gw_pins. */
#include "port.h"

#include "wire.h"

#include <driver/gpio.h>

static int level(void *ctx, int pin, bool high)
{
    (void) ctx;
    return gpio_set_level((gpio_num_t) pin, high ? 1u : 0u) == ESP_OK ? 0 : -1;
}

/* NRST has its pull-up in the STM32. */
static int output(void *ctx, int pin, bool open_drain)
{
    const gpio_config_t config = {.pin_bit_mask = 1ull << pin,
                                  .mode = open_drain ? GPIO_MODE_OUTPUT_OD : GPIO_MODE_OUTPUT,
                                  .pull_up_en = GPIO_PULLUP_DISABLE,
                                  .pull_down_en = GPIO_PULLDOWN_DISABLE,
                                  .intr_type = GPIO_INTR_DISABLE};

    (void) ctx;
    return gpio_config(&config) == ESP_OK ? 0 : -1;
}

static const struct wire_gpio gpio = {NULL, level, output};
static struct wire_pins wire = {&gpio, CONFIG_FOTA_NRST, CONFIG_FOTA_BOOT0, false};

static int nrst(void *ctx, bool low)
{
    return wire_nrst(ctx, low);
}

static int boot0(void *ctx, bool high)
{
    return wire_boot0(ctx, high);
}

const struct gw_pins *port_pins(void)
{
    static struct gw_pins pins = {&wire, NULL, NULL};

    pins.nrst = CONFIG_FOTA_NRST >= 0 ? nrst : NULL;
    pins.boot0 = CONFIG_FOTA_BOOT0 >= 0 ? boot0 : NULL;
    return pins.nrst != NULL || pins.boot0 != NULL ? &pins : NULL;
}
