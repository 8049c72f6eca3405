/* SPDX-License-Identifier: MIT */
/** @file mpu.c What must not be executed. */
#include "chip.h"

NAKED static void jump(uint32_t address)
{
    __asm volatile("bx r0");
}

/* Code in RAM whose first 32 bytes must not be executed; a fault goes on behind them. */
void test_execute_never(void)
{
    static uint16_t code[32] __attribute__((aligned(64)));
    uint32_t at = (uint32_t) code;
    for (unsigned i = 0; i < 32; i++)
        code[i] = 0xBF00; /* nop */
    code[16] = 0x4770;    /* bx lr */
    SCB_SHCSR |= 7u << 16;
    EQUAL("mpu: eight regions", MPU_TYPE, 0x800);
    MPU_RBAR = at | 0x10u | 3u;                               /* region 3 */
    MPU_RASR = 1u << 28 | 3u << 24 | 1u << 17 | 4u << 1 | 1u; /* 32 bytes, execute-never */
    EQUAL("mpu: the region's number", MPU_RBAR, at | 3u);
    last_fault.count = 0;
    fault_skip = 32;
    jump(at | 1u);
    EQUAL("mpu: off", last_fault.count, 0);
    MPU_CTRL = 5;
    __asm volatile("dsb\n isb" ::: "memory");
    jump(at | 1u);
    EQUAL("mpu: execute-never is a MemManage fault", last_fault.exception, 4);
    EQUAL("mpu: IACCVIOL", last_fault.cfsr & 0xFFu, 1);
    EQUAL("mpu: stacked PC", last_fault.pc, at);
    last_fault.count = 0;
    jump((at + 32u) | 1u);
    EQUAL("mpu: behind the region", last_fault.count, 0);
    MPU_RBAR = at | 0x10u | 4u; /* a higher number counts more */
    MPU_RASR = 3u << 24 | 1u << 17 | 4u << 1 | 1u;
    __asm volatile("dsb\n isb" ::: "memory");
    jump(at | 1u);
    EQUAL("mpu: of two regions the higher", last_fault.count, 0);
    MPU_RASR = 0;
    MPU_CTRL = 0;
    MPU_RBAR = 0x10u | 3u;
    MPU_RASR = 0;
    SCB_SHCSR &= ~(7u << 16);
    __asm volatile("dsb\n isb" ::: "memory");
}
