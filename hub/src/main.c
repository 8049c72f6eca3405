/* SPDX-License-Identifier: MIT */
#include "config_file.h"
#include "http.h"
#include "log.h"
#include "mqtt.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 250
#define LOSS_RESYNC_MS 10000 /* after the database lost something */

/* Everything that makes up a running hub. */
struct server {
    struct hub_options options;
    struct hub_db db;
    struct hub_store store;
    struct hub_s3 *s3; /* NULL: no bucket */
    struct hub_keys keys;
    struct hub_uploads uploads;
    struct hub_context context;
    struct hub_fleet *fleet;
    struct hub_chunks chunks;
    struct hub_mqtt *mqtt;
    struct hub_http *http;
    char url[400], password[256];
    int signals;
    int64_t resync_at; /* monotonic ms: when the broker is asked for the retained states again */
    bool failed;       /* in the present transaction */
};

static int publish(void *ctx, const char *gateway, const char *payload)
{
    struct server *s = ctx;
    char topic[64];
    snprintf(topic, sizeof topic, "fota/v1/%s/cmd", gateway);
    return s->mqtt != NULL ? hub_mqtt_publish(s->mqtt, topic, payload) : -1;
}

static int64_t mono(void *ctx)
{
    (void) ctx;
    return hub_mono_ms();
}

static bool mqtt_connected(void *ctx)
{
    struct server *s = ctx;
    return s->mqtt != NULL && hub_mqtt_connected(s->mqtt);
}

static void on_connected(void *ctx)
{
    struct server *s = ctx;
    hub_fleet_connected(s->fleet);
}

static void on_message(void *ctx, const char *topic, const char *payload, size_t length)
{
    struct server *s = ctx;
    if (hub_fleet_message(s->fleet, topic, payload, length) != 0)
        s->failed = true;
}

/* What came over MQTT, in one transaction. */
static void take_messages(struct server *s)
{
    const struct hub_mqtt_sink sink = {on_connected, on_message, s};
    if (!hub_mqtt_pending(s->mqtt))
        return;
    s->failed = hub_db_begin(&s->db) != 0;
    hub_mqtt_take(s->mqtt, &sink);
    if (!s->failed && hub_db_commit(&s->db) == 0)
        return;
    hub_log(HUB_LOG_ERROR, "states could not be written; the hub asks for them again in %d s", LOSS_RESYNC_MS / 1000);
    hub_db_rollback(&s->db);
    hub_fleet_reload(s->fleet);
    s->resync_at = hub_mono_ms() + LOSS_RESYNC_MS;
}

/* A broker drops messages for a subscriber that is slow for a moment (Mosquitto: beyond 1000). The last state of each
 * device is retained, so asking for those again, now and then, mends it; what is known already is dropped by its seq.
 */
static void tick(struct server *s)
{
    int64_t now = hub_mono_ms();
    hub_fleet_tick(s->fleet);
    if (now >= s->resync_at) {
        s->resync_at = now + s->options.resync_ms;
        hub_mqtt_resubscribe(s->mqtt);
    }
}

/* @return the exit status. */
static int run(struct server *s)
{
    int64_t ticked = 0;
    s->resync_at = hub_mono_ms() + s->options.resync_ms;
    for (;;) {
        struct pollfd fds[] = {
            {s->signals, POLLIN, 0}, {hub_http_fd(s->http), POLLIN, 0}, {hub_mqtt_fd(s->mqtt), POLLIN, 0}};
        int timeout = hub_http_timeout(s->http, TICK_MS);
        if (s->s3 != NULL) {
            hub_s3_wait(s->s3, fds, 3, timeout);
        } else if (poll(fds, 3, timeout) < 0 && errno != EINTR) {
            hub_log(HUB_LOG_ERROR, "poll: %s", strerror(errno));
            return HUB_EXIT_FAILURE;
        }
        struct signalfd_siginfo info;
        if ((fds[0].revents & POLLIN) != 0 && read(s->signals, &info, sizeof info) == (ssize_t) sizeof info) {
            hub_log(HUB_LOG_INFO, "ending on signal %u", info.ssi_signo);
            return HUB_EXIT_OK;
        }
        take_messages(s);
        if (s->s3 != NULL)
            hub_s3_run(s->s3);
        hub_http_run(s->http);
        if (hub_mono_ms() - ticked >= TICK_MS) {
            ticked = hub_mono_ms();
            tick(s);
        }
    }
}

/* @return a listening socket and its port, or -1 (logged). */
static int open_listener(const struct hub_options *o, uint16_t *port)
{
    char service[8];
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    snprintf(service, sizeof service, "%u", o->listen_port);
    int rc = getaddrinfo(o->listen_host, service, &hints, &found);
    if (rc != 0) {
        hub_log(HUB_LOG_ERROR, "--listen %s: %s", o->listen_host, gai_strerror(rc));
        return -1;
    }
    int one = 1;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *) &address, &length) != 0 ||
        getnameinfo((struct sockaddr *) &address, length, NULL, 0, service, sizeof service, NI_NUMERICSERV) != 0) {
        hub_log(HUB_LOG_ERROR, "--listen %s:%u: %s; is the port taken? Port 0 takes a free one", o->listen_host,
                o->listen_port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    *port = (uint16_t) strtoul(service, NULL, 10);
    return fd;
}

/* Whole or not at all: somebody is waiting for this file. */
static int write_port_file(const char *path, uint16_t port)
{
    char temporary[4096];
    if ((size_t) snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
        return -1;
    FILE *f = fopen(temporary, "we");
    if (f == NULL)
        return -1;
    int rc = fprintf(f, "%u\n", port) > 0 ? 0 : -1;
    if (fclose(f) != 0)
        rc = -1;
    return rc == 0 ? rename(temporary, path) : -1;
}

static int load_password(struct server *s)
{
    char error[512];
    const char *path = s->options.mqtt_password_file;
    if (path == NULL || fota_secret_read(path, s->password, sizeof s->password, error, sizeof error) == 0)
        return 0;
    hub_log(HUB_LOG_ERROR, "--mqtt-password-file %s", error);
    return -1;
}

static int load_keys(struct server *s)
{
    for (unsigned i = 0; i < s->options.key_count; i++)
        if (hub_keys_add(&s->keys, s->options.key[i]) != 0)
            return -1;
    if (s->options.dev_key != NULL) {
        if (hub_keys_set_dev(&s->keys, s->options.dev_key) != 0)
            return -1;
        hub_log(HUB_LOG_WARN, "--dev-key: whoever may upload here can make installable firmware; for a bench only");
    }
    if (s->keys.count == 0)
        hub_log(HUB_LOG_WARN, "no --key: every upload will be refused");
    return 0;
}

static int start_http(struct server *s)
{
    const struct hub_options *o = &s->options;
    const struct hub_http_limits limits = {.connections = o->max_connections,
                                           .connections_per_ip = o->max_connections_per_ip,
                                           .idle_s = o->idle_timeout_s,
                                           .header_s = o->header_timeout_s,
                                           .request_s = o->request_timeout_s};
    const char *format = strchr(o->listen_host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u";
    uint16_t port;
    int listener = open_listener(o, &port);
    if (listener < 0)
        return -1;
    snprintf(s->url, sizeof s->url, format, o->listen_host, port);
    s->uploads = (struct hub_uploads){&s->store, s->s3, &s->db, &s->keys, o->max_upload, 0};
    const struct hub_fleet_io io = {publish, mono, s};
    const struct hub_fleet_options fleet = {.public_url = o->public_url != NULL ? o->public_url : s->url,
                                            .no_answer_ms = o->no_answer_ms,
                                            .silence_ms = o->silence_ms};
    s->fleet = hub_fleet_new(&s->db, &io, &fleet);
    s->context = (struct hub_context){&s->db, &s->store, s->s3, s->fleet, &s->uploads, mqtt_connected, s, FOTA_VERSION};
    if (s->fleet != NULL)
        s->http = hub_http_start(&s->context, listener, &limits);
    if (s->http == NULL) {
        close(listener);
        return -1;
    }
    if (o->port_file != NULL && write_port_file(o->port_file, port) != 0) {
        hub_log(HUB_LOG_ERROR, "--port-file %s: %s", o->port_file, strerror(errno));
        return -1;
    }
    printf("fota-hub listens on %s\n", s->url);
    fflush(stdout);
    return 0;
}

static int start(struct server *s)
{
    const struct hub_options *o = &s->options;
    char path[4096];
    if (load_keys(s) != 0 || load_password(s) != 0 || hub_store_open(&s->store, o->data) != 0)
        return -1;
    if (o->s3.url != NULL && (hub_s3_check(&o->s3) != 0 || hub_store_use_bucket(&s->store, o->data) != 0))
        return -1;
    if ((size_t) snprintf(path, sizeof path, "%s/hub.db", o->data) >= sizeof path || hub_db_open(&s->db, path) != 0 ||
        hub_store_sweep(&s->store, &s->db) != 0)
        return -1;
    if (o->s3.url != NULL && (s->s3 = hub_s3_open(&o->s3, &s->store, &s->db)) == NULL)
        return -1;
    if (start_http(s) != 0)
        return -1;
    const struct hub_mqtt_options mqtt = {
        o->mqtt_host, o->mqtt_port, o->mqtt_user, o->mqtt_password_file != NULL ? s->password : NULL,
        o->mqtt_ca,   o->mqtt_cert, o->mqtt_key,  o->chunk_rate != 0 ? &s->chunks : NULL};
    if (o->chunk_rate != 0)
        hub_chunks_init(&s->chunks, &s->store, o->chunk_rate, hub_mono_ms());
    s->mqtt = hub_mqtt_start(&mqtt);
    return s->mqtt != NULL ? 0 : -1;
}

static void stop(struct server *s)
{
    hub_s3_close(s->s3); /* whoever waits for the bucket gets an answer */
    s->context.s3 = s->uploads.s3 = NULL;
    if (s->s3 != NULL && s->http != NULL)
        hub_http_run(s->http);
    hub_http_stop(s->http);
    hub_mqtt_stop(s->mqtt);
    hub_fleet_free(s->fleet);
    if (s->db.sql != NULL)
        hub_db_close(&s->db);
    hub_store_close(&s->store);
    pack_key_wipe(&s->keys.dev_key);
}

/* Signals arrive as input of the main loop; blocked before any thread is there, so that none gets them. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return hub_token_command(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "backup") == 0 || strcmp(argv[1], "restore") == 0))
        return hub_backup_command(argc - 1, argv + 1);
    static struct server s = {.store = HUB_STORE_CLOSED};
    pid_t parent = getppid();
    hub_options_parse(argc, argv, &s.options);
    if (s.options.check_config) {
        if (load_keys(&s) != 0 || load_password(&s) != 0 ||
            (s.options.s3.url != NULL && hub_s3_check(&s.options.s3) != 0))
            return HUB_EXIT_FAILURE;
        hub_options_print(&s.options);
        return HUB_EXIT_OK;
    }
    s.signals = open_signals();
    if (s.signals < 0) {
        hub_log(HUB_LOG_ERROR, "signalfd: %s", strerror(errno));
        return HUB_EXIT_FAILURE;
    }
    /* The parent may have ended before prctl() took effect. */
    if (s.options.die_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent))
        return HUB_EXIT_FAILURE;
    int status = start(&s) == 0 ? run(&s) : HUB_EXIT_FAILURE;
    stop(&s);
    close(s.signals);
    return status;
}
