/* SPDX-License-Identifier: MIT */
/* The wire's side of the push: opening and losing the port, frames, text between frames, NRST. */
#include "push_internal.h"

#include "fota/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define READ_PIECE 256u
#define READ_PIECES 64u /* in one poll, so that a babbling device cannot keep it for ever */

void push_log(struct gw_push *push, enum gw_log_level level, const char *format, ...)
{
    char text[GW_PUSH_DETAIL];
    va_list arguments;

    if (push->ports.log == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    push->ports.log(push->ports.ctx, level, text);
}

/* --- text ------------------------------------------------------------------------------------- */

static void line_out(struct gw_push *push)
{
    push->line[push->line_length] = '\0';
    if (push->line_length > 0 && push->ports.text != NULL)
        push->ports.text(push->ports.ctx, push->line);
    push->line_length = push->line_run = 0;
}

/* A frame's first bytes are control characters (COBS code 3 or 4, then the version), text has none: a run
 * between two zeros that holds one is no text. What stood in the line before that run is kept: a frame may
 * cut a line in two. */
static void text_byte(struct gw_push *push, uint8_t byte)
{
    if (byte == 0) {
        push->line_binary = false;
        push->line_run = push->line_length;
    } else if (push->line_binary || byte == '\r') {
        return;
    } else if (byte == '\n') {
        line_out(push);
    } else if (byte < 0x20 && byte != '\t' && byte != 0x1b) {
        push->line_binary = true;
        push->line_length = push->line_run;
    } else {
        push->line[push->line_length++] = (char) (byte == 0x1b || byte == 0x7f || byte >= 0xf8 ? '?' : byte);
        if (push->line_length == GW_PUSH_LINE)
            line_out(push);
    }
}

/* --- frames ----------------------------------------------------------------------------------- */

static const char *type_name(unsigned type)
{
    static const char *const names[] = {"?",      "INFO",  "BEGIN",  "DATA", "FINISH",
                                        "STATUS", "ABORT", "REBOOT", "LOG",  "BAUD"};

    type &= 0x7fu;
    return names[type < sizeof names / sizeof names[0] ? type : 0];
}

static void frame_in(struct gw_push *push, const struct fota_frame *frame)
{
    int status;

    push->stats.damaged = push->rx.damaged;
    if ((frame->type & FOTA_LINK_RESPONSE) == 0 || frame->length < 4u)
        return; /* an echo of our own, or no response at all */
    if (push->state == GW_PUSH_IDLE || push->state == GW_PUSH_ENDED)
        return;
    status = (int16_t) fota_get16(frame->payload);
    push->stats.frames_received++;
    push->heard_at = push_now(push);
    if (push->ports.debug_frames)
        push_log(push, GW_LOG_DEBUG, "< %s tag %u session %08lx status %d, %zu bytes", type_name(frame->type),
                 frame->tag, (unsigned long) frame->session, status, frame->length);
    if (frame->version != FOTA_LINK_VERSION || status == FOTA_E_VERSION) {
        /* from a device that has been understood before, or only once, it is noise or another peer's */
        if (push->contact || ++push->foreign < GW_PUSH_FOREIGN)
            return;
        push_detail(push, "the device speaks version %u of the link protocol, this program version %u", frame->version,
                    FOTA_LINK_VERSION);
        push_fail(push, fota_error_name(FOTA_E_VERSION), FOTA_E_VERSION);
        return;
    }
    push->foreign = 0;
    push_response(push, frame, status, frame->payload + 4, frame->length - 4u);
}

static void lost(struct gw_push *push)
{
    push->ports.link->close(push->ports.link->ctx);
    push->open = false;
    push->reopen_at = push_now(push) + GW_PUSH_REOPEN_MS;
    push->out_length = push->out_done = 0;
    push->stats.reopened++;
    push_log(push, GW_LOG_WARNING, "the port has vanished; it is opened again when it is back");
    push_link_lost(push);
}

bool push_link_open(struct gw_push *push)
{
    if (push->open || push_now(push) < push->reopen_at)
        return push->open;
    push->open = push->ports.link->open(push->ports.link->ctx, push->rate) == 0;
    push->reopen_at = push_now(push) + GW_PUSH_REOPEN_MS;
    if (push->open) {
        fota_link_rx_init(&push->rx);
        push->out_length = push->out_done = 0;
        push->line_length = push->line_run = 0;
        push->line_binary = false;
        if (push->ports.pins != NULL && push->ports.pins->nrst != NULL && !push->nrst_low)
            (void) push->ports.pins->nrst(push->ports.pins->ctx,
                                          false); /* an earlier process may have ended in a pulse */
    }
    return push->open;
}

void push_link_read(struct gw_push *push)
{
    uint8_t piece[READ_PIECE];

    for (unsigned n = 0; n < READ_PIECES && push->open; n++) {
        struct fota_frame frame;
        int got = push->ports.link->read(push->ports.link->ctx, piece, sizeof piece);

        if (got < 0)
            lost(push);
        if (got <= 0)
            return;
        for (int i = 0; i < got && push->open; i++) {
            text_byte(push, piece[i]);
            if (fota_link_rx_byte(&push->rx, piece[i], &frame))
                frame_in(push, &frame);
        }
    }
}

bool push_link_flush(struct gw_push *push)
{
    while (push->open && push->out_done < push->out_length) {
        int put = push->ports.link->write(push->ports.link->ctx, push->out + push->out_done,
                                          push->out_length - push->out_done);

        if (put < 0) {
            lost(push);
            return false;
        }
        if (put == 0)
            return false;
        push->out_done += (size_t) put;
    }
    return push->open;
}

void push_send(struct gw_push *push, uint8_t type, const void *payload, size_t length)
{
    struct fota_frame frame = {.version = FOTA_LINK_VERSION,
                               .type = type,
                               .tag = ++push->tag,
                               .session = push->session,
                               .payload = payload,
                               .length = length};

    push->out_length = fota_frame_encode(&frame, push->out, sizeof push->out);
    push->out_done = 0;
    push->wait_tag = push->tag;
    push->sent_at = push_now(push);
    push->stats.frames_sent++;
    if (push->ports.debug_frames)
        push_log(push, GW_LOG_DEBUG, "> %s tag %u session %08lx, %zu bytes", type_name(type), push->tag,
                 (unsigned long) push->session, length);
    (void) push_link_flush(push);
}

/* --- NRST ------------------------------------------------------------------------------------- */

void push_pulse(struct gw_push *push)
{
    const struct gw_pins *pins = push->ports.pins;

    if (pins == NULL || pins->nrst == NULL || push->nrst_low)
        return;
    if (pins->nrst(pins->ctx, true) != 0) {
        push_log(push, GW_LOG_WARNING, "NRST could not be pulled low");
        push->pulsed_at = push_now(push);
        return;
    }
    push_log(push, GW_LOG_INFO, "NRST pulse");
    push->nrst_low = true;
    push->pulse_at = push->pulsed_at = push_now(push);
    push->stats.nrst_pulses++;
}

void push_pulse_poll(struct gw_push *push)
{
    const struct gw_pins *pins = push->ports.pins;

    if (push->nrst_low && push_now(push) - push->pulse_at >= GW_PUSH_NRST_LOW_MS) {
        if (pins->nrst(pins->ctx, false) != 0) {
            push->pulse_at = push_now(push); /* again in a moment: a device must not be held in reset */
            push_log(push, GW_LOG_WARNING, "NRST could not be released, trying again");
            return;
        }
        push->nrst_low = false;
        push->pulsed_at = push_now(push);
    }
}
