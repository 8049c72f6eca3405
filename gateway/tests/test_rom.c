/* SPDX-License-Identifier: MIT */
/* What the board's model of ST's ROM cannot be: another chip, another ROM, a line that says anything. Over a UART. */
#include "gw/rom_job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/** A ROM that knows Get, Get ID and Read Memory. */
struct chip {
    uint64_t now;
    uint16_t id;
    bool no_extended_erase;
    bool no_parity; /* the port cannot do it */
    bool stuck_in_reset;
    unsigned odd_after; /* acknowledgements, then `odd` instead of one; 0: never */
    uint8_t odd;
    uint8_t in[300], out[64];
    unsigned have, want, put, taken, acks, stage;
    uint8_t command;
    bool boot0, synchronised;
};

static void say(struct chip *c, uint8_t byte)
{
    c->out[c->put++ % sizeof c->out] = byte;
}

static void acknowledge(struct chip *c)
{
    c->acks++;
    say(c, c->odd_after != 0 && c->acks > c->odd_after ? c->odd : FOTA_ST_ACK);
}

static void get(struct chip *c)
{
    const uint8_t codes[] = {0, 1, 2, 0x11, 0x21, 0x31, c->no_extended_erase ? 0x43 : 0x44};

    say(c, sizeof codes);
    say(c, FOTA_ST_UART_PROTOCOL);
    for (unsigned i = 0; i < sizeof codes; i++)
        say(c, codes[i]);
    acknowledge(c);
}

static void packet(struct chip *c)
{
    acknowledge(c);
    if (c->stage == 0) {
        c->command = c->in[0];
        if (c->command == FOTA_ST_GET)
            get(c);
        if (c->command == FOTA_ST_GET_ID) {
            say(c, 1);
            say(c, (uint8_t) (c->id >> 8));
            say(c, (uint8_t) c->id);
            acknowledge(c);
        }
        c->stage = c->command == FOTA_ST_READ ? 1 : 0;
        c->want = c->stage == 1 ? 5 : 2;
    } else if (c->stage == 1) {
        c->stage = 2;
        c->want = 2;
    } else {
        for (unsigned i = 0; i <= c->in[0]; i++)
            say(c, FOTA_ST_V91);
        c->stage = 0;
        c->want = 2;
    }
}

static int l_open(void *ctx, uint32_t baud)
{
    (void) ctx;
    assert_int_equal(baud, GW_ROM_BAUD);
    return 0;
}

static void l_close(void *ctx)
{
    (void) ctx;
}

static int l_read(void *ctx, uint8_t *data, size_t capacity)
{
    struct chip *c = ctx;

    if (capacity == 0 || c->taken == c->put)
        return 0;
    *data = c->out[c->taken++ % sizeof c->out];
    return 1;
}

static int l_write(void *ctx, const uint8_t *data, size_t length)
{
    struct chip *c = ctx;

    for (size_t i = 0; i < length && c->boot0; i++) {
        if (!c->synchronised) {
            c->synchronised = data[i] == FOTA_ST_UART_SYNC;
            if (c->synchronised)
                acknowledge(c);
            continue;
        }
        c->in[c->have++] = data[i];
        if (c->have == c->want) {
            c->have = 0;
            packet(c);
        }
    }
    return (int) length;
}

static int l_parity(void *ctx, bool even)
{
    const struct chip *c = ctx;

    (void) even;
    return c->no_parity ? -1 : 0;
}

static int p_nrst(void *ctx, bool low)
{
    struct chip *c = ctx;

    c->have = c->put = c->taken = c->stage = 0;
    c->want = 2;
    c->synchronised = false;
    return c->stuck_in_reset && !low ? -1 : 0;
}

static int p_boot0(void *ctx, bool high)
{
    ((struct chip *) ctx)->boot0 = high;
    return 0;
}

static uint64_t t_now(void *ctx)
{
    return ((struct chip *) ctx)->now;
}

static void t_wait(void *ctx, uint32_t ms)
{
    ((struct chip *) ctx)->now += ms != 0 ? ms : 1u;
}

/* @return what gw_rom_enter() says of it. */
static int enter(struct chip *c, struct gw_rom *rom)
{
    static struct gw_link link;
    static struct gw_pins pins;
    static struct gw_clock clock;

    link = (struct gw_link){
        .ctx = c, .open = l_open, .close = l_close, .read = l_read, .write = l_write, .parity = l_parity};
    pins = (struct gw_pins){c, p_nrst, p_boot0};
    clock = (struct gw_clock){c, t_now, t_now};
    gw_rom_init(rom, &(struct gw_rom_port){.link = &link, .pins = &pins, .clock = &clock, .ctx = c, .wait = t_wait});
    return gw_rom_enter(rom);
}

static void expect(struct chip *c, int result, const char *words)
{
    struct gw_rom rom;
    int got = enter(c, &rom);

    if (got != result || strstr(rom.error, words) == NULL)
        fail_msg("%d instead of %d: %s", got, result, rom.error);
}

static void another_chip(void **state)
{
    struct gw_rom rom;
    struct chip good = {.id = FOTA_ST_CHIP_ID}, other = {.id = 0x419}, old = {.id = 0x410, .no_extended_erase = true};

    (void) state;
    assert_int_equal(enter(&good, &rom), GW_ROM_OK);
    assert_int_equal(rom.version, FOTA_ST_V91);
    assert_int_equal(gw_rom_leave(&rom), GW_ROM_OK);
    assert_false(good.boot0);
    expect(&other, GW_ROM_E_CHIP, "the chip's id is 0x419, that of an STM32F405/407 is 0x413");
    expect(&old, GW_ROM_E_CHIP, "no Extended Erase (44)");
}

static void a_line_that_says_anything(void **state)
{
    struct chip junk = {.id = FOTA_ST_CHIP_ID, .odd_after = 1, .odd = 0x55};
    struct chip refuses = {.id = FOTA_ST_CHIP_ID, .odd_after = 1, .odd = FOTA_ST_NACK};

    (void) state;
    expect(&junk, GW_ROM_E_SILENT, "ST's ROM does not answer over UART"); /* 55 to everything, the next 7F too */
    expect(&refuses, GW_ROM_E_REFUSED, "Get (00): the ROM refused the command (NACK)");
}

static void the_port_or_a_pin(void **state)
{
    struct chip plain = {.id = FOTA_ST_CHIP_ID, .no_parity = true},
                held = {.id = FOTA_ST_CHIP_ID, .stuck_in_reset = true};
    struct gw_rom rom;

    (void) state;
    expect(&plain, GW_ROM_E_PORT, "even parity");
    expect(&held, GW_ROM_E_PORT, "held in reset");
    gw_rom_init(&rom, &(struct gw_rom_port){
                          .link =
                              &(struct gw_link){
                                  .ctx = &plain, .open = l_open, .close = l_close, .read = l_read, .write = l_write},
                          .clock = &(struct gw_clock){&plain, t_now, t_now},
                          .ctx = &plain,
                          .wait = t_wait});
    assert_int_equal(gw_rom_enter(&rom), GW_ROM_E_PORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(another_chip), cmocka_unit_test(a_line_that_says_anything),
                                       cmocka_unit_test(the_port_or_a_pin)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
