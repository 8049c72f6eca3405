/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include "fota/bytes.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_MS 10000u
#define WATCHDOG_MS 26000u
#define SIM_BAUD 115200u
#define SIM_LINE 8192u /* more than the window */

/* --- flash ------------------------------------------------------------------------------------ */

static int flash_read(void *ctx, uint32_t address, void *out, uint32_t length)
{
    struct sim *sim = ctx;

    memcpy(out, sim->flash + (address - FOTA_FLASH_BASE), length);
    return FOTA_OK;
}

static int flash_program(void *ctx, uint32_t address, const void *data, uint32_t length)
{
    struct sim *sim = ctx;
    uint8_t *to = sim->flash + (address - FOTA_FLASH_BASE);
    const uint8_t *from = data;

    if (sim->fail_program > 0 && fota_sector_of(address) < FOTA_JOURNAL_SPARE_SECTOR) {
        sim->fail_program--;
        return FOTA_E_FLASH;
    }
    for (uint32_t i = 0; i < length; i++)
        to[i] &= from[i];
    return memcmp(to, from, length) == 0 ? FOTA_OK : FOTA_E_FLASH;
}

static int flash_erase(void *ctx, unsigned sector)
{
    struct sim *sim = ctx;

    memset(sim->flash + (fota_sector_base(sector) - FOTA_FLASH_BASE), 0xff, fota_sector_size(sector));
    sim->erases++;
    if (sim->mode != SIM_OFF)
        sim->busy_until = (sim->busy_until > sim->now ? sim->busy_until : sim->now) + sim->erase_ms;
    return FOTA_OK;
}

/* --- line ------------------------------------------------------------------------------------- */

static void put(struct sim_fifo *f, const uint8_t *data, size_t length)
{
    for (; length > 0 && f->head - f->tail < SIM_FIFO; length--)
        f->data[f->head++ % SIM_FIFO] = *data++;
}

static size_t get(struct sim_fifo *f, uint8_t *data, size_t capacity)
{
    size_t n = 0;

    while (n < capacity && f->tail < f->head)
        data[n++] = f->data[f->tail++ % SIM_FIFO];
    return n;
}

/* What a wrong baud rate makes of bytes. */
static void put_at_rates(const struct sim *sim, struct sim_fifo *f, const uint8_t *data, size_t length)
{
    if (sim->host_baud == 0 || sim->host_baud == sim->baud) {
        put(f, data, length);
        return;
    }
    for (; length > 0; length--, data++) {
        uint8_t byte = (uint8_t) ((*data * 167u + 85u) ^ *data >> 3);

        put(f, &byte, 1);
    }
}

static void port_send(void *ctx, const uint8_t *data, size_t length)
{
    struct sim *sim = ctx;

    put_at_rates(sim, &sim->out, data, length);
}

static int port_baud(void *ctx, uint32_t baud)
{
    struct sim *sim = ctx;

    if (baud < 1200u || (sim->baud_limit != 0 && baud > sim->baud_limit))
        return FOTA_E_ARGUMENT;
    sim->new_baud = baud;
    sim->bauds++;
    return FOTA_OK;
}

static bool asks_to_wait(struct sim *sim, unsigned type)
{
    if (sim->later[type] == 0)
        return false;
    if (sim->later[type] != UINT_MAX)
        sim->later[type]--;
    return true;
}

static int port_may_reboot(void *ctx, unsigned where)
{
    struct sim *sim = ctx;

    (void) where;
    return asks_to_wait(sim, FOTA_LINK_REBOOT) ? FOTA_E_LATER : FOTA_OK;
}

static void install_later(struct fota_server *server, const struct fota_frame *request)
{
    struct sim *sim = server->port->ctx;
    bool waits = request->type < FOTA_LINK_BAUD && asks_to_wait(sim, request->type);

    server->waits = waits && request->type == FOTA_LINK_STATUS ? FOTA_PROGRESS_WAITS : 0;
    if (!waits || request->type == FOTA_LINK_STATUS)
        fota_server_install(server, request);
    else if (request->type == FOTA_LINK_DATA)
        fota_server_progress(server, request, FOTA_E_LATER);
    else
        fota_server_respond(server, request, FOTA_E_LATER, NULL, 0);
    if (sim->switches && server->installer->state == FOTA_INSTALL_COMPLETE) {
        sim->out.tail = sim->out.head;
        sim->rebooting = true;
        sim->reboot_at = sim->now + 5u;
    }
}

static void port_reboot(void *ctx, unsigned where)
{
    struct sim *sim = ctx;

    sim->rebooting = true;
    sim->stay_asked = where == FOTA_LINK_REBOOT_LOADER;
    sim->reboot_at = sim->now + 5u;
}

size_t sim_write(struct sim *sim, const uint8_t *data, size_t length)
{
    size_t room = SIM_LINE > sim->in.head - sim->in.tail ? SIM_LINE - (sim->in.head - sim->in.tail) : 0;

    if (length > room)
        length = room;
    put_at_rates(sim, &sim->in, data, length);
    return length;
}

size_t sim_read(struct sim *sim, uint8_t *data, size_t capacity)
{
    return sim->now < sim->busy_until ? 0 : get(&sim->out, data, capacity);
}

/* --- boot ------------------------------------------------------------------------------------- */

static int slot_view(void *ctx, unsigned slot, struct fota_slot_image *image)
{
    struct sim *sim = ctx;

    return fota_slot_check(&sim->port, slot, &sim->target, &sim->key, 1, image);
}

static void start_server(struct sim *sim, enum fota_link_mode mode)
{
    struct fota_link_info *i = &sim->info;

    memset(i, 0, sizeof *i);
    i->mode = (uint8_t) mode;
    i->slot = sim->decision.slot;
    i->flags = (uint8_t) (FOTA_INFO_CONFIGURED | (i->slot != FOTA_SLOT_NONE ? FOTA_INFO_BOOTABLE : 0));
    i->hw_revision = sim->target.hw_revision;
    memcpy(i->product, sim->target.product, sizeof i->product);
    memset(i->uid, 0x5a, sizeof i->uid);
    i->floor = sim->target.floor;
    if (i->slot != FOTA_SLOT_NONE) {
        i->version = sim->decision.image.header.version;
        memcpy(i->identity, sim->decision.image.identity, sizeof i->identity);
    }
    i->bootloader = (struct fota_version){.minor = 1};
    i->data_max = FOTA_LINK_DATA_MAX;
    memset(&sim->server, 0, sizeof sim->server);
    sim->server_port = (struct fota_server_port){
        .ctx = sim, .send = port_send, .reboot = port_reboot, .baud = sim->fixed_baud ? NULL : port_baud};
    sim->server.port = &sim->server_port;
    sim->server.journal = &sim->journal;
    sim->server.info = *i;
    sim->server.installer = &sim->installer;
    sim->server.install = mode == FOTA_MODE_BOOTLOADER ? fota_server_install : NULL;
    if (mode == FOTA_MODE_APPLICATION && sim->installs) {
        sim->server.info.flags |= FOTA_INFO_INSTALLS;
        sim->server.install = install_later;
        sim->server_port.may_reboot = port_may_reboot;
        sim->server_port.baud = NULL;
        fota_install_init(&sim->installer, &sim->journal, &sim->target, &sim->key, 1, sim->decision.slot);
    }
    sim->server.window = sim->window;
    sim->server.session = ++sim->boots * 7919u;
    fota_link_rx_init(&sim->server.rx);
}

void sim_reset(struct sim *sim, enum fota_reset_cause cause)
{
    struct fota_slot_view view = {sim, slot_view};
    bool stay = sim->stay_asked;

    if (sim->mode == SIM_OFF)
        return;
    sim->resets++;
    sim->busy_until = 0;
    sim->baud = SIM_BAUD;
    sim->new_baud = 0;
    sim->unproven = false;
    sim->in.tail = sim->in.head;
    sim->rebooting = sim->stay_asked = false;
    sim->mode = SIM_OFF; /* what runs before the port listens takes no time here */
    (void) fota_journal_open(&sim->journal, &sim->port);
    (void) fota_journal_settle(&sim->journal);
    (void) fota_journal_maintain(&sim->journal);
    fota_boot_decide(&sim->journal.state, cause, sim->target.floor, &view, &sim->decision);
    (void) fota_boot_record_reject(&sim->journal, &sim->decision);
    sim->mode = SIM_LOADER;
    sim->since = sim->heard = sim->now;
    sim->cause = cause;
    fota_install_init(&sim->installer, &sim->journal, &sim->target, &sim->key, 1, sim->decision.slot);
    start_server(sim, FOTA_MODE_BOOTLOADER);
    sim->server.stay = stay;
}

static void jump(struct sim *sim)
{
    (void) fota_boot_record_attempt(&sim->journal, &sim->decision);
    sim->mode = SIM_APP;
    sim->baud = SIM_BAUD;
    sim->since = sim->text_at = sim->now;
    sim->app = sim->decision.image.header.version.patch;
    sim->deadline = sim->decision.image.header.deadline_ms;
    sim->confirmed = sim->decision.attempt == 0;
    sim->in.tail = sim->in.head;
    if (!sim->confirmed)
        sim->trial_began = sim->now;
    start_server(sim, FOTA_MODE_APPLICATION);
}

static void confirm(struct sim *sim)
{
    struct fota_record record = {
        .type = FOTA_RECORD_CONFIRMED, .slot = sim->decision.slot, .arg = sim->decision.image.header.counter};

    memcpy(record.identity, sim->decision.image.identity, FOTA_IDENTITY_SHORT);
    if (fota_journal_append(&sim->journal, &record) != FOTA_OK)
        abort();
    sim->confirmed = true;
}

static void step_app(struct sim *sim)
{
    uint64_t ran = sim->now - sim->since;

    if (sim->text && sim->now >= sim->text_at) {
        static const char line[] = "app: \xc3\xa4ll well\r\n";

        put(&sim->out, (const uint8_t *) line, sizeof line - 1u);
        sim->text_at = sim->now + 100u;
    }
    if (sim->confirmed)
        return;
    if ((sim->app == SIM_GOOD || sim->app == SIM_UNLINKED) && ran >= sim->confirm_ms)
        confirm(sim);
    else if ((sim->app == SIM_NEVER) && ran >= sim->deadline)
        sim_reset(sim, FOTA_RESET_DEADLINE);
    else if (sim->app == SIM_FAULT && ran >= 50u)
        sim_reset(sim, FOTA_RESET_FAULT);
    else if (sim->app == SIM_HANGS && ran >= WATCHDOG_MS)
        sim_reset(sim, FOTA_RESET_WATCHDOG);
}

static bool answers(const struct sim *sim)
{
    return sim->mode == SIM_LOADER ||
           (sim->mode == SIM_APP && sim->app != SIM_HANGS && sim->app != SIM_DEAD && sim->app != SIM_UNLINKED);
}

void sim_step(struct sim *sim, uint64_t now)
{
    uint8_t byte;

    sim->now = now;
    sim->line_budget = sim->line_rate == 0  ? UINT32_MAX
                       : now > sim->line_at ? sim->line_rate * (uint32_t) (now - sim->line_at)
                                            : 0;
    sim->line_at = now;
    if (sim->mode == SIM_OFF || sim->nrst_low)
        return;
    while (sim->now >= sim->busy_until && !sim->rebooting && sim->line_budget-- > 0 && get(&sim->in, &byte, 1) == 1)
        if (answers(sim) && fota_server_feed(&sim->server, &byte, 1) > 0) {
            sim->heard = sim->now;
            sim->unproven = sim->new_baud != 0;
            if (sim->unproven)
                sim->baud = sim->new_baud;
            sim->new_baud = 0;
        }
    if (sim->mode == SIM_LOADER && now - sim->heard >= (sim->unproven                          ? FOTA_LINK_BAUD_MS
                                                        : sim->decision.slot == FOTA_SLOT_NONE ? LISTEN_MS
                                                                                               : UINT32_MAX)) {
        sim->unproven = false;
        sim->baud = SIM_BAUD;
        sim->heard = now;
        sim->reverts++;
    }
    if (sim->now < sim->busy_until)
        sim->heard = sim->now;
    else if (sim->rebooting && sim->now >= sim->reboot_at)
        sim_reset(sim, FOTA_RESET_OTHER);
    else if (sim->mode == SIM_APP)
        step_app(sim);
    else if (sim->decision.slot != FOTA_SLOT_NONE && now - sim->since >= sim->verify_ms &&
             (!sim->server.stay || now - sim->heard >= LISTEN_MS))
        jump(sim);
}

void sim_power(struct sim *sim, bool on)
{
    sim->mode = on ? SIM_LOADER : SIM_OFF;
    sim->stay_asked = false;
    sim->out.tail = sim->out.head;
    if (on)
        sim_reset(sim, FOTA_RESET_OTHER);
}

void sim_nrst(struct sim *sim, bool low)
{
    if (low && !sim->nrst_low) {
        sim->nrst_pulses++;
        if (sim->mode == SIM_APP && !sim->confirmed) {
            sim->pulses_on_trial++;
            sim->last_pulse_after = sim->now - sim->trial_began;
        }
    }
    if (!low && sim->nrst_low)
        sim_reset(sim, FOTA_RESET_OTHER);
    sim->nrst_low = low;
}

void sim_init(struct sim *sim, const struct fota_key *key, const struct fota_target *target)
{
    memset(sim, 0, sizeof *sim);
    sim->flash = malloc(FOTA_FLASH_SIZE);
    if (sim->flash == NULL)
        abort();
    memset(sim->flash, 0xff, FOTA_FLASH_SIZE);
    sim->port = (struct fota_flash){sim, flash_read, flash_program, flash_erase};
    sim->baud = SIM_BAUD;
    sim->key = *key;
    sim->target = *target;
    sim->verify_ms = 300;
    sim->erase_ms = 900;
    sim->confirm_ms = 400;
    sim->window = 6144;
}

void sim_free(struct sim *sim)
{
    free(sim->flash);
    sim->flash = NULL;
}

void sim_factory(struct sim *sim, const struct pack_buffer *package)
{
    struct pack_message error = {0};
    struct pack_input input = {"factory", package->data, package->size};
    struct pack_buffer slot = {0};

    if (pack_slot_make(&input, &sim->key, 1, FOTA_SLOT_A, &slot, &error) != FOTA_OK) {
        (void) fprintf(stderr, "factory image: %s\n", error.text);
        abort();
    }
    memcpy(sim->flash + (FOTA_SLOT_A_BASE - FOTA_FLASH_BASE), slot.data, slot.size);
    pack_buffer_free(&slot);
}

int sim_confirmed_version(const struct sim *sim)
{
    const struct fota_image_ref *c = &sim->journal.state.confirmed;
    struct fota_slot_image image;

    if (c->slot == FOTA_SLOT_NONE ||
        fota_slot_check(&sim->port, c->slot, &sim->target, &sim->key, 1, &image) != FOTA_OK)
        return -1;
    return image.header.version.major * 10000 + image.header.version.minor * 100 + image.header.version.patch;
}

/* --- packages --------------------------------------------------------------------------------- */

void sim_package(const struct pack_key *key, const struct fota_target *target, unsigned minor, unsigned patch,
                 uint32_t size, uint32_t counter, uint32_t deadline_ms, struct pack_buffer *out,
                 struct pack_result *result)
{
    struct pack_image image = {.size = size, .code = malloc(size), .relocations = malloc(size)};
    struct pack_options options = {.set = PACK_SET_PRODUCT | PACK_SET_HW | PACK_SET_VERSION | PACK_SET_COUNTER |
                                          PACK_SET_DEADLINE,
                                   .hw_min = target->hw_revision,
                                   .hw_max = target->hw_revision,
                                   .version = {.major = 1, .minor = (uint16_t) minor, .patch = (uint16_t) patch},
                                   .counter = counter,
                                   .deadline_ms = deadline_ms};
    struct pack_message error = {0};
    uint32_t random = 0x1234567u + minor * 100u + patch;

    if (image.code == NULL || image.relocations == NULL)
        abort();
    memcpy(options.product, target->product, sizeof options.product);
    for (uint32_t i = 0; i + 4u <= size; i += 4u) {
        random = random * 1664525u + 1013904223u;
        fota_put32(image.code + i, random);
        if (i >= 4u && random >> 28 == 0u) /* a pointer now and then */
            image.relocations[image.count++] = i;
    }
    fota_put32(image.code, FOTA_RAM_BASE + FOTA_RAM_SIZE);
    fota_put32(image.code + 4, FOTA_LINK_ADDRESS + 0x101u);
    if (image.count == 0 || image.relocations[0] != 4u) {
        memmove(image.relocations + 1, image.relocations, image.count * sizeof image.relocations[0]);
        image.relocations[0] = 4u;
        image.count++;
    }
    for (uint32_t i = 0; i < image.count; i++)
        if (image.relocations[i] > 4u)
            fota_put32(image.code + image.relocations[i], FOTA_LINK_ADDRESS + (image.relocations[i] & ~3u));
    if (pack_image_sign(&image, &options, key, out, result, &error) != FOTA_OK) {
        (void) fprintf(stderr, "package: %s\n", error.text);
        abort();
    }
    pack_image_free(&image);
}
