/* SPDX-License-Identifier: MIT */
/* The member "channels" of the configuration. */
#include "config.h"

#include "config_file.h"
#include "credentials.h"
#include "gw/text.h"
#include "pack.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reading {
    struct gw_channel_config *channel;
    struct config_channel *source;
    char *error;
    size_t capacity;
};

static int wrong(const struct reading *r, const char *member, const cJSON *item, const char *expected)
{
    char shown[60] = "missing";

    if (item != NULL)
        fota_config_show(item, shown, sizeof shown);
    (void) snprintf(r->error, r->capacity, "\"channels\": \"%s\" is %s; it must be %s", member, shown, expected);
    return -1;
}

static int text(const struct reading *r, const cJSON *item, char *to, size_t capacity)
{
    if (!cJSON_IsString(item) || item->valuestring[0] == '\0' || strlen(item->valuestring) >= capacity) {
        char expected[48];

        (void) snprintf(expected, sizeof expected, "a string of 1 to %zu characters", capacity - 1u);
        return wrong(r, item->string, item, expected);
    }
    memcpy(to, item->valuestring, strlen(item->valuestring) + 1u);
    return 0;
}

/* @param secret a presigned URL: then it is not shown in messages */
static int url(const struct reading *r, const cJSON *item, char *to, size_t capacity, bool secret)
{
    const char *value = cJSON_IsString(item) ? item->valuestring : "";
    bool good = (strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0) && strlen(value) < capacity &&
                strpbrk(value, " @\\#") == NULL && (secret || strchr(value, '?') == NULL);

    for (const char *p = value; *p != '\0'; p++)
        good = good && *p > 0x20 && *p < 0x7f;
    if (!good)
        return wrong(r, item->string, secret ? NULL : item,
                     secret ? "an http:// or https:// URL without a user name"
                            : "an http:// or https:// URL without query and user name");
    memcpy(to, value, strlen(value) + 1u);
    return 0;
}

static int devices(const struct reading *r, const cJSON *list)
{
    const cJSON *item;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > (int) GW_CHANNEL_DEVICES)
        return wrong(r, "devices", list, "a list of names of devices");
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || !gw_device_name_valid(item->valuestring))
            return wrong(r, "devices", item, "a list of names of devices");
        memcpy(r->channel->devices[r->channel->device_count++], item->valuestring, strlen(item->valuestring) + 1u);
    }
    return 0;
}

static int member(const struct reading *r, const cJSON *i)
{
    struct gw_channel_config *c = r->channel;
    struct config_channel *s = r->source;

    if (strcmp(i->string, "channel") == 0)
        return text(r, i, c->name, sizeof c->name);
    if (strcmp(i->string, "product") == 0)
        return cJSON_IsString(i) && gw_uuid_parse(i->valuestring, c->product) ? 0 : wrong(r, i->string, i, "a UUID");
    if (strcmp(i->string, "url") == 0)
        return url(r, i, c->url, sizeof c->url, false);
    if (strcmp(i->string, "index_url") == 0)
        return url(r, i, c->index_url, sizeof c->index_url, true);
    if (strcmp(i->string, "devices") == 0)
        return devices(r, i);
    if (strcmp(i->string, "region") == 0)
        return text(r, i, s->region, sizeof s->region);
    if (strcmp(i->string, "credentials_file") == 0)
        return text(r, i, s->file, sizeof s->file);
    if (strcmp(i->string, "profile") == 0)
        return text(r, i, s->profile, sizeof s->profile);
    if (strcmp(i->string, "ca") == 0) {
        if (text(r, i, s->ca, sizeof s->ca) != 0)
            return -1;
        return access(s->ca, R_OK) == 0 ? 0 : wrong(r, i->string, i, "a PEM file that can be read");
    }
    if (strcmp(i->string, "sign") == 0) {
        s->sign = cJSON_IsTrue(i);
        return cJSON_IsBool(i) ? 0 : wrong(r, i->string, i, "true or false");
    }
    if (strcmp(i->string, "poll_s") == 0) {
        if (!cJSON_IsNumber(i) || !(i->valuedouble >= 1.0 && i->valuedouble <= (double) GW_CHANNEL_POLL_MAX_S) ||
            i->valuedouble != (double) (uint32_t) i->valuedouble)
            return wrong(r, i->string, i, "a whole number of seconds from 1 to 86400");
        c->poll_s = (uint32_t) i->valuedouble;
        return 0;
    }
    (void) snprintf(r->error, r->capacity,
                    "a channel has no member \"%s\"; it has channel, product, url, index_url, devices, poll_s, sign, "
                    "region, credentials_file, profile, ca",
                    i->string);
    return -1;
}

static int credentials(void *ctx, struct gw_sigv4_credentials *out)
{
    const struct config_channel *s = ctx;
    char error[512];

    if (port_credentials_read(s->file[0] != '\0' ? s->file : NULL, s->profile[0] != '\0' ? s->profile : NULL, out,
                              error, sizeof error) == 0 &&
        port_credentials_region(s->region, out, error, sizeof error) == 0)
        return 0;
    port_log(GW_LOG_WARNING, "%s", error);
    return -1;
}

static int one(struct config *config, const cJSON *json, char *error, size_t capacity)
{
    struct reading r = {&config->channels[config->channel_count], &config->channel_source[config->channel_count], error,
                        capacity};
    static const uint8_t none[FOTA_PRODUCT_SIZE];
    const cJSON *i;
    size_t length;

    if (!cJSON_IsObject(json))
        return wrong(&r, "channels", json, "a list of objects");
    r.channel->poll_s = GW_CHANNEL_POLL_S;
    cJSON_ArrayForEach(i, json)
    {
        if (member(&r, i) != 0)
            return -1;
    }
    if (!fota_channel_name_valid(r.channel->name))
        return wrong(&r, "channel", cJSON_GetObjectItemCaseSensitive(json, "channel"),
                     "1 to 31 characters of A-Z a-z 0-9 _ -");
    if (memcmp(r.channel->product, none, sizeof none) == 0)
        return wrong(&r, "product", NULL, "a UUID");
    if (r.channel->url[0] == '\0')
        return wrong(&r, "url", NULL, "the URL of the bucket and the prefix");
    length = strlen(r.channel->url);
    while (length > 0 && r.channel->url[length - 1u] == '/')
        r.channel->url[--length] = '\0';
    r.source->sign = r.source->sign || r.source->file[0] != '\0';
    if (r.source->sign) {
        struct gw_sigv4_credentials test;

        switch (port_credentials_read(r.source->file[0] != '\0' ? r.source->file : NULL,
                                      r.source->profile[0] != '\0' ? r.source->profile : NULL, &test, error,
                                      capacity)) {
        case 0:
            break;
        case 1:
            (void) snprintf(error, capacity,
                            "channel \"%s\": \"sign\" without \"credentials_file\", and the environment has no "
                            "AWS_ACCESS_KEY_ID",
                            r.channel->name);
            return -1;
        default:
            return -1;
        }
        if (port_credentials_region(r.source->region, &test, error, capacity) != 0)
            return -1;
        memset(&test, 0, sizeof test);
        r.channel->credentials = credentials;
        r.channel->ctx = r.source;
    }
    config->channel_count++;
    return 0;
}

const char *config_channel_ca(void *ctx, const char *url)
{
    const struct config *config = ctx;

    for (unsigned i = 0; i < config->channel_count; i++) {
        const struct gw_channel_config *c = &config->channels[i];
        size_t length = strlen(c->url);

        if (config->channel_source[i].ca[0] != '\0' &&
            ((strncmp(url, c->url, length) == 0 && url[length] == '/') || strcmp(url, c->index_url) == 0))
            return config->channel_source[i].ca;
    }
    return NULL;
}

int config_channels(struct config *config, const struct cJSON *json, char *error, size_t capacity)
{
    const cJSON *item;

    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) > (int) GW_CHANNELS_MAX) {
        (void) snprintf(error, capacity, "\"channels\" must be a list of at most %u", GW_CHANNELS_MAX);
        return -1;
    }
    cJSON_ArrayForEach(item, json)
    {
        if (one(config, item, error, capacity) != 0)
            return -1;
    }
    return 0;
}
