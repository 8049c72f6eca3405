/* SPDX-License-Identifier: MIT */
/* Who moves NRST and BOOT0: nobody, a virtual board, or two lines of a GPIO chip. */
#include "gpio.h"
#include "port.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOARD "board:"
#define GPIO "gpio:"
#define OFFSET_MAX 1023ul

enum { LINE_NRST, LINE_BOOT0 };

/* gpio:CHIP:NRST[:BOOT0]. @return whether it is of that form. */
static bool parse_gpio(const char *text, struct port_gpio_pins *pins)
{
    const char *colon = strchr(text, ':');
    size_t name = colon != NULL ? (size_t) (colon - text) : 0;

    if (name == 0 || name >= sizeof pins->chip_name)
        return false;
    memcpy(pins->chip_name, text, name);
    pins->chip_name[name] = '\0';
    for (pins->count = 0; *colon == ':' && pins->count < GPIO_LINES; pins->count++) {
        char *end = NULL;
        unsigned long offset = strtoul(colon + 1, &end, 10);

        if (!isdigit((unsigned char) colon[1]) || offset > OFFSET_MAX)
            return false;
        pins->offset[pins->count] = (unsigned) offset;
        colon = end;
    }
    return *colon == '\0';
}

const char *port_pins_check(const char *text)
{
    struct port_gpio_pins pins;

    if (strcmp(text, "none") == 0 || (strncmp(text, BOARD, 6) == 0 && text[6] != '\0') ||
        (strncmp(text, GPIO, 5) == 0 && parse_gpio(text + 5, &pins)))
        return NULL;
    return "is not none, gpio:CHIP:NRST[:BOOT0] (numbers of lines) or board:SOCKET";
}

bool port_pins_both(const char *text)
{
    struct port_gpio_pins pins;

    return strncmp(text, BOARD, 6) == 0 ||
           (strncmp(text, GPIO, 5) == 0 && parse_gpio(text + 5, &pins) && pins.count == 2u);
}

/* NRST is let go and BOOT0 low when the lines are taken, so a device that runs goes on. */
static bool take(struct port_gpio_pins *p)
{
    if (p->chip != NULL)
        return true;
    p->chip = gpio_open(p->chip_name);
    if (p->chip != NULL && gpio_output(p->chip, LINE_NRST, p->offset[LINE_NRST], true, true) == 0 &&
        (p->count < 2u || gpio_output(p->chip, LINE_BOOT0, p->offset[LINE_BOOT0], false, false) == 0))
        return true;
    port_log(GW_LOG_WARNING, "lines of %s cannot be had: %s", p->chip_name, strerror(errno));
    if (p->chip != NULL)
        gpio_close(p->chip);
    p->chip = NULL;
    return false;
}

static int gpio_nrst(void *ctx, bool low)
{
    struct port_gpio_pins *p = ctx;

    return take(p) ? gpio_set(p->chip, LINE_NRST, !low) : -1;
}

static int gpio_boot0(void *ctx, bool high)
{
    struct port_gpio_pins *p = ctx;

    return take(p) ? gpio_set(p->chip, LINE_BOOT0, high) : -1;
}

const struct gw_pins *port_pins_init(struct port_pins *pins, const char *text)
{
    if (strncmp(text, BOARD, 6) == 0) {
        port_board_pins_init(&pins->board, text + 6);
        return &pins->board.pins;
    }
    if (strncmp(text, GPIO, 5) != 0 || !parse_gpio(text + 5, &pins->gpio))
        return NULL;
    pins->gpio.chip = NULL;
    pins->gpio.pins = (struct gw_pins){&pins->gpio, gpio_nrst, pins->gpio.count == 2u ? gpio_boot0 : NULL};
    return &pins->gpio.pins;
}
