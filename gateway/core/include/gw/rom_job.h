/* SPDX-License-Identifier: MIT */
/**
 * @file rom_job.h
 * What is done with a device through ST's factory bootloader (gw/rom.h): look at it, update it, provision it, rescue
 * it. All of them wait, return FOTA_OK or an error of enum fota_error, and leave a sentence in rom->error. They begin
 * and end within the ROM: gw_rom_enter() comes before, gw_rom_leave() after.
 */
#ifndef GW_ROM_JOB_H
#define GW_ROM_JOB_H

#include "fota/config.h"
#include "fota/install.h"
#include "gw/rom.h"
#include "gw/source.h"

#define GW_ROM_PIECE 2048u /* of code, handed to the installer at once */

/** A device as it was found. */
struct gw_rom_survey {
    bool blank;      /* nothing at all in sector 0 */
    bool configured; /* a configuration block that is whole: sector 0 holds fota's bootloader */
    struct fota_config config;
    struct fota_version bootloader;
    struct fota_journal journal;
    struct fota_slot_image slot[FOTA_SLOT_COUNT]; /* only of gw_rom_look_at_slots() */
    struct gw_rom_options options;
};

/** Read configuration block, journal and option bytes. @return FOTA_OK, FOTA_E_IO; readout protection is FOTA_E_IO. */
int gw_rom_survey(struct gw_rom *rom, struct gw_rom_survey *survey);
/** Check the images in both slots, all of their code: 3 s over SPI, 70 s over a UART. @param config with the keys. */
int gw_rom_look_at_slots(struct gw_rom *rom, const struct fota_config *config, struct gw_rom_survey *survey);

/** An image for a device. */
struct gw_rom_image {
    const uint8_t *header; /* 512 bytes of a package that was checked whole */
    struct gw_source source;
    bool retry; /* also when the device rejected it before */
    /* Results. */
    uint8_t slot;
    uint32_t resumed_at, bytes;
};

/**
 * Write an image into the spare slot with core's own installer: every check of the header first, then erase, code,
 * header, and `pending` in the journal last. A cut or reset anywhere leaves the old image in charge, and the next call
 * goes on where this one was. The bootloader verifies and tries the image at the next start.
 * @return FOTA_OK, FOTA_E_BUSY in a trial, FOTA_E_CONFIG where sector 0 holds no bootloader of fota, FOTA_E_NO_IMAGE
 * where the confirmed image is damaged, errors of fota_install_begin() and fota_install_finish(), FOTA_E_IO.
 */
int gw_rom_update(struct gw_rom *rom, struct gw_rom_survey *survey, struct gw_rom_image *image);

/** What a chip is to become. */
struct gw_rom_provision {
    const uint8_t *boot; /* FOTA_BOOT_SIZE bytes, with a configuration block */
    struct gw_rom_image *image;
    bool force;   /* also a chip that fota is on */
    bool protect; /* readout protection, level 1 */
};

/** Bootloader, first image in slot A, a journal that says it is confirmed; all of it read back; then sector 0
 * write-protected, brown-out level 3, and readout protection if asked for. The first words of sector 0 are written
 * last: a chip on which this was interrupted does not start, and is provisioned again.
 * @return also FOTA_E_STATE: fota is on this chip, or readout protection is on. */
int gw_rom_provision(struct gw_rom *rom, const struct gw_rom_provision *what);

/** What a rescue found and did. */
struct gw_rom_rescue {
    bool boot_kept, journal_kept, image_written;
    uint8_t good_slots; /* a bit each: images that verify */
};

/** Bring back a chip whose sector 0 or journal is destroyed. What is whole stays: the journal (floor, rejected images),
 * and images that the keys of `boot` verify. @param what `image` may be NULL when a slot is good. @return FOTA_OK,
 * FOTA_E_NO_IMAGE: no slot is good and no image was given; FOTA_E_STATE: readout protection is on. */
int gw_rom_rescue(struct gw_rom *rom, const struct gw_rom_provision *what, struct gw_rom_rescue *found);

#endif
