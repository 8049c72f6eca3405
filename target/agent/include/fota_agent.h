/* SPDX-License-Identifier: MIT */
/**
 * @file fota_agent.h
 * The agent inside an application: confirm a trial, feed the watchdog, say what runs, and let the gateway in.
 * No heap, no RTOS, no interrupt; all state lies in one struct that the application owns. Call everything from one
 * thread of control (a task, or the main loop); fota_confirm() may be called in an interrupt as well, and
 * fota_request_recovery() and fota_agent_fault() anywhere.
 */
#ifndef FOTA_AGENT_H
#define FOTA_AGENT_H

#include "fota/appinfo.h"
#include "fota/config.h"
#include "fota/server.h"

/** Wires to the gateway that an agent can serve, numbered from 0 by the application. */
#ifndef FOTA_AGENT_LINES
#define FOTA_AGENT_LINES 1u
#endif
_Static_assert(FOTA_AGENT_LINES >= 1u, "at least one wire");

struct fota_agent_port {
    void *ctx;
    /** Bytes that have arrived, in one piece; they stay until take(). Both NULL: the application hands them to
     * fota_agent_receive() itself. @param data set to the first. @return how many; 0: none. */
    size_t (*peek)(void *ctx, unsigned line, const uint8_t **data);
    void (*take)(void *ctx, unsigned line, size_t count);
    /** Send bytes to the gateway; may block. @param line on which the request came. */
    void (*send)(void *ctx, unsigned line, const uint8_t *data, size_t length);
    /** @return whether send() would wait for nothing: while it would, and for 50 ms at most, a request waits, too.
     * NULL: always. */
    bool (*idle)(void *ctx, unsigned line);
    /** Wait until what was sent is on the wire; the reset follows. */
    void (*flush)(void *ctx, unsigned line);
    /** Milliseconds since the application started; may wrap. */
    uint32_t (*now_ms)(void *ctx);
};

struct fota_agent;

/** What takes long, or matters to the application. */
enum fota_agent_work {
    FOTA_WORK_VERIFY,  /* a signature is checked: CPU time, interrupts go on */
    FOTA_WORK_ERASE,   /* a sector is erased: code in flash stands still, interrupt handlers in flash as well */
    FOTA_WORK_INSTALL, /* the image is whole and is tried at the next reset; only done() */
    FOTA_WORK_SWITCH   /* a reset: into the new image, or as the gateway asks */
};

/** How an application takes part in an update. Called from fota_agent_poll() and fota_agent_receive(). */
struct fota_agent_hooks {
    void *ctx;
    /** May it be done now? NULL: always. It is asked again, by each poll for an erase and with the gateway's patience
     *  (once a second) else. @param ms that it takes at most; 0 for the switch. @return false: later. */
    bool (*may)(void *ctx, enum fota_agent_work work, uint32_t ms);
    /** It is done. May be NULL. */
    void (*done)(void *ctx, enum fota_agent_work work);
    uint32_t window; /* bytes of image that may be under way: what the receive buffer holds, less a tenth and a frame */
    uint16_t chunk;  /* largest DATA, a multiple of 4, 256 … 2048; at most half of `window`. 0: 2048 */
};

/** State of updates while the application runs. */
struct fota_agent_update {
    const struct fota_agent_hooks *hooks;
    bool (*step)(struct fota_agent *agent, bool served);
    struct fota_config config;
    struct fota_installer installer;
    struct fota_slot_hash hash;
    uint8_t wanted; /* sector that the application does not let be erased yet; 0: none */
    int failed;     /* what such an erase said; told to the next DATA */
};

struct fota_agent {
    const struct fota_agent_port *port;
    struct fota_journal journal;
    struct fota_agent_line {
        struct fota_agent *agent;
        struct fota_server_port link;
        struct fota_server server;
        uint32_t busy_ms; /* since when a request waits for the line */
        bool busy;
    } line[FOTA_AGENT_LINES];
    const struct fota_header *image;  /* of the running image */
    struct fota_agent_update *update; /* NULL: images are installed by the bootloader alone */
    volatile bool confirm;            /* asked for in an interrupt */
    uint8_t slot;                     /* that runs, FOTA_SLOT_NONE when this is none of ours */
    uint32_t started_ms;
};

/** What boot knows of the running image. */
struct fota_boot_info {
    uint8_t slot; /* enum fota_slot */
    struct fota_version version;
    bool trial;                  /* not confirmed yet */
    uint8_t attempt;             /* of the trial, 1 … 3 */
    int16_t last_reason;         /* enum fota_error: why the last image was rejected, FOTA_OK: none was */
    uint32_t reset_csr;          /* RCC_CSR as the bootloader found it (RM0090 7.3.21) */
    uint32_t fault_pc, fault_lr; /* of the last image that ended in a fault; 0: not known */
};

/** Start: find the running image and fold the journal. @param agent zeroed by its owner or not. @param port
 * kept by reference.
 *  Call it before VTOR is moved, if it is: VTOR says which image runs.
 *  @return FOTA_OK, or FOTA_E_NO_IMAGE when the application does not run from a slot (a debugger loaded it):
 * everything else then does nothing. */
int fota_agent_start(struct fota_agent *agent, const struct fota_agent_port *port);

/** Take images into the spare slot while the application runs: then the gateway does not ask for the bootloader. After
 * fota_agent_start(). @param update zeroed by its owner or not. @param hooks kept by reference.
 *  @return FOTA_OK, FOTA_E_NO_IMAGE, FOTA_E_ARGUMENT (`window` below 256, or `chunk` out of its range), or what is
 * wrong with the bootloader's configuration block: then images are installed by the bootloader alone. */
int fota_agent_updates(struct fota_agent *agent, struct fota_agent_update *update,
                       const struct fota_agent_hooks *hooks);

/** Do what there is to do: answer at most one request on each line, or 256 bytes of one, and a step of an update.
 * Beside what the hooks were asked for, and what the flash takes to program the piece that has come, this is less than
 * 0.2 ms at 168 MHz. Call it often: each time that comes round the main loop, or from a task of low priority.
 * @return whether there is more to do at once; else it can wait for the next bytes, or a millisecond. */
bool fota_agent_poll(struct fota_agent *agent);

/** Confirm the running image: call it once the application knows that it works. Takes some 150 µs of flash
 * work. Does nothing outside a trial: before one, twice, after a rollback. In an interrupt it only notes the wish, and
 * the next fota_agent_poll() or fota_feed() confirms.
 *  @return FOTA_OK, FOTA_E_LATER (in an interrupt), FOTA_E_NO_IMAGE, FOTA_E_FLASH, FOTA_E_SUPPLY or
 * FOTA_E_JOURNAL_FULL. */
int fota_confirm(struct fota_agent *agent);

/** Reset into the bootloader, which waits 10 s for the gateway, and longer when that asks for it. */
_Noreturn void fota_request_recovery(void);

/** Feed the watchdog, at least every 20 s. In a trial whose deadline has passed it resets instead, and the
 * bootloader rolls back at once. */
void fota_feed(struct fota_agent *agent);

/** Take bytes that came from the gateway and answer requests: for ports without peek(). @param line 0 …
 * FOTA_AGENT_LINES - 1; others: nothing. */
void fota_agent_receive(struct fota_agent *agent, unsigned line, const uint8_t *data, size_t length);

void fota_boot_info(const struct fota_agent *agent, struct fota_boot_info *info);

/** For fault handlers: note that the application ended in a fault, and where, and reset. Needs no agent and little
 * stack. @param frame what the exception pushed (ARMv7-M ARM B1.5.6): r0 to r3, r12, LR, PC, xPSR. NULL, or nowhere in
 * RAM: then PC and LR stay unknown. */
_Noreturn void fota_agent_fault(const uint32_t *frame);

/** Define a fault handler that calls it, e.g. FOTA_FAULT_HANDLER(HardFault_Handler). */
#define FOTA_FAULT_HANDLER(name)                                                                                       \
    void name(void);                                                                                                   \
    __attribute__((naked)) void name(void)                                                                             \
    {                                                                                                                  \
        __asm volatile("tst lr, #4\n\tite eq\n\tmrseq r0, msp\n\tmrsne r0, psp\n\tb fota_agent_fault");                \
    }                                                                                                                  \
    _Static_assert(1, "")

/** Declare what `fota pack` takes from the image. Once an application. */
#define FOTA_APPLICATION(...)                                                                                          \
    __attribute__((used, section(".fota_appinfo"), aligned(4)))                                                        \
    const struct fota_appinfo fota_application = {.magic = FOTA_APPINFO_MAGIC, __VA_ARGS__}

#endif
