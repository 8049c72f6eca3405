/* SPDX-License-Identifier: MIT */
/* The push state machine: getting in, BEGIN, DATA, FINISH. The trial is in push_trial.c, the wire in
 * push_link.c. */
#include "push_internal.h"

#include "fota/bytes.h"
#include "fota/install.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ASKS 3u
#define REBOOT_TRIES 3u
#define STATUS_TRIES 4u
#define STATUS_MS 1000u
#define NRST_AGAIN_MS 5000u
#define PORT_POLL_MAX_MS 1000u

uint64_t push_now(const struct gw_push *push)
{
    return push->ports.clock->monotonic_ms(push->ports.clock->ctx);
}

uint64_t push_since(const struct gw_push *push, uint64_t then)
{
    uint64_t now = push_now(push);

    return now > then ? now - then : 0;
}

void push_detail(struct gw_push *push, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(push->detail, sizeof push->detail, format, arguments);
    va_end(arguments);
}

void push_phase(struct gw_push *push, enum push_phase phase)
{
    push->phase = (uint8_t) phase;
    push->phase_since = push_now(push);
    push->tries = 0;
    push->since_tag = (uint8_t) (push->tag + 1u);
    push->sent_at = 0;
    if (phase == PHASE_ASK || phase == PHASE_HELLO || phase == PHASE_WATCH)
        push_rate_base(push); /* it may have been reset */
}

void push_state(struct gw_push *push, enum gw_push_state state)
{
    if (push->state == state)
        return;
    push->state = state;
    push->state_since = push->progress_since = push_now(push);
    if (state == GW_PUSH_ENDED)
        push_rate_base(push);
}

/* --- endings ---------------------------------------------------------------------------------- */

void push_end(struct gw_push *push, enum gw_push_outcome outcome, const char *reason, int error)
{
    bool there = push->open && push->contact;
    bool in_loader = there && push->info.mode == FOTA_MODE_BOOTLOADER;
    bool asked_in = push->state == GW_PUSH_ENTER || push->state == GW_PUSH_WRITE || push->state == GW_PUSH_VERIFY;
    bool session = push->session != 0;
    bool open = there && session && outcome == GW_PUSH_FAILED; /* an application would go on with it by itself */

    if (push->state == GW_PUSH_ENDED || push->state == GW_PUSH_LEAVE)
        return;
    push->end_outcome = outcome;
    push->reason = reason;
    push->error = error;
    if (asked_in && (in_loader || open)) {
        push_state(push, GW_PUSH_LEAVE);
        push_phase(push, session ? PHASE_ABORT : PHASE_LEAVE);
        return;
    }
    push->outcome = outcome;
    push_state(push, GW_PUSH_ENDED);
}

/* The install was ended there, or it does not answer. */
void push_aborted(struct gw_push *push)
{
    if (push->info.mode == FOTA_MODE_BOOTLOADER) {
        push_phase(push, PHASE_LEAVE); /* it was held in its bootloader: let it go */
        return;
    }
    push->outcome = push->end_outcome;
    push_state(push, GW_PUSH_ENDED);
}

void push_fail(struct gw_push *push, const char *reason, int error)
{
    push_end(push, GW_PUSH_FAILED, reason, error);
}

void push_fail_core(struct gw_push *push, const char *what, int error)
{
    push_detail(push, "%s: %s", what, fota_error_text(error));
    push_fail(push, fota_error_name(error), error);
}

/* @param doing what did not end; NULL: a question. */
static void no_answer(struct gw_push *push, const char *doing, uint32_t limit_ms)
{
    char why[GW_PUSH_DETAIL] = "check wiring, baud rate and power";

    if (push->ports.link->explain != NULL)
        push->ports.link->explain(push->ports.link->ctx, why, sizeof why);
    if (doing != NULL)
        push_detail(push, "no answer from the device: %s did not end within %u s; %s", doing,
                    (unsigned) (limit_ms / 1000u), why);
    else
        push_detail(push, "no answer from the device; %s", why);
}

static void fail_lost(struct gw_push *push, const char *doing, uint32_t limit_ms)
{
    if (push->open && push->phase == PHASE_WAIT) {
        push_detail(push, "another image is on its trial (attempt %u): wait until it is confirmed or rolled back",
                    push->info.attempts);
        push_fail(push, fota_error_name(FOTA_E_BUSY), FOTA_E_BUSY);
        return;
    }
    if (!push->open)
        push_detail(push, "the port was not there for so long that %s did not end within %u s", doing,
                    (unsigned) (limit_ms / 1000u));
    else
        no_answer(push, doing, limit_ms);
    push_fail(push, "device-lost", FOTA_OK);
}

void push_link_lost(struct gw_push *push)
{
    if (push->state == GW_PUSH_JUMP) {
        push->loader_since = 0;
        if (push->phase == PHASE_REBOOT)
            push_phase(push, PHASE_WATCH); /* it may have been what the reset looks like; the watch asks again */
    } else if (push->state == GW_PUSH_LEAVE) {
        push->outcome = push->end_outcome;
        push_state(push, GW_PUSH_ENDED);
    } else if (push->state != GW_PUSH_QUERY) {
        push_rate_lost(push);
    }
}

static const uint8_t boot_normal = FOTA_LINK_REBOOT_NORMAL;

/* --- requests --------------------------------------------------------------------------------- */

/* Send a request now and then again after each `every` ms. @return false when `limit` attempts were in vain.
 */
static bool request(struct gw_push *push, uint8_t type, const void *payload, size_t length, uint32_t every,
                    unsigned limit)
{
    if (push->sent_at != 0 && push_since(push, push->sent_at) < every)
        return true;
    if (limit != 0 && push->tries >= limit)
        return false;
    if (push->tries < UINT8_MAX)
        push->tries++;
    push_send(push, type, payload, length);
    return true;
}

static void send_begin(struct gw_push *push)
{
    uint8_t payload[4 + FOTA_HEADER_SIZE] = {push->job.retry ? FOTA_LINK_BEGIN_RETRY : 0};

    memcpy(payload + 4, push->raw, FOTA_HEADER_SIZE);
    if (push->begun_at == 0)
        push->begun_at = push_now(push);
    (void) request(push, FOTA_LINK_BEGIN, payload, sizeof payload, GW_PUSH_BEGIN_MS, 0);
}

/* One DATA frame, when there is credit. @return true when one was sent whole and another may follow. */
static bool send_data(struct gw_push *push)
{
    uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
    uint32_t chunk =
        push->ports.chunk != 0 && push->ports.chunk <= FOTA_LINK_DATA_MAX ? push->ports.chunk : GW_PUSH_CHUNK;
    uint32_t largest = (push->info.data_max < chunk ? push->info.data_max : chunk) & ~3u;
    uint32_t length;
    int error;

    if (push->sent >= push->credit)
        return false;
    length = (push->credit - push->sent) & ~3u;
    if (length > largest)
        length = largest;
    if (length == 0)
        return false;
    error = push->job.source.read(push->job.source.ctx, push->slot, push->sent, payload + 4, length);
    if (error != FOTA_OK) {
        push_fail_core(push, "the package could not be read", error);
        return false;
    }
    fota_put32(payload, push->sent);
    push_send(push, FOTA_LINK_DATA, payload, 4u + length);
    push->flight[push->tag % GW_PUSH_FLIGHT].tag = push->tag;
    push->flight[push->tag % GW_PUSH_FLIGHT].offset = push->sent;
    push->sent += length;
    return push->out_done == push->out_length;
}

static void step_data(struct gw_push *push)
{
    uint64_t last = push->heard_at > push->sent_at ? push->heard_at : push->sent_at;

    if (push_rate_down(push))
        return;
    while (push->phase == PHASE_DATA && push->open && send_data(push))
        ;
    if (push->phase == PHASE_DATA && last != 0 && push_since(push, last) >= GW_PUSH_SILENCE_MS &&
        push_since(push, push->phase_since) >= GW_PUSH_SILENCE_MS)
        push_phase(push, PHASE_STATUS);
}

static void step(struct gw_push *push)
{
    static const uint8_t stay = FOTA_LINK_INFO_STAY, none = 0, loader = FOTA_LINK_REBOOT_LOADER;
    bool agreed = push->rate != push_base(push); /* patience is shorter then: the device may have been reset */
    bool nrst = push->ports.pins != NULL && push->ports.pins->nrst != NULL;

    switch ((enum push_phase) push->phase) {
    case PHASE_ASK:
        if (push->state == GW_PUSH_QUERY) {
            if (!request(push, FOTA_LINK_INFO, &none, 1, GW_PUSH_ASK_MS, GW_PUSH_QUERY_TRIES)) {
                no_answer(push, NULL, 0);
                push_fail(push, "device-lost", FOTA_OK);
            }
        } else if (!request(push, FOTA_LINK_INFO, &stay, 1, GW_PUSH_ASK_MS, ASKS) &&
                   (nrst || !push_rate_search(push))) {
            push_pulse(push);
            push_phase(push, PHASE_HELLO);
        }
        break;
    case PHASE_LOADER:
        if (!request(push, FOTA_LINK_REBOOT, &loader, 1, GW_PUSH_ASK_MS, REBOOT_TRIES))
            push_phase(push, PHASE_HELLO);
        break;
    case PHASE_HELLO:
        if (push_since(push, push->phase_since) >= NRST_AGAIN_MS &&
            push_since(push, push->pulsed_at) >= NRST_AGAIN_MS && push_since(push, push->heard_at) >= NRST_AGAIN_MS)
            push_pulse(push);
        (void) request(push, FOTA_LINK_INFO, &stay, 1, GW_PUSH_HELLO_MS, 0);
        break;
    case PHASE_WAIT:
        (void) request(push, FOTA_LINK_INFO, &none, 1, GW_PUSH_WATCH_MS, 0);
        break;
    case PHASE_BAUD:
    case PHASE_PROBE:
    case PHASE_CALL:
        push_rate_step(push);
        break;
    case PHASE_BEGIN:
        if (agreed && push->sent_at != 0 && push_since(push, push->sent_at) >= GW_PUSH_BEGIN_MS)
            push_rate_lost(push);
        else
            send_begin(push);
        break;
    case PHASE_DATA:
        step_data(push);
        break;
    case PHASE_STATUS:
        if (!request(push, FOTA_LINK_STATUS, NULL, 0, STATUS_MS, agreed ? STATUS_TRIES / 2u : STATUS_TRIES))
            push_rate_lost(push);
        break;
    case PHASE_FINISH:
        if (!request(push, FOTA_LINK_FINISH, NULL, 0, GW_PUSH_SILENCE_MS, agreed ? 1 : 2))
            push_rate_lost(push);
        break;
    case PHASE_ABORT:
        if (!request(push, FOTA_LINK_ABORT, NULL, 0, GW_PUSH_ASK_MS, 1))
            push_aborted(push);
        break;
    case PHASE_LEAVE:
        (void) request(push, FOTA_LINK_REBOOT, &boot_normal, 1, GW_PUSH_ASK_MS, 0);
        break;
    case PHASE_LOG:
        if (!request(push, FOTA_LINK_LOG, NULL, 0, GW_PUSH_ASK_MS, GW_PUSH_QUERY_TRIES)) {
            push->reject_count = 0;
            push_on_log(push, FOTA_E_TRUNCATED, NULL, 0);
        }
        break;
    case PHASE_REBOOT:
        if (!request(push, FOTA_LINK_REBOOT, &boot_normal, 1, GW_PUSH_ASK_MS, REBOOT_TRIES))
            push_phase(push, PHASE_WATCH);
        break;
    case PHASE_LATER:
        if (push_since(push, push->phase_since) >= push->later_ms)
            push_phase(push, (enum push_phase) push->later_phase);
        break;
    case PHASE_WATCH:
        push_trial_step(push);
        (void) request(push, FOTA_LINK_INFO, &none, 1, push_watch_ms(push), 0);
        break;
    }
}

/* The timer that every state has. */
static void check_limit(struct gw_push *push)
{
    switch (push->state) {
    case GW_PUSH_QUERY:
        if (!push->open && push_since(push, push->state_since) >= GW_PUSH_ASK_MS) {
            push_detail(push, "the port cannot be opened");
            push_fail(push, "device-lost", FOTA_OK);
        } else if (push_since(push, push->state_since) >= GW_PUSH_ENTER_LIMIT_MS) {
            fail_lost(push, "the question", GW_PUSH_ENTER_LIMIT_MS);
        }
        break;
    case GW_PUSH_ENTER:
        if (push_since(push, push->state_since) >= GW_PUSH_ENTER_LIMIT_MS)
            fail_lost(push, "reaching the bootloader", GW_PUSH_ENTER_LIMIT_MS);
        break;
    case GW_PUSH_WRITE:
        if (push_since(push, push->progress_since) < GW_PUSH_WRITE_LIMIT_MS)
            break;
        if (!push->open || push_since(push, push->heard_at) >= GW_PUSH_SILENCE_MS) {
            fail_lost(push, "writing", GW_PUSH_WRITE_LIMIT_MS);
        } else {
            push_detail(push, "the device answers, but nothing was written beyond offset %lu for %u s",
                        (unsigned long) push->high, GW_PUSH_WRITE_LIMIT_MS / 1000u);
            push_fail(push, "stalled", FOTA_OK);
        }
        break;
    case GW_PUSH_VERIFY:
        if (push_since(push, push->state_since) >= GW_PUSH_VERIFY_LIMIT_MS)
            fail_lost(push, "the device's verification", GW_PUSH_VERIFY_LIMIT_MS);
        break;
    case GW_PUSH_JUMP:
        if (push_since(push, push->state_since) >= gw_push_jump_limit_ms(&push->header)) {
            push_detail(push,
                        "the trial was neither confirmed nor rolled back within %lu s; the device decides by "
                        "itself, ask it later",
                        (unsigned long) gw_push_jump_limit_ms(&push->header) / 1000u);
            push_fail(push, "stalled", FOTA_OK);
        }
        break;
    case GW_PUSH_LEAVE:
        if (push_since(push, push->state_since) >= GW_PUSH_LEAVE_LIMIT_MS) {
            push->outcome = push->end_outcome;
            push_state(push, GW_PUSH_ENDED);
        }
        break;
    default:
        break;
    }
}

/* --- for the caller --------------------------------------------------------------------------- */

void gw_push_init(struct gw_push *push, const struct gw_push_ports *ports)
{
    memset(push, 0, sizeof *push);
    push->ports = *ports;
    push->reason = "";
    push->slot = FOTA_SLOT_NONE;
    push->rate = push_base(push);
    fota_link_rx_init(&push->rx);
}

static int prepare(struct gw_push *push, enum gw_push_state state)
{
    if (push->state != GW_PUSH_IDLE && push->state != GW_PUSH_ENDED)
        return FOTA_E_STATE;
    push->outcome = GW_PUSH_NONE;
    push->reason = "";
    push->error = FOTA_OK;
    push->detail[0] = '\0';
    push->made_room = push->begun_anew = push->went_back = false;
    push->session = push->rebegins = push->high = push->next = push->credit = push->sent = 0;
    push->bytes = push->total = push->resumed_at = 0;
    push->reboots = 0;
    push->begun_at = push->later_since = 0;
    push->slot = FOTA_SLOT_NONE;
    push->reopen_at = 0;
    push->rate_cap = push->ports.baud_max;
    push->losses = 0;
    push->called = false;
    push_state(push, state);
    push->state_since = push->progress_since = push_now(push);
    push_phase(push, PHASE_ASK);
    return FOTA_OK;
}

int gw_push_query(struct gw_push *push, bool log)
{
    int error = prepare(push, GW_PUSH_QUERY);

    if (error == FOTA_OK)
        push->want_log = log;
    return error;
}

int gw_push_start(struct gw_push *push, const struct gw_push_job *job)
{
    struct fota_header header;
    bool going_on = job->resume == GW_PUSH_WRITE || job->resume == GW_PUSH_VERIFY || job->resume == GW_PUSH_JUMP;
    int error = fota_header_decode_any(job->header, &header);

    if (error == FOTA_OK)
        error = prepare(push, going_on ? job->resume : GW_PUSH_ENTER);
    if (error != FOTA_OK)
        return error;
    push->job = *job;
    push->job.header = push->raw;
    memcpy(push->raw, job->header, FOTA_HEADER_SIZE);
    push->header = header;
    push->total = header.image_size;
    fota_header_identity(push->raw, push->identity);
    if (push->state == GW_PUSH_JUMP) {
        push_trial_start(push);
        push_phase(push, PHASE_WATCH);
        if (job->slot_known)
            push->slot = job->slot;
        push->bytes = push->total;
    }
    return FOTA_OK;
}

int gw_push_cancel(struct gw_push *push)
{
    if (push->state != GW_PUSH_QUERY && push->state != GW_PUSH_ENTER && push->state != GW_PUSH_WRITE)
        return FOTA_E_STATE;
    push_detail(push, "cancelled at %lu of %lu bytes", (unsigned long) push->bytes, (unsigned long) push->total);
    push_fail(push, "cancelled", FOTA_OK);
    return FOTA_OK;
}

static uint32_t next_call(const struct gw_push *push)
{
    uint32_t every = push->phase == PHASE_HELLO ? GW_PUSH_HELLO_MS : GW_PUSH_ASK_MS;

    if (push->nrst_low)
        return GW_PUSH_NRST_LOW_MS;
    if (push->state == GW_PUSH_IDLE || push->state == GW_PUSH_ENDED)
        return UINT32_MAX;
    if (!push->open)
        return GW_PUSH_REOPEN_MS;
    if (push->out_done < push->out_length)
        return GW_PUSH_ASK_MS; /* gw_push_wants_write(): room in the link comes first */
    if (push->phase == PHASE_PROBE || (push->phase == PHASE_CALL && push->sent_at != 0))
        return push_rate_next_call(push);
    if (push->phase == PHASE_LATER)
        return push_since(push, push->phase_since) >= push->later_ms
                   ? 0
                   : push->later_ms - (uint32_t) push_since(push, push->phase_since);
    if (push->sent_at == 0 && push->phase != PHASE_DATA)
        return 0; /* a new phase, its request is to be sent */
    if (push->phase == PHASE_WATCH)
        every = push_watch_ms(push);
    else if (push->phase == PHASE_DATA || push->phase == PHASE_STATUS || push->phase == PHASE_WAIT)
        every = PORT_POLL_MAX_MS;
    if (push_since(push, push->sent_at) >= every)
        return every == PORT_POLL_MAX_MS ? 100u : 10u;
    return every - (uint32_t) push_since(push, push->sent_at);
}

uint32_t gw_push_poll(struct gw_push *push)
{
    uint32_t poll_ms = push->ports.link->poll_ms, wait;

    push_pulse_poll(push);
    if (push->state != GW_PUSH_IDLE && push->state != GW_PUSH_ENDED) {
        if (push_link_open(push))
            push_link_read(push);
        check_limit(push);
        if (push->state != GW_PUSH_ENDED && push->open && !push->nrst_low && push_link_flush(push))
            step(push);
    }
    if (push->state == GW_PUSH_ENDED && push->nrst_low) {
        push->pulse_at = 0; /* nobody may be left in reset */
        push_pulse_poll(push);
    }
    wait = next_call(push);
    return push->open && wait != UINT32_MAX && poll_ms != 0 && poll_ms < wait ? poll_ms : wait;
}

bool gw_push_wants_write(const struct gw_push *push)
{
    return push->open && push->out_done < push->out_length;
}

void gw_push_listen(struct gw_push *push)
{
    if (push->open && (push->state == GW_PUSH_IDLE || push->state == GW_PUSH_ENDED))
        push_link_read(push);
}

void gw_push_close(struct gw_push *push)
{
    if (push->open)
        push->ports.link->close(push->ports.link->ctx);
    push->open = false;
    push->reopen_at = 0;
}
