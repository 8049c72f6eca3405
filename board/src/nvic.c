/* SPDX-License-Identifier: MIT */
/**
 * @file nvic.c
 * System control space at 0xE000E000: NVIC, SCB, SysTick, and the few debug registers that firmware uses
 * (DDI 0403E chapter B3; PM0214 for the STM32F4's four priority bits).
 */
#include "internal.h"

#define PRIORITY_MASK 0xF0u
#define AIRCR_KEY 0x05FA0000u

static const uint8_t always_enabled[] = {EXC_NMI, EXC_HARD, EXC_SVC, EXC_DEBUG, EXC_PENDSV, EXC_SYSTICK};

void board_nvic_reset(struct board *b)
{
    struct nvic *n = &b->s.nvic;
    memset(n, 0, sizeof *n);
    for (unsigned i = 0; i < sizeof always_enabled; i++)
        bit_put(n->enabled, always_enabled[i], true);
    n->ccr = 0x200u;
    n->aircr = 0;
    n->fpccr = 0xC0000000u;
    memset(&b->s.systick, 0, sizeof b->s.systick);
    board_cancel(b, EV_SYSTICK);
    b->irq_candidate = false;
}

/* ----------------------------------------------------------------------------------------------------- priority */

int board_exception_priority(const struct board *b, unsigned exception)
{
    return exception == EXC_NMI ? -2 : exception == EXC_HARD ? -1 : b->s.nvic.priority[exception];
}

/** The part of a priority that decides about preemption (AIRCR.PRIGROUP). */
int board_group(const struct board *b, int priority)
{
    unsigned sub = (b->s.nvic.aircr >> 8 & 7u) + 1u;
    return priority < 0 ? priority : (int) ((unsigned) priority & ~((1u << sub) - 1u));
}

int board_active_priority(const struct board *b)
{
    int lowest = 256;
    for (unsigned w = 0; w < 4; w++) {
        uint32_t bits = b->s.nvic.active[w];
        while (bits) {
            unsigned n = 32u * w + (unsigned) __builtin_ctz(bits);
            bits &= bits - 1u;
            int p = board_group(b, board_exception_priority(b, n));
            lowest = p < lowest ? p : lowest;
        }
    }
    return lowest;
}

int board_nvic_best(const struct board *b, int *group_priority)
{
    int best = -1, best_priority = 256;
    for (unsigned w = 0; w < 4; w++) {
        uint32_t bits = b->s.nvic.pending[w] & b->s.nvic.enabled[w];
        while (bits) {
            unsigned n = 32u * w + (unsigned) __builtin_ctz(bits);
            bits &= bits - 1u;
            int p = board_exception_priority(b, n);
            if (p < best_priority) {
                best = (int) n;
                best_priority = p;
            }
        }
    }
    *group_priority = board_group(b, best_priority);
    return best;
}

void board_nvic_update(struct board *b)
{
    int group = 0;
    b->irq_candidate = board_nvic_best(b, &group) >= 0 && group < board_active_priority(b);
    b->masked = false;
    if (b->irq_candidate)
        b->attention = true;
}

void board_pend(struct board *b, unsigned exception)
{
    bit_put(b->s.nvic.pending, exception, true);
    if (b->s.nvic.scr & 0x10u) /* SEVONPEND */
        b->s.nvic.event_register = 1;
    board_nvic_update(b);
}

void board_irq_line(struct board *b, unsigned irq, bool level)
{
    unsigned n = EXC_IRQ0 + irq;
    if (level && !bit_get(b->s.nvic.line, n)) {
        bit_put(b->s.nvic.line, n, true);
        if (!bit_get(b->s.nvic.active, n))
            board_pend(b, n);
    } else if (!level)
        bit_put(b->s.nvic.line, n, false);
}

/* ----------------------------------------------------------------------------------------------------- SysTick */

static uint64_t systick_elapsed(const struct board *b)
{
    const struct systick *t = &b->s.systick;
    return (uint64_t) (((unsigned __int128) (board_time(b) - t->base) << 16) / t->period);
}

static uint32_t systick_value(const struct board *b)
{
    const struct systick *t = &b->s.systick;
    if (!t->period)
        return t->value;
    uint64_t n = systick_elapsed(b);
    if (n <= t->value)
        return t->value - (uint32_t) n;
    return t->load ? (uint32_t) (t->load - (n - t->value - 1u) % (t->load + 1u)) : 0;
}

static uint64_t systick_time_of(const struct board *b, uint64_t ticks)
{
    const struct systick *t = &b->s.systick;
    return t->base + (uint64_t) (((unsigned __int128) ticks * t->period + 0xFFFFu) >> 16);
}

void board_systick_stop(struct board *b)
{
    struct systick *t = &b->s.systick;
    t->value = systick_value(b);
    t->period = 0;
    board_cancel(b, EV_SYSTICK);
}

void board_systick_restart(struct board *b)
{
    struct systick *t = &b->s.systick;
    t->base = board_time(b);
    t->period = 0;
    board_cancel(b, EV_SYSTICK);
    if (!(t->ctrl & 1u))
        return;
    double hz = (double) b->s.rcc.hclk / (t->ctrl & 4u ? 1.0 : 8.0);
    t->period = (uint64_t) (1e12 * 65536.0 / hz + 0.5);
    if (t->value == 0 && t->load == 0)
        return; /* a counter that reloads 0 never counts */
    /* 0 is reached `value` ticks from now; from 0 the first tick reloads */
    board_schedule(b, EV_SYSTICK, systick_time_of(b, t->value ? t->value : (uint64_t) t->load + 1u));
}

void board_systick_event(struct board *b)
{
    struct systick *t = &b->s.systick;
    /* move the origin to the moment at which 0 was reached, so that no fraction is lost over many periods */
    uint64_t zero_at = t->value ? t->value : (uint64_t) t->load + 1u;
    t->base = systick_time_of(b, zero_at);
    t->value = 0;
    t->ctrl |= 1u << 16; /* COUNTFLAG */
    if (t->load)
        board_schedule(b, EV_SYSTICK, systick_time_of(b, (uint64_t) t->load + 1u));
    if (t->ctrl & 2u)
        board_pend(b, EXC_SYSTICK);
}

static uint32_t systick_read(struct board *b, uint32_t offset)
{
    struct systick *t = &b->s.systick;
    uint32_t v = 0;
    if (offset == 0x10) {
        v = t->ctrl;
        if (v & 1u << 16)
            b->traits |= TRAIT_UNSAFE;
        t->ctrl &= ~(1u << 16);
    } else if (offset == 0x14)
        v = t->load;
    else if (offset == 0x18) {
        b->traits |= TRAIT_UNSAFE; /* changes all the time */
        v = systick_value(b);
    } else if (offset == 0x1C)
        v = 0x4000493Eu; /* 1 ms at HCLK/8 = 150 MHz/8, as PM0214 has it */
    return v;
}

static void systick_write(struct board *b, uint32_t offset, uint32_t value)
{
    struct systick *t = &b->s.systick;
    if (offset == 0x14) {
        board_systick_stop(b); /* the next reload takes the new value; the running count stays */
        t->load = value & 0xFFFFFFu;
        board_systick_restart(b);
    } else if (offset == 0x18) {
        board_systick_stop(b);
        t->value = 0;
        t->ctrl &= ~(1u << 16);
        board_systick_restart(b);
    } else if (offset == 0x10) {
        board_systick_stop(b);
        t->ctrl = (t->ctrl & (1u << 16)) | (value & 7u);
        board_systick_restart(b);
    }
}

/* --------------------------------------------------------------------------------------------------- registers */

static uint32_t icsr_read(const struct board *b)
{
    const struct nvic *n = &b->s.nvic;
    int group = 0, best = board_nvic_best(b, &group);
    uint32_t active = 0, count = 0, v = 0, external = 0;
    for (unsigned i = 1; i < EXC_COUNT; i++)
        count += bit_get(n->active, i);
    uc_reg_read(b->uc, UC_ARM_REG_IPSR, &active);
    for (unsigned i = EXC_IRQ0; i < EXC_COUNT; i++)
        external |= bit_get(n->pending, i);
    v |= active & 0x1FFu;
    v |= count <= 1u ? 1u << 11 : 0; /* RETTOBASE */
    v |= best > 0 ? (uint32_t) best << 12 : 0;
    v |= external << 22;
    v |= bit_get(n->pending, EXC_SYSTICK) ? 1u << 26 : 0;
    v |= bit_get(n->pending, EXC_PENDSV) ? 1u << 28 : 0;
    v |= bit_get(n->pending, EXC_NMI) ? 1u << 31 : 0;
    return v;
}

static const struct {
    uint8_t exception, active_bit, pending_bit;
} shcsr_bits[] = {{EXC_MEM, 0, 13}, {EXC_BUS, 1, 14},      {EXC_USAGE, 3, 12},
                  {EXC_SVC, 7, 15}, {EXC_PENDSV, 10, 255}, {EXC_SYSTICK, 11, 255}};

static uint32_t shcsr_read(const struct board *b)
{
    const struct nvic *n = &b->s.nvic;
    uint32_t v = 0;
    for (unsigned i = 0; i < sizeof shcsr_bits / sizeof shcsr_bits[0]; i++) {
        v |= bit_get(n->active, shcsr_bits[i].exception) ? 1u << shcsr_bits[i].active_bit : 0;
        if (shcsr_bits[i].pending_bit < 32)
            v |= bit_get(n->pending, shcsr_bits[i].exception) ? 1u << shcsr_bits[i].pending_bit : 0;
    }
    for (unsigned i = 0; i < 3; i++)
        v |= bit_get(n->enabled, EXC_MEM + i) ? 1u << (16 + i) : 0;
    return v;
}

static void shcsr_write(struct board *b, uint32_t value)
{
    struct nvic *n = &b->s.nvic;
    for (unsigned i = 0; i < 3; i++)
        bit_put(n->enabled, EXC_MEM + i, (value >> (16 + i) & 1u) != 0);
    for (unsigned i = 0; i < sizeof shcsr_bits / sizeof shcsr_bits[0]; i++) {
        bit_put(n->active, shcsr_bits[i].exception, (value >> shcsr_bits[i].active_bit & 1u) != 0);
        if (shcsr_bits[i].pending_bit < 32)
            bit_put(n->pending, shcsr_bits[i].exception, (value >> shcsr_bits[i].pending_bit & 1u) != 0);
    }
}

/** 32 bits of a set of interrupts, starting at interrupt 32 * word. */
static uint32_t irq_bits(const uint32_t *set, unsigned word)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 32 && EXC_IRQ0 + 32u * word + i < EXC_COUNT; i++)
        v |= (uint32_t) bit_get(set, EXC_IRQ0 + 32u * word + i) << i;
    return v;
}

static void irq_change(struct board *b, uint32_t *set, unsigned word, uint32_t bits, bool on)
{
    for (unsigned i = 0; i < 32 && EXC_IRQ0 + 32u * word + i < EXC_COUNT; i++)
        if (bits >> i & 1u) {
            unsigned n = EXC_IRQ0 + 32u * word + i;
            /* a line that is still asserted pends again at once */
            bit_put(set, n,
                    on || (set == b->s.nvic.pending && bit_get(b->s.nvic.line, n) && !bit_get(b->s.nvic.active, n)));
        }
}

static uint32_t priority_read(const struct board *b, unsigned exception)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++)
        v |= exception + i < EXC_COUNT ? (uint32_t) b->s.nvic.priority[exception + i] << (8 * i) : 0;
    return v;
}

static void priority_write(struct board *b, unsigned exception, uint32_t value, uint32_t mask)
{
    for (unsigned i = 0; i < 4; i++)
        if ((mask >> (8 * i) & 0xFFu) && exception + i < EXC_COUNT && exception + i >= EXC_MEM)
            b->s.nvic.priority[exception + i] = (uint8_t) (value >> (8 * i) & PRIORITY_MASK);
}

static uint32_t scb_read(const struct board *b, uint32_t offset)
{
    const struct nvic *n = &b->s.nvic;
    switch (offset) {
    case 0xD00:
        return 0x410FC241u; /* CPUID: Cortex-M4 r0p1 */
    case 0xD04:
        return icsr_read(b);
    case 0xD08:
        return n->vtor;
    case 0xD0C:
        return 0xFA050000u | n->aircr;
    case 0xD10:
        return n->scr;
    case 0xD14:
        return n->ccr;
    case 0xD18:
    case 0xD1C:
    case 0xD20:
        return priority_read(b, offset - 0xD18u + 4u);
    case 0xD24:
        return shcsr_read(b);
    case 0xD28:
        return n->cfsr;
    case 0xD2C:
        return n->hfsr;
    case 0xD34:
        return n->mmfar;
    case 0xD38:
        return n->bfar;
    case 0xD40:
        return 0x30u; /* ID_PFR0 */
    case 0xD44:
        return 0x200u;
    case 0xD88:
        return n->cpacr;
    case 0xDFC:
        return n->demcr;
    case 0xF34:
        return n->fpccr;
    case 0xF38:
        return n->fpcar;
    case 0xF3C:
        return n->fpdscr;
    case 0xF40:
        return 0x10110021u; /* MVFR0 */
    case 0xF44:
        return 0x11000011u;
    case 0x004:
        return 2u; /* ICTR: 3 x 32 lines */
    default:
        return 0;
    }
}

uint32_t board_scs_read(struct board *b, uint32_t offset)
{
    if (offset >= 0x10 && offset < 0x20)
        return systick_read(b, offset);
    if (offset >= 0x100 && offset < 0x400) {
        unsigned word = (offset & 0x7Fu) / 4u;
        if (word >= 3)
            return 0;
        if (offset < 0x200)
            return irq_bits(b->s.nvic.enabled, word);
        if (offset < 0x300)
            return irq_bits(b->s.nvic.pending, word);
        return irq_bits(b->s.nvic.active, word);
    }
    if (offset >= 0x400 && offset < 0x4F0)
        return priority_read(b, EXC_IRQ0 + offset - 0x400u);
    if (offset >= 0xD90 && offset < 0xDBC)
        return board_mpu_read(b, offset);
    return scb_read(b, offset);
}

static void scb_write(struct board *b, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct nvic *n = &b->s.nvic;
    switch (offset) {
    case 0xD04: /* ICSR */
        if (value & 1u << 31)
            bit_put(n->pending, EXC_NMI, true);
        if (value & 1u << 28)
            bit_put(n->pending, EXC_PENDSV, true);
        if (value & 1u << 27)
            bit_put(n->pending, EXC_PENDSV, false);
        if (value & 1u << 26)
            bit_put(n->pending, EXC_SYSTICK, true);
        if (value & 1u << 25)
            bit_put(n->pending, EXC_SYSTICK, false);
        break;
    case 0xD08:
        n->vtor = value & 0xFFFFFF80u;
        break;
    case 0xD0C:
        if ((value & 0xFFFF0000u) != AIRCR_KEY)
            break;
        n->aircr = value & 0x700u;
        if (value & 4u && !b->s.reset_request) {
            b->s.reset_request = 1u + BOARD_RESET_SOFTWARE;
            b->attention = true;
        }
        break;
    case 0xD10:
        n->scr = value & 0x16u;
        break;
    case 0xD14:
        n->ccr = value & 0x31Bu;
        break;
    case 0xD18:
    case 0xD1C:
    case 0xD20:
        priority_write(b, offset - 0xD18u + 4u, value, mask);
        break;
    case 0xD24:
        shcsr_write(b, merge(shcsr_read(b), value, mask));
        break;
    case 0xD28:
        n->cfsr &= ~value;
        break;
    case 0xD2C:
        n->hfsr &= ~value;
        break;
    case 0xD34:
        n->mmfar = value;
        break;
    case 0xD38:
        n->bfar = value;
        break;
    case 0xD88:
        n->cpacr = merge(n->cpacr, value, mask) & 0x00F00000u;
        b->attention = true;
        break;
    case 0xDFC:
        n->demcr = value;
        break;
    case 0xF00: /* STIR */
        if ((value & 0x1FFu) < EXC_COUNT - EXC_IRQ0)
            bit_put(n->pending, EXC_IRQ0 + (value & 0x1FFu), true);
        break;
    case 0xF34:
        n->fpccr = value & 0xC0000000u;
        break;
    case 0xF38:
        n->fpcar = value & ~7u;
        break;
    case 0xF3C:
        n->fpdscr = value & 0x07C00000u;
        break;
    default:
        break;
    }
}

void board_scs_write(struct board *b, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset >= 0x10 && offset < 0x20)
        systick_write(b, offset, value);
    else if (offset >= 0x100 && offset < 0x300) {
        unsigned word = (offset & 0x7Fu) / 4u;
        uint32_t *set = offset < 0x200 ? b->s.nvic.enabled : b->s.nvic.pending;
        if (word < 3)
            irq_change(b, set, word, value & mask, (offset & 0x80u) == 0);
    } else if (offset >= 0x400 && offset < 0x4F0)
        priority_write(b, EXC_IRQ0 + offset - 0x400u, value, mask);
    else if (offset >= 0xD90 && offset < 0xDBC)
        board_mpu_write(b, offset, value);
    else
        scb_write(b, offset, value, mask);
    board_nvic_update(b);
}

uint32_t board_dwt_read(struct board *b, uint32_t offset)
{
    if (offset == 0)
        return 0x40000000u | b->s.nvic.dwt_ctrl;
    b->traits |= TRAIT_UNSAFE;
    if (offset == 4)
        return b->s.nvic.dwt_ctrl & 1u ? board_cycles(b) - b->s.nvic.dwt_base : b->s.nvic.dwt_base;
    return 0;
}

void board_dwt_write(struct board *b, uint32_t offset, uint32_t value)
{
    struct nvic *n = &b->s.nvic;
    uint32_t count = board_dwt_read(b, 4);
    if (offset == 4)
        count = value;
    if (offset == 0)
        n->dwt_ctrl = n->demcr & 1u << 24 ? value & 1u : n->dwt_ctrl; /* needs TRCENA */
    n->dwt_base = n->dwt_ctrl & 1u ? board_cycles(b) - count : count;
}
