/* SPDX-License-Identifier: MIT */
/**
 * @file exti.c
 * SYSCFG's line selection and EXTI (RM0090 chapters 9 and 12): lines 0 to 15 from the pins, line 16 from the voltage
 * detector, software trigger, pending register, interrupts, and events for WFE. Nothing drives lines 17 to 22 here.
 */
#include "internal.h"

enum { IMR = 0, EMR, RTSR, FTSR, SWIER, PR };
#define LINES 0x007FFFFFu

static void update_irq(struct board *b)
{
    static const struct {
        uint8_t irq;
        uint32_t lines;
    } table[] = {{6, 1u << 0},   {7, 1u << 1},   {8, 1u << 2},  {9, 1u << 3},   {10, 1u << 4},
                 {23, 0x3E0u},   {40, 0xFC00u},  {1, 1u << 16}, {41, 1u << 17}, {42, 1u << 18},
                 {62, 1u << 19}, {76, 1u << 20}, {2, 1u << 21}, {3, 1u << 22}};
    uint32_t pending = b->s.exti[PR] & b->s.exti[IMR];
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        board_irq_line(b, table[i].irq, (pending & table[i].lines) != 0);
}

/** The levels of the lines as they are now. */
static uint32_t levels(const struct board *b)
{
    uint32_t v = 0;
    for (unsigned pin = 0; pin < 16; pin++) {
        unsigned port = b->s.syscfg[2u + pin / 4u] >> (4u * (pin % 4u)) & 0xFu;
        if (port < 9 && board_pin_get(b, (char) ('A' + port), pin))
            v |= 1u << pin;
    }
    return v | (b->s.rcc.pwr_csr & 4u) << 14; /* PVDO is line 16 */
}

void board_exti_sample(struct board *b)
{
    uint32_t *r = b->s.exti;
    if (!(r[RTSR] | r[FTSR]))
        return;
    uint32_t now = levels(b), old = b->s.exti_level;
    uint32_t edges = (now & ~old & r[RTSR]) | (~now & old & r[FTSR]);
    b->s.exti_level = now;
    if (!edges)
        return;
    r[PR] |= edges;
    if (edges & r[EMR])
        b->s.nvic.event_register = 1;
    update_irq(b);
}

void board_syscfg_reset(struct board *b, unsigned unit)
{
    (void) unit;
    memset(b->s.syscfg, 0, sizeof b->s.syscfg);
}

uint32_t board_syscfg_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    return offset < sizeof b->s.syscfg ? b->s.syscfg[offset / 4u] : 0;
}

void board_syscfg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) unit;
    if (offset >= sizeof b->s.syscfg)
        return;
    uint32_t *r = &b->s.syscfg[offset / 4u];
    *r = merge(*r, value, mask);
    if (offset >= 8 && offset < 0x18) /* EXTICR */
        *r &= 0xFFFFu;
    board_exti_sample(b);
}

void board_exti_reset(struct board *b, unsigned unit)
{
    (void) unit;
    memset(b->s.exti, 0, sizeof b->s.exti);
    b->s.exti_level = 0;
    update_irq(b);
}

uint32_t board_exti_read(struct board *b, unsigned unit, uint32_t offset)
{
    (void) unit;
    return offset < sizeof b->s.exti ? b->s.exti[offset / 4u] : 0;
}

void board_exti_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t *r = b->s.exti;
    (void) unit;
    if (offset >= sizeof b->s.exti)
        return;
    if (offset == 4 * PR) {
        r[PR] &= ~value;
        r[SWIER] &= ~value;
    } else {
        uint32_t old = r[offset / 4u];
        r[offset / 4u] = merge(old, value, mask) & LINES;
        if (offset == 4 * RTSR || offset == 4 * FTSR)
            b->s.exti_level = levels(b); /* only edges from now on count */
        if (offset == 4 * SWIER) {
            uint32_t set = r[SWIER] & ~old;
            r[PR] |= set & r[IMR];
            if (set & r[EMR])
                b->s.nvic.event_register = 1;
        }
    }
    update_irq(b);
}
