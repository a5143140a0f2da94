/* What a client sends over a WebSocket (RFC 6455), server side: whole messages
 * out of bytes that the network cut anywhere. base/net/websocket.h is for MQTT,
 * where messages do not matter.
 *
 * Bytes are fed once, then taken out piece by piece until nothing more is there.
 * Memory: a message as far as it has come, ≤ message_max, inflated as much again
 * (buffers that double may take twice that), and about 5 KiB; nothing is kept between two messages, so a reader may be freed
 * then. Threads: one. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_INPUT_H
#define CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_INPUT_H

#include "bridge/stream/format/stream_format.h"

struct websocket_input;

/* message_max: bytes of a message, before and after it is inflated. `deflate`:
 * the handshake agreed on it. NULL: out of memory. */
struct websocket_input *websocket_input_new(size_t message_max, bool deflate);
void websocket_input_free(struct websocket_input *in); /* NULL is fine */

/* `bytes` is borrowed until websocket_input_next() has said STREAM_INPUT_MORE or
 * STREAM_INPUT_END. */
void websocket_input_feed(struct websocket_input *in, struct slice bytes);
/* See struct stream_input. The reply is a pong, or the answer to a close. */
enum stream_input_event websocket_input_next(struct websocket_input *in,
                                             struct slice *ret_message,
                                             struct buffer *reply,
                                             enum stream_end *ret_why);
bool websocket_input_is_idle(const struct websocket_input *in);
/* Bytes of memory for a message, of which some may have been handed out. */
size_t websocket_input_held(const struct websocket_input *in);
/* Bytes of the frame that has begun and have not come; 0: none has, or they would
 * be of a control frame. */
size_t websocket_input_wanted(const struct websocket_input *in);

#endif
