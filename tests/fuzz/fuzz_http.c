/* SPDX-License-Identifier: MIT */
/* The hub's HTTP server with its real routes, database and store: raw requests over a socket. `$V`, `$O`, `$A`, `$G` in
 * an input stand for the tokens of a viewer, an operator, an admin and a gateway. Never a 5xx but 503, never a success
 * without a token. */
#include "fuzz.h"

#include "http.h"
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_TURNS 25u /* without a byte either way: the rest of the request is missing */

static struct hub_db db;
static struct hub_store store = HUB_STORE_CLOSED;
static struct hub_keys keys;
static struct hub_uploads uploads;
static struct hub_context context;
static struct hub_http *http;
static struct sockaddr_un address; /* no TCP: connections that linger would use up the ports */
static socklen_t address_length;
static char token[4][HUB_TOKEN_SIZE];

static int publish(void *ctx, const char *gateway, const char *payload)
{
    (void) ctx;
    (void) gateway;
    PROMISE(strlen(payload) <= HUB_PAYLOAD_MAX);
    return 0;
}

static int64_t mono(void *ctx)
{
    (void) ctx;
    return hub_mono_ms();
}

static bool connected(void *ctx)
{
    (void) ctx;
    return true;
}

static void start(void)
{
    static const char *const roles[4] = {"viewer", "operator", "admin", "gateway"};
    static const struct hub_fleet_io io = {publish, mono, NULL};
    static const struct hub_fleet_options options = {
        .public_url = "http://hub", .no_answer_ms = 60000, .silence_ms = 900000};
    static const struct hub_http_limits limits = {
        .connections = 16, .connections_per_ip = 16, .idle_s = 2, .header_s = 2, .request_s = 5};
    static const char state[] =
        "{\"v\":1,\"seq\":5,\"state\":\"idle\",\"job\":\"\",\"reason\":\"\",\"detail\":\"\",\"version\":\"1.0.0\","
        "\"slot\":\"A\",\"confirmed\":true}";
    char dir[] = "/dev/shm/fota-fuzz-XXXXXX", path[64];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    signal(SIGPIPE, SIG_IGN);
    hub_log_set_level(HUB_LOG_ERROR);
    PROMISE(mkdtemp(dir) != NULL && hub_store_open(&store, dir) == 0);
    snprintf(path, sizeof path, "%s/hub.db", dir);
    PROMISE(hub_db_open(&db, path) == 0);
    PROMISE(hub_db_run(&db, "PRAGMA synchronous = OFF", "") == 0);
    for (unsigned i = 0; i < 4u; i++)
        PROMISE(hub_token_add(&db, roles[i], roles[i], token[i]) == 0);
    for (unsigned i = 0; i < sizeof keys.dev_key.secret; i++)
        keys.dev_key.secret[i] = (uint8_t) (i + 1u);
    uploads = (struct hub_uploads){.store = &store, .db = &db, .keys = &keys, .max_bytes = 1u << 20};
    context =
        (struct hub_context){&db, &store, NULL, hub_fleet_new(&db, &io, &options), &uploads, connected, NULL, "fuzz"};
    PROMISE(context.fleet != NULL);
    PROMISE(hub_fleet_message(context.fleet, "fota/v1/gw1/board1/state", state, sizeof state - 1u) == 0);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/http", dir);
    address_length = sizeof address;
    PROMISE(bind(listener, (struct sockaddr *) &address, address_length) == 0 && listen(listener, 16) == 0);
    http = hub_http_start(&context, listener, &limits);
    PROMISE(http != NULL);
}

/* Put the tokens in. @return whether there was one. */
static bool expand(const uint8_t *data, size_t size, uint8_t *out, size_t capacity, size_t *length)
{
    static const char names[] = "VOAG";
    bool any = false;

    *length = 0;
    for (size_t i = 0; i < size; i++) {
        const char *name = data[i] == '$' && i + 1u < size ? memchr(names, data[i + 1u], 4) : NULL;
        size_t n = name != NULL ? HUB_TOKEN_SIZE - 1u : 1u;

        if (*length + n > capacity)
            break;
        memcpy(out + *length, name != NULL ? (const uint8_t *) token[name - names] : data + i, n);
        *length += n;
        if (name != NULL) {
            any = true;
            i++;
        }
    }
    return any;
}

static void check(const char *answer, bool authorized)
{
    for (const char *at = strstr(answer, "HTTP/1.1 "); at != NULL; at = strstr(at + 1, "HTTP/1.1 ")) {
        int status = atoi(at + 9);

        PROMISE(status < 500 || status == 503 || status == 505 || status == 501);
        if (status >= 200 && status < 300 && !authorized) /* health, and nothing else */
            PROMISE(status == 200 && strstr(answer, "\"releases\"") == NULL && strstr(answer, "\"devices\"") == NULL &&
                    strstr(answer, "\"updates\"") == NULL && strstr(answer, "\"history\"") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t request[65536];
    static char answer[65536];
    size_t length, sent = 0, got = 0;
    bool authorized, closing = false;
    int fd;

    if (http == NULL)
        start();
    authorized = expand(data, size, request, sizeof request, &length);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *) &address, address_length) != 0) {
        close(fd);
        return 0;
    }
    (void) fcntl(fd, F_SETFL, O_NONBLOCK);
    for (unsigned idle = 0; idle < (got > 0 ? 3u : IDLE_TURNS);) {
        struct pollfd fds[] = {{fd, POLLIN, 0}, {hub_http_fd(http), POLLIN, 0}};
        ssize_t out = 0, n;

        if (sent < length && (out = send(fd, request + sent, length - sent, 0)) > 0)
            sent += (size_t) out;
        if (sent == length && !closing) {
            shutdown(fd, SHUT_WR);
            closing = true;
        }
        (void) poll(fds, 2, idle > 2u ? 1 : 0);
        hub_http_run(http);
        n = recv(fd, answer + got, sizeof answer - 1u - got, 0);
        if (n > 0)
            got += (size_t) n;
        if (n == 0 || got == sizeof answer - 1u)
            break;
        idle = n > 0 || out > 0 ? 0 : idle + 1u;
    }
    answer[got] = 0;
    check(answer, authorized);
    close(fd);
    for (unsigned i = 0; i < 3u; i++)
        hub_http_run(http);
    return 0;
}
