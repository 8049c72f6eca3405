/* SPDX-License-Identifier: MIT */
/** @file access.c The board's ways in and out: serial ports, flash, registers, the state hash. */
#include "internal.h"

/* ----------------------------------------------------------------------------------------------- serial ports */

size_t board_uart_write(struct board *b, unsigned n, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t done = 0;
    if (n < 1 || n > BOARD_UARTS)
        return 0;
    while (done < len && bytes_push(&b->to_chip[n - 1], p[done]))
        done++;
    board_uart_rx_start(b, n - 1);
    return done;
}

size_t board_uart_pending(const struct board *b, unsigned n)
{
    return n < 1 || n > BOARD_UARTS ? 0 : b->to_chip[n - 1].count;
}

void board_uart_flush(struct board *b, unsigned n)
{
    if (n >= 1 && n <= BOARD_UARTS)
        b->to_chip[n - 1].count = 0;
}

size_t board_uart_read(struct board *b, unsigned n, void *bytes, size_t len)
{
    uint8_t *p = bytes;
    size_t done = 0;
    if (n < 1 || n > BOARD_UARTS)
        return 0;
    for (int byte; done < len && (byte = bytes_pop(&b->from_chip[n - 1])) >= 0;)
        p[done++] = (uint8_t) byte;
    return done;
}

void board_on_uart(struct board *b, unsigned n, void (*f)(void *, unsigned, uint8_t), void *context)
{
    if (n < 1 || n > BOARD_UARTS)
        return;
    b->uart_cb[n - 1] = f;
    b->uart_ctx[n - 1] = context;
}

void board_uart_baud(struct board *b, unsigned n, uint32_t baud)
{
    if (n >= 1 && n <= BOARD_UARTS)
        b->s.uart[n - 1].host_baud = baud;
}

bool board_uart_format(struct board *b, unsigned n, enum board_uart_format format)
{
    if (n < 1 || n > BOARD_UARTS || (unsigned) format > BOARD_UART_8O1)
        return false;
    b->s.uart[n - 1].format = (uint8_t) format;
    return true;
}

bool board_uart_error(struct board *b, unsigned n, unsigned errors, uint32_t skip, uint32_t count)
{
    const unsigned known = BOARD_UART_PARITY | BOARD_UART_FRAMING | BOARD_UART_NOISE | BOARD_UART_OVERRUN;
    if (n < 1 || n > BOARD_UARTS || (errors & ~known))
        return false;
    b->s.uart[n - 1].errors = (uint8_t) errors;
    b->s.uart[n - 1].error_skip = skip;
    b->s.uart[n - 1].error_count = count;
    return true;
}

void board_uart_connect(struct board *b, unsigned n, bool connected)
{
    if (n >= 1 && n <= BOARD_UARTS)
        b->s.uart[n - 1].connected = connected;
}

/* ------------------------------------------------------------------------------------------------------ flash */

const uint8_t *board_flash(const struct board *b)
{
    return b->flash;
}

bool board_flash_load(struct board *b, uint32_t address, const void *bytes, size_t len)
{
    uint32_t offset = address - FOTA_FLASH_BASE;
    if (offset >= FOTA_FLASH_SIZE || len > FOTA_FLASH_SIZE - offset || board_read_protected(b))
        return false;
    if (len) {
        memcpy(b->flash + offset, bytes, len);
        board_weak_forget(b, address, (uint32_t) len);
        board_code_changed(b, address, (uint32_t) len);
    }
    return true;
}

void board_flash_erase(struct board *b)
{
    memset(b->flash, 0xFF, FOTA_FLASH_SIZE);
    board_weak_forget(b, FOTA_FLASH_BASE, FOTA_FLASH_SIZE);
    board_code_changed(b, FOTA_FLASH_BASE, FOTA_FLASH_SIZE);
}

bool board_read(const struct board *b, uint32_t address, void *bytes, size_t len)
{
    const uint8_t *p = len <= UINT32_MAX ? board_memory(b, address, (uint32_t) len, false) : NULL;
    if (p)
        memcpy(bytes, p, len);
    return p != NULL;
}

bool board_debug_read(const struct board *b, uint32_t address, void *bytes, size_t len)
{
    bool flash = address - FOTA_FLASH_BASE < FOTA_FLASH_SIZE || address < FOTA_FLASH_SIZE;
    if (address - 0x40024000u < 0x1000u && len <= 0x1000u - (address - 0x40024000u)) {
        for (size_t i = 0; i < len; i++) {
            uint32_t at = address - 0x40024000u + (uint32_t) i;
            ((uint8_t *) bytes)[i] = (uint8_t) (b->s.bkpsram[at / 4u] >> (8u * (at & 3u)));
        }
        return !board_read_protected(b);
    }
    return !(flash && board_read_protected(b)) && board_read(b, address, bytes, len);
}

bool board_write(struct board *b, uint32_t address, const void *bytes, size_t len)
{
    uint8_t *p = len <= UINT32_MAX ? board_memory(b, address, (uint32_t) len, true) : NULL;
    if (p && len) {
        memcpy(p, bytes, len);
        board_ram_changed(b, address, (uint32_t) len);
    }
    return p != NULL;
}

void board_cut(struct board *b, uint64_t operation, enum board_cut_phase phase, uint64_t seed)
{
    b->s.cut_at = operation ? b->s.operations + operation : 0;
    b->s.cut_phase = (uint8_t) phase;
    b->s.cut_seed = seed;
    if (!operation)
        board_cancel(b, EV_CUT);
}

/* -------------------------------------------------------------------------------------- registers, trace, hash */

uint32_t board_register(struct board *b, enum board_register r)
{
    static const int id[] = {UC_ARM_REG_R0,     UC_ARM_REG_R1,   UC_ARM_REG_R2,  UC_ARM_REG_R3,  UC_ARM_REG_R4,
                             UC_ARM_REG_R5,     UC_ARM_REG_R6,   UC_ARM_REG_R7,  UC_ARM_REG_R8,  UC_ARM_REG_R9,
                             UC_ARM_REG_R10,    UC_ARM_REG_R11,  UC_ARM_REG_R12, UC_ARM_REG_SP,  UC_ARM_REG_LR,
                             UC_ARM_REG_PC,     UC_ARM_REG_XPSR, UC_ARM_REG_MSP, UC_ARM_REG_PSP, UC_ARM_REG_PRIMASK,
                             UC_ARM_REG_CONTROL};
    return (unsigned) r < sizeof id / sizeof id[0] ? board_reg(b, id[r]) : 0;
}

void board_register_set(struct board *b, enum board_register r, uint32_t value)
{
    static const int id[] = {UC_ARM_REG_R0,  UC_ARM_REG_R1, UC_ARM_REG_R2,  UC_ARM_REG_R3,
                             UC_ARM_REG_R4,  UC_ARM_REG_R5, UC_ARM_REG_R6,  UC_ARM_REG_R7,
                             UC_ARM_REG_R8,  UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                             UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR,  UC_ARM_REG_PC};
    if ((unsigned) r < sizeof id / sizeof id[0])
        board_reg_set(b, id[r], r == BOARD_PC ? value | 1u : value);
}

uint32_t board_peek(struct board *b, uint32_t address)
{
    struct board_counters before = b->counters;
    unsigned seen = b->rule_seen_count;
    bool ok;
    uint32_t v = board_bus_read(b, address & ~3u, 4, &ok);
    b->counters = before;
    b->rule_seen_count = seen;
    return v;
}

bool board_stick(struct board *b, uint32_t address, uint32_t mask, uint32_t value)
{
    uint32_t kept[BOARD_STUCK][3] = {{0}};
    unsigned n = 0;
    for (unsigned i = 0; i < BOARD_STUCK; i++)
        if (b->s.stuck[i][1] != 0 && b->s.stuck[i][0] != address)
            memcpy(kept[n++], b->s.stuck[i], sizeof kept[0]);
    if (mask != 0 && n == BOARD_STUCK)
        return false;
    if (mask != 0)
        memcpy(kept[n], (const uint32_t[3]){address, mask, value & mask}, sizeof kept[0]);
    memcpy(b->s.stuck, kept, sizeof kept);
    return true;
}

void board_on_trace(struct board *b, void (*f)(void *, uint32_t, uint32_t), void *context)
{
    b->trace = f;
    b->trace_ctx = context;
    b->attention = true;
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    for (; len; p++, len--)
        h = (h ^ *p) * 0x100000001B3u;
    return h;
}

uint64_t board_hash(struct board *b)
{
    uint64_t h = 0xCBF29CE484222325u;
    board_time_horizon(b); /* one representation of the time */
    h = mix(h, b->flash, b->flash_len);
    h = mix(h, b->sram, FOTA_RAM_SIZE);
    h = mix(h, b->ccm, FOTA_CCM_SIZE);
    h = mix(h, &b->s, sizeof b->s);
    if (b->weak.any)
        h = mix(h, &b->weak, sizeof b->weak);
    for (int r = BOARD_R0; r <= BOARD_CONTROL; r++) {
        uint32_t v = board_register(b, (enum board_register) r);
        h = mix(h, &v, sizeof v);
    }
    for (int d = 0; d < 16; d++) {
        uint64_t v = 0;
        uc_reg_read(b->uc, UC_ARM_REG_D0 + d, &v);
        h = mix(h, &v, sizeof v);
    }
    for (unsigned i = 0; i < BOARD_UARTS; i++)
        for (size_t k = 0; k < b->to_chip[i].count; k++)
            h = mix(h, &b->to_chip[i].data[(b->to_chip[i].head + k) % b->to_chip[i].size], 1);
    for (unsigned i = 0; i < BOARD_SPIS; i++)
        for (size_t k = 0; k < b->to_spi[i].count; k++)
            h = mix(h, &b->to_spi[i].data[(b->to_spi[i].head + k) % b->to_spi[i].size], 1);
    return h;
}
