/* SPDX-License-Identifier: MIT */
/** @file fleet_table.h What the fleet keeps in memory for each gateway and each device: hash tables by name. */
#ifndef HUB_FLEET_TABLE_H
#define HUB_FLEET_TABLE_H

#include "messages.h"
#include "model.h"

#define HUB_BUCKETS 4096u

struct hub_gateway_entry {
    struct hub_gateway_entry *next;
    struct hub_gateway row;
    int64_t reply_seq;
};

struct hub_device_entry {
    struct hub_device_entry *next;
    char gateway[HUB_NAME_MAX + 1], device[HUB_NAME_MAX + 1];
    int64_t seq; /* of the newest state */
    struct hub_progress progress;
};

struct hub_fleet_table {
    struct hub_gateway_entry *gateways[HUB_BUCKETS];
    struct hub_device_entry *devices[HUB_BUCKETS];
    unsigned device_count, gateway_count;
};

/** @return the entry, or NULL. */
struct hub_gateway_entry *hub_table_gateway(const struct hub_fleet_table *table, const char *gateway);
struct hub_device_entry *hub_table_device(const struct hub_fleet_table *table, const char *gateway, const char *device);

/** Add an entry that is not there yet. @return it, or NULL when there is no memory. */
struct hub_gateway_entry *hub_table_add_gateway(struct hub_fleet_table *table, const char *gateway);
struct hub_device_entry *hub_table_add_device(struct hub_fleet_table *table, const char *gateway, const char *device);

/** Free all entries. */
void hub_table_clear(struct hub_fleet_table *table);

#endif
