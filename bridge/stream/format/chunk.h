/* A body of unknown length in HTTP/1.1: chunks (RFC 9112 §7.1), one event each.
 * Clients hand out what a chunk holds when it is whole, so an event is never held
 * back until the next one comes, and a connection that ends without the last
 * chunk is an answer that was cut off: clients come back after it, and many do
 * not after a clean end. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_CHUNK_H
#define CONFAB_BRIDGE_STREAM_FORMAT_CHUNK_H

#include "base/buffer.h"

/* The end of a chunked body. */
#define CHUNK_LAST "0\r\n\r\n"

/* Makes a chunk of what stands in b from `start` on, at least one byte. */
void chunk_wrap(struct buffer *b, size_t start);

#endif
