/* SPDX-License-Identifier: MIT */
/* Vector table and start of an application. Handlers have their CMSIS names and are weak, so that an
 * application defines those it needs. */
#include "stm32f407.h"

#include <string.h>

extern uint32_t _stack_top, _data, _data_end, _data_load, _bss, _bss_end;

int main(void);
_Noreturn void Reset_Handler(void);
void Default_Handler(void);

#define CPACR (*(volatile uint32_t *) 0xE000ED88u)

void Default_Handler(void)
{
    for (;;) /* endless: the watchdog ends it */
        continue;
}

#define WEAK __attribute__((weak, alias("Default_Handler")))
void NMI_Handler(void) WEAK;
void HardFault_Handler(void) WEAK;
void MemManage_Handler(void) WEAK;
void BusFault_Handler(void) WEAK;
void UsageFault_Handler(void) WEAK;
void SVC_Handler(void) WEAK;
void DebugMon_Handler(void) WEAK;
void PendSV_Handler(void) WEAK;
void SysTick_Handler(void) WEAK;

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handler[CHIP_VECTORS - 1u])(void);
} vectors = {
    .stack = &_stack_top,
    .handler = {(void (*)(void)) Reset_Handler, NMI_Handler, HardFault_Handler, MemManage_Handler, BusFault_Handler,
                UsageFault_Handler, 0, 0, 0, 0, SVC_Handler, DebugMon_Handler, 0, PendSV_Handler, SysTick_Handler,
                [15 ... CHIP_VECTORS - 2u] = Default_Handler},
};

_Noreturn void Reset_Handler(void)
{
    CPACR |= 0xFu << 20; /* FPU on (ARMv7-M ARM B3.2.20) */
    chip_barrier();
    memcpy(&_data, &_data_load, (uintptr_t) &_data_end - (uintptr_t) &_data);
    memset(&_bss, 0, (uintptr_t) &_bss_end - (uintptr_t) &_bss);
    (void) main();
    for (;;) /* endless: the application is over, until the watchdog or somebody resets the chip */
        continue;
}
