/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

_Noreturn void chip_jump(uint32_t vectors)
{
    const uint32_t *table = (const uint32_t *) (uintptr_t) vectors;

    __asm volatile("cpsid i" ::: "memory");
    SYSTICK->CTRL = 0;
    SYSTICK->LOAD = 0;
    SYSTICK->VAL = 0;
    clock_reset(); /* DMA and all the other peripherals end here */
    for (unsigned i = 0; i < 8u; i++) {
        NVIC->ICER[i] = UINT32_MAX;
        NVIC->ICPR[i] = UINT32_MAX;
    }
    SCB->ICSR = SCB_ICSR_PENDSTCLR | SCB_ICSR_PENDSVCLR;
    SCB->VTOR = vectors;
    chip_barrier();
    /* the stack changes under our feet: all in one piece, in registers */
    __asm volatile(
        "movs r2, #0\n\t"
        "msr control, r2\n\t"
        "msr msp, %0\n\t"
        "dsb\n\t"
        "isb\n\t"
        "cpsie i\n\t"
        "bx %1"
        :
        : "r"(table[0]), "r"(table[1])
        : "r2", "memory");
    __builtin_unreachable();
}
