/* SPDX-License-Identifier: MIT */
/**
 * @file board.c
 * The board as its users see it: creation, power, reset, running, serial ports, counters.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local char create_error[160];

#define RESET_PS (20u * (uint64_t) PS_PER_US) /* the chip holds NRST low for at least 20 us */

/* --------------------------------------------------------------------------------------------------- messages */

void board_log_event(struct board *b, const char *format, ...)
{
    char text[200];
    va_list args;
    if (!b->log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->log(b->log_ctx, board_now(b), text);
}

void board_say(struct board *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->message, sizeof b->message, format, args);
    va_end(args);
    if (b->log)
        b->log(b->log_ctx, board_now(b), b->message);
}

void board_rule(struct board *b, enum board_rule rule, uint32_t where, const char *format, ...)
{
    uint32_t place = where * 16u + (uint32_t) rule;
    va_list args;
    b->counters.rules[rule]++;
    for (unsigned i = 0; i < b->rule_seen_count; i++)
        if (b->rule_seen[i] == place)
            return;
    if (b->rule_seen_count < sizeof b->rule_seen / sizeof b->rule_seen[0])
        b->rule_seen[b->rule_seen_count++] = place;
    va_start(args, format);
    vsnprintf(b->message, sizeof b->message, format, args);
    va_end(args);
    if (b->log)
        b->log(b->log_ctx, board_now(b), b->message);
}

const char *board_rule_name(enum board_rule rule)
{
    static const char *const names[BOARD_RULES] = {"clock-gated", "flash-error",   "flash-zero-to-one", "flash-key",
                                                   "flash-flags", "flash-latency", "clock-limit",       "dma-setup",
                                                   "dma-address", "read-only",     "backup-locked",     "flash-supply"};
    return (unsigned) rule < BOARD_RULES ? names[rule] : "unknown";
}

uint64_t board_rule_violations(const struct board *b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < BOARD_RULES; i++)
        sum += b->counters.rules[i];
    return sum;
}

const char *board_message(const struct board *b)
{
    return b->message;
}

void board_on_log(struct board *b, void (*log)(void *, uint64_t, const char *), void *context)
{
    b->log = log;
    b->log_ctx = context;
}

/* --------------------------------------------------------------------------------------------------- creation */

uint64_t board_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u; /* SplitMix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void board_options_default(struct board_options *o)
{
    memset(o, 0, sizeof *o);
    o->cycles = 1.0;
    o->lsi_hz = 32000;
    o->hse_hz = 8000000;
    o->uid[0] = 0x0030001Cu;
    o->uid[1] = 0x34315114u;
    o->uid[2] = 0x36343631u;
    o->seed = 1;
    o->rom_gap_ns = FOTA_ST_SPI_GAP_NS;
}

static bool check_options(struct board *b)
{
    struct board_options *o = &b->options, d;
    board_options_default(&d);
    o->cycles = o->cycles == 0.0 ? d.cycles : o->cycles;
    o->lsi_hz = o->lsi_hz ? o->lsi_hz : d.lsi_hz;
    o->hse_hz = o->hse_hz ? o->hse_hz : d.hse_hz;
    o->rom_gap_ns = o->rom_gap_ns ? o->rom_gap_ns : d.rom_gap_ns;
    if (!(o->uid[0] | o->uid[1] | o->uid[2]))
        memcpy(o->uid, d.uid, sizeof o->uid);
    if (!(o->cycles >= 1.0 && o->cycles <= 8.0))
        board_say(b, "cycles per instruction is %g, but must be 1.0 to 8.0", o->cycles);
    else if (o->lsi_hz < 17000 || o->lsi_hz > 47000)
        board_say(b, "LSI is %u Hz, but the chip's is 17000 to 47000", o->lsi_hz);
    else if (o->hse_hz < 4000000 || o->hse_hz > 26000000)
        board_say(b, "HSE is %u Hz, but must be 4 to 26 MHz", o->hse_hz);
    else if (o->rom_gap_ns > 1000000u)
        board_say(b, "the ROM's gap between two SPI bytes is %u ns, but must be at most 1000000", o->rom_gap_ns);
    else
        return true;
    return false;
}

struct board *board_create(const struct board_options *options)
{
    struct board *b = calloc(1, sizeof *b);
    create_error[0] = 0;
    if (!b) {
        snprintf(create_error, sizeof create_error, "out of memory");
        return NULL;
    }
    b->flash_fd = -1;
    if (options)
        b->options = *options;
    else
        board_options_default(&b->options);
    b->s.per_insn = 1u << 16;
    b->s.cpu = BOARD_CPU_OFF;
    b->s.random = b->options.seed;
    b->s.supply_mv = 3300;
    b->deadline = NEVER;
    b->weak.next = NEVER;
    for (unsigned e = 0; e < EV_COUNT; e++)
        b->s.due[e] = NEVER;
    for (unsigned i = 0; i < BOARD_UARTS; i++)
        b->s.uart[i].connected = 1;
    if (!check_options(b) || !board_store_open(b, b->options.flash_path) || !board_cpu_create(b)) {
        snprintf(create_error, sizeof create_error, "%s", b->message);
        board_destroy(b);
        return NULL;
    }
    b->options.flash_path = NULL; /* the caller's string need not live on */
    board_rcc_reset(b, true);
    return b;
}

const char *board_create_error(void)
{
    return create_error;
}

void board_destroy(struct board *b)
{
    if (!b)
        return;
    if (b->uc && b->s.powered)
        board_power(b, false); /* an operation under way is torn, as by any loss of power */
    board_cpu_destroy(b);
    board_store_close(b);
    for (unsigned i = 0; i < BOARD_UARTS; i++) {
        bytes_free(&b->to_chip[i]);
        bytes_free(&b->from_chip[i]);
    }
    for (unsigned i = 0; i < BOARD_SPIS; i++) {
        bytes_free(&b->to_spi[i]);
        bytes_free(&b->from_spi[i]);
    }
    free(b);
}

/* -------------------------------------------------------------------------------------------- power and reset */

void board_reseed(struct board *b, uint64_t seed)
{
    b->options.seed = b->s.random = seed;
}

static void noise(struct board *b, uint8_t *p, uint32_t len)
{
    for (uint32_t i = 0; i < len; i += 8) {
        uint64_t r = board_random(&b->s.random);
        memcpy(p + i, &r, 8);
    }
}

void board_noise_in_ram(struct board *b, uint32_t len)
{
    noise(b, b->sram, len);
    board_ram_changed(b, FOTA_RAM_BASE, len);
}

void board_fill_with_noise(struct board *b)
{
    noise(b, b->sram, FOTA_RAM_SIZE);
    noise(b, b->ccm, FOTA_CCM_SIZE);
    for (unsigned i = 0; i < sizeof b->s.bkpsram / 4u; i++)
        b->s.bkpsram[i] = (uint32_t) (b->options.seed * 0x9E3779B9u + i * 0x85EBCA6Bu);
    board_ram_changed(b, FOTA_RAM_BASE, FOTA_RAM_SIZE);
    board_ram_changed(b, FOTA_CCM_BASE, FOTA_CCM_SIZE);
}

void board_lose_power(struct board *b)
{
    b->s.switched_on = 0;
    if (b->s.cut_at && b->s.cut_phase == BOARD_CUT_INSIDE && b->s.cut_at == b->s.operations) {
        b->counters.power_cuts++;
        b->s.cut_at = 0;
        board_flash_tear(b, b->s.cut_seed ? b->s.cut_seed : 1u);
    }
    b->s.power_lost = 1;
    b->attention = true;
}

/** Everything but the CPU back to its state after a reset. */
void board_reset_peripherals(struct board *b, bool power)
{
    board_flash_reset(b);
    board_rcc_reset(b, power);
    board_nvic_reset(b);
    board_peripherals_reset(b);
    board_iwdg_reset(b);
    board_rom_reset(b);
    b->s.reset_request = 0;
    b->s.invstate = 0;
    b->bus_fault_late = b->fp_trap = b->never = false;
    b->usage_fault = 0;
}

void board_reset_assert(struct board *b, enum board_reset cause)
{
    static const uint32_t flag[BOARD_RESET_CAUSES] = {0x0E000000u, 0x04000000u, 0x14000000u, 0x24000000u, 0x06000000u};
    static const char *const name[BOARD_RESET_CAUSES] = {"power-on", "NRST", "software", "watchdog", "brown-out"};
    board_flash_tear(b, board_random(&b->s.random) | 1u);
    board_reset_peripherals(b, false);
    b->counters.resets[cause]++;
    b->s.csr_flags |= flag[cause];
    b->s.cpu = BOARD_CPU_RESET;
    board_log_event(b, "reset: %s", name[cause]);
    if (!board_brown_out(b) && !b->s.nrst_low) /* the reset has taken a new brown-out level over */
        board_schedule(b, EV_POWER_UP, board_time(b) + RESET_PS);
}

void board_reset_end(struct board *b)
{
    b->s.rcc.regs[0x74 / 4] |= b->s.csr_flags;
    b->s.csr_flags = 0;
    b->s.reset_time = board_time(b);
    b->reset_event = true;
    b->attention = true;
    if (!(b->s.flash.optcr & 1u << 5)) /* WDG_SW = 0: the watchdog is started by the hardware */
        board_iwdg_write(b, 0, 0, 0xCCCCu, 0xFFFFFFFFu);
    if (b->s.boot0) {
        b->s.cpu = BOARD_CPU_ROM;
        board_rom_enter(b);
        return;
    }
    b->s.cpu = BOARD_CPU_RUNNING;
    board_cpu_reset(b);
    board_log_event(b, "start: SP 0x%08x, PC 0x%08x", load32(b->flash), load32(b->flash + 4));
}

void board_nrst(struct board *b, bool low)
{
    if (low == (b->s.nrst_low != 0))
        return;
    b->s.nrst_low = low;
    if (!b->s.powered)
        return;
    if (low) {
        board_reset_assert(b, BOARD_RESET_PIN);
        board_cancel(b, EV_POWER_UP);
    } else if (!b->s.brown_out)
        board_schedule(b, EV_POWER_UP, board_time(b) + RESET_PS);
}

void board_boot0(struct board *b, bool high)
{
    b->s.boot0 = high;
}

bool board_nrst_is_low(const struct board *b)
{
    return b->s.nrst_low != 0;
}

bool board_boot0_is_high(const struct board *b)
{
    return b->s.boot0 != 0;
}

/* ---------------------------------------------------------------------------------------------------- running */

enum board_stop board_run_until(struct board *b, uint64_t ns, unsigned on)
{
    uint64_t now = board_time(b);
    b->on = on;
    b->deadline = ns >= (NEVER - now) / PS_PER_NS ? NEVER : now + ns * PS_PER_NS;
    b->uart_event = b->reset_event = b->lockup_event = b->sleep_event = b->stop_request = b->address_hit = false;
    board_time_horizon(b);
    b->in_run = true;
    enum board_stop stop = board_cpu_loop(b);
    b->in_run = false;
    board_weak_calm(b);
    b->deadline = NEVER;
    b->on = 0;
    board_time_horizon(b);
    return stop;
}

enum board_stop board_run(struct board *b, uint64_t ns)
{
    return board_run_until(b, ns, 0);
}

/** Drop the ring up to and including the text. @return true when it was there. */
static bool take_text(struct bytes *q, const char *text, size_t len)
{
    for (size_t at = 0; at + len <= q->count; at++) {
        size_t i = 0;
        while (i < len && q->data[(q->head + at + i) % q->size] == (uint8_t) text[i])
            i++;
        if (i == len) {
            for (size_t k = 0; k < at + len; k++)
                bytes_pop(q);
            return true;
        }
    }
    return false;
}

bool board_run_until_text(struct board *b, unsigned n, const char *text, uint64_t ns)
{
    size_t len = strlen(text);
    uint64_t end = ns >= BOARD_FOREVER - board_now(b) ? BOARD_FOREVER : board_now(b) + ns;
    if (n < 1 || n > BOARD_UARTS)
        return false;
    while (!take_text(&b->from_chip[n - 1], text, len)) {
        if (board_now(b) >= end)
            return false;
        enum board_stop stop = board_run_until(b, end == BOARD_FOREVER ? end : end - board_now(b), BOARD_ON_UART);
        if (stop != BOARD_STOP_UART)
            return take_text(&b->from_chip[n - 1], text, len);
    }
    return true;
}

void board_request_stop(struct board *b)
{
    b->stop_request = true;
    b->attention = true;
}

uint64_t board_now(const struct board *b)
{
    return board_time(b) / PS_PER_NS;
}

uint64_t board_reset_time(const struct board *b)
{
    return b->s.reset_time / PS_PER_NS;
}

uint64_t board_next_event(const struct board *b)
{
    if (b->s.cpu == BOARD_CPU_RUNNING && !board_cpu_stalled(b))
        return board_now(b);
    uint64_t next = board_next_due_chip(b);
    return next == NEVER ? BOARD_FOREVER : next / PS_PER_NS;
}

enum board_cpu_state board_cpu(const struct board *b)
{
    return (enum board_cpu_state) b->s.cpu;
}

const struct board_counters *board_counters(struct board *b)
{
    b->counters.instructions = b->s.icount;
    b->counters.virtual_ns = board_now(b);
    b->counters.flash_operations = b->s.operations;
    return &b->counters;
}

void board_counters_reset(struct board *b)
{
    memset(&b->counters, 0, sizeof b->counters);
    b->rule_seen_count = 0;
    board_counters(b);
}
