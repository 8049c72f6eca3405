/* SPDX-License-Identifier: MIT */
/*
 * Packages in raw NOR flash. The region is cut into equal slots, a package each; one that is longer than its slot goes
 * on over the free ones behind it. A slot's first sector is a log that only grows: a head with the digest, then cells
 * that say how far the data was synced, that it is complete, that it was used. The sectors behind it are erased as the
 * data comes to them.
 *
 * A cut of power leaves at worst a cell or some data half written. A cell has a CRC of its own, and data counts up to
 * the last cell only, from there down to the sector's beginning: the sector is erased again before the rest is written.
 */
#include "port.h"

#include "fota/bytes.h"
#include "fota/crc32.h"

#include <string.h>

#define MAGIC 0x31435046u /* "FPC1" */
#define HEAD 64u
#define CELL 16u
#define CELLS ((PORT_SECTOR - HEAD) / CELL)
#define KEPT (PORT_SLOT / PORT_SECTOR + 2u) /* cells that uses leave to the data */

enum { CELL_SYNCED = 1, CELL_COMPLETE = 2, CELL_USED = 3 };

static uint32_t base_of(const struct port_cache *c, const struct port_cache_slot *s)
{
    return (uint32_t) (s - c->slot) * c->slot_size;
}

static uint32_t end_of(const struct port_cache *c, const struct port_cache_slot *s)
{
    return base_of(c, s) + PORT_SECTOR + s->erased;
}

/* Bytes of data: the slot's, and of the slots behind it that nobody has. */
static uint32_t room_of(const struct port_cache *c, const struct port_cache_slot *s)
{
    unsigned n = 1;

    while (s + n < c->slot + c->slots && !s[n].used)
        n++;
    return n * c->slot_size - PORT_SECTOR;
}

/* Data of a longer package, which begins in a slot before, lies here. */
static bool covered(const struct port_cache *c, const struct port_cache_slot *s)
{
    for (const struct port_cache_slot *before = c->slot; before < s; before++)
        if (before->used && end_of(c, before) > base_of(c, s))
            return true;
    return false;
}

/* --- the log ---------------------------------------------------------------------------------- */

static int add_cell(struct port_cache *c, struct port_cache_slot *s, uint32_t kind, uint32_t value)
{
    uint8_t cell[CELL];

    if (s->cells >= CELLS)
        return -1;
    fota_put32(cell, kind);
    fota_put32(cell + 4, value);
    fota_put32(cell + 8, c->clock);
    fota_put32(cell + 12, fota_crc32(0, cell, 12));
    return c->flash.write(c->flash.ctx, base_of(c, s) + HEAD + s->cells++ * CELL, cell, CELL);
}

static bool blank(const uint8_t *data, size_t length)
{
    while (length > 0 && data[length - 1u] == 0xFF)
        length--;
    return length == 0;
}

static void take_cell(struct port_cache *c, struct port_cache_slot *s, const uint8_t *cell)
{
    uint32_t value = fota_get32(cell + 4), touched = fota_get32(cell + 8);

    if (fota_get32(cell + 12) != fota_crc32(0, cell, 12) || value > room_of(c, s))
        return; /* half written: what it would have said did not happen */
    s->synced = fota_get32(cell) == CELL_USED ? s->synced : value;
    s->complete = s->complete || fota_get32(cell) == CELL_COMPLETE;
    s->touched = touched;
    if (touched > c->clock)
        c->clock = touched;
}

static int load(struct port_cache *c, struct port_cache_slot *s)
{
    uint8_t head[HEAD] = {0}, cells[256] = {0};

    memset(s, 0, sizeof *s);
    if (c->flash.read(c->flash.ctx, base_of(c, s), head, HEAD) != 0)
        return -1;
    s->used =
        !covered(c, s) && fota_get32(head) == MAGIC && fota_get32(head + HEAD - 4u) == fota_crc32(0, head, HEAD - 4u);
    if (!s->used)
        return 0;
    memcpy(s->digest, head + 4, GW_DIGEST_SIZE);
    for (uint32_t i = 0; i < CELLS; i++) {
        const uint8_t *cell = cells + i * CELL % sizeof cells;

        if (cell == cells) { /* read as many at once as there are left */
            uint32_t left = (CELLS - i) * CELL;

            if (c->flash.read(c->flash.ctx, base_of(c, s) + HEAD + i * CELL, cells,
                              left < sizeof cells ? left : sizeof cells) != 0)
                return -1;
        }
        if (blank(cell, CELL))
            continue;
        s->cells = i + 1u; /* the next one is written behind all that is not blank */
        take_cell(c, s, cell);
    }
    s->length = s->complete ? s->synced : s->synced / PORT_SECTOR * PORT_SECTOR;
    s->synced = s->length;
    s->erased = (s->length + PORT_SECTOR - 1u) / PORT_SECTOR * PORT_SECTOR;
    return 0;
}

/* --- slots ------------------------------------------------------------------------------------ */

static struct port_cache_slot *find(struct port_cache *c, const uint8_t *digest)
{
    for (unsigned i = 0; i < c->slots; i++)
        if (c->slot[i].used && memcmp(c->slot[i].digest, digest, GW_DIGEST_SIZE) == 0)
            return &c->slot[i];
    return NULL;
}

static struct port_cache_slot *make(struct port_cache *c, const uint8_t *digest)
{
    uint8_t head[HEAD];

    for (unsigned i = 0; i < c->slots; i++) {
        struct port_cache_slot *s = &c->slot[i];

        if (s->used || covered(c, s))
            continue;
        memset(head, 0xFF, sizeof head);
        fota_put32(head, MAGIC);
        memcpy(head + 4, digest, GW_DIGEST_SIZE);
        fota_put32(head + HEAD - 4u, fota_crc32(0, head, HEAD - 4u));
        if (c->flash.erase(c->flash.ctx, base_of(c, s), PORT_SECTOR) != 0 ||
            c->flash.write(c->flash.ctx, base_of(c, s), head, HEAD) != 0)
            return NULL;
        memset(s, 0, sizeof *s);
        memcpy(s->digest, digest, GW_DIGEST_SIZE);
        s->used = true;
        s->touched = ++c->clock;
        return s;
    }
    return NULL;
}

int port_cache_open(struct port_cache *c, const struct port_flash *flash, uint32_t size)
{
    memset(c, 0, sizeof *c);
    c->flash = *flash;
    c->slots = size / PORT_SLOT < PORT_SLOTS_MAX ? size / PORT_SLOT : PORT_SLOTS_MAX;
    c->slot_size = PORT_SLOT;
    for (unsigned i = 0; i < c->slots; i++)
        if (load(c, &c->slot[i]) != 0)
            return -1;
    return c->slots > 0 ? 0 : -1;
}

/* --- for gw_storage --------------------------------------------------------------------------- */

static int cache_stat(void *ctx, const uint8_t *digest, uint32_t *size, bool *complete)
{
    const struct port_cache_slot *s = find(ctx, digest);

    *size = s != NULL ? s->length : 0;
    *complete = s != NULL && s->complete;
    return 0;
}

static int cache_append(void *ctx, const uint8_t *digest, const uint8_t *data, size_t length)
{
    struct port_cache *c = ctx;
    struct port_cache_slot *s = find(c, digest);

    if (s == NULL)
        s = make(c, digest);
    if (s == NULL || s->complete || length > room_of(c, s) - s->length)
        return -1;
    while (s->erased < s->length + length) {
        if (c->flash.erase(c->flash.ctx, base_of(c, s) + PORT_SECTOR + s->erased, PORT_SECTOR) != 0)
            return -1;
        s->erased += PORT_SECTOR;
    }
    if (c->flash.write(c->flash.ctx, base_of(c, s) + PORT_SECTOR + s->length, data, length) != 0)
        return -1;
    s->length += (uint32_t) length;
    return 0;
}

static int cache_read(void *ctx, const uint8_t *digest, uint32_t offset, uint8_t *data, size_t length)
{
    struct port_cache *c = ctx;
    const struct port_cache_slot *s = find(c, digest);

    if (s == NULL || offset > s->length)
        return -1;
    if (length > s->length - offset)
        length = s->length - offset;
    return c->flash.read(c->flash.ctx, base_of(c, s) + PORT_SECTOR + offset, data, length) == 0 ? (int) length : -1;
}

/* What the flash took is there; what is said now is how much of it counts. Within a sector it would not help. */
static int cache_sync(void *ctx, const uint8_t *digest)
{
    struct port_cache *c = ctx;
    struct port_cache_slot *s = find(c, digest);

    if (s == NULL || s->complete || s->length / PORT_SECTOR == s->synced / PORT_SECTOR || s->cells + 2u >= CELLS)
        return 0; /* after very many of them a cut costs more; the last cells are for the end */
    s->synced = s->length;
    return add_cell(c, s, CELL_SYNCED, s->length);
}

static int cache_commit(void *ctx, const uint8_t *digest)
{
    struct port_cache *c = ctx;
    struct port_cache_slot *s = find(c, digest);

    if (s == NULL)
        return -1;
    s->touched = ++c->clock;
    s->synced = s->length;
    if (add_cell(c, s, CELL_COMPLETE, s->length) != 0)
        return -1;
    s->complete = true;
    return 0;
}

/* After some hundred uses they are no longer counted, and the package counts as one that was not used lately. */
static int cache_touch(void *ctx, const uint8_t *digest)
{
    struct port_cache *c = ctx;
    struct port_cache_slot *s = find(c, digest);

    if (s == NULL)
        return -1;
    if (s->cells + KEPT >= CELLS)
        return 0;
    s->touched = ++c->clock;
    return add_cell(c, s, CELL_USED, 0);
}

static int cache_remove(void *ctx, const uint8_t *digest)
{
    struct port_cache *c = ctx;
    struct port_cache_slot *s = find(c, digest);

    if (s == NULL)
        return 0;
    s->used = false;
    return c->flash.erase(c->flash.ctx, base_of(c, s), PORT_SECTOR);
}

static int cache_list(void *ctx, unsigned index, struct gw_package_file *file)
{
    const struct port_cache *c = ctx;

    for (unsigned i = 0; i < c->slots; i++) {
        const struct port_cache_slot *s = &c->slot[i];

        if (!s->used || index-- > 0)
            continue;
        *file = (struct gw_package_file){.size = s->length, .complete = s->complete, .used = s->touched};
        memcpy(file->digest, s->digest, GW_DIGEST_SIZE);
        return 1;
    }
    return 0;
}

static uint32_t cache_takes(void *ctx, uint32_t size)
{
    const struct port_cache *c = ctx;

    return size <= c->slot_size - PORT_SECTOR ? c->slot_size : 2u * c->slot_size;
}

void port_cache_storage(struct port_cache *cache, struct gw_storage *storage)
{
    storage->ctx = cache;
    storage->stat = cache_stat;
    storage->append = cache_append;
    storage->read = cache_read;
    storage->sync = cache_sync;
    storage->commit = cache_commit;
    storage->touch = cache_touch;
    storage->remove = cache_remove;
    storage->list = cache_list;
    storage->takes = cache_takes;
}
