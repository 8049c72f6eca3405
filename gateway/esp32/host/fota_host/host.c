/* SPDX-License-Identifier: MIT */
/*
 * What a host does not have: Wi-Fi, a watchdog, a chip to restart; and what ESP-IDF's linux target lacks. FOTA_FLASH is
 * the file of the emulated flash, FOTA_NO_CLOCK takes the wall clock away.
 */
#include "port.h"

#include <errno.h>
#include <esp_event.h>
#include <esp_partition.h>
#include <esp_private/partition_linux.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <malloc.h>
#include <psa/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void prepare(void)
{
    esp_partition_file_mmap_ctrl_t *control = esp_partition_get_file_mmap_ctrl_input();
    const char *flash = getenv("FOTA_FLASH");

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (flash != NULL)
        (void) snprintf(control->flash_file_name, sizeof control->flash_file_name, "%s", flash);
}

int64_t esp_timer_get_time(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec t;

    (void) zone;
    (void) clock_gettime(getenv("FOTA_NO_CLOCK") != NULL ? CLOCK_MONOTONIC : CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = t.tv_nsec / 1000;
    return 0;
}

/* The tick is a signal, and interrupts this one each time; ESP-IDF's clients take that for the end of a connection. */
int select(int n, fd_set *restrict r, fd_set *restrict w, fd_set *restrict e, struct timeval *restrict timeout)
{
    fd_set in[3];
    int64_t end = timeout != NULL ? esp_timer_get_time() + timeout->tv_sec * 1000000 + timeout->tv_usec : INT64_MAX;
    fd_set *sets[3] = {r, w, e};

    for (int i = 0; i < 3; i++)
        if (sets[i] != NULL)
            in[i] = *sets[i];
    for (;;) { /* endless: ends with the time, or an event; pselect() sleeps */
        int64_t left = end - esp_timer_get_time();
        struct timespec t = {.tv_nsec = left > 1000 ? 1000000 : left > 0 ? left * 1000 : 0};
        int result = pselect(n, r, w, e, &t, NULL);

        if (result > 0 || (result < 0 && errno != EINTR) || left <= 0)
            return result < 0 && errno == EINTR ? 0 : result;
        vTaskDelay(1); /* a host's system call keeps the other tasks waiting */
        for (int i = 0; i < 3; i++)
            if (sets[i] != NULL)
                *sets[i] = in[i];
    }
}

/* esp_http_client posts to the default loop, which a chip's Wi-Fi has; from 6.0 on TLS needs PSA, which a chip's
 * ESP-IDF starts. */
void port_net_start(void)
{
    (void) esp_event_loop_create_default();
    (void) psa_crypto_init();
    port_log(GW_LOG_INFO, "no Wi-Fi here: the host's network");
}

void port_watchdog_start(void)
{
}

void port_watchdog_feed(void)
{
}

void port_restart(void)
{
    _exit(0);
}

/* --- memory ----------------------------------------------------------------------------------- */

void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_realloc(void *, size_t);
void *__libc_calloc(size_t, size_t);

static atomic_size_t held, most;

static void *count(void *p)
{
    size_t now = atomic_fetch_add(&held, p != NULL ? malloc_usable_size(p) : 0) + malloc_usable_size(p);

    if (now > most)
        most = now;
    return p;
}

void *malloc(size_t size)
{
    return count(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return count(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    atomic_fetch_sub(&held, malloc_usable_size(p));
    return count(__libc_realloc(p, size));
}

void free(void *p)
{
    atomic_fetch_sub(&held, malloc_usable_size(p));
    __libc_free(p);
}

void port_memory_print(void)
{
    static const struct {
        const char *name;
        uint32_t size;
    } tasks[] = {{"gateway", PORT_GATEWAY_STACK},
                 {"http", PORT_HTTP_STACK},
                 {"mqtt-out", PORT_MQTT_STACK},
                 {"mqtt_task", PORT_MQTT_CLIENT_STACK}};

    (void) printf("memory: heap %zu bytes, at most %zu\n", (size_t) held, (size_t) most);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        TaskHandle_t task = xTaskGetHandle(tasks[i].name);

        if (task != NULL)
            (void) printf("memory: task %s used %lu bytes of its stack at most\n", tasks[i].name,
                          (unsigned long) (tasks[i].size - uxTaskGetStackHighWaterMark(task) * sizeof(StackType_t)));
    }
}
