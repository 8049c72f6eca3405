/* SPDX-License-Identifier: MIT */
#include "scenes.h"

#include "memory_flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole slots: header and code. */
static struct pack_buffer old_a, old_b, next_a, next_b;

static uint8_t *put(uint8_t *flash, unsigned slot, const struct pack_buffer *image)
{
    uint8_t *at = flash + (fota_slot_base(slot) - FOTA_FLASH_BASE);

    memcpy(at, image->data, image->size);
    return at;
}

/* --- the scenes ------------------------------------------------------------------------------------------------- */

/* An image that is confirmed in A, and another one that is pending in B. */
static void confirmed_and(uint8_t *flash, const struct pack_buffer *a, struct pack_buffer *b)
{
    (void) put(flash, FOTA_SLOT_A, a);
    (void) put(flash, FOTA_SLOT_B, b);
    memory_record(flash, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, a->data,
                  ((const struct fota_header *) (const void *) a->data)->counter);
    memory_record(flash, FOTA_RECORD_PENDING, FOTA_SLOT_B, b->data, 0);
}

static struct pack_buffer changed(const struct pack_buffer *image, size_t offset)
{
    struct pack_buffer copy = {.data = malloc(image->size), .size = image->size};

    if (copy.data == NULL)
        exit(2);
    memcpy(copy.data, image->data, image->size);
    copy.data[offset] ^= 1u;
    return copy;
}

static void with_changed(uint8_t *flash, size_t offset)
{
    struct pack_buffer bad = changed(&next_b, offset);

    confirmed_and(flash, &old_a, &bad);
    pack_buffer_free(&bad);
}

static void is_unsigned(uint8_t *flash)
{
    with_changed(flash, FOTA_HEADER_SIGNED + 40u);
}

static void is_altered(uint8_t *flash)
{
    with_changed(flash, offsetof(struct fota_header, version));
}

static void unknown_key(uint8_t *flash)
{
    with_changed(flash, offsetof(struct fota_header, key_id));
}

static void tampered(uint8_t *flash)
{
    with_changed(flash, FOTA_HEADER_SIZE + 4000u);
}

static void downgraded(uint8_t *flash)
{
    confirmed_and(flash, &next_a, &old_b);
}

static void alone(uint8_t *flash)
{
    struct pack_buffer bad = changed(&next_b, offsetof(struct fota_header, version));

    (void) put(flash, FOTA_SLOT_B, &bad);
    pack_buffer_free(&bad);
}

static void confirmed_is_tampered(uint8_t *flash)
{
    put(flash, FOTA_SLOT_A, &next_a)[FOTA_HEADER_SIZE + 4000u] ^= 1u;
    memory_record(flash, FOTA_RECORD_CONFIRMED, FOTA_SLOT_A, next_a.data, 1);
}

const struct glitch_scene glitch_scenes[] = {
    {"unsigned", "the pending image has a wrong signature", is_unsigned, FOTA_SLOT_B},
    {"altered", "its header was changed after it was signed", is_altered, FOTA_SLOT_B},
    {"unknown-key", "nobody knows its key", unknown_key, FOTA_SLOT_B},
    {"tampered", "its code was changed", tampered, FOTA_SLOT_B},
    {"downgraded", "it is signed, and below the floor", downgraded, FOTA_SLOT_B},
    {"alone", "an unsigned image, and nothing else; no journal", alone, FOTA_SLOT_B},
    {"confirmed-tampered", "the code of the confirmed image was changed", confirmed_is_tampered, FOTA_SLOT_A},
};
const unsigned glitch_scene_count = sizeof glitch_scenes / sizeof glitch_scenes[0];

/* --- */

static struct pack_buffer slot_of(const struct rig *rig, const struct pack_buffer *package, unsigned slot)
{
    struct pack_message error = {0};
    struct pack_input input = {.name = "package", .data = package->data, .size = package->size};
    struct pack_buffer out;

    if (pack_slot_make(&input, &rig->key.public_key, 1, slot, &out, &error) != FOTA_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    return out;
}

void scenes_prepare(const struct rig *rig)
{
    struct pack_options first = {.set = PACK_SET_COUNTER, .counter = 1},
                        second = {.set = PACK_SET_COUNTER, .counter = 2};
    struct pack_buffer old = rig_package(rig, "hello-1.0.1", &first), next = rig_package(rig, "hello-1.1.1", &second);

    old_a = slot_of(rig, &old, FOTA_SLOT_A);
    old_b = slot_of(rig, &old, FOTA_SLOT_B);
    next_a = slot_of(rig, &next, FOTA_SLOT_A);
    next_b = slot_of(rig, &next, FOTA_SLOT_B);
    pack_buffer_free(&old);
    pack_buffer_free(&next);
}

void scene_load(const struct glitch_scene *scene, const struct rig *rig, struct board *board)
{
    uint8_t *flash = malloc(FOTA_FLASH_SIZE);

    if (flash == NULL)
        exit(2);
    memset(flash, 0xFF, FOTA_FLASH_SIZE);
    memcpy(flash, board_flash(rig->board), fota_sector_size(0));
    scene->make(flash);
    if (!board_flash_load(board, FOTA_FLASH_BASE, flash, FOTA_FLASH_SIZE))
        exit(2);
    free(flash);
}
