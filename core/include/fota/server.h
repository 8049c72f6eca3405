/* SPDX-License-Identifier: MIT */
/**
 * @file server.h
 * The target's side of the link (docs/link.md): the bootloader's and the agent's. What only a receiver of
 * images needs stands in server_install.c, so that an application that merely confirms does not carry it.
 */
#ifndef FOTA_SERVER_H
#define FOTA_SERVER_H

#include "fota/install.h"

struct fota_server;

struct fota_server_port {
    void *ctx;
    /** Send bytes; may block until they are on their way. */
    void (*send)(void *ctx, const uint8_t *data, size_t length);
    /** REBOOT came, and is not answered yet: may it be? @return FOTA_OK or FOTA_E_LATER. NULL: always. */
    int (*may_reboot)(void *ctx, unsigned where);
    /** REBOOT was answered: reset soon. @param where FOTA_LINK_REBOOT_NORMAL or FOTA_LINK_REBOOT_LOADER. */
    void (*reboot)(void *ctx, unsigned where);
    /** BAUD, not answered yet. The owner remembers the rate, changes when the answer is out, and goes back to the
     * configured one after FOTA_LINK_BAUD_MS without a good frame. NULL: the rate is fixed here, the request unknown.
     *  @param baud bit/s, any number. @return FOTA_OK, or FOTA_E_ARGUMENT: this rate cannot be made. */
    int (*baud)(void *ctx, uint32_t baud);
};

struct fota_server {
    const struct fota_server_port *port;
    struct fota_journal *journal;
    struct fota_link_info info; /* what does not change is filled in by the owner */
    /** BEGIN, DATA, FINISH, STATUS, ABORT, BAUD: fota_server_install(), or NULL: unknown here. */
    void (*install)(struct fota_server *server, const struct fota_frame *request);
    struct fota_installer *installer;
    uint32_t window;  /* bytes of image that may be under way */
    uint16_t waits;   /* FOTA_PROGRESS_WAITS, in the answers about progress */
    uint32_t session; /* the owner begins with something that differs from boot to boot */
    bool stay;        /* a frame asked us to stay, or was one of the open session; whoever looks clears it */
    struct fota_link_rx rx;
};

/** Take bytes from the line up to the end of the first good frame, and answer that. @param frames counted up when there
 * was one. @return how many bytes were taken. */
size_t fota_server_take(struct fota_server *server, const uint8_t *data, size_t length, unsigned *frames);

/** Take bytes from the line and answer what is complete.
 *  @return how many good frames they completed: somebody is there. */
unsigned fota_server_feed(struct fota_server *server, const uint8_t *data, size_t length);

/** Requests that install (see struct fota_server). */
void fota_server_install(struct fota_server *server, const struct fota_frame *request);

/** Answer a request with the progress of the install. @param status FOTA_OK, FOTA_E_OFFSET or FOTA_E_LATER. */
void fota_server_progress(struct fota_server *server, const struct fota_frame *request, int status);

/** Answer a request. @param body what follows the status, at most 160 bytes. */
void fota_server_respond(struct fota_server *server, const struct fota_frame *request, int status, const void *body,
                         size_t length);

#endif
