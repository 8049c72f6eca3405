/* SPDX-License-Identifier: MIT */
/* Entering and leaving ST's factory bootloader, and its commands, the same over both wires but for two packets. */
#include "rom_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GET_MAX 32u /* commands that Get may name */
#define NO_ADDRESS 0xFFFFFFFFu

/** A command under way: what it is called in errors, and on which address. */
struct step {
    const char *name;
    uint8_t code;
    uint32_t address;
};

void rom_sleep(struct gw_rom *rom, uint32_t ms)
{
    uint64_t until = rom_now(rom) + ms;

    for (uint64_t now = rom_now(rom); now <= until; now = rom_now(rom))
        rom->port.wait(rom->port.ctx, (uint32_t) (until - now) + 1u);
}

int rom_fail(struct gw_rom *rom, int result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(rom->error, sizeof rom->error, format, arguments);
    va_end(arguments);
    return result;
}

size_t rom_hello(uint8_t *wire)
{
    static const uint8_t none = 0;
    const struct fota_frame hello = {
        .version = FOTA_LINK_VERSION, .type = FOTA_LINK_INFO, .payload = &none, .length = 1};

    return fota_frame_encode(&hello, wire, 32);
}

void gw_rom_init(struct gw_rom *rom, const struct gw_rom_port *port)
{
    memset(rom, 0, sizeof *rom);
    rom->port = *port;
    rom->wire = port->link != NULL ? &rom_uart : &rom_spi;
    if (rom->port.baud == 0)
        rom->port.baud = GW_ROM_BAUD;
    if (rom->port.spi_hz == 0)
        rom->port.spi_hz = FOTA_ST_SPI_HZ;
    if (rom->port.gap_ns == 0)
        rom->port.gap_ns = FOTA_ST_SPI_GAP_NS;
}

/* --- acknowledgements ------------------------------------------------------------------------------------------- */

static int complain(struct gw_rom *rom, const struct step *step, const char *part, int seen, uint32_t ms)
{
    char where[32] = "";

    if (step->address != NO_ADDRESS)
        (void) snprintf(where, sizeof where, " at 0x%08lx", (unsigned long) step->address);
    if (seen == FOTA_ST_NACK)
        return rom_fail(rom, GW_ROM_E_REFUSED, "%s (%02x)%s: the ROM refused %s (NACK)%s", step->name, step->code,
                        where, part, rom->protected ? "; readout protection is on (RDP level 1)" : "");
    if (seen < 0)
        return rom_fail(rom, GW_ROM_E_TIMEOUT, "%s (%02x)%s: no acknowledgement of %s within %lu ms", step->name,
                        step->code, where, part, (unsigned long) ms);
    return rom_fail(rom, GW_ROM_E_UNEXPECTED, "%s (%02x)%s: %02x instead of an acknowledgement (79) of %s", step->name,
                    step->code, where, (unsigned) seen, part);
}

static int acknowledged(struct gw_rom *rom, const struct step *step, const char *part, uint32_t ms)
{
    int seen = rom->wire->ack(rom, ms);

    if (seen == FOTA_ST_ACK)
        return GW_ROM_OK;
    rom->stats.nacks += seen == FOTA_ST_NACK;
    return complain(rom, step, part, seen, ms);
}

static int lost_port(struct gw_rom *rom, const struct step *step)
{
    return rom_fail(rom, GW_ROM_E_PORT, "%s (%02x): the %s port has gone", step->name, step->code, rom->wire->name);
}

static int begin(struct gw_rom *rom, const struct step *step)
{
    const uint8_t bytes[2] = {step->code, (uint8_t) ~step->code};

    if (rom->port.stop != NULL && rom->port.stop(rom->port.ctx))
        return rom_fail(rom, GW_ROM_E_STOPPED, "cancelled before %s", step->name);
    rom->stats.commands++;
    return rom->wire->command(rom, bytes) == 0 ? acknowledged(rom, step, "the command", GW_ROM_ACK_MS)
                                               : lost_port(rom, step);
}

/* @param bytes with room for one more: the exclusive or of them. */
static int packet(struct gw_rom *rom, const struct step *step, const char *part, uint8_t *bytes, size_t length,
                  uint32_t ms)
{
    uint8_t sum = length == 1u ? 0xFF : 0; /* of a single byte it is the complement */

    for (size_t i = 0; i < length; i++)
        sum ^= bytes[i];
    bytes[length] = sum;
    rom->stats.bytes += (uint32_t) length + 1u;
    return rom->wire->packet(rom, bytes, length + 1u) == 0 ? acknowledged(rom, step, part, ms) : lost_port(rom, step);
}

static int send_address(struct gw_rom *rom, const struct step *step)
{
    uint8_t bytes[5] = {(uint8_t) (step->address >> 24), (uint8_t) (step->address >> 16),
                        (uint8_t) (step->address >> 8), (uint8_t) step->address};

    return packet(rom, step, "the address", bytes, 4, GW_ROM_ACK_MS);
}

static int data(struct gw_rom *rom, const struct step *step, uint8_t *to, size_t length, bool first)
{
    if (rom->wire->data(rom, to, length, first) == 0)
        return GW_ROM_OK;
    return rom_fail(rom, GW_ROM_E_TIMEOUT, "%s (%02x): the answer of %zu bytes did not come", step->name, step->code,
                    length);
}

/* --- who is there? ---------------------------------------------------------------------------------------------- */

static int get(struct gw_rom *rom)
{
    const struct step step = {"Get", FOTA_ST_GET, NO_ADDRESS};
    uint8_t text[GET_MAX + 1u] = {0}, count = 0;
    int result = begin(rom, &step);

    if (result == GW_ROM_OK)
        result = data(rom, &step, &count, 1, true);
    if (result == GW_ROM_OK && count >= sizeof text)
        result = rom_fail(rom, GW_ROM_E_UNEXPECTED, "Get (00): %u commands are announced", count);
    if (result == GW_ROM_OK)
        result = data(rom, &step, text, count + 1u, false);
    if (result == GW_ROM_OK)
        result = acknowledged(rom, &step, "the end", GW_ROM_ACK_MS);
    if (result == GW_ROM_OK && memchr(text + 1, FOTA_ST_ERASE, count) == NULL)
        result = rom_fail(rom, GW_ROM_E_CHIP, "Get (00): this ROM knows no Extended Erase (44), so it is no STM32F4");
    if (result == GW_ROM_OK)
        rom->protocol = text[0];
    return result;
}

static int get_id(struct gw_rom *rom)
{
    const struct step step = {"Get ID", FOTA_ST_GET_ID, NO_ADDRESS};
    uint8_t id[3] = {0};
    unsigned chip;
    int result = begin(rom, &step);

    if (result == GW_ROM_OK)
        result = data(rom, &step, id, sizeof id, true);
    if (result == GW_ROM_OK)
        result = acknowledged(rom, &step, "the end", GW_ROM_ACK_MS);
    chip = result == GW_ROM_OK ? (unsigned) id[1] << 8 | id[2] : 0;
    if (result == GW_ROM_OK && chip != FOTA_ST_CHIP_ID)
        result = rom_fail(rom, GW_ROM_E_CHIP, "the chip's id is 0x%03x, that of an STM32F405/407 is 0x%03x", chip,
                          FOTA_ST_CHIP_ID);
    return result;
}

/* Nothing but readout protection makes the ROM refuse to read its own version. */
static int look(struct gw_rom *rom)
{
    int result = get(rom);

    if (result == GW_ROM_OK)
        result = get_id(rom);
    if (result != GW_ROM_OK)
        return result;
    rom->version = 0;
    rom->protected = false;
    result = gw_rom_read(rom, FOTA_ST_ID_ADDRESS, &rom->version, 1);
    rom->protected = result == GW_ROM_E_REFUSED;
    if (rom->protected)
        rom->wire->resync(rom); /* V3.1 refuses twice */
    return rom->protected ? GW_ROM_OK : result;
}

/* --- in and out ------------------------------------------------------------------------------------------------- */

static int pulse(struct gw_rom *rom, bool boot0)
{
    const struct gw_pins *pins = rom->port.pins;

    if (pins == NULL || pins->boot0 == NULL || pins->nrst == NULL)
        return rom_fail(rom, GW_ROM_E_PORT, "the ROM path needs both NRST and BOOT0: name their lines");
    if (pins->boot0(pins->ctx, boot0) != 0)
        return rom_fail(rom, GW_ROM_E_PORT, "BOOT0 could not be moved");
    if (pins->nrst(pins->ctx, true) != 0)
        return rom_fail(rom, GW_ROM_E_PORT, "NRST could not be moved");
    rom_sleep(rom, GW_ROM_RESET_MS);
    for (unsigned i = 0; i < GW_ROM_TRIES; i++) /* a device must not be held in reset */
        if (pins->nrst(pins->ctx, false) == 0)
            return GW_ROM_OK;
    return rom_fail(rom, GW_ROM_E_PORT, "NRST could not be released: the device is held in reset");
}

static int silent(struct gw_rom *rom)
{
    char why[GW_ROM_ERROR * 3u / 4u];

    if (rom->wire->ours(rom))
        return rom_fail(
            rom, GW_ROM_E_NOT_ROM,
            "fota's own bootloader or application answers instead of ST's ROM: BOOT0 does not reach the chip");
    rom->wire->explain(rom, why, sizeof why);
    return rom_fail(rom, GW_ROM_E_SILENT, "ST's ROM does not answer over %s: %s", rom->wire->name, why);
}

/* A rate that was measured badly, junk on the bus: another reset helps. */
int gw_rom_enter(struct gw_rom *rom)
{
    int result = GW_ROM_E_SILENT;

    rom->cached = 0;
    rom->x32 = false;
    if (!rom->open && rom->wire->open(rom) != 0)
        return rom_fail(rom, GW_ROM_E_PORT, "the %s port cannot be opened as the ROM wants it%s", rom->wire->name,
                        rom->port.link != NULL ? " (8 bits, even parity)" : "");
    rom->open = true;
    for (unsigned i = 0; i < GW_ROM_ENTRIES; i++) {
        int answer;

        rom->stats.entries++;
        result = pulse(rom, true);
        if (result != GW_ROM_OK)
            return result;
        rom_sleep(rom, GW_ROM_START_MS);
        answer = rom->wire->sync(rom);
        if (answer == FOTA_ST_ACK) {
            result = look(rom);
            if (result == GW_ROM_OK || result == GW_ROM_E_CHIP || result == GW_ROM_E_STOPPED)
                return result;
        } else {
            result = GW_ROM_E_SILENT;
        }
    }
    if (result == GW_ROM_E_TIMEOUT || result == GW_ROM_E_UNEXPECTED) {
        size_t used = strlen(rom->error);

        (void) snprintf(rom->error + used, sizeof rom->error - used, "; it did notice us, so the line is bad: %s",
                        rom->wire->hint);
    }
    return result == GW_ROM_E_SILENT ? silent(rom) : result;
}

int gw_rom_leave(struct gw_rom *rom)
{
    int result;

    if (rom->open)
        rom->wire->close(rom);
    rom->open = false;
    result = pulse(rom, false);
    return result;
}

/* --- commands that may be repeated ------------------------------------------------------------------------------ */

static bool worth_another_try(int result)
{
    return result == GW_ROM_E_REFUSED || result == GW_ROM_E_TIMEOUT || result == GW_ROM_E_UNEXPECTED;
}

static void resync(struct gw_rom *rom)
{
    rom->stats.resyncs++;
    rom->wire->resync(rom);
}

static int read_block(struct gw_rom *rom, uint32_t address, uint8_t *to, size_t length)
{
    const struct step step = {"Read Memory", FOTA_ST_READ, address};
    uint8_t count[2] = {(uint8_t) (length - 1u)};
    int result = begin(rom, &step);

    if (result == GW_ROM_OK)
        result = send_address(rom, &step);
    if (result == GW_ROM_OK)
        result = packet(rom, &step, "the length", count, 1, GW_ROM_ACK_MS);
    return result == GW_ROM_OK ? data(rom, &step, to, length, true) : result;
}

int rom_write_block(struct gw_rom *rom, uint32_t address, const uint8_t *from, size_t length, uint32_t ms)
{
    const struct step step = {"Write Memory", FOTA_ST_WRITE, address};
    uint8_t bytes[1u + FOTA_ST_BLOCK + 1u];
    int result = begin(rom, &step);

    bytes[0] = (uint8_t) (length - 1u);
    memcpy(bytes + 1, from, length);
    if (result == GW_ROM_OK)
        result = send_address(rom, &step);
    return result == GW_ROM_OK ? packet(rom, &step, "the data", bytes, length + 1u, ms) : result;
}

static int in_blocks(struct gw_rom *rom, uint32_t address, uint8_t *to, const uint8_t *from, uint32_t length)
{
    while (length > 0) {
        uint32_t n = length < FOTA_ST_BLOCK ? length : FOTA_ST_BLOCK;
        int result = GW_ROM_E_TIMEOUT;

        for (unsigned i = 0; i < GW_ROM_TRIES && worth_another_try(result); i++) {
            if (i > 0)
                resync(rom);
            result =
                to != NULL ? read_block(rom, address, to, n) : rom_write_block(rom, address, from, n, GW_ROM_WRITE_MS);
        }
        if (result != GW_ROM_OK)
            return result;
        address += n;
        length -= n;
        to = to != NULL ? to + n : NULL;
        from = from != NULL ? from + n : NULL;
    }
    return GW_ROM_OK;
}

int gw_rom_read(struct gw_rom *rom, uint32_t address, void *to, uint32_t length)
{
    uint64_t since = rom_now(rom);
    int result = rom->protected ? rom_fail(rom, GW_ROM_E_PROTECTED,
                                           "0x%08lx cannot be read: readout protection is on (RDP level 1)",
                                           (unsigned long) address)
                                : in_blocks(rom, address, to, NULL, length);

    rom->stats.read_ms += rom_now(rom) - since;
    return result;
}

int gw_rom_write(struct gw_rom *rom, uint32_t address, const void *from, uint32_t length)
{
    uint64_t since = rom_now(rom);
    int result;

    if (address % 4u != 0 || length % 4u != 0)
        return rom_fail(rom, GW_ROM_E_ARGUMENT, "0x%08lx, %lu bytes: not in whole words", (unsigned long) address,
                        (unsigned long) length);
    if (rom->protected)
        return rom_fail(rom, GW_ROM_E_PROTECTED, "0x%08lx cannot be written: readout protection is on (RDP level 1)",
                        (unsigned long) address);
    rom->cached = 0;
    result = in_blocks(rom, address, NULL, from, length);
    rom->stats.write_ms += rom_now(rom) - since;
    return result;
}

int gw_rom_x32(struct gw_rom *rom)
{
    static const uint8_t range[4] = {FOTA_ST_PSIZE_X32, 0xFF, 0xFF, 0xFF};
    int result = gw_rom_write(rom, FOTA_ST_PSIZE_ADDRESS, range, sizeof range);

    rom->x32 = result == GW_ROM_OK;
    return result;
}

int gw_rom_go(struct gw_rom *rom, uint32_t address)
{
    const struct step step = {"Go", FOTA_ST_GO, address};
    int result = begin(rom, &step);

    return result == GW_ROM_OK ? send_address(rom, &step) : result;
}

/* --- erase ------------------------------------------------------------------------------------------------------ */

/* One sector a command: the checksum of the list is then the same with the count and without it, which hosts disagree
 * about over SPI. */
static int erase_once(struct gw_rom *rom, unsigned sector)
{
    const struct step step = {"Extended Erase", FOTA_ST_ERASE, fota_sector_base(sector)};
    uint8_t all[5] = {0, 0, 0, (uint8_t) sector};
    int result = begin(rom, &step);

    if (result != GW_ROM_OK)
        return result;
    if (rom->port.link != NULL)
        return packet(rom, &step, "the erase", all, 4, GW_ROM_ERASE_MS);
    result = packet(rom, &step, "the count", all, 2, GW_ROM_ACK_MS);
    all[2] = 0; /* where the count's checksum was */
    return result == GW_ROM_OK ? packet(rom, &step, "the erase", all + 2, 2, GW_ROM_ERASE_MS) : result;
}

/* Over SPI, where some parts acknowledge an erase too early, all of the sector; over a UART, where none is known to,
 * and where it would take 12 s, its first and its last block: that tells a protected sector, and whoever writes reads
 * it all back. @return GW_ROM_OK, GW_ROM_E_VERIFY, or that of a read. */
static int blank(struct gw_rom *rom, unsigned sector)
{
    uint32_t step = rom->port.link != NULL ? fota_sector_size(sector) - FOTA_ST_BLOCK : FOTA_ST_BLOCK;
    uint64_t since = rom_now(rom);
    uint8_t block[FOTA_ST_BLOCK];
    int result = GW_ROM_OK;

    for (uint32_t at = 0; at < fota_sector_size(sector) && result == GW_ROM_OK; at += step) {
        result = read_block(rom, fota_sector_base(sector) + at, block, sizeof block);
        for (uint32_t i = 0; i < FOTA_ST_BLOCK && result == GW_ROM_OK; i++) {
            uint32_t where = fota_sector_base(sector) + at + i;

            if (block[i] != 0xFF)
                result =
                    rom_fail(rom, GW_ROM_E_VERIFY,
                             "sector %u is not blank after its erase (0x%08lx reads %02x): is it write-protected? The "
                             "ROM does not say so",
                             sector, (unsigned long) where, block[i]);
        }
        if (rom->port.progress != NULL)
            rom->port.progress(rom->port.ctx, "blank check", at + FOTA_ST_BLOCK, fota_sector_size(sector));
    }
    rom->stats.blank_ms += rom_now(rom) - since;
    return result;
}

/* What an erase that was acknowledged too early, or not at all, needs: the longest time, and then another look, if need
 * be after a reset. */
static int look_again(struct gw_rom *rom, unsigned sector, uint64_t since)
{
    uint64_t passed = rom_now(rom) - since;
    int result;

    if (passed < GW_ROM_ERASE_MS)
        rom_sleep(rom, (uint32_t) (GW_ROM_ERASE_MS - passed));
    resync(rom);
    result = blank(rom, sector);
    if (worth_another_try(result)) {
        bool x32 = rom->x32;

        result = gw_rom_enter(rom);
        if (result == GW_ROM_OK && x32)
            result = gw_rom_x32(rom);
        if (result == GW_ROM_OK)
            result = blank(rom, sector);
    }
    return result;
}

int gw_rom_erase(struct gw_rom *rom, unsigned sector)
{
    uint64_t since = rom_now(rom);
    int result;

    if (sector >= FOTA_SECTOR_COUNT)
        return rom_fail(rom, GW_ROM_E_ARGUMENT, "there is no sector %u", sector);
    if (rom->protected)
        return rom_fail(rom, GW_ROM_E_PROTECTED, "sector %u cannot be erased: readout protection is on (RDP level 1)",
                        sector);
    rom->cached = 0;
    result = erase_once(rom, sector);
    rom->stats.erase_ms += rom_now(rom) - since;
    if (result == GW_ROM_E_REFUSED) { /* a bit that was turned over on the way */
        resync(rom);
        since = rom_now(rom);
        result = erase_once(rom, sector);
        rom->stats.erase_ms += rom_now(rom) - since;
    }
    if (result != GW_ROM_OK && result != GW_ROM_E_TIMEOUT && result != GW_ROM_E_UNEXPECTED)
        return result;
    if (result == GW_ROM_OK)
        result = blank(rom, sector);
    return result == GW_ROM_OK || result == GW_ROM_E_STOPPED || result == GW_ROM_E_PORT
               ? result
               : look_again(rom, sector, since);
}

/* --- protection ------------------------------------------------------------------------------------------------- */

/* The chip resets behind the last acknowledgement. */
static int enter_again(struct gw_rom *rom, int result)
{
    if (result != GW_ROM_OK)
        return result;
    rom_sleep(rom, GW_ROM_OPTIONS_MS);
    return gw_rom_enter(rom);
}

int gw_rom_write_protect(struct gw_rom *rom, uint32_t sectors)
{
    const struct step step = {"Write Protect", FOTA_ST_WRITE_PROTECT, NO_ADDRESS};
    uint8_t bytes[1u + FOTA_SECTOR_COUNT + 1u], count = 0, alone[2];
    int result = begin(rom, &step);

    for (unsigned s = 0; s < FOTA_SECTOR_COUNT; s++)
        if ((sectors >> s & 1u) != 0)
            bytes[++count] = (uint8_t) s;
    if (count == 0)
        return rom_fail(rom, GW_ROM_E_ARGUMENT, "no sectors to be protected");
    bytes[0] = alone[0] = (uint8_t) (count - 1u);
    if (result == GW_ROM_OK && rom->port.link == NULL)
        result = packet(rom, &step, "the count", alone, 1, GW_ROM_ACK_MS);
    if (result == GW_ROM_OK && rom->port.link == NULL) {
        uint8_t sum = 0; /* a list of one is no single byte: its checksum is the byte */

        for (unsigned i = 1; i <= count; i++)
            sum ^= bytes[i];
        bytes[count + 1u] = sum;
        result = rom->wire->packet(rom, bytes + 1, count + 1u) == 0
                     ? acknowledged(rom, &step, "the list", GW_ROM_OPTIONS_MS)
                     : lost_port(rom, &step);
    } else if (result == GW_ROM_OK) {
        result = packet(rom, &step, "the list", bytes, count + 1u, GW_ROM_OPTIONS_MS);
    }
    return enter_again(rom, result);
}

static int twice(struct gw_rom *rom, const char *name, uint8_t code, uint32_t ms)
{
    const struct step step = {name, code, NO_ADDRESS};
    int result = begin(rom, &step);

    if (result == GW_ROM_OK)
        result = acknowledged(rom, &step, "the end", ms);
    rom->cached = 0;
    return enter_again(rom, result);
}

int gw_rom_write_unprotect(struct gw_rom *rom)
{
    return twice(rom, "Write Unprotect", FOTA_ST_WRITE_UNPROTECT, GW_ROM_OPTIONS_MS);
}

int gw_rom_readout_protect(struct gw_rom *rom)
{
    return twice(rom, "Readout Protect", FOTA_ST_READOUT_PROTECT, GW_ROM_OPTIONS_MS);
}

int gw_rom_readout_unprotect(struct gw_rom *rom)
{
    return twice(rom, "Readout Unprotect", FOTA_ST_READOUT_UNPROTECT, GW_ROM_ERASE_ALL_MS);
}
