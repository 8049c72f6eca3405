/* SPDX-License-Identifier: MIT */
#include "fota/crypto.h"

#include "fota/error.h"
#include "support/cmocka_all.h"
#include "support/hex.h"
#include "support/sign.h"

/* FIPS 180-4 examples (NIST CSRC) */
static void sha256_known_answers(void **state)
{
    static const struct {
        const char *message, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t expected[32], digest[32];

    (void) state;
    for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        test_hex(vectors[i].digest, expected, sizeof expected);
        fota_sha256(vectors[i].message, strlen(vectors[i].message), digest);
        assert_memory_equal(digest, expected, sizeof digest);
    }
}

static void sha256_of_a_million_in_pieces(void **state)
{
    struct fota_sha256 hash;
    uint8_t piece[997], expected[32], digest[32];
    size_t left = 1000000;

    (void) state;
    memset(piece, 'a', sizeof piece);
    fota_sha256_init(&hash);
    for (size_t take = 1; left > 0; left -= take, take = take % sizeof piece + 1u) {
        if (take > left)
            take = left;
        fota_sha256_update(&hash, piece, take);
    }
    test_hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", expected, sizeof expected);
    fota_sha256_out(&hash, digest);
    assert_memory_equal(digest, expected, sizeof digest);
    /* the running hash was not changed by asking */
    fota_sha256_out(&hash, digest);
    assert_memory_equal(digest, expected, sizeof digest);
}

/* RFC 6979 A.2.5 */
struct sample {
    uint8_t key[FOTA_PUBLIC_KEY_SIZE], digest[FOTA_SHA256_SIZE], signature[FOTA_SIGNATURE_SIZE];
};

static struct sample rfc6979(const char *message, const char *signature)
{
    struct sample s = {0};

    test_hex(
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        s.key, sizeof s.key);
    fota_sha256(message, strlen(message), s.digest);
    test_hex(signature, s.signature, sizeof s.signature);
    return s;
}

static struct sample sample(void)
{
    return rfc6979("sample",
                   "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                   "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}

static void ecdsa_known_answers(void **state)
{
    struct sample s = sample();

    (void) state;
    assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_OK);
    s = rfc6979("test",
                "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
    assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_OK);
}

static void ecdsa_refuses_every_changed_byte(void **state)
{
    struct sample s = sample();

    (void) state;
    for (unsigned i = 0; i < sizeof s; i++) {
        uint8_t *byte = (uint8_t *) &s + i;

        *byte ^= (uint8_t) (1u << (i % 8u));
        assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
        *byte ^= (uint8_t) (1u << (i % 8u));
    }
    assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_OK);
}

/* FIPS 186-4 6.4.2: r and s lie in 1 … n - 1. */
static void ecdsa_refuses_numbers_out_of_range(void **state)
{
    static const char *const n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    struct sample good = sample(), s;

    (void) state;
    for (unsigned half = 0; half < 2u; half++) {
        s = good;
        memset(s.signature + 32u * half, 0, 32);
        assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
        test_hex(n, s.signature + 32u * half, 32);
        assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
        memset(s.signature + 32u * half, 0xFF, 32);
        assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
    }
    memset(s.signature, 0, sizeof s.signature);
    assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
    s = good; /* no point of the curve */
    memset(s.key, 0, sizeof s.key);
    assert_int_equal(fota_ecdsa_verify(s.key, s.digest, s.signature), FOTA_E_SIGNATURE);
}

static void key_id_is_the_start_of_the_hash(void **state)
{
    struct sample s = sample();
    struct fota_key key, other;
    uint8_t digest[32];

    (void) state;
    test_key(0, &key); /* computed from the private key of the same vector */
    assert_memory_equal(key.point, s.key, sizeof s.key);
    fota_sha256(s.key, sizeof s.key, digest);
    assert_memory_equal(key.id, digest, FOTA_KEY_ID_SIZE);
    test_key(1, &other);
    assert_memory_not_equal(key.id, other.id, FOTA_KEY_ID_SIZE);
    /* and a fresh signature of each is good with its own key only */
    test_sign(1, s.digest, s.signature);
    assert_int_equal(fota_ecdsa_verify(other.point, s.digest, s.signature), FOTA_OK);
    assert_int_equal(fota_ecdsa_verify(key.point, s.digest, s.signature), FOTA_E_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha256_known_answers),
                                       cmocka_unit_test(sha256_of_a_million_in_pieces),
                                       cmocka_unit_test(ecdsa_known_answers),
                                       cmocka_unit_test(ecdsa_refuses_every_changed_byte),
                                       cmocka_unit_test(ecdsa_refuses_numbers_out_of_range),
                                       cmocka_unit_test(key_id_is_the_start_of_the_hash)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
