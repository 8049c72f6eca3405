/* SPDX-License-Identifier: MIT */
/* The installer's functions in any order, with good and bad images, and resets in between. The confirmed image stays,
 * nothing is pending unless it is whole and signed, and only sectors of the spare slot and the journal are touched. */
#include "fuzz.h"

#include "fota/crc32.h"
#include "fota/install.h"
#include "fota/map.h"
#include "pack.h"

#define IMAGES 3u
#define CODE 2560u

static struct fuzz_flash flash;
static struct fota_key key;
static uint8_t raw[IMAGES][FOTA_HEADER_SIZE], code[IMAGES][2][CODE];

static void make(void)
{
    struct pack_key secret;
    struct pack_message message = {0};

    PROMISE(pack_key_generate(&secret, &message) == FOTA_OK);
    key = secret.public_key;
    for (unsigned i = 0; i < IMAGES; i++) {
        struct fota_header h = {.hw_min = 1,
                                .hw_max = 2,
                                .image_size = CODE - 256u * i,
                                .link_address = FOTA_LINK_ADDRESS,
                                .distance = FOTA_SLOT_DISTANCE,
                                .deadline_ms = 2000,
                                .counter = i,
                                .version = {.major = 1, .minor = (uint16_t) i}};
        uint8_t digest[FOTA_SHA256_SIZE];

        for (unsigned slot = 0; slot < 2u; slot++) {
            for (unsigned k = 0; k < CODE; k++)
                code[i][slot][k] = (uint8_t) (k * (i + 3u) + slot);
            fota_put32(code[i][slot], 0x20020000u);
            fota_put32(code[i][slot] + 4, fota_slot_code(slot) + 9u);
            h.crc[slot] = fota_crc32(0, code[i][slot], h.image_size);
            fota_sha256(code[i][slot], h.image_size, h.sha256[slot]);
        }
        memset(h.reserved, 0xFF, sizeof h.reserved);
        memcpy(h.key_id, key.id, sizeof h.key_id);
        fota_header_encode(&h, raw[i]);
        fota_header_identity(raw[i], digest);
        PROMISE(pack_sign(&secret, digest, raw[i] + FOTA_HEADER_SIGNED) == FOTA_OK);
    }
    pack_key_wipe(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fota_journal j;
    static struct fota_installer in;
    struct fota_target target = {.hw_revision = 1};
    struct fota_record confirmed = {.type = FOTA_RECORD_CONFIRMED, .slot = FOTA_SLOT_A, .arg = 1};
    struct fuzz_input input = {data, size};
    unsigned image = 0;

    if (flash.memory == NULL) {
        make();
        fuzz_flash_init(&flash, FUZZ_JOURNAL | FUZZ_SLOT_B);
    }
    fuzz_flash_clear(&flash, FUZZ_JOURNAL | (1u << 7));
    PROMISE(fota_journal_open(&j, &flash.port) == FOTA_OK && fota_journal_maintain(&j) == FOTA_OK);
    PROMISE(fota_journal_append(&j, &confirmed) == FOTA_OK);
    fota_install_init(&in, &j, &target, &key, 1, FOTA_SLOT_A);
    while (input.size > 0) {
        uint8_t what = fuzz_byte(&input), header[FOTA_HEADER_SIZE];

        switch (what % 8u) {
        case 0:
            image = (what >> 3) % IMAGES;
            memcpy(header, raw[image], sizeof header);
            if ((what & 0x80u) != 0)
                header[fuzz_byte(&input) * 2u] ^= fuzz_byte(&input);
            (void) fota_install_begin(&in, header, (what & 0x40u) != 0);
            break;
        case 1: /* the next piece as it should be */
        case 2:
            if (in.state == FOTA_INSTALL_RECEIVING && in.next < in.header.image_size) {
                uint32_t left = in.header.image_size - in.next, n = 4u * (1u + fuzz_byte(&input));

                (void) fota_install_write(&in, in.next, code[image][in.slot] + in.next, n < left ? n : left);
            }
            break;
        case 3: { /* any piece anywhere */
            uint32_t offset = fuzz_word(&input);
            size_t n;
            uint8_t *piece = fuzz_piece(&input, fuzz_byte(&input), &n);

            if (in.slot != FOTA_SLOT_NONE || in.state != FOTA_INSTALL_RECEIVING)
                (void) fota_install_write(&in, (what & 8u) != 0 ? in.next : offset, piece, (uint32_t) n);
            free(piece);
            break;
        }
        case 4: {
            int error = fota_install_finish(&in);

            if (error == FOTA_OK) {
                PROMISE(memcmp(fuzz_flash_at(&flash, fota_slot_code(1)), code[image][1], in.header.image_size) == 0);
                PROMISE(j.state.trial == FOTA_TRIAL_PENDING && j.state.candidate.slot == FOTA_SLOT_B);
            }
            break;
        }
        case 5:
            fota_install_abort(&in);
            break;
        case 6: /* a reset */
            PROMISE(fota_journal_open(&j, &flash.port) == FOTA_OK);
            PROMISE(fota_journal_settle(&j) == FOTA_OK);
            (void) fota_journal_maintain(&j);
            fota_install_init(&in, &j, &target, &key, 1, FOTA_SLOT_A);
            break;
        default: /* the journal is nearly full */
            for (unsigned i = 0; i < (what >> 3) * 4u && j.used < 3700u; i++)
                (void) fota_journal_append(&j,
                                           &(struct fota_record){.type = FOTA_RECORD_PROGRESS, .slot = 9, .arg = i});
            break;
        }
        PROMISE(j.state.confirmed.slot == FOTA_SLOT_A);
        PROMISE(in.state != FOTA_INSTALL_RECEIVING || (in.slot == FOTA_SLOT_B && in.next <= in.header.image_size));
    }
    return 0;
}
