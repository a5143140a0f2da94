/* Packets of Engine.IO 4 (https://socket.io/docs/v4/engine-io-protocol/): the lower layer
 * of Socket.IO, over WebSocket and long polling. Pure; slices point into what was
 * parsed; buffers note failed allocations.
 *
 * A WebSocket message has one packet: text is a digit for the type and the packet's
 * data, binary is the data of a MESSAGE. The body of a polling request is a payload:
 * packets of which each but the first follows a byte 0x1E; a binary one is `b` and
 * base64. No packet contains 0x1E otherwise, because JSON has no raw control
 * characters. */
#ifndef CONFAB_BRIDGE_SOCKETIO_ENGINE_PACKET_H
#define CONFAB_BRIDGE_SOCKETIO_ENGINE_PACKET_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* In the order of their digits, from '0'. */
#define ENGINE_PACKETS(X)                                                     \
    X(OPEN)    /* server: the session, in JSON */                             \
    X(CLOSE)   /* either side */                                              \
    X(PING)    /* server, and the client's probe of a WebSocket */            \
    X(PONG)    /* client, and the server's answer to a probe */               \
    X(MESSAGE) /* a packet of Socket.IO */                                    \
    X(UPGRADE) /* client: from now on everything comes by WebSocket */        \
    X(NOOP)    /* server: ends a poll without data */

enum engine_packet_type {
#define X(NAME) ENGINE_##NAME,
    ENGINE_PACKETS(X)
#undef X
        ENGINE_PACKET_TYPES
};

#define ENGINE_SEPARATOR '\x1e'

struct engine_packet {
    enum engine_packet_type type;
    bool is_binary; /* of MESSAGE only */
    struct slice data;
};

/* Reads a text packet. Does not check that it is UTF-8: RFC 6455 has that checked for
 * a WebSocket. false: empty, or there is no such type. */
bool engine_packet_read(struct slice text, struct engine_packet *ret_packet);

enum engine_payload_result {
    ENGINE_PAYLOAD_PACKET,
    ENGINE_PAYLOAD_END,
    ENGINE_PAYLOAD_BROKEN, /* no packet, not UTF-8, or wrong base64 */
    ENGINE_PAYLOAD_NO_MEMORY
};

/* The next packet of a payload. *at is 0 for the first call. Binary data is decoded
 * into `room`, whose earlier contents are lost, and borrowed until the next call. A
 * payload that is broken at its end yields the packets before that. An empty payload
 * is broken. */
enum engine_payload_result engine_payload_next(
    struct slice payload, size_t *at, struct buffer *room,
    struct engine_packet *ret_packet);

/* Appends a text packet: the data may follow, appended by the caller. */
void engine_packet_put(struct buffer *b, enum engine_packet_type type,
                       struct slice data);
/* Appends a packet to a payload, with the separator if something was put since
 * `start`. Text packets are given whole, with their digit. */
void engine_payload_put(struct buffer *b, size_t start, struct slice packet,
                        bool is_binary);

#endif
