/* SPDX-License-Identifier: MIT */
/**
 * @file flash.c
 * The flash interface (RM0090 chapter 3): keys, programming, erasing, its errors, and the time that all of it takes
 * (DS8626). An operation takes effect when its time is over; until then every access of the core to the flash waits.
 */
#include "internal.h"

enum { ACR_ICEN = 1u << 9, ACR_DCEN = 1u << 10, ACR_ICRST = 1u << 11, ACR_DCRST = 1u << 12 };
enum {
    SR_EOP = 1u << 0,
    SR_OPERR = 1u << 1,
    SR_WRPERR = 1u << 4,
    SR_PGAERR = 1u << 5,
    SR_PGPERR = 1u << 6,
    SR_PGSERR = 1u << 7,
    SR_BSY = 1u << 16,
    SR_ERRORS = 0xF2u
};
enum {
    CR_PG = 1u << 0,
    CR_SER = 1u << 1,
    CR_MER = 1u << 2,
    CR_STRT = 1u << 16,
    CR_EOPIE = 1u << 24,
    CR_ERRIE = 1u << 25
};
#define CR_LOCK 0x80000000u
enum { OPTCR_LOCK = 1u << 0, OPTCR_STRT = 1u << 1 };

static void update_irq(struct board *b)
{
    const struct flash *f = &b->s.flash;
    board_irq_line(b, IRQ_FLASH,
                   ((f->cr & CR_EOPIE) && (f->sr & SR_EOP)) || ((f->cr & CR_ERRIE) && (f->sr & SR_OPERR)));
}

/** Take the option bytes over, as at every reset. */
static void show_options(struct board *b)
{
    uint32_t o = b->s.flash.optcr;
    store32(b->sysmem + 0xC000, (o & 0xFFECu) | (~(o & 0xFFECu) << 16)); /* user and RDP, read-only picture */
    store32(b->sysmem + 0xC008, (o >> 16 & 0xFFFu) | (~(o >> 16 & 0xFFFu) << 16));
}

void board_flash_reset(struct board *b)
{
    struct flash *f = &b->s.flash;
    memset(f, 0, sizeof *f);
    f->cr = CR_LOCK;
    f->options = board_store_get_options(b);
    f->optcr = f->options | OPTCR_LOCK;
    board_cancel(b, EV_FLASH);
    board_cancel(b, EV_OPTIONS);
    show_options(b);
}

/* ----------------------------------------------------------------------------------------------------- timing */

/** @return the busy time of an erase in ps. PSIZE 0 to 3 stands for x8 to x64 (which needs VPP; timed as x32). */
static uint64_t erase_time(const struct board *b, uint32_t bytes)
{
    static const uint16_t typical_ms[3][4] = {{400, 300, 250, 250}, {1200, 700, 550, 550}, {2000, 1300, 1000, 1000}};
    unsigned psize = b->s.flash.cr >> 8 & 3u;
    unsigned row = bytes <= FOTA_KIB(16) ? 0 : bytes <= FOTA_KIB(64) ? 1 : 2;
    uint64_t ms = typical_ms[row][psize];
    if (bytes == FOTA_FLASH_SIZE) {
        static const uint16_t mass_s[4] = {16, 11, 8, 8};
        ms = mass_s[psize] * 1000u;
    }
    return ms * PS_PER_MS * (b->options.flash_timing == BOARD_FLASH_MAX ? 2u : 1u);
}

static uint64_t program_time(const struct board *b)
{
    return (b->options.flash_timing == BOARD_FLASH_MAX ? 100u : 16u) * (uint64_t) PS_PER_US;
}

/* ------------------------------------------------------------------------------------------------- operations */

static bool is_protected(const struct board *b, unsigned sector)
{
    return (b->s.flash.options >> (16u + sector) & 1u) == 0;
}

/** Has the one-time programmable block of this address been locked? The lock bytes themselves always take writes. */
static bool otp_locked(const struct board *b, uint32_t address)
{
    uint32_t offset = address - OTP_BASE;
    return offset < OTP_LOCKS && b->sysmem[OTP_BASE - SYSMEM_BASE + OTP_LOCKS + offset / 32u] == 0;
}

/** RM0090 table "Program/erase parallelism": x8 from 1.8 V (here: always), x16 from 2.1 V, x32 from 2.7 V; x64 needs
 * VPP. */
static bool supply_fits(const struct board *b)
{
    static const uint16_t minimum_mv[4] = {0, 2100, 2700, UINT16_MAX};
    return b->s.supply_mv >= minimum_mv[b->s.flash.cr >> 8 & 3u];
}

void board_flash_supply(struct board *b)
{
    struct flash *f = &b->s.flash;
    if (f->op == FLASH_IDLE || f->op == FLASH_OPTIONS || f->weak || supply_fits(b))
        return;
    f->weak = 1;
    board_rule(b, BOARD_RULE_FLASH_SUPPLY, f->cr >> 8 & 3u, "flash operation with PSIZE %u at %u mV: not reliable",
               f->cr >> 8 & 3u, b->s.supply_mv);
}

static void error(struct board *b, uint32_t flags, uint32_t address, const char *why)
{
    struct flash *f = &b->s.flash;
    f->sr |= flags | (f->cr & CR_ERRIE ? (uint32_t) SR_OPERR : 0);
    board_rule(b, BOARD_RULE_FLASH_ERROR, address, "flash: %s, at 0x%08x (FLASH_SR 0x%02x)", why, address,
               f->sr & 0xFFu);
    update_irq(b);
}

static void count(struct board *b)
{
    const struct flash *f = &b->s.flash;
    if (f->op == FLASH_PROGRAM) {
        if (f->sector < BOARD_SECTORS)
            b->counters.flash_programs[f->sector]++;
    } else
        for (unsigned s = 0; s < BOARD_SECTORS; s++)
            if (f->op == FLASH_MASS || s == f->sector)
                b->counters.flash_erases[s]++;
}

static struct board_flash_work work_under_way(const struct board *b)
{
    const struct flash *f = &b->s.flash;
    struct board_flash_work work = {.number = b->s.operations, .ns = f->started / PS_PER_NS};
    work.erase = f->op != FLASH_PROGRAM;
    work.address = f->op == FLASH_MASS ? FOTA_FLASH_BASE : work.erase ? fota_sector_base(f->sector) : f->address;
    work.length = f->op == FLASH_MASS ? FOTA_FLASH_SIZE : work.erase ? fota_sector_size(f->sector) : f->width;
    work.value = f->value;
    return work;
}

static void begin(struct board *b, enum flash_op op, uint64_t duration)
{
    struct flash *f = &b->s.flash;
    if (f->sr & SR_ERRORS)
        board_rule(b, BOARD_RULE_FLASH_FLAGS, b->block_pc, "flash operation with error flags 0x%02x still set",
                   f->sr & SR_ERRORS);
    if (b->s.rcc.hclk < 1000000u)
        board_rule(b, BOARD_RULE_FLASH_LATENCY, b->block_pc, "flash operation at HCLK %u Hz, below 1 MHz",
                   b->s.rcc.hclk);
    b->s.operations++;
    b->counters.flash_operations = b->s.operations;
    if (b->s.cut_at == b->s.operations && b->s.cut_phase == BOARD_CUT_BEFORE) {
        b->s.cut_at = 0;
        b->counters.power_cuts++;
        board_lose_power(b);
        return;
    }
    f->op = (uint8_t) op;
    f->weak = 0;
    board_flash_supply(b);
    f->started = board_time(b);
    f->done = f->started + duration;
    f->sr |= SR_BSY;
    if (b->flash_cb) {
        struct board_flash_work work = work_under_way(b);
        b->flash_cb(b->flash_ctx, &work);
    }
    board_schedule(b, EV_FLASH, f->done);
    if (b->s.cut_at == b->s.operations && b->s.cut_phase == BOARD_CUT_INSIDE)
        board_schedule(b, EV_CUT, f->started + duration / 2u);
    b->attention = true;
}

static void start_erase(struct board *b)
{
    struct flash *f = &b->s.flash;
    bool mass = (f->cr & CR_MER) != 0;
    unsigned sector = f->cr >> 3 & 0xFu;
    if ((f->cr & CR_PG) || (mass && (f->cr & CR_SER)) || !(f->cr & (CR_SER | CR_MER)) ||
        (!mass && sector >= BOARD_SECTORS)) {
        error(b, SR_PGSERR, f->cr, "STRT with CR set up wrongly (PG, SER, MER or SNB)");
        return;
    }
    for (unsigned s = 0; s < BOARD_SECTORS; s++)
        if ((mass || s == sector) && is_protected(b, s)) {
            error(b, SR_WRPERR, fota_sector_base(s), "erase of a write-protected sector");
            return;
        }
    f->sector = (uint8_t) (mass ? 0 : sector);
    begin(b, mass ? FLASH_MASS : FLASH_ERASE, erase_time(b, mass ? FOTA_FLASH_SIZE : fota_sector_size(sector)));
}

void board_flash_store(struct board *b, uint32_t address, unsigned size, uint32_t value)
{
    struct flash *f = &b->s.flash;
    b->traits |= TRAIT_UNSAFE;
    if (b->s.icount >= b->icount_event)
        board_run_events(b);
    if (f->op != FLASH_IDLE)
        board_flash_wait(b);
    if (b->s.power_lost)
        return;
    bool otp = address - OTP_BASE < OTP_SIZE;
    unsigned sector = otp ? BOARD_SECTORS : fota_sector_of(address);
    if (!(f->cr & CR_PG) || (f->cr & (CR_SER | CR_MER))) {
        error(b, SR_PGSERR, address, "store without PG, or with SER or MER");
        return;
    }
    if ((address & 15u) + size > 16u) {
        error(b, SR_PGAERR, address, "store across a 128-bit row");
        return;
    }
    if ((1u << (f->cr >> 8 & 3u)) != size || (address & (size - 1u))) { /* unaligned: the bus makes it narrower */
        error(b, SR_PGPERR, address, "the width of the store is not PSIZE");
        return;
    }
    if (otp ? otp_locked(b, address) : is_protected(b, sector)) {
        error(b, SR_WRPERR, address, otp ? "store to a locked block" : "store to a write-protected sector");
        return;
    }
    f->address = address;
    f->width = (uint8_t) size;
    f->value = value;
    f->sector = (uint8_t) sector;
    const uint8_t *p = board_flash_cells(b, address);
    for (unsigned i = 0; i < size; i++)
        if (~p[i] & (uint8_t) (value >> (8 * i))) {
            board_rule(b, BOARD_RULE_FLASH_ZERO_TO_ONE, address, "programming 0x%08x would turn a 0 into a 1", address);
            break;
        }
    begin(b, FLASH_PROGRAM, program_time(b));
}

/** Take the operation under way into effect. @param torn the supply went, or was too low: only a part of it. */
static void apply(struct board *b, bool torn, uint64_t seed)
{
    struct flash *f = &b->s.flash;
    struct board_flash_work work = work_under_way(b);
    board_flash_change(b, &work, torn, seed);
    count(b);
    f->op = FLASH_IDLE;
    f->sr &= ~(uint32_t) SR_BSY;
}

void board_flash_event(struct board *b)
{
    struct flash *f = &b->s.flash;
    bool erase = f->op != FLASH_PROGRAM;
    if (f->op == FLASH_IDLE)
        return;
    apply(b, f->weak, f->weak ? board_random(&b->s.random) | 1u : 0); /* no flag tells: RM0090 promises nothing */
    if (erase) {
        f->cr &= ~(uint32_t) CR_STRT;
        if (f->acr & (ACR_ICEN | ACR_DCEN))
            f->cache_stale = 1;
    }
    if (f->cr & CR_EOPIE)
        f->sr |= SR_EOP;
    update_irq(b);
    if (b->s.cut_at == b->s.operations && b->s.cut_phase == BOARD_CUT_AFTER) {
        b->s.cut_at = 0;
        b->counters.power_cuts++;
        board_lose_power(b);
        return;
    }
    board_dma_kick(b); /* transfers from flash were waiting */
}

void board_flash_tear(struct board *b, uint64_t seed)
{
    if (b->s.flash.op == FLASH_IDLE)
        return;
    if (b->s.flash.op == FLASH_OPTIONS) {
        board_say(b, "change of the option bytes interrupted: they stay as they were");
        b->s.flash.op = FLASH_IDLE;
        board_cancel(b, EV_OPTIONS);
        return;
    }
    board_say(b, "flash operation %llu torn: %s", (unsigned long long) b->s.operations,
              b->s.flash.op == FLASH_PROGRAM ? "program" : "erase");
    apply(b, true, seed);
    board_cancel(b, EV_FLASH);
}

void board_flash_wait(struct board *b)
{
    while (b->s.flash.op != FLASH_IDLE && !b->s.power_lost && !b->s.reset_request)
        board_skip_to(b, board_next_due_chip(b));
}

/* ------------------------------------------------------------------------------------------------ option bytes */

static unsigned rdp(uint32_t optcr)
{
    return optcr >> 8 & 0xFFu;
}

static void start_options(struct board *b)
{
    struct flash *f = &b->s.flash;
    if (rdp(f->optcr) == 0xCCu) {
        board_rule(b, BOARD_RULE_FLASH_ERROR, 0xCC, "RDP level 2 asked for: refused here, it can never be undone");
        f->optcr &= ~(uint32_t) OPTCR_STRT;
        return;
    }
    bool opened = rdp(f->options) != 0xAAu && rdp(f->optcr) == 0xAAu;
    f->op = FLASH_OPTIONS; /* the bus stalls as with any other operation */
    f->sr |= SR_BSY;
    board_schedule(b, EV_OPTIONS,
                   board_time(b) + erase_time(b, FOTA_KIB(16)) + (opened ? erase_time(b, FOTA_FLASH_SIZE) : 0));
    b->attention = true;
}

/** RDP level 1 to 0: nothing of the firmware survives (RM0090 3.7.3). */
static void erase_everything(struct board *b)
{
    memset(b->flash, 0xFF, FOTA_FLASH_SIZE);
    board_weak_forget(b, FOTA_FLASH_BASE, FOTA_FLASH_SIZE);
    board_code_changed(b, FOTA_FLASH_BASE, FOTA_FLASH_SIZE);
    memset(b->s.bkpsram, 0, sizeof b->s.bkpsram);
}

void board_options_event(struct board *b)
{
    struct flash *f = &b->s.flash;
    if (rdp(f->options) != 0xAAu && rdp(f->optcr) == 0xAAu)
        erase_everything(b);
    board_store_options(b, f->optcr);
    show_options(b);
    f->options = (f->options & 0xECu) | (board_store_get_options(b) & ~0xECu); /* BOR and user: at the next reset */
    f->optcr &= ~(uint32_t) OPTCR_STRT;
    f->op = FLASH_IDLE;
    f->sr &= ~(uint32_t) SR_BSY;
    board_dma_kick(b);
}

uint32_t board_option_bytes(const struct board *b)
{
    return board_store_get_options(b) | 1u;
}

bool board_option_bytes_set(struct board *b, uint32_t optcr)
{
    uint32_t old = board_store_get_options(b);
    if (rdp(optcr) == 0xCCu) {
        board_say(b, "RDP level 2 asked for: refused here, it can never be undone");
        return false;
    }
    if (rdp(old) != 0xAAu && rdp(optcr) == 0xAAu)
        erase_everything(b);
    board_store_options(b, optcr);
    return true;
}

bool board_read_protected(const struct board *b)
{
    return rdp(board_store_get_options(b)) != 0xAAu;
}

/* --------------------------------------------------------------------------------------------------- registers */

/** Two keys in a row; anything else locks until reset (RM0090 3.6.1). @return true when they unlock. */
static bool key(struct board *b, uint8_t *state, uint8_t *locked_out, uint32_t value, uint32_t key1, uint32_t key2,
                bool locked)
{
    if (!*locked_out && locked) {
        if (*state == 0 && value == key1) {
            *state = 1;
            return false;
        }
        if (*state == 1 && value == key2) {
            *state = 0;
            return true;
        }
    }
    board_rule(b, BOARD_RULE_FLASH_KEY, value, "wrong key 0x%08x, or a key while unlocked: locked until reset", value);
    *locked_out = 1;
    *state = 0;
    b->bus_fault_late = true; /* a wrong sequence is answered with a bus error */
    b->attention = true;
    return false;
}

uint32_t board_flash_reg_read(struct board *b, unsigned unit, uint32_t offset)
{
    const struct flash *f = &b->s.flash;
    (void) unit;
    switch (offset) {
    case 0x00:
        return f->acr;
    case 0x0C:
        return f->sr;
    case 0x10:
        return f->cr;
    case 0x14:
        return f->optcr;
    default:
        return 0; /* KEYR, OPTKEYR: write-only */
    }
}

static void write_cr(struct board *b, uint32_t value)
{
    struct flash *f = &b->s.flash;
    if (f->op != FLASH_IDLE)
        board_flash_wait(b); /* "cannot be written while BSY": the access waits */
    if (b->s.power_lost || (f->cr & CR_LOCK))
        return;
    f->cr = value & (0x3FFu | CR_EOPIE | CR_ERRIE | CR_LOCK);
    if ((value & CR_STRT) && !(value & CR_LOCK)) {
        f->cr |= CR_STRT;
        start_erase(b);
        if (f->op == FLASH_IDLE)
            f->cr &= ~(uint32_t) CR_STRT;
    }
    update_irq(b);
}

static void write_acr(struct board *b, uint32_t value)
{
    struct flash *f = &b->s.flash;
    bool flushed = (value & ACR_ICRST) && (value & ACR_DCRST) && !(value & (ACR_ICEN | ACR_DCEN));
    if (flushed)
        f->cache_stale = 0;
    f->acr = value & 0x1F07u;
    board_rcc_clocks(b);
}

void board_flash_reg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct flash *f = &b->s.flash;
    (void) unit;
    switch (offset) {
    case 0x00:
        write_acr(b, merge(f->acr, value, mask));
        break;
    case 0x04:
        if (key(b, &f->key_state, &f->locked_out, value, 0x45670123u, 0xCDEF89ABu, (f->cr & CR_LOCK) != 0))
            f->cr &= ~CR_LOCK;
        break;
    case 0x08:
        if (key(b, &f->opt_key_state, &f->opt_locked_out, value, 0x08192A3Bu, 0x4C5D6E7Fu,
                (f->optcr & OPTCR_LOCK) != 0))
            f->optcr &= ~(uint32_t) OPTCR_LOCK;
        break;
    case 0x0C:
        f->sr &= ~(value & (SR_ERRORS | SR_EOP));
        update_irq(b);
        break;
    case 0x10:
        write_cr(b, merge(f->cr, value, mask));
        break;
    case 0x14:
        if (f->optcr & OPTCR_LOCK)
            break;
        f->optcr = merge(f->optcr, value, mask) & 0x0FFFFFEFu;
        if (f->optcr & OPTCR_STRT)
            start_options(b);
        break;
    default:
        break;
    }
}
