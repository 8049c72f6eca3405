/* SPDX-License-Identifier: MIT */
/* What goes out over MQTT (docs/mqtt.md). */
#include "gw_internal.h"

#include "gw/text.h"

#include <cJSON.h>

#include <stdio.h>
#include <string.h>

static bool send(struct gw *gw, const char *device, const char *name, cJSON *json, int qos, bool retain)
{
    char topic[TOPIC_MAX];
    char payload[GW_REPORT_MAX + 1u];
    struct gw_mqtt_message message = {.topic = topic, .payload = payload, .qos = qos, .retain = retain};
    bool good = json != NULL && cJSON_PrintPreallocated(json, payload, (int) sizeof payload, false);

    cJSON_Delete(json);
    (void) snprintf(topic, sizeof topic, "fota/v1/%s/%s%s%s", gw->config.id, device != NULL ? device : "",
                    device != NULL ? "/" : "", name);
    if (!good) {
        gw_log(gw, GW_LOG_ERROR, device, "no memory for a message to %s", topic);
        return false;
    }
    message.length = strlen(payload);
    return gw->ports.mqtt->publish(gw->ports.mqtt->ctx, &message) == 0;
}

static cJSON *begin(uint64_t seq)
{
    cJSON *json = cJSON_CreateObject();

    (void) cJSON_AddNumberToObject(json, "v", 1);
    (void) cJSON_AddNumberToObject(json, "seq", (double) seq);
    return json;
}

static void add_hex(cJSON *json, const char *name, const uint8_t *data, size_t length)
{
    char hex[GW_HEX(64)];

    gw_hex(data, length, hex);
    (void) cJSON_AddStringToObject(json, name, hex);
}

static void add_version(cJSON *json, const char *name, const struct fota_version *version)
{
    char text[GW_VERSION_TEXT];

    gw_version_text(version, text);
    (void) cJSON_AddStringToObject(json, name, text);
}

static const char *slot_name(uint8_t slot)
{
    return slot == FOTA_SLOT_A ? "A" : slot == FOTA_SLOT_B ? "B" : "";
}

/* Where the last image that ended in a fault did so. */
static void add_fault(cJSON *json, const struct fota_link_info *info)
{
    cJSON *fault = cJSON_AddObjectToObject(json, "fault");
    char address[GW_ADDRESS_TEXT];

    gw_address_text(info->fault_pc, address);
    (void) cJSON_AddStringToObject(fault, "pc", address);
    gw_address_text(info->fault_lr, address);
    (void) cJSON_AddStringToObject(fault, "lr", address);
}

static void add_info(cJSON *json, const struct fota_link_info *info)
{
    static const char *const trials[] = {"none", "pending", "running"};
    struct fota_version bootloader = info->bootloader;
    char uuid[GW_UUID_TEXT];
    cJSON *more;

    if (info->slot != FOTA_SLOT_NONE) {
        add_version(json, "version", &info->version);
        add_hex(json, "identity", info->identity, FOTA_IDENTITY_SIZE);
    }
    (void) cJSON_AddStringToObject(json, "slot", slot_name(info->slot));
    (void) cJSON_AddBoolToObject(json, "confirmed",
                                 info->slot != FOTA_SLOT_NONE && info->confirmed_slot == info->slot &&
                                     info->trial != FOTA_TRIAL_RUNNING);
    more = cJSON_AddObjectToObject(json, "info");
    gw_uuid_text(info->product, uuid);
    (void) cJSON_AddStringToObject(more, "product", uuid);
    (void) cJSON_AddNumberToObject(more, "hw", info->hw_revision);
    add_hex(more, "uid", info->uid, FOTA_UID_SIZE);
    (void) cJSON_AddNumberToObject(more, "floor", info->floor);
    (void) cJSON_AddStringToObject(more, "mode", info->mode == FOTA_MODE_BOOTLOADER ? "bootloader" : "application");
    (void) cJSON_AddStringToObject(more, "trial", trials[info->trial <= FOTA_TRIAL_RUNNING ? info->trial : 0]);
    bootloader.build = 0;
    add_version(more, "bootloader", &bootloader);
    if (info->fault_pc != 0)
        add_fault(more, info);
}

static void add_target(cJSON *json, const struct gw_device *d)
{
    cJSON *target = cJSON_AddObjectToObject(json, "target");
    uint8_t identity[FOTA_IDENTITY_SIZE];
    struct fota_header header;

    if (d->has_header && fota_header_decode_any(d->header, &header) == 0) {
        fota_header_identity(d->header, identity);
        add_version(target, "version", &header.version);
        add_hex(target, "identity", identity, sizeof identity);
    }
    add_hex(target, "sha256", d->job.sha256, GW_DIGEST_SIZE);
    (void) cJSON_AddStringToObject(target, "slot", slot_name(d->slot));
}

void report_state(struct gw_device *d)
{
    struct gw *gw = d->gw;
    char time[GW_TIME_TEXT];
    cJSON *json;

    if (gw->mqtt != GW_MQTT_ON)
        return;
    json = begin(record_seq_next(gw));
    gw_time_text(gw->ports.clock->unix_ms(gw->ports.clock->ctx), time);
    (void) cJSON_AddStringToObject(json, "time", time);
    (void) cJSON_AddStringToObject(json, "device", d->config->name);
    (void) cJSON_AddStringToObject(json, "state", gw_state_name(d->state));
    (void) cJSON_AddStringToObject(json, "job", d->has_job ? d->job.id : "");
    if (d->has_job && d->job.channel[0] != '\0') {
        (void) cJSON_AddStringToObject(json, "origin", "channel");
        (void) cJSON_AddStringToObject(json, "channel", d->job.channel);
    }
    (void) cJSON_AddStringToObject(json, "reason", d->reason);
    (void) cJSON_AddStringToObject(json, "detail", d->detail);
    if (d->contact)
        add_info(json, &d->info);
    if (d->has_job)
        add_target(json, d);
    if (send(gw, d->config->name, "state", json, 1, true))
        d->unpublished = false;
}

void report_progress(struct gw_device *d, uint32_t bytes, uint32_t total)
{
    struct gw *gw = d->gw;
    uint64_t now = gw_now(gw);
    uint64_t ms = now - d->rate_since;
    uint32_t percent = total != 0 ? (uint32_t) ((uint64_t) bytes * 100u / total) : 0;
    uint32_t rate = ms > 0 && bytes > d->rate_bytes ? (uint32_t) ((uint64_t) (bytes - d->rate_bytes) * 1000u / ms) : 0;
    cJSON *json;

    if (gw->mqtt != GW_MQTT_ON || total == 0 || bytes == d->progress_bytes ||
        (d->progress_at != 0 && now - d->progress_at < GW_PROGRESS_MS))
        return;
    json = begin(record_seq_next(gw));
    (void) cJSON_AddStringToObject(json, "job", d->job.id);
    (void) cJSON_AddStringToObject(json, "state", gw_state_name(d->state));
    (void) cJSON_AddNumberToObject(json, "percent", percent);
    (void) cJSON_AddNumberToObject(json, "bytes", bytes);
    (void) cJSON_AddNumberToObject(json, "total", total);
    (void) cJSON_AddNumberToObject(json, "rate", rate);
    (void) send(gw, d->config->name, "progress", json, 0, false);
    d->progress_at = now;
    d->progress_bytes = bytes;
    d->rate_since = now;
    d->rate_bytes = bytes;
}

void report_reply(struct gw *gw, const struct gw_command *command, bool ok, bool duplicate, const char *reason,
                  const char *detail)
{
    cJSON *json;

    gw_log(gw, ok ? GW_LOG_INFO : GW_LOG_WARNING, command->device[0] != '\0' ? command->device : NULL,
           "command %s%s%s: %s%s%s", command->name[0] != '\0' ? command->name : "?",
           command->job.id[0] != '\0' ? " " : "", command->job.id,
           ok ? (duplicate ? "a duplicate" : "accepted") : reason, detail[0] != '\0' ? ", " : "", detail);
    if (gw->mqtt != GW_MQTT_ON)
        return;
    json = begin(record_seq_next(gw));
    (void) cJSON_AddStringToObject(json, "cmd", command->name);
    (void) cJSON_AddStringToObject(json, "job", command->job.id);
    (void) cJSON_AddStringToObject(json, "device", command->device);
    (void) cJSON_AddBoolToObject(json, "ok", ok);
    if (duplicate)
        (void) cJSON_AddBoolToObject(json, "duplicate", true);
    (void) cJSON_AddStringToObject(json, "reason", reason);
    (void) cJSON_AddStringToObject(json, "detail", detail);
    (void) send(gw, NULL, "reply", json, 1, false);
}

void report_channels(struct gw *gw)
{
    cJSON *json, *list;

    if (gw->mqtt != GW_MQTT_ON || gw->config.channel_count == 0)
        return;
    json = begin(record_seq_next(gw));
    list = cJSON_AddArrayToObject(json, "channels");
    for (unsigned i = 0; i < gw->config.channel_count; i++) {
        struct gw_channel *c = &gw->channel[i];
        cJSON *item = cJSON_CreateObject();
        char text[GW_UUID_TEXT];

        (void) cJSON_AddItemToArray(list, item);
        (void) cJSON_AddStringToObject(item, "channel", c->config->name);
        gw_uuid_text(c->config->product, text);
        (void) cJSON_AddStringToObject(item, "product", text);
        if (c->has_index) {
            (void) cJSON_AddNumberToObject(item, "sequence", c->index.sequence);
            add_version(item, "version", &c->index.version);
            add_hex(item, "identity", c->index.identity, FOTA_IDENTITY_SIZE);
            gw_time_text(c->index.expiry * 1000u, text);
            (void) cJSON_AddStringToObject(item, "expiry", text);
        }
        if (c->polled != 0) {
            gw_time_text(c->polled * 1000u, text);
            (void) cJSON_AddStringToObject(item, "polled", text);
        }
        c->polled_told = c->polled;
        (void) cJSON_AddStringToObject(item, "problem", c->problem);
    }
    (void) send(gw, NULL, "channels", json, 1, true);
}

void report_presence(struct gw *gw, bool online, uint64_t seq)
{
    cJSON *json = begin(seq);
    cJSON *devices;

    (void) cJSON_AddBoolToObject(json, "online", online);
    (void) cJSON_AddStringToObject(json, "version", gw->config.version != NULL ? gw->config.version : "");
    devices = cJSON_AddArrayToObject(json, "devices");
    for (unsigned i = 0; i < gw->config.device_count; i++)
        (void) cJSON_AddItemToArray(devices, cJSON_CreateString(gw->config.devices[i].name));
    (void) send(gw, NULL, "presence", json, 1, true);
}

void report_will(struct gw *gw, uint64_t seq, char topic[TOPIC_MAX], char *payload, size_t capacity,
                 struct gw_mqtt_message *will)
{
    (void) snprintf(topic, TOPIC_MAX, "fota/v1/%s/presence", gw->config.id);
    (void) snprintf(payload, capacity, "{\"v\":1,\"seq\":%llu,\"online\":false}", (unsigned long long) seq);
    *will = (struct gw_mqtt_message){
        .topic = topic, .payload = payload, .length = strlen(payload), .qos = 1, .retain = true};
}
