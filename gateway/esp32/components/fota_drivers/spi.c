/* SPDX-License-Identifier: MIT */
/* The SPI master's driver behind gw_spi: DMA, polled, since a transfer takes less time than an interrupt would. */
#include "port.h"

#ifdef CONFIG_FOTA_LINE_SPI

#include "gw/spi.h"
#include "wire.h"

#include <driver/spi_master.h>
#include <esp_attr.h>
#include <esp_rom_sys.h>
#include <freertos/FreeRTOS.h>

#define HOST SPI3_HOST /* VSPI: its own pins are the defaults 23, 19, 18, 5 */
#ifndef CONFIG_IDF_TARGET_ESP32
#undef HOST
#define HOST SPI2_HOST
#endif

/* Where the DMA can reach and on a word's border, or the driver would allocate others with each transfer. */
static WORD_ALIGNED_ATTR DMA_ATTR uint8_t tx[GW_SPI_PIECE], rx[GW_SPI_PIECE];
_Static_assert(GW_SPI_PIECE % 4u == 0, "the DMA writes whole words");

static spi_device_handle_t device;
static bool bus;
static uint32_t hz = CONFIG_FOTA_SPI_HZ, gap;
static unsigned mode;

static void drop_device(void)
{
    if (device != NULL)
        (void) spi_bus_remove_device(device);
    device = NULL;
}

/* Rate and mode belong to the device: it is made anew when one of them changes, which is not during transfers. */
static int make_device(void)
{
    const spi_device_interface_config_t config = {
        .mode = (uint8_t) mode, .clock_speed_hz = (int) hz, .spics_io_num = CONFIG_FOTA_SPI_CS, .queue_size = 1};

    drop_device();
    return spi_bus_add_device(HOST, &config, &device) == ESP_OK ? 0 : -1;
}

static int spi_port_open(void *ctx)
{
    const spi_bus_config_t config = {.mosi_io_num = CONFIG_FOTA_SPI_MOSI,
                                     .miso_io_num = CONFIG_FOTA_SPI_MISO,
                                     .sclk_io_num = CONFIG_FOTA_SPI_SCK,
                                     .quadwp_io_num = -1,
                                     .quadhd_io_num = -1,
                                     .max_transfer_sz = (int) GW_SPI_PIECE};

    (void) ctx;
    if (!bus && spi_bus_initialize(HOST, &config, SPI_DMA_CH_AUTO) != ESP_OK)
        return -1;
    bus = true;
    hz = CONFIG_FOTA_SPI_HZ;
    gap = 0;
    mode = 0;
    return make_device();
}

static void spi_port_close(void *ctx)
{
    (void) ctx;
    drop_device();
}

static int acquire(void *ctx)
{
    (void) ctx;
    return device != NULL && spi_device_acquire_bus(device, portMAX_DELAY) == ESP_OK ? 0 : -1;
}

static void release(void *ctx)
{
    (void) ctx;
    spi_device_release_bus(device);
}

static int exchange(void *ctx, size_t length, bool keep)
{
    spi_transaction_t transaction = {.flags =
                                         SPI_TRANS_DMA_BUFFER_ALIGN_MANUAL | (keep ? SPI_TRANS_CS_KEEP_ACTIVE : 0u),
                                     .length = length * 8u,
                                     .tx_buffer = tx,
                                     .rx_buffer = rx};

    (void) ctx;
    return spi_device_polling_transmit(device, &transaction) == ESP_OK ? 0 : -1;
}

static void pause_ns(void *ctx, uint32_t ns)
{
    (void) ctx;
    esp_rom_delay_us((ns + 999u) / 1000u);
}

static int spi_port_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    static const struct wire_spi wire = {NULL, tx, rx, sizeof tx, acquire, exchange, release, pause_ns};

    (void) ctx;
    return wire_spi_transfer(&wire, gap, out, in, length);
}

static int spi_port_pace(void *ctx, uint32_t most_hz, uint32_t gap_ns)
{
    (void) ctx;
    hz = most_hz < CONFIG_FOTA_SPI_HZ ? most_hz : CONFIG_FOTA_SPI_HZ;
    gap = gap_ns;
    return make_device();
}

static int spi_port_mode(void *ctx, unsigned new_mode)
{
    (void) ctx;
    mode = new_mode;
    return make_device();
}

const struct gw_link *port_line(void)
{
    static const struct gw_spi spi = {NULL,          spi_port_open, spi_port_close, spi_port_transfer,
                                      spi_port_pace, spi_port_mode};
    static struct gw_spi_link link;

    gw_spi_link_init(&link, &spi, &port_clock);
    return &link.link;
}

#endif
