#include "base/jwt_key.h"

#include <assert.h>
#include <stdlib.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <sodium.h>

#define P256_BYTES 32

struct jwt_key {
    enum jwt_algorithm algorithm;
    size_t len;
    /* The secret, or the SubjectPublicKeyInfo in DER. GnuTLS' own objects are not
     * kept: they are for one thread at a time, and making one takes less time
     * than a signature. */
    unsigned char bytes[];
};

const char *jwt_key_error_text(enum jwt_key_error error)
{
    switch (error) {
#define X(name, text)                                                         \
    case JWT_KEY_##name: return text;
        JWT_KEY_ERRORS(X)
#undef X
    }
    return "unknown";
}

static const char *const algorithms[] = {
#define X(name, text) [JWT_##name] = text,
    JWT_ALGORITHMS(X)
#undef X
};

const char *jwt_algorithm_text(enum jwt_algorithm algorithm)
{
    assert(algorithm < JWT_ALGORITHM_COUNT);
    return algorithms[algorithm];
}

bool jwt_algorithm_of_text(struct slice text, enum jwt_algorithm *ret)
{
    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++)
        if (slice_eq(text, slice_str(algorithms[i]))) {
            *ret = (enum jwt_algorithm)i;
            return true;
        }
    return false;
}

/* ---- keys ---------------------------------------------------------------- */

static enum jwt_key_error key_new(enum jwt_algorithm algorithm,
                                  struct slice bytes, struct jwt_key **ret_key)
{
    struct jwt_key *key = malloc(sizeof(*key) + bytes.len);

    if (key == NULL)
        return JWT_KEY_NOMEM;
    key->algorithm = algorithm;
    key->len = bytes.len;
    memcpy(key->bytes, bytes.data, bytes.len);
    *ret_key = key;
    return JWT_KEY_OK;
}

void jwt_key_free(struct jwt_key *key)
{
    if (key == NULL)
        return;
    sodium_memzero(key->bytes, key->len);
    free(key);
}

enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key)
{
    return key->algorithm;
}

static bool contains(struct slice text, const char *word)
{
    return text.len > 0 &&
           memmem(text.data, text.len, word, strlen(word)) != NULL;
}

enum jwt_key_error jwt_key_new_secret(struct slice secret,
                                      struct jwt_key **ret_key)
{
    if (secret.len > JWT_KEY_MAX)
        return JWT_KEY_LONG;
    /* Everybody knows a public key. */
    if (contains(secret, "-----BEGIN "))
        return JWT_KEY_IS_PEM;
    if (secret.len < JWT_SECRET_MIN)
        return JWT_KEY_SHORT;
    return key_new(JWT_HS256, secret, ret_key);
}

static bool is_p256(gnutls_pubkey_t public)
{
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

    return gnutls_pubkey_export_ecc_raw2(public, &curve, NULL, NULL, 0) ==
               GNUTLS_E_SUCCESS &&
           curve == GNUTLS_ECC_CURVE_SECP256R1;
}

/* false: a key of a kind that is not taken. */
static bool choose_algorithm(gnutls_pubkey_t public, enum jwt_algorithm *ret)
{
    unsigned bits = 0;

    switch (gnutls_pubkey_get_pk_algorithm(public, &bits)) {
    case GNUTLS_PK_RSA: *ret = JWT_RS256; return bits >= JWT_RSA_BITS_MIN;
    case GNUTLS_PK_ECDSA: *ret = JWT_ES256; return is_p256(public);
    case GNUTLS_PK_EDDSA_ED25519: *ret = JWT_EDDSA; return true;
    default: return false;
    }
}

static gnutls_datum_t datum_of(struct slice s)
{
    /* GnuTLS does not write to what it reads. */
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)s.data,
                            (unsigned)s.len};
}

static enum jwt_key_error import_public(gnutls_pubkey_t public,
                                        struct slice pem,
                                        struct jwt_key **ret_key)
{
    const gnutls_datum_t text = datum_of(pem);
    gnutls_datum_t der = {0};
    enum jwt_algorithm algorithm;

    if (gnutls_pubkey_import(public, &text, GNUTLS_X509_FMT_PEM) !=
        GNUTLS_E_SUCCESS)
        return JWT_KEY_NOT_PEM;
    if (!choose_algorithm(public, &algorithm))
        return JWT_KEY_KIND;
    if (gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der) !=
        GNUTLS_E_SUCCESS)
        return JWT_KEY_NOMEM;
    const enum jwt_key_error error =
        key_new(algorithm, slice_of(der.data, der.size), ret_key);
    gnutls_free(der.data);
    return error;
}

enum jwt_key_error jwt_key_new_public(struct slice pem,
                                      struct jwt_key **ret_key)
{
    gnutls_pubkey_t public;

    if (pem.len > JWT_KEY_MAX)
        return JWT_KEY_LONG;
    if (contains(pem, "PRIVATE KEY-----"))
        return JWT_KEY_PRIVATE;
    if (!contains(pem, "PUBLIC KEY-----"))
        return JWT_KEY_NOT_PEM;
    if (gnutls_pubkey_init(&public) != GNUTLS_E_SUCCESS)
        return JWT_KEY_NOMEM;
    const enum jwt_key_error error = import_public(public, pem, ret_key);
    gnutls_pubkey_deinit(public);
    return error;
}

/* ---- signatures ---------------------------------------------------------- */

static bool hmac_verifies(const struct jwt_key *key, struct slice message,
                          struct slice signature)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;

    if (signature.len != sizeof(mac))
        return false;
    crypto_auth_hmacsha256_init(&state, key->bytes, key->len);
    crypto_auth_hmacsha256_update(&state, message.data, message.len);
    crypto_auth_hmacsha256_final(&state, mac);
    const bool is_same = sodium_memcmp(mac, signature.data, sizeof(mac)) == 0;
    sodium_memzero(&state, sizeof(state));
    sodium_memzero(mac, sizeof(mac));
    return is_same;
}

static bool public_verifies(const struct jwt_key *key,
                            gnutls_sign_algorithm_t algorithm,
                            struct slice message,
                            const gnutls_datum_t *signature)
{
    const gnutls_datum_t data = datum_of(message);
    const gnutls_datum_t der = datum_of(slice_of(key->bytes, key->len));
    gnutls_pubkey_t public;

    if (gnutls_pubkey_init(&public) != GNUTLS_E_SUCCESS)
        return false;
    const bool verifies =
        gnutls_pubkey_import(public, &der, GNUTLS_X509_FMT_DER) ==
            GNUTLS_E_SUCCESS &&
        gnutls_pubkey_verify_data2(public, algorithm, 0, &data, signature) >=
            0;
    gnutls_pubkey_deinit(public);
    return verifies;
}

/* A number in 32 bytes, without the zeros in front, which DER has not. */
static gnutls_datum_t p256_number(const unsigned char *bytes)
{
    size_t zeros = 0;

    while (zeros < P256_BYTES - 1 && bytes[zeros] == 0)
        zeros++;
    return datum_of(slice_of(bytes + zeros, P256_BYTES - zeros));
}

/* RFC 7518 §3.4: R and S, 32 bytes each, where GnuTLS wants them in DER. */
static bool p256_verifies(const struct jwt_key *key, struct slice message,
                          struct slice signature)
{
    const unsigned char *bytes = signature.data;
    gnutls_datum_t der = {0};

    if (signature.len != 2 * (size_t)P256_BYTES)
        return false;
    const gnutls_datum_t r = p256_number(bytes);
    const gnutls_datum_t s = p256_number(bytes + P256_BYTES);
    if (gnutls_encode_rs_value(&der, &r, &s) != GNUTLS_E_SUCCESS)
        return false;
    const bool verifies =
        public_verifies(key, GNUTLS_SIGN_ECDSA_SHA256, message, &der);
    gnutls_free(der.data);
    return verifies;
}

bool jwt_key_verifies(const struct jwt_key *key, struct slice message,
                      struct slice signature)
{
    const gnutls_datum_t raw = datum_of(signature);

    switch (key->algorithm) {
    case JWT_HS256: return hmac_verifies(key, message, signature);
    case JWT_ES256: return p256_verifies(key, message, signature);
    case JWT_RS256:
        return public_verifies(key, GNUTLS_SIGN_RSA_SHA256, message, &raw);
    case JWT_EDDSA:
        return public_verifies(key, GNUTLS_SIGN_EDDSA_ED25519, message, &raw);
    case JWT_ALGORITHM_COUNT: break;
    }
    return false;
}
