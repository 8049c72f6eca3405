/* SPDX-License-Identifier: MIT */
/** @file cpu.c Instructions, exceptions, faults, floating point, SysTick. */
#include "chip.h"

static volatile uint32_t order[16], order_count;
static void note(uint32_t v)
{
    if (order_count < 16)
        order[order_count] = v;
    order_count++;
}

/* ------------------------------------------------------------------------------------------------ instructions */

void test_cpu(void)
{
    uint32_t a, b;
    EQUAL("cpu: CPUID is a Cortex-M4", SCB_CPUID & 0xFF0FFFF0u, 0x410FC240u);
#ifndef FOR_QEMU /* which has none of these */
    EQUAL("dbgmcu: device id", DBGMCU_IDCODE & 0xFFFu, 0x413u);
    EQUAL("flash size register", REG16(0x1FFF7A22), 1024);
    CHECK("unique id", REG(0x1FFF7A10) != 0xFFFFFFFFu && REG(0x1FFF7A10) != 0);
#endif
    EQUAL("alias at 0 shows the flash", REG(0), REG(0x08000000));
    __asm volatile("ldr %0, =0x12345678\n rbit %0, %0" : "=r"(a));
    EQUAL("cpu: RBIT", a, 0x1E6A2C48u);
    __asm volatile("movs r0, #100\n movs r1, #7\n udiv %0, r0, r1" : "=r"(a)::"r0", "r1");
    EQUAL("cpu: UDIV", a, 14);
    __asm volatile("movs r0, #100\n movs r1, #0\n udiv %0, r0, r1" : "=r"(a)::"r0", "r1");
    EQUAL("cpu: UDIV by 0 gives 0", a, 0);
    __asm volatile("ldr r0, =0x7fff7fff\n ldr r1, =0x00010001\n qadd16 %0, r0, r1" : "=r"(a)::"r0", "r1");
    EQUAL("cpu: QADD16 saturates", a, 0x7fff7fffu);
    __asm volatile("ldr r0, =0x00030002\n ldr r1, =0x00050004\n smuad %0, r0, r1" : "=r"(a)::"r0", "r1");
    EQUAL("cpu: SMUAD", a, 23);
    static uint32_t word = 5;
    __asm volatile("1: ldrex %0, [%2]\n add %0, #1\n strex %1, %0, [%2]\n cmp %1, #0\n bne 1b"
                   : "=&r"(a), "=&r"(b)
                   : "r"(&word)
                   : "cc", "memory");
    CHECK("cpu: LDREX, STREX", word == 6 && b == 0);
    __asm volatile("ldrex %0, [%2]\n clrex\n strex %1, %0, [%2]" : "=&r"(a), "=&r"(b) : "r"(&word) : "memory");
    EQUAL("cpu: STREX after CLREX fails", b, 1);
    static uint8_t bytes[12] = {1, 2, 3, 4, 5, 6, 7, 8};
    EQUAL("cpu: unaligned load", *(volatile uint32_t *) (bytes + 1), 0x05040302u);
    uint32_t probe = 0;
    volatile uint32_t *band = (volatile uint32_t *) (0x22000000u + ((uint32_t) &probe - 0x20000000u) * 32u);
    band[7] = 1;
    EQUAL("bit-band: SRAM write", *(volatile uint32_t *) &probe, 0x80u);
    EQUAL("bit-band: SRAM read", band[7], 1);
#ifndef FOR_QEMU
    RCC_AHB1ENR &= ~1u;
    REG(0x42000000u + 0x23830u * 32u) = 1; /* RCC_AHB1ENR bit 0 */
    EQUAL("bit-band: peripheral", RCC_AHB1ENR & 1u, 1);
#endif
    static uint32_t code[256] __attribute__((aligned(1024))); /* code that the program writes and changes itself */
    uint32_t (*call)(void) = (uint32_t(*)(void))((uint32_t) code + 1);
    for (unsigned i = 0; i < 256; i++)
        code[i] = 0xBF00BF00u;
    code[0] = 0x47702005u; /* movs r0, #5; bx lr */
    barrier();
    EQUAL("cpu: code in RAM", call(), 5);
    code[0] = 0x47702006u;
    barrier();
    EQUAL("cpu: changed code in RAM", call(), 6);
    code[200] = 1;         /* data beside code */
    code[0] = 0x30012007u; /* the same size, one instruction more: movs r0, #7; adds r0, #1; bx lr */
    code[1] = 0xBF004770u;
    barrier();
    EQUAL("cpu: changed again after a store beside it", call(), 8);
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 0;
    DWT_CTRL = 1;
    a = DWT_CYCCNT;
    for (volatile int i = 0; i < 100; i++)
        ;
    b = DWT_CYCCNT;
    CHECK("dwt: the cycle counter counts", b - a >= 300 && b - a < 5000);
}

/* ------------------------------------------------------------------------------------------------ exceptions */

static void irq6(void)
{
    uint32_t n;
    __asm volatile("mrs %0, ipsr" : "=r"(n));
    note(n);
}
static void irq7_preempted(void)
{
    note(1);
    NVIC_ISPR(0) = 1u << 8;
    barrier();
    note(2);
}
static void irq8(void)
{
    note(8);
}
static void pendsv(void)
{
    note(14);
}
static void irq9_pends_pendsv(void)
{
    SCB_ICSR = 1u << 28;
    barrier();
    note(9);
}

static uint32_t svc_number, svc_exc_return, svc_arg;
static uint32_t *on_svc(uint32_t *frame, uint32_t exc_return)
{
    svc_number = *((uint8_t *) frame[6] - 2);
    svc_exc_return = exc_return;
    svc_arg = frame[0];
    frame[0] = frame[0] + frame[1] + frame[2] + frame[3];
    return frame;
}

NAKED static uint32_t call_svc(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    __asm volatile("svc #42\n bx lr");
}

/** Run an SVC in thread mode on the process stack, then go back. @return SP's alignment trick result. */
NAKED static uint32_t svc_on_psp(uint32_t psp)
{
    __asm volatile(
        "push {r4, lr}\n msr psp, r0\n mrs r4, control\n orr r1, r4, #2\n msr control, r1\n isb\n"
        "movs r0, #1\n movs r1, #2\n movs r2, #3\n movs r3, #4\n svc #7\n"
        "mrs r1, psp\n msr control, r4\n isb\n pop {r4, pc}");
}

/** In unprivileged thread mode: try to set PRIMASK, then come back by SVC (the handler raises the privilege). */
static uint32_t *on_svc_privilege(uint32_t *frame, uint32_t exc_return)
{
    (void) exc_return;
    uint32_t control;
    __asm volatile("mrs %0, control" : "=r"(control));
    svc_arg = control;
    __asm volatile("bic %0, #1\n msr control, %0\n isb" : "+r"(control));
    return frame;
}
NAKED static uint32_t unprivileged(void)
{
    __asm volatile(
        "mrs r1, control\n orr r1, #1\n msr control, r1\n isb\n cpsid i\n svc #0\n"
        "mrs r0, primask\n bx lr");
}

static void chain_tick(void)
{
    note(15);
}

/** Interrupt in the middle of an IT block: the handler runs, the rest of the block is executed as before. */
NAKED static uint32_t svc_in_it(void)
{
    __asm volatile(
        "movs r0, #0\n movs r1, #0\n movs r2, #0\n movs r3, #0\n cmp r0, #0\n itttt eq\n addeq r0, #1\n"
        "svceq #3\n addeq r0, #10\n addeq r0, #20\n bx lr");
}

static void interrupts_and_priorities(void)
{
    EQUAL("nvic: four priority bits", (NVIC_IPR(6) = 0xFF, NVIC_IPR(6)), 0xF0);
    irq_hook[6] = irq6;
    NVIC_IPR(6) = 0x80;
    NVIC_ISER(0) = 1u << 6;
    NVIC_ISPR(0) = 1u << 6;
    barrier();
    CHECK("nvic: a software-pended interrupt runs", order_count == 1 && order[0] == 22);
    order_count = 0;
    irq_off();
    NVIC_ISPR(0) = 1u << 6;
    barrier();
    EQUAL("nvic: PRIMASK holds it back", order_count, 0);
    EQUAL("nvic: pending shows in ISPR", NVIC_ISPR(0) >> 6 & 1u, 1);
    EQUAL("scb: ICSR.VECTPENDING", SCB_ICSR >> 12 & 0x3FFu, 22);
    NVIC_ICPR(0) = 1u << 6;
    irq_on();
    EQUAL("nvic: ICPR takes it back", order_count, 0);
    __asm volatile("msr basepri, %0" ::"r"(0x80));
    NVIC_ISPR(0) = 1u << 6;
    barrier();
    EQUAL("nvic: BASEPRI masks its own priority", order_count, 0);
    __asm volatile("msr basepri, %0\n isb" ::"r"(0x90));
    EQUAL("nvic: BASEPRI lets a higher priority through", order_count, 1);
    __asm volatile("msr basepri, %0" ::"r"(0));
    order_count = 0;
    irq_hook[7] = irq7_preempted;
    irq_hook[8] = irq8;
    NVIC_IPR(7) = 0x80;
    NVIC_IPR(8) = 0x40;
    NVIC_ISER(0) = 1u << 7 | 1u << 8;
    NVIC_ISPR(0) = 1u << 7;
    barrier();
    CHECK("nvic: a higher priority preempts", order_count == 3 && order[0] == 1 && order[1] == 8 && order[2] == 2);
    order_count = 0;
    NVIC_IPR(8) = 0x80;
    NVIC_ISPR(0) = 1u << 7;
    barrier();
    CHECK("nvic: the same priority waits", order_count == 3 && order[0] == 1 && order[1] == 2 && order[2] == 8);
    order_count = 0;
    SCB_AIRCR = 0x05FA0000u | 6u << 8; /* one preemption bit: 0x80 and 0x40 differ, 0x40 and 0x00 do not */
    NVIC_IPR(7) = 0x40;
    NVIC_IPR(8) = 0x00;
    NVIC_ISPR(0) = 1u << 7;
    barrier();
    CHECK("nvic: PRIGROUP makes the lower bits not preempt", order[1] == 2 && order[2] == 8);
    SCB_AIRCR = 0x05FA0000u;
    order_count = 0;
    irq_off();
    NVIC_IPR(7) = 0x80;
    NVIC_IPR(8) = 0x80;
    irq_hook[7] = irq6;
    NVIC_ISPR(0) = 1u << 8 | 1u << 7;
    irq_on();
    CHECK("nvic: the lower number first", order_count == 2 && order[0] == 23 && order[1] == 8);
    order_count = 0;
    pendsv_hook = pendsv;
    SCB_SHPR(14) = 0xF0;
    irq_hook[9] = irq9_pends_pendsv;
    NVIC_ISER(0) = 1u << 9;
    NVIC_ISPR(0) = 1u << 9;
    barrier();
    CHECK("PendSV runs after the interrupt that pends it", order_count == 2 && order[0] == 9 && order[1] == 14);
    NVIC_ISPR(0) = 1u << 30; /* not enabled */
    EQUAL("nvic: a disabled interrupt stays pending", NVIC_ISPR(0) >> 30, 1);
    NVIC_ICPR(0) = 1u << 30;
    NVIC_ICER(0) = 0xFFFFFFFFu;
    EQUAL("nvic: ICER clears", NVIC_ISER(0), 0);
}

void test_exceptions(void)
{
    static uint64_t process_stack[64];
    order_count = 0;
    interrupts_and_priorities();
    svc_hook = on_svc;
    EQUAL("svc: arguments and result through the frame", call_svc(1, 20, 300, 4000), 4321);
    EQUAL("svc: number", svc_number, 42);
    EQUAL("svc: EXC_RETURN from thread on MSP", svc_exc_return, 0xFFFFFFF9u);
    EQUAL("svc: on the process stack", svc_on_psp((uint32_t) &process_stack[60]), 10);
    EQUAL("svc: EXC_RETURN from thread on PSP", svc_exc_return, 0xFFFFFFFDu);
    EQUAL("svc: with a stack that is only 4-aligned", svc_on_psp((uint32_t) &process_stack[60] + 4), 10);
    svc_hook = on_svc_privilege;
    EQUAL("svc: from unprivileged code; CPSID is ignored there", unprivileged(), 0);
    EQUAL("svc: CONTROL in the handler", svc_arg & 3u, 1);
    svc_hook = on_svc;
    EQUAL("exceptions keep IT blocks", svc_in_it(), 31);
    EQUAL("scb: CCR has STKALIGN", SCB_CCR & 0x200u, 0x200u);

    order_count = 0;
    systick_hook = chain_tick;
    SYST_RVR = 16799;
    SYST_CVR = 0;
    DWT_CYCCNT = 0;
    SYST_CSR = 7;
    while (order_count < 10)
        ;
    uint32_t cycles = DWT_CYCCNT;
    SYST_CSR = 0;
    CHECK("systick: ten periods of 100 us", cycles > 167000 && cycles < 170000);
    SYST_CVR = 0;
    SYST_CSR = 5;
    while (SYST_CVR < 16700)
        ;
    uint32_t now = SYST_CVR;
    barrier();
    CHECK("systick: counts down", now > SYST_CVR);
    while (!(SYST_CSR & 1u << 16))
        ;
    EQUAL("systick: COUNTFLAG clears by reading", SYST_CSR >> 16 & 1u, 0);
    order_count = 0;
    SYST_CSR = 7;
    irq_off();
    wait_for_interrupt(); /* wakes although PRIMASK is set */
    EQUAL("wfi: wakes with PRIMASK set, handler not run", order_count, 0);
    irq_on();
    EQUAL("wfi: the handler runs when unmasked", order_count, 1);
    for (int i = 0; i < 3; i++)
        wait_for_interrupt();
    EQUAL("wfi: one tick each", order_count, 4);
    __asm volatile("sev\n wfe");
    SYST_CSR = 0;
    __asm volatile("sev\n wfe" ::: "memory");
    CHECK("wfe: an event that was set does not sleep", true);
    __asm volatile("yield\n nop");
    CHECK("yield is a hint", true);
}

/* ------------------------------------------------------------------------------------------------------ faults */

NAKED static uint32_t load(uint32_t address)
{
    __asm volatile("ldr r0, [r0]\n bx lr");
}
NAKED static uint32_t load_later(uint32_t address)
{
    __asm volatile("movs r1, #1\n adds r1, #1\n adds r1, #1\n ldr r0, [r0, #4]\n movs r0, r1\n bx lr");
}
NAKED static uint32_t store(uint32_t address)
{
    __asm volatile("str r0, [r0]\n movs r0, #77\n bx lr");
}
NAKED static void undefined(void)
{
    __asm volatile("udf #1\n bx lr");
}
NAKED static void undefined32(void)
{
    __asm volatile("nop\n udf.w #1\n bx lr");
}
NAKED static void to_arm_state(uint32_t address)
{
    __asm volatile("push {lr}\n bic r0, #1\n blx r0\n pop {pc}");
}
NAKED static void jump(uint32_t address)
{
    __asm volatile("bx r0");
}
NAKED static uint32_t svc_masked(void)
{
    /* a chip stacks the address of the SVC, QEMU that of the next instruction: the handler goes on two bytes further */
    __asm volatile("cpsid i\n svc #1\n nop\n cpsie i\n bx lr");
}
NAKED static uint32_t load_pair(uint32_t address)
{
    __asm volatile("ldrd r0, r1, [r0]\n bx lr");
}
NAKED static uint32_t load_multiple(uint32_t address)
{
    __asm volatile("ldmia r0!, {r1, r2}\n bx lr");
}
NAKED static uint32_t divide(uint32_t a, uint32_t b)
{
    __asm volatile("udiv r0, r0, r1\n bx lr");
}
NAKED static void breakpoint(void)
{
    __asm volatile("bkpt #0\n bx lr");
}
static void nothing(void)
{
}

void test_faults(void)
{
    SCB_SHCSR |= 7u << 16;
    fault_skip = 2;
    last_fault.count = 0;
    load(0x30000000u);
    EQUAL("fault: load from nowhere is a BusFault", last_fault.exception, 5);
    EQUAL("fault: PRECISERR and BFARVALID", last_fault.cfsr, 0x8200u);
    EQUAL("fault: BFAR", last_fault.bfar, 0x30000000u);
    EQUAL("fault: stacked PC of a load", last_fault.pc, (uint32_t) load & ~1u);
    EQUAL("fault: go on behind a load", load_later(0x60000000u), 3);
    EQUAL("fault: stacked PC inside a block", last_fault.pc, ((uint32_t) load_later & ~1u) + 6);
    EQUAL("fault: BFAR with an offset", last_fault.bfar, 0x60000004u);
    fault_skip = 0;
    EQUAL("fault: a store is imprecise and over", store(0x30000000u), 77);
    EQUAL("fault: IMPRECISERR", last_fault.cfsr, 0x400u);
    fault_skip = 2;
    EQUAL("fault: the hole between the peripherals", (load(0x40018000u), last_fault.count), 4);
    undefined();
    EQUAL("fault: UDF is a UsageFault", last_fault.exception, 6);
    EQUAL("fault: UNDEFINSTR", last_fault.cfsr, 1u << 16);
    EQUAL("fault: stacked PC of UDF", last_fault.pc, (uint32_t) undefined & ~1u);
    fault_skip = 4;
    undefined32();
    EQUAL("fault: stacked PC of a wide UDF", last_fault.pc, ((uint32_t) undefined32 & ~1u) + 2);
    last_fault.count = 0;
    to_arm_state((uint32_t) nothing);
    EQUAL("fault: Arm state is INVSTATE", last_fault.cfsr, 1u << 17);
    EQUAL("fault: INVSTATE once", last_fault.count, 1);
    RCC_AHB1ENR |= 1u << 0;
    if (GPIO('A', 0x10) & 1u << 2) { /* PA2: the board looks at each instruction, see test_selftest.c */
        static uint32_t pair[3] = {1, 2, 3};
        last_fault.count = 0;
        fault_skip = 4;
        load_pair((uint32_t) pair);
        EQUAL("fault: an aligned LDRD is none", last_fault.count, 0);
        load_pair((uint32_t) pair + 2);
        EQUAL("fault: LDRD from a halfword address is UNALIGNED", last_fault.cfsr, 1u << 24);
        fault_skip = 2;
        load_multiple((uint32_t) pair + 1);
        EQUAL("fault: LDM from an odd address", last_fault.count, 2);
        EQUAL("fault: stacked PC of the LDM", last_fault.pc, (uint32_t) load_multiple & ~1u);
        SCB_CCR |= 1u << 4;
        fault_skip = 4;
        divide(1, 0);
        EQUAL("fault: DIVBYZERO with DIV_0_TRP", last_fault.cfsr, 1u << 25);
        SCB_CCR |= 1u << 3;
        fault_skip = 2;
        load((uint32_t) pair + 1);
        EQUAL("fault: an unaligned load with UNALIGN_TRP", last_fault.cfsr, 1u << 24);
        SCB_CCR &= ~(3u << 3);
    }
    SCB_SHCSR &= ~(7u << 16);
    fault_skip = 2;
    load(0x30000000u);
    EQUAL("fault: escalates to HardFault when not enabled", last_fault.exception, 3);
    EQUAL("fault: HFSR.FORCED", last_fault.hfsr, 1u << 30);
    EQUAL("fault: CFSR is kept in an escalation", last_fault.cfsr, 0x8200u);
    fault_skip = 2;
    svc_masked();
    EQUAL("fault: SVC with PRIMASK set is a HardFault", last_fault.exception, 3);
    breakpoint();
    EQUAL("fault: BKPT without a debugger", last_fault.hfsr & 0xC0000000u, 0x80000000u);
    EQUAL("fault: all clear again", SCB_CFSR | SCB_HFSR, 0);
    (void) jump;
}

/* --------------------------------------------------------------------------------------------------------- FPU */

static volatile float fa, fb;
static void uses_float(void)
{
    fb = fb * 2.0f + 1.0f;
    __asm volatile("vmov s0, %0\n vmov s15, %0" ::"r"(0xDEADBEEF) : "s0", "s15");
}
NAKED static uint32_t float_op(uint32_t v)
{
    __asm volatile("adds r0, #1\n adds r0, #1\n vmov s4, r0\n vadd.f32 s4, s4, s4\n vmov r0, s4\n bx lr");
}
static uint32_t frame_words;
static uint32_t *measure_frame(uint32_t *frame, uint32_t exc_return)
{
    frame_words = exc_return & 0x10u ? 8 : 26;
    return frame;
}

void test_fpu(void)
{
    SCB_SHCSR |= 7u << 16;
    SCB_CPACR = 0;
    barrier();
    fault_skip = 4;
    last_fault.count = 0;
    float_op(1);
    EQUAL("fpu: off at reset, NOCP", last_fault.cfsr, 1u << 19);
    EQUAL("fpu: each instruction faults", last_fault.count, 3);
    EQUAL("fpu: stacked PC of the last", last_fault.pc, ((uint32_t) float_op & ~1u) + 12);
    SCB_CPACR = 0xFu << 20;
    barrier();
    last_fault.count = 0;
    svc_hook = measure_frame;
    call_svc(0, 0, 0, 0);
    EQUAL("fpu: short frame before the first use", frame_words, 8);
    EQUAL("fpu: 2 * 0x1.8p0", (fa = 1.5f, fb = fa * 2.0f, *(volatile uint32_t *) &fb), 0x40400000u);
    call_svc(0, 0, 0, 0);
    EQUAL("fpu: long frame after it", frame_words, 26);
    EQUAL("fpu: no fault when on", last_fault.count, 0);
    irq_hook[6] = uses_float;
    NVIC_ISER(0) = 1u << 6;
    uint32_t s0, s15, fpscr_before, fpscr_after;
    __asm volatile("vmrs %0, fpscr" : "=r"(fpscr_before));
    __asm volatile(
        "vmov s0, %2\n vmov s15, %3\n movs r1, #64\n ldr r2, =0xE000E200\n str r1, [r2]\n dsb\n isb\n"
        "vmov %0, s0\n vmov %1, s15"
        : "=r"(s0), "=r"(s15)
        : "r"(0x11112222), "r"(0x33334444)
        : "r1", "r2", "s0", "s15", "memory");
    __asm volatile("vmrs %0, fpscr" : "=r"(fpscr_after));
    EQUAL("fpu: s0 survives an interrupt that uses it", s0, 0x11112222u);
    EQUAL("fpu: s15 survives too", s15, 0x33334444u);
    EQUAL("fpu: FPSCR survives", fpscr_after, fpscr_before);
    EQUAL("fpu: the interrupt computed", *(volatile uint32_t *) &fb, 0x40E00000u);
    NVIC_ICER(0) = 1u << 6;
    svc_hook = 0;
    __asm volatile("mrs %0, control\n bic %0, #4\n msr control, %0\n isb" : "=&r"(s0)); /* no FP context any more */
}
