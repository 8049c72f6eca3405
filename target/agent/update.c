/* SPDX-License-Identifier: MIT */
/* An update while the application runs: the installer of core, fed in small steps. What takes long (a signature, an
 * erase, the switch) is done when the application lets it. */
#include "fota_agent.h"

#include "chip.h"
#include "fota/bytes.h"

#include <string.h>

#define HASH_STEP 256u /* bytes in a step: some 100 µs at 168 MHz */
#define VERIFY_MS 200u /* a signature at 168 MHz */
#define DATA_HEAD 4u
#define CHUNK_LEAST 256u

/* The longest that an erase takes at x32 (DS8626 table 40), in ms. */
static uint32_t erase_ms(unsigned sector)
{
    uint32_t size = fota_sector_size(sector);

    return size <= FOTA_KIB(16) ? 500u : size <= FOTA_KIB(64) ? 1100u : 2000u;
}

static bool may(const struct fota_agent_update *u, enum fota_agent_work work, uint32_t ms)
{
    return u->hooks->may == NULL || u->hooks->may(u->hooks->ctx, work, ms);
}

static void done(const struct fota_agent_update *u, enum fota_agent_work work)
{
    if (u->hooks->done != NULL)
        u->hooks->done(u->hooks->ctx, work);
}

static struct fota_agent *agent_of(const struct fota_server *server)
{
    return ((struct fota_agent_line *) server->port->ctx)->agent;
}

static void waits(struct fota_agent *agent, unsigned sector)
{
    agent->update->wanted = (uint8_t) sector;
    for (unsigned i = 0; i < FOTA_AGENT_LINES; i++)
        agent->line[i].server.waits = sector != 0 ? FOTA_PROGRESS_WAITS : 0;
}

/* @return FOTA_OK, FOTA_E_LATER or what the erase said. */
static int erase(struct fota_agent *agent, unsigned sector)
{
    struct fota_agent_update *u = agent->update;
    int error;

    if (!may(u, FOTA_WORK_ERASE, erase_ms(sector))) {
        waits(agent, sector);
        return FOTA_E_LATER;
    }
    waits(agent, 0);
    error = fota_install_erase(&u->installer, sector);
    done(u, FOTA_WORK_ERASE);
    return error;
}

static void begin(struct fota_server *server, const struct fota_frame *request)
{
    struct fota_agent *agent = agent_of(server);
    struct fota_agent_update *u = agent->update;

    if (!may(u, FOTA_WORK_VERIFY, VERIFY_MS)) {
        fota_server_respond(server, request, FOTA_E_LATER, NULL, 0);
        return;
    }
    waits(agent, 0);
    u->failed = FOTA_OK;
    fota_slot_hash_begin(&u->hash, true);
    for (unsigned i = 0; i < FOTA_AGENT_LINES; i++) /* what came over another line is over */
        agent->line[i].server.session += &agent->line[i].server != server;
    fota_server_install(server, request);
    done(u, FOTA_WORK_VERIFY);
}

static void data(struct fota_server *server, const struct fota_frame *request)
{
    struct fota_agent *agent = agent_of(server);
    struct fota_agent_update *u = agent->update;
    unsigned sector;

    if (request->session == server->session && request->length > DATA_HEAD &&
        fota_get32(request->payload) == u->installer.next)
        while ((sector = fota_install_erases(&u->installer, (uint32_t) request->length - DATA_HEAD)) != 0) {
            int error = u->failed != FOTA_OK ? u->failed : erase(agent, sector);

            u->failed = FOTA_OK;
            if (error == FOTA_E_LATER)
                fota_server_progress(server, request, error);
            else if (error != FOTA_OK)
                fota_server_respond(server, request, error, NULL, 0);
            if (error != FOTA_OK)
                return;
        }
    fota_server_install(server, request);
}

/* FINISH is answered at once: with `later` until the whole image was hashed. */
static void finish(struct fota_server *server, const struct fota_frame *request)
{
    struct fota_agent_update *u = agent_of(server)->update;
    struct fota_installer *in = &u->installer;
    int error;

    if (request->session != server->session || in->state != FOTA_INSTALL_RECEIVING ||
        in->next != in->header.image_size) {
        fota_server_install(server, request);
        return;
    }
    error = u->hash.done < in->header.image_size ? FOTA_E_LATER : fota_install_conclude(in, &u->hash);
    if (error == FOTA_OK)
        done(u, FOTA_WORK_INSTALL);
    fota_server_respond(server, request, error, NULL, 0);
}

static void install(struct fota_server *server, const struct fota_frame *request)
{
    switch (request->type) {
    case FOTA_LINK_BEGIN:
        begin(server, request);
        break;
    case FOTA_LINK_DATA:
        data(server, request);
        break;
    case FOTA_LINK_FINISH:
        finish(server, request);
        break;
    default:
        fota_server_install(server, request);
    }
}

static int may_reboot(void *ctx, unsigned where)
{
    const struct fota_agent_line *line = ctx;

    (void) where;
    return may(line->agent->update, FOTA_WORK_SWITCH, 0) ? FOTA_OK : FOTA_E_LATER;
}

/* An erase that was put off. */
static void erase_now(struct fota_agent *agent)
{
    int error = erase(agent, agent->update->wanted);

    if (error != FOTA_E_LATER)
        agent->update->failed = error;
}

/* What was written is hashed while nothing else comes. @return whether more of that is to be done. */
static bool step(struct fota_agent *agent, bool served)
{
    struct fota_agent_update *u = agent->update;
    const struct fota_installer *in = &u->installer;
    bool more = u->hash.done < in->next && in->next >= sizeof u->hash.vectors;

    if (in->state != FOTA_INSTALL_RECEIVING) {
        waits(agent, 0);
        return false;
    }
    if (u->wanted != 0)
        erase_now(agent);
    if (!served && more)
        (void) fota_slot_hash_step(&u->hash, agent->journal.flash, in->slot, in->next, HASH_STEP);
    return more;
}

int fota_agent_updates(struct fota_agent *agent, struct fota_agent_update *update, const struct fota_agent_hooks *hooks)
{
    int error;

    memset(update, 0, sizeof *update);
    if (agent->image == NULL)
        return FOTA_E_NO_IMAGE;
    if (hooks->window < CHUNK_LEAST || (hooks->chunk != 0 && (hooks->chunk < CHUNK_LEAST || hooks->chunk % 4u != 0)))
        return FOTA_E_ARGUMENT;
    error = fota_config_decode((const uint8_t *) FOTA_CONFIG_BASE, &update->config);
    if (error != FOTA_OK)
        return error;
    update->hooks = hooks;
    update->step = step;
    agent->update = update;
    fota_install_init(&update->installer, &agent->journal, &update->config.target, update->config.keys,
                      update->config.key_count, agent->slot);
    for (unsigned i = 0; i < FOTA_AGENT_LINES; i++) {
        struct fota_server *server = &agent->line[i].server;

        agent->line[i].link.may_reboot = may_reboot;
        server->info.flags |= FOTA_INFO_INSTALLS;
        if (hooks->chunk != 0 && hooks->chunk < server->info.data_max)
            server->info.data_max = hooks->chunk;
        server->install = install;
        server->installer = &update->installer;
        server->window = hooks->window;
        server->session = agent->journal.base + agent->journal.used;
    }
    return FOTA_OK;
}
