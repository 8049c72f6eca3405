/* SPDX-License-Identifier: MIT */
/** @file explain.c Errors in words: the field, its value, the bound, and what to do next. */
#include "fota/bytes.h"
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct words {
    char *text;
    size_t size, used;
};

static void say(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *w, const char *format, ...)
{
    va_list list;
    if (w->used >= w->size)
        return;
    va_start(list, format);
    int n = vsnprintf(w->text + w->used, w->size - w->used, format, list);
    va_end(list);
    w->used += n > 0 ? (size_t) n : 0;
}

static void explain_magic(struct words *w, const struct pack_context *c)
{
    const uint8_t *head = c->header != NULL ? c->header : c->file_head;
    size_t size = c->header != NULL && c->file_head_size < FOTA_HEADER_SIZE ? FOTA_HEADER_SIZE : c->file_head_size;
    if (head == NULL || size < 4u) {
        say(w,
            "this does not begin with the magic number FOTA: it is no .fota package; make one with fota "
            "pack");
        return;
    }
    enum pack_kind kind = c->file_head_size > 0 ? pack_kind_of(c->file_head, c->file_head_size) : PACK_KIND_OTHER;
    say(w, "magic number 0x%08" PRIx32 " instead of 0x%08x (FOTA): ", fota_get32(head), FOTA_HEADER_MAGIC);
    if (kind == PACK_KIND_BARE || kind == PACK_KIND_HEX || kind == PACK_KIND_SREC)
        say(w, "this is %s, which cannot be moved to another slot; make a package of the ELF with fota pack",
            pack_kind_text(kind));
    else if (kind == PACK_KIND_ELF || kind == PACK_KIND_BIN)
        say(w, "this is %s; make a package of it with fota pack", pack_kind_text(kind));
    else
        say(w, "this is %s, no .fota package; make one with fota pack", pack_kind_text(kind));
}

/* Errors that are about the content of the header alone. @return false when it is another one. */
static bool explain_header(struct words *w, int code, const uint8_t *h)
{
    uint32_t size = fota_get32(h + 44);
    uint32_t most = fota_get32(h + 60) == FOTA_FLAG_GATEWAY ? FOTA_GATEWAY_MAX : FOTA_CODE_MAX;
    switch (code) {
    case FOTA_E_FORMAT:
        say(w,
            "format version %u with a header of %u bytes; this program knows version %u with %u: ", fota_get16(h + 4),
            fota_get16(h + 6), FOTA_HEADER_FORMAT, FOTA_HEADER_SIZE);
        say(w, "use a newer fota, or pack it again");
        return true;
    case FOTA_E_FLAGS:
        say(w,
            "flags 0x%08" PRIx32
            " are not known here (0 is for a device, %u for a gateway): use a newer fota, or pack it again",
            fota_get32(h + 60), FOTA_FLAG_GATEWAY);
        return true;
    case FOTA_E_SIZE:
        if (size >= 8u && size <= most && size % 4u == 0)
            say(w,
                "the code in the package is not the %" PRIu32
                " bytes that the header says: the file is damaged; pack it again",
                size);
        else
            say(w,
                "image size %" PRIu32 " is not in 8 to %" PRIu32
                " and a multiple of 4: make the program smaller, or pack it again",
                size, most);
        return true;
    case FOTA_E_LINK_ADDRESS:
        say(w, "linked for 0x%08" PRIx32 " with the slot distance 0x%" PRIx32 "; this layout has 0x%08x and 0x%x: ",
            fota_get32(h + 48), fota_get32(h + 52), FOTA_LINK_ADDRESS, FOTA_SLOT_DISTANCE);
        say(w, "link it for slot A and pack it again");
        return true;
    case FOTA_E_DEADLINE_RANGE:
        say(w, "trial deadline %" PRIu32 " ms is not in %u to %u ms: pack it with --deadline 1 to 600 (seconds)",
            fota_get32(h + 56), FOTA_TRIAL_DEADLINE_MIN_MS, FOTA_TRIAL_DEADLINE_MAX_MS);
        return true;
    default:
        return false;
    }
}

/* Errors that compare a header with a device. @return false when it is another one, or something is missing.
 */
static bool explain_fit(struct words *w, int code, const uint8_t *h, const struct fota_target *t)
{
    char image[PACK_UUID_TEXT], device[PACK_UUID_TEXT];
    unsigned low = fota_get16(h + 24), high = fota_get16(h + 26);
    if (code == FOTA_E_HW_REVISION && low > high) {
        say(w, "lowest hardware revision %u is above the highest %u: pack it with --hw LOWEST-HIGHEST", low, high);
        return true;
    }
    if (t == NULL)
        return false;
    switch (code) {
    case FOTA_E_PRODUCT:
        pack_uuid_print(h + 8, image);
        pack_uuid_print(t->product, device);
        say(w, "the image is for product %s, the device is %s: choose the package for this product", image, device);
        return true;
    case FOTA_E_HW_REVISION:
        say(w,
            "hardware revision %u of the device is outside %u to %u, for which the image is made: choose "
            "another package, or pack "
            "it with a wider --hw",
            t->hw_revision, low, high);
        return true;
    case FOTA_E_FLOOR:
        say(w,
            "security counter %" PRIu32 " is below the floor %" PRIu32
            " of the device: a release with that floor was confirmed "
            "there; pack this version with --counter %" PRIu32 " or higher if it may be installed",
            fota_get32(h + 40), t->floor, t->floor);
        return true;
    default:
        return false;
    }
}

static void explain_key(struct words *w, const struct pack_context *c)
{
    char id[PACK_HEX_TEXT(FOTA_KEY_ID_SIZE)];
    pack_hex_print(c->header + 136, FOTA_KEY_ID_SIZE, id);
    say(w, "signed with the key %s, which is not trusted here; trusted: ", id);
    for (unsigned i = 0; i < c->key_count && c->keys != NULL; i++) {
        pack_hex_print(c->keys[i].id, FOTA_KEY_ID_SIZE, id);
        say(w, "%s%s", i > 0 ? ", " : "", id);
    }
    say(w, "%s: sign it with a trusted key, or add this one's public half",
        c->key_count == 0 ? "the keys of the device" : "");
}

static const char damaged[] = "the file is damaged or was changed after signing; fetch it or pack it again";

static bool explain_code(struct words *w, int code, const uint8_t *h)
{
    char hash[2][PACK_HEX_TEXT(4)];
    switch (code) {
    case FOTA_E_CRC:
        say(w,
            "the CRC-32 of the code is not what the header says (slot A 0x%08" PRIx32 ", slot B 0x%08" PRIx32 "): %s",
            fota_get32(h + 64), fota_get32(h + 68), damaged);
        return true;
    case FOTA_E_HASH:
        pack_hex_print(h + 72, 4, hash[0]);
        pack_hex_print(h + 104, 4, hash[1]);
        say(w, "the SHA-256 of the code is not what the header says (slot A %s…, slot B %s…): %s", hash[0], hash[1],
            damaged);
        return true;
    case FOTA_E_SIGNATURE: {
        char id[PACK_HEX_TEXT(FOTA_KEY_ID_SIZE)];
        pack_hex_print(h + 136, FOTA_KEY_ID_SIZE, id);
        say(w,
            "the signature does not fit the header, though its key %s is trusted: the header was changed "
            "after signing; sign it "
            "again with fota pack",
            id);
        return true;
    }
    default:
        return false;
    }
}

/* Read the package up to where the error is; the reader then holds the part that is wrong. */
static bool find_place(int code, const struct pack_context *c, struct fota_package *reader)
{
    static const struct fota_package_sink nowhere;
    fota_package_init(reader, &nowhere, NULL);
    return c->file_head != NULL && fota_package_feed(reader, c->file_head, c->file_head_size) == code;
}

static void explain_section(struct words *w, const struct pack_context *c)
{
    static const char *const kinds[] = {"", "code", "delta", "compressed code", "encrypted code"};
    struct fota_package reader;
    if (pack_kind_of(c->file_head, c->file_head_size) == PACK_KIND_HEADER) {
        say(w, "this is %s, no .fota package; make one with fota pack", pack_kind_text(PACK_KIND_HEADER));
        return;
    }
    if (!find_place(FOTA_E_SECTION, c, &reader)) {
        say(w, "%s: pack it again", fota_error_text(FOTA_E_SECTION));
        return;
    }
    if (reader.left > 0 || (reader.offset == 0 && reader.block > 0)) {
        say(w, "the block at offset %" PRIu32 " of the code is longer than its section: %s", reader.offset, damaged);
        return;
    }
    unsigned type = fota_get16(reader.buffer.raw), flags = fota_get16(reader.buffer.raw + 2);
    if (type >= FOTA_SECTION_DELTA && type <= FOTA_SECTION_ENCRYPTED)
        say(w, "section type %u (%s) is reserved and not supported yet: pack it as plain code", type, kinds[type]);
    else
        say(w,
            "section type %u (flags %u, length %" PRIu32
            ") is unknown, out of order or of a wrong length: the file is "
            "damaged or made by a newer fota; pack it again",
            type, flags, fota_get32(reader.buffer.raw + 4));
}

static bool explain_relocation(struct words *w, const struct pack_context *c)
{
    struct fota_package reader;
    uint32_t free_from = 0;
    if (!find_place(FOTA_E_RELOCATION, c, &reader))
        return false;
    if (reader.relocations > FOTA_BLOCK_RELOCATIONS_MAX) {
        say(w, "the block at offset %" PRIu32 " of the code has %u relocations, at most %u are possible: %s",
            reader.offset, reader.relocations, FOTA_BLOCK_RELOCATIONS_MAX, damaged);
        return true;
    }
    for (unsigned i = 0; i < reader.relocations; i++) {
        uint32_t at = fota_get16(reader.buffer.words + 2u * i);
        if (at >= free_from && at + 4u <= reader.block) {
            free_from = at + 4u;
            continue;
        }
        say(w, "relocation %u of the block at offset %" PRIu32 " of the code is at %" PRIu32 ", ", i, reader.offset,
            at);
        if (at + 4u > reader.block)
            say(w, "outside the block's %u bytes: %s", reader.block, damaged);
        else
            say(w, "below %" PRIu32 ", where the one before ends: %s", free_from, damaged);
        return true;
    }
    return false;
}

/* The vector table is at the beginning of the first block, if the file goes that far. */
static bool explain_vectors(struct words *w, const struct pack_context *c)
{
    const size_t block = FOTA_HEADER_SIZE + FOTA_SECTION_HEAD;
    if (c->file_head_size < block + FOTA_BLOCK_HEAD)
        return false;
    size_t code = block + FOTA_BLOCK_HEAD + 2u * (size_t) fota_get16(c->file_head + block + 2u);
    if (c->file_head_size < code + 8u)
        return false;
    uint32_t size = fota_get32(c->file_head + 44);
    say(w,
        "the vector table begins with stack pointer 0x%08" PRIx32 " and reset address 0x%08" PRIx32
        "; the stack pointer must be 8-aligned in SRAM or CCM, the reset address odd and between 0x%08x and "
        "0x%08" PRIx32 ", and move with the slot: pack it again from an ELF with its vector table first",
        fota_get32(c->file_head + code), fota_get32(c->file_head + code + 4u), FOTA_LINK_ADDRESS,
        FOTA_LINK_ADDRESS + size);
    return true;
}

/* What follows from errors that carry no values. */
static const char *advice(int code)
{
    switch (code) {
    case FOTA_E_REJECTED:
        return " (fota flash --retry, or \"retry\": true in the job)";
    case FOTA_E_DEADLINE:
        return "; check that its self-test passes and that it calls fota_confirm() in time, or pack it "
               "with a longer --deadline";
    case FOTA_E_WATCHDOG:
        return "; the application must feed the watchdog (fota_agent_poll) from its main loop";
    case FOTA_E_FAULT:
        return "; look at its fault handler with a debug probe";
    case FOTA_E_RESETS:
        return "; look for what resets it (brown-out, NVIC_SystemReset, watchdog)";
    case FOTA_E_CONFIG:
        return "; fill it in with fota bootloader --key … --product … and program that";
    case FOTA_E_NO_IMAGE:
        return "; flash a package";
    case FOTA_E_JOURNAL_FULL:
        return "; reset the device and try again";
    case FOTA_E_SUPPLY:
        return "; supply at least 2.7 V and try again";
    case FOTA_E_FLASH:
        return "; check supply and write protection of the device, then try again";
    case FOTA_E_UNKNOWN:
        return "; a minimal agent takes no updates while the application runs, the bootloader does";
    case FOTA_E_VERSION:
        return "; use a fota of the same generation as the bootloader";
    default:
        return "";
    }
}

void pack_explain(int code, const struct pack_context *c, char *text, size_t size)
{
    struct words w = {text, size, 0};
    if (size > 0)
        text[0] = '\0';
    if (code == FOTA_E_TRUNCATED && c->file_head_size == 0 && c->file != NULL && c->header == NULL) {
        say(&w, "the file is empty: fetch the package again, or make one with fota pack");
        return;
    }
    if (code == FOTA_E_TRUNCATED && c->file_head_size > 0) {
        enum pack_kind kind = pack_kind_of(c->file_head, c->file_head_size);
        if (c->file_head_size < FOTA_HEADER_SIZE && kind != PACK_KIND_PACKAGE)
            explain_magic(&w, c);
        else
            say(&w, "the package ends after %zu bytes, before it is complete: fetch it or pack it again",
                c->file_head_size);
        return;
    }
    if (code == FOTA_E_TRAILING && c->file_head_size > 0) {
        if (c->file_head_size > FOTA_PACKAGE_MAX && pack_kind_of(c->file_head, c->file_head_size) != PACK_KIND_PACKAGE)
            explain_magic(&w, c);
        else
            say(&w,
                "there are bytes after the end of the package (%zu bytes in all, at most %u allowed): fetch "
                "it or pack it again",
                c->file_head_size, FOTA_PACKAGE_MAX);
        return;
    }
    if (code == FOTA_E_MAGIC) {
        explain_magic(&w, c);
        return;
    }
    if (code == FOTA_E_SECTION && c->file_head != NULL) {
        explain_section(&w, c);
        return;
    }
    if (code == FOTA_E_VECTORS && c->file_head != NULL && explain_vectors(&w, c))
        return;
    if (code == FOTA_E_RELOCATION && explain_relocation(&w, c))
        return;
    if (c->header != NULL) {
        if (code == FOTA_E_KEY) {
            explain_key(&w, c);
            return;
        }
        if (explain_header(&w, code, c->header) || explain_fit(&w, code, c->header, c->target) ||
            explain_code(&w, code, c->header))
            return;
    }
    say(&w, "%s%s", fota_error_text(code), advice(code));
}
