/* SPDX-License-Identifier: MIT */
/* The host's side of ST's ROM: a chip that answers anything over UART or SPI. Every call ends in time, and one that
 * failed has said why. */
#include "fuzz.h"

#include "gw/rom_job.h"

#define LIMIT_MS 120000u /* of one call: three resets, or an erase that is looked at again */
#define DATA_MAX 700u
#define BYTES_A_MS 60u /* over SPI at 8 MHz with 15 us between them */

static struct fuzz_input in;
static uint64_t now, clocked; /* ms; bytes over SPI */

static int on_open(void *ctx, uint32_t baud)
{
    (void) ctx;
    (void) baud;
    return 0;
}

static int on_parity(void *ctx, bool even)
{
    (void) ctx;
    (void) even;
    return 0;
}

static void on_close(void *ctx)
{
    (void) ctx;
}

/* Mostly acknowledgements, so that something comes behind them. */
static uint8_t answer(void)
{
    uint8_t byte = fuzz_byte(&in);

    return byte >= 0xC0u ? FOTA_ST_ACK : byte;
}

static int on_read(void *ctx, uint8_t *data, size_t capacity)
{
    (void) ctx;
    if (in.size == 0 || capacity == 0)
        return 0;
    *data = answer();
    return *data == 0xBF ? -1 : 1;
}

static int on_write(void *ctx, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) data;
    return (int) length;
}

static int spi_open(void *ctx)
{
    (void) ctx;
    return 0;
}

static int on_transfer(void *ctx, const uint8_t *out, uint8_t *back, size_t length)
{
    (void) ctx;
    (void) out;
    PROMISE(length >= 1 && length <= GW_SPI_PIECE);
    clocked += length;
    now += clocked / BYTES_A_MS; /* each takes its time */
    clocked %= BYTES_A_MS;
    for (size_t i = 0; i < length; i++)
        back[i] = in.size == 0 ? FOTA_ST_SPI_IDLE : answer();
    return 0;
}

static uint64_t on_clock(void *ctx)
{
    (void) ctx;
    return now;
}

static int on_pin(void *ctx, bool level)
{
    (void) ctx;
    (void) level;
    return 0;
}

static void on_wait(void *ctx, uint32_t ms)
{
    (void) ctx;
    now += ms != 0 ? ms : 1u;
}

static int call(struct gw_rom *rom, uint8_t what)
{
    static struct gw_rom_survey survey;
    static uint8_t data[DATA_MAX];
    struct gw_rom_options options = {.rdp = 0xAA, .write = 0xFFE};
    uint32_t address = FOTA_FLASH_BASE + (fuzz_word(&in) & 0xFFFFCu), length = fuzz_byte(&in) * 4u % DATA_MAX;

    switch (what % 10u) {
    case 0:
        return gw_rom_enter(rom);
    case 1:
        return gw_rom_read(rom, address, data, length);
    case 2:
        return gw_rom_write(rom, address, data, length / 4u * 4u);
    case 3:
        return gw_rom_erase(rom, fuzz_byte(&in) % 14u);
    case 4:
        return gw_rom_x32(rom);
    case 5:
        return gw_rom_write_protect(rom, fuzz_word(&in) | 1u);
    case 6:
        return gw_rom_options(rom, &options);
    case 7:
        return gw_rom_set_options(rom, &options);
    case 8:
        return gw_rom_readout_unprotect(rom);
    default:
        return in.size > 64u ? gw_rom_survey(rom, &survey) : gw_rom_go(rom, address);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_link link = {NULL, on_open, on_close, on_read, on_write, on_open, on_parity, 0, NULL};
    static const struct gw_spi spi = {NULL, spi_open, on_close, on_transfer, NULL, NULL};
    static const struct gw_pins pins = {NULL, on_pin, on_pin};
    static const struct gw_clock clock = {NULL, on_clock, on_clock};
    static struct gw_rom rom;

    in = (struct fuzz_input){data, size};
    now = 1000;
    bool uart = (fuzz_byte(&in) & 1u) != 0;
    gw_rom_init(
        &rom,
        &(struct gw_rom_port){
            .link = uart ? &link : NULL, .spi = uart ? NULL : &spi, .pins = &pins, .clock = &clock, .wait = on_wait});
    while (in.size > 0) {
        uint64_t since = now;

        rom.error[0] = '\0';
        if (call(&rom, fuzz_byte(&in)) != GW_ROM_OK)
            PROMISE(rom.error[0] != '\0');
        PROMISE(now - since < LIMIT_MS);
    }
    (void) gw_rom_leave(&rom);
    return 0;
}
