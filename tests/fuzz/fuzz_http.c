/* SPDX-License-Identifier: MIT */
/* The hub's HTTP server with its real routes, database and store: raw requests over a socket, to a hub in which there
 * is something (http_hub.c). Never a 5xx but 503; nothing but `health` without a token, and to each role what it may;
 * whatever is stored afterwards is a package that the trusted key has signed.
 *
 * In an input `$V$`, `$O$`, `$A$`, `$G$` stand for the tokens of a viewer, an operator, an admin and a gateway; `$R$`,
 * `$Q$` for releases, the first one in use; `$J$`, `$T$`, `$F$` for updates in write, in jump and ended; `$P$` for a
 * package. In the head of a request `$L$` is the length of its body, which ends with `$E$` or the input; `$S$` has the
 * body signed and `$D$` has its digests made anew as well, so that what was mutated gets beyond the signature; `$K$`
 * switches the dev key on. */
#include "fuzz.h"
#include "http_hub.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define IDLE_TURNS 25u /* without a byte either way: the rest of the request is missing */
#define DIGITS 5u      /* of a length */

static struct http_hub hub;

/* --- requests --------------------------------------------------------------------------------------------------- */

struct request {
    uint8_t data[65536];
    size_t size;
    unsigned tokens;                /* a bit a role */
    size_t length_at, body_at;      /* 0: none */
    bool has_length, sign, digests; /* of the body that comes, or is there */
};

static void add(struct request *r, const void *data, size_t size)
{
    if (size > sizeof r->data - r->size)
        size = sizeof r->data - r->size;
    memcpy(r->data + r->size, data, size);
    r->size += size;
}

static void end_body(struct request *r)
{
    size_t size = r->size - r->body_at;
    char digits[24];

    if (r->body_at != 0 && r->sign)
        http_hub_sign(&hub, r->data + r->body_at, size, r->digests);
    if (r->body_at != 0 && r->has_length) {
        (void) snprintf(digits, sizeof digits, "%0*zu", (int) DIGITS, size);
        memcpy(r->data + r->length_at, digits, DIGITS);
    }
    r->body_at = 0;
    r->has_length = r->sign = r->digests = false;
}

/* What only says how the request is made. @return false: it is none of these. */
static bool direct(struct request *r, char name)
{
    if (name == 'E') {
        end_body(r);
        return true;
    }
    if (name == 'K') {
        hub.keys.dev = true;
        return true;
    }
    if (r->body_at != 0 || strchr("LSD", name) == NULL)
        return false;
    if (name == 'L' && sizeof r->data - r->size >= DIGITS) {
        r->has_length = true;
        r->length_at = r->size;
        add(r, "00000", DIGITS);
    }
    r->sign = r->sign || name != 'L';
    r->digests = r->digests || name == 'D';
    return true;
}

static bool expand(struct request *r, char name)
{
    static const char roles[] = "VOAG", releases[] = "RQ", jobs[] = "JTF";
    const char *at;

    if ((at = strchr(roles, name)) != NULL) {
        r->tokens |= 1u << (at - roles);
        add(r, hub.token[at - roles], strlen(hub.token[at - roles]));
    } else if ((at = strchr(releases, name)) != NULL) {
        add(r, hub.sha256[at - releases], HUB_SHA256_HEX);
    } else if ((at = strchr(jobs, name)) != NULL) {
        add(r, hub.job[at - jobs], strlen(hub.job[at - jobs]));
    } else if (name == 'P') {
        add(r, hub.package[2].data, hub.package[2].size);
    } else {
        return direct(r, name);
    }
    return true;
}

static void make_request(struct request *r, const uint8_t *data, size_t size)
{
    memset(r, 0, sizeof *r);
    hub.keys.dev = false;
    for (size_t i = 0; i < size; i++) {
        if (size - i > 2u && data[i] == '$' && data[i + 2u] == '$' && data[i + 1u] != 0 &&
            expand(r, (char) data[i + 1u])) {
            i += 2u;
            continue;
        }
        add(r, data + i, 1);
        if (r->body_at == 0 && (r->has_length || r->sign) && r->size >= 4u &&
            memcmp(r->data + r->size - 4u, "\r\n\r\n", 4) == 0)
            r->body_at = r->size;
    }
    end_body(r);
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

/* The next status line: such words may stand in a text as well, but then there is a quote on the line. */
static const char *next_status(const char *at, int *status)
{
    while ((at = strstr(at, "HTTP/1.1 ")) != NULL) {
        const char *end = strstr(at, "\r\n");

        *status = atoi(at + 9);
        at += 9;
        if (end != NULL && *status >= 100 && memchr(at, '"', (size_t) (end - at)) == NULL)
            return at;
    }
    return NULL;
}

static void check(const char *answer, unsigned tokens)
{
    static const char *const lists[] = {"\"releases\":[", "\"devices\":[", "\"updates\":[", "\"history\":["};
    unsigned changing = tokens & (1u << OPERATOR | 1u << ADMIN);
    int status = 0;

    for (const char *at = answer; (at = next_status(at, &status)) != NULL;) {
        PROMISE(status < 500 || status == 503 || status == 505 || status == 501);
        PROMISE(status != 201 && status != 202 ? true : changing != 0);
        PROMISE(status != 204 || (tokens & 1u << ADMIN) != 0);
        PROMISE(status != 206 || tokens != 0);
    }
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        PROMISE(strstr(answer, lists[i]) == NULL || (tokens & ~(1u << GATEWAY)) != 0);
}

/* @return bytes of the answer, or 0 without a connection. */
static size_t serve(const struct request *r, char *answer, size_t size)
{
    size_t sent = 0, got = 0;
    bool closing = false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *) &hub.address, sizeof hub.address) != 0) {
        close(fd);
        return 0;
    }
    (void) fcntl(fd, F_SETFL, O_NONBLOCK);
    for (unsigned idle = 0; idle < (got > 0 ? 3u : IDLE_TURNS);) {
        struct pollfd fds[] = {{fd, POLLIN, 0}, {hub_http_fd(hub.http), POLLIN, 0}};
        ssize_t out = 0, n;

        if (sent < r->size && (out = send(fd, r->data + sent, r->size - sent, 0)) > 0)
            sent += (size_t) out;
        if (sent == r->size && !closing) {
            shutdown(fd, SHUT_WR);
            closing = true;
        }
        (void) poll(fds, 2, idle > 2u ? 1 : 0);
        hub_http_run(hub.http);
        n = recv(fd, answer + got, size - 1u - got, 0);
        if (n > 0)
            got += (size_t) n;
        if (n == 0 || got == size - 1u)
            break;
        idle = n > 0 || out > 0 ? 0 : idle + 1u;
    }
    answer[got] = 0;
    close(fd);
    for (unsigned i = 0; i < 3u; i++)
        hub_http_run(hub.http);
    return got;
}

static size_t run(const void *data, size_t size, char *answer, size_t capacity)
{
    static struct request request;
    size_t got;

    make_request(&request, data, size);
    got = serve(&request, answer, capacity);
    if (got > 0)
        check(answer, request.tokens);
    http_hub_judge(&hub, request.tokens);
    return got;
}

/* --- the doors are open ----------------------------------------------------------------------------------------- */

/* Every route can be got into, or all of the above would only knock. */
static void open_doors(char *answer, size_t capacity)
{
    static const struct {
        const char *method, *pattern, *path;
        char who;
        const char *more, *body;
        int status;
    } doors[] = {
        {"GET", "health", "health", 'V', "", "", 200},
        {"POST", "releases", "releases?name=a.fota&notes=x", 'O', "", "$P$", 201},
        {"POST", "releases", "releases", 'O', "X: $D$\r\n", "$P$", 201},
        {"GET", "releases", "releases", 'V', "", "", 200},
        {"GET", "releases/*", "releases/$R$", 'V', "", "", 200},
        {"DELETE", "releases/*", "releases/$Q$", 'A', "", "", 204},
        {"DELETE", "releases/*", "releases/$R$", 'A', "", "", 409},
        {"DELETE", "releases/*", "releases/$Q$", 'O', "", "", 403},
        {"GET", "packages/*", "packages/$R$.fota", 'G', "Range: bytes=4-99\r\n", "", 206},
        {"GET", "devices", "devices", 'V', "", "", 200},
        {"GET", "devices/*/*", "devices/gw1/board1", 'V', "", "", 200},
        {"GET", "devices/*/*/history", "devices/gw1/board4/history?limit=5", 'V', "", "", 200},
        {"POST", "updates", "updates", 'O', "", "{\"gateway\":\"gw1\",\"device\":\"board2\",\"release\":\"$Q$\"}", 201},
        {"POST", "updates", "updates", 'O', "", "{\"gateway\":\"gw1\",\"device\":\"board1\",\"release\":\"$Q$\"}", 409},
        {"GET", "updates", "updates?limit=3", 'V', "", "", 200},
        {"GET", "updates/*", "updates/$F$", 'V', "", "", 200},
        {"POST", "updates/*/cancel", "updates/$J$/cancel", 'O', "", "", 202},
        {"POST", "updates/*/cancel", "updates/$T$/cancel", 'O', "", "", 409},
        {"POST", "updates/*/cancel", "updates/$F$/cancel", 'O', "", "", 409},
    };
    char text[512];

    for (unsigned route = 0; route < hub_route_count; route++) {
        unsigned found = 0;

        for (unsigned i = 0; i < sizeof doors / sizeof doors[0]; i++) {
            int n, status = 0;

            if (strcmp(doors[i].method, hub_routes[route].method) != 0 ||
                strcmp(doors[i].pattern, hub_routes[route].pattern) != 0)
                continue;
            n = snprintf(text, sizeof text,
                         "%s /api/v1/%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $%c$\r\n%sContent-Length: $L$\r\n"
                         "\r\n%s",
                         doors[i].method, doors[i].path, doors[i].who, doors[i].more, doors[i].body);
            PROMISE(run(text, (size_t) n, answer, capacity) > 0 && next_status(answer, &status) != NULL);
            PROMISE(status == doors[i].status);
            found++;
        }
        PROMISE(found > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[65536];

    if (hub.http == NULL) {
        signal(SIGPIPE, SIG_IGN);
        http_hub_start(&hub);
        open_doors(answer, sizeof answer);
    }
    (void) run(data, size, answer, sizeof answer);
    return 0;
}
