#include "base/secret.h"

#include <assert.h>

#include <sodium.h>

#include "base/base64.h"

#define RANDOM_BYTES (SECRET_RANDOM / 4 * 3)
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const struct {
    const char *prefix;
    const char *word;
} kinds[] = {
#define X(name, prefix, word) [SECRET_##name] = {prefix "_", word},
    SECRET_KINDS(X)
#undef X
};

const char *secret_kind_word(enum secret_kind kind)
{
    assert(kind < SECRET_KIND_COUNT);
    return kinds[kind].word;
}

bool secret_kind_of_word(struct slice word, enum secret_kind *ret_kind)
{
    for (unsigned kind = 0; kind < SECRET_KIND_COUNT; kind++)
        if (slice_eq(word, slice_str(kinds[kind].word))) {
            *ret_kind = (enum secret_kind)kind;
            return true;
        }
    return false;
}

void secret_make(enum secret_kind kind, char ret_secret[SECRET_SIZE])
{
    assert(kind < SECRET_KIND_COUNT);
    const size_t prefix_len = strlen(kinds[kind].prefix);
    unsigned char random[RANDOM_BYTES];

    memcpy(ret_secret, kinds[kind].prefix, prefix_len);
    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(ret_secret + prefix_len, SECRET_RANDOM + 1, random,
                      sizeof(random), BASE64_VARIANT);
    sodium_memzero(random, sizeof(random));
}

static bool is_base64url_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* How many such digits there are from `at` on. */
static size_t count_base64url(struct slice text, size_t at)
{
    const char *p = text.data;
    const size_t from = at;

    while (at < text.len && is_base64url_digit(p[at]))
        at++;
    return at - from;
}

static bool has_prefix(struct slice text, const char *prefix)
{
    const size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

bool secret_parse(struct slice text, enum secret_kind *ret_kind)
{
    for (unsigned kind = 0; kind < SECRET_KIND_COUNT; kind++) {
        const size_t prefix_len = strlen(kinds[kind].prefix);
        if (text.len != prefix_len + SECRET_RANDOM ||
            !has_prefix(text, kinds[kind].prefix) ||
            count_base64url(text, prefix_len) != SECRET_RANDOM)
            continue;
        *ret_kind = (enum secret_kind)kind;
        return true;
    }
    return false;
}

/* RFC 7515 §3.1: header, payload, signature. The header is a JSON object, and `{`
 * is "e" in base64. */
bool secret_is_like_jwt(struct slice text)
{
    const char *p = text.data;

    if (text.len == 0 || p[0] != 'e')
        return false;
    const size_t header = count_base64url(text, 0);
    if (header == text.len || p[header] != '.')
        return false;
    const size_t payload = count_base64url(text, header + 1);
    const size_t second_dot = header + 1 + payload;
    if (payload == 0 || second_dot >= text.len || p[second_dot] != '.')
        return false;
    return second_dot + 1 + count_base64url(text, second_dot + 1) == text.len;
}

void secret_hash(struct slice secret,
                 unsigned char ret_hash[SECRET_HASH_BYTES])
{
    /* It fails only for lengths that the function does not have. */
    (void)crypto_generichash(ret_hash, SECRET_HASH_BYTES, secret.data,
                             secret.len, NULL, 0);
}

void key_id_make(const unsigned char hash[SECRET_HASH_BYTES],
                 char ret_id[KEY_ID_SIZE])
{
    const size_t prefix_len = strlen(KEY_ID_PREFIX);

    memcpy(ret_id, KEY_ID_PREFIX, prefix_len);
    sodium_bin2base64(ret_id + prefix_len, KEY_ID_SIZE - prefix_len, hash,
                      KEY_ID_HASH_BYTES, BASE64_VARIANT);
}

bool key_id_parse(struct slice id, unsigned char ret_hash[KEY_ID_HASH_BYTES])
{
    const size_t prefix_len = strlen(KEY_ID_PREFIX);
    unsigned char hash[KEY_ID_HASH_BYTES];
    size_t len;

    if (id.len != KEY_ID_SIZE - 1 || !has_prefix(id, KEY_ID_PREFIX) ||
        !base64_decode(slice_of((const char *)id.data + prefix_len,
                                id.len - prefix_len),
                       BASE64URL, hash, sizeof(hash), &len) ||
        len != sizeof(hash))
        return false;
    memcpy(ret_hash, hash, sizeof(hash));
    return true;
}
