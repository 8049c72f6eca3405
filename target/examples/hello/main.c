/* SPDX-License-Identifier: MIT */
/*
 * hello: the smallest application that can be updated. It says its version and slot on USART3, blinks the
 * green LED of the Discovery board, answers the gateway through the agent on USART3 and SPI1, feeds the watchdog, and
 * confirms its trial after a self-test.
 *
 * HELLO_FLAW builds the ways in which an update can be bad, to see each of them rolled back.
 */
#include "chip.h"
#include "fota_agent.h"
#include "stm32f407.h"

#include <string.h>

#define CRYSTAL_HZ 8000000u
#define SELF_TEST_MS 1000u
#define FLAW_MS 1500u /* when a flaw shows */
#define RING_SIZE 2048u
#define LED_PORT 3u /* PD12 */
#define LED_PIN 12u

enum flaw { FLAW_NONE, FLAW_NEVER_CONFIRMS, FLAW_HANGS, FLAW_FAULTS, FLAW_RESETS };

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = HELLO_MAJOR, .minor = HELLO_MINOR, .patch = HELLO_PATCH,
                 .counter = HELLO_COUNTER);

extern const uint8_t hello_ballast[], hello_ballast_end[]; /* ballast.S */

static const enum flaw flaw = HELLO_FLAW;
static volatile uint32_t milliseconds;
static uint8_t ring[RING_SIZE] __attribute__((aligned(4))), spi_ring[RING_SIZE] __attribute__((aligned(4)));
static struct uart uart;
static struct spi spi;
static struct line *const lines[] = {&uart.line, &spi.line};
static struct fota_agent agent;

void SysTick_Handler(void);

void SysTick_Handler(void)
{
    milliseconds++;
}

FOTA_FAULT_HANDLER(HardFault_Handler);

/* --- what the agent needs --------------------------------------------------------------------------------------- */

static void port_send(void *ctx, unsigned n, const uint8_t *data, size_t length)
{
    (void) ctx;
    line_send(lines[n], data, length);
}

static void port_flush(void *ctx, unsigned n)
{
    (void) ctx;
    line_flush(lines[n]);
}

static uint32_t port_now(void *ctx)
{
    (void) ctx;
    return milliseconds;
}

static const struct fota_agent_port port = {.send = port_send, .flush = port_flush, .now_ms = port_now};

/* --- text ------------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
    line_send(&uart.line, (const uint8_t *) text, strlen(text));
}

static void say_number(uint32_t n)
{
    char digits[11];
    unsigned at = sizeof digits - 1u;

    digits[at] = '\0';
    do {
        digits[--at] = (char) ('0' + n % 10u);
        n /= 10u;
    } while (n > 0);
    say(digits + at);
}

static void introduce(void)
{
    struct fota_boot_info info;

    fota_boot_info(&agent, &info);
    say("\r\nhello ");
    say_number(info.version.major);
    say(".");
    say_number(info.version.minor);
    say(".");
    say_number(info.version.patch);
    say(info.slot == FOTA_SLOT_A ? " in slot A" : info.slot == FOTA_SLOT_B ? " in slot B" : " outside the slots");
    if (info.trial) {
        say(", trial ");
        say_number(info.attempt);
    } else {
        say(", confirmed");
    }
    say("\r\n");
}

/* --- the application -------------------------------------------------------------------------------------------- */

/* Does the chip do what this application needs, and is all of it there? The sum runs on the FPU. */
static bool self_test(void)
{
    volatile float sum = 0.0f;

    for (unsigned i = 1; i <= 100u; i++)
        sum += (float) i;
    for (const uint8_t *byte = hello_ballast; (uintptr_t) byte < (uintptr_t) hello_ballast_end; byte++)
        if (*byte < 0x40u)
            return false;
    return sum == 5050.0f;
}

static void show_flaw(void)
{
    if (flaw == FLAW_HANGS) {
        SYSTICK->CTRL = 0; /* waits for an interrupt that never comes */
        for (;;)           /* endless: the watchdog has to find it */
            chip_wait_for_interrupt();
    }
    if (flaw == FLAW_FAULTS)
        *(volatile uint32_t *) 0x60000000u = 0; /* nothing is there: a bus fault */
    if (flaw == FLAW_RESETS)
        chip_reset();
}

static void blink(void)
{
    GPIO(LED_PORT)->BSRR = BIT(LED_PIN + ((milliseconds / 500u) % 2u == 0 ? 0u : 16u));
}

int main(void)
{
    bool confirmed = false, linked;

    (void) clock_fast(CRYSTAL_HZ);
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
    RCC->AHB1ENR |= RCC_AHB1_GPIO(LED_PORT);
    (void) RCC->AHB1ENR;
    GPIO(LED_PORT)->MODER |= 1ul << (2u * LED_PIN);
    linked = uart_start(&uart, 3, 115200, ring, sizeof ring) && spi_start(&spi, spi_ring, sizeof spi_ring);
    (void) fota_agent_start(&agent, &port);
    introduce();
    for (;;) { /* endless: an application */
        for (unsigned i = 0; linked && i < sizeof lines / sizeof lines[0]; i++) {
            const uint8_t *data;
            size_t n = line_peek(lines[i], &data);

            fota_agent_receive(&agent, i, data, n);
            line_take(lines[i], n);
        }
        spi_tend(&spi);
        /* without its link it could never be updated again, so it does not stay */
        if (linked && flaw == FLAW_NONE && !confirmed && milliseconds >= SELF_TEST_MS && self_test()) {
            confirmed = fota_confirm(&agent) == FOTA_OK; /* else again in the next round, until the deadline */
            if (confirmed)
                introduce();
        }
        if (milliseconds >= FLAW_MS)
            show_flaw();
        fota_feed(&agent);
        blink();
        chip_wait_for_interrupt();
    }
}
