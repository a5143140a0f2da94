/* What the files of a streamer share. All of it is the streamer's thread's,
 * but for what says otherwise.
 *
 * Each calls only those below it:
 *   streamer.c        life, mailboxes, live messages
 *   stream_sweep.c    what happens because time passes
 *   stream_catchup.c  streams that read the log, and their going live
 *   stream_begin.c    one stream's beginning
 *   stream_receive.c  what its reader sends
 *   stream_follow.c   its reader changes what it follows
 *   stream_life.c     its end
 *   stream_audience.c its filters
 *   stream_share.c    how much of the streamer's time its token's messages take
 *   stream_socket.c   what it sends
 *   stream_state.c    what it waits for
 *
 * Nobody frees a stream but streamer_reap(): stream_drop() marks it, so whoever
 * walks a list may go on, and a pointer to it is good until the callback ends. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_PRIVATE_H
#define CONFAB_BRIDGE_STREAM_STREAM_PRIVATE_H

#include <ev.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/topic.h"
#include "bridge/stream/stream_client.h"
#include "bridge/stream/stream_index.h"
#include "bridge/stream/streamer.h"
#include "store/read/catchup.h"

#define STREAM_PENDING_MAX 262144 /* bytes a live stream may owe its reader */
#define STREAMER_RECEIVED_MAX 256
#define STREAMER_HELD_MAX (64UL * 1024 * 1024) /* bytes owed to all readers */
/* Bytes of messages that readers have begun to send, or wait for replies to. */
#define STREAMER_INPUT_MAX (64UL * 1024 * 1024)
#define STREAM_UNREAD_MAX 65536 /* owed to a reader that is read from */
/* Tokens share one by their hash: a collision makes one wait for another. */
#define STREAMER_SHARES 1024

/* A stream on its way from the HTTP side; one allocation, freed when its first
 * bytes have been made. */
struct stream_start {
    struct stream *stream;
    struct slice token;
    const struct plan *plan;
    const struct stream_format *format;
    bool is_local_plan, has_cursor;
    uint64_t cursor, head;
    struct slice response_head;
    size_t filter_count;
    struct slice filters[]; /* normalized; all text follows */
};

enum stream_state {
    STREAM_CATCHUP, /* reads the log */
    STREAM_LIVE,    /* is given messages as they come */
    STREAM_CLOSING, /* sends the rest of its output, then FIN */
    STREAM_LINGER,  /* has sent FIN, waits for the reader's */
    STREAM_GONE     /* dropped; freed before the loop waits again */
};

enum stream_queue { QUEUE_NONE, QUEUE_RUNNABLE, QUEUE_WAITING };

struct stream {
    LIST_ENTRY(stream) in_audience;
    TAILQ_ENTRY(stream) in_all;
    TAILQ_ENTRY(stream)
    in_queue; /* while `queue` is not QUEUE_NONE, or GONE */
    TAILQ_ENTRY(stream) in_resting; /* while `rests` */
    struct streamer *streamer;
    struct audience *audience; /* NULL from CLOSING on */
    const struct plan *plan;
    const struct stream_format *format;
    struct stream_start *start;        /* NULL once the first bytes are made */
    struct catchup *catchup;           /* only while it reads the log */
    struct stream_shapes_hold *shapes; /* NULL: its filters have none */
    const struct stream_door *door; /* NULL: its reader has nothing to say */
    void *door_arg;
    void *input;                /* the format's, amid a message; else NULL */
    struct stream_spans *spans; /* stream_follow.c; NULL: follows nothing, or
                                   the same for ever */
    size_t message_max;         /* of what it receives */
    size_t input_bytes;         /* in `input` */
    size_t reply_bytes;         /* kept for replies */
    uint32_t replies_due;       /* it is freed when there are none */
    struct output output;
    ev_io io;
    int fd;
    uint8_t state;      /* enum stream_state */
    uint8_t queue;      /* enum stream_queue */
    bool half_closed;   /* the reader has sent FIN; it may still be reading */
    bool failed;        /* the store could not be read: try again */
    bool rests;         /* not read from: its token's share is used up */
    uint16_t share;     /* of streamer.shares, by its token */
    uint32_t discarded; /* bytes the reader has sent us */
    uint64_t position;  /* everything for it up to this id is in the output or
                            sent */
    uint64_t gap_told;  /* greatest id a gap event named */
    uint64_t gap_walk;  /* retention may have overtaken it: the walk of its
                            audience that will tell; 0: none is needed */
    uint64_t
        gap_mark; /* under patterns: the audience's trimmed_id, up to which
                            it knows what is gone */
    int64_t event_at_ms; /* last event; comments are none */
    int64_t sent_at_ms;  /* last byte */
    int64_t until_ms;    /* CLOSING, LINGER: patience ends */
};

TAILQ_HEAD(stream_list, stream);

enum streamer_flag {
    STREAMER_LOST = 1,       /* messages were missed */
    STREAMER_REVALIDATE = 2, /* revocations may have been */
    STREAMER_STOP = 4,
    STREAMER_DUMP = 8 /* its state is to be logged */
};

struct streamer {
    struct streamer_env env;
    unsigned number;
    pthread_t thread;

    /* any thread */
    struct mailbox *starts;    /* struct stream_start */
    struct mailbox *frames;    /* struct frame, a reference each */
    atomic_size_t frame_bytes; /* in `frames` and `received` */
    atomic_size_t load;
    atomic_uint flags; /* enum streamer_flag */
    pthread_mutex_t replies_mutex;
    STAILQ_HEAD(, stream_reply) replies; /* ready; bounded by each stream's */

    struct ev_loop *loop;
    ev_async wake;
    ev_timer sweep;
    ev_timer catchup; /* 0 s while a stream is runnable */
    ev_timer stop;
    ev_timer rest;   /* while a stream rests */
    ev_prepare reap; /* before each wait: frees what was dropped */
    struct store_reader *reader;
    struct stream_index index;
    struct stream_list all, runnable, waiting, gone, resting;
    size_t count;
    void *received[STREAMER_RECEIVED_MAX]; /* struct frame, from `frames` */
    size_t received_at, received_count;    /* to be looked at */
    STAILQ_HEAD(, audience) touched;       /* with messages of this turn */
    struct audience *flushing;       /* not in `touched`, but has a run */
    int64_t flush_until_us;          /* until then a flush may take in more */
    uint64_t last_id;                /* of the last message seen */
    uint64_t snapshot;               /* number of the last snapshot */
    size_t held;                     /* bytes in runs */
    size_t input_held;               /* see STREAMER_INPUT_MAX */
    int64_t shares[STREAMER_SHARES]; /* us, monotonic: used up until then */
    size_t copied;  /* bytes put into runs since they were last sent */
    size_t dropped; /* readers that were too slow, not yet logged */
    int64_t now_ms; /* monotonic, as of this callback */
    unsigned sweeps;
    size_t tokens_at;       /* the next tokens to be looked at */
    struct buffer scratch;  /* events being put together… */
    struct run_mark *marks; /* …and where each ends */
    size_t mark_count, mark_cap;
    int64_t stop_until_ms; /* 0: not stopping */
};

static inline void streamer_clock(struct streamer *st)
{
    st->now_ms = clock_mono_us() / 1000;
}

/* ---- stream_state.c */
void stream_enqueue(struct stream *s, enum stream_queue queue);
/* Retention may have overtaken it: it looks before it reads on. */
void stream_check_gap(struct stream *s);
/* Live no more: reads on from its position in the log. */
void stream_to_catchup(struct stream *s);
void streamer_lose_all(struct streamer *st); /* that for all live ones */
void streamer_catchup_soon(struct streamer *st);
void stream_end_rest(struct stream *s); /* if it rests (stream_share.c) */
/* The end, at once: nothing more is sent. */
void stream_drop(struct stream *s);
/* Too much is owed: the slowest readers read the log instead, or go. */
void streamer_relieve(struct streamer *st);

/* ---- stream_audience.c */
/* Into the audience of these filters (normalized). false: out of memory. */
bool stream_enter_audience(struct stream *s, struct slice token,
                           const struct slice *filters, size_t count);
void stream_leave_audience(struct stream *s);
/* From its audience into another one; it reads the log from `position` on.
 * Unchanged where the result is another than STREAM_FOLLOWS. */
enum stream_follow_result stream_change_audience(struct stream *s,
                                                 const struct slice *filters,
                                                 size_t count,
                                                 uint64_t position);
/* Gives back one reference; with the last one the subscriptions. */
void audience_release(struct streamer *st, struct audience *a);

/* ---- stream_follow.c */
/* While it reads the log: another filter brought this, or none wants it. */
bool stream_skips(const struct stream *s, struct slice topic, uint64_t id);

/* ---- stream_begin.c */
void stream_begin(struct streamer *st, struct stream_start *start);

/* ---- stream_receive.c */
void stream_on_io(struct ev_loop *loop, ev_io *w, int events);
void streamer_deliver_replies(struct streamer *st);

/* ---- stream_life.c */
/* The end: the reader is sent what it is owed, goodbye in its format, and FIN.
 * At once: stream_drop(). */
void stream_close(struct stream *s, enum stream_end why);
/* Frees what was dropped, but for what a reply is due to. */
void streamer_reap(struct streamer *st);
/* It was reaped: frees it unless a reply is due. */
void stream_forget(struct stream *s);
/* Counts what its input holds now; frees that. */
void stream_hold_input(struct stream *s, size_t bytes);
void stream_drop_input(struct stream *s);
/* Finishes every stream of that token, and reaps. */
void stream_close_token(struct streamer *st, struct slice token);

/* ---- stream_share.c */
/* false: its token's share is used up; it rests, and is read from again later. */
bool stream_may_receive(struct stream *s, int64_t now_us);
/* For messages handled since `since_us`. */
void stream_charge_share(struct stream *s, int64_t since_us);
void streamer_on_rest(struct ev_loop *loop, ev_timer *w, int events);

/* ---- stream_socket.c */
void stream_watch(struct stream *s); /* for what it waits for now */
/* CLOSING, and all is sent. s may be gone afterwards. */
void stream_send_fin(struct stream *s);
void stream_on_writable(struct stream *s);
/* Sends events made in st->scratch, keeps what the socket does not take.
 * false: the stream is gone. */
bool stream_send_scratch(struct stream *s);
/* The same for what FIN follows at once, in the same packet: whoever keeps
 * connections (a proxy) must not think that this one can be used again. */
bool stream_send_last(struct stream *s);
/* Notes that st->scratch holds one more piece that is not to be cut. */
void stream_mark(struct streamer *st, uint64_t id);
/* Empties st->scratch. */
void stream_clear_scratch(struct streamer *st);
bool stream_ping(struct stream *s); /* false: gone */
/* Sends of `run` what lies after s->position; s may be gone afterwards. */
void stream_deliver(struct stream *s, struct run *run);

/* ---- stream_catchup.c */
void streamer_on_catchup(struct ev_loop *loop, ev_timer *w, int events);
/* The filter's subscription stands: who waited for it tries to go live. */
void streamer_granted(struct streamer *st, struct slice filter);
/* Once a second: who waits looks whether the log has grown. */
void streamer_poll_head(struct streamer *st);
/* Closes the streams of revoked tokens; looks at all, or at other ones of
 * `parts` parts with every call. */
void streamer_check_tokens(struct streamer *st);
void streamer_check_some_tokens(struct streamer *st, size_t parts);

/* ---- stream_dump.c */
void streamer_log_state(struct streamer *st);

/* ---- stream_sweep.c */
void streamer_on_sweep(struct ev_loop *loop, ev_timer *w, int events);
void streamer_begin_stop(struct streamer *st);
void streamer_on_stop(struct ev_loop *loop, ev_timer *w, int events);

#endif
