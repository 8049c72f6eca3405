/* SPDX-License-Identifier: MIT */
/** @file journal.h Standard error as the journal of systemd wants it. */
#ifndef FOTA_COMMON_JOURNAL_H
#define FOTA_COMMON_JOURNAL_H

#include <stdbool.h>

/** @return whether standard error is the journal (JOURNAL_STREAM, systemd.exec(5)). Then a line begins with
 *  fota_journal_prefix() and carries no time: the journal has its own. */
bool fota_on_journal(void);

/** @param level 0 error, 1 warning, 2 information, 3 and more debug. @return "<3>", "<4>", "<6>" or "<7>"
 * (sd-daemon(3)). */
const char *fota_journal_prefix(unsigned level);

#endif
