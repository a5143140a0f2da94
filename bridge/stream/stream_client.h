/* A stream whose reader talks, too: what a door makes of its messages. A format
 * with `received` (format/stream_format.h) cuts them out of bytes, the door's
 * `received` is given each, and acts on the stream by the functions below.
 *
 * Threads: all of it is the stream's streamer's, but for stream_reply_ready(). No
 * pointer to a stream is good after the call it was given to, unless a reply is
 * due (stream_expect()). */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_CLIENT_H
#define CONFAB_BRIDGE_STREAM_STREAM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "bridge/stream/format/stream_format.h"

struct stream;

struct stream_door {
    /* A whole message, borrowed for the call. Must not block. */
    void (*received)(void *arg, struct stream *s, struct slice message);
    /* The stream is gone, or was never taken in: arg may be freed. */
    void (*ended)(void *arg);
};

/* false: it has ended, and nothing more is to be done on it. */
bool stream_is_open(const struct stream *s);
/* Sends JSON to the client, behind everything before it. s may be gone
 * afterwards, but its pointer is good until the call it came with returns. */
void stream_send(struct stream *s, struct slice json);
/* Sends goodbye and ends the stream; nothing more is received. */
void stream_end(struct stream *s, enum stream_end why);

enum stream_follow_result {
    STREAM_FOLLOWS,
    STREAM_FOLLOW_TOO_MANY,   /* more than STREAM_FILTERS_MAX on one stream */
    STREAM_FOLLOW_TOO_VARIED, /* see STREAMS_TOO_VARIED */
    STREAM_FOLLOW_FAILED      /* the store cannot be read, or out of memory */
};

/* Follows `things` (things or filters below the token, valid) as well, from
 * cursor on, or from now on without one: every message with an id greater than
 * *ret_from comes, once. What is followed already goes on as it is, but with a
 * cursor: then it is replayed from there. A cursor from the future is a gap, and
 * counts as now. */
enum stream_follow_result stream_follow(struct stream *s,
                                        const struct slice *things,
                                        size_t count, bool has_cursor,
                                        uint64_t cursor, uint64_t *ret_from);
/* Follows them no more; what is not followed is passed over. */
enum stream_follow_result stream_unfollow(struct stream *s,
                                          const struct slice *things,
                                          size_t count);

/* An answer that some other thread will give: the door's memory. */
struct stream_reply {
    STAILQ_ENTRY(stream_reply) entry;
    struct stream *stream;
    size_t bytes; /* that are kept for it */
    /* The streamer's thread, exactly once; is_open: stream_send() is of use. */
    void (*deliver)(struct stream_reply *r, bool is_open);
};

/* One more reply is due. While STREAM_REPLIES_MAX or STREAM_REPLY_BYTES_MAX are,
 * the stream is not read from. */
#define STREAM_REPLIES_MAX 64
#define STREAM_REPLY_BYTES_MAX 1048576
void stream_expect(struct stream *s, struct stream_reply *r, size_t bytes);
/* Any thread, exactly once for each that is due, never blocks. */
void stream_reply_ready(struct stream_reply *r);

#endif
