/* SPDX-License-Identifier: MIT */
/**
 * @file sim.h
 * A device for tests: core's real journal, boot decision, installer and link server on a flash in RAM, with
 * just enough of a bootloader and an application around them. What the application does is its image's patch
 * number (enum sim_app).
 */
#ifndef GW_TEST_SIM_H
#define GW_TEST_SIM_H

#include "fota/server.h"
#include "pack.h"

#define SIM_FIFO 65536u

/** Behaviour of an application, by the patch number of its version. */
enum sim_app {
    SIM_GOOD = 0,    /* answers, confirms after confirm_ms */
    SIM_NEVER = 1,   /* answers, never confirms: reset by the agent at the deadline */
    SIM_FAULT = 2,   /* faults 50 ms after each start */
    SIM_HANGS = 3,   /* says nothing; the watchdog resets it after 26 s */
    SIM_DEAD = 4,    /* says nothing and feeds the watchdog: only NRST helps */
    SIM_ZOMBIE = 5,  /* answers, never confirms, nothing ever resets it */
    SIM_UNLINKED = 6 /* says nothing on the link, but confirms */
};

enum sim_mode { SIM_OFF, SIM_LOADER, SIM_APP };

struct sim_fifo {
    uint8_t data[SIM_FIFO];
    size_t head, tail;
};

struct sim {
    uint64_t now;
    /* behaviour, set by the test */
    uint32_t verify_ms, erase_ms, confirm_ms, window;
    uint32_t line_rate;    /* bytes a millisecond that the device takes from its line; 0: any number */
    bool text;             /* applications print a line every 100 ms */
    uint32_t fail_program; /* this many programs fail */
    bool installs;         /* applications install images while they run */
    /* so many times such an application asks to wait, for each request (enum fota_link_type); STATUS: says that it does
     */
    unsigned later[FOTA_LINK_BAUD];
    bool switches;   /* such an application resets by itself as soon as an image is whole, before its answer is out */
    bool fixed_baud; /* a bootloader of before BAUD */
    uint32_t baud_limit; /* the device cannot make higher ones; 0: any */
    uint32_t host_baud;  /* of the other end; 0: always fits */
    /* what a test reads */
    unsigned resets, erases, nrst_pulses, pulses_on_trial;
    uint64_t trial_began, last_pulse_after;
    uint32_t baud; /* of the device; 115 200 after each reset */
    unsigned bauds, reverts;
    enum sim_mode mode;
    struct fota_link_info info;
    /* its own */
    uint8_t *flash;
    struct fota_flash port;
    struct fota_key key;
    struct fota_target target;
    struct fota_journal journal;
    struct fota_installer installer;
    struct fota_server server;
    struct fota_server_port server_port;
    struct fota_decision decision;
    enum fota_reset_cause cause;
    uint32_t new_baud;
    bool stay_asked, nrst_low, confirmed, rebooting, unproven;
    uint64_t since, heard, busy_until, text_at, reboot_at, line_at;
    uint32_t line_budget;
    unsigned app;
    uint32_t deadline;
    uint32_t boots;
    struct sim_fifo in, out;
};

void sim_init(struct sim *sim, const struct fota_key *key, const struct fota_target *target);
void sim_free(struct sim *sim);
/** Factory: the package's code lies in slot A, there is no journal. */
void sim_factory(struct sim *sim, const struct pack_buffer *package);
void sim_power(struct sim *sim, bool on);
void sim_reset(struct sim *sim, enum fota_reset_cause cause);
void sim_nrst(struct sim *sim, bool low);
void sim_step(struct sim *sim, uint64_t now);
/** @return bytes taken, as a UART's line would. */
size_t sim_write(struct sim *sim, const uint8_t *data, size_t length);
size_t sim_read(struct sim *sim, uint8_t *data, size_t capacity);
/** Number of the version that the confirmed slot holds: major * 10000 + minor * 100 + patch; -1: nothing is
 * confirmed. */
int sim_confirmed_version(const struct sim *sim);

/** A signed package: `size` bytes of pseudo-random code with a good vector table and relocations.
 *  @param patch enum sim_app. */
void sim_package(const struct pack_key *key, const struct fota_target *target, unsigned minor, unsigned patch,
                 uint32_t size, uint32_t counter, uint32_t deadline_ms, struct pack_buffer *out,
                 struct pack_result *result);

#endif
