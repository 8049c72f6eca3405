/* SPDX-License-Identifier: MIT */
/**
 * @file misc.c
 * The small peripherals: GPIO, CRC, RNG, RTC backup registers, independent watchdog.
 */
#include "internal.h"

/* -------------------------------------------------------------------------------------------------------- GPIO */

enum { MODER = 0, PUPDR = 3, ODR = 5, LCKR = 7, AFRL = 8 };

void board_gpio_reset(struct board *b, unsigned port)
{
    struct gpio *g = &b->s.gpio[port];
    memset(g->regs, 0, sizeof g->regs);
    if (port == 0) { /* PA13 to PA15: debug pins */
        g->regs[MODER] = 0xA8000000u;
        g->regs[2] = 0x0C000000u;
        g->regs[PUPDR] = 0x64000000u;
    } else if (port == 1) {
        g->regs[MODER] = 0x00000280u;
        g->regs[2] = 0x000000C0u;
        g->regs[PUPDR] = 0x00000100u;
    }
}

static unsigned level_of(const struct gpio *g, unsigned pin)
{
    unsigned mode = g->regs[MODER] >> (2 * pin) & 3u, pull = g->regs[PUPDR] >> (2 * pin) & 3u;
    bool open_drain = (g->regs[1] >> pin & 1u) != 0, out = (g->regs[ODR] >> pin & 1u) != 0;
    if (mode == 1u && (!open_drain || !out))
        return out;
    if (g->driven >> pin & 1u)
        return g->level >> pin & 1u;
    return pull == 1u;
}

uint32_t board_gpio_read(struct board *b, unsigned port, uint32_t offset)
{
    const struct gpio *g = &b->s.gpio[port];
    if (offset == 0x10) {
        uint32_t v = 0;
        for (unsigned pin = 0; pin < 16; pin++)
            if ((g->regs[MODER] >> (2 * pin) & 3u) != 3u) /* analog reads 0 */
                v |= level_of(g, pin) << pin;
        return v;
    }
    return offset < 0x28 && offset != 0x18 ? g->regs[offset / 4u] : 0;
}

void board_gpio_write(struct board *b, unsigned port, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct gpio *g = &b->s.gpio[port];
    if (offset == 0x18) /* BSRR: set wins over reset */
        g->regs[ODR] = ((g->regs[ODR] & ~(value >> 16)) | value) & 0xFFFFu;
    else if (offset < 0x28 && offset != 0x10) {
        g->regs[offset / 4u] = merge(g->regs[offset / 4u], value, mask);
        if (offset == 0x14)
            g->regs[ODR] &= 0xFFFFu;
    }
    board_exti_sample(b);
}

void board_pin_set(struct board *b, char port, unsigned pin, int level)
{
    if (port < 'A' || port > 'I' || pin > 15)
        return;
    struct gpio *g = &b->s.gpio[port - 'A'];
    g->driven = (uint16_t) (level < 0 ? g->driven & ~(1u << pin) : g->driven | 1u << pin);
    g->level = (uint16_t) (level > 0 ? g->level | 1u << pin : g->level & ~(1u << pin));
    board_exti_sample(b);
    board_spi_pins(b);
}

int board_pin_get(const struct board *b, char port, unsigned pin)
{
    return port < 'A' || port > 'I' || pin > 15 ? 0 : (int) level_of(&b->s.gpio[port - 'A'], pin);
}

bool board_uart_routed(const struct board *b, unsigned n, bool rx)
{
    static const struct {
        uint8_t n, port, tx, rx;
    } pins[] = {{1, 0, 9, 10}, {1, 1, 6, 7}, {2, 0, 2, 3}, {2, 3, 5, 6}, {3, 1, 10, 11}, {3, 2, 10, 11}, {3, 3, 8, 9}};
    for (unsigned i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        const struct gpio *g = &b->s.gpio[pins[i].port];
        unsigned pin = rx ? pins[i].rx : pins[i].tx;
        if (pins[i].n == n && (g->regs[MODER] >> (2 * pin) & 3u) == 2u &&
            (g->regs[AFRL + pin / 8u] >> (4u * (pin % 8u)) & 0xFu) == 7u)
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------------------------------------------- CRC unit */

void board_crc_reset(struct board *b, unsigned unit)
{
    (void) unit;
    b->s.crc = 0xFFFFFFFFu;
    b->s.crc_idr = 0;
}

uint32_t board_crc_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    return offset == 0 ? b->s.crc : offset == 4 ? b->s.crc_idr : 0;
}

void board_crc_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    (void) mask;
    if (offset == 0) {
        b->s.crc ^= value;
        for (int i = 0; i < 32; i++)
            b->s.crc = b->s.crc & 0x80000000u ? b->s.crc << 1 ^ 0x04C11DB7u : b->s.crc << 1;
    } else if (offset == 4)
        b->s.crc_idr = value & 0xFFu;
    else if (offset == 8 && (value & 1u))
        b->s.crc = 0xFFFFFFFFu;
}

/* --------------------------------------------------------------------------------------------------------- RNG */

void board_rng_reset(struct board *b, unsigned unit)
{
    (void) unit;
    b->s.rng_cr = 0;
}

uint32_t board_rng_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    if (offset == 0)
        return b->s.rng_cr;
    b->traits |= TRAIT_UNSAFE;
    if (!(b->s.rng_cr & 4u))
        return 0;
    return offset == 4 ? 1u : offset == 8 ? (uint32_t) board_random(&b->s.random) : 0; /* SR: DRDY */
}

void board_rng_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    if (offset == 0)
        b->s.rng_cr = merge(b->s.rng_cr, value, mask) & 0xCu;
}

/* --------------------------------------------------------------------------------------------------------- RTC */

uint32_t board_rtc_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    if (offset >= 0x50 && offset < 0xA0)
        return b->s.backup[(offset - 0x50u) / 4u];
    b->counters.unmodelled++;
    return offset < 0x50 ? b->s.rtc[offset / 4u] : 0;
}

void board_rtc_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    if (!(b->s.rcc.pwr_cr & 1u << 8)) {
        board_rule(b, BOARD_RULE_BACKUP_LOCKED, offset, "RTC register +0x%02x written while PWR_CR.DBP is 0", offset);
        return;
    }
    if (offset >= 0x50 && offset < 0xA0) {
        uint32_t *r = &b->s.backup[(offset - 0x50u) / 4u];
        *r = merge(*r, value, mask);
    } else {
        b->counters.unmodelled++;
        if (offset < 0x50)
            b->s.rtc[offset / 4u] = merge(b->s.rtc[offset / 4u], value, mask);
    }
}

/* -------------------------------------------------------------------------------------------------------- IWDG */

static uint32_t divider(const struct iwdg *w)
{
    return 4u << (w->pr > 6u ? 6u : w->pr);
}

void board_iwdg_reset(struct board *b)
{
    struct iwdg *w = &b->s.iwdg;
    memset(w, 0, sizeof *w);
    w->rlr = w->new_rlr = 0xFFFu;
    board_cancel(b, EV_IWDG);
    board_cancel(b, EV_IWDG_SYNC);
}

static void reload(struct board *b)
{
    const struct iwdg *w = &b->s.iwdg;
    uint64_t ticks = ((uint64_t) w->rlr + 1u) * divider(w);
    board_schedule(b, EV_IWDG, board_time(b) + ticks * PS_PER_S / b->options.lsi_hz);
}

void board_iwdg_event(struct board *b)
{
    if (b->s.cpu == BOARD_CPU_ROM) { /* which feeds it all the time (AN2606) */
        reload(b);
        return;
    }
    if (!b->s.reset_request)
        b->s.reset_request = 1u + BOARD_RESET_IWDG;
    b->attention = true;
}

/** The new prescaler and reload value have crossed into the LSI's clock domain. */
void board_iwdg_sync(struct board *b)
{
    struct iwdg *w = &b->s.iwdg;
    w->pr = w->new_pr;
    w->rlr = w->new_rlr;
    w->sr = 0;
}

uint32_t board_iwdg_read(struct board *b, unsigned unit, uint32_t offset)
{
    const struct iwdg *w = &b->s.iwdg;
    (void) unit;
    return offset == 4 ? w->new_pr : offset == 8 ? w->new_rlr : offset == 12 ? w->sr : 0;
}

void board_iwdg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct iwdg *w = &b->s.iwdg;
    (void) unit;
    (void) mask;
    if (offset == 0) {
        value &= 0xFFFFu;
        w->unlocked = value == 0x5555u;
        if (value == 0xCCCCu && !w->running) {
            w->running = 1;
            board_lsi_on(b);
            if (w->sr) /* values written before the start wait for the LSI */
                board_schedule(b, EV_IWDG_SYNC, board_time(b) + 5u * PS_PER_S / b->options.lsi_hz);
            reload(b);
        } else if (value == 0xAAAAu && w->running)
            reload(b);
        return;
    }
    if (!w->unlocked || (offset != 4 && offset != 8))
        return;
    if (w->sr & (offset == 4 ? 1u : 2u))
        return; /* an update is still on its way: the write is lost */
    if (offset == 4) {
        w->new_pr = value & 7u;
        w->sr |= 1u;
    } else {
        w->new_rlr = value & 0xFFFu;
        w->sr |= 2u;
    }
    if (w->running || (b->s.rcc.regs[0x74 / 4] & 1u))
        board_schedule(b, EV_IWDG_SYNC, board_time(b) + 5u * PS_PER_S / b->options.lsi_hz);
}
