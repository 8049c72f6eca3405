/* SPDX-License-Identifier: MIT */
/**
 * @file rom.c
 * ST's factory bootloader in system memory, which runs after a reset with BOOT0 high: a model of what it does, for its
 * code is ST's. It uses the board's peripherals as a program would, so that their limits are its limits, and leaves
 * them as they are for the firmware that Go starts. Start, choice of the interface (AN2606), way out.
 */
#include "rom.h"

#define BOOT1_PORT 'B'
#define BOOT1_PIN 2u

enum { GPIO_MODER = 0x00, GPIO_PUPDR = 0x0C, GPIO_AFRL = 0x20 };
enum { RCC_CR = 0x00, RCC_PLLCFGR = 0x04, RCC_CFGR = 0x08, RCC_CSR = 0x74 };

static bool is_v31(const struct board *b)
{
    return b->options.rom == BOARD_ROM_V31;
}

void rom_pin(struct board *b, unsigned port, unsigned pin, unsigned function, unsigned pull)
{
    board_gpio_write(b, port, GPIO_AFRL + 4u * (pin / 8u), function << 4u * (pin % 8u), 0xFu << 4u * (pin % 8u));
    board_gpio_write(b, port, GPIO_PUPDR, pull << 2u * pin, 3u << 2u * pin);
    board_gpio_write(b, port, GPIO_MODER, 2u << 2u * pin, 3u << 2u * pin);
}

void rom_clock(struct board *b, uint32_t enable_register, uint32_t bits)
{
    board_rcc_write(b, 0, enable_register, bits, bits);
}

/* ------------------------------------------------------------------------------------------------------- the start */

void board_rom_reset(struct board *b)
{
    const struct rom old = b->s.rom;
    struct rom *r = &b->s.rom;
    memset(r, 0, sizeof *r);
    r->nack_skip = old.nack_skip;
    r->nack_count = old.nack_count;
    r->mute = old.mute;
    r->early_ack = old.early_ack;
    r->baud_error = old.baud_error;
    r->baud_errors = old.baud_errors;
    board_cancel(b, EV_ROM);
}

/** PLL from HSI: 24 MHz in V3.1, 60 MHz in V9.1, three wait states for the lowest supply. */
static void set_clock(struct board *b)
{
    uint32_t pll = is_v31(b) ? 16u | 192u << 6 | 3u << 16 | 4u << 24 : 16u | 240u << 6 | 1u << 16 | 5u << 24;
    board_flash_reg_write(b, 0, 0x00, 3u, UINT32_MAX);
    board_rcc_write(b, 0, RCC_PLLCFGR, pll, UINT32_MAX);
    board_rcc_write(b, 0, RCC_CFGR, is_v31(b) ? 2u : 2u | 4u << 10, UINT32_MAX); /* APB1 takes 42 MHz at most */
    board_rcc_write(b, 0, RCC_CR, 1u << 24, 1u << 24);
}

/** The prescaler at its maximum, so that feeding is rarely due. */
static void set_watchdog(struct board *b)
{
    board_rcc_write(b, 0, RCC_CSR, 1u, 1u); /* the LSI takes the value over */
    board_iwdg_write(b, 0, 0x00, 0x5555u, UINT32_MAX);
    board_iwdg_write(b, 0, 0x04, 6u, UINT32_MAX);
    board_iwdg_write(b, 0, 0x08, 0xFFFu, UINT32_MAX);
    board_iwdg_write(b, 0, 0x00, 0xAAAAu, UINT32_MAX);
}

void board_rom_enter(struct board *b)
{
    uint32_t us = is_v31(b)               ? FOTA_ST_START_V31_US
                  : b->options.hse_absent ? FOTA_ST_START_V91_NO_HSE_US
                                          : FOTA_ST_START_V91_US;
    board_cpu_start(b, FOTA_RAM_BASE + rom_ram(b),
                    SYSMEM_BASE | 1u); /* somewhere in there: nothing of it is executed */
    if (board_pin_get(b, BOOT1_PORT, BOOT1_PIN)) {
        board_say(b, "BOOT0 and BOOT1 (PB2) are high: the chip would start from SRAM; it idles until the next reset");
        return;
    }
    board_say(b, "BOOT0 is high: ST's factory bootloader V%s runs", is_v31(b) ? "3.1" : "9.1");
    b->s.syscfg[0] = 1u; /* MEM_MODE: system memory at 0 */
    b->s.rom.phase = ROM_STARTING;
    board_noise_in_ram(b, rom_ram(b));
    set_clock(b);
    set_watchdog(b);
    board_schedule(b, EV_ROM, board_time(b) + us * (uint64_t) PS_PER_US);
}

void rom_choose(struct board *b, enum rom_via via)
{
    b->s.rom.via = (uint8_t) via;
    rom_spi_leave(b, via);
    board_log_event(b, "ROM: %s", board_rom_interface(b));
}

/* --------------------------------------------------------------------------------------------------------- running */

void board_rom_event(struct board *b)
{
    if (b->s.rom.phase == ROM_STARTING) {
        b->s.rom.phase = ROM_LISTENING;
        if (!is_v31(b))
            rom_spi_listen(b);
    } else if (!b->s.rom.mute)
        rom_spi_wake(b);
}

static bool interrupted(const struct board *b)
{
    return b->s.power_lost || b->s.reset_request || b->stop_request || b->s.cpu != BOARD_CPU_ROM;
}

bool board_rom_poll(struct board *b)
{
    bool more = true;
    while (more && !interrupted(b)) {
        more = false;
        if (b->s.rom.phase == ROM_WORK)
            more = rom_work(b);
        else if (b->s.rom.phase < ROM_LISTENING || b->s.rom.mute)
            break;
        else if (b->s.rom.phase == ROM_LISTENING || rom_over_spi(b))
            rom_spi_poll(b);
        else
            more = rom_uart_poll(b);
    }
    return interrupted(b);
}

/** AN3155 3.5 has the peripherals put back before; what real parts do is the opposite: all stays as it is. */
void rom_go(struct board *b)
{
    uint32_t at = b->s.rom.address;
    const uint8_t *vectors = board_memory(b, at, 8, false);
    if (!vectors)
        return; /* the address was looked at when it came */
    uint32_t sp = load32(vectors), entry = load32(vectors + 4);
    b->s.rom.phase = ROM_OFF;
    board_iwdg_write(b, 0, 0x00, 0xAAAAu, UINT32_MAX); /* the last feed */
    b->s.cpu = BOARD_CPU_RUNNING;
    board_cpu_start(b, sp, entry);
    board_log_event(b, "ROM: Go 0x%08x: SP 0x%08x, PC 0x%08x", at, sp, entry);
}

/* --------------------------------------------------------------------------------------------------- from outside */

const char *board_rom_interface(const struct board *b)
{
    static const char *const names[] = {"listening", "USART1", "USART3", "SPI1", "SPI2"};
    if (b->s.cpu != BOARD_CPU_ROM || b->s.rom.phase == ROM_OFF)
        return "off";
    return b->s.rom.phase == ROM_STARTING ? "starting" : names[b->s.rom.via];
}

void board_rom_nack(struct board *b, uint32_t skip, uint32_t count)
{
    b->s.rom.nack_skip = skip;
    b->s.rom.nack_count = count;
}

void board_rom_mute(struct board *b, bool mute)
{
    b->s.rom.mute = mute;
}

void board_rom_early_ack(struct board *b, bool early)
{
    b->s.rom.early_ack = early;
}

bool board_rom_baud_error(struct board *b, int per_mille, uint32_t count)
{
    if (per_mille < -500 || per_mille > 500)
        return false;
    b->s.rom.baud_error = per_mille;
    b->s.rom.baud_errors = count;
    return true;
}
