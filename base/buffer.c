#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256

void buffer_release(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){.limit = b->limit};
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->failed = false;
}

bool buffer_reserve(struct buffer *b, size_t more)
{
    if (b->failed)
        return false;
    if (more <= b->cap - b->len)
        return true;
    if (more > SIZE_MAX / 4 - b->len ||
        (b->limit != 0 && b->len + more > b->limit)) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap == 0 ? FIRST_CAPACITY : b->cap;
    while (cap < b->len + more)
        cap *= 2;
    if (b->limit != 0 && cap > b->limit)
        cap = b->limit;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

/* Two digits for one division. */
void buffer_put_u64(struct buffer *b, uint64_t v)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char digits[20]; /* UINT64_MAX has 20 */
    size_t at = sizeof(digits);

    for (; v >= 10; v /= 100) {
        digits[--at] = pairs[v % 100 * 2 + 1];
        digits[--at] = pairs[v % 100 * 2];
    }
    if (v > 0 || at == sizeof(digits))
        digits[--at] = (char)('0' + v);
    buffer_put(b, digits + at, sizeof(digits) - at);
}

void buffer_put_i64(struct buffer *b, int64_t v)
{
    if (v < 0)
        buffer_put_char(b, '-');
    buffer_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if (buffer_reserve(b, (size_t)n + 1)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

char *buffer_take(struct buffer *b, size_t *ret_len)
{
    char *data = b->data;

    *ret_len = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
