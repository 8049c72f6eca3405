/* SPDX-License-Identifier: MIT */
/**
 * @file exception.c
 * Taking and leaving exceptions as ARMv7-M does (DDI 0403E, B1.5): stacking with and without the FPU's registers,
 * EXC_RETURN, escalation to HardFault, lockup. Unicorn's own exception model is not used.
 */
#include "internal.h"

#define XPSR_T 0x01000000u
#define CONTROL_NPRIV 1u
#define CONTROL_SPSEL 2u
#define CONTROL_FPCA 4u

/** Unprivileged thread code cannot read its own masks and stack pointers through Unicorn: be privileged meanwhile. */
static bool raise_privilege(struct board *b)
{
    bool unprivileged = (board_reg(b, UC_ARM_REG_CONTROL) & CONTROL_NPRIV) && board_reg(b, UC_ARM_REG_IPSR) == 0;
    if (unprivileged)
        board_reg_set(b, UC_ARM_REG_IPSR, 2);
    return unprivileged;
}

static void drop_privilege(struct board *b, bool unprivileged)
{
    if (!unprivileged)
        return;
    board_reg_set(b, UC_ARM_REG_IPSR, 0);
    board_reg_set(b, UC_ARM_REG_CPSR, board_reg(b, UC_ARM_REG_CPSR) | 0x20u);
}

void board_core_set(struct board *b, uint32_t ipsr, uint32_t control, uint32_t msp, uint32_t psp)
{
    board_reg_set(b, UC_ARM_REG_IPSR, 2);
    board_reg_set(b, UC_ARM_REG_CONTROL, 0);
    board_reg_set(b, UC_ARM_REG_IPSR, 0);
    board_reg_set(b, UC_ARM_REG_CONTROL, control & (CONTROL_SPSEL | CONTROL_FPCA));
    board_reg_set(b, UC_ARM_REG_MSP, msp);
    board_reg_set(b, UC_ARM_REG_PSP, psp);
    board_reg_set(b, UC_ARM_REG_IPSR, ipsr);
    if (control & CONTROL_NPRIV)
        board_reg_set(b, UC_ARM_REG_CONTROL, control);
    /* the CPU's cached flags follow IPSR and CONTROL only after a write to CPSR */
    board_reg_set(b, UC_ARM_REG_CPSR, board_reg(b, UC_ARM_REG_CPSR) | 0x20u);
}

/** Priority at which the CPU executes, masks included. */
static int execution_priority(struct board *b)
{
    bool unprivileged = raise_privilege(b);
    int priority = board_active_priority(b);
    uint32_t basepri = board_reg(b, UC_ARM_REG_BASEPRI) & 0xF0u;
    if (basepri != 0 && board_group(b, (int) basepri) < priority)
        priority = board_group(b, (int) basepri);
    if ((board_reg(b, UC_ARM_REG_PRIMASK) & 1u) && priority > 0)
        priority = 0;
    if ((board_reg(b, UC_ARM_REG_FAULTMASK) & 1u) && priority > -1)
        priority = -1;
    drop_privilege(b, unprivileged);
    return priority;
}

bool board_preempts(struct board *b)
{
    int group = 0;
    return board_nvic_best(b, &group) >= 0 && group < execution_priority(b);
}

/** WFI ends for an exception that would be taken if PRIMASK were 0 (B1.5.19). */
bool board_would_wake(struct board *b)
{
    int group = 0;
    if (b->s.wait_event && b->s.nvic.event_register)
        return true;
    if (board_nvic_best(b, &group) < 0)
        return false;
    if (group < board_active_priority(b)) {
        bool unprivileged = raise_privilege(b);
        uint32_t basepri = board_reg(b, UC_ARM_REG_BASEPRI) & 0xF0u;
        drop_privilege(b, unprivileged);
        return basepri == 0 || group < board_group(b, (int) basepri);
    }
    return false;
}

void board_lockup(struct board *b, const char *why)
{
    b->s.cpu = BOARD_CPU_LOCKUP;
    b->counters.lockups++;
    b->lockup_event = true;
    board_say(b, "lockup: %s, at 0x%08x", why, board_reg(b, UC_ARM_REG_PC));
}

/** Read the handler's address from the vector table; it may lie in a flash that is busy. */
static bool vector(struct board *b, unsigned exception, uint32_t *handler)
{
    uint32_t address = b->s.nvic.vtor | 4u * exception;
    if (b->s.flash.op != FLASH_IDLE && (address - FOTA_FLASH_BASE < FOTA_FLASH_SIZE || address < FOTA_FLASH_SIZE))
        board_flash_wait(b);
    const uint8_t *p = board_memory(b, address, 4, false);
    if (!p)
        return false;
    *handler = load32(p);
    return true;
}

static bool push_frame(struct board *b, uint32_t frame, bool fp, uint32_t pc, uint32_t xpsr)
{
    uint32_t size = fp ? 0x68u : 0x20u;
    uint8_t *p = board_memory(b, frame, size, true);
    if (!p)
        return false;
    for (int i = 0; i < 4; i++)
        store32(p + 4 * i, board_reg(b, UC_ARM_REG_R0 + i));
    store32(p + 16, board_reg(b, UC_ARM_REG_R12));
    store32(p + 20, board_reg(b, UC_ARM_REG_LR));
    store32(p + 24, pc);
    store32(p + 28, xpsr);
    if (fp) { /* written at once: lazy stacking differs only for who reads the reserved words */
        for (int d = 0; d < 8; d++) {
            uint64_t v = 0;
            uc_reg_read(b->uc, UC_ARM_REG_D0 + d, &v);
            store32(p + 32 + 8 * d, (uint32_t) v);
            store32(p + 36 + 8 * d, (uint32_t) (v >> 32));
        }
        store32(p + 96, board_reg(b, UC_ARM_REG_FPSCR));
        store32(p + 100, 0);
    }
    board_ram_changed(b, frame, size);
    return true;
}

/** Enter an exception. @param pc the return address. */
static void enter(struct board *b, unsigned n, uint32_t pc)
{
    uint32_t xpsr = board_reg(b, UC_ARM_REG_XPSR) | XPSR_T, handler = 0;
    uint32_t control = board_reg(b, UC_ARM_REG_CONTROL);
    bool unprivileged = raise_privilege(b);
    uint32_t msp = board_reg(b, UC_ARM_REG_MSP), psp = board_reg(b, UC_ARM_REG_PSP);
    if (b->s.invstate) {
        xpsr &= ~XPSR_T;
        b->s.invstate = 0;
    }
    bool thread = (xpsr & 0x1FFu) == 0, on_psp = thread && (control & CONTROL_SPSEL),
         fp = (control & CONTROL_FPCA) != 0;
    uint32_t sp = on_psp ? psp : msp, size = fp ? 0x68u : 0x20u, frame = sp - size;
    if (b->s.nvic.ccr & 0x200u) { /* STKALIGN */
        xpsr = (xpsr & ~0x200u) | (frame & 4u ? 0x200u : 0);
        frame &= ~4u;
    }
    (void) unprivileged;
    bool pushed = push_frame(b, frame, fp, pc & ~1u, xpsr);
    if (on_psp)
        psp = frame;
    else
        msp = frame;
    if (!pushed) {
        board_say(b, "stacking for exception %u failed: SP 0x%08x", n, sp);
        b->s.nvic.cfsr |= 1u << 12; /* STKERR */
        if (n == EXC_HARD || board_active_priority(b) < 0) {
            board_lockup(b, "no stack for HardFault");
            return;
        }
        if (n != EXC_BUS) { /* the derived fault comes first, the original stays pending */
            bit_put(b->s.nvic.pending, n, true);
            n = bit_get(b->s.nvic.enabled, EXC_BUS) && board_group(b, board_exception_priority(b, EXC_BUS)) <=
                                                           board_group(b, board_exception_priority(b, n))
                    ? EXC_BUS
                    : EXC_HARD;
        } else
            n = EXC_HARD;
        if (n == EXC_HARD)
            b->s.nvic.hfsr |= 1u << 30;
    }
    if (!vector(b, n, &handler)) {
        b->s.nvic.hfsr |= 1u << 1; /* VECTTBL */
        if (n == EXC_HARD || !vector(b, EXC_HARD, &handler)) {
            board_lockup(b, "the vector of HardFault cannot be read");
            return;
        }
        n = EXC_HARD;
    }
    uint32_t lr = 0xFFFFFFE0u | (fp ? 0 : 0x10u) | (thread ? (on_psp ? 0xDu : 0x9u) : 0x1u);
    board_core_set(b, n, control & CONTROL_NPRIV, msp, psp);
    board_reg_set(b, UC_ARM_REG_XPSR_NZCVQG, (xpsr & 0xF80F0000u) | XPSR_T | n); /* IPSR again, ITSTATE 0 */
    board_reg_set(b, UC_ARM_REG_LR, lr);
    board_reg_set(b, UC_ARM_REG_PC, handler | 1u);
    board_clear_exclusive(b);
    bit_put(b->s.nvic.pending, n, false);
    bit_put(b->s.nvic.active, n, true);
    b->s.nvic.event_register = 1;
    b->s.invstate = (handler & 1u) == 0;
    b->counters.exceptions++;
    if (n >= EXC_HARD && n <= EXC_USAGE)
        b->counters.faults[n - EXC_HARD]++;
    board_nvic_update(b);
}

bool board_take_pending(struct board *b)
{
    int group = 0, n = board_nvic_best(b, &group);
    if (n < 0 || group >= execution_priority(b))
        return false;
    enter(b, (unsigned) n, board_reg(b, UC_ARM_REG_PC));
    return true;
}

void board_hard_fault(struct board *b, uint32_t hfsr, uint32_t pc)
{
    b->s.nvic.hfsr |= hfsr;
    board_reg_set(b, UC_ARM_REG_PC, pc | 1u);
    if (execution_priority(b) <= -1) {
        board_lockup(b, "fault at the priority of HardFault or above");
        return;
    }
    board_say(b, "HardFault at 0x%08x (CFSR 0x%08x, HFSR 0x%08x)", pc, b->s.nvic.cfsr, b->s.nvic.hfsr);
    enter(b, EXC_HARD, pc);
}

void board_fault(struct board *b, int exception, uint32_t cfsr, uint32_t pc)
{
    unsigned n = (unsigned) exception;
    b->s.nvic.cfsr |= exception == EXC_USAGE ? cfsr << 16 : cfsr;
    if (exception == EXC_MEM && (cfsr & 1u))
        b->s.nvic.cfsr &= ~(1u << 7); /* MMFARVALID belongs to data accesses */
    int group = board_group(b, board_exception_priority(b, n));
    if (bit_get(b->s.nvic.enabled, n) && group < execution_priority(b)) {
        board_say(b, "fault exception %u at 0x%08x (CFSR 0x%08x)", n, pc, b->s.nvic.cfsr);
        enter(b, n, pc);
    } else
        board_hard_fault(b, 1u << 30, pc); /* FORCED */
}

void board_svc(struct board *b, uint32_t pc)
{
    int group = board_group(b, board_exception_priority(b, EXC_SVC));
    if (group < execution_priority(b))
        enter(b, EXC_SVC, pc);
    else
        board_hard_fault(b, 1u << 30, pc - 2u); /* an SVC that cannot be taken: the fault is the SVC's */
}

/** INVPC: the EXC_RETURN does not fit the state. */
static void bad_return(struct board *b, uint32_t exc_return)
{
    board_say(b, "exception return 0x%08x does not fit the state", exc_return);
    board_reg_set(b, UC_ARM_REG_LR, 0xF0000000u | exc_return);
    board_fault(b, EXC_USAGE, 1u << 2, exc_return);
}

void board_exception_return(struct board *b, uint32_t exc_return)
{
    uint32_t n = board_reg(b, UC_ARM_REG_IPSR) & 0x1FFu, control = board_reg(b, UC_ARM_REG_CONTROL);
    uint32_t msp = board_reg(b, UC_ARM_REG_MSP), psp = board_reg(b, UC_ARM_REG_PSP);
    uint32_t kind = exc_return & 0xFu;
    bool to_handler = kind == 0x1u, from_psp = kind == 0xDu, fp = (exc_return & 0x10u) == 0;
    unsigned others = 0;
    if (!bit_get(b->s.nvic.active, n) || (kind != 1u && kind != 9u && kind != 0xDu)) {
        bad_return(b, exc_return);
        return;
    }
    if (n != EXC_NMI)
        board_reg_set(b, UC_ARM_REG_FAULTMASK, 0);
    bit_put(b->s.nvic.active, n, false);
    if (bit_get(b->s.nvic.line, n))
        bit_put(b->s.nvic.pending, n, true);
    for (unsigned i = 1; i < EXC_COUNT; i++)
        others += bit_get(b->s.nvic.active, i);
    board_nvic_update(b);
    b->s.nvic.event_register = 1;
    if (to_handler ? others == 0 : (others != 0 && !(b->s.nvic.ccr & 1u))) { /* NONBASETHRDENA */
        bad_return(b, exc_return);
        return;
    }
    uint32_t frame = from_psp ? psp : msp, size = fp ? 0x68u : 0x20u;
    const uint8_t *p = board_memory(b, frame, size, false);
    if (!p) {
        board_say(b, "unstacking failed: SP 0x%08x", frame);
        board_fault(b, EXC_BUS, 1u << 11, exc_return); /* UNSTKERR */
        return;
    }
    uint32_t xpsr = load32(p + 28), pc = load32(p + 24);
    if (to_handler != ((xpsr & 0x1FFu) != 0)) {
        bad_return(b, exc_return);
        return;
    }
    for (int i = 0; i < 4; i++)
        board_reg_set(b, UC_ARM_REG_R0 + i, load32(p + 4 * i));
    board_reg_set(b, UC_ARM_REG_R12, load32(p + 16));
    board_reg_set(b, UC_ARM_REG_LR, load32(p + 20));
    if (fp) {
        for (int d = 0; d < 8; d++) {
            uint64_t v = load32(p + 32 + 8 * d) | (uint64_t) load32(p + 36 + 8 * d) << 32;
            uc_reg_write(b->uc, UC_ARM_REG_D0 + d, &v);
        }
        board_reg_set(b, UC_ARM_REG_FPSCR, load32(p + 96));
    }
    uint32_t sp = (frame + size) | (xpsr & 0x200u && (b->s.nvic.ccr & 0x200u) ? 4u : 0);
    if (from_psp)
        psp = sp;
    else
        msp = sp;
    /* flags and ITSTATE while still privileged; the mode last, since it may take the privilege away */
    board_reg_set(b, UC_ARM_REG_XPSR, (xpsr & 0xFF0FFC00u) | XPSR_T | n);
    board_core_set(b, xpsr & 0x1FFu,
                   (control & CONTROL_NPRIV) | (from_psp ? CONTROL_SPSEL : 0) | (fp ? CONTROL_FPCA : 0), msp, psp);
    board_reg_set(b, UC_ARM_REG_PC, pc | 1u);
    board_clear_exclusive(b);
    b->s.invstate = (xpsr & XPSR_T) == 0;
    if ((b->s.nvic.scr & 2u) && others == 0) { /* SLEEPONEXIT */
        b->s.cpu = BOARD_CPU_SLEEPING;
        b->s.wait_event = 0;
    }
}
