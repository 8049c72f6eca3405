/* SPDX-License-Identifier: MIT */
/* The installer's functions in any order, into either slot, with good and bad images of up to several sectors, and
 * resets in between. The confirmed image stays, nothing is pending unless it is whole and signed, only sectors of the
 * spare slot and the journal are touched, and what a resume does not ask for again stands there. */
#include "fuzz.h"

#include "fota/crc32.h"
#include "fota/install.h"
#include "fota/map.h"
#include "pack.h"

#define IMAGES 3u
#define PIECE 2048u

/* in one sector; beyond PROGRESS records, in three sectors of slot A; in five of slot A and in two of slot B */
static const uint32_t sizes[IMAGES] = {2560, FOTA_KIB(41), FOTA_KIB(133)};

static struct fuzz_flash flash;
static struct fota_key key;
static uint8_t raw[IMAGES][FOTA_HEADER_SIZE], code[IMAGES][2][FOTA_KIB(133)];
static struct {
    unsigned resumes; /* at an offset */
    unsigned sectors; /* most in one install */
    unsigned pending;
} reached;

static void make(void)
{
    struct pack_key secret;
    struct pack_message message = {0};

    PROMISE(pack_key_generate(&secret, &message) == FOTA_OK);
    key = secret.public_key;
    for (unsigned i = 0; i < IMAGES; i++) {
        struct fota_header h = {.hw_min = 1,
                                .hw_max = 2,
                                .image_size = sizes[i],
                                .link_address = FOTA_LINK_ADDRESS,
                                .distance = FOTA_SLOT_DISTANCE,
                                .deadline_ms = 2000,
                                .counter = i,
                                .version = {.major = 1, .minor = (uint16_t) i}};
        uint8_t digest[FOTA_SHA256_SIZE];

        for (unsigned slot = 0; slot < 2u; slot++) {
            for (uint32_t k = 0; k < sizes[i]; k++)
                code[i][slot][k] = (uint8_t) ((k + k / 251u) * (i + 3u) + slot);
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

static struct fota_journal j;
static struct fota_installer in;
static bool spoilt; /* something else than the image was written in this install */

static void reset(unsigned keep)
{
    static const struct fota_target target = {.hw_revision = 1};

    PROMISE(fota_journal_open(&j, &flash.port) == FOTA_OK);
    PROMISE(fota_journal_settle(&j) == FOTA_OK);
    (void) fota_journal_maintain(&j);
    fota_install_init(&in, &j, &target, &key, 1, keep);
}

static void begin(struct fuzz_input *input, unsigned image, bool damaged, bool retry)
{
    uint8_t header[FOTA_HEADER_SIZE];

    memcpy(header, raw[image], sizeof header);
    if (damaged)
        header[fuzz_byte(input) * 2u] ^= fuzz_byte(input);
    if (fota_install_begin(&in, header, retry) != FOTA_OK || in.state != FOTA_INSTALL_RECEIVING)
        return;
    if (j.state.erased == 0) {
        PROMISE(in.next == 0);
        spoilt = false;
    }
    PROMISE(spoilt || memcmp(fuzz_flash_at(&flash, fota_slot_code(in.slot)), code[image][in.slot], in.next) == 0);
    reached.resumes += in.next > 0;
}

/* The next piece as it should be. @return whether another one may follow. */
static bool write_next(unsigned image, uint32_t most)
{
    uint32_t left = in.header.image_size - in.next, n = most < left ? most : left;
    int error;

    if (in.state != FOTA_INSTALL_RECEIVING || left == 0)
        return false;
    error = fota_install_write(&in, in.next, code[image][in.slot] + in.next, n);
    PROMISE(error == FOTA_OK || error == FOTA_E_JOURNAL_FULL || (error == FOTA_E_FLASH && spoilt));
    return error == FOTA_OK;
}

static void write_any(struct fuzz_input *input, bool at_next)
{
    uint32_t offset = fuzz_word(input);
    size_t n;
    uint8_t *piece = fuzz_piece(input, fuzz_byte(input), &n);

    if (fota_install_write(&in, at_next ? in.next : offset, piece, (uint32_t) n) == FOTA_OK)
        spoilt = true;
    free(piece);
}

static void finish(unsigned image, unsigned spare)
{
    unsigned sectors = (unsigned) __builtin_popcount(j.state.erased);

    if (fota_install_finish(&in) != FOTA_OK)
        return;
    PROMISE(memcmp(fuzz_flash_at(&flash, fota_slot_code(spare)), code[image][spare], sizes[image]) == 0);
    PROMISE(memcmp(fuzz_flash_at(&flash, fota_slot_base(spare)), raw[image], FOTA_HEADER_SIZE) == 0);
    PROMISE(j.state.trial == FOTA_TRIAL_PENDING && j.state.candidate.slot == spare);
    reached.pending++;
    if (sectors > reached.sectors)
        reached.sectors = sectors;
}

static void run(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned image = 0, keep = fuzz_byte(&input) & 1u, spare = keep ^ 1u;
    struct fota_record confirmed = {.type = FOTA_RECORD_CONFIRMED, .slot = (uint8_t) keep, .arg = 1};

    flash.may_write = FUZZ_JOURNAL | (spare == FOTA_SLOT_A ? FUZZ_SLOT_A : FUZZ_SLOT_B);
    fuzz_flash_clear(&flash, flash.may_write);
    PROMISE(fota_journal_open(&j, &flash.port) == FOTA_OK && fota_journal_maintain(&j) == FOTA_OK);
    PROMISE(fota_journal_append(&j, &confirmed) == FOTA_OK);
    spoilt = false;
    reset(keep);
    while (input.size > 0) {
        uint8_t what = fuzz_byte(&input);

        switch (what % 8u) {
        case 0:
            image = (what >> 3) % IMAGES;
            begin(&input, image, (what & 0x80u) != 0, (what & 0x40u) != 0);
            break;
        case 1:
            (void) write_next(image, 4u * (1u + fuzz_byte(&input)));
            break;
        case 2: /* a run of them */
            for (unsigned n = 0; n < 4u * (1u + (what >> 3)) && write_next(image, PIECE); n++)
                continue;
            break;
        case 3:
            write_any(&input, (what & 8u) != 0);
            break;
        case 4:
            finish(image, spare);
            break;
        case 5:
            fota_install_abort(&in);
            break;
        case 6:
            reset(keep);
            break;
        default: /* the journal is nearly full */
            for (unsigned i = 0; i < (what >> 3) * 4u && j.used < 3700u; i++)
                (void) fota_journal_append(&j,
                                           &(struct fota_record){.type = FOTA_RECORD_PROGRESS, .slot = 9, .arg = i});
            break;
        }
        PROMISE(j.state.confirmed.slot == keep);
        PROMISE(in.state != FOTA_INSTALL_RECEIVING || (in.slot == spare && in.next <= in.header.image_size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* the largest image: half, a reset, the rest */
    static const uint8_t way[2][7] = {{0, 0x10, 0x3A, 6, 0x10, 0xFA, 4}, {1, 0x10, 0x3A, 6, 0x10, 0xFA, 4}};

    if (flash.memory == NULL) {
        make();
        fuzz_flash_init(&flash, 0);
        for (unsigned i = 0; i < 2u; i++) { /* it can be gone, into either slot, or nothing above means much */
            memset(&reached, 0, sizeof reached);
            run(way[i], sizeof way[i]);
            PROMISE(reached.resumes == 1 && reached.pending == 1 && reached.sectors == (i == 0 ? 2u : 5u));
        }
    }
    run(data, size);
    return 0;
}
