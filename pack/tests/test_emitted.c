/* SPDX-License-Identifier: MIT */
/** @file test_emitted.c One link with --emit-relocs, made by hand: each kind of relocation, each refusal. */
#include "test.h"

#include "fota/bytes.h"
#include "internal.h"
#include "make_elf.h"

#include <stdlib.h>
#include <string.h>

static struct pack_message error;
static const uint32_t *allowed;
static size_t allowed_count;

static int load(const struct make_elf *m, struct pack_image *image)
{
    struct pack_input input = make_elf(m);
    error = (struct pack_message){0};
    int e = pack_image_load(&input, 1, allowed, allowed_count, image, &error);
    free((void *) (uintptr_t) input.data);
    return e;
}

/* Loads, and the words that move are exactly these. */
static void good(const struct make_elf *m, const uint32_t *offsets, uint32_t count)
{
    struct pack_image image;
    if (load(m, &image) != FOTA_OK)
        fail_msg("%s", error.text);
    assert_int_equal(image.count, count);
    assert_memory_equal(image.relocations, offsets, count * sizeof *offsets);
    pack_image_free(&image);
}

static void bad(const struct make_elf *m, const char *contains)
{
    struct pack_image image;
    assert_int_equal(load(m, &image), FOTA_E_RELOCATION);
    if (strstr(error.text, contains) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", contains, error.text);
}

static void test_words(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    good(&m, (const uint32_t[]){4}, 1); /* the stack's top does not move */
    make_elf_word(&m, 40, 0x08004240);  /* _sidata: absolute, judged by its value */
    make_elf_relocation(&m, 40, 2, 3);
    make_elf_word(&m, 45, 0x08004211); /* unaligned, TARGET1 */
    make_elf_relocation(&m, 45, 38, 2);
    make_elf_word(&m, 49, 0x08004215); /* and the next one right after it */
    make_elf_relocation(&m, 49, 2, 2);
    make_elf_word(&m, 56, 0x20000004); /* RAM */
    make_elf_relocation(&m, 56, 2, 4);
    good(&m, (const uint32_t[]){4, 40, 45, 49}, 4);
}

static void test_order_of_relocations_does_not_matter(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    m.text_rel_count = 0;
    make_elf_word(&m, 40, 0x08004240);
    make_elf_relocation(&m, 40, 2, 3);
    make_elf_relocation(&m, 4, 2, 2);
    good(&m, (const uint32_t[]){4, 40}, 2);
}

static void test_a_data_initialiser_is_moved_where_it_is_loaded(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    fota_put32(m.data + 4, 0x08004211);
    m.data_rel[m.data_rel_count++] = (struct make_relocation){0x20000004, 2, 2};
    good(&m, (const uint32_t[]){4, 64 + 4}, 2);
}

static void test_relative_ones_are_left_alone(void **state)
{
    static const uint8_t types[] = {0, 40, 3, 42, 41, 10, 30, 51};
    struct make_elf m;
    (void) state;
    for (unsigned i = 0; i < sizeof types; i++) {
        make_elf_default(&m);
        make_elf_word(&m, 40, 0xFFFFFFE0u);
        if (types[i] == 10 || types[i] == 30) /* bl to itself: f7ff fffe */
            make_elf_word(&m, 40, 0xFFFEF7FFu);
        make_elf_relocation(&m, 40, types[i], 2);
        good(&m, (const uint32_t[]){4}, 1);
    }
}

static void test_halves_and_parts_are_refused(void **state)
{
    static const uint8_t halves[] = {43, 44, 47, 48, 132, 133, 134, 135}, parts[] = {5, 6, 7, 8};
    struct make_elf m;
    (void) state;
    for (unsigned i = 0; i < sizeof halves; i++) {
        make_elf_default(&m);
        make_elf_relocation(&m, 40, halves[i], 3);
        bad(&m, "the instruction at 0x08004228 (`reset`+0x18 in .text) is a MOVW or MOVT");
        assert_non_null(strstr(error.text, "half the address of `_sidata`"));
        assert_non_null(strstr(error.text, "-mword-relocations and without -mslow-flash-data and -mpure-code"));
        m.text_rel[m.text_rel_count - 1u].symbol = 4; /* an address in RAM does not move */
        good(&m, (const uint32_t[]){4}, 1);
    }
    for (unsigned i = 0; i < sizeof parts; i++) {
        make_elf_default(&m);
        make_elf_relocation(&m, 40, parts[i], 3);
        bad(&m, "not a word that moved by the slot distance");
        m.text_rel[m.text_rel_count - 1u].symbol = 4;
        good(&m, (const uint32_t[]){4}, 1);
    }
    make_elf_default(&m);
    make_elf_relocation(&m, 40, 96, 4); /* GOT_PREL */
    bad(&m, "a relocation of type 96, which is not known here");
}

static void test_relative_across_is_refused(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    make_elf_relocation(&m, 40, 3, 4); /* from flash to RAM */
    bad(&m, "has a relocation of type 3 to `buffer` = 0x20000000");
    make_elf_default(&m);
    m.data_rel[m.data_rel_count++] = (struct make_relocation){0x20000000, 3, 2}; /* from RAM to flash */
    bad(&m, "the place at 0x08004240 (`buffer` in .data) has a relocation of type 3 to `reset`");
}

static void test_branches(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    m.symbols[m.symbol_count++] = (struct make_symbol){"boot_call", 0x08000101u, 0, STT_FUNC, SHN_ABS};
    make_elf_word(&m, 40, 0xFF6AF7FBu); /* bl from 0x08004228 to 0x08000100 */
    make_elf_relocation(&m, 40, 10, 5);
    bad(&m, "the branch at 0x08004228 (`reset`+0x18 in .text) goes to `boot_call` = 0x08000100, which does not move");
    make_elf_word(&m, 40, 0xF804F000u); /* through a veneer at 0x08004234 */
    good(&m, (const uint32_t[]){4}, 1);
    make_elf_word(&m, 40, 0x8000F3AFu); /* a missing weak function: nop.w */
    good(&m, (const uint32_t[]){4}, 1);
}

static void test_uncovered_words(void **state)
{
    struct make_elf m;
    (void) state;
    for (uint32_t at = 36; at <= 60; at++) { /* any alignment, outside of functions */
        make_elf_default(&m);
        make_elf_word(&m, at, 0x08004240);
        bad(&m, "looks like an address in slot A, but no relocation covers it");
        uint32_t one[] = {FOTA_LINK_ADDRESS + at};
        allowed = one;
        allowed_count = 1;
        good(&m, (const uint32_t[]){4}, 1);
        one[0]++; /* allowing its neighbour does not help */
        struct pack_image image;
        assert_int_not_equal(load(&m, &image), FOTA_OK);
        allowed_count = 0;
    }
    make_elf_default(&m);
    fota_put32(m.data, 0x0805FFFC); /* the last word of the slot, in .data */
    bad(&m, "the word 0x0805fffc at 0x08004240 (`buffer` in .data)");
    assert_non_null(strstr(error.text, "say --allow-word 0x08004240"));
    make_elf_default(&m);
    make_elf_word(&m, 40, 0x08060000); /* slot B and everything else is no business of ours */
    make_elf_word(&m, 44, 0x08003FFF);
    good(&m, (const uint32_t[]){4}, 1);
}

static void test_a_relocation_that_does_not_move_its_word_leaves_it_uncovered(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    m.symbols[m.symbol_count++] = (struct make_symbol){"flash", 0x08000000u, 0, 0, SHN_ABS};
    make_elf_word(&m, 40, 0x08004200);
    make_elf_relocation(&m, 40, 2, 5); /* flash + 0x4200: a number times luck */
    bad(&m, "looks like an address in slot A");
}

static void test_ambiguous_words(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    m.symbols[m.symbol_count++] = (struct make_symbol){"slot_end", 0x08060000u, 0, 0, SHN_ABS};
    make_elf_word(&m, 40, 0x08060000);
    make_elf_relocation(&m, 40, 2, 5);
    bad(&m, "refers to `slot_end` = 0x08060000, which is the end of slot A and the beginning of slot B as well");
    make_elf_default(&m);
    make_elf_word(&m, 40, 0x00000240); /* _sidata - 0x08004000 */
    make_elf_relocation(&m, 40, 2, 3);
    bad(&m, "is 0x00000240: its relocation names `_sidata` = 0x08004240 in slot A, but the word is no address there");
    make_elf_default(&m);
    make_elf_relocation(&m, 4, 2, 2);
    bad(&m, "overlaps another one that has a relocation");
    make_elf_default(&m);
    make_elf_word(&m, 40, 0x08004240);
    make_elf_relocation(&m, 40, 2, 3);
    fota_put16(m.text + 44, 0x0800);
    make_elf_relocation(&m, 42, 2, 3);
    bad(&m, "0x0800422a");
}

static void test_places_outside(void **state)
{
    static const uint32_t places[] = {0x080041FF, 0x0800423D, 0x08004240, 0xFFFFFFFF, 0};
    struct make_elf m;
    (void) state;
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_elf_default(&m);
        m.text_rel[m.text_rel_count++] = (struct make_relocation){places[i], 2, 2};
        bad(&m, "lies outside its section .text");
    }
    make_elf_default(&m);
    make_elf_relocation(&m, 40, 2, 99);
    bad(&m, "has no symbol");
    make_elf_default(&m);
    m.text_rel_count = 0;
    bad(&m, "there are no relocations in this ELF");
}

/* The instructions of a function and the tables of TBB are no words; literals are. */
static void test_code_is_no_word(void **state)
{
    struct make_elf m;
    (void) state;
    make_elf_default(&m);
    m.symbols[1].size = 40; /* reset: 16 … 56 */
    m.symbols[m.symbol_count++] = (struct make_symbol){"$d", 0x08004200u, 0, 0, 1};
    m.symbols[m.symbol_count++] = (struct make_symbol){"$t", 0x08004210u, 0, 0, 1};
    make_elf_word(&m, 20, 0x0803EB06u); /* add.w r8, r6, r3 */
    make_elf_word(&m, 26, 0x0803EB06u);
    good(&m, (const uint32_t[]){4}, 1);
    make_elf_word(&m, 32, 0xF000E8DFu); /* tbb [pc, r0] */
    make_elf_word(&m, 36, 0x08030604u); /* its table */
    m.symbols[m.symbol_count++] = (struct make_symbol){"$d.1", 0x08004224u, 0, 0, 1};
    m.symbols[m.symbol_count++] = (struct make_symbol){"$t.2", 0x08004228u, 0, 0, 1};
    good(&m, (const uint32_t[]){4}, 1);
    make_elf_word(&m, 32, 0xBF00BF00u); /* no tbb: then it is a literal */
    bad(&m, "the word 0x08030604 at 0x08004224 (`reset`+0x14 in .text)");
    make_elf_word(&m, 36, 0);
    make_elf_word(&m, 56, 0x08004210u); /* right after the function: $t is still in force, but no function is here */
    bad(&m, "the word 0x08004210 at 0x08004238");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_order_of_relocations_does_not_matter),
        cmocka_unit_test(test_a_data_initialiser_is_moved_where_it_is_loaded),
        cmocka_unit_test(test_relative_ones_are_left_alone),
        cmocka_unit_test(test_halves_and_parts_are_refused),
        cmocka_unit_test(test_relative_across_is_refused),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_uncovered_words),
        cmocka_unit_test(test_a_relocation_that_does_not_move_its_word_leaves_it_uncovered),
        cmocka_unit_test(test_ambiguous_words),
        cmocka_unit_test(test_places_outside),
        cmocka_unit_test(test_code_is_no_word),
    };
    return cmocka_run_group_tests_name("pack: emitted relocations", tests, NULL, NULL);
}
