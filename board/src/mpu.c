/* SPDX-License-Identifier: MIT */
/**
 * @file mpu.c
 * The memory protection unit (ARMv7-M ARM B3.5), as far as code is concerned: what must not be executed. Loads and
 * stores are not looked at, and neither is the time in which it is off (HFNMIENA).
 */
#include "internal.h"

#define REGIONS 8u
#define ENABLE 1u
#define PRIVDEFENA 4u
#define RASR_XN 0x10000000u

/** @return whether a region covers the address, the eighths that are switched off left out. */
static bool covers(const uint32_t region[2], uint32_t address)
{
    unsigned bits = (region[1] >> 1 & 31u) + 1u;
    uint32_t size = bits < 32u ? 1u << bits : 0, base = region[0] & (0u - size);
    if ((region[1] & 1u) == 0 || bits < 5u || (size != 0 && address - base >= size))
        return false;
    return bits < 8u || (region[1] >> (8u + ((address - base) >> (bits - 3u))) & 1u) == 0;
}

bool board_execute_never(const struct board *b, uint32_t address)
{
    const struct nvic *n = &b->s.nvic;
    if ((n->mpu_ctrl & ENABLE) == 0)
        return false;
    for (unsigned i = REGIONS; i-- > 0;)
        if (covers(n->mpu_region[i], address))
            return (n->mpu_region[i][1] & RASR_XN) != 0 || (n->mpu_region[i][1] >> 24 & 7u) == 0;
    return (n->mpu_ctrl & PRIVDEFENA) == 0;
}

uint32_t board_mpu_read(const struct board *b, uint32_t offset)
{
    const struct nvic *n = &b->s.nvic;
    unsigned region = n->mpu_rnr % REGIONS;
    switch (offset) {
    case 0xD90:
        return REGIONS << 8;
    case 0xD94:
        return n->mpu_ctrl;
    case 0xD98:
        return n->mpu_rnr;
    case 0xD9C:
    case 0xDA4:
    case 0xDAC:
    case 0xDB4:
        return n->mpu_region[region][0] | region;
    default:
        return n->mpu_region[region][1];
    }
}

void board_mpu_write(struct board *b, uint32_t offset, uint32_t value)
{
    struct nvic *n = &b->s.nvic;
    bool was_on = (n->mpu_ctrl & ENABLE) != 0;
    switch (offset) {
    case 0xD90:
        return;
    case 0xD94:
        n->mpu_ctrl = value & 7u;
        break;
    case 0xD98:
        n->mpu_rnr = value & 0xFFu;
        return;
    case 0xD9C:
    case 0xDA4:
    case 0xDAC:
    case 0xDB4:
        if (value & 0x10u) /* VALID: the region's number comes along */
            n->mpu_rnr = value & 0xFu;
        n->mpu_region[n->mpu_rnr % REGIONS][0] = value & 0xFFFFFFE0u;
        break;
    default:
        n->mpu_region[n->mpu_rnr % REGIONS][1] = value & 0x173FFF3Fu;
        break;
    }
    if (was_on || (n->mpu_ctrl & ENABLE) != 0)
        memset(b->blocks, 0, BLOCK_CACHE * sizeof *b->blocks); /* they know what is forbidden */
}
