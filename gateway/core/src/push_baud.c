/* SPDX-License-Identifier: MIT */
/*
 * The baud rate that both ends agree on for the transfer (docs/link.md). The device goes back to its own by itself
 * 500 ms after a change that did not work, so nothing here can strand it:
 *
 *   BAUD    ask; a device that does not know the request, or a rate that it cannot make, costs one exchange
 *   PROBE   long frames there, short ones back; a single loss or damaged byte gives the rate up
 *   CALL    the host's way back: "BAUD own rate" blindly, twice, for a device that hears but is not heard, then
 *           silence until one that does not hear is back by itself, then the own rate
 */
#include "push_internal.h"

#include "fota/bytes.h"

#include <string.h>

/* What UARTs and adapters divide from their usual clocks: 48 MHz (USB), 14.7456 MHz, and 42 and 84 MHz here. */
static const uint32_t rates[] = {2000000u, 1000000u, 921600u, 460800u, 230400u};
#define RATES (sizeof rates / sizeof rates[0])
#define BAUD_TRIES 3u
#define CALLS 2u
#define LOSSES 2u /* at a rate that passed its probes: once it may have been a cut of power */

uint32_t push_base(const struct gw_push *push)
{
    return push->ports.baud != 0 ? push->ports.baud : 115200u;
}

bool push_rate(struct gw_push *push, uint32_t baud)
{
    if (push->rate == baud || !push->open) {
        push->rate = baud;
        return true;
    }
    if (push->ports.link->baud == NULL || push->ports.link->baud(push->ports.link->ctx, baud) != 0) {
        push_log(push, GW_LOG_WARNING, "the port does not take %lu baud", (unsigned long) baud);
        return false;
    }
    push->rate = baud;
    push->rate_since = push_now(push);
    return true;
}

void push_rate_base(struct gw_push *push)
{
    if (!push_rate(push, push_base(push))) { /* opening it again takes any port there */
        push->ports.link->close(push->ports.link->ctx);
        push->open = false;
        push->rate = push_base(push);
    }
}

static uint32_t faults(const struct gw_push *push)
{
    return push->rx.damaged + push->stats.resent;
}

/* The highest rate to try that is not above `limit`; the device's own when there is none. */
static uint32_t candidate(const struct gw_push *push, uint32_t limit)
{
    for (size_t i = 0; i < RATES; i++)
        if (rates[i] <= limit && rates[i] > push_base(push))
            return rates[i];
    return push_base(push);
}

static bool room(const struct gw_push *push)
{
    if (push->state == GW_PUSH_ENTER)
        return push_since(push, push->state_since) + GW_PUSH_BAUD_ROOM_MS < GW_PUSH_ENTER_LIMIT_MS;
    return push->state == GW_PUSH_WRITE &&
           push_since(push, push->progress_since) + GW_PUSH_BAUD_ROOM_MS < GW_PUSH_WRITE_LIMIT_MS;
}

static void settled(struct gw_push *push)
{
    bool going_on = push->state == GW_PUSH_WRITE && push->session != 0;

    push->faults = faults(push) + going_on; /* going back to what STATUS says is none */
    push_phase(push, going_on ? PHASE_STATUS : PHASE_BEGIN);
}

static void ask_for(struct gw_push *push, uint32_t baud)
{
    push->rate_wanted = baud;
    push_phase(push, PHASE_BAUD);
}

void push_rate_up(struct gw_push *push)
{
    uint32_t wanted = candidate(push, push->rate_cap);

    if (push->ports.link->baud == NULL || wanted <= push->rate || !room(push)) {
        push->faults = faults(push);
        push_phase(push, PHASE_BEGIN);
        return;
    }
    ask_for(push, wanted);
}

bool push_rate_down(struct gw_push *push)
{
    if (push->rate == push_base(push) || (int32_t) (faults(push) - push->faults) < (int32_t) GW_PUSH_FAULTS)
        return false;
    push->rate_cap = candidate(push, push->rate - 1u);
    push->stats.rates_dropped++;
    push_log(push, GW_LOG_WARNING, "%u faults at %lu baud, going on at %lu", GW_PUSH_FAULTS, (unsigned long) push->rate,
             (unsigned long) push->rate_cap);
    ask_for(push, push->rate_cap);
    return true;
}

/* --- the way back ----------------------------------------------------------------------------- */

static void call_back(struct gw_push *push, bool all)
{
    push->calling_all = all;
    push->calling = 0;
    push_phase(push, PHASE_CALL);
}

void push_rate_lost(struct gw_push *push)
{
    if (push->rate == push_base(push)) {
        push_phase(push, PHASE_ASK);
        return;
    }
    if (push->open && ++push->losses >= LOSSES) {
        push->rate_cap = candidate(push, push->rate - 1u);
        push->stats.rates_dropped++;
        push->losses = 0;
    }
    push_log(push, GW_LOG_WARNING, "nothing is heard at %lu baud, back to %lu", (unsigned long) push->rate,
             (unsigned long) push_base(push));
    call_back(push, false);
}

bool push_rate_search(struct gw_push *push)
{
    if (push->called || push->ports.link->baud == NULL || candidate(push, push->ports.baud_max) <= push_base(push))
        return false;
    push->called = true;
    call_back(push, true);
    return true;
}

static void give_up(struct gw_push *push)
{
    push_log(push, GW_LOG_INFO, "%lu baud does not work here", (unsigned long) push->rate_wanted);
    push->rate_cap = candidate(push, push->rate_wanted - 1u);
    push->stats.rates_dropped++;
    call_back(push, false);
}

static void send_baud(struct gw_push *push, uint32_t baud)
{
    uint8_t payload[4];

    fota_put32(payload, baud);
    push_send(push, FOTA_LINK_BAUD, payload, sizeof payload);
}

static void step_call(struct gw_push *push)
{
    if (push->sent_at != 0 && push_since(push, push->sent_at) < GW_PUSH_CALL_MS)
        return;
    if (push->calling_all) {
        while (push->calling < RATES &&
               (rates[push->calling] > push->ports.baud_max || rates[push->calling] <= push_base(push) ||
                !push_rate(push, rates[push->calling])))
            push->calling++;
        if (push->calling == RATES) {
            push_phase(push, PHASE_HELLO);
            return;
        }
        push->calling++;
    } else if (push->tries > 0) {
        if (push_since(push, push->sent_at) >= GW_PUSH_REVERT_MS)
            push_phase(push, PHASE_ASK);
        return;
    }
    push->tries = 1;
    for (unsigned i = 0; i < CALLS && push->out_done == push->out_length; i++)
        send_baud(push, push_base(push));
}

/* --- the way up and down ---------------------------------------------------------------------- */

void push_on_baud(struct gw_push *push, int status)
{
    if (status == FOTA_OK) {
        push->stats.rates_tried++;
        if (push_rate(push, push->rate_wanted))
            push_phase(push, PHASE_PROBE);
        else
            give_up(push);
    } else if (status == FOTA_E_ARGUMENT && push->rate_wanted != push_base(push) &&
               candidate(push, push->rate_wanted - 1u) != push->rate) {
        push_log(push, GW_LOG_INFO, "the device cannot make %lu baud", (unsigned long) push->rate_wanted);
        push->rate_cap = candidate(push, push->rate_wanted - 1u);
        ask_for(push, push->rate_cap);
    } else {
        if (status == FOTA_E_UNKNOWN)
            push_log(push, GW_LOG_INFO, "the device's bootloader keeps its baud rate, going on at %lu",
                     (unsigned long) push->rate);
        push->rate_cap = push->rate;
        settled(push);
    }
}

void push_rate_info(struct gw_push *push)
{
    if (++push->tries < GW_PUSH_PROBES) {
        push->sent_at = 0;
        return;
    }
    if (push->info.mode != FOTA_MODE_BOOTLOADER) {
        push_phase(push, PHASE_ASK); /* rates agree by chance; see who that is */
        return;
    }
    push_log(push, GW_LOG_INFO, "the link runs at %lu baud", (unsigned long) push->rate);
    settled(push);
}

static void send_probe(struct gw_push *push)
{
    uint8_t payload[GW_PUSH_PROBE_SIZE] = {FOTA_LINK_INFO_STAY};
    uint32_t bits = 0x2545f491u + push->tries;

    /* every kind of byte: alternating bits, long runs, noise */
    for (size_t i = 1; i < sizeof payload; i++) {
        bits = bits * 1664525u + 1013904223u;
        payload[i] = (uint8_t) (i % 8u == 0 ? 0x55u : i % 8u == 1u ? 0xffu : i % 8u == 2u ? 0x00u : bits >> 24);
    }
    push_send(push, FOTA_LINK_INFO, payload, sizeof payload);
}

/* Silence after which BAUD is asked for again: while writing, what is under way comes first. */
static uint32_t baud_ms(const struct gw_push *push)
{
    return push->session != 0 && push->state == GW_PUSH_WRITE ? GW_PUSH_SILENCE_MS : GW_PUSH_ASK_MS;
}

void push_rate_step(struct gw_push *push)
{
    uint64_t last = push->heard_at > push->sent_at ? push->heard_at : push->sent_at;

    if (push->phase == PHASE_CALL) {
        step_call(push);
    } else if (push->phase == PHASE_BAUD) {
        if (push->sent_at != 0 && push_since(push, last) < baud_ms(push))
            return;
        if (push->tries++ < (push->state == GW_PUSH_WRITE ? 1u : BAUD_TRIES))
            send_baud(push, push->rate_wanted);
        else
            give_up(push);
    } else if (push->sent_at == 0) {
        if (push->tries == 0 && push_since(push, push->phase_since) < GW_PUSH_SWITCH_MS)
            return;
        if (push->tries == 0) {
            push->faults = push->rx.damaged;
            fota_link_rx_init(&push->rx); /* what the change itself may have looked like is no fault */
            push->rx.damaged = push->faults;
        }
        send_probe(push);
    } else if (push->rx.damaged != push->faults || push_since(push, push->sent_at) >= GW_PUSH_PROBE_MS) {
        give_up(push);
    }
}

uint32_t push_rate_next_call(const struct gw_push *push)
{
    return push->phase == PHASE_PROBE ? GW_PUSH_SWITCH_MS : GW_PUSH_CALL_MS;
}
