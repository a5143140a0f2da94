#include "bridge/outgoing/signature.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

static void put_hmac(struct buffer *out, struct slice secret,
                     struct slice signed_time, struct slice body)
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof(mac) + 1];

    crypto_auth_hmacsha256_init(&state, secret.data, secret.len);
    crypto_auth_hmacsha256_update(&state, signed_time.data, signed_time.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, body.data, body.len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof(state)); /* it has the key in it */
    buffer_put_str(out, sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac)));
}

void signature_put(struct buffer *out, const struct slice *secrets,
                   size_t count, int64_t time_s, struct slice body)
{
    char digits[24];
    const int len =
        snprintf(digits, sizeof(digits), "%lld", (long long)time_s);
    const struct slice signed_time = slice_of(digits, (size_t)len);

    assert(count > 0 && count <= SIGNATURE_SECRETS_MAX);
    buffer_put_str(out, "t=");
    buffer_put_slice(out, signed_time);
    for (size_t i = 0; i < count; i++) {
        buffer_put_str(out, ",v1=");
        put_hmac(out, secrets[i], signed_time, body);
    }
}
