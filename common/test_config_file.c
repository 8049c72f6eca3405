/* SPDX-License-Identifier: MIT */
#include "config_file.h"
#include "journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/fota-config-XXXXXX";
static char error[256];

static void write_file(const char *text, size_t length)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

static cJSON *read_text(const char *text)
{
    write_file(text, strlen(text));
    error[0] = '\0';
    return fota_config_file_read(path, error, sizeof error);
}

static void comments(void **state)
{
    cJSON *json = read_text(
        "// first\n{ /* two\nlines */ \"url\": \"http://h/*x*/\", // \"quoted\n \"q\": \"a\\\"//b\" }\n// end");

    (void) state;
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "url")->valuestring, "http://h/*x*/");
    assert_string_equal(cJSON_GetObjectItem(json, "q")->valuestring, "a\"//b");
    cJSON_Delete(json);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {{"", "line 1"},
                 {"{\n\"a\": 1,\n\"b\": oops\n}", "line 3"},
                 {"/* x\n*/\n{\"a\": 1} more", "line 3"},
                 {"[1]", "object"},
                 {"{\"a\": 1, \"a\": 2}", "\"a\" is there twice"},
                 {"{\"a\": 1} /* no end", "*/"},
                 {"{\"a\": \"no end}", "line 1"}};

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(read_text(cases[i].text));
        assert_non_null(strstr(error, cases[i].word));
        assert_non_null(strstr(error, path));
    }
    write_file("{}\0{}", 5);
    assert_null(fota_config_file_read(path, error, sizeof error));
    assert_non_null(strstr(error, "zero byte"));
    assert_null(fota_config_file_read("/nonexistent/x.json", error, sizeof error));
    assert_non_null(strstr(error, "/nonexistent/x.json"));
    assert_null(fota_config_file_read("/tmp", error, sizeof error));

    char *large = malloc(FOTA_CONFIG_MAX + 2u);
    assert_non_null(large);
    memset(large, ' ', FOTA_CONFIG_MAX + 1u);
    large[0] = '{';
    large[FOTA_CONFIG_MAX - 1u] = '}';
    write_file(large, FOTA_CONFIG_MAX);
    cJSON *json = fota_config_file_read(path, error, sizeof error);
    assert_non_null(json);
    cJSON_Delete(json);
    write_file(large, FOTA_CONFIG_MAX + 1u);
    assert_null(fota_config_file_read(path, error, sizeof error));
    assert_non_null(strstr(error, "larger"));
    free(large);
}

static void secrets(void **state)
{
    char secret[9];

    (void) state;
    write_file("pass\r\nmore\n", 11);
    assert_int_equal(fota_secret_read(path, secret, sizeof secret, error, sizeof error), 0);
    assert_string_equal(secret, "pass");
    write_file("1234567\n", 8);
    assert_int_equal(fota_secret_read(path, secret, sizeof secret, error, sizeof error), 0);
    assert_string_equal(secret, "1234567");
    write_file("hunter123456\n", 13);
    assert_int_equal(fota_secret_read(path, secret, sizeof secret, error, sizeof error), -1);
    assert_non_null(strstr(error, path));
    assert_null(strstr(error, "hunter"));
    write_file("\nsecond\n", 8);
    assert_int_equal(fota_secret_read(path, secret, sizeof secret, error, sizeof error), -1);
    write_file("", 0);
    assert_int_equal(fota_secret_read(path, secret, sizeof secret, error, sizeof error), -1);
    assert_int_equal(fota_secret_read("/nonexistent", secret, sizeof secret, error, sizeof error), -1);
}

static void show(void **state)
{
    char text[12];
    cJSON *json = cJSON_Parse("{\"a\": [1, 2, 3, 4, 5, 6]}");

    (void) state;
    fota_config_show(cJSON_GetObjectItem(json, "a"), text, sizeof text);
    assert_string_equal(text, "[1,2,3,4...");
    cJSON_Delete(json);
    assert_string_equal(fota_journal_prefix(0), "<3>");
    assert_string_equal(fota_journal_prefix(9), "<7>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comments), cmocka_unit_test(refused), cmocka_unit_test(secrets),
                                       cmocka_unit_test(show)};
    int fd = mkstemp(path), rc;

    if (fd < 0)
        return 1;
    (void) close(fd);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void) unlink(path);
    return rc;
}
