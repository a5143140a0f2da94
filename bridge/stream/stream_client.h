/* A stream whose reader may send messages. A format with `received`
 * (format/stream_format.h) finds them in the bytes; the stream's door gets each of them
 * and acts on the stream by the functions below.
 *
 * Threads: everything is for the stream's streamer thread, except stream_reply_ready().
 * A pointer to a stream is valid only during the call that got it, unless a reply is
 * outstanding (stream_expect()). */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_CLIENT_H
#define CONFAB_BRIDGE_STREAM_STREAM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "bridge/stream/format/stream_format.h"

struct stream;

/* `state` is what the door keeps of one stream. The functions of its format that
 * write to one stream are given it, too (struct stream_format). What can grow in it
 * is said by stream_hold(). */
struct stream_door {
    /* A whole message, borrowed for the call. Must not block. */
    void (*received)(void *state, struct stream *s, struct slice message);
    /* About twice a second, in place of the format's ping on quiet streams, e.g.
     * to ping by the client's own rules and to end who does not answer:
     * stream_ping(), stream_end(); and when stream_due() says. NULL: not
     * called. */
    void (*tick)(void *state, struct stream *s, int64_t now_ms);
    /* The response head has been sent. Must not follow anything yet. NULL: not
     * called. */
    void (*begun)(void *state, struct stream *s);

    /* For streams that may be parked (below); else NULL. */
    /* Something waits in its output: stream_take_output(), if it can be sent. Must not
     * change what the stream follows. */
    void (*waiting)(void *state, struct stream *s);
    /* The connection of the held request was closed. */
    void (*request_lost)(void *state, struct stream *s);
    /* The socket that a parked stream was given is gone; why: CLIENT, or what was wrong
     * with what came. */
    void (*socket_lost)(void *state, struct stream *s, enum stream_end why);
    /* The server ends the stream, which is parked: say goodbye, now. */
    void (*closed)(void *state, struct stream *s, enum stream_end why);

    /* The stream is gone, or was never adopted: the state may be freed. */
    void (*ended)(void *state);
};

/* false: the stream has ended; do nothing more with it. */
bool stream_is_open(const struct stream *s);
/* Sends JSON to the client, after everything sent before. The stream may end by this,
 * but the pointer stays valid until the callback that got it returns. */
void stream_send(struct stream *s, struct slice json);
/* Whether the message that received() has got is binary. */
bool stream_received_binary(const struct stream *s);
/* Sends what the format has for a ping; likewise. false: gone. */
bool stream_ping(struct stream *s);
/* So many bytes are held by the door's state from now on. They count with the
 * messages that clients have begun: beyond 64 MiB of a streamer, the stream that
 * holds most of the token that holds most ends; it may be this one. */
void stream_hold(struct stream *s, size_t bytes);
/* Sends a goodbye and ends the stream; nothing more is received. */
void stream_end(struct stream *s, enum stream_end why);

/* Calls tick() at that time as well (ms, monotonic), or a little later. INT64_MAX: not.
 * Each call replaces the one before. */
void stream_due(struct stream *s, int64_t at_ms);

/* ---- parked streams --------------------------------------------------------
 *
 * A client without a WebSocket asks again and again (long polling): its stream is parked.
 * It has no socket, and what is for its client waits in its output, with the bounds of a
 * slow reader: it reads the log later rather than keep more. The door takes what
 * waits, and answers the client's requests, each of which is on a connection of its
 * own. A stream is parked if streams_adopt() was given no socket. */

/* Adds an HTTP request to a parked stream that holds none; takes fd. false: out of
 * memory, fd is closed. */
bool stream_hold_request(struct stream *s, int fd);
/* Sends the whole response, and closes the connection. */
void stream_answer_request(struct stream *s, struct slice response);
/* Hands each event that waits to `each`, as its format wrote it; borrowed. */
void stream_take_output(struct stream *s,
                        void (*each)(void *arg, struct slice event),
                        void *arg);
/* Gives it a socket, on which `head` is sent; takes fd. What comes is received, and
 * stream_send() sends there, but events still wait. false: it is gone already. */
bool stream_attach(struct stream *s, int fd, struct slice head);
/* Takes the socket away again, and closes it. */
void stream_detach(struct stream *s);
/* From now on it is an ordinary stream of that socket. Its output must have been taken. */
void stream_unpark(struct stream *s);

/* Something to do in a streamer's thread, for a stream that some other part of the door
 * knows there: a request of a client that has a stream already. */
struct streamer;
struct stream_visit {
    /* Exactly once. NULL: the server stops. Sockets that have something to be read
     * were read before. */
    void (*run)(struct stream_visit *v, struct streamer *st);
};
/* The number of its streamer, for streams_visit(). */
unsigned stream_streamer(const struct stream *s);
/* Sends a whole response and closes the connection; takes fd. */
void streamer_answer(struct streamer *st, int fd, struct slice response);

enum stream_follow_result {
    STREAM_FOLLOWS,
    STREAM_FOLLOW_TOO_MANY,   /* more than STREAM_FILTERS_MAX on one stream */
    STREAM_FOLLOW_TOO_VARIED, /* see STREAMS_TOO_VARIED */
    STREAM_FOLLOW_FAILED      /* the store cannot be read, or out of memory */
};

/* Follows `things` (valid things or filters below the token) as well: from cursor on, or
 * from now on without one. Every message with an id greater than *ret_from is sent, once.
 * Filters that are followed already are not changed, unless there is a cursor: then they
 * are replayed from it. A cursor from the future makes a gap and counts as now. */
enum stream_follow_result stream_follow(struct stream *s,
                                        const struct slice *things,
                                        size_t count, bool has_cursor,
                                        uint64_t cursor, uint64_t *ret_from);
/* Stops following `things`; those that are not followed are ignored. */
enum stream_follow_result stream_unfollow(struct stream *s,
                                          const struct slice *things,
                                          size_t count);

/* An answer that another thread will give; the memory is the door's. */
struct stream_reply {
    STAILQ_ENTRY(stream_reply) entry;
    struct stream *stream;
    size_t bytes; /* memory it keeps */
    /* Called in the streamer's thread, exactly once; is_open: stream_send() works. */
    void (*deliver)(struct stream_reply *r, bool is_open);
};

/* Announces a reply. While STREAM_REPLIES_MAX of them or STREAM_REPLY_BYTES_MAX are
 * outstanding, the stream is not read from. */
#define STREAM_REPLIES_MAX 64
#define STREAM_REPLY_BYTES_MAX 1048576
void stream_expect(struct stream *s, struct stream_reply *r, size_t bytes);
/* The reply is ready. Any thread, exactly once for each one announced, never blocks. */
void stream_reply_ready(struct stream_reply *r);

#endif
