/* SPDX-License-Identifier: MIT */
/* The push state machine against core's real server, installer, journal and boot decision, over a line with
 * faults. */
#include "sim.h"

#include "gw/push.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct fota_target target = {.product = {0xde, 0xad, 1}, .hw_revision = 2, .floor = 1};
static struct pack_key key;
static struct pack_message message;

/* One bench: a device, a line with faults, a push. */
struct bench {
    struct sim sim;
    uint64_t now;
    uint32_t seed;
    /* faults, in 1/1000 of bytes or of writes, both directions */
    unsigned flip, drop, twice, delay;
    uint32_t cable_limit;            /* above this rate the cable damages bytes; 0: at none */
    unsigned damage_to, damage_from; /* that many of 1000, to and from the device */
    uint32_t port_limit;             /* the port takes no higher rate; 0: any */
    uint32_t rates[32];              /* that it was set to */
    unsigned rate_count;
    bool vanished;
    struct {
        uint8_t data[16384];
        size_t length;
        uint64_t at;
    } held[2];
    struct gw_link link;
    struct gw_pins pins;
    struct gw_clock clock;
    struct gw_push push;
    struct pack_buffer package;
    struct pack_result result;
    struct gw_package_source source;
    unsigned foreign, reads; /* before one of so many reads a frame of another protocol version comes; 0: never */
    unsigned lines;
    char last_line[GW_PUSH_LINE + 1u];
    unsigned opens;
};

static uint32_t dice(struct bench *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 17;
    b->seed ^= b->seed << 5;
    return b->seed % 1000u;
}

/* Pass bytes through the faults; returns how many came out. */
static size_t spoil(struct bench *b, const uint8_t *in, size_t length, uint8_t *out, unsigned damage)
{
    size_t n = 0;
    bool bad = b->cable_limit != 0 && b->sim.host_baud > b->cable_limit;

    for (size_t i = 0; i < length; i++) {
        if (b->drop != 0 && dice(b) < b->drop && dice(b) < 20u) /* drop and flip are in 1/50 000 */
            continue;
        out[n] = in[i];
        if (b->flip != 0 && dice(b) < b->flip && dice(b) < 20u)
            out[n] ^= (uint8_t) (1u << (dice(b) % 8u));
        if (bad && dice(b) < damage)
            out[n] ^= (uint8_t) (1u << (dice(b) % 8u));
        n++;
    }
    return n;
}

static int link_open(void *ctx, uint32_t baud)
{
    struct bench *b = ctx;

    assert_true(baud == 115200u || baud == b->sim.host_baud);
    if (b->vanished)
        return -1;
    b->opens++;
    b->sim.host_baud = baud;
    return 0;
}

static int link_baud(void *ctx, uint32_t baud)
{
    struct bench *b = ctx;

    assert_false(b->vanished);
    if (b->port_limit != 0 && baud > b->port_limit)
        return -1;
    b->sim.host_baud = baud;
    if (b->rate_count < sizeof b->rates / sizeof b->rates[0])
        b->rates[b->rate_count++] = baud;
    return 0;
}

static void link_close(void *ctx)
{
    (void) ctx;
}

static int link_write(void *ctx, const uint8_t *data, size_t length)
{
    struct bench *b = ctx;
    uint8_t out[8192];
    size_t n;

    if (b->vanished)
        return -1;
    if (length > 512u && b->twice == 0)
        length = 512u; /* as a tty with a short buffer */
    n = spoil(b, data, length, out, b->damage_to);
    (void) sim_write(&b->sim, out, n);
    if (b->twice != 0 && dice(b) < b->twice)
        (void) sim_write(&b->sim, out, n);
    return (int) length;
}

static int link_read(void *ctx, uint8_t *data, size_t capacity)
{
    struct bench *b = ctx;
    uint8_t raw[256];
    size_t n;

    if (b->vanished)
        return -1;
    if (b->held[0].length > 0 && b->now < b->held[0].at)
        return 0;
    b->held[0].length = 0;
    if (b->foreign != 0 && ++b->reads % b->foreign == 0) {
        static const uint8_t payload[4];
        struct fota_frame frame = {.version = FOTA_LINK_VERSION + 1u,
                                   .type = FOTA_LINK_INFO | FOTA_LINK_RESPONSE,
                                   .tag = (uint8_t) b->reads,
                                   .payload = payload,
                                   .length = sizeof payload};

        return (int) fota_frame_encode(&frame, data, capacity);
    }
    n = sim_read(&b->sim, raw, capacity < sizeof raw ? capacity : sizeof raw);
    if (n > 0 && b->delay != 0 && dice(b) < b->delay) {
        b->held[0].length = 1;
        b->held[0].at = b->now + 700u;
    }
    return (int) spoil(b, raw, n, data, b->damage_from);
}

static int pin_nrst(void *ctx, bool low)
{
    struct bench *b = ctx;

    sim_nrst(&b->sim, low);
    return 0;
}

static uint64_t clock_now(void *ctx)
{
    return ((struct bench *) ctx)->now;
}

static void on_text(void *ctx, const char *line)
{
    struct bench *b = ctx;

    b->lines++;
    (void) snprintf(b->last_line, sizeof b->last_line, "%s", line);
}

static void on_log(void *ctx, enum gw_log_level level, const char *text)
{
    (void) ctx;
    if (getenv("GW_TEST_LOG") != NULL)
        (void) fprintf(stderr, "[%d] %s\n", (int) level, text);
}

static int package_read(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    struct bench *b = ctx;

    if (offset >= b->package.size)
        return 0;
    if (length > b->package.size - offset)
        length = b->package.size - offset;
    memcpy(data, b->package.data + offset, length);
    return (int) length;
}

static void make_package(struct bench *b, unsigned minor, unsigned patch, uint32_t size, uint32_t counter,
                         uint32_t deadline)
{
    pack_buffer_free(&b->package);
    sim_package(&key, &target, minor, patch, size, counter, deadline, &b->package, &b->result);
}

static void run(struct bench *b, uint32_t ms)
{
    for (uint64_t end = b->now + ms; b->now < end; b->now++) {
        sim_step(&b->sim, b->now);
        (void) gw_push_poll(&b->push);
    }
}

static struct bench *bench_new(bool pins)
{
    struct bench *b = calloc(1, sizeof *b);
    struct pack_buffer factory = {0};
    struct pack_result result;

    assert_non_null(b);
    b->seed = 0x2545f491u;
    b->now = 1000;
    sim_init(&b->sim, &key.public_key, &target);
    sim_package(&key, &target, 0, SIM_GOOD, 8192, 1, 2000, &factory, &result);
    sim_factory(&b->sim, &factory);
    pack_buffer_free(&factory);
    b->link = (struct gw_link){b, link_open, link_close, link_read, link_write, link_baud, NULL, 0, NULL};
    b->pins = (struct gw_pins){b, pin_nrst, NULL};
    b->clock = (struct gw_clock){b, clock_now, clock_now};
    gw_push_init(&b->push, &(struct gw_push_ports){.link = &b->link,
                                                   .pins = pins ? &b->pins : NULL,
                                                   .clock = &b->clock,
                                                   .ctx = b,
                                                   .debug_frames = getenv("GW_TEST_LOG") != NULL,
                                                   .text = on_text,
                                                   .log = on_log});
    sim_power(&b->sim, true);
    run(b, 2000);
    assert_int_equal(sim_confirmed_version(&b->sim), 10000);
    make_package(b, 1, SIM_GOOD, 40000, 2, 2000);
    return b;
}

static void bench_free(struct bench *b)
{
    pack_buffer_free(&b->package);
    sim_free(&b->sim);
    free(b);
}

static struct gw_push_job job_of(struct bench *b)
{
    gw_package_source_init(&b->source, &(struct gw_bytes){b, package_read});
    return (struct gw_push_job){.header = b->package.data, .source = {&b->source, gw_package_source_read}};
}

static void start(struct bench *b)
{
    struct gw_push_job job = job_of(b);

    assert_int_equal(gw_push_start(&b->push, &job), FOTA_OK);
}

/* Run until the push has ended or the limit is over. */
static void finish(struct bench *b, uint32_t limit_ms)
{
    uint64_t end = b->now + limit_ms;

    while (b->push.state != GW_PUSH_ENDED && b->now < end)
        run(b, 1);
    assert_int_equal(b->push.state, GW_PUSH_ENDED);
}

static void until_state(struct bench *b, enum gw_push_state state)
{
    for (unsigned i = 0; i < 60000u && b->push.state != state; i++)
        run(b, 1);
    assert_int_equal(b->push.state, state);
}

static void until_bytes(struct bench *b, uint32_t bytes)
{
    for (unsigned i = 0; i < 60000u && b->push.bytes < bytes; i++)
        run(b, 1);
    assert_true(b->push.bytes >= bytes);
}

/* --- the good way ----------------------------------------------------------------------------- */

static void an_update_is_confirmed(void **state)
{
    struct bench *b = bench_new(false);
    uint64_t began = b->now;

    (void) state;
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_string_equal(b->push.reason, "");
    assert_int_equal(sim_confirmed_version(&b->sim), 10100);
    assert_int_equal(b->sim.journal.state.confirmed.slot, FOTA_SLOT_B);
    assert_int_equal(b->push.bytes, 40000);
    assert_int_equal(b->push.stats.resent, 0);
    assert_true(b->now - began < 6000);
    /* the next one goes to slot A: code without relocation */
    make_package(b, 2, SIM_GOOD, 61236, 2, 2000);
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(sim_confirmed_version(&b->sim), 10200);
    assert_int_equal(b->sim.journal.state.confirmed.slot, FOTA_SLOT_A);
    /* and again: it runs already, nothing is written */
    b->sim.erases = 0;
    start(b);
    finish(b, 5000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(b->sim.erases, 0);
    assert_int_equal(b->sim.mode, SIM_APP);
    bench_free(b);
}

/* --- an application that installs images while it runs ----------------------------------------- */

static struct bench *bench_with_agent(void)
{
    struct bench *b = bench_new(true);

    sim_power(&b->sim, false);
    b->sim.installs = true;
    sim_power(&b->sim, true);
    run(b, 2000);
    assert_int_equal(b->sim.mode, SIM_APP);
    return b;
}

/* It asks to wait at each step, and is given the time; the one reset is that into the new image. */
static void an_application_installs_while_it_runs(void **state)
{
    static const unsigned waits[][FOTA_LINK_BAUD] = {
        {0},
        {[FOTA_LINK_BEGIN] = 30},
        {[FOTA_LINK_DATA] = 1, [FOTA_LINK_STATUS] = 40},
        {[FOTA_LINK_FINISH] = 900},
        {[FOTA_LINK_REBOOT] = 60},
        {[FOTA_LINK_BEGIN] = 2, [FOTA_LINK_DATA] = 3, [FOTA_LINK_FINISH] = 4, [FOTA_LINK_REBOOT] = 5}};

    (void) state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct bench *b = bench_with_agent();
        unsigned resets = b->sim.resets;

        memcpy(b->sim.later, waits[i], sizeof waits[i]);
        start(b);
        finish(b, 120000);
        assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
        assert_int_equal(sim_confirmed_version(&b->sim), 10100);
        assert_int_equal(b->sim.resets, resets + 1u);
        assert_int_equal(b->sim.nrst_pulses, 0);
        for (unsigned type = 0; type < FOTA_LINK_BAUD; type++)
            assert_int_equal(b->sim.later[type], 0);
        bench_free(b);
    }
}

/* An hour in a row is too much, and it is said what becomes of the image. */
static void a_wait_without_an_end_is_given_up(void **state)
{
    static const struct {
        unsigned data, type;
        const char *says;
    } cases[] = {{0, FOTA_LINK_BEGIN, "60 minutes"},
                 {1, FOTA_LINK_STATUS, "60 minutes"},
                 {0, FOTA_LINK_FINISH, "60 minutes"},
                 {0, FOTA_LINK_REBOOT, "tried at the next reset"}};

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *b = bench_with_agent();
        unsigned resets = b->sim.resets;

        b->sim.later[FOTA_LINK_DATA] = cases[i].data;
        b->sim.later[cases[i].type] = UINT_MAX;
        start(b);
        run(b, GW_PUSH_LATER_LIMIT_MS - 60000u);
        assert_int_not_equal(b->push.state, GW_PUSH_ENDED);
        finish(b, 180000);
        assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
        assert_string_equal(b->push.reason, "later");
        assert_non_null(strstr(b->push.detail, cases[i].says));
        assert_int_equal(b->sim.resets, resets);
        assert_int_equal(b->sim.nrst_pulses, 0);
        bench_free(b);
    }
}

/* An operator who does not want to wait cancels; and where it is so configured the bootloader installs all the same. */
static void a_wait_is_cancelled_or_avoided(void **state)
{
    struct bench *b = bench_with_agent();
    unsigned resets = b->sim.resets;

    (void) state;
    b->sim.later[FOTA_LINK_DATA] = 1;
    b->sim.later[FOTA_LINK_STATUS] = UINT_MAX;
    start(b);
    run(b, 20000);
    assert_int_equal(b->push.state, GW_PUSH_WRITE);
    assert_int_equal(gw_push_cancel(&b->push), FOTA_OK);
    finish(b, 5000);
    assert_string_equal(b->push.reason, "cancelled");
    assert_int_equal(b->sim.resets, resets);
    assert_int_equal(b->sim.installer.state, FOTA_INSTALL_IDLE); /* it does not go on alone */
    b->push.ports.loader_only = true;
    b->sim.later[FOTA_LINK_REBOOT] = 20; /* its moment for the bootloader is its own, too */
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(b->sim.later[FOTA_LINK_REBOOT], 0);
    assert_int_equal(b->sim.resets, resets + 2u);
    assert_int_equal(b->sim.nrst_pulses, 0);
    bench_free(b);
}

/* Whoever reset it: the new image runs, and nobody asks it for a reset once more. */
static void a_reset_while_the_switch_is_put_off(void **state)
{
    struct bench *b = bench_with_agent();
    unsigned resets = b->sim.resets;

    (void) state;
    b->sim.later[FOTA_LINK_REBOOT] = UINT_MAX;
    start(b);
    run(b, 30000);
    assert_int_equal(b->push.state, GW_PUSH_JUMP);
    assert_int_equal(b->sim.resets, resets);
    sim_reset(&b->sim, FOTA_RESET_OTHER);
    finish(b, 10000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(b->sim.resets, resets + 1u);
    bench_free(b);
}

/* The answer to FINISH is lost, and what answers next is the new image, in its trial or after it: it is not installed
 * once more, and its end is told as it is. */
static void the_last_answer_is_lost(void **state)
{
    static const struct {
        enum sim_app app;
        uint32_t confirm_ms;
        enum gw_push_outcome outcome;
        const char *reason;
    } cases[] = {{SIM_GOOD, 400, GW_PUSH_CONFIRMED, ""},
                 {SIM_GOOD, 15000, GW_PUSH_CONFIRMED, ""},
                 {SIM_NEVER, 0, GW_PUSH_ROLLED_BACK, "deadline"},
                 {SIM_FAULT, 0, GW_PUSH_ROLLED_BACK, "fault"}};

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *b = bench_with_agent();

        b->sim.switches = true;
        b->sim.confirm_ms = cases[i].confirm_ms;
        make_package(b, 1, cases[i].app, 61236, 1, 20000);
        b->sim.erases = 0;
        start(b);
        finish(b, 200000);
        assert_int_equal(b->push.outcome, cases[i].outcome);
        assert_string_equal(b->push.reason, cases[i].reason);
        assert_int_equal(b->sim.erases, 1); /* slot B begins with a large sector: written once */
        bench_free(b);
    }
}

/* Another peer on the line, or what is left of another time: it is not the device that speaks so. */
static void frames_of_another_version_are_noise(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    b->foreign = 97;
    start(b);
    finish(b, 120000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_in_range(b->reads, 10u * b->foreign, 1000000);
    bench_free(b);
}

/* A device that never speaks otherwise. */
static void a_device_of_another_version_is_told_so(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    b->foreign = 1;
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, "version");
    bench_free(b);
}

static void force_writes_again(void **state)
{
    struct bench *b = bench_new(false);
    struct gw_push_job job;

    (void) state;
    start(b);
    finish(b, 60000);
    b->sim.erases = 0;
    job = job_of(b);
    job.force = true;
    assert_int_equal(gw_push_start(&b->push, &job), FOTA_OK);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_true(b->sim.erases > 0);
    assert_int_equal(b->sim.journal.state.confirmed.slot, FOTA_SLOT_A);
    bench_free(b);
}

static void a_query_disturbs_nothing(void **state)
{
    struct bench *b = bench_new(true);

    (void) state;
    assert_int_equal(gw_push_query(&b->push, true), FOTA_OK);
    assert_int_equal(gw_push_query(&b->push, true), FOTA_E_STATE);
    finish(b, (GW_PUSH_QUERY_TRIES + 1u) * GW_PUSH_ASK_MS);
    assert_int_equal(b->push.outcome, GW_PUSH_ANSWERED);
    assert_int_equal(b->push.info.version.minor, 0);
    assert_int_equal(b->push.info.mode, FOTA_MODE_APPLICATION);
    assert_int_equal(b->push.reject_count, 0);
    assert_int_equal(b->sim.resets, 1);
    sim_power(&b->sim, false);
    assert_int_equal(gw_push_query(&b->push, false), FOTA_OK);
    finish(b, (GW_PUSH_QUERY_TRIES + 1u) * GW_PUSH_ASK_MS);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, "device-lost");
    assert_int_equal(b->push.stats.nrst_pulses, 0);
    assert_int_equal(gw_push_query(&b->push, false), FOTA_OK);
    assert_int_equal(gw_push_cancel(&b->push), FOTA_OK);
    assert_int_equal(b->push.state, GW_PUSH_ENDED);
    bench_free(b);
}

static void nrst_gets_in_when_the_application_is_silent(void **state)
{
    struct bench *b = bench_new(true);

    (void) state;
    b->sim.app = SIM_DEAD; /* confirmed, but it does not listen */
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(b->sim.nrst_pulses, 1);
    bench_free(b);
}

static void without_a_pin_a_silent_device_is_lost(void **state)
{
    struct bench *b = bench_new(false);
    uint64_t began = b->now;

    (void) state;
    b->sim.app = SIM_DEAD;
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, "device-lost");
    assert_in_range(b->now - began, GW_PUSH_ENTER_LIMIT_MS, GW_PUSH_ENTER_LIMIT_MS + 100);
    /* somebody resets it by hand: the bootloader is caught at power-up */
    start(b);
    run(b, 5000);
    sim_reset(&b->sim, FOTA_RESET_OTHER);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    bench_free(b);
}

/* --- trials that fail ------------------------------------------------------------------------- */

static void trial(unsigned app, bool pins, uint32_t limit, const char *reason)
{
    struct bench *b = bench_new(pins);

    make_package(b, 1, app, 20000, 2, 3000);
    start(b);
    finish(b, limit);
    assert_int_equal(b->push.outcome, GW_PUSH_ROLLED_BACK);
    assert_string_equal(b->push.reason, reason);
    assert_int_equal(sim_confirmed_version(&b->sim), 10000);
    assert_non_null(strstr(b->push.detail, "1.0.0"));
    if (b->sim.pulses_on_trial > 0)
        assert_true(b->sim.last_pulse_after >= 3000u + 5000u);
    /* the same image again is refused by the device, and allowed with `retry` */
    start(b);
    finish(b, 20000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, "rejected");
    assert_non_null(strstr(b->push.detail, reason));
    run(b, 1000);
    assert_int_equal(b->sim.mode, SIM_APP);
    if (app == SIM_NEVER || app == SIM_FAULT) {
        struct gw_push_job job = job_of(b);

        job.retry = true;
        assert_int_equal(gw_push_start(&b->push, &job), FOTA_OK);
        finish(b, limit);
        assert_int_equal(b->push.outcome, GW_PUSH_ROLLED_BACK);
        assert_string_equal(b->push.reason, reason);
    }
    bench_free(b);
}

static void failed_trials_are_rolled_back(void **state)
{
    (void) state;
    trial(SIM_NEVER, true, 60000, "deadline");
    trial(SIM_NEVER, false, 60000, "deadline");
    trial(SIM_FAULT, true, 60000, "fault");
    trial(SIM_HANGS, false, 120000, "watchdog");
    trial(SIM_DEAD, true, 120000, "resets");
    trial(SIM_ZOMBIE, false, 120000, "resets");
}

static void a_trial_without_an_end_is_stalled(void **state)
{
    struct bench *b = bench_new(false);
    uint64_t began;

    (void) state;
    make_package(b, 1, SIM_DEAD, 8192, 2, 1000);
    start(b);
    until_state(b, GW_PUSH_JUMP);
    began = b->now;
    finish(b, 400000);
    assert_string_equal(b->push.reason, "stalled");
    assert_in_range(b->now - began, 282000, 282100); /* 4 x (1 + 62) + 30 s */
    bench_free(b);
}

static void an_application_without_a_link_is_confirmed_in_the_end(void **state)
{
    struct bench *b = bench_new(true);

    (void) state;
    make_package(b, 1, SIM_UNLINKED, 8192, 2, 1000);
    start(b);
    /* NRST after deadline + 5 s: the bootloader answers while it verifies, and says confirmed */
    finish(b, 100000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    bench_free(b);
}

/* --- the line --------------------------------------------------------------------------------- */

static void faults(unsigned flip, unsigned drop, unsigned twice, unsigned delay, uint32_t seed)
{
    struct bench *b = bench_new(false);

    b->flip = flip;
    b->drop = drop;
    b->twice = twice;
    b->delay = delay;
    b->seed = seed;
    make_package(b, 1, SIM_GOOD, 120000, 2, 2000);
    start(b);
    finish(b, 600000);
    if (b->push.outcome != GW_PUSH_CONFIRMED)
        print_message("flip %u drop %u twice %u delay %u seed %u: %s: %s\n", flip, drop, twice, delay, seed,
                      b->push.reason, b->push.detail);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(sim_confirmed_version(&b->sim), 10100);
    bench_free(b);
}

static void a_bad_line_costs_time_only(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        faults(3, 0, 0, 0, seed * 7919u);
        faults(0, 3, 0, 0, seed * 104729u);
        faults(0, 0, 20, 0, seed * 1299709u);
        faults(0, 0, 0, 20, seed * 15485863u);
        faults(2, 2, 10, 10, seed * 32452843u);
    }
}

static void duplicates_are_not_answered_with_a_flood(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    b->twice = 1000; /* every write arrives twice */
    make_package(b, 1, SIM_GOOD, 60000, 2, 2000);
    start(b);
    finish(b, 120000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    bench_free(b);
}

static void the_port_vanishes_and_comes_back(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    make_package(b, 1, SIM_GOOD, 200000, 2, 2000);
    start(b);
    until_bytes(b, 60000);
    b->vanished = true;
    run(b, 8000);
    assert_int_equal(b->push.state, GW_PUSH_WRITE);
    b->vanished = false;
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(b->push.stats.reopened, 1);
    assert_int_equal(b->opens, 2);
    bench_free(b);
}

static void a_port_that_stays_away_is_lost(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    start(b);
    until_bytes(b, 8000);
    b->vanished = true;
    finish(b, 40000);
    assert_string_equal(b->push.reason, "device-lost");
    /* the interrupted install goes on at its last record when the device is back */
    b->vanished = false;
    run(b, 15000);
    assert_int_equal(b->sim.mode, SIM_APP);
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    bench_free(b);
}

static void a_power_cut_while_writing_resumes(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    make_package(b, 1, SIM_GOOD, 200000, 2, 2000);
    start(b);
    until_bytes(b, 100000);
    sim_power(&b->sim, false);
    run(b, 1000);
    b->sim.erases = 0;
    sim_power(&b->sim, true);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_true(b->sim.erases <= 2); /* not from the start: 100 of 200 KB were there */
    bench_free(b);
}

static void a_device_that_resets_for_ever_is_given_up(void **state)
{
    struct bench *b = bench_new(false);
    bool was_beyond = false;

    (void) state;
    b->sim.window = 1024;
    make_package(b, 1, SIM_GOOD, 200000, 2, 2000);
    start(b);
    for (unsigned i = 0; i < 120000u && b->push.state != GW_PUSH_ENDED; i++) {
        bool beyond = b->push.bytes > 18000;

        if (beyond && !was_beyond)
            sim_reset(&b->sim, FOTA_RESET_OTHER);
        was_beyond = beyond;
        run(b, 1);
    }
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_int_equal(sim_confirmed_version(&b->sim), 10000);
    bench_free(b);
}

static void text_goes_to_the_log(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    b->sim.text = true;
    make_package(b, 1, SIM_GOOD, 20000, 2, 2000);
    b->sim.confirm_ms = 1500;
    start(b);
    finish(b, 60000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_true(b->lines >= 10);
    assert_string_equal(b->last_line, "app: \xc3\xa4ll well");
    bench_free(b);
}

/* --- the agreed baud rate ---------------------------------------------------------------------- */

static struct bench *fast_bench(void)
{
    struct bench *b = bench_new(false);

    b->push.ports.baud_max = 2000000;
    make_package(b, 1, SIM_GOOD, 200000, 2, 2000);
    return b;
}

/* The update ends well, and both ends are back at the device's own rate. */
static void expect_confirmed(struct bench *b, uint32_t limit_ms)
{
    finish(b, limit_ms);
    if (b->push.outcome != GW_PUSH_CONFIRMED)
        print_message("%s: %s\n", b->push.reason, b->push.detail);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(sim_confirmed_version(&b->sim), 10100);
    assert_int_equal(b->push.rate, 115200);
    assert_int_equal(b->sim.host_baud, 115200);
    assert_int_equal(b->sim.baud, 115200);
}

static void the_highest_rate_is_agreed_on(void **state)
{
    struct bench *b = fast_bench();
    uint64_t began = b->now;

    (void) state;
    start(b);
    until_state(b, GW_PUSH_WRITE);
    assert_int_equal(b->push.rate, 2000000);
    assert_int_equal(b->sim.baud, 2000000);
    assert_true(b->now - began < 1000);
    expect_confirmed(b, 30000);
    assert_int_equal(b->sim.bauds, 1);
    assert_int_equal(b->rate_count, 2);
    assert_int_equal(b->push.stats.resent, 0);
    assert_int_equal(b->push.stats.rates_dropped, 0);
    bench_free(b);
}

static void the_limit_is_kept(void **state)
{
    static const uint32_t limits[][2] = {{0, 115200},      {115200, 115200},   {230399, 115200},     {230400, 230400},
                                         {921600, 921600}, {1500000, 1000000}, {UINT32_MAX, 2000000}};

    (void) state;
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct bench *b = fast_bench();

        b->push.ports.baud_max = limits[i][0];
        make_package(b, 1, SIM_GOOD, 8192, 2, 2000);
        start(b);
        until_state(b, GW_PUSH_WRITE);
        assert_int_equal(b->push.rate, limits[i][1]);
        expect_confirmed(b, 30000);
        assert_int_equal(b->sim.bauds, limits[i][1] != 115200u);
        bench_free(b);
    }
}

static void a_link_that_cannot_change_stays(void **state)
{
    struct bench *b = fast_bench();

    (void) state;
    b->link.baud = NULL;
    start(b);
    expect_confirmed(b, 30000);
    assert_int_equal(b->sim.bauds, 0);
    bench_free(b);
}

static void an_old_bootloader_is_served_at_its_rate(void **state)
{
    struct bench *b = fast_bench();
    uint64_t began = b->now;

    (void) state;
    b->sim.fixed_baud = true;
    start(b);
    until_state(b, GW_PUSH_WRITE);
    assert_true(b->now - began < 1000); /* one exchange, no waiting */
    assert_int_equal(b->push.rate, 115200);
    expect_confirmed(b, 30000);
    assert_int_equal(b->rate_count, 0);
    bench_free(b);
}

static void what_an_end_cannot_make_is_left_out(void **state)
{
    struct bench *b = fast_bench();

    (void) state;
    b->sim.baud_limit = 921600; /* it says so */
    start(b);
    until_state(b, GW_PUSH_WRITE);
    assert_int_equal(b->push.rate, 921600);
    assert_int_equal(b->rate_count, 1);
    expect_confirmed(b, 30000);
    bench_free(b);

    b = fast_bench();
    b->port_limit = 921600; /* found out after the device has changed: it comes back by itself */
    start(b);
    until_state(b, GW_PUSH_WRITE);
    assert_int_equal(b->push.rate, 921600);
    assert_int_equal(b->sim.reverts, 2);
    expect_confirmed(b, 30000);
    bench_free(b);
}

/* A cable that is good for `limit`, at `to` and `from` damaged bytes in 1000 above it. */
static void cable(uint32_t limit, unsigned to, unsigned from, uint32_t at_least, uint32_t seed)
{
    struct bench *b = fast_bench();
    uint64_t began = b->now;

    b->seed = seed;
    b->cable_limit = limit;
    b->damage_to = to;
    b->damage_from = from;
    start(b);
    until_state(b, GW_PUSH_WRITE);
    assert_int_equal(b->push.rate, at_least);
    assert_true(b->now - began < 7000);
    assert_int_equal(b->sim.resets, 2);
    expect_confirmed(b, 30000);
    bench_free(b);
}

static void a_bad_rate_is_found_out_before_the_transfer(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 4u; seed++) {
        cable(460800, 1000, 1000, 460800, seed * 7919u);
        cable(1000000, 1000, 1000, 1000000, seed * 104729u);
        cable(115200, 1000, 1000, 115200, seed * 1299709u);
        cable(460800, 1000, 0, 460800, seed * 15485863u); /* the device hears nothing */
        cable(460800, 0, 1000, 460800, seed * 32452843u); /* it hears, and is not heard: it is called back */
        cable(460800, 3, 3, 460800, seed * 49979687u);    /* a few bytes in a thousand */
        cable(921600, 0, 60, 921600, seed * 67867967u);
    }
}

/* Good when it was tried, bad later. */
static void a_rate_that_turns_bad_is_left(void **state)
{
    static const struct {
        unsigned to, from;
        bool lost, deaf;
    } cases[] = {{1, 0, false, false},  {0, 8, false, false},   {1, 2, false, false},
                 {1000, 0, true, true}, {0, 1000, true, false}, {1000, 1000, true, true}};

    (void) state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *b = fast_bench();
        uint64_t began;

        make_package(b, 1, SIM_GOOD, 300000, 2, 2000);
        start(b);
        until_bytes(b, 20000);
        assert_int_equal(b->push.rate, 2000000);
        b->cable_limit = 460800;
        b->damage_to = cases[i].to;
        b->damage_from = cases[i].from;
        began = b->now;
        while (b->push.state != GW_PUSH_JUMP && b->now - began < 60000)
            run(b, 1);
        assert_int_equal(b->push.state, GW_PUSH_JUMP);
        assert_true(b->push.stats.rates_dropped > 0);
        assert_true(b->push.rate_cap <= 1000000u);
        assert_true(b->push.rate <= 460800u || !cases[i].lost);
        /* into the bootloader, and never out of it on the way, unless it could not be told */
        if (!cases[i].deaf)
            assert_int_equal(b->sim.resets, 2);
        expect_confirmed(b, 30000);
        bench_free(b);
    }
}

static void a_reset_at_an_agreed_rate_is_found_again(void **state)
{
    struct bench *b;

    (void) state;
    for (unsigned away = 0; away <= 4000u; away += 1000u) {
        b = fast_bench();
        start(b);
        until_bytes(b, 100000);
        assert_int_equal(b->push.rate, 2000000);
        sim_power(&b->sim, false);
        run(b, away);
        b->sim.erases = 0;
        sim_power(&b->sim, true);
        run(b, 20000);
        until_state(b, GW_PUSH_ENDED);
        assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
        assert_int_equal(b->sim.bauds >= 2u, true); /* agreed on again, at the same rate: one reset is no fault of it */
        assert_int_equal(b->push.stats.rates_dropped, 0);
        assert_true(b->sim.erases <= 2);
        bench_free(b);
    }
    /* in each moment of the negotiation */
    for (unsigned after = 0; after < 60u; after++) {
        b = fast_bench();
        start(b);
        for (unsigned i = 0; i < 5000u && b->sim.bauds == 0; i++)
            run(b, 1);
        run(b, after);
        sim_reset(&b->sim, FOTA_RESET_OTHER);
        expect_confirmed(b, 60000);
        bench_free(b);
    }
}

static void a_new_process_finds_a_device_at_an_agreed_rate(void **state)
{
    static const enum gw_push_state at[] = {GW_PUSH_WRITE, GW_PUSH_VERIFY};

    (void) state;
    for (unsigned i = 0; i < 2u; i++) {
        struct bench *b = fast_bench();
        struct gw_push_job job;
        uint64_t began;

        start(b);
        until_state(b, at[i]);
        if (at[i] == GW_PUSH_WRITE)
            until_bytes(b, 100000);
        assert_int_equal(b->sim.baud, 2000000);
        gw_push_init(&b->push, &(struct gw_push_ports){
                                   .link = &b->link, .clock = &b->clock, .ctx = b, .baud_max = 2000000, .log = on_log});
        job = job_of(b);
        job.resume = at[i];
        began = b->now;
        assert_int_equal(gw_push_start(&b->push, &job), FOTA_OK);
        while (b->push.state != GW_PUSH_ENDED && !b->push.contact)
            run(b, 1);
        assert_true(b->push.contact);
        assert_true(b->now - began < 5000); /* an erase may be under way; not the 10 s of the device's patience */
        assert_int_equal(b->sim.resets, 2);
        expect_confirmed(b, 30000);
        bench_free(b);
    }
}

static void the_port_vanishes_at_an_agreed_rate(void **state)
{
    static const uint32_t away[] = {10, 500, 3000, 8000, 12000};

    (void) state;
    for (unsigned i = 0; i < sizeof away / sizeof away[0]; i++) {
        struct bench *b = fast_bench();

        start(b);
        until_bytes(b, 60000);
        b->vanished = true;
        run(b, away[i]);
        b->vanished = false;
        expect_confirmed(b, 60000);
        bench_free(b);
    }
}

static void cancelling_at_an_agreed_rate_leaves_the_device_alone(void **state)
{
    struct bench *b = fast_bench();

    (void) state;
    start(b);
    until_bytes(b, 60000);
    assert_int_equal(gw_push_cancel(&b->push), FOTA_OK);
    finish(b, 5000);
    assert_int_equal(b->push.rate, 115200);
    run(b, 3000);
    assert_int_equal(b->sim.mode, SIM_APP);
    assert_int_equal(gw_push_query(&b->push, false), FOTA_OK);
    finish(b, 2000);
    assert_int_equal(b->push.outcome, GW_PUSH_ANSWERED);
    bench_free(b);
}

static void a_bad_line_costs_time_only_at_any_rate(void **state)
{
    static const unsigned faults_of[][4] = {{3, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 20, 0}, {0, 0, 0, 20}, {2, 2, 10, 10}};

    (void) state;
    for (uint32_t seed = 1; seed <= 3u; seed++) {
        for (unsigned i = 0; i < sizeof faults_of / sizeof faults_of[0]; i++) {
            struct bench *b = fast_bench();

            b->flip = faults_of[i][0];
            b->drop = faults_of[i][1];
            b->twice = faults_of[i][2];
            b->delay = faults_of[i][3];
            b->seed = seed * 86028121u + i;
            start(b);
            expect_confirmed(b, 600000);
            bench_free(b);
        }
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(struct bench *b, const char *reason, const char *word)
{
    b->sim.erases = 0;
    start(b);
    finish(b, 30000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, reason);
    assert_non_null(strstr(b->push.detail, word));
    assert_int_equal(b->sim.erases, 0);
    run(b, 2000);
    assert_int_equal(b->sim.mode, SIM_APP);
    assert_int_equal(sim_confirmed_version(&b->sim), 10000);
}

static void what_does_not_fit_is_refused_before_anything_is_erased(void **state)
{
    struct bench *b = bench_new(false);
    struct fota_target other = target;
    struct pack_key stranger;

    (void) state;
    other.hw_revision = 7;
    pack_buffer_free(&b->package);
    sim_package(&key, &other, 1, 0, 8192, 2, 2000, &b->package, &b->result);
    refused(b, "hw-revision", "7");
    other = target;
    other.product[3] = 0x77;
    pack_buffer_free(&b->package);
    sim_package(&key, &other, 1, 0, 8192, 2, 2000, &b->package, &b->result);
    refused(b, "product", "77");
    pack_buffer_free(&b->package);
    sim_package(&key, &target, 1, 0, 8192, 0, 2000, &b->package, &b->result);
    refused(b, "floor", "floor 1");
    /* what the gateway would not have let pass, the device refuses by itself */
    assert_int_equal(pack_key_generate(&stranger, &message), FOTA_OK);
    pack_buffer_free(&b->package);
    sim_package(&stranger, &target, 1, 0, 8192, 2, 2000, &b->package, &b->result);
    refused(b, "key", "refused to begin");
    make_package(b, 1, SIM_GOOD, 8192, 2, 2000);
    b->package.data[FOTA_HEADER_SIZE - 1u] ^= 1u;
    refused(b, "signature", "refused to begin");
    b->package.data[0] ^= 1u;
    {
        struct gw_push_job job = job_of(b);

        assert_int_equal(gw_push_start(&b->push, &job), FOTA_E_MAGIC);
    }
    bench_free(b);
}

static void a_trial_of_another_image_is_left_alone(void **state)
{
    struct bench *b = bench_new(true);

    (void) state;
    make_package(b, 1, SIM_ZOMBIE, 8192, 2, 60000);
    start(b);
    until_state(b, GW_PUSH_JUMP);
    run(b, 3000);
    assert_int_equal(b->sim.journal.state.trial, FOTA_TRIAL_RUNNING);
    gw_push_init(&b->push, &(struct gw_push_ports){.link = &b->link, .pins = &b->pins, .clock = &b->clock});
    make_package(b, 2, SIM_GOOD, 8192, 2, 1000);
    start(b);
    finish(b, 25000);
    assert_string_equal(b->push.reason, "busy");
    assert_int_equal(b->sim.nrst_pulses, 0);
    assert_int_equal(b->sim.journal.state.attempts, 1);
    /* one that ends in time is waited for */
    start(b);
    run(b, 5000);
    assert_int_equal(b->push.state, GW_PUSH_ENTER);
    b->sim.app = SIM_GOOD;
    finish(b, 20000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    assert_int_equal(sim_confirmed_version(&b->sim), 10200);
    bench_free(b);
}

static void damaged_code_is_void(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    b->package.data[b->package.size - 100u] ^= 4u; /* in the code: the gateway's whole check was left out */
    start(b);
    finish(b, 30000);
    assert_int_equal(b->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(b->push.reason, "crc");
    run(b, 2000);
    assert_int_equal(b->sim.mode, SIM_APP);
    bench_free(b);
}

static void a_failing_flash_is_reported(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    start(b);
    until_bytes(b, 8000);
    b->sim.fail_program = 1000;
    finish(b, 30000);
    assert_string_equal(b->push.reason, "flash");
    assert_int_equal(sim_confirmed_version(&b->sim), 10000);
    bench_free(b);
}

static void cancel_lets_the_old_application_run(void **state)
{
    struct bench *b = bench_new(false);

    (void) state;
    make_package(b, 1, SIM_GOOD, 200000, 2, 2000);
    start(b);
    until_bytes(b, 50000);
    assert_int_equal(gw_push_cancel(&b->push), FOTA_OK);
    finish(b, 1500);
    assert_string_equal(b->push.reason, "cancelled");
    run(b, 1000);
    assert_int_equal(b->sim.mode, SIM_APP);
    /* from VERIFY on it is too late */
    start(b);
    until_state(b, GW_PUSH_JUMP);
    assert_int_equal(gw_push_cancel(&b->push), FOTA_E_STATE);
    finish(b, 30000);
    assert_int_equal(b->push.outcome, GW_PUSH_CONFIRMED);
    bench_free(b);
}

/* --- a new process goes on -------------------------------------------------------------------- */

static void go_on(struct bench *b, enum gw_push_state from)
{
    struct gw_push_job job;

    gw_push_init(&b->push, &(struct gw_push_ports){.link = &b->link, .clock = &b->clock, .ctx = b, .log = on_log});
    job = job_of(b);
    job.resume = from;
    assert_int_equal(gw_push_start(&b->push, &job), FOTA_OK);
    assert_int_equal(b->push.state, from);
}

static void a_restart_in_each_state_goes_on(void **state)
{
    static const enum gw_push_state at[] = {GW_PUSH_ENTER, GW_PUSH_WRITE, GW_PUSH_VERIFY, GW_PUSH_JUMP};
    static const uint32_t away[] = {0, 300, 3000, 15000};

    (void) state;
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 4; k++) {
            for (unsigned app = SIM_GOOD; app <= SIM_NEVER; app++) {
                struct bench *b = bench_new(false);

                make_package(b, 1, app, 100000, 2, 2000);
                start(b);
                until_state(b, at[i]);
                if (at[i] == GW_PUSH_WRITE)
                    until_bytes(b, 50000);
                for (uint64_t end = b->now + away[k]; b->now < end; b->now++)
                    sim_step(&b->sim, b->now); /* nobody polls */
                b->sim.out.tail = b->sim.out.head;
                go_on(b, at[i]);
                finish(b, 120000);
                assert_int_equal(b->push.outcome, app == SIM_GOOD ? GW_PUSH_CONFIRMED : GW_PUSH_ROLLED_BACK);
                assert_string_equal(b->push.reason, app == SIM_GOOD ? "" : "deadline");
                bench_free(b);
            }
        }
    }
}

/* --- the source ------------------------------------------------------------------------------- */

static void the_source_gives_both_slots_in_any_order(void **state)
{
    struct bench *b = bench_new(false);
    struct pack_input input = {"p", NULL, 0};
    uint8_t got[FOTA_LINK_DATA_MAX];
    uint32_t random = 99;

    (void) state;
    make_package(b, 1, 0, 50004, 2, 2000);
    input.data = b->package.data;
    input.size = b->package.size;
    gw_package_source_init(&b->source, &(struct gw_bytes){b, package_read});
    for (unsigned slot = 0; slot < 2; slot++) {
        struct pack_buffer whole = {0};

        assert_int_equal(pack_slot_make(&input, &key.public_key, 1, slot, &whole, &message), FOTA_OK);
        assert_int_equal(whole.size, FOTA_HEADER_SIZE + 50004u);
        for (unsigned i = 0; i < 400u; i++) {
            uint32_t offset, length;

            random = random * 1664525u + 1013904223u;
            offset = (random >> 8) % 50000u;
            length = 1u + (random >> 20) % (sizeof got - 1u);
            if (length > 50004u - offset)
                length = 50004u - offset;
            assert_int_equal(gw_package_source_read(&b->source, slot, offset, got, length), FOTA_OK);
            assert_memory_equal(got, whole.data + FOTA_HEADER_SIZE + offset, length);
        }
        assert_int_equal(gw_package_source_read(&b->source, slot, 50000, got, 8), FOTA_E_TRUNCATED);
        pack_buffer_free(&whole);
    }
    assert_int_equal(gw_package_source_read(&b->source, 2, 0, got, 8), FOTA_E_ARGUMENT);
    assert_int_equal(gw_package_source_read(&b->source, 0, FOTA_PACKAGE_MAX, got, 8), FOTA_E_ARGUMENT);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_is_confirmed),
        cmocka_unit_test(an_application_installs_while_it_runs),
        cmocka_unit_test(a_wait_without_an_end_is_given_up),
        cmocka_unit_test(a_wait_is_cancelled_or_avoided),
        cmocka_unit_test(a_reset_while_the_switch_is_put_off),
        cmocka_unit_test(the_last_answer_is_lost),
        cmocka_unit_test(frames_of_another_version_are_noise),
        cmocka_unit_test(a_device_of_another_version_is_told_so),
        cmocka_unit_test(force_writes_again),
        cmocka_unit_test(a_query_disturbs_nothing),
        cmocka_unit_test(nrst_gets_in_when_the_application_is_silent),
        cmocka_unit_test(without_a_pin_a_silent_device_is_lost),
        cmocka_unit_test(failed_trials_are_rolled_back),
        cmocka_unit_test(a_trial_without_an_end_is_stalled),
        cmocka_unit_test(an_application_without_a_link_is_confirmed_in_the_end),
        cmocka_unit_test(a_bad_line_costs_time_only),
        cmocka_unit_test(duplicates_are_not_answered_with_a_flood),
        cmocka_unit_test(the_port_vanishes_and_comes_back),
        cmocka_unit_test(a_port_that_stays_away_is_lost),
        cmocka_unit_test(a_power_cut_while_writing_resumes),
        cmocka_unit_test(a_device_that_resets_for_ever_is_given_up),
        cmocka_unit_test(text_goes_to_the_log),
        cmocka_unit_test(the_highest_rate_is_agreed_on),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(a_link_that_cannot_change_stays),
        cmocka_unit_test(an_old_bootloader_is_served_at_its_rate),
        cmocka_unit_test(what_an_end_cannot_make_is_left_out),
        cmocka_unit_test(a_bad_rate_is_found_out_before_the_transfer),
        cmocka_unit_test(a_rate_that_turns_bad_is_left),
        cmocka_unit_test(a_reset_at_an_agreed_rate_is_found_again),
        cmocka_unit_test(a_new_process_finds_a_device_at_an_agreed_rate),
        cmocka_unit_test(the_port_vanishes_at_an_agreed_rate),
        cmocka_unit_test(cancelling_at_an_agreed_rate_leaves_the_device_alone),
        cmocka_unit_test(a_bad_line_costs_time_only_at_any_rate),
        cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_erased),
        cmocka_unit_test(a_trial_of_another_image_is_left_alone),
        cmocka_unit_test(damaged_code_is_void),
        cmocka_unit_test(a_failing_flash_is_reported),
        cmocka_unit_test(cancel_lets_the_old_application_run),
        cmocka_unit_test(a_restart_in_each_state_goes_on),
        cmocka_unit_test(the_source_gives_both_slots_in_any_order),
    };

    if (pack_key_generate(&key, &message) != FOTA_OK) {
        (void) fprintf(stderr, "%s\n", message.text);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
