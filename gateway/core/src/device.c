/* SPDX-License-Identifier: MIT */
/* One device: its job from the download to the device's own confirmation, and a look at it now and then when there is
 * none. */
#include "gw_internal.h"

#include "fota/bytes.h"
#include "fota/error.h"
#include "gw/text.h"

#include <stdio.h>
#include <string.h>

#define WAITS_FOR_OTHER "another device's update comes first"
#define WAIT_SAID_MS 2000u /* hashing what was written takes less, and is not worth a word */

bool device_busy(const struct gw_device *d)
{
    return d->state >= GW_DOWNLOAD && d->state <= GW_JUMP;
}

bool device_seen(const struct gw_device *d, const char *job)
{
    for (unsigned i = 0; i < GW_RECENT_JOBS; i++)
        if (strcmp(d->recent[i], job) == 0)
            return true;
    return d->has_job && strcmp(d->job.id, job) == 0;
}

/* --- states ----------------------------------------------------------------------------------- */

static void enter(struct gw_device *d, enum gw_state state, const char *reason, const char *detail)
{
    d->state = state;
    (void) snprintf(d->reason, sizeof d->reason, "%s", reason);
    (void) snprintf(d->detail, sizeof d->detail, "%s", detail);
    d->waits = false;
    d->unpublished = true;
    d->progress_at = 0;
    d->progress_bytes = UINT32_MAX;
    d->rate_since = gw_now(d->gw);
    d->rate_bytes = d->pushing && state == GW_WRITE ? d->push.bytes : 0;
    gw_log(d->gw,
           state == GW_FAILED        ? GW_LOG_ERROR
           : state == GW_ROLLED_BACK ? GW_LOG_WARNING
                                     : GW_LOG_INFO,
           d->config->name, "%s%s%s%s%s", gw_state_name(state), reason[0] != '\0' ? ": " : "", reason,
           detail[0] != '\0' ? ", " : "", detail);
    (void) record_save(d); /* when it fails it is tried again with the next poll */
    report_state(d);       /* at once, so that no state is skipped while the broker is there */
}

/* Whoever looks at the job should know what it waits for. */
static void say_that_it_waits(struct gw_device *d, bool waits, const char *for_what)
{
    if (waits == d->waits)
        return;
    d->waits = waits;
    (void) snprintf(d->detail, sizeof d->detail, "%s", waits ? for_what : "");
    d->unpublished = true;
}

static void release_fetch(struct gw_device *d)
{
    d->fetch = NULL; /* gw_poll() ends it when nobody else wants it */
}

static void finish(struct gw_device *d, enum gw_state state, const char *reason, const char *detail)
{
    release_fetch(d);
    gw_reader_give(&d->reader);
    d->pushing = false;
    d->query_at = gw_now(d->gw) + GW_QUERY_SOON_MS;
    enter(d, state, reason, detail);
}

/* @return false: not recorded, and all is as it was. Its copy of a job is gone before anything is reported. */
__attribute__((noinline)) static bool take(struct gw_device *d, const struct gw_job *job)
{
    struct gw_job before = d->job;
    bool had_job = d->has_job, had_header = d->has_header;
    enum gw_state state = d->state;

    d->job = *job;
    d->has_job = true;
    d->has_header = false;
    d->state = GW_DOWNLOAD;
    memmove(d->recent[1], d->recent[0], sizeof d->recent - sizeof d->recent[0]);
    memcpy(d->recent[0], job->id, sizeof d->recent[0]);
    if (!record_save(d)) { /* what is not recorded is not accepted */
        memmove(d->recent[0], d->recent[1], sizeof d->recent - sizeof d->recent[0]);
        d->recent[GW_RECENT_JOBS - 1u][0] = '\0';
        d->job = before;
        d->has_job = had_job;
        d->has_header = had_header;
        d->state = state;
        d->unsaved = false;
        return false;
    }
    return true;
}

bool device_accept(struct gw_device *d, const struct gw_job *job)
{
    if (!take(d, job))
        return false;
    d->slot = FOTA_SLOT_NONE;
    d->download_since = gw_now(d->gw);
    enter(d, GW_DOWNLOAD, "", "");
    return true;
}

const char *device_cancel(struct gw_device *d, const char *job, char *detail, size_t capacity)
{
    if (!d->has_job || strcmp(d->job.id, job) != 0) {
        (void) snprintf(detail, capacity, "job \"%s\" is not the present job of device \"%s\"", job, d->config->name);
        return "unknown-job";
    }
    if (d->state != GW_DOWNLOAD && d->state != GW_WRITE) {
        (void) snprintf(detail, capacity, "the job is in state %s: the device decides by itself now",
                        gw_state_name(d->state));
        return "too-late";
    }
    if (d->through_rom) {
        device_rom_cancel(d); /* it ends as `cancelled` */
        return NULL;
    }
    if (d->pushing && d->push.state != GW_PUSH_ENDED) {
        if (gw_push_cancel(&d->push) != FOTA_OK && d->push.state != GW_PUSH_LEAVE) {
            (void) snprintf(detail, capacity, "the image is being verified: the device decides by itself now");
            return "too-late";
        }
        return NULL; /* the push ends as `cancelled` */
    }
    finish(d, GW_FAILED, "cancelled",
           d->state == GW_DOWNLOAD ? "cancelled before the device was touched"
                                   : "cancelled; a part of the image stays in the spare slot, until the next update");
    return NULL;
}

/* --- download --------------------------------------------------------------------------------- */

/* By a device that goes on with it. What waits itself keeps nothing: two that wait would wait for each other. */
static bool in_use(void *ctx, const uint8_t digest[GW_DIGEST_SIZE])
{
    const struct gw *gw = ctx;

    for (unsigned i = 0; i < gw->config.device_count; i++) {
        const struct gw_device *d = &gw->device[i];

        if ((d->fetch != NULL || d->reader != NULL) && memcmp(d->job.sha256, digest, GW_DIGEST_SIZE) == 0)
            return true;
    }
    return false;
}

static void attach(struct gw_device *d)
{
    struct gw *gw = d->gw;
    struct gw_fetch *free_one = NULL;
    uint32_t size = 0;
    bool complete = false;
    int room = 0;

    for (unsigned i = 0; i < GW_FETCHES_MAX; i++) {
        struct gw_fetch *f = &gw->fetch[i];

        if (f->state == GW_FETCH_FREE)
            free_one = free_one != NULL ? free_one : f;
        else if (memcmp(f->digest, d->job.sha256, GW_DIGEST_SIZE) == 0 && f->state != GW_FETCH_FAILED &&
                 (d->job.size == 0 || f->size == 0 || f->size == d->job.size)) {
            d->fetch = f;
            return;
        }
    }
    say_that_it_waits(d, free_one == NULL, WAITS_FOR_OTHER);
    if (free_one == NULL)
        return;
    (void) gw->ports.storage->stat(gw->ports.storage->ctx, d->job.sha256, &size, &complete);
    if (!complete)
        room = gw_cache_make_room(gw->ports.storage, gw->config.cache_files, gw->config.cache_bytes, d->job.sha256,
                                  d->job.size != 0 ? d->job.size : FOTA_PACKAGE_MAX, in_use, gw);
    if (room < 0) {
        finish(d, GW_FAILED, "cache-error", "the cache cannot be read, or is too small for this package");
        return;
    }
    say_that_it_waits(d, room > 0, WAITS_FOR_OTHER);
    if (room > 0)
        return;
    gw_fetch_start(free_one, &gw->fetch_env, &d->job);
    d->fetch = free_one;
}

static int package_read(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    const struct gw_device *d = ctx;
    const struct gw_storage *storage = d->gw->ports.storage;

    return storage->read(storage->ctx, d->job.sha256, offset, data, length);
}

static int code_read(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length)
{
    struct gw_device *d = ctx;

    return d->reader != NULL ? gw_package_source_read(&d->reader->as.source, slot, offset, data, length) : FOTA_E_STATE;
}

static void start_rom(struct gw_device *d)
{
    const struct gw_source source = {d, code_read};

    d->through_rom = device_rom_start(d, &source);
    if (d->through_rom)
        enter(d, GW_WRITE, "", "");
    else
        finish(d, GW_FAILED, "no-memory", "no thread can be had for the update through ST's ROM");
}

/* The device has a reader by now, or is only to be watched. */
static void start_push(struct gw_device *d)
{
    struct gw_push_job job = {.header = d->header,
                              .source = {d, code_read},
                              .retry = d->job.retry,
                              .resume = d->state == GW_WRITE    ? GW_PUSH_WRITE
                                        : d->state == GW_VERIFY ? GW_PUSH_VERIFY
                                        : d->state == GW_JUMP   ? GW_PUSH_JUMP
                                                                : GW_PUSH_ENTER,
                              .slot_known = d->slot != FOTA_SLOT_NONE,
                              .slot = d->slot};
    int error;

    if (d->querying)
        (void) gw_push_cancel(&d->push);
    d->querying = false;
    if (d->reader != NULL)
        gw_package_source_init(&d->reader->as.source, &(struct gw_bytes){d, package_read});
    if (d->config->rom != NULL && d->state != GW_JUMP) {
        start_rom(d);
        return;
    }
    error = gw_push_start(&d->push, &job);
    d->pushing = error == FOTA_OK;
    if (!d->pushing)
        finish(d, GW_FAILED, fota_error_name(error), fota_error_text(error));
}

static void step_fetch(struct gw_device *d)
{
    struct gw_fetch *f;

    if (d->fetch == NULL)
        attach(d);
    f = d->fetch;
    if (f == NULL)
        return;
    if (f->state == GW_FETCH_FAILED) {
        if (strcmp(f->url, d->job.url) != 0) {
            release_fetch(d); /* it was another device's way to the same package; ours may be better */
            return;
        }
        finish(d, GW_FAILED, f->reason, f->detail);
    } else if (f->state == GW_FETCH_DONE) {
        if (d->job.size != 0 && d->job.size != f->have) {
            char detail[96];

            (void) snprintf(detail, sizeof detail, "the package has %lu bytes, the job says %lu",
                            (unsigned long) f->have, (unsigned long) d->job.size);
            finish(d, GW_FAILED, f->have > d->job.size ? "too-long" : "too-short", detail);
            return;
        }
        d->reader = gw_reader_take(&d->gw->fetch_env.readers);
        say_that_it_waits(d, d->reader == NULL, WAITS_FOR_OTHER);
        if (d->reader == NULL)
            return;
        memcpy(d->header, f->header, FOTA_HEADER_SIZE);
        d->has_header = true;
        if (d->state == GW_DOWNLOAD)
            report_progress(d, f->have, f->have);
        release_fetch(d);
        d->unpublished = true;
        start_push(d);
    } else {
        say_that_it_waits(d, f->state == GW_FETCH_CHECK && f->waits, WAITS_FOR_OTHER);
        if (d->state == GW_DOWNLOAD && f->state != GW_FETCH_CHECK)
            report_progress(d, f->have, f->total);
    }
}

/* --- push ------------------------------------------------------------------------------------- */

static void take_info(struct gw_device *d)
{
    const struct fota_link_info *new = &d->push.info, *old = &d->info;

    if (d->push.info_count == d->info_count)
        return;
    d->info_count = d->push.info_count;
    if (!d->contact || new->mode != old->mode || new->slot != old->slot || new->confirmed_slot != old->confirmed_slot ||
        new->trial != old->trial || new->fault_pc != old->fault_pc || new->fault_lr != old->fault_lr ||
        new->floor != old->floor || new->hw_revision != old->hw_revision ||
        memcmp(new->identity, old->identity, FOTA_IDENTITY_SIZE) != 0 ||
        memcmp(new->product, old->product, FOTA_PRODUCT_SIZE) != 0 || memcmp(new->uid, old->uid, FOTA_UID_SIZE) != 0)
        d->unpublished = true;
    d->contact = true;
    d->info = *new;
}

static void step_push(struct gw_device *d)
{
    static const enum gw_state state_of[] = {[GW_PUSH_ENTER] = GW_DOWNLOAD,
                                             [GW_PUSH_WRITE] = GW_WRITE,
                                             [GW_PUSH_VERIFY] = GW_VERIFY,
                                             [GW_PUSH_JUMP] = GW_JUMP};
    const struct gw_push *push = &d->push;

    take_info(d);
    if (push->slot != FOTA_SLOT_NONE)
        d->slot = push->slot;
    switch (push->state) {
    case GW_PUSH_ENTER:
    case GW_PUSH_WRITE:
    case GW_PUSH_VERIFY:
    case GW_PUSH_JUMP:
        if (d->state != state_of[push->state])
            enter(d, state_of[push->state], "", "");
        if (push->state == GW_PUSH_WRITE)
            report_progress(d, push->bytes, push->total);
        say_that_it_waits(d, push->later_since != 0 && gw_now(d->gw) - push->later_since >= WAIT_SAID_MS,
                          "the application asks to wait");
        if (push->state == GW_PUSH_JUMP) /* watching a trial takes no code */
            gw_reader_give(&d->reader);
        break;
    case GW_PUSH_ENDED:
        finish(d,
               push->outcome == GW_PUSH_CONFIRMED     ? GW_CONFIRMED
               : push->outcome == GW_PUSH_ROLLED_BACK ? GW_ROLLED_BACK
                                                      : GW_FAILED,
               push->reason, push->detail);
        break;
    default:
        break;
    }
}

/* --- through ST's ROM ------------------------------------------------------------------------- */

static void step_rom(struct gw_device *d)
{
    const char *reason = "", *detail = "";
    uint32_t bytes;
    enum device_rom_state state = device_rom_poll(d, &bytes, &reason, &detail);

    if (state == DEVICE_ROM_VERIFIES && d->state == GW_WRITE)
        enter(d, GW_VERIFY, "", "");
    if (state == DEVICE_ROM_WRITES && bytes > 0)
        report_progress(d, bytes, fota_get32(d->header + offsetof(struct fota_header, image_size)));
    if (state != DEVICE_ROM_DONE && state != DEVICE_ROM_FAILED)
        return;
    d->through_rom = false;
    gw_reader_give(&d->reader);
    if (state == DEVICE_ROM_FAILED) {
        finish(d, GW_FAILED, reason, detail);
        return;
    }
    enter(d, GW_JUMP, "", ""); /* the device starts: its bootloader verifies the image, and tries it */
    start_push(d);
}

/* --- nothing under way ------------------------------------------------------------------------ */

static void step_query(struct gw_device *d)
{
    uint64_t now = gw_now(d->gw);

    if (!d->querying) {
        if (!device_busy(d) && now >= d->query_at && gw_push_query(&d->push, false) == FOTA_OK)
            d->querying = true;
        return;
    }
    if (d->push.state != GW_PUSH_ENDED)
        return;
    d->querying = false;
    take_info(d);
    if (d->push.outcome == GW_PUSH_ANSWERED) {
        char version[GW_VERSION_TEXT];

        gw_version_text(&d->info.version, version);
        if (d->silent || d->info_count == 1u)
            gw_log(d->gw, GW_LOG_INFO, d->config->name, "%s, version %s in slot %c",
                   d->info.mode == FOTA_MODE_BOOTLOADER ? "its bootloader answers" : "answers", version,
                   d->info.slot == FOTA_SLOT_A   ? 'A'
                   : d->info.slot == FOTA_SLOT_B ? 'B'
                                                 : '-');
        d->silent = false;
        if (d->info.mode == FOTA_MODE_BOOTLOADER && ++d->loader_seen > 1u)
            d->query_at = now + GW_QUERY_LOADER_MS; /* it stays: let it go on by itself */
        else if (d->info.mode == FOTA_MODE_BOOTLOADER || d->info.trial != FOTA_TRIAL_NONE)
            d->query_at = now + GW_QUERY_TRIAL_MS;
        else
            d->query_at = now + GW_QUERY_MS;
        if (d->info.mode != FOTA_MODE_BOOTLOADER)
            d->loader_seen = 0;
    } else {
        if (!d->silent)
            gw_log(d->gw, GW_LOG_WARNING, d->config->name, "%s", d->push.detail);
        d->silent = true;
        d->query_at = now + GW_QUERY_SILENT_MS;
    }
}

/* --- all together ----------------------------------------------------------------------------- */

static void on_text(void *ctx, const char *line)
{
    const struct gw_device *d = ctx;

    gw_log(d->gw, GW_LOG_INFO, d->config->name, "prints: %s", line);
}

static void on_log(void *ctx, enum gw_log_level level, const char *message)
{
    const struct gw_device *d = ctx;

    gw_log(d->gw, level, d->config->name, "%s", message);
}

void device_init(struct gw_device *d)
{
    d->slot = FOTA_SLOT_NONE;
    d->progress_bytes = UINT32_MAX;
    gw_push_init(&d->push, &(struct gw_push_ports){.link = d->config->link,
                                                   .pins = d->config->pins,
                                                   .clock = d->gw->ports.clock,
                                                   .baud = d->config->baud,
                                                   .baud_max = d->config->baud_max,
                                                   .loader_only = d->config->loader_only,
                                                   .debug_frames = d->gw->config.debug_frames,
                                                   .ctx = d,
                                                   .text = on_text,
                                                   .log = on_log});
    record_load(d);
    d->unpublished = true;
    d->query_at = d->download_since = d->rate_since = gw_now(d->gw);
    if (device_busy(d))
        gw_log(d->gw, GW_LOG_INFO, d->config->name, "going on with job %s in state %s", d->job.id,
               gw_state_name(d->state));
    if (d->state == GW_JUMP)
        start_push(d); /* to watch the trial the package is not needed */
}

/* While nobody talks to the device its text still goes to the log. */
static void listen(struct gw_device *d)
{
    if (d->push.open && (d->push.state == GW_PUSH_IDLE || d->push.state == GW_PUSH_ENDED))
        gw_push_listen(&d->push);
}

uint32_t device_poll(struct gw_device *d)
{
    uint64_t now;
    uint32_t wait;

    if (d->through_rom) {
        step_rom(d);
        if (d->unsaved)
            (void) record_save(d);
        if (d->unpublished)
            report_state(d);
        return GW_ROM_POLL_MS;
    }
    if (device_busy(d) && !d->pushing)
        step_fetch(d);
    step_query(d);
    listen(d);
    wait = gw_push_poll(&d->push);
    if (d->pushing)
        step_push(d);
    else if (d->querying && d->push.state == GW_PUSH_ENDED)
        step_query(d);
    if (d->unsaved)
        (void) record_save(d);
    if (d->unpublished)
        report_state(d);
    now = gw_now(d->gw);
    if (d->unsaved && wait > 1000u)
        wait = 1000u;
    if (device_busy(d) && !d->pushing && wait > 200u)
        wait = 200u; /* waits for a fetch, which is polled beside it */
    if (!device_busy(d) && !d->querying) {
        uint32_t query = d->query_at > now ? (uint32_t) (d->query_at - now) : 0u;

        wait = wait < query ? wait : query;
    }
    return wait;
}
