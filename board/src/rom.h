/* SPDX-License-Identifier: MIT */
/**
 * @file rom.h
 * What the parts of the factory bootloader's model share:
 * rom.c the start and the choice of an interface, rom_uart.c and rom_spi.c bytes and answers over the two protocols,
 * rom_packet.c packets of bytes, rom_command.c the commands, which are the same for both, rom_memory.c what they do to
 * memory.
 * The state is `struct rom` of the chip (internal.h).
 */
#ifndef FOTA_BOARD_ROM_H
#define FOTA_BOARD_ROM_H

#include "fota/strom.h"
#include "internal.h"

enum rom_phase {
    ROM_OFF = 0,
    ROM_STARTING,
    ROM_LISTENING, /* on all interfaces */
    ROM_RECEIVE,   /* the bytes of a packet */
    ROM_ANSWER,    /* ACK or NACK */
    ROM_SEND,      /* data */
    ROM_WORK       /* the flash is busy: nothing is heard */
};

/** What follows an answer. */
enum rom_then { THEN_COMMAND = 0, THEN_PACKET, THEN_HANDLE, THEN_SEND, THEN_WORK, THEN_RESET, THEN_GO };

enum rom_via { VIA_NONE = 0, VIA_USART1, VIA_USART3, VIA_SPI1, VIA_SPI2 };

static inline bool rom_over_spi(const struct board *b)
{
    return b->s.rom.via >= VIA_SPI1;
}

/** @return what the ROM needs of the SRAM, from its beginning: 8 KiB in V3.1, 12 KiB in V9.1. */
static inline uint32_t rom_ram(const struct board *b)
{
    return b->options.rom == BOARD_ROM_V31 ? 0x2000u : FOTA_ST_RAM_FREE - FOTA_RAM_BASE;
}

/* rom.c */
/** An interface has heard its first byte: it is the one until the next reset. */
void rom_choose(struct board *b, enum rom_via via);
/** Switch a pin to a peripheral. @param pull 0 none, 1 up, 2 down. */
void rom_pin(struct board *b, unsigned port, unsigned pin, unsigned function, unsigned pull);
/** Set bits of an RCC register. */
void rom_clock(struct board *b, uint32_t enable_register, uint32_t bits);
/** Leave for the firmware whose vector table begins at r->address. */
void rom_go(struct board *b);

/* rom_uart.c */
bool rom_uart_poll(struct board *b); /* @return true when something has changed */

/* rom_spi.c */
void rom_spi_listen(struct board *b);
void rom_spi_leave(struct board *b, enum rom_via chosen);
void rom_spi_poll(struct board *b);
void rom_spi_wake(struct board *b);

/* rom_packet.c */
void rom_expect_command(struct board *b);
/** A byte of a packet. @param good false when it came with a parity or framing error. */
void rom_byte(struct board *b, uint8_t byte, bool good);
/** ACK or NACK, and what follows. */
void rom_answer(struct board *b, bool good, enum rom_then then);
/** NACK, and the command is over. */
void rom_refuse(struct board *b);
/** Acknowledge the packet and wait for the next one. */
void rom_next_packet(struct board *b, uint32_t bytes);
/** @param sum the exclusive or of all bytes of a good packet: 0, or FF when its end is a complement. */
bool rom_sound(const struct board *b, uint8_t sum);
void rom_answered(struct board *b); /* the answer is out, and over SPI the host has confirmed it */
void rom_sent(struct board *b);     /* the data is out */

/* rom_command.c */
/** A command is acknowledged, then its packets come, each of them acknowledged by its handler. */
struct rom_command {
    uint8_t code;
    bool guarded;                    /* refused at RDP level 1 */
    bool twice;                      /* V3.1 says so two times (AN2606, known limitations) */
    uint16_t first;                  /* bytes of the first packet, as far as they are known; 0: it has none */
    void (*handle)(struct board *b); /* answers, or asks for the rest of the packet with a larger r->need */
};
extern const struct rom_command rom_commands[FOTA_ST_COMMANDS];
void rom_worked(struct board *b); /* the flash is done */

/* rom_memory.c */
enum rom_access { ROM_READ, ROM_WRITE, ROM_START };
/** @return whether the ROM lets the host at all bytes of the range. */
bool rom_may(const struct board *b, enum rom_access access, uint32_t address, uint32_t len);
void rom_read(struct board *b, uint32_t address, uint8_t *to, uint32_t len);
/** Write r->len bytes at `data` in r->in to r->address. @return false when refused; else r->job says what is left to do
 * for the flash (ROM_NOTHING: it is done). */
bool rom_write(struct board *b, const uint8_t *data);
/** Take the next step of a job. @return false while the flash is busy. */
bool rom_work(struct board *b);

enum rom_job { ROM_NOTHING = 0, ROM_PROGRAM, ROM_ERASE, ROM_ERASE_ALL, ROM_OPTIONS };

#endif
