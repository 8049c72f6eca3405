/* SPDX-License-Identifier: MIT */
/**
 * @file hooks.c
 * What Unicorn calls: before each block or instruction (time, events, reasons to stop), on accesses to nothing and
 * stores to flash; and the watches on addresses.
 */
#include "internal.h"

bool board_in_flash(uint32_t address)
{
    return address - FOTA_FLASH_BASE < FOTA_FLASH_SIZE || address < FOTA_FLASH_SIZE;
}

/* ------------------------------------------------------------------------------------------- changes of code */

uint8_t *board_ram_page(struct board *b, uint32_t address)
{
    if (address - FOTA_RAM_BASE < FOTA_RAM_SIZE)
        return &b->ram_code[(address - FOTA_RAM_BASE) / CODE_PAGE];
    if (address - FOTA_CCM_BASE < FOTA_CCM_SIZE)
        return &b->ram_code[(FOTA_RAM_SIZE + address - FOTA_CCM_BASE) / CODE_PAGE];
    return NULL;
}

void board_code_changed(struct board *b, uint32_t address, uint32_t len)
{
    bool executed = false;
    for (uint32_t page = address / CODE_PAGE; page <= (address + len - 1u) / CODE_PAGE; page++)
        executed = executed || b->flash_code[(page - FOTA_FLASH_BASE / CODE_PAGE) % (FOTA_FLASH_SIZE / CODE_PAGE)] != 0;
    if (!executed)
        return;
    uc_ctl_remove_cache(b->uc, address, address + len);
    uc_ctl_remove_cache(b->uc, address - FOTA_FLASH_BASE, address - FOTA_FLASH_BASE + len);
    memset(b->blocks, 0, BLOCK_CACHE * sizeof *b->blocks);
    b->code_changed = true;
    b->attention = true;
}

void board_ram_changed(struct board *b, uint32_t address, uint32_t len)
{
    for (uint32_t at = address; at - address < len; at = (at | (CODE_PAGE - 1u)) + 1u) {
        const uint8_t *page = board_ram_page(b, at);
        if (page && *page)
            uc_ctl_remove_cache(b->uc, at, (at | (CODE_PAGE - 1u)) + 1u);
    }
}

/* ------------------------------------------------------------------------------------------------------- hooks */

static struct block_info *lookup(struct board *b, uint32_t pc, uint32_t size)
{
    struct block_info *e = &b->blocks[(pc >> 1) % BLOCK_CACHE];
    if (e->pc == pc && e->size == size && e->count != 0)
        return e;
    e->pc = pc;
    e->size = (uint16_t) size;
    e->count = (uint16_t) board_decode_block(b, pc, size, &e->flags, &e->traits);
    if (board_execute_never(b, pc)) {
        e->flags |= BLOCK_NEVER; /* so its page need not be watched for changes: cpu.c drops the translation */
        return e;
    }
    if (board_ram_page(b, pc)) {
        for (uint32_t at = pc; at < pc + size; at = (at | (CODE_PAGE - 1u)) + 1u) {
            uint8_t *page = board_ram_page(b, at);
            if (page && !*page) {
                *page = 1;
                board_fast_code_page(b, at);
            }
        }
        e->pc = UINT32_MAX; /* the program may change it without our notice: decode it again next time */
    } else if (board_in_flash(pc)) {
        b->flash_code[pc % FOTA_FLASH_SIZE / CODE_PAGE] = 1;
        b->flash_code[(pc + size) % FOTA_FLASH_SIZE / CODE_PAGE] = 1;
    }
    return e;
}

/** A watched address was reached. @return true to stop before it. */
static bool watch_hit(struct board *b, struct watch *w)
{
    if (!w->hit) {
        w->hit = true;
        w->ps = board_time(b);
    }
    if ((b->on & BOARD_ON_ADDRESS) && !w->answer)
        b->address_hit = true;
    return b->address_hit;
}

bool board_fp_enabled(const struct board *b)
{
    return (b->s.nvic.cpacr >> 20 & 0xFu) == 0xFu || (b->s.nvic.cpacr >> 20 & 0xFu) == 0x5u;
}

static bool run_over(const struct board *b)
{
    return b->s.power_lost || b->s.reset_request || b->stop_request || (b->uart_event && (b->on & BOARD_ON_UART)) ||
           b->address_hit || board_time(b) >= b->deadline || b->s.cpu != BOARD_CPU_RUNNING;
}

/** The rare things. @return true when the block must not execute now. */
static bool slow_path(struct board *b, uint32_t pc, const struct block_info *e)
{
    if (b->s.icount >= b->icount_event)
        board_run_events(b);
    if (b->s.icount >= b->weak.next)
        board_weak_roll(b);
    while (b->s.flash.op != FLASH_IDLE && board_in_flash(pc) && !run_over(b))
        board_skip_to(b, board_next_due(b)); /* the fetch waits for the flash */
    if (run_over(b) || b->code_changed)
        return true;
    if (b->irq_candidate && (!b->masked || b->recheck)) {
        if (board_preempts(b))
            return true;
        b->masked = true; /* until the masks or the NVIC change */
    }
    b->recheck = (e->flags & BLOCK_MASKS) != 0;
    if (e->flags & BLOCK_NEVER) {
        b->never = true;
        return true;
    }
    if ((e->flags & BLOCK_FP) && !board_fp_enabled(b)) {
        b->fp_trap = true;
        return true;
    }
    if (b->bus_fault_late)
        return true;
    if ((e->flags & BLOCK_CHECK) && (b->usage_fault = board_check_insn(b, pc)) != 0)
        return true;
    if (b->range_watches && !(b->resume_valid && b->resume_pc == pc)) {
        bool stop = false;
        for (unsigned i = 0; i < 16; i++) {
            struct watch *w = &b->watch[i];
            if (w->used && pc >= w->first && pc <= w->last)
                stop = watch_hit(b, w) || stop;
        }
        if (stop) {
            b->resume_pc = pc;
            b->resume_valid = true;
            return true;
        }
    }
    if (b->resume_pc != pc) /* else an exact watch at this very address is about to look */
        b->resume_valid = false;
    if (b->skip.left || b->s.icount >= b->skip.at)
        board_skip_probe(b, pc);
    if (b->trace)
        b->trace(b->trace_ctx, pc, e->size);
    if (e->flags & BLOCK_SEV)
        b->s.nvic.event_register = 1;
    b->attention = (b->irq_candidate && !b->masked) || b->recheck || b->skip.left || b->s.flash.op != FLASH_IDLE ||
                   b->range_watches || b->trace != NULL;
    return false;
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    struct board *b = context;
    uint32_t pc = (uint32_t) address;
    if (b->hidden)
        return;
    const struct block_info *e = lookup(b, pc, size);
    b->block_pc = pc;
    b->block_size = size;
    if (b->attention || e->flags != 0 || b->s.icount >= b->icount_slow) {
        if (slow_path(b, pc, e)) {
            b->hook_stop = true;
            b->stop_pc = pc;
            uc_emu_stop(uc);
            return;
        }
    }
    b->traits |= e->traits;
    b->s.icount += e->count;
}

/** In BLOCK mode: an exactly watched address, somewhere in a block whose instructions were all counted already. */
static void on_watch(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    struct board *b = context;
    uint32_t pc = (uint32_t) address;
    (void) size;
    if (b->hidden || b->hook_stop || (b->resume_valid && b->resume_pc == pc)) {
        b->resume_valid = false;
        return;
    }
    uint8_t flags, traits;
    uint32_t rest = 0;
    if (b->options.mode == BOARD_MODE_BLOCK && pc >= b->block_pc && pc < b->block_pc + b->block_size)
        rest = board_decode_block(b, pc, b->block_pc + b->block_size - pc, &flags, &traits);
    else if (b->options.mode == BOARD_MODE_CODE)
        rest = 1;
    b->s.icount -= rest;
    bool stop = false;
    for (unsigned i = 0; i < 16; i++)
        if (b->watch[i].used && b->watch[i].exact && b->watch[i].first == pc) {
            if (b->watch[i].answer)
                b->asked = &b->watch[i];
            stop = watch_hit(b, &b->watch[i]) || b->asked || stop;
        }
    if (stop) {
        b->resume_pc = pc;
        b->resume_valid = true;
        b->hook_stop = true;
        b->stop_pc = pc;
        uc_emu_stop(uc);
        return;
    }
    b->s.icount += rest;
}

static void on_interrupt(uc_engine *uc, uint32_t number, void *context)
{
    struct board *b = context;
    b->intr = (int) number;
    uc_emu_stop(uc);
}

static bool on_unmapped(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *context)
{
    struct board *b = context;
    (void) uc;
    (void) value;
    b->fault_hit = true;
    b->fault_type = (int) type;
    b->fault_address = (uint32_t) address;
    (void) size;
    return false;
}

static bool on_protected(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *context)
{
    struct board *b = context;
    (void) uc;
    if (type != UC_MEM_WRITE_PROT)
        return false;
    uint32_t a = (uint32_t) address;
    if (size == 1 && b->split_bytes && a - b->split_address < 8u) {
        b->split_bytes--; /* Unicorn repeats an unaligned store byte by byte: it was answered as a whole */
        return true;
    }
    b->split_bytes = 0;
    if (size > 1 && (a & ((uint32_t) size - 1u))) {
        b->split_bytes = (unsigned) size;
        b->split_address = a;
    }
    if (a - FOTA_FLASH_BASE < FOTA_FLASH_SIZE || a - OTP_BASE < OTP_SIZE) {
        if (size == 8) { /* two words, low one first, as the bus would see it */
            board_flash_store(b, a, 4, (uint32_t) value);
            board_flash_store(b, a + 4, 4, (uint32_t) ((uint64_t) value >> 32));
        } else
            board_flash_store(b, a, (unsigned) size, (uint32_t) value);
    } else
        board_rule(b, BOARD_RULE_READ_ONLY, b->block_pc, "store to read-only memory at 0x%08x", a);
    return true;
}

int board_watch(struct board *b, uint32_t first, uint32_t last)
{
    for (int i = 0; i < 16; i++) {
        struct watch *w = &b->watch[i];
        if (w->used)
            continue;
        memset(w, 0, sizeof *w);
        w->used = true;
        w->first = first & ~1u;
        w->last = last & ~1u;
        w->exact = w->first == w->last;
        if (w->exact) {
            if (uc_hook_add(b->uc, &w->hook, UC_HOOK_CODE, (void *) on_watch, b, w->first, w->first) != UC_ERR_OK) {
                w->used = false;
                return -1;
            }
            uc_ctl_remove_cache(b->uc, w->first, w->first + 2u); /* blocks made before know nothing of the hook */
        } else {
            b->range_watches++;
            b->attention = true;
        }
        return i;
    }
    return -1;
}

void board_unwatch(struct board *b, int watch)
{
    if (watch < 0 || watch >= 16 || !b->watch[watch].used)
        return;
    struct watch *w = &b->watch[watch];
    w->used = false;
    if (w->exact) {
        uc_hook_del(b->uc, w->hook);
        uc_ctl_remove_cache(b->uc, w->first, w->first + 2u);
    } else
        b->range_watches--;
}

#define RAM_CODE 0x20000000u
#define RAM_CODE_SIZE 0x20000u

static void on_trap(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *context)
{
    struct board *b = context;
    (void) uc;
    (void) type;
    (void) address;
    (void) size;
    (void) value;
    if (b->hidden || b->block_pc - FOTA_BOOT_BASE < FOTA_BOOT_SIZE)
        return;
    if (b->trap.hits++ == 0)
        b->trap.pc = b->block_pc;
}

static void on_trapped_code(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    on_trap(uc, UC_MEM_FETCH, address, (int) size, 0, context);
}

bool board_trap(struct board *b, uint32_t first, uint32_t last)
{
    board_untrap(b);
    if (uc_hook_add(b->uc, &b->trap.read, UC_HOOK_MEM_READ, (void *) on_trap, b, first, last) != UC_ERR_OK)
        return false;
    if (uc_hook_add(b->uc, &b->trap.code, UC_HOOK_CODE, (void *) on_trapped_code, b, first, last) != UC_ERR_OK) {
        uc_hook_del(b->uc, b->trap.read);
        return false;
    }
    b->trap.set = true;
    /* blocks made before know nothing of the hooks */
    uc_ctl_remove_cache(b->uc, FOTA_FLASH_BASE, FOTA_FLASH_BASE + FOTA_FLASH_SIZE);
    uc_ctl_remove_cache(b->uc, RAM_CODE, RAM_CODE + RAM_CODE_SIZE);
    return true;
}

void board_untrap(struct board *b)
{
    if (b->trap.set) {
        uc_hook_del(b->uc, b->trap.read);
        uc_hook_del(b->uc, b->trap.code);
    }
    b->trap.set = false;
    b->trap.hits = 0;
    b->trap.pc = 0;
}

uint64_t board_trapped(const struct board *b, uint32_t *pc)
{
    if (pc)
        *pc = b->trap.pc;
    return b->trap.hits;
}

bool board_watch_hit(const struct board *b, int watch, uint64_t *ns)
{
    if (watch < 0 || watch >= 16 || !b->watch[watch].used || !b->watch[watch].hit)
        return false;
    if (ns)
        *ns = b->watch[watch].ps / PS_PER_NS;
    return true;
}

static void on_read(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *context)
{
    struct board *b = context;
    (void) uc;
    (void) type;
    (void) value;
    if (b->weak.any)
        board_weak_read(b, (uint32_t) address | FOTA_FLASH_BASE, (uint32_t) size);
}

uc_err board_hooks_add(struct board *b)
{
    int kind = b->options.mode == BOARD_MODE_CODE ? UC_HOOK_CODE : UC_HOOK_BLOCK;
    uc_err e = uc_hook_add(b->uc, &b->hook_block, kind, (void *) on_block, b, 1, 0);
    if (e == UC_ERR_OK)
        e = uc_hook_add(b->uc, &b->hook_intr, UC_HOOK_INTR, (void *) on_interrupt, b, 1, 0);
    if (e == UC_ERR_OK)
        e = uc_hook_add(b->uc, &b->hook_unmapped, UC_HOOK_MEM_UNMAPPED, (void *) on_unmapped, b, 1, 0);
    if (e == UC_ERR_OK)
        e = uc_hook_add(b->uc, &b->hook_protected, UC_HOOK_MEM_PROT, (void *) on_protected, b, 1, 0);
    for (unsigned i = 0; i < 2 && b->options.weak == BOARD_WEAK_EACH_READ && e == UC_ERR_OK;
         i++) { /* the flash, and its alias at 0 */
        uint64_t first = i == 0 ? FOTA_FLASH_BASE : 0;
        e = uc_hook_add(b->uc, &b->hook_read[i], UC_HOOK_MEM_READ, (void *) on_read, b, first,
                        first + FOTA_FLASH_SIZE - 1u);
    }
    return e;
}
