/* SPDX-License-Identifier: MIT */
/**
 * @file board.h
 * A virtual STM32F407 that runs the real Arm binaries, driven in-process. The chip's own time ("virtual time")
 * is independent of the host's clock and depends on nothing but the inputs: the same calls give the same states.
 *
 * This library links Unicorn, which is distributed under the GPL 2: so is every program that contains both.
 * What is modelled and what is not stands in docs/board.md.
 *
 * One board belongs to one thread at a time; different boards may run in different threads.
 */
#ifndef FOTA_BOARD_H
#define FOTA_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board;

#define BOARD_SECTORS 12u
#define BOARD_UARTS 3u           /* USART1, USART2, USART3: numbered 1 to 3 everywhere below */
#define BOARD_SPIS 2u            /* SPI1, SPI2: numbered 1 and 2 */
#define BOARD_SPI_MAX 0x100000u  /* bytes in one transfer */
#define BOARD_FOREVER UINT64_MAX /* as a duration: no limit */

/** Where emulation may stop: after every basic block (fast) or after every instruction (exact). */
enum board_mode { BOARD_MODE_BLOCK = 0, BOARD_MODE_CODE };

/** Flash erase and program times, from DS8626 table "Flash memory programming". */
enum board_flash_timing { BOARD_FLASH_TYPICAL = 0, BOARD_FLASH_MAX };

/** Bits that a torn flash operation leaves between 0 and 1. */
enum board_weak {
    BOARD_WEAK_NONE = 0,     /**< there are none: some bits have changed, some have not */
    BOARD_WEAK_NOW_AND_THEN, /**< those of torn words change every few hundred instructions; those of torn erases do not
                              */
    BOARD_WEAK_EACH_READ     /**< all change from one read to the next. Every load of the CPU is looked at: slow */
};

/** The version of ST's factory bootloader, which runs with BOOT0 high (AN2606). */
enum board_rom {
    BOARD_ROM_V91 = 0, /**< id 0x91: USART1, USART3, SPI1, SPI2 */
    BOARD_ROM_V31      /**< id 0x31: USART1, USART3 */
};

struct board_options {
    const char *flash_path; /**< file of the flash, created erased when missing; NULL: anonymous memory */
    double cycles;          /**< CPU cycles charged per instruction, 1.0 to 8.0; 0 means 1.0 */
    enum board_flash_timing flash_timing;
    uint32_t lsi_hz; /**< 17000 to 47000 (the datasheet's range); 0 means 32000 */
    uint32_t hse_hz; /**< crystal, 4 to 26 MHz; 0 means 8 MHz */
    bool hse_absent; /**< true: the crystal never starts */
    uint32_t uid[3]; /**< unique id at 0x1FFF7A10; all zero means a built-in one */
    uint64_t seed;   /**< contents of SRAM at power-on, and torn flash operations */
    enum board_mode mode;
    enum board_weak weak;
    enum board_rom rom;
    uint32_t rom_gap_ns; /**< time that the factory bootloader needs between two SPI bytes, up to 1 ms; 0 means 15000 */
    bool no_shortcuts;   /**< execute polling loops in full and every store the slow way; same states, for tests */
};

/** Causes of a reset, as RCC_CSR reports them. */
enum board_reset {
    BOARD_RESET_POWER = 0, /**< power-on */
    BOARD_RESET_PIN,       /**< NRST was pulled low from outside */
    BOARD_RESET_SOFTWARE,  /**< AIRCR.SYSRESETREQ */
    BOARD_RESET_IWDG,      /**< the independent watchdog */
    BOARD_RESET_BROWN_OUT, /**< the supply fell below the level of the option bytes (BOR) */
    BOARD_RESET_CAUSES
};

/** Things that firmware must not do. Each counts separately; a well-behaved firmware leaves all of them at 0. */
enum board_rule {
    BOARD_RULE_CLOCK_GATED = 0,   /**< access to a peripheral whose clock is off: reads 0, writes are lost */
    BOARD_RULE_FLASH_ERROR,       /**< an operation that ended in PGSERR, PGPERR, PGAERR or WRPERR */
    BOARD_RULE_FLASH_ZERO_TO_ONE, /**< programming would have turned a 0 into a 1; the bit stays 0 */
    BOARD_RULE_FLASH_KEY,         /**< wrong key, or a key when already unlocked: locked until reset */
    BOARD_RULE_FLASH_FLAGS,       /**< operation started while error flags of an earlier one were still set */
    BOARD_RULE_FLASH_LATENCY,     /**< too few wait states for HCLK, or HCLK below 1 MHz during an operation */
    BOARD_RULE_CLOCK_LIMIT,       /**< PLL, SYSCLK, APB1 or APB2 outside the datasheet's range */
    BOARD_RULE_DMA_SETUP,         /**< stream enabled with its flags set, or reprogrammed while enabled */
    BOARD_RULE_DMA_ADDRESS,       /**< DMA to or from an address that the DMA cannot reach (CCM, holes) */
    BOARD_RULE_READ_ONLY,         /**< store to system memory, the alias at 0 or the option bytes */
    BOARD_RULE_BACKUP_LOCKED,     /**< backup register or backup SRAM written while PWR_CR.DBP is 0 */
    BOARD_RULE_FLASH_SUPPLY,      /**< operation with a PSIZE that the supply is too low for: some bits do not change */
    BOARD_RULES
};

struct board_counters {
    uint64_t instructions;
    uint64_t virtual_ns;                    /**< since board_create */
    uint64_t flash_erases[BOARD_SECTORS];   /**< completed or torn sector erases; a mass erase counts in each */
    uint64_t flash_programs[BOARD_SECTORS]; /**< completed or torn program operations */
    uint64_t flash_operations;              /**< all of the above; what a power cut counts */
    uint64_t rules[BOARD_RULES];
    uint64_t resets[BOARD_RESET_CAUSES];
    uint64_t power_cuts;                     /**< cuts that board_cut made */
    uint64_t uart_rx[BOARD_UARTS + 1];       /**< bytes that reached the chip's receiver, by UART number */
    uint64_t uart_tx[BOARD_UARTS + 1];       /**< bytes that the chip sent */
    uint64_t uart_overruns[BOARD_UARTS + 1]; /**< bytes lost to ORE */
    uint64_t uart_lost[BOARD_UARTS + 1];     /**< bytes lost: receiver off, pin not routed, no power, disconnected */
    uint64_t uart_garbled[BOARD_UARTS + 1];  /**< bytes damaged by a baud rate mismatch, either direction */
    uint64_t spi_bytes[BOARD_SPIS + 1];      /**< bytes that reached the chip's receiver, by SPI number */
    uint64_t spi_overruns[BOARD_SPIS + 1];   /**< frames lost to OVR */
    uint64_t spi_underruns[BOARD_SPIS + 1];  /**< frames that began with nothing to send: the last one went out again */
    uint64_t spi_lost[BOARD_SPIS + 1];       /**< bytes clocked while the slave was off, not selected, not routed */
    uint64_t spi_garbled[BOARD_SPIS + 1];    /**< bytes damaged by a wrong mode or a clock above half the bus clock */
    uint64_t faults[4];                      /**< HardFault, MemManage, BusFault, UsageFault entered */
    uint64_t exceptions;                     /**< all exceptions entered */
    uint64_t lockups;
    uint64_t unmodelled;           /**< accesses to peripherals that exist on the chip but not here */
    uint64_t skipped_instructions; /**< part of `instructions`: rounds of polling loops */
    uint64_t skipped_ns;           /**< virtual time passed in WFI, reset, stalls and without power */
};

/** Why board_run_until returned. */
enum board_stop {
    BOARD_STOP_TIME = 0, /**< the time was used up */
    BOARD_STOP_UART,     /**< a UART sent a byte (BOARD_ON_UART) */
    BOARD_STOP_RESET,    /**< the chip was reset; it has not executed its first instruction yet (BOARD_ON_RESET) */
    BOARD_STOP_ADDRESS,  /**< an instruction at a watched address is about to execute (BOARD_ON_ADDRESS) */
    BOARD_STOP_POWER,    /**< the power was cut by board_cut (always returned) */
    BOARD_STOP_LOCKUP,   /**< the CPU entered lockup (BOARD_ON_LOCKUP) */
    BOARD_STOP_SLEEP,    /**< the CPU entered WFI or WFE with nothing pending (BOARD_ON_SLEEP) */
    BOARD_STOP_REQUEST,  /**< board_request_stop was called, from a callback */
    BOARD_STOP_ERROR     /**< the emulator failed; board_message says how */
};

/** Flags for board_run_until; without a flag the event does not end the run. */
enum board_on {
    BOARD_ON_UART = 1u << 0,
    BOARD_ON_RESET = 1u << 1,
    BOARD_ON_ADDRESS = 1u << 2,
    BOARD_ON_LOCKUP = 1u << 3,
    BOARD_ON_SLEEP = 1u << 4
};

/** Where a power cut falls relative to the flash operation. */
enum board_cut_phase {
    BOARD_CUT_BEFORE = 0, /**< the operation has no effect */
    BOARD_CUT_INSIDE,     /**< in the middle of the busy time: a subset of the bits has changed */
    BOARD_CUT_AFTER       /**< the operation is complete, and nothing after it happened */
};

/** What the CPU is doing. */
enum board_cpu_state {
    BOARD_CPU_OFF = 0, /**< no power */
    BOARD_CPU_RESET,   /**< held in reset */
    BOARD_CPU_RUNNING,
    BOARD_CPU_SLEEPING, /**< WFI or WFE */
    BOARD_CPU_LOCKUP,   /**< locked up after a double fault; only a reset helps */
    BOARD_CPU_ROM       /**< BOOT0 was high at reset: ST's factory bootloader */
};

/** Fill in the defaults. @param options receives them. */
void board_options_default(struct board_options *options);

/**
 * Create a board without power: call board_power to start it. NRST is released, BOOT0 is low.
 * @param options NULL for the defaults.
 * @return the board, or NULL; then board_create_error() has the reason.
 */
struct board *board_create(const struct board_options *options);

/** @return the reason of the last failed board_create of this thread, a sentence. */
const char *board_create_error(void);

/** Write the flash back to its file and free everything. @param b may be NULL. */
void board_destroy(struct board *b);

/**
 * Switch the supply. Off: RAM and backup registers are lost, a flash operation in progress is torn.
 * On: RAM is filled with noise made from the seed, the chip starts after its power-on delay (1.5 ms).
 */
void board_power(struct board *b, bool on);

#define BOARD_SUPPLY_MAX 4000u /* mV: the absolute maximum rating */

/**
 * Set the voltage of the supply (3300 mV at the start). Below 1.68 V it is as if the power were off, and above 1.72 V
 * on again (when it is switched on). Below the brown-out level of the option bytes the chip is held in reset, with its
 * RAM kept. PWR's voltage detector sees it. Flash operations need 2.7 V for x32 and 2.1 V for x16: below that they
 * leave some bits as they were, by the seed, without an error flag.
 * @param millivolt 0 to BOARD_SUPPLY_MAX. @return false when it is above.
 */
bool board_supply(struct board *b, uint32_t millivolt);
/** @return the voltage of the supply in mV, switched on or not. */
uint32_t board_supply_mv(const struct board *b);

/** Begin the generator of noise and torn operations anew, as board_create() does with its seed. */
void board_reseed(struct board *b, uint64_t seed);

/** Pull NRST low (true: the chip is held in reset) or let it go (false: it starts after 20 us). */
void board_nrst(struct board *b, bool low);

/** Level of BOOT0, sampled when the chip leaves reset. High, with BOOT1 (PB2) low: the factory bootloader runs. */
void board_boot0(struct board *b, bool high);

/** @return true while NRST is pulled low from outside. */
bool board_nrst_is_low(const struct board *b);
/** @return the level of BOOT0. */
bool board_boot0_is_high(const struct board *b);

/** Run for a virtual duration. Equal to board_run_until(b, ns, 0). @param ns nanoseconds. */
enum board_stop board_run(struct board *b, uint64_t ns);

/**
 * Run until one of the events in `on` happens, at most for a virtual duration.
 * @param ns nanoseconds, or BOARD_FOREVER (then an event must be certain to come: a board that has nothing
 *           left to do stops with BOARD_STOP_TIME).
 * @param on any of enum board_on, or-ed.
 */
enum board_stop board_run_until(struct board *b, uint64_t ns, unsigned on);

/**
 * Run until a UART has sent a text; it looks at the bytes that are in the read ring already, too, and consumes the
 * ring up to and including the text.
 * @param n UART number, 1 to 3. @param ns longest virtual duration.
 * @return true when the text came.
 */
bool board_run_until_text(struct board *b, unsigned n, const char *text, uint64_t ns);

/** End the present run at the next opportunity; meant for callbacks. */
void board_request_stop(struct board *b);

/** @return virtual time since board_create in nanoseconds. */
uint64_t board_now(const struct board *b);

/** @return virtual time at which something happens next while the CPU sleeps; BOARD_FOREVER when nothing will;
 *  board_now() while the CPU executes instructions. */
uint64_t board_next_event(const struct board *b);

/** @return what the CPU is doing. */
enum board_cpu_state board_cpu(const struct board *b);

/** @return the counters; valid until the next call for this board. */
const struct board_counters *board_counters(struct board *b);

/** Set all counters but instructions, virtual_ns and flash_operations to 0. */
void board_counters_reset(struct board *b);

/** @return a name for a rule ("clock-gated"), for messages. @param rule below BOARD_RULES. */
const char *board_rule_name(enum board_rule rule);

/** @return the sum of all rule counters. */
uint64_t board_rule_violations(const struct board *b);

/** @return the last remarkable thing that happened, a sentence ("" when nothing did). */
const char *board_message(const struct board *b);

/** Called with every remarkable event (rule violations, faults, resets); at most once per distinct event and place
 *  for rule violations. @param log NULL switches it off. */
void board_on_log(struct board *b, void (*log)(void *context, uint64_t ns, const char *text), void *context);

/* ------------------------------------------------------------------------------------------------ serial ports */

/**
 * Send bytes to the chip. They reach it one after the other at the baud rate (the host's when it is set, else
 * the chip's); bytes that arrive while the receiver is off are lost, as on a wire.
 * @param n UART number, 1 to 3. @return bytes accepted (the queue holds at most 16 MiB).
 */
size_t board_uart_write(struct board *b, unsigned n, const void *bytes, size_t len);

/** @return bytes given to board_uart_write that have not reached the chip yet. */
size_t board_uart_pending(const struct board *b, unsigned n);

/** Forget the bytes that have not reached the chip yet. */
void board_uart_flush(struct board *b, unsigned n);

/** Take bytes that the chip has sent. @param n UART number. @return number of bytes copied. */
size_t board_uart_read(struct board *b, unsigned n, void *bytes, size_t len);

/** Deliver the chip's bytes to a function instead of the read ring. @param f NULL: back to the ring. */
void board_on_uart(struct board *b, unsigned n, void (*f)(void *context, unsigned n, uint8_t byte), void *context);

/**
 * Baud rate of the other end. Bytes are then paced by it, and a chip that differs by more than 3 % receives and
 * sends garbage. @param baud bit/s; 0 (the default): the other end always fits.
 */
void board_uart_baud(struct board *b, unsigned n, uint32_t baud);

/** Frames of the other end of a serial line. */
enum board_uart_format {
    BOARD_UART_FITS = 0, /**< always the chip's */
    BOARD_UART_8N1,
    BOARD_UART_8E1, /**< 9 bits behind the start bit: the chip needs M and PCE */
    BOARD_UART_8O1
};

/**
 * Set the frame format of the other end (default: it always fits). When the chip's differs, it sees framing or parity
 * errors where the bits say so, and what it sends arrives garbled where the other end would see one.
 * @return false when n or format is out of range.
 */
bool board_uart_format(struct board *b, unsigned n, enum board_uart_format format);

/** Errors for board_uart_error. */
enum board_uart_error {
    BOARD_UART_PARITY = 1u << 0,  /**< one bit arrives wrong: PE if the chip checks parity, else a wrong byte */
    BOARD_UART_FRAMING = 1u << 1, /**< no stop bit: FE */
    BOARD_UART_NOISE = 1u << 2,   /**< NE; the byte is right */
    BOARD_UART_OVERRUN = 1u << 3  /**< ORE; the byte is lost, as if the one before had not been read yet */
};

/**
 * Let bytes arrive with errors. A new call replaces the last one.
 * @param errors any of enum board_uart_error, or-ed. @param skip bytes that arrive well before the first.
 * @param count bytes that arrive with the errors; 0 takes it back. @return false when n or errors is out of range.
 */
bool board_uart_error(struct board *b, unsigned n, unsigned errors, uint32_t skip, uint32_t count);

/** Pull the cable (false) or plug it in (true, the default). Bytes on an open cable are lost. */
void board_uart_connect(struct board *b, unsigned n, bool connected);

/* --------------------------------------------------------------------------------------------------------- SPI */

/** How the master outside clocks. The wires: SPI1 on PA4 (NSS) to PA7 (MOSI), SPI2 on PB12 to PB15; MSB first. */
struct board_spi_options {
    uint32_t hz;        /**< clock, 1000 to 100000000; 0 means 1 MHz. Above half the bus clock the slave gets garbage */
    uint8_t mode;       /**< 0 to 3: CPOL << 1 | CPHA */
    uint32_t gap_ns;    /**< pause between two bytes (two in a frame of 16 bits have none) */
    uint32_t lead_ns;   /**< from NSS low to the first edge; 0 means one bit time */
    bool keep_selected; /**< NSS stays low at the end */
};

/**
 * Begin a transfer: NSS goes low at once, the bytes follow as the board runs, NSS goes high half a bit time behind
 * the last (unless keep_selected). A length of 0 only moves NSS: low with keep_selected, else high.
 * NSS floats until the first call for this SPI.
 * @param n SPI number, 1 or 2. @param out bytes to the chip; NULL sends zeros. @param len at most BOARD_SPI_MAX.
 * @param options NULL: 1 MHz, mode 0, no gap.
 * @return false when a transfer is under way already or a parameter is out of range.
 */
bool board_spi_start(struct board *b, unsigned n, const void *out, size_t len, const struct board_spi_options *options);

/** @return true until the transfer is over, NSS included. */
bool board_spi_busy(const struct board *b, unsigned n);

/** Take what the chip has sent in the present or the last transfer; what nobody drives reads 0xFF.
 *  @return number of bytes copied. */
size_t board_spi_read(struct board *b, unsigned n, void *in, size_t len);

/**
 * A whole transfer: board_spi_start, run until it is over, board_spi_read. The board runs on when its power is cut in
 * the middle, as a master would go on; it ends early only when a callback asked for a stop.
 * @param in receives what the chip sent; may be NULL. @return bytes that were clocked; 0 when it could not begin.
 */
size_t board_spi_transfer(struct board *b, unsigned n, const void *out, void *in, size_t len,
                          const struct board_spi_options *options);

/* ------------------------------------------------------------------------------------------- factory bootloader */

/** @return what the factory bootloader is at: "off", "starting", "listening", or the interface that it serves until the
 *  next reset: "USART1", "USART3", "SPI1", "SPI2". */
const char *board_rom_interface(const struct board *b);

/**
 * Let the factory bootloader say NACK where it would say ACK, and drop the command. A new call replaces the last one.
 * @param skip ACKs that are given before. @param count NACKs; 0 takes it back.
 */
void board_rom_nack(struct board *b, uint32_t skip, uint32_t count);

/** Let the factory bootloader hang: true and it neither hears nor says anything, until false. Resets do not help. */
void board_rom_mute(struct board *b, bool mute);

/**
 * Let the factory bootloader measure the baud rate wrongly, as real ones do now and then. Seen by an other end whose
 * rate is set (board_uart_baud); beyond 3 % both hear garbage.
 * @param per_mille -500 to 500. @param count measurements; 0 takes it back. @return false when out of range.
 */
bool board_rom_baud_error(struct board *b, int per_mille, uint32_t count);

/** Let Extended Erase be acknowledged before the erase has ended, as some parts do; until then it hears nothing. */
void board_rom_early_ack(struct board *b, bool early);

/* ------------------------------------------------------------------------------------------------------- flash */

/** @return the 1 MiB of flash as it is now, for reading only. */
const uint8_t *board_flash(const struct board *b);

/**
 * Put bytes into the flash as a programmer would, in no time.
 * @param address 0x08000000 to 0x080FFFFF. @return false when the range lies outside, or with RDP level 1.
 */
bool board_flash_load(struct board *b, uint32_t address, const void *bytes, size_t len);

/** Set the whole flash to 0xFF, in no time. */
void board_flash_erase(struct board *b);

/** Read memory as the CPU would, without side effects: flash, alias at 0, SRAM, CCM, system memory; not
 *  peripherals. @return false when the range is not memory. */
bool board_read(const struct board *b, uint32_t address, void *bytes, size_t len);

/** The same for a debugger: with RDP level 1 neither flash nor backup SRAM can be read. Backup SRAM: 0x40024000. */
bool board_debug_read(const struct board *b, uint32_t address, void *bytes, size_t len);
/** @return true at RDP level 1. */
bool board_read_protected(const struct board *b);

/** Write SRAM or CCM. @return false when the range lies outside. */
bool board_write(struct board *b, uint32_t address, const void *bytes, size_t len);

/** Option bytes as FLASH_OPTCR shows them (reset value 0x0FFFAAED). Kept in the flash file. */
uint32_t board_option_bytes(const struct board *b);
/**
 * Set them as a programmer would; takes effect at the next reset. From RDP level 1 to 0 erases the flash.
 * @param optcr bits 27:16 and 15:2. @return false for RDP level 2, which is refused.
 */
bool board_option_bytes_set(struct board *b, uint32_t optcr);

/**
 * Cut the power at a flash operation (a sector erase, a mass erase, one program access).
 * @param operation 1 is the next one; 0 takes an armed cut back.
 * @param seed chooses the bits that a torn operation has changed.
 */
void board_cut(struct board *b, uint64_t operation, enum board_cut_phase phase, uint64_t seed);

/* -------------------------------------------------------------------------------------------- fork in passing */

/** A flash operation: a sector or mass erase, or one program access. */
struct board_flash_work {
    uint64_t number; /**< 1 is the first since board_create */
    uint64_t ns;     /**< virtual time at which it began */
    uint32_t address, length;
    uint32_t value; /**< programmed, `length` bytes of it */
    bool erase;
};

/** Called as each flash operation begins, before it has an effect. @param f NULL switches it off. */
void board_on_flash(struct board *b, void (*f)(void *context, const struct board_flash_work *work), void *context);

/**
 * Do to the flash what an operation (of any board) does, in no time. With board_on_flash() and board_flash_copy() this
 * cuts the supply of a board at every operation without stopping it: another one lives on from there.
 * @param torn the supply went in the middle of it: what came of it is chosen by `seed`, the same as with board_cut().
 *        With an option weak other than NONE, of a program: any subset of the bits, or bits that stay unsure; of an
 * erase: any mixture, all ones that do not hold, all zeros, hardly anything. Without: some bits changed.
 * @return false when the range lies outside of the flash, or the board has power.
 */
bool board_flash_replay(struct board *b, const struct board_flash_work *work, bool torn, uint64_t seed);

/** Make a board's flash like another one's, unsure bits included. @return false when `to` has power. */
bool board_flash_copy(struct board *to, struct board *from);

/** @return true when the range reads as `data`, or may do so: unsure bits are taken as they suit. */
bool board_flash_may_be(struct board *b, uint32_t address, const void *data, uint32_t len);

/** @return true when bits in the range read differently from one read to the next. */
bool board_flash_unsure(const struct board *b, uint32_t address, uint32_t len);

/* ------------------------------------------------------------------------------------- registers, pins, watches */

/** Core registers for board_register. */
enum board_register {
    BOARD_R0 = 0, /* R0 + n is Rn up to R12 */
    BOARD_SP = 13,
    BOARD_LR = 14,
    BOARD_PC = 15,
    BOARD_XPSR,
    BOARD_MSP,
    BOARD_PSP,
    BOARD_PRIMASK,
    BOARD_CONTROL
};

/** @return a core register as it is between two instructions. */
uint32_t board_register(struct board *b, enum board_register r);

/** Read a peripheral's or the core's register (32 bit) without side effects on the counters. Reading some
 *  registers has side effects on the chip (USART_DR). */
uint32_t board_peek(struct board *b, uint32_t address);

/**
 * A flag that never comes: bits of a peripheral's register that the CPU reads with a value of the caller's, whatever
 * the hardware does. The hardware itself goes on. @param mask bits of the word at `address`; 0 takes it back.
 * @return false when BOARD_STUCK words are stuck already.
 */
bool board_stick(struct board *b, uint32_t address, uint32_t mask, uint32_t value);
#define BOARD_STUCK 4u

/** Drive an input pin. @param port 'A' to 'I'. @param pin 0 to 15. @param level 0, 1, or -1 to let it float. */
void board_pin_set(struct board *b, char port, unsigned pin, int level);
/** @return the level of a pin, driven by the chip or from outside; floating pins follow their pull, else 0. */
int board_pin_get(const struct board *b, char port, unsigned pin);

/**
 * Watch the execution of a range of code: the first time an instruction in it begins after a reset is kept, and
 * BOARD_ON_ADDRESS stops there (before the instruction executes).
 * @param first,last addresses of the first and the last instruction; equal for a single one. In BLOCK mode a
 *        range is noticed at block boundaries, a single address exactly.
 * @return a number from 0 to 15, or -1 when all 16 are used.
 */
int board_watch(struct board *b, uint32_t first, uint32_t last);
/** Forget a watch. */
void board_unwatch(struct board *b, int watch);
/** @param ns receives the virtual time of the first hit since the last reset. @return false when there was none. */
bool board_watch_hit(const struct board *b, int watch, uint64_t *ns);
/**
 * Trap what an application reads of a range of the flash, or executes in it; the bootloader in sector 0 may.
 * @param first,last addresses; the same range again from nought forgets what was counted. At most one range.
 * @return false when Unicorn refuses. */
bool board_trap(struct board *b, uint32_t first, uint32_t last);
/** No trap any more. */
void board_untrap(struct board *b);
/** @param pc receives where the first one was, if not NULL. @return how often it happened. */
uint64_t board_trapped(const struct board *b, uint32_t *pc);

/** @return the virtual time at which the chip last left reset (its first instruction fetch). */
uint64_t board_reset_time(const struct board *b);

/** Set R0 to R12, SP, LR or PC between two instructions, from an answer. */
void board_register_set(struct board *b, enum board_register r, uint32_t value);

/**
 * A function of the firmware that the host answers, because it takes too long here: called before the instruction at
 * `address` executes, with the arguments in the registers. It may read and write memory and set R0.
 * @return the instructions that the firmware's own code would have taken: that time passes, and the function returns
 *         to LR. 0: the code itself is executed.
 */
typedef uint64_t board_answer(void *context, struct board *b);
/** Let the host answer for the function at an address. Takes one of the 16 watches.
 *  @return its number for board_unwatch(), -1 when there is none. */
int board_on_call(struct board *b, uint32_t address, board_answer *answer, void *context);

/** Called before every block (or instruction, in CODE mode) that is executed; the rounds of a polling loop that are
 *  skipped are not. Slow. @param f NULL switches it off. */
void board_on_trace(struct board *b, void (*f)(void *context, uint32_t pc, uint32_t size), void *context);

/**
 * Make a stopped board as another stopped one is: it goes on as that one would. The mode of execution, watches, answers
 * and callbacks stay its own. Not in the middle of an IT block, of which Unicorn tells nothing; an exclusive access is
 * forgotten.
 * @return false when one of them runs, or a fault is about to be taken.
 */
bool board_copy(struct board *to, struct board *from);

/**
 * Go on by a block, or the few up to the one that holds the instruction at an address in flash; it does nothing this
 * time, as after a glitch on the supply. In BLOCK mode.
 * @param address of the next instruction, or of one that comes soon: so one inside an IT block is left out.
 * @return false when it was not come to within 5 s, the longest that an erase may hold it back.
 */
bool board_skip_instruction(struct board *b, uint32_t address);

/** @return a 64-bit hash over everything that can influence the future: memories, registers, peripherals, time. */
uint64_t board_hash(struct board *b);

#endif
