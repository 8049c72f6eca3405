/* SPDX-License-Identifier: MIT */
/* The store of a hub that keeps its packages in a bucket: copies, and what other threads ask for. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 1000u

static char dir[64];
static struct hub_store store;
static char sha256[5][HUB_SHA256_HEX + 1];

static int set_up(void **state)
{
    (void) state;
    strcpy(dir, "/tmp/fota-hub-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (unsigned i = 0; i < 5u; i++)
        snprintf(sha256[i], sizeof sha256[i], "%064u", i);
    return hub_store_open(&store, dir);
}

static int tear_down(void **state)
{
    char command[128];
    (void) state;
    hub_store_close(&store);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static int temp(char name[HUB_FILE_NAME_SIZE])
{
    static const uint8_t zeros[SIZE];
    int fd = hub_store_temp(&store, name);
    assert_true(fd >= 0 && hub_write_all(fd, zeros, SIZE) == 0);
    return fd;
}

static bool has(unsigned i)
{
    int fd = hub_store_open_package(&store, sha256[i]);
    if (fd < 0)
        assert_int_equal(errno, ENOENT);
    else
        close(fd);
    return fd >= 0;
}

/* Used at this second. */
static void used(unsigned i, time_t second)
{
    char path[400];
    const struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second}};
    snprintf(path, sizeof path, "%s/cache/%s.fota", dir, sha256[i]);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void copy(unsigned i, uint64_t limit)
{
    char name[HUB_FILE_NAME_SIZE];
    int fd = temp(name);
    assert_int_equal(hub_store_keep_copy(&store, fd, name, sha256[i], limit), 0);
    close(fd);
}

static void copies_make_room(void **state)
{
    (void) state;
    assert_int_equal(hub_store_use_bucket(&store, dir), 0);
    for (unsigned i = 0; i < 3u; i++) {
        copy(i, 3 * SIZE);
        used(i, 1000 + (time_t) i);
    }
    assert_true(has(0)); /* which is a use */
    copy(3, 3 * SIZE);
    assert_true(has(0) && !has(1) && has(2) && has(3));
    copy(4, 1); /* the new one stays in any case */
    assert_true(!has(0) && !has(2) && !has(3) && has(4));
    hub_store_remove_package(&store, sha256[4]);
    assert_false(has(4));
}

static void packages_become_copies(void **state)
{
    char name[HUB_FILE_NAME_SIZE], found[HUB_SHA256_HEX + 1];
    int fd = temp(name);
    (void) state;
    assert_int_equal(hub_store_keep(&store, fd, name, sha256[0]), 0);
    close(fd);
    assert_int_equal(hub_store_use_bucket(&store, dir), 0);
    assert_true(hub_store_next_package(&store, found));
    assert_string_equal(found, sha256[0]);
    assert_int_equal(hub_store_make_copy(&store, found, 10 * SIZE), 0);
    assert_true(has(0));
    assert_false(hub_store_next_package(&store, found));
    assert_int_equal(hub_store_make_copy(&store, sha256[1], 10 * SIZE), 0); /* deleted in the meantime */
    hub_store_close(&store);
    assert_int_equal(hub_store_open(&store, dir), 0); /* without a bucket: what is here still counts */
    assert_true(has(0));
}

static void wanted(void **state)
{
    char found[HUB_SHA256_HEX + 1];
    (void) state;
    assert_false(hub_store_want(&store, sha256[0])); /* no bucket */
    assert_int_equal(hub_store_use_bucket(&store, dir), 0);
    assert_false(hub_store_wanted(&store, found));
    assert_true(hub_store_want(&store, sha256[0]));
    assert_true(hub_store_wanted(&store, found));
    assert_string_equal(found, sha256[0]);
    assert_false(hub_store_wanted(&store, found));
    hub_store_no_such(&store, sha256[0]);
    assert_false(hub_store_want(&store, sha256[0]));
    assert_true(hub_store_want(&store, sha256[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packages_become_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wanted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
