/* SPDX-License-Identifier: MIT */
#include "answers.h"

#include "fota/header.h"
#include "symbols.h"

#include <bearssl.h>
#include <stdio.h>
#include <string.h>

/* --- one at a time ---------------------------------------------------------------------------------------------- */

static void disagree(struct answers *a, const char *what)
{
    if (a->differed++ == 0)
        fprintf(stderr, "the Arm code and the host disagree about %s\n", what);
}

/* The Arm code has returned. */
static uint64_t round_returned(void *ctx, struct board *b)
{
    struct answers *a = ctx;
    uint32_t state[8];

    if (!a->round.under_way)
        return 0;
    a->round.under_way = false;
    if (!a->frozen)
        a->round_cost = board_counters(b)->instructions - a->round.since;
    a->compared++;
    if (!board_read(b, a->round.state, state, sizeof state) || memcmp(state, a->round.expected, sizeof state) != 0)
        disagree(a, "a round of SHA-256");
    board_unwatch(b, a->round.watch);
    return 0;
}

/* br_sha2small_round(buf, val) of BearSSL's inner.h: one block into the state. */
static uint64_t sha256_round(void *ctx, struct board *b)
{
    struct answers *a = ctx;
    br_sha256_context sha;
    uint8_t block[64], packed[32];
    uint32_t at = board_register(b, (enum board_register)(BOARD_R0 + 1)), state[8];

    if (!board_read(b, board_register(b, BOARD_R0), block, sizeof block) || !board_read(b, at, state, sizeof state))
        return 0;
    br_sha256_init(&sha);
    for (unsigned i = 0; i < 32u; i++)
        packed[i] = (uint8_t) (state[i / 4u] >> (24u - 8u * (i % 4u)));
    br_sha256_set_state(&sha, packed, 64);
    br_sha256_update(&sha, block, sizeof block);
    (void) br_sha256_state(&sha, packed);
    for (unsigned i = 0; i < 8u; i++)
        state[i] = (uint32_t) packed[4u * i] << 24 | (uint32_t) packed[4u * i + 1u] << 16 |
                   (uint32_t) packed[4u * i + 2u] << 8 | packed[4u * i + 3u];
    if (!a->by_arm && a->round_cost != 0) {
        (void) board_write(b, at, state, sizeof state);
        a->hosted++;
        a->rounds++;
        return a->round_cost;
    }
    memcpy(a->round.expected, state, sizeof state);
    a->round.state = at;
    a->round.since = board_counters(b)->instructions;
    a->round.watch = board_on_call(b, board_register(b, BOARD_LR) & ~1u, round_returned, a);
    a->round.under_way = a->round.watch >= 0;
    return 0;
}

static uint64_t verify_returned(void *ctx, struct board *b)
{
    struct answers *a = ctx;
    unsigned slot = a->verify.slot;
    uint8_t proof[FOTA_PROOF_SIZE] = {0};
    int result = (int) board_register(b, BOARD_R0);

    if (!a->verify.under_way)
        return 0;
    a->verify.under_way = false;
    a->compared++;
    (void) board_read(b, a->verify.proof, proof, sizeof proof);
    if (result == FOTA_OK && memcmp(proof, a->verify.signature, sizeof proof) != 0)
        result = FOTA_E_SIGNATURE;
    if (result != a->verify.result)
        disagree(a, "a signature");
    if (!a->frozen)
        a->verify_cost =
            board_counters(b)->instructions - a->verify.since + (a->rounds - a->verify.rounds) * a->round_cost;
    if (!a->frozen && slot < sizeof a->known / sizeof a->known[0]) {
        memcpy(a->known[slot].digest, a->verify.digest, 32);
        a->known[slot].result = a->verify.result;
        a->known[slot].cost = a->verify_cost;
        if (slot == a->known_count)
            a->known_count++;
    }
    board_unwatch(b, a->verify.watch);
    return 0;
}

static uint64_t answer(struct answers *a, struct board *b, int result, uint64_t cost)
{
    uint8_t proof[FOTA_PROOF_SIZE] = {0};

    /* as p256-m does: a wrong signature has another r, and to see that is left to the firmware */
    if (result == FOTA_OK || result == FOTA_E_SIGNATURE)
        memcpy(proof, a->verify.signature, sizeof proof);
    if (result == FOTA_E_SIGNATURE) {
        proof[0] ^= 1u;
        result = FOTA_OK;
    }
    (void) board_write(b, a->verify.proof, proof, sizeof proof);
    board_register_set(b, BOARD_R0, (uint32_t) result);
    a->hosted++;
    return cost;
}

/* All that an answer depends on: without the keys, firmware that asks with other ones would get the answer of these. */
static void question(const uint8_t *raw, const struct fota_key *keys, uint32_t count, uint8_t digest[32])
{
    struct fota_sha256 sha;

    fota_sha256_init(&sha);
    fota_sha256_update(&sha, raw, FOTA_HEADER_SIZE);
    fota_sha256_update(&sha, &count, sizeof count);
    fota_sha256_update(&sha, keys, count * sizeof keys[0]);
    fota_sha256_out(&sha, digest);
}

/* fota_header_prove(raw, keys, count, proof). */
static uint64_t header_prove(void *ctx, struct board *b)
{
    struct answers *a = ctx;
    uint8_t raw[FOTA_HEADER_SIZE];
    struct fota_key keys[FOTA_CONFIG_KEYS];
    uint32_t count = board_register(b, (enum board_register)(BOARD_R0 + 2));
    unsigned slot;

    if (count > FOTA_CONFIG_KEYS || !board_read(b, board_register(b, BOARD_R0), raw, sizeof raw) ||
        !board_read(b, board_register(b, (enum board_register)(BOARD_R0 + 1)), keys, count * sizeof keys[0]))
        return 0;
    a->verify.proof = board_register(b, (enum board_register)(BOARD_R0 + 3));
    memcpy(a->verify.signature, raw + FOTA_HEADER_SIGNED, sizeof a->verify.signature);
    question(raw, keys, count, a->verify.digest);
    for (slot = 0; slot < a->known_count; slot++)
        if (memcmp(a->known[slot].digest, a->verify.digest, 32) == 0)
            break;
    if (!a->by_arm && slot < a->known_count)
        return answer(a, b, a->known[slot].result, a->known[slot].cost);
    a->verify.result = fota_header_verify(raw, keys, count);
    /* a torn header: without its key the Arm code is soon done; with it, no two of them take quite the same time */
    if (!a->by_arm && a->verify.result != FOTA_E_KEY && (a->frozen || a->verify.result != FOTA_OK) &&
        a->verify_cost != 0)
        return answer(a, b, a->verify.result, a->verify_cost);
    a->verify.slot = slot;
    a->verify.since = board_counters(b)->instructions;
    a->verify.rounds = a->rounds;
    a->verify.watch = board_on_call(b, board_register(b, BOARD_LR) & ~1u, verify_returned, a);
    a->verify.under_way = a->verify.watch >= 0;
    return 0;
}

bool answers_install(struct answers *a, struct board *board, const char *path)
{
    struct symbols symbols;
    uint32_t round, verify;

    memset(a, 0, sizeof *a);
    if (!symbols_read(&symbols, path))
        return false;
    round = symbols_find(&symbols, "br_sha2small_round");
    verify = symbols_find(&symbols, "fota_header_prove");
    symbols_free(&symbols);
    if (round == 0 || verify == 0) {
        fprintf(stderr, "%s has no br_sha2small_round or no fota_header_prove\n", path);
        return false;
    }
    return board_on_call(board, round, sha256_round, a) >= 0 && board_on_call(board, verify, header_prove, a) >= 0;
}

void answers_freeze(struct answers *a, const struct answers *from)
{
    a->round_cost = from->round_cost;
    a->verify_cost = from->verify_cost;
    a->known_count = from->known_count;
    memcpy(a->known, from->known, sizeof a->known);
    a->frozen = true;
}

void answers_reset(struct answers *a, struct board *board)
{
    if (a->verify.under_way)
        board_unwatch(board, a->verify.watch);
    if (a->round.under_way)
        board_unwatch(board, a->round.watch);
    a->verify.under_way = a->round.under_way = false;
}
