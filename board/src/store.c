/* SPDX-License-Identifier: MIT */
/**
 * @file store.c
 * Where the flash lives: a file of 1 MiB plus one page for the option bytes, or anonymous memory. It is mapped
 * twice, since the chip shows it at 0x08000000 and at 0, and Unicorn tells memories apart by their host address.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_SIZE 4096u
#define SIDE_MAGIC 0x46534231u   /* "1BSF" */
#define OPTCR_ERASED 0x0FFFAAECu /* reset value of FLASH_OPTCR without OPTLOCK */

#define SIDE_OTP 256u /* offset of the one-time programmable area */

/* Side page, little-endian words: magic, option bytes as OPTCR, its complement; then the one-time programmable area. */
static uint8_t *side(const struct board *b)
{
    return b->flash + FOTA_FLASH_SIZE;
}

static bool fill_erased(int fd, off_t from)
{
    uint8_t page[4096];
    memset(page, 0xFF, sizeof page);
    for (off_t at = from; at < (off_t) (FOTA_FLASH_SIZE + SIDE_SIZE);) {
        size_t want = (size_t) ((off_t) (FOTA_FLASH_SIZE + SIDE_SIZE) - at);
        ssize_t n = pwrite(fd, page, want < sizeof page ? want : sizeof page, at);
        if (n <= 0)
            return false;
        at += n;
    }
    return true;
}

bool board_store_open(struct board *b, const char *path)
{
    struct stat st;
    b->flash_len = FOTA_FLASH_SIZE + SIDE_SIZE;
    b->flash_fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : memfd_create("flash", MFD_CLOEXEC);
    if (b->flash_fd < 0 || fstat(b->flash_fd, &st) < 0) {
        snprintf(b->message, sizeof b->message, "cannot open the flash file %.80s: %s", path ? path : "(memory)",
                 strerror(errno));
        return false;
    }
    if (path && flock(b->flash_fd, LOCK_EX | LOCK_NB) < 0) {
        snprintf(b->message, sizeof b->message, "the flash file %.80s is in use by another board", path);
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t) b->flash_len) {
        snprintf(b->message, sizeof b->message,
                 "the flash file %.60s has %lld bytes, more than 1 MiB and the option page: not a flash file",
                 path ? path : "", (long long) st.st_size);
        return false;
    }
    if (st.st_size < (off_t) b->flash_len && !fill_erased(b->flash_fd, st.st_size)) {
        snprintf(b->message, sizeof b->message, "cannot write the flash file %.80s: %s", path ? path : "(memory)",
                 strerror(errno));
        return false;
    }
    b->flash = mmap(NULL, b->flash_len, PROT_READ | PROT_WRITE, MAP_SHARED, b->flash_fd, 0);
    b->flash_alias = mmap(NULL, FOTA_FLASH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->flash_fd, 0);
    if (b->flash == MAP_FAILED || b->flash_alias == MAP_FAILED) {
        b->flash = b->flash == MAP_FAILED ? NULL : b->flash;
        b->flash_alias = b->flash_alias == MAP_FAILED ? NULL : b->flash_alias;
        snprintf(b->message, sizeof b->message, "cannot map the flash: %s", strerror(errno));
        return false;
    }
    return true;
}

void board_store_close(struct board *b)
{
    if (b->flash)
        munmap(b->flash, b->flash_len);
    if (b->flash_alias)
        munmap(b->flash_alias, FOTA_FLASH_SIZE);
    if (b->flash_fd >= 0)
        close(b->flash_fd);
}

uint8_t *board_store_otp(const struct board *b)
{
    return side(b) + SIDE_OTP;
}

uint32_t board_store_get_options(const struct board *b)
{
    const uint8_t *p = side(b);
    uint32_t options = load32(p + 4);
    return load32(p) == SIDE_MAGIC && load32(p + 8) == ~options ? options : OPTCR_ERASED;
}

void board_store_options(struct board *b, uint32_t optcr)
{
    uint8_t *p = side(b);
    optcr &= 0x0FFFFFECu;
    store32(p, SIDE_MAGIC);
    store32(p + 4, optcr);
    store32(p + 8, ~optcr);
}

bool bytes_push(struct bytes *q, uint8_t byte)
{
    if (q->count == q->size) {
        size_t size = q->size ? q->size * 2 : 1024;
        uint8_t *data = size > (16u << 20) ? NULL : malloc(size);
        if (!data)
            return false;
        for (size_t i = 0; i < q->count; i++)
            data[i] = q->data[(q->head + i) % q->size];
        free(q->data);
        q->data = data;
        q->size = size;
        q->head = 0;
    }
    q->data[(q->head + q->count++) % q->size] = byte;
    return true;
}

int bytes_pop(struct bytes *q)
{
    if (q->count == 0)
        return -1;
    uint8_t byte = q->data[q->head];
    q->head = (q->head + 1) % q->size;
    q->count--;
    return byte;
}

void bytes_free(struct bytes *q)
{
    free(q->data);
    memset(q, 0, sizeof *q);
}
