/* SPDX-License-Identifier: MIT */
/* A device behind ST's ROM: what is on it, and an update by core's installer. */
#include "gw/rom_job.h"
#include "rom_internal.h"

#include <string.h>

/* The text of a failure of core; one of the ROM has left its own. */
static int fail_core(struct gw_rom *rom, const char *doing, int error)
{
    if (error != FOTA_E_IO && !(error == FOTA_E_FLASH && rom->error[0] != '\0'))
        (void) rom_fail(rom, error, "%s: %s", doing, fota_error_text(error));
    return error;
}

int gw_rom_survey(struct gw_rom *rom, struct gw_rom_survey *survey)
{
    const struct fota_flash *flash = gw_rom_flash(rom);
    uint8_t raw[FOTA_CONFIG_SIZE];
    uint32_t words[2], version;
    int error;

    rom->error[0] = '\0';
    memset(survey, 0, sizeof *survey);
    if (gw_rom_options(rom, &survey->options) != GW_ROM_OK)
        return FOTA_E_IO;
    error = flash->read(flash->ctx, FOTA_BOOT_BASE, words, sizeof words);
    if (error == FOTA_OK)
        error = flash->read(flash->ctx, FOTA_BOOT_VERSION_ADDRESS, &version, sizeof version);
    if (error == FOTA_OK)
        error = flash->read(flash->ctx, FOTA_CONFIG_BASE, raw, sizeof raw);
    if (error != FOTA_OK)
        return error;
    survey->blank = words[0] == UINT32_MAX && words[1] == UINT32_MAX;
    survey->configured = !survey->blank && fota_config_decode(raw, &survey->config) == FOTA_OK;
    if (survey->configured)
        survey->bootloader = fota_boot_version(version);
    return fota_journal_open(&survey->journal, flash);
}

int gw_rom_look_at_slots(struct gw_rom *rom, const struct fota_config *config, struct gw_rom_survey *survey)
{
    const struct fota_flash *flash = gw_rom_flash(rom);

    for (unsigned s = 0; s < FOTA_SLOT_COUNT; s++)
        if (fota_slot_check(flash, s, &config->target, config->keys, config->key_count, &survey->slot[s]) == FOTA_E_IO)
            return FOTA_E_IO;
    return FOTA_OK;
}

/* --- update ----------------------------------------------------------------------------------------------------- */

static int slot_found(void *ctx, unsigned slot, struct fota_slot_image *image)
{
    const struct gw_rom_survey *survey = ctx;

    *image = survey->slot[slot];
    return image->error;
}

/* The header of the confirmed image, without its code: that it is there, and signed. */
static int confirmed_is_there(struct gw_rom *rom, const struct gw_rom_survey *survey)
{
    const struct fota_image_ref *confirmed = &survey->journal.state.confirmed;
    const struct fota_flash *flash = gw_rom_flash(rom);
    uint8_t raw[FOTA_HEADER_SIZE], identity[FOTA_IDENTITY_SIZE];
    struct fota_header header;
    int error = flash->read(flash->ctx, fota_slot_base(confirmed->slot), raw, sizeof raw);

    if (error != FOTA_OK)
        return error;
    error = fota_header_decode(raw, &header);
    if (error == FOTA_OK)
        error = fota_header_verify(raw, survey->config.keys, survey->config.key_count);
    if (error == FOTA_OK) {
        fota_header_identity(raw, identity);
        if (!fota_image_is(confirmed, confirmed->slot, identity))
            error = FOTA_E_NO_IMAGE;
    }
    if (error == FOTA_OK)
        return FOTA_OK;
    return rom_fail(
        rom, FOTA_E_NO_IMAGE,
        "the confirmed image in slot %c is damaged (%s): let the device start and decide, or use fota rescue",
        'A' + confirmed->slot, fota_error_text(error));
}

/* The slot that the bootloader would start: the spare one is the other. */
static int what_boots(struct gw_rom *rom, struct gw_rom_survey *survey, uint8_t *slot)
{
    const struct fota_slot_view view = {survey, slot_found};
    struct fota_decision decision;
    int error;

    *slot = survey->journal.state.confirmed.slot;
    if (survey->journal.present && *slot != FOTA_SLOT_NONE)
        return confirmed_is_there(rom, survey);
    error = gw_rom_look_at_slots(rom, &survey->config, survey);
    if (error == FOTA_OK) {
        fota_boot_decide(&survey->journal.state, FOTA_RESET_OTHER, survey->config.target.floor, &view, &decision);
        *slot = decision.slot;
    }
    return error;
}

static int write_code(struct gw_rom *rom, struct fota_installer *in, struct gw_rom_image *image)
{
    uint8_t piece[GW_ROM_PIECE];
    int error = FOTA_OK;

    while (error == FOTA_OK && in->next < in->header.image_size) {
        uint32_t at = in->next, n = in->header.image_size - at;

        n = n < sizeof piece ? n : (uint32_t) sizeof piece;
        error = image->source.read(image->source.ctx, in->slot, at, piece, n);
        if (error == FOTA_OK)
            error = fota_install_write(in, at, piece, n);
        image->bytes = in->next;
        if (rom->port.progress != NULL)
            rom->port.progress(rom->port.ctx, "write", in->next, in->header.image_size);
    }
    return error;
}

/* Before anything is decided on the journal its tail is made firm, as the bootloader does it. Only the bootloader makes
 * a journal, or room in it. */
int gw_rom_update(struct gw_rom *rom, struct gw_rom_survey *survey, struct gw_rom_image *image)
{
    struct fota_installer in;
    uint8_t boots;
    int error = gw_rom_survey(rom, survey);

    image->slot = FOTA_SLOT_NONE;
    if (error != FOTA_OK)
        return fail_core(rom, "looking at the device", error);
    if (!survey->configured)
        return rom_fail(rom, FOTA_E_CONFIG, "sector 0 holds no bootloader of fota%s: use fota %s",
                        survey->blank ? ", it is blank" : "", survey->blank ? "provision" : "rescue");
    if (!survey->journal.present)
        return rom_fail(rom, FOTA_E_STATE,
                        "there is no journal yet: let the device start once, its bootloader makes one");
    error = fota_journal_settle(&survey->journal);
    if (error == FOTA_OK)
        error = what_boots(rom, survey, &boots);
    if (error != FOTA_OK)
        return error == FOTA_E_NO_IMAGE ? error : fail_core(rom, "the journal", error);
    fota_install_init(&in, &survey->journal, &survey->config.target, survey->config.keys, survey->config.key_count,
                      boots);
    error = fota_install_begin(&in, image->header, image->retry);
    if (error != FOTA_OK)
        return fail_core(rom, "the device does not take this image", error);
    image->slot = in.slot;
    image->resumed_at = in.next;
    error = write_code(rom, &in, image);
    if (error != FOTA_OK)
        return fail_core(rom, "writing", error);
    if (rom->port.progress != NULL)
        rom->port.progress(rom->port.ctx, "verify", 0, in.header.image_size);
    error = fota_install_finish(&in);
    if (error == FOTA_E_CRC || error == FOTA_E_HASH)
        return rom_fail(rom, error,
                        "what was written does not read back right (%s): is a sector of slot %c write-protected?",
                        fota_error_text(error), 'A' + image->slot);
    return error == FOTA_OK ? FOTA_OK : fail_core(rom, "the last step", error);
}
