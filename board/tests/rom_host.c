/* SPDX-License-Identifier: MIT */
#include "rom_host.h"

#include <string.h>

#define US 1000u

struct board *host_board(enum board_rom rom, uint32_t rom_gap_ns)
{
    struct board_options o;
    board_options_default(&o);
    o.rom = rom;
    o.rom_gap_ns = rom_gap_ns;
    struct board *b = board_create(&o);
    if (!b)
        fail_msg("board_create: %s", board_create_error());
    bench_load(b, "probe");
    board_boot0(b, true);
    board_power(b, true);
    board_run(b, 90u * MS);
    assert_string_equal(board_rom_interface(b), "listening");
    return b;
}

struct host host_on_uart(struct board *b, unsigned n)
{
    return (struct host){.board = b, .uart = n, .patience_ns = 40ull * SECONDS};
}

struct host host_on_spi(struct board *b, unsigned n)
{
    return (struct host){.board = b, .spi = n, .hz = 8000000, .gap_ns = 15000, .patience_ns = 40ull * SECONDS};
}

void host_send(struct host *h, const void *bytes, size_t len, void *in)
{
    if (h->uart) {
        assert_int_equal(board_uart_write(h->board, h->uart, bytes, len), len);
        return;
    }
    struct board_spi_options o = {.hz = h->hz, .gap_ns = h->gap_ns, .lead_ns = h->gap_ns};
    assert_int_equal(board_spi_transfer(h->board, h->spi, bytes, in, len, &o), len);
}

static bool hear(struct host *h, uint8_t *byte)
{
    uint64_t end = board_now(h->board) + h->patience_ns;
    while (board_uart_read(h->board, h->uart, byte, 1) == 0)
        if (board_now(h->board) >= end ||
            board_run_until(h->board, end - board_now(h->board), BOARD_ON_UART) != BOARD_STOP_UART)
            return board_uart_read(h->board, h->uart, byte, 1) == 1;
    return true;
}

int host_answer(struct host *h)
{
    static const uint8_t dummy = FOTA_ST_SPI_DUMMY, mine = FOTA_ST_ACK;
    uint8_t byte = 0;
    if (h->uart)
        return hear(h, &byte) ? byte : SILENCE;
    uint64_t begin = board_now(h->board);
    host_send(h, &dummy, 1, NULL);
    while (board_now(h->board) - begin < h->patience_ns && board_cpu(h->board) != BOARD_CPU_OFF) {
        host_send(h, &dummy, 1, &byte);
        if (byte == FOTA_ST_ACK || byte == FOTA_ST_NACK) {
            host_send(h, &mine, 1, NULL);
            return byte;
        }
        board_run(h->board, board_now(h->board) - begin > MS ? 100u * US : 0);
    }
    return SILENCE;
}

bool host_data(struct host *h, uint8_t *to, size_t len)
{
    uint8_t in[1 + FOTA_ST_BLOCK];
    if (h->spi) {
        host_send(h, NULL, len + 1u, in);
        memcpy(to, in + 1, len);
        return in[0] == FOTA_ST_SPI_IDLE;
    }
    for (size_t i = 0; i < len; i++)
        if (!hear(h, &to[i]))
            return false;
    return true;
}

int host_sync(struct host *h)
{
    uint8_t byte = h->uart ? FOTA_ST_UART_SYNC : FOTA_ST_SPI_SYNC;
    host_send(h, &byte, 1, NULL);
    return host_answer(h);
}

struct host host_begin(bool spi, enum board_rom rom)
{
    struct board *b = host_board(rom, 0);
    struct host h = spi ? host_on_spi(b, 1) : host_on_uart(b, 3);
    assert_int_equal(host_sync(&h), FOTA_ST_ACK);
    return h;
}

int host_command(struct host *h, uint8_t code)
{
    uint8_t bytes[3] = {FOTA_ST_SPI_SYNC, code, (uint8_t) ~code};
    host_send(h, h->spi ? bytes : bytes + 1, h->spi ? 3 : 2, NULL);
    return host_answer(h);
}

int host_packet(struct host *h, const void *bytes, size_t len)
{
    uint8_t out[600], sum = 0;
    memcpy(out, bytes, len);
    for (size_t i = 0; i < len; i++)
        sum ^= out[i];
    out[len] = sum;
    host_send(h, out, len + 1u, NULL);
    return host_answer(h);
}

int host_byte(struct host *h, uint8_t byte)
{
    uint8_t out[2] = {byte, (uint8_t) ~byte};
    host_send(h, out, 2, NULL);
    return host_answer(h);
}

int host_address(struct host *h, uint32_t address)
{
    uint8_t out[4] = {(uint8_t) (address >> 24), (uint8_t) (address >> 16), (uint8_t) (address >> 8),
                      (uint8_t) address};
    return host_packet(h, out, 4);
}

#define TRY(x)                                                                                                         \
    do {                                                                                                               \
        int answer_ = (x);                                                                                             \
        if (answer_ != (int) FOTA_ST_ACK)                                                                              \
            return answer_;                                                                                            \
    } while (0)

int host_read(struct host *h, uint32_t address, void *to, size_t len)
{
    TRY(host_command(h, FOTA_ST_READ));
    TRY(host_address(h, address));
    TRY(host_byte(h, (uint8_t) (len - 1u)));
    return host_data(h, to, len) ? (int) FOTA_ST_ACK : SILENCE;
}

int host_write(struct host *h, uint32_t address, const void *from, size_t len)
{
    uint8_t out[1 + FOTA_ST_BLOCK];
    TRY(host_command(h, FOTA_ST_WRITE));
    TRY(host_address(h, address));
    out[0] = (uint8_t) (len - 1u);
    memcpy(out + 1, from, len);
    return host_packet(h, out, len + 1u);
}

int host_erase(struct host *h, const uint8_t *sectors, size_t count)
{
    uint8_t out[64] = {0};
    TRY(host_command(h, FOTA_ST_ERASE));
    out[1] = (uint8_t) (count - 1u);
    for (size_t i = 0; i < count; i++)
        out[3u + 2u * i] = sectors[i];
    if (!h->spi)
        return host_packet(h, out, 2u + 2u * count);
    TRY(host_packet(h, out, 2));
    return host_packet(h, out + 2, 2u * count);
}

int host_erase_all(struct host *h)
{
    TRY(host_command(h, FOTA_ST_ERASE));
    return host_packet(h, "\xFF\xFF", 2);
}

int host_go(struct host *h, uint32_t address)
{
    TRY(host_command(h, FOTA_ST_GO));
    return host_address(h, address);
}

int host_write_protect(struct host *h, const uint8_t *sectors, size_t count)
{
    uint8_t out[64];
    TRY(host_command(h, FOTA_ST_WRITE_PROTECT));
    out[0] = (uint8_t) (count - 1u);
    memcpy(out + 1, sectors, count);
    if (!h->spi)
        return host_packet(h, out, count + 1u);
    TRY(host_byte(h, out[0]));
    return host_packet(h, out + 1, count);
}

int host_twice(struct host *h, uint8_t code)
{
    TRY(host_command(h, code));
    return host_answer(h);
}
