/* SPDX-License-Identifier: MIT */
/**
 * @file bus.c
 * Addresses to memories and peripherals (RM0090 table 1), clock gating, bit-band aliases.
 */
#include "internal.h"

enum { AHB1 = 0x30, AHB2 = 0x34, AHB3 = 0x38, APB1 = 0x40, APB2 = 0x44, ALWAYS = 0 };

struct unit {
    uint32_t base, size;
    const char *name;
    uint8_t enable_register, bit; /* RCC_xENR that gates its clock */
    uint8_t index;
    uint32_t (*read)(struct board *b, unsigned index, uint32_t offset);
    void (*write)(struct board *b, unsigned index, uint32_t offset, uint32_t value, uint32_t mask);
    void (*reset)(struct board *b, unsigned index);
};

static uint32_t ignore_read(struct board *b, unsigned index, uint32_t offset)
{
    (void) index;
    (void) offset;
    b->counters.unmodelled++;
    return 0;
}

static void ignore_write(struct board *b, unsigned index, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void) index;
    (void) offset;
    (void) value;
    (void) mask;
    b->counters.unmodelled++;
}

#define NOT_MODELLED ignore_read, ignore_write, NULL
#define GPIO(n)                                                                                                        \
    {                                                                                                                  \
        0x40020000u + 0x400u * (n), 0x400, "GPIO", AHB1, (n), (n), board_gpio_read, board_gpio_write, board_gpio_reset \
    }
#define USART(base, reg, bit, i)                                                                                       \
    {                                                                                                                  \
        base, 0x400, "USART", reg, bit, i, board_uart_reg_read, board_uart_reg_write, board_uart_reset                 \
    }

static const struct unit units[] = {
    {0x40000000u, 0x400, "TIM2", APB1, 0, 0, NOT_MODELLED},
    {0x40000400u, 0x400, "TIM3", APB1, 1, 0, NOT_MODELLED},
    {0x40000800u, 0x400, "TIM4", APB1, 2, 0, NOT_MODELLED},
    {0x40000C00u, 0x400, "TIM5", APB1, 3, 0, NOT_MODELLED},
    {0x40001000u, 0x400, "TIM6", APB1, 4, 0, NOT_MODELLED},
    {0x40001400u, 0x400, "TIM7", APB1, 5, 0, NOT_MODELLED},
    {0x40001800u, 0x400, "TIM12", APB1, 6, 0, NOT_MODELLED},
    {0x40001C00u, 0x400, "TIM13", APB1, 7, 0, NOT_MODELLED},
    {0x40002000u, 0x400, "TIM14", APB1, 8, 0, NOT_MODELLED},
    {0x40002800u, 0x400, "RTC", ALWAYS, 0, 0, board_rtc_read, board_rtc_write, NULL},
    {0x40002C00u, 0x400, "WWDG", APB1, 11, 0, NOT_MODELLED},
    {0x40003000u, 0x400, "IWDG", ALWAYS, 0, 0, board_iwdg_read, board_iwdg_write, NULL},
    {0x40003800u, 0x400, "SPI2", APB1, 14, 1, board_spi_reg_read, board_spi_reg_write, board_spi_reset},
    {0x40003C00u, 0x400, "SPI3", APB1, 15, 0, NOT_MODELLED},
    USART(0x40004400u, APB1, 17, 1),
    USART(0x40004800u, APB1, 18, 2),
    {0x40004C00u, 0x400, "UART4", APB1, 19, 0, NOT_MODELLED},
    {0x40005000u, 0x400, "UART5", APB1, 20, 0, NOT_MODELLED},
    {0x40005400u, 0x400, "I2C1", APB1, 21, 0, NOT_MODELLED},
    {0x40005800u, 0x400, "I2C2", APB1, 22, 0, NOT_MODELLED},
    {0x40005C00u, 0x400, "I2C3", APB1, 23, 0, NOT_MODELLED},
    {0x40006400u, 0x400, "CAN1", APB1, 25, 0, NOT_MODELLED},
    {0x40006800u, 0x400, "CAN2", APB1, 26, 0, NOT_MODELLED},
    {0x40007000u, 0x400, "PWR", APB1, 28, 0, board_pwr_read, board_pwr_write, board_pwr_reset},
    {0x40007400u, 0x400, "DAC", APB1, 29, 0, NOT_MODELLED},
    {0x40010000u, 0x400, "TIM1", APB2, 0, 0, NOT_MODELLED},
    {0x40010400u, 0x400, "TIM8", APB2, 1, 0, NOT_MODELLED},
    USART(0x40011000u, APB2, 4, 0),
    {0x40011400u, 0x400, "USART6", APB2, 5, 0, NOT_MODELLED},
    {0x40012000u, 0x400, "ADC", APB2, 8, 0, NOT_MODELLED},
    {0x40012C00u, 0x400, "SDIO", APB2, 11, 0, NOT_MODELLED},
    {0x40013000u, 0x400, "SPI1", APB2, 12, 0, board_spi_reg_read, board_spi_reg_write, board_spi_reset},
    {0x40013800u, 0x400, "SYSCFG", APB2, 14, 0, board_syscfg_read, board_syscfg_write, board_syscfg_reset},
    {0x40013C00u, 0x400, "EXTI", ALWAYS, 0, 0, board_exti_read, board_exti_write, board_exti_reset},
    {0x40014000u, 0x400, "TIM9", APB2, 16, 0, NOT_MODELLED},
    {0x40014400u, 0x400, "TIM10", APB2, 17, 0, NOT_MODELLED},
    {0x40014800u, 0x400, "TIM11", APB2, 18, 0, NOT_MODELLED},
    GPIO(0),
    GPIO(1),
    GPIO(2),
    GPIO(3),
    GPIO(4),
    GPIO(5),
    GPIO(6),
    GPIO(7),
    GPIO(8),
    {0x40023000u, 0x400, "CRC", AHB1, 12, 0, board_crc_read, board_crc_write, board_crc_reset},
    {0x40023800u, 0x400, "RCC", ALWAYS, 0, 0, board_rcc_read, board_rcc_write, NULL},
    {0x40023C00u, 0x400, "FLASH", ALWAYS, 0, 0, board_flash_reg_read, board_flash_reg_write, NULL},
    {0x40024000u, 0x1000, "BKPSRAM", AHB1, 18, 0, board_bkpsram_read, board_bkpsram_write, NULL},
    {0x40026000u, 0x400, "DMA1", AHB1, 21, 0, board_dma_read, board_dma_write, board_dma_reset},
    {0x40026400u, 0x400, "DMA2", AHB1, 22, 1, board_dma_read, board_dma_write, board_dma_reset},
    {0x40028000u, 0x1400, "ETH", AHB1, 25, 0, NOT_MODELLED},
    {0x40040000u, 0x40000, "OTG_HS", AHB1, 29, 0, NOT_MODELLED},
    {0x50000000u, 0x40000, "OTG_FS", AHB2, 7, 0, NOT_MODELLED},
    {0x50050000u, 0x400, "DCMI", AHB2, 0, 0, NOT_MODELLED},
    {0x50060800u, 0x400, "RNG", AHB2, 6, 0, board_rng_read, board_rng_write, board_rng_reset},
    {0xA0000000u, 0x1000, "FSMC", AHB3, 0, 0, NOT_MODELLED},
};
#define UNITS (sizeof units / sizeof units[0])

static const struct unit *search(uint32_t address)
{
    for (unsigned i = 0; i < UNITS; i++)
        if (address - units[i].base < units[i].size)
            return &units[i];
    return NULL;
}

/** Polling loops come here most of the time: an index for APB1, APB2 and AHB1 up to 0x40027FFF. */
static const struct unit *find(const struct board *b, uint32_t address)
{
    uint32_t page = (address - 0x40000000u) / 0x400u;
    if (page >= UNIT_PAGES)
        return search(address);
    return b->unit_at[page] ? &units[b->unit_at[page] - 1u] : NULL;
}

bool board_clock_enabled(const struct board *b, unsigned enable_register, uint32_t bit)
{
    return (b->s.rcc.regs[enable_register / 4u] >> bit & 1u) != 0;
}

void board_unit_reset(struct board *b, unsigned enable_register, uint32_t bits)
{
    for (unsigned i = 0; i < UNITS; i++)
        if (units[i].enable_register == enable_register && enable_register != ALWAYS && (bits >> units[i].bit & 1u) &&
            units[i].reset)
            units[i].reset(b, units[i].index);
}

void board_peripherals_reset(struct board *b)
{
    for (unsigned i = 0; i < UNITS; i++)
        if (units[i].reset)
            units[i].reset(b, units[i].index);
}

uint8_t *board_memory(const struct board *b, uint32_t address, uint32_t len, bool write)
{
    static const struct {
        uint32_t base, size;
    } map[] = {{FOTA_RAM_BASE, FOTA_RAM_SIZE}, {FOTA_CCM_BASE, FOTA_CCM_SIZE}, {FOTA_FLASH_BASE, FOTA_FLASH_SIZE},
               {0, FOTA_FLASH_SIZE},           {SYSMEM_BASE, 0x8000u},         {SYSMEM_BASE + 0xC000u, 0x1000u}};
    uint8_t *host[] = {b->sram, b->ccm, b->flash, b->flash, b->sysmem, b->sysmem + 0xC000};
    for (unsigned i = 0; i < (write ? 2u : 6u); i++)
        if (address - map[i].base < map[i].size && len <= map[i].size - (address - map[i].base))
            return host[i] + (address - map[i].base);
    return NULL;
}

/** A 32-bit access to a peripheral; the offset is aligned. */
static uint32_t unit_read(struct board *b, uint32_t address)
{
    const struct unit *u = find(b, address);
    if (!u)
        return 0;
    if (u->enable_register != ALWAYS && !board_clock_enabled(b, u->enable_register, u->bit)) {
        board_rule(b, BOARD_RULE_CLOCK_GATED, address, "read of %s at 0x%08x while its clock is off", u->name, address);
        return 0;
    }
    return u->read(b, u->index, address - u->base);
}

static void unit_write(struct board *b, uint32_t address, uint32_t value, uint32_t mask)
{
    const struct unit *u = find(b, address);
    if (!u)
        return;
    if (u->enable_register != ALWAYS && !board_clock_enabled(b, u->enable_register, u->bit)) {
        board_rule(b, BOARD_RULE_CLOCK_GATED, address, "write to %s at 0x%08x while its clock is off", u->name,
                   address);
        return;
    }
    u->write(b, u->index, address - u->base, value, mask);
}

static uint32_t private_read(struct board *b, uint32_t address)
{
    if (address - 0xE000E000u < 0x1000u)
        return board_scs_read(b, address - 0xE000E000u);
    if (address - 0xE0001000u < 0x1000u)
        return board_dwt_read(b, address - 0xE0001000u);
    if (address == 0xE0042000u)
        return 0x10076413u; /* DBGMCU_IDCODE: revision 1, device 0x413 */
    return 0;
}

static void private_write(struct board *b, uint32_t address, uint32_t value, uint32_t mask)
{
    if (address - 0xE000E000u < 0x1000u)
        board_scs_write(b, address - 0xE000E000u, value, mask);
    else if (address - 0xE0001000u < 0x1000u)
        board_dwt_write(b, address - 0xE0001000u, value);
}

uint32_t board_bus_read(struct board *b, uint32_t address, unsigned size, bool *ok)
{
    *ok = true;
    const uint8_t *p = address < 0x40000000u ? board_memory(b, address, size, false) : NULL;
    if (p)
        return (uint32_t) p[0] | (size > 1 ? (uint32_t) p[1] << 8 : 0) |
               (size > 2 ? (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24 : 0);
    uint32_t shift = 8u * (address & 3u), v;
    if (b->s.icount >= b->icount_event)
        board_run_events(b);
    if (address >= 0xE0000000u && address < 0xE0100000u)
        v = private_read(b, address & ~3u);
    else if (find(b, address))
        v = unit_read(b, address & ~3u);
    else {
        *ok = false;
        return 0;
    }
    return v >> shift & (size == 4 ? 0xFFFFFFFFu : (1u << (8 * size)) - 1u);
}

void board_bus_write(struct board *b, uint32_t address, unsigned size, uint32_t value, bool *ok)
{
    *ok = true;
    uint8_t *p = address < 0x40000000u ? board_memory(b, address, size, true) : NULL;
    if (p) {
        for (unsigned i = 0; i < size; i++)
            p[i] = (uint8_t) (value >> (8 * i));
        board_ram_changed(b, address, size);
        return;
    }
    uint32_t shift = 8u * (address & 3u), mask = size == 4 ? 0xFFFFFFFFu : ((1u << (8 * size)) - 1u) << shift;
    if (b->s.icount >= b->icount_event)
        board_run_events(b);
    b->traits |= TRAIT_UNSAFE;
    if (b->s.power_lost)
        return; /* nothing happens any more */
    if (address >= 0xE0000000u && address < 0xE0100000u)
        private_write(b, address & ~3u, value << shift, mask);
    else if (find(b, address))
        unit_write(b, address & ~3u, value << shift, mask);
    else
        *ok = false;
}

/* ----------------------------------------------------------------------------------------------- Unicorn's side */

/** A hole in a mapped region. Unicorn must not be stopped here: the fault follows before the next block. */
static void hole(struct board *b, uint32_t address)
{
    board_say(b, "bus error: access to 0x%08x, where nothing is, in the block at 0x%08x", address, b->block_pc);
    b->bus_fault_late = true;
    b->attention = true;
}

static uint64_t on_read(uc_engine *uc, uint64_t offset, unsigned size, void *context)
{
    struct region *r = context;
    uint32_t address = r->base + (uint32_t) offset;
    bool ok;
    (void) uc;
    uint64_t v = board_bus_read(r->board, address, size > 4 ? 4 : size, &ok);
    for (unsigned i = 0; i < BOARD_STUCK && r->board->s.stuck[i][1] != 0; i++) {
        const uint32_t *s = r->board->s.stuck[i];
        if (s[0] == address)
            v = (v & ~s[1]) | (s[1] & s[2]);
    }
    if (ok && size == 8)
        v |= (uint64_t) board_bus_read(r->board, address + 4, 4, &ok) << 32;
    if (!ok)
        hole(r->board, address);
    return v;
}

static void on_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *context)
{
    struct region *r = context;
    uint32_t address = r->base + (uint32_t) offset;
    bool ok;
    (void) uc;
    board_bus_write(r->board, address, size > 4 ? 4 : size, (uint32_t) value, &ok);
    if (ok && size == 8)
        board_bus_write(r->board, address + 4, 4, (uint32_t) (value >> 32), &ok);
    if (!ok)
        hole(r->board, address);
}

/** Bit-band alias (PM0214 2.2.5): each word stands for one bit of the first MiB of SRAM or peripherals. */
static uint32_t band_target(const struct region *r, uint64_t offset, unsigned *bit)
{
    *bit = (unsigned) (offset / 4u % 8u);
    return r->base - 0x02000000u + (uint32_t) (offset / 32u);
}

static uint64_t on_band_read(uc_engine *uc, uint64_t offset, unsigned size, void *context)
{
    struct region *r = context;
    unsigned bit;
    bool ok;
    (void) uc;
    (void) size;
    uint32_t target = band_target(r, offset, &bit);
    uint32_t word = board_bus_read(r->board, target & ~3u, 4, &ok);
    if (!ok)
        hole(r->board, target);
    return word >> (8u * (target & 3u) + bit) & 1u;
}

static void on_band_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *context)
{
    struct region *r = context;
    unsigned bit;
    bool ok;
    (void) uc;
    (void) size;
    uint32_t target = band_target(r, offset, &bit);
    bit += 8u * (target & 3u);
    uint32_t word = board_bus_read(r->board, target & ~3u, 4, &ok);
    if (ok)
        board_bus_write(r->board, target & ~3u, 4, (word & ~(1u << bit)) | (uint32_t) (value & 1u) << bit, &ok);
    if (!ok)
        hole(r->board, target);
}

static bool map(struct board *b, uint32_t base, uint32_t size, bool band)
{
    struct region *r = &b->region[b->regions++];
    r->board = b;
    r->base = base;
    uc_err e = uc_mmio_map(b->uc, base, size, band ? on_band_read : on_read, r, band ? on_band_write : on_write, r);
    if (e != UC_ERR_OK)
        board_say(b, "cannot map peripherals at 0x%08x: %s", base, uc_strerror(e));
    return e == UC_ERR_OK;
}

bool board_bus_map(struct board *b)
{
    for (unsigned page = 0; page < UNIT_PAGES; page++) {
        const struct unit *u = search(0x40000000u + 0x400u * page);
        b->unit_at[page] = u ? (uint8_t) (u - units + 1) : 0;
    }
    return map(b, 0x40000000u, 0x8000, false) && map(b, 0x40010000u, 0x5000, false) &&
           map(b, 0x40020000u, 0x7000, false) && map(b, 0x40028000u, 0x2000, false) &&
           map(b, 0x40040000u, 0x40000, false) && map(b, 0x50000000u, 0x40000, false) &&
           map(b, 0x50050000u, 0x1000, false) && map(b, 0x50060000u, 0x1000, false) &&
           map(b, 0xA0000000u, 0x1000, false) && map(b, 0xE0000000u, 0x100000, false) &&
           map(b, 0x42000000u, 0x02000000, true) && map(b, 0x22000000u, 0x00400000, true);
}
