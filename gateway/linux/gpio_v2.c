/* SPDX-License-Identifier: MIT */
/* Lines of a GPIO chip by libgpiod 2 (Debian 13). */
#include "gpio.h"

#include <gpiod.h>
#include <stdio.h>
#include <string.h>

struct gpio_chip {
    struct gpiod_chip *chip;
    struct gpiod_line_request *line[GPIO_LINES];
    unsigned offset[GPIO_LINES];
};

static struct gpio_chip chips[GPIO_CHIPS];

struct gpio_chip *gpio_open(const char *name)
{
    char path[64];

    if (snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : "/dev/", name) >= (int) sizeof path)
        return NULL;
    for (unsigned i = 0; i < GPIO_CHIPS; i++)
        if (chips[i].chip == NULL) {
            chips[i] = (struct gpio_chip){.chip = gpiod_chip_open(path)};
            return chips[i].chip != NULL ? &chips[i] : NULL;
        }
    return NULL;
}

int gpio_output(struct gpio_chip *chip, unsigned n, unsigned offset, bool open_drain, bool level)
{
    struct gpiod_line_settings *settings = gpiod_line_settings_new();
    struct gpiod_line_config *lines = gpiod_line_config_new();
    struct gpiod_request_config *request = gpiod_request_config_new();

    if (settings != NULL && lines != NULL && request != NULL) {
        gpiod_request_config_set_consumer(request, GPIO_CONSUMER);
        if (gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_OUTPUT) == 0 &&
            gpiod_line_settings_set_drive(settings,
                                          open_drain ? GPIOD_LINE_DRIVE_OPEN_DRAIN : GPIOD_LINE_DRIVE_PUSH_PULL) == 0 &&
            gpiod_line_settings_set_output_value(settings,
                                                 level ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE) == 0 &&
            gpiod_line_config_add_line_settings(lines, &offset, 1, settings) == 0)
            chip->line[n] = gpiod_chip_request_lines(chip->chip, request, lines);
    }
    chip->offset[n] = offset;
    gpiod_request_config_free(request);
    gpiod_line_config_free(lines);
    gpiod_line_settings_free(settings);
    return chip->line[n] != NULL ? 0 : -1;
}

int gpio_set(struct gpio_chip *chip, unsigned n, bool level)
{
    return gpiod_line_request_set_value(chip->line[n], chip->offset[n],
                                        level ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE);
}

void gpio_close(struct gpio_chip *chip)
{
    for (unsigned n = 0; n < GPIO_LINES; n++)
        if (chip->line[n] != NULL)
            gpiod_line_request_release(chip->line[n]);
    gpiod_chip_close(chip->chip);
    memset(chip, 0, sizeof *chip);
}
