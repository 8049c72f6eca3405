/* SPDX-License-Identifier: MIT */
/* A few commands on the serial console, so that credentials need no rebuild. Polled: it needs no task of its own. */
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PEM_END "-----END CERTIFICATE-----"

static char line[320];
static size_t length;
static bool too_long, in_pem, started;
static size_t pem_length;

static void help(void)
{
    (void) printf(
        "show                settings\n"
        "set NAME VALUE      change one; in force after `restart`\n"
        "unset NAME          back to menuconfig's\n"
        "ca                  paste certificates (PEM) after it, end with an empty line\n"
        "memory              free heap and stacks\n"
        "restart\n");
}

static void say(int result, const char *error)
{
    (void) printf("%s\n", result == 0 ? "kept; in force after `restart`" : error);
}

static void pem_line(void)
{
    size_t room = sizeof port_settings.ca - pem_length;
    char error[128];

    if (length == 0) {
        in_pem = false;
        if (strstr(port_settings.ca, PEM_END) == NULL)
            (void) printf("no certificate: \"%s\" is missing, or it has more than %u characters\n", PEM_END,
                          (unsigned) sizeof port_settings.ca - 1u);
        else
            say(port_settings_set("ca", port_settings.ca, error, sizeof error), error);
    } else if (length + 2u <= room) {
        memcpy(port_settings.ca + pem_length, line, length);
        pem_length += length;
        memcpy(port_settings.ca + pem_length++, "\n", 2);
    } else {
        port_settings.ca[0] = '\0';
        pem_length = sizeof port_settings.ca;
    }
}

static void command(void)
{
    char *name = strchr(line, ' '), *value = NULL;
    char error[128] = "";

    if (name != NULL) {
        *name++ = '\0';
        value = strchr(name, ' ');
        if (value != NULL)
            *value++ = '\0';
    }
    if (strcmp(line, "show") == 0)
        port_settings_print();
    else if (strcmp(line, "set") == 0 && value != NULL)
        say(port_settings_set(name, value, error, sizeof error), error);
    else if (strcmp(line, "unset") == 0 && name != NULL)
        say(port_settings_set(name, NULL, error, sizeof error), error);
    else if (strcmp(line, "ca") == 0) {
        in_pem = true;
        pem_length = 0;
        port_settings.ca[0] = '\0';
    } else if (strcmp(line, "memory") == 0)
        port_memory_print();
    else if (strcmp(line, "restart") == 0)
        port_restart();
    else if (line[0] != '\0')
        help();
}

static void take(char c)
{
    if (c == '\r')
        return;
    if (c != '\n') {
        too_long = too_long || length >= sizeof line - 1u;
        if (!too_long)
            line[length++] = c;
        return;
    }
    line[length] = '\0';
    if (too_long)
        (void) printf("a line has at most %u characters\n", (unsigned) sizeof line - 1u);
    else if (in_pem)
        pem_line();
    else
        command();
    memset(line, 0, sizeof line); /* perhaps a password */
    length = 0;
    too_long = false;
}

void port_console_poll(void)
{
    char piece[64];
    ssize_t n;

    if (!started)
        (void) fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL, 0) | O_NONBLOCK);
    started = true;
    n = read(STDIN_FILENO, piece, sizeof piece);
    for (ssize_t i = 0; i < n; i++)
        take(piece[i]);
    memset(piece, 0, sizeof piece);
}
