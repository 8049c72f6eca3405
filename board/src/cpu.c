/* SPDX-License-Identifier: MIT */
/**
 * @file cpu.c
 * The Cortex-M4 on Unicorn: creation, hooks, and the loop that runs it. Unicorn executes blocks of instructions;
 * before each one a hook counts the time and looks whether something is due. Exceptions are taken between two
 * runs of Unicorn (exception.c), never inside one.
 *
 * Unicorn 2.0.1 wants care, and each of these is measured:
 * - UC_MODE_MCLASS selects a Cortex-M33, so the model is set by hand;
 * - uc_emu_stop() in a memory hook abandons the block at its start and repeats the access: stop in BLOCK or CODE hooks
 *   only;
 * - after a write to IPSR or CONTROL the cached CPU flags are stale until CPSR is written;
 * - with any CODE hook (a watched address), PC is stale after a stop in a BLOCK hook: it is put right;
 * - WFE and YIELD arrive as invalid instructions, WFI as a normal end.
 */
#include "internal.h"

#include <stdlib.h>

uint32_t board_reg(struct board *b, int uc_reg)
{
    uint32_t value = 0;
    uc_reg_read(b->uc, uc_reg, &value);
    return value;
}

void board_reg_set(struct board *b, int uc_reg, uint32_t value)
{
    uc_reg_write(b->uc, uc_reg, &value);
}

/* ---------------------------------------------------------------------------------------------------- creation */

static bool map_memory(struct board *b, uint32_t base, uint32_t size, void *host, bool writable)
{
    uc_err e = uc_mem_map_ptr(b->uc, base, size, UC_PROT_ALL, host);
    if (e == UC_ERR_OK && !writable)
        e = uc_mem_protect(b->uc, base, size, UC_PROT_READ | UC_PROT_EXEC);
    if (e != UC_ERR_OK)
        board_say(b, "cannot map memory at 0x%08x: %s", base, uc_strerror(e));
    return e == UC_ERR_OK;
}

bool board_cpu_create(struct board *b)
{
    board_fast_init();
    static const uint8_t hidden[] = {0xBF, 0xF3, 0x2F, 0x8F, 0x30, 0xBF}; /* clrex; wfi */
    uc_err e = uc_open(UC_ARCH_ARM, UC_MODE_THUMB, &b->uc);
    if (e == UC_ERR_OK)
        e = uc_ctl_set_cpu_model(b->uc, UC_CPU_ARM_CORTEX_M4);
    if (e != UC_ERR_OK) {
        board_say(b, "cannot start Unicorn: %s", uc_strerror(e));
        return false;
    }
    b->blocks = calloc(BLOCK_CACHE, sizeof *b->blocks);
    b->sram = aligned_alloc(4096, FOTA_RAM_SIZE);
    b->ccm = aligned_alloc(4096, FOTA_CCM_SIZE);
    b->sysmem = aligned_alloc(4096, SYSMEM_SIZE);
    if (!b->blocks || !b->sram || !b->ccm || !b->sysmem) {
        board_say(b, "out of memory");
        return false;
    }
    memset(b->sram, 0, FOTA_RAM_SIZE);
    memset(b->ccm, 0, FOTA_CCM_SIZE);
    memset(b->sysmem, 0xFF, SYSMEM_SIZE);
    memcpy(b->sysmem + (HIDDEN_CODE - SYSMEM_BASE), hidden, sizeof hidden);
    for (unsigned i = 0; i < 3; i++)
        store32(b->sysmem + 0x7A10 + 4 * i, b->options.uid[i]);
    memcpy(b->sysmem + (OTP_BASE - SYSMEM_BASE), board_store_otp(b), OTP_SIZE);
    b->sysmem[FOTA_ST_ID_ADDRESS - SYSMEM_BASE] = b->options.rom == BOARD_ROM_V31 ? FOTA_ST_V31 : FOTA_ST_V91;
    b->sysmem[0x7A22] = (uint8_t) (FOTA_FLASH_SIZE / 1024u);
    b->sysmem[0x7A23] = (uint8_t) (FOTA_FLASH_SIZE / 1024u >> 8);
    if (!map_memory(b, FOTA_FLASH_BASE, FOTA_FLASH_SIZE, b->flash, false) ||
        !map_memory(b, 0, FOTA_FLASH_SIZE, b->flash_alias, false) ||
        !map_memory(b, FOTA_RAM_BASE, FOTA_RAM_SIZE, b->sram, true) ||
        !map_memory(b, FOTA_CCM_BASE, FOTA_CCM_SIZE, b->ccm, true) ||
        !map_memory(b, SYSMEM_BASE, 0x8000, b->sysmem, false) ||
        !map_memory(b, SYSMEM_BASE + 0xC000, 0x1000, b->sysmem + 0xC000, false) || !board_bus_map(b))
        return false;
    e = board_hooks_add(b);
    if (e != UC_ERR_OK)
        board_say(b, "cannot add hooks: %s", uc_strerror(e));
    return e == UC_ERR_OK;
}

void board_cpu_destroy(struct board *b)
{
    if (b->uc)
        uc_close(b->uc);
    free(b->blocks);
    free(b->sram);
    free(b->ccm);
    free(b->sysmem);
    free(b->skip.ram);
}

void board_clear_exclusive(struct board *b)
{
    uint32_t pc = board_reg(b, UC_ARM_REG_PC);
    b->hidden = true;
    board_fast_enter(b);
    uc_emu_start(b->uc, HIDDEN_CODE | 1u, NO_STOP_ADDRESS, 0, 0);
    board_fast_enter(NULL);
    b->hidden = false;
    board_reg_set(b, UC_ARM_REG_PC, pc | 1u);
}

void board_cpu_reset(struct board *b)
{
    board_cpu_start(b, load32(b->flash), load32(b->flash + 4));
}

void board_cpu_start(struct board *b, uint32_t sp, uint32_t entry)
{
    static const int clear[] = {UC_ARM_REG_R0,  UC_ARM_REG_R1,  UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4,
                                UC_ARM_REG_R5,  UC_ARM_REG_R6,  UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9,
                                UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12};
    board_core_set(b, 0, 0, sp & ~3u, 0);
    for (unsigned i = 0; i < sizeof clear / sizeof clear[0]; i++)
        board_reg_set(b, clear[i], 0);
    for (int d = 0; d < 16; d++) {
        uint64_t zero = 0;
        uc_reg_write(b->uc, UC_ARM_REG_D0 + d, &zero);
    }
    board_reg_set(b, UC_ARM_REG_FPSCR, 0);
    board_reg_set(b, UC_ARM_REG_PRIMASK, 0);
    board_reg_set(b, UC_ARM_REG_FAULTMASK, 0);
    board_reg_set(b, UC_ARM_REG_BASEPRI, 0);
    board_reg_set(b, UC_ARM_REG_XPSR_NZCVQG, 0x01000000u);
    board_reg_set(b, UC_ARM_REG_LR, 0xFFFFFFFFu);
    board_reg_set(b, UC_ARM_REG_PC, entry | 1u);
    board_clear_exclusive(b);
    b->s.invstate = (entry & 1u) == 0;
    b->resume_valid = false;
    b->asked = NULL;
    b->fp_trap = b->bus_fault_late = b->code_changed = b->never = false;
    b->usage_fault = 0;
    for (unsigned i = 0; i < 16; i++)
        b->watch[i].hit = false;
}

/* --------------------------------------------------------------------------------------------------- execution */

/** Unicorn reported an access to nothing. */
static void memory_fault(struct board *b)
{
    uint32_t pc = b->block_pc, address = b->fault_address;
    bool fetch = b->fault_type == UC_MEM_FETCH_UNMAPPED || b->fault_type == UC_MEM_FETCH_PROT;
    bool store = b->fault_type == UC_MEM_WRITE_UNMAPPED;
    if (fetch) {
        board_fault(b, EXC_BUS, 1u << 8, address); /* IBUSERR */
        return;
    }
    bool exact = b->options.mode == BOARD_MODE_CODE || board_locate_access(b, pc, b->block_size, address, store, &pc);
    if (!exact)
        board_say(b, "the instruction in the block at 0x%08x that accesses 0x%08x is not known", pc, address);
    if (store) { /* the write buffer took it: the instruction is over when the bus answers */
        pc += board_insn_size(board_fetch16(b, pc));
        board_say(b, "bus error: store to 0x%08x before 0x%08x", address, pc);
        board_fault(b, EXC_BUS, 1u << 10, pc); /* IMPRECISERR */
    } else {
        board_say(b, "bus error: load from 0x%08x at 0x%08x", address, pc);
        b->s.nvic.bfar = address;
        board_fault(b, EXC_BUS, 1u << 9 | 1u << 15, pc); /* PRECISERR, BFARVALID */
    }
}

static void interrupt(struct board *b, uint32_t pc)
{
    switch (b->intr) {
    case 2:
        board_svc(b, pc);
        break;
    case 8:
        board_exception_return(b, pc | 1u);
        break;
    case 7: /* BKPT without a debugger escalates (ARMv7-M, C1.5.3) */
        b->s.nvic.hfsr |= 1u << 31;
        board_say(b, "BKPT at 0x%08x", pc);
        board_hard_fault(b, 0, pc);
        break;
    case 3:
        b->s.nvic.mmfar = pc;
        board_fault(b, EXC_MEM, 1u << 0, pc); /* IACCVIOL: execution from a region that is execute-never */
        break;
    case 18:
        board_fault(b, EXC_USAGE, 1u << 1, pc); /* INVSTATE */
        break;
    case 17:
        board_fault(b, EXC_USAGE, 1u << 3, pc); /* NOCP */
        break;
    case 21:
        board_fault(b, EXC_USAGE, 1u << 8, pc); /* UNALIGNED */
        break;
    default:
        board_fault(b, EXC_USAGE, 1u << 0, pc); /* UNDEFINSTR */
        break;
    }
}

static void sleep_cpu(struct board *b, bool event)
{
    if (event && b->s.nvic.event_register) {
        b->s.nvic.event_register = 0;
        return;
    }
    b->s.cpu = BOARD_CPU_SLEEPING;
    b->s.wait_event = event;
    if (b->s.nvic.scr & 4u)
        b->counters.unmodelled++; /* SLEEPDEEP: Stop and Standby are treated as Sleep */
    if (!board_would_wake(b))
        b->sleep_event = true;
}

/** Execute up to the first floating point instruction of the block at pc, then trap there (CPACR forbids it). */
static bool trap_fp(struct board *b, uint32_t pc, uint32_t *until)
{
    uint32_t at = pc;
    while (at < pc + 1024u) {
        uint32_t hw1 = board_fetch16(b, at), hw2 = board_fetch16(b, at + 2);
        if (board_insn_size(hw1) == 4 && board_insn_is_fp(hw1, hw2))
            break;
        at += board_insn_size(hw1);
    }
    *until = at;
    return at == pc;
}

static bool execute(struct board *b)
{
    uint32_t pc = board_reg(b, UC_ARM_REG_PC), until = NO_STOP_ADDRESS;
    if (b->s.invstate) {
        b->s.invstate = 0;
        board_fault(b, EXC_USAGE, 1u << 1, pc);
        return true;
    }
    if (b->never) {
        b->never = false;
        uc_ctl_remove_cache(b->uc, pc, pc + b->block_size);
        board_say(b, "0x%08x must not be executed, says the MPU", pc);
        b->s.nvic.mmfar = pc;
        board_fault(b, EXC_MEM, 1u << 0, pc); /* IACCVIOL */
        return true;
    }
    if (b->usage_fault) {
        uint32_t cfsr = b->usage_fault;
        b->usage_fault = 0;
        board_fault(b, EXC_USAGE, cfsr, pc);
        return true;
    }
    if (b->fp_trap) {
        b->fp_trap = false;
        if (!board_fp_enabled(b) && trap_fp(b, pc, &until)) {
            board_fault(b, EXC_USAGE, 1u << 3, pc); /* NOCP */
            return true;
        }
        uc_ctl_remove_cache(b->uc, pc, pc + 2u);
    }
    b->intr = -1;
    b->fault_hit = b->hook_stop = b->code_changed = false;
    b->block_pc = pc;
    b->block_size = 2;
    board_fast_enter(b);
    if (b->skip.left)
        board_skip_reset(b); /* an exception came in between */
    uc_err e = uc_emu_start(b->uc, pc | 1u, until, 0, 0);
    board_fast_enter(NULL);
    uint32_t start = pc;
    pc = board_reg(b, UC_ARM_REG_PC);
    if (until != NO_STOP_ADDRESS)
        uc_ctl_remove_cache(b->uc, start, start + 2u);
    if (b->hook_stop) { /* where a CODE hook exists, Unicorn leaves PC at an earlier block of a chain */
        if (pc != b->stop_pc)
            board_reg_set(b, UC_ARM_REG_PC, b->stop_pc | 1u);
        return true;
    }
    if (b->intr >= 0) {
        interrupt(b, pc);
        return true;
    }
    if (b->fault_hit) {
        memory_fault(b);
        return true;
    }
    uint32_t end = b->block_pc + b->block_size;
    if (e == UC_ERR_OK) {
        if (pc == end && board_fetch16(b, pc - 2u) == 0xBF30u)
            sleep_cpu(b, false);
        else if (pc != until && pc != start) {
            board_say(b, "Unicorn stopped at 0x%08x without a reason", pc);
            return false;
        }
        return true;
    }
    if (e == UC_ERR_INSN_INVALID && pc == end) {
        uint32_t hint = board_fetch16(b, pc - 2u);
        if (hint == 0xBF20u) {
            sleep_cpu(b, true);
            return true;
        }
        if (hint == 0xBF10u)
            return true;
    }
    if (e == UC_ERR_INSN_INVALID && !(board_reg(b, UC_ARM_REG_XPSR) & 0x01000000u)) {
        board_say(b, "branch to the even address 0x%08x: Arm state does not exist here", pc);
        b->s.invstate = 1;
        board_fault(b, EXC_USAGE, 1u << 1, pc); /* INVSTATE */
        return true;
    }
    if (e == UC_ERR_INSN_INVALID) {
        board_say(b, "undefined instruction 0x%04x at 0x%08x", board_fetch16(b, pc), pc);
        board_fault(b, EXC_USAGE, 1u << 0, pc);
        return true;
    }
    if (e == UC_ERR_FETCH_PROT || e == UC_ERR_EXCEPTION) {
        board_fault(b, EXC_MEM, 1u << 0, pc);
        return true;
    }
    board_say(b, "Unicorn failed at 0x%08x: %s", pc, uc_strerror(e));
    return false;
}

bool board_cpu_stalled(const struct board *b)
{
    uint32_t pc = 0;
    if (b->s.flash.op == FLASH_IDLE)
        return false;
    uc_reg_read(b->uc, UC_ARM_REG_PC, &pc);
    return board_in_flash(pc) || (b->irq_candidate && board_in_flash(b->s.nvic.vtor));
}

enum board_stop board_cpu_loop(struct board *b)
{
    for (;;) {
        if (b->s.power_lost) {
            board_power_down(b);
            return BOARD_STOP_POWER;
        }
        if (b->s.reset_request)
            board_reset_assert(b, (enum board_reset)(b->s.reset_request - 1));
        if (b->s.icount >= b->icount_event)
            board_run_events(b);
        if (b->stop_request)
            return BOARD_STOP_REQUEST;
        if (b->uart_event && (b->on & BOARD_ON_UART))
            return BOARD_STOP_UART;
        if (b->reset_event && (b->on & BOARD_ON_RESET))
            return BOARD_STOP_RESET;
        if (b->lockup_event && (b->on & BOARD_ON_LOCKUP))
            return BOARD_STOP_LOCKUP;
        if (b->sleep_event && (b->on & BOARD_ON_SLEEP))
            return BOARD_STOP_SLEEP;
        if (b->address_hit)
            return BOARD_STOP_ADDRESS;
        if (b->asked) {
            board_answer_now(b);
            continue;
        }
        b->sleep_event = false;
        if (board_time(b) >= b->deadline)
            return BOARD_STOP_TIME;
        if (b->s.cpu == BOARD_CPU_SLEEPING && board_would_wake(b)) {
            b->s.cpu = BOARD_CPU_RUNNING;
            if (b->s.wait_event)
                b->s.nvic.event_register = 0;
        }
        if (b->s.cpu == BOARD_CPU_ROM && board_rom_poll(b))
            continue;
        if (b->s.cpu != BOARD_CPU_RUNNING) {
            uint64_t next = board_next_due(b);
            if (next == NEVER)
                return BOARD_STOP_TIME;
            board_skip_to(b, next);
            continue;
        }
        if (b->bus_fault_late) {
            b->bus_fault_late = false;
            board_fault(b, EXC_BUS, 1u << 10, board_reg(b, UC_ARM_REG_PC));
        }
        if (board_cpu_stalled(b)) {
            uint64_t from = board_time(b);
            board_skip_to(b, board_next_due(b));
            b->s.cycles += (double) (board_time(b) - from) / 1e12 * (double) b->s.rcc.hclk; /* its clock goes on */
            continue;
        }
        if (b->irq_candidate && board_take_pending(b))
            continue;
        if (b->s.cpu == BOARD_CPU_RUNNING && !execute(b))
            return BOARD_STOP_ERROR;
    }
}
