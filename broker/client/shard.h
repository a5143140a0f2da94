/* What one worker has: the data that every layer of the broker reads and
 * changes. A worker is a thread with one libev loop that owns connections, their
 * sessions and the index of their subscriptions; how it lives and what a turn of
 * its loop does is in worker.h.
 *
 * Layers above this one keep their own data behind a pointer here; it is
 * allocated together with the worker.
 * Threads: the worker's, where nothing else is said. */
#ifndef CONFAB_BROKER_CLIENT_SHARD_H
#define CONFAB_BROKER_CLIENT_SHARD_H

#include <pthread.h>

#include "base/mailbox.h"
#include "base/subscription_index.h"
#include "broker/client/connection.h"
#include "broker/client/credits.h"
#include "broker/client/held.h"
#include "broker/client/hub.h"
#include "broker/client/refusals.h"
#include "broker/client/stored_session.h"
#include "broker/client/turn_share.h"
#include "broker/client/worker_counters.h"
#include "broker/index/identifiers.h"
#include "broker/io/block.h"
#include "broker/io/image.h"

/* Batches that wait for it: so many, with messages of so many bytes and one more
 * batch. */
#define WORKER_BATCHES_MAX 1024
#define WORKER_BATCH_BYTES_MAX (64U * 1024 * 1024)
#define WORKER_MOVES_MAX 4096
#define WORKER_QUESTIONS_MAX 64
#define WORKER_READ_SIZE 65536
/* Bytes encoded between two flushes: no live reader gets more at once, so one
 * whose socket takes everything is never taken for a slow one. */
#define WORKER_ENCODED_MAX (OUT_QUEUE_BYTES_MAX / 4)

struct batch;
struct listeners;
struct opening;
struct pending_will;
struct publish_pool;
struct share;
struct sys_values;

/* A 3.1.1 client that was closed for its token's hourly limit. */
struct throttled {
    uint64_t publisher;
    int64_t until_us; /* monotonic */
    uint64_t
        writes_per_hour; /* the limit: with another one it may come back */
};
#define THROTTLED_MAX 1024

struct worker {
    struct hub *hub;
    unsigned number;

    bool started;
    pthread_t thread;

    /* mailboxes; everything else is the thread's own */
    struct mailbox *results;      /* struct command, bounded by the credits */
    struct mailbox *batches;      /* struct batch, a reference each */
    _Atomic uint64_t batch_bytes; /* of those, and of `current` */
    struct mailbox *moves;        /* struct connection */
    /* struct publish, another worker's (admin/client_query.h) */
    struct mailbox *questions;
    /* Not 0: batches had no room in the mailbox; 1 + the head of the last one.
     * While it is set the writer sends none, so that order is kept. */
    _Atomic uint64_t missed;
    atomic_uint_fast64_t
        liveness_round; /* hub.liveness_round, as this worker saw it last */
    unsigned dumps;     /* likewise hub.dumps */

    /* of the layers above */
    const struct connection_events *events; /* static, for all connections */
    struct publish_pool *publishes;         /* publish/publish.h */
    struct share *share;         /* share/share.h; has a fifth mailbox */
    struct sys_values *sys;      /* `$SYS` as last fanned out */
    struct listeners *listeners; /* accept/listener.h */

    struct ev_loop *loop;
    ev_async wake;
    ev_prepare turn;
    ev_check check;
    ev_idle again; /* active: there is more to do than the turn did */
    ev_timer tick; /* another turn is due: a retry, or a phase goes on */
    int lobby_fd;  /* lobby.h */
    ev_io lobby;
    void (*lobby_readable)(struct connection *c);
    enum hub_phase phase;
    bool is_busy; /* draining, and counted in hub.busy */
    int64_t closing_until_us;

    struct connection_list spare;   /* spare.h; who goes first is the first */
    _Atomic int64_t spare_since_us; /* monotonic, of the first */
    atomic_uint spare_count, spare_owed;

    struct connection_list connections;
    size_t connection_count;
    /* A walk over them that goes on in another turn: behind number `after`, at
     * `next`, which moves on when that connection leaves the list. */
    struct {
        uint64_t after;
        struct connection *next;
    } walk;
    struct connection *sessions;    /* by identity */
    struct session_filter *filters; /* by connection and filter */
    struct turns turns; /* who is read from, and given the backlog, when */
    struct unsaved_sessions unsaved; /* stored ones, urgent first */
    ev_timer save_tick;
    ev_timer sys_tick;        /* the admin worker's */
    size_t sys_subscriptions; /* filters here that concern `$SYS` */
    bool save_all;
    struct opening *openings; /* CONNECTs that wait for the store, by identity;
                                 session_open.c's */
    TAILQ_HEAD(, session_restore) restores;
    struct pending_will *wills; /* by client */
    TAILQ_HEAD(, pending_will) due_wills;
    size_t wills_submitted; /* with the writer */
    struct credits credits; /* of all its connections towards the writer */
    struct connection_list starving; /* not read: credits of worker or token */
    struct connection_list behind;   /* not read: fan-out of their own */
    SLIST_HEAD(, connection) dead;
    size_t
        dead_count; /* of connections that ended and are in the index still */
    struct connection *touched;

    struct subscription_index *index;
    uint64_t stamp;
    struct identifiers identifiers; /* of the message at hand */
    struct connection **hits;       /* room for all in the index */
    size_t hit_count, hit_cap;

    uint64_t head;       /* everything up to this id was fanned out */
    uint64_t catchup_to; /* > head: batches are missing, the log is read */
    bool recheck_tokens;
    bool fanning_out;      /* the message with id `head`, right now */
    struct batch *current; /* being fanned out, and how far */
    size_t current_at;
    size_t encoded; /* bytes since the last flush */

    struct block_pool pool;
    struct arena arenas[IMAGE_SHAPES];
    struct buffer scratch; /* for one packet being built */
    char *read_buffer;     /* 2 * WORKER_READ_SIZE */
    struct refusals refusals;
    uint64_t held[HELD_POOL_COUNT]; /* bytes, of everybody together */
    struct holder *holders;         /* those of them who have a share */

    struct throttled throttled[THROTTLED_MAX];

    int64_t real_us, mono_us; /* of this turn */
    struct counters counters;
    _Atomic uint64_t subscriptions, shared_subscriptions;
    _Atomic uint64_t clients; /* connected; administrators do not count */
    _Atomic uint64_t clients_stored; /* those whose session outlives them */
    _Atomic uint64_t closed[CLOSE_REASON_COUNT];
};

/* ---- any thread */

/* Ends the wait of its loop. */
void worker_wake(struct worker *w);

/* ---- the worker's thread */

/* There is more to do than fits into this turn: the next begins at once. */
void worker_again(struct worker *w);
/* The store failed: another turn in a moment. */
void worker_try_later(struct worker *w);
/* Passes a connection on to the worker of its session, with its unread bytes.
 * false: that one has no room, the connection stays. */
bool worker_move(struct worker *to, struct connection *c);
/* Where the log ends: what is acknowledged has an id up to that, and fan-out may
 * be behind it. Opens a short read transaction. false: it cannot be read. */
bool worker_read_log_head(const struct worker *w, uint64_t *ret_head);

#endif
