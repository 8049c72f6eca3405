/* SPDX-License-Identifier: MIT */
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char why[HUB_WHY_SIZE];

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void topics(void **state)
{
    (void) state;
    struct hub_topic t;
    hub_topic_parse("fota/v1/gw1/presence", &t);
    assert_int_equal(t.kind, HUB_TOPIC_PRESENCE);
    assert_string_equal(t.gateway, "gw1");
    hub_topic_parse("fota/v1/gw1/reply", &t);
    assert_int_equal(t.kind, HUB_TOPIC_REPLY);
    hub_topic_parse("fota/v1/gw1/board-1_x/state", &t);
    assert_int_equal(t.kind, HUB_TOPIC_STATE);
    assert_string_equal(t.device, "board-1_x");
    hub_topic_parse("fota/v1/gw1/board1/progress", &t);
    assert_int_equal(t.kind, HUB_TOPIC_PROGRESS);
    hub_topic_parse("fota/v1/gw1/chunk/get", &t);
    assert_int_equal(t.kind, HUB_TOPIC_CHUNK_GET);
    assert_string_equal(t.gateway, "gw1");
    static const char *const wrong[] = {"",
                                        "fota/v1/",
                                        "fota/v1/gw1",
                                        "fota/v1//presence",
                                        "fota/v1/g w/presence",
                                        "fota/v2/gw1/presence",
                                        "fota/v1/gw1/board1",
                                        "fota/v1/gw1/board1/other",
                                        "fota/v1/gw1/board1/state/x",
                                        "fota/v1/gw1/presence/state",
                                        "fota/v1/gw1/cmd/state",
                                        "fota/v1/gw1/chunk/progress",
                                        "fota/v1/gw1/chunk/data",
                                        "fota/v1/g w/chunk/get",
                                        "fota/v1/gw1/b.1/state",
                                        "fota/v1/123456789012345678901234567890123/presence",
                                        "fota/v1/gw1/123456789012345678901234567890123/state"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hub_topic_parse(wrong[i], &t);
        assert_int_equal(t.kind, HUB_TOPIC_NONE);
    }
}

static int state_of(const char *text, struct hub_device *d)
{
    char version[HUB_VERSION_MAX + 1];
    memset(d, 0xA5, sizeof *d);
    return hub_state_parse(text, strlen(text), d, version, why);
}

static void state_complete(void **state)
{
    (void) state;
    struct hub_device d;
    char version[HUB_VERSION_MAX + 1];
    static const char text[] =
        "{\"v\":1,\"seq\":1795228800456,\"time\":\"2026-11-21T04:00:00.456Z\",\"device\":\"board1\",\"state\":\"rolled-"
        "back\","
        "\"job\":\"2026-11-21-a\",\"reason\":\"deadline\",\"detail\":\"so \\u00e4 \\\"it\\\" "
        "is\",\"version\":\"1.0.0\",\"identity\":\"" DIGEST
        "\",\"slot\":\"A\",\"confirmed\":true,\"target\":{\"version\":\"1.1.0\",\"sha256\":\"" DIGEST
        "\",\"slot\":\"B\",\"later\":[1]},\"info\":{\"product\":\"5a010203-0405-4607-8809-0a0b0c0d0e0f\",\"hw\":1,"
        "\"floor\":4294967295,"
        "\"mode\":\"bootloader\",\"bootloader\":\"0.1.0\",\"trial\":\"none\",\"fault\":{\"lr\":\"0x08060567\",\"pc\":"
        "\"0x08060932\",\"sp\":1}},\"unknown\":{}}\n";
    assert_int_equal(hub_state_parse(text, strlen(text), &d, version, why), 0);
    assert_int_equal(d.seq, 1795228800456);
    assert_string_equal(d.state, "rolled-back");
    assert_string_equal(d.job, "2026-11-21-a");
    assert_string_equal(d.reason, "deadline");
    assert_string_equal(d.detail, "so \xc3\xa4 \"it\" is");
    assert_string_equal(d.version, "1.0.0");
    assert_string_equal(d.identity, DIGEST);
    assert_string_equal(d.slot, "A");
    assert_true(d.confirmed);
    assert_string_equal(d.target, "{\"version\":\"1.1.0\",\"sha256\":\"" DIGEST "\",\"slot\":\"B\"}");
    assert_string_equal(d.info,
                        "{\"product\":\"5a010203-0405-4607-8809-0a0b0c0d0e0f\",\"hw\":1,\"floor\":4294967295,"
                        "\"mode\":\"bootloader\",\"trial\":\"none\",\"bootloader\":\"0.1.0\",\"fault\":{\"pc\":"
                        "\"0x08060932\",\"lr\":\"0x08060567\"}}");
    assert_string_equal(version, "1.1.0");
}

static void state_least(void **state)
{
    (void) state;
    struct hub_device d;
    assert_int_equal(state_of("{\"v\":1,\"seq\":1,\"state\":\"idle\",\"target\":null,\"version\":\"\"}", &d), 0);
    assert_string_equal(d.job, "");
    assert_string_equal(d.version, "");
    assert_string_equal(d.target, "");
    assert_string_equal(d.info, "");
    assert_false(d.confirmed);
}

/* Each is wrong in one member, which the sentence must name. */
static void state_wrong(void **state)
{
    (void) state;
    static const struct {
        const char *text, *names;
    } wrong[] = {
        {"{\"seq\":1,\"state\":\"idle\"}", "v is missing"},
        {"{\"v\":2,\"seq\":1,\"state\":\"idle\"}", "v is 2"},
        {"{\"v\":1,\"state\":\"idle\"}", "seq is missing"},
        {"{\"v\":1,\"seq\":0,\"state\":\"idle\"}", "seq is 0"},
        {"{\"v\":1,\"seq\":-5,\"state\":\"idle\"}", "seq is -5"},
        {"{\"v\":1,\"seq\":1.5,\"state\":\"idle\"}", "seq is 1.5"},
        {"{\"v\":1,\"seq\":1e300,\"state\":\"idle\"}", "seq is 1e+300"},
        {"{\"v\":1,\"seq\":\"1\",\"state\":\"idle\"}", "seq is \"1\""},
        {"{\"v\":1,\"seq\":1}", "state is missing"},
        {"{\"v\":1,\"seq\":1,\"state\":\"queued\"}", "state is \"queued\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"job\":\"a b\"}", "job is \"a b\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"job\":7}", "job is 7"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"reason\":\"No!\"}", "reason is \"No!\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"reason\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "reason is"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"identity\":\"00\"}", "identity is \"00\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"slot\":\"C\"}", "slot is \"C\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"confirmed\":1}", "confirmed is 1"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"target\":[]}", "target is []"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"target\":{\"slot\":\"Z\"}}", "target.slot is \"Z\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"info\":{\"hw\":70000}}", "info.hw is 70000"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"info\":{\"fault\":7}}", "info.fault is 7"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"info\":{\"fault\":{\"pc\":\"0x8004\"}}}",
         "info.fault.pc is \"0x8004\""},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\"} x", "not one JSON object"},
        {"[1]", "not one JSON object"},
        {"nonsense", "not one JSON object"},
        {"", "not one JSON object"},
        {"{\"v\":1,\"seq\":1,\"state\":\"idle\",\"detail\":\"\xff\"}", "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct hub_device d;
        assert_int_equal(state_of(wrong[i].text, &d), -1);
        if (strstr(why, wrong[i].names) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", why, wrong[i].names);
    }
}

static void bounds(void **state)
{
    (void) state;
    static char text[HUB_PAYLOAD_MAX + 2];
    struct hub_device d;
    /* A long detail is cut, at a character. */
    int n = snprintf(text, sizeof text, "{\"v\":1,\"seq\":1,\"state\":\"idle\",\"detail\":\"x");
    for (unsigned i = 0; i < HUB_DETAIL_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t) n, "\xc3\xa4");
    snprintf(text + n, sizeof text - (size_t) n, "\"}");
    assert_int_equal(state_of(text, &d), 0);
    assert_int_equal(strlen(d.detail), HUB_DETAIL_MAX - 1);
    assert_true(hub_valid_utf8(d.detail, strlen(d.detail)));
    /* A message that is too long as a whole is not even parsed. */
    memset(text, ' ', sizeof text - 1);
    memcpy(text, "{\"v\":1,\"seq\":1,\"state\":\"idle\"}", 30);
    assert_int_equal(state_of(text, &d), -1);
    assert_non_null(strstr(why, "4097"));
    text[HUB_PAYLOAD_MAX] = '\0';
    assert_int_equal(state_of(text, &d), 0);
    /* Deep nesting is refused by the parser, not by the stack. */
    memset(text, '[', HUB_PAYLOAD_MAX);
    assert_int_equal(state_of(text, &d), -1);
}

static void presence(void **state)
{
    (void) state;
    static struct hub_presence p;
    static const char online[] =
        "{\"v\":1,\"seq\":5,\"online\":true,\"version\":\"0.1.0\",\"devices\":[\"board1\",\"board2\"]}";
    assert_int_equal(hub_presence_parse(online, strlen(online), &p, why), 0);
    assert_true(p.online);
    assert_int_equal(p.device_count, 2);
    assert_string_equal(p.devices[1], "board2");
    static const char offline[] = "{\"v\":1,\"seq\":4,\"online\":false}";
    assert_int_equal(hub_presence_parse(offline, strlen(offline), &p, why), 0);
    assert_false(p.online);
    assert_int_equal(p.device_count, 0);
    static const char *const wrong[] = {"{\"v\":1,\"seq\":4}",
                                        "{\"v\":1,\"seq\":4,\"online\":true,\"devices\":[\"cmd\"]}",
                                        "{\"v\":1,\"seq\":4,\"online\":true,\"devices\":[7]}",
                                        "{\"v\":1,\"seq\":4,\"online\":true,\"devices\":\"board1\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hub_presence_parse(wrong[i], strlen(wrong[i]), &p, why), -1);
    static char many[HUB_PAYLOAD_MAX];
    int n = snprintf(many, sizeof many, "{\"v\":1,\"seq\":4,\"online\":true,\"devices\":[\"a\"");
    for (unsigned i = 0; i < HUB_GATEWAY_DEVICES_MAX; i++)
        n += snprintf(many + n, sizeof many - (size_t) n, ",\"a\"");
    snprintf(many + n, sizeof many - (size_t) n, "]}");
    assert_int_equal(hub_presence_parse(many, strlen(many), &p, why), -1);
}

static void reply_and_progress(void **state)
{
    (void) state;
    struct hub_reply r;
    struct hub_progress p;
    static const char reply[] =
        "{\"v\":1,\"seq\":9,\"cmd\":\"update\",\"job\":\"j1\",\"device\":\"board1\",\"ok\":false,"
        "\"reason\":\"busy\",\"detail\":\"d\",\"duplicate\":true}";
    assert_int_equal(hub_reply_parse(reply, strlen(reply), &r, why), 0);
    assert_false(r.ok);
    assert_true(r.duplicate);
    assert_string_equal(r.reason, "busy");
    static const char progress[] =
        "{\"v\":1,\"seq\":8,\"job\":\"j1\",\"state\":\"write\",\"percent\":42,\"bytes\":158000,"
        "\"total\":376320,\"rate\":81920}";
    assert_int_equal(hub_progress_parse(progress, strlen(progress), &p, why), 0);
    assert_int_equal(p.percent, 42);
    assert_int_equal(p.rate, 81920);
    static const char *const wrong[] = {"{\"v\":1,\"seq\":8,\"state\":\"write\",\"percent\":101}",
                                        "{\"v\":1,\"seq\":8,\"state\":\"write\",\"percent\":-1}",
                                        "{\"v\":1,\"seq\":8,\"state\":\"write\"}", "{\"v\":1,\"seq\":8,\"percent\":1}",
                                        "{\"v\":1,\"seq\":8,\"state\":\"write\",\"percent\":1,\"bytes\":-1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hub_progress_parse(wrong[i], strlen(wrong[i]), &p, why), -1);
}

static void utf8(void **state)
{
    (void) state;
    assert_true(hub_valid_utf8("\xf4\x8f\xbf\xbf", 4));
    static const char *const wrong[] = {
        "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(hub_valid_utf8(wrong[i], strlen(wrong[i])));
    assert_false(hub_valid_utf8("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(topics),
                                       cmocka_unit_test(state_complete),
                                       cmocka_unit_test(state_least),
                                       cmocka_unit_test(state_wrong),
                                       cmocka_unit_test(bounds),
                                       cmocka_unit_test(presence),
                                       cmocka_unit_test(reply_and_progress),
                                       cmocka_unit_test(utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
