/* SPDX-License-Identifier: MIT */
/**
 * @file rom.h
 * The host's side of ST's factory bootloader: AN3155 over UART, AN4286 over SPI, with BOOT0 and NRST in hand (AN2606:
 * STM32F40xxx). Unlike the rest of the gateway these functions wait: they are for a program of one device, or for a
 * thread of their own. All waiting goes through the port, and every wait ends.
 *
 *     struct gw_rom rom;
 *     gw_rom_init(&rom, &port);
 *     if (gw_rom_enter(&rom) == GW_ROM_OK && gw_rom_read(&rom, address, data, n) == GW_ROM_OK) …
 *     else puts(rom.error);
 *     gw_rom_leave(&rom);
 */
#ifndef GW_ROM_H
#define GW_ROM_H

#include "fota/flash.h"
#include "fota/strom.h"
#include "gw/spi.h"

#define GW_ROM_ERROR 320u

/* Times in ms. Those of the flash are the longest of the datasheet (DS8626 tables 40 and 41, x8) and a margin. */
#define GW_ROM_RESET_MS 20u  /* NRST low */
#define GW_ROM_START_MS 110u /* from NRST high to the first byte: 96 at most (AN2606) */
#define GW_ROM_ACK_MS 250u   /* for the acknowledgement of what needs no flash work */
#define GW_ROM_WRITE_MS 250u /* 256 bytes: 25.6 */
#define GW_ROM_ERASE_MS 5000u
#define GW_ROM_ERASE_ALL_MS 35000u
#define GW_ROM_OPTIONS_MS 1500u
#define GW_ROM_ENTRIES 3u /* resets and synchronisations before it is given up */
#define GW_ROM_TRIES 3u   /* of a command that may be repeated */

#define GW_ROM_BAUD 115200u /* the highest rate that ST has tested */

enum gw_rom_result {
    GW_ROM_OK = 0,
    GW_ROM_E_PORT,       /* the wire or a pin could not be used */
    GW_ROM_E_SILENT,     /* nobody answers */
    GW_ROM_E_NOT_ROM,    /* fota's own bootloader answers: BOOT0 does not reach the chip */
    GW_ROM_E_REFUSED,    /* NACK */
    GW_ROM_E_TIMEOUT,    /* an answer did not come in time */
    GW_ROM_E_UNEXPECTED, /* another byte than ACK or NACK */
    GW_ROM_E_CHIP,       /* not an STM32F405/407 */
    GW_ROM_E_PROTECTED,  /* readout protection, level 1 */
    GW_ROM_E_VERIFY,     /* what was written or erased does not read so */
    GW_ROM_E_ARGUMENT,
    GW_ROM_E_STOPPED /* the port said so */
};

struct gw_rom_port {
    const struct gw_link *link; /* UART, which can do even parity; NULL: SPI */
    const struct gw_spi *spi;
    const struct gw_pins *pins; /* both of them */
    const struct gw_clock *clock;
    uint32_t baud;   /* 0: GW_ROM_BAUD */
    uint32_t spi_hz; /* 0: FOTA_ST_SPI_HZ */
    uint32_t gap_ns; /* between two bytes on SPI; 0: FOTA_ST_SPI_GAP_NS */
    void *ctx;
    /** Let time pass: at least until input may be there, at most `ms` (0: as little as possible). */
    void (*wait)(void *ctx, uint32_t ms);
    /** NULL, or: @return true to end with GW_ROM_E_STOPPED before the next command. */
    bool (*stop)(void *ctx);
    /** NULL, or: what is done now, for people, and how far it is. @param step a word such as "blank check". */
    void (*progress)(void *ctx, const char *step, uint32_t done, uint32_t total);
};

struct gw_rom;

/** What differs between the protocols (rom_uart.c, rom_spi.c). All wait. */
struct gw_rom_wire {
    const char *name;
    const char *hint; /* what to check where some bytes come through, and others do not */
    /** Open, in the format that the ROM wants. @return 0 or -1. */
    int (*open)(struct gw_rom *rom);
    void (*close)(struct gw_rom *rom);
    /** Let the ROM notice this interface. @return as ack(). */
    int (*sync)(struct gw_rom *rom);
    /** Send the two bytes of a command, or a packet. @return 0 or -1. */
    int (*command)(struct gw_rom *rom, const uint8_t bytes[2]);
    int (*packet)(struct gw_rom *rom, const uint8_t *bytes, size_t length);
    /** @return FOTA_ST_ACK, FOTA_ST_NACK, another byte, or -1 when none came within `ms`. */
    int (*ack)(struct gw_rom *rom, uint32_t ms);
    /** Data that the ROM sends. @param first whether a packet of data begins here. @return 0, or -1 when it did not
     * come. */
    int (*data)(struct gw_rom *rom, uint8_t *to, size_t length, bool first);
    /** Throw away what is on its way, so that the next command is understood. */
    void (*resync)(struct gw_rom *rom);
    /** Does fota's own bootloader answer INFO? */
    bool (*ours)(struct gw_rom *rom);
    /** What the wire showed, for an error without an answer. */
    void (*explain)(struct gw_rom *rom, char *text, size_t capacity);
};

struct gw_rom {
    /* To be read. */
    char error[GW_ROM_ERROR]; /* of the last call that failed: command, address, what was seen */
    uint8_t version;          /* at FOTA_ST_ID_ADDRESS: FOTA_ST_V31 or FOTA_ST_V91; 0: cannot be read */
    uint8_t protocol;         /* that Get answers */
    bool protected;           /* readout protection */
    bool x32;                 /* the flash is worked on by words: gw_rom_x32() */
    struct {
        uint32_t commands, bytes, nacks, resyncs, entries;
        uint64_t erase_ms, blank_ms, write_ms, read_ms; /* time in each kind of pass */
    } stats;

    /* Its own. */
    struct gw_rom_port port;
    const struct gw_rom_wire *wire;
    bool open, inside;
    uint32_t zeros, ones, idle, others; /* bytes seen on MISO, by value */
    struct fota_link_rx rx;
    struct fota_flash flash;
    uint32_t cached; /* address of `cache`, 0: nothing */
    uint8_t cache[FOTA_ST_BLOCK];
    struct gw_spi_link spi_link; /* to find fota's own bootloader */
};

/** @param port copied; what it points to must outlive `rom`. */
void gw_rom_init(struct gw_rom *rom, const struct gw_rom_port *port);

/** BOOT0 high, NRST, synchronise, look who is there (Get, Get ID, the version byte). Readout protection is not an error
 * here. @return GW_ROM_OK, _PORT, _SILENT, _NOT_ROM, _CHIP, … */
int gw_rom_enter(struct gw_rom *rom);
/** BOOT0 low, NRST, close: the chip starts from its flash. Also after an error. */
int gw_rom_leave(struct gw_rom *rom);

/** @param length any. @return GW_ROM_OK, GW_ROM_E_PROTECTED, … */
int gw_rom_read(struct gw_rom *rom, uint32_t address, void *data, uint32_t length);
/** Write memory; nothing is read back. @param address, length multiples of 4. */
int gw_rom_write(struct gw_rom *rom, uint32_t address, const void *data, uint32_t length);
/** Erase a sector, 0 … 11, and see that it is blank: some parts acknowledge before the erase has ended. Over a UART
 * only its ends are looked at. */
int gw_rom_erase(struct gw_rom *rom, unsigned sector);
/** Flash work by words, four times as fast; needs a supply of 2.7 V. */
int gw_rom_x32(struct gw_rom *rom);
int gw_rom_go(struct gw_rom *rom, uint32_t address);
/** Protect sectors from being written; replaces the set before. The chip resets, and is entered again. @param sectors a
 * bit each. */
int gw_rom_write_protect(struct gw_rom *rom, uint32_t sectors);
int gw_rom_write_unprotect(struct gw_rom *rom); /* as gw_rom_write_protect() */
/** Readout protection, level 1. As gw_rom_write_protect(). */
int gw_rom_readout_protect(struct gw_rom *rom);
/** Erases the whole flash when level 1 was on. As gw_rom_write_protect(). */
int gw_rom_readout_unprotect(struct gw_rom *rom);
/** The option bytes as they lie at FOTA_ST_OPTIONS_ADDRESS. */
struct gw_rom_options {
    uint8_t user;   /* BOR level in bits 3:2 (3: off, 0: level 3), WDG_SW, nRST_STOP, nRST_STDBY */
    uint8_t rdp;    /* FOTA_ST_RDP_LEVEL_0, _2, else level 1 */
    uint16_t write; /* nWRP: a zero protects a sector */
};
int gw_rom_options(struct gw_rom *rom, struct gw_rom_options *options);
/** Write all of them; the chip resets, and is entered again. Refuses level 2. @return also GW_ROM_E_VERIFY. */
int gw_rom_set_options(struct gw_rom *rom, const struct gw_rom_options *options);

/** The chip's flash for core's journal and installer. Reads come in blocks; a program of at most FOTA_HEADER_SIZE bytes
 * is read back, a longer one is not: the installer hashes all of it at its end. @return valid as long as `rom`. */
const struct fota_flash *gw_rom_flash(struct gw_rom *rom);

#endif
