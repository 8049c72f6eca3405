/* SPDX-License-Identifier: MIT */
#include "fota_agent.h"

#include "chip.h"
#include "stm32f407.h"

#include <string.h>

#define POLL_BYTES 256u
#define SEND_MS 50u
#define RAM_BASE 0x20000000u
#define RAM_SIZE 0x20000u
#define CCM_BASE 0x10000000u
#define CCM_SIZE 0x10000u
#define FRAME_SIZE 32u /* that an exception pushes, without the FPU's part, which lies above */

static const struct fota_header *running_image(uint8_t *slot)
{
    uint32_t vectors = SCB->VTOR;
    uint32_t offset = vectors - FOTA_FLASH_BASE;

    /* Keeps the compiler from comparing with the slots' own addresses: as constants in the code they would look like
     * words that forgot to move with the image. */
    __asm("" : "+r"(offset));
    for (unsigned s = 0; s < FOTA_SLOT_COUNT; s++) {
        const struct fota_header *header = (const struct fota_header *) (uintptr_t) (vectors - FOTA_HEADER_SIZE);

        if (offset == fota_slot_code(s) - FOTA_FLASH_BASE && header->magic == FOTA_HEADER_MAGIC) {
            *slot = (uint8_t) s;
            return header;
        }
    }
    *slot = FOTA_SLOT_NONE;
    return NULL;
}

static bool on_trial(const struct fota_agent *agent)
{
    const struct fota_boot_state *state = &agent->journal.state;

    return state->trial == FOTA_TRIAL_RUNNING &&
           fota_image_is(&state->candidate, agent->slot, agent->line[0].server.info.identity);
}

static void link_send(void *ctx, const uint8_t *data, size_t length)
{
    struct fota_agent_line *line = ctx;
    const struct fota_agent *agent = line->agent;

    line->busy = false;
    agent->port->send(agent->port->ctx, (unsigned) (line - agent->line), data, length);
}

static void link_reboot(void *ctx, unsigned where)
{
    const struct fota_agent_line *line = ctx;
    const struct fota_agent *agent = line->agent;

    agent->port->flush(agent->port->ctx, (unsigned) (line - agent->line));
    backup_write(BACKUP_REQUEST, where == FOTA_LINK_REBOOT_LOADER ? BACKUP_LOADER : BACKUP_NONE);
    chip_reset();
}

static void fill_info(struct fota_agent *agent)
{
    struct fota_link_info *info = &agent->line[0].server.info;
    struct fota_config config;

    info->mode = FOTA_MODE_APPLICATION;
    info->slot = agent->slot;
    info->flags = FOTA_INFO_BOOTABLE;
    info->data_max = FOTA_LINK_DATA_MAX;
    info->bootloader = fota_boot_version(*(const uint32_t *) FOTA_BOOT_VERSION_ADDRESS);
    memcpy(info->uid, UNIQUE_ID, FOTA_UID_SIZE);
    if (fota_config_decode((const uint8_t *) FOTA_CONFIG_BASE, &config) == FOTA_OK) {
        info->flags |= FOTA_INFO_CONFIGURED;
        info->hw_revision = config.target.hw_revision;
        info->floor = config.target.floor;
        memcpy(info->product, config.target.product, FOTA_PRODUCT_SIZE);
    }
    info->fault_pc = backup_read(BACKUP_FAULT_PC);
    info->fault_lr = backup_read(BACKUP_FAULT_LR);
    info->version = agent->image->version;
    fota_header_identity((const uint8_t *) agent->image, info->identity);
}

int fota_agent_start(struct fota_agent *agent, const struct fota_agent_port *port)
{
    memset(agent, 0, sizeof *agent);
    agent->port = port;
    agent->started_ms = port->now_ms(port->ctx);
    agent->image = running_image(&agent->slot);
    if (agent->image == NULL)
        return FOTA_E_NO_IMAGE;
    fill_info(agent);
    for (unsigned i = 0; i < FOTA_AGENT_LINES; i++) {
        struct fota_agent_line *line = &agent->line[i];

        line->agent = agent;
        line->link = (struct fota_server_port){.ctx = line, .send = link_send, .reboot = link_reboot};
        line->server.info = agent->line[0].server.info;
        line->server.port = &line->link;
        line->server.journal = &agent->journal;
    }
    return fota_journal_open(&agent->journal, &chip_flash);
}

static bool in_interrupt(void)
{
    uint32_t ipsr;

    __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
    return ipsr != 0;
}

int fota_confirm(struct fota_agent *agent)
{
    struct fota_record record = {.type = FOTA_RECORD_CONFIRMED, .slot = agent->slot};

    if (agent->image == NULL)
        return FOTA_E_NO_IMAGE;
    agent->confirm = in_interrupt();
    if (agent->confirm)
        return FOTA_E_LATER;
    if (!on_trial(agent))
        return FOTA_OK;
    record.arg = agent->image->counter;
    memcpy(record.identity, agent->line[0].server.info.identity, FOTA_IDENTITY_SHORT);
    return fota_journal_append(&agent->journal, &record);
}

static void confirm_if_asked(struct fota_agent *agent)
{
    if (agent->confirm && !in_interrupt() && fota_confirm(agent) != FOTA_OK)
        agent->confirm = true; /* again */
}

void fota_feed(struct fota_agent *agent)
{
    confirm_if_asked(agent);
    if (agent->image != NULL && on_trial(agent) &&
        agent->port->now_ms(agent->port->ctx) - agent->started_ms > agent->image->deadline_ms) {
        backup_write(BACKUP_REQUEST, BACKUP_DEADLINE);
        chip_reset();
    }
    watchdog_feed();
}

void fota_agent_receive(struct fota_agent *agent, unsigned line, const uint8_t *data, size_t length)
{
    if (agent->image != NULL && line < FOTA_AGENT_LINES)
        (void) fota_server_feed(&agent->line[line].server, data, length);
}

/* An answer, or something else, may still be on its way; what never gets out is not waited for. */
static bool can_answer(struct fota_agent *agent, unsigned n)
{
    const struct fota_agent_port *port = agent->port;
    struct fota_agent_line *line = &agent->line[n];
    bool free = port->idle == NULL || port->idle(port->ctx, n);

    if (!free && !line->busy)
        line->busy_ms = port->now_ms(port->ctx);
    line->busy = !free;
    return free || port->now_ms(port->ctx) - line->busy_ms > SEND_MS;
}

bool fota_agent_poll(struct fota_agent *agent)
{
    const struct fota_agent_port *port = agent->port;
    bool more = false;

    confirm_if_asked(agent);
    for (unsigned n = 0; agent->image != NULL && port->peek != NULL && n < FOTA_AGENT_LINES; n++) {
        const uint8_t *data;
        size_t length = can_answer(agent, n) ? port->peek(port->ctx, n, &data) : 0;
        unsigned frames = 0;

        if (length > POLL_BYTES)
            length = POLL_BYTES;
        if (length > 0) {
            port->take(port->ctx, n, fota_server_take(&agent->line[n].server, data, length, &frames));
            more = true;
        }
    }
    if (agent->update != NULL && agent->update->step(agent, more))
        more = true;
    return more;
}

void fota_boot_info(const struct fota_agent *agent, struct fota_boot_info *info)
{
    const struct fota_boot_state *state = &agent->journal.state;

    memset(info, 0, sizeof *info);
    info->slot = agent->slot;
    info->reset_csr = backup_read(BACKUP_CAUSE);
    info->fault_pc = backup_read(BACKUP_FAULT_PC);
    info->fault_lr = backup_read(BACKUP_FAULT_LR);
    if (agent->image == NULL)
        return;
    info->version = agent->image->version;
    info->trial = on_trial(agent);
    info->attempt = info->trial ? state->attempts : 0;
    if (state->reject_count > 0)
        info->last_reason = state->rejects[state->reject_count - 1u].reason;
}

_Noreturn void fota_request_recovery(void)
{
    backup_write(BACKUP_REQUEST, BACKUP_LOADER);
    chip_reset();
}

/* A stack pointer that ran away would make the next fault, and a lockup of this one. */
static bool in_ram(const uint32_t *frame)
{
    uintptr_t at = (uintptr_t) frame;

    return (at & 3u) == 0 && (at - RAM_BASE <= RAM_SIZE - FRAME_SIZE || at - CCM_BASE <= CCM_SIZE - FRAME_SIZE);
}

/* The handlers call it in assembly: link-time optimization does not see that. */
__attribute__((used)) _Noreturn void fota_agent_fault(const uint32_t *frame)
{
    bool known = in_ram(frame);

    backup_write(BACKUP_FAULT_PC, known ? frame[6] : 0);
    backup_write(BACKUP_FAULT_LR, known ? frame[5] : 0);
    backup_write(BACKUP_REQUEST, BACKUP_FAULT);
    chip_reset();
}
