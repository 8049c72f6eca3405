/* SPDX-License-Identifier: MIT */
/** @file rom_host.h A host of ST's factory bootloader for the tests, over USART or SPI; as simple as can be. */
#ifndef BOARD_ROM_HOST_H
#define BOARD_ROM_HOST_H

#include "bench.h"
#include "fota/strom.h"

struct host {
    struct board *board;
    unsigned spi, uart; /* number; the other one is 0 */
    uint32_t hz, gap_ns;
    uint64_t patience_ns; /* for an answer */
};

#define SILENCE (-1)

/** A board with the probe in its flash that has started with BOOT0 high and is listening. */
struct board *host_board(enum board_rom rom, uint32_t rom_gap_ns);
struct host host_on_uart(struct board *b, unsigned n);
struct host host_on_spi(struct board *b, unsigned n);

/** Send bytes; over SPI they go in one transfer. @param in receives what came back meanwhile (SPI only), or NULL. */
void host_send(struct host *h, const void *bytes, size_t len, void *in);
/** @return ACK, NACK or SILENCE; over SPI with the whole procedure. */
int host_answer(struct host *h);
/** Data that the ROM sends. @return false when it did not come. */
bool host_data(struct host *h, uint8_t *to, size_t len);
int host_sync(struct host *h);
/** A synchronised host on SPI1 or USART3 of a board of its own. */
struct host host_begin(bool spi, enum board_rom rom);
int host_command(struct host *h, uint8_t code);
/** A packet with the exclusive or of its bytes behind it. @return the answer. */
int host_packet(struct host *h, const void *bytes, size_t len);
/** A byte and its complement. @return the answer. */
int host_byte(struct host *h, uint8_t byte);
int host_address(struct host *h, uint32_t address);

/* Whole commands. @return the last answer. */
int host_read(struct host *h, uint32_t address, void *to, size_t len);
int host_write(struct host *h, uint32_t address, const void *from, size_t len);
int host_erase(struct host *h, const uint8_t *sectors, size_t count);
int host_erase_all(struct host *h);
int host_go(struct host *h, uint32_t address);
int host_write_protect(struct host *h, const uint8_t *sectors, size_t count);
/** Commands of two answers (Write Unprotect, Readout Protect and Unprotect). */
int host_twice(struct host *h, uint8_t code);

#endif
