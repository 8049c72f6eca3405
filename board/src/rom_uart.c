/* SPDX-License-Identifier: MIT */
/**
 * @file rom_uart.c
 * The factory bootloader's side of AN3155: baud rate detection, bytes of packets, ACK and NACK. 8E1, polled: a byte
 * that nobody fetches in time is lost to an overrun, as with any program.
 */
#include "rom.h"

enum { SR = 0x00, DR = 0x04, BRR = 0x08, CR1 = 0x0C };
enum { SR_PE = 1u << 0, SR_FE = 1u << 1, SR_RXNE = 1u << 5, SR_TC = 1u << 6, SR_TXE = 1u << 7 };
enum { CR1_8E1 = 1u << 13 | 1u << 12 | 1u << 10 | 1u << 3 | 1u << 2 }; /* UE, M, PCE, TE, RE */
#define TOLERANCE_PER_MILLE 25u

static const struct {
    uint8_t unit, enable_register, enable_bit, port, tx, rx, pull;
} wiring[] = {[VIA_USART1] = {0, 0x44, 4, 0, 9, 10, 0}, [VIA_USART3] = {2, 0x40, 18, 1, 10, 11, 1}};

bool board_rom_listens(const struct board *b, unsigned unit)
{
    return b->s.cpu == BOARD_CPU_ROM && b->s.rom.phase == ROM_LISTENING && !b->s.rom.mute && unit != 1;
}

static uint32_t measure(struct board *b, unsigned unit)
{
    struct rom *r = &b->s.rom;
    uint32_t host = b->s.uart[unit].host_baud;
    host = host ? host : 115200u;
    if (r->baud_errors) {
        r->baud_errors--;
        host = (uint32_t) ((uint64_t) host * (uint32_t) (1000 + r->baud_error) / 1000u);
    }
    return host;
}

/** @return the divider for a rate, 0 when there is none within 2.5 % (AN3155 2). */
static uint32_t divider_for(const struct board *b, unsigned unit, uint32_t host)
{
    uint32_t clock = unit == 0 ? b->s.rcc.apb2 : b->s.rcc.apb1;
    uint32_t divider = (clock + host / 2u) / host;
    if (divider < 16u || divider > 0xFFFFu)
        return 0;
    uint64_t mine = clock / divider, off = mine > host ? mine - host : host - mine;
    return off * 1000u <= (uint64_t) host * TOLERANCE_PER_MILLE ? divider : 0;
}

void board_rom_hear(struct board *b, unsigned unit, uint8_t byte, bool good)
{
    unsigned via = unit == 0 ? VIA_USART1 : VIA_USART3;
    if (byte != FOTA_ST_UART_SYNC || !good)
        return;
    rom_clock(b, 0x30, 1u << wiring[via].port);
    rom_clock(b, wiring[via].enable_register, 1u << wiring[via].enable_bit);
    uint32_t divider = divider_for(b, unit, measure(b, unit));
    if (divider == 0) {
        board_say(b, "ROM: %u baud on USART%u cannot be made", b->s.uart[unit].host_baud, unit + 1u);
        return;
    }
    rom_pin(b, wiring[via].port, wiring[via].tx, 7, wiring[via].pull);
    rom_pin(b, wiring[via].port, wiring[via].rx, 7, wiring[via].pull);
    board_uart_reg_write(b, unit, BRR, divider, UINT32_MAX);
    board_uart_reg_write(b, unit, CR1, CR1_8E1, UINT32_MAX);
    rom_choose(b, (enum rom_via) via);
    rom_answer(b, true, THEN_COMMAND);
}

/** Fetch a byte. A parity or framing error spoils its packet; noise does not matter. */
static bool receive(struct board *b, unsigned unit)
{
    uint32_t sr = board_uart_reg_read(b, unit, SR);
    if (!(sr & SR_RXNE))
        return false;
    uint8_t byte = (uint8_t) board_uart_reg_read(b, unit, DR);
    rom_byte(b, byte, (sr & (SR_PE | SR_FE)) == 0);
    return true;
}

static bool answer(struct board *b, unsigned unit)
{
    struct rom *r = &b->s.rom;
    bool leaves = r->then == THEN_RESET || r->then == THEN_GO; /* the byte would not get out */
    if (!(board_uart_reg_read(b, unit, SR) & (r->times == 0 && leaves ? (uint32_t) SR_TC : SR_TXE)))
        return false;
    if (r->times) {
        r->times--;
        board_uart_reg_write(b, unit, DR, r->code, UINT32_MAX);
    } else
        rom_answered(b);
    return true;
}

static bool send(struct board *b, unsigned unit)
{
    struct rom *r = &b->s.rom;
    if (!(board_uart_reg_read(b, unit, SR) & SR_TXE))
        return false;
    if (r->at < r->len)
        board_uart_reg_write(b, unit, DR, r->out[r->at++], UINT32_MAX);
    else
        rom_sent(b);
    return true;
}

bool rom_uart_poll(struct board *b)
{
    unsigned unit = wiring[b->s.rom.via].unit;
    switch (b->s.rom.phase) {
    case ROM_RECEIVE:
        return receive(b, unit);
    case ROM_ANSWER:
        return answer(b, unit);
    case ROM_SEND:
        return send(b, unit);
    default:
        return false;
    }
}
