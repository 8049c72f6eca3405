/* SPDX-License-Identifier: MIT */
#include "fota/link.h"

#include "fota/bytes.h"
#include "fota/crc32.h"

#include <string.h>

/* --- sending ---------------------------------------------------------------------------------------------------- */

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

/* --- receiving -------------------------------------------------------------------------------------------------- */

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

/* --- messages --------------------------------------------------------------------------------------------------- */

int fota_link_info_decode(const uint8_t *in, size_t length, struct fota_link_info *info)
{
    if (length < FOTA_LINK_INFO_LEAST)
        return FOTA_E_TRUNCATED;
    memset(info, 0, sizeof *info);
    memcpy(info, in, length < sizeof *info ? length : sizeof *info);
    return FOTA_OK;
}

int fota_link_progress_decode(const uint8_t *in, size_t length, struct fota_link_progress *progress)
{
    if (length < sizeof *progress)
        return FOTA_E_TRUNCATED;
    memcpy(progress, in, sizeof *progress);
    return FOTA_OK;
}
