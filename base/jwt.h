/* JSON Web Tokens: RFC 7519 over RFC 7515 in its compact form, checked as RFC 8725
 * recommends.
 *
 *     base64url(header) . base64url(claims) . base64url(signature)
 *
 * Of the header `alg` must be that of one of the keys, and there must be no `crit`
 * (RFC 7515 §4.1.11); all else in it, like a key that a token brings along, is
 * ignored. Claims are read only if the signature holds (base/jwt_claims.h). They
 * must hold at the time given, with JWT_SKEW_US for clocks that differ.
 *
 * Threads:  any, after sodium_init(). Takes 10 to 200 µs for each key of the
 *           token's algorithm; does not block. Where the same one comes again and
 *           again, remember who it was: base/jwt_memo.h.
 * Logging:  none. Whoever logs a refusal logs its text, which has nothing of the
 *           token in it. */
#ifndef CONFAB_BASE_JWT_H
#define CONFAB_BASE_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/jwt_claims.h"
#include "base/jwt_key.h"
#include "base/slice.h"

#define JWT_MAX 8192 /* bytes of a token; longer ones are refused unread */
#define JWT_SKEW_US INT64_C(60000000)
#define JWT_KEYS_MAX 8 /* of one tenant: what a bad token can cost */

struct jwt_rules {
    int64_t now_us; /* since 1970 */
    /* Who we are to the claim `aud`, names separated by blanks; empty: nobody. A token
     * that has one and names none of them is
     * refused (RFC 7519 §4.1.3): who has signed it may sign for many services
     * with the same key. */
    struct slice audience;
    bool any_audience; /* do not look at `aud` */
    bool exp_optional; /* without `exp` a token holds for ever */
};

/* X(name, text). The texts are for whoever made the token; they contain nothing
 * of it. */
#define JWT_ERRORS(X)                                                         \
    X(OK, "success")                                                          \
    X(TOO_LONG, "a JWT can have 8192 bytes")                                  \
    X(FORM, "this is no JWT: it must be three parts of base64url")            \
    X(HEADER, "the JWT's header must be a JSON object with a string `alg`, "  \
              "no member twice and no `crit`")                                \
    X(ALGORITHM, "the JWT's `alg` is not that of the tenant's key")           \
    X(SIGNATURE, "the JWT's signature is not of the tenant's key")            \
    X(CLAIM, "a claim of the JWT is not in order")                            \
    X(NO_EXP, "the JWT must have `exp`")                                      \
    X(EXPIRED, "the JWT has expired")                                         \
    X(EARLY, "the JWT is not valid yet")                                      \
    X(AUDIENCE, "the JWT's `aud` names somebody else")

enum jwt_error {
#define X(name, text) JWT_ERROR_##name,
    JWT_ERRORS(X)
#undef X
};

/* What did not hold. The two below say more about JWT_ERROR_CLAIM. */
struct jwt_refusal {
    enum jwt_error error;
    enum jwt_claim_error claim;
    enum right_error right;
};

/* The most exact text that there is. Static. */
const char *jwt_refusal_text(const struct jwt_refusal *refusal);

/* Of at most JWT_KEYS_MAX keys one must have made it. true: *ret are the claims of a token that holds. false: *ret_refusal says why
 * not, and *ret is undefined. */
bool jwt_verify(struct slice token, const struct jwt_key *const *keys,
                size_t key_count, const struct jwt_rules *rules,
                struct jwt_claims *ret, struct jwt_refusal *ret_refusal);

#endif
