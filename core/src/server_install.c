/* SPDX-License-Identifier: MIT */
#include "fota/server.h"

#include "fota/bytes.h"

#define BEGIN_HEAD 4u
#define DATA_HEAD 4u
#define BAUD_SIZE 4u

void fota_server_progress(struct fota_server *server, const struct fota_frame *request, int status)
{
    const struct fota_installer *in = server->installer;
    struct fota_link_progress progress = {.slot = in->slot, .state = in->state, .flags = server->waits};

    if (in->state != FOTA_INSTALL_IDLE) {
        uint32_t left = in->header.image_size - in->next;

        progress.next = in->next;
        progress.credit = in->next + (left < server->window ? left : server->window);
    }
    fota_server_respond(server, request, status, &progress, sizeof progress);
}

static void begin(struct fota_server *server, const struct fota_frame *request)
{
    int error = FOTA_E_TRUNCATED;

    if (request->length >= BEGIN_HEAD + FOTA_HEADER_SIZE)
        error = fota_install_begin(server->installer, request->payload + BEGIN_HEAD,
                                   (request->payload[0] & FOTA_LINK_BEGIN_RETRY) != 0);
    if (error != FOTA_OK) {
        fota_server_respond(server, request, error, NULL, 0);
        return;
    }
    server->session = server->session * 1664525u + 1013904223u; /* any number but the last; 0 means none */
    if (server->session == 0)
        server->session = 1;
    server->stay = true;
    fota_server_progress(server, request, FOTA_OK);
}

static void data(struct fota_server *server, const struct fota_frame *request)
{
    int error = FOTA_E_TRUNCATED;

    if (request->length > DATA_HEAD)
        error = fota_install_write(server->installer, fota_get32(request->payload), request->payload + DATA_HEAD,
                                   (uint32_t) request->length - DATA_HEAD);
    if (error == FOTA_OK || error == FOTA_E_OFFSET)
        fota_server_progress(server, request, error);
    else
        fota_server_respond(server, request, error, NULL, 0);
}

static void baud(struct fota_server *server, const struct fota_frame *request)
{
    int error = FOTA_E_TRUNCATED;

    if (request->length >= BAUD_SIZE)
        error = server->port->baud(server->port->ctx, fota_get32(request->payload));
    fota_server_respond(server, request, error, NULL, 0);
}

void fota_server_install(struct fota_server *server, const struct fota_frame *request)
{
    if (request->type == FOTA_LINK_BEGIN) {
        begin(server, request);
        return;
    }
    if (request->type == FOTA_LINK_BAUD && server->port->baud != NULL) {
        baud(server, request);
        return;
    }
    if (request->type < FOTA_LINK_DATA || request->type > FOTA_LINK_ABORT) {
        fota_server_respond(server, request, FOTA_E_UNKNOWN, NULL, 0);
        return;
    }
    if (request->session != server->session) {
        fota_server_respond(server, request, FOTA_E_SESSION, NULL, 0);
        return;
    }
    server->stay = true;
    switch (request->type) {
    case FOTA_LINK_DATA:
        data(server, request);
        break;
    case FOTA_LINK_FINISH:
        fota_server_respond(server, request, fota_install_finish(server->installer), NULL, 0);
        break;
    case FOTA_LINK_STATUS:
        fota_server_progress(server, request, FOTA_OK);
        break;
    default:
        fota_install_abort(server->installer);
        fota_server_respond(server, request, FOTA_OK, NULL, 0);
    }
}
