/* SPDX-License-Identifier: MIT */
/** @file doctor_code.c What is wrong with what an application's code does. */
#include "examine.h"
#include "fota/bytes.h"
#include "internal.h"
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VTOR 0xE000ED08u    /* ARMv7-M ARM B3.2.5 */
#define IWDG_KR 0x40003000u /* RM0090 21.4.1 */
#define IWDG_FEED 0xAAAAu
#define HARD_FAULT 3u
#define EXCEPTIONS 16u
#define VECTORS 98u     /* of the STM32F407, RM0090 table 62 */
#define VTOR_ALIGN 512u /* for that many */
#define RANGES_MAX 32u

struct range {
    uint32_t from, size;
};

struct code {
    struct examination *x;
    struct walk walk;
    bool lto; /* functions may have been taken apart */
    /* the confirmation */
    struct range confirm[RANGES_MAX], agent[RANGES_MAX]; /* it, and what calls it in the agent itself */
    unsigned confirm_count, agent_count;
    bool confirm_called;
    /* the watchdog's key register, where code that is not the agent's own writes it */
    struct range feed[RANGES_MAX], erase[RANGES_MAX]; /* what feeds it, and who in the agent calls that */
    unsigned feed_count, erase_count;
    uint32_t fed_at, perhaps_fed_at;
};

/* "`SystemInit`+0x10 in .text" */
static const char *where(const struct code *c, uint32_t address, char text[200])
{
    pack_elf_describe(&c->x->flash, walk_load_address(&c->walk, address), text, 200);
    return text;
}

/* --- functions by name ------------------------------------------------------------------------------------------ */

/* The compiler names clones of a function after it: fota_confirm.constprop.0 */
static bool is_named(const char *symbol, const char *name)
{
    size_t n = strlen(name);
    return strncmp(symbol, name, n) == 0 && (symbol[n] == '\0' || symbol[n] == '.');
}

/* @return how many there are. */
static unsigned functions(const struct code *c, const char *name, struct range *out, unsigned room)
{
    const struct pack_elf *elf = &c->x->flash;
    unsigned count = 0;
    for (uint32_t i = 1; i < elf->symbol_count && count < room; i++) {
        struct pack_symbol s;
        pack_elf_symbol(elf, i, &s);
        if (s.type == STT_FUNC && s.section != SHN_UNDEF && is_named(s.name, name))
            out[count++] = (struct range){s.value & ~1u, s.size};
    }
    return count;
}

enum presence { ABSENT, UNREACHED, REACHED };

static enum presence presence(const struct code *c, const char *name)
{
    struct range found[RANGES_MAX];
    unsigned count = functions(c, name, found, RANGES_MAX);
    for (unsigned i = 0; i < count; i++)
        if (walk_reached(&c->walk, found[i].from))
            return REACHED;
    return count > 0 ? UNREACHED : ABSENT;
}

/* What a function that is missing means. Where code was inlined across files nobody can tell. */
static enum doctor_level level_of(const struct code *c, enum presence p)
{
    return p == ABSENT && c->lto ? DOCTOR_WARNING : DOCTOR_ERROR;
}

static const char *how(const struct code *c, enum presence p)
{
    if (p == UNREACHED)
        return "is linked, but nothing that runs calls it";
    return c->lto ? "is not in this ELF (or was inlined by link-time optimisation: then this cannot be told)"
                  : "is not in this ELF: nothing calls it";
}

/* Functions and variables of no file: the compiler made them of several ones, at the end. */
static bool is_lto(const struct pack_elf *elf)
{
    struct pack_section table;
    bool no_file = false;
    if (!pack_elf_section(elf, elf->symbol_table, &table))
        return false;
    for (uint32_t i = 1; i < elf->symbol_count && i < table.info; i++) { /* the local ones */
        struct pack_symbol s;
        pack_elf_symbol(elf, i, &s);
        if (s.type == STT_FILE)
            no_file = s.name[0] == '\0' || strcmp(s.name, "<artificial>") == 0;
        else if (no_file && s.size > 0 && (s.type == STT_FUNC || s.type == STT_OBJECT) &&
                 strstr(s.name, "_veneer") == NULL)
            return true;
    }
    return false;
}

/* --- while the code is followed --------------------------------------------------------------------------------- */

static bool within(const struct range *ranges, unsigned count, uint32_t address)
{
    for (unsigned i = 0; i < count; i++)
        if (address == ranges[i].from || address - ranges[i].from < ranges[i].size)
            return true;
    return false;
}

static void on_edge(void *ctx, uint32_t from, uint32_t to)
{
    struct code *c = ctx;
    for (unsigned i = 0; i < c->confirm_count; i++)
        if (to == c->confirm[i].from && !within(c->agent, c->agent_count, from))
            c->confirm_called = true;
    for (unsigned i = 0; i < c->feed_count; i++)
        if (to == c->feed[i].from && !within(c->erase, c->erase_count, from))
            c->fed_at = from;
}

#define VTOR_REMEDY                                                                                                    \
    "the bootloader has set VTOR already: remove it (ST's SystemInit(): no USER_VECT_TAB_ADDRESS, or no write of "     \
    "SCB->VTOR), or write the address of the table itself, SCB->VTOR = (uint32_t) &g_pfnVectors"

static void vtor_number(struct code *c, uint32_t at, uint32_t value)
{
    struct examination *x = c->x;
    char place[200];
    const char *name = x->elf[0].name;
    (void) where(c, at, place);
    if (value - FOTA_RAM_BASE < FOTA_RAM_SIZE)
        examine_found(x, DOCTOR_NOTE, "vtor",
                      "%s: the vector table moves into RAM, 0x%08" PRIx32 ", at 0x%08" PRIx32
                      " (%s): fota_agent_start() has to be called before",
                      name, value, at, place);
    else if (value == x->base && !x->moves_known)
        examine_found(x, DOCTOR_NOTE, "vtor",
                      "%s: the instruction at 0x%08" PRIx32 " (%s) writes 0x%08" PRIx32
                      " to SCB->VTOR; whether it moves to slot B cannot be told before the relocations are right",
                      name, at, place, value);
    else if (value == x->base)
        examine_found(
            x, DOCTOR_ERROR, "vtor",
            "%s: VTOR is overwritten: the instruction at 0x%08" PRIx32 " (%s) writes the number 0x%08" PRIx32
            ", which does not move to the other slot, where interrupts would then be those of this one; " VTOR_REMEDY,
            name, at, place, value);
    else
        examine_found(
            x, DOCTOR_ERROR, "vtor",
            "%s: VTOR is overwritten: the instruction at 0x%08" PRIx32 " (%s) writes 0x%08" PRIx32
            "%s, but the vector table is at 0x%08" PRIx32 ", and the first interrupt goes astray; " VTOR_REMEDY,
            name, at, place, value, value - FOTA_BOOT_BASE < FOTA_BOOT_SIZE ? " (the bootloader's)" : "", x->base);
}

static void vtor(struct code *c, uint32_t at, const struct thumb_step *s)
{
    char place[200];
    if (!s->value_known)
        examine_found(
            c->x, DOCTOR_NOTE, "vtor",
            "%s: the instruction at 0x%08" PRIx32
            " (%s) writes SCB->VTOR; what it writes could not be told. It must be the vector table of the slot "
            "that runs, or one in RAM",
            c->x->elf[0].name, at, where(c, at, place));
    else if (!s->value_moves)
        vtor_number(c, at, s->value);
    else if (s->value % VTOR_ALIGN != 0)
        examine_found(c->x, DOCTOR_ERROR, "vtor",
                      "%s: the instruction at 0x%08" PRIx32 " (%s) writes 0x%08" PRIx32
                      " to SCB->VTOR, which is no multiple of %u: align the vector table in the linker script",
                      c->x->elf[0].name, at, where(c, at, place), s->value, VTOR_ALIGN);
}

/* A number that is an address in the slot that this link does not run from. */
static void other_slot(struct code *c, uint32_t at, const struct thumb_step *s)
{
    const struct examination *x = c->x;
    char place[200];
    unsigned other = x->base == fota_slot_code(FOTA_SLOT_A)   ? FOTA_SLOT_B
                     : x->base == fota_slot_code(FOTA_SLOT_B) ? FOTA_SLOT_A
                                                              : FOTA_SLOT_NONE;
    bool own = s->loaded - x->flash.low < x->flash.high - x->flash.low; /* of an image that is too large */
    if (other == FOTA_SLOT_NONE || own || s->loaded_moves || s->loaded - fota_slot_base(other) >= FOTA_SLOT_SIZE)
        return;
    examine_found(
        c->x, DOCTOR_WARNING, "other-slot",
        "%s: the instruction at 0x%08" PRIx32 " (%s) loads 0x%08" PRIx32
        ", an address in slot %s, which is erased and written by updates: if it is one, take the address of a "
        "symbol instead of a number",
        x->elf[0].name, at, where(c, at, place), s->loaded, other == FOTA_SLOT_B ? "B" : "A");
}

static void initial_values(struct code *c, uint32_t number)
{
    const struct pack_elf *flash = &c->x->flash;
    for (unsigned i = 0; i < flash->segment_count; i++)
        if (number - flash->segment[i].load_address < flash->segment[i].size)
            c->x->named |= 1u << i;
}

static void on_step(void *ctx, uint32_t address, const struct thumb_step *s)
{
    struct code *c = ctx;
    if (s->literal) {
        other_slot(c, address, s);
        initial_values(c, s->loaded);
    }
    if (!s->writes)
        return;
    if (s->write_known && s->write == VTOR)
        vtor(c, address, s);
    if (!s->value_known || s->value != IWDG_FEED || within(c->feed, c->feed_count, address) ||
        within(c->erase, c->erase_count, address))
        return;
    if (s->write_known && s->write == IWDG_KR)
        c->fed_at = address;
    else if (!s->write_known)
        c->perhaps_fed_at = address;
}

/* --- what follows ----------------------------------------------------------------------------------------------- */

static void agent(struct code *c)
{
    enum presence start = presence(c, "fota_agent_start"), poll = presence(c, "fota_agent_poll"),
                  receive = presence(c, "fota_agent_receive"), updates = presence(c, "fota_agent_updates");
    const char *name = c->x->elf[0].name;
    if (start != REACHED)
        examine_found(c->x, level_of(c, start), "agent",
                      "%s: the agent is not started: fota_agent_start() %s; without it nothing is confirmed and the "
                      "gateway gets no answer. Call it once, after the serial port is set up",
                      name, how(c, start));
    else if (poll != REACHED && receive != REACHED)
        examine_found(c->x, DOCTOR_WARNING, "agent",
                      "%s: the agent gets no bytes: fota_agent_poll() %s, nor fota_agent_receive(); the gateway cannot "
                      "ask for an update while this runs. Call one of them in the main loop",
                      name, how(c, poll));
    if (updates != REACHED)
        examine_found(
            c->x, DOCTOR_NOTE, "updates",
            "%s: fota_agent_updates() %s: updates go through the bootloader, and the application stands still "
            "meanwhile",
            name, how(c, updates));
}

static void watchdog(struct code *c)
{
    enum presence feed = presence(c, "fota_feed");
    const char *name = c->x->elf[0].name;
    char place[200];
    if (feed == REACHED)
        return;
    if (c->fed_at != 0 || c->perhaps_fed_at != 0) {
        uint32_t at = c->fed_at != 0 ? c->fed_at : c->perhaps_fed_at;
        examine_found(
            c->x, DOCTOR_WARNING, "watchdog",
            "%s: the watchdog is %sfed at 0x%08" PRIx32
            " (%s), but not through fota_feed(), which %s: a trial that is never confirmed does not end at its "
            "deadline. Call fota_feed() instead",
            name, c->fed_at != 0 ? "" : "probably ", at, where(c, at, place), how(c, feed));
        return;
    }
    examine_found(
        c->x, level_of(c, feed), "watchdog",
        "%s: the watchdog is not fed: fota_feed() %s, and no write of 0xAAAA to IWDG_KR was found but the "
        "agent's own, for erases. In a "
        "trial the watchdog runs, so the device goes back to its old image: call fota_feed() in the main loop, "
        "at least every 20 s",
        name, how(c, feed));
}

static void confirmation(struct code *c)
{
    enum presence confirm = presence(c, "fota_confirm");
    if (c->confirm_called)
        return;
    if (confirm == REACHED) /* by the agent alone, for a call that came in an interrupt */
        confirm = UNREACHED;
    examine_found(c->x, level_of(c, confirm), "confirm",
                  "%s: the image is never confirmed: fota_confirm() %s. Each trial would end at its deadline with a "
                  "rollback: call fota_confirm() when the application knows that it works",
                  c->x->elf[0].name, how(c, confirm));
}

/* Last: it walks again, from this handler alone. */
static void faults(struct code *c)
{
    uint32_t handler = 0;
    char place[200];
    c->walk.events = (struct walk_events){0};
    walk_again(&c->walk);
    if (!walk_word(&c->walk, c->x->base + 4u * HARD_FAULT, &handler))
        return;
    walk_from(&c->walk, handler);
    if (presence(c, "fota_agent_fault") == REACHED)
        return;
    examine_found(
        c->x, DOCTOR_WARNING, "fault-handler",
        "%s: a fault is not noted: HardFault goes to %s, which does not come to fota_agent_fault(). After a fault "
        "the device hangs until the watchdog resets it, and neither reason nor PC are known: "
        "FOTA_FAULT_HANDLER(HardFault_Handler);",
        c->x->elf[0].name, handler == 0 ? "nothing" : where(c, handler & ~1u, place));
}

static void follow(struct code *c)
{
    uint32_t pointer = 0;
    for (uint32_t n = 1; n < (c->walk.symbols ? EXCEPTIONS : VECTORS); n++)
        if (walk_word(&c->walk, c->x->base + 4u * n, &pointer))
            walk_from(&c->walk, pointer);
    walk_from(&c->walk, c->x->elf[0].entry);
    walk_from_data(&c->walk);
}

static void judge(struct code *c)
{
    if (!c->walk.symbols) {
        examine_found(
            c->x, DOCTOR_WARNING, "symbols",
            "%s: this ELF has no symbols of functions (stripped): whether the agent is started, the watchdog fed, "
            "the image confirmed and faults noted could not be told; give the ELF as it was before strip",
            c->x->elf[0].name);
        return;
    }
    agent(c);
    watchdog(c);
    confirmation(c);
    faults(c);
}

int examine_code(struct examination *x)
{
    static const char *const inside[] = {"fota_confirm", "confirm_if_asked", "fota_feed", "fota_agent_poll"};
    /* each erase feeds the watchdog as well: that alone is not enough */
    static const char *const erases[] = {"flash_erase", "fota_feed", "watchdog_start", "watchdog_feed"};
    _Static_assert(sizeof inside == sizeof erases, "one loop");
    struct code c = {.x = x};
    int e = walk_begin(&c.walk, &x->flash, x->code, x->moves_known ? &x->image : NULL, x->error);
    if (e == FOTA_OK) {
        c.lto = is_lto(&x->flash);
        c.confirm_count = functions(&c, "fota_confirm", c.confirm, RANGES_MAX);
        c.feed_count = functions(&c, "watchdog_feed", c.feed, RANGES_MAX);
        c.feed_count += functions(&c, "HAL_IWDG_Refresh", c.feed + c.feed_count, RANGES_MAX - c.feed_count);
        for (unsigned i = 0; i < sizeof inside / sizeof inside[0]; i++) {
            c.agent_count += functions(&c, inside[i], c.agent + c.agent_count, RANGES_MAX - c.agent_count);
            c.erase_count += functions(&c, erases[i], c.erase + c.erase_count, RANGES_MAX - c.erase_count);
        }
        c.walk.events = (struct walk_events){&c, on_step, on_edge};
        follow(&c);
        judge(&c);
        if (c.walk.no_memory)
            e = pack_no_memory(x->error);
    }
    walk_end(&c.walk);
    return e;
}
