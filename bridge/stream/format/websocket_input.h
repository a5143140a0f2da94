/* What a client sends over a WebSocket (RFC 6455), server side: finds whole messages in
 * bytes that the network has cut anywhere. (base/net/websocket.h is for MQTT, where the
 * limits of messages do not matter.)
 *
 * Feed bytes once, then call websocket_input_next() until nothing more comes.
 * Memory: the message as far as it has come, ≤ message_max; when inflated as much again
 * (twice that while buffers double); and about 5 KiB. Nothing is kept between two
 * messages, so it may be freed then. Threads: one. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_INPUT_H
#define CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_INPUT_H

#include "bridge/stream/format/stream_format.h"

struct websocket_input;

/* message_max: bytes of a message, before and after inflating. `deflate`: the handshake
 * agreed on permessage-deflate. NULL: out of memory. */
struct websocket_input *websocket_input_new(size_t message_max, bool deflate);
void websocket_input_free(struct websocket_input *in); /* NULL is fine */
/* From now on binary messages are returned, too; until then one ends the stream with
 * STREAM_END_BINARY. Before the first websocket_input_feed(). */
void websocket_input_allow_binary(struct websocket_input *in);
/* Whether the message that was returned last is binary. */
bool websocket_input_is_binary(const struct websocket_input *in);

/* `bytes` is borrowed until websocket_input_next() has returned STREAM_INPUT_MORE or
 * STREAM_INPUT_END. */
void websocket_input_feed(struct websocket_input *in, struct slice bytes);
/* See struct stream_input. The reply is a pong, or the answer to a close. */
enum stream_input_event websocket_input_next(struct websocket_input *in,
                                             struct slice *ret_message,
                                             struct buffer *reply,
                                             enum stream_end *ret_why);
bool websocket_input_is_idle(const struct websocket_input *in);
/* Bytes of memory in use for a message, including one that was returned. */
size_t websocket_input_held(const struct websocket_input *in);
/* Bytes of the current frame that are missing; 0: none, or it is a control frame. */
size_t websocket_input_wanted(const struct websocket_input *in);

#endif
