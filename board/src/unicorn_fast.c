/* SPDX-License-Identifier: MIT */
/**
 * @file unicorn_fast.c
 * Unicorn 2.0.1 takes the slow way for every store to RAM: it marks all RAM pages as "may hold translated code" and
 * never takes that back (about 130 ns a store, most of it malloc). Here the mark is taken back for pages from which
 * nothing was executed yet. Unicorn's library calls its own function through the dynamic linker, so the one below comes
 * first; it calls the original and then tlb_set_dirty, which Unicorn has but does not use. The results are the same,
 * only sooner (the tests compare state hashes with and without).
 *
 * CMake compiles this file for exactly 2.0.1, whose internals it relies on; it checks the version again at run time.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <threads.h>

typedef void set_page(void *cpu, uint32_t address, uint64_t physical, uint32_t attributes, int prot, int mmu_index,
                      uint32_t size);
typedef void set_dirty(void *cpu, uint32_t address);
typedef void flush_page(void *cpu, uint32_t address);

static _Thread_local struct board *current;

static struct {
    set_page *set_page;
    set_dirty *set_dirty;
    flush_page *flush_page;
} original;

set_page tlb_set_page_with_attrs_arm;

/* POSIX wants the detour from void * to a function. */
static void find(const char *name, void *function, size_t size)
{
    void *p = dlsym(RTLD_NEXT, name);
    memcpy(function, &p, size);
}

static void find_all(void)
{
    find("tlb_set_page_with_attrs_arm", &original.set_page, sizeof original.set_page);
    find("tlb_set_dirty_arm", &original.set_dirty, sizeof original.set_dirty);
    find("tlb_flush_page_arm", &original.flush_page, sizeof original.flush_page);
    unsigned major = 0, minor = 0;
    uc_version(&major, &minor);
    if (major != 2 || minor != 0 || !original.flush_page)
        original.set_dirty = NULL;
}

void board_fast_init(void)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, find_all);
}

void board_fast_enter(struct board *b)
{
    current = b;
}

void tlb_set_page_with_attrs_arm(void *cpu, uint32_t address, uint64_t physical, uint32_t attributes, int prot,
                                 int mmu_index, uint32_t size)
{
    board_fast_init(); /* Unicorn may be used without a board, too */
    original.set_page(cpu, address, physical, attributes, prot, mmu_index, size);
    if (!current || current->options.no_shortcuts || !original.set_dirty)
        return;
    current->unicorn_cpu = cpu;
    const uint8_t *page = board_ram_page(current, address);
    if (page && !*page)
        original.set_dirty(cpu, address);
}

void board_fast_code_page(struct board *b, uint32_t address)
{
    if (b->unicorn_cpu && original.set_dirty)
        original.flush_page(b->unicorn_cpu, address); /* its next store finds the page marked again */
}
