/* SPDX-License-Identifier: MIT */
/** @file test_key.c Keys: RFC 6979's vectors, files, and everything that is no key. */
#include "test.h"

#include <bearssl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pack_message error;

/* RFC 6979, A.2.5. */
static const uint8_t rfc_secret[32] = {0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21,
                                       0x57, 0x67, 0xB1, 0xD6, 0x93, 0x4E, 0x50, 0xC3, 0xDB, 0x36, 0xE8,
                                       0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B, 0x12, 0x0F, 0x67, 0x21};
static const char rfc_public[] =
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char rfc_sample[] =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
static const char rfc_test[] =
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

static size_t pem_of(const uint8_t *der, size_t size, const char *banner, char *out)
{
    return br_pem_encode(out, der, size, banner, BR_PEM_LINE64);
}

/* The RFC's key as SEC1 without its public half. */
static size_t sec1(const uint8_t secret[32], char *out)
{
    uint8_t der[51] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t curve[] = {0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    memcpy(der + 7, secret, 32);
    memcpy(der + 39, curve, sizeof curve);
    return pem_of(der, sizeof der, "EC PRIVATE KEY", out);
}

static void test_rfc_6979(void **state)
{
    char pem[512], text[PACK_HEX_TEXT(64)];
    struct pack_key key;
    uint8_t digest[32], signature[64];
    (void) state;
    size_t n = sec1(rfc_secret, pem);
    assert_int_equal(pack_key_parse("rfc", pem, n, &key, &error), FOTA_OK);
    pack_hex_print(key.public_key.point, 64, text);
    assert_string_equal(text, rfc_public);
    fota_sha256("sample", 6, digest);
    assert_int_equal(pack_sign(&key, digest, signature), FOTA_OK);
    pack_hex_print(signature, 64, text);
    assert_string_equal(text, rfc_sample);
    assert_int_equal(fota_ecdsa_verify(key.public_key.point, digest, signature), FOTA_OK);
    fota_sha256("test", 4, digest);
    assert_int_equal(pack_sign(&key, digest, signature), FOTA_OK);
    pack_hex_print(signature, 64, text);
    assert_string_equal(text, rfc_test);
    digest[0] ^= 1;
    assert_int_equal(fota_ecdsa_verify(key.public_key.point, digest, signature), FOTA_E_SIGNATURE);
}

static void test_secrets_out_of_range(void **state)
{
    char pem[512];
    struct pack_key key;
    uint8_t secret[32] = {0};
    (void) state;
    assert_int_equal(pack_key_parse("zero", pem, sec1(secret, pem), &key, &error), FOTA_E_KEY);
    memset(secret, 0xFF, sizeof secret);
    assert_int_equal(pack_key_parse("large", pem, sec1(secret, pem), &key, &error), FOTA_E_KEY);
}

static void in_scratch(char *directory)
{
    strcpy(directory, "/tmp/pack-key-XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
}

static void test_save_and_load(void **state)
{
    char directory[32];
    struct pack_key key, again;
    struct fota_key public_key;
    struct stat s;
    (void) state;
    in_scratch(directory);
    assert_int_equal(pack_key_generate(&key, &error), FOTA_OK);
    assert_int_equal(pack_key_save(&key, "k", false, &error), FOTA_OK);
    assert_int_equal(stat("k.pem", &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(pack_key_load("k.pem", &again, &error), FOTA_OK);
    assert_memory_equal(&again, &key, sizeof key);
    assert_int_equal(pack_public_load("k.pub.pem", &public_key, &error), FOTA_OK);
    assert_memory_equal(&public_key, &key.public_key, sizeof public_key);
    assert_int_equal(pack_public_load("k.pem", &public_key, &error), FOTA_OK);
    assert_memory_equal(&public_key, &key.public_key, sizeof public_key);
    /* Not overwritten: neither when both are there nor when only the public one is. */
    assert_int_equal(pack_key_save(&again, "k", false, &error), FOTA_E_IO);
    assert_int_equal(unlink("k.pem"), 0);
    assert_int_equal(pack_key_save(&again, "k", false, &error), FOTA_E_IO);
    assert_int_not_equal(access("k.pem", F_OK), 0);
    assert_int_equal(pack_key_save(&again, "k", true, &error), FOTA_OK);
    assert_int_equal(pack_key_load("k.pub.pem", &again, &error), FOTA_E_KEY);
    assert_non_null(strstr(error.text, "a public key cannot sign"));
    assert_int_equal(pack_key_save(&key, "none/k", false, &error), FOTA_E_IO);
    assert_int_equal(pack_key_load("none.pem", &again, &error), FOTA_E_IO);
    assert_int_equal(unlink("k.pem"), 0);
    assert_int_equal(unlink("k.pub.pem"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(directory), 0); /* and no temporary file is left */
}

static void test_two_keys_differ(void **state)
{
    struct pack_key a, b;
    (void) state;
    assert_int_equal(pack_key_generate(&a, &error), FOTA_OK);
    assert_int_equal(pack_key_generate(&b, &error), FOTA_OK);
    assert_memory_not_equal(a.secret, b.secret, sizeof a.secret);
    pack_key_wipe(&a);
    static const struct pack_key none;
    assert_memory_equal(&a, &none, sizeof a);
}

static void test_other_objects_in_the_file_are_skipped(void **state)
{
    char pem[2048];
    struct pack_key key;
    struct fota_key public_key;
    static const uint8_t parameters[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    (void) state;
    size_t n = pem_of(parameters, sizeof parameters, "EC PARAMETERS", pem);
    n += sec1(rfc_secret, pem + n);
    assert_int_equal(pack_key_parse("both", pem, n, &key, &error), FOTA_OK);
    assert_int_equal(pack_key_parse("no newline at the end", pem, n - 1, &key, &error), FOTA_OK);
    assert_int_equal(pack_public_parse("both", pem, n, &public_key, &error), FOTA_OK);
    assert_memory_equal(&public_key, &key.public_key, sizeof public_key);
}

static void test_a_point_that_is_not_on_the_curve(void **state)
{
    uint8_t der[91] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
                       0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    char pem[512];
    struct pack_key key;
    struct fota_key public_key;
    (void) state;
    assert_int_equal(pack_key_parse("rfc", pem, sec1(rfc_secret, pem), &key, &error), FOTA_OK);
    memcpy(der + 27, key.public_key.point, 64);
    assert_int_equal(pack_public_parse("good", pem, pem_of(der, 91, "PUBLIC KEY", pem), &public_key, &error), FOTA_OK);
    assert_memory_equal(&public_key, &key.public_key, sizeof public_key);
    der[90] ^= 1;
    assert_int_equal(pack_public_parse("bad", pem, pem_of(der, 91, "PUBLIC KEY", pem), &public_key, &error),
                     FOTA_E_KEY);
    assert_non_null(strstr(error.text, "not a point of the curve P-256"));
    der[90] ^= 1;
    der[20] = 0x22; /* another curve */
    assert_int_equal(pack_public_parse("bad", pem, pem_of(der, 91, "PUBLIC KEY", pem), &public_key, &error),
                     FOTA_E_KEY);
    assert_int_equal(pack_public_parse("bad", pem, pem_of(der, 90, "PUBLIC KEY", pem), &public_key, &error),
                     FOTA_E_KEY);
}

static void test_cuts_and_mutations(void **state)
{
    char pem[512];
    struct pack_key key;
    struct fota_key public_key;
    uint32_t seed = 7;
    (void) state;
    size_t n = sec1(rfc_secret, pem);
    for (size_t i = 0; i < n - strlen("-----END EC PRIVATE KEY-----"); i++) { /* BearSSL is lenient about that line */
        char *exact = malloc(i + (i == 0));
        assert_non_null(exact);
        memcpy(exact, pem, i);
        assert_int_equal(pack_key_parse("cut", exact, i, &key, &error), FOTA_E_KEY);
        free(exact);
    }
    for (unsigned round = 0; round < 2000; round++) {
        char copy[512];
        memcpy(copy, pem, n);
        copy[test_random(&seed) % n] = (char) test_random(&seed);
        copy[test_random(&seed) % n] = (char) test_random(&seed);
        int e = pack_public_parse("mutated", copy, n, &public_key, &error);
        assert_true(e == FOTA_OK || e == FOTA_E_KEY);
    }
    char *large = malloc(70000);
    assert_non_null(large);
    memset(large, 'A', 70000);
    assert_int_equal(pack_key_parse("large", large, 70000, &key, &error), FOTA_E_KEY);
    memcpy(large, "-----BEGIN EC PRIVATE KEY-----\n", 31);
    assert_int_equal(pack_key_parse("large", large, 65536, &key, &error), FOTA_E_KEY);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_6979),
        cmocka_unit_test(test_secrets_out_of_range),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_two_keys_differ),
        cmocka_unit_test(test_other_objects_in_the_file_are_skipped),
        cmocka_unit_test(test_a_point_that_is_not_on_the_curve),
        cmocka_unit_test(test_cuts_and_mutations),
    };
    return cmocka_run_group_tests_name("pack: keys", tests, NULL, NULL);
}
