/* SPDX-License-Identifier: MIT */
/** @file json_out.h What the hub keeps, as the JSON of docs/http.md. Each returns an object to be freed, or NULL. */
#ifndef HUB_JSON_OUT_H
#define HUB_JSON_OUT_H

#include "messages.h"
#include "model.h"

cJSON *hub_release_json(const struct hub_release *release);
/** @param progress of the present state; all zero when there is none. */
cJSON *hub_device_json(const struct hub_device *device, bool online, const struct hub_progress *progress);
cJSON *hub_change_json(const struct hub_change *change);
cJSON *hub_update_json(const struct hub_update *update);

#endif
