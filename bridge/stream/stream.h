/* Live streams: sockets taken over from the HTTP server and served by streamer threads,
 * one libev loop each. A stream takes a few hundred bytes: a socket, filters, a position
 * in the log.
 *
 * Every stream starts as a catch-up reader (store/read/catchup.h). It goes live when it
 * has been sent everything up to a snapshot's head and the link's subscriptions are in
 * force. If it cannot keep up (> 256 KiB pending), or the link was lost, it becomes a
 * catch-up reader again and keeps its position. So nothing is missing or doubled,
 * whatever happens to a SUBACK or the broker. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_H
#define CONFAB_BRIDGE_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "bridge/link/link.h"
#include "bridge/stream/format/stream_format.h"
#include "store/store.h"

struct streams;

struct caller;
struct connection_budget;
struct stream_door;
struct stream_visit;

/* Starts the streamer threads (0: one per core, but for one). Each stream takes a place in
 * `budget` (borrowed; NULL: streams are not counted). Pass streams_link_opts() to the
 * link, whose callbacks belong to the streams. NULL: out of memory or threads. */
struct streams *streams_start(const struct config *config, struct store *store,
                              struct connection_budget *budget,
                              unsigned threads);
/* The callbacks to start the link with (arg = the streams). */
void streams_link_opts(struct streams *s, struct link_opts *ret_opts);
/* Keeps a filter subscribed for as long as there are streams, for callbacks of the link
 * that are somebody else's. Before the link is started. false: out of memory. */
bool streams_keep(struct streams *s, struct slice filter);
/* Tells the streams which link to subscribe on, once it is started. */
void streams_set_link(struct streams *s, struct link *l);
/* Cuts all streams off between two events, within about 1.5 s, and joins the threads.
 * Call it before link_stop(). Other threads may still call in: streams_adopt() returns
 * STREAMS_TOO_MANY then, and the link's callbacks do nothing. Once. NULL is fine. */
void streams_stop(struct streams *s);
/* After streams_stop() and link_stop(), when no thread can call in any more. */
void streams_free(struct streams *s);

/* One reader, as checked by the HTTP side. */
struct stream_opts {
    struct slice token;
    const struct slice *things; /* things or MQTT filters below the token */
    size_t thing_count;      /* 1…64; 0 with a door, which follows later */
    const struct plan *plan; /* connections, idle_timeout, retry_ms, keepalive;
                                borrowed for the call */
    /* Who came with a key or JWT, with which the stream ends; of caller_share(). NULL:
     * nobody did. */
    const struct caller *caller;
    const struct stream_format *format; /* the one in the response head */
    bool is_local_plan; /* `local`: status without retry, jitter ±20 % */
    bool has_cursor;    /* Last-Event-ID or ?last_event_id= was given */
    uint64_t cursor;    /* that id, if has_cursor */
    uint64_t head;      /* store_head(), read by the HTTP side before anything
                                   was sent */
    /* For a format with `received` (stream_client.h): the door that gets messages of
     * up to message_max bytes, and the end once the stream is adopted; and what it keeps
     * of this stream. Else NULL. */
    const struct stream_door *door;
    void *door_state;
    size_t message_max;
    struct slice response_head; /* status line and headers with the final CRLF
                                   CRLF; sent together with the first events */
};

enum streams_answer {
    STREAMS_ADOPTED,
    STREAMS_TOO_MANY,  /* the plan's or the server's number of connections is
                         reached, or memory ran out */
    STREAMS_TOO_VARIED /* the token's streams have `+` in too many different
                          combinations of levels: stream_shapes.h */
};

/* On STREAMS_ADOPTED takes `fd` (non-blocking, a duplicate of the HTTP server's; -1: the
 * stream is parked, stream_client.h) and will close it, and the reference to opts->caller; otherwise both stay the caller's.
 * Everything else in *opts is copied. Any thread,
 * never blocks. */
enum streams_answer streams_adopt(struct streams *s, int fd,
                                  const struct stream_opts *opts);

/* Runs v->run() (stream_client.h) in that streamer's thread. Any thread, never blocks. false:
 * too many wait, or the server stops; v is still the caller's. */
bool streams_visit(struct streams *s, unsigned streamer,
                   struct stream_visit *v);

/* Asks each streamer to log one line about what it holds, a moment later. Any thread,
 * before streams_stop(). */
void streams_dump(struct streams *s);

/* Number of open streams, all or of one token. Any thread. */
size_t streams_count(struct streams *s);
size_t streams_count_of(struct streams *s, struct slice token);

#endif
