/* SPDX-License-Identifier: MIT */
/** @file cmd_dump.c `fota dump`: what lies in a chip, read through ST's factory bootloader. */
#include "rom.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dump {
    struct rom_options rom;
    const char *what, *output;
};

static const struct {
    const char *name;
    uint32_t address, size;
} areas[] = {{"bootloader", FOTA_BOOT_BASE, FOTA_BOOT_SIZE},
             {"slot-a", FOTA_SLOT_A_BASE, FOTA_SLOT_SIZE},
             {"slot-b", FOTA_SLOT_B_BASE, FOTA_SLOT_SIZE},
             {"flash", FOTA_FLASH_BASE, FOTA_FLASH_SIZE}};

static const struct argp_option options[] = {
    ROM_OPTIONS(0),
    {"output", 'o', "FILE", 0, "where the bytes go (bootloader, slot-a, slot-b, flash)", 1},
    {"json", 'j', NULL, 0, "print journal or option bytes as JSON", 2},
    {0},
};

static bool in_words(const char *what)
{
    return strcmp(what, "journal") == 0 || strcmp(what, "options") == 0;
}

static bool known(const char *what)
{
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        if (strcmp(what, areas[i].name) == 0)
            return true;
    return in_words(what);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct dump *d = state->input;
    if (rom_parse(key, arg, &d->rom, state))
        return 0;
    switch (key) {
    case 'o':
        d->output = arg;
        return 0;
    case 'j':
        d->rom.json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (d->what != NULL)
            argp_error(state, "more than one thing to be read: \"%s\"", arg);
        d->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (d->what == NULL || !known(d->what))
            argp_error(state, "what is to be read? journal, options, bootloader, slot-a, slot-b or flash");
        else if (!in_words(d->what) && d->output == NULL)
            argp_error(state, "-o FILE is missing");
        rom_require(&d->rom, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- bytes -------------------------------------------------------------------------------------------- */

static int dump_bytes(struct dump *d, struct rom_session *s, uint32_t address, uint32_t size,
                      struct pack_message *error)
{
    uint8_t *data = malloc(size);
    int e = data != NULL ? FOTA_OK : FOTA_E_IO;
    for (uint32_t at = 0; at < size && e == FOTA_OK; at += GW_ROM_PIECE) {
        if (gw_rom_read(&s->rom, address + at, data + at, GW_ROM_PIECE) != GW_ROM_OK)
            e = rom_error(s, FOTA_E_IO, error);
        if (s->rom.port.progress != NULL)
            s->rom.port.progress(s->rom.port.ctx, "read", at + GW_ROM_PIECE, size);
    }
    if (e == FOTA_OK)
        e = pack_file_write(d->output, data, size, 0644, error);
    free(data);
    return e;
}

/* --- the journal -------------------------------------------------------------------------------------- */

static const char *record_name(unsigned type)
{
    static const char *const names[] = {"?",       "confirmed", "pending", "trial",  "rejected",
                                        "allowed", "install",   "erasing", "erased", "progress",
                                        "void",    "floor",     "clean",   "dirty",  "skip"};
    return names[type < sizeof names / sizeof names[0] ? type : 0];
}

static const char *slot_letter(unsigned slot)
{
    return slot == FOTA_SLOT_A ? "A" : slot == FOTA_SLOT_B ? "B" : "-";
}

static bool of_an_image(unsigned type)
{
    return type <= FOTA_RECORD_INSTALL || type == FOTA_RECORD_PROGRESS || type == FOTA_RECORD_VOID;
}

static void print_record(uint32_t sequence, const struct fota_record *r)
{
    char identity[PACK_HEX_TEXT(FOTA_IDENTITY_SHORT)];
    pack_hex_print(r->identity, FOTA_IDENTITY_SHORT, identity);
    (void) printf("%8" PRIu32 "  %-9s", sequence, record_name(r->type));
    if (of_an_image(r->type))
        (void) printf("  slot %s  %s", slot_letter(r->slot), identity);
    if (r->type == FOTA_RECORD_REJECTED || r->type == FOTA_RECORD_VOID)
        (void) printf("  %s", fota_error_name(r->reason));
    else if (r->type == FOTA_RECORD_CONFIRMED)
        (void) printf("  counter %" PRIu32, r->arg);
    else if (r->type == FOTA_RECORD_TRIAL)
        (void) printf("  attempt %" PRIu32, r->arg);
    else if (r->type == FOTA_RECORD_INSTALL || r->type == FOTA_RECORD_PROGRESS)
        (void) printf("  %" PRIu32 " bytes", r->arg);
    else if (r->type == FOTA_RECORD_ERASING || r->type == FOTA_RECORD_ERASED)
        (void) printf("  sector %" PRIu32, r->arg);
    else if (r->type == FOTA_RECORD_FLOOR || r->type == FOTA_RECORD_SKIP)
        (void) printf("  %" PRIu32, r->arg);
    (void) putchar('\n');
}

static cJSON *json_record(uint32_t sequence, const struct fota_record *r)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "sequence", sequence);
    cJSON_AddStringToObject(o, "type", record_name(r->type));
    if (of_an_image(r->type)) {
        cJSON_AddStringToObject(o, "slot", slot_letter(r->slot));
        cli_json_hex(o, "identity", r->identity, FOTA_IDENTITY_SHORT);
    }
    if (r->reason != FOTA_OK)
        cJSON_AddStringToObject(o, "reason", fota_error_name(r->reason));
    cJSON_AddNumberToObject(o, "arg", r->arg);
    return o;
}

static void print_state(const struct fota_journal *j)
{
    static const char *const trials[] = {"none", "pending", "running"};
    const struct fota_boot_state *s = &j->state;
    if (!j->present) {
        (void) puts("no journal: neither bank has a head");
        return;
    }
    (void) printf("bank in use        sector %u, %" PRIu32 " of %u places\n", fota_journal_sector(j->bank), j->used,
                  (unsigned) FOTA_JOURNAL_RECORDS);
    (void) printf("confirmed          slot %s\n", slot_letter(s->confirmed.slot));
    (void) printf("trial              %s%s\n", trials[s->trial <= FOTA_TRIAL_RUNNING ? s->trial : 0],
                  s->trial == FOTA_TRIAL_NONE        ? ""
                  : s->candidate.slot == FOTA_SLOT_A ? ", slot A"
                                                     : ", slot B");
    (void) printf("floor              %" PRIu32 "\n", s->floor);
    for (unsigned i = 0; i < s->reject_count; i++) {
        char identity[PACK_HEX_TEXT(FOTA_IDENTITY_SHORT)];
        pack_hex_print(s->rejects[i].identity, FOTA_IDENTITY_SHORT, identity);
        (void) printf("rejected           %s  %s\n", identity, fota_error_name(s->rejects[i].reason));
    }
}

static int dump_journal(const struct dump *d, struct rom_session *s, struct pack_message *error)
{
    const struct fota_flash *flash = gw_rom_flash(&s->rom);
    struct fota_journal journal;
    if (fota_journal_open(&journal, flash) != FOTA_OK)
        return rom_error(s, FOTA_E_IO, error);
    cJSON *list = d->rom.json ? cJSON_CreateArray() : NULL;
    if (!d->rom.json)
        print_state(&journal);
    for (uint32_t i = 0; journal.present && i < journal.used; i++) {
        struct fota_record record;
        uint32_t sequence = 0;
        int e = fota_journal_peek(flash, journal.bank, i, &sequence, &record);
        if (e == FOTA_E_IO) {
            cJSON_Delete(list);
            return rom_error(s, FOTA_E_IO, error);
        }
        if (d->rom.json && e == FOTA_OK && i > 0)
            cJSON_AddItemToArray(list, json_record(sequence, &record));
        else if (!d->rom.json && e == FOTA_OK && i > 0)
            print_record(sequence, &record);
        else if (!d->rom.json && e == FOTA_E_CRC)
            (void) printf("%8" PRIu32 "  torn or foreign: does not count\n", journal.base + i);
    }
    if (list == NULL)
        return FOTA_OK;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ok", true);
    cJSON_AddBoolToObject(o, "present", journal.present);
    cJSON_AddStringToObject(o, "confirmed_slot", slot_letter(journal.state.confirmed.slot));
    cJSON_AddNumberToObject(o, "trial", journal.state.trial);
    cJSON_AddNumberToObject(o, "floor", journal.state.floor);
    cJSON_AddItemToObject(o, "records", list);
    return cli_json(o) == CLI_OK ? FOTA_OK : FOTA_E_IO;
}

/* --- option bytes ------------------------------------------------------------------------------------- */

static int dump_options(const struct dump *d, struct rom_session *s, struct pack_message *error)
{
    struct gw_rom_options o;
    if (gw_rom_options(&s->rom, &o) != GW_ROM_OK)
        return rom_error(s, FOTA_E_IO, error);
    unsigned bor = 3u - (o.user >> 2 & 3u), rdp = o.rdp == FOTA_ST_RDP_LEVEL_0   ? 0u
                                                  : o.rdp == FOTA_ST_RDP_LEVEL_2 ? 2u
                                                                                 : 1u;
    if (d->rom.json) {
        cJSON *j = cJSON_CreateObject();
        cJSON_AddBoolToObject(j, "ok", true);
        cJSON_AddNumberToObject(j, "rdp", rdp);
        cJSON_AddNumberToObject(j, "bor", bor);
        cJSON_AddBoolToObject(j, "watchdog_in_hardware", (o.user & 0x20u) == 0);
        cJSON *list = cJSON_AddArrayToObject(j, "write_protected");
        for (unsigned n = 0; n < FOTA_SECTOR_COUNT; n++)
            if (((uint32_t) o.write >> n & 1u) == 0)
                cJSON_AddItemToArray(list, cJSON_CreateNumber(n));
        return cli_json(j) == CLI_OK ? FOTA_OK : FOTA_E_IO;
    }
    (void) printf("readout protection level %u\nbrown-out          %s%.0u\nwatchdog           %s\nwrite-protected   ",
                  rdp, bor == 0 ? "off" : "level ", bor,
                  (o.user & 0x20u) == 0 ? "started by hardware" : "started by software");
    for (unsigned n = 0; n < FOTA_SECTOR_COUNT; n++)
        if (((uint32_t) o.write >> n & 1u) == 0)
            (void) printf(" sector %u", n);
    (void) puts(o.write == 0x0FFFu ? " nothing" : "");
    return FOTA_OK;
}

static int work(struct dump *d, struct rom_session *s, struct pack_message *error)
{
    if (strcmp(d->what, "journal") == 0)
        return dump_journal(d, s, error);
    if (strcmp(d->what, "options") == 0)
        return dump_options(d, s, error);
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        if (strcmp(d->what, areas[i].name) == 0)
            return dump_bytes(d, s, areas[i].address, areas[i].size, error);
    return FOTA_E_ARGUMENT;
}

int cli_dump(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "journal|options|bootloader|slot-a|slot-b|flash",
        .doc =
            "Read a device through ST's factory bootloader: the journal and the option bytes in words, or bytes into a "
            "file. The device is reset for it and starts again afterwards.\v"
            "Example: fota dump journal --port /dev/ttyUSB0 --pins gpio:gpiochip0:17:27",
    };
    struct dump d = {.rom = {.device = {.baud = 115200}}};
    struct pack_message error = {0};
    struct rom_session *session = calloc(1, sizeof *session);
    cli_parse(&argp, argc, argv, &d);
    int e = session != NULL ? rom_open(session, &d.rom, &error) : FOTA_E_IO;
    if (e == FOTA_OK)
        e = work(&d, session, &error);
    if (session != NULL)
        e = rom_close(session, e, &error);
    free(session);
    if (e == FOTA_OK)
        return CLI_OK;
    error.code = e;
    return cli_fail(d.rom.json, &error);
}
