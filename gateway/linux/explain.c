/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "pack.h"

#include <stdio.h>
#include <stdlib.h>

void port_explain(const struct gw_storage *storage, const uint8_t digest[GW_DIGEST_SIZE], uint32_t size,
                  const struct fota_key *keys, unsigned key_count, char *text, size_t capacity)
{
    struct pack_message message = {0};
    uint8_t *data = malloc(size > 0 ? size : 1u);
    uint32_t have = 0;
    int n = 1;

    text[0] = '\0';
    while (data != NULL && have < size && n > 0) {
        n = storage->read(storage->ctx, digest, have, data + have, size - have);
        have += n > 0 ? (uint32_t) n : 0u;
    }
    if (data != NULL && have == size &&
        pack_verify(&(struct pack_input){"the package", data, size}, keys, key_count, NULL, NULL, &message) != FOTA_OK)
        (void) snprintf(text, capacity, "%s", message.text);
    free(data);
}
