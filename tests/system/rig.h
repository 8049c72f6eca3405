/* SPDX-License-Identifier: MIT */
/**
 * @file rig.h
 * A board with the real bootloader and applications, and the gateway's push at the other end of its serial
 * line, all in one process and in virtual time: the same run gives the same result, on a fast machine and on
 * a slow one.
 */
#ifndef RIG_H
#define RIG_H

#include "board.h"
#include "gw/push.h"
#include "gw/rom_job.h"
#include "pack.h"

#define RIG_HW 1u
#define RIG_SECOND 1000000000ull
#define RIG_TEXT 65536u

/** A worse cable than that of `cable_limit`. */
struct rig_line {
    void *ctx;
    /** Bytes on their way, changed in place. @param to_device the direction. @param length there are.
     *  @param capacity there may be at most. @return how many there are then. */
    size_t (*travel)(void *ctx, bool to_device, uint8_t *data, size_t length, size_t capacity);
};

struct rig_options {
    struct board_options board;
    uint32_t floor;    /* built in */
    uint32_t baud;     /* 0: 115 200, which is what the applications have */
    uint32_t max_baud; /* that the gateway may agree on; 0: none */
    uint32_t chunk;    /* of its DATA frames; 0: the usual */
    bool unconfigured; /* leave the configuration block out */
    bool no_pins;      /* no NRST for the gateway */
    bool no_boot0;     /* BOOT0 is not wired */
    bool no_spi;       /* the bootloader listens on the UART alone */
    /* The gateway speaks over SPI1 at so many Hz; 0: over the UART. */
    uint32_t spi_hz;
    unsigned spi_mode;           /* in which it clocks when it means mode 0 */
    uint32_t rom_hz, rom_gap_ns; /* of the ROM's host on SPI; 0: the usual */
    /* Somebody else's line and pins to the same board, for updates; NULL: the rig's own. */
    const struct gw_link *link;
    const struct gw_pins *pins;
};

struct rig {
    struct board *board;
    struct pack_key key;
    struct rig_options options;
    struct gw_push push;
    char text[RIG_TEXT]; /* what the device printed, a line each */
    size_t text_length;
    bool unplugged;     /* the gateway's end of the cable */
    uint32_t host_baud; /* rate of the gateway's end */
    /* Above this rate the cable damages so many bytes in a thousand, both ways; 0: it is good at any. */
    uint32_t cable_limit;
    unsigned damage;
    struct rig_line line; /* travel NULL: none */
    struct gw_spi_link spi;
    const struct gw_link *link; /* the gateway's ports, of the last rig_start(), rig_query() or rig_rom() */
    const struct gw_spi *spi_port;
    const struct gw_pins *pins;
    const struct gw_clock *clock;
    unsigned spi_mode; /* that the gateway has chosen */
    uint32_t spi_pace_hz, spi_gap_ns;
    uint32_t dice;
    uint8_t ahead[64]; /* read while the ROM's host waited */
    size_t ahead_length, ahead_taken;
};

/** SplitMix64: the next number of a generator whose state may begin as anything. */
uint64_t rig_random(uint64_t *state);

/** A package of one of the target's builds, e.g. "hello-1.1.0", from its two links. @param options NULL: as
 * the application says. */
struct pack_buffer rig_package(const struct rig *rig, const char *name, const struct pack_options *options);

/** The same from the first link alone, which keeps its relocations. */
struct pack_buffer rig_package_of_one(const struct rig *rig, const char *name);

/** A rig with an erased chip, power off. @param options NULL: defaults. Ends the test when something is
 * missing. */
struct rig *rig_create(const struct rig_options *options);
void rig_destroy(struct rig *rig);

/** Write bootloader and, in slot A, the image of a package; no journal. */
void rig_program(struct rig *rig, const struct pack_buffer *package);

/** rig_program() with hello-1.0.0, power on, and run until it has confirmed itself. */
void rig_factory(struct rig *rig);

/** Run for a while with nobody at the other end but a reader of text. @return whether `text` was printed
 * (NULL: never). */
bool rig_run_until(struct rig *rig, const char *text, uint64_t ns);

/** Append what the device has sent to rig->text. */
void rig_listen(struct rig *rig);

/** Begin an update; rig_step() goes on. */
void rig_start(struct rig *rig, const struct pack_buffer *package, bool retry);
/** Run both ends for a millisecond. @return whether the update is still under way. */
bool rig_step(struct rig *rig);
/** An update from begin to end. @return its outcome. */
enum gw_push_outcome rig_update(struct rig *rig, const struct pack_buffer *package, bool retry);

/** Ask the device what it is, and for the images that it rejected (rig->push.rejects). @return whether it answered. */
bool rig_query(struct rig *rig, struct fota_link_info *info);

/** The host's side of ST's ROM, over the wire that the options name. */
void rig_rom(struct rig *rig, struct gw_rom *rom);
/** What gw_rom_update() and its like write: the image of a package. */
struct gw_rom_image rig_image(const struct pack_buffer *package);
/** Begin to watch the trial of an image that was written into `slot` otherwise; rig_step() goes on. */
void rig_watch_start(struct rig *rig, const struct pack_buffer *package, uint8_t slot);
/** The same from begin to end. @return its outcome. */
enum gw_push_outcome rig_watch(struct rig *rig, const struct pack_buffer *package, uint8_t slot);

/** Erases and programs of the sectors of a slot so far. */
uint64_t rig_slot_work(struct rig *rig, unsigned slot);

#endif
