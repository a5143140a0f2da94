/* A body of unknown length in HTTP/1.1: chunks (RFC 9112 §7.1), one for each event.
 * Clients pass on a chunk when it is complete, so no event waits for the next one. And if
 * a connection ends without the last chunk, clients see that the answer was cut off and
 * come back; after a clean end many do not. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_CHUNK_H
#define CONFAB_BRIDGE_STREAM_FORMAT_CHUNK_H

#include "base/buffer.h"

/* The end of a chunked body. */
#define CHUNK_LAST "0\r\n\r\n"

/* Turns everything in b from `start` on, at least one byte, into a chunk. */
void chunk_wrap(struct buffer *b, size_t start);

#endif
