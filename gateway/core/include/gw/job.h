/* SPDX-License-Identifier: MIT */
/** @file job.h Commands as they arrive over MQTT (docs/mqtt.md), parsed and bounded. */
#ifndef GW_JOB_H
#define GW_JOB_H

#include "gw/port.h"

#define GW_NAME_MAX 32u /* of gateways and devices */
#define GW_JOB_ID_MAX 64u
#define GW_URL_MAX 1024u
#define GW_URL_MQTT "mqtt:"  /* instead of a URL: from the hub, in chunks over MQTT */
#define GW_PAYLOAD_MAX 4096u /* of any MQTT message */
#ifndef GW_REPORT_MAX
#define GW_REPORT_MAX GW_PAYLOAD_MAX /* of those that the gateway sends, on its stack */
#endif
#define GW_DETAIL_MAX 320u

enum gw_command_kind { GW_COMMAND_UPDATE, GW_COMMAND_CANCEL, GW_COMMAND_STATUS };

struct gw_job {
    char id[GW_JOB_ID_MAX + 1u];
    char url[GW_URL_MAX + 1u];
    uint8_t sha256[GW_DIGEST_SIZE];
    uint32_t size; /* 0: not given */
    bool retry;
    char channel[32]; /* that started it by itself, "": commanded */
};

struct gw_command {
    enum gw_command_kind kind;
    char name[16];                 /* `cmd` as given, "" when it is not usable */
    char device[GW_NAME_MAX + 1u]; /* "" for `status` of all */
    struct gw_job job;             /* id for update and cancel, the rest for update */
    char detail[GW_DETAIL_MAX];    /* after a failure: which member, which value, what is expected */
};

/** Parse a command. After a failure `name`, `device` and `job.id` hold what could be read, for the reply.
 *  @param payload any bytes. @return true when it is a valid command; else `detail` says why not. */
bool gw_command_parse(const void *payload, size_t length, struct gw_command *command);

/** @return whether JSON is nested so little that cJSON's recursion is bounded by us and not by the size of a stack. */
bool gw_json_shallow(const char *text, size_t length);

/** 1 … GW_NAME_MAX characters of A–Z a–z 0–9 _ -. */
bool gw_name_valid(const char *name);

/** A device's name: as gw_name_valid(), and not one of the topics beside it. */
bool gw_device_name_valid(const char *name);

#endif
