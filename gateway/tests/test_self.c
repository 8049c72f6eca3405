/* SPDX-License-Identifier: MIT */
/* The gateway as its own device: gw_push on one end of the line, gw_self on the other, and below that two places for
 * programs in memory that start as ESP-IDF's bootloader starts them: a new one once, and back without a confirmation.
 */
#include "fakes.h"
#include "gw/self.h"
#include "pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 50000u
#define DEADLINE_MS 5000u
#define CHIP 9u

static struct pack_key key, other;
static struct pack_message message;
static const struct fota_target gateway = {.product = FOTA_GATEWAY_PRODUCT, .hw_revision = CHIP, .floor = 1};

enum fate { HEALTHY, SICK, CRASHES, DIES /* before anything */ };

struct machine {
    uint64_t now;
    /* flash */
    uint8_t place[2][FOTA_KIB(64)];
    uint32_t size[2];
    uint8_t runs, valid; /* place that runs; that was confirmed */
    int next;            /* place that starts next, once; -1: none */
    bool fresh;          /* what runs was not confirmed */
    bool end_fails, begin_fails, unreadable;
    unsigned work, cut_at; /* operations on flash and record; the power goes before that one, 0: never */
    bool off;
    enum fate fate[2]; /* of the program in each place */
    struct fota_version version[2];
    unsigned boots;
    struct fake_storage storage;
    /* the program that runs */
    struct gw_self self;
    struct gw_self_port port;
    struct gw_push push;
    struct gw_clock clock;
    struct gw_storage records;
    struct pack_buffer package;
    struct gw_package_source source;
    enum gw_push_state saved; /* what the gateway's own record says of the job */
};

/* @return whether the power is gone. */
static bool works(struct machine *m)
{
    if (++m->work == m->cut_at)
        m->off = true;
    return !m->off;
}

static int port_begin(void *ctx, uint32_t size)
{
    struct machine *m = ctx;
    unsigned to = m->runs ^ 1u;

    if (size > sizeof m->place[0])
        return FOTA_E_SIZE;
    if (!works(m) || m->begin_fails)
        return FOTA_E_FLASH;
    m->next = -1; /* what lies there starts no more */
    memset(m->place[to], 0xFF, sizeof m->place[to]);
    m->size[to] = 0;
    return 0;
}

static int port_write(void *ctx, const uint8_t *data, uint32_t length)
{
    struct machine *m = ctx;
    unsigned to = m->runs ^ 1u;

    if (!works(m) || length > sizeof m->place[0] - m->size[to])
        return FOTA_E_FLASH;
    memcpy(m->place[to] + m->size[to], data, length);
    m->size[to] += length;
    return 0;
}

static int port_end(void *ctx)
{
    struct machine *m = ctx;

    if (m->end_fails)
        return FOTA_E_PROGRAM;
    if (!works(m))
        return FOTA_E_FLASH;
    m->next = m->runs ^ 1;
    return 0;
}

static bool port_on_trial(void *ctx)
{
    return ((struct machine *) ctx)->fresh;
}

static int port_confirm(void *ctx)
{
    struct machine *m = ctx;

    if (!works(m))
        return FOTA_E_FLASH;
    m->valid = m->runs;
    m->fresh = false;
    return 0;
}

static void boot(struct machine *m);

static void port_restart(void *ctx, bool back)
{
    struct machine *m = ctx;

    if (back && m->fresh)
        m->next = -1;
    boot(m);
}

static int put(void *ctx, const char *name, const void *data, size_t length)
{
    struct machine *m = ctx;

    return works(m) ? m->storage.port.put(m->storage.port.ctx, name, data, length) : -1;
}

static int get(void *ctx, const char *name, void *data, size_t capacity)
{
    struct machine *m = ctx;

    return m->storage.port.get(m->storage.port.ctx, name, data, capacity);
}

static uint64_t clock_now(void *ctx)
{
    return ((struct machine *) ctx)->now;
}

static int package_read(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    const struct machine *m = ctx;

    if (offset >= m->package.size)
        return 0;
    if (length > m->package.size - offset)
        length = m->package.size - offset;
    memcpy(data, m->package.data + offset, length);
    return (int) length;
}

static void job_start(struct machine *m, bool retry)
{
    struct gw_push_job job = {
        .header = m->package.data, .source = {&m->source, gw_package_source_read}, .retry = retry, .resume = m->saved};

    gw_package_source_init(&m->source, &(struct gw_bytes){m, package_read});
    assert_int_equal(gw_push_start(&m->push, &job), FOTA_OK);
}

/* The chip starts: bootloader, then the program and what it does at its start. */
static void boot(struct machine *m)
{
    struct gw_self_config config = {
        .target = gateway, .keys = &key.public_key, .key_count = 1, .storage = &m->records, .clock = &m->clock};
    int error;

    m->off = false;
    m->boots++;
    if (m->next >= 0) {
        m->runs = (uint8_t) m->next;
        m->fresh = true;
        m->next = -1;
    } else {
        m->runs = m->valid;
        m->fresh = false;
    }
    if (m->fate[m->runs] == DIES) { /* ESP-IDF's bootloader starts the one before */
        m->runs = m->valid;
        m->fresh = false;
    }
    config.slot = m->runs;
    config.version = m->version[m->runs];
    error = gw_self_init(&m->self, &config, &m->port);
    assert_int_equal(error, m->off || m->unreadable ? FOTA_E_IO : FOTA_OK);
    gw_push_init(&m->push, &(struct gw_push_ports){.link = &m->self.link, .clock = &m->clock});
    if (m->saved != GW_PUSH_IDLE)
        job_start(m, false);
}

static void make(struct machine *m, struct pack_key *by, const uint8_t *product, uint32_t counter, unsigned patch)
{
    static uint8_t code[SIZE];
    struct pack_image image = {.code = code, .size = SIZE, .gateway = true};
    struct pack_options options = {.set = PACK_SET_PRODUCT | PACK_SET_HW | PACK_SET_VERSION | PACK_SET_COUNTER |
                                          PACK_SET_DEADLINE,
                                   .hw_min = CHIP,
                                   .hw_max = CHIP,
                                   .version = {.major = 1, .patch = (uint16_t) patch},
                                   .counter = counter,
                                   .deadline_ms = DEADLINE_MS};

    memcpy(options.product, product, sizeof options.product);
    for (uint32_t i = 0; i < SIZE; i++)
        code[i] = (uint8_t) (i * 7u + patch);
    pack_buffer_free(&m->package);
    if (pack_image_sign(&image, &options, by, &m->package, NULL, &message) != FOTA_OK)
        fail_msg("%s", message.text);
}

static struct machine *machine_new(void)
{
    struct machine *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->now = 1000;
    m->next = -1;
    m->port = (struct gw_self_port){m, port_begin, port_write, port_end, port_on_trial, port_confirm, port_restart};
    m->clock = (struct gw_clock){m, clock_now, clock_now};
    fake_storage_init(&m->storage);
    m->records = (struct gw_storage){.ctx = m, .put = put, .get = get};
    m->version[0] = (struct fota_version){.major = 1};
    m->version[1] = (struct fota_version){.major = 1, .patch = 1};
    make(m, &key, gateway.product, 2, 1);
    boot(m);
    return m;
}

static void machine_free(struct machine *m)
{
    fake_storage_free(&m->storage);
    pack_buffer_free(&m->package);
    free(m);
}

/* Run the program, and what its fate is, until the job has ended. */
static void run(struct machine *m, uint32_t limit_ms)
{
    for (uint64_t end = m->now + limit_ms, since = m->now, boots = m->boots; m->now < end; m->now++) {
        if (boots != m->boots) {
            boots = m->boots;
            since = m->now;
        }
        (void) gw_push_poll(&m->push);
        if (m->off) { /* the power comes back; from then on it stays */
            boot(m);
            continue;
        }
        m->saved = m->push.state == GW_PUSH_ENDED ? GW_PUSH_IDLE : m->push.state;
        if (m->push.state == GW_PUSH_ENDED)
            return;
        if (m->fate[m->runs] == HEALTHY && m->now - since >= 1500u)
            gw_self_healthy(&m->self);
        if (m->fate[m->runs] == CRASHES && m->now - since >= 700u)
            boot(m);
        else if (m->off)
            boot(m);
        else if (gw_self_poll(&m->self))
            gw_self_restart(&m->self);
    }
    fail_msg("the job has not ended; it is in state %d", m->push.state);
}

static void update(struct machine *m, enum gw_push_outcome outcome, const char *reason)
{
    job_start(m, false);
    m->saved = m->push.state;
    run(m, 60000);
    if (m->push.outcome != outcome)
        fail_msg("outcome %d, %s: %s", m->push.outcome, m->push.reason, m->push.detail);
    assert_string_equal(m->push.reason, reason);
}

static void it_updates_itself(void **state)
{
    struct machine *m = machine_new();

    (void) state;
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->runs, 1);
    assert_int_equal(m->valid, 1);
    assert_int_equal(m->boots, 2);
    assert_int_equal(m->size[1], SIZE);
    assert_int_equal(m->place[1][SIZE - 1u], (uint8_t) ((SIZE - 1u) * 7u + 1u));
    assert_int_equal(m->push.info.version.patch, 1);
    assert_int_equal(m->push.info.floor, 2);
    update(m, GW_PUSH_CONFIRMED, ""); /* it runs already */
    assert_int_equal(m->boots, 2);
    make(m, &key, gateway.product, 3, 2);
    m->version[0].patch = 2;
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->valid, 0);
    machine_free(m);
}

static void a_bad_program_goes(void **state)
{
    static const struct {
        enum fate fate;
        const char *reason;
    } cases[] = {{SICK, "deadline"}, {CRASHES, "resets"}, {DIES, "resets"}};

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct machine *m = machine_new();

        m->fate[1] = cases[i].fate;
        update(m, GW_PUSH_ROLLED_BACK, cases[i].reason);
        assert_int_equal(m->runs, 0);
        assert_int_equal(m->valid, 0);
        assert_int_equal(m->push.info.version.patch, 0);
        update(m, GW_PUSH_FAILED, "rejected"); /* not once more */
        m->fate[1] = HEALTHY;
        job_start(m, true); /* unless an operator asks for it */
        run(m, 60000);
        assert_int_equal(m->push.outcome, GW_PUSH_CONFIRMED);
        assert_int_equal(m->push.info.last_reason, FOTA_OK); /* and then it is as good as any */
        machine_free(m);
    }
}

/* The new program runs, and the record of its trial is gone. */
static struct machine *machine_without_record(void)
{
    struct machine *m = machine_new();

    job_start(m, false);
    m->saved = m->push.state;
    while (m->boots < 2u) {
        m->now++;
        (void) gw_push_poll(&m->push);
        m->saved = m->push.state;
        if (m->now == 2500u)
            gw_self_healthy(&m->self);
        if (gw_self_poll(&m->self)) {
            fake_storage_free(&m->storage);
            fake_storage_init(&m->storage);
            gw_self_restart(&m->self);
        }
    }
    assert_int_equal(m->runs, 1);
    assert_int_equal(m->valid, 0);
    return m;
}

/* A program that works stays all the same … */
static void the_record_is_lost(void **state)
{
    struct machine *m = machine_without_record();

    (void) state;
    gw_self_healthy(&m->self);
    assert_int_equal(m->valid, 1);
    machine_free(m);
}

/* … and one that does not goes, after a while of its own. */
static void the_record_of_a_sick_one_is_lost(void **state)
{
    struct machine *m = machine_without_record();

    (void) state;
    for (uint64_t end = m->now + GW_SELF_DEADLINE_MS - 10u; m->now < end; m->now++)
        assert_false(gw_self_poll(&m->self));
    m->now += 20u;
    assert_true(gw_self_poll(&m->self));
    gw_self_restart(&m->self);
    assert_int_equal(m->runs, 0);
    assert_int_equal(m->self.record.reason, FOTA_OK); /* which one it was is not known */
    machine_free(m);
}

/* A program came over a cable, into the other place or the same, or the other place was taken because this one was
 * damaged: it is not taken for the one that was confirmed, and that can be installed again. */
static void another_program_runs(void **state)
{
    struct machine *m = machine_new();

    (void) state;
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->runs, 1);
    m->valid = 0;
    boot(m);
    assert_int_equal(m->runs, 0);
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->runs, 1);
    assert_int_equal(m->boots, 4);
    m->version[1].patch = 9;
    boot(m);
    m->version[0].patch = 1;
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->runs, 0);
    machine_free(m);
}

/* A record that cannot be read now is not written over; one of another length is no record. */
static void the_record_cannot_be_read(void **state)
{
    struct machine *m = machine_new();
    uint8_t longer[sizeof m->self.record + 1u] = {1};
    struct gw_self_record record;

    (void) state;
    update(m, GW_PUSH_CONFIRMED, "");
    assert_int_equal(m->storage.port.put(m->storage.port.ctx, "self", longer, sizeof longer), 0);
    assert_int_equal(m->records.get(m, "self", &record, sizeof record), -1);
    m->unreadable = true;
    boot(m);
    m->unreadable = false;
    assert_int_equal(m->records.get(m, "self", longer, sizeof longer), sizeof longer);
    machine_free(m);
}

/* A program that has not met its broker yet writes nothing over the one before it. */
static void nothing_is_written_before_it_is_healthy(void **state)
{
    struct machine *m = machine_new();

    (void) state;
    m->place[1][0] = 0x55;
    job_start(m, false);
    for (uint64_t end = m->now + 3000u; m->now < end; m->now++)
        (void) gw_push_poll(&m->push);
    assert_int_equal(m->push.state, GW_PUSH_ENTER);
    assert_int_not_equal(m->push.later_since, 0);
    assert_int_equal(m->place[1][0], 0x55);
    m->saved = m->push.state;
    run(m, 60000);
    assert_int_equal(m->push.outcome, GW_PUSH_CONFIRMED);
    machine_free(m);
}

/* The power goes before each operation in turn. Some program always runs, and it is told which. */
static void the_power_goes(void **state)
{
    unsigned confirmed = 0;
    bool beyond = false;

    (void) state;
    for (unsigned cut = 2; !beyond; cut++) {
        struct machine *m = machine_new();

        m->cut_at = cut;
        job_start(m, false);
        m->saved = m->push.state;
        run(m, 120000);
        beyond = cut > m->work;
        if (m->push.outcome == GW_PUSH_CONFIRMED) {
            assert_int_equal(m->valid, 1);
            confirmed++;
        } else {
            assert_int_equal(m->push.outcome, GW_PUSH_ROLLED_BACK);
            assert_int_equal(m->valid, 0);
        }
        assert_int_equal(m->runs, m->valid);
        assert_false(m->fresh);
        machine_free(m);
    }
    assert_true(confirmed > 10u);
}

static void what_it_does_not_take(void **state)
{
    struct machine *m = machine_new();
    uint8_t product[FOTA_PRODUCT_SIZE] = {1};
    unsigned work;

    (void) state;
    work = m->work;
    make(m, &key, product, 2, 1);
    update(m, GW_PUSH_FAILED, "product");
    make(m, &key, gateway.product, 0, 1);
    update(m, GW_PUSH_FAILED, "floor");
    make(m, &other, gateway.product, 2, 1);
    update(m, GW_PUSH_FAILED, "key");
    make(m, &key, gateway.product, 2, 1);
    m->package.data[FOTA_HEADER_SIGNED] ^= 1u;
    update(m, GW_PUSH_FAILED, "signature");
    m->package.data[FOTA_HEADER_SIGNED] ^= 1u;
    assert_int_equal(m->work, work); /* nothing was touched */
    m->package.data[m->package.size - 100u] ^= 1u;
    update(m, GW_PUSH_FAILED, "crc");
    m->package.data[m->package.size - 100u] ^= 1u;
    m->end_fails = true;
    job_start(m, false);
    m->saved = m->push.state;
    run(m, 60000);
    assert_int_equal(m->push.outcome, GW_PUSH_FAILED);
    assert_string_equal(m->push.reason, "program");
    m->end_fails = false;
    m->begin_fails = true;
    update(m, GW_PUSH_FAILED, "flash");
    m->begin_fails = false;
    update(m, GW_PUSH_CONFIRMED, "");
    machine_free(m);
}

static int make_keys(void **state)
{
    (void) state;
    return pack_key_generate(&key, &message) != FOTA_OK || pack_key_generate(&other, &message) != FOTA_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_updates_itself),
        cmocka_unit_test(a_bad_program_goes),
        cmocka_unit_test(the_record_is_lost),
        cmocka_unit_test(the_power_goes),
        cmocka_unit_test(what_it_does_not_take),
        cmocka_unit_test(the_record_of_a_sick_one_is_lost),
        cmocka_unit_test(another_program_runs),
        cmocka_unit_test(the_record_cannot_be_read),
        cmocka_unit_test(nothing_is_written_before_it_is_healthy),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}
