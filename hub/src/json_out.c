/* SPDX-License-Identifier: MIT */
#include "json_out.h"

static void add_time(cJSON *json, const char *member, int64_t ms)
{
    char text[HUB_TIME_SIZE];
    hub_time_format(ms, text);
    cJSON_AddStringToObject(json, member, text);
}

static void add_number(cJSON *json, const char *member, int64_t value)
{
    cJSON_AddNumberToObject(json, member, (double) value);
}

/* JSON that the hub itself has written into the database; null when there is none. */
static void add_raw(cJSON *json, const char *member, const char *text)
{
    if (text[0] == '\0')
        cJSON_AddNullToObject(json, member);
    else
        cJSON_AddRawToObject(json, member, text);
}

cJSON *hub_release_json(const struct hub_release *r)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "sha256", r->sha256);
    add_number(json, "size", r->size);
    cJSON_AddStringToObject(json, "identity", r->identity);
    cJSON_AddStringToObject(json, "product", r->product);
    cJSON_AddStringToObject(json, "version", r->version);
    add_number(json, "hw_min", r->hw_min);
    add_number(json, "hw_max", r->hw_max);
    add_number(json, "counter", r->counter);
    add_number(json, "image_size", r->image_size);
    cJSON_AddStringToObject(json, "key_id", r->key_id);
    cJSON_AddStringToObject(json, "name", r->name);
    cJSON_AddStringToObject(json, "notes", r->notes);
    add_time(json, "uploaded", r->uploaded);
    return json;
}

cJSON *hub_device_json(const struct hub_device *d, bool online, const struct hub_progress *p)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "gateway", d->gateway);
    cJSON_AddStringToObject(json, "device", d->device);
    cJSON_AddBoolToObject(json, "online", online);
    cJSON_AddStringToObject(json, "state", d->state);
    cJSON_AddStringToObject(json, "job", d->job);
    cJSON_AddStringToObject(json, "reason", d->reason);
    cJSON_AddStringToObject(json, "detail", d->detail);
    cJSON_AddStringToObject(json, "version", d->version);
    cJSON_AddStringToObject(json, "identity", d->identity);
    cJSON_AddStringToObject(json, "slot", d->slot);
    cJSON_AddBoolToObject(json, "confirmed", d->confirmed);
    add_raw(json, "target", d->target);
    add_raw(json, "info", d->info);
    add_number(json, "percent", p->percent);
    add_number(json, "bytes", p->bytes);
    add_number(json, "total", p->total);
    add_number(json, "rate", p->rate);
    add_time(json, "updated", d->updated);
    return json;
}

cJSON *hub_change_json(const struct hub_change *c)
{
    cJSON *json = cJSON_CreateObject();
    add_time(json, "time", c->time);
    cJSON_AddStringToObject(json, "state", c->state);
    cJSON_AddStringToObject(json, "job", c->job);
    cJSON_AddStringToObject(json, "reason", c->reason);
    cJSON_AddStringToObject(json, "detail", c->detail);
    cJSON_AddStringToObject(json, "version", c->version);
    cJSON_AddStringToObject(json, "target_version", c->target_version);
    return json;
}

cJSON *hub_update_json(const struct hub_update *u)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "job", u->job);
    cJSON_AddStringToObject(json, "gateway", u->gateway);
    cJSON_AddStringToObject(json, "device", u->device);
    cJSON_AddStringToObject(json, "release", u->release);
    cJSON_AddStringToObject(json, "version", u->version);
    cJSON_AddStringToObject(json, "state", u->state);
    cJSON_AddStringToObject(json, "reason", u->reason);
    cJSON_AddStringToObject(json, "detail", u->detail);
    if (u->origin[0] != '\0')
        cJSON_AddStringToObject(json, "origin", u->origin);
    add_time(json, "started", u->started);
    if (u->ended != 0)
        add_time(json, "ended", u->ended);
    else
        cJSON_AddNullToObject(json, "ended");
    cJSON_AddBoolToObject(json, "retry", u->retry);
    return json;
}
