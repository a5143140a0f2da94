#include "benchmarks/load/chunks.h"

#include <stdlib.h>
#include <string.h>

#include "benchmarks/measure/fatal.h"

/* The CR LF behind a chunk's body looks like an empty size line. */
static size_t take_size(struct chunks *c, const char *data, size_t len)
{
    const char *newline = memchr(data, '\n', len);
    char *digits_end;

    if (newline == NULL)
        return 0;
    if (newline - data > 1) {
        c->left = strtoull(data, &digits_end, 16);
        if (digits_end == data)
            fatal("not a chunk's size: %.*s", (int)(newline - data), data);
        c->ended = c->left == 0;
    }
    return (size_t)(newline + 1 - data);
}

size_t chunks_take(struct chunks *c, const char *data, size_t len,
                   const char **ret_piece, size_t *ret_len)
{
    *ret_piece = NULL;
    *ret_len = 0;
    if (c->left == 0)
        return take_size(c, data, len);
    *ret_piece = data;
    *ret_len = len < c->left ? len : c->left;
    c->left -= *ret_len;
    return *ret_len;
}
