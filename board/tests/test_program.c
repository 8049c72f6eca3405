/* SPDX-License-Identifier: MIT */
/** @file test_program.c The real fota-board as a process: pty, control socket, signals, persistence. */
#define _GNU_SOURCE
#include "bench.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/fota-board-XXXXXX";
static char tty[64], ctl[64], flash[64], dump[64], other[64];

#define MAX_ARGS 24
#define END ((const char *) NULL) /* of the arguments of start() */

/** Start fota-board with the usual paths and more arguments, up to NULL. */
static pid_t start(const char *first, ...)
{
    static char uart[80], load[600];
    const char *arg[MAX_ARGS] = {FOTA_BOARD, "--flash", flash, "--uart", uart, "--control", ctl, "--die-with-parent"};
    unsigned n = 8;
    va_list args;
    snprintf(uart, sizeof uart, "3=pty:%s", tty);
    snprintf(load, sizeof load, "0x08000000:%s/probe.bin", FIRMWARE_DIR);
    va_start(args, first);
    for (const char *a = first; a && n < MAX_ARGS - 3; a = va_arg(args, const char *))
        arg[n++] = a;
    va_end(args);
    if (access(flash, F_OK) != 0) {
        arg[n++] = "--load";
        arg[n++] = load;
    }
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        execv(FOTA_BOARD, (char *const *) arg);
        _exit(99);
    }
    for (int i = 0; i < 500 && access(ctl, F_OK) != 0; i++)
        usleep(10000);
    assert_int_equal(access(ctl, F_OK), 0);
    return pid;
}

static int finish(pid_t pid)
{
    int status = 0;
    for (int i = 0; i < 500; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    fail_msg("fota-board did not end within 5 s");
    return -1;
}

/** The socket is there a moment before it listens. */
static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    for (int i = 0; i < 100 && connect(fd, (struct sockaddr *) &a, sizeof a) != 0; i++) {
        assert_int_equal(errno, ECONNREFUSED);
        assert_true(i < 99);
        usleep(10000);
    }
    return fd;
}

static int connect_control(void)
{
    return connect_to(ctl);
}

/** One command on a connection. @return the answer as JSON, to be deleted. */
static cJSON *ask(int fd, const char *command)
{
    static char line[1u << 20];
    size_t len = 0;
    dprintf(fd, "%s\n", command);
    while (len < sizeof line - 1 && (len == 0 || line[len - 1] != '\n')) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 5000), 1);
        ssize_t n = read(fd, line + len, sizeof line - 1 - len);
        assert_true(n > 0);
        len += (size_t) n;
    }
    line[len] = 0;
    cJSON *o = cJSON_Parse(line);
    assert_non_null(o);
    return o;
}

static void expect(int fd, const char *command, bool ok)
{
    cJSON *o = ask(fd, command);
    if (cJSON_IsTrue(cJSON_GetObjectItem(o, "ok")) != ok)
        fail_msg("\"%s\" was answered with %s", command, cJSON_PrintUnformatted(o));
    if (!ok)
        assert_true(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(o, "error"))) > 5);
    cJSON_Delete(o);
}

/** Read the serial port until a text comes. @return false after `ms`. */
static bool hear(int fd, const char *text, int ms)
{
    char heard[8192];
    size_t len = 0;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms, now;
    while (len < sizeof heard - 1) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= end || poll(&p, 1, (int) (end - now)) < 1)
            return false;
        ssize_t n = read(fd, heard + len, sizeof heard - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t) n;
        heard[len] = 0;
        if (strstr(heard, text))
            return true;
    }
    return false;
}

static double item(const cJSON *o, const char *name, const char *sub)
{
    const cJSON *i = cJSON_GetObjectItem(o, name);
    if (sub)
        i = cJSON_GetObjectItem(i, sub);
    assert_true(cJSON_IsNumber(i));
    return i->valuedouble;
}

/* -------------------------------------------------------------------------------------------------------- tests */

static void test_serial_and_control(void **state)
{
    (void) state;
    unlink(flash);
    pid_t pid = start("--power", "off", END);
    int c = connect_control(), c2 = connect_control();
    int port = open(tty, O_RDWR | O_NOCTTY);
    struct termios t;
    assert_true(port >= 0);
    assert_int_equal(tcgetattr(port, &t), 0);
    assert_int_equal(t.c_lflag & (ICANON | ECHO), 0); /* raw already */
    assert_int_equal(t.c_oflag & OPOST, 0);
    expect(c, "power on", true);
    assert_true(hear(port, "READY HSE 0e", 5000));
    assert_int_equal(write(port, "q", 1), 1);
    assert_true(hear(port, "q\n", 5000));
    expect(c2, "nrst pulse", true);
    assert_true(hear(port, "READY HSE 04", 5000));
    close(port); /* what is said now is lost, and the port can be opened again */
    usleep(100000);
    expect(c, "nrst pulse", true);
    usleep(200000);
    port = open(tty, O_RDWR | O_NOCTTY);
    assert_int_equal(write(port, "q", 1), 1);
    assert_true(hear(port, "q\n", 5000));
    close(c2);
    expect(c, "nrst low", true);
    assert_false(hear(port, "READY", 300));
    cJSON *o = ask(c, "status");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "cpu")), "reset");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "nrst")), "low");
    cJSON_Delete(o);
    expect(c, "nrst high", true);
    assert_true(hear(port, "READY", 5000));
    o = ask(c, "status");
    assert_true(item(o, "time_ns", NULL) > 100e6);
    assert_true(item(o, "counters", "violations") == 0);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(o, "power")));
    cJSON_Delete(o);
    o = ask(c, "dump 0x1FFF7A10 12");
    assert_int_equal(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(o, "hex"))), 24);
    cJSON_Delete(o);
    close(port);
    expect(c, "quit", true);
    assert_int_equal(finish(pid), 0);
    close(c);
    assert_int_not_equal(access(ctl, F_OK), 0); /* cleaned up */
    struct stat st;
    assert_int_not_equal(lstat(tty, &st), 0);
}

static void test_bad_commands(void **state)
{
    char longest[1500];
    (void) state;
    pid_t pid = start("--power", "off", END);
    int c = connect_control();
    static const char *const bad[] = {"",
                                      "hello",
                                      "power",
                                      "power maybe",
                                      "nrst",
                                      "nrst up",
                                      "boot0 2",
                                      "dump",
                                      "dump 0x08000000",
                                      "dump 8000000x 4",
                                      "dump 0x08000000 0",
                                      "dump 0x08000000 65537",
                                      "dump 0x080FFFFF 2",
                                      "dump -1 4",
                                      "cut",
                                      "cut 1 during",
                                      "cut x",
                                      "uart 1 connect",
                                      "uart 9 connect",
                                      "uart 3",
                                      "rom",
                                      "rom nack",
                                      "rom nack -1",
                                      "rom nack 1 2 3",
                                      "rom mute",
                                      "rom mute maybe",
                                      "rom early-erase-ack",
                                      "rom sleep on",
                                      "rom baud-error",
                                      "rom baud-error 501",
                                      "rom baud-error 10 x",
                                      "a b c d e f g",
                                      "status now"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(c, bad[i], false);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    expect(c, longest, false);
    expect(c, "help", true);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
    close(c);
}

static void test_flash_outlives_the_process(void **state)
{
    (void) state;
    unlink(flash);
    pid_t pid = start(NULL, END);
    int port = open(tty, O_RDWR | O_NOCTTY);
    usleep(100000);
    assert_int_equal(write(port, "p", 1), 1);
    assert_true(hear(port, "p\n", 5000));
    kill(pid, SIGKILL); /* the hard way */
    finish(pid);
    close(port);
    unlink(tty);
    unlink(ctl); /* a socket that is left over is taken over as well; the next test does that */
    pid = start(NULL, END);
    int c = connect_control();
    cJSON *o = ask(c, "dump 0x08020000 8");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "hex")), "0000ff000100ff00");
    cJSON_Delete(o);
    char command[128];
    snprintf(command, sizeof command, "dump 0x08000000 1048576 %s", dump);
    expect(c, command, true);
    struct stat st;
    assert_int_equal(stat(dump, &st), 0);
    assert_int_equal(st.st_size, 1048576);
    close(c);
    kill(pid, SIGINT);
    assert_int_equal(finish(pid), 0);
}

static void test_left_over_socket(void **state)
{
    (void) state;
    pid_t pid = start(NULL, END);
    kill(pid, SIGKILL);
    finish(pid);
    assert_int_equal(access(ctl, F_OK), 0);
    pid_t second = fork();
    if (second == 0) {
        int log = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        execl(FOTA_BOARD, FOTA_BOARD, "--control", ctl, "--power", "off", (char *) NULL);
        _exit(99);
    }
    usleep(500000);
    int c = connect_control();
    expect(c, "quit", true);
    close(c);
    assert_int_equal(finish(second), 0);
    unlink(tty);
}

static void test_cut_and_disconnect(void **state)
{
    (void) state;
    unlink(flash);
    pid_t pid = start("--fast", END);
    int c = connect_control();
    expect(c, "nrst pulse", true);
    int port = open(tty, O_RDWR | O_NOCTTY);
    usleep(100000);
    expect(c, "cut 2 before", true);
    assert_int_equal(write(port, "p", 1), 1);
    usleep(200000);
    cJSON *o = ask(c, "status");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "cpu")), "off");
    assert_true(item(o, "counters", "power_cuts") == 1);
    cJSON_Delete(o);
    o = ask(c, "dump 0x08020000 8");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "hex")), "0000ff00ffffffff");
    cJSON_Delete(o);
    expect(c, "uart 3 disconnect", true);
    struct stat st;
    assert_int_not_equal(lstat(tty, &st), 0);
    char byte;
    struct pollfd p = {.fd = port, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2000), 1);
    assert_true((p.revents & POLLHUP) || read(port, &byte, 1) <= 0);
    close(port);
    expect(c, "uart 3 connect", true);
    port = open(tty, O_RDWR | O_NOCTTY);
    assert_true(port >= 0);
    usleep(100000);
    expect(c, "power on", true);
    assert_true(hear(port, "READY", 5000));
    close(port);
    close(c);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
}

static void test_idle_costs_little(void **state)
{
    struct rusage before, after;
    (void) state;
    getrusage(RUSAGE_CHILDREN, &before);
    pid_t pid = start(NULL, END);
    sleep(2);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
    getrusage(RUSAGE_CHILDREN, &after);
    double s =
        (double) (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
        1e-6 * (double) (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
                         before.ru_stime.tv_usec);
    print_message("two seconds with a tick of 1 ms cost %.0f ms of CPU\n", s * 1000);
    assert_true(s < 0.5); /* start included; sanitizers included */
}

static void test_real_time(void **state)
{
    (void) state;
    pid_t pid = start(NULL, END);
    int c = connect_control();
    cJSON *o = ask(c, "status");
    double first = item(o, "time_ns", NULL);
    cJSON_Delete(o);
    usleep(500000);
    o = ask(c, "status");
    double passed = item(o, "time_ns", NULL) - first;
    cJSON_Delete(o);
    assert_true(passed > 0.45e9 && passed < 0.7e9);
    close(c);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
}

static int exit_status(const char *const *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        dup2(log, STDOUT_FILENO);
        execv(FOTA_BOARD, (char *const *) arg);
        _exit(99);
    }
    return finish(pid);
}

static void test_command_line(void **state)
{
    static const char *const wrong[][4] = {{FOTA_BOARD, "--speed", "0", NULL},
                                           {FOTA_BOARD, "--uart", "4=stdio", NULL},
                                           {FOTA_BOARD, "--uart", "3=tcp:1", NULL},
                                           {FOTA_BOARD, "--uid", "12", NULL},
                                           {FOTA_BOARD, "--load", "boot.bin", NULL},
                                           {FOTA_BOARD, "--hse", "9", NULL},
                                           {FOTA_BOARD, "--lsi", "99999", NULL},
                                           {FOTA_BOARD, "--bogus", NULL, NULL},
                                           {FOTA_BOARD, "extra", NULL, NULL},
                                           {FOTA_BOARD, "--cycles", "no", NULL},
                                           {FOTA_BOARD, "--power", "1", NULL},
                                           {FOTA_BOARD, "--uart", "3=pty:", NULL},
                                           {FOTA_BOARD, "--uart", "3=pty:/x,baud=7", NULL}};
    static const char *const fails[][6] = {{FOTA_BOARD, "--load", "0x08000000:/nonexistent", NULL},
                                           {FOTA_BOARD, "--load", "0x20000000:/etc/passwd", NULL},
                                           {FOTA_BOARD, "--flash", "/nonexistent/flash", NULL},
                                           {FOTA_BOARD, "--control", "/nonexistent/ctl", NULL},
                                           {FOTA_BOARD, "--uart", "3=pty:/etc/passwd", NULL}};
    static const char *const fine[][3] = {{FOTA_BOARD, "--help", NULL}, {FOTA_BOARD, "--version", NULL}};
    (void) state;
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(exit_status(wrong[i]), 2);
    for (unsigned i = 0; i < sizeof fails / sizeof fails[0]; i++)
        assert_int_equal(exit_status(fails[i]), 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(exit_status(fine[i]), 0);
}

static void test_dies_with_parent(void **state)
{
    int ends[2];
    pid_t board = 0;
    (void) state;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t pid = start(NULL, END);
        if (write(ends[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(ends[0], &board, sizeof board), sizeof board);
    assert_int_equal(finish(parent), 0);
    bool gone = false;
    for (int i = 0; i < 300 && !gone; i++) {
        gone = access(ctl, F_OK) != 0; /* it has cleaned up, so it ended in order */
        usleep(10000);
    }
    if (!gone)
        kill(board, SIGKILL);
    assert_true(gone);
    close(ends[0]);
    close(ends[1]);
}

static void test_unix_socket_and_stdio(void **state)
{
    char spec[128], load[600], path[96];
    int in[2], out[2];
    (void) state;
    snprintf(path, sizeof path, "%s/uart", directory);
    snprintf(spec, sizeof spec, "3=unix:%s", path);
    snprintf(load, sizeof load, "0x08000000:%s/probe.bin", FIRMWARE_DIR);
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        execl(FOTA_BOARD, FOTA_BOARD, "--uart", spec, "--load", load, (char *) NULL);
        _exit(99);
    }
    for (int i = 0; i < 500 && access(path, F_OK) != 0; i++)
        usleep(10000);
    for (int round = 0; round < 2; round++) { /* a client may leave and come again */
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        assert_int_equal(connect(fd, (struct sockaddr *) &a, sizeof a), 0);
        usleep(100000);
        assert_int_equal(write(fd, "q", 1), 1);
        assert_true(hear(fd, "q\n", 5000));
        close(fd);
        usleep(100000);
    }
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
    assert_int_not_equal(access(path, F_OK), 0);

    assert_int_equal(pipe(in) | pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        int log = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execl(FOTA_BOARD, FOTA_BOARD, "--uart", "3=stdio", "--load", load, (char *) NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    assert_true(hear(out[0], "READY", 5000));
    assert_int_equal(write(in[1], "q", 1), 1);
    assert_true(hear(out[0], "q\n", 5000));
    close(in[1]);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 0);
    close(out[0]);
}

/** One SPI transfer through the socket; answers that do not come within 5 s fail. */
static void spi_message(int fd, const uint8_t *out, uint8_t *in, size_t len)
{
    uint8_t head[2] = {(uint8_t) len, (uint8_t) (len >> 8)};
    assert_int_equal(write(fd, head, 2), 2);
    assert_int_equal(write(fd, out, len), len);
    for (size_t done = 0; done < len;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 5000), 1);
        ssize_t n = read(fd, in + done, len - done);
        assert_true(n > 0);
        done += (size_t) n;
    }
}

/** BOOT0 high: the factory bootloader, here over the SPI socket and with what the control socket adds. */
static void test_factory_bootloader(void **state)
{
    char path[64], spec[128];
    uint8_t in[8];
    bool listening = false;
    (void) state;
    unlink(flash);
    snprintf(path, sizeof path, "%s/spi", directory);
    snprintf(spec, sizeof spec, "1=unix:%s,hz=8000000,gap=8000", path);
    pid_t pid = start("--boot0", "1", "--rom-gap", "8000", "--spi", spec, (char *) END);
    int c = connect_control(), spi = connect_to(path);
    for (int i = 0; i < 500 && !listening; i++) {
        cJSON *o = ask(c, "status");
        listening = strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(o, "rom")), "listening") == 0 &&
                    strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(o, "cpu")), "rom") == 0;
        cJSON_Delete(o);
        usleep(10000);
    }
    assert_true(listening);
    spi_message(spi, (const uint8_t *) "\x5A\x00\x00\x79", in, 4); /* sync, dummy, answer, confirmation */
    assert_memory_equal(in, "\xA5\xA5\x79\xA5", 4);
    for (unsigned i = 0; i < 100; i++) { /* one byte a transfer: the gap holds between two of them as well */
        static const uint8_t get_id[] = {0x5A, 0x02, 0xFD, 0, 0, 0x79, 0, 0, 0, 0, 0, 0, 0x79};
        static const uint8_t answer[] = {0xA5, 0xA5, 0xA5, 0xA5, 0x79, 0xA5, 0xA5, 1, 4, 0x13, 0xA5, 0x79, 0xA5};
        for (unsigned k = 0; k < sizeof get_id; k++) {
            spi_message(spi, get_id + k, in, 1);
            assert_int_equal(in[0], answer[k]);
        }
    }
    expect(c, "rom nack 1", true);
    spi_message(spi, (const uint8_t *) "\x5A\x00\xFF\x00\x00\x79", in, 6);
    assert_int_equal(in[4], 0x1F);
    expect(c, "rom early-erase-ack on", true);
    expect(c, "rom baud-error -60 2", true);
    expect(c, "rom mute on", true);
    spi_message(spi, (const uint8_t *) "\x5A\x00\xFF\x00\x00\x00", in, 6);
    assert_int_equal(in[5], 0xA5);
    expect(c, "boot0 0", true);
    expect(c, "nrst pulse", true);
    expect(c, "quit", true);
    assert_int_equal(finish(pid), 0);
    close(spi);
    close(c);
}

static void test_spi_socket(void **state)
{
    char path[64], spec[128];
    uint8_t out[256], in[256];
    (void) state;
    unlink(flash);
    snprintf(path, sizeof path, "%s/spi", directory);
    snprintf(spec, sizeof spec, "1=unix:%s,hz=4000000,mode=0,gap=1000", path);
    pid_t pid = start("--fast", "--spi", spec, (char *) END);
    int fd = connect_control(), port = open(tty, O_RDWR | O_NOCTTY), spi = connect_to(path);
    usleep(100000);
    assert_int_equal(write(port, "s", 1), 1);
    assert_true(hear(port, "s\n", 5000));
    for (unsigned i = 0; i < 256; i++)
        out[i] = (uint8_t) (i ^ 0x5A);
    spi_message(spi, out, in, 256);
    spi_message(spi, in, in, 100);
    assert_memory_equal(in, out, 100);
    close(spi);
    usleep(100000);
    spi = connect_to(path); /* the next client */
    spi_message(spi, out, in, 156);
    assert_memory_equal(in, out + 100, 156);
    cJSON *o = ask(fd, "pin A4");
    assert_int_equal((int) cJSON_GetNumberValue(cJSON_GetObjectItem(o, "level")), 1);
    cJSON_Delete(o);
    expect(fd, "pin A0 1", true);
    expect(fd, "pin J0", false);
    expect(fd, "pin A16", false);
    expect(fd, "quit", true);
    assert_int_equal(finish(pid), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    close(spi);
    close(port);
    close(fd);
}

static void expect_number(int fd, const char *command, const char *member, double want)
{
    cJSON *o = ask(fd, command);
    if (cJSON_GetNumberValue(cJSON_GetObjectItem(o, member)) != want)
        fail_msg("\"%s\" answered %s", command, cJSON_PrintUnformatted(o));
    cJSON_Delete(o);
}

static void test_supply_and_options(void **state)
{
    (void) state;
    unlink(flash);
    pid_t pid = start("--fast", "--option-bytes", "bor=3,wrp=8-11", "--supply", "3000", (char *) END);
    int fd = connect_control();
    cJSON *o = ask(fd, "options");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "option_bytes")), "0x00ffaae1");
    cJSON_Delete(o);
    expect_number(fd, "status", "supply_mv", 3000);
    expect(fd, "supply 2750", true); /* below level 3 */
    o = ask(fd, "status");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "cpu")), "reset");
    cJSON *counters = cJSON_GetObjectItem(o, "counters");
    assert_int_equal(
        (int) cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(counters, "resets"), "brown_out")), 1);
    cJSON_Delete(o);
    expect(fd, "supply 3300", true);
    expect(fd, "supply 4001", false);
    expect(fd, "supply", false);
    expect(fd, "dump 0x08000000 16", true);
    expect(fd, "options rdp=2", false);
    expect(fd, "options wrp=12", false);
    expect(fd, "options rdp=1,wdg=hw,wrp=none,bor=off", true);
    o = ask(fd, "options");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "option_bytes")), "0x0fff55cd");
    cJSON_Delete(o);
    expect(fd, "dump 0x08000000 16", false);
    expect(fd, "dump 0x20000000 16", true);
    expect(fd, "uart 3 error parity 2 1", true);
    expect(fd, "uart 3 error overrun", true);
    expect(fd, "uart 3 error strange", false);
    expect(fd, "uart 3 format 8E1", true);
    expect(fd, "uart 3 format 7E2", false);
    expect(fd, "quit", true);
    assert_int_equal(finish(pid), 0);
    close(fd);
    unlink(flash);
}

static int set_up(void **state)
{
    (void) state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(tty, sizeof tty, "%s/tty", directory);
    snprintf(ctl, sizeof ctl, "%s/ctl", directory);
    snprintf(flash, sizeof flash, "%s/flash", directory);
    snprintf(dump, sizeof dump, "%s/dump", directory);
    snprintf(other, sizeof other, "%s/log", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    unlink(tty);
    unlink(ctl);
    unlink(flash);
    unlink(dump);
    unlink(other);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serial_and_control),
        cmocka_unit_test(test_bad_commands),
        cmocka_unit_test(test_flash_outlives_the_process),
        cmocka_unit_test(test_left_over_socket),
        cmocka_unit_test(test_cut_and_disconnect),
        cmocka_unit_test(test_idle_costs_little),
        cmocka_unit_test(test_real_time),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_dies_with_parent),
        cmocka_unit_test(test_unix_socket_and_stdio),
        cmocka_unit_test(test_spi_socket),
        cmocka_unit_test(test_factory_bootloader),
        cmocka_unit_test(test_supply_and_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
