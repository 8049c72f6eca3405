/* SPDX-License-Identifier: MIT */
/*
 * busy: an application that has its own work and is updated meanwhile. Each millisecond an interrupt filters samples on
 * the FPU, out of memory that only the CPU reaches (CCM), and checks what a DMA transfer has copied: some 30 % of the
 * CPU. It may be late where the agent has announced an erase, and never else: it counts both, and says so once an
 * image is installed. It also measures how long fota_agent_poll() keeps the CPU, flash work and announced work left
 * out.
 *
 * BUSY_RING, BUSY_WINDOW, BUSY_CHUNK: the receive buffer, and what the gateway may send ahead.
 */
#include "fota_agent.h"

#include "chip.h"
#include "dma.h"
#include "stm32f407.h"

#include <string.h>

#define CRYSTAL_HZ 8000000u
#define SELF_TEST_MS 1000u
#define LATE_US 1500u /* from one interrupt to the next; 1 000 are meant */
#define POLLS 32u     /* in a millisecond */
#define UNDER_WAY 0xFFu
#define FILTERS 1000u
#define LOAD_PERMILLE 300u
#define TAPS 48u
#define SAMPLES 1024u
#define COPY_WORDS 64u
#define CYCLE_COUNTER (*(volatile uint32_t *) 0xE0001004u) /* DWT_CYCCNT, ARMv7-M ARM C1.8 */
#define CYCLE_CONTROL (*(volatile uint32_t *) 0xE0001000u)
#define DEBUG_CONTROL (*(volatile uint32_t *) 0xE000EDFCu)

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = BUSY_MAJOR, .minor = BUSY_MINOR, .patch = BUSY_PATCH, .counter = 1);

void SysTick_Handler(void);
FOTA_FAULT_HANDLER(HardFault_Handler);

/* --- the product's work ----------------------------------------------------------------------------------------- */

static float samples[SAMPLES] __attribute__((section(".ccm")));
static float filtered __attribute__((section(".ccm")));
static uint32_t copied[COPY_WORDS], pattern[COPY_WORDS];
static const struct dma_path copier = {DMA2, 1, 0}; /* memory to memory is DMA2's alone (RM0090 10.3.7) */

static volatile uint32_t milliseconds, interrupt_cycles;
static volatile uint8_t announced; /* interrupts that may be late: an erase is under way (UNDER_WAY), or just ended */
static volatile uint32_t late, late_announced, copies, bad_copies;
static uint32_t last_interrupt;

/* With FOTA_FLASH_IN_RAM the interrupt, its vector and all that it touches while an erase is under way lie in RAM, so
 * it is never late. */
static uint32_t cpu_mhz;
#ifdef FOTA_FLASH_IN_RAM
static uint32_t vectors[CHIP_VECTORS] __attribute__((aligned(512)));
#endif

static inline __attribute__((always_inline)) float filter(uint32_t at)
{
    float sum = 0.0f;

    for (unsigned i = 0; i < TAPS; i++)
        sum += samples[(at + i) % SAMPLES] * (1.0f / (float) TAPS);
    return sum;
}

static void copy_again(void)
{
    if (copies > 0 && memcmp(copied, pattern, sizeof pattern) != 0)
        bad_copies++;
    memset(copied, 0, sizeof copied);
    pattern[milliseconds % COPY_WORDS] += milliseconds;
    if (dma_stop(copier))
        dma_start(copier, (volatile uint32_t *) pattern, copied, COPY_WORDS,
                  DMA_CR_MINC | DMA_CR_PINC | DMA_CR_MEMORY | DMA_CR_WORDS);
    copies++;
}

CHIP_RAM void SysTick_Handler(void)
{
    uint32_t begin = CYCLE_COUNTER, budget = cpu_mhz * LOAD_PERMILLE;

    if (milliseconds > 1u && begin - last_interrupt > cpu_mhz * LATE_US) {
        if (announced)
            late_announced++;
        else
            late++;
    }
    if (announced != 0 && announced != UNDER_WAY)
        announced--;
    last_interrupt = begin;
    milliseconds++;
    samples[milliseconds % SAMPLES] = (float) (milliseconds % 7u);
    if (announced != UNDER_WAY)
        copy_again();
    for (unsigned i = 0; i < FILTERS && CYCLE_COUNTER - begin < budget; i++)
        filtered += filter(milliseconds + i);
    interrupt_cycles += CYCLE_COUNTER - begin;
}

/* --- what the agent needs --------------------------------------------------------------------------------------- */

static uint8_t ring[BUSY_RING] __attribute__((aligned(4)));
static struct uart uart;
static struct fota_agent agent;
static struct fota_agent_update update;
static uint32_t flash_cycles, longest_poll, announced_cycles, announced_at, filled, seconds;
static bool linked, installed;

static size_t port_peek(void *ctx, unsigned n, const uint8_t **data)
{
    (void) ctx;
    (void) n;
    return line_peek(&uart.line, data);
}

static void port_take(void *ctx, unsigned n, size_t count)
{
    (void) ctx;
    (void) n;
    line_take(&uart.line, count);
}

static void port_send(void *ctx, unsigned n, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) n;
    line_send(&uart.line, data, length);
}

static bool port_idle(void *ctx, unsigned n)
{
    (void) ctx;
    (void) n;
    return line_idle(&uart.line);
}

static void port_flush(void *ctx, unsigned n)
{
    (void) ctx;
    (void) n;
    line_flush(&uart.line);
}

static uint32_t port_now(void *ctx)
{
    (void) ctx;
    return milliseconds;
}

static const struct fota_agent_port port = {.peek = port_peek,
                                            .take = port_take,
                                            .send = port_send,
                                            .idle = port_idle,
                                            .flush = port_flush,
                                            .now_ms = port_now};

/* Every third second is none of quiet: a product has such moments. */
static bool quiet(void)
{
    return milliseconds / 1000u % 3u != 2u;
}

static bool may(void *ctx, enum fota_agent_work work, uint32_t ms)
{
    (void) ctx;
    (void) ms;
    if (BUSY_PATIENT != 0 && work != FOTA_WORK_VERIFY && !quiet())
        return false;
    if (work == FOTA_WORK_ERASE)
        announced = UNDER_WAY;
    announced_at = CYCLE_COUNTER;
    return true;
}

static void done(void *ctx, enum fota_agent_work work)
{
    (void) ctx;
    announced_cycles += CYCLE_COUNTER - announced_at;
    if (work == FOTA_WORK_ERASE)
        announced = 2; /* the one that was late has come, or comes now */
    installed = installed || work == FOTA_WORK_INSTALL;
}

static const struct fota_agent_hooks hooks = {.may = may, .done = done, .window = BUSY_WINDOW, .chunk = BUSY_CHUNK};

/* The flash, with a watch: its time is not the agent's. */
static int watched_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    return chip_flash.read(ctx, address, out, length);
}

static int watched_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    uint32_t interrupts = interrupt_cycles, begin = CYCLE_COUNTER;
    int error = chip_flash.program(ctx, address, data, length);

    flash_cycles += CYCLE_COUNTER - begin - (interrupt_cycles - interrupts);
    return error;
}

static int watched_erase(void *ctx, unsigned sector)
{
    return chip_flash.erase(ctx, sector);
}

static const struct fota_flash watched = {.read = watched_read, .program = watched_program, .erase = watched_erase};

static bool poll(void)
{
    uint32_t begin, interrupts, spent;
    bool more;

    flash_cycles = announced_cycles = 0;
    interrupts = interrupt_cycles;
    begin = CYCLE_COUNTER;
    more = fota_agent_poll(&agent);
    spent = CYCLE_COUNTER - begin - (interrupt_cycles - interrupts);
    if (announced_cycles == 0 && spent - flash_cycles > longest_poll)
        longest_poll = spent - flash_cycles;
    return more;
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
    line_send(&uart.line, (const uint8_t *) text, strlen(text));
}

static void say_number(const char *before, uint32_t n)
{
    char digits[11];
    unsigned at = sizeof digits - 1u;

    digits[at] = '\0';
    do {
        digits[--at] = (char) ('0' + n % 10u);
        n /= 10u;
    } while (n > 0);
    say(before);
    say(digits + at);
}

static void introduce(void)
{
    struct fota_boot_info info;

    fota_boot_info(&agent, &info);
    say_number("\r\nbusy ", info.version.major);
    say_number(".", info.version.minor);
    say_number(".", info.version.patch);
    say(info.slot == FOTA_SLOT_A ? " in slot A" : info.slot == FOTA_SLOT_B ? " in slot B" : " outside the slots");
    say(info.trial ? ", trial\r\n" : ", confirmed\r\n");
}

static void report(void)
{
    say_number("\r\nbusy: late ", late);
    say_number(", late in announced erases ", late_announced);
    say_number(", copies ", copies);
    say_number(", damaged ", bad_copies);
    say_number(", load ", filled);
    say_number(" permille, longest poll ", longest_poll / (clock_cpu_hz() / 1000000u));
    say(" us\r\n");
}

/* Load of the last second, in thousandths. */
static void measure_load(void)
{
    static uint32_t cycles;

    if (milliseconds / 1000u == seconds)
        return;
    seconds = milliseconds / 1000u;
    filled = (interrupt_cycles - cycles) / (clock_cpu_hz() / 1000u);
    cycles = interrupt_cycles;
}

static void work(void)
{
    static bool confirmed;

    for (unsigned i = 0; i < POLLS && poll(); i++)
        continue;
    measure_load();
    if (linked && !confirmed && milliseconds >= SELF_TEST_MS && late == 0 && bad_copies == 0) {
        confirmed = fota_confirm(&agent) == FOTA_OK;
        if (confirmed)
            introduce();
    }
    if (installed) {
        installed = false;
        report();
    }
    fota_feed(&agent);
}

int main(void)
{
    struct fota_config config;

    (void) clock_fast(CRYSTAL_HZ);
    cpu_mhz = clock_cpu_hz() / 1000000u;
    DEBUG_CONTROL |= BIT(24); /* TRCENA */
    CYCLE_CONTROL |= 1u;
    RCC->AHB1ENR |= RCC_AHB1_DMA(2u);
    (void) RCC->AHB1ENR;
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
    if (fota_config_decode((const uint8_t *) FOTA_CONFIG_BASE, &config) == FOTA_OK)
        linked = uart_start(&uart, config.uart, config.baud, ring, sizeof ring);
    if (fota_agent_start(&agent, &port) == FOTA_OK) {
        agent.journal.flash = &watched;
        (void) fota_agent_updates(&agent, &update, &hooks);
    }
#ifdef FOTA_FLASH_IN_RAM
    memcpy(vectors, (const void *) (uintptr_t) SCB->VTOR, sizeof vectors); /* after fota_agent_start() */
    SCB->VTOR = (uint32_t) (uintptr_t) vectors;
#endif
    introduce();
    for (;;) { /* endless: an application */
        work();
        chip_wait_for_interrupt();
    }
}
