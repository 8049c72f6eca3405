/* SPDX-License-Identifier: MIT */
/* The gateway's side of the link: a device that answers anything, at any time. It ends within its time limits, and
 * without a device that says so nothing is ever called confirmed. */
#include "fuzz.h"

#include "gw/push.h"

static struct fuzz_input in;
static uint64_t now;
static bool framed;
static uint8_t last_tag, last_type;
static uint32_t session;

static int on_open(void *ctx, uint32_t baud)
{
    (void) ctx;
    (void) baud;
    return 0;
}

static void on_close(void *ctx)
{
    (void) ctx;
}

static int on_read(void *ctx, uint8_t *data, size_t capacity)
{
    size_t n = 0;

    (void) ctx;
    if (in.size == 0)
        return 0;
    if (framed && capacity >= FOTA_LINK_WIRE_MAX / 4u) { /* an answer to the last request, with any content */
        static uint8_t payload[256], wire[FOTA_LINK_WIRE_MAX];
        struct fota_frame frame = {.version = FOTA_LINK_VERSION, .payload = payload};
        uint8_t how = fuzz_byte(&in);

        frame.type = (how & 1u) != 0 ? (uint8_t) (last_type | FOTA_LINK_RESPONSE) : fuzz_byte(&in);
        frame.tag = (how & 2u) != 0 ? last_tag : fuzz_byte(&in);
        frame.session = session + (how >> 6);
        frame.length = fuzz_byte(&in);
        for (size_t i = 0; i < frame.length; i++)
            payload[i] = fuzz_byte(&in);
        if ((how & 4u) != 0)
            memset(payload, 0, 4); /* FOTA_OK */
        n = fota_frame_encode(&frame, wire, sizeof wire);
        n = n < capacity ? n : capacity;
        memcpy(data, wire, n);
        return (int) n;
    }
    n = in.size < capacity ? in.size : capacity;
    n = n < 32u ? n : 32u;
    memcpy(data, in.data, n);
    in.data += n;
    in.size -= n;
    return (int) n;
}

static int on_write(void *ctx, const uint8_t *data, size_t length)
{
    static struct fota_link_rx rx;
    struct fota_frame frame;

    (void) ctx;
    for (size_t i = 0; i < length; i++)
        if (fota_link_rx_byte(&rx, data[i], &frame)) {
            last_tag = frame.tag;
            last_type = frame.type;
            session = frame.session;
        }
    return (int) length;
}

static int on_nrst(void *ctx, bool low)
{
    (void) ctx;
    (void) low;
    return 0;
}

static uint64_t clock_ms(void *ctx)
{
    (void) ctx;
    return now;
}

static int code(void *ctx, unsigned slot, uint32_t offset, uint8_t *data, uint32_t length)
{
    (void) ctx;
    PROMISE(slot < 2u && offset <= 4096u && length <= 4096u - offset);
    memset(data, (int) (offset & 0xFFu), length);
    return FOTA_OK;
}

static void on_text(void *ctx, const char *line)
{
    (void) ctx;
    PROMISE(strlen(line) <= GW_PUSH_LINE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_link link = {NULL, on_open, on_close, on_read, on_write, on_open, NULL, 0, NULL};
    static const struct gw_pins pins = {NULL, on_nrst, NULL};
    static const struct gw_clock clock = {NULL, clock_ms, clock_ms};
    static struct gw_push push;
    struct fota_header header = {.hw_min = 1,
                                 .hw_max = 1,
                                 .image_size = 4096,
                                 .link_address = FOTA_LINK_ADDRESS,
                                 .distance = FOTA_SLOT_DISTANCE,
                                 .deadline_ms = 1000,
                                 .counter = 1};
    uint8_t raw[FOTA_HEADER_SIZE], how;
    uint64_t limit;

    in = (struct fuzz_input){data, size};
    how = fuzz_byte(&in);
    framed = (how & 1u) != 0;
    now = 1000;
    last_tag = last_type = 0;
    session = 0;
    fota_header_encode(&header, raw);
    gw_push_init(&push, &(struct gw_push_ports){.link = &link,
                                                .pins = (how & 2u) != 0 ? &pins : NULL,
                                                .clock = &clock,
                                                .baud = 115200,
                                                .baud_max = (how & 4u) != 0 ? 921600u : 0,
                                                .text = on_text});
    if ((how & 8u) != 0)
        PROMISE(gw_push_query(&push, (how & 16u) != 0) == FOTA_OK);
    else
        PROMISE(gw_push_start(&push, &(struct gw_push_job){
                                         .header = raw, .source = {NULL, code}, .retry = (how & 32u) != 0}) == FOTA_OK);
    limit = now + 4u * (GW_PUSH_ENTER_LIMIT_MS + GW_PUSH_VERIFY_LIMIT_MS + gw_push_jump_limit_ms(&header)) +
            GW_PUSH_WRITE_LIMIT_MS * (1u + size);
    while (push.state != GW_PUSH_ENDED) {
        uint32_t wait = gw_push_poll(&push);

        PROMISE(push.bytes <= push.total || push.total == 0);
        now += in.size > 0 ? 5u : wait == 0 ? 1u : wait < 1000u ? wait : 1000u;
        PROMISE(now < limit);
    }
    PROMISE(push.outcome != GW_PUSH_NONE);
    if (push.outcome == GW_PUSH_FAILED)
        PROMISE(push.reason != NULL && push.reason[0] != 0);
    return 0;
}
