#include "benchmarks/wire/bytes.h"

#include <stdlib.h>

#include "benchmarks/measure/fatal.h"

void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

char *bytes_reserve(struct bytes *b, size_t more)
{
    if (b->cap - b->len < more) {
        size_t cap = b->cap > 0 ? b->cap : 64;

        while (cap - b->len < more)
            cap *= 2;
        b->data = must_realloc(b->data, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void bytes_put(struct bytes *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(bytes_reserve(b, len), data, len);
    b->len += len;
}

void bytes_put_str(struct bytes *b, const char *s)
{
    bytes_put(b, s, strlen(s));
}

void bytes_put_u8(struct bytes *b, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    bytes_put(b, &byte, 1);
}

void bytes_put_u16(struct bytes *b, unsigned value)
{
    bytes_put_u8(b, value >> 8 & 0xff);
    bytes_put_u8(b, value & 0xff);
}

void bytes_put_decimal(struct bytes *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    bytes_put(b, digits + at, sizeof(digits) - at);
}

void bytes_drop(struct bytes *b, size_t len)
{
    b->len -= len;
    if (b->len > 0)
        memmove(b->data, b->data + len, b->len);
}
