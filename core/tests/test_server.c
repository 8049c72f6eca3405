/* SPDX-License-Identifier: MIT */
#include "fota/server.h"

#include "fota/bytes.h"
#include "support/cmocka_all.h"
#include "support/device.h"

#include <string.h>

#define SIZE 20000u
#define WINDOW 4096u

static struct ram_flash flash;
static struct device device;
static struct test_image a, b;
static struct fota_server server;

/* --- the gateway's side ------------------------------------------------------------------------------------- */

static struct {
    struct fota_link_rx rx;
    unsigned responses, reboots, where, bauds;
    uint32_t baud;
    struct fota_frame frame;
    uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
} gw;

static void on_send(void *ctx, const uint8_t *data, size_t length)
{
    struct fota_frame frame;

    assert_ptr_equal(ctx, &gw);
    for (size_t i = 0; i < length; i++) {
        if (fota_link_rx_byte(&gw.rx, data[i], &frame)) {
            gw.responses++;
            gw.frame = frame;
            memcpy(gw.payload, frame.payload, frame.length);
        }
    }
}

static void on_reboot(void *ctx, unsigned where)
{
    assert_ptr_equal(ctx, &gw);
    assert_true(gw.responses > 0); /* answered first */
    gw.reboots++;
    gw.where = where;
}

static int on_baud(void *ctx, uint32_t baud)
{
    assert_ptr_equal(ctx, &gw);
    assert_int_equal(gw.responses, 0); /* answered at the old rate, after this */
    gw.bauds++;
    gw.baud = baud;
    return baud == 2000000u || baud == 115200u ? FOTA_OK : FOTA_E_ARGUMENT;
}

static const struct fota_server_port port = {.ctx = &gw, .send = on_send, .reboot = on_reboot, .baud = on_baud};
static uint8_t tag;

/* Send a request and expect one response. @return its status. */
static int ask_as(uint8_t version, uint8_t type, uint32_t session, const void *payload, size_t length)
{
    static uint8_t wire[FOTA_LINK_WIRE_MAX];
    struct fota_frame f = {version, type, ++tag, session, payload, length};
    size_t size = fota_frame_encode(&f, wire, sizeof wire);

    gw.responses = 0;
    assert_int_equal(fota_server_feed(&server, wire, size), 1);
    assert_int_equal(gw.responses, 1);
    assert_int_equal(gw.frame.version, FOTA_LINK_VERSION);
    assert_int_equal(gw.frame.type, type | 0x80);
    assert_int_equal(gw.frame.tag, tag);
    assert_int_equal(gw.frame.session, server.session);
    assert_true(gw.frame.length >= 4u && gw.payload[2] == 0 && gw.payload[3] == 0);
    return (int16_t) fota_get16(gw.payload);
}

static int ask(uint8_t type, const void *payload, size_t length)
{
    return ask_as(FOTA_LINK_VERSION, type, server.session, payload, length);
}

static struct fota_link_progress progress(void)
{
    struct fota_link_progress p;

    assert_int_equal(gw.frame.length, 4u + 12u);
    assert_int_equal(fota_link_progress_decode(gw.payload + 4, gw.frame.length - 4u, &p), FOTA_OK);
    return p;
}

static struct fota_link_info info(uint8_t flags)
{
    struct fota_link_info i;

    assert_int_equal(ask(FOTA_LINK_INFO, &flags, 1), FOTA_OK);
    assert_int_equal(gw.frame.length, 4u + FOTA_LINK_INFO_SIZE);
    assert_int_equal(fota_link_info_decode(gw.payload + 4, gw.frame.length - 4u, &i), FOTA_OK);
    return i;
}

static int begin(const struct test_image *image, uint8_t flags)
{
    uint8_t payload[4 + FOTA_HEADER_SIZE] = {flags, 0, 0, 0};

    memcpy(payload + 4, image->raw, FOTA_HEADER_SIZE);
    return ask(FOTA_LINK_BEGIN, payload, sizeof payload);
}

static int data_of(const struct test_image *image, uint32_t offset, uint32_t length)
{
    uint8_t payload[4 + FOTA_LINK_DATA_MAX];

    fota_put32(payload, offset);
    memcpy(payload + 4, image->code[device.installer.slot == FOTA_SLOT_B] + offset, length);
    return ask(FOTA_LINK_DATA, payload, 4u + length);
}

static int data(uint32_t offset, uint32_t length)
{
    return data_of(&b, offset, length);
}

static void start_server(void)
{
    memset(&server, 0, sizeof server);
    server.port = &port;
    server.journal = &device.journal;
    server.install = fota_server_install;
    server.installer = &device.installer;
    server.window = WINDOW;
    server.session = 0xAB00;
    server.info.mode = FOTA_MODE_BOOTLOADER;
    server.info.slot = device.decision.slot;
    server.info.data_max = FOTA_LINK_DATA_MAX;
    server.info.hw_revision = TEST_HW_REVISION;
    fota_link_rx_init(&server.rx);
}

static void reset(enum fota_reset_cause cause)
{
    (void) device_reset(&device, cause);
    assert_int_equal(device.error, FOTA_OK);
    start_server();
}

static int setup(void **state)
{
    (void) state;
    memset(&gw, 0, sizeof gw);
    ram_flash_init(&flash);
    device_init(&device, &flash);
    test_image_make(&a, 2000, 1, 5);
    test_image_make(&b, SIZE, 2, 6);
    flash_image(&flash, &a, 0);
    reset(FOTA_RESET_OTHER);
    (void) device_jump(&device);
    assert_int_equal(device_confirm(&device), FOTA_OK);
    reset(FOTA_RESET_OTHER);
    return 0;
}

static void send_all(const struct test_image *image, uint32_t from)
{
    for (uint32_t at = from; at < image->header.image_size;) {
        uint32_t length = image->header.image_size - at < 2048u ? image->header.image_size - at : 2048u;

        assert_int_equal(data_of(image, at, length), FOTA_OK);
        at += length;
    }
}

/* --- what is always answered -------------------------------------------------------------------------------- */

static void info_tells_the_state(void **state)
{
    struct fota_link_info i = info(0);

    (void) state;
    assert_false(server.stay);
    assert_int_equal(i.mode, FOTA_MODE_BOOTLOADER);
    assert_int_equal(i.slot, 0);
    assert_int_equal(i.confirmed_slot, 0);
    assert_int_equal(i.trial, FOTA_TRIAL_NONE);
    assert_int_equal(i.floor, 5);
    assert_int_equal(i.last_reason, FOTA_OK);
    assert_int_equal(i.data_max, 2048);
    (void) info(2); /* a flag of the future */
    assert_false(server.stay);
    (void) info(FOTA_LINK_INFO_STAY);
    assert_true(server.stay);
    assert_int_equal(ask(FOTA_LINK_INFO, NULL, 0), FOTA_OK);

    assert_int_equal(begin(&b, 0), FOTA_OK);
    send_all(&b, 0);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK);
    assert_int_equal(info(0).trial, FOTA_TRIAL_PENDING);
    reset(FOTA_RESET_OTHER);
    (void) device_jump(&device);
    i = info(0);
    assert_int_equal(i.trial, FOTA_TRIAL_RUNNING);
    assert_int_equal(i.attempts, 1);
    assert_int_equal(i.confirmed_slot, 0);
    reset(FOTA_RESET_DEADLINE);
    i = info(0);
    assert_int_equal(i.trial, FOTA_TRIAL_NONE);
    assert_int_equal(i.last_reason, FOTA_E_DEADLINE);
    assert_memory_equal(i.last_identity, b.identity, FOTA_IDENTITY_SHORT);
    server.info.floor = 50; /* a built-in floor above the journal's */
    assert_int_equal(info(0).floor, 50);
}

static void log_lists_what_was_rejected(void **state)
{
    (void) state;
    assert_int_equal(ask(FOTA_LINK_LOG, NULL, 0), FOTA_OK);
    assert_int_equal(gw.frame.length, 4);
    for (unsigned n = 1; n <= 10u; n++) {
        struct fota_decision d = {.reject = 1, .reason = (int16_t) -n};

        memset(d.reject_identity, (int) n, sizeof d.reject_identity);
        assert_int_equal(fota_boot_record_reject(&device.journal, &d), FOTA_OK);
        assert_int_equal(ask_as(1, FOTA_LINK_LOG, 12345, NULL, 0), FOTA_OK);
        unsigned count = n < 8u ? n : 8u;
        assert_int_equal(gw.frame.length, 4u + 20u * count);
        for (unsigned i = 0; i < count; i++) {
            const uint8_t *entry = gw.payload + 4u + 20u * i;

            assert_int_equal((int16_t) fota_get16(entry), -(int) (n - count + 1u + i)); /* oldest first */
            assert_int_equal(fota_get16(entry + 2), 0);
            for (unsigned k = 4; k < 20u; k++)
                assert_int_equal(entry[k], n - count + 1u + i);
        }
    }
}

static void reboot_either_way(void **state)
{
    const uint8_t where[] = {FOTA_LINK_REBOOT_LOADER, FOTA_LINK_REBOOT_NORMAL};

    (void) state;
    assert_int_equal(ask(FOTA_LINK_REBOOT, NULL, 0), FOTA_OK);
    assert_int_equal(gw.where, FOTA_LINK_REBOOT_NORMAL);
    assert_int_equal(ask(FOTA_LINK_REBOOT, where, 1), FOTA_OK);
    assert_int_equal(gw.where, FOTA_LINK_REBOOT_LOADER);
    assert_int_equal(ask_as(1, FOTA_LINK_REBOOT, 999, where + 1, 1), FOTA_OK); /* in any session */
    assert_int_equal(gw.where, FOTA_LINK_REBOOT_NORMAL);
    assert_int_equal(gw.reboots, 3);
}

static void unknown_and_other_versions(void **state)
{
    uint64_t ops = flash.ops;

    (void) state;
    for (unsigned type = 0; type < 0x80u; type++)
        if (type == 0 || type > FOTA_LINK_BAUD)
            assert_int_equal(ask((uint8_t) type, "abcd", 4), FOTA_E_UNKNOWN);
    for (unsigned type = 0; type < 0x80u; type += 3u) {
        assert_int_equal(ask_as(0, (uint8_t) type, 1, NULL, 0), FOTA_E_VERSION);
        assert_int_equal(ask_as(2, (uint8_t) type, 1, NULL, 0), FOTA_E_VERSION);
        assert_int_equal(ask_as(255, (uint8_t) type, 1, NULL, 0), FOTA_E_VERSION);
    }
    assert_int_equal(gw.reboots, 0);
    assert_int_equal(gw.bauds, 0);
    assert_int_equal(flash.ops, ops);
    server.install = NULL; /* an application that only confirms */
    for (uint8_t type = FOTA_LINK_BEGIN; type <= FOTA_LINK_ABORT; type++)
        assert_int_equal(ask(type, "abcd", 4), FOTA_E_UNKNOWN);
    assert_int_equal(ask(FOTA_LINK_BAUD, "abcd", 4), FOTA_E_UNKNOWN);
    assert_int_equal(gw.bauds, 0);
    (void) info(0);
    assert_int_equal(ask(FOTA_LINK_LOG, NULL, 0), FOTA_OK);
}

static void baud_is_decided_by_the_owner(void **state)
{
    static const uint32_t rates[] = {2000000, 115200, 0, 1, 300, 2000001, UINT32_MAX};
    static const struct fota_server_port fixed = {.ctx = &gw, .send = on_send, .reboot = on_reboot};
    uint8_t payload[8] = {0};

    (void) state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        fota_put32(payload, rates[i]);
        /* in any session, before BEGIN, too; a longer request of the future is understood */
        assert_int_equal(ask_as(1, FOTA_LINK_BAUD, i * 77u, payload, i % 2u == 0 ? 4 : 8),
                         i < 2u ? FOTA_OK : FOTA_E_ARGUMENT);
        assert_int_equal(gw.frame.length, 4);
        assert_int_equal(gw.baud, rates[i]);
        assert_int_equal(gw.bauds, i + 1u);
    }
    for (size_t length = 0; length < 4u; length++)
        assert_int_equal(ask(FOTA_LINK_BAUD, payload, length), FOTA_E_TRUNCATED);
    assert_int_equal(gw.bauds, sizeof rates / sizeof rates[0]);
    /* an update goes on over the change */
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(data(0, 2048), FOTA_OK);
    fota_put32(payload, 2000000);
    assert_int_equal(ask(FOTA_LINK_BAUD, payload, 4), FOTA_OK);
    assert_int_equal(data(2048, 2048), FOTA_OK);
    assert_int_equal(ask(FOTA_LINK_STATUS, NULL, 0), FOTA_OK);
    assert_int_equal(progress().next, 4096);
    server.port = &fixed; /* whose line has one rate */
    assert_int_equal(ask(FOTA_LINK_BAUD, payload, 4), FOTA_E_UNKNOWN);
}

/* INFO with a long payload finds out whether a line is good: it is answered only when it arrived whole. */
static void info_may_be_long(void **state)
{
    uint8_t payload[FOTA_LINK_PAYLOAD_MAX] = {0};

    (void) state;
    memset(payload + 1, 0x55, sizeof payload - 1u);
    assert_int_equal(ask(FOTA_LINK_INFO, payload, sizeof payload), FOTA_OK);
    assert_int_equal(gw.frame.length, 4u + FOTA_LINK_INFO_SIZE);
    assert_false(server.stay);
}

/* Responses on the line (an echo), text and damaged frames get no answer, or two targets would talk for ever. */
static void no_answer_to_what_is_no_request(void **state)
{
    uint8_t wire[64];
    struct fota_frame f = {.version = 1, .type = FOTA_LINK_INFO | 0x80, .tag = 1};
    size_t size = fota_frame_encode(&f, wire, sizeof wire);

    (void) state;
    gw.responses = 0;
    assert_int_equal(fota_server_feed(&server, wire, size), 0);
    assert_int_equal(fota_server_feed(&server, (const uint8_t *) "text\r\n", 7), 0);
    f.type = FOTA_LINK_INFO;
    size = fota_frame_encode(&f, wire, sizeof wire);
    wire[4] ^= 1;
    assert_int_equal(fota_server_feed(&server, wire, size), 0);
    assert_int_equal(gw.responses, 0);
    wire[4] ^= 1;
    for (size_t i = 0; i < size; i++) /* byte by byte, and twice at once */
        assert_int_equal(fota_server_feed(&server, wire + i, 1), i + 1u == size);
    uint8_t twice[128];
    memcpy(twice, wire, size);
    memcpy(twice + size, wire, size);
    gw.responses = 0;
    assert_int_equal(fota_server_feed(&server, twice, 2u * size), 2);
    assert_int_equal(gw.responses, 2);
}

/* --- installing --------------------------------------------------------------------------------------------- */

static void begin_data_finish(void **state)
{
    struct fota_link_progress p;
    uint32_t at = 0, session = server.session;

    (void) state;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_not_equal(server.session, session);
    assert_true(server.stay);
    p = progress();
    assert_int_equal(p.slot, 1);
    assert_int_equal(p.state, FOTA_INSTALL_RECEIVING);
    assert_int_equal(p.next, 0);
    assert_int_equal(p.credit, WINDOW);
    while (at < SIZE) {
        uint32_t length = SIZE - at < 1500u ? SIZE - at : 1500u;

        assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_E_INCOMPLETE);
        assert_int_equal(data(at, length), FOTA_OK);
        at += length;
        p = progress();
        assert_int_equal(p.next, at);
        assert_int_equal(p.credit, SIZE - at < WINDOW ? SIZE : at + WINDOW); /* never beyond the image */
        assert_int_equal(ask(FOTA_LINK_STATUS, NULL, 0), FOTA_OK);
        assert_int_equal(progress().next, at);
    }
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK);
    assert_int_equal(gw.frame.length, 4);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK); /* the answer was lost */
    assert_int_equal(ask(FOTA_LINK_STATUS, NULL, 0), FOTA_OK);
    assert_int_equal(progress().state, FOTA_INSTALL_COMPLETE);
    assert_int_equal(progress().credit, SIZE);
    reset(FOTA_RESET_OTHER);
    assert_int_equal(device.decision.slot, 1);
}

static void out_of_order(void **state)
{
    (void) state;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(data(0, 2048), FOTA_OK);
    static const uint32_t wrong[] = {0, 2044, 2052, 4096, UINT32_MAX & ~3u};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t payload[8] = {0};

        fota_put32(payload, wrong[i]);
        assert_int_equal(ask(FOTA_LINK_DATA, payload, sizeof payload), FOTA_E_OFFSET);
        assert_int_equal(progress().next, 2048); /* says what is wanted */
        assert_int_equal(progress().credit, 2048u + WINDOW);
    }
    assert_int_equal(data(2048, 2048), FOTA_OK);
    send_all(&b, 4096);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK);
}

static void lengths(void **state)
{
    uint8_t payload[FOTA_LINK_PAYLOAD_MAX] = {0};

    (void) state;
    for (size_t length = 0; length < 4u + FOTA_HEADER_SIZE; length += 43u)
        assert_int_equal(ask(FOTA_LINK_BEGIN, payload, length), FOTA_E_TRUNCATED);
    assert_int_equal(ask(FOTA_LINK_BEGIN, payload, 4u + FOTA_HEADER_SIZE - 1u), FOTA_E_TRUNCATED);
    assert_int_equal(ask(FOTA_LINK_BEGIN, payload, 4u + FOTA_HEADER_SIZE), FOTA_E_MAGIC);
    assert_int_equal(begin(&b, 0), FOTA_OK);
    for (size_t length = 0; length <= 4u; length++)
        assert_int_equal(ask(FOTA_LINK_DATA, payload, length), FOTA_E_TRUNCATED);
    assert_int_equal(ask(FOTA_LINK_DATA, payload, 5), FOTA_E_ARGUMENT);
    assert_int_equal(ask(FOTA_LINK_DATA, payload, 4u + 2046u), FOTA_E_ARGUMENT);
    send_all(&b, 0);
    fota_put32(payload, SIZE);
    assert_int_equal(ask(FOTA_LINK_DATA, payload, 8), FOTA_E_ARGUMENT);
}

static void sessions(void **state)
{
    uint32_t old;

    (void) state;
    static const uint8_t types[] = {FOTA_LINK_DATA, FOTA_LINK_FINISH, FOTA_LINK_STATUS, FOTA_LINK_ABORT};
    for (unsigned i = 0; i < sizeof types; i++) /* before any begin */
        assert_int_equal(ask_as(1, types[i], 0, "12345678", 8), FOTA_E_SESSION);
    assert_int_equal(ask(FOTA_LINK_STATUS, NULL, 0), FOTA_OK);
    assert_int_equal(progress().state, FOTA_INSTALL_IDLE);
    assert_int_equal(progress().slot, FOTA_SLOT_NONE);
    assert_int_equal(progress().credit, 0);
    assert_int_equal(data(0, 2048), FOTA_E_STATE);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_E_STATE);

    assert_int_equal(begin(&b, 0), FOTA_OK);
    old = server.session;
    assert_int_equal(data(0, 2048), FOTA_OK);
    assert_int_equal(begin(&b, 0), FOTA_OK); /* the newest begin wins */
    assert_int_not_equal(server.session, old);
    for (unsigned i = 0; i < sizeof types; i++)
        assert_int_equal(ask_as(1, types[i], old, "12345678", 8), FOTA_E_SESSION);
    assert_int_equal(ask(FOTA_LINK_STATUS, NULL, 0), FOTA_OK);
    assert_int_equal(progress().state, FOTA_INSTALL_RECEIVING); /* the abort of the old session was none */
    server.session = 634785765u;                                /* the one before 0 in the row: 0 means none */
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_not_equal(server.session, 0);
}

static void resume_after_begin_again(void **state)
{
    (void) state;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    for (uint32_t at = 0; at < 18432u; at += 2048u)
        assert_int_equal(data(at, 2048), FOTA_OK);
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(progress().next, 16384);
    assert_int_equal(progress().credit, SIZE); /* less than a window is left */
    reset(FOTA_RESET_OTHER);
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(progress().next, 16384);
    send_all(&b, 16384);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK);
    assert_int_equal(begin(&b, 0), FOTA_OK); /* it is there already */
    assert_int_equal(progress().state, FOTA_INSTALL_COMPLETE);
    assert_int_equal(progress().next, SIZE);
    assert_int_equal(progress().credit, SIZE);
    assert_int_equal(flash.conflicts, 0);
}

static void abort_and_errors_of_the_installer(void **state)
{
    (void) state;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(ask(FOTA_LINK_ABORT, NULL, 0), FOTA_OK);
    assert_int_equal(data(0, 2048), FOTA_E_STATE);
    assert_int_equal(gw.frame.length, 4);
    b.key = 1;
    test_image_seal(&b);
    uint32_t session = server.session;
    assert_int_equal(begin(&b, 0), FOTA_E_KEY);
    assert_int_equal(server.session, session);
    test_image_make(&b, SIZE, 2, 6);
    b.code[1][100] ^= 1;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    send_all(&b, 0);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_E_CRC);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_E_STATE);
    b.code[1][100] ^= 1;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    assert_int_equal(progress().next, 0);
    send_all(&b, 0);
    assert_int_equal(ask(FOTA_LINK_FINISH, NULL, 0), FOTA_OK);
    reset(FOTA_RESET_OTHER);
    (void) device_jump(&device);
    assert_int_equal(begin(&b, 0), FOTA_E_BUSY);
    reset(FOTA_RESET_DEADLINE);
    assert_int_equal(begin(&b, 0), FOTA_E_REJECTED);
    assert_int_equal(begin(&b, 0xFE), FOTA_E_REJECTED); /* other flags are not the operator's */
    assert_int_equal(begin(&b, FOTA_LINK_BEGIN_RETRY), FOTA_OK);
}

/* Frames of any content: always one answer, and nothing is read or written out of bounds (the sanitizers watch). */
static void random_requests(void **state)
{
    uint64_t random = 77;

    (void) state;
    assert_int_equal(begin(&b, 0), FOTA_OK);
    for (unsigned run = 0; run < 5000u; run++) {
        uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
        uint32_t r = (uint32_t) test_random(&random);
        size_t length = (size_t) (test_random(&random) % (r % 3u == 0 ? sizeof payload + 1u : 12u));

        for (size_t i = 0; i < length; i++)
            payload[i] = (uint8_t) test_random(&random);
        if (length > 4 && r % 2u == 0)
            fota_put32(payload, device.installer.next);
        (void) ask_as(r % 16u == 0 ? 2 : 1, (uint8_t) ((r >> 8) % 11u), r % 5u == 0 ? r : server.session, payload,
                      length);
    }
    for (unsigned sector = 1; sector <= 6u; sector++) /* the confirmed slot */
        assert_int_equal(flash.erases[sector], 0);
    reset(FOTA_RESET_OTHER);
    assert_int_equal(device.decision.slot, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(info_tells_the_state, setup),
        cmocka_unit_test_setup(log_lists_what_was_rejected, setup),
        cmocka_unit_test_setup(reboot_either_way, setup),
        cmocka_unit_test_setup(unknown_and_other_versions, setup),
        cmocka_unit_test_setup(baud_is_decided_by_the_owner, setup),
        cmocka_unit_test_setup(info_may_be_long, setup),
        cmocka_unit_test_setup(no_answer_to_what_is_no_request, setup),
        cmocka_unit_test_setup(begin_data_finish, setup),
        cmocka_unit_test_setup(out_of_order, setup),
        cmocka_unit_test_setup(lengths, setup),
        cmocka_unit_test_setup(sessions, setup),
        cmocka_unit_test_setup(resume_after_begin_again, setup),
        cmocka_unit_test_setup(abort_and_errors_of_the_installer, setup),
        cmocka_unit_test_setup(random_requests, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
