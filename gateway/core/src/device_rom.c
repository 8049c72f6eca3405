/* SPDX-License-Identifier: MIT */
/* A device whose image is written through ST's ROM. That waits for bytes, so it runs on a thread of the port's; what it
 * shares with the poll loop are the atomics of the task. The trial is watched over the link as ever. */
#include "gw_internal.h"

#include "fota/error.h"

#include <stdio.h>
#include <string.h>

enum { TASK_IDLE, TASK_RUNNING, TASK_DONE };

static bool task_stop(void *ctx)
{
    const struct gw_rom_task *task = ctx;

    return atomic_load(&task->stop);
}

static void task_progress(void *ctx, const char *step, uint32_t done, uint32_t total)
{
    struct gw_rom_task *task = ctx;

    (void) total;
    if (strcmp(step, "write") == 0)
        atomic_store(&task->bytes, done);
    if (strcmp(step, "verify") == 0)
        atomic_store(&task->verifying, true);
}

static void task_wait(void *ctx, uint32_t ms)
{
    const struct gw_rom_task *task = ctx;

    task->port->wait(task->port->ctx, ms);
}

/* On the thread. Whatever happens the device is let out of the ROM. */
static void task_run(void *arg)
{
    struct gw_rom_task *task = arg;
    char error[GW_ROM_ERROR];
    int result = gw_rom_enter(&task->rom) == GW_ROM_OK && gw_rom_x32(&task->rom) == GW_ROM_OK ? FOTA_OK : FOTA_E_IO;

    if (result == FOTA_OK)
        result = gw_rom_update(&task->rom, &task->survey, &task->image);
    memcpy(error, task->rom.error, sizeof error);
    if (gw_rom_leave(&task->rom) != GW_ROM_OK && result == FOTA_OK)
        result = FOTA_E_IO;
    else
        memcpy(task->rom.error, error, sizeof error);
    task->result = result;
    atomic_store(&task->state, TASK_DONE);
}

bool device_rom_start(struct gw_device *d, const struct gw_source *source)
{
    struct gw_rom_task *task = d->config->rom_task;
    const struct gw_worker *worker = d->gw->ports.worker;
    struct gw_rom_port port = *d->config->rom;

    gw_push_close(&d->push); /* the ROM's host has the port for itself */
    task->port = d->config->rom;
    port.ctx = task;
    port.wait = task_wait;
    port.stop = task_stop;
    port.progress = task_progress;
    gw_rom_init(&task->rom, &port);
    task->image = (struct gw_rom_image){.header = d->header, .source = *source, .retry = d->job.retry};
    atomic_store(&task->bytes, 0);
    atomic_store(&task->verifying, false);
    atomic_store(&task->stop, false);
    atomic_store(&task->state, TASK_RUNNING);
    if (worker != NULL && worker->start(worker->ctx, (unsigned) (d - d->gw->device), task_run, task) == 0)
        return true;
    atomic_store(&task->state, TASK_IDLE);
    return false;
}

void device_rom_cancel(struct gw_device *d)
{
    atomic_store(&d->config->rom_task->stop, true);
}

enum device_rom_state device_rom_poll(struct gw_device *d, uint32_t *bytes, const char **reason, const char **detail)
{
    struct gw_rom_task *task = d->config->rom_task;

    *bytes = atomic_load(&task->bytes);
    if (atomic_load(&task->state) == TASK_RUNNING)
        return atomic_load(&task->verifying) ? DEVICE_ROM_VERIFIES : DEVICE_ROM_WRITES;
    atomic_store(&task->state, TASK_IDLE);
    d->slot = task->image.slot;
    *reason = task->result == FOTA_OK     ? ""
              : atomic_load(&task->stop)  ? "cancelled"
              : task->result == FOTA_E_IO ? "device-lost"
                                          : fota_error_name(task->result);
    *detail = task->rom.error;
    return task->result == FOTA_OK ? DEVICE_ROM_DONE : DEVICE_ROM_FAILED;
}
