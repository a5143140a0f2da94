/* Keys that check the signatures of JWTs (base/jwt.h), and the check.
 *
 * The algorithm belongs to the key and follows from what the key is (RFC 8725
 * §3.1), so a token cannot choose it: a secret checks HS256 only, a public key
 * of RSA RS256, of P-256 ES256, of Ed25519 EdDSA only.
 *
 * GnuTLS and libsodium do the cryptography. libjwt was considered: that of Debian
 * 12 takes the algorithm from the token, so that an HS256 token made with the text
 * of a public key holds; it accepts claims that occur twice and `crit`, and has no
 * EdDSA (Debian 13's has none either).
 *
 * Threads:  a key never changes; any thread, after sodium_init().
 * Logging:  none, and no key or signature is in any text. */
#ifndef CONFAB_BASE_JWT_KEY_H
#define CONFAB_BASE_JWT_KEY_H

#include <stdbool.h>

#include "base/slice.h"

/* X(name, text as in `alg`): RFC 7518 §3.1, RFC 8037 §3.1 */
#define JWT_ALGORITHMS(X)                                                     \
    X(HS256, "HS256")                                                         \
    X(RS256, "RS256")                                                         \
    X(ES256, "ES256")                                                         \
    X(EDDSA, "EdDSA")

enum jwt_algorithm {
#define X(name, text) JWT_##name,
    JWT_ALGORITHMS(X)
#undef X
        JWT_ALGORITHM_COUNT
};

#define JWT_SECRET_MIN 32     /* bytes; RFC 7518 §3.2 */
#define JWT_KEY_MAX 4096      /* bytes of a secret or PEM */
#define JWT_RSA_BITS_MIN 2048 /* RFC 7518 §3.3 */

/* X(name, text). The texts are for whoever set the key. */
#define JWT_KEY_ERRORS(X)                                                     \
    X(OK, "success")                                                          \
    X(SHORT, "the secret of a JWT key must have 32 bytes at least; make one " \
             "with: openssl rand -base64 32")                                 \
    X(LONG, "a JWT key can have 4096 bytes")                                  \
    X(IS_PEM, "this is a key in PEM: set it as public key, not as secret")    \
    X(PRIVATE, "this is a private key: set the public key of it, which is "   \
               "the output of: openssl pkey -pubout")                         \
    X(NOT_PEM, "a public key must be in PEM and begin with "                  \
               "-----BEGIN PUBLIC KEY-----")                                  \
    X(KIND, "a public key must be one of RSA with 2048 bits at least, of "    \
            "P-256 or of Ed25519")                                            \
    X(NOMEM, "out of memory")

enum jwt_key_error {
#define X(name, text) JWT_KEY_##name,
    JWT_KEY_ERRORS(X)
#undef X
};

const char *jwt_key_error_text(enum jwt_key_error error);

struct jwt_key; /* opaque */

/* A secret's bytes as they are, or a public key in PEM; copied. On JWT_KEY_OK the
 * caller owns *ret_key, otherwise it is untouched. */
enum jwt_key_error jwt_key_new_secret(struct slice secret,
                                      struct jwt_key **ret_key);
enum jwt_key_error jwt_key_new_public(struct slice pem,
                                      struct jwt_key **ret_key);
void jwt_key_free(struct jwt_key *key); /* wipes it; NULL is fine */

enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key);
const char *jwt_algorithm_text(enum jwt_algorithm algorithm);
/* false: unknown, `none` and those that nobody should use among them. */
bool jwt_algorithm_of_text(struct slice text, enum jwt_algorithm *ret);

/* Whether `signature` (decoded) is this key's of `message`. HMACs are compared in
 * constant time. Takes 1 to 200 µs, and does not block. */
bool jwt_key_verifies(const struct jwt_key *key, struct slice message,
                      struct slice signature);

#endif
