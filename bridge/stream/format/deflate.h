/* permessage-deflate (RFC 7692): each WebSocket message is compressed by itself. Nothing
 * is remembered from one message to the next in either direction. So a live message is
 * compressed once for all readers, and an idle connection needs no memory for it. Pure;
 * any thread. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_DEFLATE_H
#define CONFAB_BRIDGE_STREAM_FORMAT_DEFLATE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* The answer to a handshake in which the extension is accepted. */
#define DEFLATE_EXTENSION                                                     \
    "permessage-deflate; server_no_context_takeover; "                        \
    "client_no_context_takeover"

/* Whether this Sec-WebSocket-Extensions offers it in a form that we can accept: it must
 * not ask us for more than DEFLATE_EXTENSION says anyway. */
bool deflate_offered(struct slice extensions);

/* Compresses everything in b from `start` on, in place, if that is worth it: messages
 * that are short are not, nor those so long that other readers would wait for it. */
bool deflate_message(struct buffer *b, size_t start);

enum inflate_result { INFLATE_OK, INFLATE_BROKEN, INFLATE_TOO_BIG };
/* Appends the inflated message, `most` bytes at most. A failed allocation is noted in
 * b. */
enum inflate_result inflate_message(struct buffer *b, struct slice message,
                                    size_t most);

#endif
