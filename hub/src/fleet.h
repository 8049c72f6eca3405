/* SPDX-License-Identifier: MIT */
/**
 * @file fleet.h
 * The hub's mind: gateways, devices, updates. It hears messages and requests, writes the database and says what is to
 * be published. It has no sockets and no clock of its own, so tests drive it in-process.
 *
 * States are written to the database when they change; progress stays in memory. Callers that deliver many messages put
 * them into one transaction.
 */
#ifndef HUB_FLEET_H
#define HUB_FLEET_H

#include "messages.h"
#include "model.h"

#define HUB_DEVICES_MAX 10000u /* in all; a broker that invents more is not believed */

/** What the fleet needs from outside. */
struct hub_fleet_io {
    /** Publish with QoS 1 on fota/v1/<gateway>/cmd. @return 0, or -1 when there is no connection to the broker. */
    int (*publish)(void *ctx, const char *gateway, const char *payload);
    /** Monotonic time in ms. */
    int64_t (*mono)(void *ctx);
    void *ctx;
};

struct hub_fleet_options {
    const char *public_url; /* without a slash at the end; kept by reference */
    int64_t no_answer_ms;   /* a queued update, or a cancel, that no gateway answered */
    int64_t silence_ms;     /* an update under way of which nothing more is heard */
};

struct hub_fleet;

/** Load what the database knows. @return NULL on failure (logged). */
struct hub_fleet *hub_fleet_new(struct hub_db *db, const struct hub_fleet_io *io,
                                const struct hub_fleet_options *options);
void hub_fleet_free(struct hub_fleet *fleet);

/** Load again, after a transaction was lost. @return 0, or -1 (logged). */
int hub_fleet_reload(struct hub_fleet *fleet);

/** A message came. What is not valid is logged and dropped. @return 0, or -1 when the database failed. */
int hub_fleet_message(struct hub_fleet *fleet, const char *topic, const char *payload, size_t length);

/** The broker is there (again): jobs that were not answered, and cancels, are published once more. */
void hub_fleet_connected(struct hub_fleet *fleet);

/** Call about once a second: ends what has timed out. */
void hub_fleet_tick(struct hub_fleet *fleet);

/** Start an update. @return 0, or -1 with the error of the answer. */
int hub_fleet_start(struct hub_fleet *fleet, const char *gateway, const char *device, const char *release, bool retry,
                    struct hub_update *update, struct hub_error *error);

/** Ask for an update to be cancelled. @return 0, or -1 with the error of the answer. */
int hub_fleet_cancel(struct hub_fleet *fleet, const char *job, struct hub_update *update, struct hub_error *error);

/** @return true when the gateway's last presence said online. */
bool hub_fleet_online(const struct hub_fleet *fleet, const char *gateway);

/** The progress that belongs to the present state of a device. @return false (and zeros) when none is known. */
bool hub_fleet_progress(const struct hub_fleet *fleet, const struct hub_device *device, struct hub_progress *progress);

#endif
