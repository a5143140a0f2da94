/* The body of an HTTP/1.1 answer with `Transfer-Encoding: chunked` (RFC 9112
 * §7.1), piece by piece as it arrives. */
#ifndef CONFAB_BENCHMARKS_LOAD_CHUNKS_H
#define CONFAB_BENCHMARKS_LOAD_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

struct chunks {
    size_t left; /* of the chunk that has begun */
    bool ended;  /* the last chunk, of size 0, was there */
};

/* Takes one step through `data`: a chunk's size line, or as much of its body as
 * there is, to which *ret_piece and *ret_len are set (else to NULL and 0).
 * Returns how many bytes that was, 0 when more must arrive first. A malformed
 * size line ends the program. */
size_t chunks_take(struct chunks *c, const char *data, size_t len,
                   const char **ret_piece, size_t *ret_len);

#endif
