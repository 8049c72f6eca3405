/* SPDX-License-Identifier: MIT */
#include "gw/job.h"
#include "gw/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHA "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
#define GOOD_REST "\"url\":\"http://h/p.fota\",\"sha256\":\"" SHA "\""

static bool parse(const char *text, struct gw_command *command)
{
    return gw_command_parse(text, strlen(text), command);
}

static void good_commands(void **state)
{
    struct gw_command c;

    (void) state;
    assert_true(parse("{\"v\":1,\"cmd\":\"update\",\"job\":\"2026-11-21-a\",\"device\":\"board1\"," GOOD_REST
                      ",\"size\":4096,\"retry\":true,\"more\":[1,{\"x\":null}]} \r\n",
                      &c));
    assert_int_equal(c.kind, GW_COMMAND_UPDATE);
    assert_string_equal(c.job.id, "2026-11-21-a");
    assert_string_equal(c.device, "board1");
    assert_string_equal(c.job.url, "http://h/p.fota");
    assert_int_equal(c.job.sha256[0], 0x5e);
    assert_int_equal(c.job.sha256[31], 0xd8);
    assert_int_equal(c.job.size, 4096);
    assert_true(c.job.retry);
    assert_string_equal(c.detail, "");

    assert_true(parse(
        "{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"https://h:8/?a=b\",\"sha256\":\"" SHA
        "\"}",
        &c));
    assert_int_equal(c.job.size, 0);
    assert_false(c.job.retry);
    assert_true(parse(
        "{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"mqtt:\",\"sha256\":\"" SHA "\"}", &c));
    assert_string_equal(c.job.url, GW_URL_MQTT);
    assert_true(parse("{\"v\":1,\"cmd\":\"cancel\",\"job\":\"j\",\"device\":\"b\"}", &c));
    assert_int_equal(c.kind, GW_COMMAND_CANCEL);
    assert_true(parse("{\"v\":1,\"cmd\":\"status\"}", &c));
    assert_int_equal(c.kind, GW_COMMAND_STATUS);
    assert_string_equal(c.device, "");
    assert_true(parse("{\"v\":1.0,\"cmd\":\"status\",\"device\":\"b-1_2\"}", &c));
    assert_string_equal(c.device, "b-1_2");
}

static void bad_commands(void **state)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"", "empty"},
        {"x", "no JSON"},
        {"{\"v\":1", "no JSON"},
        {"[1]", "JSON object"},
        {"\"text\"", "JSON object"},
        {"{\"v\":1,\"cmd\":\"status\"} x", "follows"},
        {"{\"v\":1,\"cmd\":\"status\"}{}", "follows"},
        {"[[[[[[[[[1]]]]]]]]]", "nested"},
        {"{}", "\"v\" is missing"},
        {"{\"v\":2,\"cmd\":\"status\"}", "\"v\" is 2"},
        {"{\"v\":\"1\",\"cmd\":\"status\"}", "\"v\" is \"1\""},
        {"{\"v\":1}", "\"cmd\" is missing"},
        {"{\"v\":1,\"cmd\":\"erase\"}", "\"cmd\" is \"erase\""},
        {"{\"v\":1,\"cmd\":7}", "\"cmd\" is 7"},
        {"{\"v\":1,\"cmd\":\"status\",\"cmd\":\"status\"}", "\"cmd\" stands there twice"},
        {"{\"v\":1,\"cmd\":\"status\",\"device\":\"a b\"}", "\"device\" is \"a b\""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\"," GOOD_REST "}", "\"device\" is missing"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"\"," GOOD_REST "}", "\"device\" is \"\""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"a/b\"," GOOD_REST "}", "a/b"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"123456789012345678901234567890123\"," GOOD_REST "}",
         "\"device\""},
        {"{\"v\":1,\"cmd\":\"update\",\"device\":\"b\"," GOOD_REST "}", "\"job\" is missing"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":5,\"device\":\"b\"," GOOD_REST "}", "\"job\" is 5"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"a#b\",\"device\":\"b\"," GOOD_REST "}", "\"job\" is \"a#b\""},
        {"{\"v\":1,\"cmd\":\"cancel\",\"job\":\"j\\u0000k\",\"device\":\"b\"}", ""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"sha256\":\"" SHA "\"}", "\"url\" is missing"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"file:///etc/passwd\",\"sha256\":\"" SHA
         "\"}",
         "http://"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"mqtt:x\",\"sha256\":\"" SHA "\"}",
         "\"url\" is \"mqtt:x\""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http:///x\",\"sha256\":\"" SHA "\"}",
         "name a host"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://u:p@h/x\",\"sha256\":\"" SHA
         "\"}",
         "password"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/a b\",\"sha256\":\"" SHA "\"}",
         "position 10"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/\\r\\nX: y\",\"sha256\":\"" SHA
         "\"}",
         "position 9"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/\xc3\xa4\",\"sha256\":\"" SHA
         "\"}",
         "position 9"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/x\"}", "\"sha256\" is missing"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/x\",\"sha256\":\"" SHA "0\"}",
         "\"sha256\""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"url\":\"http://h/x\",\"sha256\":\"abc\"}",
         "64 hex digits"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":0}", "\"size\" is 0"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":-1}", "\"size\" is -1"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":1.5}", "\"size\" is 1.5"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":1048577}", "1048577"},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":1e400}", "\"size\""},
        {"{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"retry\":1}", "\"retry\" is 1"},
    };
    struct gw_command c;

    (void) state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].says[0] == '\0') {
            (void) parse(table[i].text, &c); /* cJSON ends the string there: only that nothing breaks */
            continue;
        }
        if (parse(table[i].text, &c) || strstr(c.detail, table[i].says) == NULL)
            fail_msg("%s -> \"%s\"", table[i].text, c.detail);
    }
}

static void what_a_reply_needs_is_kept(void **state)
{
    struct gw_command c;
    char text[8192];

    (void) state;
    assert_false(parse("{\"v\":1,\"cmd\":\"update\",\"job\":\"j9\",\"device\":\"b\"}", &c));
    assert_string_equal(c.name, "update");
    assert_string_equal(c.job.id, "j9");
    assert_string_equal(c.device, "b");
    memset(text, ' ', sizeof text);
    assert_false(gw_command_parse(text, GW_PAYLOAD_MAX + 1u, &c));
    assert_non_null(strstr(c.detail, "4097"));
    (void) snprintf(text, sizeof text,
                    "{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"sha256\":\"" SHA
                    "\",\"url\":\"http://h/%0*d\"}",
                    (int) GW_URL_MAX - 9, 0);
    assert_true(parse(text, &c));
    assert_int_equal(strlen(c.job.url), GW_URL_MAX);
    (void) snprintf(text, sizeof text,
                    "{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\",\"sha256\":\"" SHA
                    "\",\"url\":\"http://h/%0*d\"}",
                    (int) GW_URL_MAX - 8, 0);
    assert_false(parse(text, &c));
    assert_non_null(strstr(c.detail, "1025"));
}

/* Any bytes: neither a crash nor a command out of nothing. */
static void noise_is_no_command(void **state)
{
    static const char seed_text[] =
        "{\"v\":1,\"cmd\":\"update\",\"job\":\"j\",\"device\":\"b\"," GOOD_REST ",\"size\":99}";
    uint32_t random = 12345;
    struct gw_command c;
    char text[sizeof seed_text];

    (void) state;
    for (unsigned i = 0; i < 20000u; i++) {
        memcpy(text, seed_text, sizeof text);
        for (unsigned k = 0; k < 1u + i % 4u; k++) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 8) % (sizeof text - 1u)] = (char) (random >> 24);
        }
        if (gw_command_parse(text, (random >> 4) % sizeof text, &c))
            assert_true(c.job.id[0] != '\0' || c.kind == GW_COMMAND_STATUS);
        else
            assert_true(c.detail[0] != '\0');
    }
}

static void names(void **state)
{
    (void) state;
    assert_true(gw_device_name_valid("board-1_X"));
    assert_false(gw_device_name_valid("presence"));
    assert_false(gw_device_name_valid("cmd"));
    assert_false(gw_device_name_valid("reply"));
    assert_false(gw_device_name_valid("chunk"));
    assert_true(gw_name_valid("cmd"));
    assert_false(gw_name_valid(""));
    assert_false(gw_name_valid("a+b"));
    assert_false(gw_name_valid("a/b"));
}

static void text_of_numbers(void **state)
{
    static const struct {
        const char *text, *is;
    } versions[] = {{"1.2.3", "1.2.3"},
                    {"1.2.3+4.g6c2fa01", "1.2.3+4"},
                    {"0.1.0+g6c2fa01.dirty", "0.1.0"},
                    {"1.2.3+4", "1.2.3+4"},
                    {"1.2", "1.2.0"},
                    {"", "0.0.0"},
                    {"nonsense", "0.0.0"}};
    char text[64], url[300];
    uint8_t data[4];

    (void) state;
    gw_time_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    gw_time_text(951782400123u, text);
    assert_string_equal(text, "2000-02-29T00:00:00.123Z");
    gw_time_text(1795233600456u, text);
    assert_string_equal(text, "2026-11-21T04:00:00.456Z");
    gw_time_text(4107542399999u, text);
    assert_string_equal(text, "2100-02-28T23:59:59.999Z");
    gw_time_text(4107542400000u, text);
    assert_string_equal(text, "2100-03-01T00:00:00.000Z");
    gw_time_text(253402300799999u, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct fota_version v = gw_version_of(versions[i].text);

        gw_version_text(&v, text);
        assert_string_equal(text, versions[i].is);
    }
    gw_version_text(&(struct fota_version){.major = 1, .minor = 2, .patch = 3}, text);
    assert_string_equal(text, "1.2.3");
    gw_version_text(&(struct fota_version){.major = 65535, .minor = 65535, .patch = 65535, .build = 4294967295u}, text);
    assert_string_equal(text, "65535.65535.65535+4294967295");
    assert_true(gw_unhex("00fFa1B2", data, 4));
    assert_int_equal(data[1], 0xff);
    assert_false(gw_unhex("00fFa1B", data, 4));
    assert_false(gw_unhex("00fFa1B2c", data, 4));
    assert_false(gw_unhex("00fFa1Bx", data, 4));
    assert_string_equal(gw_url_text("http://h/a?X-Amz-Signature=1", url, sizeof url), "http://h/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_commands),
        cmocka_unit_test(bad_commands),
        cmocka_unit_test(what_a_reply_needs_is_kept),
        cmocka_unit_test(noise_is_no_command),
        cmocka_unit_test(names),
        cmocka_unit_test(text_of_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
