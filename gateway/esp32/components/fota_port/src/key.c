/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "fota/crypto.h"

#include <string.h>

#define SPKI 91u /* bytes of a P-256 key as SubjectPublicKeyInfo (RFC 5480) */

/* What stands before the point's coordinates: id-ecPublicKey, prime256v1, an uncompressed point. */
static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                               0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
_Static_assert(sizeof head + FOTA_PUBLIC_KEY_SIZE == SPKI, "head and coordinates are all of it");

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int) (at - digits) : -1;
}

int port_key_parse(const char *text, struct fota_key *key)
{
    uint8_t der[SPKI];
    uint32_t bits = 0;
    size_t n = 0;
    unsigned held = 0;

    for (; *text != '\0' && *text != '='; text++) {
        int value = value_of(*text);

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t) value;
        held += 6u;
        if (held < 8u)
            continue;
        held -= 8u;
        if (n >= sizeof der)
            return -1;
        der[n++] = (uint8_t) (bits >> held);
    }
    if (n != sizeof der || memcmp(der, head, sizeof head) != 0)
        return -1;
    memcpy(key->point, der + sizeof head, FOTA_PUBLIC_KEY_SIZE);
    fota_key_id(key->point, key->id);
    return 0;
}
