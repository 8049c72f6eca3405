/* SPDX-License-Identifier: MIT */
/**
 * @file sim_port.c
 * The simulated device of the gateway's tests behind a Unix socket, in real time, for the tests of `fota flash` and
 * `fota status`: sim_port PORT CONTROL FACTORY.fota KEY.pub.pem PRODUCT HW FLOOR BYTES-A-SECOND
 * The control socket takes lines as docs/board.md has them: nrst low, nrst high, and here also counters.
 */
#include "fota/server.h"
#include "sim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sim sim;

static uint64_t now_ms(void)
{
    struct timespec t;
    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000u + (uint64_t) t.tv_nsec / 1000000u;
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) != 0 || listen(fd, 4) != 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void control(int listener)
{
    char line[64] = "", answer[128];
    int fd = accept(listener, NULL, NULL);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1u) : -1;
    if (n > 0) {
        if (strcmp(line, "nrst low\n") == 0)
            sim_nrst(&sim, true);
        else if (strcmp(line, "nrst high\n") == 0)
            sim_nrst(&sim, false);
        int length = snprintf(answer, sizeof answer, "{\"ok\":true,\"erases\":%u,\"resets\":%u,\"pulses\":%u}\n",
                              sim.erases, sim.resets, sim.nrst_pulses);
        if (write(fd, answer, (size_t) length) != length)
            perror("control");
    }
    if (fd >= 0)
        (void) close(fd);
}

int main(int argc, char **argv)
{
    struct pack_message error = {0};
    struct pack_buffer factory;
    struct fota_key key;
    struct fota_target target;
    uint32_t hw = 0, rate = 0;
    if (argc != 9 || pack_file_read(argv[3], FOTA_PACKAGE_MAX, &factory, &error) != FOTA_OK ||
        pack_public_load(argv[4], &key, &error) != FOTA_OK || !pack_uuid_parse(argv[5], target.product) ||
        !pack_number_parse(argv[6], 0, 65535, &hw) || !pack_number_parse(argv[7], 0, UINT32_MAX, &target.floor) ||
        !pack_number_parse(argv[8], 1000, 100000000, &rate)) {
        (void) fprintf(stderr, "sim_port: %s\n", error.text);
        return 2;
    }
    target.hw_revision = (uint16_t) hw;
    int port = listen_on(argv[1]), controls = listen_on(argv[2]), line = -1;
    sim_init(&sim, &key, &target);
    sim.now = now_ms();
    sim.verify_ms = 100;
    sim.erase_ms = 100;
    sim.confirm_ms = 300;
    sim_factory(&sim, &factory);
    pack_buffer_free(&factory);
    sim_power(&sim, true);
    (void) puts("ready");
    (void) fflush(stdout);
    uint64_t began = now_ms(), taken = 0;
    while (getppid() != 1) {
        struct pollfd p[3] = {{line, 0, 0}, {port, POLLIN, 0}, {controls, POLLIN, 0}};
        uint8_t data[512];
        if (line < 0 || taken < (now_ms() - began) * rate / 1000u)
            p[0].events = POLLIN;
        (void) poll(p, 3, 2);
        sim_step(&sim, now_ms());
        if ((p[2].revents & POLLIN) != 0)
            control(controls);
        if ((p[1].revents & POLLIN) != 0) {
            if (line >= 0)
                (void) close(line);
            line = accept(port, NULL, NULL);
            began = now_ms();
            taken = 0;
        }
        if (line >= 0 && (p[0].revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t n = read(line, data, sizeof data);
            if (n <= 0) {
                (void) close(line);
                line = -1;
                continue;
            }
            (void) sim_write(&sim, data, (size_t) n);
            taken += (uint64_t) n;
        }
        sim_step(&sim, now_ms());
        for (size_t n; line >= 0 && (n = sim_read(&sim, data, sizeof data)) > 0;)
            if (send(line, data, n, MSG_NOSIGNAL) != (ssize_t) n)
                break;
    }
    sim_free(&sim);
    return 0;
}
