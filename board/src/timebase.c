/* SPDX-License-Identifier: MIT */
/**
 * @file timebase.c
 * Virtual time and the events. Time advances with the instructions that Unicorn executes, and jumps while the CPU
 * has nothing to execute. Unit: picoseconds (64 bits last for 213 days).
 */
#include "internal.h"

#define HORIZON (1u << 20) /* instructions between two looks at the clock at most: keeps the products in range */

uint64_t board_time(const struct board *b)
{
    return b->s.t0 + (((b->s.icount - b->s.i0) * b->s.per_insn + b->s.frac) >> 16);
}

/** Make the present moment the new origin, keeping the fraction. */
static void rebase(struct board *b)
{
    uint64_t elapsed = (b->s.icount - b->s.i0) * b->s.per_insn + b->s.frac;
    b->s.t0 += elapsed >> 16;
    b->s.frac = elapsed & 0xFFFFu;
    b->s.i0 = b->s.icount;
}

void board_time_set(struct board *b, uint64_t ps)
{
    b->counters.skipped_ns += (ps - board_time(b)) / PS_PER_NS;
    b->s.t0 = ps;
    b->s.frac = 0;
    b->s.i0 = b->s.icount;
}

/** Wait states: the instruction cache hides them, and without it a line of 128 bits is fetched for some four
 * instructions, the first of them behind a jump. Prefetch has half of the lines there in time. */
static double fetch_cycles(const struct board *b)
{
    uint32_t acr = b->s.flash.acr, latency = acr & 7u;
    return (acr & 1u << 9) ? 0 : (acr & 1u << 8) ? latency / 8.0 : latency / 4.0;
}

uint32_t board_cycles(const struct board *b)
{
    return (uint32_t) (uint64_t) (b->s.cycles + (double) (b->s.icount - b->s.cycles_icount) * b->s.cpi);
}

void board_time_rate(struct board *b)
{
    rebase(b);
    b->s.cycles += (double) (b->s.icount - b->s.cycles_icount) * b->s.cpi;
    b->s.cycles_icount = b->s.icount;
    b->s.cpi = b->options.cycles + fetch_cycles(b);
    double ps = 1e12 / (double) b->s.rcc.hclk * b->s.cpi;
    b->s.per_insn = (uint64_t) (ps * 65536.0 + 0.5);
    board_time_horizon(b);
}

uint64_t board_next_due(const struct board *b)
{
    uint64_t next = b->deadline;
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (b->s.due[e] < next)
            next = b->s.due[e];
    return next;
}

void board_time_horizon(struct board *b)
{
    rebase(b);
    uint64_t next = board_next_due(b);
    uint64_t steps;
    if (next <= b->s.t0)
        steps = 0;
    else if (next - b->s.t0 >= (b->s.per_insn * HORIZON) >> 16)
        steps = HORIZON;
    else
        steps = (((next - b->s.t0) << 16) - b->s.frac + b->s.per_insn - 1) / b->s.per_insn;
    b->icount_event = b->s.icount + steps;
    b->icount_slow = b->skip.at < b->icount_event ? b->skip.at : b->icount_event;
    if (b->weak.next < b->icount_slow)
        b->icount_slow = b->weak.next;
}

void board_schedule(struct board *b, enum event e, uint64_t ps)
{
    b->s.due[e] = ps;
    board_time_horizon(b);
}

void board_cancel(struct board *b, enum event e)
{
    b->s.due[e] = NEVER;
}

static void dispatch(struct board *b, enum event e)
{
    b->traits |= TRAIT_UNSAFE; /* a polling loop may now see something else */
    switch (e) {
    case EV_POWER_UP:
        board_reset_end(b);
        break;
    case EV_CUT:
        board_lose_power(b);
        break;
    case EV_FLASH:
        board_flash_event(b);
        break;
    case EV_HSI:
    case EV_HSE:
    case EV_PLL:
    case EV_LSI:
    case EV_LSE:
        board_rcc_event(b, e);
        break;
    case EV_RX1:
    case EV_RX2:
    case EV_RX3:
        board_uart_rx_event(b, (unsigned) e - EV_RX1);
        break;
    case EV_TX1:
    case EV_TX2:
    case EV_TX3:
        board_uart_tx_event(b, (unsigned) e - EV_TX1);
        break;
    case EV_SYSTICK:
        board_systick_event(b);
        break;
    case EV_IWDG:
        board_iwdg_event(b);
        break;
    case EV_IWDG_SYNC:
        board_iwdg_sync(b);
        break;
    case EV_OPTIONS:
        board_options_event(b);
        break;
    case EV_ROM:
        board_rom_event(b);
        break;
    case EV_SPI1:
    case EV_SPI2:
        board_spi_event(b, (unsigned) e - EV_SPI1);
        break;
    case EV_COUNT:
        break;
    }
}

/** The event that is due first, EV_COUNT when none is due by `ps`. */
static enum event first_due(const struct board *b, uint64_t ps)
{
    enum event first = EV_COUNT;
    uint64_t when = ps;
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (b->s.due[e] <= when && (first == EV_COUNT || b->s.due[e] < when)) {
            first = (enum event) e;
            when = b->s.due[e];
        }
    return first;
}

void board_run_events(struct board *b)
{
    enum event e;
    uint64_t now = board_time(b);
    while ((e = first_due(b, now)) != EV_COUNT) {
        b->s.due[e] = NEVER;
        dispatch(b, e);
    }
    board_time_horizon(b);
}

void board_skip_to(struct board *b, uint64_t ps)
{
    enum event e;
    while ((e = first_due(b, ps)) != EV_COUNT) {
        uint64_t when = b->s.due[e];
        b->s.due[e] = NEVER;
        if (when > board_time(b))
            board_time_set(b, when);
        dispatch(b, e);
        if (b->s.power_lost)
            break;
    }
    if (!b->s.power_lost && ps > board_time(b))
        board_time_set(b, ps);
    board_time_horizon(b);
}

uint64_t board_next_due_chip(const struct board *b)
{
    uint64_t next = NEVER;
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (b->s.due[e] < next)
            next = b->s.due[e];
    return next;
}
