/* SPDX-License-Identifier: MIT */
/* A download in chunks: whatever a broker delivers, in any order, twice or never, with time passing. Bytes reach the
 * sink in order, and never more than there are. */
#include "fuzz.h"

#include "gw/chunk.h"

static uint32_t got, whole;

static bool is_ready(void *ctx)
{
    (void) ctx;
    return true;
}

static int on_ask(void *ctx, const uint8_t *digest, uint32_t offset, uint32_t count, uint32_t size, uint64_t *seq)
{
    (void) ctx;
    (void) digest;
    PROMISE(count >= 1u && count <= GW_CHUNK_WINDOW && (size == 1024u || size == 2048u) && offset >= got);
    *seq = 7;
    return 0;
}

static bool on_total(void *ctx, uint32_t total)
{
    (void) ctx;
    whole = total;
    return total <= 65536u;
}

static int on_bytes(void *ctx, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) data;
    got += (uint32_t) length;
    PROMISE(got <= whole);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_chunk_port port = {NULL, is_ready, on_ask};
    static const struct gw_chunk_sink sink = {NULL, on_total, on_bytes};
    static const uint8_t digest[GW_DIGEST_SIZE] = {0};
    static struct gw_chunk chunk;
    struct fuzz_input in = {data, size};
    uint32_t chunk_size = fuzz_byte(&in) % 2u == 0 ? 1024u : 2048u, from = (fuzz_byte(&in) % 4u) * chunk_size;
    uint64_t now = 1000;

    got = whole = from;
    gw_chunk_start(&chunk, &port, &sink, digest, from, chunk_size, 60000, now);
    while (in.size > 0 && chunk.state == GW_CHUNK_RUN) {
        static uint8_t bytes[GW_CHUNK_MAX];
        uint8_t what = fuzz_byte(&in);

        if (what % 8u == 7u) {
            gw_chunk_refused(&chunk, fuzz_byte(&in) % 8u, "busy", "later", fuzz_word(&in), now);
        } else if (what % 8u == 6u) {
            now += fuzz_byte(&in) * 50u;
        } else {
            struct gw_chunk_message m = {.total = (what & 8u) != 0 ? 20000u : fuzz_word(&in) % 70000u, .data = bytes};

            m.offset = (what & 16u) != 0 ? fuzz_word(&in) : (fuzz_byte(&in) % 40u) * chunk_size;
            m.length = (what & 32u) != 0 ? fuzz_byte(&in) * 8u + 1u : chunk_size;
            if (m.length > GW_CHUNK_MAX)
                continue; /* the only thing that gw_chunk_decode() does not let through */
            gw_chunk_received(&chunk, &m, now);
        }
        now += 1u;
        (void) gw_chunk_poll(&chunk, now);
        PROMISE(chunk.have == got);
    }
    return 0;
}
