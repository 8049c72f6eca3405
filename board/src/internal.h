/* SPDX-License-Identifier: MIT */
/**
 * @file internal.h
 * What the parts of the board share. `struct chip` is everything that makes up the chip's state apart from the
 * memories and the CPU's registers: plain data without pointers, so that it can be hashed and copied.
 */
#ifndef FOTA_BOARD_INTERNAL_H
#define FOTA_BOARD_INTERNAL_H

#include "board.h"
#include "fota/map.h"
#include "fota/strom.h"

#include <string.h>
#include <unicorn/unicorn.h>

_Static_assert(BOARD_SECTORS == FOTA_SECTOR_COUNT, "the geometry stands in fota/map.h");

#define PS_PER_NS 1000u
#define PS_PER_US 1000000u
#define PS_PER_MS 1000000000u
#define PS_PER_S 1000000000000u
#define NEVER UINT64_MAX

#define SYSMEM_BASE 0x1FFF0000u
#define SYSMEM_SIZE 0x10000u /* with OTP, unique id and, at 0x1FFFC000, the option bytes */
#define OTP_BASE 0x1FFF7800u
#define OTP_LOCKS 512u /* offset of the 16 lock bytes, one for 32 bytes each */
#define OTP_SIZE 528u
#define HIDDEN_CODE 0x1FFF6F00u     /* clrex; wfi: see cpu.c */
#define NO_STOP_ADDRESS 0x1FFF6F80u /* Unicorn wants an address to stop at: one that is never executed */

enum { IRQ_FLASH = 4, IRQ_RCC = 5, IRQ_USART1 = 37 };
enum {
    EXC_NMI = 2,
    EXC_HARD = 3,
    EXC_MEM = 4,
    EXC_BUS = 5,
    EXC_USAGE = 6,
    EXC_SVC = 11,
    EXC_DEBUG = 12,
    EXC_PENDSV = 14,
    EXC_SYSTICK = 15,
    EXC_IRQ0 = 16,
    EXC_COUNT = 16 + 82
};

/** Events, in the order in which those that are due at the same moment happen. */
enum event {
    EV_POWER_UP, /* end of the power-on or reset delay */
    EV_CUT,
    EV_FLASH,
    EV_HSI,
    EV_HSE,
    EV_PLL,
    EV_LSI,
    EV_LSE,
    EV_RX1,
    EV_RX2,
    EV_RX3,
    EV_TX1,
    EV_TX2,
    EV_TX3,
    EV_SYSTICK,
    EV_IWDG,
    EV_IWDG_SYNC,
    EV_OPTIONS,
    EV_ROM, /* before the SPIs: it gives them what they send next */
    EV_SPI1,
    EV_SPI2,
    EV_COUNT
};

struct nvic {
    uint32_t enabled[4], pending[4], active[4], line[4]; /* one bit per exception number */
    uint8_t priority[128];
    uint32_t vtor, aircr, scr, ccr, shcsr, cfsr, hfsr, mmfar, bfar, afsr, cpacr, fpccr, fpcar, fpdscr, demcr;
    uint32_t dwt_ctrl, dwt_base;
    uint32_t mpu_ctrl, mpu_rnr, mpu_region[8][2]; /* RBAR without VALID and REGION, RASR */
    uint8_t event_register;
};

struct systick {
    uint32_t ctrl, load;
    uint32_t value;  /* counter at `base` */
    uint64_t base;   /* virtual time in ps */
    uint64_t period; /* ps per tick in 1/2^16, 0 while off */
};

enum flash_op { FLASH_IDLE = 0, FLASH_PROGRAM, FLASH_ERASE, FLASH_MASS, FLASH_OPTIONS };
struct flash {
    uint32_t acr, sr, cr, optcr;
    uint32_t options; /* in force: BOR and user options since the last reset, RDP and WRP since they were programmed */
    uint8_t key_state, locked_out, opt_key_state, opt_locked_out;
    uint8_t op;          /* enum flash_op under way */
    uint8_t width;       /* program: bytes */
    uint8_t sector;      /* BOARD_SECTORS: one-time programmable area */
    uint8_t weak;        /* the supply was too low for PSIZE at some time of the operation */
    uint8_t cache_stale; /* erased with a cache on that was not flushed since */
    uint32_t address, value;
    uint64_t started, done;
};

struct rcc {
    uint32_t regs[0x90 / 4];
    uint32_t sysclk, hclk, apb1, apb2; /* Hz */
    uint32_t pwr_cr, pwr_csr;
};

struct gpio {
    uint32_t regs[10];      /* MODER OTYPER OSPEEDR PUPDR IDR(unused) ODR BSRR(unused) LCKR AFRL AFRH */
    uint16_t driven, level; /* from outside */
};

struct uart {
    uint32_t sr, brr, cr1, cr2, cr3, gtpr;
    uint32_t seen; /* error flags and TC that a read of SR has shown */
    uint16_t rdr, tdr, tsr;
    uint8_t tdr_full, tsr_busy, heard;
    uint8_t connected;
    uint8_t format, errors; /* of the other end: enum board_uart_format, enum board_uart_error to come */
    uint32_t error_skip, error_count;
    uint32_t host_baud;
    uint64_t rx_free; /* end of the last byte on the receive line */
    uint8_t rx_idle_wait;
};

struct spi {
    uint32_t cr1, cr2, sr, crcpr, i2scfgr, i2spr;
    uint16_t rdr, tdr, shift;
    uint8_t dr_read;   /* DR was read with OVR set: the next read of SR clears it */
    uint8_t modf_seen; /* SR was read with MODF set: the next write to CR1 clears it */
    uint8_t in_frame;  /* selected when the frame began */
    uint8_t bytes;     /* in this frame */
    uint8_t skewed;    /* deselected within a byte: bits are out of step */
    /* the master outside */
    uint8_t mode, phase, keep;
    uint32_t hz;
    uint64_t frame, gap; /* ps: eight bits, and the pause behind them */
};

struct stream {
    uint32_t cr, ndtr, par, m0ar, m1ar, fcr;
    uint32_t reload, periph, mem; /* working copies */
    uint32_t done;
};
struct dma {
    uint32_t isr[2];
    struct stream stream[8];
};

struct iwdg {
    uint32_t pr, rlr, sr;
    uint8_t unlocked, running, armed_pr;
    uint32_t new_pr, new_rlr;
};

/** ST's factory bootloader: see rom.h. */
struct rom {
    uint8_t phase, via, then, job; /* enum rom_phase, rom_via, rom_then, rom_job */
    uint8_t command, step;         /* index in the table of commands, number of the packet */
    uint8_t code, times;           /* the answer: ACK or NACK, and how often it is still to be sent */
    uint8_t turn;                  /* SPI: of the answer's procedure */
    uint8_t sum, bad;              /* exclusive or of the packet's bytes; one of them came with an error */
    uint8_t psize;                 /* as in FLASH_CR */
    uint8_t resets;                /* the chip is reset when the job is done */
    uint32_t have, need;           /* bytes of the packet */
    uint32_t address, len, at;     /* of a transfer or a job */
    uint32_t optcr;                /* option bytes to program */
    uint8_t in[600], out[FOTA_ST_BLOCK];
    /* trouble that a test asks for; survives resets */
    uint32_t nack_skip, nack_count;
    uint8_t mute, early_ack;
    int32_t baud_error; /* per mille */
    uint32_t baud_errors;
};

struct chip {
    /* time: ps = t0 + frac + (icount - i0) * per_insn, the latter two in 1/2^16 ps */
    uint64_t icount, i0, t0, frac, per_insn;
    double cpi;    /* cycles an instruction costs now, see board_time_rate() */
    double cycles; /* that passed in instructions up to cycles_icount, for DWT_CYCCNT */
    uint64_t cycles_icount;
    uint64_t due[EV_COUNT];
    uint8_t powered, nrst_low, boot0, cpu; /* cpu: enum board_cpu_state */
    uint8_t reset_request;                 /* 0 or 1 + enum board_reset */
    uint8_t power_lost;
    uint8_t switched_on; /* by board_power; `powered` needs the supply as well */
    uint8_t brown_out;   /* held in reset by the brown-out reset */
    uint16_t supply_mv;
    uint8_t wait_event;             /* sleeping in WFE, not WFI */
    uint8_t invstate;               /* the next instruction would execute with T = 0 */
    uint32_t stuck[BOARD_STUCK][3]; /* board_stick(): address, mask, value */
    uint32_t csr_flags;             /* reset cause for RCC_CSR at the end of a reset */
    uint64_t reset_time;
    uint64_t random;     /* state of the noise generator */
    uint64_t operations; /* flash operations begun */
    uint64_t cut_at;     /* 0: none; else the operation number in `operations` */
    uint64_t cut_seed;
    uint8_t cut_phase;
    struct nvic nvic;
    struct systick systick;
    struct flash flash;
    struct rcc rcc;
    struct gpio gpio[9];
    struct uart uart[BOARD_UARTS];
    struct spi spi[BOARD_SPIS];
    struct dma dma[2];
    struct iwdg iwdg;
    struct rom rom;
    uint32_t backup[20], bkpsram[1024];
    uint32_t crc, crc_idr;
    uint32_t syscfg[9], exti[6], exti_level;
    uint32_t rtc[20];
    uint32_t rng_cr;
};

struct bytes { /* growing ring */
    uint8_t *data;
    size_t size, head, count;
};

struct watch {
    uint32_t first, last;
    uc_hook hook;
    bool used, exact, hit;
    uint64_t ps;
    board_answer *answer; /* the host may answer instead of the code there; NULL: a plain watch */
    void *ctx;
};

/** What board_trap() counts. */
struct trap {
    uc_hook read, code;
    bool set;
    uint32_t pc; /* of the first */
    uint64_t hits;
};

/** Cells that read differently from one read to the next: see weak.c. */
#define WEAK_WORDS 32u
struct weak {
    struct {
        uint32_t address; /* of a word; 0: free */
        uint32_t unsure;  /* bits */
        uint32_t mode;
    } word[WEAK_WORDS];
    uint32_t often[BOARD_SECTORS]; /* one of so many reads of a word of the sector goes wrong; 0: none */
    uint32_t strayed, strays_from; /* address of the word that reads wrong now (0: none), and what it holds */
    uint64_t random;
    uint64_t next; /* instruction count at which the words change, with BOARD_WEAK_NOW_AND_THEN */
    bool any;
};

struct block_info {
    uint32_t pc;
    uint16_t size;
    uint8_t flags;
    uint8_t traits; /* TRAIT_ */
    uint16_t count;
};
enum { BLOCK_FP = 1, BLOCK_SEV = 2, BLOCK_MASKS = 4, BLOCK_CHECK = 8, BLOCK_NEVER = 16 };
#define BLOCK_CACHE 16384u

enum { TRAIT_STORE = 1, TRAIT_UNSAFE = 2 };

#define SKIP_REGISTERS 16u
struct skip {    /* see skip.c */
    uint64_t at; /* instruction count of the next attempt */
    uint64_t pause, icount;
    uint32_t pc, left; /* left: blocks until the attempt is given up, 0: none under way */
    uint32_t registers[SKIP_REGISTERS];
    uint8_t *ram;
    bool with_ram, want_ram;
};

struct region {
    struct board *board;
    uint32_t base;
};
#define CODE_PAGE 1024u /* Unicorn's page size for a Cortex-M */
#define MAX_REGIONS 12u
#define UNIT_PAGES (0x28000u / 0x400u)

struct board {
    struct chip s;
    struct board_counters counters;
    struct board_options options;

    /* CPU */
    uc_engine *uc;
    void *unicorn_cpu; /* Unicorn's own CPU, see unicorn_fast.c */
    struct trap trap;
    uc_hook hook_block, hook_intr, hook_unmapped, hook_protected, hook_read[2];
    struct region region[MAX_REGIONS];
    struct block_info *blocks;
    uint64_t icount_event; /* instruction count at which something is due */
    uint64_t icount_slow;  /* the same, or an earlier one at which a polling loop is looked for */
    uint32_t block_pc, block_size;
    bool attention;      /* a reason to take the slow path in the next hook */
    uint8_t traits;      /* of the blocks since the last look */
    bool hook_stop;      /* the last hook asked Unicorn to stop before the block */
    uint32_t stop_pc;    /* there */
    bool in_run;         /* inside board_run_until */
    bool hidden;         /* the hidden code runs */
    bool masked;         /* PRIMASK and its like hold the candidate back */
    bool recheck;        /* the last block may have changed them */
    bool irq_candidate;  /* an exception is pending that may preempt if the masks allow */
    bool fp_trap;        /* the next block has a floating point instruction that CPACR forbids */
    bool never;          /* the next block must not be executed, says the MPU */
    bool bus_fault_late; /* a peripheral access was answered with an error: imprecise BusFault */
    bool code_changed;   /* flash pages that were executed have changed: leave the block and translate anew */
    bool dma_busy, dma_again;
    bool resume_valid, address_hit;
    struct watch *asked; /* its answer is wanted before the instruction executes */
    bool fault_hit;      /* Unicorn reported an access to nothing: the next three */
    int fault_type;      /* uc_mem_type */
    uint32_t fault_address;
    uint32_t usage_fault;   /* CFSR bits (16 and up, shifted down) of the fault that the next instruction causes */
    int intr;               /* interrupt number from Unicorn, -1 none */
    uint32_t resume_pc;     /* the watch at this address was reported already */
    uint32_t split_address; /* an unaligned store to flash that Unicorn repeats in bytes */
    unsigned split_bytes;
    unsigned regions;
    struct skip skip;
    uint8_t unit_at[UNIT_PAGES]; /* index + 1 into the table of bus.c */

    /* memories */
    uint8_t *flash, *flash_alias; /* two host mappings of the same pages */
    uint8_t *sram, *ccm, *sysmem;
    size_t flash_len;
    struct weak weak;
    uint8_t flash_code[FOTA_FLASH_SIZE / CODE_PAGE];               /* pages of flash that were executed */
    uint8_t ram_code[(FOTA_RAM_SIZE + FOTA_CCM_SIZE) / CODE_PAGE]; /* pages of RAM that were executed */
    int flash_fd;

    /* the present run */
    unsigned on;
    uint64_t deadline; /* ps */
    bool uart_event, reset_event, lockup_event, sleep_event, stop_request;
    unsigned range_watches, rule_seen_count;

    /* outside */
    struct bytes to_chip[BOARD_UARTS], from_chip[BOARD_UARTS];
    struct bytes to_spi[BOARD_SPIS], from_spi[BOARD_SPIS];
    void (*uart_cb[BOARD_UARTS])(void *, unsigned, uint8_t);
    void *uart_ctx[BOARD_UARTS];
    void (*log)(void *, uint64_t, const char *);
    void *log_ctx;
    void (*flash_cb)(void *, const struct board_flash_work *);
    void *flash_ctx;
    void (*trace)(void *, uint32_t, uint32_t);
    void *trace_ctx;
    char message[160];
    uint32_t rule_seen[64]; /* places already reported */
    struct watch watch[16];
};

/* timebase.c */
uint64_t board_time(const struct board *b); /* ps */
void board_time_set(struct board *b, uint64_t ps);
/** Cycles of the CPU in instructions so far, modulo 2^32. */
uint32_t board_cycles(const struct board *b);
void board_time_rate(struct board *b); /* after a change of HCLK */
void board_time_horizon(struct board *b);
void board_schedule(struct board *b, enum event e, uint64_t ps);
void board_cancel(struct board *b, enum event e);
uint64_t board_next_due(const struct board *b);      /* the end of the present run included */
uint64_t board_next_due_chip(const struct board *b); /* events of the chip only */
void board_run_events(struct board *b);
void board_skip_to(struct board *b, uint64_t ps); /* time passes without instructions; events on the way happen */

/* board.c */
void board_say(struct board *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void board_log_event(struct board *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void board_rule(struct board *b, enum board_rule rule, uint32_t where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void board_reset_assert(struct board *b, enum board_reset cause);
void board_reset_end(struct board *b);
void board_lose_power(struct board *b);
void board_reset_peripherals(struct board *b, bool power);
void board_fill_with_noise(struct board *b); /* the memories, at power-on */
void board_noise_in_ram(struct board *b, uint32_t len);
uint64_t board_random(uint64_t *state);

/* power.c */
void board_power_down(struct board *b);
bool board_brown_out(struct board *b); /* take the level over; true: the supply is below it */
uint32_t board_bkpsram_read(struct board *b, unsigned unit, uint32_t offset);
void board_bkpsram_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);

/* store.c */
uint8_t *board_store_otp(const struct board *b); /* where the one-time programmable area is kept */
bool board_store_open(struct board *b, const char *path);
void board_store_close(struct board *b);
void board_store_options(struct board *b, uint32_t optcr);
uint32_t board_store_get_options(const struct board *b);
bool bytes_push(struct bytes *q, uint8_t byte);
int bytes_pop(struct bytes *q);
void bytes_free(struct bytes *q);

/* cpu.c */
bool board_cpu_create(struct board *b);
void board_cpu_destroy(struct board *b);
void board_cpu_reset(struct board *b);
void board_cpu_start(struct board *b, uint32_t sp, uint32_t entry); /* everything else as after a reset */
void board_clear_exclusive(struct board *b);
enum board_stop board_cpu_loop(struct board *b);
bool board_cpu_stalled(const struct board *b); /* waiting for the flash */
uint32_t board_reg(struct board *b, int uc_reg);
void board_reg_set(struct board *b, int uc_reg, uint32_t value);
void board_code_changed(struct board *b, uint32_t address, uint32_t len);
void board_ram_changed(struct board *b, uint32_t address, uint32_t len);
uint32_t board_fetch16(const struct board *b, uint32_t address);

/* hooks.c */
uc_err board_hooks_add(struct board *b);
bool board_in_flash(uint32_t address); /* or in its alias at 0 */
bool board_fp_enabled(const struct board *b);

/* skip.c */
void board_skip_reset(struct board *b);
void board_skip_probe(struct board *b, uint32_t pc);

/* unicorn_fast.c; unicorn_plain.c for other versions of Unicorn */
void board_fast_init(void);
void board_fast_enter(struct board *b); /* the board that Unicorn runs in this thread, NULL behind it */
void board_fast_code_page(struct board *b, uint32_t address); /* code was executed in a RAM page for the first time */
uint8_t *board_ram_page(struct board *b, uint32_t address);   /* its mark in ram_code, NULL outside RAM */

/* decode.c */
unsigned board_decode_block(const struct board *b, uint32_t pc, uint32_t size, uint8_t *flags, uint8_t *traits);
unsigned board_insn_size(uint32_t first_halfword);
/** What Unicorn does not fault on. @return UNALIGNED or DIVBYZERO of the UFSR, 0 for neither. */
uint32_t board_check_insn(struct board *b, uint32_t pc);
bool board_insn_is_fp(uint32_t hw1, uint32_t hw2);
bool board_locate_access(struct board *b, uint32_t pc, uint32_t size, uint32_t address, bool store, uint32_t *where);

/* exception.c */
bool board_take_pending(struct board *b);
void board_fault(struct board *b, int exception, uint32_t cfsr, uint32_t pc);
void board_hard_fault(struct board *b, uint32_t hfsr, uint32_t pc);
void board_svc(struct board *b, uint32_t pc);
void board_exception_return(struct board *b, uint32_t exc_return);
void board_core_set(struct board *b, uint32_t ipsr, uint32_t control, uint32_t msp, uint32_t psp);
void board_lockup(struct board *b, const char *why);
bool board_would_wake(struct board *b);
bool board_preempts(struct board *b);

/* nvic.c */
void board_nvic_reset(struct board *b);
void board_irq_line(struct board *b, unsigned irq, bool level);
void board_pend(struct board *b, unsigned exception);
void board_nvic_update(struct board *b);
int board_nvic_best(const struct board *b, int *group_priority);
int board_group(const struct board *b, int priority);
int board_exception_priority(const struct board *b, unsigned exception);
int board_active_priority(const struct board *b);
uint32_t board_scs_read(struct board *b, uint32_t offset);
void board_scs_write(struct board *b, uint32_t offset, uint32_t value, uint32_t mask);
/** mpu.c. @return whether the MPU forbids to execute there. */
bool board_execute_never(const struct board *b, uint32_t address);
uint32_t board_mpu_read(const struct board *b, uint32_t offset);
void board_mpu_write(struct board *b, uint32_t offset, uint32_t value);
void board_systick_event(struct board *b);
uint32_t board_dwt_read(struct board *b, uint32_t offset);
void board_dwt_write(struct board *b, uint32_t offset, uint32_t value);
void board_systick_stop(struct board *b);    /* before a clock change */
void board_systick_restart(struct board *b); /* after it */

/* bus.c */
uint32_t board_bus_read(struct board *b, uint32_t address, unsigned size, bool *ok);
void board_bus_write(struct board *b, uint32_t address, unsigned size, uint32_t value, bool *ok);
uint8_t *board_memory(const struct board *b, uint32_t address, uint32_t len, bool write);
bool board_bus_map(struct board *b);
void board_peripherals_reset(struct board *b);
void board_unit_reset(struct board *b, unsigned enable_register, uint32_t bits);

/* flash.c */
void board_flash_reset(struct board *b);
uint32_t board_flash_reg_read(struct board *b, unsigned unit, uint32_t offset);
void board_flash_reg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
void board_flash_store(struct board *b, uint32_t address, unsigned size, uint32_t value);
void board_flash_event(struct board *b);
void board_flash_tear(struct board *b, uint64_t seed);
void board_flash_wait(struct board *b); /* the bus stalls until the operation is done */
void board_options_event(struct board *b);
void board_flash_supply(struct board *b); /* after a change of the supply */

/* weak.c */
void board_weak_read(struct board *b, uint32_t address, uint32_t len); /* about to be read */
void board_weak_program(struct board *b, uint32_t address, uint32_t zeros);
void board_weak_forget(struct board *b, uint32_t first, uint32_t len);
void board_weak_word(struct board *b, uint32_t address, uint32_t unsure, uint32_t mode);
void board_weak_sector(struct board *b, unsigned sector, uint32_t often);
void board_weak_look(struct board *b); /* after any change */
void board_weak_roll(struct board *b);
void board_weak_calm(struct board *b); /* what strays reads right again, for the host */

/* tear.c */
uint8_t *board_flash_cells(const struct board *b, uint32_t address); /* of the flash or the OTP area */
void board_flash_same(struct board *to, struct board *from);         /* cells and unsure bits */
void board_flash_change(struct board *b, const struct board_flash_work *work, bool torn, uint64_t seed);

/* answer.c */
void board_answer_now(struct board *b);

/* rcc.c */
void board_rcc_reset(struct board *b, bool power);
uint32_t board_rcc_read(struct board *b, unsigned unit, uint32_t offset);
void board_rcc_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
uint32_t board_pwr_read(struct board *b, unsigned unit, uint32_t offset);
void board_pwr_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
void board_pwr_reset(struct board *b, unsigned unit);
void board_rcc_event(struct board *b, enum event e);
void board_rcc_clocks(struct board *b);
void board_lsi_on(struct board *b);
bool board_clock_enabled(const struct board *b, unsigned enable_register, uint32_t bit);

/* uart.c */
void board_uart_reset(struct board *b, unsigned unit);
uint32_t board_uart_reg_read(struct board *b, unsigned unit, uint32_t offset);
void board_uart_reg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
void board_uart_rx_event(struct board *b, unsigned unit);
void board_uart_tx_event(struct board *b, unsigned unit);
void board_uart_requests(struct board *b, unsigned unit); /* DMA requests that are asserted now */
void board_uart_rx_start(struct board *b, unsigned unit);

/* spi.c */
void board_spi_reset(struct board *b, unsigned unit);
uint32_t board_spi_reg_read(struct board *b, unsigned unit, uint32_t offset);
void board_spi_reg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
void board_spi_event(struct board *b, unsigned unit);
void board_spi_requests(struct board *b, unsigned unit);
void board_spi_pins(struct board *b); /* after a change of a pin: NSS may have fallen */

/* rom.c: what the CPU does while it is BOARD_CPU_ROM */
void board_rom_reset(struct board *b); /* with the peripherals */
void board_rom_enter(struct board *b);
void board_rom_event(struct board *b);
bool board_rom_poll(struct board *b); /* @return true when the CPU's loop has to look again */

/* rom_uart.c */
bool board_rom_listens(const struct board *b, unsigned unit); /* to the pin of a USART that is off */
void board_rom_hear(struct board *b, unsigned unit, uint8_t byte, bool good);

/* dma.c */
void board_dma_reset(struct board *b, unsigned unit);
uint32_t board_dma_read(struct board *b, unsigned unit, uint32_t offset);
void board_dma_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
bool board_dma_request(struct board *b, uint32_t data_register, bool to_memory);
void board_dma_kick(struct board *b);

/* misc.c */
#define UNIT(name)                                                                                                     \
    void board_##name##_reset(struct board *b, unsigned unit);                                                         \
    uint32_t board_##name##_read(struct board *b, unsigned unit, uint32_t offset);                                     \
    void board_##name##_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
UNIT(gpio)
UNIT(crc)
UNIT(syscfg)
UNIT(exti)
UNIT(rng)
#undef UNIT
void board_exti_sample(struct board *b); /* exti.c: after anything that may have changed a line's level */
uint32_t board_rtc_read(struct board *b, unsigned unit, uint32_t offset);
void board_rtc_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
uint32_t board_iwdg_read(struct board *b, unsigned unit, uint32_t offset);
void board_iwdg_write(struct board *b, unsigned unit, uint32_t offset, uint32_t value, uint32_t mask);
void board_iwdg_reset(struct board *b);
void board_iwdg_event(struct board *b);
void board_iwdg_sync(struct board *b);
/** @return true when a pin of the UART (1-based number, receive or transmit side) is switched to it. */
bool board_uart_routed(const struct board *b, unsigned n, bool rx);

static inline uint32_t merge(uint32_t old, uint32_t value, uint32_t mask)
{
    return (old & ~mask) | (value & mask);
}
static inline bool bit_get(const uint32_t *set, unsigned n)
{
    return (set[n / 32u] >> (n % 32u) & 1u) != 0;
}
static inline void bit_put(uint32_t *set, unsigned n, bool on)
{
    if (on)
        set[n / 32u] |= 1u << (n % 32u);
    else
        set[n / 32u] &= ~(1u << (n % 32u));
}
static inline uint32_t load32(const uint8_t *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}
static inline void store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) (v >> 16);
    p[3] = (uint8_t) (v >> 24);
}

#endif
