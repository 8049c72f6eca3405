/* SPDX-License-Identifier: MIT */
/* The trial: REBOOT, then watch until the device itself says how it ended. */
#include "push_internal.h"

#include "gw/text.h"

#include <stdio.h>
#include <string.h>

#define AFTER_PULSE_MS 3000u
#define LOADER_TOO_LONG_MS 3000u /* a bootloader that answers for so long does not boot by itself */

uint32_t gw_push_jump_limit_ms(const struct fota_header *header)
{
    return 4u * (header->deadline_ms + GW_PUSH_WATCHDOG_MS) + 30000u;
}

void push_trial_start(struct gw_push *push)
{
    push_state(push, GW_PUSH_JUMP);
    push_phase(push, PHASE_REBOOT);
    push->trial_since = push->rebooted_at = push_now(push);
    push->loader_since = 0;
    push->trial_attempts = 0;
    push->reboots = 0;
}

/* How often INFO is sent. After a pulse faster: an application that has no link can only be seen through its
 * bootloader, in the moment when that verifies. */
uint32_t push_watch_ms(const struct gw_push *push)
{
    return push->stats.nrst_pulses > 0 && push_now(push) - push->pulsed_at < AFTER_PULSE_MS ? GW_PUSH_HELLO_MS
                                                                                            : GW_PUSH_WATCH_MS;
}

static bool here(const struct gw_push *push)
{
    return push_is_target(push) && (push->slot == FOTA_SLOT_NONE || push->info.slot == push->slot);
}

static void rolled_back(struct gw_push *push, int reason)
{
    const struct fota_version *v = &push->info.version;
    char at[48] = "", pc[GW_ADDRESS_TEXT], lr[GW_ADDRESS_TEXT];

    gw_address_text(push->info.fault_pc, pc);
    gw_address_text(push->info.fault_lr, lr);
    if (reason == FOTA_E_FAULT && push->info.fault_pc != 0)
        (void) snprintf(at, sizeof at, " at PC %s, LR %s", pc, lr);
    if (push->info.slot == FOTA_SLOT_NONE)
        push_detail(push, "%s%s; nothing else is bootable, the bootloader waits for an update", fota_error_text(reason),
                    at);
    else
        push_detail(push, "%s%s; the device is back on version %u.%u.%u", fota_error_text(reason), at, v->major,
                    v->minor, v->patch);
    push_end(push, GW_PUSH_ROLLED_BACK, fota_error_name(reason), reason);
}

void push_trial_log(struct gw_push *push)
{
    for (uint32_t i = push->reject_count; i-- > 0;) {
        if (memcmp(push->rejects[i].identity, push->identity, FOTA_IDENTITY_SHORT) == 0) {
            rolled_back(push, push->rejects[i].reason);
            return;
        }
    }
    push_detail(push, "the device does not run the new image, no trial is under way, and its journal does not say why");
    push_end(push, GW_PUSH_ROLLED_BACK, "unrecorded", FOTA_OK);
}

void push_trial_info(struct gw_push *push)
{
    const struct fota_link_info *info = &push->info;
    uint64_t now = push_now(push);

    if (info->trial == FOTA_TRIAL_NONE) {
        if (here(push) && info->confirmed_slot == info->slot)
            push_end(push, GW_PUSH_CONFIRMED, "", FOTA_OK);
        else if (push_was_rejected(push))
            rolled_back(push, info->last_reason);
        else
            push_phase(push, PHASE_LOG);
        return;
    }
    if (info->mode == FOTA_MODE_BOOTLOADER) {
        push->trial_since = now;
        if (push->loader_since == 0)
            push->loader_since = now;
        else if (now - push->loader_since >= LOADER_TOO_LONG_MS) {
            push->loader_since = 0;
            push_phase(push, PHASE_REBOOT);
        }
        return;
    }
    push->loader_since = 0;
    if (info->trial == FOTA_TRIAL_PENDING)
        push_phase(push, PHASE_REBOOT); /* the old application still runs: REBOOT was lost, or the pin was faster */
    if (info->attempts != push->trial_attempts) {
        push->trial_attempts = info->attempts;
        push->trial_since = now;
        push_log(push, GW_LOG_INFO, "the new image is on its trial, attempt %u", info->attempts);
    }
}

/* The deadline is over and neither the agent nor the watchdog has ended the trial. */
void push_trial_step(struct gw_push *push)
{
    uint64_t now = push_now(push);

    if (now - push->trial_since < (uint64_t) push->header.deadline_ms + GW_PUSH_NRST_MARGIN_MS + GW_PUSH_BOOT_MS)
        return;
    push->trial_since = now;
    if (push->ports.pins != NULL && push->ports.pins->nrst != NULL)
        push_pulse(push);
    else if (now - push->heard_at < 2u * GW_PUSH_WATCH_MS)
        push_phase(push, PHASE_REBOOT); /* it answers, so it can be asked */
}
