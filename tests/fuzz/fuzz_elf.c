/* SPDX-License-Identifier: MIT */
/* What developers give to `fota doctor`: ELFs, one or two, and the code in them, whatever it is. First byte: how the
 * rest is split, and whether the ELF is made of it: then the rest is the code of a program that is right in all else.
 */
#include "fuzz.h"

#include "doctor.h"

#define CODE_MAX 4096u
#define SECTIONS 4u

static void section(uint8_t *at, uint32_t name, uint32_t type, uint32_t flags, uint32_t address, uint32_t offset,
                    uint32_t size, uint32_t link, uint32_t info, uint32_t entry)
{
    const uint32_t member[10] = {name, type, flags, address, offset, size, link, info, 4, entry};

    for (unsigned i = 0; i < 10u; i++)
        fota_put32(at + 4u * i, member[i]);
}

/* A program for slot A with one section of code and one symbol, a function that is all of it. */
static size_t wrap(const uint8_t *code, size_t size, uint8_t *out)
{
    static const char strings[] = "\0.text\0fota_confirm";
    uint32_t text = 52u + 32u, length = (uint32_t) size, symbols = text + length, names = symbols + 48u;
    uint32_t table = names + (uint32_t) sizeof strings;
    const uint32_t segment[8] = {1, text, FOTA_LINK_ADDRESS, FOTA_LINK_ADDRESS, length, length, 5, 4};

    memset(out, 0, text);
    memcpy(out, "\177ELF\1\1\1", 7);
    fota_put16(out + 16, 2);
    fota_put16(out + 18, 40);
    fota_put32(out + 24, FOTA_LINK_ADDRESS + 1u);
    fota_put32(out + 28, 52);
    fota_put32(out + 32, table);
    fota_put16(out + 42, 32);
    fota_put16(out + 44, 1);
    fota_put16(out + 46, 40);
    fota_put16(out + 48, SECTIONS);
    fota_put16(out + 50, 3);
    for (unsigned i = 0; i < 8u; i++)
        fota_put32(out + 52u + 4u * i, segment[i]);
    memcpy(out + text, code, size);
    memset(out + symbols, 0, 48);
    fota_put32(out + symbols + 16, 7);
    fota_put32(out + symbols + 20, FOTA_LINK_ADDRESS + 1u);
    fota_put32(out + symbols + 24, length);
    out[symbols + 28] = 0x12;
    fota_put16(out + symbols + 30, 1);
    fota_put32(out + symbols + 36, FOTA_LINK_ADDRESS);
    fota_put16(out + symbols + 46, 1);
    memcpy(out + names, strings, sizeof strings);
    memset(out + table, 0, 40);
    section(out + table + 40, 1, 1, 6, FOTA_LINK_ADDRESS, text, length, 0, 0, 0);
    section(out + table + 80, 0, 2, 0, 0, symbols, 48, 3, 1, 16);
    section(out + table + 120, 0, 3, 0, 0, names, (uint32_t) sizeof strings, 0, 0, 0);
    return table + SECTIONS * 40u;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned how = fuzz_byte(&in) % 3u, links = how == 1u ? 2u : 1u;
    size_t first, second;
    uint8_t *a = fuzz_piece(&in, how == 2u ? CODE_MAX : links == 1u ? in.size : in.size / 2u, &first);
    uint8_t *b = fuzz_piece(&in, in.size, &second);
    uint8_t *made = malloc(CODE_MAX + 512u);
    struct doctor_report report;
    struct pack_message message = {0};
    unsigned errors = 0, warnings = 0;

    PROMISE(made != NULL);
    struct pack_input inputs[2] = {{"first", a, first}, {"second", b, second}};
    if (how == 2u)
        inputs[0] = (struct pack_input){"made", made, wrap(a, first, made)};
    PROMISE(doctor_examine(inputs, links, &report, &message) == FOTA_OK);
    for (unsigned i = 0; i < report.count; i++) {
        errors += report.finding[i].level == DOCTOR_ERROR;
        warnings += report.finding[i].level == DOCTOR_WARNING;
        PROMISE(report.finding[i].text[0] != '\0' && report.finding[i].check[0] != '\0');
    }
    PROMISE(errors == report.errors && warnings == report.warnings);
    /* what the doctor finds good, pack takes */
    if (errors == 0) {
        struct pack_image image;
        PROMISE(pack_image_load(inputs, links, NULL, 0, &image, &message) == FOTA_OK);
        pack_image_free(&image);
    }
    doctor_free(&report);
    free(made);
    free(a);
    free(b);
    return 0;
}
