/* SPDX-License-Identifier: MIT */
/* What the device answers, and what follows from it. */
#include "push_internal.h"

#include "fota/bytes.h"
#include "fota/install.h"
#include "gw/text.h"

#include <string.h>

#define REBOOT_TRIES 3u

/* --- who is there ----------------------------------------------------------------------------- */

static bool fits(struct gw_push *push)
{
    const struct fota_link_info *info = &push->info;
    const struct fota_header *h = &push->header;
    struct fota_target target = {.hw_revision = info->hw_revision, .floor = info->floor};
    int error = (info->flags & FOTA_INFO_CONFIGURED) != 0 ? FOTA_OK : FOTA_E_CONFIG;
    char image[GW_UUID_TEXT], device[GW_UUID_TEXT];

    gw_uuid_text(h->product, image);
    gw_uuid_text(info->product, device);
    memcpy(target.product, info->product, FOTA_PRODUCT_SIZE);
    if (error == FOTA_OK)
        error = fota_header_fits(h, &target);
    if (error == FOTA_E_HW_REVISION)
        push_detail(push,
                    "the image is for hardware revisions %u to %u, the device is revision %u: pick the "
                    "release for this hardware",
                    h->hw_min, h->hw_max, info->hw_revision);
    else if (error == FOTA_E_FLOOR)
        push_detail(push,
                    "security counter %lu of the image is below the floor %lu of the device: pick a newer release",
                    (unsigned long) h->counter, (unsigned long) info->floor);
    else if (error == FOTA_E_PRODUCT)
        push_detail(push, "the image is for product %s, the device is %s: pick the release for this product", image,
                    device);
    else if (error != FOTA_OK)
        push_detail(push, "%s", fota_error_text(error));
    if (error != FOTA_OK)
        push_fail(push, fota_error_name(error), error);
    return error == FOTA_OK;
}

bool push_is_target(const struct gw_push *push)
{
    return push->info.slot != FOTA_SLOT_NONE && memcmp(push->info.identity, push->identity, FOTA_IDENTITY_SIZE) == 0;
}

bool push_was_rejected(const struct gw_push *push)
{
    return push->info.last_reason != FOTA_OK &&
           memcmp(push->info.last_identity, push->identity, FOTA_IDENTITY_SHORT) == 0;
}

static const uint8_t boot_normal = FOTA_LINK_REBOOT_NORMAL;

/* An application that installs images while it runs. Where its journal is full it cannot help: the bootloader makes
 * room. */
static bool installs(const struct gw_push *push)
{
    return push->info.mode == FOTA_MODE_APPLICATION && (push->info.flags & FOTA_INFO_INSTALLS) != 0 &&
           !push->made_room && !push->ports.loader_only;
}

/* The application asks to wait: `phase` again in a while. The state's own limit does not count meanwhile. */
static void later(struct gw_push *push, enum push_phase phase, uint32_t ms)
{
    uint64_t now = push_now(push);

    if (push->later_since == 0) {
        push->later_since = now;
        push_log(push, GW_LOG_DEBUG, "the application asks to wait");
    } else if (now - push->later_since >= GW_PUSH_LATER_LIMIT_MS) {
        push_detail(push, "the application has asked to wait for %u minutes%s", GW_PUSH_LATER_LIMIT_MS / 60000u,
                    push->state == GW_PUSH_JUMP ? "; the image is installed, and is tried at the next reset" : "");
        push_fail(push, fota_error_name(FOTA_E_LATER), FOTA_E_LATER);
        return;
    }
    push->state_since = push->progress_since = push->trial_since = now;
    push->later_phase = (uint8_t) phase;
    push->later_ms = ms;
    push_phase(push, PHASE_LATER);
}

/* An answer to INFO while the bootloader is to be reached. */
static void met(struct gw_push *push)
{
    const struct fota_link_info *info = &push->info;
    bool target = push_is_target(push);
    bool loader = info->mode == FOTA_MODE_BOOTLOADER;

    if (!fits(push))
        return;
    if (target && info->trial == FOTA_TRIAL_NONE && info->confirmed_slot == info->slot &&
        (!push->job.force || push->state == GW_PUSH_VERIFY)) {
        push->bytes = push->total;
        push_detail(push, "the device runs this image and has confirmed it");
        push_end(push, GW_PUSH_CONFIRMED, "", FOTA_OK);
    } else if (info->trial == FOTA_TRIAL_RUNNING && target) {
        push_log(push, GW_LOG_INFO, "the device is on its trial of this image already");
        push->slot = info->slot;
        push_trial_start(push);
        if (!loader)
            push_phase(push, PHASE_WATCH);
    } else if (info->trial == FOTA_TRIAL_RUNNING) {
        if (push->phase == PHASE_WAIT)
            return;
        push_log(push, GW_LOG_INFO, "another image is on its trial (attempt %u), waiting for its end", info->attempts);
        push_phase(push, PHASE_WAIT);
        if (loader) /* it was asked to stay, between two attempts: let it go on */
            push_send(push, FOTA_LINK_REBOOT, &boot_normal, 1);
    } else if (push->state == GW_PUSH_VERIFY && info->trial == FOTA_TRIAL_NONE && push_was_rejected(push)) {
        push_trial_start(push); /* it was complete, tried and rejected while nobody looked */
        push_trial_info(push);
    } else if (loader) {
        push_rate_up(push);
    } else if (installs(push)) {
        push_phase(push, PHASE_BEGIN);
    } else if (push->phase == PHASE_ASK || push->phase == PHASE_WAIT ||
               (push->phase == PHASE_HELLO && push_since(push, push->phase_since) > 1000u)) {
        if (++push->reboots > REBOOT_TRIES) {
            push_pulse(push);
            push->reboots = 0;
            push_phase(push, PHASE_HELLO);
        } else {
            push_phase(push, PHASE_LOADER);
        }
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Progress out of an answer, bounded. @return false when it makes no sense. */
static bool take_progress(struct gw_push *push, const uint8_t *body, size_t length, struct fota_link_progress *progress)
{
    if (fota_link_progress_decode(body, length, progress) != FOTA_OK || progress->next > push->total ||
        progress->next % 4u != 0 || (progress->state != FOTA_INSTALL_IDLE && progress->slot >= FOTA_SLOT_COUNT)) {
        push_log(push, GW_LOG_WARNING, "an answer about the progress makes no sense, dropped");
        return false;
    }
    if (progress->credit > push->total)
        progress->credit = push->total;
    return true;
}

/* The session is over there: a reset, or another BEGIN. At its own rate it may run what was written already, and be on
 * its trial; the bootloader alone has another rate. */
static void begin_again(struct gw_push *push)
{
    push_phase(push, push->rate == push_base(push) ? PHASE_ASK : PHASE_BEGIN);
}

static void moved(struct gw_push *push, const struct fota_link_progress *progress)
{
    push->next = push->bytes = progress->next;
    push->credit = progress->credit;
    if (push->sent < push->next)
        push->sent = push->next;
    if (push->next > push->high) {
        push->high = push->next;
        push->rebegins = 0;
        push->progress_since = push_now(push);
    }
    if (push->next == push->total) {
        push_state(push, GW_PUSH_VERIFY);
        push_phase(push, PHASE_FINISH);
    }
}

static void on_begin(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body,
                     size_t length)
{
    struct fota_link_progress progress;
    bool trial = status == FOTA_E_BUSY && push->state != GW_PUSH_ENTER; /* of this image? */

    if (status == FOTA_E_UNKNOWN || (trial && ++push->rebegins <= GW_PUSH_REBEGIN_LIMIT)) {
        push_phase(push, PHASE_ASK); /* it has booted in between */
    } else if (status == FOTA_E_LATER) {
        later(push, PHASE_BEGIN, GW_PUSH_LATER_MS);
    } else if (status == FOTA_E_JOURNAL_FULL && !push->made_room) {
        push->made_room = true;
        push_phase(push, PHASE_LOADER);
    } else if (status == FOTA_E_REJECTED) {
        push_detail(push, "the device has rejected this image before%s%s: repair it, or ask for a retry",
                    push_was_rejected(push) ? ", because of " : "",
                    push_was_rejected(push) ? fota_error_name(push->info.last_reason) : "");
        push_fail(push, fota_error_name(status), status);
    } else if (status != FOTA_OK) {
        push_fail_core(push, "the device refused to begin", status);
    } else if (take_progress(push, body, length, &progress) && progress.state != FOTA_INSTALL_IDLE &&
               frame->session != 0) {
        if (++push->rebegins > GW_PUSH_REBEGIN_LIMIT) {
            push_detail(push, "begun %u times without a byte of progress at offset %lu", GW_PUSH_REBEGIN_LIMIT,
                        (unsigned long) push->high);
            push_fail(push, "stalled", FOTA_OK);
            return;
        }
        push->later_since = 0;
        if (push->slot == FOTA_SLOT_NONE)
            push->resumed_at = progress.next;
        push->session = frame->session;
        push->begin_tag = frame->tag;
        push->slot = progress.slot;
        push->sent = progress.next;
        push->went_back = false;
        memset(push->flight, 0xff, sizeof push->flight);
        push_log(push, GW_LOG_INFO, "writing slot %c from offset %lu of %lu", progress.slot == FOTA_SLOT_A ? 'A' : 'B',
                 (unsigned long) progress.next, (unsigned long) push->total);
        push_state(push, GW_PUSH_WRITE);
        push_phase(push, PHASE_DATA);
        moved(push, &progress);
    }
}

static void on_data(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body,
                    size_t length)
{
    uint32_t offset = push->flight[frame->tag % GW_PUSH_FLIGHT].offset;
    bool known = push->flight[frame->tag % GW_PUSH_FLIGHT].tag == frame->tag && offset != UINT32_MAX;
    struct fota_link_progress progress;

    if (!known)
        return; /* of an earlier session, or twice */
    if (status == FOTA_E_SESSION || status == FOTA_E_STATE) {
        begin_again(push);
    } else if (status == FOTA_E_UNKNOWN) {
        push_phase(push, PHASE_ASK);
    } else if (status == FOTA_E_JOURNAL_FULL && !push->made_room) {
        push->made_room = true;
        push_phase(push, PHASE_LOADER);
    } else if (status == FOTA_E_LATER) {
        if (push->phase == PHASE_DATA)
            later(push, PHASE_STATUS, GW_PUSH_LATER_MS);
    } else if (status != FOTA_OK && status != FOTA_E_OFFSET) {
        push_fail_core(push, "the device could not write", status);
    } else if (frame->session == push->session && take_progress(push, body, length, &progress)) {
        if (progress.state == FOTA_INSTALL_IDLE) {
            begin_again(push);
            return;
        }
        if (progress.next >= push->next) /* an older answer that was overtaken says nothing new */
            moved(push, &progress);
        if (status == FOTA_E_OFFSET && offset > progress.next && push->phase == PHASE_DATA &&
            !(push->went_back && push->back_to == progress.next && (int8_t) (frame->tag - push->back_tag) < 0)) {
            push->went_back = true;
            push->back_to = push->sent = progress.next;
            push->back_tag = (uint8_t) (push->tag + 1u);
            push->stats.resent++;
        }
    }
}

static void on_status(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body,
                      size_t length)
{
    struct fota_link_progress progress;

    if (status == FOTA_E_UNKNOWN) {
        push_phase(push, PHASE_ASK);
    } else if (status != FOTA_OK) {
        begin_again(push);
    } else if (frame->session == push->session && take_progress(push, body, length, &progress)) {
        if (progress.state == FOTA_INSTALL_IDLE) {
            begin_again(push);
            return;
        }
        if ((progress.flags & FOTA_PROGRESS_WAITS) != 0) {
            later(push, PHASE_STATUS, GW_PUSH_LATER_MS);
            return;
        }
        push->later_since = 0;
        push->sent = progress.next;
        push->went_back = false;
        push->stats.resent++;
        push_phase(push, PHASE_DATA);
        moved(push, &progress);
    }
}

static void on_finish(struct gw_push *push, const struct fota_frame *frame, int status)
{
    if (status == FOTA_OK && frame->session == push->session) {
        push->later_since = 0;
        push_trial_start(push);
    } else if (status == FOTA_E_LATER) {
        later(push, PHASE_FINISH, GW_PUSH_HASHES_MS);
    } else if (status == FOTA_E_SESSION || status == FOTA_E_STATE) {
        begin_again(push);
    } else if (status == FOTA_E_JOURNAL_FULL && !push->made_room) {
        push->made_room = true;
        push_phase(push, PHASE_LOADER);
    } else if (status == FOTA_E_INCOMPLETE) {
        push_state(push, GW_PUSH_WRITE);
        push_phase(push, PHASE_STATUS);
    } else if (status == FOTA_E_UNKNOWN) {
        push_phase(push, PHASE_ASK);
    } else if (status == FOTA_E_FLASH && !push->begun_anew) {
        push->begun_anew =
            true; /* the header of another signature stands there (install.c): the sector is erased anew */
        push->high = 0;
        push_phase(push, PHASE_BEGIN);
    } else if (status != FOTA_OK) {
        push_fail_core(push, "the device did not accept what was written", status);
    }
}

void push_on_log(struct gw_push *push, int status, const uint8_t *body, size_t length)
{
    push->reject_count = 0;
    for (size_t at = 0;
         status == FOTA_OK && at + FOTA_LINK_REJECT_SIZE <= length && push->reject_count < GW_PUSH_REJECTS;
         at += FOTA_LINK_REJECT_SIZE) {
        struct fota_link_reject *r = &push->rejects[push->reject_count++];

        r->reason = (int16_t) fota_get16(body + at);
        memcpy(r->identity, body + at + 4, FOTA_IDENTITY_SHORT);
    }
    if (push->state == GW_PUSH_QUERY)
        push_end(push, GW_PUSH_ANSWERED, "", FOTA_OK);
    else
        push_trial_log(push);
}

static void on_info(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body,
                    size_t length)
{
    if (status != FOTA_OK || (int8_t) (frame->tag - push->since_tag) < 0 ||
        fota_link_info_decode(body, length, &push->info) != FOTA_OK)
        return;
    push->contact = true;
    push->info_count++;
    if (push->state == GW_PUSH_QUERY && push->phase != PHASE_LOG) {
        if (push->want_log)
            push_phase(push, PHASE_LOG);
        else
            push_end(push, GW_PUSH_ANSWERED, "", FOTA_OK);
    } else if (push->state == GW_PUSH_JUMP) {
        if (push->phase == PHASE_WATCH)
            push_trial_info(push);
    } else if (push->phase == PHASE_PROBE) {
        if (frame->tag == push->wait_tag)
            push_rate_info(push);
    } else if (push->phase == PHASE_ASK || push->phase == PHASE_HELLO || push->phase == PHASE_WAIT) {
        met(push);
    }
}

void push_response(struct gw_push *push, const struct fota_frame *frame, int status, const uint8_t *body, size_t length)
{
    if (push->state == GW_PUSH_ENDED || push->state == GW_PUSH_IDLE)
        return;
    switch (frame->type & 0x7fu) {
    case FOTA_LINK_INFO:
        if (push->state != GW_PUSH_LEAVE)
            on_info(push, frame, status, body, length);
        break;
    case FOTA_LINK_BAUD:
        if (push->phase == PHASE_BAUD && (int8_t) (frame->tag - push->since_tag) >= 0)
            push_on_baud(push, status);
        break;
    case FOTA_LINK_BEGIN:
        /* An older BEGIN's session is void; one that arrived twice has two sessions, and the later one counts. */
        if ((push->phase == PHASE_BEGIN && frame->tag == push->wait_tag) ||
            (push->phase == PHASE_DATA && frame->tag == push->begin_tag && status == FOTA_OK))
            on_begin(push, frame, status, body, length);
        break;
    case FOTA_LINK_DATA:
        if (push->phase == PHASE_DATA || push->phase == PHASE_STATUS)
            on_data(push, frame, status, body, length);
        break;
    case FOTA_LINK_STATUS:
        if (push->phase == PHASE_STATUS)
            on_status(push, frame, status, body, length);
        break;
    case FOTA_LINK_FINISH:
        if (push->phase == PHASE_FINISH)
            on_finish(push, frame, status);
        break;
    case FOTA_LINK_LOG:
        if (push->phase == PHASE_LOG)
            push_on_log(push, status, body, length);
        break;
    case FOTA_LINK_ABORT:
        if (push->phase == PHASE_ABORT)
            push_aborted(push);
        break;
    case FOTA_LINK_REBOOT:
        if (push->phase == PHASE_LOADER && status == FOTA_E_LATER) {
            later(push, PHASE_LOADER, GW_PUSH_LATER_MS);
        } else if (push->phase == PHASE_LOADER) {
            push->later_since = 0;
            push_phase(push, PHASE_HELLO);
        } else if (push->phase == PHASE_REBOOT && status == FOTA_E_LATER) {
            later(push, PHASE_WATCH, GW_PUSH_LATER_MS); /* it may be reset meanwhile: look before asking again */
        } else if (push->phase == PHASE_REBOOT) {
            push->later_since = 0;
            push->trial_since = push->rebooted_at = push_now(push);
            push_phase(push, PHASE_WATCH);
        } else if (push->phase == PHASE_LEAVE && push->state == GW_PUSH_LEAVE) {
            push->outcome = push->end_outcome;
            push_state(push, GW_PUSH_ENDED);
        }
        break;
    default:
        break;
    }
}
