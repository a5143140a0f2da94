#include "base/jwt_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "test/unit/base/jwt_tokens.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_public_key_says_its_algorithm(void **state)
{
    static const struct {
        const char *pem;
        enum jwt_algorithm algorithm;
    } rows[] = {
        {PUBLIC_RSA, JWT_RS256},
        {PUBLIC_P256, JWT_ES256},
        {PUBLIC_ED25519, JWT_EDDSA},
        {"a comment before it\n" PUBLIC_P256 "\n\n", JWT_ES256},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_key *key = NULL;
        if (jwt_key_new_public(slice_str(rows[i].pem), &key) != JWT_KEY_OK)
            fail_msg("%s", rows[i].pem);
        assert_int_equal(jwt_key_algorithm(key), rows[i].algorithm);
        jwt_key_free(key);
    }
}

static void weak_and_foreign_public_keys_are_refused(void **state)
{
    static const struct {
        const char *pem;
        enum jwt_key_error error;
    } rows[] = {
        {PUBLIC_RSA_1024, JWT_KEY_KIND},
        {PUBLIC_P384, JWT_KEY_KIND},
        {PUBLIC_SECP256K1, JWT_KEY_KIND},
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n",
         JWT_KEY_PRIVATE},
        {"-----BEGIN EC PRIVATE KEY-----\nMC4=\n-----END EC PRIVATE KEY-----\n",
         JWT_KEY_PRIVATE},
        {"-----BEGIN PUBLIC KEY-----\nMC4CAQ==\n-----END PUBLIC KEY-----\n",
         JWT_KEY_NOT_PEM},
        {"-----BEGIN PUBLIC KEY-----\n", JWT_KEY_NOT_PEM},
        {"-----BEGIN CERTIFICATE-----\nMC4=\n-----END CERTIFICATE-----\n",
         JWT_KEY_NOT_PEM},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", JWT_KEY_NOT_PEM},
        {SECRET_TEXT, JWT_KEY_NOT_PEM},
        {"", JWT_KEY_NOT_PEM},
    };
    struct jwt_key *key = NULL;
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const enum jwt_key_error error =
            jwt_key_new_public(slice_str(rows[i].pem), &key);
        /* Curves that GnuTLS does not know are no keys to it. */
        if (error != rows[i].error &&
            !(rows[i].error == JWT_KEY_KIND && error == JWT_KEY_NOT_PEM))
            fail_msg("%zu: %s", i, jwt_key_error_text(error));
        assert_null(key);
    }
    assert_int_equal(jwt_key_new_public(slice_of(NULL, 0), &key),
                     JWT_KEY_NOT_PEM);
}

static void a_secret_has_32_bytes_and_is_no_public_key(void **state)
{
    static char bytes[JWT_KEY_MAX + 1];
    struct jwt_key *key = NULL;
    (void)state;

    assert_int_equal(jwt_key_new_secret(slice_of(NULL, 0), &key),
                     JWT_KEY_SHORT);
    assert_int_equal(jwt_key_new_secret(slice_of(bytes, 31), &key),
                     JWT_KEY_SHORT);
    assert_int_equal(jwt_key_new_secret(slice_of(bytes, sizeof(bytes)), &key),
                     JWT_KEY_LONG);
    assert_int_equal(jwt_key_new_public(slice_of(bytes, sizeof(bytes)), &key),
                     JWT_KEY_LONG);
    assert_int_equal(jwt_key_new_secret(slice_str(PUBLIC_RSA), &key),
                     JWT_KEY_IS_PEM);
    assert_int_equal(jwt_key_new_secret(slice_str(PUBLIC_ED25519), &key),
                     JWT_KEY_IS_PEM);
    assert_null(key);
    assert_int_equal(jwt_key_new_secret(slice_of(bytes, 32), &key),
                     JWT_KEY_OK);
    assert_int_equal(jwt_key_algorithm(key), JWT_HS256);
    jwt_key_free(key);
    jwt_key_free(NULL);
}

static void only_four_algorithms_have_names(void **state)
{
    static const char *const bad[] = {"none",   "HS384", "HS512", "RS384",
                                      "PS256",  "ES384", "hs256", "",
                                      "HS256 ", "HS2"};
    enum jwt_algorithm algorithm;
    (void)state;

    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        assert_true(jwt_algorithm_of_text(
            slice_str(jwt_algorithm_text((enum jwt_algorithm)i)), &algorithm));
        assert_int_equal(algorithm, i);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(jwt_algorithm_of_text(slice_str(bad[i]), &algorithm));
    assert_false(jwt_algorithm_of_text(slice_of("HS256\0", 6), &algorithm));
}

/* RFC 4231 §4.8: a key longer than a block. */
static void an_hmac_of_the_rfc_holds(void **state)
{
    static const char message[] =
        "This is a test using a larger than block-size key and a larger than "
        "block-size data. The key needs to be hashed before being used by the "
        "HMAC algorithm.";
    unsigned char bytes[131], mac[32];
    struct jwt_key *key = NULL;
    (void)state;

    memset(bytes, 0xaa, sizeof(bytes));
    sodium_hex2bin(
        mac, sizeof(mac),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3"
        "a35e2",
        64, NULL, NULL, NULL);
    assert_int_equal(jwt_key_new_secret(slice_of(bytes, sizeof(bytes)), &key),
                     JWT_KEY_OK);
    assert_true(
        jwt_key_verifies(key, slice_str(message), slice_of(mac, sizeof(mac))));
    mac[31] ^= 1;
    assert_false(
        jwt_key_verifies(key, slice_str(message), slice_of(mac, sizeof(mac))));
    jwt_key_free(key);
}

static void no_key_takes_signatures_of_any_other_length(void **state)
{
    static const char *const pems[] = {PUBLIC_RSA, PUBLIC_P256,
                                       PUBLIC_ED25519};
    static const unsigned char zeros[600];
    struct jwt_key *keys[4];
    (void)state;

    assert_int_equal(jwt_key_new_secret(slice_str(SECRET_TEXT), &keys[3]),
                     JWT_KEY_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(jwt_key_new_public(slice_str(pems[i]), &keys[i]),
                         JWT_KEY_OK);
    for (size_t i = 0; i < 4; i++) {
        for (size_t len = 0; len < 70; len++)
            assert_false(jwt_key_verifies(keys[i], slice_str("message"),
                                          slice_of(zeros, len)));
        for (size_t len = 254; len < sizeof(zeros); len += 86)
            assert_false(jwt_key_verifies(keys[i], slice_str("message"),
                                          slice_of(zeros, len)));
        jwt_key_free(keys[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_key_says_its_algorithm),
        cmocka_unit_test(weak_and_foreign_public_keys_are_refused),
        cmocka_unit_test(a_secret_has_32_bytes_and_is_no_public_key),
        cmocka_unit_test(only_four_algorithms_have_names),
        cmocka_unit_test(an_hmac_of_the_rfc_holds),
        cmocka_unit_test(no_key_takes_signatures_of_any_other_length),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
