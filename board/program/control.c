/* SPDX-License-Identifier: GPL-2.0-only */
/** @file control.c The control socket: a command a line in, a JSON object a line out. See docs/board.md. */
#define _GNU_SOURCE
#include "app.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DUMP_HEX_MAX 65536u
#define DUMP_FILE_MAX (2u << 20)

static cJSON *failure(const char *text)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ok", false);
    cJSON_AddStringToObject(o, "error", text);
    return o;
}

static cJSON *success(void)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ok", true);
    return o;
}

static bool number(const char *text, uint64_t max, uint64_t *value)
{
    char *end;
    if (!text || *text == '-' || !*text)
        return false;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return errno == 0 && *end == 0 && *value <= max;
}

/* ------------------------------------------------------------------------------------------------------- status */

static void add_list(cJSON *o, const char *name, const uint64_t *values, unsigned first, unsigned count)
{
    cJSON *a = cJSON_AddArrayToObject(o, name);
    for (unsigned i = first; i < count; i++)
        cJSON_AddItemToArray(a, cJSON_CreateNumber((double) values[i]));
}

static cJSON *counters(struct board *b)
{
    static const char *const causes[BOARD_RESET_CAUSES] = {"power", "pin", "software", "watchdog", "brown_out"};
    static const char *const faults[4] = {"hard", "memory", "bus", "usage"};
    const struct board_counters *c = board_counters(b);
    cJSON *o = cJSON_CreateObject(), *sub;
    cJSON_AddNumberToObject(o, "instructions", (double) c->instructions);
    cJSON_AddNumberToObject(o, "skipped_ns", (double) c->skipped_ns);
    cJSON_AddNumberToObject(o, "flash_operations", (double) c->flash_operations);
    add_list(o, "flash_erases", c->flash_erases, 0, BOARD_SECTORS);
    add_list(o, "flash_programs", c->flash_programs, 0, BOARD_SECTORS);
    cJSON_AddNumberToObject(o, "violations", (double) board_rule_violations(b));
    sub = cJSON_AddObjectToObject(o, "rules");
    for (unsigned i = 0; i < BOARD_RULES; i++)
        cJSON_AddNumberToObject(sub, board_rule_name((enum board_rule) i), (double) c->rules[i]);
    sub = cJSON_AddObjectToObject(o, "resets");
    for (unsigned i = 0; i < BOARD_RESET_CAUSES; i++)
        cJSON_AddNumberToObject(sub, causes[i], (double) c->resets[i]);
    cJSON_AddNumberToObject(o, "power_cuts", (double) c->power_cuts);
    sub = cJSON_AddObjectToObject(o, "faults");
    for (unsigned i = 0; i < 4; i++)
        cJSON_AddNumberToObject(sub, faults[i], (double) c->faults[i]);
    cJSON_AddNumberToObject(o, "exceptions", (double) c->exceptions);
    cJSON_AddNumberToObject(o, "lockups", (double) c->lockups);
    cJSON_AddNumberToObject(o, "unmodelled", (double) c->unmodelled);
    add_list(o, "uart_rx", c->uart_rx, 1, BOARD_UARTS + 1);
    add_list(o, "uart_tx", c->uart_tx, 1, BOARD_UARTS + 1);
    add_list(o, "uart_overruns", c->uart_overruns, 1, BOARD_UARTS + 1);
    add_list(o, "uart_lost", c->uart_lost, 1, BOARD_UARTS + 1);
    add_list(o, "uart_garbled", c->uart_garbled, 1, BOARD_UARTS + 1);
    add_list(o, "spi_bytes", c->spi_bytes, 1, BOARD_SPIS + 1);
    add_list(o, "spi_overruns", c->spi_overruns, 1, BOARD_SPIS + 1);
    add_list(o, "spi_underruns", c->spi_underruns, 1, BOARD_SPIS + 1);
    add_list(o, "spi_lost", c->spi_lost, 1, BOARD_SPIS + 1);
    add_list(o, "spi_garbled", c->spi_garbled, 1, BOARD_SPIS + 1);
    return o;
}

static cJSON *status(struct app *app)
{
    static const char *const cpu[] = {"off", "reset", "running", "sleeping", "lockup", "rom"};
    struct board *b = app->board;
    cJSON *o = success();
    char pc[16];
    snprintf(pc, sizeof pc, "0x%08x", (unsigned) board_register(b, BOARD_PC));
    cJSON_AddNumberToObject(o, "time_ns", (double) board_now(b));
    cJSON_AddBoolToObject(o, "power", board_cpu(b) != BOARD_CPU_OFF);
    cJSON_AddStringToObject(o, "cpu", cpu[board_cpu(b)]);
    cJSON_AddStringToObject(o, "pc", pc);
    cJSON_AddStringToObject(o, "nrst", board_nrst_is_low(b) ? "low" : "high");
    cJSON_AddNumberToObject(o, "boot0", board_boot0_is_high(b));
    cJSON_AddStringToObject(o, "rom", board_rom_interface(b));
    cJSON_AddNumberToObject(o, "supply_mv", board_supply_mv(b));
    snprintf(pc, sizeof pc, "0x%08x", (unsigned) board_option_bytes(b));
    cJSON_AddStringToObject(o, "option_bytes", pc);
    cJSON_AddNumberToObject(o, "speed", app->speed);
    cJSON_AddNumberToObject(o, "behind_ns", (double) app->behind_ns);
    cJSON *uarts = cJSON_AddArrayToObject(o, "uarts");
    for (unsigned i = 0; i < BOARD_UARTS; i++) {
        const struct port *p = &app->port[i];
        if (p->kind == PORT_NONE)
            continue;
        cJSON *u = cJSON_CreateObject();
        cJSON_AddNumberToObject(u, "n", p->n);
        cJSON_AddStringToObject(u, "path", p->path);
        cJSON_AddBoolToObject(u, "connected", p->connected);
        cJSON_AddBoolToObject(u, "open", p->peer);
        cJSON_AddNumberToObject(u, "dropped", (double) p->dropped);
        cJSON_AddItemToArray(uarts, u);
    }
    cJSON_AddItemToObject(o, "counters", counters(b));
    cJSON_AddStringToObject(o, "message", board_message(b));
    return o;
}

/* ----------------------------------------------------------------------------------------------------- commands */

static cJSON *dump_to_file(const uint8_t *bytes, size_t len, const char *path)
{
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(bytes, 1, len, f) == len;
    int error = errno;
    if (f && fclose(f) != 0) {
        good = false;
        error = errno;
    }
    if (!good)
        return failure(strerror(error));
    cJSON *o = success();
    cJSON_AddNumberToObject(o, "length", (double) len);
    cJSON_AddStringToObject(o, "file", path);
    return o;
}

static cJSON *dump(struct app *app, char **word, unsigned words)
{
    uint64_t address, len;
    bool to_file = words == 4;
    if (words < 3 || words > 4 || !number(word[1], UINT32_MAX, &address) ||
        !number(word[2], to_file ? DUMP_FILE_MAX : DUMP_HEX_MAX, &len) || len == 0)
        return failure("usage: dump ADDR LEN [FILE]; LEN is 1 to 65536, with FILE to 2097152");
    uint8_t *bytes = malloc((size_t) len);
    if (!bytes)
        return failure("out of memory");
    cJSON *o;
    if (!board_debug_read(app->board, (uint32_t) address, bytes, (size_t) len))
        o = failure(board_read_protected(app->board)
                        ? "RDP level 1: flash and backup SRAM cannot be read from outside"
                        : "the range is not memory (flash 0x08000000, SRAM 0x20000000, CCM 0x10000000, ROM 0x1FFF0000, "
                          "backup SRAM 0x40024000)");
    else if (to_file)
        o = dump_to_file(bytes, (size_t) len, word[3]);
    else {
        char *hex = malloc((size_t) len * 2 + 1);
        for (size_t i = 0; hex && i < len; i++)
            snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
        o = hex ? success() : failure("out of memory");
        if (hex) {
            cJSON_AddNumberToObject(o, "address", (double) address);
            cJSON_AddStringToObject(o, "hex", hex);
        }
        free(hex);
    }
    free(bytes);
    return o;
}

static cJSON *cut(struct app *app, char **word, unsigned words)
{
    static const char *const phases[] = {"before", "inside", "after"};
    uint64_t n, seed = 1;
    unsigned phase = BOARD_CUT_BEFORE;
    if (words < 2 || words > 4 || !number(word[1], UINT32_MAX, &n))
        return failure("usage: cut N [before|inside|after] [SEED]; N is 1 for the next flash operation, 0 for none");
    if (words > 2) {
        for (phase = 0; phase < 3 && strcmp(word[2], phases[phase]) != 0; phase++)
            ;
        if (phase == 3)
            return failure("the phase must be before, inside or after");
    }
    if (words > 3 && !number(word[3], UINT64_MAX, &seed))
        return failure("the seed must be a number");
    board_cut(app->board, n, (enum board_cut_phase) phase, seed);
    return success();
}

/** "uart N error parity|framing|noise|overrun [COUNT [SKIP]]" */
static cJSON *uart_error(struct app *app, unsigned n, char **word, unsigned words)
{
    static const char *const names[] = {"parity", "framing", "noise", "overrun"};
    uint64_t count = 1, skip = 0;
    unsigned kind = 0;
    while (kind < 4 && (words < 4 || strcmp(word[3], names[kind]) != 0))
        kind++;
    if (kind == 4 || words > 6 || (words > 4 && !number(word[4], UINT32_MAX, &count)) ||
        (words > 5 && !number(word[5], UINT32_MAX, &skip)))
        return failure("usage: uart N error parity|framing|noise|overrun [COUNT [SKIP]]");
    board_uart_error(app->board, n, 1u << kind, (uint32_t) skip, (uint32_t) count);
    return success();
}

static cJSON *uart(struct app *app, char **word, unsigned words)
{
    uint64_t n;
    enum board_uart_format format;
    const char *what = words > 2 ? word[2] : "";
    bool connect_it = strcmp(what, "connect") == 0;
    if (words < 3 || !number(word[1], BOARD_UARTS, &n) || n < 1)
        return failure("usage: uart N connect|disconnect|error|format ...; N is 1 to 3");
    if (strcmp(what, "error") == 0)
        return uart_error(app, (unsigned) n, word, words);
    if (strcmp(what, "format") == 0) {
        if (words != 4 || !port_format(word[3], &format))
            return failure("usage: uart N format fits|8N1|8E1|8O1");
        board_uart_format(app->board, (unsigned) n, format);
        return success();
    }
    if (words != 3 || (!connect_it && strcmp(what, "disconnect") != 0))
        return failure("usage: uart N connect|disconnect|error|format ...; N is 1 to 3");
    struct port *p = &app->port[n - 1];
    if (p->kind == PORT_NONE)
        return failure("this UART was not given with --uart");
    return port_connect(app, p, connect_it) ? success() : failure("the port could not be opened");
}

/** "options": what they are; "options LIST": set them as a programmer would, for the next reset. */
static cJSON *options(struct app *app, char **word, unsigned words)
{
    uint32_t value = board_option_bytes(app->board);
    char text[16];
    const char *wrong = words == 2 ? option_parse(word[1], &value) : NULL;
    if (words > 2 || wrong)
        return failure(wrong ? wrong : "usage: options [LIST], as rdp=1,bor=3,wdg=hw,wrp=0-2");
    if (words == 2)
        board_option_bytes_set(app->board, value);
    cJSON *o = success();
    snprintf(text, sizeof text, "0x%08x", (unsigned) board_option_bytes(app->board));
    cJSON_AddStringToObject(o, "option_bytes", text);
    return o;
}

static cJSON *supply(struct app *app, char **word, unsigned words)
{
    uint64_t mv;
    if (words != 2 || !number(word[1], BOARD_SUPPLY_MAX, &mv))
        return failure("usage: supply MV, 0 to 4000");
    board_supply(app->board, (uint32_t) mv);
    return success();
}

/** "rom baud-error PERMILLE [COUNT]" */
static cJSON *rom_baud_error(struct app *app, char **word, unsigned words)
{
    uint64_t size, count = 1;
    bool less = words > 2 && word[2][0] == '-';
    if (words < 3 || words > 4 || !number(word[2] + less, 500, &size) ||
        (words == 4 && !number(word[3], UINT32_MAX, &count)))
        return failure("usage: rom baud-error PERMILLE [COUNT]; PERMILLE is -500 to 500");
    board_rom_baud_error(app->board, less ? -(int) size : (int) size, (uint32_t) count);
    return success();
}

/** "rom nack COUNT [SKIP]", "rom mute on|off", "rom early-erase-ack on|off" */
static cJSON *rom(struct app *app, char **word, unsigned words)
{
    uint64_t count, skip = 0;
    const char *what = words > 1 ? word[1] : "", *arg = words > 2 ? word[2] : "";
    bool on = strcmp(arg, "on") == 0, on_or_off = words == 3 && (on || strcmp(arg, "off") == 0);
    if (strcmp(what, "baud-error") == 0)
        return rom_baud_error(app, word, words);
    if (strcmp(what, "nack") == 0 && (words == 3 || words == 4) && number(arg, UINT32_MAX, &count) &&
        (words == 3 || number(word[3], UINT32_MAX, &skip)))
        board_rom_nack(app->board, (uint32_t) skip, (uint32_t) count);
    else if (strcmp(what, "mute") == 0 && on_or_off)
        board_rom_mute(app->board, on);
    else if (strcmp(what, "early-erase-ack") == 0 && on_or_off)
        board_rom_early_ack(app->board, on);
    else
        return failure(
            "usage: rom nack COUNT [SKIP], rom mute on|off, rom early-erase-ack on|off, rom baud-error PERMILLE");
    return success();
}

static cJSON *nrst(struct app *app, const char *how)
{
    if (how && strcmp(how, "low") == 0)
        board_nrst(app->board, true);
    else if (how && strcmp(how, "high") == 0)
        board_nrst(app->board, false);
    else if (how && strcmp(how, "pulse") == 0) {
        board_nrst(app->board, true);
        board_run(app->board, 1000000); /* 1 ms low */
        board_nrst(app->board, false);
    } else
        return failure("usage: nrst low|high|pulse");
    return success();
}

/** "pin A5": its level; "pin A5 0|1|float": drive it from outside. */
static cJSON *pin(struct app *app, char **word, unsigned words)
{
    uint64_t number_of = 0;
    char port = words > 1 ? word[1][0] : 0;
    if (words < 2 || words > 3 || port < 'A' || port > 'I' || !number(word[1] + 1, 15, &number_of) ||
        (words == 3 && strcmp(word[2], "0") != 0 && strcmp(word[2], "1") != 0 && strcmp(word[2], "float") != 0))
        return failure("usage: pin A0 to I15 [0|1|float]");
    if (words == 3)
        board_pin_set(app->board, port, (unsigned) number_of, word[2][0] == 'f' ? -1 : word[2][0] - '0');
    cJSON *o = success();
    cJSON_AddNumberToObject(o, "level", board_pin_get(app->board, port, (unsigned) number_of));
    return o;
}

static cJSON *help(void)
{
    static const char *const lines[] = {"power on|off",
                                        "nrst low|high|pulse",
                                        "boot0 0|1",
                                        "status",
                                        "dump ADDR LEN [FILE]",
                                        "cut N [before|inside|after] [SEED]",
                                        "uart N connect|disconnect",
                                        "uart N error parity|framing|noise|overrun [COUNT [SKIP]]",
                                        "uart N format fits|8N1|8E1|8O1",
                                        "rom nack COUNT [SKIP]",
                                        "rom mute on|off",
                                        "rom early-erase-ack on|off",
                                        "rom baud-error PERMILLE [COUNT]",
                                        "supply MV",
                                        "options [LIST]",
                                        "pin PORTPIN [0|1|float]",
                                        "help",
                                        "quit"};
    cJSON *o = success(), *a = cJSON_AddArrayToObject(o, "commands");
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cJSON_AddItemToArray(a, cJSON_CreateString(lines[i]));
    return o;
}

static cJSON *command(struct app *app, char *line)
{
    char *word[6] = {NULL}, *save = NULL;
    unsigned words = 0;
    for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
        if (words == 6)
            return failure("too many words; try help");
        word[words++] = w;
    }
    if (words == 0)
        return failure("an empty line; try help");
    const char *arg = words > 1 ? word[1] : "";
    if (strcmp(word[0], "power") == 0 && words == 2 && (strcmp(arg, "on") == 0 || strcmp(arg, "off") == 0)) {
        board_power(app->board, strcmp(arg, "on") == 0);
        return success();
    }
    if (strcmp(word[0], "power") == 0)
        return failure("usage: power on|off");
    if (strcmp(word[0], "nrst") == 0)
        return nrst(app, words == 2 ? arg : NULL);
    if (strcmp(word[0], "boot0") == 0) {
        if (words != 2 || (strcmp(arg, "0") != 0 && strcmp(arg, "1") != 0))
            return failure("usage: boot0 0|1");
        board_boot0(app->board, *arg == '1');
        return success();
    }
    if (strcmp(word[0], "status") == 0 && words == 1)
        return status(app);
    if (strcmp(word[0], "dump") == 0)
        return dump(app, word, words);
    if (strcmp(word[0], "cut") == 0)
        return cut(app, word, words);
    if (strcmp(word[0], "uart") == 0)
        return uart(app, word, words);
    if (strcmp(word[0], "options") == 0)
        return options(app, word, words);
    if (strcmp(word[0], "rom") == 0)
        return rom(app, word, words);
    if (strcmp(word[0], "supply") == 0)
        return supply(app, word, words);
    if (strcmp(word[0], "pin") == 0)
        return pin(app, word, words);
    if (strcmp(word[0], "help") == 0)
        return help();
    if (strcmp(word[0], "quit") == 0 && words == 1) {
        app->quit = true;
        return success();
    }
    return failure("unknown command; try help");
}

/* ------------------------------------------------------------------------------------------------------- socket */

bool control_open(struct app *app)
{
    struct control *c = &app->control;
    c->listener = -1;
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        c->client[i].fd = -1;
    if (!c->path[0])
        return true;
    c->listener = app_listen(c->path, "control");
    if (c->listener >= 0)
        app_message("control: socket %s", c->path);
    return c->listener >= 0;
}

void control_close(struct app *app)
{
    struct control *c = &app->control;
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        if (c->client[i].fd >= 0)
            close(c->client[i].fd);
    if (c->listener >= 0) {
        close(c->listener);
        unlink(c->path);
    }
}

unsigned control_poll_fds(struct app *app, struct pollfd *fds)
{
    const struct control *c = &app->control;
    unsigned n = 0;
    if (c->listener >= 0)
        fds[n++] = (struct pollfd){.fd = c->listener, .events = POLLIN};
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        if (c->client[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = c->client[i].fd, .events = POLLIN};
    return n;
}

/** Send the whole answer; a client that does not read for a second is dropped. */
static bool answer(int fd, cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (!text)
        return false;
    size_t len = strlen(text), done = 0;
    text[len++] = '\n'; /* replaces the NUL: the length is known */
    while (done < len) {
        ssize_t n = send(fd, text + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            done += (size_t) n;
        else {
            struct pollfd f = {.fd = fd, .events = POLLOUT};
            if (errno != EAGAIN || poll(&f, 1, 1000) != 1)
                break;
        }
    }
    cJSON_free(text);
    return done == len;
}

static bool feed(struct app *app, unsigned i, const char *bytes, size_t len)
{
    struct control *c = &app->control;
    for (size_t k = 0; k < len; k++) {
        if (bytes[k] != '\n') {
            if (c->client[i].len < sizeof c->client[i].line - 1)
                c->client[i].line[c->client[i].len++] = bytes[k];
            else
                c->client[i].discard = true;
            continue;
        }
        c->client[i].line[c->client[i].len] = 0;
        cJSON *o =
            c->client[i].discard ? failure("the line is longer than 1023 characters") : command(app, c->client[i].line);
        c->client[i].len = 0;
        c->client[i].discard = false;
        if (!answer(c->client[i].fd, o))
            return false;
    }
    return true;
}

void control_service(struct app *app)
{
    struct control *c = &app->control;
    int fd;
    while (c->listener >= 0 && (fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        unsigned i = 0;
        while (i < MAX_CLIENTS && c->client[i].fd >= 0)
            i++;
        if (i == MAX_CLIENTS) {
            answer(fd, failure("too many clients (16)"));
            close(fd);
            continue;
        }
        c->client[i].fd = fd;
        c->client[i].len = 0;
        c->client[i].discard = false;
    }
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        char buffer[1024];
        ssize_t n;
        if (c->client[i].fd < 0)
            continue;
        while ((n = recv(c->client[i].fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
            if (!feed(app, i, buffer, (size_t) n)) {
                n = 0;
                break;
            }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            close(c->client[i].fd);
            c->client[i].fd = -1;
        }
    }
}
