/* SPDX-License-Identifier: GPL-2.0-only */
/** @file options.c The chip's option bytes by name (RM0090 3.6, FLASH_OPTCR). */
#define _GNU_SOURCE
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASK 0x0FFFFFECu

static const char *protect(const char *text, uint32_t *value)
{
    char *end;
    unsigned long first, last;
    if (strcmp(text, "none") == 0) {
        *value |= 0x0FFF0000u;
        return NULL;
    }
    first = last = strtoul(text, &end, 10);
    if (end != text && *end == '-') {
        const char *second = end + 1;
        last = strtoul(second, &end, 10);
        end = end == second ? NULL : end;
    }
    if (!end || end == text || *end || first > last || last >= BOARD_SECTORS)
        return "needs wrp=none, wrp=SECTOR or wrp=FIRST-LAST with sectors 0 to 11";
    for (unsigned long s = first; s <= last; s++)
        *value &= ~(1u << (16 + s));
    return NULL;
}

static const char *one(const char *word, uint32_t *value)
{
    static const struct {
        const char *word;
        uint32_t mask, bits;
    } table[] = {{"rdp=0", 0xFF00u, 0xAA00u}, {"rdp=1", 0xFF00u, 0x5500u}, {"bor=off", 0xCu, 0xCu},
                 {"bor=1", 0xCu, 0x8u},       {"bor=2", 0xCu, 0x4u},       {"bor=3", 0xCu, 0x0u},
                 {"wdg=sw", 0x20u, 0x20u},    {"wdg=hw", 0x20u, 0}};
    if (strncmp(word, "wrp=", 4) == 0)
        return protect(word + 4, value);
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(word, table[i].word) == 0) {
            *value = (*value & ~table[i].mask) | table[i].bits;
            return NULL;
        }
    return "must be a number or a list of rdp=0|1, bor=off|1|2|3, wdg=sw|hw, wrp=none|SECTOR|FIRST-LAST";
}

const char *option_parse(const char *spec, uint32_t *value)
{
    char text[128], *save = NULL, *end;
    unsigned long number = strtoul(spec, &end, 0);
    if (end != spec && *end == 0) {
        if (number > 0x0FFFFFFFu)
            return "must be at most 0x0FFFFFFF";
        *value = (uint32_t) number & MASK;
    } else {
        if (!*spec || strlen(spec) >= sizeof text)
            return "must have 1 to 127 characters";
        snprintf(text, sizeof text, "%s", spec);
        for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
            const char *wrong = one(w, value);
            if (wrong)
                return wrong;
        }
    }
    return (*value >> 8 & 0xFFu) == 0xCCu ? "asks for RDP level 2, which is refused: it can never be undone" : NULL;
}
