/* SPDX-License-Identifier: MIT */
/* ota.c on a model of ESP-IDF's OTA functions and of its bootloader with rollback: two entries in otadata, each with a
 * sequence number and a state; the power goes before each write of them. Each start of the chip is a process. */
#include "port.h"

#include <esp_app_desc.h>
#include <esp_mac.h>
#include <esp_ota_ops.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ESP_FAIL (-1)
#define SIZE 1000u
#define VERSIONS 8u

enum state { NEW, PENDING, VALID, INVALID, ABORTED, BLANK };
enum fate { GOOD, MEETS_NOBODY, DIES };
enum end { RUNS_ON = 1, RESTARTS, CUT, NOTHING_BOOTS };

static struct chip {
    struct {
        uint32_t seq;
        enum state state;
    } otadata[2];
    struct {
        unsigned version; /* 0: nothing that would be started */
        bool damaged;
    } place[2];
    enum fate fate[VERSIONS];
    unsigned writes, cut_at; /* the power goes before that one; 0: never */
    unsigned met;            /* version of the last program that met its broker */
} * chip;

static int runs;
static unsigned arriving; /* version of what is being written */
static const esp_partition_t places[] = {{.size = SIZE, .subtype = ESP_PARTITION_SUBTYPE_APP_OTA_0},
                                         {.size = SIZE, .subtype = ESP_PARTITION_SUBTYPE_APP_OTA_0 + 1}};

static void before_write(void)
{
    if (++chip->writes == chip->cut_at)
        _exit(CUT);
}

/* An erase and a write of a sector. */
static void entry(int at, uint32_t seq, enum state state)
{
    before_write();
    chip->otadata[at].state = BLANK;
    before_write();
    chip->otadata[at].seq = seq;
    chip->otadata[at].state = state;
}

static bool counts(int at)
{
    return chip->otadata[at].state <= VALID;
}

/* @return the entry that decides, -1: none. */
static int active(void)
{
    if (counts(0) && counts(1))
        return chip->otadata[1].seq > chip->otadata[0].seq ? 1 : 0;
    return counts(0) ? 0 : counts(1) ? 1 : -1;
}

static int place_of(int at)
{
    return (int) ((chip->otadata[at].seq - 1u) % 2u);
}

/* --- ESP-IDF ------------------------------------------------------------------------------------ */

const esp_partition_t *esp_ota_get_running_partition(void)
{
    return &places[runs];
}

const esp_partition_t *esp_ota_get_boot_partition(void)
{
    return &places[active() >= 0 ? place_of(active()) : 0];
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *from)
{
    (void) from;
    return &places[runs ^ 1];
}

esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition, esp_ota_img_states_t *state)
{
    for (int i = 0; i < 2; i++) {
        if (chip->otadata[i].state != BLANK && &places[place_of(i)] == partition) {
            *state = (esp_ota_img_states_t) chip->otadata[i].state;
            return ESP_OK;
        }
    }
    return ESP_FAIL;
}

esp_err_t esp_ota_begin(const esp_partition_t *partition, size_t size, esp_ota_handle_t *handle)
{
    esp_ota_img_states_t state;

    assert_int_equal(size, OTA_WITH_SEQUENTIAL_WRITES);
    if (partition == &places[runs] ||
        (esp_ota_get_state_partition(&places[runs], &state) == ESP_OK && state == ESP_OTA_IMG_PENDING_VERIFY))
        return ESP_FAIL;
    *handle = 1;
    arriving = 0;
    if (active() >= 0 && place_of(active()) == runs && chip->otadata[active() ^ 1].state != BLANK) {
        before_write();
        chip->otadata[active() ^ 1].state = BLANK;
    }
    return ESP_OK;
}

esp_err_t esp_ota_write(esp_ota_handle_t handle, const void *data, size_t size)
{
    assert_true(handle == 1 && size > 0);
    before_write();
    chip->place[runs ^ 1].version = 0;
    arriving = *(const uint8_t *) data;
    return ESP_OK;
}

esp_err_t esp_ota_end(esp_ota_handle_t handle)
{
    assert_int_equal(handle, 1);
    before_write();
    chip->place[runs ^ 1].version = arriving;
    chip->place[runs ^ 1].damaged = false;
    return arriving != 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_ota_abort(esp_ota_handle_t handle)
{
    return handle == 1 ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
    uint32_t to = (uint32_t) (partition - places), seq = to + 1u;
    int at = active();

    if (chip->place[to].version == 0 || chip->place[to].damaged)
        return ESP_FAIL;
    while (at >= 0 && seq < chip->otadata[at].seq)
        seq += 2u;
    entry(at >= 0 ? at ^ 1 : 0, seq, NEW);
    return ESP_OK;
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
    int at = active();

    if (at < 0)
        return ESP_FAIL;
    if (chip->otadata[at].state != VALID)
        entry(at, chip->otadata[at].seq, VALID);
    return ESP_OK;
}

esp_err_t esp_ota_mark_app_invalid_rollback_and_reboot(void)
{
    int at = active();

    if (at < 0 || !counts(at ^ 1) || chip->place[runs ^ 1].version == 0)
        return ESP_FAIL;
    entry(at, chip->otadata[at].seq, INVALID);
    _exit(RESTARTS);
}

void port_restart(void)
{
    _exit(RESTARTS);
}

esp_err_t esp_efuse_mac_get_default(uint8_t *mac)
{
    memset(mac, 0x24, 6);
    return ESP_OK;
}

const esp_app_desc_t *esp_app_get_description(void)
{
    static const esp_app_desc_t says = {.secure_version = 5, .version = "1.2.3+4.g6c2fa01"};

    return &says;
}

/* @return the place that starts, -1: none. */
static int bootloader(void)
{
    bool blank = chip->otadata[0].state == BLANK && chip->otadata[1].state == BLANK;
    int first = 0;

    for (int i = 0; i < 2; i++)
        if (chip->otadata[i].state == PENDING)
            entry(i, chip->otadata[i].seq, ABORTED);
    if (active() >= 0) {
        first = place_of(active());
        if (chip->otadata[active()].state == NEW)
            entry(active(), chip->otadata[active()].seq, PENDING);
    }
    for (int i = 0; i < 2; i++, first ^= 1) {
        if (chip->place[first].version == 0 || chip->place[first].damaged)
            continue;
        if (blank)
            entry(0, (uint32_t) first + 1u, VALID);
        return first;
    }
    return -1;
}

/* --- programs ----------------------------------------------------------------------------------- */

static void life(unsigned update)
{
    uint8_t program[SIZE];
    int result;

    runs = bootloader();
    if (runs < 0)
        _exit(NOTHING_BOOTS);
    if (chip->fate[chip->place[runs].version] == DIES)
        _exit(RESTARTS);
    if (chip->fate[chip->place[runs].version] == MEETS_NOBODY) {
        if (port_ota.on_trial(NULL))
            port_ota.restart(NULL, true);
        _exit(RUNS_ON);
    }
    chip->met = chip->place[runs].version;
    if (port_ota.confirm(NULL) != FOTA_OK)
        _exit(RUNS_ON);
    if (update == 0)
        _exit(RUNS_ON);
    memset(program, (int) update, sizeof program);
    result = port_ota.begin(NULL, sizeof program);
    for (unsigned i = 0; result == FOTA_OK && i < sizeof program; i += 250u)
        result = port_ota.write(NULL, program + i, 250u);
    if (result == FOTA_OK && port_ota.end(NULL) == FOTA_OK)
        port_ota.restart(NULL, false);
    _exit(RUNS_ON);
}

/* One start of the chip. @param update which program is installed then; 0: none. */
static enum end start(unsigned update)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        life(update);
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return (enum end) WEXITSTATUS(status);
}

/* Starts until nothing happens any more. @return version of the program that met its broker then; 0: none does. */
static unsigned settle(void)
{
    for (unsigned i = 0; i < 8u; i++)
        assert_int_not_equal(start(0), NOTHING_BOOTS);
    chip->met = 0;
    (void) start(0);
    return chip->met;
}

/* As idf.py flash leaves it. */
static void flashed(void)
{
    memset(chip, 0, sizeof *chip);
    chip->otadata[0].state = chip->otadata[1].state = BLANK;
    chip->place[0].version = 1;
}

static void test_updates(void **state)
{
    (void) state;
    flashed();
    for (unsigned version = 2; version < VERSIONS; version++) {
        assert_int_equal(start(version), RESTARTS);
        assert_int_equal(settle(), version);
        assert_int_equal(chip->place[(version - 1u) % 2u].version, version);
    }
}

/* From either place, the power cut before each write: the old program meets its broker, or the new one where it can. */
static void test_power_cuts(void **state)
{
    unsigned cuts = 0, updated = 0;

    (void) state;
    for (enum fate fate = GOOD; fate <= DIES; fate++) {
        for (unsigned old = 1; old <= 2u; old++) {
            bool beyond = false;

            for (unsigned cut = 1; !beyond; cut++) {
                unsigned met;

                flashed();
                if (old == 2u)
                    (void) start(2);
                assert_int_equal(settle(), old);
                chip->fate[old + 1u] = fate;
                chip->writes = 0;
                chip->cut_at = cut;
                (void) start(old + 1u);
                met = settle();
                beyond = chip->writes < cut;
                assert_true(met == old || (fate == GOOD && met == old + 1u));
                updated += met == old + 1u ? 1u : 0u;
                cuts++;
            }
        }
    }
    print_message("%u cuts, %u updated\n", cuts, updated);
    assert_true(cuts > 50u && updated >= 4u);
}

/* The program that should start is damaged, and the one before runs. Updates that are bad leave it in charge. */
static void test_a_damaged_place(void **state)
{
    (void) state;
    for (enum fate fate = MEETS_NOBODY; fate <= DIES; fate++) {
        for (unsigned confirmed = 2; confirmed <= 3u; confirmed++) {
            flashed();
            for (unsigned v = 2; v <= confirmed; v++) {
                (void) start(v);
                assert_int_equal(settle(), v);
            }
            chip->place[(confirmed - 1u) % 2u].damaged = true;
            chip->fate[confirmed + 1u] = fate;
            (void) start(confirmed + 1u);
            assert_int_equal(settle(), confirmed - 1u);
            assert_int_equal(start(confirmed + 2u), RESTARTS); /* and a good one comes */
            assert_int_equal(settle(), confirmed + 2u);
        }
    }
}

static void test_what_runs(void **state)
{
    struct gw_self_config config = {0};

    (void) state;
    flashed();
    runs = 1;
    port_ota_running(&config);
    assert_int_equal(config.slot, FOTA_SLOT_B);
    assert_int_equal(config.target.floor, 5);
    assert_int_equal(config.version.major * 1000u + config.version.minor * 100u + config.version.patch * 10u +
                         config.version.build,
                     1234);
    assert_int_equal(port_ota.begin(NULL, SIZE + 1u), FOTA_E_SIZE);
    assert_int_equal(port_ota.write(NULL, (const uint8_t *) "x", 1), FOTA_E_FLASH);
    runs = 0;
    assert_int_equal(port_ota.begin(NULL, SIZE), FOTA_OK);
    assert_int_equal(port_ota.end(NULL), FOTA_E_PROGRAM); /* nothing came */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_a_damaged_place),
        cmocka_unit_test(test_what_runs),
    };

    int zeros = open("/dev/zero", O_RDWR); /* memory that the processes share */

    chip = zeros >= 0 ? mmap(NULL, sizeof *chip, PROT_READ | PROT_WRITE, MAP_SHARED, zeros, 0) : MAP_FAILED;
    if (zeros >= 0)
        (void) close(zeros);
    if (chip == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
