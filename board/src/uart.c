/* SPDX-License-Identifier: MIT */
/**
 * @file uart.c
 * USART1 to 3 in asynchronous mode (RM0090 chapter 30): bytes at the pace of the baud rate, the status flags with
 * their two-step clearing, overrun, idle line, interrupts and DMA requests.
 */
#include "internal.h"

enum {
    SR_PE = 1u << 0,
    SR_FE = 1u << 1,
    SR_NE = 1u << 2,
    SR_ORE = 1u << 3,
    SR_IDLE = 1u << 4,
    SR_RXNE = 1u << 5,
    SR_TC = 1u << 6,
    SR_TXE = 1u << 7,
    SR_CTS = 1u << 9,
    SR_BY_DR = 0x1Fu
};
enum {
    CR1_RE = 1u << 2,
    CR1_TE = 1u << 3,
    CR1_IDLEIE = 1u << 4,
    CR1_RXNEIE = 1u << 5,
    CR1_TCIE = 1u << 6,
    CR1_TXEIE = 1u << 7,
    CR1_PEIE = 1u << 8,
    CR1_PS = 1u << 9,
    CR1_PCE = 1u << 10,
    CR1_M = 1u << 12,
    CR1_UE = 1u << 13,
    CR1_OVER8 = 1u << 15
};
enum { CR3_EIE = 1u << 0, CR3_DMAR = 1u << 6, CR3_DMAT = 1u << 7 };

static const uint32_t data_register[BOARD_UARTS] = {0x40011004u, 0x40004404u, 0x40004804u};

static uint32_t chip_baud(const struct board *b, unsigned i)
{
    const struct uart *u = &b->s.uart[i];
    uint32_t clock = i == 0 ? b->s.rcc.apb2 : b->s.rcc.apb1;
    uint32_t divider = u->cr1 & CR1_OVER8 ? (u->brr >> 4) * 8u + (u->brr & 7u) : u->brr;
    return divider >= (u->cr1 & CR1_OVER8 ? 8u : 16u) ? clock / divider : 0;
}

/** @return the duration of a frame in ps. */
static uint64_t frame_time(const struct board *b, unsigned i, bool transmit)
{
    const struct uart *u = &b->s.uart[i];
    static const uint8_t half_stop_bits[4] = {2, 1, 4, 3};
    uint32_t baud = chip_baud(b, i);
    if (!transmit && u->host_baud)
        baud = u->host_baud;
    if (baud == 0)
        baud = 115200;
    uint64_t half_bits = 2u * (u->cr1 & CR1_M ? 10u : 9u) + half_stop_bits[u->cr2 >> 12 & 3u];
    if (!transmit && u->format != BOARD_UART_FITS)
        half_bits = u->format == BOARD_UART_8N1 ? 20u : 22u;
    return half_bits * PS_PER_S / 2u / baud;
}

static bool baud_fits(const struct board *b, unsigned i)
{
    uint64_t chip = chip_baud(b, i), host = b->s.uart[i].host_baud;
    if (host == 0)
        return true;
    uint64_t difference = chip > host ? chip - host : host - chip;
    return difference * 100u <= host * 3u;
}

/** What a receiver with the wrong baud rate makes of a byte; something, but always the same. */
static uint8_t garble(uint8_t byte)
{
    return (uint8_t) ((byte * 167u + 85u) ^ byte >> 3);
}

static void update_irq(struct board *b, unsigned i)
{
    const struct uart *u = &b->s.uart[i];
    uint32_t sr = u->sr, cr1 = u->cr1;
    bool level = ((sr & SR_TXE) && (cr1 & CR1_TXEIE)) || ((sr & SR_TC) && (cr1 & CR1_TCIE)) ||
                 ((sr & (SR_RXNE | SR_ORE)) && (cr1 & CR1_RXNEIE)) || ((sr & SR_IDLE) && (cr1 & CR1_IDLEIE)) ||
                 ((sr & SR_PE) && (cr1 & CR1_PEIE)) ||
                 ((sr & (SR_FE | SR_NE | SR_ORE)) && (u->cr3 & CR3_EIE) && (u->cr3 & CR3_DMAR));
    board_irq_line(b, IRQ_USART1 + i, level && (cr1 & CR1_UE));
}

void board_uart_reset(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    uint32_t baud = u->host_baud;
    uint64_t rx_free = u->rx_free;
    struct uart outside = *u;
    memset(u, 0, sizeof *u);
    u->sr = SR_TXE | SR_TC;
    u->host_baud = baud;
    u->rx_free = rx_free;
    u->connected = outside.connected;
    u->format = outside.format;
    u->errors = outside.errors;
    u->error_skip = outside.error_skip;
    u->error_count = outside.error_count;
    board_cancel(b, (enum event)(EV_TX1 + i));
    update_irq(b, i);
}

/* ----------------------------------------------------------------------------------------------------- receive */

static bool receiver_on(const struct board *b, unsigned i)
{
    const struct uart *u = &b->s.uart[i];
    return (u->cr1 & CR1_UE) && (u->cr1 & CR1_RE) && u->brr != 0 && board_uart_routed(b, i + 1u, true);
}

void board_uart_rx_start(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    enum event e = (enum event)(EV_RX1 + i);
    if (b->to_chip[i].count == 0 || (b->s.due[e] != NEVER && !u->rx_idle_wait))
        return;
    uint64_t start = board_time(b) > u->rx_free ? board_time(b) : u->rx_free;
    u->rx_idle_wait = 0;
    u->rx_free = start + frame_time(b, i, false);
    board_schedule(b, e, u->rx_free);
}

/** @return the parity bit that makes the number of ones even, or odd. */
static uint16_t parity_of(uint32_t bits, bool odd)
{
    return (uint16_t) ((unsigned) __builtin_parity(bits) ^ odd);
}

/** The bits of a frame behind its start bit as they are on the wire, and how many. */
static uint16_t host_frame(const struct uart *u, uint8_t byte, unsigned *bits)
{
    bool nine = (u->cr1 & CR1_M) != 0;
    *bits = u->format == BOARD_UART_FITS ? (nine ? 9u : 8u) : u->format == BOARD_UART_8N1 ? 8u : 9u;
    if (u->format != BOARD_UART_FITS)
        return (uint16_t) (*bits == 8 ? byte : byte | parity_of(byte, u->format == BOARD_UART_8O1) << 8);
    if (!(u->cr1 & CR1_PCE))
        return byte;
    uint8_t data = nine ? byte : byte & 0x7Fu;
    return (uint16_t) (data | parity_of(data, (u->cr1 & CR1_PS) != 0) << (nine ? 8 : 7));
}

/** What the receiver makes of a frame of the other end, errors that were asked for included. */
static uint16_t sample(struct uart *u, uint8_t byte, bool more, uint32_t *flags)
{
    unsigned bits, mine = u->cr1 & CR1_M ? 9u : 8u;
    uint16_t frame = host_frame(u, byte, &bits);
    if (mine < bits && !((uint32_t) frame >> mine & 1u)) /* a data or parity bit where the stop bit should be */
        *flags |= SR_FE;
    if (mine > bits) {
        frame = (uint16_t) (frame | 1u << bits); /* the stop bit; behind it the line is idle, or the next start bit */
        *flags |= more ? SR_FE : 0u;
    }
    frame &= (uint16_t) ((1u << mine) - 1u);
    if (u->error_count && u->error_skip)
        u->error_skip--;
    else if (u->error_count) {
        u->error_count--;
        frame ^= u->errors & BOARD_UART_PARITY ? 1u : 0u;
        *flags |= (u->errors & BOARD_UART_FRAMING ? (uint32_t) SR_FE : 0u) |
                  (u->errors & BOARD_UART_NOISE ? (uint32_t) SR_NE : 0u) |
                  (u->errors & BOARD_UART_OVERRUN ? (uint32_t) SR_ORE : 0u);
    }
    if ((u->cr1 & CR1_PCE) && parity_of(frame, (u->cr1 & CR1_PS) != 0))
        *flags |= SR_PE;
    return frame;
}

static void receive(struct board *b, unsigned i, uint8_t byte)
{
    struct uart *u = &b->s.uart[i];
    if (u->connected && board_rom_listens(b, i)) {
        uint32_t wrong = 0;
        uint16_t bits = sample(u, byte, false, &wrong);
        b->counters.uart_rx[i + 1]++;
        board_rom_hear(b, i, (uint8_t) bits, (wrong & (SR_FE | SR_ORE)) == 0);
        return;
    }
    if (!u->connected || !receiver_on(b, i)) {
        b->counters.uart_lost[i + 1]++;
        return;
    }
    u->heard = 1;
    uint32_t flags = 0;
    if (!baud_fits(b, i)) {
        byte = garble(byte);
        flags = SR_FE | SR_NE;
        b->counters.uart_garbled[i + 1]++;
    }
    uint16_t frame = sample(u, byte, b->to_chip[i].count != 0, &flags);
    if ((u->sr & SR_RXNE) || (flags & SR_ORE)) { /* the byte in the shift register is lost, the one in DR stays */
        u->sr |= SR_ORE;
        b->counters.uart_overruns[i + 1]++;
    } else {
        b->counters.uart_rx[i + 1]++;
        u->rdr = frame; /* with the parity bit as its highest */
        u->sr |= SR_RXNE | flags;
    }
    board_uart_requests(b, i);
    update_irq(b, i);
}

void board_uart_rx_event(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    if (u->rx_idle_wait) { /* the line was idle for the time of a frame */
        u->rx_idle_wait = 0;
        if (u->heard && receiver_on(b, i)) {
            u->sr |= SR_IDLE;
            update_irq(b, i);
        }
        u->heard = 0;
        return;
    }
    int byte = bytes_pop(&b->to_chip[i]);
    if (byte >= 0)
        receive(b, i, (uint8_t) byte);
    if (b->to_chip[i].count) {
        board_uart_rx_start(b, i);
        return;
    }
    u->rx_idle_wait = 1;
    board_schedule(b, (enum event)(EV_RX1 + i), board_time(b) + frame_time(b, i, false));
}

/* ---------------------------------------------------------------------------------------------------- transmit */

static void shift_out(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    u->tsr = u->tdr;
    u->tdr_full = 0;
    u->tsr_busy = 1;
    u->sr |= SR_TXE;
    board_schedule(b, (enum event)(EV_TX1 + i), board_time(b) + frame_time(b, i, true));
}

/** Does the other end, with its own format, take the frame for a good one? */
static bool format_fits(const struct uart *u, uint16_t frame)
{
    if (u->format == BOARD_UART_FITS)
        return true;
    if (!(u->cr1 & CR1_M))
        frame |= 0x100u; /* the stop bit */
    if (u->format == BOARD_UART_8N1)
        return frame >> 8 & 1u;
    return (frame >> 8 & 1u) == parity_of(frame & 0xFFu, u->format == BOARD_UART_8O1);
}

static void send(struct board *b, unsigned i, uint16_t frame)
{
    const struct uart *u = &b->s.uart[i];
    unsigned data_bits = (u->cr1 & CR1_M ? 9u : 8u) - (u->cr1 & CR1_PCE ? 1u : 0u);
    uint8_t byte = (uint8_t) (u->format == BOARD_UART_FITS ? frame & ((1u << data_bits) - 1u) : frame);
    if (!u->connected || !board_uart_routed(b, i + 1u, false)) {
        b->counters.uart_lost[i + 1]++;
        return;
    }
    b->counters.uart_tx[i + 1]++;
    if (!baud_fits(b, i) || !format_fits(u, frame)) {
        byte = garble(byte);
        b->counters.uart_garbled[i + 1]++;
    }
    b->uart_event = true;
    if (b->on & BOARD_ON_UART)
        b->attention = true;
    if (b->uart_cb[i])
        b->uart_cb[i](b->uart_ctx[i], i + 1u, byte);
    else
        bytes_push(&b->from_chip[i], byte);
}

void board_uart_tx_event(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    u->tsr_busy = 0;
    unsigned top = u->cr1 & CR1_M ? 8u : 7u;
    uint16_t frame = u->tsr & (uint16_t) ((2u << top) - 1u);
    if (u->cr1 & CR1_PCE) { /* parity takes the place of the highest bit */
        frame &= (uint16_t) ((1u << top) - 1u);
        frame |= (uint16_t) (parity_of(frame, (u->cr1 & CR1_PS) != 0) << top);
    }
    send(b, i, frame);
    if (u->tdr_full)
        shift_out(b, i);
    else
        u->sr |= SR_TC;
    board_uart_requests(b, i);
    update_irq(b, i);
}

static void write_data(struct board *b, unsigned i, uint32_t value)
{
    struct uart *u = &b->s.uart[i];
    if (!(u->cr1 & CR1_UE) || !(u->cr1 & CR1_TE))
        return;
    u->tdr = (uint16_t) (value & 0x1FFu);
    u->tdr_full = 1;
    u->sr &= ~(uint32_t) SR_TXE;
    if (u->seen & SR_TC) { /* a read of SR and then a write of DR clears TC */
        u->sr &= ~(uint32_t) SR_TC;
        u->seen &= ~(uint32_t) SR_TC;
    }
    if (!u->tsr_busy)
        shift_out(b, i);
}

void board_uart_requests(struct board *b, unsigned i)
{
    struct uart *u = &b->s.uart[i];
    if (!(u->cr1 & CR1_UE))
        return;
    if ((u->sr & SR_RXNE) && (u->cr3 & CR3_DMAR))
        board_dma_request(b, data_register[i], true);
    while ((u->sr & SR_TXE) && (u->cr3 & CR3_DMAT) && (u->cr1 & CR1_TE))
        if (!board_dma_request(b, data_register[i], false))
            break;
}

/* --------------------------------------------------------------------------------------------------- registers */

uint32_t board_uart_reg_read(struct board *b, unsigned i, uint32_t offset)
{
    struct uart *u = &b->s.uart[i];
    switch (offset) {
    case 0x00:
        if (u->sr & ~u->seen & (SR_BY_DR | SR_TC))
            b->traits |= TRAIT_UNSAFE; /* a read with an effect */
        u->seen |= u->sr & (SR_BY_DR | SR_TC);
        return u->sr;
    case 0x04: {
        uint32_t v = u->rdr;
        b->traits |= TRAIT_UNSAFE;
        u->sr &= ~(u->seen & SR_BY_DR);
        u->seen &= ~(uint32_t) SR_BY_DR;
        u->sr &= ~(uint32_t) SR_RXNE;
        update_irq(b, i);
        return v;
    }
    case 0x08:
        return u->brr;
    case 0x0C:
        return u->cr1;
    case 0x10:
        return u->cr2;
    case 0x14:
        return u->cr3;
    case 0x18:
        return u->gtpr;
    default:
        return 0;
    }
}

void board_uart_reg_write(struct board *b, unsigned i, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct uart *u = &b->s.uart[i];
    switch (offset) {
    case 0x00: /* RXNE, TC, LBD, CTS: cleared by writing 0 */
        u->sr &= value | ~mask | ~(uint32_t) (SR_RXNE | SR_TC | 1u << 8 | SR_CTS);
        break;
    case 0x04:
        write_data(b, i, value);
        break;
    case 0x08:
        u->brr = merge(u->brr, value, mask) & 0xFFFFu;
        break;
    case 0x0C:
        u->cr1 = merge(u->cr1, value, mask) & 0xBFFFu;
        if (!(u->cr1 & CR1_UE)) {
            u->tsr_busy = u->tdr_full = 0;
            u->sr |= SR_TXE | SR_TC;
            board_cancel(b, (enum event)(EV_TX1 + i));
        }
        break;
    case 0x10:
        u->cr2 = merge(u->cr2, value, mask) & 0x7F6Fu;
        break;
    case 0x14:
        u->cr3 = merge(u->cr3, value, mask) & 0xFFFu;
        break;
    case 0x18:
        u->gtpr = merge(u->gtpr, value, mask) & 0xFFFFu;
        break;
    default:
        break;
    }
    board_uart_requests(b, i);
    update_irq(b, i);
}
