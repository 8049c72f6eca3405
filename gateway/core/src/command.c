/* SPDX-License-Identifier: MIT */
#include "gw_internal.h"

#include <stdio.h>
#include <string.h>

static void list_devices(const struct gw *gw, char *text, size_t capacity)
{
    size_t n = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < gw->config.device_count && n < capacity; i++)
        n += (size_t) snprintf(text + n, capacity - n, "%s%s", i > 0 ? ", " : "", gw->config.devices[i].name);
}

static void update(struct gw *gw, const struct gw_command *command, struct gw_device *d)
{
    char detail[GW_DETAIL_MAX];

    if (device_seen(d, command->job.id)) {
        report_reply(gw, command, true, true, "", "this job was accepted before; its state is published once more");
        d->unpublished = true;
    } else if (device_busy(d)) {
        (void) snprintf(detail, sizeof detail,
                        "device \"%s\" is in state %s of job \"%s\"; wait for its end, or cancel it", d->config->name,
                        gw_state_name(d->state), d->job.id);
        report_reply(gw, command, false, false, "busy", detail);
    } else if (!device_accept(d, &command->job)) {
        report_reply(gw, command, false, false, "cache-error",
                     "the job could not be recorded: is there room on the gateway?");
    } else {
        report_reply(gw, command, true, false, "", "");
    }
}

void command_received(struct gw *gw, const void *payload, size_t length)
{
    struct gw_command command;
    struct gw_device *d = NULL;
    char devices[160], detail[GW_DETAIL_MAX] = "";
    const char *reason;

    if (!gw_command_parse(payload, length, &command)) {
        gw_log(gw, GW_LOG_WARNING, NULL, "bad command: %s", command.detail);
        report_reply(gw, &command, false, false, "bad-job", command.detail);
        return;
    }
    if (command.device[0] != '\0' && (d = gw_find_device(gw, command.device)) == NULL) {
        list_devices(gw, devices, sizeof devices);
        (void) snprintf(detail, sizeof detail, "device \"%s\" is not configured on gateway %s; it has: %s",
                        command.device, gw->config.id, devices);
        gw_log(gw, GW_LOG_WARNING, NULL, "%s", detail);
        report_reply(gw, &command, false, false, "unknown-device", detail);
        return;
    }
    if (d == NULL && command.kind != GW_COMMAND_STATUS)
        return; /* the parser does not let that through */
    switch (command.kind) {
    case GW_COMMAND_UPDATE:
        update(gw, &command, d);
        break;
    case GW_COMMAND_CANCEL:
        reason = device_cancel(d, command.job.id, detail, sizeof detail);
        report_reply(gw, &command, reason == NULL, false, reason != NULL ? reason : "", detail);
        break;
    case GW_COMMAND_STATUS:
        report_reply(gw, &command, true, false, "", "");
        for (unsigned i = 0; i < gw->config.device_count; i++)
            if (d == NULL || d == &gw->device[i])
                gw->device[i].unpublished = true;
        break;
    }
}
