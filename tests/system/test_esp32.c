/* SPDX-License-Identifier: MIT */
/* The ESP32's drivers themselves (uart.c or spi.c, gpio.c, wire.c) between the gateway's push and the board: ESP-IDF's
 * functions below them move the board's wires, with the limits that the real ones have. */
#include "rig.h"

#include "port.h"
#include "wire.h"

#include <driver/gpio.h>
#include <driver/spi_master.h>
#include <driver/uart.h>
#include <esp_rom_sys.h>
#include <freertos/FreeRTOS.h>
#include <freertos/queue.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ESP_FAIL (-1)
#define MILLISECOND 1000000u
#define PINS 40u

static struct rig *rig;
static unsigned warnings;

static uint64_t now_ms(void *ctx)
{
    (void) ctx;
    return board_now(rig->board) / MILLISECOND;
}

const struct gw_clock port_clock = {NULL, now_ms, now_ms};

void port_log(enum gw_log_level level, const char *format, ...)
{
    (void) format;
    warnings += level <= GW_LOG_WARNING ? 1u : 0u;
}

/* --- pins: outputs whose level is low until somebody sets it ------------------------------------------------------ */

static struct {
    bool level, output, open_drain;
} pins[PINS];

static void drive(int pin)
{
    if (!pins[pin].output)
        return;
    if (pin == CONFIG_FOTA_NRST) {
        assert_true(pins[pin].open_drain); /* another one may pull it, too */
        board_nrst(rig->board, !pins[pin].level);
    }
    if (pin == CONFIG_FOTA_BOOT0)
        board_boot0(rig->board, pins[pin].level);
}

esp_err_t gpio_set_level(gpio_num_t pin, uint32_t level)
{
    assert_in_range(pin, 0, PINS - 1u);
    pins[pin].level = level != 0;
    drive(pin);
    return ESP_OK;
}

esp_err_t gpio_config(const gpio_config_t *config)
{
    for (int pin = 0; pin < (int) PINS; pin++) {
        if ((config->pin_bit_mask >> pin & 1u) == 0)
            continue;
        pins[pin].output = true;
        pins[pin].open_drain = config->mode == GPIO_MODE_OUTPUT_OD;
        drive(pin);
    }
    return ESP_OK;
}

static struct rig *make_rig(void)
{
    struct rig_options options = {0};

    warnings = 0;
    board_options_default(&options.board);
    options.link = port_line();
    options.pins = port_pins();
    rig = rig_create(&options);
    return rig;
}

static void nothing_was_lost(void)
{
    if (rig->push.stats.resent != 0 || rig->push.stats.rates_dropped != 0)
        fail_msg("%u resent, %u rates dropped", (unsigned) rig->push.stats.resent,
                 (unsigned) rig->push.stats.rates_dropped);
}

static void expect(const char *name, enum gw_push_outcome outcome, const char *reason)
{
    struct pack_buffer package = rig_package(rig, name, NULL);

    if (rig_update(rig, &package, false) != outcome || strcmp(rig->push.reason, reason) != 0)
        fail_msg("%s: outcome %d, %s: %s", name, rig->push.outcome, rig->push.reason, rig->push.detail);
    pack_buffer_free(&package);
}

#ifdef CONFIG_FOTA_LINE_UART

#define UART 3u
#define FIFO 128u /* bytes of hardware, which an overflow throws away */

static struct {
    bool installed;
    uint8_t ring[4096];
    size_t size, transmit, length; /* of the rings; bytes in the first */
    uart_event_type_t events[16];
    unsigned event_count, calls;
    unsigned lose; /* every so many arrivals the FIFO overflows; 0: never */
    uint32_t baud;
} uart;

static void event(uart_event_type_t type)
{
    if (uart.event_count < sizeof uart.events / sizeof uart.events[0])
        uart.events[uart.event_count++] = type;
}

/* What the interrupts did since the last look. */
static void arrive(void)
{
    uint8_t bytes[4096];
    size_t n = board_uart_read(rig->board, UART, bytes, sizeof bytes), from = 0;

    if (n > 0 && uart.lose != 0 && ++uart.calls % uart.lose == 0) {
        from = n < FIFO ? n : FIFO;
        event(UART_FIFO_OVF);
    }
    if (n - from > uart.size - uart.length) {
        n = from + uart.size - uart.length;
        event(UART_BUFFER_FULL);
    }
    memcpy(uart.ring + uart.length, bytes + from, n - from);
    uart.length += n - from;
}

bool uart_is_driver_installed(uart_port_t port)
{
    (void) port;
    return uart.installed;
}

esp_err_t uart_driver_install(uart_port_t port, int receive, int transmit, int queue, QueueHandle_t *events, int flags)
{
    (void) port;
    (void) flags;
    assert_false(uart.installed);
    assert_in_range(receive, FIFO + 1u, sizeof uart.ring);
    assert_int_equal(queue, sizeof uart.events / sizeof uart.events[0]);
    uart.installed = true;
    uart.size = (size_t) receive;
    uart.transmit = (size_t) transmit;
    *events = NULL;
    return ESP_OK;
}

BaseType_t xQueueReceive(QueueHandle_t queue, void *to, TickType_t ticks)
{
    (void) queue;
    assert_int_equal(ticks, 0);
    arrive();
    if (uart.event_count == 0)
        return 0;
    *(uart_event_t *) to = (uart_event_t){uart.events[0]};
    memmove(uart.events, uart.events + 1, sizeof uart.events - sizeof uart.events[0]);
    uart.event_count--;
    return pdTRUE;
}

esp_err_t uart_set_baudrate(uart_port_t port, uint32_t baud)
{
    (void) port;
    uart.baud = baud;
    board_uart_baud(rig->board, UART, baud);
    return ESP_OK;
}

esp_err_t uart_set_parity(uart_port_t port, uart_parity_t parity)
{
    (void) port;
    board_uart_format(rig->board, UART, parity == UART_PARITY_EVEN ? BOARD_UART_8E1 : BOARD_UART_8N1);
    return ESP_OK;
}

esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    assert_int_equal(config->data_bits, UART_DATA_8_BITS);
    (void) uart_set_parity(port, config->parity);
    return uart_set_baudrate(port, (uint32_t) config->baud_rate);
}

esp_err_t uart_set_pin(uart_port_t port, int tx, int rx, int rts, int cts)
{
    (void) port;
    (void) rts;
    (void) cts;
    return tx == CONFIG_FOTA_UART_TX && rx == CONFIG_FOTA_UART_RX ? ESP_OK : ESP_FAIL;
}

esp_err_t uart_flush_input(uart_port_t port)
{
    (void) port;
    arrive();
    uart.length = 0;
    return ESP_OK;
}

esp_err_t uart_get_buffered_data_len(uart_port_t port, size_t *size)
{
    (void) port;
    arrive();
    *size = uart.length;
    return ESP_OK;
}

int uart_read_bytes(uart_port_t port, void *to, uint32_t length, TickType_t ticks)
{
    (void) port;
    assert_int_equal(ticks, 0);
    assert_in_range(length, 1, uart.length);
    memcpy(to, uart.ring, length);
    uart.length -= length;
    memmove(uart.ring, uart.ring + length, uart.length);
    return (int) length;
}

esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size)
{
    size_t pending = board_uart_pending(rig->board, UART);

    (void) port;
    *size = pending < uart.transmit ? uart.transmit - pending : 0;
    return ESP_OK;
}

/* The real one waits where there is no room, and with it the whole gateway. */
int uart_write_bytes(uart_port_t port, const void *bytes, size_t length)
{
    size_t room;

    (void) uart_get_tx_buffer_free_size(port, &room);
    assert_true(length <= room);
    return (int) board_uart_write(rig->board, UART, bytes, length);
}

esp_err_t uart_wait_tx_done(uart_port_t port, TickType_t ticks)
{
    uint64_t end = board_now(rig->board) + ticks * (uint64_t) MILLISECOND;

    (void) port;
    while (board_uart_pending(rig->board, UART) > 0 && board_now(rig->board) < end)
        (void) board_run(rig->board, MILLISECOND / 100u);
    return board_uart_pending(rig->board, UART) == 0 ? ESP_OK : ESP_FAIL;
}

static struct rig *uart_rig(uint32_t max_baud)
{
    memset(&uart, 0, sizeof uart);
    (void) make_rig();
    rig->options.max_baud = max_baud;
    return rig;
}

/* At the device's rate and at one that is agreed on; the pins are taken without a pulse. */
static void test_there_and_back(void **state)
{
    static const uint32_t rates[] = {0, 921600, 2000000};

    (void) state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        (void) uart_rig(rates[i]);
        rig_factory(rig);
        expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
        assert_int_equal(rig->push.stats.rates_tried, rates[i] != 0);
        nothing_was_lost();
        expect("hello-1.0.0", GW_PUSH_CONFIRMED, "");
        expect("hello-1.2.0", GW_PUSH_ROLLED_BACK, "deadline");
        assert_int_equal(warnings, 0);
        rig_destroy(rig);
    }
}

/* Interrupts come too late, often: what is left of the frame is dropped, the rest is asked for again. */
static void test_overflows(void **state)
{
    (void) state;
    for (unsigned lose = 20; lose <= 80; lose *= 2u) {
        (void) uart_rig(921600);
        rig_factory(rig);
        uart.lose = lose;
        expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
        print_message("every %u: %u overflows, %u damaged frames\n", lose, warnings,
                      (unsigned) rig->push.stats.damaged);
        assert_true(warnings > 0u);
        rig_destroy(rig);
    }
}

/* The gateway's task is away, for an erase of its own flash, and the ring is small. */
static void test_full_ring(void **state)
{
    struct pack_buffer package;
    unsigned steps = 0;

    (void) state;
    (void) uart_rig(921600);
    rig_factory(rig);
    package = rig_package(rig, "hello-1.1.0", NULL);
    rig_start(rig, &package, false);
    while (rig_step(rig)) {
        uart.size = FIFO;
        if (++steps % 50u == 0)
            (void) board_run(rig->board, 60u * MILLISECOND);
    }
    if (rig->push.outcome != GW_PUSH_CONFIRMED)
        fail_msg("%s: %s", rig->push.reason, rig->push.detail);
    print_message("%u times full\n", warnings);
    assert_true(warnings > 0u);
    pack_buffer_free(&package);
    rig_destroy(rig);
}

/* An application that hangs is reached by NRST. */
static void test_reset_of_one_that_hangs(void **state)
{
    struct pack_buffer package;

    (void) state;
    (void) uart_rig(0);
    package = rig_package(rig, "hello-1.3.0", NULL);
    rig_program(rig, &package);
    pack_buffer_free(&package);
    board_power(rig->board, true);
    (void) rig_run_until(rig, NULL, 6u * RIG_SECOND);
    expect("hello-1.0.0", GW_PUSH_FAILED, "busy"); /* its trial is under way */
    assert_true(rig->push.stats.nrst_pulses > 0);
    rig_destroy(rig);
}

static void rom_wait(void *ctx, uint32_t ms)
{
    uint64_t end = board_now(rig->board) + (ms != 0 ? ms * (uint64_t) MILLISECOND : MILLISECOND / 50u);

    (void) ctx;
    for (arrive(); board_now(rig->board) < end && uart.length == 0; arrive())
        (void) board_run(rig->board, MILLISECOND / 50u);
}

/* BOOT0 and NRST in their order, even parity: into ST's ROM and out of it. */
static void test_rom(void **state)
{
    struct gw_rom_survey survey;
    struct fota_link_info info;
    struct gw_rom rom;

    (void) state;
    (void) uart_rig(0);
    rig_factory(rig);
    assert_true(rig_query(rig, &info));
    gw_push_close(&rig->push);
    gw_rom_init(&rom,
                &(struct gw_rom_port){
                    .link = rig->options.link, .pins = rig->options.pins, .clock = &port_clock, .wait = rom_wait});
    if (gw_rom_enter(&rom) != GW_ROM_OK || gw_rom_survey(&rom, &survey) != FOTA_OK)
        fail_msg("%s", rom.error);
    assert_true(survey.configured);
    assert_int_equal(survey.journal.state.confirmed.slot, FOTA_SLOT_A);
    assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
    assert_false(pins[CONFIG_FOTA_BOOT0].level);
    assert_true(rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 5u * RIG_SECOND));
    expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_overflows),
        cmocka_unit_test(test_full_ring),
        cmocka_unit_test(test_reset_of_one_that_hangs),
        cmocka_unit_test(test_rom),
    };

    return cmocka_run_group_tests_name("esp32 uart", tests, NULL, NULL);
}

#else

#define SPI 1u
#define BETWEEN_NS 10000u /* a polled transaction takes so long besides its bits */
#define WORD 4u

struct spi_device_t {
    uint32_t hz;
    unsigned mode;
};

static struct {
    bool bus, added, held, selected;
    size_t most;
    struct spi_device_t device;
    unsigned turned;                      /* the wires make another mode of it */
    unsigned frames, pieces, bytes, fail; /* every so many transactions one fails; 0: none */
} master;

esp_err_t spi_bus_initialize(spi_host_device_t host, const spi_bus_config_t *config, spi_dma_chan_t dma)
{
    assert_false(master.bus);
    assert_true(host != SPI1_HOST); /* the flash's */
    assert_int_equal(dma, SPI_DMA_CH_AUTO);
    assert_true(config->mosi_io_num == CONFIG_FOTA_SPI_MOSI && config->miso_io_num == CONFIG_FOTA_SPI_MISO &&
                config->sclk_io_num == CONFIG_FOTA_SPI_SCK);
    master.bus = true;
    master.most = (size_t) config->max_transfer_sz;
    return ESP_OK;
}

esp_err_t spi_bus_add_device(spi_host_device_t host, const spi_device_interface_config_t *config,
                             spi_device_handle_t *handle)
{
    (void) host;
    assert_true(master.bus && !master.added);
    assert_int_equal(config->spics_io_num, CONFIG_FOTA_SPI_CS);
    master.added = true;
    master.device = (struct spi_device_t){(uint32_t) config->clock_speed_hz, config->mode};
    *handle = &master.device;
    return ESP_OK;
}

esp_err_t spi_bus_remove_device(spi_device_handle_t handle)
{
    assert_true(handle == &master.device && master.added && !master.held);
    master.added = false;
    return ESP_OK;
}

esp_err_t spi_device_acquire_bus(spi_device_handle_t handle, TickType_t wait)
{
    (void) handle;
    assert_int_equal(wait, portMAX_DELAY);
    assert_false(master.held);
    master.held = true;
    return ESP_OK;
}

void spi_device_release_bus(spi_device_handle_t handle)
{
    (void) handle;
    assert_true(master.held);
    master.held = false;
    if (master.selected)
        (void) board_spi_start(rig->board, SPI, NULL, 0, NULL);
    master.selected = false;
}

esp_err_t spi_device_polling_transmit(spi_device_handle_t handle, spi_transaction_t *t)
{
    size_t length = t->length / 8u, whole = (length + WORD - 1u) / WORD * WORD;
    bool keep = (t->flags & SPI_TRANS_CS_KEEP_ACTIVE) != 0;
    const struct board_spi_options how = {
        .hz = handle->hz, .mode = (uint8_t) (handle->mode ^ master.turned), .keep_selected = keep};

    assert_true(master.added && (master.held || !keep));
    assert_in_range(length, 1, master.most);
    assert_int_equal((uintptr_t) t->tx_buffer % WORD + (uintptr_t) t->rx_buffer % WORD, 0);
    master.pieces++;
    master.bytes += (unsigned) length;
    if (master.fail != 0 && master.pieces % master.fail == 0)
        return ESP_FAIL;
    master.frames += keep ? 0u : 1u;
    if (board_spi_transfer(rig->board, SPI, t->tx_buffer, t->rx_buffer, length, &how) != length)
        return ESP_FAIL;
    memset((uint8_t *) t->rx_buffer + length, 0xEE, whole - length); /* the DMA writes whole words */
    master.selected = keep;
    (void) board_run(rig->board, BETWEEN_NS);
    return ESP_OK;
}

void esp_rom_delay_us(uint32_t us)
{
    (void) board_run(rig->board, us * 1000u);
}

static struct rig *spi_rig(void)
{
    master.turned = master.fail = 0; /* the bus stays as it is: the driver's */
    return make_rig();
}

static void test_there_and_back(void **state)
{
    (void) state;
    (void) spi_rig();
    rig_factory(rig);
    expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
    assert_int_equal(master.device.hz, CONFIG_FOTA_SPI_HZ);
    nothing_was_lost();
    expect("hello-1.0.0", GW_PUSH_CONFIRMED, "");
    expect("hello-1.2.0", GW_PUSH_ROLLED_BACK, "deadline");
    assert_int_equal(board_counters(rig->board)->spi_garbled[SPI], 0);
    rig_destroy(rig);
}

/* Wrong polarity: the modes are tried, and the right one is named. */
static void test_mode(void **state)
{
    (void) state;
    (void) spi_rig();
    rig_factory(rig);
    master.turned = 3;
    expect("hello-1.1.0", GW_PUSH_FAILED, "device-lost");
    assert_non_null(strstr(rig->push.detail, "SPI mode 3"));
    assert_int_equal(master.device.mode, 0);
    rig_destroy(rig);
}

/* Transactions fail, now and then: the bus is given back each time. */
static void test_failures(void **state)
{
    (void) state;
    (void) spi_rig();
    rig_factory(rig);
    master.fail = 2003;
    expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
    assert_true(rig->push.stats.reopened > 1u);
    assert_false(master.held);
    rig_destroy(rig);
}

/* --- pieces and gaps: a master of wire.c's own ----------------------------------------------------------------------
 */

#define SMALL 16u

static struct {
    uint8_t tx[SMALL] WORD_ALIGNED_ATTR, rx[SMALL] WORD_ALIGNED_ATTR;
    uint32_t gap_ns;
    unsigned transfers, pauses;
} small;

static int acquire(void *ctx)
{
    (void) ctx;
    return spi_device_acquire_bus(&master.device, portMAX_DELAY) == ESP_OK ? 0 : -1;
}

static void release(void *ctx)
{
    (void) ctx;
    spi_device_release_bus(&master.device);
}

static int exchange(void *ctx, size_t length, bool keep)
{
    spi_transaction_t t = {keep ? SPI_TRANS_CS_KEEP_ACTIVE : 0u, length * 8u, small.tx, small.rx};

    (void) ctx;
    return spi_device_polling_transmit(&master.device, &t) == ESP_OK ? 0 : -1;
}

static void pause_ns(void *ctx, uint32_t ns)
{
    (void) ctx;
    small.pauses++;
    (void) board_run(rig->board, ns);
}

static int small_open(void *ctx)
{
    (void) ctx;
    return 0;
}

static void small_close(void *ctx)
{
    (void) ctx;
}

static int small_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    static const struct wire_spi wire = {NULL, small.tx, small.rx, SMALL, acquire, exchange, release, pause_ns};

    (void) ctx;
    small.transfers++;
    return wire_spi_transfer(&wire, small.gap_ns, out, in, length);
}

/* A frame of chip select is one, in however many pieces; and a slow one, byte by byte, is one as well. */
static void test_pieces_and_gaps(void **state)
{
    static const struct gw_spi spi = {.open = small_open, .close = small_close, .transfer = small_transfer};
    static struct gw_spi_link link;

    (void) state;
    for (uint32_t gap_ns = 0; gap_ns <= 5000u; gap_ns += 5000u) {
        (void) spi_rig();
        rig_factory(rig);
        gw_spi_link_init(&link, &spi, &port_clock);
        rig->options.link = &link.link;
        small.gap_ns = gap_ns;
        small.transfers = small.pauses = master.frames = master.pieces = master.bytes = 0;
        expect("hello-1.1.0", GW_PUSH_CONFIRMED, "");
        nothing_was_lost();
        assert_int_equal(master.frames, small.transfers);
        print_message("gap %u ns: %u pieces in %u frames\n", (unsigned) gap_ns, master.pieces, master.frames);
        assert_true(master.pieces > 2u * master.frames);
        assert_int_equal(small.pauses, gap_ns != 0 ? master.bytes : 0);
        rig_destroy(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_pieces_and_gaps),
    };

    return cmocka_run_group_tests_name("esp32 spi", tests, NULL, NULL);
}

#endif
