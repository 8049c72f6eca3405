/* SPDX-License-Identifier: MIT */
/** @file cmd_publish.c `fota publish`: a package and its signed channel index into a bucket or a folder. */
#include "objects.h"

#include "credentials.h"
#include "fota/channel.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY 86400u
#define EXPIRES_DAYS 30u
#define CLOCKS_APART_S 300u /* a gateway's clock may be behind ours by this much */

struct publishing {
    const char *package, *key, *channel, *credentials, *profile, *region;
    struct objects objects;
    char url[1024];
    struct cli_keys trust;
    uint8_t product[FOTA_PRODUCT_SIZE];
    bool has_product, renew, json;
    uint32_t days;
    /* what comes out */
    struct pack_key signer;
    struct fota_channel index, before;
    bool has_before;
    char index_name[OBJECT_NAME_MAX], package_name[OBJECT_NAME_MAX], etag[OBJECT_ETAG_MAX];
    bool uploaded;
};

enum {
    OPT_DIRECTORY = 256,
    OPT_CREDENTIALS,
    OPT_PROFILE,
    OPT_REGION,
    OPT_EXPIRES,
    OPT_RENEW,
    OPT_PRODUCT,
    OPT_TRUST,
    OPT_CA
};

static const struct argp_option options[] = {
    {"key", 'k', "K.pem", 0, "private key that signs the index", 0},
    {"channel", 'c', "NAME", 0, "channel: 1 to 31 characters of A-Z a-z 0-9 _ -", 0},
    {"url", 'u', "URL", 0, "bucket and prefix, for example https://bucket.s3.eu-central-1.amazonaws.com/fota", 1},
    {"directory", OPT_DIRECTORY, "DIR", 0,
     "instead of a bucket: write the objects below this folder, for any web server", 1},
    {"region", OPT_REGION, "NAME", 0, "the bucket's region (AWS_REGION, else us-east-1)", 1},
    {"credentials", OPT_CREDENTIALS, "FILE", 0,
     "shared-credentials file as the AWS CLI has it; without it AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
     "AWS_SESSION_TOKEN of the environment count",
     1},
    {"profile", OPT_PROFILE, "NAME", 0, "profile in that file (default)", 1},
    {"ca", OPT_CA, "PEM", 0, "trusted certificates for https (the system's)", 1},
    {"expires", OPT_EXPIRES, "DAYS", 0, "the index is good for this long, 1 to 3650 days (30); renew it before", 2},
    {"renew", OPT_RENEW, NULL, 0, "no package: a new index for the package that the channel has", 2},
    {"product", OPT_PRODUCT, "UUID", 0, "with --renew: which product", 2},
    {"trust", OPT_TRUST, "K.pub.pem", 0,
     "also take a package or a present index signed with this key, as after a change of keys; may be repeated", 2},
    {"json", 'j', NULL, 0, "print the result as JSON", 3},
    {0},
};

static void end_of_options(struct publishing *p, const struct argp_state *state)
{
    if ((p->package == NULL) != p->renew)
        argp_error(state, "one package is needed, or --renew and none");
    if (p->renew && !p->has_product)
        argp_error(state, "--renew needs --product");
    if (p->key == NULL || p->channel == NULL)
        argp_error(state, "--key and --channel are needed");
    if ((p->objects.url == NULL) == (p->objects.directory == NULL))
        argp_error(state, "either --url or --directory is needed");
}

static void take_url(struct publishing *p, const char *arg, const struct argp_state *state)
{
    size_t length = strlen(arg);

    if ((strncmp(arg, "https://", 8) != 0 && strncmp(arg, "http://", 7) != 0) || length >= sizeof p->url ||
        strpbrk(arg, "?#@ ") != NULL)
        argp_error(state, "--url: \"%s\" is not http://HOST/… or https://HOST/… without query, user name and blanks",
                   arg);
    memcpy(p->url, arg, length + 1u);
    while (length > 0 && p->url[length - 1u] == '/')
        p->url[--length] = '\0';
    p->objects.url = p->url;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct publishing *p = state->input;

    switch (key) {
    case 'k':
        p->key = arg;
        return 0;
    case 'c':
        if (!fota_channel_name_valid(arg))
            argp_error(state, "--channel: \"%s\" is not 1 to 31 characters of A-Z a-z 0-9 _ -", arg);
        p->channel = arg;
        return 0;
    case 'u':
        take_url(p, arg, state);
        return 0;
    case OPT_DIRECTORY:
        p->objects.directory = arg;
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
    case OPT_CA:
        p->objects.ca = arg;
        return 0;
    case OPT_EXPIRES:
        p->days = cli_number("--expires", arg, 1, 3650, state);
        return 0;
    case OPT_RENEW:
        p->renew = true;
        return 0;
    case OPT_PRODUCT:
        cli_uuid("--product", arg, p->product, state);
        p->has_product = true;
        return 0;
    case OPT_TRUST:
        cli_keys_add(&p->trust, arg, state);
        return 0;
    case 'j':
        p->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (p->package != NULL)
            argp_error(state, "more than one package: \"%s\"", arg);
        p->package = arg;
        return 0;
    case ARGP_KEY_END:
        end_of_options(p, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void name_objects(struct publishing *p)
{
    char uuid[PACK_UUID_TEXT], hex[65];

    pack_uuid_print(p->product, uuid);
    (void) snprintf(p->index_name, sizeof p->index_name, "%s/%s.idx", uuid, p->channel);
    pack_hex_print(p->index.package, FOTA_SHA256_SIZE, hex);
    (void) snprintf(p->package_name, sizeof p->package_name, "packages/%s.fota", hex);
}

/* The present index: its sequence goes on, and its ETag keeps two publishers apart. */
static int read_before(struct publishing *p, struct pack_message *error)
{
    struct pack_buffer data;
    int e = objects_get(&p->objects, p->index_name, FOTA_CHANNEL_SIZE, &data, p->etag, error);

    if (e == FOTA_E_NO_IMAGE)
        return FOTA_OK;
    if (e != FOTA_OK)
        return e;
    e = fota_channel_decode(data.data, data.size, &p->before);
    if (e == FOTA_OK)
        e = fota_channel_verify(data.data, p->trust.key, p->trust.count);
    pack_buffer_free(&data);
    if (e == FOTA_OK &&
        (memcmp(p->before.product, p->product, sizeof p->product) != 0 || strcmp(p->before.name, p->channel) != 0))
        e = FOTA_E_PRODUCT;
    if (e == FOTA_OK && p->before.sequence == UINT32_MAX)
        e = FOTA_E_ARGUMENT;
    p->has_before = e == FOTA_OK;
    error->code = e;
    if (e == FOTA_E_KEY)
        (void) snprintf(error->text, sizeof error->text,
                        "%s is signed with another key; after a change of keys give the old one with --trust",
                        p->index_name);
    else if (e != FOTA_OK)
        (void) snprintf(error->text, sizeof error->text, "the present %s is not good (%s); look who wrote it",
                        p->index_name, fota_error_name(e));
    return e;
}

static int upload(struct publishing *p, const struct pack_buffer *file, struct pack_message *error)
{
    struct pack_buffer there;
    char etag[OBJECT_ETAG_MAX];
    int e = objects_put(&p->objects, p->package_name, file->data, file->size, NULL, error);
    bool same;

    p->uploaded = e == FOTA_OK;
    if (e != FOTA_E_STATE)
        return e;
    e = objects_get(&p->objects, p->package_name, FOTA_PACKAGE_MAX, &there, etag, error);
    if (e != FOTA_OK && e != FOTA_E_NO_IMAGE)
        return e;
    same = e == FOTA_OK && there.data != NULL && file->data != NULL && there.size == file->size &&
           memcmp(there.data, file->data, file->size) == 0;
    pack_buffer_free(&there);
    if (same)
        return FOTA_OK;
    (void) snprintf(error->text, sizeof error->text,
                    "%s is there with other content, damaged or forged: remove it first", p->package_name);
    return error->code = FOTA_E_HASH;
}

static int write_index(struct publishing *p, struct pack_message *error)
{
    struct fota_channel *c = &p->index;
    uint8_t raw[FOTA_CHANNEL_SIZE], digest[FOTA_SHA256_SIZE];
    uint64_t now = (uint64_t) time(NULL);
    int e;

    memcpy(c->product, p->product, sizeof c->product);
    memset(c->name, 0, sizeof c->name);
    memcpy(c->name, p->channel, strlen(p->channel));
    c->sequence = p->has_before ? p->before.sequence + 1u : 1u;
    c->not_before = now - CLOCKS_APART_S;
    c->expiry = now + (uint64_t) p->days * DAY;
    memcpy(c->key_id, p->signer.public_key.id, sizeof c->key_id);
    fota_channel_encode(c, raw);
    fota_sha256(raw, FOTA_CHANNEL_SIGNED, digest);
    e = pack_sign(&p->signer, digest, raw + FOTA_CHANNEL_SIGNED);
    if (e != FOTA_OK) {
        (void) snprintf(error->text, sizeof error->text, "key %s: it cannot sign", p->key);
        return error->code = e;
    }
    e = objects_put(&p->objects, p->index_name, raw, sizeof raw, p->has_before ? p->etag : NULL, error);
    if (e == FOTA_E_STATE) {
        (void) snprintf(error->text, sizeof error->text,
                        "%s was changed by somebody else in the meantime; look, and publish again", p->index_name);
        error->code = e;
    }
    return e;
}

static int publish(struct publishing *p, struct pack_message *error)
{
    struct pack_buffer file = {0};
    struct pack_result result;
    int e = FOTA_OK;

    if (!p->renew) {
        e = pack_file_read(p->package, PACK_FILE_MAX, &file, error);
        if (e == FOTA_OK) {
            const struct pack_input input = {p->package, file.data, file.size};
            e = pack_verify(&input, p->trust.key, p->trust.count, NULL, &result, error);
        }
        if (e != FOTA_OK) {
            pack_buffer_free(&file);
            return e;
        }
        memcpy(p->product, result.header.product, sizeof p->product);
        memcpy(p->index.package, result.sha256, sizeof result.sha256);
        memcpy(p->index.identity, result.identity, sizeof result.identity);
        p->index.version = result.header.version;
        p->index.package_size = (uint32_t) result.size;
    }
    name_objects(p);
    e = read_before(p, error);
    if (e == FOTA_OK && p->renew && !p->has_before) {
        (void) snprintf(error->text, sizeof error->text, "--renew: there is no %s yet", p->index_name);
        e = error->code = FOTA_E_NO_IMAGE;
    }
    if (e == FOTA_OK && p->renew) {
        p->index = p->before;
        name_objects(p);
    }
    if (e == FOTA_OK && !p->renew)
        e = upload(p, &file, error);
    if (e == FOTA_OK)
        e = write_index(p, error);
    pack_buffer_free(&file);
    return e;
}

static int load(struct publishing *p, struct pack_message *error)
{
    int e;

    if (p->trust.count == CLI_KEYS_MAX) {
        (void) snprintf(error->text, sizeof error->text, "--trust: at most %u keys", CLI_KEYS_MAX - 1u);
        return error->code = FOTA_E_ARGUMENT;
    }
    e = pack_key_load(p->key, &p->signer, error);
    if (e == FOTA_OK)
        e = cli_keys_load(&p->trust, error);
    if (e != FOTA_OK || p->objects.url == NULL) {
        p->trust.key[p->trust.count++] = p->signer.public_key;
        return e;
    }
    p->trust.key[p->trust.count++] = p->signer.public_key;
    e = port_credentials_read(p->credentials, p->profile, &p->objects.credentials, error->text, sizeof error->text);
    if (e == 1)
        (void) snprintf(error->text, sizeof error->text,
                        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --credentials FILE");
    if (e != 0 || port_credentials_region(p->region, &p->objects.credentials, error->text, sizeof error->text) != 0)
        return error->code = FOTA_E_IO;
    return FOTA_OK;
}

static int print(const struct publishing *p)
{
    const char *where = p->objects.url != NULL ? p->objects.url : p->objects.directory;
    char version[PACK_VERSION_TEXT], uuid[PACK_UUID_TEXT];

    pack_version_print(&p->index.version, version);
    pack_uuid_print(p->product, uuid);
    if (p->json) {
        cJSON *object = cJSON_CreateObject();

        cJSON_AddBoolToObject(object, "ok", true);
        cJSON_AddStringToObject(object, "channel", p->channel);
        cJSON_AddStringToObject(object, "product", uuid);
        cJSON_AddNumberToObject(object, "sequence", p->index.sequence);
        cJSON_AddStringToObject(object, "version", version);
        cJSON_AddStringToObject(object, "index", p->index_name);
        cJSON_AddStringToObject(object, "package", p->package_name);
        cJSON_AddBoolToObject(object, "uploaded", p->uploaded);
        cli_json_hex(object, "sha256", p->index.package, FOTA_SHA256_SIZE);
        cli_json_hex(object, "identity", p->index.identity, FOTA_IDENTITY_SIZE);
        cJSON_AddNumberToObject(object, "not_before", (double) p->index.not_before);
        cJSON_AddNumberToObject(object, "expiry", (double) p->index.expiry);
        return cli_json(object);
    }
    (void) printf("%s/%s: version %s, sequence %" PRIu32 ", good for %" PRIu32 " days\n%s/%s%s\n", where, p->index_name,
                  version, p->index.sequence, p->days, where, p->package_name, p->uploaded ? "" : " (was there)");
    return CLI_OK;
}

int cli_publish(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PACKAGE.fota\n--renew --product UUID",
        .doc =
            "Put a package into an S3 bucket, or into a folder, and make a channel point to it with a signed index. "
            "Gateways that watch the channel install it by themselves.\v"
            "The package is written only where none is yet (an identical one is fine), as packages/SHA256.fota; then "
            "the index, PRODUCT/CHANNEL.idx, with the sequence number after the present one's, and only if nobody "
            "else has changed it in the meantime. An index that has expired is not followed any more: renew it in "
            "time, from a timer.\n\n"
            "Example: fota publish app-1.2.3.fota --key release.pem --channel stable --url "
            "https://bucket.s3.eu-central-1.amazonaws.com/fota --region eu-central-1",
    };
    static struct publishing p = {.days = EXPIRES_DAYS};
    struct pack_message error = {0};
    int e;

    cli_parse(&argp, argc, argv, &p);
    (void) curl_global_init(CURL_GLOBAL_DEFAULT);
    e = load(&p, &error);
    if (e == FOTA_OK)
        e = publish(&p, &error);
    pack_key_wipe(&p.signer);
    memset(&p.objects.credentials, 0, sizeof p.objects.credentials);
    curl_global_cleanup();
    return e == FOTA_OK ? print(&p) : cli_fail(p.json, &error);
}
