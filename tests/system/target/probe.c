/* SPDX-License-Identifier: MIT */
/* An application for tests of the agent: it calls what an application may call, also where that makes no sense, and
 * prints what came of it. PROBE_RECOVERS: after 3 s it asks for the bootloader, once. PROBE_ASTRAY: it reaches into
 * slot A wherever it runs, as code does whose relocation was missed. */
#include "fota_agent.h"

#include "chip.h"
#include "stm32f407.h"

#include <string.h>

#define CRYSTAL_HZ 8000000u
#define CONFIRM_MS 500u
#define RECOVER_MS 3000u
#define WAS_HERE 0x50524F42u
#define SLOT_A_CODE 0x08004200u

enum astray { ASTRAY_NOT, ASTRAY_READS, ASTRAY_CALLS };

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = 1, .minor = PROBE_MINOR, .patch = 0, .counter = 1);

static volatile uint32_t milliseconds;
static volatile int in_interrupt = 1;
static uint8_t ring[2048] __attribute__((aligned(4)));
static struct uart uart;
static struct fota_agent agent;
static struct fota_agent_update update;

void SysTick_Handler(void);
FOTA_FAULT_HANDLER(HardFault_Handler);

void SysTick_Handler(void)
{
    if (++milliseconds == CONFIRM_MS)
        in_interrupt = fota_confirm(&agent);
}

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
static const struct fota_agent_hooks hooks = {.window = 1536, .chunk = 512};

static void say(const char *text)
{
    line_send(&uart.line, (const uint8_t *) text, strlen(text));
}

static void say_result(const char *what, int result)
{
    char digits[] = "-00";

    digits[1] = (char) ('0' + -result / 10 % 10);
    digits[2] = (char) ('0' + -result % 10);
    say(what);
    say(result == 0 ? "0" : digits);
    say("\r\n");
}

static bool on_trial(void)
{
    struct fota_boot_info info;

    fota_boot_info(&agent, &info);
    return info.trial;
}

/* A voltage detector of its own, at 2.0 V. Nothing handles its interrupt: where that comes, the application is dead. */
static void watch_supply(void)
{
    RCC->APB1ENR |= RCC_APB1_PWR;
    PWR->CR |= PWR_CR_PVDE;
    EXTI->RTSR |= EXTI_PVD;
    EXTI->FTSR |= EXTI_PVD;
    EXTI->IMR |= EXTI_PVD;
    NVIC->ISER[0] = BIT(1);
}

static void recover_once(void)
{
    if (backup_read((enum backup_word) 0) == WAS_HERE)
        return;
    backup_write((enum backup_word) 0, WAS_HERE);
    fota_request_recovery();
}

/* The address is put together, so that no word of the image is one that should have moved with it. */
static void go_astray(void)
{
    uint32_t address = SLOT_A_CODE - FOTA_FLASH_BASE;

    __asm("" : "+r"(address));
    if (PROBE_ASTRAY == ASTRAY_READS)
        (void) *(const volatile uint32_t *) (uintptr_t) (FOTA_FLASH_BASE + address);
    if (PROBE_ASTRAY == ASTRAY_CALLS)
        ((void (*)(void))(uintptr_t) ((FOTA_FLASH_BASE + address) | 1u))();
}

int main(void)
{
    (void) clock_fast(CRYSTAL_HZ);
    (void) uart_start(&uart, 3, 115200, ring, sizeof ring);
    (void) fota_agent_start(&agent, &port);
    (void) fota_agent_updates(&agent, &update, &hooks);
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
    watch_supply();
    say(on_trial() ? "\r\nprobe on trial\r\n" : "\r\nprobe confirmed\r\n");
    for (;;) { /* endless: an application */
        int noted = in_interrupt;

        (void) fota_agent_poll(&agent);
        fota_feed(&agent);
        if (noted != 1) { /* the wish was noted before this round, so it has come true in it */
            in_interrupt = 1;
            say_result("in an interrupt: ", noted);
            say(on_trial() ? "still on trial\r\n" : "then confirmed\r\n");
            say_result("again: ", fota_confirm(&agent));
            go_astray();
        }
        if (PROBE_RECOVERS != 0 && milliseconds >= RECOVER_MS)
            recover_once();
        chip_wait_for_interrupt();
    }
}
