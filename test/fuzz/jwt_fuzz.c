/* JWTs: whole ones, and headers and claims that the tenant has signed, because no
 * fuzzer finds a signature. */
#include <stdlib.h>

#include <sodium.h>

#include "base/jwt.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "test/fuzz/fuzz.h"

#define SECRET "thirty-two bytes are just enough"
#define PUBLIC                                                                \
    "-----BEGIN PUBLIC KEY-----\n"                                            \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"          \
    "-----END PUBLIC KEY-----\n" /* RFC 8037 §A.2 */

static const struct jwt_key *keys[2];
static const struct jwt_rules rules = {.now_us = INT64_C(1800000000000000),
                                       .exp_optional = true};
static struct jwt_claims claims;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void make_keys(void)
{
    struct jwt_key *secret = NULL, *public = NULL;

    must(sodium_init() >= 0);
    must(jwt_key_new_secret(slice_str(SECRET), &secret) == JWT_KEY_OK);
    must(jwt_key_new_public(slice_str(PUBLIC), &public) == JWT_KEY_OK);
    keys[0] = secret;
    keys[1] = public;
}

static void put_base64url(struct buffer *b, struct slice s)
{
    const size_t size =
        sodium_base64_encoded_len(s.len,
                                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    must(buffer_reserve(b, size));
    sodium_bin2base64(b->data + b->len, size, s.data, s.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    b->len += size - 1;
}

static void check_claims(void)
{
    const struct slice subject = slice_str(claims.subject);

    must(subject.len <= JWT_SUBJECT_MAX);
    must(utf8_valid_without_nul(subject.data, subject.len));
    must(claims.tenant[0] == '\0' || token_valid(slice_str(claims.tenant)));
    must(mount_valid(slice_str(claims.mount)));
    must(claims.expires_us >= 0 && claims.not_before_us >= 0);
    struct rights *r = rights_new(&claims.rights);
    must(r != NULL && r->count <= RIGHTS_MAX);
    for (size_t i = 0; i < r->count; i++)
        must(filter_valid(slice_str(r->list[i].filter)));
    free(r);
}

static bool verify(struct slice token)
{
    struct jwt_refusal refusal;

    if (jwt_verify(token, keys, 2, &rules, &claims, &refusal)) {
        must(token.len <= JWT_MAX && secret_is_like_jwt(token));
        check_claims();
        return true;
    }
    must(refusal.error != JWT_ERROR_OK);
    must(jwt_refusal_text(&refusal) != NULL);
    return false;
}

static bool verify_signed(struct slice header, struct slice payload)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    struct buffer token = BUFFER_INIT;

    put_base64url(&token, header);
    buffer_put_char(&token, '.');
    put_base64url(&token, payload);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)SECRET,
                                strlen(SECRET));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token.data,
                                  token.len);
    crypto_auth_hmacsha256_final(&state, mac);
    buffer_put_char(&token, '.');
    put_base64url(&token, slice_of(mac, sizeof(mac)));
    const bool holds = verify(buffer_slice(&token));
    buffer_release(&token);
    return holds;
}

static void try_public_key(struct slice in)
{
    struct jwt_key *key = NULL;

    if (jwt_key_new_public(in, &key) == JWT_KEY_OK)
        must(jwt_key_algorithm(key) != JWT_HS256);
    jwt_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = slice_of(data, size);

    if (keys[0] == NULL)
        make_keys();
    verify(in);
    if (verify_signed(in, slice_str("{}")))
        must(memmem(in.data, in.len, "\"HS256\"", 7) != NULL);
    verify_signed(slice_str("{\"alg\":\"HS256\"}"), in);
    try_public_key(in);
    return 0;
}
