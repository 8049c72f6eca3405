/* SPDX-License-Identifier: MIT */
/**
 * @file error.h
 * One list of errors for every program of fota. Each has a value (negative, on the wire as int16), a name
 * (in JSON as `reason`) and a sentence. The list is an X-macro so that no second copy exists.
 */
#ifndef FOTA_ERROR_H
#define FOTA_ERROR_H

/* clang-format off */
#define FOTA_ERRORS(X) \
    X(ARGUMENT,      -1, "argument",      "an argument is out of its range") \
    X(IO,            -2, "io",            "reading or writing failed") \
    X(TRUNCATED,     -3, "truncated",     "the data ends too early") \
    X(TRAILING,      -4, "trailing",      "there is data after the end") \
    X(MAGIC,         -5, "magic",         "this does not begin with the magic number of a fota image") \
    X(FORMAT,        -6, "format",        "the format version is not known here") \
    X(SIZE,          -7, "size",          "the image is empty, not a multiple of 4 or larger than a slot") \
    X(LINK_ADDRESS,  -8, "link-address",  "the image is linked for another address or another slot distance") \
    X(FLAGS,         -9, "flags",         "the header has flags that are not known here") \
    X(PRODUCT,       -10, "product",      "the image is for another product") \
    X(HW_REVISION,   -11, "hw-revision",  "the hardware revision is outside the range of the image") \
    X(FLOOR,         -12, "floor",        "the security counter is below the floor of the device") \
    X(KEY,           -13, "key",          "the signing key is not one that is trusted here") \
    X(SIGNATURE,     -14, "signature",    "the signature does not fit the header") \
    X(CRC,           -15, "crc",          "the CRC-32 of the code does not fit the header") \
    X(HASH,          -16, "hash",         "the SHA-256 of the code does not fit the header") \
    X(VECTORS,       -17, "vectors",      "stack pointer or reset address in the vector table lie outside") \
    X(DEADLINE_RANGE,-18, "deadline-range", "the trial deadline is outside 1 to 600 seconds") \
    X(SECTION,       -19, "section",      "the package has a section that is not known or not allowed here") \
    X(RELOCATION,    -20, "relocation",   "a relocation lies outside its block or overlaps another") \
    X(BUSY,          -21, "busy",         "a trial is under way; confirm it or let it end first") \
    X(REJECTED,      -22, "rejected",     "this image was rejected by the device before; an operator may ask for a retry") \
    X(STATE,         -23, "state",        "this request does not fit the present state") \
    X(SESSION,       -24, "session",      "the frame belongs to another session") \
    X(OFFSET,        -25, "offset",       "the offset is not the one that is wanted next, or out of range") \
    X(INCOMPLETE,    -26, "incomplete",   "the image is not complete yet") \
    X(FLASH,         -27, "flash",        "erasing or programming the flash failed") \
    X(VERSION,       -28, "version",      "the protocol version is not known here") \
    X(UNKNOWN,       -29, "unknown-request", "the request is not known here") \
    X(FRAME,         -30, "frame",        "the frame is damaged") \
    X(NO_IMAGE,      -31, "no-image",     "there is no valid image in the slot") \
    X(JOURNAL_FULL,  -32, "journal-full", "the journal has no room; the bootloader makes room at the next reset") \
    X(CONFIG,        -33, "config",       "the bootloader has no valid configuration block") \
    X(DEADLINE,      -34, "deadline",     "the application did not confirm before the trial deadline") \
    X(WATCHDOG,      -35, "watchdog",     "the watchdog reset the trial") \
    X(FAULT,         -36, "fault",        "the application ended in a fault") \
    X(RESETS,        -37, "resets",       "the application was reset too often during its trial") \
    X(SUPPLY,        -38, "supply",       "the supply voltage is too low to write the flash") \
    X(LATER,         -39, "later",        "the application wants this done later; ask again") \
    X(PROGRAM,       -40, "program",      "what starts programs here refuses this one: it is damaged, or for another chip")
/* clang-format on */

enum fota_error {
    FOTA_OK = 0,
#define X(name, value, word, text) FOTA_E_##name = value,
    FOTA_ERRORS(X)
#undef X
};

/** The word for an error as it stands in JSON (`reason`). @param e a value of enum fota_error.
 *  @return a constant string; "ok" for FOTA_OK, "unknown-error" for anything that is not in the list. */
const char *fota_error_name(int e);

/** A sentence for people. @param e a value of enum fota_error. @return a constant string. */
const char *fota_error_text(int e);

#endif
