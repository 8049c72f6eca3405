/* SPDX-License-Identifier: MIT */
/*
 * The simulated device as a process, for tests of whole programs where the Arm binaries are not at hand.
 *
 *     gw_sim make DIR            a key pair DIR/key.pub.pem, packages DIR/NAME.fota (see `packages`)
 *     gw_sim run DIR LINK        the device on a pty whose name LINK points to; SIGUSR1: the port vanishes, SIGUSR2: it
 * is back
 */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const struct fota_target target = {.product = {0xde, 0xad, 1}, .hw_revision = 2, .floor = 1};
static const struct {
    const char *name;
    unsigned minor, patch;
    uint32_t size, counter;
    uint16_t hw;
} packages[] = {{"factory", 0, SIM_GOOD, 8192, 1, 2},      {"good", 1, SIM_GOOD, 120000, 2, 2},
                {"bad", 2, SIM_NEVER, 60000, 2, 2},        {"next", 3, SIM_GOOD, 90000, 3, 2},
                {"big", 4, SIM_GOOD, 370000, 3, 2},        {"stranger", 5, SIM_GOOD, 20000, 3, 2},
                {"other-board", 6, SIM_GOOD, 20000, 3, 7}, {"old", 7, SIM_GOOD, 20000, 0, 2}};

static volatile sig_atomic_t vanish, appear, ended;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        vanish = 1;
    else if (number == SIGUSR2)
        appear = 1;
    else
        ended = 1;
}

static void die(const char *what)
{
    (void) fprintf(stderr, "gw_sim: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000u + (uint64_t) t.tv_nsec / 1000000u;
}

static int make(const char *dir)
{
    struct pack_key key, stranger;
    struct pack_message message = {0};
    char path[512];

    (void) snprintf(path, sizeof path, "%s/key", dir);
    if (pack_key_generate(&key, &message) != FOTA_OK || pack_key_generate(&stranger, &message) != FOTA_OK ||
        pack_key_save(&key, path, true, &message) != FOTA_OK) {
        (void) fprintf(stderr, "gw_sim: %s\n", message.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        struct fota_target t = target;
        struct pack_buffer out = {0};
        struct pack_result result;

        t.hw_revision = packages[i].hw;
        sim_package(strcmp(packages[i].name, "stranger") == 0 ? &stranger : &key, &t, packages[i].minor,
                    packages[i].patch, packages[i].size, packages[i].counter, 1500, &out, &result);
        (void) snprintf(path, sizeof path, "%s/%s.fota", dir, packages[i].name);
        if (pack_file_write(path, out.data, out.size, 0644, &message) != FOTA_OK) {
            (void) fprintf(stderr, "gw_sim: %s\n", message.text);
            return 1;
        }
        pack_buffer_free(&out);
    }
    return 0;
}

static int open_pty(const char *link)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios t;

    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        die("pty");
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        (void) tcsetattr(fd, TCSANOW, &t);
    }
    (void) unlink(link);
    if (symlink(ptsname(fd), link) != 0)
        die(link);
    return fd;
}

static void pump(struct sim *sim, int fd, uint8_t *held, size_t *held_length)
{
    uint8_t data[1024];
    ssize_t n;

    while (SIM_FIFO - (sim->in.head - sim->in.tail) > 60000u && (n = read(fd, data, sizeof data)) > 0)
        (void) sim_write(sim, data, (size_t) n);
    for (;;) {
        if (*held_length == 0)
            *held_length = sim_read(sim, held, 1024);
        if (*held_length == 0)
            return;
        n = write(fd, held, *held_length);
        if (n <= 0)
            return;
        memmove(held, held + n, *held_length - (size_t) n);
        *held_length -= (size_t) n;
    }
}

static int run(const char *dir, const char *link)
{
    static struct sim sim;
    static uint8_t held[1024];
    struct sigaction action = {.sa_handler = on_signal};
    struct pack_message message = {0};
    struct pack_buffer factory = {0};
    struct fota_key key;
    size_t held_length = 0;
    uint64_t start = now_ms();
    char path[512];
    int fd;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) sigaction(SIGUSR1, &action, NULL);
    (void) sigaction(SIGUSR2, &action, NULL);
    (void) sigaction(SIGTERM, &action, NULL);
    (void) snprintf(path, sizeof path, "%s/key.pub.pem", dir);
    if (pack_public_load(path, &key, &message) != FOTA_OK) {
        (void) fprintf(stderr, "gw_sim: %s\n", message.text);
        return 1;
    }
    (void) snprintf(path, sizeof path, "%s/factory.fota", dir);
    if (pack_file_read(path, 1u << 20, &factory, &message) != FOTA_OK) {
        (void) fprintf(stderr, "gw_sim: %s\n", message.text);
        return 1;
    }
    sim_init(&sim, &key, &target);
    sim_factory(&sim, &factory);
    pack_buffer_free(&factory);
    sim.text = true;
    sim.erase_ms = 300;
    sim.line_rate = 200; /* bytes a millisecond, so that there is something to see and to interrupt */
    fd = open_pty(link);
    sim_power(&sim, true);
    (void) printf("ready\n");
    (void) fflush(stdout);
    while (!ended) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        (void) poll(&p, 1, 2);
        if ((p.revents & POLLHUP) != 0) /* nobody has the other end open */
            (void) usleep(2000);
        if (vanish) {
            vanish = 0;
            (void) close(fd);
            (void) unlink(link);
            fd = -1;
        }
        if (appear) {
            appear = 0;
            if (fd < 0)
                fd = open_pty(link);
        }
        sim_step(&sim, now_ms() - start);
        if (fd >= 0)
            pump(&sim, fd, held, &held_length);
    }
    (void) printf("confirmed %d\n", sim_confirmed_version(&sim));
    sim_free(&sim);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "make") == 0)
        return make(argv[2]);
    if (argc == 4 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argv[3]);
    (void) fprintf(stderr, "usage: gw_sim make DIR | gw_sim run DIR LINK\n");
    return 2;
}
