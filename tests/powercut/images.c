/* SPDX-License-Identifier: MIT */
#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct image images[IMAGES] = {
    [AGENT_OLD] = {.name = "probe-1.0.0", .agent = true},
    [FIRST] = {.name = "hello-1.0.1"},
    [AGENT_NEW] = {.name = "probe-1.1.0", .agent = true},
    [SECOND] = {.name = "hello-1.1.1"},
    [IS_LATE] = {.name = "hello-1.2.1", .behaviour = RUNS_LATE},
    [HANGS] = {.name = "hello-1.3.0", .behaviour = BARKS},
    [FAULTS] = {.name = "hello-1.4.0", .behaviour = TRAPS},
    [RESETS] = {.name = "hello-1.5.0", .behaviour = RESTARTS},
    [IS_BAD] = {.name = "hello-1.1.1", .bad = true},
    [THIRD] = {.name = "hello-2.0.0"},
    [MEDIUM] = {.name = "hello-2.1.0"}, /* with progress to record, and several sectors in slot A */
    [LARGE] = {.name = "hello-3.0.0"},
};

static void make(const struct rig *rig, struct image *image)
{
    struct pack_options options = {.set = PACK_SET_DEADLINE, .deadline_ms = 3000};
    struct pack_message error = {0};
    struct pack_input input = {.name = image->name};
    struct pack_result result;

    if (image->bad) { /* the same code under another version */
        options.set |= PACK_SET_VERSION;
        options.version = (struct fota_version){.major = 1, .minor = 6};
    }
    image->package = rig_package(rig, image->name, &options);
    input.data = image->package.data;
    input.size = image->package.size;
    for (unsigned slot = 0; slot < 2u; slot++)
        if (pack_verify(&input, &rig->key.public_key, 1, NULL, &result, &error) != FOTA_OK ||
            pack_slot_make(&input, &rig->key.public_key, 1, slot, &image->slot[slot], &error) != FOTA_OK) {
            fprintf(stderr, "%s: %s\n", image->name, error.text);
            exit(2);
        }
    memcpy(image->identity, result.identity, sizeof image->identity);
    image->counter = result.header.counter;
    for (unsigned slot = 0; slot < 2u; slot++)
        image->entry[slot] = fota_get32(image->slot[slot].data + FOTA_HEADER_SIZE + 4u) & ~1u;
}

void images_make(const struct rig *rig)
{
    for (unsigned i = 0; i < IMAGES; i++)
        make(rig, &images[i]);
}

struct slots images_in(struct board *board)
{
    struct slots slots;

    for (unsigned slot = 0; slot < 2u; slot++) {
        slots.in[slot] = ORACLE_NONE;
        slots.unsure[slot] = board_flash_unsure(board, fota_slot_base(slot), FOTA_SLOT_SIZE);
        for (uint8_t i = 0; i < IMAGES; i++) {
            const struct pack_buffer *whole = &images[i].slot[slot];

            if (!board_flash_may_be(board, fota_slot_base(slot), whole->data, (uint32_t) whole->size))
                continue;
            slots.in[slot] = i; /* behind it an earlier, larger install may have been cut */
            slots.unsure[slot] = board_flash_unsure(board, fota_slot_base(slot), (uint32_t) whole->size);
        }
    }
    return slots;
}

uint8_t images_find(const uint8_t *identity)
{
    for (uint8_t i = 0; i < IMAGES; i++)
        if (memcmp(images[i].identity, identity, FOTA_IDENTITY_SHORT) == 0)
            return i;
    return ORACLE_NONE;
}
