/* SPDX-License-Identifier: MIT */
/** @file cmd_status.c `fota status`: what the device says of itself. */
#include "device.h"

#include "gw/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct status {
    struct device_options device;
    bool json;
};

static const struct argp_option options[] = {
    DEVICE_OPTIONS(0),
    {"json", 'j', NULL, 0, "print the answer as JSON", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct status *s = state->input;
    if (device_parse(key, arg, &s->device, state))
        return 0;
    if (key == 'j') {
        s->json = true;
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        argp_error(state, "no file is wanted: \"%s\"", arg);
    if (key == ARGP_KEY_END && s->device.port == NULL)
        argp_error(state, "--port is missing");
    return key == ARGP_KEY_ARG || key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

static const char *slot_name(unsigned slot)
{
    return slot == FOTA_SLOT_A ? "A" : slot == FOTA_SLOT_B ? "B" : "none";
}

static const char *trial_name(unsigned trial)
{
    return trial == FOTA_TRIAL_NONE ? "none" : trial == FOTA_TRIAL_PENDING ? "pending" : "running";
}

/* Where the last fault was, where that is known. */
static void add_fault(cJSON *o, const struct fota_link_info *i)
{
    char pc[GW_ADDRESS_TEXT], lr[GW_ADDRESS_TEXT];
    if (i->fault_pc == 0)
        return;
    gw_address_text(i->fault_pc, pc);
    gw_address_text(i->fault_lr, lr);
    cJSON *fault = cJSON_AddObjectToObject(o, "fault");
    cJSON_AddStringToObject(fault, "pc", pc);
    cJSON_AddStringToObject(fault, "lr", lr);
}

static int print_json(const struct gw_push *push)
{
    const struct fota_link_info *i = &push->info;
    char uuid[PACK_UUID_TEXT];
    cJSON *o = cJSON_CreateObject();
    pack_uuid_print(i->product, uuid);
    cJSON_AddBoolToObject(o, "ok", true);
    cJSON_AddStringToObject(o, "mode", i->mode == FOTA_MODE_BOOTLOADER ? "bootloader" : "application");
    cJSON_AddStringToObject(o, "slot", slot_name(i->slot));
    cJSON_AddStringToObject(o, "confirmed_slot", slot_name(i->confirmed_slot));
    cJSON_AddStringToObject(o, "trial", trial_name(i->trial));
    cJSON_AddNumberToObject(o, "attempts", i->attempts);
    cJSON_AddBoolToObject(o, "configured", (i->flags & FOTA_INFO_CONFIGURED) != 0);
    cJSON_AddBoolToObject(o, "bootable", (i->flags & FOTA_INFO_BOOTABLE) != 0);
    cJSON_AddStringToObject(o, "product", uuid);
    cJSON_AddNumberToObject(o, "hw", i->hw_revision);
    cli_json_hex(o, "uid", i->uid, sizeof i->uid);
    cJSON_AddNumberToObject(o, "floor", i->floor);
    cli_json_version(o, "version", &i->version);
    cli_json_hex(o, "identity", i->identity, sizeof i->identity);
    cli_json_version(o, "bootloader", &i->bootloader);
    cJSON_AddNumberToObject(o, "data_max", i->data_max);
    cJSON_AddBoolToObject(o, "installs", (i->flags & FOTA_INFO_INSTALLS) != 0);
    add_fault(o, i);
    cJSON_AddStringToObject(o, "last_reason", i->last_reason == FOTA_OK ? "" : fota_error_name(i->last_reason));
    cJSON *log = cJSON_AddArrayToObject(o, "rejected");
    for (uint32_t n = 0; n < push->reject_count; n++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "reason", fota_error_name(push->rejects[n].reason));
        cli_json_hex(entry, "identity", push->rejects[n].identity, FOTA_IDENTITY_SHORT);
        cJSON_AddItemToArray(log, entry);
    }
    return cli_json(o);
}

static int print_text(const struct gw_push *push)
{
    const struct fota_link_info *i = &push->info;
    char uuid[PACK_UUID_TEXT], version[PACK_VERSION_TEXT], hex[PACK_HEX_TEXT(FOTA_IDENTITY_SIZE)];
    pack_uuid_print(i->product, uuid);
    pack_version_print(&i->version, version);
    (void) printf("%-18s %s%s\n", "answering", i->mode == FOTA_MODE_BOOTLOADER ? "the bootloader" : "the application",
                  (i->flags & FOTA_INFO_INSTALLS) != 0 ? ", which installs images while it runs" : "");
    if (i->slot == FOTA_SLOT_NONE) {
        (void) printf("%-18s nothing: flash a package\n", i->mode == FOTA_MODE_BOOTLOADER ? "bootable" : "slot");
    } else {
        (void) printf("%-18s %s in slot %s\n", "version", version, slot_name(i->slot));
        cli_print_hex("identity", i->identity, sizeof i->identity);
    }
    (void) printf("%-18s %s\n", "confirmed slot", slot_name(i->confirmed_slot));
    if (i->trial != FOTA_TRIAL_NONE)
        (void) printf("%-18s %s, attempt %u\n", "trial", trial_name(i->trial), i->attempts);
    if ((i->flags & FOTA_INFO_CONFIGURED) != 0)
        (void) printf("%-18s %s, hardware revision %u\n", "product", uuid, i->hw_revision);
    else
        (void) printf("%-18s the bootloader has no valid configuration block (fota bootloader)\n", "product");
    (void) printf("%-18s %" PRIu32 "\n", "floor", i->floor);
    cli_print_hex("chip", i->uid, sizeof i->uid);
    pack_version_print(&i->bootloader, version);
    (void) printf("%-18s %s\n", "bootloader", version);
    for (uint32_t n = 0; n < push->reject_count; n++) {
        pack_hex_print(push->rejects[n].identity, FOTA_IDENTITY_SHORT, hex);
        (void) printf("%-18s %s…: %s\n", "rejected", hex, fota_error_text(push->rejects[n].reason));
    }
    if (i->fault_pc != 0)
        (void) printf("%-18s PC 0x%08" PRIx32 ", LR 0x%08" PRIx32 "\n", "last fault", i->fault_pc, i->fault_lr);
    return CLI_OK;
}

int cli_status(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Ask a device over the serial line what it runs, and which images it has rejected and why. Nothing is "
            "changed and "
            "nothing is restarted.\v"
            "Example: fota status --port /dev/ttyUSB0",
    };
    struct status s = {.device = {.baud = 115200}};
    struct pack_message error = {0};
    struct device *device;
    cli_parse(&argp, argc, argv, &s);
    if (device_open(&device, &s.device, &error) != FOTA_OK)
        return cli_fail(s.json, &error);
    struct gw_push *push = device_push(device);
    (void) gw_push_query(push, true);
    while (push->state != GW_PUSH_ENDED)
        device_turn(device, 1000);
    int exit_code;
    if (push->outcome == GW_PUSH_ANSWERED) {
        exit_code = s.json ? print_json(push) : print_text(push);
    } else {
        error.code = FOTA_E_IO;
        (void) snprintf(error.text, sizeof error.text, "%s: %s", s.device.port, push->detail);
        exit_code = cli_fail(s.json, &error);
    }
    device_close(device);
    return exit_code;
}
