/* How the body of a stream is delimited on its connection (RFC 9112 §6.3).
 *
 * HTTP/1.1: chunked, one event a chunk. Clients hand out what a chunk holds
 * when it is whole, so an event is never held back until the next one comes, and
 * a connection that ends without the last chunk is an answer that was cut off:
 * clients come back after it, and many do not after a clean end.
 * HTTP/1.0 (nginx as a proxy speaks it unless told otherwise): as it is, up to
 * the end of the connection. */
#ifndef CONFAB_BRIDGE_STREAM_FRAMING_H
#define CONFAB_BRIDGE_STREAM_FRAMING_H

#include "base/buffer.h"

enum framing { FRAMING_CHUNKED, FRAMING_CLOSE };

/* The end of a chunked body. */
#define CHUNK_LAST "0\r\n\r\n"
#define CHUNK_TAIL 2 /* bytes behind a chunk's content */

/* Makes a chunk of what stands in b from `start` on, at least one byte. Returns
 * how many bytes the content moved: the length of the chunk's head. */
size_t chunk_wrap(struct buffer *b, size_t start);

#endif
