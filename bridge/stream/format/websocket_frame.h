/* Frames to a client over a WebSocket (RFC 6455 §5.2). Pure: appends to a buffer, which
 * notes failed allocations. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_FRAME_H
#define CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_FRAME_H

#include <stdbool.h>

#include "base/buffer.h"

enum websocket_opcode {
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

#define WEBSOCKET_HEAD_MAX 10
/* Writes the head of an uncompressed frame with a payload of `len` bytes, for a
 * payload that is elsewhere. Returns its length. */
size_t websocket_write_head(char head[WEBSOCKET_HEAD_MAX],
                            enum websocket_opcode opcode, uint64_t len);

/* Turns everything in b from `start` on into a frame. is_compressed: it has been
 * compressed as permessage-deflate says. */
void websocket_wrap(struct buffer *b, size_t start,
                    enum websocket_opcode opcode, bool is_compressed);
/* Appends a frame with `payload`; control frames: ≤ 125 bytes. */
void websocket_put_frame(struct buffer *b, enum websocket_opcode opcode,
                         struct slice payload);
/* reason: at most 123 bytes; "": none. */
void websocket_put_close(struct buffer *b, uint16_t code, const char *reason);

#endif
