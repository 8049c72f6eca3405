/* SPDX-License-Identifier: MIT */
/**
 * @file copy.c
 * A second board that goes on from where the first one stands, and one instruction that is left out: with both, a
 * campaign tries a fault at every instruction of a boot without booting each time.
 */
#include "internal.h"

#define LONGEST_STALL_NS 5000000000u /* an erase under way holds the fetch back */

static bool copy_ring(struct bytes *to, const struct bytes *from)
{
    while (bytes_pop(to) >= 0)
        continue;
    for (size_t i = 0; i < from->count; i++)
        if (!bytes_push(to, from->data[(from->head + i) % from->size]))
            return false;
    return true;
}

static void copy_cpu(struct board *to, struct board *from)
{
    static const int plain[] = {UC_ARM_REG_R0,      UC_ARM_REG_R1,        UC_ARM_REG_R2,    UC_ARM_REG_R3,
                                UC_ARM_REG_R4,      UC_ARM_REG_R5,        UC_ARM_REG_R6,    UC_ARM_REG_R7,
                                UC_ARM_REG_R8,      UC_ARM_REG_R9,        UC_ARM_REG_R10,   UC_ARM_REG_R11,
                                UC_ARM_REG_R12,     UC_ARM_REG_LR,        UC_ARM_REG_FPSCR, UC_ARM_REG_PRIMASK,
                                UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK, UC_ARM_REG_XPSR};
    uint32_t xpsr = board_reg(from, UC_ARM_REG_XPSR);
    board_core_set(to, 0, 0, board_reg(from, UC_ARM_REG_MSP), 0); /* privileged: the masks can be written */
    for (unsigned i = 0; i < sizeof plain / sizeof plain[0]; i++)
        board_reg_set(to, plain[i], board_reg(from, plain[i]));
    for (int d = 0; d < 16; d++) {
        uint64_t value = 0;
        uc_reg_read(from->uc, UC_ARM_REG_D0 + d, &value);
        uc_reg_write(to->uc, UC_ARM_REG_D0 + d, &value);
    }
    board_core_set(to, xpsr & 0x1FFu, board_reg(from, UC_ARM_REG_CONTROL), board_reg(from, UC_ARM_REG_MSP),
                   board_reg(from, UC_ARM_REG_PSP));
    board_reg_set(to, UC_ARM_REG_PC, board_reg(from, UC_ARM_REG_PC) | 1u);
    board_clear_exclusive(to);
}

bool board_copy(struct board *to, struct board *from)
{
    if (to->in_run || from->in_run || from->bus_fault_late || from->usage_fault || from->fp_trap || from->never ||
        from->asked)
        return false;
    to->s = from->s; /* the time, too, by which unsure bits change */
    board_flash_same(to, from);
    memcpy(to->flash + FOTA_FLASH_SIZE, from->flash + FOTA_FLASH_SIZE, from->flash_len - FOTA_FLASH_SIZE);
    memcpy(to->sysmem + (OTP_BASE - SYSMEM_BASE), from->sysmem + (OTP_BASE - SYSMEM_BASE), OTP_SIZE);
    memcpy(to->sram, from->sram, FOTA_RAM_SIZE);
    memcpy(to->ccm, from->ccm, FOTA_CCM_SIZE);
    board_ram_changed(to, FOTA_RAM_BASE, FOTA_RAM_SIZE);
    board_ram_changed(to, FOTA_CCM_BASE, FOTA_CCM_SIZE);
    memset(to->blocks, 0, BLOCK_CACHE * sizeof *to->blocks); /* the MPU may be another one */
    for (unsigned i = 0; i < BOARD_UARTS; i++)
        if (!copy_ring(&to->to_chip[i], &from->to_chip[i]) || !copy_ring(&to->from_chip[i], &from->from_chip[i]))
            return false;
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        if (!copy_ring(&to->to_spi[i], &from->to_spi[i]) || !copy_ring(&to->from_spi[i], &from->from_spi[i]))
            return false;
    to->bus_fault_late = to->fp_trap = to->never = false;
    to->usage_fault = 0;
    to->asked = NULL;
    to->resume_valid = from->resume_valid;
    to->resume_pc = from->resume_pc;
    to->attention = to->recheck = true;
    to->masked = false;
    for (unsigned i = 0; i < sizeof to->watch / sizeof to->watch[0]; i++)
        to->watch[i].hit = false;
    copy_cpu(to, from);
    board_nvic_update(to);
    board_skip_reset(to);
    return true;
}

/** The block with the instruction is about to execute: stop behind it. */
struct once {
    struct board *board;
    uint32_t address;
    bool done;
};

static void stop_behind(void *context, uint32_t pc, uint32_t size)
{
    struct once *once = context;
    if (once->address - pc >= size)
        return;
    once->done = true;
    board_request_stop(once->board);
}

bool board_skip_instruction(struct board *b, uint32_t address)
{
    static const uint8_t nop[] = {0x00, 0xBF, 0xAF, 0xF3, 0x00, 0x80}; /* NOP; NOP.W */
    struct once once = {.board = b, .address = address};
    uint8_t kept[4], *at = b->flash + (address - FOTA_FLASH_BASE);
    uint32_t size;
    if (address - FOTA_FLASH_BASE > FOTA_FLASH_SIZE - sizeof kept || b->s.cpu != BOARD_CPU_RUNNING)
        return false;
    size = board_insn_size(board_fetch16(b, address));
    memcpy(kept, at, size);
    memcpy(at, size == 2u ? nop : nop + 2, size);
    board_code_changed(b, address, size);
    board_on_trace(b, stop_behind, &once);
    (void) board_run_until(b, LONGEST_STALL_NS, 0);
    board_on_trace(b, NULL, NULL);
    memcpy(at, kept, size);
    board_code_changed(b, address, size);
    return once.done;
}
