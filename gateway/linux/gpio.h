/* SPDX-License-Identifier: MIT */
/** @file gpio.h A GPIO chip of Linux: gpio_v1.c or gpio_v2.c, as libgpiod is. */
#ifndef GW_LINUX_GPIO_H
#define GW_LINUX_GPIO_H

#include <stdbool.h>

#define GPIO_CONSUMER "fota"
#define GPIO_LINES 2u  /* NRST and BOOT0 */
#define GPIO_CHIPS 16u /* one for each device */

struct gpio_chip;

/** @param name "gpiochip0" or a path. @return NULL: not there, or no permission; errno says which. */
struct gpio_chip *gpio_open(const char *name);
/** Make a line an output. @param n 0 … GPIO_LINES - 1, its number here. @param offset on the chip. @param level at
 * first; of an open-drain line true lets go. @return 0 or -1: errno. */
int gpio_output(struct gpio_chip *chip, unsigned n, unsigned offset, bool open_drain, bool level);
/** @return 0 or -1. */
int gpio_set(struct gpio_chip *chip, unsigned n, bool level);
void gpio_close(struct gpio_chip *chip);

#endif
