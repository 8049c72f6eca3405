/* SPDX-License-Identifier: MIT */
/** @file messages.h What gateways say over MQTT (docs/mqtt.md), checked member by member. No I/O, no database.
 *
 *  Every function returns 0, or -1 with a sentence in `why` that names the member and its value. */
#ifndef HUB_MESSAGES_H
#define HUB_MESSAGES_H

#include "model.h"

#include <cjson/cJSON.h>

#define HUB_PAYLOAD_MAX 4096u
#define HUB_GATEWAY_DEVICES_MAX 256u
#define HUB_WHY_SIZE 256u

enum hub_topic_kind {
    HUB_TOPIC_NONE, /* not one that the hub listens to, or a name in it is not valid */
    HUB_TOPIC_PRESENCE,
    HUB_TOPIC_REPLY,
    HUB_TOPIC_STATE,
    HUB_TOPIC_PROGRESS,
    HUB_TOPIC_CHUNK_GET,
};

struct hub_topic {
    enum hub_topic_kind kind;
    char gateway[HUB_NAME_MAX + 1];
    char device[HUB_NAME_MAX + 1]; /* of state and progress, else "" */
};

/** Take a topic apart. */
void hub_topic_parse(const char *topic, struct hub_topic *out);

struct hub_presence {
    int64_t seq;
    bool online;
    char version[HUB_VERSION_MAX + 1];
    unsigned device_count;
    char devices[HUB_GATEWAY_DEVICES_MAX][HUB_NAME_MAX + 1];
};

struct hub_reply {
    int64_t seq;
    char cmd[8], job[HUB_JOB_MAX + 1], device[HUB_NAME_MAX + 1];
    bool ok, duplicate;
    char reason[HUB_REASON_MAX + 1], detail[HUB_DETAIL_MAX + 1];
};

struct hub_progress {
    int64_t seq;
    char job[HUB_JOB_MAX + 1], state[HUB_STATE_SIZE];
    int64_t percent, bytes, total, rate;
};

int hub_presence_parse(const char *payload, size_t length, struct hub_presence *out, char why[HUB_WHY_SIZE]);
int hub_reply_parse(const char *payload, size_t length, struct hub_reply *out, char why[HUB_WHY_SIZE]);
/** Fills in everything of a device but its names and `updated`. @param target_version of `target`, "" for none. */
int hub_state_parse(const char *payload, size_t length, struct hub_device *out,
                    char target_version[HUB_VERSION_MAX + 1], char why[HUB_WHY_SIZE]);
int hub_progress_parse(const char *payload, size_t length, struct hub_progress *out, char why[HUB_WHY_SIZE]);

/** @return true for a state of docs/mqtt.md. */
bool hub_state_valid(const char *state);
/** @return true for confirmed, rolled-back and failed. */
bool hub_state_ends(const char *state);

/** Parse one JSON object that is valid UTF-8 and has nothing but white space after it.
 *  @return the object, or NULL with the reason in `why`. */
cJSON *hub_json_object(const char *text, size_t length, char *why, size_t size);

#endif
