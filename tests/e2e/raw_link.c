/* SPDX-License-Identifier: MIT */
/**
 * @file raw_link.c
 * A host that checks nothing: it sends a package to a bootloader as it is, so that the bootloader decides. (fota flash
 * and the gateway refuse most bad packages before the device hears of them.)
 *
 *   raw_link PORT begin FILE [LENGTH]   BEGIN with the first 512 (or LENGTH) bytes of FILE
 *   raw_link PORT install FILE          BEGIN, all of the code, FINISH
 *
 * Prints a JSON object with the bootloader's answers, "begin" and "finish", and lets the device boot again. Exit status
 * 1: the device did not answer.
 */
#include "fota/bytes.h"
#include "fota/link.h"
#include "fota/package.h"
#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 3000u /* an erase takes 2 s of the device's time */
#define TRIES 5u

static const char *port;
static int fd;
static struct fota_link_rx rx;
static uint8_t tag;
static uint32_t session;

static void die(const char *what, const char *why)
{
    (void) fprintf(stderr, "raw_link: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000u + (uint64_t) t.tv_nsec / 1000000u;
}

static void open_port(void)
{
    struct termios t;
    fd = open(port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &t) != 0)
        die(port, "cannot be opened");
    cfmakeraw(&t);
    (void) cfsetspeed(&t, B115200);
    if (tcsetattr(fd, TCSANOW, &t) != 0)
        die(port, "cannot be set to 115200 baud");
}

static void send_all(const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno != EAGAIN)
            die(port, "the port has gone");
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t) n : 0;
        if (length > 0)
            (void) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 100);
    }
}

/* Wait for the answer with our tag. @return true when `frame` is it. */
static bool receive(uint8_t type, uint64_t until, struct fota_frame *frame)
{
    for (;;) {
        uint8_t byte;
        ssize_t n = read(fd, &byte, 1);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            die(port, "the port has gone");
        if (n == 1 && fota_link_rx_byte(&rx, byte, frame) && frame->type == (type | FOTA_LINK_RESPONSE) &&
            frame->tag == tag && frame->length >= 4u)
            return true;
        if (n < 0 && now_ms() >= until)
            return false;
        if (n < 0)
            (void) poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10);
    }
}

/* One request and its answer. @param body what follows the status, copied. @return the status. */
static int ask(uint8_t type, const void *payload, size_t length, uint32_t wait_ms, unsigned tries, void *body,
               size_t capacity)
{
    uint8_t wire[FOTA_LINK_WIRE_MAX];
    struct fota_frame answer;
    tag++;
    const struct fota_frame request = {.version = FOTA_LINK_VERSION,
                                       .type = type,
                                       .tag = tag,
                                       .session = session,
                                       .payload = payload,
                                       .length = length};
    size_t n = fota_frame_encode(&request, wire, sizeof wire);
    while (tries-- > 0) {
        send_all(wire, n);
        if (!receive(type, now_ms() + wait_ms, &answer))
            continue;
        size_t rest = answer.length - 4u;
        if (body != NULL)
            memcpy(body, answer.payload + 4, rest < capacity ? rest : capacity);
        session = answer.session;
        return (int16_t) fota_get16(answer.payload);
    }
    die(port, "the device does not answer");
    return 0;
}

static void enter(void)
{
    const uint8_t stay = FOTA_LINK_INFO_STAY, loader = FOTA_LINK_REBOOT_LOADER;
    struct fota_link_info info;
    for (unsigned i = 0; i < 10u; i++) {
        if (ask(FOTA_LINK_INFO, &stay, 1, 50, 200, &info, sizeof info) == FOTA_OK && info.mode == FOTA_MODE_BOOTLOADER)
            return;
        (void) ask(FOTA_LINK_REBOOT, &loader, 1, 500, TRIES, NULL, 0);
    }
    die(port, "the device does not go into its bootloader");
}

static int begin(const uint8_t *header, size_t length, struct fota_link_progress *progress)
{
    uint8_t payload[4u + FOTA_HEADER_SIZE] = {0};
    memcpy(payload + 4, header, length);
    return ask(FOTA_LINK_BEGIN, payload, 4u + length, ANSWER_MS, TRIES, progress, sizeof *progress);
}

/* The code for a slot, without any judgement beyond the structure. */
struct layout {
    uint8_t code[FOTA_CODE_MAX];
    unsigned slot;
};

static int lay(void *ctx, uint32_t offset, uint8_t *code, uint32_t length, const uint16_t *relocations, unsigned count)
{
    struct layout *l = ctx;
    if (l->slot == FOTA_SLOT_B)
        fota_relocate(code, relocations, count, FOTA_SLOT_DISTANCE);
    memcpy(l->code + offset, code, length);
    return FOTA_OK;
}

static int install(const struct pack_buffer *file, unsigned slot, uint32_t next)
{
    static const struct fota_package_sink sink = {.code = lay};
    static struct fota_package reader;
    static struct layout layout;
    uint32_t size = fota_get32(file->data + offsetof(struct fota_header, image_size));
    layout.slot = slot;
    fota_package_init(&reader, &sink, &layout);
    (void) fota_package_feed(&reader, file->data, file->size);
    if (fota_package_end(&reader) != FOTA_OK)
        die("the package", fota_error_text(fota_package_end(&reader)));
    while (next < size) {
        uint8_t payload[FOTA_LINK_PAYLOAD_MAX];
        uint32_t length = size - next < FOTA_LINK_DATA_MAX ? size - next : FOTA_LINK_DATA_MAX;
        struct fota_link_progress progress;
        fota_put32(payload, next);
        memcpy(payload + 4, layout.code + next, length);
        int status = ask(FOTA_LINK_DATA, payload, 4u + length, ANSWER_MS, TRIES, &progress, sizeof progress);
        if (status != FOTA_OK && status != FOTA_E_OFFSET)
            die("DATA", fota_error_text(status));
        next = progress.next;
    }
    return ask(FOTA_LINK_FINISH, NULL, 0, ANSWER_MS, TRIES, NULL, 0);
}

int main(int argc, char **argv)
{
    static const uint8_t normal = FOTA_LINK_REBOOT_NORMAL;
    struct pack_message message = {0};
    struct pack_buffer file = {0};
    struct fota_link_progress progress = {.slot = FOTA_SLOT_NONE};
    uint32_t length = FOTA_HEADER_SIZE;
    bool whole = argc == 4 && strcmp(argv[2], "install") == 0;
    if (argc < 4 || argc > 5 || (!whole && strcmp(argv[2], "begin") != 0) ||
        (argc == 5 && !pack_number_parse(argv[4], 0, FOTA_HEADER_SIZE, &length)))
        die("usage", "raw_link PORT begin FILE [LENGTH] | raw_link PORT install FILE");
    if (pack_file_read(argv[3], 2u * FOTA_PACKAGE_MAX, &file, &message) != FOTA_OK)
        die("reading", message.text);
    if (file.size < FOTA_HEADER_SIZE)
        die(argv[3], "shorter than a header");
    port = argv[1];
    open_port();
    fota_link_rx_init(&rx);
    enter();
    int status = begin(file.data, length, &progress);
    (void) printf("{\"begin\": \"%s\"", fota_error_name(status));
    if (whole && status == FOTA_OK)
        (void) printf(", \"slot\": \"%s\", \"finish\": \"%s\"", progress.slot == FOTA_SLOT_A ? "A" : "B",
                      fota_error_name(install(&file, progress.slot, progress.next)));
    (void) puts("}");
    (void) ask(FOTA_LINK_REBOOT, &normal, 1, 500, TRIES, NULL, 0);
    (void) close(fd);
    pack_buffer_free(&file);
    return 0;
}
