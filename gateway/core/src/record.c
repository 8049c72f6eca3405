/* SPDX-License-Identifier: MIT */
/* What survives a restart: a record for each device, and the sequence number. */
#include "gw_internal.h"

#include "gw/text.h"

#include <cJSON.h>

#include <stdio.h>
#include <string.h>

#define RECORD_FORMAT 1

static void name_of(const struct gw_device *d, char name[GW_RECORD_NAME_MAX + 1u])
{
    (void) snprintf(name, GW_RECORD_NAME_MAX + 1u, "device-%s", d->config->name);
}

static cJSON *build(const struct gw_device *d)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *recent, *job;
    char hex[GW_HEX(FOTA_HEADER_SIZE)];

    (void) cJSON_AddNumberToObject(json, "format", RECORD_FORMAT);
    (void) cJSON_AddStringToObject(json, "state", gw_state_name(d->state));
    (void) cJSON_AddStringToObject(json, "reason", d->reason);
    (void) cJSON_AddStringToObject(json, "detail", d->detail);
    (void) cJSON_AddNumberToObject(json, "slot", d->slot);
    if (d->has_job) {
        job = cJSON_AddObjectToObject(json, "job");
        (void) cJSON_AddStringToObject(job, "id", d->job.id);
        (void) cJSON_AddStringToObject(job, "url", d->job.url);
        gw_hex(d->job.sha256, GW_DIGEST_SIZE, hex);
        (void) cJSON_AddStringToObject(job, "sha256", hex);
        (void) cJSON_AddNumberToObject(job, "size", d->job.size);
        (void) cJSON_AddBoolToObject(job, "retry", d->job.retry);
        if (d->job.channel[0] != '\0')
            (void) cJSON_AddStringToObject(job, "channel", d->job.channel);
    }
    if (d->has_header) {
        gw_hex(d->header, FOTA_HEADER_SIZE, hex);
        (void) cJSON_AddStringToObject(json, "header", hex);
    }
    recent = cJSON_AddArrayToObject(json, "recent");
    for (unsigned i = 0; i < GW_RECENT_JOBS && d->recent[i][0] != '\0'; i++)
        (void) cJSON_AddItemToArray(recent, cJSON_CreateString(d->recent[i]));
    return json;
}

bool record_save(struct gw_device *d)
{
    const struct gw_storage *storage = d->gw->ports.storage;
    char name[GW_RECORD_NAME_MAX + 1u];
    cJSON *json = build(d);
    char *text = cJSON_PrintUnformatted(json);
    size_t length = text != NULL ? strlen(text) : 0;
    bool good;

    cJSON_Delete(json);
    name_of(d, name);
    good = length > 0 && length <= GW_RECORD_MAX && storage->put(storage->ctx, name, text, length) == 0;
    cJSON_free(text);
    d->unsaved = !good;
    if (!good)
        gw_log(d->gw, GW_LOG_ERROR, d->config->name,
               "the state could not be recorded; a restart would begin this job anew");
    return good;
}

static bool copy(const cJSON *json, const char *member, char *to, size_t capacity)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, member);

    if (!cJSON_IsString(item) || strlen(item->valuestring) >= capacity)
        return false;
    memcpy(to, item->valuestring, strlen(item->valuestring) + 1u);
    return true;
}

static bool load_job(struct gw_device *d, const cJSON *job)
{
    const cJSON *sha256 = cJSON_GetObjectItemCaseSensitive(job, "sha256");
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(job, "size");

    if (!copy(job, "id", d->job.id, sizeof d->job.id) || !copy(job, "url", d->job.url, sizeof d->job.url) ||
        !cJSON_IsString(sha256) || !gw_unhex(sha256->valuestring, d->job.sha256, GW_DIGEST_SIZE) ||
        !cJSON_IsNumber(size) || size->valuedouble < 0.0 || size->valuedouble > (double) FOTA_PACKAGE_MAX)
        return false;
    d->job.size = (uint32_t) size->valuedouble;
    if (!copy(job, "channel", d->job.channel, sizeof d->job.channel))
        d->job.channel[0] = '\0';
    d->job.retry = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(job, "retry"));
    return true;
}

static bool load(struct gw_device *d, const cJSON *json)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "format");
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(json, "job");
    const cJSON *slot = cJSON_GetObjectItemCaseSensitive(json, "slot");
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(json, "header");
    const cJSON *item;
    struct fota_header decoded;
    char state[16];
    unsigned n = 0;

    if (!cJSON_IsNumber(format) || format->valuedouble != RECORD_FORMAT || !copy(json, "state", state, sizeof state) ||
        !copy(json, "reason", d->reason, sizeof d->reason) || !copy(json, "detail", d->detail, sizeof d->detail))
        return false;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "recent"))
    {
        if (n < GW_RECENT_JOBS && cJSON_IsString(item) && strlen(item->valuestring) <= GW_JOB_ID_MAX)
            memcpy(d->recent[n++], item->valuestring, strlen(item->valuestring) + 1u);
    }
    d->has_job = job != NULL;
    if (d->has_job && !load_job(d, job))
        return false;
    d->slot = cJSON_IsNumber(slot) && (slot->valuedouble == 0.0 || slot->valuedouble == 1.0)
                  ? (uint8_t) slot->valuedouble
                  : FOTA_SLOT_NONE;
    d->has_header = cJSON_IsString(header) && gw_unhex(header->valuestring, d->header, FOTA_HEADER_SIZE) &&
                    fota_header_decode_any(d->header, &decoded) == 0;
    for (int s = GW_IDLE; s <= GW_FAILED; s++)
        if (strcmp(state, gw_state_name((enum gw_state) s)) == 0)
            d->state = (enum gw_state) s;
    if (!d->has_job)
        d->state = GW_IDLE;
    else if (d->state > GW_DOWNLOAD && d->state <= GW_JUMP && !d->has_header)
        d->state = GW_DOWNLOAD;
    return true;
}

void record_load(struct gw_device *d)
{
    const struct gw_storage *storage = d->gw->ports.storage;
    char name[GW_RECORD_NAME_MAX + 1u];
    char text[GW_RECORD_MAX];
    cJSON *json;
    int length;

    name_of(d, name);
    length = storage->get(storage->ctx, name, text, sizeof text);
    if (length == 0)
        return;
    json = length > 0 ? cJSON_ParseWithLength(text, (size_t) length) : NULL;
    if (json == NULL || !load(d, json)) {
        gw_log(d->gw, GW_LOG_ERROR, d->config->name, "the record of this device cannot be read; beginning without it");
        d->state = GW_IDLE;
        d->has_job = d->has_header = false;
        d->reason[0] = d->detail[0] = '\0';
    }
    cJSON_Delete(json);
}

/* --- sequence numbers ------------------------------------------------------------------------- */

void record_seq_load(struct gw *gw)
{
    const struct gw_storage *storage = gw->ports.storage;
    char text[32] = "";
    int length = storage->get(storage->ctx, "seq", text, sizeof text - 1u);
    uint64_t stored = 0;

    for (int i = 0; i < length && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
        stored = stored * 10u + (uint64_t) (text[i] - '0');
    gw->seq = gw->ports.clock->unix_ms(gw->ports.clock->ctx);
    if (gw->seq < stored) /* the clock has been set back, or is not set yet */
        gw->seq = stored;
    gw->seq_reserved = gw->seq;
}

uint64_t record_seq_next(struct gw *gw)
{
    const struct gw_storage *storage = gw->ports.storage;
    char text[32];

    if (++gw->seq >= gw->seq_reserved) {
        int n = snprintf(text, sizeof text, "%llu", (unsigned long long) gw->seq + GW_SEQ_AHEAD);

        if (storage->put(storage->ctx, "seq", text, (size_t) n) != 0)
            gw_log(gw, GW_LOG_WARNING, NULL, "the sequence number could not be recorded");
        gw->seq_reserved = gw->seq + GW_SEQ_AHEAD;
    }
    return gw->seq;
}
