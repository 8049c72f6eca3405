/* SPDX-License-Identifier: MIT */
/** @file cmd_doctor.c `fota doctor`. */
#include "cli.h"
#include "doctor.h"

#include <stdio.h>

struct doctor {
    const char *inputs[2];
    unsigned count;
    bool json;
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "print the result as JSON", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct doctor *d = state->input;
    switch (key) {
    case 'j':
        d->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (d->count == 2u)
            argp_error(state, "more than two ELFs: \"%s\"", arg);
        d->inputs[d->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (d->count == 0)
            argp_error(state, "the ELF is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *level_text(enum doctor_level level)
{
    return level == DOCTOR_ERROR ? "error" : level == DOCTOR_WARNING ? "warning" : "note";
}

static int print_json(const struct doctor_report *r)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(object, "findings");
    for (unsigned i = 0; i < r->count; i++) {
        cJSON *f = cJSON_CreateObject();
        cJSON_AddStringToObject(f, "level", level_text(r->finding[i].level));
        cJSON_AddStringToObject(f, "check", r->finding[i].check);
        cJSON_AddStringToObject(f, "message", r->finding[i].text);
        cJSON_AddItemToArray(list, f);
    }
    cJSON_AddBoolToObject(object, "ok", r->errors == 0);
    cJSON_AddNumberToObject(object, "errors", r->errors);
    cJSON_AddNumberToObject(object, "warnings", r->warnings);
    return cli_json(object);
}

/* The worst first. */
static int print_text(const struct doctor *d, const struct doctor_report *r)
{
    for (int level = DOCTOR_ERROR; level >= DOCTOR_NOTE; level--)
        for (unsigned i = 0; i < r->count; i++)
            if ((int) r->finding[i].level == level)
                (void) printf("%s: %s [%s]\n", level_text(r->finding[i].level), r->finding[i].text,
                              r->finding[i].check);
    if (r->errors + r->warnings == 0)
        (void) printf("%s%s%s: nothing wrong was found\n", d->inputs[0], d->count == 2u ? " and " : "",
                      d->count == 2u ? d->inputs[1] : "");
    else
        (void) printf("%u error%s, %u warning%s\n", r->errors, r->errors == 1u ? "" : "s", r->warnings,
                      r->warnings == 1u ? "" : "s");
    return fflush(stdout) == 0 ? CLI_OK : CLI_IO;
}

int cli_doctor(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "A.elf [B.elf]",
        .doc =
            "Say in words what is wrong with an application's ELF, a line each, and what to do.\v"
            "Input is one link for slot A made with -Wl,--emit-relocs, or two links, as for fota pack.\n\n"
            "Looked at are: kind of the ELF, load addresses, size, relocations, vector table, application info, "
            "memory, "
            "and what the code does, followed from its vectors: VTOR overwritten, watchdog not fed, image never "
            "confirmed, faults not noted, the other slot read.\n\n"
            "  error     it cannot be packed, or a device would not keep it\n"
            "  warning   it works, but not all of it\n"
            "  note      good to know, or could not be told\n\n"
            "Exit code 1: there is an error; warnings and notes alone give 0.\n\n"
            "Example: fota doctor app_a.elf app_b.elf",
    };
    struct doctor d = {0};
    struct pack_message error = {0};
    struct pack_buffer file[2] = {{0}, {0}};
    struct pack_input input[2] = {{0}, {0}};
    struct doctor_report report = {0};
    int e = FOTA_OK;
    cli_parse(&argp, argc, argv, &d);
    for (unsigned i = 0; i < d.count && e == FOTA_OK; i++) {
        e = pack_file_read(d.inputs[i], PACK_FILE_MAX, &file[i], &error);
        input[i] = (struct pack_input){d.inputs[i], file[i].data, file[i].size};
    }
    if (e == FOTA_OK)
        e = doctor_examine(input, d.count, &report, &error);
    int code = e != FOTA_OK ? cli_fail(d.json, &error) : d.json ? print_json(&report) : print_text(&d, &report);
    if (code == CLI_OK && report.errors > 0)
        code = CLI_FAILED;
    doctor_free(&report);
    pack_buffer_free(&file[0]);
    pack_buffer_free(&file[1]);
    return code;
}
