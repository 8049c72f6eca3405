/* SPDX-License-Identifier: MIT */
#include "gw/job.h"

#include "fota/package.h"
#include "gw/text.h"

#include <cJSON.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8u
#define VALUE_SHOWN 60u

__attribute__((format(printf, 2, 3))) static bool bad(struct gw_command *command, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(command->detail, sizeof command->detail, format, arguments);
    va_end(arguments);
    return false;
}

static bool all_of(const char *text, size_t max, const char *extra)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(extra, c) != NULL))
            return false;
    }
    return length >= 1u && length <= max;
}

bool gw_name_valid(const char *name)
{
    return all_of(name, GW_NAME_MAX, "_-");
}

bool gw_device_name_valid(const char *name)
{
    return gw_name_valid(name) && strcmp(name, "presence") != 0 && strcmp(name, "cmd") != 0 &&
           strcmp(name, "reply") != 0 && strcmp(name, "chunk") != 0;
}

/* A value for a message: printable ASCII, shortened. */
static const char *shown(const cJSON *item, char text[VALUE_SHOWN + 8u])
{
    size_t n = 0;

    if (item == NULL)
        return "missing";
    if (cJSON_IsNumber(item)) {
        (void) snprintf(text, VALUE_SHOWN, "%.15g", item->valuedouble);
        return text;
    }
    if (!cJSON_IsString(item))
        return cJSON_IsBool(item)    ? (cJSON_IsTrue(item) ? "true" : "false")
               : cJSON_IsNull(item)  ? "null"
               : cJSON_IsArray(item) ? "an array"
                                     : "an object";
    text[n++] = '"';
    for (const char *p = item->valuestring; *p != '\0' && n <= VALUE_SHOWN; p++)
        text[n++] = (char) (*p >= 0x20 && *p < 0x7f ? *p : '?');
    if (strlen(item->valuestring) > VALUE_SHOWN) {
        text[n++] = '.';
        text[n++] = '.';
    }
    text[n++] = '"';
    text[n] = '\0';
    return text;
}

bool gw_json_shallow(const char *text, size_t length)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > DEPTH_MAX)
                return false;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static bool twice(const cJSON *root, const char *member)
{
    unsigned n = 0;
    const cJSON *item;

    cJSON_ArrayForEach(item, root)
    {
        n += strcmp(item->string, member) == 0;
    }
    return n > 1u;
}

/* Copy a string member that is made of allowed characters. */
static bool take(struct gw_command *command, const cJSON *root, const char *member, const char *extra, size_t max,
                 char *to)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, member);
    char text[VALUE_SHOWN + 8u];

    if (!cJSON_IsString(item) || !all_of(item->valuestring, max, extra))
        return bad(command, "\"%s\" is %s; it must be 1 to %zu characters of A-Z a-z 0-9 %s", member, shown(item, text),
                   max, extra);
    memcpy(to, item->valuestring, strlen(item->valuestring) + 1u);
    return true;
}

static bool take_url(struct gw_command *command, const cJSON *root)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "url");
    const char *host;
    char text[VALUE_SHOWN + 8u];
    size_t length;

    if (!cJSON_IsString(item))
        return bad(command, "\"url\" is %s; it must be a string", shown(item, text));
    length = strlen(item->valuestring);
    if (length > GW_URL_MAX)
        return bad(command, "\"url\" has %zu characters; at most %u are allowed", length, GW_URL_MAX);
    if (strcmp(item->valuestring, GW_URL_MQTT) == 0) {
        memcpy(command->job.url, item->valuestring, length + 1u);
        return true;
    }
    host = strncmp(item->valuestring, "http://", 7) == 0    ? item->valuestring + 7
           : strncmp(item->valuestring, "https://", 8) == 0 ? item->valuestring + 8
                                                            : NULL;
    if (host == NULL || strcspn(host, "/?#") == 0)
        return bad(command, "\"url\" is %s; it must begin with http:// or https:// and name a host, or be mqtt:",
                   shown(item, text));
    if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
        return bad(command,
                   "\"url\" holds a user name or a password; credentials belong into the gateway's configuration");
    for (size_t i = 0; i < length; i++)
        if (item->valuestring[i] <= 0x20 || item->valuestring[i] >= 0x7f || item->valuestring[i] == '\\')
            return bad(command, "\"url\" has a character that must be percent-encoded at position %zu", i);
    memcpy(command->job.url, item->valuestring, length + 1u);
    return true;
}

static bool take_update(struct gw_command *command, const cJSON *root)
{
    const cJSON *sha256 = cJSON_GetObjectItemCaseSensitive(root, "sha256");
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(root, "size");
    const cJSON *retry = cJSON_GetObjectItemCaseSensitive(root, "retry");
    char text[VALUE_SHOWN + 8u];

    if (!take_url(command, root))
        return false;
    if (!cJSON_IsString(sha256) || !gw_unhex(sha256->valuestring, command->job.sha256, GW_DIGEST_SIZE))
        return bad(command, "\"sha256\" is %s; it must be the 64 hex digits of the package file's SHA-256",
                   shown(sha256, text));
    if (size != NULL) {
        if (!cJSON_IsNumber(size) || !(size->valuedouble >= 1.0 && size->valuedouble <= (double) FOTA_PACKAGE_MAX) ||
            size->valuedouble != (double) (uint32_t) size->valuedouble)
            return bad(command, "\"size\" is %s; it must be a whole number from 1 to %lu", shown(size, text),
                       (unsigned long) FOTA_PACKAGE_MAX);
        command->job.size = (uint32_t) size->valuedouble;
    }
    if (retry != NULL && !cJSON_IsBool(retry))
        return bad(command, "\"retry\" is %s; it must be true or false", shown(retry, text));
    command->job.retry = cJSON_IsTrue(retry);
    return true;
}

static bool take_all(struct gw_command *command, const cJSON *root)
{
    static const char *const members[] = {"v", "cmd", "job", "device", "url", "sha256", "size", "retry"};
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, "v");
    const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(root, "cmd");
    char text[VALUE_SHOWN + 8u];
    bool job, device;

    /* first what the reply repeats */
    if (cJSON_IsString(cmd) && all_of(cmd->valuestring, sizeof command->name - 1u, "_-"))
        memcpy(command->name, cmd->valuestring, strlen(cmd->valuestring) + 1u);
    device = take(command, root, "device", "_-", GW_NAME_MAX, command->device);
    job = take(command, root, "job", "._-", GW_JOB_ID_MAX, command->job.id);

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (twice(root, members[i]))
            return bad(command, "\"%s\" stands there twice", members[i]);
    if (!cJSON_IsNumber(v) || v->valuedouble != 1.0)
        return bad(command, "\"v\" is %s; this gateway knows version 1", shown(v, text));
    if (strcmp(command->name, "update") == 0)
        command->kind = GW_COMMAND_UPDATE;
    else if (strcmp(command->name, "cancel") == 0)
        command->kind = GW_COMMAND_CANCEL;
    else if (strcmp(command->name, "status") == 0)
        command->kind = GW_COMMAND_STATUS;
    else
        return bad(command, "\"cmd\" is %s; it must be \"update\", \"cancel\" or \"status\"", shown(cmd, text));
    if (!device && (command->kind != GW_COMMAND_STATUS || cJSON_HasObjectItem(root, "device")))
        return take(command, root, "device", "_-", GW_NAME_MAX, command->device);
    if (command->kind == GW_COMMAND_STATUS)
        return true;
    if (!job)
        return take(command, root, "job", "._-", GW_JOB_ID_MAX, command->job.id);
    return command->kind == GW_COMMAND_CANCEL || take_update(command, root);
}

bool gw_command_parse(const void *payload, size_t length, struct gw_command *command)
{
    const char *text = payload;
    const char *end = NULL;
    cJSON *root;
    bool good;

    memset(command, 0, sizeof *command);
    if (length > GW_PAYLOAD_MAX)
        return bad(command, "the message has %zu bytes; at most %u are allowed", length, GW_PAYLOAD_MAX);
    if (length == 0)
        return bad(command, "the message is empty; it must be a JSON object");
    if (!gw_json_shallow(text, length))
        return bad(command, "the message is nested deeper than %u levels", DEPTH_MAX);
    root = cJSON_ParseWithLengthOpts(text, length, &end, false);
    if (root == NULL)
        return bad(command, "the message is no JSON (something is wrong near byte %zu)",
                   end != NULL ? (size_t) (end - text) : 0u);
    while (end < text + length && strchr(" \t\r\n", *end) != NULL && *end != '\0')
        end++;
    if (!cJSON_IsObject(root))
        good = bad(command, "the message must be a JSON object");
    else if (end != text + length)
        good = bad(command, "something follows the JSON object at byte %zu", (size_t) (end - text));
    else
        good = take_all(command, root);
    cJSON_Delete(root);
    if (good)
        command->detail[0] = '\0';
    return good;
}
