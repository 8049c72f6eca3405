/* SPDX-License-Identifier: MIT */
/* Are the declarations in this folder still those of ESP-IDF? A difference is "conflicting types". */
#include <driver/gpio.h>
#include <driver/spi_master.h>
#include <driver/uart.h>
#include <esp_app_desc.h>
#include <esp_crt_bundle.h>
#include <esp_event.h>
#include <esp_http_client.h>
#include <esp_mac.h>
#include <esp_netif.h>
#include <esp_netif_sntp.h>
#include <esp_ota_ops.h>
#include <esp_partition.h>
#include <esp_rom_sys.h>
#include <esp_system.h>
#include <esp_task_wdt.h>
#include <esp_timer.h>
#include <esp_wifi.h>
#include <freertos/FreeRTOS.h>
#include <freertos/queue.h>
#include <freertos/semphr.h>
#include <freertos/stream_buffer.h>
#include <freertos/task.h>
#include <mqtt_client.h>
#include <nvs.h>
#include <nvs_flash.h>
#include <psa/crypto.h>

#include "functions.h"
