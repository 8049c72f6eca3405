/* SPDX-License-Identifier: MIT */
/** @file inspect.h Is a file a package that this hub accepts? The same checks that a gateway makes (fota/package.h). */
#ifndef HUB_INSPECT_H
#define HUB_INSPECT_H

#include "model.h"

#include <fota/package.h>
#include <pack.h>

#define HUB_KEYS_MAX 16u

struct hub_keys {
    struct fota_key keys[HUB_KEYS_MAX]; /* whose releases are accepted */
    unsigned count;
    bool dev;                /* a bench: sign what is not a package yet … */
    struct pack_key dev_key; /* … with this key, which is one of `keys` as well */
};

/** Add a public key. @param path PEM. @return 0, or -1 (logged). */
int hub_keys_add(struct hub_keys *keys, const char *path);
/** Take a private key for signing on the spot. @param path PEM. @return 0, or -1 (logged). */
int hub_keys_set_dev(struct hub_keys *keys, const char *path);

/** Check the package in a file completely, reading it back from the disk in pieces.
 *  @param release sha256, size, identity … key_id are filled in. @return 0, or -1 with the error of the answer. */
int hub_inspect(int fd, const struct hub_keys *keys, struct hub_release *release, struct hub_error *error);

/** With a dev key: @return true when the file is to be packed first, because it is something else than a package. */
bool hub_wants_packing(int fd, const struct hub_keys *keys);

/** Pack and sign a firmware.bin or .elf. @param in the upload. @param name for messages. @param out an empty file for
 * the package. @return 0, or -1 with the error of the answer. */
int hub_pack(int in, const char *name, const struct hub_keys *keys, int out, struct hub_error *error);

#endif
