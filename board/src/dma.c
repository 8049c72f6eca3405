/* SPDX-License-Identifier: MIT */
/**
 * @file dma.c
 * DMA1 and DMA2 (RM0090 chapter 10): peripheral requests on streams and channels, circular and double-buffer mode,
 * half and full transfer flags and interrupts, memory to memory on DMA2. A transfer takes no time of its own; the
 * FIFO is transparent.
 */
#include "internal.h"

enum {
    CR_EN = 1u << 0,
    CR_DMEIE = 1u << 1,
    CR_TEIE = 1u << 2,
    CR_HTIE = 1u << 3,
    CR_TCIE = 1u << 4,
    CR_PFCTRL = 1u << 5,
    CR_CIRC = 1u << 8,
    CR_PINC = 1u << 9,
    CR_MINC = 1u << 10,
    CR_DBM = 1u << 18,
    CR_CT = 1u << 19
};
enum { TO_MEMORY = 0, FROM_MEMORY = 1, MEMORY_TO_MEMORY = 2 };
enum { F_FE = 1u << 0, F_DME = 1u << 2, F_TE = 1u << 3, F_HT = 1u << 4, F_TC = 1u << 5, F_ALL = 0x3Du };

static const uint8_t irq_number[2][8] = {{11, 12, 13, 14, 15, 16, 17, 47}, {56, 57, 58, 59, 60, 68, 69, 70}};

/* RM0090 tables 42 and 43: which request a stream's channel listens to, for the peripherals that exist here. */
static const struct {
    uint8_t unit, stream, channel, to_memory;
    uint32_t data_register;
} requests[] = {
    {1, 2, 4, true, 0x40011004u},  {1, 5, 4, true, 0x40011004u},  {1, 7, 4, false, 0x40011004u}, /* USART1 */
    {0, 5, 4, true, 0x40004404u},  {0, 6, 4, false, 0x40004404u},                                /* USART2 */
    {0, 1, 4, true, 0x40004804u},  {0, 3, 4, false, 0x40004804u}, {0, 4, 7, false, 0x40004804u}, /* USART3 */
    {1, 0, 3, true, 0x4001300Cu},  {1, 2, 3, true, 0x4001300Cu},  {1, 3, 3, false, 0x4001300Cu}, /* SPI1 */
    {1, 5, 3, false, 0x4001300Cu},                                                               /* SPI1 */
    {0, 3, 0, true, 0x4000380Cu},  {0, 4, 0, false, 0x4000380Cu},                                /* SPI2 */
};
#define REQUESTS (sizeof requests / sizeof requests[0])

static unsigned flag_shift(unsigned n)
{
    static const uint8_t shift[4] = {0, 6, 16, 22};
    return shift[n & 3u];
}

static uint32_t flags_of(const struct board *b, unsigned unit, unsigned n)
{
    return b->s.dma[unit].isr[n / 4u] >> flag_shift(n) & F_ALL;
}

static void update_irq(struct board *b, unsigned unit, unsigned n)
{
    uint32_t f = flags_of(b, unit, n), cr = b->s.dma[unit].stream[n].cr;
    bool level = ((f & F_TC) && (cr & CR_TCIE)) || ((f & F_HT) && (cr & CR_HTIE)) || ((f & F_TE) && (cr & CR_TEIE)) ||
                 ((f & F_DME) && (cr & CR_DMEIE));
    board_irq_line(b, irq_number[unit][n], level);
}

static void raise(struct board *b, unsigned unit, unsigned n, uint32_t flags)
{
    b->s.dma[unit].isr[n / 4u] |= flags << flag_shift(n);
    update_irq(b, unit, n);
}

void board_dma_reset(struct board *b, unsigned unit)
{
    memset(&b->s.dma[unit], 0, sizeof b->s.dma[unit]);
    for (unsigned n = 0; n < 8; n++) {
        b->s.dma[unit].stream[n].fcr = 0x21u;
        update_irq(b, unit, n);
    }
}

/* --------------------------------------------------------------------------------------------------- transfers */

static unsigned width(uint32_t code)
{
    return code == 0 ? 1u : code == 1 ? 2u : 4u;
}

/** DMA reaches SRAM, flash and peripherals; not CCM, not the core's own registers (RM0090 2.1). */
static bool reachable(uint32_t address)
{
    return (address - FOTA_RAM_BASE < FOTA_RAM_SIZE) || (address - FOTA_FLASH_BASE < FOTA_FLASH_SIZE) ||
           (address >= 0x40000000u && address < 0xE0000000u);
}

static void transfer_error(struct board *b, unsigned unit, unsigned n, uint32_t address)
{
    b->s.dma[unit].stream[n].cr &= ~(uint32_t) CR_EN;
    board_rule(b, BOARD_RULE_DMA_ADDRESS, address, "DMA%u stream %u: nothing at 0x%08x for the DMA", unit + 1, n,
               address);
    raise(b, unit, n, F_TE);
}

/** Move one item and account for it. @return false when the stream stopped with an error. */
static bool move_item(struct board *b, unsigned unit, unsigned n)
{
    struct stream *s = &b->s.dma[unit].stream[n];
    unsigned direction = s->cr >> 6 & 3u, psize = width(s->cr >> 11 & 3u), msize = width(s->cr >> 13 & 3u);
    bool ok = true;
    uint32_t from = direction == FROM_MEMORY ? s->mem : s->periph, to = direction == FROM_MEMORY ? s->periph : s->mem;
    if ((s->fcr & 4u) == 0)
        msize = psize;                             /* direct mode: MSIZE is ignored */
    unsigned size = psize < msize ? psize : msize; /* packing in the FIFO is not modelled: item by item */
    if (!reachable(from) || !reachable(to)) {
        transfer_error(b, unit, n, reachable(from) ? to : from);
        return false;
    }
    uint32_t v = board_bus_read(b, from, size, &ok);
    if (ok && to - FOTA_FLASH_BASE < FOTA_FLASH_SIZE)
        board_flash_store(b, to, size, v);
    else if (ok)
        board_bus_write(b, to, size, v, &ok);
    if (!ok) {
        transfer_error(b, unit, n, from);
        return false;
    }
    if (s->cr & CR_PINC)
        s->periph += psize;
    if (s->cr & CR_MINC)
        s->mem += size;
    s->ndtr--;
    if (s->ndtr == s->reload / 2u && s->ndtr != 0)
        raise(b, unit, n, F_HT);
    if (s->ndtr != 0)
        return true;
    if (s->cr & CR_DBM) {
        s->cr ^= CR_CT;
        s->mem = s->cr & CR_CT ? s->m1ar : s->m0ar;
        s->ndtr = s->reload;
        s->periph = s->par;
    } else if (s->cr & CR_CIRC) {
        s->mem = s->m0ar;
        s->periph = s->par;
        s->ndtr = s->reload;
    } else
        s->cr &= ~(uint32_t) CR_EN;
    raise(b, unit, n, F_TC);
    return true;
}

bool board_dma_request(struct board *b, uint32_t data, bool to_memory)
{
    for (unsigned r = 0; r < REQUESTS; r++) {
        unsigned unit = requests[r].unit, n = requests[r].stream;
        struct stream *s = &b->s.dma[unit].stream[n];
        if (requests[r].data_register != data || requests[r].to_memory != to_memory || !(s->cr & CR_EN) ||
            (s->cr >> 25 & 7u) != requests[r].channel || s->ndtr == 0 ||
            (s->cr >> 6 & 3u) != (to_memory ? TO_MEMORY : FROM_MEMORY) || !board_clock_enabled(b, 0x30, unit ? 22 : 21))
            continue;
        if (!to_memory && b->s.flash.op != FLASH_IDLE && s->mem - FOTA_FLASH_BASE < FOTA_FLASH_SIZE)
            continue;      /* the bus waits for the flash; board_dma_kick repeats the request */
        if (b->dma_busy) { /* a register access of the transfer under way has caused this one */
            b->dma_again = true;
            return false;
        }
        b->dma_busy = true;
        bool moved = move_item(b, unit, n);
        b->dma_busy = false;
        if (b->dma_again) {
            b->dma_again = false;
            board_dma_kick(b);
        }
        return moved;
    }
    return false;
}

void board_dma_kick(struct board *b)
{
    for (unsigned i = 0; i < BOARD_UARTS; i++)
        board_uart_requests(b, i);
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        board_spi_requests(b, i);
}

static void enable(struct board *b, unsigned unit, unsigned n)
{
    struct stream *s = &b->s.dma[unit].stream[n];
    if (flags_of(b, unit, n))
        board_rule(b, BOARD_RULE_DMA_SETUP, unit * 8 + n, "DMA%u stream %u enabled while its flags 0x%02x are set",
                   unit + 1, n, flags_of(b, unit, n));
    s->reload = s->ndtr;
    s->periph = s->par;
    s->mem = (s->cr & CR_DBM) && (s->cr & CR_CT) ? s->m1ar : s->m0ar;
    if ((s->cr >> 6 & 3u) == MEMORY_TO_MEMORY) {
        if (unit == 0) {
            transfer_error(b, unit, n, s->mem); /* only DMA2 can do it */
            return;
        }
        s->cr &= ~(uint32_t) (CR_CIRC | CR_DBM);
        while ((s->cr & CR_EN) && s->ndtr && move_item(b, unit, n))
            ;
        return; /* all at once: how long the bus would take is not modelled */
    }
    board_dma_kick(b);
}

/* --------------------------------------------------------------------------------------------------- registers */

uint32_t board_dma_read(struct board *b, unsigned unit, uint32_t offset)
{
    const struct dma *d = &b->s.dma[unit];
    if (offset < 8)
        return d->isr[offset / 4u];
    if (offset < 0x10 || offset >= 0x10 + 8 * 0x18)
        return 0;
    const struct stream *s = &d->stream[(offset - 0x10u) / 0x18u];
    switch ((offset - 0x10u) % 0x18u) {
    case 0x00:
        return s->cr;
    case 0x04:
        return s->ndtr;
    case 0x08:
        return s->par;
    case 0x0C:
        return s->m0ar;
    case 0x10:
        return s->m1ar;
    default:
        return s->fcr;
    }
}

static void write_cr(struct board *b, unsigned unit, unsigned n, uint32_t value)
{
    struct stream *s = &b->s.dma[unit].stream[n];
    uint32_t old = s->cr;
    if (old & CR_EN) { /* only EN and the interrupt enables can change now */
        uint32_t soft = CR_EN | CR_DMEIE | CR_TEIE | CR_HTIE | CR_TCIE;
        if ((value & CR_EN) && ((old ^ value) & 0x0FF7FFE0u))
            board_rule(b, BOARD_RULE_DMA_SETUP, unit * 8 + n, "DMA%u stream %u: CR changed while enabled", unit + 1, n);
        s->cr = (old & ~soft) | (value & soft);
        if (!(value & CR_EN))
            raise(b, unit, n, F_TC); /* a stream that is switched off says so (RM0090 10.3.15) */
    } else {
        s->cr = value & 0x0FEFFFFFu;
        if (value & CR_EN)
            enable(b, unit, n);
    }
    update_irq(b, unit, n);
}

void board_dma_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct dma *d = &b->s.dma[unit];
    if (offset == 0x08 || offset == 0x0C) {
        d->isr[offset / 4u - 2u] &= ~(value & 0x0F7D0F7Du);
        for (unsigned n = 0; n < 8; n++)
            update_irq(b, unit, n);
        return;
    }
    if (offset < 0x10 || offset >= 0x10 + 8 * 0x18)
        return;
    unsigned n = (offset - 0x10u) / 0x18u, field = (offset - 0x10u) % 0x18u;
    struct stream *s = &d->stream[n];
    value = merge(board_dma_read(b, unit, offset), value, mask);
    if (field == 0) {
        write_cr(b, unit, n, value);
        return;
    }
    bool other_buffer = (s->cr & CR_DBM) && ((field == 0x0C && (s->cr & CR_CT)) || (field == 0x10 && !(s->cr & CR_CT)));
    if ((s->cr & CR_EN) && field != 0x14 && !other_buffer) {
        board_rule(b, BOARD_RULE_DMA_SETUP, unit * 8 + n, "DMA%u stream %u reprogrammed while enabled", unit + 1, n);
        return;
    }
    switch (field) {
    case 0x04:
        s->ndtr = value & 0xFFFFu;
        break;
    case 0x08:
        s->par = value;
        break;
    case 0x0C:
        s->m0ar = value;
        break;
    case 0x10:
        s->m1ar = value;
        break;
    default:
        s->fcr = (s->fcr & 0x38u) | (value & 0x87u);
        break;
    }
}
