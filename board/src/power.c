/* SPDX-License-Identifier: MIT */
/**
 * @file power.c
 * The supply and what watches it (RM0090 chapter 5): power-on and power-down reset, brown-out reset by the option
 * bytes, the programmable voltage detector, PWR's registers, backup SRAM. Thresholds from DS8626, table "Embedded
 * reset and power control block characteristics", typical values.
 */
#include "internal.h"

#define POWER_UP_PS (1500u * (uint64_t) PS_PER_US) /* DS8626 TRSTTEMPO, typical */
#define POR_RISE_MV 1720u
#define PDR_FALL_MV 1680u
enum { CR_PVDE = 1u << 4, CSR_PVDO = 1u << 2, CSR_BRR = 1u << 3, CSR_BRE = 1u << 9, CSR_VOSRDY = 1u << 14 };

struct threshold {
    uint16_t fall, rise; /* mV */
};
/* by BOR_LEV in the option bytes: level 3, 2, 1, off */
static const struct threshold brown_out[4] = {{2830, 2920}, {2500, 2590}, {2190, 2290}, {0, 0}};
/* by PWR_CR.PLS */
static const struct threshold detector[8] = {{2040, 2140}, {2190, 2300}, {2350, 2450}, {2510, 2600},
                                             {2660, 2760}, {2840, 2930}, {2930, 3030}, {3030, 3140}};

/* --------------------------------------------------------------------------------------------------- the supply */

static void update_pvd(struct board *b)
{
    struct rcc *r = &b->s.rcc;
    const struct threshold *t = &detector[r->pwr_cr >> 5 & 7u];
    if (!(r->pwr_cr & CR_PVDE) || b->s.supply_mv >= t->rise)
        r->pwr_csr &= ~(uint32_t) CSR_PVDO;
    else if (b->s.supply_mv < t->fall)
        r->pwr_csr |= CSR_PVDO;
    board_exti_sample(b);
}

static void power_up(struct board *b)
{
    b->s.powered = 1;
    board_fill_with_noise(b);
    board_reset_peripherals(b, true);
    b->counters.resets[BOARD_RESET_POWER]++;
    b->s.csr_flags = 0x0E000000u; /* PORRSTF, PINRSTF, BORRSTF */
    b->s.cpu = BOARD_CPU_RESET;
    b->s.brown_out = b->s.supply_mv < brown_out[b->s.flash.options >> 2 & 3u].rise;
    board_log_event(b, "power on");
    if (!b->s.nrst_low && !b->s.brown_out)
        board_schedule(b, EV_POWER_UP, board_time(b) + POWER_UP_PS);
}

void board_power_down(struct board *b)
{
    if (!b->s.powered)
        return;
    board_flash_tear(b, board_random(&b->s.random) | 1u);
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (e != EV_RX1 && e != EV_RX2 && e != EV_RX3 && e != EV_SPI1 && e != EV_SPI2)
            board_cancel(b, (enum event) e);
    board_reset_peripherals(b, true);
    memset(b->s.backup, 0, sizeof b->s.backup);
    b->s.powered = b->s.power_lost = b->s.brown_out = 0;
    b->s.cpu = BOARD_CPU_OFF;
    board_time_horizon(b);
    board_log_event(b, "power off");
}

bool board_brown_out(struct board *b)
{
    b->s.brown_out = b->s.supply_mv < brown_out[b->s.flash.options >> 2 & 3u].fall;
    return b->s.brown_out != 0;
}

static void update_brown_out(struct board *b)
{
    const struct threshold *t = &brown_out[b->s.flash.options >> 2 & 3u];
    if (!b->s.brown_out && b->s.supply_mv < t->fall) {
        b->s.brown_out = 1;
        if (b->in_run) { /* Unicorn may be in the middle of a block */
            b->s.reset_request = 1u + BOARD_RESET_BROWN_OUT;
            b->attention = true;
        } else
            board_reset_assert(b, BOARD_RESET_BROWN_OUT);
    } else if (b->s.brown_out && b->s.supply_mv >= t->rise) {
        b->s.brown_out = 0;
        if (!b->s.nrst_low && b->s.cpu == BOARD_CPU_RESET)
            board_schedule(b, EV_POWER_UP, board_time(b) + POWER_UP_PS);
    }
}

static void update_supply(struct board *b)
{
    bool on = b->s.switched_on && b->s.supply_mv >= (b->s.powered ? PDR_FALL_MV : POR_RISE_MV);
    if (on && !b->s.powered)
        power_up(b);
    else if (!on && b->s.powered && b->in_run) {
        b->s.power_lost = 1;
        b->attention = true;
    } else if (!on)
        board_power_down(b);
    else
        update_brown_out(b);
    if (b->s.powered && !b->s.power_lost) {
        board_flash_supply(b);
        update_pvd(b);
        board_rcc_clocks(b); /* its limits depend on the supply */
    }
}

void board_power(struct board *b, bool on)
{
    b->s.switched_on = on;
    update_supply(b);
}

bool board_supply(struct board *b, uint32_t millivolt)
{
    if (millivolt > BOARD_SUPPLY_MAX)
        return false;
    if (millivolt != b->s.supply_mv) {
        b->s.supply_mv = (uint16_t) millivolt;
        board_log_event(b, "supply: %u mV", millivolt);
        update_supply(b);
    }
    return true;
}

uint32_t board_supply_mv(const struct board *b)
{
    return b->s.supply_mv;
}

/* -------------------------------------------------------------------------------------------------------- PWR */

void board_pwr_reset(struct board *b, unsigned unit)
{
    (void) unit;
    b->s.rcc.pwr_cr = 0x4000u;
    b->s.rcc.pwr_csr &= CSR_BRE | CSR_BRR; /* the backup domain's */
}

uint32_t board_pwr_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    if (offset == 0)
        return b->s.rcc.pwr_cr;
    return offset == 4 ? b->s.rcc.pwr_csr | CSR_VOSRDY : 0;
}

void board_pwr_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct rcc *r = &b->s.rcc;
    (void) unit;
    if (offset == 0) {
        r->pwr_cr = merge(r->pwr_cr, value, mask) & 0x43F3u; /* CWUF, CSBF read 0 */
        update_pvd(b);
        board_rcc_clocks(b);
    } else if (offset == 4) {
        r->pwr_csr = (merge(r->pwr_csr, value, mask) & 0x300u) | (r->pwr_csr & CSR_PVDO);
        if (r->pwr_csr & CSR_BRE)
            r->pwr_csr |= CSR_BRR; /* the backup regulator is ready at once */
    }
}

/* --------------------------------------------------------------------------------------------------- backup SRAM */

uint32_t board_bkpsram_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    return b->s.bkpsram[offset / 4u];
}

void board_bkpsram_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    if (!(b->s.rcc.pwr_cr & 1u << 8)) {
        board_rule(b, BOARD_RULE_BACKUP_LOCKED, offset, "backup SRAM +0x%03x written while PWR_CR.DBP is 0", offset);
        return;
    }
    uint32_t *r = &b->s.bkpsram[offset / 4u];
    *r = merge(*r, value, mask);
}
