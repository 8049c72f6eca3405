/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LINES 4096u
#define BLANKS " \t\r\n"

/* A value goes into headers: printable ASCII only. */
static bool take(const char *where, const char *name, const char *value, char *to, size_t room, char *error,
                 size_t capacity)
{
    size_t length = strlen(value);

    if (length == 0 || length >= room) {
        (void) snprintf(error, capacity, "%s: %s has %zu characters; 1 to %zu are possible", where, name, length,
                        room - 1u);
        return false;
    }
    for (size_t i = 0; i < length; i++)
        if (value[i] <= 0x20 || value[i] >= 0x7f) {
            (void) snprintf(error, capacity, "%s: %s has a blank or a control character at position %zu", where, name,
                            i);
            return false;
        }
    memcpy(to, value, length + 1u);
    return true;
}

static bool take_member(const char *where, const char *name, const char *value, struct gw_sigv4_credentials *out,
                        char *error, size_t capacity)
{
    if (strcasecmp(name, "aws_access_key_id") == 0)
        return take(where, name, value, out->access_key, sizeof out->access_key, error, capacity);
    if (strcasecmp(name, "aws_secret_access_key") == 0)
        return take(where, name, value, out->secret_key, sizeof out->secret_key, error, capacity);
    if (strcasecmp(name, "aws_session_token") == 0)
        return take(where, name, value, out->token, sizeof out->token, error, capacity);
    return true; /* region and the like: not ours */
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, BLANKS);
    length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1u]) != NULL)
        text[--length] = '\0';
    return text;
}

static int read_file(const char *file, const char *profile, struct gw_sigv4_credentials *out, char *error,
                     size_t capacity)
{
    FILE *f = fopen(file, "re");
    char line[GW_SIGV4_TOKEN_MAX + 128u];
    bool here = false, found = false, good = true;

    if (f == NULL) {
        (void) snprintf(error, capacity, "credentials %s: %s", file, strerror(errno));
        return -1;
    }
    for (unsigned n = 0; good && n < FILE_LINES && fgets(line, sizeof line, f) != NULL; n++) {
        char *text = trim(line), *equals = strchr(text, '=');

        if (text[0] == '[') {
            text[strcspn(text, "]")] = '\0';
            here = strcmp(trim(text + 1), profile) == 0;
            found = found || here;
        } else if (here && equals != NULL && text[0] != '#' && text[0] != ';') {
            *equals = '\0';
            good = take_member(file, trim(text), trim(equals + 1), out, error, capacity);
        }
    }
    (void) fclose(f);
    memset(line, 0, sizeof line);
    if (!good)
        return -1;
    if (found && out->access_key[0] != '\0' && out->secret_key[0] != '\0')
        return 0;
    (void) snprintf(error, capacity, "credentials %s: profile \"%s\" %s", file, profile,
                    found ? "lacks aws_access_key_id or aws_secret_access_key" : "is not there");
    return -1;
}

int port_credentials_read(const char *file, const char *profile, struct gw_sigv4_credentials *out, char *error,
                          size_t capacity)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};

    out->access_key[0] = out->secret_key[0] = out->token[0] = '\0';
    if (file != NULL)
        return read_file(file, profile != NULL ? profile : "default", out, error, capacity);
    for (unsigned i = 0; i < 3u; i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && value[0] != '\0' && !take_member("environment", names[i], value, out, error, capacity))
            return -1;
    }
    if (out->access_key[0] == '\0' && out->secret_key[0] == '\0')
        return 1;
    if (out->access_key[0] != '\0' && out->secret_key[0] != '\0')
        return 0;
    (void) snprintf(error, capacity,
                    "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: %s is missing",
                    out->access_key[0] == '\0' ? names[0] : names[1]);
    return -1;
}

int port_credentials_region(const char *given, struct gw_sigv4_credentials *out, char *error, size_t capacity)
{
    const char *region = given != NULL && given[0] != '\0' ? given : getenv("AWS_REGION");

    if (region == NULL || region[0] == '\0')
        region = getenv("AWS_DEFAULT_REGION");
    if (region == NULL || region[0] == '\0')
        region = "us-east-1";
    return take("region", "the name", region, out->region, sizeof out->region, error, capacity) ? 0 : -1;
}
