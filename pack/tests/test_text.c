/* SPDX-License-Identifier: MIT */
/** @file test_text.c Spelling, kinds of files, whole files. */
#include "test.h"

#include "fota/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_uuid(void **state)
{
    static const char *const bad[] = {"", "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c00",
                                      "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c0011", "3f1c9a5200d4e-4b7a-9c55-6a1be0f4c001",
                                      "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c00g"};
    uint8_t uuid[16];
    char text[PACK_UUID_TEXT];
    (void) state;
    assert_true(pack_uuid_parse("3F1c9a52-0d4e-4b7a-9c55-6a1be0f4c001", uuid));
    assert_int_equal(uuid[0], 0x3F);
    assert_int_equal(uuid[15], 0x01);
    pack_uuid_print(uuid, text);
    assert_string_equal(text, "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c001");
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pack_uuid_parse(bad[i], uuid));
}

static void test_version(void **state)
{
    static const char *const bad[] = {"",          "1",        "1.2",    "1.2.3.4",          "1.2.3+", "1.2.x",
                                      "65536.0.0", "1.2.3-rc", " 1.2.3", "1.2.3+4294967296", "-1.0.0", "1..3"};
    struct fota_version v;
    char text[PACK_VERSION_TEXT];
    (void) state;
    assert_true(pack_version_parse("65535.0.65535+4294967295", &v));
    pack_version_print(&v, text);
    assert_string_equal(text, "65535.0.65535+4294967295");
    assert_true(pack_version_parse("1.2.3", &v));
    assert_int_equal(v.major, 1);
    assert_int_equal(v.minor, 2);
    assert_int_equal(v.patch, 3);
    assert_int_equal(v.build, 0);
    pack_version_print(&v, text);
    assert_string_equal(text, "1.2.3");
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pack_version_parse(bad[i], &v));
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",   "x",  "0x",  "4294967296", "0x100000000",
                                      "1 ", "-1", "0xg", "12a",        "99999999999999999999"};
    uint16_t low = 0, high = 0;
    uint32_t n = 0;
    (void) state;
    assert_true(pack_number_parse("4294967295", 0, UINT32_MAX, &n));
    assert_int_equal(n, UINT32_MAX);
    assert_true(pack_number_parse("0xFFFFFFFF", 0, UINT32_MAX, &n));
    assert_true(pack_number_parse("0x08004200", 0, UINT32_MAX, &n));
    assert_int_equal(n, 0x08004200);
    assert_false(pack_number_parse("9", 10, 20, &n));
    assert_false(pack_number_parse("21", 10, 20, &n));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pack_number_parse(bad[i], 0, UINT32_MAX, &n));
    assert_true(pack_range_parse("0-65535", &low, &high));
    assert_int_equal(low, 0);
    assert_int_equal(high, 65535);
    assert_true(pack_range_parse("7", &low, &high));
    assert_int_equal(low, 7);
    assert_int_equal(high, 7);
    assert_false(pack_range_parse("3-2", &low, &high));
    assert_false(pack_range_parse("1-", &low, &high));
    assert_false(pack_range_parse("-1", &low, &high));
    assert_false(pack_range_parse("1-65536", &low, &high));
}

static void test_kinds(void **state)
{
    uint8_t p[1024] = {0};
    (void) state;
    assert_int_equal(pack_kind_of(p, 0), PACK_KIND_EMPTY);
    assert_int_equal(pack_kind_of("hello", 5), PACK_KIND_TEXT);
    assert_int_equal(pack_kind_of("\xEF\xBB\xBFhello", 8), PACK_KIND_TEXT);
    assert_int_equal(pack_kind_of(":100000000000022009020008", 25), PACK_KIND_HEX);
    assert_int_equal(pack_kind_of("S0030000FC\n", 11), PACK_KIND_SREC);
    assert_int_equal(pack_kind_of("-----BEGIN PUBLIC KEY-----", 26), PACK_KIND_PEM);
    assert_int_equal(pack_kind_of("\177ELF", 4), PACK_KIND_ELF);
    assert_int_equal(pack_kind_of(p, sizeof p), PACK_KIND_OTHER);
    fota_put32(p, 0x20020000);
    fota_put32(p + 4, 0x08004301);
    assert_int_equal(pack_kind_of(p, sizeof p), PACK_KIND_BARE);
    memcpy(p + sizeof p - 4, "FRL1", 4);
    assert_int_equal(pack_kind_of(p, sizeof p), PACK_KIND_BIN);
    memcpy(p + 512, p, 8);
    memcpy(p, "FOTA\1\0\0\2", 8);
    assert_int_equal(pack_kind_of(p, sizeof p), PACK_KIND_HEADER);
    fota_put32(p + 512, FOTA_SECTION_CODE);
    assert_int_equal(pack_kind_of(p, sizeof p), PACK_KIND_PACKAGE);
    assert_int_equal(pack_kind_of(p, 8), PACK_KIND_PACKAGE);
}

static void test_files(void **state)
{
    char directory[] = "/tmp/pack-file-XXXXXX";
    struct pack_message error;
    struct pack_buffer b;
    (void) state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    size_t size = 300000;
    uint8_t *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t) (i * 7u);
    assert_int_equal(pack_file_write("f", data, size, 0640, &error), FOTA_OK);
    struct stat s;
    assert_int_equal(stat("f", &s), 0);
    assert_int_equal(s.st_mode & 0777, 0640);
    assert_int_equal(pack_file_read("f", size, &b, &error), FOTA_OK);
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, data, size);
    pack_buffer_free(&b);
    assert_int_equal(pack_file_read("f", size - 1, &b, &error), FOTA_E_SIZE);
    assert_null(b.data);
    assert_int_equal(pack_file_read(".", size, &b, &error), FOTA_E_IO);
    assert_int_equal(pack_file_read("none", size, &b, &error), FOTA_E_IO);
    assert_string_equal(error.text, "none: cannot be opened: No such file or directory");
    assert_int_equal(pack_file_write("f", "new", 3, 0644, &error), FOTA_OK); /* replaced whole */
    assert_int_equal(pack_file_read("f", size, &b, &error), FOTA_OK);
    assert_int_equal(b.size, 3);
    pack_buffer_free(&b);
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(pack_file_write("d", "x", 1, 0644, &error), FOTA_E_IO);
    assert_int_equal(rmdir("d"), 0);
    assert_int_equal(unlink("f"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(directory), 0); /* no temporary file is left, not even after the failure */
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid),  cmocka_unit_test(test_version), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_kinds), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests_name("pack: text and files", tests, NULL, NULL);
}
