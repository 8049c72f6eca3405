/* SPDX-License-Identifier: MIT */
#include "fota/package.h"

#include "fota/bytes.h"
#include "fota/error.h"
#include "support/cmocka_all.h"
#include "support/image.h"
#include "support/ram_flash.h"
#include "support/sign.h"

#include <string.h>

#define SIZE 9000u
#define ROOM 40000u

static struct test_image image;
static uint8_t package[ROOM];
static size_t length;
static struct fota_key key;

static int setup(void **state)
{
    (void) state;
    test_image_make(&image, SIZE, 1, 1);
    test_key(0, &key);
    length = test_package_make(&image, FOTA_BLOCK_MAX, package, sizeof package);
    return 0;
}

/* --- a sink that rebuilds both slots ------------------------------------------------------------------------ */

struct rebuilt {
    uint8_t code[2][FOTA_CODE_MAX];
    uint32_t offset;
    unsigned headers, fail_header, fail_block, blocks;
};

static int on_header(void *ctx, const struct fota_header *header, const uint8_t raw[FOTA_HEADER_SIZE])
{
    struct rebuilt *r = ctx;

    r->headers++;
    assert_memory_equal(raw, image.raw, FOTA_HEADER_SIZE);
    assert_int_equal(header->image_size, image.header.image_size);
    return r->fail_header ? FOTA_E_PRODUCT : FOTA_OK;
}

static int on_code(void *ctx, uint32_t offset, uint8_t *code, uint32_t size, const uint16_t *relocations,
                   unsigned count)
{
    struct rebuilt *r = ctx;

    assert_int_equal(offset, r->offset);
    assert_true(size >= 1u && size <= FOTA_BLOCK_MAX && offset + size <= FOTA_CODE_MAX);
    memcpy(r->code[0] + offset, code, size);
    fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    memcpy(r->code[1] + offset, code, size);
    r->offset += size;
    return ++r->blocks == r->fail_block ? FOTA_E_IO : FOTA_OK;
}

static const struct fota_package_sink sink = {on_header, on_code};
static struct rebuilt rebuilt;

/* Feed in pieces. @param piece bytes each; 0: random ones. */
static int feed(const struct fota_package_sink *to, const uint8_t *data, size_t size, size_t piece, uint64_t seed)
{
    struct fota_package p;

    memset(rebuilt.code, 0, sizeof rebuilt.code);
    rebuilt.offset = rebuilt.headers = rebuilt.blocks = 0;
    seed = seed * 2u + 1u;
    fota_package_init(&p, to, &rebuilt);
    for (size_t at = 0, take; at < size; at += take) {
        take = piece != 0 ? piece : (size_t) (test_random(&seed) % 300u);
        if (take > size - at)
            take = size - at;
        int error = fota_package_feed(&p, data + at, take);
        if (error != FOTA_OK) {
            assert_int_equal(fota_package_feed(&p, data, 1), error); /* the first error stays */
            assert_int_equal(fota_package_end(&p), error);
            return error;
        }
    }
    return fota_package_end(&p);
}

static void any_pieces_give_the_same(void **state)
{
    (void) state;
    for (uint32_t block = 64; block <= FOTA_BLOCK_MAX; block *= 4u) {
        length = test_package_make(&image, block, package, sizeof package);
        for (unsigned run = 0; run < 12u; run++) {
            size_t piece = run == 0 ? 1 : run == 1 ? length : run == 2 ? 513 : 0;

            assert_int_equal(feed(&sink, package, length, piece, run), FOTA_OK);
            assert_int_equal(rebuilt.headers, 1);
            assert_int_equal(rebuilt.offset, SIZE);
            assert_memory_equal(rebuilt.code[0], image.code[0], SIZE);
            assert_memory_equal(rebuilt.code[1], image.code[1], SIZE);
        }
    }
}

static void every_end_too_early_is_truncated(void **state)
{
    static const struct fota_package_sink none = {NULL, NULL};

    (void) state;
    length = test_package_make(&image, 1024, package, sizeof package);
    for (size_t cut = 0; cut < length; cut += cut < 700u || cut > length - 700u ? 1u : 37u)
        assert_int_equal(feed(&none, package, cut, cut + 1u, 0), FOTA_E_TRUNCATED);
    assert_int_equal(feed(&none, package, length, length, 0), FOTA_OK);
}

static void errors_of_the_sink_end_it(void **state)
{
    (void) state;
    rebuilt.fail_header = 1;
    assert_int_equal(feed(&sink, package, length, 100, 0), FOTA_E_PRODUCT);
    assert_int_equal(rebuilt.offset, 0);
    rebuilt.fail_header = 0;
    rebuilt.fail_block = 2;
    assert_int_equal(feed(&sink, package, length, 100, 0), FOTA_E_IO);
    assert_int_equal(rebuilt.blocks, 2);
    rebuilt.fail_block = 0;
}

/* --- malformed in each way ---------------------------------------------------------------------------------- */

/* Where the parts of a package with one block lie. */
enum { CODE_HEAD = FOTA_HEADER_SIZE, BLOCK_HEAD = CODE_HEAD + 8, RELOCATIONS = BLOCK_HEAD + 4 };

static int with16(size_t at, uint16_t value)
{
    uint8_t keep[2];
    int error;

    memcpy(keep, package + at, sizeof keep);
    fota_put16(package + at, value);
    error = feed(&sink, package, length, 0, at);
    memcpy(package + at, keep, sizeof keep);
    return error;
}

static int with32(size_t at, uint32_t value)
{
    uint8_t keep[4];
    int error;

    memcpy(keep, package + at, sizeof keep);
    fota_put32(package + at, value);
    error = feed(&sink, package, length, 0, at);
    memcpy(package + at, keep, sizeof keep);
    return error;
}

static void sections(void **state)
{
    static const uint16_t refused[] = {0,      FOTA_SECTION_DELTA, FOTA_SECTION_COMPRESSED, FOTA_SECTION_ENCRYPTED, 5,
                                       0xFFFE, FOTA_SECTION_END};
    uint32_t payload = fota_get32(package + CODE_HEAD + 4);
    size_t end = length - FOTA_SECTION_HEAD;

    (void) state;
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(with16(CODE_HEAD, refused[i]), FOTA_E_SECTION); /* instead of CODE, END before CODE */
    assert_int_equal(with16(CODE_HEAD + 2, 1), FOTA_E_SECTION);
    assert_int_equal(with16(end, FOTA_SECTION_CODE), FOTA_E_SECTION); /* CODE twice */
    assert_int_equal(with16(end, FOTA_SECTION_DELTA), FOTA_E_SECTION);
    assert_int_equal(with16(end + 2, 1), FOTA_E_SECTION);
    assert_int_equal(with32(end + 4, 1), FOTA_E_SECTION);
    /* the section's length against its blocks */
    assert_int_equal(with32(CODE_HEAD + 4, 0), FOTA_E_SECTION);
    assert_int_equal(with32(CODE_HEAD + 4, payload - 1u), FOTA_E_SECTION);
    assert_int_equal(with32(CODE_HEAD + 4, payload - 4096u), FOTA_E_SECTION);
    assert_int_equal(with32(CODE_HEAD + 4, payload + 1u), FOTA_E_SIZE); /* END is no block */
    assert_int_equal(with32(CODE_HEAD + 4, FOTA_PACKAGE_MAX + 1u), FOTA_E_SIZE);
    assert_int_equal(with32(CODE_HEAD + 4, UINT32_MAX), FOTA_E_SIZE);
    package[length] = 0;
    length++;
    assert_int_equal(feed(&sink, package, length, 0, 1), FOTA_E_TRAILING);
    assert_int_equal(feed(&sink, package, length, length, 1), FOTA_E_TRAILING);
    length--;
}

static void blocks(void **state)
{
    (void) state;
    assert_int_equal(with16(BLOCK_HEAD, 0), FOTA_E_SIZE);
    assert_int_equal(with16(BLOCK_HEAD, FOTA_BLOCK_MAX + 1u), FOTA_E_SIZE);
    assert_int_equal(with16(BLOCK_HEAD, 0xFFFF), FOTA_E_SIZE);
    assert_int_equal(with16(BLOCK_HEAD + 2, FOTA_BLOCK_RELOCATIONS_MAX + 1u), FOTA_E_RELOCATION);
    assert_int_equal(with16(BLOCK_HEAD + 2, 0xFFFF), FOTA_E_RELOCATION);
    /* more code than the image has: the last block a word longer, or the image a word shorter or longer */
    for (int words = -1; words <= 1; words++) {
        static struct test_image other;

        memcpy(&other, &image, sizeof other);
        other.header.image_size = SIZE + (uint32_t) (words * 4);
        test_image_seal(&other);
        memcpy(package, other.raw, FOTA_HEADER_SIZE);
        static const struct fota_package_sink code_only = {NULL, on_code};
        assert_int_equal(feed(&code_only, package, length, 0, 3), words == 0 ? FOTA_OK : FOTA_E_SIZE);
    }
}

static void relocations(void **state)
{
    uint16_t count = fota_get16(package + BLOCK_HEAD + 2);
    uint16_t first = fota_get16(package + RELOCATIONS), second = fota_get16(package + RELOCATIONS + 2);
    size_t last = RELOCATIONS + 2u * (count - 1u);

    (void) state;
    assert_true(count > 2 && first == 4 && second == 64);
    assert_int_equal(with16(RELOCATIONS, 0), FOTA_OK);
    assert_int_equal(with16(RELOCATIONS, (uint16_t) (second - 4u)), FOTA_OK);
    assert_int_equal(with16(RELOCATIONS, (uint16_t) (second - 3u)), FOTA_E_RELOCATION); /* overlaps the next */
    assert_int_equal(with16(RELOCATIONS, second), FOTA_E_RELOCATION);                   /* twice */
    assert_int_equal(with16(RELOCATIONS, (uint16_t) (second + 4u)), FOTA_E_RELOCATION); /* descends */
    assert_int_equal(with16(RELOCATIONS + 2, 9), FOTA_OK);                              /* unaligned */
    assert_int_equal(with16(RELOCATIONS + 2, 7), FOTA_E_RELOCATION);
    assert_int_equal(with16(last, FOTA_BLOCK_MAX - 4u), FOTA_OK); /* the last word of the block */
    assert_int_equal(with16(last, FOTA_BLOCK_MAX - 3u), FOTA_E_RELOCATION);
    assert_int_equal(with16(last, 0xFFFF), FOTA_E_RELOCATION);
    /* the header's own errors come through */
    assert_int_equal(with32(0, 0), FOTA_E_MAGIC);
    assert_int_equal(with32(44, 4), FOTA_E_SIZE);
    assert_int_equal(with32(48, 0), FOTA_E_LINK_ADDRESS);
    assert_int_equal(with32(60, 2), FOTA_E_FLAGS);
}

static void relocate_adds_and_wraps(void **state)
{
    uint8_t code[16] = {0};
    const uint16_t at[] = {1, 9};

    (void) state;
    fota_put32(code + 1, 0x08004201);
    fota_put32(code + 9, 0xFFFFFFFF);
    fota_relocate(code, at, 2, 0x5C000);
    assert_int_equal(fota_get32(code + 1), 0x08060201);
    assert_int_equal(fota_get32(code + 9), 0x0005BFFF);
    assert_int_equal(code[0], 0);
    assert_int_equal(fota_get32(code + 5), 0);
}

/* Whatever comes, the reader stays within its bounds (the sanitizers watch) and hands on no more than the header
 * allows. */
static void damaged_at_random(void **state)
{
    uint64_t random = 99;

    (void) state;
    length = test_package_make(&image, 512, package, sizeof package);
    for (unsigned run = 0; run < 3000u; run++) {
        static uint8_t copy[ROOM];
        static const struct fota_package_sink code_only = {NULL, on_code};

        memcpy(copy, package, length);
        for (unsigned i = 0; i < 1u + run % 4u; i++)
            copy[test_random(&random) % length] = (uint8_t) test_random(&random);
        (void) feed(&code_only, copy, length, 0, random);
        assert_true(rebuilt.offset <= FOTA_CODE_MAX);
    }
}

/* --- the complete check ------------------------------------------------------------------------------------- */

static int check(const uint8_t *data, size_t size, unsigned keys, struct fota_package_check *c)
{
    uint64_t seed = 5;

    fota_package_check_init(c, &key, keys);
    for (size_t at = 0, take; at < size; at += take) {
        take = (size_t) (test_random(&seed) % 1000u);
        take = take < size - at ? take : size - at;
        int error = fota_package_check_feed(c, data + at, take);
        if (error != FOTA_OK) {
            assert_int_equal(fota_package_check_end(c), error);
            return error;
        }
    }
    return fota_package_check_end(c);
}

static int check_image(struct test_image *i)
{
    struct fota_package_check c;

    length = test_package_make(i, 1024, package, sizeof package);
    return check(package, length, 1, &c);
}

static void check_accepts_and_tells(void **state)
{
    struct fota_package_check c;

    (void) state;
    assert_int_equal(check(package, length, 1, &c), FOTA_OK);
    assert_true(c.header_seen);
    assert_memory_equal(c.identity, image.identity, sizeof c.identity);
    assert_memory_equal(c.raw, image.raw, sizeof c.raw);
    assert_int_equal(c.header.image_size, SIZE);
    assert_int_equal(c.relocations, 1u + (SIZE - 1u) / 64u);
    assert_int_equal(check(package, length - 1u, 1, &c), FOTA_E_TRUNCATED);
    assert_int_equal(check(package, 0, 1, &c), FOTA_E_TRUNCATED);
    assert_int_equal(check((const uint8_t *) "this is a text file and no package of any kind", 46, 1, &c),
                     FOTA_E_TRUNCATED);
    memset(package, 'x', FOTA_HEADER_SIZE);
    assert_int_equal(check(package, length, 1, &c), FOTA_E_MAGIC);
}

static void check_refuses(void **state)
{
    struct fota_package_check c;

    (void) state;
    package[FOTA_HEADER_SIZE - 1u] ^= 1;
    assert_int_equal(check(package, length, 1, &c), FOTA_E_SIGNATURE);
    assert_int_equal(check(package, length, 0, &c), FOTA_OK); /* inspect: without a key the signature is not judged */
    image.key = 1;
    test_image_seal(&image);
    assert_int_equal(check_image(&image), FOTA_E_KEY);

    for (unsigned slot = 0; slot < 2u; slot++) {
        test_image_make(&image, SIZE, 1, 1);
        image.header.crc[slot] ^= 1;
        test_image_seal(&image);
        assert_int_equal(check_image(&image), FOTA_E_CRC);
        image.header.crc[slot] ^= 1;
        image.header.sha256[slot][31] ^= 1;
        test_image_seal(&image);
        assert_int_equal(check_image(&image), FOTA_E_HASH);
    }
    test_image_make(&image, SIZE, 1, 1); /* code that is not the signed one */
    image.code[0][5000] ^= 1;
    assert_int_equal(check_image(&image), FOTA_E_CRC);

    test_image_make(&image, SIZE, 1, 1);
    fota_put32(image.code[0], 0x20020004);
    fota_put32(image.code[1], 0x20020004);
    test_image_digest(&image);
    assert_int_equal(check_image(&image), FOTA_E_VECTORS);

    test_image_make(&image, SIZE, 1, 1); /* a reset address that is not relocated fits slot A only */
    length = test_package_make(&image, 4096, package, sizeof package);
    fota_put16(package + RELOCATIONS, 8);
    assert_int_equal(check(package, length, 1, &c), FOTA_E_VECTORS);

    test_image_make(&image, SIZE, 1, 1); /* a vector table in two blocks */
    length = test_package_make(&image, 4, package, sizeof package);
    assert_int_equal(check(package, length, 1, &c), FOTA_E_VECTORS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(any_pieces_give_the_same, setup),
        cmocka_unit_test_setup(every_end_too_early_is_truncated, setup),
        cmocka_unit_test_setup(errors_of_the_sink_end_it, setup),
        cmocka_unit_test_setup(sections, setup),
        cmocka_unit_test_setup(blocks, setup),
        cmocka_unit_test_setup(relocations, setup),
        cmocka_unit_test(relocate_adds_and_wraps),
        cmocka_unit_test_setup(damaged_at_random, setup),
        cmocka_unit_test_setup(check_accepts_and_tells, setup),
        cmocka_unit_test_setup(check_refuses, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
