/* SPDX-License-Identifier: MIT */
/** @file cmd_flash.c `fota flash`: a package into a device, and the wait for what becomes of it. */
#include "rom.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30u
#define BAR_EVERY_MS 100u
#define LINE_EVERY_PERCENT 10u
#define JSON_EVERY_MS 1000u
#define REBOOT_TAKES_MS 1500u /* --no-wait: so that REBOOT has been sent and answered */

struct flash {
    struct rom_options rom; /* its device is that of the link, too */
    bool through_rom;
    const char *input;
    struct cli_keys keys;
    bool retry, force, no_wait, json;
    /* The run. */
    bool tty;
    const uint8_t *package;
    size_t package_size;
    enum gw_push_state shown;
    uint32_t shown_percent;
    uint64_t shown_at, write_since, jump_since;
};

enum { OPT_RETRY = 256, OPT_FORCE, OPT_NO_WAIT, OPT_BOOTLOADER, OPT_ROM };

static const struct argp_option options[] = {
    DEVICE_OPTIONS(0),
    {"max-baud", DEVICE_OPT_MAX_BAUD, "N", 0,
     "highest baud rate to agree on with the bootloader for the transfer (default 2000000; that of --baud: none)", 0},
    {"key", 'k', "K.pub.pem", 0, "check the signature with this key before the device is touched; may be repeated", 1},
    {"retry", OPT_RETRY, NULL, 0, "install it even if the device has rejected this very image before", 1},
    {"force", OPT_FORCE, NULL, 0, "write it again even if the device runs it and has confirmed it", 1},
    {"no-wait", OPT_NO_WAIT, NULL, 0, "do not wait for the trial to end", 1},
    {"bootloader", OPT_BOOTLOADER, NULL, 0,
     "install through the bootloader, also where the application installs images while it runs", 1},
    {"rom", OPT_ROM, NULL, 0,
     "write through ST's factory bootloader instead of fota's own; needs NRST and BOOT0 (--pins). The trial is watched "
     "over the link as ever",
     1},
    {"rom-gap", ROM_OPT_GAP, "US", 0, "with --rom on SPI: pause behind each byte, in microseconds (default 15)", 1},
    {"rom-x8", ROM_OPT_X8, NULL, 0, "with --rom: write by bytes, for a supply below 2.7 V", 1},
    {"json", 'j', NULL, 0, "print states, progress and the result as JSON, one object a line", 2},
    {0},
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void) signal_number;
    interrupted = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct flash *f = state->input;
    if (rom_parse(key, arg, &f->rom, state))
        return 0;
    switch (key) {
    case 'k':
        cli_keys_add(&f->keys, arg, state);
        return 0;
    case 'j':
        f->json = true;
        return 0;
    case OPT_RETRY:
        f->retry = true;
        return 0;
    case OPT_FORCE:
        f->force = true;
        return 0;
    case OPT_BOOTLOADER:
        f->rom.device.loader_only = true;
        return 0;
    case OPT_ROM:
        f->through_rom = true;
        return 0;
    case OPT_NO_WAIT:
        f->no_wait = true;
        return 0;
    case ARGP_KEY_ARG:
        if (f->input != NULL)
            argp_error(state, "more than one package: \"%s\"", arg);
        f->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (f->input == NULL)
            argp_error(state, "the package is missing");
        if (f->rom.device.port == NULL)
            argp_error(state, "--port is missing");
        if (f->through_rom)
            rom_require(&f->rom, state);
        f->rom.json = f->json;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The package's bytes, for gw_package_source. */
static int read_package(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    const struct flash *f = ctx;
    if (offset >= f->package_size)
        return 0;
    size_t n = f->package_size - offset < length ? f->package_size - offset : length;
    memcpy(data, f->package + offset, n);
    return (int) n;
}

/* Showing what happens -------------------------------------------------------------------------------- */

static const char *state_word(enum gw_push_state state)
{
    switch (state) {
    case GW_PUSH_ENTER:
        return "enter";
    case GW_PUSH_WRITE:
        return "write";
    case GW_PUSH_VERIFY:
        return "verify";
    case GW_PUSH_JUMP:
        return "jump";
    default:
        return "leave";
    }
}

static void print_state(const struct gw_push *push)
{
    switch (push->state) {
    case GW_PUSH_ENTER:
        (void) puts("enter: getting into the bootloader");
        break;
    case GW_PUSH_WRITE:
        if (push->resumed_at > 0)
            (void) printf("write: %" PRIu32 " bytes into slot %s, going on at %" PRIu32 "\n", push->total,
                          push->slot == FOTA_SLOT_A ? "A" : "B", push->resumed_at);
        else
            (void) printf("write: %" PRIu32 " bytes into slot %s\n", push->total,
                          push->slot == FOTA_SLOT_A ? "A" : "B");
        break;
    case GW_PUSH_VERIFY:
        (void) puts("verify: the device checks CRC-32 and SHA-256");
        break;
    case GW_PUSH_JUMP:
        (void) printf("jump: the device tries the new image, it has %" PRIu32 " s to confirm\n",
                      push->header.deadline_ms / 1000u);
        break;
    default:
        break;
    }
}

static uint32_t rate_of(const struct flash *f, const struct gw_push *push)
{
    uint64_t ms = device_now_ms() - f->write_since;
    return ms == 0 ? 0 : (uint32_t) (1000u * (uint64_t) (push->bytes - push->resumed_at) / ms);
}

static void print_bar(const struct flash *f, const struct gw_push *push, uint32_t percent, bool last)
{
    char bar[BAR_WIDTH + 1u], eta[24] = "";
    uint32_t rate = rate_of(f, push), filled = percent * BAR_WIDTH / 100u;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    if (rate > 0 && !last)
        (void) snprintf(eta, sizeof eta, ", %" PRIu32 " s left", (push->total - push->bytes + rate - 1u) / rate);
    if (f->tty)
        (void) printf("\r[%s] %3" PRIu32 " %% %7" PRIu32 " bytes, %" PRIu32 ".%" PRIu32 " KiB/s%s   %s", bar, percent,
                      push->bytes, rate / 1024u, rate % 1024u * 10u / 1024u, eta, last ? "\n" : "");
    else
        (void) printf("  %3" PRIu32 " %% %7" PRIu32 " bytes, %" PRIu32 ".%" PRIu32 " KiB/s%s\n", percent, push->bytes,
                      rate / 1024u, rate % 1024u * 10u / 1024u, eta);
}

static void json_line(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    if (text != NULL)
        (void) puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
    (void) fflush(stdout);
}

static void json_state(const struct flash *f, const struct gw_push *push)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "state", state_word(push->state));
    cJSON_AddNumberToObject(o, "bytes", push->bytes);
    cJSON_AddNumberToObject(o, "total", push->total);
    if (push->slot != FOTA_SLOT_NONE)
        cJSON_AddStringToObject(o, "slot", push->slot == FOTA_SLOT_A ? "A" : "B");
    if (push->state == GW_PUSH_WRITE) {
        cJSON_AddNumberToObject(o, "rate", rate_of(f, push));
        cJSON_AddNumberToObject(o, "resumed_at", push->resumed_at);
        cJSON_AddNumberToObject(o, "baud", push->rate);
    }
    json_line(o);
}

static void show(struct flash *f, const struct gw_push *push)
{
    uint64_t now = device_now_ms();
    uint32_t percent = push->total == 0 ? 0 : (uint32_t) (100u * (uint64_t) push->bytes / push->total);
    bool change = push->state != f->shown;
    if (push->state == GW_PUSH_ENDED)
        return;
    if (change && f->shown == GW_PUSH_WRITE && push->state == GW_PUSH_VERIFY && !f->json)
        print_bar(f, push, percent, true);
    else if (change && f->shown == GW_PUSH_WRITE && f->tty && !f->json)
        (void) putchar('\n');
    if (change) {
        f->shown = push->state;
        f->shown_percent = 0;
        f->shown_at = now;
        if (push->state == GW_PUSH_WRITE)
            f->write_since = now;
        if (push->state == GW_PUSH_JUMP)
            f->jump_since = now;
        if (f->json)
            json_state(f, push);
        else
            print_state(push);
    } else if (push->state == GW_PUSH_WRITE) {
        if (f->json  ? now - f->shown_at < JSON_EVERY_MS
            : f->tty ? now - f->shown_at < BAR_EVERY_MS
                     : percent < f->shown_percent + LINE_EVERY_PERCENT)
            return;
        f->shown_at = now;
        f->shown_percent = percent;
        if (f->json)
            json_state(f, push);
        else
            print_bar(f, push, percent, false);
    }
    (void) fflush(stdout);
}

/* The end --------------------------------------------------------------------------------------------- */

/* Why it did not work, in a sentence. */
static void why(const struct flash *f, const struct gw_push *push, char *text, size_t size)
{
    struct fota_target target = {.hw_revision = push->info.hw_revision, .floor = push->info.floor};
    memcpy(target.product, push->info.product, FOTA_PRODUCT_SIZE);
    const struct pack_context context = {
        .file = f->input,
        .header = f->package,
        .target = push->contact ? &target : NULL,
    };
    char words[600] = "";
    if (push->error != FOTA_OK)
        pack_explain(push->error, &context, words, sizeof words);
    /* What the push says has more of the moment, the explanation more of what to do. */
    if (words[0] == '\0')
        (void) snprintf(text, size, "%s", push->detail[0] != '\0' ? push->detail : push->reason);
    else if (push->outcome == GW_PUSH_ROLLED_BACK && push->info.slot != FOTA_SLOT_NONE) {
        char version[PACK_VERSION_TEXT];
        pack_version_print(&push->info.version, version);
        (void) snprintf(text, size, "%s. The device runs version %s again", words, version);
    } else
        (void) snprintf(text, size, "%s", words);
}

static int finish(const struct flash *f, const struct gw_push *push, bool left)
{
    static const char *const outcomes[] = {"", "", "confirmed", "rolled-back", "failed"};
    const char *outcome = left ? "jump" : outcomes[push->outcome];
    char text[900] = "", version[PACK_VERSION_TEXT];
    bool good = left || push->outcome == GW_PUSH_CONFIRMED;
    pack_version_print(&push->header.version, version);
    if (!good)
        why(f, push, text, sizeof text);
    if (f->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddBoolToObject(o, "ok", good);
        cJSON_AddStringToObject(o, "state", outcome);
        cJSON_AddStringToObject(o, "reason", good ? "" : push->reason);
        cJSON_AddStringToObject(o, "message", text);
        cJSON_AddStringToObject(o, "version", version);
        cli_json_hex(o, "identity", push->identity, FOTA_IDENTITY_SIZE);
        cJSON_AddNumberToObject(o, "bytes",
                                push->bytes - (push->resumed_at < push->bytes ? push->resumed_at : push->bytes));
        cJSON_AddNumberToObject(o, "resumed_at", push->resumed_at);
        json_line(o);
    } else if (left) {
        (void) printf("not waiting: fota status tells whether version %s was confirmed\n", version);
    } else if (good) {
        (void) printf("confirmed: the device runs version %s in slot %s\n", version,
                      push->info.slot == FOTA_SLOT_A ? "A" : "B");
    } else {
        (void) fflush(stdout);
        (void) fprintf(stderr, "fota: %s: %s\n", outcome, text);
    }
    if (good)
        return CLI_OK;
    if (push->outcome == GW_PUSH_ROLLED_BACK)
        return CLI_ROLLED_BACK;
    return strcmp(push->reason, "device-lost") == 0 ? CLI_IO : CLI_FAILED;
}

static int run(struct flash *f, struct gw_push *push, struct device *device)
{
    bool left = false;
    while (push->state != GW_PUSH_ENDED && !left) {
        device_turn(device, BAR_EVERY_MS);
        show(f, push);
        if (interrupted != 0) {
            interrupted = 0;
            if (gw_push_cancel(push) != FOTA_OK) /* from VERIFY on the device decides by itself */
                break;
        }
        left = f->no_wait && push->state == GW_PUSH_JUMP && device_now_ms() - f->jump_since >= REBOOT_TAKES_MS;
    }
    if (push->state != GW_PUSH_ENDED && !left) {
        (void) fprintf(stderr,
                       "fota: interrupted; the device goes on by itself, fota status tells what became of it\n");
        return CLI_FAILED;
    }
    return finish(f, push, left);
}

/* Write it through the ROM; what follows is the trial, which is watched over the link. */
static int write_through_rom(const struct flash *f, uint8_t *slot, struct pack_message *error)
{
    struct rom_session *session = calloc(1, sizeof *session);
    struct rom_package *package = calloc(1, sizeof *package);
    struct gw_rom_survey *survey = calloc(1, sizeof *survey);
    int e = FOTA_E_IO;
    if (session != NULL && package != NULL && survey != NULL)
        e = rom_package_load(package, f->input, f->keys.key, f->keys.count, error);
    if (e == FOTA_OK) {
        e = rom_open(session, &f->rom, error);
        package->image.retry = f->retry;
        if (e == FOTA_OK) {
            e = gw_rom_update(&session->rom, survey, &package->image);
            if (e != FOTA_OK)
                e = rom_error(session, e, error);
        }
        e = rom_close(session, e, error);
        *slot = package->image.slot;
        rom_package_free(package);
    }
    free(survey);
    free(package);
    free(session);
    return e;
}

int cli_flash(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PACKAGE.fota",
        .doc =
            "Install a package into a device over UART or SPI, and wait until the device has confirmed it or gone "
            "back to its "
            "old image.\v"
            "The package is checked whole before the device is touched. An interrupted installation goes on where it "
            "was. Ctrl-C "
            "cancels while the image is written; later the device decides by itself. Exit code 4: the device went "
            "back, the "
            "message says why.\n\n"
            "Example: fota flash app-1.2.3.fota --port /dev/ttyUSB0 --key release.pub.pem",
    };
    struct flash f = {.rom = {.device = {.baud = 115200, .max_baud = GW_PUSH_BAUD_MAX}},
                      .tty = isatty(STDOUT_FILENO) == 1};
    struct pack_message error = {0};
    struct pack_buffer file = {0};
    struct device *device = NULL;
    struct gw_package_source *source = malloc(sizeof *source);
    cli_parse(&argp, argc, argv, &f);
    int e = source != NULL ? cli_keys_load(&f.keys, &error) : FOTA_E_IO;
    if (e == FOTA_OK)
        e = pack_file_read(f.input, PACK_FILE_MAX, &file, &error);
    const struct pack_input package = {f.input, file.data, file.size};
    if (e == FOTA_OK)
        e = pack_verify(&package, f.keys.key, f.keys.count, NULL, NULL, &error);
    uint8_t slot = FOTA_SLOT_NONE;
    if (e == FOTA_OK && f.through_rom)
        e = write_through_rom(&f, &slot, &error);
    if (e == FOTA_OK)
        e = device_open(&device, &f.rom.device, &error);
    int exit_code;
    if (e == FOTA_OK) {
        struct gw_push *push = device_push(device);
        f.package = file.data;
        f.package_size = file.size;
        gw_package_source_init(source, &(struct gw_bytes){.ctx = &f, .read = read_package});
        const struct gw_push_job job = {.header = file.data,
                                        .source = {.ctx = source, .read = gw_package_source_read},
                                        .retry = f.retry,
                                        .force = f.force,
                                        .resume = f.through_rom ? GW_PUSH_JUMP : GW_PUSH_ENTER,
                                        .slot_known = f.through_rom,
                                        .slot = slot};
        (void) signal(SIGINT, on_interrupt);
        (void) signal(SIGTERM, on_interrupt);
        (void) gw_push_start(push, &job);
        exit_code = run(&f, push, device);
        device_close(device);
    } else {
        exit_code = cli_fail(f.json, &error);
    }
    free(source);
    pack_buffer_free(&file);
    return exit_code;
}
