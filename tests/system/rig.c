/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UART 3u
#define SPI 1u
#define STEP_NS 1000000u
#define WAIT_STEP_NS 20000u
#define SEND_QUEUE 512u /* what a serial port's driver holds; more than passes in a step at 2 Mbit/s */
#define LONGEST_UPDATE (600u * RIG_SECOND)

static const uint8_t product[FOTA_PRODUCT_SIZE] = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11,
                                                   0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40, 0x01};

_Noreturn static void die(const char *what, const char *why)
{
    fprintf(stderr, "rig: %s: %s\n", what, why);
    abort();
}

/* --- the gateway's ports ---------------------------------------------------------------------------------------- */

/* The other end of the line has a rate as well: where it is not the chip's, both hear garbage. */
static int link_baud(void *ctx, uint32_t baud)
{
    struct rig *rig = ctx;

    if (rig->unplugged)
        return -1;
    rig->host_baud = baud;
    board_uart_baud(rig->board, UART, baud);
    return 0;
}

static int link_open(void *ctx, uint32_t baud)
{
    return link_baud(ctx, baud);
}

static void link_close(void *ctx)
{
    (void) ctx;
}

uint64_t rig_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* What the cable makes of bytes at the present rate. */
static void travel(struct rig *rig, uint8_t *data, size_t length)
{
    if (rig->cable_limit == 0 || rig->host_baud <= rig->cable_limit)
        return;
    for (; length > 0; length--, data++) {
        rig->dice = rig->dice * 1664525u + 1013904223u;
        if ((rig->dice >> 8) % 1000u < rig->damage)
            *data ^= (uint8_t) (1u << (rig->dice >> 29));
    }
}

static int link_read(void *ctx, uint8_t *data, size_t capacity)
{
    struct rig *rig = ctx;
    size_t n;

    if (rig->unplugged)
        return -1;
    if (rig->ahead_taken < rig->ahead_length) {
        *data = rig->ahead[rig->ahead_taken++];
        return 1;
    }
    n = board_uart_read(rig->board, UART, data, rig->line.travel != NULL ? capacity / 2u : capacity);
    travel(rig, data, n);
    if (rig->line.travel != NULL)
        n = rig->line.travel(rig->line.ctx, false, data, n, capacity);
    return (int) n;
}

static int link_write(void *ctx, const uint8_t *data, size_t length)
{
    struct rig *rig = ctx;
    size_t queued = board_uart_pending(rig->board, UART);
    size_t room = queued < SEND_QUEUE ? SEND_QUEUE - queued : 0;
    uint8_t wire[SEND_QUEUE];

    if (rig->unplugged)
        return -1;
    if (rig->line.travel != NULL)
        room /= 2u; /* it may add some */
    if (length > room)
        length = room;
    memcpy(wire, data, length);
    travel(rig, wire, length);
    if (rig->line.travel != NULL)
        (void) board_uart_write(rig->board, UART, wire,
                                rig->line.travel(rig->line.ctx, true, wire, length, sizeof wire));
    else
        (void) board_uart_write(rig->board, UART, wire, length);
    return (int) length;
}

static int spi_open(void *ctx)
{
    struct rig *rig = ctx;

    rig->spi_mode = 0;
    rig->spi_pace_hz = rig->options.spi_hz;
    rig->spi_gap_ns = 0;
    return rig->unplugged ? -1 : 0;
}

static void spi_close(void *ctx)
{
    (void) ctx;
}

static int spi_mode(void *ctx, unsigned mode)
{
    ((struct rig *) ctx)->spi_mode = mode;
    return 0;
}

static int spi_pace(void *ctx, uint32_t hz, uint32_t gap_ns)
{
    struct rig *rig = ctx;

    rig->spi_pace_hz = hz;
    rig->spi_gap_ns = gap_ns;
    return 0;
}

/* The board goes on meanwhile, as it does beside a real master. */
#define SPI_PAUSE_NS 3000u /* no master begins the next transfer sooner */

static int spi_transfer(void *ctx, const uint8_t *out, uint8_t *in, size_t length)
{
    struct rig *rig = ctx;
    uint8_t wire[2u * GW_SPI_PIECE];
    const struct board_spi_options how = {
        .hz = rig->spi_pace_hz, .gap_ns = rig->spi_gap_ns, .mode = (uint8_t) (rig->spi_mode ^ rig->options.spi_mode)};

    if (rig->unplugged)
        return -1;
    memcpy(wire, out, length);
    if (rig->line.travel != NULL) /* it may change bytes here, not their number */
        (void) rig->line.travel(rig->line.ctx, true, wire, length, length);
    if (board_spi_transfer(rig->board, SPI, wire, in, length, &how) != length)
        memset(in, 0xFF, length); /* the supply was cut meanwhile */
    (void) board_run(rig->board, SPI_PAUSE_NS);
    if (rig->line.travel != NULL)
        (void) rig->line.travel(rig->line.ctx, false, in, length, length);
    return 0;
}

static int pin_nrst(void *ctx, bool low)
{
    board_nrst(((struct rig *) ctx)->board, low);
    return 0;
}

static int pin_boot0(void *ctx, bool high)
{
    struct rig *rig = ctx;

    if (!rig->options.no_boot0)
        board_boot0(rig->board, high);
    return 0;
}

static int link_parity(void *ctx, bool even)
{
    struct rig *rig = ctx;

    board_uart_format(rig->board, UART, even ? BOARD_UART_8E1 : BOARD_UART_8N1);
    return 0;
}

static uint64_t clock_ms(void *ctx)
{
    return board_now(((struct rig *) ctx)->board) / 1000000u;
}

static void device_text(void *ctx, const char *line)
{
    struct rig *rig = ctx;
    int n = snprintf(rig->text + rig->text_length, sizeof rig->text - rig->text_length, "%s\n", line);

    if (n > 0 && (size_t) n < sizeof rig->text - rig->text_length)
        rig->text_length += (size_t) n;
}

static void push_log(void *ctx, enum gw_log_level level, const char *message)
{
    (void) ctx;
    if (getenv("RIG_VERBOSE") != NULL)
        fprintf(stderr, "push %d: %s\n", level, message);
}

static void board_log(void *ctx, uint64_t ns, const char *text)
{
    (void) ctx;
    if (getenv("RIG_VERBOSE") != NULL)
        fprintf(stderr, "board %.6f: %s\n", (double) ns / 1e9, text);
}

/* --- the rig ---------------------------------------------------------------------------------------------------- */

/* Always the same key, so that everything is the same in each run. */
static void make_key(struct pack_key *key)
{
    uint8_t point[1u + FOTA_PUBLIC_KEY_SIZE];

    for (unsigned i = 0; i < sizeof key->secret; i++)
        key->secret[i] = (uint8_t) (i + 1u);
    (void) br_ec_get_default()->mulgen(point, key->secret, sizeof key->secret, BR_EC_secp256r1);
    memcpy(key->public_key.point, point + 1, FOTA_PUBLIC_KEY_SIZE);
    fota_key_id(key->public_key.point, key->public_key.id);
}

struct rig *rig_create(const struct rig_options *options)
{
    struct rig *rig = calloc(1, sizeof *rig);

    if (rig == NULL)
        die("memory", "none left");
    if (options != NULL)
        rig->options = *options;
    else
        board_options_default(&rig->options.board);
    make_key(&rig->key);
    rig->board = board_create(&rig->options.board);
    if (rig->board == NULL)
        die("board", board_create_error());
    board_on_log(rig->board, board_log, rig);
    return rig;
}

void rig_destroy(struct rig *rig)
{
    board_destroy(rig->board);
    free(rig);
}

static struct pack_buffer target_file(const char *name, const char *suffix)
{
    struct pack_buffer buffer;
    struct pack_message error = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/%s%s", RIG_TARGET, name, suffix);
    if (pack_file_read(path, PACK_FILE_MAX, &buffer, &error) != FOTA_OK)
        die("build the target first", error.text);
    return buffer;
}

static struct pack_buffer pack_links(const struct rig *rig, const char *name, const struct pack_options *options,
                                     unsigned links)
{
    struct pack_buffer a = target_file(name, ".a.elf"), b = target_file(name, ".b.elf"), out;
    struct pack_input inputs[] = {{"a.elf", a.data, a.size}, {"b.elf", b.data, b.size}};
    struct pack_message error = {0};

    if (pack_make(options, inputs, links, &rig->key, &out, NULL, &error) != FOTA_OK)
        die(name, error.text);
    pack_buffer_free(&a);
    pack_buffer_free(&b);
    return out;
}

static const struct pack_options as_the_application_says;

struct pack_buffer rig_package(const struct rig *rig, const char *name, const struct pack_options *options)
{
    return pack_links(rig, name, options != NULL ? options : &as_the_application_says, 2);
}

struct pack_buffer rig_package_of_one(const struct rig *rig, const char *name)
{
    return pack_links(rig, name, &as_the_application_says, 1);
}

void rig_program(struct rig *rig, const struct pack_buffer *package)
{
    struct fota_config config = {.target = {.hw_revision = RIG_HW, .floor = rig->options.floor},
                                 .key_count = 1,
                                 .keys = {rig->key.public_key},
                                 .uart = UART,
                                 .spi = !rig->options.no_spi,
                                 .baud = rig->options.baud != 0 ? rig->options.baud : 115200u,
                                 .hse_hz = 8000000u};
    struct pack_buffer bin = target_file("bootloader", ".bin"), boot = {0}, slot;
    struct pack_input input = {"bootloader.bin", bin.data, bin.size};
    struct pack_message error = {0};

    memcpy(config.target.product, product, sizeof product);
    if (rig->options.unconfigured)
        board_flash_load(rig->board, FOTA_BOOT_BASE, bin.data, bin.size);
    else if (pack_bootloader_make(&input, &config, &boot, &error) != FOTA_OK)
        die("bootloader", error.text);
    else
        board_flash_load(rig->board, FOTA_BOOT_BASE, boot.data, boot.size);
    pack_buffer_free(&bin);
    pack_buffer_free(&boot);
    if (package == NULL)
        return;
    input = (struct pack_input){"package", package->data, package->size};
    if (pack_slot_make(&input, &rig->key.public_key, 1, FOTA_SLOT_A, &slot, &error) != FOTA_OK)
        die("slot A", error.text);
    board_flash_load(rig->board, FOTA_SLOT_A_BASE, slot.data, slot.size);
    pack_buffer_free(&slot);
}

void rig_factory(struct rig *rig)
{
    struct pack_buffer package = rig_package(rig, "hello-1.0.0", NULL);

    rig_program(rig, &package);
    pack_buffer_free(&package);
    board_power(rig->board, true);
    if (!rig_run_until(rig, "hello 1.0.0 in slot A, confirmed", 20u * RIG_SECOND))
        die("factory image", "did not confirm itself");
}

/* Text comes as the device sends it, frames among it; that is good enough for finding a sentence. */
void rig_listen(struct rig *rig)
{
    uint8_t bytes[256];
    size_t n;

    while ((n = board_uart_read(rig->board, UART, bytes, sizeof bytes)) > 0)
        for (size_t i = 0; i < n && rig->text_length < sizeof rig->text - 1u; i++)
            if (bytes[i] != 0)
                rig->text[rig->text_length++] = (char) bytes[i];
    rig->text[rig->text_length] = '\0';
}

bool rig_run_until(struct rig *rig, const char *text, uint64_t ns)
{
    uint64_t end = board_now(rig->board) + ns;

    rig->text_length = 0;
    rig->text[0] = '\0';
    while (board_now(rig->board) < end) {
        (void) board_run(rig->board, STEP_NS);
        rig_listen(rig);
        if (text != NULL && strstr(rig->text, text) != NULL)
            return true;
        if (rig->text_length > sizeof rig->text / 2u)
            rig->text_length = 0;
    }
    return false;
}

/* --- updates ---------------------------------------------------------------------------------------------------- */

/** What the running update reads from; one at a time is enough. */
static struct {
    struct gw_package_source source;
    const struct pack_buffer *package;
} reader;

static int read_package(void *ctx, uint32_t offset, uint8_t *data, size_t length)
{
    const struct pack_buffer *package = reader.package;
    size_t left = offset < package->size ? package->size - offset : 0;

    (void) ctx;
    memcpy(data, package->data + offset, length < left ? length : left);
    return (int) (length < left ? length : left);
}

static void make_ports(struct rig *rig)
{
    static struct gw_link link;
    static struct gw_spi spi;
    static struct gw_pins pins;
    static struct gw_clock clock;

    link = (struct gw_link){rig, link_open, link_close, link_read, link_write, link_baud, link_parity, 0, NULL};
    spi = (struct gw_spi){rig, spi_open, spi_close, spi_transfer, spi_pace, spi_mode};
    pins = (struct gw_pins){rig, pin_nrst, pin_boot0};
    clock = (struct gw_clock){rig, clock_ms, clock_ms};
    rig->link = &link;
    rig->spi_port = &spi;
    rig->pins = rig->options.no_pins ? NULL : &pins;
    rig->clock = &clock;
}

static void init_push(struct rig *rig)
{
    make_ports(rig);
    gw_spi_link_init(&rig->spi, rig->spi_port, rig->clock);
    gw_push_init(&rig->push, &(struct gw_push_ports){.link = rig->options.link != NULL  ? rig->options.link
                                                             : rig->options.spi_hz != 0 ? &rig->spi.link
                                                                                        : rig->link,
                                                     .pins = rig->options.pins != NULL ? rig->options.pins : rig->pins,
                                                     .clock = rig->clock,
                                                     .baud = rig->options.baud,
                                                     .baud_max = rig->options.max_baud,
                                                     .chunk = rig->options.chunk,
                                                     .ctx = rig,
                                                     .text = device_text,
                                                     .log = push_log});
}

static struct gw_source read_from(const struct pack_buffer *package)
{
    reader.package = package;
    gw_package_source_init(&reader.source, &(struct gw_bytes){NULL, read_package});
    return (struct gw_source){&reader.source, gw_package_source_read};
}

static void start(struct rig *rig, const struct gw_push_job *job)
{
    int error;

    rig->text_length = 0;
    init_push(rig);
    error = gw_push_start(&rig->push, job);
    if (error != FOTA_OK)
        die("push", fota_error_text(error));
}

void rig_start(struct rig *rig, const struct pack_buffer *package, bool retry)
{
    start(rig, &(struct gw_push_job){.header = package->data, .source = read_from(package), .retry = retry});
}

struct gw_rom_image rig_image(const struct pack_buffer *package)
{
    return (struct gw_rom_image){.header = package->data, .source = read_from(package)};
}

bool rig_step(struct rig *rig)
{
    (void) gw_push_poll(&rig->push);
    if (rig->push.state == GW_PUSH_ENDED)
        return false;
    (void) board_run(rig->board, STEP_NS);
    return true;
}

static enum gw_push_outcome finish(struct rig *rig)
{
    uint64_t end = board_now(rig->board) + LONGEST_UPDATE;

    while (rig_step(rig) && board_now(rig->board) < end)
        continue;
    return rig->push.outcome;
}

enum gw_push_outcome rig_update(struct rig *rig, const struct pack_buffer *package, bool retry)
{
    rig_start(rig, package, retry);
    return finish(rig);
}

void rig_watch_start(struct rig *rig, const struct pack_buffer *package, uint8_t slot)
{
    start(rig, &(struct gw_push_job){.header = package->data,
                                     .source = read_from(package),
                                     .resume = GW_PUSH_JUMP,
                                     .slot_known = true,
                                     .slot = slot});
}

enum gw_push_outcome rig_watch(struct rig *rig, const struct pack_buffer *package, uint8_t slot)
{
    rig_watch_start(rig, package, slot);
    return finish(rig);
}

bool rig_query(struct rig *rig, struct fota_link_info *info)
{
    init_push(rig);
    (void) gw_push_query(&rig->push, true);
    while (rig_step(rig))
        continue;
    *info = rig->push.info;
    return rig->push.outcome == GW_PUSH_ANSWERED;
}

/* Until something has come over the serial line, or the time is over. */
static void rom_wait(void *ctx, uint32_t ms)
{
    struct rig *rig = ctx;
    uint64_t end = board_now(rig->board) + (ms != 0 ? ms * 1000000ull : WAIT_STEP_NS);

    while (board_now(rig->board) < end && rig->ahead_length == rig->ahead_taken) {
        (void) board_run(rig->board, WAIT_STEP_NS);
        rig->ahead_taken = 0;
        rig->ahead_length =
            rig->options.spi_hz != 0 ? 0 : board_uart_read(rig->board, UART, rig->ahead, sizeof rig->ahead);
    }
}

void rig_rom(struct rig *rig, struct gw_rom *rom)
{
    make_ports(rig);
    gw_rom_init(rom, &(struct gw_rom_port){.link = rig->options.spi_hz != 0 ? NULL : rig->link,
                                           .spi = rig->options.spi_hz != 0 ? rig->spi_port : NULL,
                                           .pins = rig->pins,
                                           .clock = rig->clock,
                                           .baud = rig->options.baud,
                                           .spi_hz = rig->options.rom_hz,
                                           .gap_ns = rig->options.rom_gap_ns,
                                           .ctx = rig,
                                           .wait = rom_wait});
}

uint64_t rig_slot_work(struct rig *rig, unsigned slot)
{
    const struct board_counters *c = board_counters(rig->board);
    uint64_t work = 0;

    for (unsigned s = 0; s < FOTA_SECTOR_COUNT; s++) {
        uint32_t at = fota_sector_base(s) - fota_slot_base(slot);

        if (at < FOTA_SLOT_SIZE)
            work += c->flash_erases[s] + c->flash_programs[s];
    }
    return work;
}
