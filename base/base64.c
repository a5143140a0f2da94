#include "base/base64.h"

#include <sodium.h>

void buffer_put_base64(struct buffer *b, struct slice s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = s.data;

    if (!buffer_reserve(b, s.len / 3 * 4 + 4))
        return;
    for (size_t at = 0; at < s.len; at += 3) {
        const size_t n = s.len - at < 3 ? s.len - at : 3;
        const unsigned bits = (unsigned)p[at] << 16 |
                              (n > 1 ? (unsigned)p[at + 1] << 8 : 0) |
                              (n > 2 ? (unsigned)p[at + 2] : 0);
        const char four[4] = {digits[bits >> 18], digits[(bits >> 12) & 63],
                              n > 1 ? digits[(bits >> 6) & 63] : '=',
                              n > 2 ? digits[bits & 63] : '='};
        buffer_put(b, four, 4);
    }
}

static bool is_ascii(struct slice text)
{
    const unsigned char *p = text.data;

    for (size_t i = 0; i < text.len; i++)
        if (p[i] >= 0x80)
            return false;
    return true;
}

bool base64_decode(struct slice text, enum base64_form form,
                   unsigned char *room, size_t size, size_t *ret_len)
{
    const int variant = form == BASE64
                            ? sodium_base64_VARIANT_ORIGINAL
                            : sodium_base64_VARIANT_URLSAFE_NO_PADDING;

    /* libsodium 1.0.18 takes most bytes above 0x7f for digits. */
    return is_ascii(text) &&
           sodium_base642bin(room, size, text.data, text.len, NULL, ret_len,
                             NULL, variant) == 0;
}
