/* SPDX-License-Identifier: MIT */
/** @file doctor.c What is wrong with an ELF: its place, its relocations, its memory. */
#include "emitted.h"
#include "examine.h"
#include "fota/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_MAX 8u /* findings of one kind */
#define FINDINGS_MAX 128u
#define EXCEPTIONS 16u /* vectors of the core itself, with the stack pointer (ARMv7-M ARM B1.5.2) */

static unsigned how_many(const struct doctor_report *report, const char *check)
{
    unsigned n = 0;
    for (unsigned i = 0; i < report->count; i++)
        n += strcmp(report->finding[i].check, check) == 0;
    return n;
}

static void append(struct examination *x, enum doctor_level level, const char *check, const char *text)
{
    struct doctor_report *r = x->report;
    struct doctor_finding *f = &r->finding[r->count++];
    f->level = level;
    f->check = check;
    (void) snprintf(f->text, sizeof f->text, "%s", text);
    r->errors += level == DOCTOR_ERROR;
    r->warnings += level == DOCTOR_WARNING;
}

void examine_found(struct examination *x, enum doctor_level level, const char *check, const char *format, ...)
{
    char text[sizeof x->report->finding->text];
    unsigned same = how_many(x->report, check);
    va_list list;
    if (same > SAME_MAX || x->report->count == FINDINGS_MAX)
        return;
    va_start(list, format);
    (void) vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (same == SAME_MAX)
        (void) snprintf(text, sizeof text, "%s: there is more of this kind: repair these and look again",
                        x->elf[0].name);
    append(x, level, check, text);
}

static void found_message(struct examination *x, const char *check, const struct pack_message *m)
{
    examine_found(x, DOCTOR_ERROR, check, "%s", m->text);
}

/* --- the files -------------------------------------------------------------------------------------------------- */

static bool open_all(struct examination *x, const struct pack_input *inputs)
{
    for (unsigned i = 0; i < x->count; i++) {
        struct pack_message m = {0};
        enum pack_kind kind = pack_kind_of(inputs[i].data, inputs[i].size);
        x->elf[i].name = inputs[i].name;
        if (kind == PACK_KIND_BIN)
            examine_found(x, DOCTOR_ERROR, "elf",
                          "%s: this is a firmware.bin, which has no symbols: give the ELF that it was made of",
                          inputs[i].name);
        else if (kind != PACK_KIND_ELF)
            found_message(x, "elf", (pack_wrong_kind(&inputs[i], &m), &m));
        else if (pack_elf_open(&x->elf[i], &inputs[i], &m) != FOTA_OK)
            found_message(x, "elf", &m);
    }
    return x->report->count == 0;
}

/* The same without segments that are loaded elsewhere: they are a finding, and the rest can still be looked at. */
static void only_flash(const struct pack_elf *elf, struct pack_elf *out)
{
    *out = *elf;
    out->segment_count = 0;
    out->low = UINT32_MAX;
    out->high = 0;
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct pack_segment *s = &elf->segment[i];
        uint32_t into = s->load_address - FOTA_FLASH_BASE;
        if (into >= FOTA_FLASH_SIZE || s->size > FOTA_FLASH_SIZE - into)
            continue;
        out->segment[out->segment_count++] = *s;
        out->low = s->load_address < out->low ? s->load_address : out->low;
        out->high = s->load_address + s->size > out->high ? s->load_address + s->size : out->high;
    }
}

/* Where it is loaded, and whether it fits. @return false: it cannot be made an image of. */
static bool place(struct examination *x, unsigned i)
{
    static const char *const checks[] = {"load-address", "start-address", "size"};
    struct pack_elf flash;
    struct pack_message m[3] = {{0}, {0}, {0}};
    bool good = true;
    only_flash(&x->elf[i], &flash);
    const struct pack_elf *elf = pack_check_loads(&x->elf[i], &m[0]) == FOTA_OK ? &x->elf[i] : &flash;
    if (elf->segment_count > 0) {
        (void) pack_check_address(elf, i == 0 ? FOTA_SLOT_A : FOTA_SLOT_B, &m[1]);
        (void) pack_check_size(elf, &m[2]);
    }
    for (unsigned n = 0; n < 3u; n++) {
        if (m[n].code != FOTA_OK)
            found_message(x, checks[n], &m[n]);
        good = good && m[n].code == FOTA_OK;
    }
    return good;
}

/* --- the image, as fota pack makes it --------------------------------------------------------------------------- */

/* One link: words that nobody vouches for are told one after the other, as if the one before were allowed. */
static int one_link(struct examination *x)
{
    uint32_t allow[SAME_MAX + 1u];
    struct pack_message m;
    for (size_t n = 0;; n++) {
        m = (struct pack_message){0};
        pack_image_free(&x->image);
        if (pack_image_one(&x->elf[0], allow, n, &x->image, &m) == FOTA_OK)
            return FOTA_OK;
        if (m.code == FOTA_E_IO)
            return pack_fail(x->error, m.code, "%s", m.text);
        found_message(x, m.word != 0 ? "words" : "relocations", &m);
        if (m.word == 0 || n > SAME_MAX - 1u)
            break;
        allow[n] = m.word;
    }
    /* the relocations that were read tell what moves, unless it is they that are wrong */
    x->moves_known = m.word != 0;
    return FOTA_OK;
}

static int relocations(struct examination *x)
{
    struct pack_message m = {0};
    x->moves_known = true;
    if (x->count == 1u)
        return one_link(x);
    if (pack_image_two(&x->elf[0], &x->elf[1], &x->image, &m) == FOTA_OK)
        return FOTA_OK;
    if (m.code == FOTA_E_IO)
        return pack_fail(x->error, m.code, "%s", m.text);
    found_message(x, "links", &m);
    x->moves_known = false;
    return FOTA_OK;
}

static void info(struct examination *x)
{
    struct pack_image view = {.code = x->code, .size = (x->flash.high - x->flash.low) & ~3u};
    struct pack_message m = {0};
    const struct fota_appinfo *i = &view.info;
    uint32_t deadline;
    if (pack_find_info(x->elf[0].name, &view, &m) != FOTA_OK) {
        found_message(x, "appinfo", &m);
        return;
    }
    if (!view.has_info) {
        examine_found(x, DOCTOR_ERROR, "appinfo",
                      "%s: the application does not say what it is: put FOTA_APPLICATION(.product = …) into one source "
                      "file and KEEP(*(.fota_appinfo)) into the linker script, or give fota pack --product, --hw, "
                      "--version and --counter each time",
                      x->elf[0].name);
        return;
    }
    deadline = i->deadline_ms;
    if (i->hw_min > i->hw_max)
        examine_found(x, DOCTOR_ERROR, "appinfo",
                      "%s: FOTA_APPLICATION: .hw_min = %u is above .hw_max = %u, so it would fit no device: the lowest "
                      "revision goes first",
                      x->elf[0].name, i->hw_min, i->hw_max);
    if (deadline != 0 && (deadline < FOTA_TRIAL_DEADLINE_MIN_MS || deadline > FOTA_TRIAL_DEADLINE_MAX_MS))
        examine_found(x, DOCTOR_ERROR, "appinfo",
                      "%s: FOTA_APPLICATION: .deadline_ms = %" PRIu32
                      " is not in %u to %u: these are milliseconds, 0 "
                      "stands for %u",
                      x->elf[0].name, deadline, FOTA_TRIAL_DEADLINE_MIN_MS, FOTA_TRIAL_DEADLINE_MAX_MS,
                      FOTA_TRIAL_DEADLINE_DEFAULT_MS);
    static const uint8_t none[FOTA_PRODUCT_SIZE];
    if (memcmp(i->product, none, sizeof none) == 0)
        examine_found(
            x, DOCTOR_WARNING, "appinfo",
            "%s: FOTA_APPLICATION: .product is all zero: make a UUID for the product (uuidgen) and give it here "
            "and to fota bootloader",
            x->elf[0].name);
}

/* --- vectors and memory ----------------------------------------------------------------------------------------- */

static bool in_ram(uint32_t address, uint32_t size)
{
    uint32_t ram = address - FOTA_RAM_BASE, ccm = address - FOTA_CCM_BASE;
    return (ram < FOTA_RAM_SIZE && size <= FOTA_RAM_SIZE - ram) || (ccm < FOTA_CCM_SIZE && size <= FOTA_CCM_SIZE - ccm);
}

static bool in_image(const struct examination *x, uint32_t address)
{
    return address - x->flash.low < x->flash.high - x->flash.low;
}

/* The first two are the bootloader's business, and pack's; of the others only the core's own are sure to be there. */
static void vectors(struct examination *x)
{
    struct pack_message m = {0};
    if (x->moves_known && pack_check_vectors(x->elf[0].name, &x->image, &m) != FOTA_OK) {
        found_message(x, "vectors", &m);
        return;
    }
    for (uint32_t n = 2; n < EXCEPTIONS && 4u * n + 4u <= x->flash.high - x->flash.low; n++) {
        uint32_t v = fota_get32(x->code + 4u * n);
        if (v == 0 || ((v & 1u) != 0 && (in_image(x, v) || in_ram(v, 1))))
            continue;
        examine_found(x, DOCTOR_ERROR, "vectors",
                      "%s: vector %" PRIu32 " at 0x%08" PRIx32 " is 0x%08" PRIx32
                      ", which is no Thumb function (odd) of this image: is the vector table the first thing in the "
                      "linker script, with KEEP()?",
                      x->elf[0].name, n, x->flash.low + 4u * n, v);
        return;
    }
}

static void entry(struct examination *x)
{
    uint32_t at = x->elf[0].entry, reset = fota_get32(x->code + 4);
    if ((at & 1u) != 0 && in_image(x, at))
        return;
    examine_found(x, DOCTOR_WARNING, "entry",
                  "%s: the entry point is 0x%08" PRIx32
                  ", which is no Thumb function (odd) of this image; the reset vector is 0x%08" PRIx32
                  ". The bootloader does not need it, but debuggers do, and --gc-sections: ENTRY(Reset_Handler) in the "
                  "linker script",
                  x->elf[0].name, at, reset);
}

/* Sections that have a place in memory which the STM32F407 does not have, or that is not the application's. */
static void memory(struct examination *x)
{
    const struct pack_elf *elf = &x->elf[0];
    for (uint32_t i = 1; i < elf->section_count; i++) {
        struct pack_section s;
        if (!pack_elf_section(elf, i, &s) || (s.flags & SHF_ALLOC) == 0 || s.size == 0)
            continue;
        uint32_t flash = s.address - FOTA_FLASH_BASE;
        bool external = s.address >= 0x60000000u && s.address < 0xA0000000u; /* FSMC: RM0090 36.3 */
        bool backup = s.address - 0x40024000u < 4096u;                       /* backup SRAM */
        bool in_flash = flash < FOTA_FLASH_SIZE && s.size <= FOTA_FLASH_SIZE - flash && s.type != SHT_NOBITS;
        if (in_flash || in_ram(s.address, s.size) || (s.type == SHT_NOBITS && (external || backup)))
            continue;
        examine_found(x, DOCTOR_ERROR, "memory",
                      "%s: section %s, 0x%08" PRIx32 " to 0x%08" PRIx64
                      ", does not lie in memory that there is: flash of the slot, SRAM (0x20000000, 128 KiB) and CCM "
                      "(0x10000000, 64 KiB) are; correct MEMORY in the linker script, or make it smaller",
                      elf->name, s.name, s.address, (uint64_t) s.address + s.size);
    }
}

/* Is there a word in the image, in code or data, that says where these initial values lie? */
static bool is_named(const struct examination *x, uint32_t from, uint32_t size)
{
    for (uint32_t at = 0; at + 4u <= x->flash.high - x->flash.low; at += 4u)
        if (fota_get32(x->code + at) - from < size)
            return true;
    return false;
}

/* Initial values that nobody copies from flash to RAM: start files know .data, but rarely CCM. */
static void copies(struct examination *x)
{
    for (unsigned i = 0; i < x->flash.segment_count; i++) {
        const struct pack_segment *s = &x->flash.segment[i];
        char where[200];
        if (s->virtual_address == s->load_address || (x->named >> i & 1u) != 0 || is_named(x, s->load_address, s->size))
            continue;
        pack_elf_describe(&x->flash, s->load_address, where, sizeof where);
        examine_found(
            x, DOCTOR_WARNING, "copy",
            "%s: %" PRIu32 " bytes of initial values for 0x%08" PRIx32 " lie at 0x%08" PRIx32
            " (%s), and nothing in the program names that address: the start code has to copy them (LOADADDR() "
            "in the linker script), or make the section NOLOAD",
            x->elf[0].name, s->size, s->virtual_address, s->load_address, where);
    }
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static int in_flash(struct examination *x, bool good_place)
{
    int e = FOTA_OK;
    uint32_t size = x->flash.high - x->flash.low;
    x->code = malloc(size);
    if (x->code == NULL)
        return pack_no_memory(x->error);
    pack_elf_flatten(&x->flash, x->code);
    if (good_place)
        e = relocations(x);
    if (e != FOTA_OK || size < 8u)
        return e;
    vectors(x);
    entry(x);
    info(x);
    e = examine_code(x);
    copies(x);
    return e;
}

static int examine(struct examination *x, const struct pack_input *inputs)
{
    if (!open_all(x, inputs))
        return FOTA_OK;
    bool good_place = true;
    for (unsigned i = 0; i < x->count; i++)
        good_place = place(x, i) && good_place;
    memory(x);
    only_flash(&x->elf[0], &x->flash);
    x->base = x->flash.low;
    return x->flash.segment_count > 0 ? in_flash(x, good_place) : FOTA_OK;
}

int doctor_examine(const struct pack_input *inputs, unsigned count, struct doctor_report *report,
                   struct pack_message *error)
{
    *report = (struct doctor_report){0};
    if (count != 1u && count != 2u)
        return pack_fail(error, FOTA_E_ARGUMENT, "%u input files; wanted is one ELF or two (slot A, slot B)", count);
    struct examination x = {.report = report, .error = error, .count = count};
    report->finding = calloc(FINDINGS_MAX, sizeof *report->finding);
    if (report->finding == NULL)
        return pack_no_memory(error);
    int e = examine(&x, inputs);
    pack_image_free(&x.image);
    free(x.code);
    return e;
}

void doctor_free(struct doctor_report *report)
{
    free(report->finding);
    *report = (struct doctor_report){0};
}
