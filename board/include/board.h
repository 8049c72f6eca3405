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
#define BOARD_FOREVER UINT64_MAX /* as a duration: no limit */

/** Where emulation may stop: after every basic block (fast) or after every instruction (exact). */
enum board_mode { BOARD_MODE_BLOCK = 0, BOARD_MODE_CODE };

/** Flash erase and program times, from DS8626 table "Flash memory programming". */
enum board_flash_timing { BOARD_FLASH_TYPICAL = 0, BOARD_FLASH_MAX };

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
    bool no_shortcuts; /**< execute polling loops in full and every store the slow way; same states, for tests */
};

/** Causes of a reset, as RCC_CSR reports them. */
enum board_reset {
    BOARD_RESET_POWER = 0, /**< power-on */
    BOARD_RESET_PIN,       /**< NRST was pulled low from outside */
    BOARD_RESET_SOFTWARE,  /**< AIRCR.SYSRESETREQ */
    BOARD_RESET_IWDG,      /**< the independent watchdog */
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
    BOARD_RULE_BACKUP_LOCKED,     /**< backup register written while PWR_CR.DBP is 0 */
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
    BOARD_CPU_ROM       /**< BOOT0 was high at reset: system memory, whose code is not modelled; idles */
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

/** Pull NRST low (true: the chip is held in reset) or let it go (false: it starts after 20 us). */
void board_nrst(struct board *b, bool low);

/** Level of BOOT0, sampled when the chip leaves reset. */
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

/** Pull the cable (false) or plug it in (true, the default). Bytes on an open cable are lost. */
void board_uart_connect(struct board *b, unsigned n, bool connected);

/* ------------------------------------------------------------------------------------------------------- flash */

/** @return the 1 MiB of flash as it is now, for reading only. */
const uint8_t *board_flash(const struct board *b);

/**
 * Put bytes into the flash as a programmer would, in no time.
 * @param address 0x08000000 to 0x080FFFFF. @return false when the range lies outside.
 */
bool board_flash_load(struct board *b, uint32_t address, const void *bytes, size_t len);

/** Set the whole flash to 0xFF, in no time. */
void board_flash_erase(struct board *b);

/** Read memory as the CPU would, without side effects: flash, alias at 0, SRAM, CCM, system memory; not
 *  peripherals. @return false when the range is not memory. */
bool board_read(const struct board *b, uint32_t address, void *bytes, size_t len);

/** Write SRAM or CCM. @return false when the range lies outside. */
bool board_write(struct board *b, uint32_t address, const void *bytes, size_t len);

/** Option bytes as FLASH_OPTCR shows them (reset value 0x0FFFAAED). Kept in the flash file. */
uint32_t board_option_bytes(const struct board *b);
/** Set them as a programmer would; takes effect at the next reset. @param optcr bits 27:16 and 15:2. */
void board_option_bytes_set(struct board *b, uint32_t optcr);

/**
 * Cut the power at a flash operation (a sector erase, a mass erase, one program access).
 * @param operation 1 is the next one; 0 takes an armed cut back.
 * @param seed chooses the bits that a torn operation has changed.
 */
void board_cut(struct board *b, uint64_t operation, enum board_cut_phase phase, uint64_t seed);

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
/** @return the virtual time at which the chip last left reset (its first instruction fetch). */
uint64_t board_reset_time(const struct board *b);

/** Called before every block (or instruction, in CODE mode) that is executed; the rounds of a polling loop that are
 *  skipped are not. Slow. @param f NULL switches it off. */
void board_on_trace(struct board *b, void (*f)(void *context, uint32_t pc, uint32_t size), void *context);

/** @return a 64-bit hash over everything that can influence the future: memories, registers, peripherals, time. */
uint64_t board_hash(struct board *b);

#endif
