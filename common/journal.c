/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

/* JOURNAL_STREAM is "device:inode" of the stream that systemd connected. It is inherited, so a program whose output was
 * redirected since must compare. */
static bool look(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t device, inode;
    char *end;

    if (text == NULL)
        return false;
    device = strtoumax(text, &end, 10);
    if (*end != ':')
        return false;
    inode = strtoumax(end + 1, &end, 10);
    return *end == '\0' && fstat(2, &st) == 0 && (uintmax_t) st.st_dev == device && (uintmax_t) st.st_ino == inode;
}

bool fota_on_journal(void)
{
    static atomic_int known; /* 0: not asked yet, 1: no, 2: yes; threads may ask twice, with the same answer */

    if (known == 0)
        known = look() ? 2 : 1;
    return known == 2;
}

const char *fota_journal_prefix(unsigned level)
{
    static const char *const prefixes[] = {"<3>", "<4>", "<6>", "<7>"};

    return prefixes[level < 3 ? level : 3];
}
