/* SPDX-License-Identifier: MIT */
/* libcurl's CURLOPT_AWS_SIGV4 as a peer: it signs requests to a server of our own, and ours must be the same signature.
 */
#include "gw/sigv4.h"

#include <curl/curl.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int listener;
static char seen[4096];

static void *serve_one(void *ctx)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    int fd = accept(listener, NULL, NULL);
    size_t n = 0;

    (void) ctx;
    if (fd < 0)
        return NULL;
    while (n < sizeof seen - 1u) {
        ssize_t got = read(fd, seen + n, sizeof seen - 1u - n);

        if (got <= 0)
            break;
        n += (size_t) got;
        seen[n] = '\0';
        if (strstr(seen, "\r\n\r\n") != NULL)
            break;
    }
    if (write(fd, answer, sizeof answer - 1u) < 0)
        seen[0] = '\0';
    (void) close(fd);
    return NULL;
}

static void compare(const char *path, const char *region)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct gw_sigv4_credentials credentials = {.access_key = "AKIDEXAMPLE", .secret_key = "secret/with+signs=="};
    struct gw_sigv4 out;
    char url[512], provider[64];
    struct curl_slist *headers = curl_slist_append(NULL, "x-amz-content-sha256: " GW_SIGV4_EMPTY);
    CURL *easy = curl_easy_init();
    pthread_t thread;
    struct tm tm = {0};
    const char *date, *signature;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &length), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_one, NULL), 0);
    (void) snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ntohs(address.sin_port), path);
    (void) snprintf(provider, sizeof provider, "aws:amz:%s:s3", region);
    (void) snprintf(credentials.region, sizeof credentials.region, "%s", region);
    (void) curl_easy_setopt(easy, CURLOPT_URL, url);
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void) curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, provider);
    (void) curl_easy_setopt(easy, CURLOPT_USERNAME, credentials.access_key);
    (void) curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials.secret_key);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    (void) pthread_join(thread, NULL);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    (void) close(listener);

    date = strcasestr(seen, "x-amz-date: ");
    signature = strstr(seen, "Signature=");
    assert_non_null(date);
    assert_non_null(signature);
    assert_non_null(strptime(date + 12, "%Y%m%dT%H%M%SZ", &tm));
    assert_int_equal(
        gw_sigv4_sign(&credentials,
                      &(struct gw_sigv4_request){"GET", url, GW_SIGV4_EMPTY, NULL, 0, (uint64_t) timegm(&tm)}, &out),
        0);
    assert_memory_equal(signature + 10, out.signature, 64);
}

static void same_signature(void **state)
{
    (void) state;
    compare("/bucket/prefix/5f0e1a52-7c34-4b11-9d20-610b3a774001/stable.idx", "eu-central-1");
    compare("/", "us-east-1");
    compare("/bucket?list-type=2&prefix=a%2Fb", "us-east-1");
    compare("/bucket/with%20blank", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_signature)};
    int failed;

    (void) curl_global_init(CURL_GLOBAL_DEFAULT);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
