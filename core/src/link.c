/* SPDX-License-Identifier: MIT */
#include "fota/link.h"

#include "fota/bytes.h"
#include "fota/crc32.h"

#include <string.h>

/* --- sending ------------------------------------------------------------------------------------------------ */

/** A COBS encoder (Cheshire and Baker, 1999) that patches each run's code byte when the run ends. */
struct cobs {
    uint8_t *out;
    size_t at, code;
};

static void cobs_put(struct cobs *c, const uint8_t *data, size_t length)
{
    for (; length > 0; length--, data++) {
        if (*data != 0)
            c->out[c->at++] = *data;
        if (*data == 0 || c->at - c->code == 255u) {
            c->out[c->code] = (uint8_t) (c->at - c->code);
            c->code = c->at++;
        }
    }
}

size_t fota_frame_encode(const struct fota_frame *frame, uint8_t *out, size_t capacity)
{
    uint8_t head[FOTA_LINK_HEAD] = {frame->version, frame->type, frame->tag, 0};
    uint8_t tail[FOTA_LINK_CRC];
    struct cobs cobs = {.out = out, .at = 2, .code = 1};
    size_t raw = FOTA_LINK_HEAD + frame->length + FOTA_LINK_CRC;

    if (frame->length > FOTA_LINK_PAYLOAD_MAX || raw + raw / 254u + 3u > capacity)
        return 0;
    fota_put32(head + 4, frame->session);
    fota_put32(tail, fota_crc32(fota_crc32(0, head, sizeof head), frame->payload, frame->length));
    out[0] = 0;
    cobs_put(&cobs, head, sizeof head);
    cobs_put(&cobs, frame->payload, frame->length);
    cobs_put(&cobs, tail, sizeof tail);
    out[cobs.code] = (uint8_t) (cobs.at - cobs.code);
    out[cobs.at++] = 0;
    return cobs.at;
}

/* --- receiving ---------------------------------------------------------------------------------------------- */

static void restart(struct fota_link_rx *rx)
{
    rx->length = 0;
    rx->run = 0;
    rx->zero = false;
    rx->bad = false;
    rx->begun = false;
}

void fota_link_rx_init(struct fota_link_rx *rx)
{
    restart(rx);
    rx->damaged = 0;
}

static void put(struct fota_link_rx *rx, uint8_t byte)
{
    if (rx->length < sizeof rx->raw)
        rx->raw[rx->length++] = byte;
    else
        rx->bad = true;
}

static bool whole(struct fota_link_rx *rx, struct fota_frame *frame)
{
    uint32_t body = rx->length - FOTA_LINK_CRC;

    if (rx->bad || rx->run != 0 || rx->length < FOTA_LINK_HEAD + FOTA_LINK_CRC ||
        fota_crc32(0, rx->raw, body) != fota_get32(rx->raw + body))
        return false;
    frame->version = rx->raw[0];
    frame->type = rx->raw[1];
    frame->tag = rx->raw[2];
    frame->session = fota_get32(rx->raw + 4);
    frame->payload = rx->raw + FOTA_LINK_HEAD;
    frame->length = body - FOTA_LINK_HEAD;
    return true;
}

bool fota_link_rx_byte(struct fota_link_rx *rx, uint8_t byte, struct fota_frame *frame)
{
    bool good = false;

    if (byte == 0) {
        if (rx->begun) {
            good = whole(rx, frame);
            rx->damaged += !good;
        }
        restart(rx);
    } else if (rx->run == 0) {
        if (rx->zero)
            put(rx, 0);
        rx->run = (uint8_t) (byte - 1u);
        rx->zero = byte != 0xFF;
        rx->begun = true;
    } else {
        put(rx, byte);
        rx->run--;
    }
    return good;
}

/* --- messages ----------------------------------------------------------------------------------------------- */

void fota_link_info_encode(const struct fota_link_info *info, uint8_t out[FOTA_LINK_INFO_SIZE])
{
    memset(out, 0, FOTA_LINK_INFO_SIZE);
    out[0] = info->mode;
    out[1] = info->slot;
    out[2] = info->confirmed_slot;
    out[3] = info->trial;
    out[4] = info->attempts;
    out[5] = info->flags;
    fota_put16(out + 6, info->hw_revision);
    memcpy(out + 8, info->product, FOTA_PRODUCT_SIZE);
    memcpy(out + 24, info->uid, FOTA_UID_SIZE);
    fota_put32(out + 36, info->floor);
    fota_put16(out + 40, info->version.major);
    fota_put16(out + 42, info->version.minor);
    fota_put16(out + 44, info->version.patch);
    fota_put32(out + 48, info->version.build);
    memcpy(out + 52, info->identity, FOTA_IDENTITY_SIZE);
    fota_put16(out + 84, info->bootloader.major);
    fota_put16(out + 86, info->bootloader.minor);
    fota_put16(out + 88, info->bootloader.patch);
    fota_put16(out + 90, info->data_max);
    fota_put16(out + 92, (uint16_t) info->last_reason);
    memcpy(out + 96, info->last_identity, FOTA_IDENTITY_SHORT);
}

int fota_link_info_decode(const uint8_t *in, size_t length, struct fota_link_info *info)
{
    if (length < FOTA_LINK_INFO_SIZE)
        return FOTA_E_TRUNCATED;
    info->mode = in[0];
    info->slot = in[1];
    info->confirmed_slot = in[2];
    info->trial = in[3];
    info->attempts = in[4];
    info->flags = in[5];
    info->hw_revision = fota_get16(in + 6);
    memcpy(info->product, in + 8, FOTA_PRODUCT_SIZE);
    memcpy(info->uid, in + 24, FOTA_UID_SIZE);
    info->floor = fota_get32(in + 36);
    info->version.major = fota_get16(in + 40);
    info->version.minor = fota_get16(in + 42);
    info->version.patch = fota_get16(in + 44);
    info->version.build = fota_get32(in + 48);
    memcpy(info->identity, in + 52, FOTA_IDENTITY_SIZE);
    info->bootloader.major = fota_get16(in + 84);
    info->bootloader.minor = fota_get16(in + 86);
    info->bootloader.patch = fota_get16(in + 88);
    info->bootloader.build = 0;
    info->data_max = fota_get16(in + 90);
    info->last_reason = (int16_t) fota_get16(in + 92);
    memcpy(info->last_identity, in + 96, FOTA_IDENTITY_SHORT);
    return FOTA_OK;
}

void fota_link_progress_encode(const struct fota_link_progress *progress, uint8_t out[FOTA_LINK_PROGRESS_SIZE])
{
    out[0] = progress->slot;
    out[1] = progress->state;
    fota_put16(out + 2, 0);
    fota_put32(out + 4, progress->next);
    fota_put32(out + 8, progress->credit);
}

int fota_link_progress_decode(const uint8_t *in, size_t length, struct fota_link_progress *progress)
{
    if (length < FOTA_LINK_PROGRESS_SIZE)
        return FOTA_E_TRUNCATED;
    progress->slot = in[0];
    progress->state = in[1];
    progress->next = fota_get32(in + 4);
    progress->credit = fota_get32(in + 8);
    return FOTA_OK;
}
