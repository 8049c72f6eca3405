/* SPDX-License-Identifier: MIT */
#include "backup.h"
#include "log.h"
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup_options {
    const char *data, *file;
};

static const struct argp_option table[] = {
    {"data", 'd', "DIR", 0, "Data directory of the hub", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct backup_options *o = state->input;
    switch (key) {
    case 'd':
        o->data = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file != NULL)
            argp_error(state, "\"%s\" is too much; one file is wanted", arg);
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->data == NULL)
            argp_error(state, "--data DIR is missing");
        else if (o->file == NULL)
            argp_error(state, "the backup's file name is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int hub_become_owner(const char *data)
{
    struct stat st;
    if (geteuid() != 0 || stat(data, &st) != 0 || st.st_uid == 0)
        return 0;
    if (setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
        return 0;
    fprintf(stderr, "fota-hub: cannot become the owner of %s: %s\n", data, strerror(errno));
    return -1;
}

int hub_backup_command(int argc, char **argv)
{
    static const struct argp backup = {
        table,
        parse,
        "FILE",
        "Write everything that the hub keeps into one file, verified; the hub may run.\v"
        "FILE must not exist. It holds releases with their packages, devices, history and the "
        "hashes of the access tokens; no password and no key.",
        NULL,
        NULL,
        NULL};
    static const struct argp restore = {
        table,
        parse,
        "FILE",
        "Restore a backup into a data directory that is empty or not there yet.\v"
        "Everything is verified first. Started by root it works as the directory's owner.",
        NULL,
        NULL,
        NULL};
    static char names[2][20] = {"fota-hub backup", "fota-hub restore"};
    bool restoring = strcmp(argv[0], "restore") == 0;
    struct backup_options o = {0};
    struct hub_db db = {NULL};
    argv[0] = names[restoring];
    argp_err_exit_status = HUB_EXIT_USAGE;
    argp_parse(restoring ? &restore : &backup, argc, argv, 0, NULL, &o);
    hub_log_set_level(HUB_LOG_WARN);
    if (!restoring)
        return hub_backup_write(o.data, o.file) == 0 ? HUB_EXIT_OK : HUB_EXIT_FAILURE;
    if (hub_backup_open(&db, o.file) != 0) /* as root: the owner of the data may not be able to read it */
        return HUB_EXIT_FAILURE;
    int rc = hub_become_owner(o.data) == 0 ? hub_backup_restore(&db, o.data) : -1;
    hub_db_close(&db);
    return rc == 0 ? HUB_EXIT_OK : HUB_EXIT_FAILURE;
}
