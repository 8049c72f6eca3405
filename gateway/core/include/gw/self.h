/* SPDX-License-Identifier: MIT */
/**
 * @file self.h
 * The gateway as one of its own devices. It takes packages of its own program (FOTA_FLAG_GATEWAY, docs/image.md) over
 * the same link as any device, only that the other end of the line is here: jobs, states and console need to know
 * nothing of it. The new program is started, tried, and confirms itself once it has met the broker; else the
 * one before comes back. The port writes the flash and starts programs (ESP-IDF: esp_ota).
 *
 *     gw_self_init(&self, &config, &port);
 *     … devices[n] = {.name = "gateway", .link = &self.link} …
 *     for (;;) {
 *         gw_poll(&gw);
 *         if (gw.mqtt == GW_MQTT_ON)
 *             gw_self_healthy(&self);
 *         if (gw_self_poll(&self)) {
 *             gw_stop(&gw);
 *             gw_self_restart(&self);
 *         }
 *     }
 */
#ifndef GW_SELF_H
#define GW_SELF_H

#include "fota/server.h"
#include "gw/port.h"

#define GW_SELF_FIFO 1024u
#define GW_SELF_WINDOW 4096u        /* bytes of image under way */
#define GW_SELF_DEADLINE_MS 120000u /* of a trial whose record was lost */
#define GW_SELF_RESTART_MS 1000u    /* between the answer and the restart: what is to be published gets out */

/** Two places for programs, of which one runs. No function is called while another one runs. What returns int returns
 * FOTA_OK or an error of enum fota_error. */
struct gw_self_port {
    void *ctx;
    /** Make the other place ready for a program. @param size bytes. @return FOTA_E_SIZE, FOTA_E_FLASH. */
    int (*begin)(void *ctx, uint32_t size);
    /** Write its next bytes; may take 100 ms for an erase. @return FOTA_E_FLASH. */
    int (*write)(void *ctx, const uint8_t *data, uint32_t length);
    /** All is there and was checked: it starts at the next restart, and stays only if it calls confirm(). @return
     * FOTA_E_PROGRAM: it would not be started; FOTA_E_FLASH. */
    int (*end)(void *ctx);
    /** @return whether the running program stays only if it calls confirm(). */
    bool (*on_trial)(void *ctx);
    /** The running program stays, and what is written from now on goes to the other place. @return FOTA_E_FLASH. */
    int (*confirm)(void *ctx);
    /** Start anew. @param back the program before this one, which was not confirmed. Does not return on hardware. */
    void (*restart)(void *ctx, bool back);
};

struct gw_self_config {
    struct fota_target target;   /* product, hardware revision (the chip), lowest security counter */
    struct fota_version version; /* that runs */
    uint8_t slot;                /* that runs: FOTA_SLOT_A for the first place */
    uint8_t uid[FOTA_UID_SIZE];
    const struct fota_key *keys;
    unsigned key_count;
    const struct gw_storage *storage; /* one record is kept there */
    const struct gw_clock *clock;
};

/** What is remembered, as it lies in the storage: a program reads what another version of it wrote. */
struct gw_self_record {
    uint32_t format;
    uint32_t floor;                /* the highest security counter that was confirmed */
    uint32_t counter, deadline_ms; /* of the candidate */
    uint8_t trial;                 /* enum fota_trial */
    uint8_t attempts;
    uint8_t candidate_slot, confirmed_slot;
    int16_t reason;  /* why the last one was rejected (enum fota_error); FOTA_OK: none was */
    uint16_t starts; /* 1: at the next restart the candidate does, whatever becomes of it */
    uint8_t rejected[FOTA_IDENTITY_SHORT];
    uint8_t candidate[FOTA_IDENTITY_SIZE], confirmed[FOTA_IDENTITY_SIZE];
    struct fota_version version; /* of the confirmed one, as it says itself: another one came over a cable */
};

struct gw_self {
    struct gw_link link; /* for the device's configuration */

    /* Its own. */
    struct gw_self_config config;
    const struct gw_self_port *port;
    struct gw_self_record record;
    bool unsaved, confirmed, on_trial;
    struct fota_journal journal; /* its state only: what the server tells of */
    struct fota_installer in;
    struct fota_server server;
    struct fota_server_port server_port;
    struct fota_sha256 hash;
    uint32_t crc;
    uint64_t since;      /* of the trial */
    uint64_t restart_at; /* 0: not asked for */
    uint8_t fifo[GW_SELF_FIFO];
    size_t head, tail;
};

/** Start: see what became of a trial. @param config copied, its pointers kept. @param port kept by reference.
 *  @return FOTA_OK, FOTA_E_IO: the record cannot be read, and is left as it is; or written now, it is tried again. */
int gw_self_init(struct gw_self *self, const struct gw_self_config *config, const struct gw_self_port *port);

/** The gateway works: the running program is confirmed, and a trial with it. May be called all the time. */
void gw_self_healthy(struct gw_self *self);

/** Look after deadline and restart. @return whether gw_self_restart() is due. */
bool gw_self_poll(struct gw_self *self);

/** Restart, into the candidate or, where its deadline is over, back. */
void gw_self_restart(struct gw_self *self);

#endif
