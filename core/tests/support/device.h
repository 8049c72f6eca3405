/* SPDX-License-Identifier: MIT */
/**
 * @file device.h
 * A device around core as it is put together in the bootloader and in the agent: the same calls in the same order.
 */
#ifndef SUPPORT_DEVICE_H
#define SUPPORT_DEVICE_H

#include "fota/install.h"
#include "image.h"
#include "ram_flash.h"

struct device {
    struct ram_flash *flash;
    struct fota_target target;
    struct fota_key key;
    struct fota_journal journal;
    struct fota_decision decision;
    struct fota_installer installer;
    int error; /* of the last call that failed */
};

/** @param flash stays the caller's; nothing is read yet. */
void device_init(struct device *device, struct ram_flash *flash);

/** From reset to the decision: open, settle, maintain, decide. @return the slot that would be booted. */
unsigned device_decide(struct device *device, enum fota_reset_cause cause);

/** Record the decision's rejection, if it has one, and make the installer ready. @return FOTA_OK or the journal's
 * error. */
int device_reject(struct device *device);

/** Both. @return the slot that would be booted. */
unsigned device_reset(struct device *device, enum fota_reset_cause cause);

/** Record the attempt and jump. When the attempt cannot be recorded the confirmed image is decided on instead.
 *  @return the slot that runs, FOTA_SLOT_NONE when the device stays in the bootloader. */
unsigned device_jump(struct device *device);

/** What the application's agent does in the end of its self-test: open, and confirm when this image is on trial.
 *  @return FOTA_OK or the journal's error. */
int device_confirm(struct device *device);

/** Install an image through the present installer, `chunk` bytes a piece, from where `begin` says.
 *  @param until stop after so many bytes. @return FOTA_OK or the first error. */
int device_install(struct device *device, const struct test_image *image, uint32_t chunk, uint32_t until);

/** Write an image into a slot as a programmer does it: no journal. */
void flash_image(struct ram_flash *flash, const struct test_image *image, unsigned slot);

#endif
