/* SPDX-License-Identifier: MIT */
/* Instructions as the assembler encodes them (arm-none-eabi-as -mcpu=cortex-m4), one after the other from 0x08004200.
 */
#include "test.h"
#include "thumb.h"

#include <string.h>

#define BASE 0x08004200u
#define LITERAL 0x0800420Cu

static bool word(void *ctx, uint32_t address, bool literal, uint32_t *value, bool *moves)
{
    (void) ctx;
    *value = 0xE000ED00u;
    *moves = address == LITERAL + 4u;
    return literal && address >= LITERAL && address <= LITERAL + 4u;
}

static const struct thumb_memory memory = {NULL, word};
static struct thumb_state state;
static struct thumb_step step;

/* @return the address behind the last of them. */
static uint32_t run(const uint16_t *code, unsigned count)
{
    uint32_t at = BASE;
    memset(&state, 0, sizeof state);
    for (unsigned i = 0; i < count; at += step.size, i += step.size / 2u)
        thumb_step(&memory, &state, at, code[i], i + 1u < count ? code[i + 1u] : 0, &step);
    return at;
}
#define RUN(...)                                                                                                       \
    do {                                                                                                               \
        const uint16_t code[] = {__VA_ARGS__};                                                                         \
        assert_int_equal(run(code, sizeof code / 2u), BASE + sizeof code);                                             \
    } while (0)

static bool holds(unsigned n, uint32_t value)
{
    return ((unsigned) state.known >> n & 1u) != 0 && state.value[n] == value;
}

static void numbers(void **unused)
{
    (void) unused;
    RUN(0x2017); /* movs r0, #23 */
    assert_true(holds(0, 23));
    RUN(0xF04F, 0x6300); /* mov.w r3, #0x08000000 */
    assert_true(holds(3, 0x08000000u));
    RUN(0xF64E, 0x5008, 0xF2CE, 0x0000); /* movw r0, #0xED08; movt r0, #0xE000 */
    assert_true(holds(0, 0xE000ED08u) && step.literal && step.loaded == 0xE000ED08u && !step.loaded_moves);
    RUN(0xF2C0, 0x0001); /* movt r0, #1: the lower half is not known */
    assert_true(!holds(0, 0x10000u) && state.known == 0);
    RUN(0x2105, 0x00CA, 0x3201, 0x1A53); /* movs r1, #5; lsls r2, r1, #3; adds r2, #1; subs r3, r2, r1 */
    assert_true(holds(2, 41) && holds(3, 36));
    RUN(0xF06F, 0x0201, 0xF042, 0x2210, 0xF022, 0x0204); /* mvn r2, #1; orr r2, #0x10001000; bic r2, #4 */
    assert_true(holds(2, 0xFFFFFFFAu));
    RUN(0x2101, 0xEA4F, 0x1201, 0xEB01, 0x0342); /* movs r1, #1; lsl.w r2, r1, #4; add.w r3, r1, r2, lsl #1 */
    assert_true(holds(2, 16) && holds(3, 33));
    RUN(0x2001, 0x6808); /* movs r0, #1; ldr r0, [r1] */
    assert_int_equal(state.known, 0);
    RUN(0x2001, 0xFB00, 0xF001); /* movs r0, #1; mul r0, r0, r1 */
    assert_int_equal(state.known, 0);
}

static void literals_and_stores(void **unused)
{
    (void) unused;
    RUN(0x4B02, 0xF04F, 0x6200, 0x609A); /* ldr r3, [pc, #8]; mov.w r2, #0x08000000; str r2, [r3, #8] */
    assert_true(step.writes && step.write_known && step.write == 0xE000ED08u && step.value_known &&
                step.value == 0x08000000u && !step.value_moves);
    RUN(0x4A03, 0x4B02, 0x609A); /* ldr r2, [pc, #12], which moves; ldr r3, [pc, #8]; str r2, [r3, #8] */
    assert_true(step.write == 0xE000ED08u && step.value_known && step.value_moves);
    RUN(0xF8DF, 0x3008, 0xF8C3, 0x2008); /* ldr.w r3, [pc, #8]; str.w r2, [r3, #8] */
    assert_true(step.write_known && step.write == 0xE000ED08u && !step.value_known);
    RUN(0x4B02, 0xF843, 0x2F08); /* ldr r3, [pc, #8]; str r2, [r3, #8]! */
    assert_true(step.write == 0xE000ED08u && holds(3, 0xE000ED08u));
    RUN(0x4B02, 0x2108, 0x505A); /* ldr r3; movs r1, #8; str r2, [r3, r1] */
    assert_true(step.write_known && step.write == 0xE000ED08u);
    RUN(0x4B02, 0x719A); /* ldr r3; strb r2, [r3, #6] */
    assert_true(step.writes && step.write == 0xE000ED06u && !step.value_known);
    RUN(0x4B02, 0xE9C3, 0x1201); /* ldr r3; strd r1, r2, [r3, #4] */
    assert_true(step.writes && step.write == 0xE000ED08u);
}

static void ways(void **unused)
{
    (void) unused;
    RUN(0xE7FE); /* b . */
    assert_true(step.flow == THUMB_BRANCH && step.target == BASE);
    RUN(0xD001); /* beq . + 6 */
    assert_true(step.flow == THUMB_EITHER && step.target == BASE + 6u);
    RUN(0xB118); /* cbz r0, . + 10 */
    assert_true(step.flow == THUMB_EITHER && step.target == BASE + 10u);
    RUN(0xF7FF, 0xFFFE); /* bl . */
    assert_true(step.flow == THUMB_CALL && step.target == BASE);
    RUN(0xF000, 0x8001); /* beq.w . + 6 */
    assert_true(step.flow == THUMB_EITHER && step.target == BASE + 6u);
    RUN(0xF000, 0xB801); /* b.w . + 6 */
    assert_true(step.flow == THUMB_BRANCH && step.target == BASE + 6u);
    RUN(0x4770); /* bx lr */
    assert_int_equal(step.flow, THUMB_LEAVE);
    RUN(0xBD10); /* pop {r4, pc} */
    assert_int_equal(step.flow, THUMB_LEAVE);
    RUN(0xE8BD, 0x81F0); /* ldmia.w sp!, {r4-r8, pc} */
    assert_int_equal(step.flow, THUMB_LEAVE);
    RUN(0xDE00); /* udf #0 */
    assert_int_equal(step.flow, THUMB_LEAVE);
    RUN(0x4798); /* blx r3, which nobody knows */
    assert_true(step.flow == THUMB_CALL && step.target == 0);
    RUN(0xE8DF, 0xF000); /* tbb [pc, r0] */
    assert_true(step.flow == THUMB_TABLE && step.table == BASE + 4u && step.table_width == 1u);
    RUN(0xF3BF, 0x8F4F); /* dsb */
    assert_int_equal(step.flow, THUMB_NEXT);
}

static void conditional(void **unused)
{
    (void) unused;
    RUN(0x2201, 0xBF08, 0x2202); /* movs r2, #1; it eq; moveq r2, #2 */
    assert_int_equal(state.known, 0);
    assert_int_equal(state.it, 0);
    RUN(0xBF08, 0x4770); /* it eq; bxeq lr */
    assert_int_equal(step.flow, THUMB_NEXT);
    RUN(0xBF0C, 0x2201, 0x2202, 0x2303); /* ite eq; moveq r2, #1; movne r2, #2; movs r3, #3 */
    assert_true(!holds(2, 2) && holds(3, 3));
    RUN(0x2001, 0x2401);
    thumb_after_call(&state);
    assert_true(!holds(0, 1) && holds(4, 1));
}

/* Any pair of halfwords: the size is right and nothing breaks. */
static void anything(void **unused)
{
    (void) unused;
    for (uint32_t first = 0; first < 0x10000u; first++)
        for (uint32_t second = 0; second < 0x10000u; second += 1021u) {
            memset(&state, 0xFF, sizeof state);
            thumb_step(&memory, &state, BASE, (uint16_t) first, (uint16_t) second, &step);
            assert_int_equal(step.size, first >= 0xE800u ? 4 : 2);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(literals_and_stores),
                                       cmocka_unit_test(ways), cmocka_unit_test(conditional),
                                       cmocka_unit_test(anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
