/* What the files of a streamer share. Everything is for the streamer's thread, unless said
 * otherwise.
 *
 * Each calls only those below it:
 *   streamer.c        life, mailboxes, live messages
 *   stream_sweep.c    what happens because time passes
 *   stream_catchup.c  streams that read the log, and their going live
 *   stream_begin.c    how a stream begins
 *   stream_parked.c   streams whose client polls
 *   stream_receive.c  what its reader sends
 *   stream_follow.c   changing what it follows
 *   stream_key.c      ending with the key that it was opened with
 *   stream_life.c     how it ends
 *   stream_audience.c which audience it is in
 *   stream_share.c    how much time its token's messages may take
 *   stream_socket.c   what is sent to its reader
 *   stream_state.c    what it waits for
 *   stream_request.c  requests that are held for a parked one
 *
 * Only streamer_reap() frees streams. stream_drop() just marks one, so whoever walks a list
 * may go on, and a pointer to it is valid until the callback ends. */
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
#include "store/directory.h"
#include "store/read/catchup.h"

#define STREAM_PENDING_MAX 262144 /* bytes that may wait for a live reader */
#define STREAMER_RECEIVED_MAX 256
#define STREAMER_HELD_MAX (64UL * 1024 * 1024) /* … and for all readers */
/* Bytes of incomplete messages of readers, of those that wait for replies, and of what
 * doors keep for them. */
#define STREAMER_INPUT_MAX (64UL * 1024 * 1024)
#define STREAM_UNREAD_MAX 65536 /* if more waits for it, it is not read from */
/* Tokens map to shares by a hash: on a collision two tokens share one. */
#define STREAMER_SHARES 1024

/* A stream on its way from the HTTP side; one allocation, freed when the first bytes have
 * been made. */
struct stream_start {
    struct stream *stream;
    struct slice token;
    uint64_t retry_ms, idle_timeout, keepalive; /* of the plan */
    const struct stream_format *format;
    bool is_local_plan, has_cursor;
    uint64_t cursor, head;
    struct slice response_head;
    size_t filter_count;
    struct slice filters[]; /* normalized; all text follows */
};

enum stream_state {
    STREAM_CATCHUP, /* reads the log */
    STREAM_LIVE,    /* gets messages as they come */
    STREAM_CLOSING, /* sends the rest of its output, then FIN */
    STREAM_LINGER,  /* has sent FIN, waits for the reader's FIN */
    STREAM_GONE     /* dropped; freed before the loop waits again */
};

enum stream_queue { QUEUE_NONE, QUEUE_RUNNABLE, QUEUE_WAITING };

/* What a stream has whose reader talks, too (stream_client.h): behind the stream,
 * in the same allocation. Other streams, which are most, do without. */
struct stream_client {
    const struct stream_door *door;
    void *state;
    void *input;                /* the format's, amid a message; else NULL */
    struct stream_spans *spans; /* stream_follow.c; NULL: follows nothing, or
                                   the same for ever */
    size_t message_max;         /* of what it receives */
    size_t input_bytes;         /* in `input` */
    int64_t begun_ms;           /* since when `input` waits for its message */
    int64_t heard_ms;           /* when bytes of it came last */
    size_t heard_bytes;         /* that have come since begun_ms */
    size_t reply_bytes;         /* kept for replies */
    size_t state_bytes;         /* held by `state`, as the door says */
    uint32_t replies_due;       /* it is freed when there are none */
    bool rests;     /* not read from: its token's share is used up */
    bool is_parked; /* what is sent waits for the door (stream_parked.c) */
    bool receives;  /* a callback amid what was received */
    bool loses;     /* its socket goes when that has returned */
    ev_timer due;   /* stream_due() */
    int64_t due_ms; /* the time wanted; INT64_MAX: none */
    struct held_request *request;   /* while parked; NULL: none */
    TAILQ_ENTRY(stream) in_resting; /* while `rests` */
};

/* What a stream has whose reader came with a key or JWT: right behind the stream, in the
 * same allocation, before the struct stream_client. */
struct stream_key {
    const struct caller
        *caller;        /* shared; key: that which ends it, "jwt" or empty */
    int64_t expires_us; /* since 1970; 0: never */
};

struct stream {
    LIST_ENTRY(stream) in_audience;
    TAILQ_ENTRY(stream) in_all;
    TAILQ_ENTRY(stream)
    in_queue; /* while `queue` is not QUEUE_NONE, or GONE */
    struct streamer *streamer;
    struct audience *audience;        /* NULL from CLOSING on */
    uint32_t idle_timeout, keepalive; /* s, of the plan; 0: none */
    const struct stream_format *format;
    struct stream_start *start;        /* NULL once the first bytes are made */
    struct catchup *catchup;           /* only while it reads the log */
    struct stream_shapes_hold *shapes; /* NULL: its filters have none */
    struct stream_client *client; /* NULL: its reader cannot send messages */
    struct output output;
    ev_io io;
    int fd;
    uint8_t state;      /* enum stream_state */
    uint8_t queue;      /* enum stream_queue */
    bool half_closed;   /* the reader has sent FIN; it may still be reading */
    bool failed;        /* the store could not be read: try again */
    uint16_t share;     /* index into streamer.shares, by its token */
    bool has_key;       /* there is a struct stream_key: stream_key() */
    bool is_reaped;     /* only replies that are due keep it */
    uint32_t discarded; /* bytes from the reader that were dropped */
    uint64_t
        position; /* everything for it up to this id has been sent or is in
                            the output */
    uint64_t gap_told;  /* greatest id that a gap event has named */
    uint64_t gap_walk;  /* number of the audience's walk that must tell whether
                            retention has overtaken it; 0: none needed */
    uint64_t gap_mark;  /* patterns: the audience's trimmed_id up to which it
                            knows what was removed */
    int64_t sent_at_ms; /* last byte */
    union {             /* by state */
        int64_t event_at_ms; /* CATCHUP, LIVE: last event; comments do not
                                count */
        int64_t until_ms;    /* CLOSING, LINGER: when to give up */
    };
};

/* NULL: it has none. */
static inline struct stream_key *stream_key(struct stream *s)
{
    return s->has_key ? (struct stream_key *)(s + 1) : NULL;
}

TAILQ_HEAD(stream_list, stream);

enum streamer_flag {
    STREAMER_LOST = 1,       /* messages were missed */
    STREAMER_REVALIDATE = 2, /* revocations may have been missed */
    STREAMER_STOP = 4,
    STREAMER_DUMP = 8 /* its state shall be logged */
};

struct streamer {
    struct streamer_env env;
    unsigned number;
    pthread_t thread;

    /* any thread */
    struct mailbox *starts;    /* struct stream_start */
    struct mailbox *frames;    /* struct frame, a reference each */
    struct mailbox *visits;    /* struct stream_visit */
    atomic_size_t frame_bytes; /* in `frames` and `received` */
    atomic_size_t load;
    atomic_uint flags; /* enum streamer_flag */
    pthread_mutex_t replies_mutex;
    STAILQ_HEAD(, stream_reply) replies; /* ready; bounded by each stream's */

    struct ev_loop *loop;
    ev_async wake;
    ev_async visit; /* after everything else of a turn */
    ev_timer sweep;
    ev_timer catchup; /* 0 s while a stream is runnable */
    ev_timer stop;
    ev_timer rest;   /* while a stream rests */
    ev_prepare reap; /* before each wait: frees what was dropped */
    struct store_reader *reader;
    struct stream_index index;
    struct stream_list all, runnable, waiting, gone, resting;
    LIST_HEAD(, held_request) requests; /* held, and being answered */
    size_t answer_bytes;                /* of those */
    size_t count;
    void *received[STREAMER_RECEIVED_MAX]; /* struct frame, from `frames` */
    size_t received_at, received_count;    /* those not handled yet */
    STAILQ_HEAD(, audience) touched;       /* with messages of this turn */
    struct audience *flushing;       /* has a run, but is not in `touched` */
    int64_t flush_until_us;          /* until then a flush may absorb more */
    uint64_t last_id;                /* of the last message seen */
    uint64_t snapshot;               /* number of the last snapshot */
    size_t held;                     /* bytes in runs */
    size_t input_held;               /* see STREAMER_INPUT_MAX */
    int64_t shares[STREAMER_SHARES]; /* us, monotonic: used up until then */
    size_t copied;  /* bytes put into runs since the last flush */
    size_t dropped; /* readers that were too slow and are not logged yet */
    int64_t now_ms; /* monotonic, as of this callback */
    unsigned sweeps;
    size_t tokens_at;       /* the next tokens to check */
    struct buffer scratch;  /* events being put together … */
    struct run_mark *marks; /* … and where each ends */
    size_t mark_count, mark_cap;
    int64_t stop_until_ms; /* 0: not stopping */
};

/* Visits that nobody can run any more. */
void streamer_run_visits(struct streamer *st, bool runs);

static inline bool stream_parked(const struct stream *s)
{
    return s->client != NULL && s->client->is_parked;
}

/* What is handed to its format. */
static inline void *stream_state_of(const struct stream *s)
{
    return s->client == NULL ? NULL : s->client->state;
}

static inline void streamer_clock(struct streamer *st)
{
    st->now_ms = clock_mono_us() / 1000;
}

/* ---- stream_state.c */
void stream_enqueue(struct stream *s, enum stream_queue queue);
/* Retention may have overtaken it: it must check before it reads on. */
void stream_check_gap(struct stream *s);
/* It leaves live mode and reads on from its position in the log. */
void stream_to_catchup(struct stream *s);
void streamer_lose_all(struct streamer *st); /* the same for all live ones */
void streamer_catchup_soon(struct streamer *st);
void stream_end_rest(struct stream *s); /* if it rests (stream_share.c) */
/* Ends it at once: nothing more is sent. */
void stream_drop(struct stream *s);
/* If too much waits for readers: the slowest read the log instead, or are closed. */
void streamer_relieve(struct streamer *st);

/* ---- stream_request.c */
/* Closes the request it holds, if any. */
void stream_drop_request(struct stream *s);
/* Ends answers whose time is up. */
void streamer_sweep_requests(struct streamer *st);
void streamer_free_requests(struct streamer *st);

/* ---- stream_parked.c */
void stream_on_due(struct ev_loop *loop, ev_timer *w, int events);
/* Sends st->scratch, which is short, on its socket, past its output. false: the socket was
 * lost. */
bool stream_send_parked(struct stream *s);
/* Its socket is gone, before stream_unpark(). */
void stream_lose_socket(struct stream *s, enum stream_end why);
/* What was put off by `receives`. */
void stream_received_all(struct stream *s);

/* ---- stream_audience.c */
/* Enters the audience of these filters (normalized). false: out of memory. */
bool stream_enter_audience(struct stream *s, struct slice token,
                           const struct slice *filters, size_t count);
void stream_leave_audience(struct stream *s);
/* Moves it to another audience; it reads the log from `position` on. If the result is not
 * STREAM_FOLLOWS, nothing has changed. */
enum stream_follow_result stream_change_audience(struct stream *s,
                                                 const struct slice *filters,
                                                 size_t count,
                                                 uint64_t position);
/* Releases one reference; the last one also releases the subscriptions. */
void audience_release(struct streamer *st, struct audience *a);

/* ---- stream_follow.c */
/* While it reads the log: whether to skip this message, because another filter has brought
 * it, or none wants it. */
bool stream_skips(const struct stream *s, struct slice topic, uint64_t id);

/* ---- stream_begin.c */
void stream_begin(struct streamer *st, struct stream_start *start);

/* ---- stream_receive.c */
void stream_on_io(struct ev_loop *loop, ev_io *w, int events);
void streamer_deliver_replies(struct streamer *st);
/* Where too much is held for clients, who holds most goes. */
void streamer_relieve_input(struct streamer *st);

/* ---- stream_life.c */
/* Ends it in order: sends what waits, a goodbye in its format, and FIN. To end it at once:
 * stream_drop(). */
void stream_close(struct stream *s, enum stream_end why);
/* Frees dropped streams, except those with outstanding replies. */
void streamer_reap(struct streamer *st);
/* Frees a stream that was reaped, unless a reply is outstanding. */
void stream_forget(struct stream *s);
/* Updates the count of what its input holds; frees its input. */
void stream_hold_input(struct stream *s, size_t bytes);
void stream_drop_input(struct stream *s);
/* Closes every stream of that token, and reaps. */
void stream_close_token(struct streamer *st, struct slice token);

/* ---- stream_key.c */
bool stream_key_has_expired(struct stream *s);
/* Whether the key is not there any more, or has expired. streamer.reader must have a
 * snapshot. */
bool stream_key_is_gone(struct stream *s);
/* Closes it, because of its key; what it has not been sent is dropped. */
void stream_close_by_key(struct stream *s);
/* Closes the streams with that key id. */
void streamer_close_key(struct streamer *st, struct slice tenant,
                        struct slice key);
/* Closes those of the tenant whose key is gone. Needs a snapshot, too. */
void streamer_check_keys(struct streamer *st, struct slice tenant);

/* ---- stream_share.c */
/* false: its token's share is used up; the stream rests until the share has recovered. */
bool stream_may_receive(struct stream *s, int64_t now_us);
/* Charges the time since `since_us`, which its messages have taken. */
void stream_charge_share(struct stream *s, int64_t since_us);
void streamer_on_rest(struct ev_loop *loop, ev_timer *w, int events);

/* ---- stream_socket.c */
void stream_watch(struct stream *s); /* watches for what it waits for now */
/* Call it in CLOSING when everything is sent. s may be gone afterwards. */
void stream_send_fin(struct stream *s);
void stream_on_writable(struct stream *s);
/* Sends the events in st->scratch, and keeps what the socket does not accept. false: the
 * stream is gone. */
bool stream_send_scratch(struct stream *s);
/* The same if FIN follows at once, in the same packet: a proxy that keeps connections must
 * not think that this one can be used again. */
bool stream_send_last(struct stream *s);
/* Notes that st->scratch has one more event, with this id (RUN_KEPT: never dropped). */
void stream_mark(struct streamer *st, uint64_t id);
/* Empties st->scratch. */
void stream_clear_scratch(struct streamer *st);
/* Sends the events of `run` that are after s->position; s may be gone afterwards. */
void stream_deliver(struct stream *s, struct run *run);
/* Sends all of a run, which has events that are not messages, unless too much waits for
 * the reader already. The stream is live. */
void stream_tell(struct stream *s, struct run *run);

/* ---- stream_catchup.c */
void streamer_on_catchup(struct ev_loop *loop, ev_timer *w, int events);
/* The filter's subscription is in force: streams that waited for it try to go live. */
void streamer_granted(struct streamer *st, struct slice filter);
/* Once a second: streams that wait check whether the log has grown. */
void streamer_poll_head(struct streamer *st);
/* Close the streams of revoked tokens and keys; the first checks all tokens, the second one of
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
