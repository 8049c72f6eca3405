/* SPDX-License-Identifier: MIT */
/* Watchdog, restart, figures. */
#include "port.h"

#include <esp_system.h>
#include <esp_task_wdt.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

void port_watchdog_start(void)
{
    if (esp_task_wdt_add(NULL) != ESP_OK)
        port_log(GW_LOG_WARNING, "the watchdog does not watch: is CONFIG_ESP_TASK_WDT_INIT off?");
}

void port_watchdog_feed(void)
{
    (void) esp_task_wdt_reset();
}

void port_restart(void)
{
    esp_restart();
}

void port_memory_print(void)
{
    static const char *const names[] = {"gateway", "http", "mqtt-out", "mqtt_task"};

    (void) printf("memory: heap %lu bytes free, at least %lu\n", (unsigned long) esp_get_free_heap_size(),
                  (unsigned long) esp_get_minimum_free_heap_size());
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TaskHandle_t task = xTaskGetHandle(names[i]);

        if (task != NULL)
            (void) printf("memory: task %s has %lu bytes of its stack left at least\n", names[i],
                          (unsigned long) (uxTaskGetStackHighWaterMark(task) * sizeof(StackType_t)));
    }
}
