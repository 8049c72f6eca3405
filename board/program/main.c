/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file main.c
 * fota-board: a virtual STM32F407 as a process. Command line, the loop that paces virtual time to the wall clock.
 * The program contains Unicorn: distributed under the GPL 2.
 */
#define _GNU_SOURCE
#include "app.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define SLICE_NS 2000000u       /* virtual time between two looks at the sockets, at speed 1 */
#define CATCH_UP_NS 1000000000u /* at most so much is caught up after the host was busy */
#define LOOK_NS 50000000        /* longest sleep: a pty does not tell when it is opened */

const char *argp_program_version = "fota-board " FOTA_VERSION "\nUnicorn is included: GNU GPL version 2.";

struct arguments {
    struct app *app;
    struct board_options options;
    struct {
        uint32_t address;
        const char *file;
    } load[16];
    unsigned loads;
    bool die_with_parent;
};

static volatile sig_atomic_t stop_signal;

void app_message(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("fota-board: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ------------------------------------------------------------------------------------------------- command line */

enum {
    O_LOAD = 256,
    O_UART,
    O_SPI,
    O_OPTIONS,
    O_SUPPLY,
    O_CONTROL,
    O_REALTIME,
    O_SPEED,
    O_REST,
    O_FAST,
    O_HSE,
    O_LSI,
    O_CYCLES,
    O_TIMING,
    O_UID,
    O_POWER,
    O_PARENT,
    O_FLASH,
    O_SEED,
    O_BOOT0,
    O_ROM,
    O_ROM_GAP,
    O_MODE
};

static const struct argp_option options[] = {
    {"flash", O_FLASH, "FILE", 0,
     "Keep the flash in FILE (created erased when missing); without it the flash is forgotten", 0},
    {"load", O_LOAD, "ADDR:FILE", 0, "Put FILE into the flash at ADDR before the start; may be given 16 times", 0},
    {"uart", O_UART, "N=KIND", 0,
     "Connect UART N (1 to 3) to pty:LINK (a symbolic link to a pty), unix:PATH (a socket that listens) or stdio; "
     "',baud=RATE' or, on a pty, ',baud=termios' behind it makes a wrong baud rate give garbage, and "
     "',format=8N1', '8E1' or '8O1' a wrong frame format",
     0},
    {"spi", O_SPI, "N=unix:PATH", 0,
     "Let a client of the Unix socket PATH be the master of SPI N (1 or 2); ',hz=N' (default 8000000), ',mode=0' to "
     "',mode=3' and ',gap=NS' between two bytes may follow",
     0},
    {"control", O_CONTROL, "PATH", 0, "Listen for commands on the Unix socket PATH; send it 'help'", 0},
    {0, 0, 0, 0, "Time:", 1},
    {"realtime", O_REALTIME, 0, 0, "Virtual time follows the wall clock (default); at most 1 s is caught up", 1},
    {"rest", O_REST, "MS", 0,
     "Sleep for at least MS milliseconds between two turns, 1 (default) to 100: more costs less of the host, for many "
     "boards on one machine",
     1},
    {"speed", O_SPEED, "X", 0, "Virtual time runs X times as fast as the wall clock (0.001 to 1000)", 1},
    {"fast", O_FAST, 0, 0, "As fast as the host can", 1},
    {"cycles", O_CYCLES, "N", 0, "CPU cycles per instruction, 1.0 (default) to 8.0", 1},
    {"flash-timing", O_TIMING, "typ|max", 0, "Typical (default) or longest erase and program times", 1},
    {0, 0, 0, 0, "The chip:", 2},
    {"hse", O_HSE, "off|HZ", 0, "The crystal: off (it never starts), or its frequency (default 8000000)", 2},
    {"lsi", O_LSI, "HZ", 0, "Frequency of the watchdog's oscillator, 17000 to 47000 (default 32000)", 2},
    {"uid", O_UID, "HEX", 0, "Unique id, 24 hexadecimal digits", 2},
    {"seed", O_SEED, "N", 0, "For the contents of RAM at power-on and for torn flash operations (default 1)", 2},
    {"option-bytes", O_OPTIONS, "LIST", 0,
     "Set option bytes before the start: a number as in FLASH_OPTCR, or any of rdp=0|1, bor=off|1|2|3, wdg=sw|hw, "
     "wrp=none|SECTOR|FIRST-LAST with commas between",
     2},
    {"supply", O_SUPPLY, "MV", 0, "Voltage of the supply, 0 to 4000 mV (default 3300)", 2},
    {"power", O_POWER, "on|off", 0, "Supply at the start (default on)", 2},
    {"boot0", O_BOOT0, "0|1", 0, "Level of BOOT0 at the start (default 0)", 2},
    {"rom", O_ROM, "9.1|3.1", 0,
     "Version of ST's factory bootloader, which runs with BOOT0 high: 9.1 (default) serves USART1, USART3, SPI1 and "
     "SPI2, "
     "3.1 USART1 and USART3",
     2},
    {"rom-gap", O_ROM_GAP, "NS", 0,
     "Time that it needs between two SPI bytes, 1000 to 1000000 ns (default 15000; on silicon 8000 or 15000)", 2},
    {"mode", O_MODE, "block|code", 0, "Stop after blocks of instructions (default) or after each one (slower)", 2},
    {0, 0, 0, 0, "The process:", 3},
    {"verbose", 'v', 0, 0, "Say on standard error what happens to the chip", 3},
    {"die-with-parent", O_PARENT, 0, 0, "End when the process that started this one ends", 3},
    {0},
};

static const char *parse_uid(const char *arg, uint32_t uid[3])
{
    if (strlen(arg) != 24 || strspn(arg, "0123456789abcdefABCDEF") != 24)
        return "must have 24 hexadecimal digits";
    for (unsigned i = 0; i < 3; i++) {
        char part[9] = {0};
        memcpy(part, arg + 8 * i, 8);
        uid[i] = (uint32_t) strtoul(part, NULL, 16);
    }
    return NULL;
}

static bool parse_number(const char *arg, double low, double high, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(arg, &end);
    return errno == 0 && end != arg && *end == 0 && *value >= low && *value <= high;
}

static error_t parse_load(struct arguments *a, char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long address = strtoul(arg, &end, 0);
    if (errno || end == arg || *end != ':' || !end[1] || address > UINT32_MAX)
        argp_error(state, "--load is \"%s\", but must be ADDR:FILE, as 0x08000000:boot.bin", arg);
    if (a->loads == sizeof a->load / sizeof a->load[0])
        argp_error(state, "more than 16 --load");
    a->load[a->loads].address = (uint32_t) address;
    a->load[a->loads++].file = end + 1;
    return 0;
}

static error_t parse_chip(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    double v;
    const char *wrong = NULL;
    switch (key) {
    case O_CYCLES:
        if (!parse_number(arg, 1.0, 8.0, &a->options.cycles))
            argp_error(state, "--cycles is \"%s\", but must be 1.0 to 8.0", arg);
        return 0;
    case O_TIMING:
        if (strcmp(arg, "typ") != 0 && strcmp(arg, "max") != 0)
            argp_error(state, "--flash-timing is \"%s\", but must be typ or max", arg);
        a->options.flash_timing = strcmp(arg, "max") == 0 ? BOARD_FLASH_MAX : BOARD_FLASH_TYPICAL;
        return 0;
    case O_HSE:
        a->options.hse_absent = strcmp(arg, "off") == 0;
        if (!a->options.hse_absent && !parse_number(arg, 4e6, 26e6, &v))
            argp_error(state, "--hse is \"%s\", but must be off or 4000000 to 26000000", arg);
        if (!a->options.hse_absent)
            a->options.hse_hz = (uint32_t) v;
        return 0;
    case O_LSI:
        if (!parse_number(arg, 17000, 47000, &v))
            argp_error(state, "--lsi is \"%s\", but must be 17000 to 47000", arg);
        a->options.lsi_hz = (uint32_t) v;
        return 0;
    case O_UID:
        wrong = parse_uid(arg, a->options.uid);
        if (wrong)
            argp_error(state, "--uid is \"%s\", but %s", arg, wrong);
        return 0;
    case O_SEED:
        if (!parse_number(arg, 0, 9e15, &v))
            argp_error(state, "--seed is \"%s\", but must be a number", arg);
        a->options.seed = (uint64_t) v;
        return 0;
    case O_OPTIONS: {
        uint32_t ignored = 0;
        wrong = option_parse(arg, &ignored);
        if (wrong)
            argp_error(state, "--option-bytes \"%s\" %s", arg, wrong);
        a->app->option_bytes = arg;
        return 0;
    }
    case O_SUPPLY:
        if (!parse_number(arg, 0, BOARD_SUPPLY_MAX, &v))
            argp_error(state, "--supply is \"%s\", but must be 0 to %u mV", arg, BOARD_SUPPLY_MAX);
        a->app->supply_mv = (uint32_t) v;
        return 0;
    case O_POWER:
        if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0)
            argp_error(state, "--power is \"%s\", but must be on or off", arg);
        a->app->power = strcmp(arg, "on") == 0;
        return 0;
    case O_MODE:
        if (strcmp(arg, "block") != 0 && strcmp(arg, "code") != 0)
            argp_error(state, "--mode is \"%s\", but must be block or code", arg);
        a->options.mode = strcmp(arg, "code") == 0 ? BOARD_MODE_CODE : BOARD_MODE_BLOCK;
        return 0;
    case O_ROM:
        if (strcmp(arg, "9.1") != 0 && strcmp(arg, "3.1") != 0)
            argp_error(state, "--rom is \"%s\", but must be 9.1 or 3.1", arg);
        a->options.rom = *arg == '3' ? BOARD_ROM_V31 : BOARD_ROM_V91;
        return 0;
    case O_ROM_GAP:
        if (!parse_number(arg, 1000, 1000000, &v))
            argp_error(state, "--rom-gap is \"%s\", but must be 1000 to 1000000 ns", arg);
        a->options.rom_gap_ns = (uint32_t) v;
        return 0;
    case O_BOOT0:
        if (strcmp(arg, "0") != 0 && strcmp(arg, "1") != 0)
            argp_error(state, "--boot0 is \"%s\", but must be 0 or 1", arg);
        a->app->boot0 = *arg == '1';
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    const char *wrong = NULL;
    switch (key) {
    case O_FLASH:
        a->options.flash_path = arg;
        return 0;
    case O_LOAD:
        return parse_load(a, arg, state);
    case O_UART:
        wrong = port_parse(a->app, arg);
        if (wrong)
            argp_error(state, "--uart \"%s\" %s", arg, wrong);
        return 0;
    case O_SPI:
        wrong = spi_parse(a->app, arg);
        if (wrong)
            argp_error(state, "--spi \"%s\" %s", arg, wrong);
        return 0;
    case O_CONTROL:
        if (!*arg || strlen(arg) >= sizeof a->app->control.path)
            argp_error(state, "--control needs a path of 1 to 107 characters");
        snprintf(a->app->control.path, sizeof a->app->control.path, "%s", arg);
        return 0;
    case O_REALTIME:
        a->app->speed = 1.0;
        return 0;
    case O_SPEED:
        if (!parse_number(arg, 0.001, 1000, &a->app->speed))
            argp_error(state, "--speed is \"%s\", but must be 0.001 to 1000", arg);
        return 0;
    case O_REST: {
        double ms;
        if (!parse_number(arg, 1, 100, &ms))
            argp_error(state, "--rest is \"%s\", but must be 1 to 100 (milliseconds)", arg);
        a->app->rest_ns = (int64_t) (ms * 1e6);
        return 0;
    }
    case O_FAST:
        a->app->speed = 0;
        return 0;
    case O_PARENT:
        a->die_with_parent = true;
        return 0;
    case 'v':
        a->app->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is not expected here", arg);
        return EINVAL;
    default:
        return parse_chip(key, arg, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "A virtual STM32F407 that runs Arm binaries from its flash.\v"
        "Example: fota-board --flash board.flash --load 0x08000000:boot.bin --uart 3=pty:/tmp/board.tty "
        "--control /tmp/board.ctl\n\n"
        "Exit status: 0 after quit, SIGTERM or SIGINT; 1 when something failed; 2 for a wrong command line.",
};

/* ----------------------------------------------------------------------------------------------------- the loop */

static uint64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * NS_PER_S + (uint64_t) t.tv_nsec;
}

/** How long to wait for input. @param behind true when virtual time has yet to catch up. */
static int64_t wait_time(const struct app *app, bool behind)
{
    if (behind)
        return 0;
    uint64_t now = board_now(app->board), next = board_next_event(app->board);
    if (app->speed <= 0)
        return next == BOARD_FOREVER ? LOOK_NS : 0;
    if (next == BOARD_FOREVER)
        return LOOK_NS;
    double ns = next > now ? (double) (next - now) / app->speed : 0;
    return ns < (double) app->rest_ns ? app->rest_ns /* not every byte needs its own turn */
           : ns > LOOK_NS             ? LOOK_NS
                                      : (int64_t) ns;
}

static bool run_board(struct app *app, uint64_t ns)
{
    if (board_run(app->board, ns) != BOARD_STOP_ERROR)
        return true;
    app_message("the emulator failed: %s", board_message(app->board));
    return false;
}

static int loop(struct app *app)
{
    uint64_t wall0 = wall_ns(), virtual0 = board_now(app->board);
    bool behind = false;
    sigset_t none;
    sigemptyset(&none);
    while (!app->quit && !stop_signal) {
        struct pollfd fds[MAX_FDS];
        unsigned n = control_poll_fds(app, fds);
        n += port_poll_fds(app, fds + n);
        n += spi_poll_fds(app, fds + n);
        int64_t wait = wait_time(app, behind);
        struct timespec timeout = {.tv_sec = 0, .tv_nsec = wait};
        ppoll(fds, n, &timeout, &none);
        control_service(app);
        port_service(app);
        spi_service(app);
        if (app->quit || stop_signal)
            break;
        uint64_t now = board_now(app->board);
        if (app->speed <= 0) {
            if (!run_board(app, 10u * SLICE_NS))
                return 1;
            continue;
        }
        uint64_t target = virtual0 + (uint64_t) ((double) (wall_ns() - wall0) * app->speed);
        uint64_t limit = (uint64_t) (CATCH_UP_NS * app->speed), slice = (uint64_t) (SLICE_NS * app->speed) + 1u;
        if (target > now + limit) { /* the host was too slow or asleep: give the rest up */
            app->behind_ns += target - now - limit;
            virtual0 -= target - now - limit;
            target = now + limit;
        }
        behind = target > now + slice;
        if (target > now && !run_board(app, behind ? slice : target - now))
            return 1;
        port_service(app);
        spi_service(app);
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------------- start and end */

static void on_signal(int number)
{
    stop_signal = number;
}

static bool load_file(struct board *b, uint32_t address, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc((1u << 20) + 1u);
    bool good = false;
    if (!f || !bytes)
        app_message("cannot read %s: %s", path, strerror(errno));
    else {
        size_t n = fread(bytes, 1, (1u << 20) + 1u, f);
        if (ferror(f))
            app_message("cannot read %s: %s", path, strerror(errno));
        else if (n == 0)
            app_message("%s is empty", path);
        else if (board_read_protected(b))
            app_message("%s cannot be loaded: the flash file is at RDP level 1 (--option-bytes rdp=0 erases it)", path);
        else if (!board_flash_load(b, address, bytes, n))
            app_message("%s (%zu bytes) at 0x%08x does not fit into the flash (0x08000000 to 0x080FFFFF)", path, n,
                        (unsigned) address);
        else
            good = true;
    }
    free(bytes);
    if (f)
        fclose(f);
    return good;
}

int app_listen(const char *path, const char *what)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    strncpy(a.sun_path, path, sizeof a.sun_path - 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &a, sizeof a) == 0) {
        app_message("the %s socket %s is in use by another process", what, path);
        close(fd);
        return -1;
    }
    if (errno == ECONNREFUSED) /* left over from a process that was killed */
        unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof a) < 0 || listen(fd, 8) < 0) {
        app_message("cannot listen on the %s socket %s: %s", what, path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static void log_line(void *context, uint64_t ns, const char *text)
{
    (void) context;
    fprintf(stderr, "[%14.6f] %s\n", (double) ns / 1e9, text);
}

static void catch_signals(void)
{
    /* blocked except inside ppoll: a signal cannot slip in between the check and the sleep */
    struct sigaction a = {.sa_handler = on_signal};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct app app;
    struct arguments a = {.app = &app};
    int status = 1;
    app.speed = 1.0;
    app.rest_ns = 1000000;
    app.supply_mv = 3300;
    app.power = true;
    app.control.listener = -1;
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        app.control.client[i].fd = -1;
    board_options_default(&a.options);
    argp_err_exit_status = 2;
    pid_t parent = getppid();
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    catch_signals();
    if (a.die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            return 0; /* it is gone already */
    }
    app.board = board_create(&a.options);
    if (!app.board) {
        app_message("%s", board_create_error());
        return 1;
    }
    if (app.verbose)
        board_on_log(app.board, log_line, NULL);
    bool good = true;
    for (unsigned i = 0; i < a.loads && good; i++)
        good = load_file(app.board, a.load[i].address, a.load[i].file);
    if (good && app.option_bytes) { /* behind --load: with RDP level 1 nothing can be loaded any more */
        uint32_t value = board_option_bytes(app.board);
        good = option_parse(app.option_bytes, &value) == NULL && board_option_bytes_set(app.board, value);
    }
    if (good && port_open_all(&app) && spi_open_all(&app) && control_open(&app)) {
        board_boot0(app.board, app.boot0);
        board_supply(app.board, app.supply_mv);
        if (app.power)
            board_power(app.board, true);
        app_message("ready");
        status = loop(&app);
    }
    control_close(&app);
    port_close_all(&app);
    spi_close_all(&app);
    board_destroy(app.board);
    return status;
}
