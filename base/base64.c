#include "base/base64.h"

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
