/* Packets of Socket.IO 5 (https://socket.io/docs/v4/socket-io-protocol/), each the data
 * of an Engine.IO message:
 *
 *     <type>[<attachments>-][/<namespace>,][<acknowledgement id>][<JSON>]
 *
 * Pure; slices point into what was parsed; buffers note failed allocations. What a
 * packet must not be is what the parser of socket.io refuses; in addition everything
 * must be JSON by RFC 8259 (base/json.h), numbers and names have the bounds below. */
#ifndef CONFAB_BRIDGE_SOCKETIO_SOCKET_PACKET_H
#define CONFAB_BRIDGE_SOCKETIO_SOCKET_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

/* In the order of their digits, from '0'. */
#define SOCKET_PACKETS(X)                                                     \
    X(CONNECT)       /* {…} or nothing; the server's answer {"sid":…} */  \
    X(DISCONNECT)    /* nothing */                                            \
    X(EVENT)         /* ["name", arguments…] */                             \
    X(ACK)           /* [arguments…], with the id of the event */           \
    X(CONNECT_ERROR) /* server: {"message":…} */                            \
    X(BINARY_EVENT)  /* as EVENT; attachments follow in binary messages */    \
    X(BINARY_ACK)

enum socket_packet_type {
#define X(NAME) SOCKET_##NAME,
    SOCKET_PACKETS(X)
#undef X
        SOCKET_PACKET_TYPES
};

#define SOCKET_ATTACHMENTS_MAX 10 /* also socket.io's own default */
#define SOCKET_NAMESPACE_MAX 128  /* bytes, with the slash */
#define SOCKET_ACK_MAX UINT64_C(9007199254740991) /* 2^53 - 1: JavaScript's */

struct socket_packet {
    enum socket_packet_type type;
    size_t attachments;          /* of BINARY_EVENT and BINARY_ACK */
    struct slice namespace_name; /* "/" if the packet names none */
    bool has_ack_id;
    uint64_t ack_id;
    struct slice json; /* as written; empty: none */
};

/* Why text is no packet. X(NAME, text for the log) */
#define SOCKET_PACKET_ERRORS(X)                                               \
    X(OK, "")                                                                 \
    X(TYPE, "unknown packet type")                                            \
    X(ATTACHMENTS, "number of attachments missing or above 10")               \
    X(NAMESPACE, "namespace longer than 128 bytes")                           \
    X(ACK_ID, "acknowledgement id missing, misplaced or above 2^53 - 1")      \
    X(JSON, "not JSON")                                                       \
    X(SHAPE, "payload has the wrong type for its packet")                     \
    X(RESERVED, "event has a name that Socket.IO reserves")                   \
    X(PLACEHOLDER, "placeholder for an attachment that does not come")

enum socket_packet_error {
#define X(NAME, text) SOCKET_PACKET_##NAME,
    SOCKET_PACKET_ERRORS(X)
#undef X
};

/* `text` is UTF-8 or not: whatever is not is refused as JSON, or compared with names
 * of namespaces only. */
enum socket_packet_error socket_packet_read(struct slice text,
                                            struct socket_packet *ret_packet);
const char *socket_packet_error_text(enum socket_packet_error error);

/* The next place of an attachment in JSON that socket_packet_read() has accepted, at
 * any depth: an object {"_placeholder":true,"num":N}, its two members in any order.
 * *at is 0 for the first call. *ret_num may be anything. false: no more. */
bool socket_next_placeholder(struct slice json, size_t *at, uint64_t *ret_num);

/* Appends a packet; the JSON is not checked. It may be left empty and appended by the
 * caller. */
void socket_packet_put(struct buffer *b, const struct socket_packet *packet);

#endif
