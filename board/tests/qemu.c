/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "qemu.h"
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLASH_SIZE (1u << 20)
#define OUTPUT_MAX (8u << 20)

void qemu_or_skip(void)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : ""), *save = NULL;
    bool found = false;
    for (char *d = strtok_r(copy, ":", &save); d && !found; d = strtok_r(NULL, ":", &save)) {
        char file[512];
        snprintf(file, sizeof file, "%s/qemu-system-arm", d);
        found = access(file, X_OK) == 0;
    }
    free(copy);
    if (!found) {
        print_message("qemu-system-arm is not installed (Debian package qemu-system-arm): skipped\n");
        skip();
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static pid_t start(const char *image, const char *const *more, int out)
{
    /* netduinoplus2 shows empty flash as 0x00, so the image is complete; -icount makes the run repeatable */
    const char *arg[32] = {"qemu-system-arm", "-M",   "netduinoplus2", "-icount", "shift=6", "-kernel", image,
                           "-display",        "none", "-monitor",      "none",    "-serial", "stdio"};
    unsigned n = 13;
    for (unsigned i = 0; more && more[i] && n < 31; i++)
        arg[n++] = more[i];
    pid_t pid = fork();
    if (pid == 0) {
        int in = open("/dev/null", O_RDONLY);
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execvp(arg[0], (char *const *) arg);
        _exit(99);
    }
    return pid;
}

char *qemu_run(const uint8_t *flash, const char *const *more, const char *until, int ms)
{
    char image[] = "/tmp/board-qemu-XXXXXX";
    char *text = malloc(OUTPUT_MAX + 1u);
    size_t len = 0;
    int pipes[2], fd = mkstemp(image);
    assert_true(fd >= 0);
    if (text == NULL)
        abort();
    assert_int_equal(write(fd, flash, FLASH_SIZE), FLASH_SIZE);
    close(fd);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t pid = start(image, more, pipes[1]);
    close(pipes[1]);
    assert_true(pid > 0);
    text[0] = 0;
    for (int64_t end = now_ms() + ms, left; (left = end - now_ms()) > 0 && len < OUTPUT_MAX;) {
        struct pollfd p = {.fd = pipes[0], .events = POLLIN};
        if (poll(&p, 1, (int) left) != 1)
            break;
        ssize_t n = read(pipes[0], text + len, OUTPUT_MAX - len);
        if (n <= 0)
            break;
        len += (size_t) n;
        text[len] = 0;
        if (until && strstr(text, until))
            break;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pipes[0]);
    unlink(image);
    return text;
}
