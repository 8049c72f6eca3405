/* SPDX-License-Identifier: MIT */
/* Packages in raw flash: what a file system would do, and what is left after a cut of power at each operation. */
#include "port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1024u * 1024u)
#define PIECE 1000u

static struct {
    uint8_t data[SIZE];
    long left; /* operations until the power goes; -1: it stays */
    unsigned seed;
} flash;

static uint8_t some[SIZE]; /* bytes of packages */

static unsigned dice(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* @return whether the power is there; at its last operation a part of it is done. */
static bool power(void)
{
    return flash.left < 0 || flash.left > 0;
}

static bool last(void)
{
    return flash.left >= 0 && --flash.left == 0;
}

static int flash_read(void *ctx, uint32_t offset, void *data, size_t length)
{
    (void) ctx;
    assert_true(offset <= SIZE && length <= SIZE - offset);
    memcpy(data, flash.data + offset, length);
    return 0;
}

static int flash_write(void *ctx, uint32_t offset, const void *data, size_t length)
{
    const uint8_t *from = data;
    bool cut;

    (void) ctx;
    assert_true(offset <= SIZE && length <= SIZE - offset);
    if (!power())
        return -1;
    cut = last();
    for (size_t i = 0; i < length; i++) {
        uint8_t bits = cut ? (uint8_t) (from[i] | (uint8_t) dice(&flash.seed)) : from[i];

        if (cut && i >= dice(&flash.seed) % (length + 1u))
            break;
        flash.data[offset + i] &= bits; /* ones become zeros only */
    }
    return cut ? -1 : 0;
}

static int flash_erase(void *ctx, uint32_t offset, size_t length)
{
    bool cut;

    (void) ctx;
    assert_true(offset % PORT_SECTOR == 0 && length % PORT_SECTOR == 0 && length <= SIZE - offset);
    if (!power())
        return -1;
    cut = last();
    for (size_t i = 0; i < length; i++)
        flash.data[offset + i] |= cut ? (uint8_t) dice(&flash.seed) : 0xFFu;
    return cut ? -1 : 0;
}

static const struct port_flash port = {NULL, flash_read, flash_write, flash_erase};

static void boot(struct port_cache *cache, struct gw_storage *storage)
{
    flash.left = -1;
    assert_int_equal(port_cache_open(cache, &port, SIZE), 0);
    port_cache_storage(cache, storage);
}

static int setup(void **state)
{
    (void) state;
    memset(flash.data, 0xFF, sizeof flash.data);
    flash.left = -1;
    flash.seed = 1;
    for (size_t i = 0; i < sizeof some; i++)
        some[i] = (uint8_t) (i * 2654435761u >> 13);
    return 0;
}

static const uint8_t one[GW_DIGEST_SIZE] = {1}, two[GW_DIGEST_SIZE] = {2}, three[GW_DIGEST_SIZE] = {3};

static uint32_t size_of(struct gw_storage *s, const uint8_t *digest, bool *complete)
{
    uint32_t size;

    assert_int_equal(s->stat(s->ctx, digest, &size, complete), 0);
    return size;
}

static void expect_bytes(struct gw_storage *s, const uint8_t *digest, uint32_t size)
{
    uint8_t piece[777];

    for (uint32_t at = 0; at < size;) {
        int n = s->read(s->ctx, digest, at, piece, sizeof piece);

        assert_true(n > 0);
        assert_memory_equal(piece, some + at, (size_t) n);
        at += (uint32_t) n;
    }
    if (size > 0)
        assert_int_equal(s->read(s->ctx, digest, size, piece, sizeof piece), 0);
}

/* @return 0, or -1 when the power went. */
static int fill(struct gw_storage *s, const uint8_t *digest, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to;) {
        uint32_t n = to - at < PIECE ? to - at : PIECE;

        if (s->append(s->ctx, digest, some + at, n) != 0)
            return -1;
        at += n;
        if (at % 8000u < PIECE && s->sync(s->ctx, digest) != 0)
            return -1;
    }
    return 0;
}

static void test_files(void **state)
{
    struct port_cache cache;
    struct gw_storage s;
    struct gw_package_file file, other;
    bool complete;

    (void) state;
    boot(&cache, &s);
    assert_int_equal(cache.slots, 2);
    assert_int_equal(size_of(&s, one, &complete), 0);
    assert_int_equal(s.list(s.ctx, 0, &file), 0);
    assert_int_equal(s.remove(s.ctx, one), 0);
    assert_int_equal(fill(&s, one, 0, 100000), 0);
    expect_bytes(&s, one, 100000);
    assert_int_equal(size_of(&s, one, &complete), 100000);
    assert_false(complete);
    assert_int_equal(s.commit(s.ctx, one), 0);
    assert_int_equal(s.append(s.ctx, one, some, 1), -1); /* it is complete */
    assert_int_equal(fill(&s, two, 0, 5000), 0);
    assert_int_equal(s.append(s.ctx, three, some, 1), -1); /* no slot is free */
    assert_int_equal(s.touch(s.ctx, one), 0);
    boot(&cache, &s);
    assert_int_equal(size_of(&s, one, &complete), 100000);
    assert_true(complete);
    expect_bytes(&s, one, 100000);
    assert_int_equal(s.list(s.ctx, 0, &file), 1);
    assert_int_equal(s.list(s.ctx, 1, &other), 1);
    assert_int_equal(s.list(s.ctx, 2, &other), 0);
    assert_int_equal(s.remove(s.ctx, two), 0);
    assert_int_equal(fill(&s, three, 0, 30), 0);
    boot(&cache, &s);
    assert_int_equal(size_of(&s, three, &complete), 0); /* never synced */
}

/* A slot's last byte, and one more. */
static void test_full(void **state)
{
    struct port_cache cache;
    struct gw_storage s;
    const uint32_t room = SIZE / 2u - PORT_SECTOR;

    (void) state;
    boot(&cache, &s);
    assert_int_equal(fill(&s, one, 0, 10), 0);
    assert_int_equal(fill(&s, two, 0, 10), 0);
    assert_int_equal(fill(&s, one, 10, room), 0);
    assert_int_equal(s.append(s.ctx, one, some, 1), -1);
    assert_int_equal(s.commit(s.ctx, one), 0);
    boot(&cache, &s);
    expect_bytes(&s, one, room);
}

/* A package over both slots, to the region's last byte; then shorter ones again. */
static void test_long(void **state)
{
    struct port_cache cache;
    struct gw_storage s;
    const uint32_t room = SIZE - PORT_SECTOR;
    bool complete;

    (void) state;
    boot(&cache, &s);
    assert_int_equal(s.takes(s.ctx, PORT_SLOT - PORT_SECTOR), PORT_SLOT);
    assert_int_equal(s.takes(s.ctx, PORT_SLOT - PORT_SECTOR + 1u), 2u * PORT_SLOT);
    assert_int_equal(s.takes(s.ctx, FOTA_PACKAGE_MAX), 2u * PORT_SLOT); /* a job without a size fits */
    assert_int_equal(fill(&s, one, 0, 600000), 0);
    assert_int_equal(s.append(s.ctx, two, some, 1), -1); /* its place is taken */
    boot(&cache, &s);
    assert_true(size_of(&s, one, &complete) > 590000);
    assert_int_equal(fill(&s, one, size_of(&s, one, &complete), room), 0);
    assert_int_equal(s.append(s.ctx, one, some, 1), -1);
    assert_int_equal(s.commit(s.ctx, one), 0);
    boot(&cache, &s);
    expect_bytes(&s, one, room);
    assert_int_equal(s.append(s.ctx, two, some, 1), -1);
    assert_int_equal(s.remove(s.ctx, one), 0);
    assert_int_equal(fill(&s, two, 0, 50000), 0);
    assert_int_equal(fill(&s, three, 0, 50000), 0);
    boot(&cache, &s);
    expect_bytes(&s, two, size_of(&s, two, &complete));
    expect_bytes(&s, three, size_of(&s, three, &complete));
}

static void test_many_uses(void **state)
{
    struct port_cache cache;
    struct gw_storage s;
    bool complete;

    (void) state;
    boot(&cache, &s);
    assert_int_equal(fill(&s, one, 0, 9000), 0);
    assert_int_equal(s.commit(s.ctx, one), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(s.touch(s.ctx, one), 0);
    boot(&cache, &s);
    assert_int_equal(size_of(&s, one, &complete), 9000);
    assert_true(complete);
}

/* A download with the power cut at its n-th operation, and again while it goes on: what counts is what was written. */
static void test_cuts(void **state)
{
    const uint32_t whole = 60000;

    (void) state;
    for (long n = 1; n < 90; n++) {
        struct port_cache cache;
        struct gw_storage s;
        bool complete = false;
        unsigned cuts = 0;

        (void) setup(NULL);
        flash.seed = (unsigned) n;
        while (!complete) {
            uint32_t have, before;

            boot(&cache, &s);
            have = size_of(&s, one, &complete);
            expect_bytes(&s, one, have);
            assert_true(complete ? have == whole : have % PORT_SECTOR == 0);
            if (complete)
                break;
            before = have;
            flash.left = cuts < 3u ? n : -1;
            if (fill(&s, one, have, whole) == 0 && s.commit(s.ctx, one) == 0)
                continue;
            cuts++;
            boot(&cache, &s);
            assert_true(size_of(&s, one, &complete) >= before);
            complete = false;
        }
        assert_true(cuts > 0 || n > 80);
    }
}

/* A removal that is cut leaves the package, or none. */
static void test_cut_removal(void **state)
{
    (void) state;
    for (unsigned seed = 1; seed < 40; seed++) {
        struct port_cache cache;
        struct gw_storage s;
        bool complete;

        (void) setup(NULL);
        boot(&cache, &s);
        assert_int_equal(fill(&s, one, 0, 9000), 0);
        assert_int_equal(s.commit(s.ctx, one), 0);
        flash.seed = seed;
        flash.left = 1;
        (void) s.remove(s.ctx, one);
        boot(&cache, &s);
        if (size_of(&s, one, &complete) > 0 && complete)
            expect_bytes(&s, one, 9000);
        (void) s.remove(s.ctx, one);
        assert_int_equal(fill(&s, two, 0, 9000), 0);
        expect_bytes(&s, two, 9000);
    }
}

/* Anything may stand there: another program's data, noise. */
static void test_garbage(void **state)
{
    struct port_cache cache;
    struct gw_storage s;
    bool complete;

    (void) state;
    for (unsigned seed = 1; seed < 20; seed++) {
        for (size_t i = 0; i < SIZE; i++)
            flash.data[i] = (uint8_t) dice(&seed);
        boot(&cache, &s);
        assert_int_equal(size_of(&s, one, &complete), 0);
        assert_int_equal(fill(&s, one, 0, 20000), 0);
        assert_int_equal(s.commit(s.ctx, one), 0);
        boot(&cache, &s);
        expect_bytes(&s, one, 20000);
    }
    assert_int_equal(port_cache_open(&cache, &port, 4096), -1);
}

/* --- the key of the console --------------------------------------------------------------------- */

static void test_key(void **state)
{
    static const char good[] =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/"
        "m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";
    struct fota_key key;
    char text[sizeof good];

    (void) state;
    assert_int_equal(port_key_parse(good, &key), 0);
    assert_int_equal(key.point[0], 0x6B); /* the generator of P-256, SEC 2 */
    assert_int_equal(key.point[63], 0xF5);
    assert_int_equal(port_key_parse("", &key), -1);
    assert_int_equal(port_key_parse("-----BEGIN PUBLIC KEY-----", &key), -1);
    for (size_t i = 0; i + 4u < sizeof good; i++) { /* shorter */
        memcpy(text, good, i);
        text[i] = '\0';
        assert_int_equal(port_key_parse(text, &key), -1);
    }
    memcpy(text, good, sizeof good);
    text[10] = 'A'; /* another curve */
    assert_int_equal(port_key_parse(text, &key), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_files, setup),   cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_long, setup),    cmocka_unit_test_setup(test_many_uses, setup),
        cmocka_unit_test_setup(test_cuts, setup),    cmocka_unit_test_setup(test_cut_removal, setup),
        cmocka_unit_test_setup(test_garbage, setup), cmocka_unit_test(test_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
