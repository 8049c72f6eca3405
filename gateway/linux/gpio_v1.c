/* SPDX-License-Identifier: MIT */
/* Lines of a GPIO chip by libgpiod 1 (Debian 11 and 12). */
#include "gpio.h"

#include <gpiod.h>
#include <stddef.h>

struct gpio_chip {
    struct gpiod_chip *chip;
    struct gpiod_line *line[GPIO_LINES];
};

static struct gpio_chip chips[GPIO_CHIPS];

struct gpio_chip *gpio_open(const char *name)
{
    for (unsigned i = 0; i < GPIO_CHIPS; i++)
        if (chips[i].chip == NULL) {
            chips[i] = (struct gpio_chip){.chip = gpiod_chip_open_lookup(name)};
            return chips[i].chip != NULL ? &chips[i] : NULL;
        }
    return NULL;
}

int gpio_output(struct gpio_chip *chip, unsigned n, unsigned offset, bool open_drain, bool level)
{
    struct gpiod_line *line = gpiod_chip_get_line(chip->chip, offset);

    if (line == NULL || gpiod_line_request_output_flags(
                            line, GPIO_CONSUMER, open_drain ? GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN : 0, level) != 0)
        return -1;
    chip->line[n] = line;
    return 0;
}

int gpio_set(struct gpio_chip *chip, unsigned n, bool level)
{
    return gpiod_line_set_value(chip->line[n], level) == 0 ? 0 : -1;
}

void gpio_close(struct gpio_chip *chip)
{
    gpiod_chip_close(chip->chip); /* gives its lines back as well */
    chip->chip = NULL;
}
