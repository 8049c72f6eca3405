/* SPDX-License-Identifier: MIT */
/** @file qemu.h The stock emulator as a second opinion: qemu-system-arm -M netduinoplus2 on an image of the flash. */
#ifndef BOARD_QEMU_H
#define BOARD_QEMU_H

#include <stddef.h>
#include <stdint.h>

/** Skip the test with a message when qemu-system-arm is not installed. */
void qemu_or_skip(void);

/**
 * Run it on a full image of the flash until its output contains a text, or until a time is over; then end it.
 * @param flash 1 MiB. @param more further arguments, NULL at the end; may be NULL.
 * @param until NULL: the whole time. @param ms wall time.
 * @return what it sent on USART1 and wrote to standard error, NUL behind it; to be freed.
 */
char *qemu_run(const uint8_t *flash, const char *const *more, const char *until, int ms);

#endif
