/* SPDX-License-Identifier: MIT */
/* The device's side of the link: any bytes in, and requests that are well framed (first byte odd) with any content.
 * Sectors that hold the confirmed image are never touched. */
#include "fuzz.h"

#include "fota/server.h"

static struct fuzz_flash flash;
static unsigned answers;

static void on_send(void *ctx, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) data;
    PROMISE(length > 0 && length <= FOTA_LINK_WIRE_MAX);
    answers++;
}

static void on_reboot(void *ctx, unsigned where)
{
    (void) ctx;
    (void) where;
}

static int on_baud(void *ctx, uint32_t baud)
{
    (void) ctx;
    return baud >= 1200u && baud <= 2000000u ? FOTA_OK : FOTA_E_ARGUMENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fota_server_port port = {.send = on_send, .reboot = on_reboot, .baud = on_baud};
    static struct fota_server server;
    static struct fota_installer installer;
    static struct fota_journal journal;
    static uint8_t wire[FOTA_LINK_WIRE_MAX];
    struct fota_record confirmed = {.type = FOTA_RECORD_CONFIRMED, .slot = FOTA_SLOT_A, .arg = 1};
    struct fota_target target = {.hw_revision = 1};
    struct fota_key key = {{1}, {2}};
    struct fuzz_input in = {data, size};
    bool framed = fuzz_byte(&in) % 2u == 1u;

    if (flash.memory == NULL)
        fuzz_flash_init(&flash, FUZZ_JOURNAL | FUZZ_SLOT_B);
    fuzz_flash_clear(&flash, FUZZ_JOURNAL);
    memset(&server, 0, sizeof server);
    PROMISE(fota_journal_open(&journal, &flash.port) == FOTA_OK);
    PROMISE(fota_journal_maintain(&journal) == FOTA_OK);
    PROMISE(fota_journal_append(&journal, &confirmed) == FOTA_OK);
    fota_install_init(&installer, &journal, &target, &key, 1, FOTA_SLOT_A);
    server.port = &port;
    server.journal = &journal;
    server.install = fota_server_install;
    server.installer = &installer;
    server.window = 4096;
    fota_link_rx_init(&server.rx);
    while (in.size > 0) {
        size_t n;

        if (framed) {
            struct fota_frame frame = {.version = FOTA_LINK_VERSION,
                                       .type = fuzz_byte(&in),
                                       .tag = fuzz_byte(&in),
                                       .session = fuzz_byte(&in) % 2u == 0 ? server.session : fuzz_word(&in)};
            size_t wanted = fuzz_byte(&in) | (size_t) fuzz_byte(&in) << 8;
            uint8_t *payload = fuzz_piece(&in, wanted % (FOTA_LINK_PAYLOAD_MAX + 1u), &frame.length);
            unsigned before = answers;

            frame.payload = payload;
            n = fota_frame_encode(&frame, wire, sizeof wire);
            PROMISE(n > 0 && fota_server_feed(&server, wire, n) == ((frame.type & FOTA_LINK_RESPONSE) == 0 ? 1u : 0u));
            PROMISE((frame.type & FOTA_LINK_RESPONSE) != 0 || answers == before + 1u); /* never silence */
            free(payload);
        } else {
            uint8_t *piece = fuzz_piece(&in, 64, &n);

            (void) fota_server_feed(&server, piece, n);
            free(piece);
        }
    }
    PROMISE(installer.state == FOTA_INSTALL_IDLE); /* nobody can sign here */
    PROMISE(journal.state.confirmed.slot == FOTA_SLOT_A && journal.state.trial == FOTA_TRIAL_NONE);
    return 0;
}
