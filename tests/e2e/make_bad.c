/* SPDX-License-Identifier: MIT */
/**
 * @file make_bad.c
 * Makes bad packages out of a good one, each with one thing wrong. What is wrong inside is signed again, and its hashes
 * are right, wherever that is not the very thing: otherwise the first check of all would refuse everything.
 *
 *   make_bad GOOD.fota KEY.pem OTHER.pem FOLDER     writes FOLDER/<name>.fota
 */
#include "fota/bytes.h"
#include "fota/crc32.h"
#include "pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY (2u * FOTA_PACKAGE_MAX)
#define SECTION FOTA_HEADER_SIZE                     /* where the head of the first section lies */
#define BLOCK (FOTA_HEADER_SIZE + FOTA_SECTION_HEAD) /* … and that of the first block */
#define AT(member) ((unsigned) offsetof(struct fota_header, member))

enum { REHASH = 1, SIGN = 2 }; /* what is put right again after the spoiling */

struct package {
    uint8_t data[CAPACITY];
    size_t size;
    const struct pack_key *other;
};

static void die(const char *what, const char *why)
{
    (void) fprintf(stderr, "make_bad: %s: %s\n", what, why);
    exit(1);
}

/* Putting right ---------------------------------------------------------------------------------------- */

static void sign(struct package *p, const struct pack_key *key)
{
    uint8_t identity[FOTA_IDENTITY_SIZE];
    fota_header_identity(p->data, identity);
    if (pack_sign(key, identity, p->data + FOTA_HEADER_SIGNED) != FOTA_OK)
        die("signing", "the key cannot sign");
}

struct sums {
    struct fota_sha256 sha256[FOTA_SLOT_COUNT];
    uint32_t crc[FOTA_SLOT_COUNT];
};

static int sum(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations, unsigned count)
{
    struct sums *s = ctx;
    (void) offset;
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        if (slot == FOTA_SLOT_B)
            fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
        fota_sha256_update(&s->sha256[slot], code, length);
        s->crc[slot] = fota_crc32(s->crc[slot], code, length);
    }
    return FOTA_OK;
}

/* CRC-32 and SHA-256 of both slots into the header, from the code as it is now. */
static void rehash(struct package *p)
{
    static const struct fota_package_sink sink = {.code = sum};
    static struct fota_package reader;
    struct sums s = {0};
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++)
        fota_sha256_init(&s.sha256[slot]);
    fota_package_init(&reader, &sink, &s);
    (void) fota_package_feed(&reader, p->data, p->size);
    if (fota_package_end(&reader) != FOTA_OK)
        die("hashing", fota_error_text(fota_package_end(&reader)));
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        fota_put32(p->data + AT(crc) + 4u * slot, s.crc[slot]);
        fota_sha256_out(&s.sha256[slot], p->data + AT(sha256) + FOTA_SHA256_SIZE * slot);
    }
}

/* A number in the header ------------------------------------------------------------------------------- */

static const struct field {
    const char *name;
    unsigned at, width;
    uint32_t value;
} fields[] = {
    {"magic", AT(magic), 4, 0x41544F58u},
    {"format", AT(format), 2, 2},
    {"header-size", AT(header_size), 2, 1024},
    {"flags", AT(flags), 4, 2},
    {"size-0", AT(image_size), 4, 0},
    {"size-4", AT(image_size), 4, 4},
    {"size-odd", AT(image_size), 4, 4098},
    {"size-slot", AT(image_size), 4, FOTA_CODE_MAX + 4u},
    {"size-huge", AT(image_size), 4, 0xFFFFFFFCu},
    {"link-address", AT(link_address), 4, 0x08008200u},
    {"distance", AT(distance), 4, 0x40000u},
    {"deadline-0", AT(deadline_ms), 4, FOTA_TRIAL_DEADLINE_MIN_MS - 1u},
    {"deadline-long", AT(deadline_ms), 4, FOTA_TRIAL_DEADLINE_MAX_MS + 1u},
    {"hw-order", AT(hw_min), 4, 3u | 2u << 16}, /* lowest 3, highest 2 */
    /* Good packages, but not for this device. */
    {"other-product", AT(product) + 12u, 4, 0xEFBEADDEu},
    {"other-hw", AT(hw_min), 4, 7u | 9u << 16},
    {"low-counter", AT(counter), 4, 0},
};

static void set_field(struct package *p, const struct field *f)
{
    if (f->width == 2)
        fota_put16(p->data + f->at, (uint16_t) f->value);
    else
        fota_put32(p->data + f->at, f->value);
}

/* Header and signature --------------------------------------------------------------------------------- */

static void image_size_less(struct package *p)
{
    fota_put32(p->data + AT(image_size), fota_get32(p->data + AT(image_size)) - 4u);
}

static void image_size_more(struct package *p)
{
    fota_put32(p->data + AT(image_size), fota_get32(p->data + AT(image_size)) + 4u);
}

static void crc_b(struct package *p)
{
    p->data[AT(crc) + 4u] ^= 1u;
}

static void hash_a(struct package *p)
{
    p->data[AT(sha256)] ^= 1u;
}

static void hash_b(struct package *p)
{
    p->data[AT(sha256) + FOTA_SHA256_SIZE] ^= 1u;
}

static void key_unknown(struct package *p)
{
    memcpy(p->data + AT(key_id), p->other->public_key.id, FOTA_KEY_ID_SIZE);
    sign(p, p->other);
}

static void key_borrowed(struct package *p) /* signed by a stranger who names our key */
{
    sign(p, p->other);
}

static void header_changed(struct package *p)
{
    p->data[AT(version)] ^= 1u;
}

static void signature_r(struct package *p)
{
    p->data[AT(signature) + 7u] ^= 0x10u;
}

static void signature_s(struct package *p)
{
    p->data[AT(signature) + 32u + 7u] ^= 0x10u;
}

static void signature_zero(struct package *p)
{
    memset(p->data + AT(signature), 0, FOTA_SIGNATURE_SIZE);
}

static void signature_ones(struct package *p)
{
    memset(p->data + AT(signature), 0xFF, FOTA_SIGNATURE_SIZE);
}

/* Sections and blocks ---------------------------------------------------------------------------------- */

static void set_type(struct package *p, uint16_t type)
{
    fota_put16(p->data + SECTION, type);
}

static void section_0(struct package *p)
{
    set_type(p, 0);
}

static void section_delta(struct package *p)
{
    set_type(p, FOTA_SECTION_DELTA);
}

static void section_compressed(struct package *p)
{
    set_type(p, FOTA_SECTION_COMPRESSED);
}

static void section_encrypted(struct package *p)
{
    set_type(p, FOTA_SECTION_ENCRYPTED);
}

static void section_5(struct package *p)
{
    set_type(p, 5);
}

static void section_flags(struct package *p)
{
    fota_put16(p->data + SECTION + 2u, 1);
}

static void section_short(struct package *p)
{
    fota_put32(p->data + SECTION + 4u, fota_get32(p->data + SECTION + 4u) - 4u);
}

static void section_huge(struct package *p)
{
    fota_put32(p->data + SECTION + 4u, FOTA_PACKAGE_MAX + 1u);
}

static void end_first(struct package *p)
{
    set_type(p, FOTA_SECTION_END);
    fota_put32(p->data + SECTION + 4u, 0);
}

static void end_length(struct package *p)
{
    fota_put32(p->data + p->size - 4u, 4);
}

static void code_twice(struct package *p)
{
    size_t code = p->size - SECTION - FOTA_SECTION_HEAD;
    memmove(p->data + SECTION + 2u * code, p->data + SECTION + code, FOTA_SECTION_HEAD);
    memcpy(p->data + SECTION + code, p->data + SECTION, code);
    p->size += code;
}

static void block_empty(struct package *p)
{
    fota_put16(p->data + BLOCK, 0);
}

static void block_large(struct package *p)
{
    fota_put16(p->data + BLOCK, FOTA_BLOCK_MAX + 1u);
}

static void relocations_many(struct package *p)
{
    fota_put16(p->data + BLOCK + 2u, FOTA_BLOCK_RELOCATIONS_MAX + 1u);
}

static unsigned count(const struct package *p)
{
    unsigned n = fota_get16(p->data + BLOCK + 2u);
    if (n < 3u)
        die("the good package", "its first block has too few relocations");
    return n;
}

static uint8_t *relocation(struct package *p, unsigned i)
{
    return p->data + BLOCK + FOTA_BLOCK_HEAD + 2u * i;
}

static void relocation_beyond(struct package *p) /* its word crosses the end of the block */
{
    fota_put16(relocation(p, count(p) - 1u), (uint16_t) (fota_get16(p->data + BLOCK) - 2u));
}

static void relocation_far(struct package *p)
{
    fota_put16(relocation(p, count(p) - 1u), 0xFFFEu);
}

static void relocation_overlap(struct package *p)
{
    fota_put16(relocation(p, 1), (uint16_t) (fota_get16(relocation(p, 0)) + 2u));
}

static void relocation_order(struct package *p)
{
    uint16_t first = fota_get16(relocation(p, 0));
    fota_put16(relocation(p, 0), fota_get16(relocation(p, 1)));
    fota_put16(relocation(p, 1), first);
}

static void relocation_other(struct package *p) /* a good place, but another word moves than was hashed */
{
    uint16_t last = fota_get16(relocation(p, count(p) - 1u));
    if (last + 8u > fota_get16(p->data + BLOCK))
        die("the good package", "its first block ends with a relocation");
    fota_put16(relocation(p, count(p) - 1u), (uint16_t) (last + 4u));
}

/* Code ------------------------------------------------------------------------------------------------- */

static uint8_t *code(struct package *p)
{
    return relocation(p, count(p));
}

static void code_flipped(struct package *p)
{
    p->data[p->size - FOTA_SECTION_HEAD - 5u] ^= 0x40u;
}

static void stack_beyond(struct package *p)
{
    fota_put32(code(p), FOTA_RAM_BASE + FOTA_RAM_SIZE + 8u);
}

static void stack_flash(struct package *p)
{
    fota_put32(code(p), FOTA_LINK_ADDRESS);
}

static void stack_odd(struct package *p)
{
    fota_put32(code(p), FOTA_RAM_BASE + FOTA_RAM_SIZE - 4u);
}

static void stack_erased(struct package *p)
{
    fota_put32(code(p), UINT32_MAX);
}

static void reset_beyond(struct package *p)
{
    fota_put32(code(p) + 4u, (FOTA_LINK_ADDRESS + fota_get32(p->data + AT(image_size))) | 1u);
}

static void reset_header(struct package *p) /* in the slot, but before the code */
{
    fota_put32(code(p) + 4u, FOTA_SLOT_A_BASE | 1u);
}

static void reset_boot(struct package *p)
{
    fota_put32(code(p) + 4u, FOTA_BOOT_BASE | 1u);
}

static void reset_even(struct package *p)
{
    fota_put32(code(p) + 4u, fota_get32(code(p) + 4u) & ~1u);
}

static void reset_fixed(struct package *p) /* it does not move: slot B would start the code of slot A */
{
    unsigned n = count(p), i = 0;
    while (i < n && fota_get16(relocation(p, i)) != 4u)
        i++;
    if (i == n)
        die("the good package", "its reset address does not move");
    uint8_t *from = relocation(p, i + 1u);
    memmove(from - 2, from, (size_t) (p->data + p->size - from));
    p->size -= 2u;
    fota_put16(p->data + BLOCK + 2u, (uint16_t) (n - 1u));
    fota_put32(p->data + SECTION + 4u, fota_get32(p->data + SECTION + 4u) - 2u);
}

/* Length of the file ----------------------------------------------------------------------------------- */

static void trailing_byte(struct package *p)
{
    p->data[p->size++] = 0;
}

static void trailing_twice(struct package *p)
{
    memcpy(p->data + p->size, p->data, p->size);
    p->size *= 2u;
}

static void oversized(struct package *p)
{
    memset(p->data + p->size, 0xFF, FOTA_PACKAGE_MAX + 1u - p->size);
    p->size = FOTA_PACKAGE_MAX + 1u;
}

static const struct spoiled {
    const char *name;
    void (*spoil)(struct package *p);
    unsigned after; /* REHASH | SIGN */
} spoiled[] = {
    {"image-size-less", image_size_less, SIGN},
    {"image-size-more", image_size_more, SIGN},
    {"crc-b", crc_b, SIGN},
    {"hash-a", hash_a, SIGN},
    {"hash-b", hash_b, SIGN},
    {"key-unknown", key_unknown, 0},
    {"key-borrowed", key_borrowed, 0},
    {"header-changed", header_changed, 0},
    {"signature-r", signature_r, 0},
    {"signature-s", signature_s, 0},
    {"signature-zero", signature_zero, 0},
    {"signature-ones", signature_ones, 0},
    {"section-0", section_0, 0},
    {"section-delta", section_delta, 0},
    {"section-compressed", section_compressed, 0},
    {"section-encrypted", section_encrypted, 0},
    {"section-5", section_5, 0},
    {"section-flags", section_flags, 0},
    {"section-short", section_short, 0},
    {"section-huge", section_huge, 0},
    {"end-first", end_first, 0},
    {"end-length", end_length, 0},
    {"code-twice", code_twice, 0},
    {"block-empty", block_empty, 0},
    {"block-large", block_large, 0},
    {"relocations-many", relocations_many, 0},
    {"relocation-beyond", relocation_beyond, SIGN},
    {"relocation-far", relocation_far, SIGN},
    {"relocation-overlap", relocation_overlap, SIGN},
    {"relocation-order", relocation_order, SIGN},
    {"relocation-other", relocation_other, SIGN},
    {"code-flipped", code_flipped, 0},
    {"stack-beyond", stack_beyond, REHASH | SIGN},
    {"stack-flash", stack_flash, REHASH | SIGN},
    {"stack-odd", stack_odd, REHASH | SIGN},
    {"stack-erased", stack_erased, REHASH | SIGN},
    {"reset-beyond", reset_beyond, REHASH | SIGN},
    {"reset-header", reset_header, REHASH | SIGN},
    {"reset-boot", reset_boot, REHASH | SIGN},
    {"reset-even", reset_even, REHASH | SIGN},
    {"reset-fixed", reset_fixed, REHASH | SIGN},
    {"trailing-byte", trailing_byte, 0},
    {"trailing-twice", trailing_twice, 0},
    {"oversized", oversized, 0},
};

/* ------------------------------------------------------------------------------------------------------- */

static const char *folder;

static void write_package(const struct package *p, const char *name)
{
    struct pack_message message = {0};
    char path[512];
    (void) snprintf(path, sizeof path, "%s/%s.fota", folder, name);
    if (pack_file_write(path, p->data, p->size, 0644, &message) != FOTA_OK)
        die(name, message.text);
}

/* Cut off in each part: header, head of the section, head of the block, relocations, code, end. */
static void write_truncated(const struct pack_buffer *good)
{
    const size_t first = BLOCK + FOTA_BLOCK_HEAD;
    const struct {
        const char *name;
        size_t size;
    } cuts[] = {
        {"cut-1", 1},
        {"cut-header", FOTA_HEADER_SIZE - 1u},
        {"cut-after-header", FOTA_HEADER_SIZE},
        {"cut-section", BLOCK - 1u},
        {"cut-block", first - 1u},
        {"cut-relocations", first + 3u},
        {"cut-code", good->size / 2u},
        {"cut-end", good->size - FOTA_SECTION_HEAD},
        {"cut-last", good->size - 1u},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        static struct package p;
        memcpy(p.data, good->data, p.size = cuts[i].size);
        write_package(&p, cuts[i].name);
    }
}

int main(int argc, char **argv)
{
    static struct package p;
    struct pack_message message = {0};
    struct pack_buffer good = {0};
    struct pack_key key, other;
    if (argc != 5)
        die("usage", "make_bad GOOD.fota KEY.pem OTHER.pem FOLDER");
    folder = argv[4];
    if (pack_file_read(argv[1], FOTA_PACKAGE_MAX, &good, &message) != FOTA_OK ||
        pack_key_load(argv[2], &key, &message) != FOTA_OK || pack_key_load(argv[3], &other, &message) != FOTA_OK)
        die("reading", message.text);
    p.other = &other;
    /* What is signed again without a change must be the good package, or all that follows would prove nothing. */
    memcpy(p.data, good.data, p.size = good.size);
    rehash(&p);
    sign(&p, &key);
    if (memcmp(p.data, good.data, good.size) != 0)
        die(argv[1], "hashing and signing it again gives something else: is KEY.pem its key?");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        memcpy(p.data, good.data, p.size = good.size);
        set_field(&p, &fields[i]);
        sign(&p, &key);
        write_package(&p, fields[i].name);
    }
    for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
        memcpy(p.data, good.data, p.size = good.size);
        spoiled[i].spoil(&p);
        if ((spoiled[i].after & REHASH) != 0)
            rehash(&p);
        if ((spoiled[i].after & SIGN) != 0)
            sign(&p, &key);
        write_package(&p, spoiled[i].name);
    }
    write_truncated(&good);
    pack_buffer_free(&good);
    pack_key_wipe(&key);
    pack_key_wipe(&other);
    return 0;
}
