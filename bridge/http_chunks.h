/* A body in chunks (RFC 9112 §7.1), as its bytes come in. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_CHUNKS_H
#define CONFAB_BRIDGE_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Bytes of extensions and trailers of a whole body; both are thrown away. */
#define HTTP_CHUNKS_EXTRA_MAX 8192U

/* All zeros to begin with. */
struct http_chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_SIZE_BLANK,
        CHUNK_EXTENSION,
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER_START,
        CHUNK_TRAILER,
        CHUNK_TRAILER_LF,
        CHUNK_END_LF
    } at;
    uint64_t left; /* of this chunk */
    unsigned digits;
    size_t extra;
};

enum http_chunks_next {
    HTTP_CHUNKS_MORE, /* *in is used up */
    HTTP_CHUNKS_DATA, /* *ret_data is the next part of the body */
    HTTP_CHUNKS_END,  /* what is left of *in is the next request's */
    HTTP_CHUNKS_BAD   /* not chunks: nothing behind can be trusted */
};

/* Takes from the front of *in. Lines must end in CRLF: a lone LF is read in
 * different ways by different servers. */
enum http_chunks_next http_chunks_next(struct http_chunks *c, struct slice *in,
                                       struct slice *ret_data);

#endif
