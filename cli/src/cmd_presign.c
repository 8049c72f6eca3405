/* SPDX-License-Identifier: MIT */
/** @file cmd_presign.c `fota presign`: a URL with which everybody may read one object for some time. */
#include "cli.h"

#include "credentials.h"
#include "gw/sigv4.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define EXPIRES_S 3600u
#define URL_MAX 4096u /* a session token is in it */

struct presigning {
    const char *url, *credentials, *profile, *region;
    uint32_t seconds;
    bool json;
};

enum { OPT_CREDENTIALS = 256, OPT_PROFILE, OPT_REGION, OPT_EXPIRES };

static const struct argp_option options[] = {
    {"expires", OPT_EXPIRES, "SECONDS", 0, "how long it is good: 1 to 604800, a week (3600)", 0},
    {"region", OPT_REGION, "NAME", 0, "the bucket's region (AWS_REGION, else us-east-1)", 1},
    {"credentials", OPT_CREDENTIALS, "FILE", 0,
     "shared-credentials file as the AWS CLI has it; without it AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
     "AWS_SESSION_TOKEN of the environment count",
     1},
    {"profile", OPT_PROFILE, "NAME", 0, "profile in that file (default)", 1},
    {"json", 'j', NULL, 0, "print the result as JSON", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct presigning *p = state->input;

    switch (key) {
    case OPT_EXPIRES:
        p->seconds = cli_number("--expires", arg, 1, GW_SIGV4_EXPIRES_MAX, state);
        return 0;
    case OPT_REGION:
        p->region = arg;
        return 0;
    case OPT_CREDENTIALS:
        p->credentials = arg;
        return 0;
    case OPT_PROFILE:
        p->profile = arg;
        return 0;
    case 'j':
        p->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (p->url != NULL)
            argp_error(state, "more than one URL: \"%s\"", arg);
        p->url = arg;
        return 0;
    case ARGP_KEY_END:
        if (p->url == NULL)
            argp_error(state, "the object's URL is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_presign(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "URL",
        .doc =
            "Print a presigned URL of an object in a bucket: whoever has it may read that object until it expires. "
            "No request is made.\v"
            "It is a secret like a password. With temporary credentials it expires no later than they do. For a "
            "job's \"url\", or a channel's \"index_url\".\n\n"
            "Example: fota presign https://bucket.s3.eu-central-1.amazonaws.com/fota/packages/SHA256.fota --region "
            "eu-central-1 --expires 86400",
    };
    struct presigning p = {.seconds = EXPIRES_S};
    struct gw_sigv4_credentials credentials = {.access_key = ""};
    struct pack_message error = {0};
    char url[URL_MAX];
    int e;

    cli_parse(&argp, argc, argv, &p);
    e = port_credentials_read(p.credentials, p.profile, &credentials, error.text, sizeof error.text);
    if (e == 1)
        (void) snprintf(error.text, sizeof error.text,
                        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --credentials FILE");
    if (e == 0)
        e = port_credentials_region(p.region, &credentials, error.text, sizeof error.text);
    if (e == 0) {
        const struct gw_sigv4_request request = {.method = "GET", .url = p.url, .time = (uint64_t) time(NULL)};

        e = gw_sigv4_presign(&credentials, &request, p.seconds, url, sizeof url);
        if (e != 0)
            (void) snprintf(error.text, sizeof error.text, "\"%.200s\" is no http:// or https:// URL of an object",
                            p.url);
    }
    memset(&credentials, 0, sizeof credentials);
    if (e != 0) {
        error.code = FOTA_E_IO;
        return cli_fail(p.json, &error);
    }
    if (p.json) {
        cJSON *object = cJSON_CreateObject();

        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "url", url);
        cJSON_AddNumberToObject(object, "expires", (double) p.seconds);
        return cli_json(object);
    }
    return puts(url) >= 0 ? CLI_OK : CLI_IO;
}
