/* SPDX-License-Identifier: MIT */
#include "rom.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool rom_parse(int key, char *arg, struct rom_options *options, const struct argp_state *state)
{
    switch (key) {
    case ROM_OPT_GAP:
        options->gap_us = cli_number("--rom-gap", arg, 1, 1000, state);
        return true;
    case ROM_OPT_X8:
        options->x8 = true;
        return true;
    default:
        return device_parse(key, arg, &options->device, state);
    }
}

void rom_require(const struct rom_options *options, const struct argp_state *state)
{
    if (options->device.port == NULL)
        argp_error(state, "--port is missing");
    if (options->device.pins == NULL && options->device.control == NULL)
        argp_error(state, "--pins is missing: ST's factory bootloader is entered with BOOT0 and NRST");
}

/* --- the session -------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void) signal_number;
    interrupted = 1;
}

static bool stop(void *ctx)
{
    (void) ctx;
    return interrupted != 0;
}

static struct rom_session *shown; /* by progress(): there is one session */

static void progress(void *ctx, const char *step, uint32_t done, uint32_t total)
{
    struct rom_session *s = shown;
    uint32_t percent = total == 0 ? 100u : (uint32_t) (100u * (uint64_t) done / total);
    bool change = strcmp(step, s->step) != 0 || percent < s->percent;
    (void) ctx;
    if (!change && (percent == s->percent || (!s->tty && percent < s->percent + 10u && percent < 100u)))
        return;
    if (s->tty && change && s->step[0] != '\0')
        (void) fputc('\n', stderr);
    (void) snprintf(s->step, sizeof s->step, "%s", step);
    s->percent = percent;
    if (s->tty)
        (void) fprintf(stderr, "\r%-14s %3u %%", step, percent);
    else
        (void) fprintf(stderr, "%-14s %3u %%\n", step, percent);
}

int rom_error(const struct rom_session *session, int code, struct pack_message *error)
{
    error->code = code;
    (void) snprintf(error->text, sizeof error->text, "%s", session->rom.error);
    return code;
}

int rom_open(struct rom_session *session, const struct rom_options *options, struct pack_message *error)
{
    const struct gw_rom_port port = {
        .gap_ns = options->gap_us * 1000u, .stop = stop, .progress = options->json ? NULL : progress};
    memset(session, 0, sizeof *session);
    session->options = options;
    session->tty = isatty(STDERR_FILENO) == 1;
    shown = session;
    int e = device_open(&session->device, &options->device, error);
    if (e != FOTA_OK)
        return e;
    (void) signal(SIGINT, on_interrupt);
    (void) signal(SIGTERM, on_interrupt);
    device_rom(session->device, &session->rom, &port);
    if (gw_rom_enter(&session->rom) != GW_ROM_OK)
        return rom_error(session, FOTA_E_IO, error);
    if (!options->json)
        (void) fprintf(stderr, "ST's factory bootloader V%x.%x answers over %s%s\n", session->rom.version >> 4,
                       session->rom.version & 15u, session->rom.wire->name,
                       session->rom.protected ? "; readout protection is on" : "");
    if (!options->x8 && !session->rom.protected && gw_rom_x32(&session->rom) != GW_ROM_OK)
        return rom_error(session, FOTA_E_IO, error);
    return FOTA_OK;
}

int rom_close(struct rom_session *session, int earlier, struct pack_message *error)
{
    int e = earlier;
    if (session->device == NULL)
        return e;
    if (session->tty && session->step[0] != '\0')
        (void) fputc('\n', stderr);
    if (gw_rom_leave(&session->rom) != GW_ROM_OK && e == FOTA_OK)
        e = rom_error(session, FOTA_E_IO, error);
    device_close(session->device);
    session->device = NULL;
    return e;
}

/* --- packages ----------------------------------------------------------------------------------------- */

static int read_file(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    const struct rom_package *p = ctx;
    if (offset >= p->file.size)
        return 0;
    size_t n = p->file.size - offset < length ? p->file.size - offset : length;
    memcpy(data, p->file.data + offset, n);
    return (int) n;
}

int rom_package_load(struct rom_package *package, const char *path, const struct fota_key *keys, unsigned key_count,
                     struct pack_message *error)
{
    memset(&package->file, 0, sizeof package->file);
    int e = pack_file_read(path, PACK_FILE_MAX, &package->file, error);
    const struct pack_input input = {path, package->file.data, package->file.size};
    if (e == FOTA_OK)
        e = pack_verify(&input, keys, key_count, NULL, NULL, error);
    if (e != FOTA_OK)
        return e;
    gw_package_source_init(&package->source, &(struct gw_bytes){.ctx = package, .read = read_file});
    package->image = (struct gw_rom_image){.header = package->file.data,
                                           .source = {.ctx = &package->source, .read = gw_package_source_read}};
    return FOTA_OK;
}

void rom_package_free(struct rom_package *package)
{
    pack_buffer_free(&package->file);
}
