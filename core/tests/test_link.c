/* SPDX-License-Identifier: MIT */
#include "fota/link.h"

#include "fota/bytes.h"
#include "fota/crc32.h"
#include "support/cmocka_all.h"
#include "support/ram_flash.h"

#include <string.h>

/* --- COBS a second time, after the description in Wikipedia, to compare with -------------------------------- */

static size_t cobs_encode(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t at = 1, code = 0;
    bool open = true;

    for (size_t i = 0; i < size; i++) {
        if (!open) {
            code = at++;
            open = true;
        }
        if (in[i] != 0)
            out[at++] = in[i];
        if (in[i] == 0 || at - code == 255u) {
            out[code] = (uint8_t) (at - code);
            /* a full run needs no other after it, a zero does */
            if (in[i] == 0)
                code = at++;
            else
                open = false;
        }
    }
    if (open)
        out[code] = (uint8_t) (at - code);
    return at;
}

static size_t cobs_decode(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t at = 0, to = 0;

    while (at < size) {
        uint8_t code = in[at++];

        assert_int_not_equal(code, 0);
        for (unsigned i = 1; i < code; i++) {
            assert_true(at < size && in[at] != 0);
            out[to++] = in[at++];
        }
        if (code != 255u && at < size)
            out[to++] = 0;
    }
    return to;
}

static void run_of(uint8_t *out, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        *out++ = (uint8_t) i;
}

/* Wikipedia, "Consistent Overhead Byte Stuffing", encoding examples 1 … 11, without the trailing delimiter. */
static void the_comparison_itself(void **state)
{
    uint8_t in[300], out[310], expected[310];
    static const struct {
        size_t size, encoded;
        uint8_t in[8], out[8];
    } small[] = {
        {1, 2, {0}, {1, 1}},
        {2, 3, {0, 0}, {1, 1, 1}},
        {3, 4, {0, 0x11, 0}, {1, 2, 0x11, 1}},
        {4, 5, {0x11, 0x22, 0, 0x33}, {3, 0x11, 0x22, 2, 0x33}},
        {4, 5, {0x11, 0x22, 0x33, 0x44}, {5, 0x11, 0x22, 0x33, 0x44}},
        {4, 5, {0x11, 0, 0, 0}, {2, 0x11, 1, 1, 1}},
    };

    (void) state;
    for (unsigned i = 0; i < sizeof small / sizeof small[0]; i++) {
        assert_int_equal(cobs_encode(small[i].in, small[i].size, out), small[i].encoded);
        assert_memory_equal(out, small[i].out, small[i].encoded);
    }
    run_of(in, 1, 254); /* 7: 254 bytes and no zero */
    expected[0] = 0xFF;
    run_of(expected + 1, 1, 254);
    assert_int_equal(cobs_encode(in, 254, out), 255);
    assert_memory_equal(out, expected, 255);
    in[0] = 0; /* 8: a zero before them */
    run_of(in + 1, 1, 254);
    expected[0] = 1;
    expected[1] = 0xFF;
    run_of(expected + 2, 1, 254);
    assert_int_equal(cobs_encode(in, 255, out), 256);
    assert_memory_equal(out, expected, 256);
    run_of(in, 1, 255); /* 9: 255 */
    expected[0] = 0xFF;
    run_of(expected + 1, 1, 254);
    expected[255] = 2;
    expected[256] = 0xFF;
    assert_int_equal(cobs_encode(in, 255, out), 257);
    assert_memory_equal(out, expected, 257);
    run_of(in, 2, 255); /* 10: 254 and a zero */
    in[254] = 0;
    expected[0] = 0xFF;
    run_of(expected + 1, 2, 255);
    expected[255] = 1;
    expected[256] = 1;
    assert_int_equal(cobs_encode(in, 255, out), 257);
    assert_memory_equal(out, expected, 257);
    run_of(in, 3, 255); /* 11: 253, a zero and one more */
    in[253] = 0;
    in[254] = 1;
    expected[0] = 0xFE;
    run_of(expected + 1, 3, 255);
    expected[254] = 2;
    expected[255] = 1;
    assert_int_equal(cobs_encode(in, 255, out), 256);
    assert_memory_equal(out, expected, 256);
}

/* --- frames ------------------------------------------------------------------------------------------------- */

static struct fota_link_rx rx;

/* Feed bytes and count good frames; the last one is in `got`, its payload copied. */
static uint8_t got_payload[FOTA_LINK_PAYLOAD_MAX];
static struct fota_frame got;

static unsigned receive(const uint8_t *data, size_t size)
{
    struct fota_frame frame;
    unsigned good = 0;

    for (size_t i = 0; i < size; i++) {
        if (fota_link_rx_byte(&rx, data[i], &frame)) {
            good++;
            got = frame;
            assert_in_range(frame.length, 0, FOTA_LINK_PAYLOAD_MAX);
            if (frame.length > 0)
                memcpy(got_payload, frame.payload, frame.length);
        }
    }
    return good;
}

static size_t raw_frame(const struct fota_frame *f, uint8_t *raw)
{
    raw[0] = f->version;
    raw[1] = f->type;
    raw[2] = f->tag;
    raw[3] = 0;
    fota_put32(raw + 4, f->session);
    if (f->length > 0)
        memcpy(raw + 8, f->payload, f->length);
    fota_put32(raw + 8 + f->length, fota_crc32(0, raw, 8 + f->length));
    return 12 + f->length;
}

static void expect_round_trip(const struct fota_frame *f)
{
    static uint8_t wire[FOTA_LINK_WIRE_MAX + 8u], raw[FOTA_LINK_RAW_MAX + 8u], back[FOTA_LINK_WIRE_MAX],
        other[FOTA_LINK_WIRE_MAX];
    size_t size = fota_frame_encode(f, wire, FOTA_LINK_WIRE_MAX), raw_size = raw_frame(f, raw);

    assert_in_range(size, raw_size + 3u, FOTA_LINK_WIRE_MAX);
    assert_int_equal(wire[0], 0);
    assert_int_equal(wire[size - 1u], 0);
    for (size_t i = 1; i + 1u < size; i++)
        assert_int_not_equal(wire[i], 0);
    assert_int_equal(cobs_decode(wire + 1, size - 2u, back), raw_size);
    assert_memory_equal(back, raw, raw_size);

    fota_link_rx_init(&rx);
    assert_int_equal(receive(wire, size), 1);
    assert_int_equal(rx.damaged, 0);
    assert_int_equal(got.version, f->version);
    assert_int_equal(got.type, f->type);
    assert_int_equal(got.tag, f->tag);
    assert_int_equal(got.session, f->session);
    assert_int_equal(got.length, f->length);
    if (f->length > 0)
        assert_memory_equal(got_payload, f->payload, f->length);

    /* another's encoder (one that ends a full run without an empty one) is understood as well, without the first zero
     * too */
    size = cobs_encode(raw, raw_size, other);
    other[size++] = 0;
    assert_int_equal(receive(other, size), 1);
    assert_int_equal(got.length, f->length);
    assert_int_equal(receive(other, size), 1);
}

static void round_trip_of_every_length(void **state)
{
    static uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
    uint64_t random = 3;

    (void) state;
    for (size_t size = 0; size <= FOTA_LINK_PAYLOAD_MAX; size += size < 600u || size > 2040u ? 1u : 29u) {
        struct fota_frame f = {1,   (uint8_t) size, (uint8_t) (size >> 3), (uint32_t) test_random(&random), payload,
                               size};
        uint32_t zeros = (uint32_t) (test_random(&random) % 300u);

        for (size_t i = 0; i < size; i++) {
            payload[i] = (uint8_t) test_random(&random);
            if (zeros != 0 && test_random(&random) % zeros == 0)
                payload[i] = 0;
            else if (payload[i] == 0)
                payload[i] = 1;
        }
        expect_round_trip(&f);
        memset(payload, 0, size);
        expect_round_trip(&f);
    }
}

/* Runs without a zero of 253, 254 and 255 bytes, at every place against the end. The run begins with the session's last
 * byte. */
static void runs_around_254(void **state)
{
    uint8_t payload[600];

    (void) state;
    for (size_t run = 245; run <= 262; run++) {
        for (size_t after = 0; after <= 4; after++) {
            struct fota_frame f = {1, 3, 7, 0x01020304, payload, run + after};

            memset(payload, 0x5A, sizeof payload);
            payload[run] = 0;
            expect_round_trip(&f);
            payload[run] = 0x5A;
            expect_round_trip(&f);
        }
    }
}

static void capacity_and_length(void **state)
{
    static uint8_t payload[FOTA_LINK_PAYLOAD_MAX + 1u], wire[FOTA_LINK_WIRE_MAX];
    struct fota_frame f = {.version = 1, .type = 3, .payload = payload, .length = FOTA_LINK_PAYLOAD_MAX};

    (void) state;
    memset(payload, 1, sizeof payload);
    assert_int_not_equal(fota_frame_encode(&f, wire, sizeof wire), 0);
    assert_int_equal(fota_frame_encode(&f, wire, sizeof wire - 1u), 0);
    f.length++;
    assert_int_equal(fota_frame_encode(&f, wire, sizeof wire), 0);
    f.length = SIZE_MAX;
    assert_int_equal(fota_frame_encode(&f, wire, sizeof wire), 0);
    for (size_t size = 0; size <= 600u;
         size++) { /* what the encoder says fits never goes beyond (the sanitizer watches) */
        size_t needed = 12u + size + (12u + size) / 254u + 3u;

        f.length = size;
        assert_in_range(fota_frame_encode(&f, wire, needed), 15u + size, needed);
        assert_int_equal(fota_frame_encode(&f, wire, needed - 1u), 0);
    }
    assert_int_equal(fota_frame_encode(&f, wire, 0), 0);
}

static void every_bit_flip_is_seen(void **state)
{
    uint8_t payload[300], wire[400], bad[400];
    uint64_t random = 17;

    (void) state;
    for (size_t size = 0; size <= sizeof payload; size += 50u) {
        struct fota_frame f = {1, 5, 9, 0xC0FFEE00, payload, size};
        size_t wired;

        for (size_t i = 0; i < size; i++)
            payload[i] = (uint8_t) (test_random(&random) % 3u == 0 ? 0 : test_random(&random));
        wired = fota_frame_encode(&f, wire, sizeof wire);
        for (size_t bit = 8; bit < 8u * wired; bit++) { /* the first zero is no part of the frame */
            memcpy(bad, wire, wired);
            bad[bit / 8u] ^= (uint8_t) (1u << (bit % 8u));
            fota_link_rx_init(&rx);
            assert_int_equal(receive(bad, wired), 0);
            /* and the next frame is received all the same: its first zero ends whatever there was */
            assert_int_equal(receive(wire, wired), 1);
            assert_true(rx.damaged >= 1u);
        }
    }
}

static void text_and_noise_around(void **state)
{
    static const char text[] = "hello, this is the application\r\nversion 1.0.0\r\n";
    uint8_t wire[64], noise[5000];
    struct fota_frame f = {.version = 1, .type = 1, .tag = 4, .payload = (const uint8_t *) "abc", .length = 3};
    size_t size = fota_frame_encode(&f, wire, sizeof wire);
    uint64_t random = 5;

    (void) state;
    fota_link_rx_init(&rx);
    assert_int_equal(receive((const uint8_t *) text, sizeof text - 1u), 0);
    assert_int_equal(receive(wire, size), 1);
    assert_int_equal(rx.damaged, 1);
    /* idle line of an SPI master: no damage, no frame */
    memset(noise, 0, sizeof noise);
    assert_int_equal(receive(noise, sizeof noise), 0);
    assert_int_equal(rx.damaged, 1);
    /* text that never holds a zero is longer than any frame */
    memset(noise, 'x', sizeof noise);
    assert_int_equal(receive(noise, sizeof noise), 0);
    assert_int_equal(receive(wire, size), 1);
    assert_int_equal(rx.damaged, 2);
    for (unsigned run = 0; run < 200u; run++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t) test_random(&random);
        assert_int_equal(receive(noise, (size_t) (test_random(&random) % sizeof noise)), 0);
        assert_int_equal(receive(wire, size), 1);
        assert_memory_equal(got_payload, "abc", 3);
    }
}

static void truncated_and_oversized(void **state)
{
    static uint8_t payload[FOTA_LINK_PAYLOAD_MAX + 64u], raw[FOTA_LINK_RAW_MAX + 64u], wire[FOTA_LINK_WIRE_MAX + 80u];
    struct fota_frame f = {.version = 1, .type = 3, .payload = payload, .length = 40};
    size_t size = fota_frame_encode(&f, wire, sizeof wire);
    const uint8_t end = 0;

    (void) state;
    fota_link_rx_init(&rx);
    for (size_t cut = 2; cut + 1u < size; cut++) { /* cut = 1 is the empty frame */
        assert_int_equal(receive(wire, cut), 0);
        assert_int_equal(receive(&end, 1), 0);
        assert_int_equal(rx.damaged, cut - 1u);
    }
    /* a frame with good CRC but shorter than a head, and longer than the largest */
    for (size_t short_size = 4; short_size <= 12u; short_size++) {
        memset(raw, 0x11, sizeof raw);
        fota_put32(raw + short_size - 4u, fota_crc32(0, raw, short_size - 4u));
        size = cobs_encode(raw, short_size, wire);
        wire[size++] = 0;
        assert_int_equal(receive(wire, size), short_size == 12u);
    }
    for (size_t over = 0; over <= 40u; over++) {
        f.length = FOTA_LINK_PAYLOAD_MAX + over;
        memset(payload, 0x33, sizeof payload);
        size = cobs_encode(raw, raw_frame(&f, raw), wire);
        wire[size++] = 0;
        assert_int_equal(receive(wire, size), over == 0);
    }
}

/* --- messages ----------------------------------------------------------------------------------------------- */

/* By the offsets of docs/link.md, byte by byte. */
static void info_layout(void **state)
{
    uint8_t bytes[FOTA_LINK_INFO_SIZE + 8u];
    struct fota_link_info info;

    (void) state;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) (i + 1u);
    for (size_t size = 0; size < FOTA_LINK_INFO_LEAST; size++)
        assert_int_equal(fota_link_info_decode(bytes, size, &info), FOTA_E_TRUNCATED);
    assert_int_equal(fota_link_info_decode(bytes, FOTA_LINK_INFO_LEAST, &info), FOTA_OK); /* of an older target */
    assert_int_equal(info.fault_pc, 0);
    assert_int_equal(fota_link_info_decode(bytes, FOTA_LINK_INFO_SIZE, &info), FOTA_OK);
    assert_int_equal(fota_link_info_decode(bytes, sizeof bytes, &info), FOTA_OK); /* of a newer target */
    assert_int_equal(info.mode, 1);
    assert_int_equal(info.slot, 2);
    assert_int_equal(info.confirmed_slot, 3);
    assert_int_equal(info.trial, 4);
    assert_int_equal(info.attempts, 5);
    assert_int_equal(info.flags, 6);
    assert_int_equal(info.hw_revision, 0x0807);
    assert_memory_equal(info.product, bytes + 8, 16);
    assert_memory_equal(info.uid, bytes + 24, 12);
    assert_int_equal(info.floor, 0x28272625);
    assert_int_equal(info.version.major, 0x2A29);
    assert_int_equal(info.version.minor, 0x2C2B);
    assert_int_equal(info.version.patch, 0x2E2D);
    assert_int_equal(info.version.build, 0x34333231);
    assert_memory_equal(info.identity, bytes + 52, 32);
    assert_int_equal(info.bootloader.major, 0x5655);
    assert_int_equal(info.bootloader.minor, 0x5857);
    assert_int_equal(info.bootloader.patch, 0x5A59);
    assert_memory_equal(info.last_identity, bytes + 100, 16);
    assert_int_equal((uint16_t) info.last_reason, fota_get16(bytes + 98));
    assert_int_equal(info.data_max, fota_get16(bytes + 96));
    assert_int_equal(info.fault_pc, fota_get32(bytes + 116));
    assert_int_equal(info.fault_lr, fota_get32(bytes + 120));
}

static void progress_layout(void **state)
{
    const uint8_t bytes[] = {1, 2, 0, 0, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, 0xEE};
    struct fota_link_progress p;

    (void) state;
    assert_int_equal(fota_link_progress_decode(bytes, 11, &p), FOTA_E_TRUNCATED);
    assert_int_equal(fota_link_progress_decode(bytes, 13, &p), FOTA_OK);
    assert_int_equal(fota_link_progress_decode(bytes, 12, &p), FOTA_OK);
    assert_int_equal(p.slot, 1);
    assert_int_equal(p.state, 2);
    assert_int_equal(p.next, 0x01020304);
    assert_int_equal(p.credit, 0x05060708);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_comparison_itself),   cmocka_unit_test(round_trip_of_every_length),
        cmocka_unit_test(runs_around_254),         cmocka_unit_test(capacity_and_length),
        cmocka_unit_test(every_bit_flip_is_seen),  cmocka_unit_test(text_and_noise_around),
        cmocka_unit_test(truncated_and_oversized), cmocka_unit_test(info_layout),
        cmocka_unit_test(progress_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
