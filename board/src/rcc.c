/* SPDX-License-Identifier: MIT */
/**
 * @file rcc.c
 * Clocks (RM0090 chapter 7): oscillators with their start-up times, PLL, prescalers,
 * clock gates, peripheral resets, reset causes. Limits from DS8626.
 */
#include "internal.h"

enum {
    CR = 0x00,
    PLLCFGR = 0x04,
    CFGR = 0x08,
    AHB1RSTR = 0x10,
    APB2RSTR = 0x24,
    AHB1ENR = 0x30,
    APB2ENR = 0x44,
    BDCR = 0x70,
    CSR = 0x74
};
enum {
    CR_HSION = 1u << 0,
    CR_HSIRDY = 1u << 1,
    CR_HSEON = 1u << 16,
    CR_HSERDY = 1u << 17,
    CR_PLLON = 1u << 24,
    CR_PLLRDY = 1u << 25
};
enum { SW_HSI = 0, SW_HSE = 1, SW_PLL = 2 };
#define HSI_HZ 16000000u

/* Start-up times: HSI 2.2 us, HSE 2 ms, PLL 100 us, LSI 15 us (DS8626, typical); LSE 2 s. */
static const uint64_t start_ps[] = {2200000u, 2u * (uint64_t) PS_PER_MS, 100u * PS_PER_US, 15u * PS_PER_US,
                                    2u * PS_PER_S};

static uint32_t *reg(struct board *b, uint32_t offset)
{
    return &b->s.rcc.regs[offset / 4u];
}

static uint32_t value_of(const struct board *b, uint32_t offset)
{
    return b->s.rcc.regs[offset / 4u];
}

/* ----------------------------------------------------------------------------------------------------- clocks */

static uint32_t pll_hz(struct board *b, uint32_t *input, uint32_t *vco)
{
    uint32_t r = value_of(b, PLLCFGR), m = r & 0x3Fu, n = r >> 6 & 0x1FFu, p = 2u * ((r >> 16 & 3u) + 1u);
    uint32_t source = r & 1u << 22 ? b->options.hse_hz : HSI_HZ;
    *input = m ? source / m : 0;
    *vco = (uint32_t) ((uint64_t) source * n / (m ? m : 1u));
    return *vco / p;
}

static uint32_t ahb_divider(uint32_t hpre)
{
    static const uint16_t d[8] = {2, 4, 8, 16, 64, 128, 256, 512};
    return hpre & 8u ? d[hpre & 7u] : 1u;
}

static uint32_t apb_divider(uint32_t ppre)
{
    return ppre & 4u ? 2u << (ppre & 3u) : 1u;
}

static void check_limits(struct board *b)
{
    const struct rcc *r = &b->s.rcc;
    /* RM0090 table 10: so much more for each wait state */
    uint32_t mv = b->s.supply_mv, step = mv >= 2700   ? 30000000u
                                         : mv >= 2400 ? 24000000u
                                         : mv >= 2100 ? 22000000u
                                                      : 20000000u;
    uint32_t latency = b->s.flash.acr & 7u, need = (r->hclk + step - 1u) / step - 1u;
    if (latency < need)
        board_rule(b, BOARD_RULE_FLASH_LATENCY, r->hclk, "HCLK %u Hz with %u flash wait states, needs %u at %u mV",
                   r->hclk, latency, need, mv);
    if (r->sysclk > 168000000u || r->apb1 > 42000000u || r->apb2 > 84000000u)
        board_rule(b, BOARD_RULE_CLOCK_LIMIT, r->sysclk ^ r->apb1,
                   "SYSCLK %u, APB1 %u, APB2 %u Hz: above 168, 42, 84 MHz", r->sysclk, r->apb1, r->apb2);
    if (r->sysclk > 144000000u && !(r->pwr_cr & 1u << 14))
        board_rule(b, BOARD_RULE_CLOCK_LIMIT, 0x4000, "SYSCLK %u Hz needs PWR_CR.VOS = 1", r->sysclk);
}

void board_rcc_clocks(struct board *b)
{
    struct rcc *r = &b->s.rcc;
    uint32_t cfgr = value_of(b, CFGR), input, vco, old = r->hclk;
    switch (cfgr >> 2 & 3u) {
    case SW_HSE:
        r->sysclk = b->options.hse_hz;
        break;
    case SW_PLL:
        r->sysclk = pll_hz(b, &input, &vco);
        break;
    default:
        r->sysclk = HSI_HZ;
        break;
    }
    r->sysclk = r->sysclk ? r->sysclk : 1u;
    board_systick_stop(b);
    r->hclk = r->sysclk / ahb_divider(cfgr >> 4 & 0xFu);
    r->hclk = r->hclk ? r->hclk : 1u;
    r->apb1 = r->hclk / apb_divider(cfgr >> 10 & 7u);
    r->apb2 = r->hclk / apb_divider(cfgr >> 13 & 7u);
    board_time_rate(b);
    board_systick_restart(b);
    check_limits(b);
    if (old != r->hclk)
        board_log_event(b, "clock: SYSCLK %u, HCLK %u, APB1 %u, APB2 %u Hz", r->sysclk, r->hclk, r->apb1, r->apb2);
}

/** Take SW over into SWS when the chosen clock is ready. */
static void try_switch(struct board *b)
{
    uint32_t cr = value_of(b, CR), *cfgr = reg(b, CFGR), sw = *cfgr & 3u;
    bool ready = sw == SW_HSI   ? (cr & CR_HSIRDY) != 0
                 : sw == SW_HSE ? (cr & CR_HSERDY) != 0
                 : sw == SW_PLL ? (cr & CR_PLLRDY) != 0
                                : false;
    if (ready && (*cfgr >> 2 & 3u) != sw)
        *cfgr = (*cfgr & ~0xCu) | sw << 2;
    board_rcc_clocks(b);
}

void board_rcc_event(struct board *b, enum event e)
{
    switch (e) {
    case EV_HSI:
        *reg(b, CR) |= CR_HSIRDY;
        break;
    case EV_HSE:
        *reg(b, CR) |= CR_HSERDY;
        break;
    case EV_PLL:
        *reg(b, CR) |= CR_PLLRDY;
        break;
    case EV_LSI:
        *reg(b, CSR) |= 2u;
        return;
    default:
        *reg(b, BDCR) |= 2u;
        return;
    }
    try_switch(b);
}

void board_lsi_on(struct board *b)
{
    if (!(value_of(b, CSR) & 2u) && b->s.due[EV_LSI] == NEVER)
        board_schedule(b, EV_LSI, board_time(b) + start_ps[3]);
}

/* ------------------------------------------------------------------------------------------------------ reset */

void board_rcc_reset(struct board *b, bool power)
{
    struct rcc *r = &b->s.rcc;
    uint32_t bdcr = power ? 0 : value_of(b, BDCR); /* the backup domain keeps its settings */
    uint32_t csr = power ? 0 : value_of(b, CSR) & 0xFF000000u, pwr_csr = power ? 0 : r->pwr_csr & 0x208u;
    memset(r, 0, sizeof *r);
    *reg(b, CR) = 0x83u;
    *reg(b, PLLCFGR) = 0x24003010u;
    *reg(b, AHB1ENR) = 0x00100000u;
    *reg(b, 0x50) = 0x7E6791FFu;
    *reg(b, 0x54) = 0xF1u;
    *reg(b, 0x58) = 1u;
    *reg(b, 0x60) = 0x36FEC9FFu;
    *reg(b, 0x64) = 0x00075F33u;
    *reg(b, 0x84) = 0x20003000u;
    *reg(b, BDCR) = bdcr;
    *reg(b, CSR) = csr;
    r->pwr_cr = 0x4000u;
    r->pwr_csr = pwr_csr; /* BRE, BRR */
    for (unsigned e = EV_HSI; e <= EV_LSI; e++)
        board_cancel(b, (enum event) e);
    if (power)
        board_cancel(b, EV_LSE);
    board_rcc_clocks(b);
}

/* -------------------------------------------------------------------------------------------------- registers */

uint32_t board_rcc_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    return offset < sizeof b->s.rcc.regs ? value_of(b, offset) : 0;
}

/** Switch an oscillator whose enable bit changed. */
static void oscillator(struct board *b, uint32_t *r, uint32_t old, uint32_t on, uint32_t ready, enum event e,
                       bool works)
{
    if (*r & on) {
        if (!(old & on) && works)
            board_schedule(b, e, board_time(b) + start_ps[e - EV_HSI]);
    } else {
        *r &= ~ready;
        board_cancel(b, e);
    }
}

static void write_cr(struct board *b, uint32_t value)
{
    uint32_t *cr = reg(b, CR), old = *cr, sws = value_of(b, CFGR) >> 2 & 3u, input, vco;
    uint32_t ready = CR_HSIRDY | CR_HSERDY | CR_PLLRDY | 1u << 27 | 0xFF00u;
    uint32_t keep = sws == SW_HSI ? CR_HSION : sws == SW_HSE ? CR_HSEON : CR_PLLON; /* in use: cannot be stopped */
    if (sws == SW_PLL)
        keep |= value_of(b, PLLCFGR) & 1u << 22 ? CR_HSEON : CR_HSION;
    *cr = (value & ~ready) | (old & ready) | (old & keep);
    oscillator(b, cr, old, CR_HSION, CR_HSIRDY, EV_HSI, true);
    oscillator(b, cr, old, CR_HSEON, CR_HSERDY, EV_HSE, !b->options.hse_absent);
    bool source = value_of(b, PLLCFGR) & 1u << 22 ? (*cr & CR_HSERDY) != 0 : (*cr & CR_HSIRDY) != 0;
    if ((*cr & CR_PLLON) && !(old & CR_PLLON)) {
        pll_hz(b, &input, &vco);
        if (input < 950000u || input > 2100000u || vco < 100000000u || vco > 432000000u)
            board_rule(b, BOARD_RULE_CLOCK_LIMIT, vco, "PLL input %u Hz, VCO %u Hz: outside 0.95-2.1 and 100-432 MHz",
                       input, vco);
        if (!source)
            board_rule(b, BOARD_RULE_CLOCK_LIMIT, 1, "PLL switched on while its source is not ready");
    }
    oscillator(b, cr, old, CR_PLLON, CR_PLLRDY, EV_PLL, source);
    *cr |= (*cr & 1u << 26) << 1; /* PLLI2S is ready at once */
    try_switch(b);
}

static void write_csr(struct board *b, uint32_t value)
{
    uint32_t *csr = reg(b, CSR);
    if (value & 1u << 24) /* RMVF */
        *csr &= 0x00FFFFFFu;
    *csr = (*csr & ~1u) | (value & 1u);
    if (value & 1u)
        board_lsi_on(b);
    else if (!b->s.iwdg.running) {
        *csr &= ~2u;
        board_cancel(b, EV_LSI);
    }
}

static void write_bdcr(struct board *b, uint32_t value)
{
    uint32_t *r = reg(b, BDCR), old = *r;
    if (!(b->s.rcc.pwr_cr & 1u << 8)) {
        board_rule(b, BOARD_RULE_BACKUP_LOCKED, BDCR, "RCC_BDCR written while PWR_CR.DBP is 0");
        return;
    }
    if (value & 1u << 16) { /* BDRST */
        memset(b->s.backup, 0, sizeof b->s.backup);
        memset(b->s.rtc, 0, sizeof b->s.rtc);
        *r = 1u << 16;
        return;
    }
    *r = (value & 0x8305u) | (old & 2u);
    oscillator(b, r, old, 1u, 2u, EV_LSE, true);
}

void board_rcc_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    if (offset >= sizeof b->s.rcc.regs)
        return;
    value = merge(value_of(b, offset), value, mask);
    switch (offset) {
    case CR:
        write_cr(b, value);
        break;
    case PLLCFGR:
        if (value_of(b, CR) & CR_PLLON)
            board_rule(b, BOARD_RULE_CLOCK_LIMIT, PLLCFGR, "RCC_PLLCFGR written while the PLL is on");
        else
            *reg(b, offset) = value;
        break;
    case CFGR:
        *reg(b, CFGR) = (value & ~0xCu) | (value_of(b, CFGR) & 0xCu);
        try_switch(b);
        break;
    case CSR:
        write_csr(b, value);
        break;
    case BDCR:
        write_bdcr(b, value);
        break;
    default:
        *reg(b, offset) = value;
        if (offset >= AHB1RSTR && offset <= APB2RSTR)
            board_unit_reset(b, offset - AHB1RSTR + AHB1ENR, value);
        break;
    }
}
