/* permessage-deflate (RFC 7692): a WebSocket message compressed by itself. Nothing
 * is remembered from one message to the next in either direction, so a live
 * message is compressed once for all readers, and an idle connection holds
 * nothing for it. Pure; any thread. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_DEFLATE_H
#define CONFAB_BRIDGE_STREAM_FORMAT_DEFLATE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* What a handshake that takes the extension is answered. */
#define DEFLATE_EXTENSION                                                     \
    "permessage-deflate; server_no_context_takeover; "                        \
    "client_no_context_takeover"

/* Does this Sec-WebSocket-Extensions offer it in a way that can be taken: with
 * nothing asked of us but what DEFLATE_EXTENSION says anyway? */
bool deflate_offered(struct slice extensions);

/* Compresses what stands in b from `start` on, in place, where that is worth it:
 * neither short nor so long that other readers would wait for it. */
bool deflate_message(struct buffer *b, size_t start);

enum inflate_result { INFLATE_OK, INFLATE_BROKEN, INFLATE_TOO_BIG };
/* Appends what a message was before it was compressed, `most` bytes at most. A
 * failed allocation is noted in b. */
enum inflate_result inflate_message(struct buffer *b, struct slice message,
                                    size_t most);

#endif
