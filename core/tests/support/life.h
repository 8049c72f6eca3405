/* SPDX-License-Identifier: MIT */
/**
 * @file life.h
 * A device in its world: a gateway that has images to install, applications that confirm or do not, a supply that may
 * go at any flash operation, and the oracle that watches. What a cut of the supply does not take from the world lies in
 * struct life; what it takes lies in struct device.
 */
#ifndef SUPPORT_LIFE_H
#define SUPPORT_LIFE_H

#include "device.h"
#include "oracle.h"

#define LIFE_IMAGES 8u
#define LIFE_JOBS 4u

enum behaviour { CONFIRMS, LATE, HANGS, FAULTS, RESETS };
enum outcome { OPEN, CONFIRMED, ROLLED_BACK, FAILED };

struct life_image {
    struct test_image *image;
    enum behaviour behaviour;
    bool bad; /* the gateway sends a byte of it wrong */
};

struct job {
    uint8_t image;
    bool retry;    /* an operator asks for it */
    bool by_agent; /* the running application receives it */
    enum outcome expected;
};

struct cut {
    enum ram_cut kind;
    uint64_t after; /* this operation, counted from power-up */
    uint64_t seed;
};

struct life {
    const struct life_image *images;
    unsigned image_count;
    struct ram_flash *flash;
    struct device device;
    struct oracle oracle;
    struct job jobs[LIFE_JOBS];
    unsigned job_count, job;
    bool sent; /* the present job's image was installed whole, as far as the gateway knows */
    enum outcome outcomes[LIFE_JOBS];
    enum fota_reset_cause cause;
    uint32_t chunk;
    unsigned boots, still; /* in all; in a row since the last job ended */
    uint64_t started_ops;  /* flash operations at power-up */
    struct cut cuts[3];
    unsigned cut_count, cuts_done;
    jmp_buf power_lost;
};

/** Live until all jobs are done and two more boots went well. Fails the test when the oracle objects, when a job ends
 * otherwise than expected or the device does not come to an end. */
void life_run(struct life *life);

#endif
