/* SPDX-License-Identifier: MIT */
/**
 * @file mqtt.h
 * The connection to the broker. libmosquitto's own thread connects, reconnects and receives, so that a broker that is
 * slow to answer never holds up HTTP; what it receives waits in a bounded queue until the main loop takes it. A full
 * queue holds up that thread.
 */
#ifndef HUB_MQTT_H
#define HUB_MQTT_H

#include "chunks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub_mqtt;

struct hub_mqtt_options {
    const char *host;
    uint16_t port;
    const char *user;     /* NULL: none */
    const char *password; /* NULL: none */
    const char *ca;       /* TLS: trusted certificates, a file or a directory; NULL: no TLS */
    const char *cert, *key;
    struct hub_chunks *chunks; /* belongs to the MQTT thread from now on; NULL: no chunks */
};

/** What came, for the main loop. */
struct hub_mqtt_sink {
    void (*connected)(void *ctx);
    void (*message)(void *ctx, const char *topic, const char *payload, size_t length);
    void *ctx;
};

/** Start connecting. @return NULL on failure (logged); an unreachable broker is none. */
struct hub_mqtt *hub_mqtt_start(const struct hub_mqtt_options *options);

/** Disconnect and free; NULL is allowed. */
void hub_mqtt_stop(struct hub_mqtt *mqtt);

/** @return a descriptor that is readable while something waits in the queue. */
int hub_mqtt_fd(const struct hub_mqtt *mqtt);

/** Is anything waiting? Then the caller opens its transaction and calls hub_mqtt_take(). */
bool hub_mqtt_pending(struct hub_mqtt *mqtt);

/** Hand what is waiting, all of it, to the sink. */
void hub_mqtt_take(struct hub_mqtt *mqtt, const struct hub_mqtt_sink *sink);

/** Publish with QoS 1. @return 0, or -1 when there is no connection. */
int hub_mqtt_publish(struct hub_mqtt *mqtt, const char *topic, const char *payload);

/** Subscribe once more: the broker sends the retained messages again. */
void hub_mqtt_resubscribe(struct hub_mqtt *mqtt);

bool hub_mqtt_connected(struct hub_mqtt *mqtt);

#endif
