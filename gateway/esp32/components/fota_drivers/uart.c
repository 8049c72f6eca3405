/* SPDX-License-Identifier: MIT */
/* The UART's driver behind gw_link. Its rings are allocated once and stay. */
#include "port.h"

#ifdef CONFIG_FOTA_LINE_UART

#include "wire.h"

#include <driver/uart.h>
#include <freertos/FreeRTOS.h>
#include <freertos/queue.h>

#define PORT CONFIG_FOTA_UART_PORT
#define RX_RING 2048
#define TX_RING 1024
#define EVENTS 16
#define DRAIN_MS 100u /* for what was written to go out, before the rate changes */

static struct wire_uart wire;
static QueueHandle_t events;

static int uart_port_open(void *ctx, uint32_t baud)
{
    const uart_config_t config = {.baud_rate = (int) baud,
                                  .data_bits = UART_DATA_8_BITS,
                                  .parity = UART_PARITY_DISABLE,
                                  .stop_bits = UART_STOP_BITS_1,
                                  .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
                                  .source_clk = UART_SCLK_DEFAULT};

    (void) ctx;
    if (!uart_is_driver_installed(PORT) && uart_driver_install(PORT, RX_RING, TX_RING, EVENTS, &events, 0) != ESP_OK)
        return -1;
    if (uart_param_config(PORT, &config) != ESP_OK ||
        uart_set_pin(PORT, CONFIG_FOTA_UART_TX, CONFIG_FOTA_UART_RX, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE) != ESP_OK)
        return -1;
    wire = (struct wire_uart){0};
    return uart_flush_input(PORT) == ESP_OK ? 0 : -1;
}

static void uart_port_close(void *ctx)
{
    (void) ctx;
    (void) uart_flush_input(PORT);
}

/* @return whether bytes were lost. */
static bool overran(void)
{
    uart_event_t event;
    bool lost = false;

    for (unsigned i = 0; i < EVENTS && xQueueReceive(events, &event, 0) == pdTRUE; i++)
        lost = lost || event.type == UART_FIFO_OVF || event.type == UART_BUFFER_FULL;
    return lost;
}

static int uart_port_read(void *ctx, uint8_t *data, size_t capacity)
{
    size_t there = 0;
    int n;

    (void) ctx;
    if (overran()) {
        wire_uart_overrun(&wire);
        port_log(GW_LOG_WARNING, "the UART's ring overran, %lu times by now", (unsigned long) wire.overruns);
        (void) uart_flush_input(PORT);
        return 0;
    }
    if (uart_get_buffered_data_len(PORT, &there) != ESP_OK)
        return -1;
    if (there == 0)
        return 0;
    n = uart_read_bytes(PORT, data, (uint32_t) (there < capacity ? there : capacity), 0);
    return n >= 0 ? (int) wire_uart_take(&wire, data, (size_t) n) : -1;
}

static int uart_port_write(void *ctx, const uint8_t *data, size_t length)
{
    size_t room = 0;

    (void) ctx;
    if (uart_get_tx_buffer_free_size(PORT, &room) != ESP_OK)
        return -1;
    length = wire_uart_fits(room, length);
    return length > 0 ? uart_write_bytes(PORT, data, length) : 0;
}

static int uart_port_baud(void *ctx, uint32_t baud)
{
    (void) ctx;
    return uart_wait_tx_done(PORT, pdMS_TO_TICKS(DRAIN_MS)) == ESP_OK && uart_set_baudrate(PORT, baud) == ESP_OK ? 0
                                                                                                                 : -1;
}

static int uart_port_parity(void *ctx, bool even)
{
    (void) ctx;
    return uart_set_parity(PORT, even ? UART_PARITY_EVEN : UART_PARITY_DISABLE) == ESP_OK ? 0 : -1;
}

const struct gw_link *port_line(void)
{
    static const struct gw_link link = {.open = uart_port_open,
                                        .close = uart_port_close,
                                        .read = uart_port_read,
                                        .write = uart_port_write,
                                        .baud = uart_port_baud,
                                        .parity = uart_port_parity,
                                        .poll_ms = 1};

    return &link;
}

#endif
