/* How the events of a stream are written on its connection: one struct stream_format for
 * each format, with a row of STREAM_FORMATS and a file in this folder.
 *
 * Each function appends whole events, with everything that delimits them on the
 * wire, to a buffer, which notes failed allocations. message() makes bytes for all streams of
 * the format, so it is pure, and called by any thread. The others write to one
 * stream, in its streamer's thread, and are given what the stream's door keeps of it
 * (stream_client.h: ids, counters); NULL without a door. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_STREAM_FORMAT_H
#define CONFAB_BRIDGE_STREAM_FORMAT_STREAM_FORMAT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "store/message.h"

/* X(NAME, variable). The format's number is STREAM_FORMAT_NAME. */
#define STREAM_FORMATS(X)                                                     \
    X(SSE_CHUNKED, sse_chunked)         /* sse.h: HTTP/1.1 */                 \
    X(SSE_UNTIL_CLOSE, sse_until_close) /* sse.h: HTTP/1.0 */                 \
    X(WEBSOCKET, websocket)             /* websocket.h */                     \
    X(WEBSOCKET_DEFLATE, websocket_deflate)                                   \
    /* The same, for readers that asked for events besides messages. */       \
    X(SSE_CHUNKED_EVENTS, sse_chunked_events)                                 \
    X(SSE_UNTIL_CLOSE_EVENTS, sse_until_close_events)                         \
    X(WEBSOCKET_EVENTS, websocket_events)                                     \
    X(WEBSOCKET_DEFLATE_EVENTS, websocket_deflate_events)                     \
    X(SOCKET_IO_ROOMS, socket_io_rooms) /* doors/rooms/rooms_format.c */

enum stream_format_number {
#define X(NAME, variable) STREAM_FORMAT_##NAME,
    STREAM_FORMATS(X)
#undef X
        STREAM_FORMAT_COUNT
};

/* Why a stream ends. X(NAME, close code of a WebSocket (RFC 6455 §7.4.1), reason sent
 * with it, at most 123 bytes). */
#define STREAM_ENDS(X)                                                        \
    X(SHUTDOWN, 1001, "the server stops: connect again")                      \
    X(IDLE, 1000, "idle for as long as the plan allows")                      \
    X(REVOKED, 1008, "the token was deleted")                                 \
    X(KEY, 1008, "the key was revoked or has expired")                        \
    X(CLIENT, 0, "") /* the client closed, and was answered */                \
    X(BROKEN, 1002, "a frame breaks RFC 6455")                                \
    X(BINARY, 1003, "binary frame: send JSON in text frames")                 \
    X(BAD_DATA, 1007, "a message is not UTF-8, JSON or what was compressed")  \
    X(TOO_BIG, 1009,                                                          \
      "a message is larger than the plan's payload_max allows")               \
    X(SLOW, 1008,                                                             \
      "a message that had begun came too slowly (http.body_timeout)")         \
    X(BUSY, 1013, "out of memory: try again later")

enum stream_end {
#define X(NAME, code, reason) STREAM_END_##NAME,
    STREAM_ENDS(X)
#undef X
};

/* The beginning of a stream, after the response head. */
struct stream_greeting {
    uint64_t retry_ms;        /* for this reader, jitter included; 0: none */
    uint64_t status_retry_ms; /* shown in the status event; 0: not shown */
};

/* A stored message, or a change of messages, whose payload is what is to be told of it
 * (message_put_change()); all borrowed. */
struct stream_message {
    struct slice token, thing, payload;
    uint8_t kind; /* enum message_kind */
    struct slice sender;
    int64_t changed_us; /* of a message; with what struct message has */
    struct slice changed_by;
    enum payload_class payload_class;
    uint64_t id;
    int64_t at_us;
    struct slice event; /* its kind, if it is an event (base/event_topic.h): it
                           has no id then, and was not stored */
};

/* What comes next in the bytes of a client. */
enum stream_input_event {
    STREAM_INPUT_MORE,    /* nothing: more bytes are needed */
    STREAM_INPUT_MESSAGE, /* a whole message; borrowed until the next call */
    STREAM_INPUT_REPLY,   /* a reply was appended, which must be sent now */
    STREAM_INPUT_END      /* the stream ends (*ret_why); reply as above */
};

/* How a format finds the messages of clients in their bytes. */
struct stream_input {
    void *(*begin)(size_t message_max); /* NULL: out of memory */
    void (*feed)(void *input, struct slice bytes);
    enum stream_input_event (*next)(void *input, struct slice *ret_message,
                                    struct buffer *reply,
                                    enum stream_end *ret_why);
    /* It is between two messages: it may be ended, and a new one begun later. */
    bool (*is_idle)(const void *input);
    size_t (*held)(const void *input); /* memory in use, in bytes */
    /* How many bytes of the current message are missing, if known; 0: none. */
    size_t (*wanted)(const void *input);
    void (*end)(void *input);
    /* Whether the message that was returned last is binary. NULL: none is. */
    bool (*is_binary)(const void *input);
};

struct stream_format {
    enum stream_format_number number;
    void (*start)(struct buffer *b, void *state,
                  const struct stream_greeting *g);
    void (*message)(struct buffer *b, const struct stream_message *m);
    /* message() takes events, too. */
    bool takes_events;
    /* Entries from…to (inclusive) are gone. cursor_id: the id with which the reader
     * shall come back, if its own id is unknown to us; 0: its own. */
    void (*gap)(struct buffer *b, void *state, uint64_t from, uint64_t to,
                uint64_t cursor_id);
    /* Keeps proxies from timing out; not an event. */
    void (*ping)(struct buffer *b, void *state);
    /* Sent before bye(STREAM_END_IDLE). */
    void (*expired)(struct buffer *b, void *state);
    /* The last bytes before FIN; may append nothing. */
    void (*bye)(struct buffer *b, void *state, enum stream_end why);
    /* A door's answer to a client's message, in JSON; NULL where `received` is NULL. */
    void (*text)(struct buffer *b, void *state, struct slice json);
    /* NULL: bytes from the reader are dropped. */
    const struct stream_input *received;
};

#define X(NAME, variable) extern const struct stream_format variable;
STREAM_FORMATS(X)
#undef X

#endif
