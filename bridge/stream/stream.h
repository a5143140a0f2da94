/* Live streams: sockets taken away from the HTTP library, fed by streamer
 * threads (one libev loop each). A stream is a slab entry of a few hundred
 * bytes: a socket, a filter, a position in the log.
 *
 * Every stream starts as a catch-up reader (store/read/catchup.h) and goes live when
 * what it has been given reaches the snapshot's head and the link's
 * subscription stands; a stream that cannot keep up (> 256 KiB pending) or whose
 * link was lost becomes a catch-up reader again and keeps its position. So
 * there is no gap and no double, whatever SUBACK or broker do. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_H
#define CONFAB_BRIDGE_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "bridge/link/link.h"
#include "bridge/stream/format/stream_format.h"
#include "store/store.h"

struct streams;

struct connection_budget;
struct stream_door;

/* Starts the streamer threads (0: one per core, but for one). Each stream holds a place in
 * `budget` (borrowed; NULL: not counted). Owns the link's callbacks through
 * streams_link_opts(). NULL: out of memory or threads. */
struct streams *streams_start(const struct config *config, struct store *store,
                              struct connection_budget *budget,
                              unsigned threads);
/* Callbacks to start the link with (arg = the streams). */
void streams_link_opts(struct streams *s, struct link_opts *ret_opts);
/* Tells the streams which link to subscribe on, once it is started. */
void streams_set_link(struct streams *s, struct link *l);
/* Cuts every stream off at an event boundary within about 1.5 s, joins the threads.
 * Before link_stop(). Other threads may still call in: streams_adopt() says
 * false then, the link's callbacks do nothing. Once. NULL is fine. */
void streams_stop(struct streams *s);
/* After streams_stop() and link_stop(), when no thread can call in any more. */
void streams_free(struct streams *s);

/* One reader, as the HTTP side has settled it. */
struct stream_opts {
    struct slice token;
    const struct slice *things; /* things or MQTT filters below the token */
    size_t thing_count;      /* 1…64; with a door 0, and it follows later */
    const struct plan *plan; /* idle_timeout, retry_ms, keepalive */
    const struct stream_format *format; /* as the response head says */
    bool is_local_plan; /* `local`: status without retry, jitter ±20 % */
    bool has_cursor;    /* Last-Event-ID or ?last_event_id= was given */
    uint64_t cursor;    /* that id; else ignored */
    uint64_t head;      /* store_head() read by the HTTP side before
                                   anything was sent */
    /* Of a format with `received` (stream_client.h): who is given what, up to
     * how long; told of the end once the stream is adopted. Else NULL. */
    const struct stream_door *door;
    void *door_arg;
    size_t message_max;
    struct slice response_head; /* status line and headers with the final CRLF
                                   CRLF; sent together with the first events */
};

enum streams_answer {
    STREAMS_ADOPTED,
    STREAMS_TOO_MANY, /* plan's or server's number of connections reached, or out
                         of memory */
    STREAMS_TOO_VARIED /* the token's streams have `+` at too many different
                          levels: stream_shapes.h */
};

/* Takes `fd` (non-blocking, a dup of the HTTP library's), closes it in the end,
 * errors included. Any thread, never blocks; everything in *opts is copied. But
 * for STREAMS_ADOPTED fd stays the caller's. */
enum streams_answer streams_adopt(struct streams *s, int fd,
                                  const struct stream_opts *opts);

/* Logs what the streamers hold, a line each, a moment later. Any thread, while
 * streams_stop() was not called. */
void streams_dump(struct streams *s);

/* Number of open streams, all or of one token. Any thread. */
size_t streams_count(struct streams *s);
size_t streams_count_of(struct streams *s, struct slice token);

#endif
