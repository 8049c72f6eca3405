/* SPDX-License-Identifier: MIT */
/** @file fleet_updates.h The state machine of updates; a part of the fleet that fleet.c drives. docs/http.md has it. */
#ifndef HUB_FLEET_UPDATES_H
#define HUB_FLEET_UPDATES_H

#include "fleet.h"
#include "fleet_table.h"

/** An update under way. */
struct hub_active {
    struct hub_active *next;
    struct hub_update update;
    int64_t deadline; /* monotonic ms: when the hub ends it by itself */
    bool sent;        /* the job may have reached the gateway */
};

struct hub_fleet {
    struct hub_db *db;
    struct hub_fleet_io io;
    struct hub_fleet_options options;
    struct hub_fleet_table table;
    struct hub_active *active;
    int64_t complaint_window; /* complaints about messages are limited, or a broken gateway would fill the log */
    unsigned complaints;
};

/** Load the updates under way. */
int hub_updates_load(struct hub_fleet *fleet);
void hub_updates_clear(struct hub_fleet *fleet);

/** A device that said something new: follow it. */
int hub_updates_state(struct hub_fleet *fleet, const struct hub_device *device);
/** A gateway answered a job or a cancel. */
int hub_updates_reply(struct hub_fleet *fleet, const char *gateway, const struct hub_reply *reply);
/** A sign of life of an update. */
void hub_updates_alive(struct hub_fleet *fleet, const char *gateway, const char *device, const char *job);

#endif
