/* SPDX-License-Identifier: MIT */
#include "chip.h"
#include "stm32f407.h"

/* Normal memory, as in the default map. */
#define WHOLE (MPU_RASR_ENABLE | MPU_RASR_CACHED | MPU_RASR_FULL_ACCESS)

#define REGIONS 3u

void chip_execute_only(uint32_t base, unsigned bits)
{
    const uint32_t regions[REGIONS][2] = {
        {0, MPU_RASR_SIZE(29u) | WHOLE | MPU_RASR_XN},           /* flash, its alias at 0, CCM, system memory */
        {0x20000000u, MPU_RASR_SIZE(29u) | WHOLE | MPU_RASR_XN}, /* RAM */
        {base, MPU_RASR_SIZE(bits) | WHOLE},                     /* of two regions the higher number counts */
    };

    for (uint32_t i = 0; i < REGIONS; i++) {
        MPU->RBAR = regions[i][0] | MPU_RBAR_VALID | i;
        MPU->RASR = regions[i][1];
    }
    MPU->CTRL = MPU_CTRL_ENABLE | MPU_CTRL_PRIVDEFENA;
    chip_barrier();
}

/* The regions of above, as after reset. */
static void execute_all(void)
{
    MPU->CTRL = 0;
    for (uint32_t i = 0; i < REGIONS; i++) {
        MPU->RBAR = MPU_RBAR_VALID | i;
        MPU->RASR = 0;
    }
    MPU->RNR = 0;
}

_Noreturn void chip_jump(uint32_t vectors, const uint32_t start[2])
{
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
    if (start[1] - SCB->VTOR >= FOTA_CODE_MAX)
        chip_reset(); /* the vectors of one slot, the start of the other: an instruction was skipped */
    execute_all();
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
        : "r"(start[0]), "r"(start[1])
        : "r2", "memory");
    chip_reset(); /* the bx was skipped */
}
