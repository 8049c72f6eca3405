/* SPDX-License-Identifier: MIT */
/** @file chip.h The drivers of the STM32F407 that bootloader and agent share. Every wait for hardware is bounded:
 * scripts/waits.py finds one that is not. */
#ifndef CHIP_CHIP_H
#define CHIP_CHIP_H

#include "fota/flash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Code that runs from RAM where FOTA_FLASH_IN_RAM is defined: code in flash stands still while that is busy. The
 * section has the name that the linker scripts of STM32CubeIDE put into RAM. */
#ifdef FOTA_FLASH_IN_RAM
#define CHIP_RAM __attribute__((section(".RamFunc"), noinline))
#else
#define CHIP_RAM
#endif

/* --- wait.c ----------------------------------------------------------------------------------------------------- */

/** Poll a register until bits of it have a value. A poll takes at least 4 cycles of the CPU. @param polls at most so
 * many. @return whether they got it. */
bool chip_wait(const volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t polls);

/* --- clock.c ---------------------------------------------------------------------------------------------------- */

#define CLOCK_FAST_HZ 168000000u
#define CLOCK_HSI_HZ 16000000u
#define CLOCK_APB1_DIVIDER 4u /* when fast; 1 after reset */
#define CLOCK_APB2_DIVIDER 2u

/** Run at 168 MHz from the PLL: from HSE when there is a crystal and it starts, else from HSI (RM0090 7.2).
 * APB1 is then at 42 MHz and APB2 at 84 MHz. @param hse_hz the crystal, whole MHz; 0: none. @return whether
 * the PLL runs; if not, all clocks stay at 16 MHz. */
bool clock_fast(uint32_t hse_hz);
/** Back to the state after reset: HSI, PLL and HSE off, no wait states, all peripherals reset and unclocked.
 */
void clock_reset(void);
/** @return whether clock_fast() is in force. */
bool clock_is_fast(void);

static inline uint32_t clock_cpu_hz(void)
{
    return clock_is_fast() ? CLOCK_FAST_HZ : CLOCK_HSI_HZ;
}

/* --- flash.c ---------------------------------------------------------------------------------------------------- */

/** The flash at x32 (needs VDD ≥ 2.7 V). Locked again after each call. */
extern const struct fota_flash chip_flash;
/** Called again and again while the flash is busy, some thousand times a second; NULL: nobody is. Of use only where
 * FOTA_FLASH_IN_RAM is defined. It must lie in RAM itself (.RamFunc), and touch nothing in flash. */
extern void (*chip_flash_idle)(void);

/* --- supply.c --------------------------------------------------------------------------------------------------- */

/** @return whether the supply is good for flash work at x32: 2.7 V (DS8626 table 40). Takes some µs. */
bool chip_supply_good(void);

/* --- line.c ----------------------------------------------------------------------------------------------------- */

#define LINE_OUT 192u

struct line;

/** What differs between the wires to the gateway. */
struct line_driver {
    /** @return where in the ring the next byte that arrives is put. */
    uint32_t (*position)(const struct line *line);
    /** Make `out` free for the next piece. @return false: it cannot be had; nothing is sent then. */
    bool (*ready)(struct line *line);
    /** @return whether `out` is free at once. */
    bool (*idle)(const struct line *line);
    /** Send what is in `out`. @param length 1 … LINE_OUT. */
    void (*go)(struct line *line, size_t length);
    /** Wait until the last bit is out, for a limited time. */
    void (*flush)(struct line *line);
};

/** A wire to the gateway that runs by DMA both ways: nothing is lost while flash work stalls the CPU, and nobody waits
 * for a response to be out. It must lie in memory that DMA reaches (SRAM, not CCM). */
struct line {
    const struct line_driver *driver;
    uint8_t *ring;
    uint32_t size, read;
    uint8_t out[LINE_OUT]; /* what is being sent */
};

/** Bytes that have arrived, in one piece. @param data set to the first. @return how many; 0 when there are none. They
 * stay until line_take(). */
size_t line_peek(const struct line *line, const uint8_t **data);
void line_take(struct line *line, size_t count);
/** Send; waits at most for the piece before (uart_start(), spi_start()). */
void line_send(struct line *line, const uint8_t *data, size_t length);
/** @return whether line_send() would wait for nothing. */
bool line_idle(const struct line *line);
/** Wait until the last bit is out, but not longer than a driver allows. */
void line_flush(struct line *line);

/* --- uart.c ----------------------------------------------------------------------------------------------------- */

/** A USART. */
struct uart {
    struct line line; /* the first member */
    const struct uart_hardware *hardware;
    uint32_t hz; /* what its baud rate is divided from */
};

/** Start. A piece that is not out in twice its time never will be: it is given up, and what follows it with it; the
 * next line_send() begins afresh. @param number 1, 2 or 3 (PA9/PA10, PA2/PA3, PB10/PB11). @param baud 1 200 …
 * 2 000 000. @param ring memory that DMA reaches.
 *  @param size of the ring, even, at most 131 070. @return false when the DMA stream that receives cannot be had: it
 * was in use, and does not stop. Nothing is received then, and nothing sent. */
bool uart_start(struct uart *uart, unsigned number, uint32_t baud, uint8_t *ring, uint32_t size);
/** @return whether the rate can be made from the present clock, within 2 %. @param baud any number. */
bool uart_can(const struct uart *uart, uint32_t baud);
/** Change the rate once the last bit is out, as line_flush() waits for it. @param baud one that uart_can() takes, or
 * that of uart_start(). */
void uart_baud(struct uart *uart, uint32_t baud);

/* --- spi.c ------------------------------------------------------------------------------------------------------ */

/** SPI1 as a slave, mode 0, 8 bits, MSB first, NSS by pin: PA4 NSS, PA5 SCK, PA6 MISO, PA7 MOSI (RM0090 28.3). */
struct spi {
    struct line line; /* the first member */
    uint8_t zero;     /* goes out, over and over, when there is nothing to say */
    uint8_t sending;  /* bytes of `out` under way; 0: zeros */
};

/** Start. A piece that the master has not fetched when the next one comes is dropped: the newest response counts.
 *  @param ring memory that DMA reaches. @param size of the ring, at most 65 535.
 *  @return false when a DMA stream cannot be had. */
bool spi_start(struct spi *spi, uint8_t *ring, uint32_t size);
/** To be called now and then: zeros again when a response is out, and a new beginning where a master stopped within a
 * byte, or more came than the DMA could take. */
void spi_tend(struct spi *spi);

/* --- watchdog.c ------------------------------------------------------------------------------------------------- */

/** Start the independent watchdog at its longest period: 22 … 62 s, as the LSI spreads. It runs until the
 * next reset. */
void watchdog_start(void);
/** Where the option bytes start the watchdog in hardware, with a period of half a second, give it its longest one. */
void watchdog_stretch(void);
/** Feed it; without effect when it does not run. */
void watchdog_feed(void);

/* --- backup.c --------------------------------------------------------------------------------------------------- */

/** What survives a reset, in the RTC's backup registers: requests to the bootloader, and what it found. */
enum backup_word {
    BACKUP_FAULT_PC = 16, /* of the fault that ended an application */
    BACKUP_FAULT_LR = 17,
    BACKUP_REQUEST = 18, /* enum backup_request. The last four words: the first ones are what applications use */
    BACKUP_CAUSE = 19    /* RCC_CSR as the bootloader found it, for the application */
};
enum backup_request {
    BACKUP_NONE = 0,
    BACKUP_LOADER = 0x464F5441,   /* stay and listen */
    BACKUP_DEADLINE = 0x444C494E, /* the trial deadline has passed */
    BACKUP_FAULT = 0x464C5421     /* the application ended in a fault */
};
uint32_t backup_read(enum backup_word word);
void backup_write(enum backup_word word, uint32_t value);

/* --- jump.c ----------------------------------------------------------------------------------------------------- */

/** From now on nothing is executed but a part of the flash: whatever else a skipped instruction jumps to is a MemManage
 *  fault (ARMv7-M ARM B3.5). Until chip_jump(). @param base of that part, aligned to its size. @param bits its size is
 *  2 to that; at least 5. */
void chip_execute_only(uint32_t base, unsigned bits);

/** Leave the chip as after reset and start an image. Does not return.
 *  @param vectors address of its vector table. @param start the table's first two words, as they were verified: stack
 *  pointer and start address; resets the chip when the latter is not behind `vectors`. */
_Noreturn void chip_jump(uint32_t vectors, const uint32_t start[2]);

#endif
