/* SPDX-License-Identifier: MIT */
/**
 * @file spi.c
 * SPI1 and SPI2 as slaves (RM0090 chapter 28): frames of 8 or 16 bits that a master outside clocks, NSS by pin or by
 * software, RXNE, TXE, BSY, OVR and MODF with their clearing, interrupts and DMA requests. The transmit buffer is taken
 * over into the shift register when a frame's first edge comes, as figure 252 shows it; when it is empty then, the
 * last frame goes out again. The chip as a master, CRC, TI mode and I2S are not here.
 */
#include "internal.h"

#include <stdlib.h>

enum {
    CR1_CPHA = 1u << 0,
    CR1_CPOL = 1u << 1,
    CR1_MSTR = 1u << 2,
    CR1_SPE = 1u << 6,
    CR1_LSBFIRST = 1u << 7,
    CR1_SSI = 1u << 8,
    CR1_SSM = 1u << 9,
    CR1_RXONLY = 1u << 10,
    CR1_DFF = 1u << 11,
    CR1_CRCEN = 1u << 13,
    CR1_BIDIMODE = 1u << 15
};
enum { CR2_RXDMAEN = 1u << 0, CR2_TXDMAEN = 1u << 1, CR2_SSOE = 1u << 2, CR2_ERRIE = 1u << 5, CR2_RXNEIE = 1u << 6 };
enum { CR2_TXEIE = 1u << 7 };
enum { SR_RXNE = 1u << 0, SR_TXE = 1u << 1, SR_MODF = 1u << 5, SR_OVR = 1u << 6, SR_BSY = 1u << 7 };
enum { NSS = 0, SCK, MISO, MOSI };
enum { PHASE_IDLE = 0, PHASE_START, PHASE_FRAME };

static const struct {
    uint32_t data_register;
    uint8_t irq, enable_register, enable_bit, port, pin[4];
    uint8_t other_port[4], other_pin[4]; /* where the function may be instead (DS8626 table 9) */
} wiring[BOARD_SPIS] = {
    {0x4001300Cu, 35, 0x44, 12, 0, {4, 5, 6, 7}, {0, 1, 1, 1}, {15, 3, 4, 5}},
    {0x4000380Cu, 36, 0x40, 14, 1, {12, 13, 14, 15}, {1, 1, 2, 2}, {9, 10, 2, 3}},
};

static enum event event_of(unsigned i)
{
    return (enum event)(EV_SPI1 + i);
}

static bool is_af5(const struct board *b, unsigned port, unsigned pin)
{
    const struct gpio *g = &b->s.gpio[port];
    return (g->regs[0] >> (2u * pin) & 3u) == 2u && (g->regs[8u + pin / 8u] >> (4u * (pin % 8u)) & 0xFu) == 5u;
}

/** Is a line of the SPI switched to the pin that the master is wired to? */
static bool routed(const struct board *b, unsigned i, unsigned line)
{
    return is_af5(b, wiring[i].port, wiring[i].pin[line]);
}

static bool nss_pin_low(const struct board *b, unsigned i)
{
    if (routed(b, i, NSS))
        return board_pin_get(b, (char) ('A' + wiring[i].port), wiring[i].pin[NSS]) == 0;
    if (is_af5(b, wiring[i].other_port[NSS], wiring[i].other_pin[NSS]))
        return board_pin_get(b, (char) ('A' + wiring[i].other_port[NSS]), wiring[i].other_pin[NSS]) == 0;
    return false;
}

/** Does the slave take part in the frame that the master clocks? */
static bool selected(const struct board *b, unsigned i)
{
    const struct spi *s = &b->s.spi[i];
    if (!b->s.powered || b->s.cpu == BOARD_CPU_RESET || !(s->cr1 & CR1_SPE) || (s->cr1 & CR1_MSTR) ||
        !board_clock_enabled(b, wiring[i].enable_register, wiring[i].enable_bit) || !routed(b, i, SCK))
        return false;
    return s->cr1 & CR1_SSM ? !(s->cr1 & CR1_SSI) : nss_pin_low(b, i);
}

static void update_irq(struct board *b, unsigned i)
{
    const struct spi *s = &b->s.spi[i];
    board_irq_line(b, wiring[i].irq,
                   ((s->sr & SR_RXNE) && (s->cr2 & CR2_RXNEIE)) || ((s->sr & SR_TXE) && (s->cr2 & CR2_TXEIE)) ||
                       ((s->sr & (SR_OVR | SR_MODF)) && (s->cr2 & CR2_ERRIE)));
}

/** Two masters: MSTR while NSS says that another one is active (RM0090 28.3.10). */
static void check_mode_fault(struct board *b, unsigned i)
{
    struct spi *s = &b->s.spi[i];
    if (!(s->cr1 & CR1_MSTR) || !(s->cr1 & CR1_SPE))
        return;
    if (s->cr1 & CR1_SSM ? (s->cr1 & CR1_SSI) != 0 : (s->cr2 & CR2_SSOE) || !nss_pin_low(b, i))
        return;
    s->sr |= SR_MODF;
    s->cr1 &= ~(uint32_t) (CR1_MSTR | CR1_SPE);
    update_irq(b, i);
}

void board_spi_pins(struct board *b)
{
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        check_mode_fault(b, i);
}

void board_spi_reset(struct board *b, unsigned i)
{
    struct spi *s = &b->s.spi[i], old = *s;
    memset(s, 0, sizeof *s);
    s->sr = SR_TXE;
    s->crcpr = 7;
    s->i2spr = 2;
    s->mode = old.mode; /* the master does not notice */
    s->phase = old.phase;
    s->keep = old.keep;
    s->hz = old.hz;
    s->frame = old.frame;
    s->gap = old.gap;
    update_irq(b, i);
}

void board_spi_requests(struct board *b, unsigned i)
{
    struct spi *s = &b->s.spi[i];
    if ((s->sr & SR_RXNE) && (s->cr2 & CR2_RXDMAEN))
        board_dma_request(b, wiring[i].data_register, true);
    while ((s->sr & SR_TXE) && (s->cr2 & CR2_TXDMAEN))
        if (!board_dma_request(b, wiring[i].data_register, false))
            break;
}

/* --------------------------------------------------------------------------------------------------- registers */

uint32_t board_spi_reg_read(struct board *b, unsigned i, uint32_t offset)
{
    struct spi *s = &b->s.spi[i];
    switch (offset) {
    case 0x00:
        return s->cr1;
    case 0x04:
        return s->cr2;
    case 0x08: {
        uint32_t v = s->sr;
        if (s->dr_read || (v & SR_MODF))
            b->traits |= TRAIT_UNSAFE;
        if (s->dr_read) /* DR, then SR: OVR goes */
            s->sr &= ~(uint32_t) SR_OVR;
        s->dr_read = 0;
        s->modf_seen = (v & SR_MODF) != 0;
        update_irq(b, i);
        return v;
    }
    case 0x0C: {
        uint32_t v = s->rdr;
        b->traits |= TRAIT_UNSAFE;
        s->sr &= ~(uint32_t) SR_RXNE;
        s->dr_read = (s->sr & SR_OVR) != 0;
        update_irq(b, i);
        return v;
    }
    case 0x10:
        return s->crcpr;
    case 0x1C:
        return s->i2scfgr;
    case 0x20:
        return s->i2spr;
    default:
        return 0;
    }
}

static void write_cr1(struct board *b, unsigned i, uint32_t value)
{
    struct spi *s = &b->s.spi[i];
    if (s->modf_seen) { /* SR, then a write to CR1: MODF goes */
        s->sr &= ~(uint32_t) SR_MODF;
        s->modf_seen = 0;
    }
    if (s->sr & SR_MODF)
        value &= ~(uint32_t) (CR1_MSTR | CR1_SPE);
    if (value & (CR1_CRCEN | CR1_BIDIMODE))
        b->counters.unmodelled++;
    s->cr1 = value & 0xFFFFu;
    if (!(s->cr1 & CR1_SPE)) {
        s->sr &= ~(uint32_t) SR_BSY;
        s->in_frame = 0;
        s->skewed = 0;
    }
    check_mode_fault(b, i);
}

void board_spi_reg_write(struct board *b, unsigned i, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct spi *s = &b->s.spi[i];
    switch (offset) {
    case 0x00:
        write_cr1(b, i, merge(s->cr1, value, mask));
        break;
    case 0x04:
        s->cr2 = merge(s->cr2, value, mask) & 0xF7u;
        check_mode_fault(b, i);
        break;
    case 0x0C:
        s->tdr = (uint16_t) value;
        s->sr &= ~(uint32_t) SR_TXE;
        if (s->cr1 & CR1_MSTR) { /* the chip as a master: nobody is on the bus */
            b->counters.unmodelled++;
            s->sr |= SR_TXE;
        }
        break;
    case 0x10:
        s->crcpr = merge(s->crcpr, value, mask) & 0xFFFFu;
        break;
    case 0x1C: /* I2S */
        b->counters.unmodelled++;
        s->i2scfgr = merge(s->i2scfgr, value, mask) & 0xFBFu;
        break;
    case 0x20:
        s->i2spr = merge(s->i2spr, value, mask) & 0x3FFu;
        break;
    default:
        break;
    }
    board_spi_requests(b, i);
    update_irq(b, i);
}

/* ------------------------------------------------------------------------------------------------------ frames */

static uint16_t reversed(uint16_t v, unsigned bits)
{
    uint16_t r = 0;
    for (unsigned k = 0; k < bits; k++)
        r = (uint16_t) ((uint32_t) r << 1 | ((uint32_t) v >> k & 1u));
    return r;
}

/** What a clock of the wrong mode, or one that is too fast, makes of a frame; something, but always the same. */
static uint16_t garble(uint16_t v)
{
    return (uint16_t) ((uint32_t) v << 1 ^ 0x5A5Au ^ (uint32_t) v >> 7);
}

/** Mode and speed: the slave samples on the master's edges, at half the bus clock at most (RM0090 28.3.3); the factory
 * bootloader promises less (AN4286). */
static bool clock_fits(const struct board *b, unsigned i)
{
    const struct spi *s = &b->s.spi[i];
    uint32_t limit = (i == 0 ? b->s.rcc.apb2 : b->s.rcc.apb1) / 2u;
    if (b->s.cpu == BOARD_CPU_ROM && limit > FOTA_ST_SPI_HZ)
        limit = FOTA_ST_SPI_HZ;
    return (s->cr1 & (CR1_CPHA | CR1_CPOL)) == s->mode && s->hz <= limit;
}

static void frame_start(struct board *b, unsigned i)
{
    struct spi *s = &b->s.spi[i];
    s->in_frame = selected(b, i);
    s->bytes = 1;
    if (s->in_frame) {
        if ((s->cr1 & CR1_DFF) && b->to_spi[i].count >= 2)
            s->bytes = 2;
        if (s->sr & SR_TXE)
            b->counters.spi_underruns[i + 1]++;
        else
            s->shift = s->tdr;
        s->sr |= SR_TXE | SR_BSY;
        board_spi_requests(b, i);
        update_irq(b, i);
    }
    s->phase = PHASE_FRAME;
    board_schedule(b, event_of(i), board_time(b) + s->frame * s->bytes);
}

/** The frame went through the chip. @return what MISO showed. */
static uint16_t exchange(struct board *b, unsigned i, uint16_t in)
{
    struct spi *s = &b->s.spi[i];
    unsigned bits = s->cr1 & CR1_DFF ? 16u : 8u;
    uint16_t out = bits == 8 ? s->shift & 0xFFu : s->shift;
    if (s->cr1 & CR1_LSBFIRST) {
        in = reversed(in, bits);
        out = reversed(out, bits);
    }
    if (!clock_fits(b, i) || s->skewed) {
        in = garble(in);
        out = garble(out);
        b->counters.spi_garbled[i + 1] += s->bytes;
    }
    if (!s->skewed)
        s->sr &= ~(uint32_t) SR_BSY;
    if (!routed(b, i, MOSI))
        in = 0;
    if (bits == 16 && s->bytes == 1) { /* half a frame: the chip waits for the rest in vain */
        b->counters.spi_lost[i + 1]++;
        return out >> 8;
    }
    if (s->sr & SR_RXNE) { /* the new frame is lost, the one in DR stays */
        s->sr |= SR_OVR;
        b->counters.spi_overruns[i + 1]++;
    } else {
        s->rdr = bits == 8 ? in & 0xFFu : in;
        s->sr |= SR_RXNE;
        b->counters.spi_bytes[i + 1] += s->bytes;
    }
    board_spi_requests(b, i);
    update_irq(b, i);
    return routed(b, i, MISO) && !(s->cr1 & CR1_RXONLY) ? out : 0xFFFFu;
}

static void set_nss(struct board *b, unsigned i, int level)
{
    board_pin_set(b, (char) ('A' + wiring[i].port), wiring[i].pin[NSS], level);
}

static void frame_end(struct board *b, unsigned i)
{
    struct spi *s = &b->s.spi[i];
    uint16_t in = (uint16_t) bytes_pop(&b->to_spi[i]), out = 0xFFFFu;
    if (s->bytes == 2)
        in = (uint16_t) (in << 8 | (bytes_pop(&b->to_spi[i]) & 0xFF));
    if (s->in_frame && selected(b, i))
        out = exchange(b, i, in);
    else
        b->counters.spi_lost[i + 1] += s->bytes;
    /* deselected within a byte: its bits stay in the shift register, BSY stays set, and all that follows is out of step
     * until the block is switched off or reset */
    if (s->in_frame && !selected(b, i))
        s->skewed = 1;
    s->in_frame = 0;
    if (s->bytes == 2)
        bytes_push(&b->from_spi[i], (uint8_t) (out >> 8));
    bytes_push(&b->from_spi[i], (uint8_t) out);
    s->phase = PHASE_START;
    if (b->to_spi[i].count)
        board_schedule(b, event_of(i), board_time(b) + s->gap);
    else { /* half a bit time after the last edge */
        s->phase = PHASE_IDLE;
        board_schedule(b, event_of(i), board_time(b) + s->frame / 16u);
    }
}

void board_spi_event(struct board *b, unsigned i)
{
    switch (b->s.spi[i].phase) {
    case PHASE_START:
        frame_start(b, i);
        break;
    case PHASE_FRAME:
        frame_end(b, i);
        break;
    default: /* the transfer is over */
        if (!b->s.spi[i].keep)
            set_nss(b, i, 1);
        break;
    }
}

/* ---------------------------------------------------------------------------------------------- the master outside */

bool board_spi_start(struct board *b, unsigned n, const void *out, size_t len, const struct board_spi_options *options)
{
    static const struct board_spi_options defaults = {.hz = 1000000};
    const struct board_spi_options *o = options ? options : &defaults;
    uint32_t hz = o->hz ? o->hz : defaults.hz;
    if (n < 1 || n > BOARD_SPIS || o->mode > 3 || hz < 1000 || hz > 100000000 || len > BOARD_SPI_MAX ||
        board_spi_busy(b, n))
        return false;
    struct spi *s = &b->s.spi[n - 1];
    const uint8_t *p = out;
    b->from_spi[n - 1].count = 0;
    for (size_t k = 0; k < len; k++)
        if (!bytes_push(&b->to_spi[n - 1], p ? p[k] : 0)) {
            b->to_spi[n - 1].count = 0;
            return false;
        }
    s->mode = o->mode;
    s->hz = hz;
    s->frame = 8u * PS_PER_S / hz;
    s->gap = (uint64_t) o->gap_ns * PS_PER_NS;
    s->keep = o->keep_selected;
    s->phase = len ? PHASE_START : PHASE_IDLE;
    if (len || o->keep_selected)
        set_nss(b, n - 1, 0);
    uint64_t lead = o->lead_ns ? (uint64_t) o->lead_ns * PS_PER_NS : s->frame / 8u;
    board_schedule(b, event_of(n - 1), board_time(b) + lead);
    return true;
}

bool board_spi_busy(const struct board *b, unsigned n)
{
    return n >= 1 && n <= BOARD_SPIS && b->s.due[EV_SPI1 + n - 1] != NEVER;
}

size_t board_spi_read(struct board *b, unsigned n, void *in, size_t len)
{
    uint8_t *p = in;
    size_t done = 0;
    if (n < 1 || n > BOARD_SPIS)
        return 0;
    for (int byte; done < len && (byte = bytes_pop(&b->from_spi[n - 1])) >= 0; done++)
        if (p)
            p[done] = (uint8_t) byte;
    return done;
}

size_t board_spi_transfer(struct board *b, unsigned n, const void *out, void *in, size_t len,
                          const struct board_spi_options *options)
{
    if (!board_spi_start(b, n, out, len, options))
        return 0;
    while (board_spi_busy(b, n)) { /* each turn ends at the next edge of the transfer at the latest */
        uint64_t left = b->s.due[EV_SPI1 + n - 1] - board_time(b);
        uint64_t all = b->s.spi[n - 1].frame + b->s.spi[n - 1].gap;
        left += all * b->to_spi[n - 1].count;
        enum board_stop stop = board_run(b, left / PS_PER_NS + 1u);
        if (stop != BOARD_STOP_TIME && stop != BOARD_STOP_POWER)
            break;
    }
    if (board_spi_busy(b, n)) { /* a callback asked for the end: NSS goes up, the rest is not sent */
        b->to_spi[n - 1].count = 0;
        board_cancel(b, event_of(n - 1));
        b->s.spi[n - 1].in_frame = 0;
        set_nss(b, n - 1, 1);
        board_time_horizon(b);
    }
    return board_spi_read(b, n, in, len);
}
