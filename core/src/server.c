/* SPDX-License-Identifier: MIT */
#include "fota/server.h"

#include "fota/bytes.h"

#include <string.h>

#define STATUS_SIZE 4u
#define BODY_MAX (FOTA_REJECTS * FOTA_LINK_REJECT_SIZE)

void fota_server_respond(struct fota_server *server, const struct fota_frame *request, int status, const void *body,
                         size_t length)
{
    uint8_t payload[STATUS_SIZE + BODY_MAX];
    uint8_t wire[FOTA_LINK_HEAD + sizeof payload + FOTA_LINK_CRC + 4u];
    struct fota_frame frame = {.version = FOTA_LINK_VERSION,
                               .type = (uint8_t) (request->type | FOTA_LINK_RESPONSE),
                               .tag = request->tag,
                               .session = server->session,
                               .payload = payload};

    if (length > BODY_MAX)
        length = BODY_MAX;
    fota_put16(payload, (uint16_t) status);
    fota_put16(payload + 2, 0);
    if (length > 0)
        memcpy(payload + STATUS_SIZE, body, length);
    frame.length = STATUS_SIZE + length;
    server->port->send(server->port->ctx, wire, fota_frame_encode(&frame, wire, sizeof wire));
}

static void info(struct fota_server *server, const struct fota_frame *request)
{
    const struct fota_boot_state *state = &server->journal->state;
    struct fota_link_info *i = &server->info;

    if (request->length > 0 && (request->payload[0] & FOTA_LINK_INFO_STAY) != 0)
        server->stay = true;
    i->confirmed_slot = state->confirmed.slot;
    i->trial = state->trial;
    i->attempts = state->attempts;
    if (state->floor > i->floor)
        i->floor = state->floor;
    i->last_reason = FOTA_OK;
    if (state->reject_count > 0) {
        const struct fota_link_reject *last = &state->rejects[state->reject_count - 1u];

        i->last_reason = last->reason;
        memcpy(i->last_identity, last->identity, FOTA_IDENTITY_SHORT);
    }
    fota_server_respond(server, request, FOTA_OK, i, sizeof *i);
}

static void log_rejects(struct fota_server *server, const struct fota_frame *request)
{
    const struct fota_boot_state *state = &server->journal->state;

    fota_server_respond(server, request, FOTA_OK, state->rejects, state->reject_count * sizeof state->rejects[0]);
}

static void reboot(struct fota_server *server, const struct fota_frame *request)
{
    const struct fota_server_port *port = server->port;
    unsigned where = request->length > 0 ? request->payload[0] : FOTA_LINK_REBOOT_NORMAL;
    int error = port->may_reboot != NULL ? port->may_reboot(port->ctx, where) : FOTA_OK;

    fota_server_respond(server, request, error, NULL, 0);
    if (error == FOTA_OK)
        port->reboot(port->ctx, where);
}

static void dispatch(struct fota_server *server, const struct fota_frame *request)
{
    if (request->version != FOTA_LINK_VERSION) {
        fota_server_respond(server, request, FOTA_E_VERSION, NULL, 0);
        return;
    }
    switch (request->type) {
    case FOTA_LINK_INFO:
        info(server, request);
        break;
    case FOTA_LINK_LOG:
        log_rejects(server, request);
        break;
    case FOTA_LINK_REBOOT:
        reboot(server, request);
        break;
    default:
        if (server->install != NULL)
            server->install(server, request);
        else
            fota_server_respond(server, request, FOTA_E_UNKNOWN, NULL, 0);
    }
}

size_t fota_server_take(struct fota_server *server, const uint8_t *data, size_t length, unsigned *frames)
{
    struct fota_frame frame;

    for (size_t i = 0; i < length; i++) {
        /* a response on this line is an echo or another target's: nothing to answer */
        if (fota_link_rx_byte(&server->rx, data[i], &frame) && (frame.type & FOTA_LINK_RESPONSE) == 0) {
            (*frames)++;
            dispatch(server, &frame);
            return i + 1u;
        }
    }
    return length;
}

unsigned fota_server_feed(struct fota_server *server, const uint8_t *data, size_t length)
{
    unsigned good = 0;

    for (size_t taken; length > 0; data += taken, length -= taken)
        taken = fota_server_take(server, data, length, &good);
    return good;
}
