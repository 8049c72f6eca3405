/* SPDX-License-Identifier: MIT */
/**
 * @file qemu.c
 * The part of the self-test that QEMU's netduinoplus2 has as well: instructions, exceptions, faults,
 * the FPU, SysTick, USART1 by polling, software reset. Results go out on USART1. The same binary runs on the virtual
 * board.
 */
#include "chip.h"

#include <string.h>

NOINIT struct kept kept;
#define MAGIC 0x9E3079E3u

void say(const char *text)
{
    for (; *text; text++) {
        while (!(USART(1, 0) & 0x80u))
            ;
        USART(1, 4) = (uint8_t) *text;
    }
}

static struct {
    const char *name;
    uint32_t value;
    bool ok;
} results[120];
static unsigned result_count;

void check(const char *name, bool ok, uint32_t value)
{
    if (result_count == sizeof results / sizeof results[0])
        return;
    results[result_count].name = name;
    results[result_count].ok = ok;
    results[result_count++].value = value;
}

/** Not during the checks: sending takes time, and some of them count it. */
void report(void)
{
    for (unsigned i = 0; i < result_count; i++) {
        say(results[i].ok ? "ok " : "FAIL ");
        say(results[i].name);
        say(results[i].ok ? "" : " ");
        for (int k = 28; k >= 0 && !results[i].ok; k -= 4)
            say((char[2]){"0123456789abcdef"[results[i].value >> k & 15u], 0});
        say("\n");
    }
    result_count = 0;
}

int main(void)
{
    RCC_AHB1ENR |= 1u;
    RCC_APB2ENR |= 1u << 4;
    GPIO('A', 0x24) = 0x770u; /* AF7 on PA9, PA10 */
    GPIO('A', 0x00) = 0xA8280000u;
    USART(1, 8) = 16000000u / 115200u;
    USART(1, 12) = 1u << 13 | 1u << 3 | 1u << 2;
    if (kept.magic != MAGIC) {
        memset(&kept, 0, sizeof kept);
        kept.magic = MAGIC;
        test_cpu();
        report();
        test_exceptions();
        report();
        test_faults();
        report();
        test_fpu();
        report();
        say("RESET\n");
        SCB_AIRCR = 0x05FA0004u;
        barrier();
        for (;;)
            ;
    }
    CHECK("reset: SYSRESETREQ, and SRAM survives", true);
    EQUAL("reset: VTOR", SCB_VTOR & 0x1FFFFFFFu, SCB_VTOR & 0x08000000u);
    report();
    say("DONE\n");
    for (;;)
        wait_for_interrupt();
}
