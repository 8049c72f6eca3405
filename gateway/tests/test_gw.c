/* SPDX-License-Identifier: MIT */
/* The orchestration on simulated devices: states, records, restarts, commands, what is published. */
#include "fakes.h"
#include "sim.h"

#include "gw/text.h"

#include <cJSON.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 2u

static const struct fota_target target = {.product = {0xde, 0xad, 1}, .hw_revision = 2, .floor = 1};
static struct pack_key key;
static struct pack_buffer factory, good, bad;
static struct pack_result good_result, bad_result;

struct line {
    struct sim *sim;
    bool away;
};

struct bench {
    struct gw gw;
    struct gw_config config;
    struct gw_device_config devices[DEVICES];
    struct gw_ports ports;
    struct fake_storage storage;
    struct fake_http http;
    struct fake_mqtt mqtt;
    struct sim sim[DEVICES];
    struct line line[DEVICES];
    struct gw_link link[DEVICES];
    struct gw_clock clock;
    struct gw_logger logger;
    uint64_t now, unix_base;
};

static int l_open(void *ctx, uint32_t baud)
{
    (void) baud;
    return ((struct line *) ctx)->away ? -1 : 0;
}

static void l_close(void *ctx)
{
    (void) ctx;
}

static int l_read(void *ctx, uint8_t *data, size_t capacity)
{
    struct line *l = ctx;

    return l->away ? -1 : (int) sim_read(l->sim, data, capacity);
}

static int l_write(void *ctx, const uint8_t *data, size_t length)
{
    struct line *l = ctx;

    return l->away ? -1 : (int) sim_write(l->sim, data, length);
}

static uint64_t monotonic(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static uint64_t unix_time(void *ctx)
{
    return ((struct bench *) ctx)->unix_base + ((struct bench *) ctx)->now;
}

static void write_log(void *ctx, enum gw_log_level level, const char *device, const char *text)
{
    (void) ctx;
    if (getenv("GW_TEST_LOG") != NULL)
        (void) fprintf(stderr, "[%d] %s: %s\n", (int) level, device != NULL ? device : "-", text);
}

static void start(struct bench *b)
{
    char error[256];

    fake_mqtt_init(&b->mqtt, &b->gw);
    b->mqtt.connected = false;
    if (gw_init(&b->gw, &b->config, &b->ports, error, sizeof error) != 0)
        fail_msg("%s", error);
}

static void run(struct bench *b, uint32_t ms)
{
    for (uint64_t end = b->now + ms; b->now < end; b->now++) {
        for (unsigned i = 0; i < DEVICES; i++)
            sim_step(&b->sim[i], b->now);
        (void) gw_poll(&b->gw);
    }
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->now = 1000;
    b->unix_base = 1795233600000u;
    fake_storage_init(&b->storage);
    fake_http_init(&b->http);
    b->http.data = good.data;
    b->http.size = (uint32_t) good.size;
    b->clock = (struct gw_clock){b, monotonic, unix_time};
    b->logger = (struct gw_logger){b, write_log};
    for (unsigned i = 0; i < DEVICES; i++) {
        sim_init(&b->sim[i], &key.public_key, &target);
        sim_factory(&b->sim[i], &factory);
        b->line[i].sim = &b->sim[i];
        b->link[i] = (struct gw_link){&b->line[i], l_open, l_close, l_read, l_write, NULL, NULL, 0, NULL};
        (void) snprintf(b->devices[i].name, sizeof b->devices[i].name, "board%u", i + 1u);
        b->devices[i].link = &b->link[i];
        sim_power(&b->sim[i], true);
    }
    (void) strcpy(b->config.id, "gw1");
    b->config.version = "0.1.0";
    b->config.keys = &key.public_key;
    b->config.key_count = 1;
    b->config.devices = b->devices;
    b->config.device_count = DEVICES;
    b->ports = (struct gw_ports){&b->http.port, &b->mqtt.port, &b->storage.port, &b->clock, &b->logger, NULL};
    start(b);
    run(b, 4000);
    assert_int_equal(sim_confirmed_version(&b->sim[0]), 10000);
    assert_true(b->mqtt.subscribed);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    gw_stop(&b->gw);
    for (unsigned i = 0; i < DEVICES; i++)
        sim_free(&b->sim[i]);
    fake_storage_free(&b->storage);
    free(b);
    return 0;
}

/* --- talking ---------------------------------------------------------------------------------- */

static void command(struct bench *b, const char *cmd, const char *job, const char *device,
                    const struct pack_result *result, const char *url, const char *more)
{
    char text[2048], sha[GW_HEX(GW_DIGEST_SIZE)] = "";

    if (result != NULL)
        gw_hex(result->sha256, GW_DIGEST_SIZE, sha);
    (void) snprintf(text, sizeof text,
                    "{\"v\":1,\"cmd\":\"%s\",\"job\":\"%s\",\"device\":\"%s\",\"url\":\"%s\",\"sha256\":\"%s\"%s}", cmd,
                    job, device, url, sha, more);
    gw_mqtt_received(&b->gw, "fota/v1/gw1/cmd", text, strlen(text));
}

static void update(struct bench *b, const char *job, const char *device)
{
    command(b, "update", job, device, &good_result, "http://h/good.fota", "");
}

/* A member of the newest message of a topic; "" when there is none. The text is valid until the next call. */
static const char *latest(struct bench *b, const char *topic, const char *member)
{
    static char text[512];

    text[0] = '\0';
    for (unsigned i = b->mqtt.messages; i-- > 0;) {
        cJSON *json;
        const cJSON *item;

        if (strcmp(b->mqtt.message[i].topic + strlen("fota/v1/gw1/"), topic) != 0)
            continue;
        json = cJSON_Parse(b->mqtt.message[i].payload);
        assert_non_null(json);
        item = cJSON_GetObjectItemCaseSensitive(json, member);
        if (cJSON_IsString(item))
            (void) snprintf(text, sizeof text, "%s", item->valuestring);
        else if (cJSON_IsBool(item))
            (void) snprintf(text, sizeof text, "%s", cJSON_IsTrue(item) ? "true" : "false");
        else if (cJSON_IsNumber(item))
            (void) snprintf(text, sizeof text, "%.0f", item->valuedouble);
        cJSON_Delete(json);
        return text;
    }
    return text;
}

static void until(struct bench *b, unsigned device, enum gw_state state, uint32_t limit_ms)
{
    uint64_t end = b->now + limit_ms;

    while (b->gw.device[device].state != state && b->now < end)
        run(b, 1);
    if (b->gw.device[device].state != state)
        fail_msg("is %s (%s), not %s", gw_state_name(b->gw.device[device].state), b->gw.device[device].detail,
                 gw_state_name(state));
}

/* --- tests ------------------------------------------------------------------------------------ */

static void states_are_published_in_order(void **state)
{
    static const char *const wanted[] = {"idle", "download", "write", "verify", "jump", "confirmed"};
    struct bench *b = *state;
    unsigned next = 0;
    double seq = 0, progress_at = -1e9;

    update(b, "j1", "board1");
    assert_string_equal(latest(b, "reply", "ok"), "true");
    until(b, 0, GW_CONFIRMED, 30000);
    for (unsigned i = 0; i < b->mqtt.messages; i++) {
        cJSON *json = cJSON_Parse(b->mqtt.message[i].payload);
        double s = cJSON_GetNumberValue(cJSON_GetObjectItem(json, "seq"));
        const char *topic = b->mqtt.message[i].topic;

        assert_true(s > seq);
        seq = s;
        if (strcmp(topic, "fota/v1/gw1/board1/state") == 0) {
            const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(json, "state"));

            assert_true(b->mqtt.message[i].retain && b->mqtt.message[i].qos == 1);
            if (next == 0 || strcmp(name, wanted[next - 1u]) != 0) {
                assert_true(next < 6u);
                assert_string_equal(name, wanted[next++]);
            }
        } else if (strcmp(topic, "fota/v1/gw1/board1/progress") == 0) {
            assert_true(!b->mqtt.message[i].retain && b->mqtt.message[i].qos == 0);
            progress_at = s;
        } else if (strcmp(topic, "fota/v1/gw1/reply") == 0) {
            assert_true(!b->mqtt.message[i].retain && b->mqtt.message[i].qos == 1);
        }
        cJSON_Delete(json);
    }
    assert_int_equal(next, 6);
    assert_true(progress_at > 0);
    assert_string_equal(latest(b, "board1/state", "version"), "1.1.0");
    assert_string_equal(latest(b, "board1/state", "slot"), "B");
    assert_string_equal(latest(b, "board2/state", "state"), "idle");
}

/* An application that asks to wait is named as the reason why nothing goes on, and no longer once it goes on. */
static void a_wait_is_said(void **state)
{
    struct bench *b = *state;

    sim_power(&b->sim[0], false);
    b->sim[0].installs = true;
    sim_power(&b->sim[0], true);
    run(b, 3000);
    b->sim[0].later[FOTA_LINK_DATA] = 1;
    b->sim[0].later[FOTA_LINK_STATUS] = 8;
    b->sim[0].later[FOTA_LINK_REBOOT] = 6;
    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 30000);
    run(b, 4000);
    assert_string_equal(latest(b, "board1/state", "state"), "write");
    assert_string_equal(latest(b, "board1/state", "detail"), "the application asks to wait");
    until(b, 0, GW_JUMP, 30000);
    assert_string_equal(latest(b, "board1/state", "detail"), "");
    run(b, 4000);
    assert_string_equal(latest(b, "board1/state", "detail"), "the application asks to wait");
    until(b, 0, GW_CONFIRMED, 30000);
    assert_string_equal(latest(b, "board1/state", "detail"), "");
    assert_int_equal(b->sim[0].nrst_pulses, 0);
}

/* Where there is memory to read one package only, the updates come one after the other, and it is said. */
static void one_reader_for_all(void **state)
{
    struct bench *b = *state;
    const struct gw_device *d = b->gw.device;
    bool waited = false;

    for (unsigned same = 0; same < 2; same++) {
        b->gw.fetch_env.readers.count = 1;
        b->http.data = good.data;
        b->http.size = (uint32_t) good.size;
        update(b, same != 0 ? "j3" : "j1", "board1");
        until(b, 0, GW_WRITE, 30000);
        if (same == 0) { /* its package cannot even be checked now; else it is known to be good, and cannot be read */
            b->http.data = bad.data;
            b->http.size = (uint32_t) bad.size;
        }
        command(b, "update", same != 0 ? "j4" : "j2", "board2", same != 0 ? &good_result : &bad_result, "http://h/p",
                "");
        while (d[0].state == GW_WRITE || d[0].state == GW_VERIFY) {
            run(b, 1);
            assert_int_equal(d[1].state, GW_DOWNLOAD);
            waited = waited || strcmp(latest(b, "board2/state", "detail"), "another device's update comes first") == 0;
        }
        assert_true(waited);
        waited = false;
        assert_int_equal(d[0].state, GW_JUMP);
        until(b, 1, GW_WRITE, 1000); /* a trial is watched without the package */
        assert_string_equal(latest(b, "board2/state", "detail"), "");
        until(b, 0, GW_CONFIRMED, 30000);
        until(b, 1, same != 0 ? GW_CONFIRMED : GW_ROLLED_BACK, 30000);
        assert_false(b->gw.reader[0].taken);
        b->http.data = good.data;
        b->http.size = (uint32_t) good.size;
        tear_down(state);
        (void) set_up(state);
        b = *state;
        d = b->gw.device;
    }
    b->gw.fetch_env.readers.count = 1;
    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 30000);
    update(b, "j2", "board2");
    run(b, 200);
    assert_int_equal(d[1].state, GW_DOWNLOAD);
    command(b, "cancel", "j2", "board2", NULL, "", "");
    assert_int_equal(d[1].state, GW_FAILED);
    assert_int_equal(d[0].state, GW_WRITE);
    assert_true(b->gw.reader[0].taken);
    command(b, "cancel", "j1", "board1", NULL, "", "");
    until(b, 0, GW_FAILED, 2000);
    assert_false(b->gw.reader[0].taken);
}

static void restart(struct bench *b, uint32_t away_ms)
{
    for (unsigned i = 0; i < GW_FETCHES_MAX; i++)
        b->http.active[i].used = false;
    for (uint64_t end = b->now + away_ms; b->now < end; b->now++)
        for (unsigned i = 0; i < DEVICES; i++)
            sim_step(&b->sim[i], b->now);
    start(b); /* nothing was said, nothing was closed: as after SIGKILL or a cut of power */
}

static void a_restart_in_any_state_goes_on(void **state)
{
    static const enum gw_state at[] = {GW_DOWNLOAD, GW_WRITE, GW_VERIFY, GW_JUMP};

    for (unsigned good_one = 0; good_one < 2; good_one++) {
        for (unsigned i = 0; i < 4; i++) {
            for (uint32_t away = 0; away <= 20000; away += 10000) {
                struct bench *b;

                (void) tear_down(state);
                (void) set_up(state);
                b = *state;
                if (!good_one) {
                    b->http.data = bad.data;
                    b->http.size = (uint32_t) bad.size;
                }
                command(b, "update", "j", "board1", good_one ? &good_result : &bad_result, "http://h/p", "");
                until(b, 0, at[i], 30000);
                run(b, at[i] == GW_DOWNLOAD ? 3 : at[i] == GW_WRITE ? 300 : 1);
                restart(b, away);
                if (b->gw.device[0].state == GW_IDLE)
                    fail_msg("the job was forgotten in %s", gw_state_name(at[i]));
                until(b, 0, good_one ? GW_CONFIRMED : GW_ROLLED_BACK, 60000);
                assert_string_equal(b->gw.device[0].reason, good_one ? "" : "deadline");
                assert_int_equal(sim_confirmed_version(&b->sim[0]), good_one ? 10100 : 10000);
                restart(b, 0);
                run(b, 3000);
                assert_int_equal(b->gw.device[0].state, good_one ? GW_CONFIRMED : GW_ROLLED_BACK);
                assert_string_equal(latest(b, "board1/state", "job"), "j");
            }
        }
    }
}

static void a_job_is_not_run_twice(void **state)
{
    struct bench *b = *state;

    update(b, "j1", "board1");
    update(b, "j1", "board1");
    assert_string_equal(latest(b, "reply", "duplicate"), "true");
    assert_string_equal(latest(b, "reply", "ok"), "true");
    until(b, 0, GW_CONFIRMED, 30000);
    for (unsigned i = 0; i < GW_RECENT_JOBS - 1u; i++) {
        char job[16];

        (void) snprintf(job, sizeof job, "k%u", i);
        update(b, job, "board1");
        assert_string_equal(latest(b, "reply", "ok"), "true");
        until(b, 0, GW_CONFIRMED, 30000); /* it runs already */
    }
    restart(b, 0);
    run(b, 2000);
    update(b, "j1", "board1");
    assert_string_equal(latest(b, "reply", "duplicate"), "true");
    assert_int_equal(b->gw.device[0].state, GW_CONFIRMED);
    update(b, "one-more", "board1");
    until(b, 0, GW_CONFIRMED, 30000);
    update(b, "j1", "board1"); /* 32 others came since: forgotten, and harmless, because the device says what it runs */
    assert_string_equal(latest(b, "reply", "duplicate"), "");
    assert_int_equal(b->http.requests, 1);
}

static void refusals(void **state)
{
    struct bench *b = *state;

    update(b, "j1", "boardX");
    assert_string_equal(latest(b, "reply", "reason"), "unknown-device");
    assert_non_null(strstr(latest(b, "reply", "detail"), "board1, board2"));
    gw_mqtt_received(&b->gw, "fota/v1/gw1/cmd", "{", 1);
    assert_string_equal(latest(b, "reply", "reason"), "bad-job");
    gw_mqtt_received(&b->gw, "fota/v1/gw1/other", "{", 1);
    b->storage.put_fails = true;
    update(b, "j1", "board1");
    assert_string_equal(latest(b, "reply", "reason"), "cache-error");
    assert_int_equal(b->gw.device[0].state, GW_IDLE);
    b->storage.put_fails = false;
    update(b, "j1", "board1"); /* it was not accepted, so it is no duplicate */
    assert_string_equal(latest(b, "reply", "ok"), "true");
    assert_string_equal(latest(b, "reply", "duplicate"), "");
    update(b, "j2", "board1");
    assert_string_equal(latest(b, "reply", "reason"), "busy");
    command(b, "cancel", "j2", "board1", NULL, "", "");
    assert_string_equal(latest(b, "reply", "reason"), "unknown-job");
}

static void cancel_in_each_state(void **state)
{
    static const enum gw_state at[] = {GW_DOWNLOAD, GW_WRITE, GW_VERIFY, GW_JUMP, GW_ROLLED_BACK};
    struct bench *b = *state;
    char job[16];

    for (unsigned i = 0; i < 5; i++) {
        (void) snprintf(job, sizeof job, "j%u", i);
        if (i == 3) { /* the good one runs by now */
            b->http.data = bad.data;
            b->http.size = (uint32_t) bad.size;
        }
        if (i < 4)
            command(b, "update", job, "board1", i < 3 ? &good_result : &bad_result, "http://h/p", "");
        else
            (void) strcpy(job, "j3");
        until(b, 0, at[i], 30000);
        command(b, "cancel", job, "board1", NULL, "", "");
        if (at[i] <= GW_WRITE) {
            assert_string_equal(latest(b, "reply", "ok"), "true");
            until(b, 0, GW_FAILED, 2000);
            assert_string_equal(latest(b, "board1/state", "reason"), "cancelled");
            run(b, 3000);
            assert_int_equal(b->sim[0].mode, SIM_APP);
            assert_int_equal(sim_confirmed_version(&b->sim[0]), 10000);
        } else {
            assert_string_equal(latest(b, "reply", "reason"), "too-late");
            until(b, 0, i < 3 ? GW_CONFIRMED : GW_ROLLED_BACK, 30000);
        }
    }
}

static void a_shared_download(void **state)
{
    struct bench *b = *state;
    unsigned resets = b->sim[0].resets;

    b->http.piece = 64;
    update(b, "j1", "board1");
    update(b, "j2", "board2");
    run(b, 100);
    assert_int_equal(b->http.requests, 1);
    command(b, "cancel", "j1", "board1", NULL, "", ""); /* the other still wants it */
    until(b, 1, GW_CONFIRMED, 30000);
    assert_int_equal(b->http.requests, 1);
    assert_int_equal(b->gw.device[0].state, GW_FAILED);
    assert_int_equal(b->sim[0].resets, resets); /* it was never touched */
}

static void another_url_may_be_better(void **state)
{
    struct bench *b = *state;

    b->http.answers = 2;
    b->http.answer[0] = (struct fake_answer){.status = 404};
    b->http.answer[1] = (struct fake_answer){.status = 200, .say = -2};
    update(b, "j1", "board1");
    command(b, "update", "j2", "board2", &good_result, "http://mirror/good.fota", "");
    until(b, 0, GW_FAILED, 1000);
    until(b, 1, GW_CONFIRMED, 30000);
    assert_int_equal(b->http.requests, 2);
}

static void the_broker_may_be_away(void **state)
{
    struct bench *b = *state;
    unsigned before;

    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 10000);
    b->mqtt.reachable = false;
    run(b, 10);
    before = b->mqtt.messages;
    until(b, 0, GW_CONFIRMED, 30000);
    run(b, 30000);
    assert_int_equal(b->mqtt.messages, before);
    assert_in_range(b->mqtt.connects, 2, 7); /* growing pauses */
    b->mqtt.reachable = true;
    run(b, 50000);
    assert_string_equal(latest(b, "board1/state", "state"), "confirmed");
    assert_string_equal(latest(b, "presence", "online"), "true");
    for (unsigned i = before; i < b->mqtt.messages; i++) /* the states in between are not made up for */
        assert_null(strstr(b->mqtt.message[i].payload, "\"state\":\"jump\""));
}

static void sequence_numbers_only_grow(void **state)
{
    struct bench *b = *state;
    double first = atof(latest(b, "board1/state", "seq")), will;

    will = atof(strstr(b->mqtt.will, "\"seq\":") + 6);
    assert_true(will == atof(latest(b, "presence", "seq")) + 1.0);
    assert_true(strncmp(b->mqtt.will, "fota/v1/gw1/presence ", 21) == 0);
    b->unix_base -= 86400000u; /* the clock was a day ahead */
    restart(b, 0);
    run(b, 3000);
    assert_true(atof(latest(b, "board1/state", "seq")) > first);
    assert_true(atof(latest(b, "presence", "seq")) > will);
}

static void progress_comes_at_most_once_a_second(void **state)
{
    struct bench *b = *state;
    unsigned n = 0;
    uint64_t began = b->now;

    b->http.piece = 4;
    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 60000);
    for (unsigned i = 0; i < b->mqtt.messages; i++)
        n += strcmp(b->mqtt.message[i].topic, "fota/v1/gw1/board1/progress") == 0;
    assert_in_range(n, (b->now - began) / 1000u / 2u, (b->now - began) / 1000u + 2u);
}

static void an_unreadable_record_is_no_end(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->storage.port.put(&b->storage, "device-board1", "{\"format\":1,\"state\":", 20), 0);
    assert_int_equal(b->storage.port.put(&b->storage, "device-board2", "\xff\xff", 2), 0);
    restart(b, 0);
    run(b, 3000);
    assert_int_equal(b->gw.device[0].state, GW_IDLE);
    update(b, "j1", "board1");
    until(b, 0, GW_CONFIRMED, 30000);
}

/* What comes over chunk/… while a download over MQTT waits: none of it harms. */
static void hostile_chunks(void **state)
{
    static const char *const errors[] = {"",
                                         "{",
                                         "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
                                         "{}",
                                         "{\"request\":-1}",
                                         "{\"request\":1e300,\"reason\":\"range\"}",
                                         "{\"request\":\"1\",\"reason\":[1]}",
                                         "null"};
    struct bench *b = *state;
    uint8_t payload[5000] = "FCH1";
    unsigned asked = 0;

    command(b, "update", "j1", "board1", &good_result, "mqtt:", "");
    run(b, 10);
    for (unsigned i = 0; i < b->mqtt.messages; i++)
        asked += strcmp(b->mqtt.message[i].topic, "fota/v1/gw1/chunk/get") == 0;
    assert_int_equal(asked, 1);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        gw_mqtt_received(&b->gw, "fota/v1/gw1/chunk/error", errors[i], strlen(errors[i]));
    for (size_t length = 0; length <= sizeof payload; length += 31)
        gw_mqtt_received(&b->gw, "fota/v1/gw1/chunk/data", payload, length);
    gw_mqtt_received(&b->gw, "fota/v1/gw2/chunk/data", payload, 40);
    run(b, 10);
    assert_int_equal(b->gw.device[0].state, GW_DOWNLOAD);
    assert_int_equal(b->gw.fetch[0].have, 0);
    command(b, "cancel", "j1", "board1", NULL, "", "");
    until(b, 0, GW_FAILED, 1000);
}

static void a_full_cache_makes_room(void **state)
{
    struct bench *b = *state;
    uint8_t data[100] = {0}, d[GW_DIGEST_SIZE] = {0};

    for (uint8_t i = 1; i <= GW_CACHE_FILES; i++) {
        d[0] = i;
        assert_int_equal(b->storage.port.append(&b->storage, d, data, sizeof data), 0);
    }
    update(b, "j1", "board1");
    until(b, 0, GW_CONFIRMED, 30000);
    assert_int_equal(b->storage.removes, 1);
    assert_false(b->storage.file[0].used && b->storage.file[0].digest[0] == 1 && b->storage.file[0].size == 100);
}

static void a_cache_in_use_is_waited_for(void **state)
{
    struct bench *b = *state;

    b->gw.config.cache_files = 1;
    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 30000);
    command(b, "update", "j2", "board2", &bad_result, "http://h/bad.fota", "");
    b->http.data = bad.data;
    b->http.size = (uint32_t) bad.size;
    run(b, 20);
    assert_int_equal(b->gw.device[0].state, GW_WRITE);
    assert_int_equal(b->gw.device[1].state, GW_DOWNLOAD);
    assert_string_equal(latest(b, "board2/state", "detail"), "another device's update comes first");
    assert_int_equal(b->http.requests, 1);
    until(b, 0, GW_CONFIRMED, 30000);
    until(b, 1, GW_ROLLED_BACK, 30000);
    assert_int_equal(b->http.requests, 2);
}

/* Both had begun; after a restart their parts together are too much. One gives way. */
static void two_parts_of_a_full_cache(void **state)
{
    struct bench *b = *state;

    b->config.cache_files = b->gw.config.cache_files = 1;
    b->http.piece = 200;
    update(b, "j1", "board1");
    until(b, 0, GW_DOWNLOAD, 100);
    b->gw.config.cache_files = 2;
    command(b, "update", "j2", "board2", &bad_result, "http://h/q", "");
    for (unsigned i = 0; i < 50 && (b->gw.fetch[0].have < 2000 || b->gw.fetch[GW_FETCHES_MAX - 1u].have < 2000); i++)
        run(b, 1);
    restart(b, 0);
    until(b, 0, GW_WRITE, 60000);
    b->http.data = bad.data;
    b->http.size = (uint32_t) bad.size;
    until(b, 0, GW_CONFIRMED, 60000);
    until(b, 1, GW_ROLLED_BACK, 60000);
}

/* Cancelled while it waits after a restart: it is not said that nothing was touched. */
static void a_cancel_while_it_waits(void **state)
{
    struct bench *b = *state;

    update(b, "j1", "board1");
    until(b, 0, GW_WRITE, 30000);
    run(b, 20);
    restart(b, 0);
    b->gw.reader[0].taken = true;
    b->gw.fetch_env.readers.count = 1;
    run(b, 300);
    assert_string_equal(latest(b, "board1/state", "state"), "write");
    assert_string_equal(latest(b, "board1/state", "detail"), "another device's update comes first");
    command(b, "cancel", "j1", "board1", NULL, "", "");
    assert_string_equal(latest(b, "board1/state", "reason"), "cancelled");
    assert_null(strstr(latest(b, "board1/state", "detail"), "before the device was touched"));
}

/* Where one can be downloaded at a time, the second waits for the first from the beginning. */
static void a_download_is_waited_for(void **state)
{
    struct bench *b = *state;

    if (GW_FETCHES_MAX > 1u)
        skip();
    b->http.piece = 20;
    update(b, "j1", "board1");
    run(b, 20);
    command(b, "update", "j2", "board2", &bad_result, "http://h/q", "");
    run(b, 20);
    assert_string_equal(latest(b, "board2/state", "detail"), "another device's update comes first");
    assert_string_equal(latest(b, "board1/state", "detail"), "");
    command(b, "cancel", "j1", "board1", NULL, "", "");
    run(b, 20);
    assert_string_equal(latest(b, "board2/state", "detail"), "");
}

static void a_wrong_configuration_is_refused(void **state)
{
    struct bench *b = *state;
    struct gw_config c = b->config;
    char error[256];

    c.key_count = 0;
    assert_int_equal(gw_config_check(&c, error, sizeof error), -1);
    c = b->config;
    (void) strcpy(c.id, "a/b");
    assert_int_equal(gw_config_check(&c, error, sizeof error), -1);
    assert_non_null(strstr(error, "a/b"));
    c = b->config;
    c.device_count = 0;
    assert_int_equal(gw_config_check(&c, error, sizeof error), -1);
    c = b->config;
    (void) strcpy(b->devices[1].name, "board1");
    assert_int_equal(gw_config_check(&c, error, sizeof error), -1);
    assert_non_null(strstr(error, "twice"));
    (void) strcpy(b->devices[1].name, "reply");
    assert_int_equal(gw_config_check(&c, error, sizeof error), -1);
    (void) strcpy(b->devices[1].name, "board2");
    assert_int_equal(gw_config_check(&c, error, sizeof error), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_are_published_in_order),
        TEST(a_wait_is_said),
        TEST(one_reader_for_all),
        TEST(a_restart_in_any_state_goes_on),
        TEST(a_job_is_not_run_twice),
        TEST(refusals),
        TEST(cancel_in_each_state),
        TEST(a_shared_download),
        TEST(another_url_may_be_better),
        TEST(the_broker_may_be_away),
        TEST(sequence_numbers_only_grow),
        TEST(progress_comes_at_most_once_a_second),
        TEST(an_unreadable_record_is_no_end),
        TEST(hostile_chunks),
        TEST(a_full_cache_makes_room),
        TEST(a_cache_in_use_is_waited_for),
        TEST(two_parts_of_a_full_cache),
        TEST(a_download_is_waited_for),
        TEST(a_cancel_while_it_waits),
        TEST(a_wrong_configuration_is_refused),
    };
    struct pack_message message;
    struct pack_result result;
    int failed;

    if (pack_key_generate(&key, &message) != FOTA_OK)
        return 1;
    sim_package(&key, &target, 0, SIM_GOOD, 8192, 1, 2000, &factory, &result);
    sim_package(&key, &target, 1, SIM_GOOD, 60000, 2, 2000, &good, &good_result);
    sim_package(&key, &target, 2, SIM_NEVER, 60000, 2, 2000, &bad, &bad_result);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pack_buffer_free(&factory);
    pack_buffer_free(&good);
    pack_buffer_free(&bad);
    return failed;
}
