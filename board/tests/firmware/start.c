/* SPDX-License-Identifier: MIT */
/** @file start.c Vector table, start-up and the handlers of the self-test. */
#include "chip.h"

#include <string.h>

extern uint8_t _ramcode[], _data_end[], _ramcode_load[], _bss[], _bss_end[], _stack_top[];
int main(void);

void (*irq_hook[82])(void);
void (*systick_hook)(void), (*pendsv_hook)(void);
uint32_t *(*svc_hook)(uint32_t *frame, uint32_t exc_return);
volatile struct fault last_fault;
volatile uint32_t fault_skip;

void reset_handler(void)
{
    memcpy(_ramcode, _ramcode_load, (size_t) (_data_end - _ramcode));
    memset(_bss, 0, (size_t) (_bss_end - _bss));
    main();
    for (;;)
        wait_for_interrupt();
}

__attribute__((used)) static void fault(uint32_t *frame, uint32_t exc_return)
{
    uint32_t n;
    __asm volatile("mrs %0, ipsr" : "=r"(n));
    last_fault.exception = n;
    last_fault.exc_return = exc_return;
    last_fault.pc = frame[6];
    last_fault.xpsr = frame[7];
    last_fault.lr = frame[5];
    last_fault.cfsr = SCB_CFSR;
    last_fault.hfsr = SCB_HFSR;
    last_fault.bfar = SCB_BFAR;
    last_fault.count++;
    SCB_CFSR = last_fault.cfsr;
    SCB_HFSR = last_fault.hfsr;
    if (last_fault.cfsr & (1u << 17)) { /* INVSTATE: go back to where the call came from */
        frame[6] = frame[5] & ~1u;
        frame[7] |= 1u << 24;
    } else
        frame[6] += fault_skip;
#ifdef FOR_QEMU /* faults of stores are precise there: go past the instruction */
    if ((last_fault.cfsr & 1u << 9) && fault_skip == 0)
        frame[6] += *(volatile uint16_t *) frame[6] >> 11 >= 0x1Du ? 4 : 2;
#endif
}

NAKED static void fault_handler(void)
{
    __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n b fault");
}

__attribute__((used)) static void svc(uint32_t *frame, uint32_t exc_return)
{
    if (svc_hook)
        svc_hook(frame, exc_return);
}

NAKED static void svc_handler(void)
{
    __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n b svc");
}

static void systick_handler(void)
{
    if (systick_hook)
        systick_hook();
}

static void pendsv_handler(void)
{
    if (pendsv_hook)
        pendsv_hook();
}

static void irq_handler(void)
{
    uint32_t n;
    __asm volatile("mrs %0, ipsr" : "=r"(n));
    if (irq_hook[n - 16])
        irq_hook[n - 16]();
    else
        NVIC_ICER((n - 16) / 32) = 1u << ((n - 16) % 32);
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16 + 82] = {
    [0] = (vector) _stack_top, [1] = reset_handler,    [2] = fault_handler,       [3] = fault_handler,
    [4] = fault_handler,       [5] = fault_handler,    [6] = fault_handler,       [11] = svc_handler,
    [14] = pendsv_handler,     [15] = systick_handler, [16 ... 97] = irq_handler,
};
