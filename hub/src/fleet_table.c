/* SPDX-License-Identifier: MIT */
#include "fleet_table.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. Names come from outside, but a bucket holds at most HUB_DEVICES_MAX entries, which bounds the harm. */
static unsigned bucket(const char *gateway, const char *device)
{
    uint32_t hash = 2166136261u;
    for (const char *p = gateway; *p != '\0'; p++)
        hash = (hash ^ (uint8_t) *p) * 16777619u;
    hash = (hash ^ '/') * 16777619u;
    for (const char *p = device; *p != '\0'; p++)
        hash = (hash ^ (uint8_t) *p) * 16777619u;
    return hash % HUB_BUCKETS;
}

struct hub_gateway_entry *hub_table_gateway(const struct hub_fleet_table *table, const char *gateway)
{
    struct hub_gateway_entry *entry = table->gateways[bucket(gateway, "")];
    while (entry != NULL && strcmp(entry->row.gateway, gateway) != 0)
        entry = entry->next;
    return entry;
}

struct hub_device_entry *hub_table_device(const struct hub_fleet_table *table, const char *gateway, const char *device)
{
    struct hub_device_entry *entry = table->devices[bucket(gateway, device)];
    while (entry != NULL && (strcmp(entry->gateway, gateway) != 0 || strcmp(entry->device, device) != 0))
        entry = entry->next;
    return entry;
}

struct hub_gateway_entry *hub_table_add_gateway(struct hub_fleet_table *table, const char *gateway)
{
    struct hub_gateway_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    struct hub_gateway_entry **head = &table->gateways[bucket(gateway, "")];
    hub_copy(entry->row.gateway, sizeof entry->row.gateway, gateway);
    entry->next = *head;
    *head = entry;
    table->gateway_count++;
    return entry;
}

struct hub_device_entry *hub_table_add_device(struct hub_fleet_table *table, const char *gateway, const char *device)
{
    struct hub_device_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    struct hub_device_entry **head = &table->devices[bucket(gateway, device)];
    hub_copy(entry->gateway, sizeof entry->gateway, gateway);
    hub_copy(entry->device, sizeof entry->device, device);
    entry->next = *head;
    *head = entry;
    table->device_count++;
    return entry;
}

void hub_table_clear(struct hub_fleet_table *table)
{
    for (unsigned i = 0; i < HUB_BUCKETS; i++) {
        for (struct hub_gateway_entry *entry = table->gateways[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
        for (struct hub_device_entry *entry = table->devices[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    memset(table, 0, sizeof *table);
}
