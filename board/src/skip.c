/* SPDX-License-Identifier: MIT */
/**
 * @file skip.c
 * Polling loops are not executed in full. When the CPU comes back to the same place with the same registers and the
 * same RAM, and nothing in between touched a peripheral other than by reads without effect, then it will come back
 * again and again until the next event. So time jumps by whole rounds to just before that event, with the instructions
 * counted: the result is bit for bit the one of executing them (the tests compare state hashes with and without).
 */
#include "internal.h"

#include <stdlib.h>

#define FIRST_PROBE 256u /* instructions between two attempts; doubles with each one that failed */
#define LAST_PROBE (1u << 18)
#define LONGEST_LOOP 256u    /* blocks */
#define RAM_WORTH (1u << 15) /* instructions to the next event from which comparing all RAM pays */

static const int registers[] = {UC_ARM_REG_R0,  UC_ARM_REG_R1, UC_ARM_REG_R2,  UC_ARM_REG_R3,
                                UC_ARM_REG_R4,  UC_ARM_REG_R5, UC_ARM_REG_R6,  UC_ARM_REG_R7,
                                UC_ARM_REG_R8,  UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR,  UC_ARM_REG_XPSR};
#define REGISTERS (sizeof registers / sizeof registers[0])
_Static_assert(REGISTERS == SKIP_REGISTERS, "one snapshot");

static void snapshot(struct board *b, uint32_t *to)
{
    for (unsigned i = 0; i < REGISTERS; i++)
        to[i] = board_reg(b, registers[i]);
}

void board_skip_reset(struct board *b)
{
    b->skip.left = 0;
    b->skip.at = b->s.icount + FIRST_PROBE;
    b->skip.pause = FIRST_PROBE;
    board_time_horizon(b);
}

static void stop_probing(struct board *b, bool success)
{
    struct skip *k = &b->skip;
    k->left = 0;
    k->pause = success || k->pause == 0 ? FIRST_PROBE : k->pause < LAST_PROBE ? 2u * k->pause : LAST_PROBE;
    k->at = b->s.icount + k->pause;
    board_time_horizon(b);
}

static void start_probing(struct board *b, uint32_t pc)
{
    struct skip *k = &b->skip;
    k->pc = pc;
    k->icount = b->s.icount;
    k->left = LONGEST_LOOP;
    k->at = UINT64_MAX;
    b->traits = 0;
    snapshot(b, k->registers);
    k->with_ram = k->want_ram && b->icount_event - b->s.icount > RAM_WORTH;
    k->want_ram = false;
    if (k->with_ram && !k->ram)
        k->ram = malloc(FOTA_RAM_SIZE + FOTA_CCM_SIZE);
    k->with_ram = k->with_ram && k->ram;
    if (k->with_ram) {
        memcpy(k->ram, b->sram, FOTA_RAM_SIZE);
        memcpy(k->ram + FOTA_RAM_SIZE, b->ccm, FOTA_CCM_SIZE);
    }
    board_time_horizon(b);
}

static bool came_back(struct board *b)
{
    struct skip *k = &b->skip;
    uint32_t now[REGISTERS];
    if (b->traits & TRAIT_UNSAFE)
        return false;
    snapshot(b, now);
    if (memcmp(now, k->registers, sizeof now) != 0)
        return false;
    if ((b->traits & TRAIT_STORE) && !k->with_ram) { /* promising: next time with the RAM */
        k->want_ram = true;
        return false;
    }
    return !(b->traits & TRAIT_STORE) ||
           (memcmp(k->ram, b->sram, FOTA_RAM_SIZE) == 0 && memcmp(k->ram + FOTA_RAM_SIZE, b->ccm, FOTA_CCM_SIZE) == 0);
}

void board_skip_probe(struct board *b, uint32_t pc)
{
    struct skip *k = &b->skip;
    if (b->options.no_shortcuts)
        return;
    if (k->left == 0) {
        if (b->s.icount >= k->at)
            start_probing(b, pc);
        return;
    }
    k->left--;
    if (pc != k->pc) {
        if (k->left == 0 || (b->traits & TRAIT_UNSAFE))
            stop_probing(b, false);
        return;
    }
    if (!came_back(b)) {
        stop_probing(b, false);
        return;
    }
    uint64_t round = b->s.icount - k->icount;
    uint64_t end = b->weak.next < b->icount_event ? b->weak.next : b->icount_event;
    if (round == 0 || end <= b->s.icount + round) {
        stop_probing(b, true);
        return;
    }
    uint64_t rounds = (end - b->s.icount - 1u) / round; /* strictly short of the event */
    b->s.icount += rounds * round;
    b->counters.skipped_instructions += rounds * round;
    stop_probing(b, true);
}
