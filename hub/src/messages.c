/* SPDX-License-Identifier: MIT */
#include "messages.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEQ_MAX 9007199254740991.0 /* 2^53 - 1: the last number of which a JSON reader is sure */

enum { OPTIONAL = 0, REQUIRED = 1, CUT = 2 };

/* Where a check stands: the object, where it sits in the message, and the sentence when it fails. */
struct reader {
    const cJSON *object;
    const char *within; /* "" or "target." */
    char *why;
};

static int complain(const struct reader *r, const char *member, const cJSON *value, const char *expected)
{
    char *text = value != NULL ? cJSON_PrintUnformatted(value) : NULL;
    char quoted[64] = "missing";
    if (text != NULL)
        hub_quote(text, strlen(text), quoted, sizeof quoted);
    free(text);
    snprintf(r->why, HUB_WHY_SIZE, "%s%s is %s, not %s", r->within, member, quoted, expected);
    return -1;
}

/* A missing member and null are the same. */
static const cJSON *member_of(const struct reader *r, const char *member)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(r->object, member);
    return cJSON_IsNull(value) ? NULL : value;
}

static int read_text(const struct reader *r, const char *member, unsigned flags, bool (*check)(const char *),
                     const char *expected, char *out, size_t capacity)
{
    const cJSON *value = member_of(r, member);
    out[0] = '\0';
    if (value == NULL && (flags & REQUIRED) == 0)
        return 0;
    if (value == NULL || !cJSON_IsString(value))
        return complain(r, member, value, expected);
    const char *text = value->valuestring;
    if (text[0] == '\0' && (flags & REQUIRED) == 0)
        return 0;
    if ((strlen(text) >= capacity && (flags & CUT) == 0) || (check != NULL && !check(text)))
        return complain(r, member, value, expected);
    hub_copy(out, capacity, text);
    return 0;
}

static int read_integer(const struct reader *r, const char *member, unsigned flags, double min, double max,
                        int64_t *out)
{
    const cJSON *value = member_of(r, member);
    *out = 0;
    if (value == NULL && (flags & REQUIRED) == 0)
        return 0;
    char expected[64];
    snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", min, max);
    if (value == NULL || !cJSON_IsNumber(value) || !(value->valuedouble >= min && value->valuedouble <= max) ||
        value->valuedouble != floor(value->valuedouble))
        return complain(r, member, value, expected);
    *out = (int64_t) value->valuedouble;
    return 0;
}

static int read_bool(const struct reader *r, const char *member, unsigned flags, bool *out)
{
    const cJSON *value = member_of(r, member);
    *out = cJSON_IsTrue(value);
    if ((value == NULL && (flags & REQUIRED) == 0) || cJSON_IsBool(value))
        return 0;
    return complain(r, member, value, "true or false");
}

cJSON *hub_json_object(const char *text, size_t length, char *why, size_t size)
{
    char quoted[40];
    hub_quote(text, length, quoted, sizeof quoted);
    if (!hub_valid_utf8(text, length)) {
        snprintf(why, size, "the payload \"%s\" is not UTF-8", quoted);
        return NULL;
    }
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(text, length, &end, 0);
    while (object != NULL && end < text + length && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (!cJSON_IsObject(object) || end != text + length) {
        cJSON_Delete(object);
        snprintf(why, size, "\"%s\" is not one JSON object", quoted);
        return NULL;
    }
    return object;
}

/* Parse, and check what every message has: v and seq. */
static cJSON *open_message(const char *payload, size_t length, struct reader *r, int64_t *seq, char *why)
{
    if (length > HUB_PAYLOAD_MAX) {
        snprintf(why, HUB_WHY_SIZE, "the payload has %zu bytes, more than %u", length, HUB_PAYLOAD_MAX);
        return NULL;
    }
    cJSON *object = hub_json_object(payload, length, why, HUB_WHY_SIZE);
    if (object == NULL)
        return NULL;
    *r = (struct reader){object, "", why};
    int64_t v;
    if (read_integer(r, "v", REQUIRED, 1, 1, &v) == 0 && read_integer(r, "seq", REQUIRED, 1, SEQ_MAX, seq) == 0)
        return object;
    cJSON_Delete(object);
    return NULL;
}

static const char *const states[] = {"idle", "download",  "write",       "verify",
                                     "jump", "confirmed", "rolled-back", "failed"};

bool hub_state_valid(const char *state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i], state) == 0)
            return true;
    return false;
}

bool hub_state_ends(const char *state)
{
    return strcmp(state, "confirmed") == 0 || strcmp(state, "rolled-back") == 0 || strcmp(state, "failed") == 0;
}

static bool valid_reason(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool valid_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

static bool valid_slot(const char *text)
{
    return strcmp(text, "A") == 0 || strcmp(text, "B") == 0;
}

static bool valid_cmd(const char *text)
{
    return strcmp(text, "update") == 0 || strcmp(text, "cancel") == 0 || strcmp(text, "status") == 0;
}

void hub_topic_parse(const char *topic, struct hub_topic *out)
{
    static const char prefix[] = "fota/v1/";
    memset(out, 0, sizeof *out);
    if (strncmp(topic, prefix, sizeof prefix - 1) != 0)
        return;
    const char *gateway = topic + sizeof prefix - 1;
    const char *middle = strchr(gateway, '/');
    if (middle == NULL || (size_t) (middle - gateway) > HUB_NAME_MAX)
        return;
    memcpy(out->gateway, gateway, (size_t) (middle - gateway));
    if (!hub_valid_name(out->gateway))
        return;
    middle++;
    if (strcmp(middle, "presence") == 0)
        out->kind = HUB_TOPIC_PRESENCE;
    else if (strcmp(middle, "reply") == 0)
        out->kind = HUB_TOPIC_REPLY;
    else if (strcmp(middle, "chunk/get") == 0)
        out->kind = HUB_TOPIC_CHUNK_GET;
    const char *last = strchr(middle, '/');
    if (last == NULL || (size_t) (last - middle) > HUB_NAME_MAX)
        return;
    memcpy(out->device, middle, (size_t) (last - middle));
    if (!hub_valid_device(out->device))
        return;
    if (strcmp(last, "/state") == 0)
        out->kind = HUB_TOPIC_STATE;
    else if (strcmp(last, "/progress") == 0)
        out->kind = HUB_TOPIC_PROGRESS;
}

static int read_devices(const struct reader *r, struct hub_presence *out)
{
    static const char expected[] = "an array of at most 256 names of devices";
    const cJSON *array = member_of(r, "devices");
    out->device_count = 0;
    if (array == NULL)
        return 0;
    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > (int) HUB_GATEWAY_DEVICES_MAX)
        return complain(r, "devices", array, expected);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item) || !hub_valid_device(item->valuestring))
            return complain(r, "devices", item, expected);
        hub_copy(out->devices[out->device_count++], HUB_NAME_MAX + 1, item->valuestring);
    }
    return 0;
}

int hub_presence_parse(const char *payload, size_t length, struct hub_presence *out, char why[HUB_WHY_SIZE])
{
    struct reader r;
    cJSON *object = open_message(payload, length, &r, &out->seq, why);
    if (object == NULL)
        return -1;
    int rc = read_bool(&r, "online", REQUIRED, &out->online);
    if (rc == 0)
        rc = read_text(&r, "version", CUT, NULL, "a version", out->version, sizeof out->version);
    if (rc == 0)
        rc = read_devices(&r, out);
    cJSON_Delete(object);
    return rc;
}

int hub_reply_parse(const char *payload, size_t length, struct hub_reply *out, char why[HUB_WHY_SIZE])
{
    struct reader r;
    cJSON *object = open_message(payload, length, &r, &out->seq, why);
    if (object == NULL)
        return -1;
    /* A reply to a message that was no job has neither cmd nor job nor device that would be valid. */
    int rc = read_text(&r, "cmd", OPTIONAL, valid_cmd, "update, cancel or status", out->cmd, sizeof out->cmd);
    if (rc == 0)
        rc = read_text(&r, "job", OPTIONAL, hub_valid_job, "a job", out->job, sizeof out->job);
    if (rc == 0)
        rc = read_text(&r, "device", OPTIONAL, hub_valid_device, "a device", out->device, sizeof out->device);
    if (rc == 0)
        rc = read_bool(&r, "ok", REQUIRED, &out->ok);
    if (rc == 0)
        rc = read_bool(&r, "duplicate", OPTIONAL, &out->duplicate);
    if (rc == 0)
        rc = read_text(&r, "reason", OPTIONAL, valid_reason, "a reason of at most 32 characters", out->reason,
                       sizeof out->reason);
    if (rc == 0)
        rc = read_text(&r, "detail", CUT, NULL, "text", out->detail, sizeof out->detail);
    cJSON_Delete(object);
    return rc;
}

/* The texts of target and info: only the members of docs/mqtt.md are kept, in their order. */
static int keep_text(const struct reader *r, cJSON *kept, const char *member, size_t max, bool (*check)(const char *))
{
    char text[HUB_VERSION_MAX + 1];
    int rc = read_text(r, member, OPTIONAL, check, "a text as in docs/mqtt.md", text, max + 1);
    if (rc == 0 && member_of(r, member) != NULL)
        cJSON_AddStringToObject(kept, member, text);
    return rc;
}

static int keep_integer(const struct reader *r, cJSON *kept, const char *member, double max)
{
    int64_t value;
    int rc = read_integer(r, member, OPTIONAL, 0, max, &value);
    if (rc == 0 && member_of(r, member) != NULL)
        cJSON_AddNumberToObject(kept, member, (double) value);
    return rc;
}

static int keep_target(const struct reader *r, cJSON *kept)
{
    if (keep_text(r, kept, "version", HUB_VERSION_MAX, NULL) != 0 ||
        keep_text(r, kept, "identity", 64, valid_digest) != 0 || keep_text(r, kept, "sha256", 64, valid_digest) != 0)
        return -1;
    return keep_text(r, kept, "slot", 1, valid_slot);
}

static bool valid_address(const char *text)
{
    return strlen(text) == 10 && strncmp(text, "0x", 2) == 0 && strspn(text + 2, "0123456789abcdefABCDEF") == 8;
}

static int keep_fault(const struct reader *r, cJSON *kept)
{
    const cJSON *value = member_of(r, "fault");
    if (value == NULL)
        return 0;
    if (!cJSON_IsObject(value))
        return complain(r, "fault", value, "an object");
    struct reader inner = {value, "info.fault.", r->why};
    cJSON *fault = cJSON_AddObjectToObject(kept, "fault");
    int rc = keep_text(&inner, fault, "pc", 10, valid_address);
    return rc == 0 ? keep_text(&inner, fault, "lr", 10, valid_address) : rc;
}

static int keep_info(const struct reader *r, cJSON *kept)
{
    if (keep_text(r, kept, "product", 36, NULL) != 0 || keep_integer(r, kept, "hw", 65535) != 0 ||
        keep_text(r, kept, "uid", 24, NULL) != 0 || keep_integer(r, kept, "floor", 4294967295.0) != 0 ||
        keep_text(r, kept, "mode", 16, NULL) != 0 || keep_text(r, kept, "trial", 16, NULL) != 0 ||
        keep_text(r, kept, "bootloader", HUB_VERSION_MAX, NULL) != 0)
        return -1;
    return keep_fault(r, kept);
}

static int read_object(const struct reader *r, const char *member, const char *within,
                       int (*keep)(const struct reader *r, cJSON *kept), char out[HUB_JSON_MAX])
{
    const cJSON *value = member_of(r, member);
    out[0] = '\0';
    if (value == NULL)
        return 0;
    if (!cJSON_IsObject(value))
        return complain(r, member, value, "an object");
    struct reader inner = {value, within, r->why};
    cJSON *kept = cJSON_CreateObject();
    int rc = keep(&inner, kept);
    if (rc == 0 && !cJSON_PrintPreallocated(kept, out, (int) HUB_JSON_MAX, 0))
        rc = complain(r, member, value, "of a size that can be kept");
    cJSON_Delete(kept);
    return rc;
}

int hub_state_parse(const char *payload, size_t length, struct hub_device *out,
                    char target_version[HUB_VERSION_MAX + 1], char why[HUB_WHY_SIZE])
{
    struct reader r;
    cJSON *object = open_message(payload, length, &r, &out->seq, why);
    if (object == NULL)
        return -1;
    int rc = read_text(&r, "state", REQUIRED, hub_state_valid, "a state", out->state, sizeof out->state);
    if (rc == 0)
        rc = read_text(&r, "job", OPTIONAL, hub_valid_job, "a job", out->job, sizeof out->job);
    if (rc == 0)
        rc = read_text(&r, "origin", OPTIONAL, valid_reason, "an origin of at most 15 characters", out->origin,
                       sizeof out->origin);
    if (rc == 0)
        rc = read_text(&r, "reason", OPTIONAL, valid_reason, "a reason of at most 32 characters", out->reason,
                       sizeof out->reason);
    if (rc == 0)
        rc = read_text(&r, "detail", CUT, NULL, "text", out->detail, sizeof out->detail);
    if (rc == 0)
        rc = read_text(&r, "version", OPTIONAL, NULL, "a version", out->version, sizeof out->version);
    if (rc == 0)
        rc = read_text(&r, "identity", OPTIONAL, valid_digest, "64 hex digits", out->identity, sizeof out->identity);
    if (rc == 0)
        rc = read_text(&r, "slot", OPTIONAL, valid_slot, "A or B", out->slot, sizeof out->slot);
    if (rc == 0)
        rc = read_bool(&r, "confirmed", OPTIONAL, &out->confirmed);
    if (rc == 0)
        rc = read_object(&r, "target", "target.", keep_target, out->target);
    if (rc == 0)
        rc = read_object(&r, "info", "info.", keep_info, out->info);
    target_version[0] = '\0';
    if (rc == 0 && out->target[0] != '\0') {
        struct reader target = {member_of(&r, "target"), "target.", why};
        rc = read_text(&target, "version", OPTIONAL, NULL, "a version", target_version, HUB_VERSION_MAX + 1);
    }
    cJSON_Delete(object);
    return rc;
}

int hub_progress_parse(const char *payload, size_t length, struct hub_progress *out, char why[HUB_WHY_SIZE])
{
    struct reader r;
    cJSON *object = open_message(payload, length, &r, &out->seq, why);
    if (object == NULL)
        return -1;
    const double most = 4294967295.0;
    int rc = read_text(&r, "job", OPTIONAL, hub_valid_job, "a job", out->job, sizeof out->job);
    if (rc == 0)
        rc = read_text(&r, "state", REQUIRED, hub_state_valid, "a state", out->state, sizeof out->state);
    if (rc == 0)
        rc = read_integer(&r, "percent", REQUIRED, 0, 100, &out->percent);
    if (rc == 0)
        rc = read_integer(&r, "bytes", OPTIONAL, 0, most, &out->bytes);
    if (rc == 0)
        rc = read_integer(&r, "total", OPTIONAL, 0, most, &out->total);
    if (rc == 0)
        rc = read_integer(&r, "rate", OPTIONAL, 0, most, &out->rate);
    cJSON_Delete(object);
    return rc;
}
