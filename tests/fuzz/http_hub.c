/* SPDX-License-Identifier: MIT */
#include "http_hub.h"

#include "fuzz.h"
#include "log.h"

#include "fota/crc32.h"

#include <bearssl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define CODE 64u
#define PATIENCE_MS 500u

/* --- the key, and what it signs --------------------------------------------------------------------------------- */

/* Always the same one, so that a signature in the corpus stays good. */
static void make_key(struct hub_keys *keys)
{
    struct pack_key *key = &keys->dev_key;
    br_ec_private_key secret = {.curve = BR_EC_secp256r1, .x = key->secret, .xlen = sizeof key->secret};
    uint8_t point[BR_EC_KBUF_PUB_MAX_SIZE];

    for (unsigned i = 0; i < sizeof key->secret; i++)
        key->secret[i] = (uint8_t) (i + 1u);
    PROMISE(br_ec_compute_pub(br_ec_get_default(), NULL, point, &secret) == 1u + FOTA_PUBLIC_KEY_SIZE);
    memcpy(key->public_key.point, point + 1, FOTA_PUBLIC_KEY_SIZE);
    fota_key_id(key->public_key.point, key->public_key.id);
    keys->keys[keys->count++] = key->public_key;
}

static void make_package(struct http_hub *hub, unsigned which)
{
    uint8_t code[CODE] = {0};
    uint32_t relocation = 4;
    struct pack_image image = {.code = code, .size = sizeof code, .relocations = &relocation, .count = 1};
    struct pack_options options = {.set = PACK_SET_PRODUCT | PACK_SET_HW | PACK_SET_VERSION | PACK_SET_COUNTER,
                                   .hw_min = 1,
                                   .hw_max = 2,
                                   .version = {.major = 1, .minor = (uint16_t) (1u + which)},
                                   .counter = which};
    struct pack_result result;
    struct pack_message message = {0};

    fota_put32(code, 0x20020000u);
    fota_put32(code + 4, FOTA_LINK_ADDRESS + 9u);
    PROMISE(pack_image_sign(&image, &options, &hub->keys.dev_key, &hub->package[which], &result, &message) == FOTA_OK);
    hub_hex(result.sha256, sizeof result.sha256, hub->sha256[which]);
}

/* What the sections say, as far as it makes sense. */
static void digest(struct fota_header *header, const uint8_t *package, size_t size)
{
    struct fota_sha256 hash[FOTA_SLOT_COUNT];
    uint32_t crc[FOTA_SLOT_COUNT] = {0, 0}, all = 0;
    size_t at = FOTA_HEADER_SIZE, head = FOTA_SECTION_HEAD;

    fota_sha256_init(&hash[0]);
    fota_sha256_init(&hash[1]);
    for (at += head; size >= FOTA_BLOCK_HEAD && at <= size - FOTA_BLOCK_HEAD;) {
        const uint8_t *relocations = package + at + FOTA_BLOCK_HEAD;
        uint32_t length = fota_get16(package + at), count = fota_get16(package + at + 2);
        uint8_t moved[FOTA_BLOCK_MAX];

        at += FOTA_BLOCK_HEAD + 2u * count;
        if (length > FOTA_BLOCK_MAX || at > size || length > size - at)
            break;
        memcpy(moved, package + at, length);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t word = fota_get16(relocations + 2u * i);

            if (length >= 4u && word <= length - 4u)
                fota_put32(moved + word, fota_get32(moved + word) + FOTA_SLOT_DISTANCE);
        }
        crc[0] = fota_crc32(crc[0], package + at, length);
        crc[1] = fota_crc32(crc[1], moved, length);
        fota_sha256_update(&hash[0], package + at, length);
        fota_sha256_update(&hash[1], moved, length);
        all += length;
        at += length;
        if (size - at >= head && fota_get16(package + at) == FOTA_SECTION_END)
            break;
    }
    header->image_size = all;
    for (unsigned slot = 0; slot < FOTA_SLOT_COUNT; slot++) {
        header->crc[slot] = crc[slot];
        fota_sha256_out(&hash[slot], header->sha256[slot]);
    }
}

void http_hub_sign(const struct http_hub *hub, uint8_t *package, size_t size, bool digests)
{
    struct fota_header header;
    uint8_t identity[FOTA_IDENTITY_SIZE];

    if (size < FOTA_HEADER_SIZE)
        return;
    memcpy(&header, package, sizeof header);
    if (digests)
        digest(&header, package, size);
    memcpy(header.key_id, hub->keys.keys[0].id, sizeof header.key_id);
    memcpy(package, &header, sizeof header);
    fota_header_identity(package, identity);
    PROMISE(pack_sign(&hub->keys.dev_key, identity, package + FOTA_HEADER_SIGNED) == FOTA_OK);
}

/* --- the world -------------------------------------------------------------------------------------------------- */

static int publish(void *ctx, const char *gateway, const char *payload)
{
    (void) ctx;
    (void) gateway;
    PROMISE(strlen(payload) <= HUB_PAYLOAD_MAX);
    return 0;
}

static int64_t mono(void *ctx)
{
    (void) ctx;
    return hub_mono_ms();
}

static bool connected(void *ctx)
{
    (void) ctx;
    return true;
}

static void keep(struct http_hub *hub, unsigned which)
{
    struct hub_release release;
    struct hub_error error;
    bool created;
    struct hub_upload *upload = hub_upload_begin(&hub->uploads, "app.fota", "what is new", &error);

    PROMISE(upload != NULL);
    PROMISE(hub_upload_write(upload, hub->package[which].data, hub->package[which].size, &error) == 0);
    PROMISE(hub_upload_finish(upload, &release, &created, NULL, NULL, &error) == 0);
    PROMISE(strcmp(release.sha256, hub->sha256[which]) == 0);
    hub_upload_abort(upload);
}

static void hear(struct http_hub *hub, const char *device, unsigned sequence, const char *state, const char *job)
{
    char topic[64], text[1024];
    int n = snprintf(text, sizeof text,
                     "{\"v\":1,\"seq\":%u,\"device\":\"%s\",\"state\":\"%s\",\"job\":\"%s\",\"reason\":\"%s\","
                     "\"detail\":\"\",\"version\":\"1.0.0\",\"slot\":\"A\",\"confirmed\":true,\"target\":{\"version\":"
                     "\"1.1.0\"},\"info\":{\"hw\":1,\"floor\":1,\"mode\":\"application\"}}",
                     sequence, device, state, job, strcmp(state, "failed") == 0 ? "stalled" : "");

    (void) snprintf(topic, sizeof topic, "fota/v1/gw1/%s/state", device);
    PROMISE(hub_fleet_message(hub->context.fleet, topic, text, (size_t) n) == 0);
}

/* Kept in memory only, so that it has to be said again. */
static void hear_progress(struct http_hub *hub)
{
    char text[256];
    int n =
        snprintf(text, sizeof text,
                 "{\"v\":1,\"seq\":9,\"job\":\"%s\",\"state\":\"write\",\"percent\":40,\"bytes\":400,\"total\":1000,"
                 "\"rate\":100}",
                 hub->job[0]);

    PROMISE(hub_fleet_message(hub->context.fleet, "fota/v1/gw1/board1/progress", text, (size_t) n) == 0);
}

static void make_updates(struct http_hub *hub)
{
    static const char presence[] =
        "{\"v\":1,\"seq\":9,\"online\":true,\"version\":\"0.1.0\",\"devices\":[\"board1\","
        "\"board2\",\"board3\",\"board4\"]}";
    static const char *const device[3] = {"board1", "board3", "board4"}, *const state[3] = {"write", "jump", "failed"};

    PROMISE(hub_fleet_message(hub->context.fleet, "fota/v1/gw1/presence", presence, sizeof presence - 1u) == 0);
    for (unsigned i = 0; i < 3u; i++) {
        struct hub_update update;
        struct hub_error error;

        hear(hub, device[i], 1, "idle", "");
        PROMISE(hub_fleet_start(hub->context.fleet, "gw1", device[i], hub->sha256[0], false, &update, &error) == 0);
        hub_copy(hub->job[i], sizeof hub->job[i], update.job);
        hear(hub, device[i], 2, "download", update.job);
        hear(hub, device[i], 3, state[i], update.job);
        PROMISE(hub_update_get(&hub->db, update.job, &update) == 0 && strcmp(update.state, state[i]) == 0);
    }
    hear_progress(hub);
}

static void copy(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");

    PROMISE(backup != NULL && sqlite3_backup_step(backup, -1) == SQLITE_DONE);
    PROMISE(sqlite3_backup_finish(backup) == SQLITE_OK);
}

static char folder[] = "/dev/shm/fota-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void) st;
    (void) kind;
    (void) where;
    return remove(path);
}

static void clean_up(void)
{
    (void) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void http_hub_start(struct http_hub *hub)
{
    static const char *const roles[ROLES] = {"viewer", "operator", "admin", "gateway"};
    static const struct hub_fleet_io io = {publish, mono, NULL};
    static const struct hub_fleet_options options = {
        .public_url = "http://hub", .no_answer_ms = 60000, .silence_ms = 900000};
    static const struct hub_http_limits limits = {
        .connections = 16, .connections_per_ip = 16, .idle_s = 2, .header_s = 2, .request_s = 5};
    char path[64];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    hub_log_set_level(HUB_LOG_ERROR);
    PROMISE(mkdtemp(folder) != NULL && atexit(clean_up) == 0 && hub_store_open(&hub->store, folder) == 0);
    (void) snprintf(path, sizeof path, "%s/hub.db", folder);
    PROMISE(hub_db_open(&hub->db, path) == 0);
    PROMISE(hub_db_run(&hub->db, "PRAGMA synchronous = OFF", "") == 0);
    for (unsigned i = 0; i < ROLES; i++)
        PROMISE(hub_token_add(&hub->db, roles[i], roles[i], hub->token[i]) == 0);
    make_key(&hub->keys);
    hub->uploads =
        (struct hub_uploads){.store = &hub->store, .db = &hub->db, .keys = &hub->keys, .max_bytes = 1u << 20};
    hub->context = (struct hub_context){.db = &hub->db,
                                        .store = &hub->store,
                                        .fleet = hub_fleet_new(&hub->db, &io, &options),
                                        .uploads = &hub->uploads,
                                        .mqtt_connected = connected,
                                        .version = "fuzz"};
    PROMISE(hub->context.fleet != NULL);
    for (unsigned i = 0; i < 3u; i++)
        make_package(hub, i);
    keep(hub, 0);
    keep(hub, 1);
    make_updates(hub);
    PROMISE(sqlite3_open(":memory:", &hub->pristine) == SQLITE_OK);
    copy(hub->pristine, hub->db.sql);
    hub->changes = sqlite3_total_changes(hub->db.sql);
    hub->address.sun_family = AF_UNIX;
    (void) snprintf(hub->address.sun_path, sizeof hub->address.sun_path, "%s/http", folder);
    PROMISE(bind(listener, (struct sockaddr *) &hub->address, sizeof hub->address) == 0 && listen(listener, 16) == 0);
    hub->http = hub_http_start(&hub->context, listener, &limits);
    PROMISE(hub->http != NULL);
}

/* --- judging ---------------------------------------------------------------------------------------------------- */

struct seen {
    const struct http_hub *hub;
    bool there[2];
};

/* A release is a package that the key has signed, whole, and under its own name. */
static void judge_release(void *ctx, const struct hub_release *release)
{
    struct seen *seen = ctx;
    struct pack_result result;
    struct pack_message message = {0};
    struct pack_input input = {"stored", NULL, (size_t) release->size};
    char sha256[HUB_SHA256_HEX + 1];
    struct stat st;
    int fd = hub_store_open_package(&seen->hub->store, release->sha256);
    uint8_t *data = malloc(input.size);

    PROMISE(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == release->size && data != NULL);
    PROMISE(read(fd, data, input.size) == (ssize_t) input.size);
    close(fd);
    input.data = data;
    PROMISE(pack_verify(&input, seen->hub->keys.keys, 1, NULL, &result, &message) == FOTA_OK);
    free(data);
    hub_hex(result.sha256, sizeof result.sha256, sha256);
    PROMISE(strcmp(sha256, release->sha256) == 0);
    for (unsigned i = 0; i < 2u; i++)
        seen->there[i] = seen->there[i] || strcmp(sha256, seen->hub->sha256[i]) == 0;
}

void http_hub_judge(struct http_hub *hub, unsigned tokens)
{
    struct seen seen = {.hub = hub};

    /* the client is gone: what it had begun goes with it */
    for (unsigned ms = 0; hub->uploads.under_way > 0 && ms < PATIENCE_MS; ms++) {
        struct pollfd fds = {hub_http_fd(hub->http), POLLIN, 0};

        (void) poll(&fds, 1, 1);
        hub_http_run(hub->http);
    }
    PROMISE(hub->uploads.under_way == 0);
    if (sqlite3_total_changes(hub->db.sql) == hub->changes)
        return;
    PROMISE((tokens & (1u << OPERATOR | 1u << ADMIN)) != 0);
    PROMISE(hub_release_list(&hub->db, judge_release, &seen) == 0);
    PROMISE(seen.there[0] && (seen.there[1] || (tokens & 1u << ADMIN) != 0));
    copy(hub->db.sql, hub->pristine);
    if (!seen.there[1])
        keep(hub, 1);
    PROMISE(hub_store_sweep(&hub->store, &hub->db) == 0 && hub_fleet_reload(hub->context.fleet) == 0);
    hear_progress(hub);
    hub->changes = sqlite3_total_changes(hub->db.sql);
}
