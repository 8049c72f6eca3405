/* SPDX-License-Identifier: MIT */
#include "config_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void say(char *error, size_t capacity, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(error, capacity, format, arguments);
    va_end(arguments);
}

/* Comments become spaces, so that lines keep their numbers. @return false when one has no end. */
static bool blank_comments(char *text)
{
    for (char *p = text; *p != '\0';) {
        if (*p == '"') {
            for (p++; *p != '\0' && *p != '"'; p++)
                if (*p == '\\' && p[1] != '\0')
                    p++;
            if (*p == '"')
                p++;
        } else if (p[0] == '/' && p[1] == '/') {
            while (*p != '\0' && *p != '\n')
                *p++ = ' ';
        } else if (p[0] == '/' && p[1] == '*') {
            char *end = strstr(p + 2, "*/");

            if (end == NULL)
                return false;
            for (; p < end + 2; p++)
                if (*p != '\n')
                    *p = ' ';
        } else {
            p++;
        }
    }
    return true;
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (; at != NULL && text < at && *text != '\0'; text++)
        line += *text == '\n';
    return line;
}

static const char *twice(const cJSON *object)
{
    for (const cJSON *i = object->child; i != NULL; i = i->next)
        for (const cJSON *j = i->next; j != NULL; j = j->next)
            if (strcmp(i->string, j->string) == 0)
                return i->string;
    return NULL;
}

static cJSON *parse(const char *path, char *text, char *error, size_t capacity)
{
    const char *end = NULL;
    const char *double_member;
    cJSON *json;

    if (!blank_comments(text)) {
        say(error, capacity, "configuration %s: a comment has no end; close it with */", path);
        return NULL;
    }
    json = cJSON_ParseWithOpts(text, &end, true);
    if (json == NULL) {
        size_t rest = end != NULL ? strcspn(end, "\n") : 0;

        say(error, capacity, "configuration %s, line %u: not JSON at \"%.*s\"", path, line_of(text, end),
            rest < 40 ? (int) rest : 40, end != NULL ? end : "");
        return NULL;
    }
    if (!cJSON_IsObject(json)) {
        say(error, capacity, "configuration %s: an object is wanted: { … }", path);
    } else if ((double_member = twice(json)) != NULL) {
        say(error, capacity, "configuration %s: \"%s\" is there twice", path, double_member);
    } else {
        return json;
    }
    cJSON_Delete(json);
    return NULL;
}

cJSON *fota_config_file_read(const char *path, char *error, size_t capacity)
{
    FILE *f = fopen(path, "re");
    char *text;
    size_t length;
    bool bad;
    cJSON *json = NULL;

    if (f == NULL) {
        say(error, capacity, "configuration %s: %s", path, strerror(errno));
        return NULL;
    }
    text = calloc(1, FOTA_CONFIG_MAX + 2u);
    errno = 0;
    length = text != NULL ? fread(text, 1, FOTA_CONFIG_MAX + 1u, f) : 0;
    bad = text == NULL || ferror(f) != 0;
    if (bad)
        say(error, capacity, "configuration %s: %s", path, strerror(errno != 0 ? errno : EIO));
    else if (length > FOTA_CONFIG_MAX)
        say(error, capacity, "configuration %s: larger than %u bytes", path, FOTA_CONFIG_MAX);
    else if (strlen(text) != length)
        say(error, capacity, "configuration %s: a zero byte at offset %zu; is it a text file?", path, strlen(text));
    else
        json = parse(path, text, error, capacity);
    (void) fclose(f);
    free(text);
    return json;
}

int fota_secret_read(const char *path, char *secret, size_t secret_capacity, char *error, size_t capacity)
{
    FILE *f = fopen(path, "re");
    int rc = -1;

    if (f == NULL) {
        say(error, capacity, "%s: %s", path, strerror(errno));
        return -1;
    }
    secret[0] = '\0';
    if (fgets(secret, (int) secret_capacity, f) == NULL || strcspn(secret, "\r\n") == 0)
        say(error, capacity, "%s: its first line is empty", path);
    else if (strlen(secret) == secret_capacity - 1u && strchr(secret, '\n') == NULL)
        say(error, capacity, "%s: its first line is longer than %zu characters", path, secret_capacity - 2u);
    else
        rc = 0;
    secret[strcspn(secret, "\r\n")] = '\0';
    (void) fclose(f);
    return rc;
}

void fota_config_show(const cJSON *item, char *text, size_t capacity)
{
    char *json = cJSON_PrintUnformatted(item);

    say(text, capacity, "%s", json != NULL ? json : "?");
    if (json != NULL && strlen(json) >= capacity && capacity > 4)
        memcpy(text + capacity - 4, "...", 4);
    cJSON_free(json);
}
