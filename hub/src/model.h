/* SPDX-License-Identifier: MIT */
/** @file model.h What the hub keeps, as plain structs, and the statements that read and write it. docs/http.md has the
 *  meaning of the members. Functions return 0, or -1 on a failure of the database (logged), unless they say otherwise.
 */
#ifndef HUB_MODEL_H
#define HUB_MODEL_H

#include "db.h"
#include "util.h"

#include <stdbool.h>

#define HUB_STATE_SIZE 16u
#define HUB_REASON_MAX 32u
#define HUB_DETAIL_MAX 512u
#define HUB_VERSION_MAX 64u
#define HUB_RELEASE_NAME_MAX 128u
#define HUB_RELEASE_NOTES_MAX 1024u
#define HUB_JSON_MAX 1024u           /* target or info of a device, as text */
#define HUB_HISTORY_PER_DEVICE 1000u /* older changes are forgotten */

struct hub_release {
    char sha256[HUB_SHA256_HEX + 1];
    int64_t size;
    char identity[65], product[37], version[HUB_VERSION_MAX + 1];
    int64_t hw_min, hw_max, counter, image_size;
    char key_id[17];
    char name[HUB_RELEASE_NAME_MAX + 1], notes[HUB_RELEASE_NOTES_MAX + 1];
    int64_t uploaded; /* Unix time in ms */
};

/** Insert. @return 0; 1 when it was there already; -1. */
int hub_release_insert(struct hub_db *db, const struct hub_release *release);
/** @return 0; 1 when there is none; -1. */
int hub_release_get(struct hub_db *db, const char *sha256, struct hub_release *release);
/** Newest first. */
int hub_release_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_release *release), void *ctx);
/** @return 0; 1 when there is none; 2 while an update uses it; -1. */
int hub_release_delete(struct hub_db *db, const char *sha256);

struct hub_gateway {
    char gateway[HUB_NAME_MAX + 1];
    bool online;
    char version[HUB_VERSION_MAX + 1];
    int64_t seq, seq_before, seq_offline;
    int64_t updated;
};

int hub_gateway_put(struct hub_db *db, const struct hub_gateway *gateway);
int hub_gateway_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_gateway *gateway), void *ctx);

#define HUB_ORIGIN_MAX 15u

struct hub_device {
    char gateway[HUB_NAME_MAX + 1], device[HUB_NAME_MAX + 1];
    int64_t seq;
    char state[HUB_STATE_SIZE], job[HUB_JOB_MAX + 1];
    char reason[HUB_REASON_MAX + 1], detail[HUB_DETAIL_MAX + 1];
    char version[HUB_VERSION_MAX + 1], identity[65], slot[2];
    bool confirmed;
    char target[HUB_JSON_MAX], info[HUB_JSON_MAX]; /* JSON text, "" for none */
    int64_t updated;
    char origin[HUB_ORIGIN_MAX + 1]; /* of the job, as a message says it; not kept */
};

/** Write all of a device, new or known. */
int hub_device_put(struct hub_db *db, const struct hub_device *device);
/** @return 0; 1 when there is none; -1. */
int hub_device_get(struct hub_db *db, const char *gateway, const char *device, struct hub_device *out);
/** In the order of gateway, device. */
int hub_device_list(struct hub_db *db, void (*row)(void *ctx, const struct hub_device *device), void *ctx);

struct hub_change {
    int64_t time;
    char state[HUB_STATE_SIZE], job[HUB_JOB_MAX + 1];
    char reason[HUB_REASON_MAX + 1], detail[HUB_DETAIL_MAX + 1];
    char version[HUB_VERSION_MAX + 1], target_version[HUB_VERSION_MAX + 1];
};

/** Add to the history of a device that is there, and forget what is older than HUB_HISTORY_PER_DEVICE changes. */
int hub_history_add(struct hub_db *db, const char *gateway, const char *device, const struct hub_change *change);
/** Newest first. */
int hub_history_list(struct hub_db *db, const char *gateway, const char *device, int64_t limit,
                     void (*row)(void *ctx, const struct hub_change *change), void *ctx);

struct hub_update {
    char job[HUB_JOB_MAX + 1];
    char gateway[HUB_NAME_MAX + 1], device[HUB_NAME_MAX + 1];
    char release[HUB_SHA256_HEX + 1];
    int64_t size; /* of the package file */
    char version[HUB_VERSION_MAX + 1];
    bool retry;
    char state[HUB_STATE_SIZE];
    char reason[HUB_REASON_MAX + 1], detail[HUB_DETAIL_MAX + 1];
    int64_t started, ended;          /* ended 0: under way */
    bool ended_by_hub;               /* a timer of the hub ended it; the gateway may still have something to say */
    bool cancelling;                 /* a cancel was asked for */
    char origin[HUB_ORIGIN_MAX + 1]; /* "": this hub; else who started it: "channel" */
};

/** @return 0; 1 when the device has one under way; -1. */
int hub_update_insert(struct hub_db *db, const struct hub_update *update);
/** Write state, reason, detail, ended, ended_by_hub, cancelling. @return as hub_update_insert(): an ended update can
 *  come back to life only while no other is under way (and its release is there). */
int hub_update_put(struct hub_db *db, const struct hub_update *update);
/** @return 0; 1 when there is none; -1. */
int hub_update_get(struct hub_db *db, const char *job, struct hub_update *update);
/** Newest first. @param active_only those under way, all of them. */
int hub_update_list(struct hub_db *db, bool active_only, int64_t limit,
                    void (*row)(void *ctx, const struct hub_update *update), void *ctx);

#endif
