/* SPDX-License-Identifier: MIT */
/** @file bootloader.h The bootloader's version and entry. */
#ifndef BOOTLOADER_H
#define BOOTLOADER_H

#include "fota/header.h"

#define BOOTLOADER_MAJOR 0u
#define BOOTLOADER_MINOR 1u
#define BOOTLOADER_PATCH 0u
/** As it stands in word 7 of the vector table, at 0x0800001C. */
#define BOOTLOADER_VERSION (BOOTLOADER_MAJOR << 24 | BOOTLOADER_MINOR << 16 | BOOTLOADER_PATCH)

/** Choose, verify and start an image, or serve the link. */
_Noreturn void bootloader(void);

#endif
