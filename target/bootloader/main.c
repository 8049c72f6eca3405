/* SPDX-License-Identifier: MIT */
/*
 * The bootloader: from reset to the application, or to the gateway.
 *
 *   journal  open, settle, maintain
 *   decide   which image, verified; a rejection is recorded at once
 *   listen   on UART and SPI: the receivers have collected by DMA since the start, so listening costs no boot time
 *   serve    when somebody asked for it, or when nothing boots; ends by itself when something boots and nobody talks
 *   jump     a trial is recorded before
 */
#include "bootloader.h"
#include "chip.h"
#include "fota/config.h"
#include "fota/server.h"
#include "stm32f407.h"

#include <string.h>

#define RING_SIZE FOTA_KIB(96)
#define PIECE FOTA_KIB(1)   /* room in the ring is given back in small steps */
#define EARLY_PIECES 4u     /* before the decision: what comes in the 0.3 s of the verification */
#define SERVE_PIECES 8u     /* a millisecond: more than comes in */
#define WINDOW FOTA_KIB(88) /* of image: frames add 3 %, and the gateway may ask for the status in between */
#define SPI_RING_SIZE FOTA_KIB(8)
#define SPI_WINDOW FOTA_KIB(4) /* a master that waits for a response fills the ring with zeros meanwhile */
#define IDLE_MS 10000u         /* in which no frame asked for us: boot, if something boots */
#define ANSWER_MS 10u          /* what an answer takes at 115 200: a peer that asks and asks uses our time up */
#define COMPLETE_MS 2000u      /* the same after an install that is complete */
#define DEFAULT_BAUD 115200u
#define DEFAULT_UART 3u

static uint8_t ring[RING_SIZE] __attribute__((section(".ring"), aligned(4)));

static uint8_t spi_ring[SPI_RING_SIZE] __attribute__((section(".ring"), aligned(4)));

enum { LINE_UART, LINE_SPI, LINES };

static struct {
    struct fota_config config;
    struct fota_journal journal;
    struct fota_decision decision;
    struct fota_installer installer;
    struct fota_server server[LINES];
    struct uart uart;
    struct spi spi;
    struct line *line[LINES]; /* NULL: does not listen */
    unsigned talking;         /* somebody talks on this line; LINES: nobody yet. Only one is served at a time */
    uint32_t new_baud;        /* asked for; in force when the answer is out. 0: none */
} boot;

/* --- why we are here -------------------------------------------------------------------------------------------- */

static enum fota_reset_cause reset_cause(uint32_t request)
{
    uint32_t csr = RCC->CSR;

    backup_write(BACKUP_CAUSE, csr);
    backup_write(BACKUP_REQUEST, BACKUP_NONE);
    RCC->CSR = csr | RCC_CSR_RMVF;
    if ((csr & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) != 0)
        return FOTA_RESET_WATCHDOG;
    return request == BACKUP_DEADLINE ? FOTA_RESET_DEADLINE
           : request == BACKUP_FAULT  ? FOTA_RESET_FAULT
                                      : FOTA_RESET_OTHER;
}

/* Without a valid block nothing is trusted and nothing boots, but the link answers and says so. */
static bool configure(void)
{
    struct fota_config *config = &boot.config;

    if (fota_config_decode((const uint8_t *) FOTA_CONFIG_BASE, config) == FOTA_OK)
        return true;
    memset(config, 0, sizeof *config);
    config->uart = DEFAULT_UART;
    config->baud = DEFAULT_BAUD;
    return false;
}

/* --- which image ------------------------------------------------------------------------------------------------ */

static int check_slot(void *ctx, unsigned slot, struct fota_slot_image *image)
{
    const struct fota_config *config = ctx;

    return fota_slot_check(&chip_flash, slot, &config->target, config->keys, config->key_count, image);
}

static const struct fota_slot_view view = {.ctx = &boot.config, .check = check_slot};

/* @param request what the application asked for: kept for the next boot where what follows from it cannot be recorded.
 */
static void decide(enum fota_reset_cause cause, uint32_t request)
{
    /* A journal that cannot be read or written is handled like none: nothing is tried that cannot be
     * recorded. */
    if (fota_journal_open(&boot.journal, &chip_flash) == FOTA_OK && fota_journal_settle(&boot.journal) == FOTA_OK)
        (void) fota_journal_maintain(&boot.journal);
    fota_boot_decide(&boot.journal.state, cause, boot.config.target.floor, &view, &boot.decision);
    if (fota_boot_record_reject(&boot.journal, &boot.decision) != FOTA_OK)
        backup_write(BACKUP_REQUEST, request);
}

_Noreturn static void start_application(void)
{
    struct fota_decision *d = &boot.decision;

    if (boot.talking < LINES)
        line_flush(boot.line[boot.talking]); /* an answer may be on its way */
    if (fota_boot_record_attempt(&boot.journal, d) != FOTA_OK) {
        /* an attempt that cannot be recorded is not made: back to the confirmed image */
        boot.journal.state.trial = FOTA_TRIAL_NONE;
        fota_boot_decide(&boot.journal.state, FOTA_RESET_OTHER, boot.config.target.floor, &view, d);
        if (d->slot == FOTA_SLOT_NONE || d->attempt > 0)
            chip_reset();
    }
    if (d->attempt > 0)
        watchdog_start();
    if (fota_boot_sure(&chip_flash, boot.config.target.floor, d) != FOTA_BOOT_SURE)
        chip_reset(); /* somebody skips instructions */
    chip_jump(fota_slot_code(d->slot), d->image.vectors);
}

/* --- the link --------------------------------------------------------------------------------------------------- */

static void link_send(void *ctx, const uint8_t *data, size_t length)
{
    line_send(ctx, data, length);
}

static void link_reboot(void *ctx, unsigned where)
{
    line_flush(ctx);
    backup_write(BACKUP_REQUEST, where == FOTA_LINK_REBOOT_LOADER ? BACKUP_LOADER : BACKUP_NONE);
    chip_reset();
}

static int link_baud(void *ctx, uint32_t baud)
{
    (void) ctx;
    if (baud != boot.config.baud && !uart_can(&boot.uart, baud))
        return FOTA_E_ARGUMENT;
    boot.new_baud = baud;
    return FOTA_OK;
}

static const struct fota_server_port ports[LINES] = {
    {.ctx = &boot.uart.line, .send = link_send, .reboot = link_reboot, .baud = link_baud},
    {.ctx = &boot.spi.line, .send = link_send, .reboot = link_reboot},
};

static void start_lines(void)
{
    boot.talking = LINES;
    if (uart_start(&boot.uart, boot.config.uart, boot.config.baud, ring, sizeof ring))
        boot.line[LINE_UART] = &boot.uart.line;
    if (boot.config.spi != 0 && spi_start(&boot.spi, spi_ring, sizeof spi_ring))
        boot.line[LINE_SPI] = &boot.spi.line;
}

/* What came over one line is over when an image begins over the other. */
static void install(struct fota_server *server, const struct fota_frame *request)
{
    for (unsigned n = 0; request->type == FOTA_LINK_BEGIN && n < LINES; n++)
        boot.server[n].session += &boot.server[n] != server;
    fota_server_install(server, request);
}

static void prepare_server(bool configured)
{
    struct fota_server *server = &boot.server[LINE_UART];
    struct fota_link_info *info = &server->info;
    const struct fota_decision *d = &boot.decision;

    fota_install_init(&boot.installer, &boot.journal, &boot.config.target, boot.config.keys, boot.config.key_count,
                      d->slot);
    server->port = &ports[LINE_UART];
    server->journal = &boot.journal;
    server->install = install;
    server->installer = &boot.installer;
    server->window = WINDOW;
    server->session = boot.journal.base + boot.journal.used;
    info->mode = FOTA_MODE_BOOTLOADER;
    info->slot = d->slot;
    info->flags =
        (uint8_t) ((configured ? FOTA_INFO_CONFIGURED : 0u) | (d->slot != FOTA_SLOT_NONE ? FOTA_INFO_BOOTABLE : 0u));
    info->hw_revision = boot.config.target.hw_revision;
    info->floor = boot.config.target.floor;
    info->data_max = FOTA_LINK_DATA_MAX;
    info->bootloader = fota_boot_version(BOOTLOADER_VERSION);
    info->fault_pc = backup_read(BACKUP_FAULT_PC);
    info->fault_lr = backup_read(BACKUP_FAULT_LR);
    memcpy(info->product, boot.config.target.product, FOTA_PRODUCT_SIZE);
    memcpy(info->uid, UNIQUE_ID, FOTA_UID_SIZE);
    if (d->slot != FOTA_SLOT_NONE) {
        info->version = d->image.header.version;
        memcpy(info->identity, d->image.identity, FOTA_IDENTITY_SIZE);
    }
    boot.server[LINE_SPI] = *server;
    boot.server[LINE_SPI].port = &ports[LINE_SPI];
    boot.server[LINE_SPI].window = SPI_WINDOW;
}

/* Hand what has arrived on a line to its server, in so many pieces at most: a peer that never stops does not keep us
 * here. @return how many good frames there were. */
static unsigned listen_to(unsigned n, unsigned pieces)
{
    unsigned frames = 0;

    for (unsigned i = 0; i < pieces; i++) {
        const uint8_t *data;
        size_t length = line_peek(boot.line[n], &data);

        if (length == 0)
            break;
        if (length > PIECE)
            length = PIECE;
        frames += fota_server_feed(&boot.server[n], data, length);
        line_take(boot.line[n], length);
        watchdog_feed(); /* runs here only where the option bytes say so */
    }
    return frames;
}

/* The same for the line on which somebody talks, or for all of them. */
static unsigned listen(unsigned pieces)
{
    unsigned frames = 0;

    for (unsigned n = 0; n < LINES && frames == 0; n++)
        if (boot.line[n] != NULL && (boot.talking == LINES || boot.talking == n)) {
            frames = listen_to(n, pieces);
            if (frames > 0)
                boot.talking = n;
        }
    if (boot.line[LINE_SPI] != NULL)
        spi_tend(&boot.spi);
    return frames;
}

/* @return whether a frame asked for us since the last call: INFO with stay, BEGIN, or one of the open session. */
static bool wanted(void)
{
    bool stay = boot.server[LINE_UART].stay || boot.server[LINE_SPI].stay;

    boot.server[LINE_UART].stay = boot.server[LINE_SPI].stay = false;
    return stay;
}

/* Serve the gateway until it asks for nothing any more; a target that cannot leave goes back to its baud rate then, so
 * that it can be found. SysTick only wakes the core once a millisecond; its interrupt is never taken. Time that flash
 * work stalls is not counted, which is as well. */
static void serve(void)
{
    uint32_t idle = 0;
    bool unproven = false; /* a new baud rate, at which nothing was received yet */

    __asm volatile("cpsid i");
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u; /* CPU clock, interrupt pends, on */
    for (;;) { /* endless: where something boots, silence ends it; where nothing does, there is nowhere to go */
        unsigned frames = listen(SERVE_PIECES);
        bool complete = boot.installer.state == FOTA_INSTALL_COMPLETE;

        unproven = unproven && frames == 0;
        idle = wanted() ? 0 : idle + 1u + frames * ANSWER_MS;
        if (idle > (unproven ? FOTA_LINK_BAUD_MS : complete ? COMPLETE_MS : IDLE_MS)) {
            if ((complete || boot.decision.slot != FOTA_SLOT_NONE) && !unproven)
                return;
            uart_baud(&boot.uart, boot.config.baud);
            boot.talking = LINES;
            idle = 0;
            unproven = false;
        }
        if (boot.new_baud != 0) {
            uart_baud(&boot.uart, boot.new_baud);
            boot.new_baud = 0;
            idle = 0;
            unproven = true;
        }
        watchdog_feed();
        chip_wait_for_interrupt();
        SCB->ICSR = SCB_ICSR_PENDSTCLR;
    }
}

/* --- the way ---------------------------------------------------------------------------------------------------- */

_Noreturn void bootloader(void)
{
    uint32_t request = backup_read(BACKUP_REQUEST);
    enum fota_reset_cause cause = reset_cause(request);
    bool configured = configure();

    (void) clock_fast(boot.config.hse_hz);
    start_lines();
    watchdog_stretch();
    decide(cause, request);
    prepare_server(configured);
    (void) listen(EARLY_PIECES);
    if (wanted() || request == BACKUP_LOADER || boot.decision.slot == FOTA_SLOT_NONE) {
        if (boot.line[LINE_UART] != NULL || boot.line[LINE_SPI] != NULL)
            serve();
        chip_reset(); /* an install may have changed everything, and a reset gets every stream free: begin again */
    }
    start_application();
}
