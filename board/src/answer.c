/* SPDX-License-Identifier: MIT */
/**
 * @file answer.c
 * Functions of the firmware that the host answers: signatures and hashes take seconds of host time here, and a campaign
 * boots a hundred thousand times. The time that the firmware's own code would have taken passes all the same, with the
 * events in it.
 */
#include "internal.h"

int board_on_call(struct board *b, uint32_t address, board_answer *answer, void *context)
{
    int n = board_watch(b, address, address);
    if (n >= 0) {
        b->watch[n].answer = answer;
        b->watch[n].ctx = context;
    }
    return n;
}

void board_answer_now(struct board *b)
{
    struct watch *w = b->asked;
    uint64_t instructions;
    b->asked = NULL;
    instructions = w->used && w->answer ? w->answer(w->ctx, b) : 0;
    if (instructions == 0)
        return; /* the watch is passed (resume_pc): the code runs */
    board_reg_set(b, UC_ARM_REG_PC, board_reg(b, UC_ARM_REG_LR) | 1u);
    b->resume_valid = false;
    board_skip_to(b, board_time(b) + (uint64_t) ((unsigned __int128) instructions * b->s.per_insn >> 16));
}
