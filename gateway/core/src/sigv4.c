/* SPDX-License-Identifier: MIT */
#include "gw/sigv4.h"

#include "fota/crypto.h"
#include "gw/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64u /* of SHA-256 */
#define ALL_HEADERS (GW_SIGV4_HEADERS + 4u)
#define SCOPE_MAX (8u + 1u + GW_SIGV4_REGION_MAX + sizeof "/s3/aws4_request")
#define SIGNED_MAX 256u
#define PRESIGN_QUERIES 6u

/* --- HMAC (RFC 2104) -------------------------------------------------------------------------- */

static void hmac(const void *key, size_t key_length, const void *data, size_t length, uint8_t out[FOTA_SHA256_SIZE])
{
    uint8_t pad[BLOCK] = {0}, inner[FOTA_SHA256_SIZE];
    struct fota_sha256 hash;

    if (key_length > BLOCK)
        fota_sha256(key, key_length, pad);
    else
        memcpy(pad, key, key_length);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36u;
    fota_sha256_init(&hash);
    fota_sha256_update(&hash, pad, BLOCK);
    fota_sha256_update(&hash, data, length);
    fota_sha256_out(&hash, inner);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36u ^ 0x5Cu;
    fota_sha256_init(&hash);
    fota_sha256_update(&hash, pad, BLOCK);
    fota_sha256_update(&hash, inner, sizeof inner);
    fota_sha256_out(&hash, out);
}

/* --- canonical spelling ----------------------------------------------------------------------- */

/* A text as AWS's UriEncode() spells it, character by character. Where the text stands percent-encoded already it is
 * decoded first, so that every spelling of a URL has the one signature that the server computes. */
struct spelling {
    const char *at, *end;
    bool encoded, slash; /* `at` is percent-encoded; '/' stays */
    char rest[2];
    unsigned rest_count;
};

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int spelling_next(struct spelling *s)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c;

    if (s->rest_count > 0)
        return s->rest[--s->rest_count];
    if (s->at == s->end)
        return -1;
    c = (unsigned char) *s->at++;
    if (c == '%' && s->encoded && s->end - s->at >= 2 && hex_value(s->at[0]) >= 0 && hex_value(s->at[1]) >= 0) {
        c = (unsigned char) (hex_value(s->at[0]) * 16 + hex_value(s->at[1]));
        s->at += 2;
    }
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
        c == '_' || c == '~' || (c == '/' && s->slash))
        return c;
    s->rest[1] = digits[c >> 4];
    s->rest[0] = digits[c & 15u];
    s->rest_count = 2;
    return '%';
}

struct parameter {
    struct spelling name, value;
};

static int compare_spelling(struct spelling a, struct spelling b)
{
    int x, y;

    do {
        x = spelling_next(&a);
        y = spelling_next(&b);
    } while (x == y && x >= 0);
    return x - y;
}

static int compare_parameters(const struct parameter *a, const struct parameter *b)
{
    int order = compare_spelling(a->name, b->name);

    return order != 0 ? order : compare_spelling(a->value, b->value);
}

/* --- where canonical text goes: into a hash, into a buffer, or both ---------------------------- */

struct sink {
    struct fota_sha256 *hash; /* NULL: none */
    char *text;               /* NULL: none */
    size_t capacity, length;
};

static void put(struct sink *s, const char *data, size_t length)
{
    if (s->hash != NULL)
        fota_sha256_update(s->hash, data, length);
    if (s->text != NULL && s->length + length < s->capacity)
        memcpy(s->text + s->length, data, length);
    s->length += length;
}

static void put_text(struct sink *s, const char *text)
{
    put(s, text, strlen(text));
}

static void put_spelling(struct sink *s, struct spelling spelling)
{
    char buffer[64];
    size_t n = 0;
    int c;

    while ((c = spelling_next(&spelling)) >= 0) {
        buffer[n++] = (char) c;
        if (n == sizeof buffer) {
            put(s, buffer, n);
            n = 0;
        }
    }
    put(s, buffer, n);
}

/* --- the request in parts --------------------------------------------------------------------- */

struct parts {
    const char *scheme_end; /* after "://" */
    char host[256];         /* as the Host header has it: no default port */
    struct spelling path;   /* "/" when empty */
    struct parameter query[GW_SIGV4_QUERIES + PRESIGN_QUERIES];
    unsigned query_count;
    struct gw_sigv4_header header[ALL_HEADERS];
    unsigned header_count;
    char date[GW_SIGV4_DATE], scope[SCOPE_MAX], signed_headers[SIGNED_MAX];
};

static bool add_header(struct parts *p, const char *name, const char *value)
{
    unsigned i;

    if (p->header_count == ALL_HEADERS)
        return false;
    for (i = p->header_count++; i > 0 && strcmp(p->header[i - 1u].name, name) > 0; i--)
        p->header[i] = p->header[i - 1u];
    p->header[i] = (struct gw_sigv4_header){name, value};
    return true;
}

static bool add_parameter(struct parts *p, const struct parameter *new)
{
    unsigned i;

    if (p->query_count == sizeof p->query / sizeof p->query[0])
        return false;
    for (i = p->query_count++; i > 0 && compare_parameters(&p->query[i - 1u], new) > 0; i--)
        p->query[i] = p->query[i - 1u];
    p->query[i] = *new;
    return true;
}

static bool add_own_parameter(struct parts *p, const char *name, const char *value)
{
    struct parameter new = {{.at = name, .end = name + strlen(name)}, {.at = value, .end = value + strlen(value)}};

    return add_parameter(p, &new);
}

static bool split_query(struct parts *p, const char *query)
{
    while (*query != '\0' && *query != '#') {
        size_t length = strcspn(query, "&#");
        const char *end = query + length, *equals = memchr(query, '=', length);
        struct parameter new = {{.at = query, .end = equals != NULL ? equals : end, .encoded = true},
                                {.at = equals != NULL ? equals + 1 : end, .end = end, .encoded = true}};

        if (length > 0 && (p->query_count == GW_SIGV4_QUERIES || !add_parameter(p, &new)))
            return false;
        query = *end == '&' ? end + 1 : end;
    }
    return true;
}

static bool split_url(struct parts *p, const char *url)
{
    bool tls = strncmp(url, "https://", 8) == 0;
    const char *host = url + (tls ? 8 : 7), *port = tls ? ":443" : ":80";
    size_t length, port_length = strlen(port);

    if (!tls && strncmp(url, "http://", 7) != 0)
        return false;
    length = strcspn(host, "/?#");
    p->scheme_end = host;
    p->path = (struct spelling){.at = host + length, .encoded = true, .slash = true};
    p->path.end = p->path.at + strcspn(p->path.at, "?#");
    if (length > port_length && memcmp(host + length - port_length, port, port_length) == 0)
        length -= port_length;
    if (length == 0 || length >= sizeof p->host || memchr(host, '@', length) != NULL)
        return false;
    memcpy(p->host, host, length);
    p->host[length] = '\0';
    return split_query(p, *p->path.end == '?' ? p->path.end + 1 : "");
}

static bool begin(struct parts *p, const struct gw_sigv4_credentials *credentials,
                  const struct gw_sigv4_request *request)
{
    char time[GW_TIME_TEXT];

    memset(p, 0, sizeof *p);
    if (request->header_count > GW_SIGV4_HEADERS || !split_url(p, request->url) || !add_header(p, "host", p->host))
        return false;
    for (unsigned i = 0; i < request->header_count; i++)
        if (!add_header(p, request->headers[i].name, request->headers[i].value))
            return false;
    gw_time_text(request->time * 1000u, time); /* 2013-05-24T00:00:00.000Z */
    (void) snprintf(p->date, sizeof p->date, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", time, time + 5, time + 8, time + 11,
                    time + 14, time + 17);
    (void) snprintf(p->scope, sizeof p->scope, "%.8s/%s/s3/aws4_request", p->date, credentials->region);
    return true;
}

static bool name_headers(struct parts *p)
{
    struct sink s = {.text = p->signed_headers, .capacity = sizeof p->signed_headers};

    for (unsigned i = 0; i < p->header_count; i++) {
        put(&s, ";", i > 0 ? 1u : 0u);
        put_text(&s, p->header[i].name);
    }
    if (s.length >= s.capacity)
        return false;
    p->signed_headers[s.length] = '\0';
    return true;
}

static void put_query(struct sink *s, const struct parts *p)
{
    for (unsigned i = 0; i < p->query_count; i++) {
        put(s, "&", i > 0 ? 1u : 0u);
        put_spelling(s, p->query[i].name);
        put(s, "=", 1);
        put_spelling(s, p->query[i].value);
    }
}

static void put_path(struct sink *s, const struct parts *p)
{
    put(s, "/", p->path.at == p->path.end ? 1u : 0u);
    put_spelling(s, p->path);
}

/* A header's value without blanks around it, runs of blanks as one. */
static void put_value(struct sink *s, const char *value)
{
    bool blank = false, any = false;

    for (; *value != '\0'; value++) {
        if (*value == ' ' || *value == '\t') {
            blank = any;
            continue;
        }
        put(s, " ", blank ? 1u : 0u);
        put(s, value, 1);
        blank = false;
        any = true;
    }
}

static void signature_of(const struct parts *p, const struct gw_sigv4_credentials *credentials, const char *method,
                         const char *payload, char signature[65])
{
    uint8_t key[FOTA_SHA256_SIZE], digest[FOTA_SHA256_SIZE];
    char secret[4u + GW_SIGV4_KEY_MAX + 1u], hex[65];
    char text[sizeof "AWS4-HMAC-SHA256\n\n\n" + GW_SIGV4_DATE + SCOPE_MAX + 65u];
    struct fota_sha256 hash;
    struct sink s = {.hash = &hash};
    int n;

    fota_sha256_init(&hash);
    put_text(&s, method);
    put(&s, "\n", 1);
    put_path(&s, p);
    put(&s, "\n", 1);
    put_query(&s, p);
    put(&s, "\n", 1);
    for (unsigned i = 0; i < p->header_count; i++) {
        put_text(&s, p->header[i].name);
        put(&s, ":", 1);
        put_value(&s, p->header[i].value);
        put(&s, "\n", 1);
    }
    put(&s, "\n", 1);
    put_text(&s, p->signed_headers);
    put(&s, "\n", 1);
    put_text(&s, payload);
    fota_sha256_out(&hash, digest);
    gw_hex(digest, sizeof digest, hex);
    n = snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", p->date, p->scope, hex);

    (void) snprintf(secret, sizeof secret, "AWS4%s", credentials->secret_key);
    hmac(secret, strlen(secret), p->date, 8, key);
    hmac(key, sizeof key, credentials->region, strlen(credentials->region), key);
    hmac(key, sizeof key, "s3", 2, key);
    hmac(key, sizeof key, "aws4_request", 12, key);
    hmac(key, sizeof key, text, (size_t) n, digest);
    gw_hex(digest, sizeof digest, signature);
    memset(secret, 0, sizeof secret);
    memset(key, 0, sizeof key);
}

int gw_sigv4_sign(const struct gw_sigv4_credentials *credentials, const struct gw_sigv4_request *request,
                  struct gw_sigv4 *out)
{
    struct parts p;
    int n;

    if (!begin(&p, credentials, request) || !add_header(&p, "x-amz-content-sha256", request->payload) ||
        !add_header(&p, "x-amz-date", p.date) ||
        (credentials->token[0] != '\0' && !add_header(&p, "x-amz-security-token", credentials->token)) ||
        !name_headers(&p))
        return -1;
    signature_of(&p, credentials, request->method, request->payload, out->signature);
    memcpy(out->date, p.date, sizeof p.date);
    n = snprintf(out->authorization, sizeof out->authorization,
                 "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s", credentials->access_key, p.scope,
                 p.signed_headers, out->signature);
    return n < (int) sizeof out->authorization ? 0 : -1;
}

int gw_sigv4_presign(const struct gw_sigv4_credentials *credentials, const struct gw_sigv4_request *request,
                     uint32_t expires, char *url, size_t capacity)
{
    char credential[GW_SIGV4_KEY_MAX + 1u + SCOPE_MAX], seconds[12], signature[65];
    struct sink s = {.text = url, .capacity = capacity};
    struct parts p;

    if (expires == 0 || expires > GW_SIGV4_EXPIRES_MAX || !begin(&p, credentials, request) || !name_headers(&p))
        return -1;
    (void) snprintf(credential, sizeof credential, "%s/%s", credentials->access_key, p.scope);
    (void) snprintf(seconds, sizeof seconds, "%lu", (unsigned long) expires);
    if (!add_own_parameter(&p, "X-Amz-Algorithm", "AWS4-HMAC-SHA256") ||
        !add_own_parameter(&p, "X-Amz-Credential", credential) || !add_own_parameter(&p, "X-Amz-Date", p.date) ||
        !add_own_parameter(&p, "X-Amz-Expires", seconds) ||
        !add_own_parameter(&p, "X-Amz-SignedHeaders", p.signed_headers) ||
        (credentials->token[0] != '\0' && !add_own_parameter(&p, "X-Amz-Security-Token", credentials->token)))
        return -1;
    signature_of(&p, credentials, request->method, GW_SIGV4_UNSIGNED, signature);
    put(&s, request->url, (size_t) (p.scheme_end - request->url));
    put_text(&s, p.host);
    put_path(&s, &p);
    put(&s, "?", 1);
    put_query(&s, &p);
    put_text(&s, "&X-Amz-Signature=");
    put_text(&s, signature);
    if (s.length >= capacity)
        return -1;
    url[s.length] = '\0';
    return 0;
}
