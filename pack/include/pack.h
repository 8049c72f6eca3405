/* SPDX-License-Identifier: MIT */
/**
 * @file pack.h
 * From what the linker made (one ELF, two ELFs, a firmware.bin) to a signed `.fota` package. Used by `fota`
 * and by the hub's `--dev-key`. docs/image.md has the formats.
 *
 * Every function that can fail takes a `struct pack_message *` (never NULL), and on failure fills it in with
 * a value of enum fota_error, which it also returns, and a sentence that names the file, the field, the value
 * and what to do. Nothing here prints, nothing here is global: the functions may be used from several
 * threads.
 */
#ifndef PACK_H
#define PACK_H

#include "fota/appinfo.h"
#include "fota/config.h"
#include "fota/error.h"
#include "fota/header.h"
#include "fota/package.h"

#include <stddef.h>

/** Largest file that is read: an ELF with all its debug information. */
#define PACK_FILE_MAX (64u * 1024u * 1024u)

/** What went wrong. */
struct pack_message {
    int code;        /* enum fota_error; FOTA_OK as long as nothing did */
    char text[1024]; /* a sentence, one line, no newline at the end */
    uint32_t word;   /* where --allow-word, with this address, would help; 0: nowhere */
};

/** Memory that a function of this library allocated; pack_buffer_free() gives it back. */
struct pack_buffer {
    uint8_t *data;
    size_t size;
};

void pack_buffer_free(struct pack_buffer *buffer);

/** Read a whole file. @param limit largest size in bytes that is accepted.
 *  @return FOTA_OK, FOTA_E_IO (cannot be read; out of memory) or FOTA_E_SIZE (larger than limit). */
int pack_file_read(const char *path, size_t limit, struct pack_buffer *buffer, struct pack_message *error);

/** Write a file whole or not at all: to a temporary file beside it, synced, then renamed over `path`.
 *  @param mode permissions, for example 0644. @return FOTA_OK or FOTA_E_IO. */
int pack_file_write(const char *path, const void *data, size_t size, unsigned mode, struct pack_message *error);

/* Keys
 * --------------------------------------------------------------------------------------------------------------
 */

/** A signing key, NIST P-256. Wipe it with pack_key_wipe() when done. */
struct pack_key {
    uint8_t secret[32];         /* big-endian */
    struct fota_key public_key; /* id and x‖y */
};

/** Make a key from the system's random numbers (getrandom). @return FOTA_OK or FOTA_E_IO. */
int pack_key_generate(struct pack_key *key, struct pack_message *error);

/** Write NAME.pem (PKCS#8, mode 0600) and NAME.pub.pem (SubjectPublicKeyInfo, mode 0644).
 *  @param force replace files that are there. @return FOTA_OK or FOTA_E_IO. */
int pack_key_save(const struct pack_key *key, const char *name, bool force, struct pack_message *error);

/** Load a private key: PEM, PKCS#8 "PRIVATE KEY" or SEC1 "EC PRIVATE KEY", as openssl writes them,
 * unencrypted.
 *  @return FOTA_OK, FOTA_E_IO (no such file) or FOTA_E_KEY (no private P-256 key in it). */
int pack_key_load(const char *path, struct pack_key *key, struct pack_message *error);

/** Load a public key: PEM "PUBLIC KEY", or the public half of a private key file.
 *  @return FOTA_OK, FOTA_E_IO or FOTA_E_KEY. */
int pack_public_load(const char *path, struct fota_key *key, struct pack_message *error);

/** The same from memory (`name` stands in messages); also the entry points for fuzzing. */
int pack_key_parse(const char *name, const void *pem, size_t size, struct pack_key *key, struct pack_message *error);
int pack_public_parse(const char *name, const void *pem, size_t size, struct fota_key *key, struct pack_message *error);

/** Sign a SHA-256 digest: ECDSA P-256, deterministic (RFC 6979), r‖s. @return FOTA_OK or FOTA_E_KEY. */
int pack_sign(const struct pack_key *key, const uint8_t digest[FOTA_SHA256_SIZE],
              uint8_t signature[FOTA_SIGNATURE_SIZE]);

void pack_key_wipe(struct pack_key *key);

/* Packages
 * ----------------------------------------------------------------------------------------------------------
 */

enum pack_set {
    PACK_SET_PRODUCT = 1u,
    PACK_SET_HW = 2u,
    PACK_SET_VERSION = 4u,
    PACK_SET_COUNTER = 8u,
    PACK_SET_DEADLINE = 16u
};

/** Options of a package. All zero: everything comes from the application's info block (appinfo.h); what
 * stands in `set` overrides it, and is required where the application has no such block (the deadline's
 * default is 20 s). */
struct pack_options {
    unsigned set; /* PACK_SET_… */
    uint8_t product[FOTA_PRODUCT_SIZE];
    uint16_t hw_min, hw_max;
    struct fota_version version;
    uint32_t counter;
    uint32_t deadline_ms;
    const uint32_t *allow_words; /* addresses (slot A) of words that look like an address but are none; one ELF only */
    size_t allow_count;
};

/** One input, in memory. The name stands in messages. */
struct pack_input {
    const char *name;
    const uint8_t *data;
    size_t size;
};

/** What a package holds. */
struct pack_result {
    struct fota_header header;
    uint8_t identity[FOTA_IDENTITY_SIZE];
    uint8_t sha256[FOTA_SHA256_SIZE]; /* of the whole package */
    size_t size;                      /* of the whole package */
    uint32_t relocations;
};

/** Pack and sign: read the inputs, make the package, check it as a gateway will, write it (atomically).
 *  @param options never NULL. @param inputs paths: one ELF linked with --emit-relocs, two ELFs (slot A, slot
 * B), one firmware.bin, or the .bin that ESP-IDF made of a gateway. @param count 1 or 2. @param result filled in when
 * not NULL.
 *  @return FOTA_OK, or the error that `error` describes; then `out_path` has not been touched. */
int pack_build(const struct pack_options *options, const char *const *inputs, unsigned count,
               const struct pack_key *key, const char *out_path, struct pack_result *result,
               struct pack_message *error);

/** The same from memory to memory. */
int pack_make(const struct pack_options *options, const struct pack_input *inputs, unsigned count,
              const struct pack_key *key, struct pack_buffer *out, struct pack_result *result,
              struct pack_message *error);

/** Check a package as hub and gateway do: structure, header, signature, both slots' CRC-32, SHA-256 and
 * vector tables.
 *  @param keys trusted keys; with key_count 0 the signature is not checked (only `fota inspect` may do that).
 *  @param target when not NULL: also product, hardware revision and floor of a device.
 *  @param result filled in when not NULL; its header is set as soon as that could be decoded. */
int pack_verify(const struct pack_input *input, const struct fota_key *keys, unsigned key_count,
                const struct fota_target *target, struct pack_result *result, struct pack_message *error);

/* Images
 * ------------------------------------------------------------------------------------------------------------
 */

/** The code for slot A and the words that move; both allocated, pack_image_free() gives them back. */
struct pack_image {
    uint8_t *code;
    uint32_t size;         /* multiple of 4, padded with 0xFF */
    uint32_t *relocations; /* byte offsets of 32-bit words, ascending, not overlapping */
    uint32_t count;
    bool has_info;
    struct fota_appinfo info;
    bool gateway; /* a gateway's own program: no vector table, nothing moves */
};

/** Make an image of one or two inputs, of any kind that pack_build() takes. Vector table and info block are
 * checked. */
int pack_image_load(const struct pack_input *inputs, unsigned count, const uint32_t *allow_words, size_t allow_count,
                    struct pack_image *image, struct pack_message *error);
void pack_image_free(struct pack_image *image);

/** Sign an image: the writer behind pack_make(). */
int pack_image_sign(const struct pack_image *image, const struct pack_options *options, const struct pack_key *key,
                    struct pack_buffer *out, struct pack_result *result, struct pack_message *error);

/** Write an image as firmware.bin with its relocation table. @return FOTA_OK or FOTA_E_IO (out of memory). */
int pack_bin_make(const struct pack_image *image, struct pack_buffer *out, struct pack_message *error);

/** The content of a slot, header and code, relocated when it is B: for a debug probe, for tests. The package
 * is checked first. @param keys as for pack_verify(). @param slot FOTA_SLOT_A or FOTA_SLOT_B. */
int pack_slot_make(const struct pack_input *package, const struct fota_key *keys, unsigned key_count, unsigned slot,
                   struct pack_buffer *out, struct pack_message *error);

/* Bootloader ------------------------------------------------------------------------------------------ */

/** Put a configuration block into a bootloader's binary. @param boot at most 16 KiB; code must not reach into
 * the last 256 bytes (0xFF or an older block may be there). @param out 16 384 bytes, padded with 0xFF.
 *  @return FOTA_OK, FOTA_E_SIZE, FOTA_E_VECTORS (this is no bootloader) or FOTA_E_CONFIG (a member is out of
 * range). */
int pack_bootloader_make(const struct pack_input *boot, const struct fota_config *config, struct pack_buffer *out,
                         struct pack_message *error);

/** Read the configuration block of a bootloader's binary. @return FOTA_OK, FOTA_E_SIZE, or as
 * fota_config_decode(). */
int pack_bootloader_config(const struct pack_input *boot, struct fota_config *config, struct pack_message *error);

/* In words
 * ----------------------------------------------------------------------------------------------------------
 */

/** What is known where an error came up; every member may be NULL or 0. */
struct pack_context {
    const char *file;         /* name of the package */
    const uint8_t *header;    /* its first 512 bytes, as they are */
    const uint8_t *file_head; /* its first bytes when there are no 512 */
    size_t file_head_size;
    const struct fota_target *target; /* the device */
    const struct fota_key *keys;      /* those that are trusted */
    unsigned key_count;
};

/** Turn an error into a sentence that names field and value and says what to do next, for example
 *  "security counter 3 is below the floor 5 of the device: …". @param code enum fota_error. @param text of
 * `size` bytes. */
void pack_explain(int code, const struct pack_context *context, char *text, size_t size);

/** What a file is. */
enum pack_kind {
    PACK_KIND_EMPTY,
    PACK_KIND_PACKAGE, /* begins with a header, and sections follow */
    PACK_KIND_HEADER,  /* begins with a header, and code follows: the content of a slot */
    PACK_KIND_BIN,     /* firmware.bin with its table */
    PACK_KIND_ELF,
    PACK_KIND_BOOTLOADER, /* 16 KiB with a configuration block */
    PACK_KIND_TEXT,
    PACK_KIND_HEX,
    PACK_KIND_SREC,
    PACK_KIND_PEM,
    PACK_KIND_ESP,  /* an application of ESP-IDF */
    PACK_KIND_BARE, /* looks like a vector table: a bare .bin */
    PACK_KIND_OTHER
};

enum pack_kind pack_kind_of(const void *data, size_t size);
/** "a text file", "an Intel HEX file" … */
const char *pack_kind_text(enum pack_kind kind);

/* Spelling
 * ----------------------------------------------------------------------------------------------------------
 */

#define PACK_UUID_TEXT 37u
#define PACK_VERSION_TEXT 40u
#define PACK_HEX_TEXT(bytes) (2u * (bytes) + 1u)

bool pack_uuid_parse(const char *text, uint8_t uuid[FOTA_PRODUCT_SIZE]);
void pack_uuid_print(const uint8_t uuid[FOTA_PRODUCT_SIZE], char text[PACK_UUID_TEXT]);
/** "1.2.3" or "1.2.3+45". */
bool pack_version_parse(const char *text, struct fota_version *version);
void pack_version_print(const struct fota_version *version, char text[PACK_VERSION_TEXT]);
/** "3" or "1-4". */
bool pack_range_parse(const char *text, uint16_t *low, uint16_t *high);
/** Decimal or 0x…, the whole text, within the bounds. */
bool pack_number_parse(const char *text, uint32_t min, uint32_t max, uint32_t *value);
/** Lower-case hex digits, ended by a NUL. */
void pack_hex_print(const uint8_t *data, size_t size, char *text);

#endif
