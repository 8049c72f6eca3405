/* SPDX-License-Identifier: MIT */
#include "gw/self.h"

#include "fota/bytes.h"
#include "fota/crc32.h"

#include <string.h>

#define RECORD "self"
#define FORMAT 1u
#define HEAD 4u /* of BEGIN and DATA */

_Static_assert(sizeof(struct gw_self_record) == 116u, "the record has no padding");

static uint64_t now(const struct gw_self *self)
{
    return self->config.clock->monotonic_ms(self->config.clock->ctx);
}

/* --- the record --------------------------------------------------------------------------------- */

/* What the server tells of: the record in the words of a journal. */
static void tell(struct gw_self *self)
{
    const struct gw_self_record *r = &self->record;
    struct fota_boot_state *state = &self->journal.state;
    struct fota_link_info *info = &self->server.info;
    bool candidate = r->trial == FOTA_TRIAL_RUNNING;

    state->confirmed.slot = r->confirmed_slot;
    state->trial = r->trial;
    state->attempts = r->attempts;
    state->floor = r->floor;
    state->reject_count = r->reason != FOTA_OK;
    state->rejects[0].reason = r->reason;
    memcpy(state->rejects[0].identity, r->rejected, sizeof r->rejected);
    memcpy(info->identity, candidate ? r->candidate : r->confirmed, sizeof info->identity);
}

static bool save(struct gw_self *self)
{
    const struct gw_storage *storage = self->config.storage;

    tell(self);
    self->unsaved = storage->put(storage->ctx, RECORD, &self->record, sizeof self->record) != 0;
    return !self->unsaved;
}

static void no_candidate(struct gw_self *self)
{
    self->record.trial = FOTA_TRIAL_NONE;
    self->record.attempts = 0;
    self->record.starts = 0;
}

static void reject(struct gw_self *self, int reason)
{
    self->record.reason = (int16_t) reason;
    memcpy(self->record.rejected, self->record.candidate, sizeof self->record.rejected);
    no_candidate(self);
}

/* @return false: it cannot be read. */
static bool load(struct gw_self *self)
{
    const struct gw_storage *storage = self->config.storage;
    struct gw_self_record *r = &self->record;
    int length = storage->get(storage->ctx, RECORD, r, sizeof *r);

    if (length == (int) sizeof *r && r->format == FORMAT)
        return true;
    memset(r, 0, sizeof *r);
    r->format = FORMAT;
    r->confirmed_slot = self->config.slot;
    return length >= 0;
}

/* What runs is the confirmed one, unless somebody wrote another over a cable, or what starts programs took the other
 * place, because this one was damaged. Then its identity is not known. */
static void know_confirmed(struct gw_self *self)
{
    struct gw_self_record *r = &self->record;
    const struct fota_version *v = &self->config.version;

    if (r->confirmed_slot == self->config.slot && memcmp(&r->version, v, sizeof *v) == 0)
        return;
    memset(r->confirmed, 0, sizeof r->confirmed);
    r->confirmed_slot = self->config.slot;
    r->version = *v;
}

/* What became of the candidate. Where end() was not reached it is not rejected, and just not there. */
static void look_back(struct gw_self *self)
{
    struct gw_self_record *r = &self->record;

    if (r->trial != FOTA_TRIAL_NONE && r->candidate_slot == self->config.slot) {
        r->trial = FOTA_TRIAL_RUNNING;
        r->attempts++;
        return;
    }
    if (r->trial == FOTA_TRIAL_RUNNING || r->starts != 0) /* the latter: it did not even get to its record */
        reject(self, FOTA_E_RESETS);
    no_candidate(self);
    know_confirmed(self);
}

/* --- requests ----------------------------------------------------------------------------------- */

static int check_header(struct gw_self *self, const uint8_t raw[FOTA_HEADER_SIZE])
{
    const struct gw_self_config *c = &self->config;
    struct fota_target target = c->target;
    int error = fota_header_decode_any(raw, &self->in.header);

    if (self->record.floor > target.floor)
        target.floor = self->record.floor;
    if (error == FOTA_OK && self->in.header.flags != FOTA_FLAG_GATEWAY)
        error = FOTA_E_FLAGS;
    if (error == FOTA_OK)
        error = fota_header_fits(&self->in.header, &target);
    return error == FOTA_OK ? fota_header_verify(raw, c->keys, c->key_count) : error;
}

static int begin(struct gw_self *self, const uint8_t raw[FOTA_HEADER_SIZE], bool retry)
{
    struct gw_self_record *r = &self->record;
    struct fota_installer *in = &self->in;
    int error;

    in->state = FOTA_INSTALL_IDLE;
    if (r->trial == FOTA_TRIAL_RUNNING || self->restart_at != 0)
        return FOTA_E_BUSY;
    error = check_header(self, raw);
    if (error != FOTA_OK)
        return error;
    fota_header_identity(raw, in->identity);
    if (r->reason != FOTA_OK && memcmp(r->rejected, in->identity, sizeof r->rejected) == 0 && !retry)
        return FOTA_E_REJECTED;
    in->slot = self->config.slot == FOTA_SLOT_A ? FOTA_SLOT_B : FOTA_SLOT_A;
    if (r->trial == FOTA_TRIAL_PENDING && memcmp(r->candidate, in->identity, sizeof r->candidate) == 0) {
        in->next = in->header.image_size;
        in->state = FOTA_INSTALL_COMPLETE;
        return FOTA_OK;
    }
    if (!self->confirmed) /* what does not know that it works writes nothing over the one that did */
        return FOTA_E_LATER;
    no_candidate(self);
    in->next = 0;
    if (!save(self))
        return FOTA_E_IO;
    error = self->port->begin(self->port->ctx, in->header.image_size);
    if (error != FOTA_OK)
        return error;
    fota_sha256_init(&self->hash);
    self->crc = 0;
    in->state = FOTA_INSTALL_RECEIVING;
    return FOTA_OK;
}

static int data(struct gw_self *self, uint32_t offset, const uint8_t *bytes, uint32_t length)
{
    struct fota_installer *in = &self->in;
    int error;

    if (in->state != FOTA_INSTALL_RECEIVING)
        return FOTA_E_STATE;
    if (offset != in->next)
        return FOTA_E_OFFSET;
    if (length % 4u != 0 || length > in->header.image_size - offset)
        return FOTA_E_ARGUMENT;
    error = self->port->write(self->port->ctx, bytes, length);
    if (error != FOTA_OK) {
        in->state = FOTA_INSTALL_IDLE;
        return error;
    }
    fota_sha256_update(&self->hash, bytes, length);
    self->crc = fota_crc32(self->crc, bytes, length);
    in->next += length;
    return FOTA_OK;
}

static int check_image(struct gw_self *self)
{
    const struct fota_header *h = &self->in.header;
    uint8_t sha256[FOTA_SHA256_SIZE];

    if (self->crc != h->crc[self->in.slot])
        return FOTA_E_CRC;
    fota_sha256_out(&self->hash, sha256);
    return memcmp(sha256, h->sha256[self->in.slot], sizeof sha256) == 0 ? FOTA_OK : FOTA_E_HASH;
}

/* The record comes first: a program that starts must know that it is on its trial. */
static int finish(struct gw_self *self)
{
    struct gw_self_record *r = &self->record;
    struct fota_installer *in = &self->in;
    int error;

    if (in->state == FOTA_INSTALL_COMPLETE)
        return FOTA_OK;
    if (in->state != FOTA_INSTALL_RECEIVING)
        return FOTA_E_STATE;
    if (in->next != in->header.image_size)
        return FOTA_E_INCOMPLETE;
    in->state = FOTA_INSTALL_IDLE;
    error = check_image(self);
    if (error != FOTA_OK)
        return error;
    r->trial = FOTA_TRIAL_PENDING;
    r->attempts = 0;
    r->candidate_slot = in->slot;
    r->counter = in->header.counter;
    r->deadline_ms = in->header.deadline_ms;
    memcpy(r->candidate, in->identity, sizeof r->candidate);
    error = save(self) ? self->port->end(self->port->ctx) : FOTA_E_IO;
    if (error == FOTA_OK) {
        in->state = FOTA_INSTALL_COMPLETE;
        r->starts = 1;
        (void) save(self);
        return FOTA_OK;
    }
    no_candidate(self);
    (void) save(self);
    return error;
}

static void install(struct fota_server *server, const struct fota_frame *request)
{
    struct gw_self *self = server->port->ctx;
    const uint8_t *p = request->payload;
    int error = FOTA_E_TRUNCATED;

    if (request->type == FOTA_LINK_BEGIN) {
        if (request->length >= HEAD + FOTA_HEADER_SIZE)
            error = begin(self, p + HEAD, (p[0] & FOTA_LINK_BEGIN_RETRY) != 0);
        server->session += error == FOTA_OK ? 1u : 0u;
    } else if (request->type < FOTA_LINK_DATA || request->type > FOTA_LINK_ABORT) {
        error = FOTA_E_UNKNOWN;
    } else if (request->session != server->session) {
        error = FOTA_E_SESSION;
    } else if (request->type == FOTA_LINK_DATA) {
        if (request->length > HEAD)
            error = data(self, fota_get32(p), p + HEAD, (uint32_t) request->length - HEAD);
    } else if (request->type == FOTA_LINK_FINISH) {
        fota_server_respond(server, request, finish(self), NULL, 0);
        return;
    } else if (request->type == FOTA_LINK_STATUS) {
        error = FOTA_OK;
    } else {
        self->in.state = FOTA_INSTALL_IDLE;
        fota_server_respond(server, request, FOTA_OK, NULL, 0);
        return;
    }
    if (error == FOTA_OK || error == FOTA_E_OFFSET)
        fota_server_progress(server, request, error);
    else
        fota_server_respond(server, request, error, NULL, 0);
}

static int may_reboot(void *ctx, unsigned where)
{
    (void) ctx;
    return where == FOTA_LINK_REBOOT_NORMAL ? FOTA_OK : FOTA_E_UNKNOWN; /* there is no bootloader to stay in */
}

static void reboot(void *ctx, unsigned where)
{
    struct gw_self *self = ctx;

    (void) where;
    if (self->restart_at == 0)
        self->restart_at = now(self) + GW_SELF_RESTART_MS;
}

/* --- the line ----------------------------------------------------------------------------------- */

/* An answer for which there is no room is lost, as on any line. */
static void server_send(void *ctx, const uint8_t *bytes, size_t length)
{
    struct gw_self *self = ctx;

    if (self->head - self->tail + length > GW_SELF_FIFO)
        return;
    for (size_t i = 0; i < length; i++)
        self->fifo[self->head++ % GW_SELF_FIFO] = bytes[i];
}

static int link_open(void *ctx, uint32_t baud)
{
    struct gw_self *self = ctx;

    (void) baud;
    self->tail = self->head;
    fota_link_rx_init(&self->server.rx);
    return 0;
}

static void link_close(void *ctx)
{
    (void) ctx;
}

static int link_read(void *ctx, uint8_t *bytes, size_t capacity)
{
    struct gw_self *self = ctx;
    size_t n = 0;

    while (n < capacity && self->tail != self->head)
        bytes[n++] = self->fifo[self->tail++ % GW_SELF_FIFO];
    return (int) n;
}

static int link_write(void *ctx, const uint8_t *bytes, size_t length)
{
    struct gw_self *self = ctx;

    (void) fota_server_feed(&self->server, bytes, length);
    return (int) length;
}

/* --- for the owner ------------------------------------------------------------------------------ */

static void fill_info(struct gw_self *self)
{
    const struct gw_self_config *c = &self->config;
    struct fota_link_info *info = &self->server.info;

    info->mode = FOTA_MODE_APPLICATION;
    info->slot = c->slot;
    info->flags = FOTA_INFO_CONFIGURED | FOTA_INFO_BOOTABLE | FOTA_INFO_INSTALLS;
    info->hw_revision = c->target.hw_revision;
    memcpy(info->product, c->target.product, sizeof info->product);
    memcpy(info->uid, c->uid, sizeof info->uid);
    info->floor = c->target.floor;
    info->version = c->version;
    info->data_max = FOTA_LINK_DATA_MAX;
}

int gw_self_init(struct gw_self *self, const struct gw_self_config *config, const struct gw_self_port *port)
{
    memset(self, 0, sizeof *self);
    self->config = *config;
    self->port = port;
    self->link = (struct gw_link){
        .ctx = self, .open = link_open, .close = link_close, .read = link_read, .write = link_write, .poll_ms = 1};
    self->server_port =
        (struct fota_server_port){.ctx = self, .send = server_send, .may_reboot = may_reboot, .reboot = reboot};
    self->in.slot = FOTA_SLOT_NONE;
    self->server.port = &self->server_port;
    self->server.journal = &self->journal;
    self->server.installer = &self->in;
    self->server.install = install;
    self->server.window = GW_SELF_WINDOW;
    self->server.session = (uint32_t) config->clock->unix_ms(config->clock->ctx) | 1u; /* differs from boot to boot */
    fota_link_rx_init(&self->server.rx);
    fill_info(self);
    self->since = now(self);
    self->on_trial = port->on_trial(port->ctx);
    if (!load(self)) {
        tell(self);
        return FOTA_E_IO;
    }
    look_back(self);
    return save(self) ? FOTA_OK : FOTA_E_IO;
}

/* Whatever the record says: it may have been lost, and a program that works stays. */
void gw_self_healthy(struct gw_self *self)
{
    struct gw_self_record *r = &self->record;

    if (self->confirmed || self->port->confirm(self->port->ctx) != FOTA_OK)
        return;
    self->confirmed = true;
    self->on_trial = false;
    if (r->trial != FOTA_TRIAL_RUNNING)
        return;
    if (memcmp(r->rejected, r->candidate, sizeof r->rejected) == 0)
        r->reason = FOTA_OK; /* an operator asked for it once more, and was right */
    r->confirmed_slot = self->config.slot;
    r->version = self->config.version;
    memcpy(r->confirmed, r->candidate, sizeof r->confirmed);
    if (r->counter > r->floor)
        r->floor = r->counter;
    no_candidate(self);
    (void) save(self);
}

static bool too_late(const struct gw_self *self)
{
    bool recorded = self->record.trial == FOTA_TRIAL_RUNNING;

    return (recorded || self->on_trial) &&
           now(self) - self->since > (recorded ? self->record.deadline_ms : GW_SELF_DEADLINE_MS);
}

bool gw_self_poll(struct gw_self *self)
{
    if (self->unsaved)
        (void) save(self);
    return too_late(self) || (self->restart_at != 0 && now(self) >= self->restart_at);
}

void gw_self_restart(struct gw_self *self)
{
    bool back = too_late(self);

    if (back && self->record.trial == FOTA_TRIAL_RUNNING) {
        reject(self, FOTA_E_DEADLINE);
        (void) save(self);
    }
    self->port->restart(self->port->ctx, back);
}
