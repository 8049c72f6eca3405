/* SPDX-License-Identifier: MIT */
/* AWS's published examples ("Signature Calculations for the Authorization Header" and "Authenticating Requests: Using
 * Query Parameters" of the S3 API reference), other spellings of the same URL, and bounds. */
#include "gw/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOST "https://examplebucket.s3.amazonaws.com"
#define TIME 1369353600u /* 2013-05-24T00:00:00Z */

static const struct gw_sigv4_credentials example = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                                    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                                    .region = "us-east-1"};

static void expect(const char *method, const char *url, const char *payload, const struct gw_sigv4_header *headers,
                   unsigned count, const char *signature)
{
    struct gw_sigv4_request request = {method, url, payload, headers, count, TIME};
    struct gw_sigv4 out;

    assert_int_equal(gw_sigv4_sign(&example, &request, &out), 0);
    assert_string_equal(out.date, "20130524T000000Z");
    assert_string_equal(out.signature, signature);
}

static void get_object(void **state)
{
    const struct gw_sigv4_header range[] = {{"range", "bytes=0-9"}};
    struct gw_sigv4_request request = {"GET", HOST "/test.txt", GW_SIGV4_EMPTY, range, 1, TIME};
    struct gw_sigv4 out;

    (void) state;
    assert_int_equal(gw_sigv4_sign(&example, &request, &out), 0);
    assert_string_equal(out.authorization,
                        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void put_object(void **state)
{
    const struct gw_sigv4_header headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                              {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};

    (void) state;
    expect("PUT", HOST "/test$file.text", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072", headers,
           2, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    expect("PUT", HOST "/test%24file.text", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072", headers,
           2, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void get_bucket(void **state)
{
    (void) state;
    expect("GET", HOST "/?lifecycle", GW_SIGV4_EMPTY, NULL, 0,
           "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    expect("GET", HOST "?lifecycle=", GW_SIGV4_EMPTY, NULL, 0,
           "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    expect("GET", HOST "/?max-keys=2&prefix=J", GW_SIGV4_EMPTY, NULL, 0,
           "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    expect("GET", HOST ":443/?prefix=%4A&max-keys=2#x", GW_SIGV4_EMPTY, NULL, 0,
           "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void presigned(void **state)
{
    struct gw_sigv4_request request = {"GET", HOST "/test.txt", NULL, NULL, 0, TIME};
    char url[512];

    (void) state;
    assert_int_equal(gw_sigv4_presign(&example, &request, 86400, url, sizeof url), 0);
    assert_string_equal(url, HOST
                        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
                        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    assert_int_equal(gw_sigv4_presign(&example, &request, 86400, url, strlen(url)), -1);
    assert_int_equal(gw_sigv4_presign(&example, &request, 0, url, sizeof url), -1);
    assert_int_equal(gw_sigv4_presign(&example, &request, GW_SIGV4_EXPIRES_MAX + 1u, url, sizeof url), -1);
}

static void bounds(void **state)
{
    static const char *const bad[] = {"", "ftp://host/", "https://", "https:///x", "http://user@host/"};
    struct gw_sigv4_header headers[GW_SIGV4_HEADERS + 1u];
    struct gw_sigv4_credentials longest = {.access_key = "", .secret_key = "", .region = ""};
    struct gw_sigv4 out;
    char url[1024] = "http://h/?";

    (void) state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gw_sigv4_request request = {"GET", bad[i], GW_SIGV4_EMPTY, NULL, 0, TIME};

        assert_int_equal(gw_sigv4_sign(&example, &request, &out), -1);
    }
    for (unsigned i = 0; i <= GW_SIGV4_HEADERS; i++)
        headers[i] = (struct gw_sigv4_header){"a", "b"};
    assert_int_equal(gw_sigv4_sign(&example,
                                   &(struct gw_sigv4_request){"GET", "http://h/", GW_SIGV4_EMPTY, headers,
                                                              GW_SIGV4_HEADERS + 1u, TIME},
                                   &out),
                     -1);
    for (unsigned i = 0; i < GW_SIGV4_QUERIES; i++)
        (void) strcat(url, "a=b&"); /* NOLINT: room is there */
    assert_int_equal(
        gw_sigv4_sign(&example, &(struct gw_sigv4_request){"GET", url, GW_SIGV4_EMPTY, NULL, 0, TIME}, &out), 0);
    (void) strcat(url, "a=b"); /* NOLINT */
    assert_int_equal(
        gw_sigv4_sign(&example, &(struct gw_sigv4_request){"GET", url, GW_SIGV4_EMPTY, NULL, 0, TIME}, &out), -1);
    memset(longest.access_key, 'A', GW_SIGV4_KEY_MAX);
    memset(longest.secret_key, 'B', GW_SIGV4_KEY_MAX);
    memset(longest.token, 'C', GW_SIGV4_TOKEN_MAX);
    memset(longest.region, 'd', GW_SIGV4_REGION_MAX);
    assert_int_equal(
        gw_sigv4_sign(&longest, &(struct gw_sigv4_request){"GET", "http://h/", GW_SIGV4_EMPTY, NULL, 0, TIME}, &out),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(get_object), cmocka_unit_test(put_object),
                                       cmocka_unit_test(get_bucket), cmocka_unit_test(presigned),
                                       cmocka_unit_test(bounds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
