/* A growable run of bytes. Out of memory ends the program. Not thread safe. */
#ifndef CONFAB_BENCHMARKS_WIRE_BYTES_H
#define CONFAB_BENCHMARKS_WIRE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    char *data; /* owned; NULL until something was put */
    size_t len;
    size_t cap;
};

void bytes_release(struct bytes *b);
/* Room for `more` bytes behind the last one. */
char *bytes_reserve(struct bytes *b, size_t more);
void bytes_put(struct bytes *b, const void *data, size_t len);
void bytes_put_str(struct bytes *b, const char *s);
void bytes_put_u8(struct bytes *b, unsigned value);
void bytes_put_u16(struct bytes *b, unsigned value); /* big-endian */
void bytes_put_decimal(struct bytes *b, uint64_t value);
void bytes_drop(struct bytes *b, size_t len); /* removes the first `len` */

static inline void bytes_clear(struct bytes *b)
{
    b->len = 0;
}

#endif
