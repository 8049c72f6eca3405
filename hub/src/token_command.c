/* SPDX-License-Identifier: MIT */
#include "log.h"
#include "options.h"
#include "store.h"
#include "tokens.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

struct token_options {
    const char *action, *data, *role, *name;
};

static const struct argp_option table[] = {
    {"data", 'd', "DIR", 0, "Data directory of the hub; the hub may be running", 0},
    {"role", 'r', "ROLE", 0, "admin, operator, viewer or gateway (docs/http.md)", 0},
    {"name", 'n', "NAME", 0, "Whose token: 1 to 64 characters of A-Z a-z 0-9 . _ -", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct token_options *o = state->input;
    switch (key) {
    case 'd':
        o->data = arg;
        return 0;
    case 'r':
        if (hub_role_permissions(arg) == 0)
            argp_error(state, "--role: \"%s\" is none of admin, operator, viewer, gateway", arg);
        o->role = arg;
        return 0;
    case 'n':
        if (!hub_valid_job(arg))
            argp_error(state, "--name: \"%s\" is not 1 to 64 characters of A-Z a-z 0-9 . _ -", arg);
        o->name = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->action != NULL || (strcmp(arg, "add") != 0 && strcmp(arg, "list") != 0 && strcmp(arg, "revoke") != 0))
            argp_error(state, "\"%s\" is not understood; one of add, list, revoke is wanted", arg);
        o->action = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->action == NULL)
            argp_error(state, "one of add, list, revoke is missing");
        else if (o->data == NULL)
            argp_error(state, "--data DIR is missing");
        else if (o->role == NULL && strcmp(o->action, "add") == 0)
            argp_error(state, "--role is missing");
        else if (o->name == NULL && strcmp(o->action, "list") != 0)
            argp_error(state, "--name is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_row(void *ctx, const char *name, const char *role, int64_t created, int64_t revoked)
{
    (void) ctx;
    char made[HUB_TIME_SIZE], gone[HUB_TIME_SIZE] = "active";
    hub_time_format(created, made);
    if (revoked != 0)
        hub_time_format(revoked, gone);
    printf("%-10s %s  %-24s  %s\n", role, made, gone, name);
}

static int add(struct hub_db *db, const struct token_options *o)
{
    char token[HUB_TOKEN_SIZE];
    int rc = hub_token_add(db, o->role, o->name, token);
    if (rc == 0)
        puts(token);
    else if (rc == 1)
        fprintf(stderr, "fota-hub: a token named \"%s\" is active already; revoke it or choose another --name\n",
                o->name);
    return rc == 0 ? HUB_EXIT_OK : HUB_EXIT_FAILURE;
}

static int revoke(struct hub_db *db, const struct token_options *o)
{
    int rc = hub_token_revoke(db, o->name);
    if (rc == 1)
        fprintf(stderr, "fota-hub: no active token is named \"%s\"; see: fota-hub token list\n", o->name);
    return rc == 0 ? HUB_EXIT_OK : HUB_EXIT_FAILURE;
}

int hub_token_command(int argc, char **argv)
{
    static const struct argp argp = {table,
                                     parse,
                                     "add|list|revoke",
                                     "Make, list or revoke access tokens of the hub.\v`add` prints the token once, on "
                                     "stdout; only its SHA-256 is kept.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct token_options o = {0};
    struct hub_db db;
    char path[4096];
    static char name[] = "fota-hub token";
    argv[0] = name;
    argp_err_exit_status = HUB_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    hub_log_set_level(HUB_LOG_WARN);
    if ((size_t) snprintf(path, sizeof path, "%s/hub.db", o.data) >= sizeof path || hub_store_make_dir(o.data) != 0 ||
        hub_become_owner(o.data) != 0 || hub_db_open(&db, path) != 0)
        return HUB_EXIT_FAILURE;
    int rc;
    if (strcmp(o.action, "add") == 0)
        rc = add(&db, &o);
    else if (strcmp(o.action, "revoke") == 0)
        rc = revoke(&db, &o);
    else
        rc = hub_token_list(&db, print_row, NULL) == 0 ? HUB_EXIT_OK : HUB_EXIT_FAILURE;
    hub_db_close(&db);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "fota-hub: stdout cannot be written\n");
        return HUB_EXIT_FAILURE;
    }
    return rc;
}
