/* SPDX-License-Identifier: MIT */
#include "mqtt.h"

#include "log.h"
#include "messages.h"
#include "util.h"

#include <errno.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_MAX 8192u /* large: while the thread waits for room, the broker drops what it cannot keep */
#define TOPIC_MAX 80u   /* fota/v1/<32>/<32>/progress */
#define KEEPALIVE_S 20
#define UNSENT_MAX 256u /* messages that the library holds; beyond, chunks are not sent but asked for again */

static const char *const filters[] = {"fota/v1/+/presence", "fota/v1/+/reply", "fota/v1/+/+/state",
                                      "fota/v1/+/+/progress"};
static const char chunk_filter[] = "fota/v1/+/chunk/get";

struct item {
    struct item *next;
    bool connected; /* not a message, but: the connection is there (again) */
    size_t length;
    char topic[TOPIC_MAX + 1];
    char payload[]; /* length bytes and a NUL */
};

struct hub_mqtt {
    struct mosquitto *client;
    struct hub_chunks *chunks; /* NULL: none */
    int event;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t room;
    struct item *first, **last;
    unsigned count;
    unsigned unsent; /* given to the library, not on the wire yet */
    bool connected, stopping;
};

static void push(struct hub_mqtt *m, struct item *item)
{
    pthread_mutex_lock(&m->lock);
    while (m->count >= QUEUE_MAX && !m->stopping)
        pthread_cond_wait(&m->room, &m->lock);
    if (m->stopping) {
        free(item);
    } else {
        *m->last = item;
        m->last = &item->next;
        m->count++;
        uint64_t one = 1;
        if (write(m->event, &one, sizeof one) < 0)
            hub_log(HUB_LOG_ERROR, "eventfd: %s", strerror(errno));
    }
    pthread_mutex_unlock(&m->lock);
}

static struct item *make_item(size_t length)
{
    struct item *item = calloc(1, sizeof *item + length + 1);
    if (item == NULL)
        hub_log(HUB_LOG_ERROR, "out of memory: an MQTT message is lost");
    else
        item->length = length;
    return item;
}

static void set_connected(struct hub_mqtt *m, bool connected)
{
    pthread_mutex_lock(&m->lock);
    m->connected = connected;
    m->unsent = 0; /* it forgets what was not sent, but for commands: they may be counted out twice */
    pthread_mutex_unlock(&m->lock);
}

static void subscribe(struct mosquitto *client)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        int rc = mosquitto_subscribe(client, NULL, filters[i], 1);
        if (rc != MOSQ_ERR_SUCCESS)
            hub_log(HUB_LOG_ERROR, "mqtt: cannot subscribe to %s: %s", filters[i], mosquitto_strerror(rc));
    }
}

static void on_connect(struct mosquitto *client, void *ctx, int rc)
{
    if (rc != 0) {
        hub_log(HUB_LOG_ERROR, "mqtt: the broker refused: %s", mosquitto_connack_string(rc));
        return;
    }
    hub_log(HUB_LOG_INFO, "mqtt: connected");
    /* Before any job is published again, so that no answer is missed: the broker works in the order of arrival. */
    subscribe(client);
    struct hub_mqtt *m = ctx;
    int sub = m->chunks != NULL ? mosquitto_subscribe(client, NULL, chunk_filter, 0) : MOSQ_ERR_SUCCESS;
    if (sub != MOSQ_ERR_SUCCESS)
        hub_log(HUB_LOG_ERROR, "mqtt: cannot subscribe to %s: %s", chunk_filter, mosquitto_strerror(sub));
    set_connected(ctx, true);
    struct item *item = make_item(0);
    if (item != NULL) {
        item->connected = true;
        push(ctx, item);
    }
}

static void on_disconnect(struct mosquitto *client, void *ctx, int rc)
{
    (void) client;
    set_connected(ctx, false);
    if (rc != 0)
        hub_log(HUB_LOG_WARN, "mqtt: connection lost: %s", mosquitto_strerror(rc));
}

static void count_unsent(struct hub_mqtt *m, int change)
{
    pthread_mutex_lock(&m->lock);
    if (change > 0 || m->unsent > 0)
        m->unsent += (unsigned) change;
    pthread_mutex_unlock(&m->lock);
}

static void on_publish(struct mosquitto *client, void *ctx, int mid)
{
    (void) client;
    (void) mid;
    count_unsent(ctx, -1);
}

/* For chunks: nothing is kept for a broker that is slow to take them. */
static int publish_chunk(void *ctx, const char *topic, const void *payload, size_t length)
{
    struct hub_mqtt *m = ctx;
    pthread_mutex_lock(&m->lock);
    bool room = m->connected && m->unsent < UNSENT_MAX;
    pthread_mutex_unlock(&m->lock);
    if (!room)
        return -1;
    count_unsent(m, 1);
    int rc = mosquitto_publish(m->client, NULL, topic, (int) length, payload, 0, false);
    if (rc != MOSQ_ERR_SUCCESS)
        count_unsent(m, -1);
    return rc == MOSQ_ERR_SUCCESS ? 0 : -1;
}

static int64_t mono(void *ctx)
{
    (void) ctx;
    return hub_mono_ms();
}

/* @return whether it was a request for chunks; those are answered here, beside the queue. */
static bool take_chunk_request(struct hub_mqtt *m, const struct mosquitto_message *message)
{
    const struct hub_chunks_io io = {publish_chunk, mono, m};
    struct hub_topic topic;
    hub_topic_parse(message->topic, &topic);
    if (topic.kind != HUB_TOPIC_CHUNK_GET)
        return false;
    if (m->chunks != NULL && !message->retain)
        hub_chunks_request(m->chunks, &io, topic.gateway, message->payload, (size_t) message->payloadlen);
    return true;
}

static void on_message(struct mosquitto *client, void *ctx, const struct mosquitto_message *message)
{
    (void) client;
    if (message->payloadlen < 0 || (size_t) message->payloadlen > HUB_PAYLOAD_MAX ||
        strlen(message->topic) > TOPIC_MAX) {
        char quoted[80];
        hub_log(HUB_LOG_DEBUG, "mqtt: dropped %d bytes on %s: more than %u, or the topic is too long",
                message->payloadlen, hub_quote(message->topic, strlen(message->topic), quoted, sizeof quoted),
                HUB_PAYLOAD_MAX);
        return;
    }
    if (take_chunk_request(ctx, message))
        return;
    struct item *item = make_item((size_t) message->payloadlen);
    if (item == NULL)
        return;
    hub_copy(item->topic, sizeof item->topic, message->topic);
    if (item->length > 0)
        memcpy(item->payload, message->payload, item->length);
    push(ctx, item);
}

/* A name of our own for each start: two hubs on one broker do not throw each other out. */
static struct mosquitto *make_client(struct hub_mqtt *m)
{
    uint8_t random[6];
    char digits[13], id[24];
    if (hub_random(random, sizeof random) != 0)
        return NULL;
    hub_hex(random, sizeof random, digits);
    snprintf(id, sizeof id, "fota-hub-%s", digits);
    return mosquitto_new(id, true, m);
}

static int set_tls(struct hub_mqtt *m, const struct hub_mqtt_options *o)
{
    struct stat st;
    if (o->ca == NULL)
        return MOSQ_ERR_SUCCESS;
    bool directory = stat(o->ca, &st) == 0 && S_ISDIR(st.st_mode);
    return mosquitto_tls_set(m->client, directory ? NULL : o->ca, directory ? o->ca : NULL, o->cert, o->key, NULL);
}

struct hub_mqtt *hub_mqtt_start(const struct hub_mqtt_options *options)
{
    struct hub_mqtt *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    mosquitto_lib_init();
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->room, NULL);
    m->last = &m->first;
    m->chunks = options->chunks;
    m->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->client = m->event >= 0 ? make_client(m) : NULL;
    int rc = MOSQ_ERR_NOMEM;
    if (m->client != NULL) {
        mosquitto_connect_callback_set(m->client, on_connect);
        mosquitto_disconnect_callback_set(m->client, on_disconnect);
        mosquitto_message_callback_set(m->client, on_message);
        mosquitto_publish_callback_set(m->client, on_publish);
        mosquitto_reconnect_delay_set(m->client, 1, 10, true);
        mosquitto_int_option(m->client, MOSQ_OPT_TCP_NODELAY, 1);
        rc = options->user != NULL ? mosquitto_username_pw_set(m->client, options->user, options->password)
                                   : MOSQ_ERR_SUCCESS;
        if (rc == MOSQ_ERR_SUCCESS)
            rc = set_tls(m, options);
        if (rc == MOSQ_ERR_SUCCESS) {
            int connect = mosquitto_connect_async(m->client, options->host, options->port, KEEPALIVE_S);
            if (connect == MOSQ_ERR_INVAL)
                rc = connect;
            else if (connect != MOSQ_ERR_SUCCESS) /* the thread goes on trying */
                hub_log(HUB_LOG_WARN, "mqtt: %s:%u: %s", options->host, options->port,
                        connect == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(connect));
        }
        if (rc == MOSQ_ERR_SUCCESS)
            rc = mosquitto_loop_start(m->client);
    }
    if (rc == MOSQ_ERR_SUCCESS)
        return m;
    hub_log(HUB_LOG_ERROR, "mqtt: %s", mosquitto_strerror(rc));
    hub_mqtt_stop(m);
    return NULL;
}

void hub_mqtt_stop(struct hub_mqtt *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->room);
    pthread_mutex_unlock(&m->lock);
    if (m->client != NULL) {
        mosquitto_disconnect(m->client);
        mosquitto_loop_stop(m->client, false);
        mosquitto_destroy(m->client);
    }
    for (struct item *item = m->first, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    if (m->event >= 0)
        close(m->event);
    pthread_cond_destroy(&m->room);
    pthread_mutex_destroy(&m->lock);
    free(m);
    mosquitto_lib_cleanup();
}

int hub_mqtt_fd(const struct hub_mqtt *m)
{
    return m->event;
}

bool hub_mqtt_pending(struct hub_mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    bool pending = m->count > 0;
    pthread_mutex_unlock(&m->lock);
    return pending;
}

void hub_mqtt_take(struct hub_mqtt *m, const struct hub_mqtt_sink *sink)
{
    uint64_t ignored;
    pthread_mutex_lock(&m->lock);
    struct item *item = m->first;
    m->first = NULL;
    m->last = &m->first;
    m->count = 0;
    if (read(m->event, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        hub_log(HUB_LOG_ERROR, "eventfd: %s", strerror(errno));
    pthread_cond_broadcast(&m->room);
    pthread_mutex_unlock(&m->lock);
    while (item != NULL) {
        struct item *next = item->next;
        if (item->connected)
            sink->connected(sink->ctx);
        else
            sink->message(sink->ctx, item->topic, item->payload, item->length);
        free(item);
        item = next;
    }
}

int hub_mqtt_publish(struct hub_mqtt *m, const char *topic, const char *payload)
{
    /* Without a connection the library would keep the message and send it some day; the fleet decides that itself. */
    if (!hub_mqtt_connected(m))
        return -1;
    count_unsent(m, 1);
    int rc = mosquitto_publish(m->client, NULL, topic, (int) strlen(payload), payload, 1, false);
    if (rc != MOSQ_ERR_SUCCESS)
        count_unsent(m, -1);
    if (rc != MOSQ_ERR_SUCCESS)
        hub_log(HUB_LOG_WARN, "mqtt: cannot publish on %s: %s", topic, mosquitto_strerror(rc));
    return rc == MOSQ_ERR_SUCCESS ? 0 : -1;
}

void hub_mqtt_resubscribe(struct hub_mqtt *m)
{
    if (hub_mqtt_connected(m))
        subscribe(m->client);
}

bool hub_mqtt_connected(struct hub_mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    bool connected = m->connected;
    pthread_mutex_unlock(&m->lock);
    return connected;
}
