/* A growable byte buffer: the string builder.
 *
 * The buffer_put* functions return nothing. A failed allocation, or a length
 * above `limit`, sets `failed`, and all later puts are dropped. The caller
 * checks once, at the end (buffer_ok()). Not thread safe. */
#ifndef CONFAB_BASE_BUFFER_H
#define CONFAB_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct buffer {
    char *data; /* owned; NULL until something was put */
    size_t len;
    size_t cap;
    size_t limit; /* most bytes it may hold; 0: no limit */
    bool failed;
};

#define BUFFER_INIT ((struct buffer){0})

void buffer_release(
    struct buffer *b); /* frees the memory; b can be used again */
/* Sets len = 0 and failed = false; keeps the memory. */
void buffer_clear(struct buffer *b);
bool buffer_reserve(struct buffer *b,
                    size_t more); /* makes room for `more` bytes */

static inline void buffer_put(struct buffer *b, const void *data, size_t len)
{
    if (len == 0 || b->failed ||
        (len > b->cap - b->len && !buffer_reserve(b, len)))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static inline void buffer_put_slice(struct buffer *b, struct slice s)
{
    buffer_put(b, s.data, s.len);
}

static inline void buffer_put_str(struct buffer *b, const char *s)
{
    buffer_put(b, s, strlen(s));
}

static inline void buffer_put_char(struct buffer *b, char c)
{
    if (!b->failed && (b->len < b->cap || buffer_reserve(b, 1)))
        b->data[b->len++] = c;
}

void buffer_put_u64(struct buffer *b, uint64_t v); /* decimal */
void buffer_put_i64(struct buffer *b, int64_t v);
void buffer_printf(struct buffer *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool buffer_ok(const struct buffer *b)
{
    return !b->failed;
}

static inline struct slice buffer_slice(const struct buffer *b)
{
    return slice_of(b->data, b->len);
}

/* Passes the memory to the caller, who frees it with free(); b is empty
 * then. */
char *buffer_take(struct buffer *b, size_t *ret_len);

#endif
