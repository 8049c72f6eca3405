/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

uint8_t *bench_firmware(const char *name, size_t *len)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.bin", FIRMWARE_DIR, name);
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(1u << 20);
    if (!f || !bytes)
        fail_msg("cannot read %s", path);
    *len = fread(bytes, 1, 1u << 20, f);
    fclose(f);
    assert_true(*len > 0);
    return bytes;
}

void bench_load(struct board *b, const char *name)
{
    size_t len;
    uint8_t *bytes = bench_firmware(name, &len);
    assert_true(board_flash_load(b, 0x08000000u, bytes, len));
    free(bytes);
}

struct board *bench_probe(const struct board_options *options)
{
    struct board *b = board_create(options);
    if (!b)
        fail_msg("board_create: %s", board_create_error());
    bench_load(b, "probe");
    board_power(b, true);
    assert_true(board_run_until_text(b, 3, "READY HSE", 100u * MS));
    assert_true(board_run_until_text(b, 3, "\n", 10u * MS));
    return b;
}

void bench_command(struct board *b, char letter)
{
    char echo[3] = {letter, '\n', 0};
    assert_int_equal(board_uart_write(b, 3, &letter, 1), 1);
    if (!board_run_until_text(b, 3, echo, 10u * (uint64_t) SECONDS))
        fail_msg("no echo of '%c': %s", letter, board_message(b));
}
