/* Tokens that somebody else made (jwt_tokens.py), good ones and attacks. */
#include "base/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "test/unit/base/jwt_tokens.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND INT64_C(1000000)

/* A tenant with a key of each kind, as while it changes from one to another: a
 * token could try each of them. */
static const struct jwt_key *keys[4];
static const struct jwt_rules rules = {.now_us = JWT_NOW_US};
static struct jwt_claims claims;
static struct jwt_refusal refusal;

static int make_keys(void **state)
{
    static const char *const pems[] = {PUBLIC_RSA, PUBLIC_P256,
                                       PUBLIC_ED25519};
    (void)state;

    if (jwt_key_new_secret(slice_str(SECRET_TEXT),
                           (struct jwt_key **)&keys[0]) != JWT_KEY_OK)
        return -1;
    for (size_t i = 0; i < COUNT(pems); i++)
        if (jwt_key_new_public(slice_str(pems[i]),
                               (struct jwt_key **)&keys[i + 1]) != JWT_KEY_OK)
            return -1;
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++)
        jwt_key_free((struct jwt_key *)(uintptr_t)keys[i]);
    return 0;
}

static enum jwt_error verify_by(const char *token,
                                const struct jwt_rules *by_rules)
{
    if (jwt_verify(slice_str(token), keys, COUNT(keys), by_rules, &claims,
                   &refusal))
        return JWT_ERROR_OK;
    assert_int_not_equal(refusal.error, JWT_ERROR_OK);
    return refusal.error;
}

static enum jwt_error verify(const char *token)
{
    return verify_by(token, &rules);
}

/* ---- what holds ---- */

static void tokens_of_each_algorithm_hold(void **state)
{
    static const char *const tokens[] = {HS256_GOOD, RS256_GOOD, ES256_GOOD,
                                         EDDSA_GOOD};
    (void)state;

    for (size_t i = 0; i < COUNT(tokens); i++) {
        if (verify(tokens[i]) != JWT_ERROR_OK)
            fail_msg("%zu: %s", i, jwt_refusal_text(&refusal));
        assert_string_equal(claims.subject, "ann");
        assert_string_equal(claims.tenant, "acme");
        assert_string_equal(claims.mount, "home");
        assert_int_equal(claims.rights.count, 2);
        assert_int_equal(claims.expires_us, JWT_NOW_US + 3600 * SECOND);
    }
}

static void so_do_other_ways_to_write_one(void **state)
{
    static const char *const tokens[] = {
        HS256_WITH_KID,     HS256_PRETTY,    ES256_SHORT_R, ES256_SHORT_S,
        ES256_SHORT_R_HIGH, ES256_HIGH_BITS, LONGEST};
    (void)state;

    for (size_t i = 0; i < COUNT(tokens); i++)
        if (verify(tokens[i]) != JWT_ERROR_OK)
            fail_msg("%zu: %s", i, jwt_refusal_text(&refusal));
}

/* RFC 7515 §A.1 */
static void the_token_of_the_rfc_holds(void **state)
{
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    static const char secret[] =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4h"
        "cgUuTwjAzZr1Z9CAow";
    const struct jwt_rules then = {.now_us = INT64_C(1300819379) * SECOND};
    unsigned char bytes[64];
    struct jwt_key *key = NULL;
    size_t len;
    (void)state;

    assert_int_equal(sodium_base642bin(
                         bytes, sizeof(bytes), secret, strlen(secret), NULL,
                         &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    assert_int_equal(jwt_key_new_secret(slice_of(bytes, len), &key),
                     JWT_KEY_OK);
    assert_true(jwt_verify(slice_str(token),
                           (const struct jwt_key *const *)&key, 1, &then,
                           &claims, &refusal));
    assert_string_equal(claims.subject, "");
    jwt_key_free(key);
}

/* ---- attacks ---- */

static void attacks_on_the_signature_are_refused(void **state)
{
    static const struct {
        const char *what;
        const char *token;
        enum jwt_error error;
    } rows[] = {
        {"none", NONE_0, JWT_ERROR_ALGORITHM},
        {"None", NONE_1, JWT_ERROR_ALGORITHM},
        {"NONE", NONE_2, JWT_ERROR_ALGORITHM},
        {"nOnE", NONE_3, JWT_ERROR_ALGORITHM},
        {"none, signed", NONE_0_SIGNED, JWT_ERROR_ALGORITHM},
        {"None, signed", NONE_1_SIGNED, JWT_ERROR_ALGORITHM},
        {"NONE, signed", NONE_2_SIGNED, JWT_ERROR_ALGORITHM},
        {"nOnE, signed", NONE_3_SIGNED, JWT_ERROR_ALGORITHM},
        {"none, by PyJWT", NONE_BY_PYJWT, JWT_ERROR_ALGORITHM},
        {"no signature, HS256", UNSIGNED_HS256, JWT_ERROR_SIGNATURE},
        {"no signature, ES256", UNSIGNED_ES256, JWT_ERROR_SIGNATURE},
        {"the RSA PEM as secret", HS256_BY_RSA_PEM, JWT_ERROR_SIGNATURE},
        {"without its last line end", HS256_BY_RSA_PEM_STRIPPED,
         JWT_ERROR_SIGNATURE},
        {"the P-256 PEM", HS256_BY_P256_PEM, JWT_ERROR_SIGNATURE},
        {"the Ed25519 PEM", HS256_BY_ED25519_PEM, JWT_ERROR_SIGNATURE},
        {"the Ed25519 key's bytes", HS256_BY_ED25519_BYTES,
         JWT_ERROR_SIGNATURE},
        {"no secret", HS256_BY_NOTHING, JWT_ERROR_SIGNATURE},
        {"another secret", HS256_BY_OTHER, JWT_ERROR_SIGNATURE},
        {"HS384", HS384, JWT_ERROR_ALGORITHM},
        {"HS512", HS512, JWT_ERROR_ALGORITHM},
        {"RS384", RS384, JWT_ERROR_ALGORITHM},
        {"PS256", PS256, JWT_ERROR_ALGORITHM},
        {"ES256K", ES256K, JWT_ERROR_ALGORITHM},
        {"another RSA key", RS256_BY_OTHER, JWT_ERROR_SIGNATURE},
        {"PSS called RS256", RS256_AS_PS256, JWT_ERROR_SIGNATURE},
        {"SHA-1 called RS256", RS256_WITH_SHA1, JWT_ERROR_SIGNATURE},
        {"another P-256 key", ES256_BY_OTHER, JWT_ERROR_SIGNATURE},
        {"P-384 called ES256", ES256_BY_P384, JWT_ERROR_SIGNATURE},
        {"another Ed25519 key", EDDSA_BY_OTHER, JWT_ERROR_SIGNATURE},
        {"brings its key", RS256_BRINGS_ITS_KEY, JWT_ERROR_SIGNATURE},
        {"says where its key is", RS256_SAYS_WHERE, JWT_ERROR_SIGNATURE},
        {"kid is an empty file", HS256_KID_IS_A_FILE, JWT_ERROR_SIGNATURE},
        {"R and S are 0", ES256_ZERO, JWT_ERROR_SIGNATURE},
        {"R and S are the order", ES256_ORDER, JWT_ERROR_SIGNATURE},
        {"ECDSA in DER", ES256_DER, JWT_ERROR_SIGNATURE},
        {"Ed25519 of zeros", EDDSA_ZERO, JWT_ERROR_SIGNATURE},
        {"RSA of zeros", RS256_ZERO, JWT_ERROR_SIGNATURE},
        {"half an HMAC", HS256_TRUNCATED, JWT_ERROR_SIGNATURE},
        {"an HMAC and more", HS256_LONGER, JWT_ERROR_SIGNATURE},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++)
        if (verify(rows[i].token) != rows[i].error)
            fail_msg("%s: %d", rows[i].what, refusal.error);
}

static void a_key_does_not_do_the_work_of_another(void **state)
{
    static const char *const tokens[] = {HS256_GOOD, RS256_GOOD, ES256_GOOD,
                                         EDDSA_GOOD};
    (void)state;

    for (size_t k = 0; k < COUNT(keys); k++)
        for (size_t t = 0; t < COUNT(tokens); t++) {
            const bool holds = jwt_verify(slice_str(tokens[t]), &keys[k], 1,
                                          &rules, &claims, &refusal);
            if (holds != (k == t))
                fail_msg("key %zu, token %zu", k, t);
            if (!holds)
                assert_int_equal(refusal.error, JWT_ERROR_ALGORITHM);
        }
    assert_false(
        jwt_verify(slice_str(HS256_GOOD), NULL, 0, &rules, &claims, &refusal));
    assert_int_equal(refusal.error, JWT_ERROR_ALGORITHM);
}

static void headers_that_could_mean_two_things_are_refused(void **state)
{
    static const struct {
        const char *what;
        const char *token;
        enum jwt_error error;
    } rows[] = {
        {"array", HEADER_ARRAY, JWT_ERROR_FORM},
        {"text", HEADER_TEXT, JWT_ERROR_FORM},
        {"no JSON", HEADER_NO_JSON, JWT_ERROR_HEADER},
        {"empty", HEADER_EMPTY_OBJECT, JWT_ERROR_HEADER},
        {"no alg", HEADER_NO_ALG, JWT_ERROR_HEADER},
        {"alg null", HEADER_ALG_NULL, JWT_ERROR_HEADER},
        {"alg array", HEADER_ALG_ARRAY, JWT_ERROR_HEADER},
        {"alg number", HEADER_ALG_NUMBER, JWT_ERROR_HEADER},
        {"alg twice", HEADER_ALG_TWICE, JWT_ERROR_HEADER},
        {"alg twice, escaped", HEADER_ALG_TWICE_ESCAPED, JWT_ERROR_HEADER},
        {"alg, escaped", HEADER_ALG_ESCAPED_NAME, JWT_ERROR_HEADER},
        {"crit", HEADER_CRIT, JWT_ERROR_HEADER},
        {"crit, empty", HEADER_CRIT_EMPTY, JWT_ERROR_HEADER},
        {"crit b64", HEADER_CRIT_B64, JWT_ERROR_HEADER},
        {"two objects", HEADER_TRAILING, JWT_ERROR_HEADER},
        {"alg empty", HEADER_ALG_EMPTY, JWT_ERROR_ALGORITHM},
        {"alg hs256", HEADER_ALG_LOWER, JWT_ERROR_ALGORITHM},
        {"alg with a space", HEADER_ALG_SPACE, JWT_ERROR_ALGORITHM},
        {"alg with a NUL", HEADER_ALG_NUL, JWT_ERROR_ALGORITHM},
        {"alg's value, escaped", HEADER_ALG_ESCAPED, JWT_ERROR_ALGORITHM},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++)
        if (verify(rows[i].token) != rows[i].error)
            fail_msg("%s: %d", rows[i].what, refusal.error);
}

/* One spelling: else a list of refused tokens could be passed by. */
static void a_token_has_one_spelling(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "eyJh.eyJz",
        HS256_GOOD ".",
        HS256_GOOD "=",
        HS256_GOOD "\n",
        HS256_GOOD ".a",
        HS256_GOOD ".a.b",
        " " HS256_GOOD,
        "." HS256_GOOD,
        "Bearer " HS256_GOOD,
    };
    char token[sizeof(HS256_GOOD)];
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        const enum jwt_error error = verify(bad[i]);
        if (error != JWT_ERROR_FORM && error != JWT_ERROR_HEADER)
            fail_msg("%s: %d", bad[i], error);
    }
    assert_false(jwt_verify(slice_of(NULL, 0), keys, COUNT(keys), &rules,
                            &claims, &refusal));
    /* Each other byte at each place, and each shorter text. */
    for (size_t i = 0; i < sizeof(token) - 1; i++) {
        memcpy(token, HS256_GOOD, sizeof(token));
        for (unsigned byte = 0; byte < 256; byte++) {
            token[i] = (char)byte;
            if (token[i] == HS256_GOOD[i])
                continue;
            if (jwt_verify(slice_of(token, sizeof(token) - 1), keys,
                           COUNT(keys), &rules, &claims, &refusal))
                fail_msg("%u at %zu", byte, i);
        }
        memcpy(token, HS256_GOOD, sizeof(token));
        assert_false(jwt_verify(slice_of(token, i), keys, COUNT(keys), &rules,
                                &claims, &refusal));
    }
    /* The last character has two bits that mean nothing. */
    memcpy(token, HS256_GOOD, sizeof(token));
    token[sizeof(token) - 2]++;
    assert_int_equal(verify(token), JWT_ERROR_FORM);
}

static void tokens_above_8192_bytes_are_not_read(void **state)
{
    (void)state;
    assert_true(strlen(LONGEST) > 8180);
    assert_true(strlen(LONGEST) <= JWT_MAX);
    assert_true(strlen(TOO_LONG) > JWT_MAX);
    assert_int_equal(verify(LONGEST), JWT_ERROR_OK);
    assert_int_equal(verify(TOO_LONG), JWT_ERROR_TOO_LONG);
}

/* ---- claims ---- */

static void claims_are_judged_after_the_signature(void **state)
{
    static const struct {
        const char *token;
        enum jwt_claim_error claim;
        const char *text;
    } rows[] = {
        {CLAIMS_ARRAY, JWT_CLAIM_JSON, "JSON object"},
        {CLAIMS_NO_JSON, JWT_CLAIM_JSON, "JSON object"},
        {CLAIMS_TWICE, JWT_CLAIM_JSON, "twice"},
        {CLAIMS_RIGHT, JWT_CLAIM_RIGHTS, "right's filter"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(verify(rows[i].token), JWT_ERROR_CLAIM);
        assert_int_equal(refusal.claim, rows[i].claim);
        assert_non_null(strstr(jwt_refusal_text(&refusal), rows[i].text));
        /* Nobody else learns what is wrong with a token's claims. */
        assert_false(jwt_verify(slice_str(rows[i].token), keys + 1, 3, &rules,
                                &claims, &refusal));
        assert_int_equal(refusal.error, JWT_ERROR_ALGORITHM);
    }
}

static enum jwt_error verify_at(const char *token, int64_t seconds)
{
    const struct jwt_rules then = {.now_us = JWT_NOW_US + seconds * SECOND};

    return verify_by(token, &then);
}

static void a_token_holds_in_its_time_and_a_minute_around(void **state)
{
    (void)state;
    assert_int_equal(verify_at(CLAIMS_EXP_NOW, -1), JWT_ERROR_OK);
    assert_int_equal(verify_at(CLAIMS_EXP_NOW, 59), JWT_ERROR_OK);
    assert_int_equal(verify_at(CLAIMS_EXP_NOW, 60), JWT_ERROR_EXPIRED);
    assert_int_equal(verify_at(CLAIMS_EXP_OLD, 0), JWT_ERROR_EXPIRED);
    assert_int_equal(verify_at(CLAIMS_EXP_ZERO, 0), JWT_ERROR_EXPIRED);
    assert_int_equal(verify_at(HS256_GOOD, 3659), JWT_ERROR_OK);
    assert_int_equal(verify_at(HS256_GOOD, 3660), JWT_ERROR_EXPIRED);
    assert_int_equal(verify_at(CLAIMS_NBF_NOW, -61), JWT_ERROR_EARLY);
    assert_int_equal(verify_at(CLAIMS_NBF_NOW, -60), JWT_ERROR_OK);
    assert_int_equal(verify_at(CLAIMS_NBF_NOW, 0), JWT_ERROR_OK);
}

static void without_exp_it_holds_only_where_that_is_allowed(void **state)
{
    const struct jwt_rules lenient = {.now_us = JWT_NOW_US,
                                      .exp_optional = true};
    (void)state;

    assert_int_equal(verify(CLAIMS_NO_EXP), JWT_ERROR_NO_EXP);
    assert_int_equal(verify_by(CLAIMS_NO_EXP, &lenient), JWT_ERROR_OK);
    assert_int_equal(verify_by(CLAIMS_EXP_OLD, &lenient), JWT_ERROR_EXPIRED);
    assert_int_equal(verify_by(CLAIMS_EXP_ZERO, &lenient), JWT_ERROR_EXPIRED);
}

static void a_token_for_somebody_else_is_refused(void **state)
{
    const struct jwt_rules named = {.now_us = JWT_NOW_US,
                                    .audience = slice_str("confab")};
    const struct jwt_rules any = {.now_us = JWT_NOW_US, .any_audience = true};
    (void)state;

    assert_int_equal(verify(CLAIMS_AUD_OTHER), JWT_ERROR_AUDIENCE);
    assert_int_equal(verify(CLAIMS_AUD_OURS), JWT_ERROR_AUDIENCE);
    assert_int_equal(verify_by(CLAIMS_AUD_OTHER, &named), JWT_ERROR_AUDIENCE);
    assert_int_equal(verify_by(CLAIMS_AUD_OURS, &named), JWT_ERROR_OK);
    assert_int_equal(verify_by(HS256_GOOD, &named), JWT_ERROR_OK);
    assert_int_equal(verify_by(CLAIMS_AUD_OTHER, &any), JWT_ERROR_OK);
}

static void every_refusal_has_a_text(void **state)
{
    (void)state;
    for (unsigned i = JWT_ERROR_OK; i <= JWT_ERROR_AUDIENCE; i++) {
        const struct jwt_refusal r = {.error = (enum jwt_error)i};
        assert_true(strlen(jwt_refusal_text(&r)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_each_algorithm_hold),
        cmocka_unit_test(so_do_other_ways_to_write_one),
        cmocka_unit_test(the_token_of_the_rfc_holds),
        cmocka_unit_test(attacks_on_the_signature_are_refused),
        cmocka_unit_test(a_key_does_not_do_the_work_of_another),
        cmocka_unit_test(headers_that_could_mean_two_things_are_refused),
        cmocka_unit_test(a_token_has_one_spelling),
        cmocka_unit_test(tokens_above_8192_bytes_are_not_read),
        cmocka_unit_test(claims_are_judged_after_the_signature),
        cmocka_unit_test(a_token_holds_in_its_time_and_a_minute_around),
        cmocka_unit_test(without_exp_it_holds_only_where_that_is_allowed),
        cmocka_unit_test(a_token_for_somebody_else_is_refused),
        cmocka_unit_test(every_refusal_has_a_text),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
