/* SPDX-License-Identifier: MIT */
/** @file key.c Keys: made, saved, loaded, used. PEM, DER and the curve are BearSSL's. */
#include "internal.h"

#include <bearssl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_FILE_MAX 65536u
#define DER_MAX 4096u

/* A SubjectPublicKeyInfo for an uncompressed point on P-256 (RFC 5480) is this and then x and y. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
                                    0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
#define SPKI_SIZE (sizeof spki_head + FOTA_PUBLIC_KEY_SIZE)

void pack_key_wipe(struct pack_key *key)
{
    explicit_bzero(key, sizeof *key);
}

/* The private key in BearSSL's shape; `key` keeps the bytes. */
static br_ec_private_key private_of(const struct pack_key *key)
{
    /* BearSSL's member is not const, but it only reads. */
    union {
        const uint8_t *from;
        unsigned char *to;
    } x = {.from = key->secret};
    return (br_ec_private_key){.curve = BR_EC_secp256r1, .x = x.to, .xlen = sizeof key->secret};
}

static bool set_public(struct pack_key *key)
{
    br_ec_private_key sk = private_of(key);
    uint8_t point[BR_EC_KBUF_PUB_MAX_SIZE];
    br_ec_public_key pk;
    if (br_ec_compute_pub(br_ec_get_default(), &pk, point, &sk) != 1u + FOTA_PUBLIC_KEY_SIZE)
        return false;
    memcpy(key->public_key.point, point + 1, FOTA_PUBLIC_KEY_SIZE);
    fota_key_id(key->public_key.point, key->public_key.id);
    return true;
}

/* A secret of 0 or beyond the curve's order has a "public key" as well; its signatures tell. */
static bool can_sign(const struct pack_key *key)
{
    static const uint8_t digest[FOTA_SHA256_SIZE] = {1};
    uint8_t signature[FOTA_SIGNATURE_SIZE];
    return pack_sign(key, digest, signature) == FOTA_OK &&
           fota_ecdsa_verify(key->public_key.point, digest, signature) == FOTA_OK;
}

int pack_key_generate(struct pack_key *key, struct pack_message *error)
{
    uint8_t seed[48], buffer[BR_EC_KBUF_PRIV_MAX_SIZE];
    br_hmac_drbg_context drbg;
    br_ec_private_key sk;
    memset(key, 0, sizeof *key);
    if (getrandom(seed, sizeof seed, 0) != (ssize_t) sizeof seed)
        return pack_fail(error, FOTA_E_IO, "the system gives no random numbers: %s", strerror(errno));
    br_hmac_drbg_init(&drbg, &br_sha256_vtable, seed, sizeof seed);
    size_t n = br_ec_keygen(&drbg.vtable, br_ec_get_default(), &sk, buffer, BR_EC_secp256r1);
    if (n > 0 && n <= sizeof key->secret)
        memcpy(key->secret + sizeof key->secret - n, buffer, n);
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(buffer, sizeof buffer);
    explicit_bzero(&drbg, sizeof drbg);
    if (n == 0 || n > sizeof key->secret || !set_public(key))
        return pack_fail(error, FOTA_E_IO, "a key could not be made");
    return FOTA_OK;
}

/* @return FOTA_E_IO when `path` must not be replaced. */
static int may_write(const char *path, bool force, struct pack_message *error)
{
    if (!force && access(path, F_OK) == 0)
        return pack_fail(
            error, FOTA_E_IO,
            "%s is there already and is not overwritten: devices that trust it would be lost; choose another "
            "name, or say --force",
            path);
    return FOTA_OK;
}

static int save_pem(const char *path, const uint8_t *der, size_t size, const char *banner, unsigned mode,
                    struct pack_message *error)
{
    char pem[2048];
    if (br_pem_encode(NULL, NULL, size, banner, BR_PEM_LINE64) >= sizeof pem)
        return pack_fail(error, FOTA_E_ARGUMENT, "%s: too large", path);
    size_t n = br_pem_encode(pem, der, size, banner, BR_PEM_LINE64);
    int e = pack_file_write(path, pem, n, mode, error);
    explicit_bzero(pem, sizeof pem);
    return e;
}

int pack_key_save(const struct pack_key *key, const char *name, bool force, struct pack_message *error)
{
    char private_path[4096], public_path[4096];
    if (name[0] == '\0' || strlen(name) > sizeof public_path - 16u)
        return pack_fail(error, FOTA_E_ARGUMENT, "the name of a key file has 1 to %zu characters",
                         sizeof public_path - 16u);
    (void) snprintf(private_path, sizeof private_path, "%s.pem", name);
    (void) snprintf(public_path, sizeof public_path, "%s.pub.pem", name);
    int e = may_write(private_path, force, error);
    if (e == FOTA_OK)
        e = may_write(public_path, force, error);
    if (e != FOTA_OK)
        return e;

    uint8_t der[512], spki[SPKI_SIZE], point[1u + FOTA_PUBLIC_KEY_SIZE];
    point[0] = 4;
    memcpy(point + 1, key->public_key.point, FOTA_PUBLIC_KEY_SIZE);
    br_ec_private_key sk = private_of(key);
    br_ec_public_key pk = {.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof point};
    size_t size = br_encode_ec_pkcs8_der(NULL, &sk, &pk);
    if (size == 0 || size > sizeof der)
        return pack_fail(error, FOTA_E_KEY, "%s: the key cannot be encoded", private_path);
    (void) br_encode_ec_pkcs8_der(der, &sk, &pk);
    e = save_pem(private_path, der, size, BR_ENCODE_PEM_PKCS8, 0600, error);
    explicit_bzero(der, sizeof der);
    if (e != FOTA_OK)
        return e;
    memcpy(spki, spki_head, sizeof spki_head);
    memcpy(spki + sizeof spki_head, key->public_key.point, FOTA_PUBLIC_KEY_SIZE);
    return save_pem(public_path, spki, sizeof spki, "PUBLIC KEY", 0644, error);
}

/* PEM ------------------------------------------------------------------------------------------------- */

enum found { FOUND_NOTHING, FOUND_PRIVATE, FOUND_PUBLIC };

struct collected {
    uint8_t der[DER_MAX];
    size_t size;
    bool overflow;
};

static void collect(void *ctx, const void *data, size_t size)
{
    struct collected *c = ctx;
    if (size > sizeof c->der - c->size) {
        c->overflow = true;
        return;
    }
    memcpy(c->der + c->size, data, size);
    c->size += size;
}

/* Decode one PEM object. @param why set to what is wrong with it. */
static enum found decode(const char *banner, const struct collected *c, struct pack_key *key, const char **why)
{
    if (strcmp(banner, "ENCRYPTED PRIVATE KEY") == 0) {
        *why = "the private key is encrypted; decrypt it first: openssl pkey -in … -out …";
        return FOUND_NOTHING;
    }
    if (strcmp(banner, "PUBLIC KEY") == 0) {
        if (c->overflow || c->size != SPKI_SIZE || memcmp(c->der, spki_head, sizeof spki_head) != 0) {
            *why = "the public key is not one of the curve P-256 in its uncompressed form";
            return FOUND_NOTHING;
        }
        memcpy(key->public_key.point, c->der + sizeof spki_head, FOTA_PUBLIC_KEY_SIZE);
        /* A point that is not on the curve is no key. Times one: BearSSL checks the point on the way in. */
        uint8_t point[1u + FOTA_PUBLIC_KEY_SIZE];
        static const uint8_t one[1] = {1};
        memcpy(point, c->der + sizeof spki_head - 1u, sizeof point);
        if (br_ec_get_default()->mul(point, sizeof point, one, sizeof one, BR_EC_secp256r1) != 1u) {
            *why = "the public key is not a point of the curve P-256";
            return FOUND_NOTHING;
        }
        fota_key_id(key->public_key.point, key->public_key.id);
        return FOUND_PUBLIC;
    }
    if (strcmp(banner, BR_ENCODE_PEM_PKCS8) != 0 && strcmp(banner, BR_ENCODE_PEM_EC_RAW) != 0)
        return FOUND_NOTHING;

    br_skey_decoder_context decoder;
    br_skey_decoder_init(&decoder);
    br_skey_decoder_push(&decoder, c->der, c->size);
    enum found found = FOUND_NOTHING;
    *why = "the private key is not one of the curve P-256";
    const br_ec_private_key *ec = NULL;
    if (!c->overflow && br_skey_decoder_last_error(&decoder) == 0 &&
        br_skey_decoder_key_type(&decoder) == BR_KEYTYPE_EC)
        ec = br_skey_decoder_get_ec(&decoder);
    if (ec != NULL && ec->curve == BR_EC_secp256r1) {
        size_t n = ec->xlen;
        const uint8_t *x = ec->x;
        for (; n > sizeof key->secret && *x == 0; n--)
            x++;
        memset(key->secret, 0, sizeof key->secret);
        if (n <= sizeof key->secret) {
            memcpy(key->secret + sizeof key->secret - n, x, n);
            if (set_public(key) && can_sign(key))
                found = FOUND_PRIVATE;
        }
    }
    explicit_bzero(&decoder, sizeof decoder);
    return found;
}

/* Go through the objects of a PEM file until one is a key. */
static enum found scan(const uint8_t *pem, size_t size, struct pack_key *key, bool want_private, const char **why)
{
    br_pem_decoder_context decoder;
    struct collected c = {.size = 0};
    char banner[128] = "";
    bool inside = false, last_newline = size > 0 && pem[size - 1u] == '\n';
    enum found found = FOUND_NOTHING;
    br_pem_decoder_init(&decoder);
    while (found == FOUND_NOTHING || (want_private && found == FOUND_PUBLIC)) {
        size_t n = br_pem_decoder_push(&decoder, pem, size);
        pem += n;
        size -= n;
        int event = br_pem_decoder_event(&decoder);
        if (event == BR_PEM_BEGIN_OBJ) {
            (void) snprintf(banner, sizeof banner, "%s", br_pem_decoder_name(&decoder));
            c.size = 0;
            c.overflow = false;
            inside = true;
            br_pem_decoder_setdest(&decoder, collect, &c);
        } else if (event == BR_PEM_END_OBJ && inside) {
            enum found this = decode(banner, &c, key, why);
            found = this != FOUND_NOTHING ? this : found;
            inside = false;
        } else if (event == BR_PEM_ERROR) {
            *why = "it is not valid PEM";
            break;
        } else if (event == 0 && size == 0) {
            if (last_newline)
                break;
            last_newline = true; /* the decoder ends an object at the end of its line */
            pem = (const uint8_t *) "\n";
            size = 1;
        }
    }
    explicit_bzero(&c, sizeof c);
    explicit_bzero(&decoder, sizeof decoder);
    return found;
}

static int parse(const char *name, const void *pem, size_t size, struct pack_key *key, bool want_private,
                 struct pack_message *error)
{
    memset(key, 0, sizeof *key);
    const char *why = "there is no key in it";
    if (size > KEY_FILE_MAX)
        return pack_fail(error, FOTA_E_KEY, "%s: larger than %u bytes: not a key file", name, KEY_FILE_MAX);
    enum found found = scan(pem, size, key, want_private, &why);
    if (found == FOUND_PRIVATE || (found == FOUND_PUBLIC && !want_private))
        return FOTA_OK;
    pack_key_wipe(key);
    if (found == FOUND_PUBLIC)
        return pack_fail(error, FOTA_E_KEY,
                         "%s: a public key cannot sign; give the private one (NAME.pem of fota keygen)", name);
    return pack_fail(error, FOTA_E_KEY,
                     "%s: %s; wanted is a P-256 key in a PEM file (fota keygen -o NAME, or openssl ecparam -name "
                     "prime256v1 -genkey)",
                     name, why);
}

int pack_key_parse(const char *name, const void *pem, size_t size, struct pack_key *key, struct pack_message *error)
{
    return parse(name, pem, size, key, true, error);
}

int pack_public_parse(const char *name, const void *pem, size_t size, struct fota_key *key, struct pack_message *error)
{
    struct pack_key any;
    int e = parse(name, pem, size, &any, false, error);
    if (e == FOTA_OK)
        *key = any.public_key;
    pack_key_wipe(&any);
    return e;
}

int pack_key_load(const char *path, struct pack_key *key, struct pack_message *error)
{
    struct pack_buffer file;
    int e = pack_file_read(path, KEY_FILE_MAX, &file, error);
    if (e != FOTA_OK)
        return e;
    e = pack_key_parse(path, file.data, file.size, key, error);
    if (file.size > 0)
        explicit_bzero(file.data, file.size);
    pack_buffer_free(&file);
    return e;
}

int pack_public_load(const char *path, struct fota_key *key, struct pack_message *error)
{
    struct pack_buffer file;
    int e = pack_file_read(path, KEY_FILE_MAX, &file, error);
    if (e != FOTA_OK)
        return e;
    e = pack_public_parse(path, file.data, file.size, key, error);
    if (file.size > 0)
        explicit_bzero(file.data, file.size);
    pack_buffer_free(&file);
    return e;
}

int pack_sign(const struct pack_key *key, const uint8_t digest[FOTA_SHA256_SIZE],
              uint8_t signature[FOTA_SIGNATURE_SIZE])
{
    br_ec_private_key sk = private_of(key);
    size_t n = br_ecdsa_sign_raw_get_default()(br_ec_get_default(), &br_sha256_vtable, digest, &sk, signature);
    return n == FOTA_SIGNATURE_SIZE ? FOTA_OK : FOTA_E_KEY;
}
