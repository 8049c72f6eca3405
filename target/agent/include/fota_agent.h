/* SPDX-License-Identifier: MIT */
/**
 * @file fota_agent.h
 * The agent inside an application: confirm a trial, feed the watchdog, say what runs, and let the gateway in.
 * No heap, no RTOS, no interrupt; all state lies in one struct that the application owns. Call everything
 * from one thread of control.
 */
#ifndef FOTA_AGENT_H
#define FOTA_AGENT_H

#include "fota/appinfo.h"
#include "fota/server.h"

/** Wires to the gateway that an agent can serve, numbered from 0 by the application. */
#define FOTA_AGENT_LINES 2u

struct fota_agent_port {
    void *ctx;
    /** Send bytes to the gateway; may block. @param line on which the request came. */
    void (*send)(void *ctx, unsigned line, const uint8_t *data, size_t length);
    /** Wait until what was sent is on the wire; the reset follows. */
    void (*flush)(void *ctx, unsigned line);
    /** Milliseconds since the application started; may wrap. */
    uint32_t (*now_ms)(void *ctx);
};

struct fota_agent {
    const struct fota_agent_port *port;
    struct fota_journal journal;
    struct fota_agent_line {
        struct fota_agent *agent;
        struct fota_server_port link;
        struct fota_server server;
    } line[FOTA_AGENT_LINES];
    const struct fota_header *image; /* of the running image */
    uint8_t slot;                    /* that runs, FOTA_SLOT_NONE when this is none of ours */
    uint32_t started_ms;
};

/** What boot knows of the running image. */
struct fota_boot_info {
    uint8_t slot; /* enum fota_slot */
    struct fota_version version;
    bool trial;          /* not confirmed yet */
    uint8_t attempt;     /* of the trial, 1 … 3 */
    int16_t last_reason; /* enum fota_error: why the last image was rejected, FOTA_OK: none was */
    uint32_t reset_csr;  /* RCC_CSR as the bootloader found it (RM0090 7.3.21) */
};

/** Start: find the running image and fold the journal. @param agent zeroed by its owner or not. @param port
 * kept by reference.
 *  Call it before VTOR is moved, if it is: VTOR says which image runs.
 *  @return FOTA_OK, or FOTA_E_NO_IMAGE when the application does not run from a slot (a debugger loaded it):
 * everything else then does nothing. */
int fota_agent_start(struct fota_agent *agent, const struct fota_agent_port *port);

/** Confirm the running image: call it once the application knows that it works. Takes some 150 µs of flash
 * work. Does nothing outside a trial.
 *  @return FOTA_OK, FOTA_E_NO_IMAGE, FOTA_E_FLASH or FOTA_E_JOURNAL_FULL. */
int fota_confirm(struct fota_agent *agent);

/** Feed the watchdog, at least every 20 s. In a trial whose deadline has passed it resets instead, and the
 * bootloader rolls back at once. */
void fota_feed(struct fota_agent *agent);

/** Take bytes that came from the gateway and answer requests. @param line 0 … FOTA_AGENT_LINES - 1; others: nothing. */
void fota_agent_receive(struct fota_agent *agent, unsigned line, const uint8_t *data, size_t length);

void fota_boot_info(const struct fota_agent *agent, struct fota_boot_info *info);

/** For fault handlers: note that the application ended in a fault, and reset. Needs no agent and little
 * stack. */
_Noreturn void fota_agent_fault(void);

/** Declare what `fota pack` takes from the image. Once an application. */
#define FOTA_APPLICATION(...)                                                                                          \
    __attribute__((used, section(".fota_appinfo"), aligned(4)))                                                        \
    const struct fota_appinfo fota_application = {.magic = FOTA_APPINFO_MAGIC, __VA_ARGS__}

#endif
