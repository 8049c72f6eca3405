/* SPDX-License-Identifier: MIT */
/** @file test_elf.c The ELF reader: good ones, every wrong field, every cut, thousands of mutations. */
#include "test.h"

#include "fota/bytes.h"
#include "internal.h"
#include "make_elf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pack_message error;

static void test_a_good_one(void **state)
{
    (void) state;
    for (int headers = 0; headers < 2; headers++) {
        struct make_elf m;
        struct pack_elf elf;
        make_elf_default(&m);
        m.headers_in_segment = headers != 0;
        for (unsigned i = 0; i < m.data_size; i++)
            m.data[i] = (uint8_t) (0xA0u + i);
        struct pack_input input = make_elf(&m);
        assert_int_equal(pack_elf_open(&elf, &input, &error), FOTA_OK);
        assert_int_equal(elf.low, 0x08004200);
        assert_int_equal(elf.high, 0x08004200 + 64 + 8);
        assert_int_equal(elf.symbol_count, 5);
        uint8_t flat[72];
        pack_elf_flatten(&elf, flat);
        assert_memory_equal(flat, m.text, 64);
        assert_memory_equal(flat + 64, m.data, 8);
        char text[100];
        pack_elf_describe(&elf, 0x08004212, text, sizeof text);
        assert_string_equal(text, "`reset`+0x2 in .text");
        pack_elf_describe(&elf, 0x08004240, text, sizeof text);
        assert_string_equal(text, "`buffer` in .data");
        pack_elf_describe(&elf, 0x08004248, text, sizeof text);
        assert_string_equal(text, "no section");
        free((void *) (uintptr_t) input.data);
    }
}

static void test_a_gap_becomes_0xff(void **state)
{
    struct make_elf m;
    struct pack_elf elf;
    uint8_t flat[64 + 5 + 8];
    (void) state;
    make_elf_default(&m);
    m.data_load += 5;
    struct pack_input input = make_elf(&m);
    assert_int_equal(pack_elf_open(&elf, &input, &error), FOTA_OK);
    assert_int_equal(elf.high - elf.low, sizeof flat);
    pack_elf_flatten(&elf, flat);
    for (unsigned i = 64; i < 69; i++)
        assert_int_equal(flat[i], 0xFF);
    free((void *) (uintptr_t) input.data);
}

/* One 16- or 32-bit field changed, and what comes of it. */
static void expect(unsigned at, unsigned width, uint32_t value, int code, const char *contains)
{
    struct make_elf m;
    struct pack_elf elf;
    make_elf_default(&m);
    struct pack_input input = make_elf(&m);
    uint8_t *p = (uint8_t *) (uintptr_t) input.data;
    if (width == 1)
        p[at] = (uint8_t) value;
    else if (width == 2)
        fota_put16(p + at, (uint16_t) value);
    else
        fota_put32(p + at, value);
    assert_int_equal(pack_elf_open(&elf, &input, &error), code);
    assert_int_equal(error.code, code);
    if (strstr(error.text, contains) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", contains, error.text);
    free(p);
}

static void test_wrong_fields(void **state)
{
    (void) state;
    expect(4, 1, 2, FOTA_E_FORMAT, "a 64-bit ELF");
    expect(5, 1, 2, FOTA_E_FORMAT, "a big-endian ELF");
    expect(18, 2, 62, FOTA_E_FORMAT, "for machine 62, not for Arm (40)");
    expect(16, 2, 3, FOTA_E_FORMAT, "position-independent");
    expect(28, 4, 0xFFFFFFF0u, FOTA_E_TRUNCATED, "the program header table");
    expect(42, 2, 33, FOTA_E_TRUNCATED, "the program header table");
    expect(44, 2, 0xFFFF, FOTA_E_TRUNCATED, "the program header table");
    expect(44, 2, 0, FOTA_E_FORMAT, "nothing to load");
    expect(32, 4, 0xFFFFFFF0u, FOTA_E_TRUNCATED, "the section table");
    expect(48, 2, 0xFFFF, FOTA_E_TRUNCATED, "the section table");
    expect(50, 2, 200, FOTA_E_TRUNCATED, "the table of section names");
    expect(52, 4, 2, FOTA_E_FORMAT, "dynamically linked");
    expect(52 + 4, 4, 0xFFFFFFFFu, FOTA_E_TRUNCATED, "a segment");
    expect(52 + 16, 4, 0x7FFFFFFFu, FOTA_E_TRUNCATED, "a segment");
    expect(52 + 12, 4, 0xFFFFFFF0u, FOTA_E_LINK_ADDRESS, "beyond the address space");
    expect(52 + 32 + 12, 4, 0x08004210u, FOTA_E_LINK_ADDRESS, "0x08004200 and 0x08004210 overlap");
}

static void test_every_cut(void **state)
{
    struct make_elf m;
    struct pack_elf elf;
    (void) state;
    make_elf_default(&m);
    struct pack_input whole = make_elf(&m);
    for (size_t n = 0; n < whole.size; n++) {
        uint8_t *exact = malloc(n + (n == 0)); /* so that the sanitizer sees a read beyond the end */
        assert_non_null(exact);
        memcpy(exact, whole.data, n);
        struct pack_input cut = {"cut.elf", exact, n};
        assert_int_equal(pack_elf_open(&elf, &cut, &error), FOTA_E_TRUNCATED); /* the section table is last */
        free(exact);
    }
    free((void *) (uintptr_t) whole.data);
}

/* Whatever is in a file: an error or an image that keeps its promises, never a bad access (the sanitizers watch). */
static void load_anything(const uint8_t *data, size_t size, unsigned *good)
{
    struct pack_image image;
    uint8_t *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, data, size);
    const struct pack_input input[2] = {{"x.elf", exact, size}, {"x.elf", exact, size}};
    for (unsigned count = 1; count <= 2u; count++) {
        error = (struct pack_message){0};
        int e = pack_image_load(input, count, NULL, 0, &image, &error);
        assert_int_equal(e, error.code);
        if (e != FOTA_OK) {
            assert_true(error.text[0] != '\0');
            assert_null(image.code);
            continue;
        }
        (*good)++;
        uint32_t free_from = 0;
        assert_true(image.size >= 8 && image.size <= FOTA_CODE_MAX && image.size % 4u == 0);
        for (uint32_t i = 0; i < image.count; i++) {
            assert_true(image.relocations[i] >= free_from && image.relocations[i] <= image.size - 4u);
            free_from = image.relocations[i] + 4u;
        }
        pack_image_free(&image);
    }
    free(exact);
}

static void test_mutations(void **state)
{
    struct make_elf m;
    uint32_t seed = 2026;
    unsigned good = 0;
    (void) state;
    make_elf_default(&m);
    make_elf_word(&m, 40, m.data_load);
    make_elf_relocation(&m, 40, 2, 3);
    struct pack_input input = make_elf(&m);
    uint8_t *copy = malloc(input.size);
    assert_non_null(copy);
    static const uint32_t nasty[] = {0,          1,          0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                     0xFFFFFFFC, 0x08004200, 0x08060000, 0x20000000};
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(copy, input.data, input.size);
        for (unsigned n = test_random(&seed) % 4u + 1u; n > 0; n--) {
            uint32_t at = test_random(&seed) % (uint32_t) (input.size - 4u);
            if (test_random(&seed) % 2u == 0)
                fota_put32(copy + (at & ~3u), nasty[test_random(&seed) % (sizeof nasty / sizeof nasty[0])]);
            else
                copy[at] ^= (uint8_t) (1u << test_random(&seed) % 8u);
        }
        load_anything(copy, input.size, &good);
    }
    assert_true(good > 100 && good < 19000); /* some mutations hit what does not matter, most are seen */
    free(copy);
    free((void *) (uintptr_t) input.data);
}

/* Two links, made by hand: words at any alignment, adjacent ones, and what is refused. */
static int differ(const uint8_t *a, const uint8_t *b, uint32_t size, struct pack_image *image)
{
    struct make_elf m;
    struct pack_elf elf_a, elf_b;
    make_elf_default(&m);
    struct pack_input input = make_elf(&m);
    assert_int_equal(pack_elf_open(&elf_a, &input, &error), FOTA_OK);
    elf_b = elf_a;
    elf_b.name = "b.elf";
    uint8_t *code = malloc(size), *other = malloc(size);
    assert_non_null(code);
    assert_non_null(other);
    memcpy(code, a, size);
    memcpy(other, b, size);
    *image = (struct pack_image){.code = code, .size = size};
    error = (struct pack_message){0};
    int e = pack_differ(&elf_a, &elf_b, other, image, &error);
    free(other);
    free((void *) (uintptr_t) input.data);
    return e;
}

static void test_differences(void **state)
{
    /* Words at 0, 4 (adjacent), 9 (unaligned), 13 (adjacent and unaligned), 60 (the last). */
    static const uint32_t at[] = {0, 4, 9, 13, 60};
    static const uint32_t values[] = {0x08004300, 0x0805FFFF, 0x08004000, 0xFFFFFFFF,
                                      0x00000000, 0x12FA4080, 0x08044000};
    uint8_t a[64], b[64];
    struct pack_image image;
    (void) state;
    for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++) {
        memset(a, (int) v, sizeof a);
        for (unsigned i = 0; i < 5; i++)
            fota_put32(a + at[i], values[v]);
        memcpy(b, a, sizeof b);
        for (unsigned i = 0; i < 5; i++)
            fota_put32(b + at[i], values[v] + FOTA_SLOT_DISTANCE);
        assert_int_equal(differ(a, b, 64, &image), FOTA_OK);
        assert_int_equal(image.count, 5);
        assert_memory_equal(image.relocations, at, sizeof at);
        pack_image_free(&image);
    }
}

static void test_differences_that_are_refused(void **state)
{
    uint8_t a[64] = {0}, b[64];
    struct pack_image image;
    (void) state;
    /* One word off by another amount, at any place, also at the very ends. */
    for (unsigned i = 0; i < 64; i++) {
        memcpy(b, a, sizeof b);
        b[i] = 1;
        assert_int_equal(differ(a, b, 64, &image), FOTA_E_RELOCATION);
        assert_non_null(strstr(error.text, "not by the slot distance 0x5c000"));
        pack_image_free(&image);
    }
    memcpy(b, a, sizeof b);
    fota_put32(b + 20, 0u - FOTA_SLOT_DISTANCE); /* the other way */
    assert_int_equal(differ(a, b, 64, &image), FOTA_E_RELOCATION);
    assert_non_null(strstr(error.text,
                           "the word at 0x08004214 (`reset`+0x4 in .text) is 0x00000000 in made.elf and 0xfffa4000 in "
                           "b.elf: it differs by 0xfffa4000"));
    pack_image_free(&image);
    /* Two words that overlap. */
    memcpy(b, a, sizeof b);
    fota_put32(a + 8, 0x08004300);
    fota_put32(b + 8, 0x08004300 + FOTA_SLOT_DISTANCE);
    b[12] ^= 0xC0;
    assert_int_equal(differ(a, b, 64, &image), FOTA_E_RELOCATION);
    pack_image_free(&image);
    /* movw r0, #0x4300 and movw r0, #0x0300 (0x08004300 and 0x08060300). */
    memset(a, 0, sizeof a);
    memcpy(b, a, sizeof b);
    fota_put32(a + 18, 0x3000F244u);
    fota_put32(b + 18, 0x3000F240u);
    assert_int_equal(differ(a, b, 64, &image), FOTA_E_RELOCATION);
    assert_non_null(strstr(error.text, "the instruction at 0x08004212 (`reset`+0x2 in .text) is a MOVW or MOVT"));
    assert_non_null(strstr(error.text, "-mword-relocations"));
    pack_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one),
        cmocka_unit_test(test_a_gap_becomes_0xff),
        cmocka_unit_test(test_wrong_fields),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_differences_that_are_refused),
    };
    return cmocka_run_group_tests_name("pack: elf", tests, NULL, NULL);
}
