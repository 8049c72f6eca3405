/* SPDX-License-Identifier: MIT */
/* What comes over MQTT: commands and chunks to a gateway, states, progress, presence, replies and requests for chunks
 * to a hub. First byte: which one. */
#include "fuzz.h"

#include "gw/chunk.h"
#include "gw/job.h"
#include "messages.h"

static bool ended(const char *text, size_t capacity)
{
    return memchr(text, 0, capacity) != NULL;
}

static void command(const uint8_t *data, size_t size)
{
    static struct gw_command c;

    if (gw_command_parse(data, size, &c)) {
        PROMISE(c.kind == GW_COMMAND_STATUS || gw_device_name_valid(c.device));
        PROMISE(c.kind == GW_COMMAND_STATUS || c.job.id[0] != 0);
    } else {
        PROMISE(c.detail[0] != 0 && ended(c.detail, sizeof c.detail));
    }
    PROMISE(ended(c.job.url, sizeof c.job.url) && ended(c.job.id, sizeof c.job.id) && ended(c.name, sizeof c.name));
}

static void hub_message(unsigned which, const char *text, size_t size)
{
    static struct hub_presence presence;
    static struct hub_reply reply;
    static struct hub_progress progress;
    static struct hub_device device;
    char why[HUB_WHY_SIZE] = "", target[HUB_VERSION_MAX + 1];
    int rc = which == 0   ? hub_presence_parse(text, size, &presence, why)
             : which == 1 ? hub_reply_parse(text, size, &reply, why)
             : which == 2 ? hub_progress_parse(text, size, &progress, why)
                          : hub_state_parse(text, size, &device, target, why);

    PROMISE(ended(why, sizeof why) && (rc == 0 || why[0] != 0));
    if (rc != 0)
        return;
    if (which == 0)
        PROMISE(presence.device_count <= HUB_GATEWAY_DEVICES_MAX);
    if (which == 2)
        PROMISE(progress.percent >= 0 && progress.percent <= 100 && hub_state_valid(progress.state));
    if (which == 3)
        PROMISE(hub_state_valid(device.state));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned which = fuzz_byte(&in) % 7u;
    size_t n;
    uint8_t *piece = fuzz_piece(&in, GW_PAYLOAD_MAX, &n);
    struct gw_chunk_message message;
    struct hub_topic topic;

    if (which == 0)
        command(piece, n);
    else if (which <= 4u)
        hub_message(which - 1u, (const char *) piece, n);
    else if (which == 5u) {
        if (gw_chunk_decode(piece, n, &message)) /* offset and total are judged by gw_chunk_received(): fuzz_chunks */
            PROMISE(message.length <= GW_CHUNK_MAX && message.data + message.length <= piece + n);
    } else {
        char *text = malloc(n + 1u);

        memcpy(text, piece, n);
        text[n] = 0;
        hub_topic_parse(text, &topic);
        PROMISE(topic.kind == HUB_TOPIC_NONE || gw_name_valid(topic.gateway));
        free(text);
    }
    free(piece);
    return 0;
}
