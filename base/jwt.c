#include "base/jwt.h"

#include <assert.h>

#include "base/base64.h"
#include "base/json_walk.h"
#include "base/secret.h"

#define DECODED_MAX (JWT_MAX / 4 * 3)

const char *jwt_refusal_text(const struct jwt_refusal *refusal)
{
    if (refusal->error == JWT_ERROR_CLAIM) {
        if (refusal->claim == JWT_CLAIM_RIGHTS && refusal->right != RIGHT_OK)
            return right_error_text(refusal->right);
        if (refusal->claim != JWT_CLAIM_OK)
            return jwt_claim_error_text(refusal->claim);
    }
    switch (refusal->error) {
#define X(name, text)                                                         \
    case JWT_ERROR_##name: return text;
        JWT_ERRORS(X)
#undef X
    }
    return "unknown";
}

/* ---- form ---------------------------------------------------------------- */

/* Still encoded; slices of the token. */
struct jwt_parts {
    struct slice header, claims, signature;
    struct slice message; /* header, dot, claims: what is signed */
};

/* Whether it is a token's form (RFC 7515 §7.1), then its parts. */
static bool split_token(struct slice token, struct jwt_parts *ret)
{
    if (!secret_is_like_jwt(token))
        return false;
    const char *text = token.data, *end = text + token.len;
    const char *first = memchr(text, '.', token.len);
    const char *second = memchr(first + 1, '.', (size_t)(end - first - 1));

    ret->header = slice_of(text, (size_t)(first - text));
    ret->claims = slice_of(first + 1, (size_t)(second - first - 1));
    ret->signature = slice_of(second + 1, (size_t)(end - second - 1));
    ret->message = slice_of(text, (size_t)(second - text));
    return true;
}

static bool decode_part(struct slice part, unsigned char *room, size_t size,
                        struct slice *ret)
{
    size_t len;

    if (!base64_decode(part, BASE64URL, room, size, &len))
        return false;
    *ret = slice_of(room, len);
    return true;
}

/* ---- header -------------------------------------------------------------- */

static bool read_header(struct slice json, struct slice *ret_alg)
{
    struct slice name, value;
    bool has_alg = false;

    if (!jwt_object_valid(json))
        return false;
    const struct slice object = json_trim(json);
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        /* What is spelled with escapes is none of ours. */
        if (memchr(name.data, '\\', name.len) != NULL ||
            json_string_is(name, "crit"))
            return false;
        if (!json_string_is(name, "alg"))
            continue;
        if (value.len < 2 || *(const char *)value.data != '"')
            return false;
        *ret_alg = slice_of((const char *)value.data + 1, value.len - 2);
        has_alg = true;
    }
    return has_alg;
}

static enum jwt_error check_header(struct slice encoded,
                                   enum jwt_algorithm *ret_algorithm)
{
    unsigned char room[DECODED_MAX];
    struct slice json, alg;

    if (!decode_part(encoded, room, sizeof(room), &json))
        return JWT_ERROR_FORM;
    if (!read_header(json, &alg))
        return JWT_ERROR_HEADER;
    return jwt_algorithm_of_text(alg, ret_algorithm) ? JWT_ERROR_OK
                                                     : JWT_ERROR_ALGORITHM;
}

/* ---- signature ----------------------------------------------------------- */

static enum jwt_error try_keys(const struct jwt_key *const *keys,
                               size_t key_count, enum jwt_algorithm algorithm,
                               struct slice message, struct slice signature)
{
    enum jwt_error error = JWT_ERROR_ALGORITHM;

    for (size_t i = 0; i < key_count; i++) {
        if (jwt_key_algorithm(keys[i]) != algorithm)
            continue;
        if (jwt_key_verifies(keys[i], message, signature))
            return JWT_ERROR_OK;
        error = JWT_ERROR_SIGNATURE;
    }
    return error;
}

static enum jwt_error check_signature(const struct jwt_parts *parts,
                                      const struct jwt_key *const *keys,
                                      size_t key_count)
{
    unsigned char room[DECODED_MAX];
    enum jwt_algorithm algorithm;
    struct slice signature;

    const enum jwt_error error = check_header(parts->header, &algorithm);
    if (error != JWT_ERROR_OK)
        return error;
    /* `none` never comes here; an empty signature is of no algorithm. */
    if (parts->signature.len == 0)
        return JWT_ERROR_SIGNATURE;
    if (!decode_part(parts->signature, room, sizeof(room), &signature))
        return JWT_ERROR_FORM;
    return try_keys(keys, key_count, algorithm, parts->message, signature);
}

/* ---- claims -------------------------------------------------------------- */

static enum jwt_error read_payload(struct slice encoded, struct slice audience,
                                   struct jwt_claims *ret,
                                   struct jwt_refusal *refusal)
{
    unsigned char room[DECODED_MAX];
    struct slice json;

    if (!decode_part(encoded, room, sizeof(room), &json))
        return JWT_ERROR_FORM;
    refusal->claim = jwt_claims_read(json, audience, ret, &refusal->right);
    return refusal->claim == JWT_CLAIM_OK ? JWT_ERROR_OK : JWT_ERROR_CLAIM;
}

static enum jwt_error check_claims(const struct jwt_claims *c,
                                   const struct jwt_rules *rules)
{
    if (c->expires_us == INT64_MAX && !rules->exp_optional)
        return JWT_ERROR_NO_EXP;
    if (c->expires_us != INT64_MAX &&
        rules->now_us - JWT_SKEW_US >= c->expires_us)
        return JWT_ERROR_EXPIRED;
    if (rules->now_us + JWT_SKEW_US < c->not_before_us)
        return JWT_ERROR_EARLY;
    if (c->audience == JWT_FOR_OTHERS && !rules->any_audience)
        return JWT_ERROR_AUDIENCE;
    return JWT_ERROR_OK;
}

static enum jwt_error verify_token(struct slice token,
                                   const struct jwt_key *const *keys,
                                   size_t key_count,
                                   const struct jwt_rules *rules,
                                   struct jwt_claims *ret,
                                   struct jwt_refusal *refusal)
{
    struct jwt_parts parts;

    if (token.len > JWT_MAX)
        return JWT_ERROR_TOO_LONG;
    if (!split_token(token, &parts))
        return JWT_ERROR_FORM;
    enum jwt_error error = check_signature(&parts, keys, key_count);
    if (error == JWT_ERROR_OK)
        error = read_payload(parts.claims, rules->audience, ret, refusal);
    return error == JWT_ERROR_OK ? check_claims(ret, rules) : error;
}

bool jwt_verify(struct slice token, const struct jwt_key *const *keys,
                size_t key_count, const struct jwt_rules *rules,
                struct jwt_claims *ret, struct jwt_refusal *ret_refusal)
{
    struct jwt_refusal refusal = {0};

    assert(key_count <= JWT_KEYS_MAX);
    refusal.error = verify_token(token, keys, key_count, rules, ret, &refusal);
    if (refusal.error == JWT_ERROR_OK)
        return true;
    *ret_refusal = refusal;
    return false;
}
