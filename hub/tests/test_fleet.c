/* SPDX-License-Identifier: MIT */
/* The hub's mind, in-process: a database in memory, a clock that the test turns, a publisher that remembers. */
#include "fleet.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHA "1111111111111111111111111111111111111111111111111111111111111111"

struct world {
    struct hub_db db;
    struct hub_fleet *fleet;
    int64_t now;
    bool connected;
    char published[8][1200];
    unsigned count;
    int64_t seq;
};

static int publish(void *ctx, const char *gateway, const char *payload)
{
    struct world *w = ctx;
    if (!w->connected)
        return -1;
    assert_string_equal(gateway, "gw1");
    assert_true(w->count < 8);
    snprintf(w->published[w->count++], sizeof w->published[0], "%s", payload);
    return 0;
}

static int64_t mono(void *ctx)
{
    return ((struct world *) ctx)->now;
}

static void open_fleet(struct world *w)
{
    const struct hub_fleet_io io = {publish, mono, w};
    const struct hub_fleet_options options = {"http://hub:8080", 60000, 900000};
    w->fleet = hub_fleet_new(&w->db, &io, &options);
    assert_non_null(w->fleet);
}

static void say(struct world *w, const char *topic, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct world *w, const char *topic, const char *format, ...)
{
    char members[512], payload[700];
    va_list args;
    va_start(args, format);
    vsnprintf(members, sizeof members, format, args);
    va_end(args);
    snprintf(payload, sizeof payload, "{\"v\":1,\"seq\":%lld,%s}", (long long) ++w->seq, members);
    assert_int_equal(hub_fleet_message(w->fleet, topic, payload, strlen(payload)), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(hub_db_open(&w->db, ":memory:"), 0);
    struct hub_release r = {.sha256 = SHA, .size = 4321, .version = "1.1.0", .uploaded = 1};
    assert_int_equal(hub_release_insert(&w->db, &r), 0);
    w->now = 1000000;
    w->seq = 100;
    w->connected = true;
    open_fleet(w);
    say(w, "fota/v1/gw1/presence", "\"online\":true,\"devices\":[\"board1\"]");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    hub_fleet_free(w->fleet);
    hub_db_close(&w->db);
    free(w);
    return 0;
}

static struct hub_update start(struct world *w)
{
    struct hub_update u;
    struct hub_error e;
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board1", SHA, false, &u, &e), 0);
    return u;
}

static void expect(struct world *w, const char *job, const char *state, const char *reason, bool ended)
{
    struct hub_update u;
    assert_int_equal(hub_update_get(&w->db, job, &u), 0);
    assert_string_equal(u.state, state);
    assert_string_equal(u.reason, reason);
    assert_int_equal(u.ended != 0, ended);
}

static void says_state(struct world *w, const char *state, const char *job, const char *reason)
{
    say(w, "fota/v1/gw1/board1/state", "\"state\":\"%s\",\"job\":\"%s\",\"reason\":\"%s\"", state, job, reason);
}

static void whole_way(void **state)
{
    struct world *w = *state;
    struct hub_error e;
    struct hub_update u = start(w), second;
    char want[1200];
    snprintf(want, sizeof want,
             "{\"v\":1,\"cmd\":\"update\",\"job\":\"%s\",\"device\":\"board1\",\"url\":\"http://hub:8080/api/v1/"
             "packages/" SHA ".fota\",\"sha256\":\"" SHA "\",\"size\":4321,\"retry\":false}",
             u.job);
    assert_int_equal(w->count, 1);
    assert_string_equal(w->published[0], want);
    expect(w, u.job, "queued", "", false);
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board1", SHA, false, &second, &e), -1);
    assert_int_equal(e.status, 409);
    assert_string_equal(e.code, "busy");
    assert_int_equal(hub_release_delete(&w->db, SHA), 2);
    say(w, "fota/v1/gw1/reply", "\"cmd\":\"update\",\"job\":\"%s\",\"device\":\"board1\",\"ok\":true", u.job);
    expect(w, u.job, "queued", "", false);
    static const char *const way[] = {"download", "write", "verify", "jump"};
    for (size_t i = 0; i < 4; i++) {
        says_state(w, way[i], u.job, "");
        expect(w, u.job, way[i], "", false);
    }
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &second, &e), -1);
    assert_string_equal(e.code, "too-late");
    says_state(w, "confirmed", u.job, "");
    expect(w, u.job, "confirmed", "", true);
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &second, &e), -1);
    assert_int_equal(e.status, 409);
    says_state(w, "idle", "", "");
    expect(w, u.job, "confirmed", "", true);
    start(w); /* the device is free again */
}

static void refused_by_gateway(void **state)
{
    struct world *w = *state;
    struct hub_update u = start(w);
    /* Another gateway, and an older message, have no say. */
    say(w, "fota/v1/gw2/reply", "\"cmd\":\"update\",\"job\":\"%s\",\"ok\":false,\"reason\":\"busy\"", u.job);
    expect(w, u.job, "queued", "", false);
    say(w, "fota/v1/gw1/reply", "\"cmd\":\"update\",\"job\":\"%s\",\"ok\":false,\"reason\":\"busy\",\"detail\":\"x\"",
        u.job);
    expect(w, u.job, "failed", "busy", true);
}

static void older_messages_are_dropped(void **state)
{
    struct world *w = *state;
    struct hub_update u = start(w);
    says_state(w, "write", u.job, "");
    w->seq -= 2; /* not newer than the one before */
    says_state(w, "download", u.job, "");
    expect(w, u.job, "write", "", false);
    w->seq++;
    says_state(w, "verify", u.job, "");
    expect(w, u.job, "verify", "", false);
    /* Also after a restart of the hub. */
    hub_fleet_free(w->fleet);
    open_fleet(w);
    w->seq--;
    says_state(w, "jump", u.job, "");
    expect(w, u.job, "verify", "", false);
}

static void no_answer(void **state)
{
    struct world *w = *state;
    struct hub_update u = start(w);
    w->now += 59999;
    hub_fleet_tick(w->fleet);
    expect(w, u.job, "queued", "", false);
    w->now += 1;
    hub_fleet_tick(w->fleet);
    expect(w, u.job, "failed", "no-answer", true);
    assert_int_equal(w->count, 2);
    assert_non_null(strstr(w->published[1], "\"cmd\":\"cancel\""));
    /* It was alive after all: the device's word counts. */
    says_state(w, "write", u.job, "");
    expect(w, u.job, "write", "", false);
    says_state(w, "failed", u.job, "cancelled");
    expect(w, u.job, "failed", "cancelled", true);
    says_state(w, "write", u.job, ""); /* but what the gateway itself has ended stays ended */
    expect(w, u.job, "failed", "cancelled", true);
}

static void late_word_beside_a_newer_update(void **state)
{
    struct world *w = *state;
    struct hub_update first = start(w);
    w->now += 60000;
    hub_fleet_tick(w->fleet);
    struct hub_update second = start(w);
    says_state(w, "write", first.job, "");
    expect(w, first.job, "failed", "no-answer", true);
    expect(w, second.job, "queued", "", false);
    says_state(w, "confirmed", first.job, "");
    expect(w, first.job, "confirmed", "", true);
}

static void says_channel(struct world *w, const char *state, const char *job)
{
    say(w, "fota/v1/gw1/board1/state",
        "\"state\":\"%s\",\"job\":\"%s\",\"origin\":\"channel\",\"target\":{\"version\":\"2.0.0\",\"sha256\":\"" SHA
        "\"}",
        state, job);
}

/* A gateway has started an update by itself: it is recorded, it keeps ours out, and can be cancelled. */
static void started_by_a_channel(void **state)
{
    struct world *w = *state;
    struct hub_update u;
    struct hub_error e;
    says_channel(w, "download", "channel-stable-1");
    expect(w, "channel-stable-1", "download", "", false);
    assert_int_equal(hub_update_get(&w->db, "channel-stable-1", &u), 0);
    assert_string_equal(u.origin, "channel");
    assert_string_equal(u.version, "2.0.0");
    assert_string_equal(u.release, SHA);
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board1", SHA, false, &u, &e), -1);
    assert_string_equal(e.code, "busy");
    hub_fleet_free(w->fleet);
    open_fleet(w);
    says_channel(w, "write", "channel-stable-1");
    says_channel(w, "confirmed", "channel-stable-1");
    expect(w, "channel-stable-1", "confirmed", "", true);
    says_channel(w, "failed", "channel-stable-2"); /* the hub was away meanwhile */
    expect(w, "channel-stable-2", "failed", "", true);
    u = start(w);
    says_channel(w, "download", "channel-stable-3"); /* beside one of ours: ours stays */
    assert_int_equal(hub_update_get(&w->db, "channel-stable-3", &u), 1);
}

static void silence(void **state)
{
    struct world *w = *state;
    struct hub_update u = start(w);
    says_state(w, "write", u.job, "");
    for (int i = 0; i < 3; i++) {
        w->now += 800000;
        say(w, "fota/v1/gw1/board1/progress", "\"job\":\"%s\",\"state\":\"write\",\"percent\":%d", u.job, i);
        hub_fleet_tick(w->fleet);
        expect(w, u.job, "write", "", false);
    }
    w->now += 900000;
    hub_fleet_tick(w->fleet);
    expect(w, u.job, "failed", "stalled", true);
}

static void broker_comes_later(void **state)
{
    struct world *w = *state;
    struct hub_error e;
    struct hub_update u, c;
    w->connected = false;
    u = start(w);
    assert_int_equal(w->count, 0);
    w->connected = true;
    hub_fleet_connected(w->fleet);
    assert_int_equal(w->count, 1);
    assert_non_null(strstr(w->published[0], u.job));
    hub_fleet_connected(w->fleet); /* once more: nobody has answered yet */
    assert_int_equal(w->count, 2);
    assert_string_equal(w->published[0], w->published[1]);
    says_state(w, "download", u.job, "");
    hub_fleet_connected(w->fleet); /* but what is under way is not started again */
    assert_int_equal(w->count, 2);
    /* Nor is it lost in a restart of the hub. */
    hub_fleet_free(w->fleet);
    open_fleet(w);
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board1", SHA, false, &c, &e), -1);
    assert_string_equal(e.code, "busy");
    /* A job that nobody has seen is cancelled on the spot. */
    says_state(w, "failed", u.job, "stalled");
    w->connected = false;
    u = start(w);
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &c, &e), 0);
    assert_string_equal(c.state, "failed");
    assert_string_equal(c.reason, "cancelled");
    w->connected = true;
    hub_fleet_connected(w->fleet);
    assert_int_equal(w->count, 2);
}

static void cancelling(void **state)
{
    struct world *w = *state;
    struct hub_error e;
    struct hub_update c, u = start(w);
    says_state(w, "write", u.job, "");
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &c, &e), 0);
    assert_string_equal(c.state, "write");
    assert_non_null(strstr(w->published[1], "\"cmd\":\"cancel\""));
    /* Asked again after a reconnect; too late is no end. */
    hub_fleet_connected(w->fleet);
    assert_int_equal(w->count, 3);
    say(w, "fota/v1/gw1/reply", "\"cmd\":\"cancel\",\"job\":\"%s\",\"ok\":false,\"reason\":\"too-late\"", u.job);
    expect(w, u.job, "write", "", false);
    hub_fleet_connected(w->fleet);
    assert_int_equal(w->count, 3);
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &c, &e), 0);
    says_state(w, "failed", u.job, "cancelled");
    expect(w, u.job, "failed", "cancelled", true);
    /* A gateway that has forgotten the job, and one that is gone. */
    u = start(w);
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &c, &e), 0);
    say(w, "fota/v1/gw1/reply", "\"cmd\":\"cancel\",\"job\":\"%s\",\"ok\":false,\"reason\":\"unknown-job\"", u.job);
    expect(w, u.job, "failed", "cancelled", true);
    u = start(w);
    says_state(w, "write", u.job, "");
    assert_int_equal(hub_fleet_cancel(w->fleet, u.job, &c, &e), 0);
    w->now += 60000;
    hub_fleet_tick(w->fleet);
    expect(w, u.job, "failed", "no-answer", true);
}

static void presence(void **state)
{
    struct world *w = *state; /* online with seq 101 */
    static const char topic[] = "fota/v1/gw1/presence";
    assert_true(hub_fleet_online(w->fleet, "gw1"));
    w->seq = 99;
    say(w, topic, "\"online\":false"); /* the last will: the seq from before its own "online" */
    assert_false(hub_fleet_online(w->fleet, "gw1"));
    w->seq = 200;
    say(w, topic, "\"online\":true"); /* 201 */
    assert_true(hub_fleet_online(w->fleet, "gw1"));
    w->seq = 49;
    say(w, topic, "\"online\":false"); /* the will of a connection long gone */
    assert_true(hub_fleet_online(w->fleet, "gw1"));
    say(w, topic, "\"online\":true");
    assert_true(hub_fleet_online(w->fleet, "gw1"));
    w->seq = 300;
    say(w, topic, "\"online\":true"); /* once more in the same connection, whose will is still good */
    w->seq = 199;
    say(w, topic, "\"online\":false");
    assert_false(hub_fleet_online(w->fleet, "gw1"));
    hub_fleet_free(w->fleet);
    open_fleet(w);
    assert_false(hub_fleet_online(w->fleet, "gw1"));
    w->seq = 301;
    say(w, topic, "\"online\":true");
    assert_true(hub_fleet_online(w->fleet, "gw1"));
    assert_false(hub_fleet_online(w->fleet, "nobody"));
}

static void count_changes(void *ctx, const struct hub_change *change)
{
    (void) change;
    ++*(int *) ctx;
}

static void progress_costs_no_writes(void **state)
{
    struct world *w = *state;
    struct hub_device d;
    struct hub_progress p;
    struct hub_update u = start(w);
    says_state(w, "write", u.job, "");
    int before = sqlite3_total_changes(w->db.sql);
    for (int i = 0; i <= 100; i++)
        say(w, "fota/v1/gw1/board1/progress", "\"job\":\"%s\",\"state\":\"write\",\"percent\":%d,\"bytes\":%d", u.job,
            i, i * 10);
    assert_int_equal(sqlite3_total_changes(w->db.sql), before);
    assert_int_equal(hub_device_get(&w->db, "gw1", "board1", &d), 0);
    assert_true(hub_fleet_progress(w->fleet, &d, &p));
    assert_int_equal(p.percent, 100);
    assert_int_equal(p.bytes, 1000);
    says_state(w, "verify", u.job, "");
    assert_int_equal(hub_device_get(&w->db, "gw1", "board1", &d), 0);
    assert_false(hub_fleet_progress(w->fleet, &d, &p)); /* that was of another state */
    assert_int_equal(p.percent, 0);
    say(w, "fota/v1/gw1/unheard/progress", "\"state\":\"write\",\"percent\":1");
    assert_int_equal(hub_device_get(&w->db, "gw1", "unheard", &d), 1);
    /* History: changes only. */
    int changes = 0;
    says_state(w, "verify", u.job, "");
    assert_int_equal(hub_history_list(&w->db, "gw1", "board1", 100, count_changes, &changes), 0);
    assert_int_equal(changes, 2);
}

/* A transaction that is lost (a full disk): after the reload the same messages count as new. */
static void lost_transaction(void **state)
{
    struct world *w = *state;
    struct hub_update u = start(w);
    assert_int_equal(hub_db_begin(&w->db), 0);
    says_state(w, "write", u.job, "");
    says_state(w, "confirmed", u.job, "");
    say(w, "fota/v1/gw9/d9/state", "\"state\":\"idle\"");
    hub_db_rollback(&w->db);
    assert_int_equal(hub_fleet_reload(w->fleet), 0);
    expect(w, u.job, "queued", "", false);
    w->seq -= 2;
    says_state(w, "confirmed", u.job, "");
    expect(w, u.job, "confirmed", "", true);
    say(w, "fota/v1/gw9/d9/state", "\"state\":\"idle\"");
    struct hub_device d;
    assert_int_equal(hub_device_get(&w->db, "gw9", "d9", &d), 0);
}

static void unknown_things(void **state)
{
    struct world *w = *state;
    struct hub_error e;
    struct hub_update u;
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board2", SHA, false, &u, &e), -1);
    assert_int_equal(e.status, 404);
    assert_string_equal(e.field, "device");
    assert_int_equal(hub_fleet_start(w->fleet, "gw1", "board1", "22", false, &u, &e), -1);
    assert_int_equal(e.status, 404);
    assert_string_equal(e.field, "release");
    assert_int_equal(hub_fleet_cancel(w->fleet, "nothing", &u, &e), -1);
    assert_int_equal(e.status, 404);
    says_state(w, "write", "somebody-elses", ""); /* a job from mosquitto_pub is none of the hub's */
    assert_int_equal(hub_update_get(&w->db, "somebody-elses", &u), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    hub_log_set_level(HUB_LOG_ERROR);
    const struct CMUnitTest tests[] = {TEST(whole_way),
                                       TEST(refused_by_gateway),
                                       TEST(older_messages_are_dropped),
                                       TEST(no_answer),
                                       TEST(late_word_beside_a_newer_update),
                                       TEST(started_by_a_channel),
                                       TEST(silence),
                                       TEST(broker_comes_later),
                                       TEST(cancelling),
                                       TEST(presence),
                                       TEST(progress_costs_no_writes),
                                       TEST(lost_transaction),
                                       TEST(unknown_things)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
