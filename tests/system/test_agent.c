/* SPDX-License-Identifier: MIT */
/* Updates while the application runs: the agent in busy, the real gateway, the board. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rig *start(const char *name, const struct rig_options *options)
{
    struct rig *rig = rig_create(options);
    struct pack_buffer package = rig_package(rig, name, NULL);

    rig_program(rig, &package);
    pack_buffer_free(&package);
    board_power(rig->board, true);
    assert_true(rig_run_until(rig, "confirmed", 10u * RIG_SECOND));
    return rig;
}

/* @return what is said behind `name`. */
static unsigned long said(const struct rig *rig, const char *name)
{
    const char *at = strstr(rig->text, name);

    if (at == NULL)
        fail_msg("it never says \"%s\", but:\n%s", name, rig->text);
    return strtoul(at + strlen(name), NULL, 10);
}

/* An update, in which the device is reset once at most: into the new image. */
static void update(struct rig *rig, const char *name)
{
    struct pack_buffer package = rig_package(rig, name, NULL);
    const struct board_counters *c = board_counters(rig->board);
    uint64_t software = c->resets[BOARD_RESET_SOFTWARE], pins = c->resets[BOARD_RESET_PIN];
    enum gw_push_outcome outcome = rig_update(rig, &package, false);

    if (outcome != GW_PUSH_CONFIRMED)
        fail_msg("%s: outcome %d, %s: %s\n%s", name, outcome, rig->push.reason, rig->push.detail, rig->text);
    assert_int_equal(c->resets[BOARD_RESET_SOFTWARE], software + 1u);
    assert_int_equal(c->resets[BOARD_RESET_PIN], pins);
    pack_buffer_free(&package);
}

static void expect_undisturbed(struct rig *rig)
{
    print_message("%s", strstr(rig->text, "busy: late"));
    assert_int_equal(said(rig, "busy: late "), 0);
    assert_true(said(rig, "late in announced erases ") > 0);
    assert_true(said(rig, "copies ") > 1000u);
    assert_int_equal(said(rig, "damaged "), 0);
    assert_in_range(said(rig, "load "), 250, 350);
    assert_true(said(rig, "longest poll ") <= 200u);
}

/* From A to B and back. The product loses no deadline outside of the announced erases. */
static void test_update_while_running(void **state)
{
    struct rig *rig = start("busy-1.0.0", NULL);

    (void) state;
    update(rig, "busy-1.1.0");
    expect_undisturbed(rig);
    assert_non_null(strstr(rig->text, "busy 1.1.0 in slot B, trial"));
    assert_non_null(strstr(rig->text, "busy 1.1.0 in slot B, confirmed"));
    rig->text_length = 0;
    update(rig, "busy-1.0.0");
    expect_undisturbed(rig);
    assert_non_null(strstr(rig->text, "busy 1.0.0 in slot A, confirmed"));
    assert_int_equal(board_rule_violations(rig->board), 0);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_while_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
