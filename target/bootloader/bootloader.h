/* SPDX-License-Identifier: MIT */
/** @file bootloader.h The bootloader's version and entry. */
#ifndef BOOTLOADER_H
#define BOOTLOADER_H

#include "fota/config.h"

#define BOOTLOADER_VERSION FOTA_BOOT_VERSION(0, 1, 0)

/** Choose, verify and start an image, or serve the link. */
_Noreturn void bootloader(void);

#endif
