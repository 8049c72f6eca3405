/* SPDX-License-Identifier: MIT */
/* What a device's port may be: a serial line or an SPI master. */
#include "port.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SPI "spi:"
#define SPI_HZ_MIN 10000ul
#define SPI_HZ_MAX 21000000ul /* what a slave of the STM32F407 was tried with here; the chip's own limit is higher */

const char *port_line_check(const char *text)
{
    const char *at = strrchr(text, '@');
    char *end = NULL;
    unsigned long hz;

    if (strncmp(text, SPI, 4) != 0)
        return text[0] != '\0' ? NULL : "is empty";
    text += 4;
    if (text[0] == '\0' || strcmp(text, "unix:") == 0 || text[0] == '@')
        return "names no device after spi:, for example spi:/dev/spidev0.0";
    if (strlen(text) >= PORT_SPI_PATH)
        return "is too long";
    if (strncmp(text, "unix:", 5) == 0 || at == NULL)
        return NULL;
    hz = strtoul(at + 1, &end, 10);
    if (!isdigit((unsigned char) at[1]) || *end != '\0' || hz < SPI_HZ_MIN || hz > SPI_HZ_MAX)
        return "has a clock rate that is not 10000 to 21000000 Hz after the @";
    return NULL;
}

void port_line_init(struct port_line *line, const char *text)
{
    line->spi_used = strncmp(text, SPI, 4) == 0;
    if (line->spi_used) {
        port_spi_init(&line->spi, text + 4);
        line->link = &line->spi.link.link;
    } else {
        port_serial_init(&line->serial, text);
        line->link = &line->serial.link;
    }
}

int port_line_fd(const struct port_line *line)
{
    return line->spi_used ? -1 : line->serial.fd;
}
