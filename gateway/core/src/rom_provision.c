/* SPDX-License-Identifier: MIT */
/* A chip from blank, or from ruins, to a device. */
#include "gw/rom_job.h"
#include "rom_internal.h"

#include <string.h>

#define BOR_LEVEL_3 0u
#define BOR_MASK 0x0Cu
#define SECTOR_0 1u
#define FIRST 256u /* bytes of sector 0 that are written last: without its vectors the chip does not start */

static int progress(struct gw_rom *rom, const char *step, uint32_t done, uint32_t total)
{
    if (rom->port.progress != NULL)
        rom->port.progress(rom->port.ctx, step, done, total);
    return FOTA_OK;
}

/* --- pieces ----------------------------------------------------------------------------------------------------- */

static int write(struct gw_rom *rom, uint32_t address, const void *data, uint32_t length)
{
    return gw_rom_write(rom, address, data, length) == GW_ROM_OK ? FOTA_OK : FOTA_E_IO;
}

/* Read back. */
static int compare(struct gw_rom *rom, uint32_t address, const uint8_t *data, uint32_t length)
{
    uint8_t back[FOTA_ST_BLOCK];

    for (uint32_t at = 0; at < length; at += FOTA_ST_BLOCK) {
        uint32_t n = length - at < FOTA_ST_BLOCK ? length - at : FOTA_ST_BLOCK;

        if (gw_rom_read(rom, address + at, back, n) != GW_ROM_OK)
            return FOTA_E_IO;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t where = address + at + i;

            if (back[i] != data[at + i])
                return rom_fail(rom, FOTA_E_FLASH, "0x%08lx reads %02x instead of %02x: is sector %u write-protected?",
                                (unsigned long) where, back[i], data[at + i], fota_sector_of(where));
        }
    }
    return FOTA_OK;
}

static int erase(struct gw_rom *rom, unsigned first, unsigned last)
{
    for (unsigned s = first; s <= last; s++) {
        int result = gw_rom_erase(rom, s);

        if (result != GW_ROM_OK)
            return result == GW_ROM_E_VERIFY ? FOTA_E_FLASH : FOTA_E_IO;
    }
    return FOTA_OK;
}

static int write_boot(struct gw_rom *rom, const uint8_t *boot)
{
    int error = erase(rom, 0, 0);

    if (error == FOTA_OK)
        error = write(rom, FOTA_BOOT_BASE + FIRST, boot + FIRST, FOTA_BOOT_SIZE - FIRST);
    if (error == FOTA_OK)
        error = compare(rom, FOTA_BOOT_BASE + FIRST, boot + FIRST, FOTA_BOOT_SIZE - FIRST);
    if (error == FOTA_OK)
        error = write(rom, FOTA_BOOT_BASE, boot, FIRST);
    return error == FOTA_OK ? compare(rom, FOTA_BOOT_BASE, boot, FIRST) : error;
}

/* Code, then header, into slot A; what stood in the slot's other sectors does not matter. */
static int write_image(struct gw_rom *rom, struct gw_rom_image *image, const struct fota_header *header)
{
    uint32_t base = fota_slot_base(FOTA_SLOT_A);
    uint8_t piece[GW_ROM_PIECE];
    int error = erase(rom, fota_sector_of(base), fota_sector_of(base + FOTA_HEADER_SIZE + header->image_size - 1u));

    for (uint32_t at = 0, n; at < header->image_size && error == FOTA_OK; at += n) {
        uint32_t address = fota_slot_code(FOTA_SLOT_A) + at;

        n = header->image_size - at < sizeof piece ? header->image_size - at : (uint32_t) sizeof piece;
        error = image->source.read(image->source.ctx, FOTA_SLOT_A, at, piece, n);
        if (error == FOTA_OK)
            error = write(rom, address, piece, n);
        if (error == FOTA_OK)
            error = compare(rom, address, piece, n);
        image->bytes = at + n;
        (void) progress(rom, "write", at + n, header->image_size);
    }
    if (error == FOTA_OK)
        error = write(rom, base, image->header, FOTA_HEADER_SIZE);
    image->slot = FOTA_SLOT_A;
    return error == FOTA_OK ? compare(rom, base, image->header, FOTA_HEADER_SIZE) : error;
}

/* --- before anything is touched --------------------------------------------------------------------------------- */

static int check_image(struct gw_rom *rom, const struct fota_config *config, const struct gw_rom_image *image,
                       struct fota_header *header)
{
    int error = fota_header_decode(image->header, header);

    if (error == FOTA_OK)
        error = fota_header_fits(header, &config->target);
    if (error == FOTA_OK)
        error = fota_header_verify(image->header, config->keys, config->key_count);
    return error == FOTA_OK ? FOTA_OK
                            : rom_fail(rom, error, "the image does not suit this bootloader's configuration: %s",
                                       fota_error_text(error));
}

static int check_boot(struct gw_rom *rom, const uint8_t *boot, struct fota_config *config)
{
    int error = fota_config_decode(boot + (FOTA_CONFIG_BASE - FOTA_BOOT_BASE), config);

    return error == FOTA_OK ? FOTA_OK
                            : rom_fail(rom, error,
                                       "the bootloader has no configuration block (%s): make it with fota "
                                       "bootloader",
                                       fota_error_text(error));
}

static int unprotected(struct gw_rom *rom)
{
    if (!rom->protected)
        return FOTA_OK;
    return rom_fail(
        rom, FOTA_E_STATE,
        "readout protection is on (RDP level 1): the ROM lets nobody at the flash. Taking it off erases all of "
        "it: images, journal, floor and the list of rejected images are lost. --erase-everything does that");
}

/* Sectors that are write-protected could not be erased, and the ROM would not say so. */
static int open_sectors(struct gw_rom *rom, const struct gw_rom_options *options)
{
    if (options->write == 0x0FFFu)
        return FOTA_OK;
    return gw_rom_write_unprotect(rom) == GW_ROM_OK && gw_rom_x32(rom) == GW_ROM_OK ? FOTA_OK : FOTA_E_IO;
}

/* Sector 0 closed, brown-out level 3, and readout protection if it is asked for. */
static int close_chip(struct gw_rom *rom, bool protect)
{
    struct gw_rom_options options;

    (void) progress(rom, "option bytes", 0, 1);
    if (gw_rom_options(rom, &options) != GW_ROM_OK)
        return FOTA_E_IO;
    options.user = (uint8_t) ((options.user & ~BOR_MASK) | BOR_LEVEL_3 << 2);
    options.write = 0x0FFFu & ~SECTOR_0;
    if (gw_rom_set_options(rom, &options) != GW_ROM_OK || (protect && gw_rom_readout_protect(rom) != GW_ROM_OK))
        return FOTA_E_IO;
    return progress(rom, "option bytes", 1, 1);
}

/* --- the two jobs ----------------------------------------------------------------------------------------------- */

/* An empty journal, and the record that makes the image the confirmed one. */
static int write_journal(struct gw_rom *rom, const struct gw_rom_image *image, const struct fota_header *header)
{
    struct fota_record record = {.type = FOTA_RECORD_CONFIRMED, .slot = FOTA_SLOT_A, .arg = header->counter};
    uint8_t identity[FOTA_IDENTITY_SIZE];
    struct fota_journal journal;
    int error = erase(rom, FOTA_JOURNAL_SPARE_SECTOR, FOTA_JOURNAL_SECTOR);

    fota_header_identity(image->header, identity);
    memcpy(record.identity, identity, FOTA_IDENTITY_SHORT);
    if (error == FOTA_OK)
        error = fota_journal_open(&journal, gw_rom_flash(rom));
    if (error == FOTA_OK)
        error = fota_journal_maintain(&journal);
    return error == FOTA_OK ? fota_journal_append(&journal, &record) : error;
}

static bool is_fota(const struct gw_rom_survey *survey)
{
    return survey->configured && survey->journal.present && survey->journal.state.confirmed.slot != FOTA_SLOT_NONE;
}

int gw_rom_provision(struct gw_rom *rom, const struct gw_rom_provision *what)
{
    struct gw_rom_survey survey;
    struct fota_config config;
    struct fota_header header;
    int error = check_boot(rom, what->boot, &config);

    if (error == FOTA_OK)
        error = check_image(rom, &config, what->image, &header);
    if (error == FOTA_OK)
        error = unprotected(rom);
    if (error == FOTA_OK)
        error = gw_rom_survey(rom, &survey);
    if (error != FOTA_OK)
        return error;
    if (is_fota(&survey) && !what->force)
        return rom_fail(
            rom, FOTA_E_STATE,
            "fota is on this chip already, with a confirmed image in slot %c: --force provisions it anew, and its "
            "floor and rejected images are forgotten; fota flash updates it",
            'A' + survey.journal.state.confirmed.slot);
    error = open_sectors(rom, &survey.options);
    /* sector 0 first, so that nothing that is half written is ever started; then slot B's header, the journal, slot A
     */
    if (error == FOTA_OK)
        error = erase(rom, 0, 0);
    if (error == FOTA_OK)
        error = erase(rom, fota_sector_of(FOTA_SLOT_B_BASE), fota_sector_of(FOTA_SLOT_B_BASE));
    if (error == FOTA_OK)
        error = write_image(rom, what->image, &header);
    if (error == FOTA_OK)
        error = write_journal(rom, what->image, &header);
    (void) progress(rom, "bootloader", 0, FOTA_BOOT_SIZE);
    if (error == FOTA_OK)
        error = write_boot(rom, what->boot);
    return error == FOTA_OK ? close_chip(rom, what->protect) : error;
}

int gw_rom_rescue(struct gw_rom *rom, const struct gw_rom_provision *what, struct gw_rom_rescue *found)
{
    struct gw_rom_survey survey;
    struct fota_config config;
    struct fota_header header;
    int error = check_boot(rom, what->boot, &config);

    memset(found, 0, sizeof *found);
    if (error == FOTA_OK && what->image != NULL)
        error = check_image(rom, &config, what->image, &header);
    if (error == FOTA_OK)
        error = unprotected(rom);
    if (error == FOTA_OK)
        error = gw_rom_survey(rom, &survey);
    (void) progress(rom, "check images", 0, FOTA_SLOT_COUNT);
    if (error == FOTA_OK)
        error = gw_rom_look_at_slots(rom, &config, &survey);
    if (error != FOTA_OK)
        return error;
    found->journal_kept = survey.journal.present;
    for (unsigned s = 0; s < FOTA_SLOT_COUNT; s++)
        found->good_slots |= (uint8_t) (survey.slot[s].error == FOTA_OK ? 1u << s : 0);
    if (found->good_slots == 0 && what->image == NULL)
        return rom_fail(rom, FOTA_E_NO_IMAGE,
                        "neither slot holds an image that verifies (A: %s; B: %s): give a package to be written",
                        fota_error_text(survey.slot[0].error), fota_error_text(survey.slot[1].error));
    found->boot_kept = compare(rom, FOTA_BOOT_BASE, what->boot, FOTA_BOOT_SIZE) == FOTA_OK;
    error = open_sectors(rom, &survey.options);
    if (error == FOTA_OK && found->good_slots == 0) {
        error = write_image(rom, what->image, &header);
        found->image_written = error == FOTA_OK;
        /* a journal that speaks of other images would not let this one be found */
        if (error == FOTA_OK && survey.journal.present)
            error = write_journal(rom, what->image, &header);
        found->journal_kept = false;
    }
    if (error == FOTA_OK && !found->boot_kept)
        error = write_boot(rom, what->boot);
    return error == FOTA_OK ? close_chip(rom, what->protect) : error;
}
